// Words that inkstone paint is given: names of samplers and schedules, prompts.
#ifndef INK_CLI_PAINT_WORDS_H
#define INK_CLI_PAINT_WORDS_H

#include "cli/paint_options.h"

// The names by number, NULL behind the last (ink_option.value_at).
const char *ink_paint_sampler_at(int i);
const char *ink_paint_schedule_at(int i);

// Take --sampler and --schedule, by our names or those of A1111 and ComfyUI, where a schedule may
// stand behind a sampler; --schedule goes before that. USAGE: a name that is none, with the nearest
// that is one.
ink_status ink_paint_set_sampler(const ink_paint_arguments *arguments, ink_paint_recipe *recipe,
                                 ink_error *error);

// Prompts go into labels and metadata: what those cannot hold is told before anything is painted.
// What is likely meant otherwise is said on stderr. USAGE: text that is not UTF-8, or has control
// characters.
ink_status ink_paint_check_prompts(const ink_paint_recipe *recipe, ink_error *error);

#endif
