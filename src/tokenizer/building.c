// Building a tokenizer: what the readers of all formats share.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/random.h"
#include "tokenizer/bytes.h"
#include "tokenizer/internal.h"

static ink_status no_memory(const ink_building *b) {
  return ink_fail(b->error, INK_ERR_MEMORY, "%s: no memory for the tokenizer", b->tokenizer->name);
}

ink_status ink_building_start(ink_building *building, const char *name, ink_error *error) {
  *building = (ink_building){.error = error};
  ink_tokenizer *t = calloc(1, sizeof *t);
  if (!t) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for the tokenizer", name);
  building->tokenizer = t;
  t->name = strdup(name);
  t->arena = ink_arena_new(0);
  t->bos = t->eos = t->pad = t->unknown = -1;
  t->vocabulary.seed = ink_random_fresh_seed();
  t->bpe.seed = ink_random_fresh_seed();
  t->bpe.parts.seed = t->vocabulary.seed;
  t->bpe.unknown = -1;
  if (t->name && t->arena) return INK_OK;
  ink_building_abandon(building);
  return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for the tokenizer", name);
}

void ink_building_abandon(ink_building *building) {
  ink_tokenizer_free(building->tokenizer);
  free(building->added);
  *building = (ink_building){0};
}

ink_status ink_building_copy(ink_building *building, const char *bytes, size_t size,
                             const char **out) {
  char *copy = ink_arena_take(building->tokenizer->arena, size + 1);
  if (!copy) return no_memory(building);
  if (size) memcpy(copy, bytes, size);
  copy[size] = 0;
  *out = copy;
  return INK_OK;
}

ink_status ink_building_keep(ink_building *building, ink_pattern *pattern) {
  ink_tokenizer *t = building->tokenizer;
  if (t->n_patterns == sizeof t->patterns / sizeof t->patterns[0]) {
    ink_pattern_free(pattern);
    return ink_fail(building->error, INK_ERR_UNSUPPORTED, "%s: more than %zu patterns", t->name,
                    t->n_patterns);
  }
  t->patterns[t->n_patterns++] = pattern;
  return INK_OK;
}

int64_t ink_building_most_ids(size_t n) {
  return n < (size_t)INT32_MAX / 4 ? (int64_t)n * 2 + (1 << 16) : INT32_MAX;
}

static ink_status grow_added(ink_building *building) {
  if (building->n_added < building->added_capacity) return INK_OK;
  size_t capacity = building->added_capacity ? building->added_capacity * 2 : 32, bytes;
  ink_added_entry *grown =
      ink_mul_size(capacity, sizeof *grown, &bytes) ? realloc(building->added, bytes) : NULL;
  if (!grown) return no_memory(building);
  building->added = grown;
  building->added_capacity = capacity;
  return INK_OK;
}

ink_status ink_building_add_token(ink_building *building, const ink_added_entry *entry,
                                  const char *place) {
  ink_tokenizer *t = building->tokenizer;
  ink_vocabulary *v = &t->vocabulary;
  if (entry->size == 0) return INK_OK;  // the reference passes over it too
  if (entry->size > INK_ADDED_LONGEST) {
    return ink_fail(building->error, INK_ERR_UNSUPPORTED,
                    "%s: an added token of %zu bytes; at most %d are supported", place, entry->size,
                    INK_ADDED_LONGEST);
  }
  int32_t known = ink_vocabulary_find(v, entry->text, entry->size);
  if (known >= 0 && known != entry->id) {
    return ink_fail(building->error, INK_ERR_CONFLICT,
                    "%s: the added token “%s” has id %d here and %d in the vocabulary", place,
                    entry->text, (int)entry->id, (int)known);
  }
  if (known < 0) {
    if (entry->id < 0 || entry->id >= ink_building_most_ids(v->n_tokens + 1)) {
      return ink_fail(building->error, INK_ERR_FORMAT,
                      "%s: the id %d does not fit a vocabulary of %zu tokens", place,
                      (int)entry->id, v->n_tokens + 1);
    }
    switch (ink_vocabulary_add(v, entry->text, entry->size, (uint32_t)entry->id)) {
      case INK_VOCABULARY_OK:
        break;
      case INK_VOCABULARY_DUPLICATE_ID:
        return ink_fail(building->error, INK_ERR_CONFLICT,
                        "%s: the added token “%s” has id %d, which is the token “%s” already",
                        place, entry->text, (int)entry->id,
                        ink_vocabulary_text(v, ink_vocabulary_token(v, entry->id)));
      case INK_VOCABULARY_DUPLICATE_TEXT:
      case INK_VOCABULARY_MEMORY:
        return no_memory(building);
    }
  }
  ink_token *token = &v->tokens[entry->id];
  if (known < 0) token->outside = true;
  if (token->added) {  // said again: the last word counts, as in the reference
    ink_added_entry *before = &building->added[token->added - 1];
    const char *text = before->text;
    *before = *entry;
    before->text = text;
    token->special = token->special || entry->special;
    return INK_OK;
  }
  token->special = entry->special;
  INK_TRY(grow_added(building));
  ink_added_entry *fresh = &building->added[building->n_added];
  *fresh = *entry;
  INK_TRY(ink_building_copy(building, entry->text, entry->size, &fresh->text));
  token->added = (uint32_t)++building->n_added;
  return INK_OK;
}

