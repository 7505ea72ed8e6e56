// Weight gradients of convolutions with AVX2 and FMA.
#define INK_TABLE ink_correlate_avx2
#include "tensor/cpu/correlate_body.h"
