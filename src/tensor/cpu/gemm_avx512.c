// Products with AVX-512 F, BW, DQ and VL.
#define INK_TABLE ink_gemm_avx512
#include "tensor/cpu/gemm_body.h"
