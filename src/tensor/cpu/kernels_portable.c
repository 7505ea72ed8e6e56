// The portable kernels: they define what the others compute.
#define INK_TABLE ink_kernels_portable
#include "tensor/cpu/body.h"
