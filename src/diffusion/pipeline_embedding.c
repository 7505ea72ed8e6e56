// Words that a text encoder is taught (textual inversion; Gal et al. 2022, arXiv 2208.01618): rows
// that stand in a prompt where the word stands.
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "base/file.h"
#include "diffusion/pipeline_parts.h"
#include "tensor/gemm.h"
#include "weights/check.h"
#include "weights/weights.h"

// ---- the file -----------------------------------------------------------------------------------

// The tensors for each text encoder, and the word where the file says it.
typedef struct inversion {
  const ink_weights_entry *rows[INK_SD_TEXTS];
  const char *word;
} inversion;

static const ink_weights_entry *named(const ink_weights *file, const char *name) {
  return ink_weights_entry_of(file, name);
}

// The encoder of this kind: CLIP-L, or one of OpenCLIP's. -1: the model has none.
static int text_of_kind(const ink_stable_diffusion *sd, bool open) {
  for (size_t i = 0; i < sd->n_text; i++) {
    if (!ink_clip_about(sd->texts[i].clip)->quick_gelu == open) return (int)i;
  }
  return -1;
}

// The first encoder of this width; -1: none.
static int text_of_width(const ink_stable_diffusion *sd, int64_t width) {
  for (size_t i = 0; i < sd->n_text; i++) {
    if (ink_clip_about(sd->texts[i].clip)->hidden == width) return (int)i;
  }
  return -1;
}

static ink_status check_rows(const ink_stable_diffusion *sd, int which,
                             const ink_weights_entry *entry, const char *path, ink_error *error) {
  int64_t width = entry->rank ? entry->shape[entry->rank - 1] : 0;
  if (!entry->usable || entry->rank < 1 || entry->rank > 2 || width < 1) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: \"%.*s\" is no list of vectors in 16 or 32 bits", path,
                    INK_SHOWN(entry->name));
  }
  if (which < 0 || ink_clip_about(sd->texts[which].clip)->hidden != width) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s: vectors of width %lld; it was made for another model than %s (%s), whose "
                    "text has %d",
                    path, (long long)width, sd->path, ink_stable_diffusion_name(sd),
                    ink_clip_about(sd->texts[which < 0 ? 0 : which].clip)->hidden);
  }
  if (entry->rank == 2 && (entry->shape[0] < 1 || entry->shape[0] > INK_PROMPT_CHUNK)) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: %lld vectors; a word takes 1 to %d", path,
                    (long long)entry->shape[0], INK_PROMPT_CHUNK);
  }
  return INK_OK;
}

// Of the layouts in use: XL's pair, A1111's two, and diffusers', whose one tensor is called by the
// word.
static ink_status find_rows(const ink_stable_diffusion *sd, const ink_weights *file,
                            inversion *found, ink_error *error) {
  const char *path = ink_weights_path(file);
  const ink_weights_entry *small = named(file, "clip_l"), *large = named(file, "clip_g");
  *found = (inversion){0};
  if (small || large) {
    int of_small = text_of_kind(sd, false), of_large = text_of_kind(sd, true);
    if (large) INK_TRY(check_rows(sd, of_large, large, path, error));
    if (large) found->rows[of_large] = large;
    // The refiner reads the larger one alone.
    if (small && (of_small >= 0 || !large)) {
      INK_TRY(check_rows(sd, of_small, small, path, error));
      found->rows[of_small] = small;
    }
    return INK_OK;
  }
  const ink_weights_entry *one = named(file, "emb_params");
  if (!one) one = named(file, "string_to_param.*");
  if (!one && ink_weights_count(file) == 1) {
    one = ink_weights_at(file, 0);
    found->word = one->name;
  }
  if (!one) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: no textual inversion: there is neither clip_l, clip_g, emb_params nor "
                    "string_to_param, and %zu tensors are more than one word",
                    path, ink_weights_count(file));
  }
  int which = text_of_width(sd, one->rank ? one->shape[one->rank - 1] : 0);
  INK_TRY(check_rows(sd, which, one, path, error));
  found->rows[which] = one;
  return INK_OK;
}

