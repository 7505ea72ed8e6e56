// The block types: 32 or 256 neighbours of a row share scales, laid out byte by byte as in ggml
// (GGUF specification; ggml-common.h). Little-endian; blocks need the alignment of their 2-byte
// scales.
#ifndef INK_TENSOR_BLOCKS_H
#define INK_TENSOR_BLOCKS_H

#include <stdint.h>

#include "tensor/tensor.h"

enum { INK_BLOCK = 32, INK_SUPER_BLOCK = 256 };

// x[i] = scale * q[i], q in [-127, 127].
typedef struct ink_block_q8_0 {
  uint16_t scale;  // F16
  int8_t q[INK_BLOCK];
} ink_block_q8_0;

// x[i] = scale * (q[i] - 8), q in [0, 15]: element i in the low half of byte i, i + 16 in the high.
typedef struct ink_block_q4_0 {
  uint16_t scale;  // F16
  uint8_t q[INK_BLOCK / 2];
} ink_block_q4_0;

// Eight sub-blocks of 32: x[i] = scale * s[j] * q[i] - minimum * m[j], q in [0, 15], s and m in
// [0, 63]. Sub-blocks 2k and 2k + 1 are the low and high halves of bytes 32k to 32k + 31.
typedef struct ink_block_q4_k {
  uint16_t scale, minimum;  // F16
  uint8_t steps[12];        // s and m, 6 bits each: ink_q4_k_steps
  uint8_t q[INK_SUPER_BLOCK / 2];
} ink_block_q4_k;

// Sixteen sub-blocks of 16: x[i] = scale * s[i / 16] * (q[i] - 32), q in [0, 63]. Within each half
// of 128, element 32k + l has its low four bits in byte 32 (k mod 2) + l of that half of `low`, the
// low half-byte for k < 2, and its high two at bit 2k of byte l of that half of `high`.
typedef struct ink_block_q6_k {
  uint8_t low[INK_SUPER_BLOCK / 2];
  uint8_t high[INK_SUPER_BLOCK / 4];
  int8_t s[INK_SUPER_BLOCK / 16];
  uint16_t scale;  // F16
} ink_block_q6_k;

_Static_assert(sizeof(ink_block_q8_0) == 34, "Q8_0 has 34 bytes");
_Static_assert(sizeof(ink_block_q4_0) == 18, "Q4_0 has 18 bytes");
_Static_assert(sizeof(ink_block_q4_k) == 144, "Q4_K has 144 bytes");
_Static_assert(sizeof(ink_block_q6_k) == 210, "Q6_K has 210 bytes");

// The 6-bit steps of the eight sub-blocks of a Q4_K block. Sub-blocks 0 to 3 use the low six bits
// of bytes 0 to 3 (s) and 4 to 7 (m); 4 to 7 keep four bits in the halves of bytes 8 to 11 and the
// top two above those of the first four.
static inline void ink_q4_k_steps(const uint8_t packed[12], uint8_t s[8], uint8_t m[8]) {
  for (int j = 0; j < 4; j++) {
    s[j] = packed[j] & 63;
    m[j] = packed[j + 4] & 63;
    s[j + 4] = (uint8_t)((packed[j + 8] & 15) | packed[j] >> 6 << 4);
    m[j + 4] = (uint8_t)(packed[j + 8] >> 4 | packed[j + 4] >> 6 << 4);
  }
}

// Encode n elements, a multiple of the block. Q8_0 and Q4_0 give the bytes of ggml's reference
// quantiser; Q4_K and Q6_K choose scales of least squared error. What is not finite is encoded as
// some finite value.
void ink_quantise(ink_dtype dtype, const float *from, void *blocks, int64_t n);

#endif
