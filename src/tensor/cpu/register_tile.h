// The register tile of dense products, convolutions and weight gradients: sums (ROWS, WIDE
// registers), and the step that adds to them. INK_PAIRS: elements are BF16, two in a lane. Included
// by the bodies alone.
#include "tensor/cpu/vector.h"

// Per step: WIDE loads of b and ROWS broadcasts of a for ROWS * WIDE fused multiplications;
// ROWS * WIDE sums, WIDE columns and one broadcast fill the registers.
#if defined(__AVX512F__)
enum { ROWS = 14, WIDE = 2 };
#elif defined(__AVX2__)
enum { ROWS = 6, WIDE = 2 };
#else
enum { ROWS = 4, WIDE = 2 };
#endif
#if defined(INK_PAIRS)
enum { ELEMENTS = 2 };
#else
enum { ELEMENTS = 1 };
#endif
enum { COLUMNS = WIDE * LANES };

// sum + a * b, in one rounding where the set fuses and the unit is built to contract.
static inline __attribute__((always_inline)) vec fused(vec a, vec b, vec sum) {
#if defined(INK_PAIRS)
  return (vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
#else
  return sum + a * b;
#endif
}
