// Plug-ins and taught words of inkstone paint: found by name, opened into a pipeline.
#ifndef INK_CLI_PAINT_PLUGINS_H
#define INK_CLI_PAINT_PLUGINS_H

#include "cli/paint_options.h"

// What may be found by name, and where: below a folder of that name beside the models.
typedef enum ink_paint_plugin {
  INK_PAINT_LORA,       // loras
  INK_PAINT_EMBEDDING,  // embeddings
  INK_PAINT_UPSCALER    // upscalers
} ink_paint_plugin;

// The file that a user means by `name`: a path; or NAME, with or without its ending, anywhere below
// `folder`, or below a kind's folder of one that models came in. *path is malloc'ed. NOT_FOUND says
// what was looked for, where, what is there, and what may be said instead.
ink_status ink_paint_find_plugin(const char *name, const char *folder, ink_paint_plugin kind,
                                 char **path, ink_error *error);

// Open the recipe's plug-ins and taught words. Hashes that it knows must be met (CONFLICT); the
// others, and the files' names and words, are noted in it.
ink_status ink_paint_open_plugins(const ink_paint_arguments *arguments, ink_paint_recipe *recipe,
                                  ink_pipeline *pipeline, ink_error *error);

#endif
