// inkstone paint --upscale: a picture enlarged by a network.
#ifndef INK_CLI_PAINT_UPSCALE_H
#define INK_CLI_PAINT_UPSCALE_H

#include "cli/paint_options.h"
#include "diffusion/upscale.h"

// Open a network for enlarging by path or by name (models' folder upscalers), and its hash.
ink_status ink_paint_open_upscaler(const char *name, ink_pool *pool, char sha256[INK_SHA256_HEX],
                                   ink_upscaler **upscaler, ink_error *error);

// Enlarge the picture at `path` into the output that the arguments name, marked and signed.
ink_status ink_paint_upscale(const ink_paint_arguments *arguments, const char *path,
                             ink_error *error);

#endif
