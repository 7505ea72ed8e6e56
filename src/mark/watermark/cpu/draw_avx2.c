// Passes over a vocabulary with AVX2.
#define INK_TABLE ink_draw_avx2
#include "mark/watermark/cpu/draw_body.h"
