// Plug-ins merged into weights. A module's change is
//   LoRA   up · down * alpha / rank; with a middle part also over the kernel's taps (Tucker)
//   LoHa   (a1 · b1) * (a2 · b2), element by element
//   LoKr   the Kronecker product of two, each whole or in two factors
//   diff   as it stands
// and DoRA scales each row (or column) of the changed weight to a length that it learnt.
#include "models/lora.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/naming.h"
#include "tensor/gemm.h"
#include "weights/check.h"
#include "weights/weights.h"

enum { STEMS = 12 };

// A weight that was changed, and what it was.
typedef struct change {
  ink_tensor *tensor, before;
} change;

struct ink_lora {
  ink_arena *arena;  // the changed weights
  change *changes;
  size_t n, room;
};

typedef struct merging {
  ink_compute *c;
  const ink_weights *file;
  ink_lora *lora;
  bool *used;  // tensors of the file
  bool found;  // one of the module that is looked at
  double strength;
  ink_error *error;
} merging;

// One module of the file: where its names begin.
typedef struct module {
  const char *stem;
  const char *parameter;  // the network's name for the weight
} module;

// ---- tensors of a module ------------------------------------------------------------------------

static ink_status conflict(const merging *m, const module *at, const char *what) {
  return ink_fail(m->error, INK_ERR_CONFLICT, "%s: %.*s %s (%s); the plug-in is for another model",
                  ink_weights_path(m->file), INK_SHOWN(at->stem), what, at->parameter);
}

// The tensor stem + ending as F32 in the arena; NULL when it is not there. Fails in the context.
static ink_tensor *find(merging *m, const module *at, const char *ending) {
  char name[2 * INK_NAME];
  int n = snprintf(name, sizeof name, "%s%s", at->stem, ending);
  if (n < 0 || n >= (int)sizeof name) return NULL;
  const ink_weights_entry *entry = ink_weights_entry_of(m->file, name);
  if (!entry || !entry->usable || ink_dtype_is_block(entry->tensor.dtype)) return NULL;
  m->used[entry - ink_weights_at(m->file, 0)] = m->found = true;
  return ink_cast(m->c, &entry->tensor, INK_F32);
}

static ink_tensor *find_one_of(merging *m, const module *at, const char *const *endings, size_t n) {
  for (size_t i = 0; i < n; i++) {
    ink_tensor *found = find(m, at, endings[i]);
    if (found) return found;
  }
  return NULL;
}

// alpha / rank; without an alpha 1.
static float scale_of(merging *m, const module *at, int64_t rank) {
  const ink_tensor *alpha = find(m, at, ".alpha");
  if (!alpha || ink_tensor_elements(alpha) != 1 || rank < 1) return 1;
  return *(const float *)alpha->data / (float)rank;
}

// (n, …) as a matrix (n, rest).
static ink_tensor *as_matrix(ink_compute *c, const ink_tensor *x) {
  if (!x || x->rank < 1 || x->shape[0] < 1) return NULL;
  return ink_reshape(c, x, 2, (const int64_t[]){x->shape[0], -1});
}

static ink_tensor *transposed(ink_compute *c, const ink_tensor *x) {
  return x ? ink_cast(c, ink_permute(c, x, (const int[]){1, 0}), INK_F32) : NULL;
}

// a · b of matrices whose inner sides agree; else NULL without a failure.
static ink_tensor *product(ink_compute *c, const ink_tensor *a, const ink_tensor *b) {
  if (!a || !b || a->rank != 2 || b->rank != 2 || a->shape[1] != b->shape[0]) return NULL;
  return ink_matmul(c, a, b);
}

// Tucker: for every tap, left (out, p) · core (p, q) · right (q, in): (out, in, taps).
static ink_tensor *tucker(ink_compute *c, const ink_tensor *core, const ink_tensor *left,
                          const ink_tensor *right) {
  if (!core || !left || !right || core->rank != 4) return NULL;
  int64_t taps = core->shape[2] * core->shape[3], out = left->shape[0], in = right->shape[1];
  ink_tensor *all = ink_tensor_new(c->arena, INK_F32, 3, (int64_t[]){out, in, taps});
  ink_tensor *flat = ink_reshape(c, core, 3, (const int64_t[]){core->shape[0], core->shape[1], -1});
  if (!all) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a plug-in");
  for (int64_t k = 0; k < taps && flat; k++) {
    ink_tensor *tap = ink_slice(c, flat, 2, k, 1);
    tap = ink_cast(c, tap, INK_F32);
    tap = tap ? ink_reshape(c, tap, 2, (const int64_t[]){core->shape[0], core->shape[1]}) : NULL;
    const ink_tensor *y = product(c, product(c, left, tap), right);
    if (!y) return NULL;
    for (int64_t i = 0; i < out * in; i++) {
      ((float *)all->data)[i * taps + k] = ((const float *)y->data)[i];
    }
  }
  return all;
}

