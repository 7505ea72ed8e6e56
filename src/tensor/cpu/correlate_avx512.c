// Weight gradients of convolutions with AVX-512 F, BW, DQ and VL.
#define INK_TABLE ink_correlate_avx512
#include "tensor/cpu/correlate_body.h"
