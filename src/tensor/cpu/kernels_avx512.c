// The kernels for AVX-512 F, BW, DQ and VL.
#define INK_TABLE ink_kernels_avx512
#include "tensor/cpu/body.h"
