// Names of parameters in single files. The rules were read off the key names of published
// checkpoints and checked against what diffusers makes of them (tests/reference/make_diffusion.py).
#include "models/naming.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/unet.h"
#include "models/vae.h"

static bool put(ink_stored_name *out, const char *format, ...) INK_PRINTF(2, 3);
static bool put(ink_stored_name *out, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  int n = vsnprintf(out->name, sizeof out->name, format, arguments);
  va_end(arguments);
  out->part = 0;
  out->parts = 1;
  out->transposed = false;
  return n >= 0 && n < (int)sizeof out->name;
}

// Take a literal off the front of *name.
static bool skip(const char **name, const char *literal) {
  size_t n = strlen(literal);
  if (strncmp(*name, literal, n) != 0) return false;
  *name += n;
  return true;
}

// Take a number and the dot behind it off the front of *name.
static bool skip_number(const char **name, int *number) {
  char *end;
  if (**name < '0' || **name > '9') return false;
  long value = strtol(*name, &end, 10);
  if (*end != '.' || value > 4096) return false;
  *number = (int)value;
  *name = end + 1;
  return true;
}

typedef struct pair {
  const char *from, *to;
} pair;

// The first rule whose `from` the name begins with: its rest, with `to` in front.
static bool replace(const pair *rules, size_t n, const char *name, char *out, size_t size) {
  for (size_t i = 0; i < n; i++) {
    const char *rest = name;
    if (!skip(&rest, rules[i].from)) continue;
    int length = snprintf(out, size, "%s%s", rules[i].to, rest);
    return length >= 0 && length < (int)size;
  }
  return false;
}
#define REPLACE(rules, name, out) \
  replace(rules, sizeof(rules) / sizeof *(rules), name, out, sizeof(out))

// ---- the UNet -----------------------------------------------------------------------------------

static bool unet_resnet(const char *name, char out[INK_NAME]) {
  static const pair rules[] = {
      {"norm1.", "in_layers.0."},          {"conv1.", "in_layers.2."},
      {"time_emb_proj.", "emb_layers.1."}, {"norm2.", "out_layers.0."},
      {"conv2.", "out_layers.3."},         {"conv_shortcut.", "skip_connection."}};
  return replace(rules, sizeof rules / sizeof *rules, name, out, INK_NAME);
}

// What stands in one of the numbered blocks: a residual block is 0 and a transformer 1 in it.
static bool unet_block(const char *block, int number, const char *name, ink_stored_name *out) {
  char inner[INK_NAME];
  if (skip(&name, "resnets.")) {
    int j;
    return skip_number(&name, &j) && unet_resnet(name, inner) &&
           put(out, "%s.%d.0.%s", block, number, inner);
  }
  if (skip(&name, "attentions.")) {
    int j;
    return skip_number(&name, &j) && put(out, "%s.%d.1.%s", block, number, name);
  }
  return false;
}

static bool unet_down(const ink_unet_config *g, const char *name, ink_stored_name *out) {
  int i, number = 1;
  if (!skip_number(&name, &i) || i >= g->n_level) return false;
  for (int k = 0; k < i; k++) number += g->levels[k].n_layer + 1;
  const char *rest = name;
  if (skip(&rest, "downsamplers.0.conv.")) {
    return put(out, "input_blocks.%d.0.op.%s", number + g->levels[i].n_layer, rest);
  }
  int j;
  if (!skip(&rest, "resnets.") && !skip(&rest, "attentions.")) return false;
  return skip_number(&rest, &j) && unet_block("input_blocks", number + j, name, out);
}

static bool unet_up(const ink_unet_config *g, const char *name, ink_stored_name *out) {
  int i, number = 0;
  if (!skip_number(&name, &i) || i >= g->n_level) return false;
  for (int k = 0; k < i; k++) number += g->levels[g->n_level - 1 - k].n_layer + 1;
  const ink_unet_level *level = &g->levels[g->n_level - 1 - i];
  const char *rest = name;
  if (skip(&rest, "upsamplers.0.conv.")) {
    return put(out, "output_blocks.%d.%d.conv.%s", number + level->n_layer, level->cross_up ? 2 : 1,
               rest);
  }
  int j;
  if (!skip(&rest, "resnets.") && !skip(&rest, "attentions.")) return false;
  return skip_number(&rest, &j) && unet_block("output_blocks", number + j, name, out);
}

static bool unet_mid(const char *name, ink_stored_name *out) {
  char inner[INK_NAME];
  int j;
  if (skip(&name, "resnets.")) {
    return skip_number(&name, &j) && unet_resnet(name, inner) &&
           put(out, "middle_block.%d.%s", 2 * j, inner);
  }
  return skip(&name, "attentions.0.") && put(out, "middle_block.1.%s", name);
}