// NULL of NULL: of parts that do not fit each other there is no change, which is no failure yet.
static ink_tensor *scaled(ink_compute *c, const ink_tensor *x, float factor) {
  return x ? ink_scale(c, x, factor) : NULL;
}

// ---- kinds of changes ---------------------------------------------------------------------------

static ink_tensor *lora_change(merging *m, const module *at) {
  static const char *const downs[] = {".lora_down.weight",
                                      ".lora_A.weight",
                                      ".lora_A.default.weight",
                                      ".lora.down.weight",
                                      ".lora_linear_layer.down.weight",
                                      "_lora.down.weight"};
  static const char *const ups[] = {".lora_up.weight",
                                    ".lora_B.weight",
                                    ".lora_B.default.weight",
                                    ".lora.up.weight",
                                    ".lora_linear_layer.up.weight",
                                    "_lora.up.weight"};
  enum { N = sizeof downs / sizeof *downs };
  ink_compute *c = m->c;
  ink_tensor *down = find_one_of(m, at, downs, N), *up = find_one_of(m, at, ups, N);
  if (!down || !up || down->rank < 2 || up->rank < 2) return NULL;
  float scale = scale_of(m, at, down->shape[0]);
  ink_tensor *middle = find(m, at, ".lora_mid.weight");
  ink_tensor *left = as_matrix(c, up), *right = as_matrix(c, down);
  return scaled(c, middle ? tucker(c, middle, left, right) : product(c, left, right), scale);
}

// One of LoHa's two factors: a · b, or with a core over the taps.
static ink_tensor *hada_factor(merging *m, const module *at, int which) {
  char names[3][24];
  snprintf(names[0], sizeof names[0], ".hada_w%d_a", which);
  snprintf(names[1], sizeof names[1], ".hada_w%d_b", which);
  snprintf(names[2], sizeof names[2], ".hada_t%d", which);
  ink_tensor *a = find(m, at, names[0]), *b = find(m, at, names[1]), *core = find(m, at, names[2]);
  return core ? tucker(m->c, core, transposed(m->c, a), b) : product(m->c, a, b);
}

static ink_tensor *hada_change(merging *m, const module *at) {
  const ink_tensor *b = find(m, at, ".hada_w1_b");
  if (!b) return NULL;
  ink_tensor *first = hada_factor(m, at, 1), *second = hada_factor(m, at, 2);
  if (!first || !second || !ink_tensor_same_shape(first, second)) return NULL;
  return scaled(m->c, ink_mul(m->c, first, second), scale_of(m, at, b->shape[0]));
}

// One of LoKr's two factors, as it stands or in two; *rank is set by the latter.
static ink_tensor *kron_factor(merging *m, const module *at, int which, int64_t *rank) {
  char names[4][24];
  snprintf(names[0], sizeof names[0], ".lokr_w%d", which);
  snprintf(names[1], sizeof names[1], ".lokr_w%d_a", which);
  snprintf(names[2], sizeof names[2], ".lokr_w%d_b", which);
  snprintf(names[3], sizeof names[3], ".lokr_t%d", which);
  ink_tensor *whole = find(m, at, names[0]);
  if (whole) return whole;
  ink_tensor *a = find(m, at, names[1]), *b = find(m, at, names[2]), *core = find(m, at, names[3]);
  if (!a || !b) return NULL;
  *rank = b->shape[0];
  return core ? tucker(m->c, core, transposed(m->c, a), as_matrix(m->c, b))
              : product(m->c, a, as_matrix(m->c, b));
}

