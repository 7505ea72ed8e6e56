// Parameters of a network from a source, and the layers that the networks of Stable Diffusion share
// (He et al. 2016 for residual blocks; Wu and He 2018 for group norms).
#include "models/network.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/random.h"
#include "base/text.h"
#include "tensor/gemm.h"
#include "weights/check.h"
#include "weights/weights.h"

// ---- building ----------------------------------------------------------------------------------

static const char *prefix_of(const ink_source *source) {
  return source->prefix ? source->prefix : "";
}

void ink_network_start(ink_network_builder *b, ink_network *network, const ink_source *source,
                       const void *config,
                       bool (*translate)(const void *config, ink_naming naming, const char *name,
                                         ink_stored_name *out),
                       ink_error *error) {
  *network = (ink_network){.arena = ink_arena_new(0)};
  *b = (ink_network_builder){.network = network,
                             .source = source,
                             .translate = translate,
                             .config = config,
                             .error = error};
  if (source->weights) b->used = calloc(ink_weights_count(source->weights) + 1, sizeof *b->used);
  if (!network->arena || (source->weights && !b->used)) {
    b->status = ink_fail(error, INK_ERR_MEMORY, "no memory for a network");
  }
}

void ink_network_free(ink_network *network) {
  ink_arena_free(network->arena);
  free(network->parameters);
  *network = (ink_network){0};
}

void ink_network_scope(ink_network_builder *b, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(b->scope, sizeof b->scope, format, arguments);
  va_end(arguments);
}

void *ink_network_take(ink_network_builder *b, size_t count, size_t size) {
  if (b->status != INK_OK) return NULL;
  void *memory = ink_arena_zeros(b->network->arena, count ? count : 1, size);
  if (!memory) b->status = ink_fail(b->error, INK_ERR_MEMORY, "no memory for a network");
  return memory;
}

// One parameter that a network asks for.
typedef struct request {
  char name[INK_NAME];
  ink_parameter_role role;
  int rank;
  int64_t shape[4];
} request;

static bool out_of_memory(ink_network_builder *b, const request *r) {
  b->status = ink_fail(b->error, INK_ERR_MEMORY, "no memory for the parameter %s", r->name);
  return false;
}

// ---- from weights ------------------------------------------------------------------------------

// Older spellings of the same layers, tried where the first is not there.
static const char *const spellings[][2] = {
    {"text_model.", ""},           // transformers 5 leaves it out
    {"", "text_model."},           // in front of a name that has none
    {".to_q.", ".query."},         // diffusers before 0.18: the autoencoder's attention
    {".to_k.", ".key."},           //
    {".to_v.", ".value."},         //
    {".to_out.0.", ".proj_attn."}  //
};

// `name` with the first `from` replaced by `to`; false when it has none. An empty `from` stands
// before the name.
static bool respell(const char *name, const char *from, const char *to, char out[INK_NAME]) {
  const char *at = strstr(name, from);
  if (!at || (from[0] != '.' && at != name)) return false;
  int n = snprintf(out, INK_NAME, "%.*s%s%s", (int)(at - name), name, to, at + strlen(from));
  return n > 0 && n < INK_NAME;
}

static const ink_weights_entry *entry_below(const ink_source *source, const char *name) {
  char full[2 * INK_NAME];
  int n = snprintf(full, sizeof full, "%s%s", prefix_of(source), name);
  if (n < 0 || n >= (int)sizeof full) return NULL;
  return ink_weights_entry_of(source->weights, full);
}

static const ink_weights_entry *find_entry(const ink_source *source, const char *name) {
  const ink_weights_entry *entry = entry_below(source, name);
  for (size_t i = 0;
       !entry && source->naming == INK_NAMING_DIFFUSERS && i < sizeof spellings / sizeof *spellings;
       i++) {
    char other[INK_NAME];
    if (respell(name, spellings[i][0], spellings[i][1], other)) entry = entry_below(source, other);
  }
  return entry;
}