bool ink_unet_stored_name(const void *config, ink_naming naming, const char *name,
                          ink_stored_name *out) {
  static const pair rules[] = {
      {"conv_in.", "input_blocks.0.0."},
      {"time_embedding.linear_1.", "time_embed.0."},
      {"time_embedding.linear_2.", "time_embed.2."},
      {"time_embedding.cond_proj.", "time_embed.cond_proj."},
      {"add_embedding.linear_1.", "label_emb.0.0."},
      {"add_embedding.linear_2.", "label_emb.0.2."},
      {"conv_norm_out.", "out.0."},
      {"conv_out.", "out.2."},
      // ControlNet
      {"controlnet_mid_block.", "middle_block_out.0."},
      {"controlnet_cond_embedding.conv_in.", "input_hint_block.0."},
  };
  char whole[INK_NAME];
  const char *rest = name;
  int j;
  if (naming != INK_NAMING_LDM) return false;
  if (REPLACE(rules, name, whole)) return put(out, "%s", whole);
  if (skip(&rest, "down_blocks.")) return unet_down(config, rest, out);
  if (skip(&rest, "up_blocks.")) return unet_up(config, rest, out);
  if (skip(&rest, "mid_block.")) return unet_mid(rest, out);
  if (skip(&rest, "controlnet_down_blocks.")) {
    return skip_number(&rest, &j) && put(out, "zero_convs.%d.0.%s", j, rest);
  }
  // The hint network has its activations numbered too.
  if (skip(&rest, "controlnet_cond_embedding.blocks.")) {
    return skip_number(&rest, &j) && put(out, "input_hint_block.%d.%s", 2 * j + 2, rest);
  }
  return false;
}

// ---- the autoencoder ----------------------------------------------------------------------------

static bool vae_inner(const char *name, char out[INK_NAME]) {
  static const pair rules[] = {{"conv_shortcut.", "nin_shortcut."},
                               {"group_norm.", "norm."},
                               {"to_q.", "q."},
                               {"to_k.", "k."},
                               {"to_v.", "v."},
                               {"to_out.0.", "proj_out."},
                               {"", ""}};
  return replace(rules, sizeof rules / sizeof *rules, name, out, INK_NAME);
}

static bool vae_level(const ink_vae_config *g, const char *half, const char *name, bool up,
                      ink_stored_name *out) {
  char inner[INK_NAME];
  int i, j;
  if (!skip_number(&name, &i) || i >= g->n_level) return false;
  // The original numbers the levels on the way up from the finest too.
  int level = up ? g->n_level - 1 - i : i;
  const char *way = up ? "up" : "down";
  if (skip(&name, "resnets.")) {
    return skip_number(&name, &j) && vae_inner(name, inner) &&
           put(out, "%s%s.%d.block.%d.%s", half, way, level, j, inner);
  }
  if (skip(&name, up ? "upsamplers.0." : "downsamplers.0.")) {
    return put(out, "%s%s.%d.%ssample.%s", half, way, level, way, name);
  }
  return false;
}

bool ink_vae_stored_name(const void *config, ink_naming naming, const char *name,
                         ink_stored_name *out) {
  char inner[INK_NAME];
  const char *rest = name, *half = "encoder.";
  int j;
  if (naming != INK_NAMING_LDM) return false;
  if (!skip(&rest, half)) {
    half = "decoder.";
    if (!skip(&rest, half)) return put(out, "%s", name);  // quant_conv, post_quant_conv
  }
  if (skip(&rest, "conv_norm_out.")) return put(out, "%snorm_out.%s", half, rest);
  if (skip(&rest, "down_blocks.")) return vae_level(config, half, rest, false, out);
  if (skip(&rest, "up_blocks.")) return vae_level(config, half, rest, true, out);
  if (skip(&rest, "mid_block.resnets.")) {
    return skip_number(&rest, &j) && vae_inner(rest, inner) &&
           put(out, "%smid.block_%d.%s", half, j + 1, inner);
  }
  if (skip(&rest, "mid_block.attentions.0.")) {
    return vae_inner(rest, inner) && put(out, "%smid.attn_1.%s", half, inner);
  }
  return put(out, "%s", name);  // conv_in, conv_out
}

// ---- text encoders ------------------------------------------------------------------------------

static bool openclip_layer(int i, const char *name, ink_stored_name *out) {
  static const pair rules[] = {{"layer_norm1.", "ln_1."},
                               {"layer_norm2.", "ln_2."},
                               {"self_attn.out_proj.", "attn.out_proj."},
                               {"mlp.fc1.", "mlp.c_fc."},
                               {"mlp.fc2.", "mlp.c_proj."}};
  static const char *const fused[] = {"self_attn.q_proj.", "self_attn.k_proj.",
                                      "self_attn.v_proj."};
  char inner[INK_NAME];
  if (REPLACE(rules, name, inner)) return put(out, "transformer.resblocks.%d.%s", i, inner);
  for (int part = 0; part < 3; part++) {
    const char *rest = name;
    if (!skip(&rest, fused[part])) continue;
    if (!put(out, "transformer.resblocks.%d.attn.in_proj_%s", i, rest)) return false;
    out->part = part;
    out->parts = 3;
    return true;
  }
  return false;
}

bool ink_clip_stored_name(const void *config, ink_naming naming, const char *name,
                          ink_stored_name *out) {
  static const pair rules[] = {
      {"text_model.embeddings.token_embedding.", "token_embedding."},
      {"text_model.embeddings.position_embedding.weight", "positional_embedding"},
      {"text_model.final_layer_norm.", "ln_final."}};
  char whole[INK_NAME];
  const char *rest = name;
  int i;
  (void)config;
  if (naming == INK_NAMING_LDM) return put(out, "%s", name);  // transformers' own names
  if (REPLACE(rules, name, whole)) return put(out, "%s", whole);
  if (strcmp(name, "text_projection.weight") == 0) {
    bool fits = put(out, "text_projection");
    out->transposed = true;
    return fits;
  }
  return skip(&rest, "text_model.encoder.layers.") && skip_number(&rest, &i) &&
         openclip_layer(i, rest, out);
}
