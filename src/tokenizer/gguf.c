// Vocabularies in GGUF metadata (ggml, docs/gguf.md, "Tokenizer"): byte-level BPE with its pattern
// by name, and SentencePiece BPE with scores.
#include "weights/gguf.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "tokenizer/internal.h"

// tokenizer.ggml.token_type (llama.cpp, enum llama_token_type)
enum { TYPE_NORMAL = 1, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_USER_DEFINED, TYPE_UNUSED, TYPE_BYTE };

enum { SCORED_LONGEST = 512 };  // bytes of a scored token; all its halves are looked up

#define META_SPACE "\xE2\x96\x81"  // U+2581

static ink_status no_memory(const ink_building *b) {
  return ink_fail(b->error, INK_ERR_MEMORY, "%s: no memory for the tokenizer", b->tokenizer->name);
}

// -- Tokens --------------------------------------------------------------------------------------

static ink_status read_tokens(ink_building *b, const ink_gguf_value *tokens) {
  ink_tokenizer *t = b->tokenizer;
  if (tokens->n >= INT32_MAX ||
      !ink_vocabulary_reserve(&t->vocabulary, (size_t)tokens->n, tokens->size + tokens->n)) {
    return no_memory(b);
  }
  size_t at = 0;
  ink_gguf_string text;
  for (uint32_t id = 0; ink_gguf_next_string(tokens, &at, &text); id++) {
    if (memchr(text.bytes, 0, text.size) || !ink_utf8_valid(text.bytes, text.size, NULL)) {
      return ink_fail(b->error, INK_ERR_FORMAT,
                      "%s: tokenizer.ggml.tokens: token %u holds a NUL or is not well-formed UTF-8",
                      t->name, (unsigned)id);
    }
    switch (ink_vocabulary_add(&t->vocabulary, text.bytes, text.size, id)) {
      case INK_VOCABULARY_OK:
        break;
      case INK_VOCABULARY_MEMORY:
        return no_memory(b);
      case INK_VOCABULARY_DUPLICATE_ID:
      case INK_VOCABULARY_DUPLICATE_TEXT:
        return ink_fail(b->error, INK_ERR_FORMAT,
                        "%s: tokenizer.ggml.tokens: tokens %d and %u are both “%.*s”", t->name,
                        (int)ink_vocabulary_find(&t->vocabulary, text.bytes, text.size),
                        (unsigned)id, text.size > 80 ? 80 : (int)text.size, text.bytes);
    }
  }
  return INK_OK;
}

// Control tokens are special, and like those the user defined they are looked for in the text.
static ink_status read_types(ink_building *b, const ink_gguf_value *types) {
  ink_tokenizer *t = b->tokenizer;
  for (uint64_t i = 0; types && i < types->n; i++) {
    int64_t type = ink_gguf_item_int(types, i);
    if (type < TYPE_NORMAL || type > TYPE_BYTE) {
      return ink_fail(b->error, INK_ERR_FORMAT,
                      "%s: tokenizer.ggml.token_type: token %llu has the type %lld, which is none",
                      t->name, (unsigned long long)i, (long long)type);
    }
    bool special = type == TYPE_CONTROL || type == TYPE_UNKNOWN;
    if (!special && type != TYPE_USER_DEFINED) continue;
    const ink_token *token = ink_vocabulary_token(&t->vocabulary, (int64_t)i);
    ink_added_entry entry = {.text = ink_vocabulary_text(&t->vocabulary, token),
                             .size = token->text_size,
                             .id = (int32_t)i,
                             .special = special};
    INK_TRY(ink_building_add_token(b, &entry, t->name));
  }
  return INK_OK;
}

// -- Scores --------------------------------------------------------------------------------------

static int descending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x > y ? -1 : x < y;
}

// The scores that occur, highest first: a token's place among them is the rank of its merges.
static ink_status sort_scores(ink_building *b, const ink_gguf_value *scores, double **out,
                              size_t *n) {
  size_t bytes;
  *n = 0;
  *out = ink_mul_size((size_t)scores->n, sizeof **out, &bytes) ? malloc(bytes ? bytes : 1) : NULL;
  if (!*out) return no_memory(b);
  for (uint64_t i = 0; i < scores->n; i++) {
    double score = ink_gguf_item_number(scores, i);
    if (isnan(score)) {
      return ink_fail(b->error, INK_ERR_FORMAT,
                      "%s: tokenizer.ggml.scores: score %llu is no number", b->tokenizer->name,
                      (unsigned long long)i);
    }
    (*out)[i] = score;
  }
  qsort(*out, (size_t)scores->n, sizeof **out, descending);
  for (uint64_t i = 0; i < scores->n; i++) {
    if (*n == 0 || (*out)[*n - 1] != (*out)[i]) (*out)[(*n)++] = (*out)[i];
  }
  return INK_OK;
}