// Whether a stored shape is the wanted one, but for dimensions of 1 at the end: linear layers are
// stored as 1x1 convolutions in some files and not in others.
static bool shape_fits(const ink_weights_entry *entry, const request *r,
                       const ink_stored_name *stored) {
  int64_t wanted[4] = {1, 1, 1, 1};
  for (int i = 0; i < r->rank; i++) wanted[i] = r->shape[i];
  if (stored->transposed) {
    wanted[0] = r->shape[1];
    wanted[1] = r->shape[0];
  }
  if (entry->rank > 4 || !ink_mul_count(wanted[0], stored->parts, &wanted[0])) return false;
  for (int i = 0; i < 4; i++) {
    if ((i < entry->rank ? entry->shape[i] : 1) != wanted[i]) return false;
  }
  return true;
}

static const char *describe(int rank, const int64_t *shape, char *out, size_t size) {
  size_t used = (size_t)snprintf(out, size, "[");
  for (int i = 0; i < rank && used < size; i++) {
    used += (size_t)snprintf(out + used, size - used, "%s%lld", i ? ", " : "", (long long)shape[i]);
  }
  if (used < size) snprintf(out + used, size - used, "]");
  return out;
}

static bool check_entry(ink_network_builder *b, const request *r, const ink_stored_name *stored,
                        const ink_weights_entry *entry) {
  const ink_source *source = b->source;
  char wanted[96], found[160];
  const char *path = ink_weights_path(source->weights);
  describe(r->rank, r->shape, wanted, sizeof wanted);
  if (!entry) {
    b->status = ink_fail(b->error, INK_ERR_NOT_FOUND,
                         "%s: no tensor %s%s; one of shape %s belongs here (%s)", path,
                         prefix_of(source), stored->name, wanted, r->name);
  } else if (!shape_fits(entry, r, stored)) {
    b->status = ink_fail(
        b->error, INK_ERR_CONFLICT, "%s: tensor %.*s has shape %s where %s%s belongs (%s)", path,
        INK_SHOWN(entry->name), describe(entry->rank, entry->shape, found, sizeof found), wanted,
        stored->parts > 1 ? " several times" : "", r->name);
  } else if (!entry->usable || ink_dtype_is_block(entry->tensor.dtype) ||
             entry->tensor.dtype == INK_I32) {
    b->status = ink_fail(b->error, INK_ERR_UNSUPPORTED,
                         "%s: tensor %.*s has type %s; pictures are computed from F32, F16 and "
                         "BF16",
                         path, INK_SHOWN(entry->name), entry->type_name);
  }
  return b->status == INK_OK;
}

// The part of a stored tensor as a view of the wanted shape.
static ink_tensor view_of(const ink_weights_entry *entry, const request *r,
                          const ink_stored_name *stored) {
  int64_t shape[4] = {r->shape[0], r->shape[1], r->shape[2], r->shape[3]};
  if (stored->transposed) {
    shape[0] = r->shape[1];
    shape[1] = r->shape[0];
  }
  int64_t elements = 1;
  for (int i = 0; i < r->rank; i++) elements *= shape[i];
  size_t size = ink_dtype_about(entry->tensor.dtype)->block_bytes;
  char *data = (char *)entry->tensor.data + (size_t)(stored->part * elements) * size;
  return ink_tensor_view(entry->tensor.dtype, data, r->rank, shape);
}

static ink_tensor *turned(ink_network_builder *b, const ink_tensor *x) {
  int64_t rows = x->shape[0], columns = x->shape[1];
  ink_tensor *copy = ink_tensor_new(b->network->arena, x->dtype, 2, (int64_t[]){columns, rows});
  if (!copy) return NULL;
  size_t size = ink_dtype_about(x->dtype)->block_bytes;
  const char *from = x->data;
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < columns; j++, from += size) {
      memcpy((char *)copy->data + (size_t)(j * rows + i) * size, from, size);
    }
  }
  return copy;
}

static ink_tensor *as_f32(ink_network_builder *b, const ink_tensor *x) {
  ink_tensor *copy = ink_tensor_new(b->network->arena, INK_F32, x->rank, x->shape);
  if (copy) ink_to_f32(x->dtype, x->data, copy->data, ink_tensor_elements(x));
  return copy;
}

