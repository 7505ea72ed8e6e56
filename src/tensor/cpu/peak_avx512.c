// The loops of the roofline with AVX-512.
#define INK_TABLE ink_peak_avx512
#include "tensor/cpu/peak_body.h"