// ---- taught words -------------------------------------------------------------------------------

// Put the rows behind those of other words.
static ink_status teach(ink_pipeline *p, size_t which, const ink_weights_entry *entry,
                        ink_pipeline_word *word, ink_error *error) {
  ink_pipeline_taught *taught = &p->taught[which];
  int64_t n = entry->rank == 2 ? entry->shape[0] : 1, width = entry->shape[entry->rank - 1];
  size_t old = (size_t)(taught->n * width), bytes;
  float *grown = NULL;
  if (ink_mul_size((size_t)((taught->n + n) * width), sizeof *grown, &bytes)) {
    grown = realloc(taught->rows, bytes);
  }
  if (!grown) return ink_fail(error, INK_ERR_MEMORY, "no memory for a taught word");
  taught->rows = grown;
  ink_to_f32(entry->tensor.dtype, entry->tensor.data, grown + old, n * width);
  word->first[which] = (int32_t)taught->n;
  word->n[which] = (int32_t)n;
  taught->n += n;
  return INK_OK;
}

// "path/style.safetensors" is known as "style".
static char *stem_of(const char *path) {
  const char *name = ink_path_name(path), *dot = strrchr(name, '.');
  return dot && dot > name ? strndup(name, (size_t)(dot - name)) : strdup(name);
}

ink_status ink_pipeline_add_embedding(ink_pipeline *p, const char *path, const char *word,
                                      ink_error *error) {
  if (p->n_words == INK_PIPELINE_MOST_WORDS) {
    return ink_fail(error, INK_ERR_USAGE, "at most %d taught words at a time",
                    INK_PIPELINE_MOST_WORDS);
  }
  ink_weights *file;
  inversion found;
  ink_pipeline_word new = {0};
  INK_TRY(ink_weights_open(path, &file, error));
  ink_status status = find_rows(p->model, file, &found, error);
  if (status == INK_OK) {
    if (!word) word = found.word;
    new.word = word ? strdup(word) : stem_of(path);
    if (!new.word) status = ink_fail(error, INK_ERR_MEMORY, "no memory for a taught word");
  }
  for (size_t i = 0; i < p->n_words && status == INK_OK; i++) {
    if (strcasecmp(p->words[i].word, new.word) != 0) continue;
    status =
        ink_fail(error, INK_ERR_CONFLICT, "%s: the word \"%s\" is taught already", path, new.word);
  }
  if (status == INK_OK && (!new.word[0] || strpbrk(new.word, "()[]\\|:"))) {
    status =
        ink_fail(error, INK_ERR_USAGE,
                 "%s: the word \"%s\" cannot stand in a prompt; give another one", path, new.word);
  }
  for (size_t i = 0; i < INK_SD_TEXTS && status == INK_OK; i++) {
    if (found.rows[i]) status = teach(p, i, found.rows[i], &new, error);
  }
  ink_weights_close(file);
  if (status == INK_OK) {
    p->words[p->n_words++] = new;
  } else {
    free(new.word);
  }
  return status;
}

const char *ink_pipeline_word_at(const ink_pipeline *pipeline, size_t i) {
  return pipeline->words[i].word;
}

void ink_paint_free_words(ink_pipeline *p) {
  while (p->n_words) free(p->words[--p->n_words].word);
  for (size_t i = 0; i < INK_SD_TEXTS; i++) free(p->taught[i].rows);
}

// ---- prompts ------------------------------------------------------------------------------------

