// Products of BF16 operands with AVX-512 BF16: two neighbours of k per step.
#define INK_TABLE ink_gemm_avx512_bf16
#define INK_PAIRS
#include "tensor/cpu/gemm_body.h"