static ink_tensor *take_stored(ink_network_builder *b, const request *r) {
  ink_stored_name stored = {.parts = 1};
  const ink_source *source = b->source;
  if (source->naming == INK_NAMING_DIFFUSERS || !b->translate) {
    snprintf(stored.name, sizeof stored.name, "%s", r->name);
  } else if (!b->translate(b->config, source->naming, r->name, &stored)) {
    b->status = ink_fail(b->error, INK_ERR_UNSUPPORTED,
                         "%s: the parameter %s has no name in a file of this layout",
                         ink_weights_path(source->weights), r->name);
    return NULL;
  }
  const ink_weights_entry *entry = find_entry(source, stored.name);
  if (!check_entry(b, r, &stored, entry)) return NULL;
  b->used[entry - ink_weights_at(source->weights, 0)] = true;
  ink_tensor view = view_of(entry, r, &stored);
  ink_tensor *tensor = ink_arena_take(b->network->arena, sizeof *tensor);
  if (tensor) *tensor = view;
  if (tensor && stored.transposed) tensor = turned(b, tensor);
  bool copy = source->trainable || (r->role == INK_PARAMETER_VECTOR && view.dtype != INK_F32);
  if (tensor && copy) tensor = as_f32(b, tensor);
  if (!tensor) out_of_memory(b, r);
  return tensor;
}

// Buffers that are no parameters, and leftovers of training.
static bool is_ignored(const char *name) {
  static const char *const endings[] = {"position_ids", "logit_scale", "attn_mask"};
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    size_t n = strlen(name), m = strlen(endings[i]);
    if (n >= m && strcmp(name + n - m, endings[i]) == 0) return true;
  }
  return strncmp(name, "loss.", 5) == 0;  // of the autoencoder's training
}

static ink_status check_foreign(const ink_network_builder *b) {
  const ink_source *source = b->source;
  const char *prefix = prefix_of(source);
  size_t n = 0;
  ink_text names = {0};
  for (size_t i = 0; i < ink_weights_count(source->weights); i++) {
    const char *name = ink_weights_at(source->weights, i)->name;
    if (b->used[i] || strncmp(name, prefix, strlen(prefix)) != 0) continue;
    if (is_ignored(name + strlen(prefix))) continue;
    if (n++ < 3) ink_text_format(&names, "%s%.*s", n > 1 ? ", " : "", INK_SHOWN(name));
  }
  ink_status status = INK_OK;
  if (n > 0) {
    status =
        ink_fail(b->error, INK_ERR_CONFLICT,
                 "%s: %zu tensors that this network does not have: %s%s; the config belongs "
                 "to another model",
                 ink_weights_path(source->weights), n, ink_text_string(&names), n > 3 ? ", …" : "");
  }
  ink_text_free(&names);
  return status;
}

ink_status ink_network_finish(ink_network_builder *b) {
  if (b->status == INK_OK && b->source->weights && !b->source->allow_foreign) {
    b->status = check_foreign(b);
  }
  free(b->used);
  b->used = NULL;
  return b->status;
}

// ---- fresh -------------------------------------------------------------------------------------

// FNV-1a, 64 bits.
static uint64_t name_key(const char *name) {
  uint64_t key = 0xcbf29ce484222325u;
  for (; *name; name++) key = (key ^ (unsigned char)*name) * 0x100000001b3u;
  return key;
}

// Uniform numbers as BF16, the upper half of each F32.
static void fill_rough(uint16_t *values, int64_t n, double std, ink_random random) {
  float width = (float)(std * sqrt(12.0));
  for (int64_t i = 0; i < n; i++) {
    float value = width * (ink_random_float(&random) - 0.5f);
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    values[i] = (uint16_t)(bits >> 16);
  }
}