static size_t rank_of(const double *sorted, size_t n, double score) {
  size_t low = 0, high = n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (sorted[middle] > score) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// Whether merging may make this token, or start from it.
static bool is_mergeable(const ink_gguf_value *types, int64_t id) {
  int64_t type = types ? ink_gguf_item_int(types, (uint64_t)id) : TYPE_NORMAL;
  return type != TYPE_CONTROL && type != TYPE_UNKNOWN && type != TYPE_BYTE;
}

// The symbol that stands for one half of a token: a token, or a single character that has none but
// may still be merged. -1 when merging cannot come by it.
static ink_status symbol_of_half(ink_building *b, const ink_gguf_value *types, const char *text,
                                 size_t size, int64_t *out) {
  ink_tokenizer *t = b->tokenizer;
  *out = ink_vocabulary_find(&t->vocabulary, text, size);
  if (*out >= 0) {
    if (!is_mergeable(types, *out)) *out = -1;
    return INK_OK;
  }
  int32_t rune;
  if (ink_utf8_decode(text, size, &rune) != size) return INK_OK;
  ink_vocabulary *parts = &t->bpe.parts;
  int32_t part = ink_vocabulary_find(parts, text, size);
  if (part < 0) {
    part = (int32_t)parts->n_ids;
    if (ink_vocabulary_add(parts, text, size, (uint32_t)part) != INK_VOCABULARY_OK) {
      return no_memory(b);
    }
  }
  *out = (int64_t)t->vocabulary.n_ids + part;
  return INK_OK;
}

// Any two neighbours whose texts together are a token may be merged, the token with the highest
// score first: so each token gives a merge for every place where it can be cut.
static ink_status add_scored_merges(ink_building *b, const ink_gguf_value *types,
                                    const ink_gguf_value *scores, const double *sorted, size_t n) {
  ink_tokenizer *t = b->tokenizer;
  for (size_t id = 0; id < t->vocabulary.n_ids; id++) {
    if (!is_mergeable(types, (int64_t)id)) continue;
    const ink_token *token = ink_vocabulary_token(&t->vocabulary, (int64_t)id);
    const char *text = ink_vocabulary_text(&t->vocabulary, token);
    size_t size = token->text_size;
    if (size > SCORED_LONGEST) {
      return ink_fail(
          b->error, INK_ERR_UNSUPPORTED,
          "%s: tokenizer.ggml.tokens: token %zu has %zu bytes; at most %d are supported", t->name,
          id, size, SCORED_LONGEST);
    }
    size_t rank = rank_of(sorted, n, ink_gguf_item_number(scores, id));
    for (size_t cut = 1; cut < size; cut++) {
      if (((unsigned char)text[cut] & 0xC0) == 0x80) continue;
      int64_t left, right;
      INK_TRY(symbol_of_half(b, types, text, cut, &left));
      if (left < 0) continue;
      INK_TRY(symbol_of_half(b, types, text + cut, size - cut, &right));
      if (right < 0) continue;
      if (!ink_bpe_add_merge(&t->bpe, (uint32_t)left, (uint32_t)right, (uint32_t)rank,
                             (uint32_t)id)) {
        return no_memory(b);
      }
    }
  }
  return INK_OK;
}

static ink_status read_scored(ink_building *b, const ink_gguf *file, const ink_gguf_value *types) {
  ink_tokenizer *t = b->tokenizer;
  const ink_gguf_value *scores;
  INK_TRY(ink_gguf_get_array(file, "tokenizer.ggml.scores", true, INK_GGUF_F32, &scores, b->error));
  if (scores->n != t->vocabulary.n_ids) {
    return ink_fail(b->error, INK_ERR_CONFLICT, "%s: %llu scores for %zu tokens", t->name,
                    (unsigned long long)scores->n, t->vocabulary.n_ids);
  }
  double *sorted;
  size_t n;
  ink_status status = sort_scores(b, scores, &sorted, &n);
  if (status == INK_OK) status = add_scored_merges(b, types, scores, sorted, n);
  free(sorted);
  INK_TRY(status);
  t->bpe.byte_fallback = true;
  t->decodes = true;

  bool prefix = true;
  INK_TRY(ink_gguf_get_bool(file, "tokenizer.ggml.add_space_prefix", false, &prefix, b->error));
  if (prefix) {
    t->normalizers[t->n_normalizers++] =
        (ink_normalizer){.kind = INK_NORMALIZE_PREPEND, .content = " ", .content_size = 1};
  }
  ink_pattern *space, *meta;
  INK_TRY(ink_pattern_literal(" ", 1, t->name, &space, b->error));
  INK_TRY(ink_building_keep(b, space));
  INK_TRY(ink_pattern_literal(META_SPACE, 3, t->name, &meta, b->error));
  INK_TRY(ink_building_keep(b, meta));
  t->normalizers[t->n_normalizers++] = (ink_normalizer){
      .kind = INK_NORMALIZE_REPLACE, .pattern = space, .content = META_SPACE, .content_size = 3};
  t->decoders[t->n_decoders++] =
      (ink_decoder){.kind = INK_DECODE_REPLACE, .pattern = meta, .content = " ", .content_size = 1};
  t->decoders[t->n_decoders++] = (ink_decoder){.kind = INK_DECODE_BYTE_FALLBACK};
  t->decoders[t->n_decoders++] = (ink_decoder){.kind = INK_DECODE_FUSE};
  if (prefix) {
    t->decoders[t->n_decoders++] = (ink_decoder){.kind = INK_DECODE_STRIP, .rune = ' ', .start = 1};
  }
  return INK_OK;
}

// -- Byte-level vocabularies ---------------------------------------------------------------------

static ink_status read_byte_level(ink_building *b, const ink_gguf *file, bool *add_bos) {
  ink_tokenizer *t = b->tokenizer;
  ink_gguf_string name;
  ink_status status = ink_gguf_get_string(file, "tokenizer.ggml.pre", true, &name, b->error);
  if (status == INK_ERR_NOT_FOUND) {
    return ink_fail(b->error, INK_ERR_UNSUPPORTED,
                    "%s: tokenizer.ggml.pre is missing, so the pattern that splits text is not "
                    "known; use a newer conversion of the model",
                    t->name);
  }
  INK_TRY(status);
  const ink_pretokenizer_name *pre = ink_pretokenizer_find(name.bytes, name.size);
  if (!pre) {
    return ink_fail(b->error, INK_ERR_UNSUPPORTED,
                    "%s: tokenizer.ggml.pre is “%.*s”, whose pattern is not known here; use the "
                    "model's tokenizer.json",
                    t->name, name.size > 80 ? 80 : (int)name.size, name.bytes);
  }
  *add_bos = pre->add_bos;
  INK_TRY(ink_building_add_pretokenizer(b, pre));
  const ink_gguf_value *merges;
  INK_TRY(
      ink_gguf_get_array(file, "tokenizer.ggml.merges", true, INK_GGUF_STRING, &merges, b->error));
  if (merges->n > SIZE_MAX / 64 || !ink_bpe_reserve(&t->bpe, (size_t)merges->n)) {
    return no_memory(b);
  }
  size_t at = 0;
  ink_gguf_string line;
  for (size_t rank = 0; ink_gguf_next_string(merges, &at, &line); rank++) {
    INK_TRY(ink_building_add_merge_line(b, line.bytes, line.size, rank, -1));
  }
  return INK_OK;
}

// -- Roles ---------------------------------------------------------------------------------------

static ink_status read_role(ink_building *b, const ink_gguf *file, const char *key, int32_t *out) {
  ink_tokenizer *t = b->tokenizer;
  int64_t id = -1;
  INK_TRY(ink_gguf_get_int(file, key, false, -1, UINT32_MAX, &id, b->error));
  if (id == -1 || id == UINT32_MAX) return INK_OK;  // two ways to say none
  if (!ink_vocabulary_token(&t->vocabulary, id)) {
    return ink_fail(b->error, INK_ERR_FORMAT, "%s: %s is %lld, which no token has", t->name, key,
                    (long long)id);
  }
  *out = (int32_t)id;
  return INK_OK;
}

// Files may leave the end of a turn unsaid. These are its spellings in the usual chat layouts.
static void guess_ends(ink_building *b) {
  static const char *const spellings[] = {"<|eot_id|>",    "<|im_end|>", "<|end|>",
                                          "<end_of_turn>", "<|eom_id|>", "<|endoftext|>"};
  const ink_vocabulary *v = &b->tokenizer->vocabulary;
  for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
    int32_t id = ink_vocabulary_find(v, spellings[i], strlen(spellings[i]));
    if (id >= 0 && ink_vocabulary_token(v, id)->special) ink_building_add_end(b, id);
  }
}

