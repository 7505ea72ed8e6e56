// Plug-ins for Stable Diffusion: low-rank changes of weights (Hu et al. 2021, arXiv 2106.09685) and
// their relatives, merged into the networks, from the files of kohya's trainer, diffusers/PEFT and
// LyCORIS (arXiv 2309.14859): LoRA, LoCon, LoHa, LoKr, full differences, and DoRA (arXiv
// 2402.09353).
#ifndef INK_MODELS_LORA_H
#define INK_MODELS_LORA_H

#include "models/stable_diffusion.h"

struct ink_weights;

typedef struct ink_lora_options {
  double unet_strength, text_strength;  // 1 as trained, 0 nothing
  bool allow_unmatched;                 // tensors that fit nothing are counted instead of refused
} ink_lora_options;

// What a plug-in changed.
typedef struct ink_lora_report {
  size_t n_unet, n_text;  // weights changed
  size_t n_unmatched;     // tensors that fit nothing
  char unmatched[256];    // names of the first of them
} ink_lora_report;

typedef struct ink_lora ink_lora;

// Merge the plug-in `file` into the networks of `sd`: the weights it touches become F32 copies.
// Several may be merged one after the other. *lora is the caller's; the file may be closed. The
// deltas are computed in `c`, whose arena is given back. CONFLICT: shapes of another model, a
// module of which a part is missing, or tensors that fit nothing (by name) unless allowed; the
// networks are then as before.
ink_status ink_lora_merge(ink_compute *c, ink_stable_diffusion *sd, const struct ink_weights *file,
                          const ink_lora_options *options, ink_lora **lora, ink_lora_report *report,
                          ink_error *error);
// Take the plug-in out again, the last one merged first. Weights prepared since
// (tensor/prepared.h) must be forgotten before.
void ink_lora_remove(ink_lora *lora);

#endif
