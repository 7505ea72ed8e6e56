// What a painting is made of: models, plug-ins, pictures.
#ifndef INK_CLI_PAINT_SOURCES_H
#define INK_CLI_PAINT_SOURCES_H

#include "cli/paint_options.h"
#include "diffusion/hires.h"

// Zero-initialise it.
typedef struct ink_paint_sources {
  ink_pipeline *pipeline;
  ink_picture init, mask;
  ink_picture hints[INK_PAINT_MOST_CONTROLS];
  ink_paint_control controls[INK_PAINT_MOST_CONTROLS];
  size_t n_controls;
  ink_paint_hires hires;  // scale 0: one pass
} ink_paint_sources;

// Open what the recipe and the command line name: first what is painted from, then models and what
// goes with them. Hashes that the recipe knows must be met (CONFLICT); others are noted in it.
// Names of models lose where they lie. `pool` outlives the sources, which are freed by
// ink_paint_sources_free, also after a failure.
ink_status ink_paint_open_pictures(const ink_paint_arguments *arguments, ink_paint_recipe *recipe,
                                   ink_paint_sources *sources, ink_error *error);
ink_status ink_paint_open_models(const ink_paint_arguments *arguments, ink_paint_recipe *recipe,
                                 ink_pool *pool, ink_paint_sources *sources, ink_error *error);
void ink_paint_sources_free(ink_paint_sources *sources);
// Put them into a request, which borrows them.
void ink_paint_sources_use(const ink_paint_sources *sources, ink_paint_request *request);

#endif