static ink_tensor *take_fresh(ink_network_builder *b, const request *r) {
  bool vector = r->role == INK_PARAMETER_VECTOR, rough = b->source->rough && !vector;
  ink_tensor *tensor =
      ink_tensor_new(b->network->arena, rough ? INK_BF16 : INK_F32, r->rank, r->shape);
  if (!tensor) {
    out_of_memory(b, r);
    return NULL;
  }
  float *values = tensor->data;
  int64_t n = ink_tensor_elements(tensor);
  if (vector) {
    bool weight = strcmp(r->name + strlen(r->name) - 7, ".weight") == 0;
    for (int64_t i = 0; i < n; i++) values[i] = weight ? 1.0f : 0.0f;
    return tensor;
  }
  double std = 0.02;
  if (r->role == INK_PARAMETER_MATRIX) std = sqrt((double)r->shape[0] / (3.0 * (double)n));
  ink_random random = ink_random_at(b->source->seed, name_key(r->name), 0);
  if (rough) {
    fill_rough(tensor->data, n, std, random);
    return tensor;
  }
  for (int64_t i = 0; i < n; i++) values[i] = (float)(std * ink_random_normal(&random));
  return tensor;
}

// ---- requests ----------------------------------------------------------------------------------

static bool remember(ink_network_builder *b, const request *r, ink_tensor *tensor) {
  ink_network *network = b->network;
  if (network->n == network->capacity) {
    size_t capacity = network->capacity ? 2 * network->capacity : 128;
    ink_parameter *grown = realloc(network->parameters, capacity * sizeof *grown);
    if (!grown) return out_of_memory(b, r);
    network->parameters = grown;
    network->capacity = capacity;
  }
  char *name = ink_arena_string(network->arena, r->name);
  if (!name) return out_of_memory(b, r);
  network->parameters[network->n++] =
      (ink_parameter){.name = name, .tensor = tensor, .role = r->role};
  return true;
}

static ink_tensor *take(ink_network_builder *b, const char *name, const char *ending,
                        ink_parameter_role role, int rank, const int64_t *shape) {
  if (b->status != INK_OK) return NULL;
  request r = {.role = role, .rank = rank};
  memcpy(r.shape, shape, (size_t)rank * sizeof *shape);
  int n = snprintf(r.name, sizeof r.name, "%s%s%s", b->scope, name, ending);
  if (n < 0 || n >= (int)sizeof r.name) {
    b->status = ink_fail(b->error, INK_ERR_INTERNAL, "%s: a parameter's name is too long", name);
    return NULL;
  }
  ink_tensor *tensor = b->source->weights ? take_stored(b, &r) : take_fresh(b, &r);
  return tensor && remember(b, &r, tensor) ? tensor : NULL;
}

static ink_tensor *take_vector(ink_network_builder *b, const char *name, const char *ending,
                               int64_t width) {
  return take(b, name, ending, INK_PARAMETER_VECTOR, 1, &width);
}

ink_tensor *ink_network_table(ink_network_builder *b, const char *name, int64_t rows,
                              int64_t columns) {
  return take(b, name, "", INK_PARAMETER_EMBEDDING, 2, (int64_t[]){rows, columns});
}

ink_norm ink_network_norm(ink_network_builder *b, const char *name, int64_t width) {
  return (ink_norm){.weight = take_vector(b, name, ".weight", width),
                    .bias = take_vector(b, name, ".bias", width)};
}

ink_projection ink_network_linear(ink_network_builder *b, const char *name, int64_t out, int64_t in,
                                  bool bias) {
  return (ink_projection){
      .weight = take(b, name, ".weight", INK_PARAMETER_MATRIX, 2, (int64_t[]){out, in}),
      .bias = bias ? take_vector(b, name, ".bias", out) : NULL};
}

ink_convolution ink_network_convolution(ink_network_builder *b, const char *name, int64_t out,
                                        int64_t in, int64_t kernel, bool bias) {
  return (ink_convolution){.weight = take(b, name, ".weight", INK_PARAMETER_MATRIX, 4,
                                          (int64_t[]){out, in, kernel, kernel}),
                           .bias = bias ? take_vector(b, name, ".bias", out) : NULL};
}

// ---- layers ------------------------------------------------------------------------------------

ink_tensor *ink_run_convolution(ink_compute *c, const ink_tensor *x, const ink_convolution *w,
                                int64_t stride) {
  if (!w->weight) return NULL;
  int64_t around = w->weight->shape[2] / 2;
  return ink_conv2d(c, x, w->weight, w->bias, stride,
                    (ink_padding){around, around, around, around});
}

