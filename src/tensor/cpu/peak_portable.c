// The loops of the roofline in portable C.
#define INK_TABLE ink_peak_portable
#include "tensor/cpu/peak_body.h"
