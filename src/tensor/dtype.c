// The table of element types.
#include "tensor/tensor.h"

static const ink_dtype_info types[INK_DTYPE_COUNT] = {
    [INK_F32] = {"F32", 1, 4},       [INK_F16] = {"F16", 1, 2},       [INK_BF16] = {"BF16", 1, 2},
    [INK_I32] = {"I32", 1, 4},       [INK_Q8_0] = {"Q8_0", 32, 34},   [INK_Q4_0] = {"Q4_0", 32, 18},
    [INK_Q4_K] = {"Q4_K", 256, 144}, [INK_Q6_K] = {"Q6_K", 256, 210},
};

const ink_dtype_info *ink_dtype_about(ink_dtype dtype) {
  return &types[dtype];
}
