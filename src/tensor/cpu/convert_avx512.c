// Conversions with AVX-512 F, BW, DQ and VL.
#define INK_TABLE ink_convert_avx512
#include "tensor/cpu/convert_body.h"
