// Decoders from files: parameters bound where they are mapped, or copied as F32 to train on.
#include <string.h>

#include "models/architecture.h"
#include "tensor/gemm.h"
#include "weights/names.h"
#include "weights/weights.h"

static ink_tensor *out_of_memory(ink_binder *b, const char *name) {
  ink_fail(b->error, INK_ERR_MEMORY, "no memory for the parameter %s", name);
  return NULL;
}

// Hugging Face checkpoints of a bare model (as GPT-2's own) leave out the first part of a name.
static const char *stored_name(const ink_weights *weights, const char *name) {
  if (ink_weights_entry_of(weights, name)) return name;
  const char *dot = strchr(name, '.');
  return dot && ink_weights_entry_of(weights, dot + 1) ? dot + 1 : name;
}

// The stored tensor of a request, its shape checked. *layout says how GGUF keeps it; safetensors
// keep everything as Hugging Face does.
static const ink_tensor *find(ink_binder *b, const ink_parameter_request *request,
                              ink_layout *layout) {
  char gguf[INK_TENSOR_NAME];
  const char *name = request->name;
  bool conv1d = request->flags & INK_BIND_CONV1D;
  *layout = INK_LAYOUT_SAME;
  int64_t shape[2] = {request->shape[0], request->shape[1]};
  if (ink_weights_format_of(b->weights) == INK_WEIGHTS_GGUF) {
    if (!ink_names_to_gguf(b->decoder->config.architecture, name, gguf, layout)) {
      ink_fail(b->error, INK_ERR_INTERNAL, "%s has no name in GGUF", name);
      return NULL;
    }
    name = gguf;
  } else {
    name = stored_name(b->weights, name);
    if (conv1d) {
      shape[0] = request->shape[1];
      shape[1] = request->shape[0];
    }
  }
  const ink_tensor *found;
  return ink_weights_get(b->weights, name, request->rank, shape, &found, b->error) == INK_OK ? found
                                                                                             : NULL;
}

static ink_tensor *as_f32(ink_binder *b, const ink_tensor *found, const char *name) {
  ink_tensor *copy = ink_tensor_new(b->decoder->arena, INK_F32, found->rank, found->shape);
  if (!copy) return out_of_memory(b, name);
  ink_to_f32(found->dtype, found->data, copy->data, ink_tensor_elements(found));
  return copy;
}

// Rows and columns changed places, in memory of the decoder.
static ink_tensor *turned(ink_binder *b, const ink_tensor *found, const char *name) {
  int64_t rows = found->shape[0], columns = found->shape[1];
  ink_tensor *copy = ink_tensor_new(b->decoder->arena, found->dtype, 2, (int64_t[]){columns, rows});
  if (!copy) return out_of_memory(b, name);
  size_t size = ink_dtype_about(found->dtype)->block_bytes;
  const unsigned char *from = found->data;
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < columns; j++, from += size) {
      memcpy((unsigned char *)copy->data + (size_t)(j * rows + i) * size, from, size);
    }
  }
  return copy;
}

static ink_tensor *take_mapped(ink_binder *b, const ink_parameter_request *request,
                               bool *transposed) {
  ink_layout layout;
  const ink_tensor *found = find(b, request, &layout);
  if (!found) return NULL;
  if (request->role == INK_PARAMETER_VECTOR && found->dtype != INK_F32) {
    return as_f32(b, found, request->name);
  }
  bool conv1d = request->flags & INK_BIND_CONV1D;
  bool hugging_face = ink_weights_format_of(b->weights) != INK_WEIGHTS_GGUF;
  if (conv1d && hugging_face && found->dtype != INK_F32) return turned(b, found, request->name);
  *transposed = conv1d && hugging_face;
  ink_tensor *view = ink_arena_take(b->decoder->arena, sizeof *view);
  if (!view) return out_of_memory(b, request->name);
  *view = *found;
  return view;
}

