// Weight gradients of BF16 operands with AVX-512 BF16: two neighbouring pictures per step.
#define INK_TABLE ink_correlate_avx512_bf16
#define INK_PAIRS
#include "tensor/cpu/correlate_body.h"