ink_tensor *ink_run_convolution_relu(ink_compute *c, const ink_tensor *x, const ink_convolution *w,
                                     const ink_tensor *also) {
  if (!w->weight) return NULL;
  int64_t around = w->weight->shape[2] / 2;
  return ink_conv2d_relu(c, x, w->weight, w->bias, 1, (ink_padding){around, around, around, around},
                         also);
}

ink_tensor *ink_run_enlarged(ink_compute *c, const ink_tensor *x, const ink_convolution *w) {
  if (!x || !w->weight) return NULL;
  if (c->tape) return ink_run_convolution(c, ink_upsample_nearest(c, x, 2), w, 1);
  return ink_conv2d_enlarged(c, x, w->weight, w->bias, 0, 2 * x->shape[1]);
}

ink_tensor *ink_normalise_groups(ink_compute *c, const ink_tensor *x, const ink_norm *w,
                                 ink_groups groups) {
  return ink_group_norm(c, x, groups.n, w->weight, w->bias, groups.epsilon);
}

ink_tensor *ink_activate_groups(ink_compute *c, const ink_tensor *x, const ink_norm *w,
                                ink_groups groups) {
  return ink_group_norm_silu(c, x, groups.n, w->weight, w->bias, groups.epsilon);
}

void ink_network_resnet(ink_network_builder *b, int64_t in, int64_t out, int64_t time_width,
                        ink_resnet *w) {
  w->norm1 = ink_network_norm(b, "norm1", in);
  w->conv1 = ink_network_convolution(b, "conv1", out, in, 3, true);
  if (time_width > 0) w->time = ink_network_linear(b, "time_emb_proj", out, time_width, true);
  w->norm2 = ink_network_norm(b, "norm2", out);
  w->conv2 = ink_network_convolution(b, "conv2", out, out, 3, true);
  if (in != out) w->shortcut = ink_network_convolution(b, "conv_shortcut", out, in, 1, true);
}

ink_tensor *ink_run_resnet(ink_compute *c, const ink_resnet *w, ink_groups groups,
                           const ink_tensor *x, const ink_tensor *time) {
  if (!x) return NULL;
  int64_t channels = w->conv1.weight->shape[0];
  ink_scope scope = ink_scope_like(c, x, channels);
  ink_tensor *y =
      ink_run_convolution(c, ink_activate_groups(c, x, &w->norm1, groups), &w->conv1, 1);
  if (w->time.weight) {
    ink_tensor *shift = ink_project(c, time, &w->time);
    y = ink_add(c, y, ink_reshape(c, shift, 4, (const int64_t[]){x->shape[0], 1, 1, channels}));
  }
  y = ink_run_convolution(c, ink_activate_groups(c, y, &w->norm2, groups), &w->conv2, 1);
  const ink_tensor *straight = w->shortcut.weight ? ink_run_convolution(c, x, &w->shortcut, 1) : x;
  return ink_scope_close_sum(c, &scope, straight, y);
}

ink_tensor *ink_picture_rows(ink_compute *c, const ink_tensor *x) {
  if (!x) return NULL;
  return ink_reshape(c, x, 3, (const int64_t[]){x->shape[0], -1, x->shape[3]});
}

ink_tensor *ink_rows_picture(ink_compute *c, const ink_tensor *x, int64_t height, int64_t width) {
  if (!x) return NULL;
  return ink_reshape(c, x, 4, (const int64_t[]){x->shape[0], height, width, x->shape[2]});
}

ink_tensor *ink_attend_all(ink_compute *c, const ink_tensor *q, const ink_tensor *k,
                           const ink_tensor *v, int64_t n_head) {
  if (!q) return NULL;
  float scale = 1.0f / sqrtf((float)q->shape[2] / (float)n_head);
  ink_tensor *y = ink_attention(c, ink_split_heads(c, q, n_head), ink_split_heads(c, k, n_head),
                                ink_split_heads(c, v, n_head), scale, (ink_attention_mask){0});
  return ink_merge_heads(c, y);
}

// ---- memory ------------------------------------------------------------------------------------

