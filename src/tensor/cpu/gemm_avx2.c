// Products with AVX2 and FMA.
#define INK_TABLE ink_gemm_avx2
#include "tensor/cpu/gemm_body.h"
