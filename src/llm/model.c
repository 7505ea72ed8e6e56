// A model from its files: weights, decoder and tokenizer that fit each other.
#include "llm/model.h"

#include <stdlib.h>

#include "weights/hub.h"

void ink_model_free(ink_model *model) {
  if (!model) return;
  ink_decoder_free(model->decoder);
  ink_tokenizer_free(model->tokenizer);
  ink_weights_close(model->weights);
  free(model->absent);
  free(model);
}

static ink_status open_decoder(ink_model *model, ink_error *error) {
  ink_decoder_config config;
  if (ink_weights_format_of(model->weights) == INK_WEIGHTS_GGUF) {
    INK_TRY(ink_decoder_config_from_gguf(model->weights, &config, error));
  } else {
    const json_t *json = ink_weights_config(model->weights);
    if (!json) {
      return ink_fail(error, INK_ERR_NOT_FOUND, "%s: there is no config.json beside the weights",
                      ink_weights_path(model->weights));
    }
    ink_status status = ink_decoder_config_from_json(json, "config.json", &config, error);
    if (status != INK_OK) return ink_context(error, status, "%s", ink_weights_path(model->weights));
  }
  return ink_decoder_open(&config, model->weights, &model->decoder, error);
}

static ink_status open_tokenizer(ink_model *model, ink_error *error) {
  const ink_gguf *gguf = ink_weights_gguf(model->weights);
  if (gguf) return ink_tokenizer_from_gguf(gguf, &model->tokenizer, error);
  return ink_tokenizer_open(ink_weights_path(model->weights), &model->tokenizer, error);
}

// Note the ids that the decoder knows and no token has: rows that pad its tables.
static ink_status fit_vocabularies(ink_model *model, ink_error *error) {
  size_t size = ink_tokenizer_size(model->tokenizer);
  size_t vocab = (size_t)ink_decoder_about(model->decoder)->vocab;
  if (size > vocab) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s: its tokenizer has ids up to %zu, its decoder knows %zu tokens",
                    ink_weights_path(model->weights), size - 1, vocab);
  }
  size_t n = 0;
  for (size_t i = 0; i < vocab; i++) n += !ink_tokenizer_token(model->tokenizer, (int32_t)i);
  model->absent = malloc((n + 1) * sizeof *model->absent);
  if (!model->absent) return ink_fail(error, INK_ERR_MEMORY, "no memory for a model");
  for (size_t i = 0; i < vocab; i++) {
    if (ink_tokenizer_token(model->tokenizer, (int32_t)i)) continue;
    model->absent[model->n_absent++] = (int32_t)i;
  }
  return INK_OK;
}

static ink_status open_all(ink_model *model, const char *path, ink_error *error) {
  INK_TRY(ink_weights_open(path, &model->weights, error));
  INK_TRY(open_decoder(model, error));
  INK_TRY(open_tokenizer(model, error));
  return fit_vocabularies(model, error);
}

ink_status ink_model_open_at(const char *path, ink_model **model, ink_error *error) {
  *model = NULL;
  ink_model *made = calloc(1, sizeof *made);
  if (!made) return ink_fail(error, INK_ERR_MEMORY, "no memory for a model");
  ink_status status = open_all(made, path, error);
  if (status != INK_OK) {
    ink_model_free(made);
    return status;
  }
  *model = made;
  return INK_OK;
}

ink_status ink_model_open(const char *reference, ink_model **model, ink_error *error) {
  *model = NULL;
  char *path = NULL;
  INK_TRY(ink_model_resolve(reference, &path, error));
  ink_status status = ink_model_open_at(path, model, error);
  free(path);
  return status;
}