// The Kronecker product of (a, b) and (p, q, taps): (a p, b q, taps).
static ink_tensor *kronecker(ink_compute *c, const ink_tensor *first, const ink_tensor *second) {
  if (!first || !second || first->rank != 2 || second->rank < 2) return NULL;
  int64_t a = first->shape[0], b = first->shape[1], p = second->shape[0], q = second->shape[1];
  if (p < 1 || q < 1) return NULL;
  int64_t taps = ink_tensor_elements(second) / (p * q);
  ink_tensor *y = ink_tensor_new(c->arena, INK_F32, 3, (int64_t[]){a * p, b * q, taps});
  if (!y) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for a plug-in");
  float *to = y->data;
  for (int64_t row = 0; row < a * p; row++) {
    for (int64_t column = 0; column < b * q; column++) {
      float factor = ((const float *)first->data)[row / p * b + column / q];
      const float *from = (const float *)second->data + (row % p * q + column % q) * taps;
      for (int64_t k = 0; k < taps; k++) *to++ = factor * from[k];
    }
  }
  return y;
}

// A factor (p, q · taps) of a convolution gets its taps back.
static ink_tensor *with_taps(ink_compute *c, ink_tensor *x, const ink_tensor *weight,
                             const ink_tensor *first) {
  if (!x || x->rank != 2 || weight->rank != 4 || !first || first->rank != 2) return x;
  int64_t taps = weight->shape[2] * weight->shape[3];
  if (first->shape[1] < 1 || weight->shape[1] % first->shape[1] != 0) return x;
  int64_t q = weight->shape[1] / first->shape[1];
  if (x->shape[1] != q * taps) return x;
  return ink_reshape(c, x, 3, (const int64_t[]){x->shape[0], q, taps});
}

static ink_tensor *kron_change(merging *m, const module *at, const ink_tensor *weight) {
  int64_t rank = 0;
  ink_tensor *first = kron_factor(m, at, 1, &rank);
  if (!first) return NULL;
  ink_tensor *second = with_taps(m->c, kron_factor(m, at, 2, &rank), weight, first);
  float scale = scale_of(m, at, rank);  // both whole: alpha has no say
  return scaled(m->c, kronecker(m->c, first, second), scale);
}

// ---- one weight ---------------------------------------------------------------------------------

// DoRA: rows or columns of the changed weight get the lengths that the file has for them; the
// change of length counts by the strength.
static bool rescale(float *w, const float *before, int64_t out, int64_t in, int64_t taps,
                    const ink_tensor *scale, bool rows, double strength) {
  int64_t n = rows ? out : in;
  if (ink_tensor_elements(scale) != n) return false;
  double *lengths = calloc((size_t)n, sizeof *lengths);
  if (!lengths) return false;
  for (int64_t i = 0; i < out * in * taps; i++) {
    lengths[rows ? i / (in * taps) : i / taps % in] += (double)w[i] * (double)w[i];
  }
  for (int64_t i = 0; i < out * in * taps; i++) {
    int64_t k = rows ? i / (in * taps) : i / taps % in;
    double length = sqrt(lengths[k]);
    double wanted = length > 0 ? (double)((const float *)scale->data)[k] / length : 1;
    w[i] = (float)((double)before[i] + strength * (wanted * (double)w[i] - (double)before[i]));
  }
  free(lengths);
  return true;
}

static bool remember(merging *m, ink_tensor *tensor) {
  ink_lora *lora = m->lora;
  if (lora->n == lora->room) {
    size_t room = lora->room ? 2 * lora->room : 64;
    change *grown = realloc(lora->changes, room * sizeof *grown);
    if (!grown) return false;
    lora->changes = grown;
    lora->room = room;
  }
  lora->changes[lora->n++] = (change){.tensor = tensor, .before = *tensor};
  return true;
}

static ink_status no_memory(const merging *m) {
  return ink_fail(m->error, INK_ERR_MEMORY, "%s: no memory to merge it", ink_weights_path(m->file));
}