static ink_status read_roles(ink_building *b, const ink_gguf *file, bool add_bos) {
  ink_tokenizer *t = b->tokenizer;
  int32_t eot = -1, eom = -1;
  bool add_eos = false;
  INK_TRY(read_role(b, file, "tokenizer.ggml.bos_token_id", &t->bos));
  INK_TRY(read_role(b, file, "tokenizer.ggml.eos_token_id", &t->eos));
  INK_TRY(read_role(b, file, "tokenizer.ggml.padding_token_id", &t->pad));
  INK_TRY(read_role(b, file, "tokenizer.ggml.unknown_token_id", &t->unknown));
  INK_TRY(read_role(b, file, "tokenizer.ggml.eot_token_id", &eot));
  INK_TRY(read_role(b, file, "tokenizer.ggml.eom_token_id", &eom));
  ink_building_add_end(b, t->eos);
  ink_building_add_end(b, eot);
  ink_building_add_end(b, eom);
  guess_ends(b);
  INK_TRY(ink_gguf_get_bool(file, "tokenizer.ggml.add_bos_token", false, &add_bos, b->error));
  INK_TRY(ink_gguf_get_bool(file, "tokenizer.ggml.add_eos_token", false, &add_eos, b->error));
  if (add_bos && t->bos >= 0) ink_ids_add(&t->prefix, t->bos);
  if (add_eos && t->eos >= 0) ink_ids_add(&t->suffix, t->eos);
  ink_gguf_string chat = {0};
  INK_TRY(ink_gguf_get_string(file, "tokenizer.chat_template", false, &chat, b->error));
  if (chat.bytes) {
    t->chat_template = strndup(chat.bytes, chat.size);
    if (!t->chat_template) return no_memory(b);
  }
  return INK_OK;
}

