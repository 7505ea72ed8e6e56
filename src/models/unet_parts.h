// Inside the room: the parts of a UNet that a ControlNet has too, its way down and its middle.
#ifndef INK_MODELS_UNET_PARTS_H
#define INK_MODELS_UNET_PARTS_H

#include "models/network.h"
#include "models/unet.h"

// One block of a transformer: attention to the picture itself, to the text, and a GEGLU.
typedef struct ink_unet_layer {
  ink_norm norm1, norm2, norm3;
  ink_projection q1, k1, v1, out1;
  ink_projection q2, k2, v2, out2;
  ink_projection up, down;
  int32_t index;  // among all of the network
} ink_unet_layer;

typedef struct ink_unet_transformer {
  ink_norm norm;
  ink_projection in, out;
  ink_unet_layer *layers;  // NULL: no transformer here
  int32_t n_layer;
  int32_t n_head;
} ink_unet_transformer;

// A numbered block: a residual block, and a transformer behind it where the level has them.
typedef struct ink_unet_step {
  ink_resnet resnet;
  ink_unet_transformer transformer;
} ink_unet_step;

// A level on its way down or up.
typedef struct ink_unet_way {
  ink_unet_step *steps;
  int32_t n;
  ink_convolution resample;  // to the next level; weight NULL at the last
} ink_unet_way;

// The embedding of time and of what else conditions the whole picture.
typedef struct ink_unet_conditions {
  ink_projection time1, time2;
  ink_projection guidance;    // weight NULL: none
  ink_projection add1, add2;  // weight NULL: none
} ink_unet_conditions;

struct ink_unet {
  ink_unet_config config;
  ink_network network;
  ink_unet_conditions conditions;
  ink_convolution in, out;
  ink_unet_way *down, *up;  // up: the coarsest first
  ink_unet_step middle[2];
  ink_norm out_norm;
  int32_t n_cross;  // layers that attend to the text
};

// What all layers of one pass need.
typedef struct ink_unet_pass {
  const ink_unet_config *config;
  ink_groups groups;
  const ink_tensor *time;     // (B, time width), SiLU applied
  const ink_tensor *context;  // (B, S, context), in the activations' type; NULL with `text`
  const ink_unet_text *text;
} ink_unet_pass;

struct ink_unet_text {
  ink_tensor *const *keys, *const *values;  // by a layer's index
  int32_t n;
};

// Bind below "down_blocks.%d." and so on. *n_cross counts the transformers' layers.
void ink_unet_bind_conditions(ink_network_builder *b, const ink_unet_config *g,
                              ink_unet_conditions *w);
ink_unet_way *ink_unet_bind_down(ink_network_builder *b, const ink_unet_config *g,
                                 int32_t *n_cross);
void ink_unet_bind_step(ink_network_builder *b, const ink_unet_config *g, const char *block,
                        int32_t index, int64_t in, int64_t out, int32_t depth, int32_t n_head,
                        int32_t *n_cross, ink_unet_step *w);
void ink_unet_bind_middle(ink_network_builder *b, const ink_unet_config *g, int32_t *n_cross,
                          ink_unet_step steps[2]);

// False, with the failure in the context, unless the input has the shapes that the config asks for.
bool ink_unet_check_input(ink_compute *c, const ink_unet_config *g, const ink_unet_input *input);
// The pass's `time`, from the input.
ink_tensor *ink_unet_embed_conditions(ink_compute *c, const ink_unet_config *g,
                                      const ink_unet_conditions *w, const ink_unet_input *input);
ink_tensor *ink_unet_run_step(ink_compute *c, const ink_unet_pass *pass, const ink_unet_step *w,
                              const ink_tensor *x);
// The way down: what each step leaves is kept in skips[0 … *n), the first being x itself. It ends
// early where that makes `most` of them.
ink_tensor *ink_unet_run_down(ink_compute *c, const ink_unet_pass *pass, const ink_unet_way *down,
                              ink_tensor *x, size_t most, ink_tensor **skips, size_t *n);
ink_tensor *ink_unet_run_middle(ink_compute *c, const ink_unet_pass *pass,
                                const ink_unet_step steps[2], ink_tensor *x);

ink_status ink_unet_check_config(const ink_unet_config *config, ink_error *error);
// What the config.json of UNets and ControlNets have in common.
ink_status ink_unet_read_levels(const json_t *json, const char *name, ink_unet_config *config,
                                ink_error *error);
// Of these, the conditions of XL.
ink_status ink_unet_read_added(const json_t *json, const char *name, ink_unet_config *config,
                               ink_error *error);
// The config of a single file but for its way up, unchecked: ink_unet_config_from_weights.
ink_status ink_unet_levels_from_weights(const struct ink_weights *weights, const char *prefix,
                                        ink_unet_config *config, ink_error *error);

#endif
