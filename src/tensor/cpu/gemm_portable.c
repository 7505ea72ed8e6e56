// Products in plain C vectors of four: the twin that defines the others.
#define INK_TABLE ink_gemm_portable
#include "tensor/cpu/gemm_body.h"