ink_scope ink_scope_open(ink_compute *c, ink_dtype dtype, int rank, const int64_t *shape) {
  ink_scope scope = {0};
  if (c->tape || c->error.status != INK_OK) return scope;
  scope.result = ink_tensor_new(c->arena, dtype, rank, shape);
  if (!scope.result) {
    ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a network's activations");
  }
  scope.mark = ink_arena_save(c->arena);
  return scope;
}

ink_tensor *ink_scope_close(ink_compute *c, ink_scope *scope, ink_tensor *y) {
  if (!scope->result) return y;
  ink_store(c, y, scope->result);
  ink_arena_release(c->arena, scope->mark);
  return c->error.status == INK_OK ? scope->result : NULL;
}

ink_tensor *ink_scope_close_sum(ink_compute *c, ink_scope *scope, const ink_tensor *a,
                                const ink_tensor *b) {
  if (!scope->result) return ink_add(c, a, b);
  ink_add_into(c, a, b, scope->result);
  ink_arena_release(c->arena, scope->mark);
  return c->error.status == INK_OK ? scope->result : NULL;
}

ink_scope ink_scope_like(ink_compute *c, const ink_tensor *x, int64_t channels) {
  int64_t shape[4] = {x->shape[0], x->shape[1], x->shape[2], channels};
  return ink_scope_open(c, x->dtype, 4, shape);
}

// ---- config.json of diffusers -------------------------------------------------------------------

enum { MOST = 1 << 24 };

static ink_status size_of(const json_t *value, const char *name, const char *key, int32_t *out,
                          ink_error *error) {
  if (!json_is_integer(value) || json_integer_value(value) < 1 ||
      json_integer_value(value) > MOST) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /%s: must be a whole number from 1 to %d", name,
                    key, MOST);
  }
  *out = (int32_t)json_integer_value(value);
  return INK_OK;
}

ink_status ink_config_sizes(const json_t *json, const char *name, const char *key, int n,
                            int32_t fallback, int32_t *out, ink_error *error) {
  const json_t *value = json_object_get(json, key);
  bool list = json_is_array(value), absent = !value || json_is_null(value);
  if (list && json_array_size(value) != (size_t)n) {
    return ink_fail(error, INK_ERR_CONFLICT, "%s: /%s: %zu values where %d belong", name, key,
                    json_array_size(value), n);
  }
  for (int i = 0; i < n; i++) {
    out[i] = fallback;
    if (absent) continue;
    INK_TRY(size_of(list ? json_array_get(value, (size_t)i) : value, name, key, &out[i], error));
  }
  return INK_OK;
}

ink_status ink_config_levels(const json_t *json, const char *name, const char *key, int *n,
                             ink_error *error) {
  const json_t *value = json_object_get(json, key);
  size_t size = json_array_size(value);
  if (size < 1 || size > INK_MAX_LEVELS) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: /%s: must be a list of 1 to %d", name, key,
                    INK_MAX_LEVELS);
  }
  *n = (int)size;
  return INK_OK;
}

ink_status ink_config_only(const json_t *json, const char *name, const ink_config_fixed *fixed,
                           size_t n, ink_error *error) {
  for (size_t i = 0; i < n; i++) {
    const json_t *value = json_object_get(json, fixed[i].key);
    if (!value) continue;
    json_t *wanted = json_loads(fixed[i].value, JSON_DECODE_ANY, NULL);
    bool same =
        json_equal(value, wanted) || (json_is_number(value) && json_is_number(wanted) &&
                                      json_number_value(value) == json_number_value(wanted));
    json_decref(wanted);
    if (same) continue;
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    ink_status status =
        ink_fail(error, INK_ERR_UNSUPPORTED, "%s: /%s is %.64s; only %s is supported", name,
                 fixed[i].key, text ? text : "another value", fixed[i].value);
    free(text);
    return status;
  }
  return INK_OK;
}

ink_status ink_config_class(const json_t *json, const char *name, const char *class_name,
                            ink_error *error) {
  if (!json_is_object(json)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: must be an object", name);
  }
  const char *found = json_string_value(json_object_get(json, "_class_name"));
  if (!found || strcmp(found, class_name) == 0) return INK_OK;
  return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: a config of %.64s where one of %s belongs", name,
                  found, class_name);
}
