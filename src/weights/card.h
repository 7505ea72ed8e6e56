// What a model's card says (README.md with YAML front matter: Hugging Face, "Model cards").
#ifndef INK_WEIGHTS_CARD_H
#define INK_WEIGHTS_CARD_H

#include "weights/weights.h"

// The licence that a model states: "license" in the front matter of README.md beside the weights
// ("license_name" where it says "other"), else general.license in GGUF. malloc'ed, one line without
// control characters; NULL when none is stated.
char *ink_weights_license(const ink_weights *weights);

#endif
