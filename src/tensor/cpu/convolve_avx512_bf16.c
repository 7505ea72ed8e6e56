// Convolutions of BF16 operands with AVX-512 BF16: two neighbouring channels per step.
#define INK_TABLE ink_convolve_avx512_bf16
#define INK_PAIRS
#include "tensor/cpu/convolve_body.h"
