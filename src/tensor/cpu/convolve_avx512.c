// Convolutions with AVX-512 F, BW, DQ and VL.
#define INK_TABLE ink_convolve_avx512
#include "tensor/cpu/convolve_body.h"
