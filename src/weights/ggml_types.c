// The table of ggml's tensor types.
#include "weights/ggml_types.h"

static const ink_ggml_type types[] = {
    [0] = {"F32", 1, 4, true, INK_F32},
    [1] = {"F16", 1, 2, true, INK_F16},
    [2] = {"Q4_0", 32, 18, true, INK_Q4_0},
    [3] = {"Q4_1", 32, 20, false, 0},
    [6] = {"Q5_0", 32, 22, false, 0},
    [7] = {"Q5_1", 32, 24, false, 0},
    [8] = {"Q8_0", 32, 34, true, INK_Q8_0},
    [9] = {"Q8_1", 32, 40, false, 0},
    [10] = {"Q2_K", 256, 84, false, 0},
    [11] = {"Q3_K", 256, 110, false, 0},
    [12] = {"Q4_K", 256, 144, true, INK_Q4_K},
    [13] = {"Q5_K", 256, 176, false, 0},
    [14] = {"Q6_K", 256, 210, true, INK_Q6_K},
    [15] = {"Q8_K", 256, 292, false, 0},
    [16] = {"IQ2_XXS", 256, 66, false, 0},
    [17] = {"IQ2_XS", 256, 74, false, 0},
    [18] = {"IQ3_XXS", 256, 98, false, 0},
    [19] = {"IQ1_S", 256, 50, false, 0},
    [20] = {"IQ4_NL", 32, 18, false, 0},
    [21] = {"IQ3_S", 256, 110, false, 0},
    [22] = {"IQ2_S", 256, 82, false, 0},
    [23] = {"IQ4_XS", 256, 136, false, 0},
    [24] = {"I8", 1, 1, false, 0},
    [25] = {"I16", 1, 2, false, 0},
    [26] = {"I32", 1, 4, true, INK_I32},
    [27] = {"I64", 1, 8, false, 0},
    [28] = {"F64", 1, 8, false, 0},
    [29] = {"IQ1_M", 256, 56, false, 0},
    [30] = {"BF16", 1, 2, true, INK_BF16},
    [34] = {"TQ1_0", 256, 54, false, 0},
    [35] = {"TQ2_0", 256, 66, false, 0},
    [39] = {"MXFP4", 32, 17, false, 0},
    [40] = {"NVFP4", 64, 36, false, 0},
    [41] = {"Q1_0", 128, 18, false, 0},
};
enum { N_TYPES = sizeof types / sizeof *types };

const ink_ggml_type *ink_ggml_type_about(uint32_t type) {
  return type < N_TYPES && types[type].name ? &types[type] : NULL;
}

uint32_t ink_ggml_type_of(ink_dtype dtype) {
  for (uint32_t i = 0; i < N_TYPES; i++) {
    if (types[i].usable && types[i].dtype == dtype) return i;
  }
  return UINT32_MAX;
}
