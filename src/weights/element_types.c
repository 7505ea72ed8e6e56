// The table of safetensors' element types.
#include "weights/element_types.h"

#include <string.h>

const ink_element_type *ink_element_type_of(const char *name) {
  static const ink_element_type types[] = {
      {"BOOL", 8, false, 0},        {"F4", 4, false, 0},        {"F6_E2M3", 6, false, 0},
      {"F6_E3M2", 6, false, 0},     {"U8", 8, false, 0},        {"I8", 8, false, 0},
      {"F8_E5M2", 8, false, 0},     {"F8_E4M3", 8, false, 0},   {"F8_E8M0", 8, false, 0},
      {"I16", 16, false, 0},        {"U16", 16, false, 0},      {"F16", 16, true, INK_F16},
      {"BF16", 16, true, INK_BF16}, {"I32", 32, true, INK_I32}, {"U32", 32, false, 0},
      {"F32", 32, true, INK_F32},   {"C64", 64, false, 0},      {"F64", 64, false, 0},
      {"I64", 64, false, 0},        {"U64", 64, false, 0},
  };
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    if (strcmp(types[i].name, name) == 0) return &types[i];
  }
  return NULL;
}