ink_status ink_building_make_special(ink_building *building, int32_t id, const char *place) {
  ink_vocabulary *v = &building->tokenizer->vocabulary;
  ink_token *token = &v->tokens[id];
  if (token->added) {
    token->special = true;
    return INK_OK;
  }
  ink_added_entry entry = {
      .text = ink_vocabulary_text(v, token), .size = token->text_size, .id = id, .special = true};
  return ink_building_add_token(building, &entry, place);
}

void ink_building_add_end(ink_building *building, int32_t id) {
  ink_ids *ends = &building->tokenizer->ends;
  if (id < 0) return;
  size_t at = 0;
  while (at < ends->n && ends->at[at] < id) at++;
  if (at < ends->n && ends->at[at] == id) return;
  ink_ids_add(ends, id);
  if (ends->failed) return;
  memmove(ends->at + at + 1, ends->at + at, (ends->n - 1 - at) * sizeof *ends->at);
  ends->at[at] = id;
}

ink_status ink_building_add_regex_split(ink_building *building, const char *regex, size_t size,
                                        const char *place) {
  ink_tokenizer *t = building->tokenizer;
  if (t->n_splitters == INK_TOKENIZER_STEPS) {
    return ink_fail(building->error, INK_ERR_UNSUPPORTED, "%s: more than %d steps", place,
                    INK_TOKENIZER_STEPS);
  }
  ink_pattern *pattern;
  INK_TRY(ink_pattern_regex(regex, size, place, &pattern, building->error));
  INK_TRY(ink_building_keep(building, pattern));
  t->splitters[t->n_splitters++] = (ink_splitter){
      .kind = INK_SPLITTER_PATTERN, .pattern = pattern, .behavior = INK_SPLIT_ISOLATED};
  return INK_OK;
}

// The two sets of added tokens: as they are, and normalised.
static ink_status finish_added(ink_building *building, ink_matcher *matcher) {
  ink_tokenizer *t = building->tokenizer;
  if (!building->n_added) return INK_OK;
  ink_added_token *raw = ink_arena_zeros(t->arena, building->n_added, sizeof *raw);
  ink_added_token *normalized = ink_arena_zeros(t->arena, building->n_added, sizeof *normalized);
  if (!raw || !normalized) return no_memory(building);
  size_t n_raw = 0, n_normalized = 0;
  ink_text buffers[2] = {{0}, {0}};
  ink_status status = INK_OK;
  for (size_t i = 0; i < building->n_added && status == INK_OK; i++) {
    const ink_added_entry *entry = &building->added[i];
    ink_added_token token = {.text = entry->text,
                             .size = entry->size,
                             .id = entry->id,
                             .special = t->vocabulary.tokens[entry->id].special,
                             .single_word = entry->single_word,
                             .lstrip = entry->lstrip,
                             .rstrip = entry->rstrip};
    if (!entry->normalized) {
      raw[n_raw++] = token;
      continue;
    }
    const char *text;
    bool cut;
    status = ink_normalize(t->normalizers, t->n_normalizers, matcher, entry->text, entry->size,
                           buffers, &text, &token.size, &cut, building->error);
    if (status != INK_OK || token.size == 0) continue;
    if (token.size > INK_ADDED_LONGEST) {
      status = ink_fail(building->error, INK_ERR_UNSUPPORTED,
                        "%s: the added token “%s” has %zu bytes when normalised; at most %d are "
                        "supported",
                        t->name, entry->text, token.size, INK_ADDED_LONGEST);
      continue;
    }
    if (token.size != entry->size || memcmp(text, entry->text, token.size) != 0) {
      status = ink_building_copy(building, text, token.size, &token.text);
      // The reference decodes such a token from its normalised spelling.
      if (status == INK_OK &&
          !ink_vocabulary_set_decoded(&t->vocabulary, (uint32_t)entry->id, text, token.size)) {
        status = no_memory(building);
      }
    }
    normalized[n_normalized++] = token;
  }
  ink_text_free(&buffers[0]);
  ink_text_free(&buffers[1]);
  if (status != INK_OK) return status;
  ink_added_set_start(&t->raw, raw, n_raw);
  ink_added_set_start(&t->normalized, normalized, n_normalized);
  return INK_OK;
}

