// The kernels for AVX2, FMA and F16C.
#define INK_TABLE ink_kernels_avx2
#include "tensor/cpu/body.h"