// tensor + strength * delta in memory of the plug-in, or with DoRA's lengths.
static ink_status put_change(merging *m, const module *at, ink_tensor *tensor,
                             const ink_tensor *delta) {
  int64_t n = ink_tensor_elements(tensor), out = tensor->shape[0];
  static const char *const lengths[] = {".lora_magnitude_vector", ".lora_magnitude_vector.weight"};
  // PEFT's are of rows; LyCORIS has either kind, (out, 1) or (1, in).
  const ink_tensor *scale = find(m, at, ".dora_scale");
  bool rows = !scale || (scale->rank > 0 && scale->shape[0] == out);
  if (!scale) scale = find_one_of(m, at, lengths, 2);
  if (ink_tensor_elements(delta) != n || delta->shape[0] != out) {
    return conflict(m, at, "has another shape than the weight");
  }
  ink_tensor *changed = ink_tensor_new(m->lora->arena, INK_F32, tensor->rank, tensor->shape);
  ink_tensor *before = scale ? ink_cast(m->c, tensor, INK_F32) : NULL;
  if (!changed || (scale && !before) || !remember(m, tensor)) return no_memory(m);
  float *w = changed->data;
  ink_to_f32(tensor->dtype, tensor->data, w, n);
  double strength = scale ? 1 : m->strength;
  for (int64_t i = 0; i < n; i++) {
    w[i] = (float)((double)w[i] + strength * (double)((const float *)delta->data)[i]);
  }
  if (scale) {
    int64_t in = tensor->rank > 1 ? tensor->shape[1] : 1;
    if (!rescale(w, before->data, out, in, n / (out * in), scale, rows, m->strength)) {
      return conflict(m, at, "has a scale of another shape than the weight");
    }
  }
  changed->slot = tensor->slot;
  *tensor = *changed;
  return INK_OK;
}

// Change one parameter by the module, if the file has it. *changed tells.
static ink_status merge_module(merging *m, const module *at, ink_tensor *tensor, bool vector,
                               bool *changed) {
  ink_arena_mark mark = ink_arena_save(m->c->arena);
  m->found = false;
  ink_tensor *delta = find(m, at, vector ? ".diff_b" : ".diff");
  if (!vector && !delta) delta = lora_change(m, at);
  if (!vector && !delta) delta = hada_change(m, at);
  if (!vector && !delta) delta = kron_change(m, at, tensor);
  ink_status status = ink_compute_status(m->c, m->error);
  if (status == INK_OK && delta) status = put_change(m, at, tensor, delta);
  if (status == INK_OK && !delta && m->found)
    status = conflict(m, at, "lacks a part, or has some that do not fit each other");
  *changed = delta != NULL;
  ink_arena_release(m->c->arena, mark);
  return status;
}

// ---- names of modules ---------------------------------------------------------------------------

typedef struct stems {
  char text[STEMS][INK_NAME];
  size_t n;
} stems;

static void add_stem(stems *s, bool flat, const char *prefix, const char *name, size_t size) {
  if (s->n == STEMS) return;
  char *to = s->text[s->n];
  int n = snprintf(to, INK_NAME, "%s%.*s", prefix, (int)size, name);
  if (n < 0 || n >= INK_NAME) return;
  for (char *p = to + strlen(prefix); flat && *p; p++) {
    if (*p == '.') *p = '_';
  }
  s->n++;
}

// diffusers' first files: "attn1.to_q" is "attn1.processor.to_q", and "to_out.0"
// "processor.to_out".
static void add_processor_stem(stems *s, const char *prefix, const char *name, size_t size) {
  char kept[INK_NAME], spelled[INK_NAME];
  snprintf(kept, sizeof kept, "%.*s", (int)size, name);
  char *at = strstr(kept, ".to_");
  if (!at) return;
  char *zero = strstr(at, ".0");
  if (zero) *zero = 0;
  *at = 0;
  int n = snprintf(spelled, sizeof spelled, "%s.processor.%s", kept, at + 1);
  if (n > 0 && n < (int)sizeof spelled) add_stem(s, false, prefix, spelled, strlen(spelled));
}

// How files may call the module of a parameter "NAME.weight" of the UNet.
static void unet_stems(const ink_unet_config *config, const char *name, size_t size, stems *s) {
  ink_stored_name stored;
  add_stem(s, true, "lora_unet_", name, size);
  add_stem(s, true, "lycoris_", name, size);
  add_stem(s, false, "unet.", name, size);
  add_stem(s, false, "base_model.model.", name, size);
  add_processor_stem(s, "unet.", name, size);
  add_processor_stem(s, "", name, size);
  if (ink_unet_stored_name(config, INK_NAMING_LDM, name, &stored)) {
    const char *dot = strrchr(stored.name, '.');
    if (dot) add_stem(s, true, "lora_unet_", stored.name, (size_t)(dot - stored.name));
  }
}

static void text_stems(size_t which, const char *name, size_t size, stems *s) {
  if (which == 0) add_stem(s, true, "lora_te_", name, size);
  add_stem(s, true, which ? "lora_te2_" : "lora_te1_", name, size);
  add_stem(s, false, which ? "text_encoder_2." : "text_encoder.", name, size);
}

// ---- all ----------------------------------------------------------------------------------------