// What every token stands for in running text.
static ink_status finish_bytes(ink_building *building, ink_matcher *matcher) {
  ink_tokenizer *t = building->tokenizer;
  ink_vocabulary *v = &t->vocabulary;
  ink_text spelling = {0}, bytes = {0};
  ink_status status = INK_OK;
  bool only_bytes = t->n_decoders == 1 && t->decoders[0].kind == INK_DECODE_BYTE_LEVEL;
  for (size_t id = 0; id < v->n_ids && status == INK_OK; id++) {
    const ink_token *token = ink_vocabulary_token(v, (int64_t)id);
    if (!token || token->added) continue;
    ink_text_clear(&bytes);
    if (only_bytes) {
      bool spelled = ink_bytes_unspell(&bytes, ink_vocabulary_text(v, token), token->text_size);
      status = ink_text_status(&bytes, building->error);
      if (!spelled) continue;
    } else {
      // The pool may move while bytes are added to it.
      ink_text_clear(&spelling);
      ink_text_add_bytes(&spelling, ink_vocabulary_text(v, token), token->text_size);
      status = ink_text_status(&spelling, building->error);
      if (status == INK_OK) {
        status = ink_decoder_bytes(t->decoders, t->n_decoders, matcher, spelling.bytes,
                                   spelling.size, &bytes, building->error);
      }
    }
    if (status == INK_OK &&
        !ink_vocabulary_set_bytes(v, (uint32_t)id, ink_text_string(&bytes), bytes.size)) {
      status = no_memory(building);
    }
  }
  ink_text_free(&spelling);
  ink_text_free(&bytes);
  return status;
}

// How many times as long a replacement can make a text.
static size_t growth_of(const ink_pattern *pattern, size_t content_size) {
  size_t size;
  bool regex;
  ink_pattern_source(pattern, &size, &regex);
  if (content_size == 0 || (!regex && content_size <= size)) return 1;
  // An expression may match between any two characters.
  return regex || size == 0 ? content_size + 1 : content_size / size + 1;
}

// A chain of steps must not blow a text up: each may be harmless, and ten of them one after the
// other a bomb. Real files make a text three times as long at most.
static ink_status check_growth(const ink_building *building) {
  enum { MOST = 256 };
  const ink_tokenizer *t = building->tokenizer;
  size_t before = 1, after = 1, prepended = 0;
  for (size_t i = 0; i < t->n_normalizers && before <= MOST; i++) {
    const ink_normalizer *step = &t->normalizers[i];
    if (step->kind == INK_NORMALIZE_REPLACE) {
      before *= growth_of(step->pattern, step->content_size < MOST ? step->content_size : MOST);
    }
    if (step->kind == INK_NORMALIZE_BYTE_LEVEL) before *= 2;
    if (step->kind == INK_NORMALIZE_PREPEND) prepended += step->content_size;
  }
  for (size_t i = 0; i < t->n_decoders && after <= MOST; i++) {
    const ink_decoder *step = &t->decoders[i];
    if (step->kind == INK_DECODE_REPLACE) {
      after *= growth_of(step->pattern, step->content_size < MOST ? step->content_size : MOST);
    }
  }
  if (before <= MOST && after <= MOST && prepended <= MOST) return INK_OK;
  return ink_fail(building->error, INK_ERR_UNSUPPORTED,
                  "%s: its normalizers or decoders could make a text more than %d times as long",
                  t->name, MOST);
}

ink_status ink_building_finish(ink_building *building, ink_tokenizer **out) {
  ink_tokenizer *t = building->tokenizer;
  if (t->prefix.failed || t->suffix.failed || t->ends.failed) return no_memory(building);
  for (size_t i = 0; i < t->prefix.n + t->suffix.n; i++) {
    int32_t id = i < t->prefix.n ? t->prefix.at[i] : t->suffix.at[i - t->prefix.n];
    if (!ink_vocabulary_token(&t->vocabulary, id)) {
      return ink_fail(building->error, INK_ERR_FORMAT,
                      "%s: the post-processor adds the id %d, which no token has", t->name,
                      (int)id);
    }
  }
  INK_TRY(check_growth(building));
  // The last step of splitting may leave words as bytes: the model spells them itself, by a table.
  if (t->n_splitters && t->splitters[t->n_splitters - 1].kind == INK_SPLITTER_BYTES) {
    t->n_splitters--;
    t->bpe.byte_level = true;
  }
  if (!t->decodes) {
    t->decoders[t->n_decoders++] = (ink_decoder){.kind = INK_DECODE_SPACES};
  }
  ink_bpe_start(&t->bpe, &t->vocabulary);
  ink_matcher *matcher = ink_matcher_new();
  if (!matcher) return no_memory(building);
  ink_status status = finish_added(building, matcher);
  if (status == INK_OK) status = finish_bytes(building, matcher);
  ink_matcher_free(matcher);
  if (status != INK_OK) return status;
  free(building->added);
  *out = t;
  *building = (ink_building){0};
  return INK_OK;
}
