// What this machine can do at most: the rates that the products, the trainer and the decoders are
// measured against (Williams, Waterman and Patterson, "Roofline", CACM 2009).
#ifndef INK_TENSOR_ROOFLINE_H
#define INK_TENSOR_ROOFLINE_H

#include "base/pool.h"
#include "base/status.h"

typedef enum ink_roof {
  INK_ROOF_F32,   // fused multiplications and additions, two operations each
  INK_ROOF_BF16,  // products of BF16 pairs summed in F32
  INK_ROOF_INT8,  // products of 8-bit integers summed in 32 bits
  INK_ROOF_READ,  // bytes read from memory that no cache holds
  INK_ROOF_COUNT
} ink_roof;

typedef struct ink_roofline ink_roofline;

// Memory for the measurements of a team. NULL pool: this thread alone.
ink_status ink_roofline_new(ink_pool *pool, ink_roofline **roofline, ink_error *error);
void ink_roofline_free(ink_roofline *roofline);

// One short measurement (about 20 ms), operations or bytes per second of the whole team; 0 where
// the instruction set in use has no such instruction. Other work on the machine lowers it: measure
// limit and work in turn, and take the middle of several.
double ink_roofline_measure(ink_roofline *roofline, ink_roof roof);

#endif
