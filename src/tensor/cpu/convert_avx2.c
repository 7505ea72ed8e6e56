// Conversions with AVX2 and F16C.
#define INK_TABLE ink_convert_avx2
#include "tensor/cpu/convert_body.h"
