// Passes over a vocabulary in portable C.
#define INK_TABLE ink_draw_portable
#include "mark/watermark/cpu/draw_body.h"
