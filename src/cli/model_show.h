// inkstone model show: what is known of one model.
#ifndef INK_CLI_MODEL_SHOW_H
#define INK_CLI_MODEL_SHOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

// "7.8 MB", in powers of ten as disks count.
const char *ink_cli_bytes(uint64_t bytes, char out[32]);

// Print what the model at `path` is: for a person (`tensors`: each of them too), or as one JSON
// object. `hash`: its SHA-256, for which a large model may have to be read whole.
ink_status ink_model_show(const char *path, bool json, bool tensors, bool hash, ink_error *error);

#endif
