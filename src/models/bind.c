// How a decoder gets its parameters: the same requests, in the order of the forward pass, to
// whichever source the binder has.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/architecture.h"

static bool remember(ink_binder *b, const char *name, ink_parameter_role role, ink_tensor *tensor) {
  ink_decoder *d = b->decoder;
  if (d->n_parameter == d->parameter_capacity) {
    size_t capacity = d->parameter_capacity ? 2 * d->parameter_capacity : 64;
    ink_parameter *grown = realloc(d->parameters, capacity * sizeof *grown);
    if (!grown) return false;
    d->parameters = grown;
    d->parameter_capacity = capacity;
  }
  char *kept = ink_arena_string(d->arena, name);
  if (!kept) return false;
  d->parameters[d->n_parameter++] = (ink_parameter){.name = kept, .tensor = tensor, .role = role};
  return true;
}

static ink_tensor *take(ink_binder *b, const ink_parameter_request *request, bool *transposed) {
  *transposed = false;
  if (b->status != INK_OK) return NULL;
  ink_tensor *tensor = b->take(b, request, transposed);
  if (tensor && remember(b, request->name, request->role, tensor)) return tensor;
  b->status = tensor ? ink_fail(b->error, INK_ERR_MEMORY, "no memory for the list of parameters")
                     : b->error->status;
  return NULL;
}

static const char *full_name(char *out, size_t size, const char *pattern, int32_t layer,
                             const char *ending) {
  const char *hole = strstr(pattern, "%d");
  if (hole) {
    snprintf(out, size, "%.*s%d%s%s", (int)(hole - pattern), pattern, layer, hole + 2, ending);
  } else {
    snprintf(out, size, "%s%s", pattern, ending);
  }
  return out;
}

static ink_tensor *take_vector(ink_binder *b, const char *name, int32_t layer, const char *ending,
                               int64_t width) {
  char full[128];
  bool transposed;
  return take(b,
              &(ink_parameter_request){.name = full_name(full, sizeof full, name, layer, ending),
                                       .role = INK_PARAMETER_VECTOR,
                                       .rank = 1,
                                       .shape = {width}},
              &transposed);
}

ink_tensor *ink_bind_table(ink_binder *b, ink_parameter_role role, const char *name, int64_t rows,
                           int64_t columns) {
  char full[128];
  bool transposed;
  return take(b,
              &(ink_parameter_request){.name = full_name(full, sizeof full, name, 0, ".weight"),
                                       .role = role,
                                       .rank = 2,
                                       .shape = {rows, columns}},
              &transposed);
}

ink_norm ink_bind_norm(ink_binder *b, const char *name, int32_t layer, int64_t width, bool bias) {
  ink_norm norm = {.weight = take_vector(b, name, layer, ".weight", width)};
  if (bias) norm.bias = take_vector(b, name, layer, ".bias", width);
  return norm;
}

ink_projection ink_bind_projection(ink_binder *b, const char *name, int32_t layer, int64_t out,
                                   int64_t in, bool bias, unsigned flags) {
  char full[128];
  ink_projection projection = {0};
  projection.weight =
      take(b,
           &(ink_parameter_request){.name = full_name(full, sizeof full, name, layer, ".weight"),
                                    .role = INK_PARAMETER_MATRIX,
                                    .rank = 2,
                                    .shape = {out, in},
                                    .flags = flags},
           &projection.transposed);
  if (bias) projection.bias = take_vector(b, name, layer, ".bias", out);
  return projection;
}

static ink_status build(ink_decoder *d, ink_binder *b, ink_error *error) {
  const ink_decoder_config *config = &d->config;
  d->arena = ink_arena_new(0);
  if (d->arena) d->blocks = ink_arena_zeros(d->arena, (size_t)config->n_layer, sizeof *d->blocks);
  if (!d->blocks) return ink_fail(error, INK_ERR_MEMORY, "no memory for a decoder");
  if (config->rope_dim > 0) {
    int64_t n = config->rope_dim / 2;
    d->rope_frequencies = ink_tensor_new(d->arena, INK_F32, 1, &n);
    if (!d->rope_frequencies) return ink_fail(error, INK_ERR_MEMORY, "no memory for a decoder");
    ink_rope_frequencies(config, d->rope_frequencies->data);
  }
  d->architecture->bind(b, d);
  return b->status;
}

ink_status ink_decoder_build(const ink_decoder_config *config, ink_binder *binder,
                             ink_decoder **decoder, ink_error *error) {
  ink_error unused = {0};
  if (!error) error = &unused;
  *decoder = NULL;
  INK_TRY(ink_decoder_config_check(config, config->architecture, error));
  ink_decoder *d = calloc(1, sizeof *d);
  if (!d) return ink_fail(error, INK_ERR_MEMORY, "no memory for a decoder");
  d->config = *config;
  d->architecture = ink_architecture_find(config->architecture, "config", error);
  binder->decoder = d;
  binder->error = error;
  binder->status = INK_OK;
  ink_status status = build(d, binder, error);
  if (status != INK_OK) {
    ink_decoder_free(d);
    return status;
  }
  *decoder = d;
  return INK_OK;
}