typedef struct target {
  ink_parameter *parameters;
  size_t n;
  const ink_unet_config *unet;  // NULL: the text encoder `which`
  size_t which;
} target;

static ink_status merge_parameter(merging *m, const target *t, const ink_parameter *p,
                                  size_t *n_changed) {
  const char *dot = strrchr(p->name, '.');
  if (!dot) return INK_OK;
  bool vector = strcmp(dot, ".bias") == 0;
  size_t size = (size_t)(dot - p->name);
  stems s = {.n = 0};
  if (t->unet) {
    unet_stems(t->unet, p->name, size, &s);
  } else {
    text_stems(t->which, p->name, size, &s);
  }
  for (size_t i = 0; i < s.n; i++) {
    bool changed = false;
    module at = {.stem = s.text[i], .parameter = p->name};
    INK_TRY(merge_module(m, &at, p->tensor, vector, &changed));
    if (!changed) continue;
    (*n_changed)++;
    break;
  }
  return INK_OK;
}

static ink_status merge_target(merging *m, const target *t, size_t *n_changed) {
  for (size_t i = 0; i < t->n; i++) INK_TRY(merge_parameter(m, t, &t->parameters[i], n_changed));
  return INK_OK;
}

static ink_status check_unmatched(const merging *m, bool allowed, ink_lora_report *report) {
  size_t used = 0;
  for (size_t i = 0; i < ink_weights_count(m->file); i++) {
    const char *name = ink_weights_at(m->file, i)->name;
    if (m->used[i]) continue;
    if (report->n_unmatched++ < 3 && used < sizeof report->unmatched) {
      used += (size_t)snprintf(report->unmatched + used, sizeof report->unmatched - used, "%s%.*s",
                               used ? ", " : "", INK_SHOWN(name));
    }
  }
  if (report->n_unmatched == 0 || allowed) return INK_OK;
  return ink_fail(m->error, INK_ERR_CONFLICT,
                  "%s: %zu tensors fit no part of this model: %s%s; the plug-in is for another one",
                  ink_weights_path(m->file), report->n_unmatched, report->unmatched,
                  report->n_unmatched > 3 ? ", …" : "");
}

static ink_status merge_all(merging *m, ink_stable_diffusion *sd, const ink_lora_options *options,
                            ink_lora_report *report) {
  target unet = {.unet = ink_unet_about(sd->unet)};
  unet.parameters = ink_unet_parameters(sd->unet, &unet.n);
  m->strength = options->unet_strength;
  INK_TRY(merge_target(m, &unet, &report->n_unet));
  m->strength = options->text_strength;
  for (size_t i = 0; i < sd->n_text; i++) {
    target text = {.which = i};
    text.parameters = ink_clip_parameters(sd->texts[i].clip, &text.n);
    INK_TRY(merge_target(m, &text, &report->n_text));
  }
  return check_unmatched(m, options->allow_unmatched, report);
}

ink_status ink_lora_merge(ink_compute *c, ink_stable_diffusion *sd, const ink_weights *file,
                          const ink_lora_options *options, ink_lora **lora, ink_lora_report *report,
                          ink_error *error) {
  ink_error unused = {0};
  ink_lora_report own;
  if (!error) error = &unused;
  if (!report) report = &own;
  *report = (ink_lora_report){0};
  *lora = NULL;
  if (!(fabs(options->unet_strength) <= 100 && fabs(options->text_strength) <= 100)) {
    return ink_fail(error, INK_ERR_USAGE, "strengths of %g and %g for a plug-in; at most 100",
                    options->unet_strength, options->text_strength);
  }
  INK_TRY(ink_compute_status(c, error));
  merging m = {.c = c, .file = file, .error = error, .lora = calloc(1, sizeof *m.lora)};
  m.used = calloc(ink_weights_count(file) + 1, sizeof *m.used);
  if (m.lora) m.lora->arena = ink_arena_new(0);
  ink_status status = m.used && m.lora && m.lora->arena ? INK_OK : no_memory(&m);
  if (status == INK_OK) status = merge_all(&m, sd, options, report);
  free(m.used);
  if (status != INK_OK) {
    ink_lora_remove(m.lora);
    return status;
  }
  *lora = m.lora;
  return INK_OK;
}

void ink_lora_remove(ink_lora *lora) {
  if (!lora) return;
  for (size_t i = lora->n; i-- > 0;) *lora->changes[i].tensor = lora->changes[i].before;
  ink_arena_free(lora->arena);
  free(lora->changes);
  free(lora);
}