// Rows of each head from pairs (2i, 2i + 1) back to halves (i, i + n/2): undoes what llama.cpp's
// converter does to the q and k projections of llama.
static ink_tensor *halves(ink_binder *b, const ink_tensor *pairs, int32_t head_dim,
                          const char *name) {
  ink_tensor *copy = ink_tensor_new(b->decoder->arena, INK_F32, pairs->rank, pairs->shape);
  if (!copy) return out_of_memory(b, name);
  int64_t rows = pairs->shape[0];
  size_t width = (size_t)(pairs->rank == 2 ? pairs->shape[1] : 1);
  for (int64_t row = 0; row < rows; row++) {
    int64_t head = row / head_dim, i = row % head_dim;
    int64_t target = head * head_dim + (i % 2) * (head_dim / 2) + i / 2;
    memcpy((float *)copy->data + (size_t)target * width,
           (const float *)pairs->data + (size_t)row * width, width * sizeof(float));
  }
  return copy;
}

static ink_tensor *take_copy(ink_binder *b, const ink_parameter_request *request,
                             bool *transposed) {
  ink_layout layout;
  const ink_tensor *found = find(b, request, &layout);
  ink_tensor *copy = found ? as_f32(b, found, request->name) : NULL;
  if (!copy) return NULL;
  *transposed = request->flags & INK_BIND_CONV1D;
  if (layout == INK_LAYOUT_ROPE_Q || layout == INK_LAYOUT_ROPE_K) {
    return halves(b, copy, b->decoder->config.head_dim, request->name);
  }
  if (layout == INK_LAYOUT_TRANSPOSED && copy->rank == 2) return turned(b, copy, request->name);
  return copy;
}

// GGUF may bring factors that divide the rotary frequencies, one per pair: how its converter
// writes the scaling of Llama 3.1.
static ink_status divide_frequencies(ink_decoder *d, const ink_weights *weights, ink_error *error) {
  static const char name[] = "rope_freqs.weight";
  if (!d->rope_frequencies || ink_weights_format_of(weights) != INK_WEIGHTS_GGUF ||
      !ink_weights_entry_of(weights, name)) {
    return INK_OK;
  }
  const ink_tensor *factors;
  INK_TRY(ink_weights_get(weights, name, 1, d->rope_frequencies->shape, &factors, error));
  float *frequencies = d->rope_frequencies->data;
  for (int64_t i = 0; i < factors->shape[0]; i++) {
    float factor;
    ink_to_f32(
        factors->dtype,
        (const char *)factors->data + (size_t)i * ink_dtype_about(factors->dtype)->block_bytes,
        &factor, 1);
    if (!(factor > 0)) {
      return ink_fail(error, INK_ERR_FORMAT, "%s: element %lld of %s is %g, not above 0",
                      ink_weights_path(weights), (long long)i, name, (double)factor);
    }
    frequencies[i] /= factor;
  }
  return INK_OK;
}

static ink_status finish(ink_status status, const ink_weights *weights, ink_decoder **decoder,
                         ink_error *error) {
  if (status == INK_OK) status = divide_frequencies(*decoder, weights, error);
  if (status == INK_OK) return INK_OK;
  ink_decoder_free(*decoder);
  *decoder = NULL;
  return status;
}

ink_status ink_decoder_open(const ink_decoder_config *config, const ink_weights *weights,
                            ink_decoder **decoder, ink_error *error) {
  ink_binder binder = {.take = take_mapped, .weights = weights};
  return finish(ink_decoder_build(config, &binder, decoder, error), weights, decoder, error);
}

ink_status ink_decoder_open_trainable(const ink_decoder_config *config, const ink_weights *weights,
                                      ink_decoder **decoder, ink_error *error) {
  *decoder = NULL;
  if (ink_weights_format_of(weights) == INK_WEIGHTS_GGUF &&
      ink_weights_entry_of(weights, "rope_freqs.weight")) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: its rotary scaling is a table that a config.json cannot hold; train from "
                    "the Hugging Face folder of this model",
                    ink_weights_path(weights));
  }
  ink_decoder_config halves_config = *config;
  halves_config.rope_style = INK_ROPE_HALVES;
  ink_binder binder = {.take = take_copy, .weights = weights};
  return finish(ink_decoder_build(&halves_config, &binder, decoder, error), weights, decoder,
                error);
}