static ink_status build(ink_building *b, const ink_gguf *file) {
  ink_tokenizer *t = b->tokenizer;
  ink_gguf_string model;
  const ink_gguf_value *tokens, *types = NULL;
  INK_TRY(ink_gguf_get_string(file, "tokenizer.ggml.model", true, &model, b->error));
  bool byte_level = ink_gguf_string_is(model, "gpt2");
  if (!byte_level && !ink_gguf_string_is(model, "llama")) {
    return ink_fail(b->error, INK_ERR_UNSUPPORTED,
                    "%s: tokenizer.ggml.model is “%.*s”; supported are gpt2 and llama", t->name,
                    model.size > 80 ? 80 : (int)model.size, model.bytes);
  }
  INK_TRY(
      ink_gguf_get_array(file, "tokenizer.ggml.tokens", true, INK_GGUF_STRING, &tokens, b->error));
  INK_TRY(read_tokens(b, tokens));
  INK_TRY(
      ink_gguf_get_array(file, "tokenizer.ggml.token_type", false, INK_GGUF_I32, &types, b->error));
  if (types && types->n != t->vocabulary.n_ids) {
    return ink_fail(b->error, INK_ERR_CONFLICT, "%s: %llu token types for %zu tokens", t->name,
                    (unsigned long long)types->n, t->vocabulary.n_ids);
  }
  bool add_bos = !byte_level;
  if (byte_level) {
    INK_TRY(read_byte_level(b, file, &add_bos));
  } else {
    INK_TRY(read_scored(b, file, types));
  }
  INK_TRY(read_types(b, types));
  INK_TRY(read_roles(b, file, add_bos));
  if (!byte_level && t->unknown >= 0) {
    t->bpe.has_unknown = true;
    t->bpe.unknown = t->unknown;
  }
  return INK_OK;
}

ink_status ink_tokenizer_from_gguf(const ink_gguf *file, ink_tokenizer **out, ink_error *error) {
  *out = NULL;
  ink_building building;
  INK_TRY(ink_building_start(&building, ink_gguf_path(file), error));
  ink_status status = build(&building, file);
  if (status == INK_OK) status = ink_building_finish(&building, out);
  if (status != INK_OK) ink_building_abandon(&building);
  return status;
}

ink_status ink_tokenizer_open_gguf(const char *path, ink_tokenizer **out, ink_error *error) {
  ink_gguf *file;
  INK_TRY(ink_gguf_open(path, &file, error));
  ink_status status = ink_tokenizer_from_gguf(file, out, error);
  ink_gguf_close(file);
  return status;
}
