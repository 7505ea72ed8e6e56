// Enlarging pictures with a network (models/esrgan.h).
#ifndef INK_DIFFUSION_UPSCALE_H
#define INK_DIFFUSION_UPSCALE_H

#include "base/pool.h"
#include "picture/picture.h"
#include "tensor/ops.h"

typedef struct ink_upscaler ink_upscaler;

// Open an ESRGAN or Real-ESRGAN file (.pth, .safetensors). `pool` outlives it. *upscaler is the
// caller's, NULL on failure.
ink_status ink_upscaler_open(const char *path, ink_pool *pool, ink_upscaler **upscaler,
                             ink_error *error);
void ink_upscaler_free(ink_upscaler *upscaler);
// Where its parameters lie.
const struct ink_weights *ink_upscaler_weights(const ink_upscaler *upscaler);

// The enlarged picture; colours by the network, alpha by resampling. `ram`: most bytes of results
// and prepared weights, 0 for any; the picture is the same. MEMORY: it does not fit, with what it
// would take. *out is the caller's, empty on failure. *peak (may be NULL) becomes the bytes of
// results and prepared weights.
ink_status ink_upscaler_run(ink_upscaler *upscaler, const ink_picture *picture,
                            ink_precision precision, size_t ram, ink_picture *out, size_t *peak,
                            ink_error *error);

#endif
