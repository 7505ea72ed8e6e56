// Weight gradients of convolutions in plain C: what the others must compute.
#define INK_TABLE ink_correlate_portable
#include "tensor/cpu/correlate_body.h"