static bool is_letter(char c) {
  return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

// The word stands at `at`, and is no part of a longer one.
static bool stands_at(const char *word, const char *text, size_t size, size_t at) {
  size_t n = strlen(word);
  if (at + n > size || strncasecmp(text + at, word, n) != 0) return false;
  bool joined_before = at > 0 && is_letter(word[0]) && is_letter(text[at - 1]);
  bool joined_after = at + n < size && is_letter(word[n - 1]) && is_letter(text[at + n]);
  return !joined_before && !joined_after;
}

// The longest word of this encoder that stands there.
static const ink_pipeline_word *word_at(const ink_paint_words *words, const char *text, size_t size,
                                        size_t at) {
  const ink_pipeline *p = words->pipeline;
  const ink_pipeline_word *best = NULL;
  for (size_t i = 0; i < p->n_words; i++) {
    const ink_pipeline_word *w = &p->words[i];
    if (w->n[words->which] == 0 || !stands_at(w->word, text, size, at)) continue;
    if (!best || strlen(w->word) > strlen(best->word)) best = w;
  }
  return best;
}

typedef struct id_list {
  int32_t *items;
  size_t n;
} id_list;

static ink_status append(id_list *list, const int32_t *ids, size_t n, ink_error *error) {
  if (n == 0) return INK_OK;
  int32_t *grown = realloc(list->items, (list->n + n) * sizeof *grown);
  if (!grown) return ink_fail(error, INK_ERR_MEMORY, "no memory for the prompt");
  list->items = grown;
  memcpy(grown + list->n, ids, n * sizeof *ids);
  list->n += n;
  return INK_OK;
}

static ink_status append_plain(const ink_paint_words *words, id_list *list, const char *text,
                               size_t size, ink_error *error) {
  int32_t *ids = NULL;
  size_t n = 0;
  if (size == 0) return INK_OK;
  INK_TRY(ink_tokenizer_encode(words->pipeline->tokenizers[words->which], text, size,
                               INK_ENCODE_PLAIN, &ids, &n, error));
  ink_status status = append(list, ids, n, error);
  free(ids);
  return status;
}

static ink_status append_taught(const ink_paint_words *words, id_list *list,
                                const ink_pipeline_word *word, ink_error *error) {
  int32_t ids[INK_PROMPT_CHUNK];
  int32_t vocab = ink_clip_about(words->pipeline->model->texts[words->which].clip)->vocab;
  int32_t n = word->n[words->which];
  for (int32_t i = 0; i < n; i++) ids[i] = vocab + word->first[words->which] + i;
  return append(list, ids, (size_t)n, error);
}

ink_status ink_paint_encode_words(void *context, const char *text, size_t size, int32_t **ids,
                                  size_t *n, ink_error *error) {
  const ink_paint_words *words = context;
  id_list list = {0};
  ink_status status = INK_OK;
  size_t from = 0;
  for (size_t at = 0; at < size && status == INK_OK;) {
    const ink_pipeline_word *word = word_at(words, text, size, at);
    if (!word) {
      at++;
      continue;
    }
    status = append_plain(words, &list, text + from, at - from, error);
    if (status == INK_OK) status = append_taught(words, &list, word, error);
    from = at += strlen(word->word);
  }
  if (status == INK_OK) status = append_plain(words, &list, text + from, size - from, error);
  if (status != INK_OK) {
    free(list.items);
    list = (id_list){0};
  }
  *ids = list.items;
  *n = list.n;
  return status;
}

const ink_tensor *ink_paint_teach(ink_compute *c, const ink_pipeline *p, size_t which,
                                  ink_tensor *ids) {
  const ink_pipeline_taught *taught = &p->taught[which];
  const ink_clip *clip = p->model->texts[which].clip;
  int32_t vocab = ink_clip_about(clip)->vocab, *values = ids->data;
  size_t n = (size_t)ink_tensor_elements(ids), width = (size_t)ink_clip_about(clip)->hidden;
  int32_t *rows = ink_arena_zeros(c->arena, n, sizeof *rows);
  if (!rows) return ink_compute_fail(c, INK_ERR_MEMORY, "no memory for the prompt");
  bool any = false;
  for (size_t i = 0; i < n; i++) {
    if (values[i] < vocab) continue;
    any = true;
    rows[i] = values[i] - vocab + 1;
    values[i] = 0;  // no end token
  }
  if (!any) return NULL;
  ink_tensor *embeddings = ink_clip_embed(c, clip, ids);
  for (size_t i = 0; embeddings && i < n; i++) {
    if (rows[i] == 0) continue;
    memcpy((float *)embeddings->data + i * width, taught->rows + (size_t)(rows[i] - 1) * width,
           width * sizeof(float));
  }
  return embeddings;
}
