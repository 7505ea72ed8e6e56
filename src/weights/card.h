// What a model's card says (README.md with YAML front matter: Hugging Face, "Model cards").
#ifndef INK_WEIGHTS_CARD_H
#define INK_WEIGHTS_CARD_H

#include "weights/weights.h"

// The licence that the card of the model at a path states: "license" in the front matter of
// README.md in the folder or beside the file ("license_name" where it says "other"). malloc'ed, one
// line without control characters; NULL when none is stated, or none that can be read. The one
// failure is MEMORY.
ink_status ink_model_license(const char *path, char **license, ink_error *error);
// That of the path the weights were opened from, else general.license in GGUF.
ink_status ink_weights_license(const ink_weights *weights, char **license, ink_error *error);

#endif
