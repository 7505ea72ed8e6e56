// Plug-ins and taught words of inkstone paint: found by name, opened into a pipeline.
#ifndef INK_CLI_PAINT_PLUGINS_H
#define INK_CLI_PAINT_PLUGINS_H

#include "cli/paint_options.h"

// The file that a user means by `name`: a path; or NAME, with or without its ending, anywhere below
// `folder`, or below a folder `kind` ("loras") of one that models came in. *path is malloc'ed.
// NOT_FOUND says where was looked and what is there.
ink_status ink_paint_find_plugin(const char *name, const char *folder, const char *kind,
                                 char **path, ink_error *error);

// Open the recipe's plug-ins and taught words. Hashes that it knows must be met (CONFLICT); the
// others, and the files' names and words, are noted in it.
ink_status ink_paint_open_plugins(const ink_paint_arguments *arguments, ink_paint_recipe *recipe,
                                  ink_pipeline *pipeline, ink_error *error);

#endif
