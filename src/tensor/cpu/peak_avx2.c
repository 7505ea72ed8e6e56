// The loops of the roofline with AVX2 and FMA.
#define INK_TABLE ink_peak_avx2
#include "tensor/cpu/peak_body.h"
