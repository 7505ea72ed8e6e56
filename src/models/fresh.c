// Decoders with fresh parameters, for training from nothing: normal with one standard deviation
// (GPT-2, section 2.3), each tensor keyed by its name.
#include <math.h>

#include "base/random.h"
#include "models/architecture.h"

// FNV-1a, 64 bits.
static uint64_t name_key(const char *name) {
  uint64_t key = 0xcbf29ce484222325u;
  for (; *name; name++) key = (key ^ (unsigned char)*name) * 0x100000001b3u;
  return key;
}

static bool ends_with_weight(const char *name) {
  const char *last = name;
  for (; *name; name++) {
    if (*name == '.') last = name + 1;
  }
  return *last == 'w';
}

static double deviation(const ink_binder *b, const ink_parameter_request *request) {
  double std = b->init->std;
  if (!(request->flags & INK_BIND_RESIDUAL)) return std;
  if (b->init->residual == INK_RESIDUAL_ZERO) return 0;
  if (b->init->residual == INK_RESIDUAL_SCALED) return std / sqrt(2.0 * b->decoder->config.n_layer);
  return std;
}

static ink_tensor *take_fresh(ink_binder *b, const ink_parameter_request *request,
                              bool *transposed) {
  *transposed = request->flags & INK_BIND_CONV1D;
  int64_t shape[2] = {request->shape[0], request->shape[1]};
  if (*transposed) {
    shape[0] = request->shape[1];
    shape[1] = request->shape[0];
  }
  ink_tensor *tensor = ink_tensor_new(b->decoder->arena, INK_F32, request->rank, shape);
  if (!tensor) {
    ink_fail(b->error, INK_ERR_MEMORY, "no memory for the parameter %s", request->name);
    return NULL;
  }
  float *values = tensor->data;
  int64_t n = ink_tensor_elements(tensor);
  if (request->role == INK_PARAMETER_VECTOR) {
    float value = ends_with_weight(request->name) ? 1.0f : 0.0f;
    for (int64_t i = 0; i < n; i++) values[i] = value;
    return tensor;
  }
  double std = deviation(b, request);
  ink_random random = ink_random_at(b->init->seed, name_key(request->name), 0);
  for (int64_t i = 0; i < n; i++) values[i] = (float)(std * ink_random_normal(&random));
  return tensor;
}

ink_status ink_decoder_new(const ink_decoder_config *config, const ink_decoder_init *init,
                           ink_decoder **decoder, ink_error *error) {
  *decoder = NULL;
  if (!(init->std >= 0 && init->std <= 10)) {
    return ink_fail(error, INK_ERR_USAGE, "a standard deviation of %g for fresh parameters",
                    (double)init->std);
  }
  ink_binder binder = {.take = take_fresh, .init = init};
  return ink_decoder_build(config, &binder, decoder, error);
}
