// Convolutions with AVX2 and FMA.
#define INK_TABLE ink_convolve_avx2
#include "tensor/cpu/convolve_body.h"
