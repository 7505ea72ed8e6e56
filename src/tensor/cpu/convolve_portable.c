// Convolutions in plain C: what the others must compute.
#define INK_TABLE ink_convolve_portable
#include "tensor/cpu/convolve_body.h"
