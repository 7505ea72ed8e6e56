// The options of inkstone paint, and how they are laid over a recipe.
#ifndef INK_CLI_PAINT_OPTIONS_H
#define INK_CLI_PAINT_OPTIONS_H

#include "cli/cli.h"
#include "cli/signing.h"
#include "diffusion/recipe.h"

// What the command line says, before it is laid over a recipe.
typedef struct ink_paint_arguments {
  const char *model, *output, *size, *sampler, *schedule, *negative, *noise, *init, *mask, *from;
  const char *producer, *watermark, *lora_dir, *embedding_dir;
  const char *extend, *hires, *upscale, *variation, *ram, *taesd;
  ink_signing_options signing;
  int64_t threads, steps, seed, count, clip_skip, quality, cache;
  double cfg, cfg_rescale, eta, strength;
  ink_string_list loras, controls, control_models, embeddings;
  bool bf16, brownian, lossless, json, show, unmarked, grid, preview, taesd_decode, lora_partial;
} ink_paint_arguments;

enum { INK_PAINT_N_OPTIONS = 50 };
void ink_paint_options(ink_paint_arguments *arguments, ink_option options[INK_PAINT_N_OPTIONS]);

// The recipe within a picture: our own, or else A1111's parameters, or else ComfyUI's graph; what
// of these is not obeyed is named on stderr.
ink_status ink_paint_read_recipe(const char *path, ink_paint_recipe *recipe, ink_error *error);
// What the command line says goes before what the recipe says. `options` as they were read;
// `prompt` may be NULL.
ink_status ink_paint_lay_over(const ink_paint_arguments *arguments, const ink_option *options,
                              const char *prompt, ink_paint_recipe *recipe, ink_error *error);

// "2G", "512M", "1.5 GiB" or bytes. USAGE: anything else.
ink_status ink_paint_read_bytes(const char *text, size_t *bytes, ink_error *error);

// A --control as it is written, KIND:FILE[:WEIGHT[:FROM-TO]]. The path is malloc'ed.
typedef struct ink_paint_control_flag {
  char kind[16];
  char *path;
  double weight, start, end;  // NAN: not said
} ink_paint_control_flag;
ink_status ink_paint_read_control(const char *flag, ink_paint_control_flag *out, ink_error *error);

#endif
