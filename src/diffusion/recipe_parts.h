// Inside the room: what the parts of recipes share.
#ifndef INK_DIFFUSION_RECIPE_PARTS_H
#define INK_DIFFUSION_RECIPE_PARTS_H

#include "diffusion/recipe.h"

// A copy of a text (NULL: "") in place of the one that is there.
ink_status ink_recipe_set_string(char **to, const char *text, ink_error *error);

#endif
