// Passes over a vocabulary with AVX-512 F, BW, DQ and VL.
#define INK_TABLE ink_draw_avx512
#include "mark/watermark/cpu/draw_body.h"
