// Which passes over a vocabulary this machine takes.
#include "mark/watermark/cpu/draw.h"

#include "tensor/isa.h"

const ink_draw_kernels *ink_draw_kernels_here(void) {
#if defined(__x86_64__)
  ink_isa isa = ink_cpu_about()->isa;
  if (isa == INK_ISA_AVX512) return &ink_draw_avx512;
  if (isa == INK_ISA_AVX2) return &ink_draw_avx2;
#endif
  return &ink_draw_portable;
}
