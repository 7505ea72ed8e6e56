// Conversions in plain C: the twin that defines the others.
#define INK_TABLE ink_convert_portable
#include "tensor/cpu/convert_body.h"
