// Tokenizers written down: tokenizer.ggml.* (ggml, docs/gguf.md, "Tokenizer"; llama.cpp,
// convert_hf_to_gguf.py) and tokenizer.json (Hugging Face tokenizers).
#include "tokenizer/export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "tokenizer/internal.h"
#include "weights/gguf.h"

// tokenizer.ggml.token_type (llama.cpp, enum llama_token_type)
enum { TYPE_NORMAL = 1, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_USER_DEFINED, TYPE_UNUSED, TYPE_BYTE };

#define META_SPACE "\xE2\x96\x81"  // U+2581

static ink_status no_memory(const ink_tokenizer *t, ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to write the tokenizer", t->name);
}

static const char *spelling(const ink_tokenizer *t, int64_t id) {
  const ink_token *token = ink_vocabulary_token(&t->vocabulary, id);
  return token ? ink_vocabulary_text(&t->vocabulary, token) : NULL;
}

// Of a token that merges name, which is there.
static const char *merged_spelling(const ink_tokenizer *t, uint32_t id) {
  const char *text = spelling(t, id);
  return text ? text : "";
}

// -- Merges ---------------------------------------------------------------------------------------

static int by_rank(const void *a, const void *b) {
  const ink_merge_slot *x = a, *y = b;
  if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
  return x->pair < y->pair ? -1 : x->pair > y->pair;
}

static uint32_t left_of(const ink_merge_slot *merge) {
  return (uint32_t)(merge->pair >> 32);
}

static uint32_t right_of(const ink_merge_slot *merge) {
  return (uint32_t)merge->pair;
}

// The merges between tokens in the order in which they are taken; those of one rank by their ids,
// as the converter of transformers does. malloc'ed, never NULL on success.
static ink_status sort_merges(const ink_tokenizer *t, ink_merge_slot **out, size_t *n,
                              ink_error *error) {
  const ink_bpe *bpe = &t->bpe;
  size_t bytes;
  *n = 0;
  *out = ink_mul_size(bpe->n_merges + 1, sizeof **out, &bytes) ? malloc(bytes) : NULL;
  if (!*out) return no_memory(t, error);
  for (size_t i = 0; i < bpe->n_slots; i++) {
    const ink_merge_slot *slot = &bpe->slots[i];
    if (slot->pair == UINT64_MAX) continue;
    if (left_of(slot) >= t->vocabulary.n_ids || right_of(slot) >= t->vocabulary.n_ids) continue;
    (*out)[(*n)++] = *slot;
  }
  qsort(*out, *n, sizeof **out, by_rank);
  return INK_OK;
}

// -- To GGUF: byte-level vocabularies -------------------------------------------------------------

static bool is_literal(const ink_pattern *pattern, const char *text) {
  size_t size;
  bool regex;
  const char *source = ink_pattern_source(pattern, &size, &regex);
  return source && !regex && size == strlen(text) && memcmp(source, text, size) == 0;
}

static bool is_regex(const ink_splitter *step, const char *text) {
  size_t size;
  bool regex;
  if (step->kind != INK_SPLITTER_PATTERN || step->behavior != INK_SPLIT_ISOLATED || step->invert) {
    return false;
  }
  const char *source = ink_pattern_source(step->pattern, &size, &regex);
  return source && regex && size == strlen(text) && memcmp(source, text, size) == 0;
}

static bool splits_as(const ink_tokenizer *t, const ink_pretokenizer_name *pre) {
  size_t n = 0;
  while (n < 4 && pre->regex[n]) n++;
  if (n != t->n_splitters || pre->ignore_merges != t->bpe.ignore_merges) return false;
  bool nfc = t->n_normalizers == 1 && t->normalizers[0].kind == INK_NORMALIZE_NFC;
  if (t->n_normalizers != (nfc ? 1 : 0) || nfc != pre->nfc) return false;
  for (size_t i = 0; i < n; i++) {
    if (!is_regex(&t->splitters[i], pre->regex[i])) return false;
  }
  return true;
}

static ink_status find_pretokenizer(const ink_tokenizer *t, const char **name, ink_error *error) {
  const ink_pretokenizer_name *pre;
  for (size_t i = 0; (pre = ink_pretokenizer_at(i)); i++) {
    if (!splits_as(t, pre)) continue;
    *name = pre->name;
    return INK_OK;
  }
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "%s: GGUF names the pattern that splits text, and this tokenizer's pattern has "
                  "no name there",
                  t->name);
}

static ink_status put_merges(const ink_tokenizer *t, ink_gguf_writer *writer, ink_error *error) {
  ink_merge_slot *merges;
  size_t n;
  INK_TRY(sort_merges(t, &merges, &n, error));
  ink_text lines = {0};
  ink_gguf_string *items = calloc(n + 1, sizeof *items);
  for (size_t i = 0; i < n && items; i++) {
    size_t start = lines.size;
    ink_text_add(&lines, merged_spelling(t, left_of(&merges[i])));
    ink_text_add(&lines, " ");
    ink_text_add(&lines, merged_spelling(t, right_of(&merges[i])));
    items[i].size = lines.size - start;
  }
  ink_status status = items ? ink_text_status(&lines, error) : no_memory(t, error);
  if (status == INK_OK) {
    const char *at = ink_text_string(&lines);
    for (size_t i = 0; i < n; i++) {
      items[i].bytes = at;
      at += items[i].size;
    }
    ink_gguf_add_strings(writer, "tokenizer.ggml.merges", items, n);
  }
  free(items);
  ink_text_free(&lines);
  free(merges);
  return status;
}

// -- To GGUF: vocabularies with scores ------------------------------------------------------------

static bool is_byte(const ink_token *token, const char *text) {
  return !token->added && token->text_size == 6 && strncmp(text, "<0x", 3) == 0 && text[5] == '>';
}

// Whether merging may make this token, or start from it.
static bool is_mergeable(const ink_tokenizer *t, int64_t id) {
  const ink_token *token = ink_vocabulary_token(&t->vocabulary, id);
  return token && !token->special && !token->outside && id != t->unknown &&
         !is_byte(token, ink_vocabulary_text(&t->vocabulary, token));
}

static ink_status not_by_scores(const ink_tokenizer *t, int64_t id, ink_error *error) {
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "%s: GGUF orders merges by a score of the token they make; here “%.80s” is made "
                  "in another order",
                  t->name, spelling(t, id));
}

// With scores, any two neighbours whose texts together are a token are merged: there must be a
// merge for every place where a token can be cut into tokens.
static ink_status check_cuts(const ink_tokenizer *t, ink_error *error) {
  const ink_vocabulary *v = &t->vocabulary;
  for (size_t id = 0; id < v->n_ids; id++) {
    if (!is_mergeable(t, (int64_t)id)) continue;
    const ink_token *token = ink_vocabulary_token(v, (int64_t)id);
    const char *text = ink_vocabulary_text(v, token);
    for (size_t cut = 1; cut < token->text_size; cut++) {
      if (((unsigned char)text[cut] & 0xC0) == 0x80) continue;
      int64_t left = ink_vocabulary_find(v, text, cut);
      int64_t right = left < 0 ? -1 : ink_vocabulary_find(v, text + cut, token->text_size - cut);
      if (right < 0 || !is_mergeable(t, left) || !is_mergeable(t, right)) continue;
      if (!ink_bpe_has_merge(&t->bpe, (uint32_t)left, (uint32_t)right)) {
        return not_by_scores(t, (int64_t)id, error);
      }
    }
  }
  return INK_OK;
}

// One score for each id: -k for the k-th token that merging makes, the rest below these.
static ink_status find_scores(const ink_tokenizer *t, size_t n_vocab, float *scores,
                              ink_error *error) {
  ink_merge_slot *merges;
  size_t n;
  INK_TRY(check_cuts(t, error));
  INK_TRY(sort_merges(t, &merges, &n, error));
  ink_status status = INK_OK;
  size_t made = 0;
  for (size_t i = 0; i < n_vocab; i++) scores[i] = 1;  // none yet
  for (size_t i = 0; i < n && status == INK_OK; i++) {
    uint32_t product = merges[i].product;
    bool again = i && merges[i - 1].product == product;
    if (!again && scores[product] <= 0) status = not_by_scores(t, product, error);
    if (!again) scores[product] = -(float)made++;
  }
  for (size_t i = 0; i < n_vocab; i++) {
    if (scores[i] > 0) scores[i] = -(float)(made + i);
  }
  free(merges);
  return status;
}

// How spaces are written, and whether one goes in front of a text.
static ink_status find_spaces(const ink_tokenizer *t, bool *prefix, ink_error *error) {
  const ink_normalizer *steps = t->normalizers;
  size_t n = t->n_normalizers;
  *prefix = n > 0 && steps[0].kind == INK_NORMALIZE_PREPEND &&
            (strcmp(steps[0].content, META_SPACE) == 0 || strcmp(steps[0].content, " ") == 0);
  size_t at = *prefix ? 1 : 0;
  bool replaced = n == at + 1 && steps[at].kind == INK_NORMALIZE_REPLACE &&
                  is_literal(steps[at].pattern, " ") && strcmp(steps[at].content, META_SPACE) == 0;
  bool fine = t->n_splitters == 0 && replaced;
  if (n == 0 && t->n_splitters == 0) {  // fine where no token has anything to do with spaces
    fine = true;
    for (size_t id = 0; id < t->vocabulary.n_ids && fine; id++) {
      const char *text = is_mergeable(t, (int64_t)id) ? spelling(t, (int64_t)id) : "";
      fine = !strchr(text, ' ') && !strstr(text, META_SPACE);
    }
  }
  if (fine) return INK_OK;
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "%s: GGUF cannot say what this tokenizer does to a text before it is split",
                  t->name);
}

// -- To GGUF: what both kinds share ---------------------------------------------------------------

static int32_t type_of(const ink_tokenizer *t, int64_t id, bool byte_level) {
  const ink_token *token = ink_vocabulary_token(&t->vocabulary, id);
  if (!token) return TYPE_UNUSED;
  const char *text = ink_vocabulary_text(&t->vocabulary, token);
  size_t size = token->text_size;
  if (!byte_level && id == t->unknown) return TYPE_UNKNOWN;
  if (!byte_level && is_byte(token, text)) return TYPE_BYTE;
  if (token->special) return TYPE_CONTROL;
  if (!token->added) return TYPE_NORMAL;
  // As llama.cpp's converter has it, whatever the file says.
  bool marked = size > 4 && strncmp(text, "<|", 2) == 0 && strcmp(text + size - 2, "|>") == 0;
  return marked ? TYPE_CONTROL : TYPE_USER_DEFINED;
}

static void put_role(ink_gguf_writer *writer, const char *key, int32_t id) {
  if (id >= 0) ink_gguf_add_u32(writer, key, (uint32_t)id);
}

// GGUF has keys for two ends beside the usual one: of a turn, and of a message.
static ink_status put_roles(const ink_tokenizer *t, ink_gguf_writer *writer, ink_error *error) {
  static const char *const others[] = {"tokenizer.ggml.eot_token_id",
                                       "tokenizer.ggml.eom_token_id"};
  // Where no file names them, they are what is put around a text.
  int32_t first = t->bos < 0 && t->prefix.n == 1 ? t->prefix.at[0] : t->bos;
  int32_t last = t->eos < 0 && t->suffix.n == 1 ? t->suffix.at[0] : t->eos;
  bool bos = t->prefix.n == 1 && t->prefix.at[0] == first;
  bool eos = t->suffix.n == 1 && t->suffix.at[0] == last;
  if ((t->prefix.n && !bos) || (t->suffix.n && !eos)) {
    return ink_fail(
        error, INK_ERR_UNSUPPORTED,
        "%s: it puts other tokens around a text than BOS and EOS, which GGUF cannot say", t->name);
  }
  put_role(writer, "tokenizer.ggml.bos_token_id", first);
  put_role(writer, "tokenizer.ggml.eos_token_id", last);
  put_role(writer, "tokenizer.ggml.padding_token_id", t->pad);
  size_t other = 0;
  for (size_t i = 0; i < t->ends.n; i++) {
    if (t->ends.at[i] == t->eos || other == 2) continue;
    put_role(writer, others[other++], t->ends.at[i]);
  }
  ink_gguf_add_bool(writer, "tokenizer.ggml.add_bos_token", bos);
  if (eos) ink_gguf_add_bool(writer, "tokenizer.ggml.add_eos_token", true);
  if (t->chat_template) {
    ink_gguf_add_string(writer, "tokenizer.chat_template", t->chat_template,
                        strlen(t->chat_template));
  }
  return INK_OK;
}

typedef struct tables {
  ink_text padding;  // spellings of rows without a token
  ink_gguf_string *tokens;
  int32_t *types;
  float *scores;
} tables;

static ink_status fill_tables(const ink_tokenizer *t, size_t n, bool byte_level, tables *all,
                              ink_error *error) {
  all->tokens = calloc(n + 1, sizeof *all->tokens);
  all->types = calloc(n + 1, sizeof *all->types);
  all->scores = calloc(n + 1, sizeof *all->scores);
  if (!all->tokens || !all->types || !all->scores) return no_memory(t, error);
  for (size_t id = 0; id < n; id++) {
    all->types[id] = type_of(t, (int64_t)id, byte_level);
    const char *text = spelling(t, (int64_t)id);
    size_t start = all->padding.size;
    if (!text) ink_text_format(&all->padding, "[PAD%zu]", id);
    all->tokens[id] = (ink_gguf_string){text, text ? strlen(text) : all->padding.size - start};
  }
  INK_TRY(ink_text_status(&all->padding, error));
  const char *at = ink_text_string(&all->padding);
  for (size_t id = 0; id < n; id++) {
    if (all->tokens[id].bytes) continue;
    all->tokens[id].bytes = at;
    at += all->tokens[id].size;
  }
  return byte_level ? INK_OK : find_scores(t, n, all->scores, error);
}

static ink_status put_all(const ink_tokenizer *t, size_t n, ink_gguf_writer *writer, tables *all,
                          ink_error *error) {
  bool byte_level = t->bpe.byte_level, prefix = false;
  const char *pre = "default";
  if (t->bpe.word_end) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: its words end in “%s”, for which GGUF has no kind of vocabulary", t->name,
                    t->bpe.word_end);
  }
  if (byte_level) {
    INK_TRY(find_pretokenizer(t, &pre, error));
  } else if (t->bpe.byte_fallback) {
    INK_TRY(find_spaces(t, &prefix, error));
  } else {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: neither byte-level BPE nor one that falls back on bytes; GGUF has no kind "
                    "for it",
                    t->name);
  }
  INK_TRY(fill_tables(t, n, byte_level, all, error));
  const char *model = byte_level ? "gpt2" : "llama";
  ink_gguf_add_string(writer, "tokenizer.ggml.model", model, strlen(model));
  ink_gguf_add_string(writer, "tokenizer.ggml.pre", pre, strlen(pre));
  ink_gguf_add_strings(writer, "tokenizer.ggml.tokens", all->tokens, n);
  if (!byte_level) ink_gguf_add_f32s(writer, "tokenizer.ggml.scores", all->scores, n);
  ink_gguf_add_i32s(writer, "tokenizer.ggml.token_type", all->types, n);
  if (byte_level) {
    INK_TRY(put_merges(t, writer, error));
  } else {
    put_role(writer, "tokenizer.ggml.unknown_token_id", t->unknown);
    ink_gguf_add_bool(writer, "tokenizer.ggml.add_space_prefix", prefix);
  }
  return put_roles(t, writer, error);
}

ink_status ink_tokenizer_put_gguf(const ink_tokenizer *tokenizer, size_t n_vocab,
                                  ink_gguf_writer *writer, ink_error *error) {
  if (tokenizer->vocabulary.n_ids > n_vocab) {
    return ink_fail(error, INK_ERR_CONFLICT, "%s: it has ids up to %zu, the model knows %zu tokens",
                    tokenizer->name, tokenizer->vocabulary.n_ids - 1, n_vocab);
  }
  tables all = {0};
  ink_status status = put_all(tokenizer, n_vocab, writer, &all, error);
  ink_text_free(&all.padding);
  free(all.tokens);
  free(all.types);
  free(all.scores);
  return status;
}

// -- To tokenizer.json ----------------------------------------------------------------------------

static json_t *byte_level_step(void) {
  return json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0,
                   "trim_offsets", 0, "use_regex", 0);
}

// A pattern as the file format has it.
static json_t *pattern_json(const ink_pattern *pattern) {
  size_t size;
  bool regex;
  const char *source = ink_pattern_source(pattern, &size, &regex);
  return source ? json_pack("{s:s%}", regex ? "Regex" : "String", source, size) : NULL;
}

static json_t *replacing(const ink_pattern *pattern, const char *content) {
  return json_pack("{s:s, s:o, s:s}", "type", "Replace", "pattern", pattern_json(pattern),
                   "content", content);
}

static json_t *normalizer_json(const ink_normalizer *step) {
  switch (step->kind) {
    case INK_NORMALIZE_NFC:
      return json_pack("{s:s}", "type", "NFC");
    case INK_NORMALIZE_PREPEND:
      return json_pack("{s:s, s:s}", "type", "Prepend", "prepend", step->content);
    case INK_NORMALIZE_REPLACE:
      return replacing(step->pattern, step->content);
    default:
      return NULL;
  }
}

static json_t *splitter_json(const ink_splitter *step) {
  if (step->kind != INK_SPLITTER_PATTERN || step->behavior != INK_SPLIT_ISOLATED) return NULL;
  return json_pack("{s:s, s:o, s:s, s:b}", "type", "Split", "pattern", pattern_json(step->pattern),
                   "behavior", "Isolated", "invert", step->invert);
}

static json_t *decoder_json(const ink_decoder *step) {
  char rune[5] = {0};
  switch (step->kind) {
    case INK_DECODE_BYTE_LEVEL:
      return byte_level_step();
    case INK_DECODE_BYTE_FALLBACK:
      return json_pack("{s:s}", "type", "ByteFallback");
    case INK_DECODE_FUSE:
      return json_pack("{s:s}", "type", "Fuse");
    case INK_DECODE_REPLACE:
      return replacing(step->pattern, step->content);
    case INK_DECODE_STRIP:
      ink_utf8_encode(step->rune, rune);
      return json_pack("{s:s, s:s, s:i, s:i}", "type", "Strip", "content", rune, "start",
                       (int)step->start, "stop", (int)step->stop);
    default:
      return NULL;
  }
}

// A list of steps as one: null for none, itself for one, else a sequence. Takes the list over.
static json_t *as_one(json_t *list, const char *key) {
  json_t *one = NULL;
  if (json_array_size(list) == 0) one = json_null();
  if (json_array_size(list) == 1) one = json_incref(json_array_get(list, 0));
  if (!one) one = json_pack("{s:s, s:O}", "type", "Sequence", key, list);
  json_decref(list);
  return one;
}

static bool put(json_t *object, const char *key, json_t *value) {
  return json_object_set_new(object, key, value) == 0;
}

static bool put_steps(const ink_tokenizer *t, json_t *document) {
  json_t *normalizers = json_array(), *splitters = json_array(), *decoders = json_array();
  bool fine = normalizers && splitters && decoders;
  for (size_t i = 0; i < t->n_normalizers && fine; i++) {
    fine = json_array_append_new(normalizers, normalizer_json(&t->normalizers[i])) == 0;
  }
  for (size_t i = 0; i < t->n_splitters && fine; i++) {
    fine = json_array_append_new(splitters, splitter_json(&t->splitters[i])) == 0;
  }
  if (fine && t->bpe.byte_level) fine = json_array_append_new(splitters, byte_level_step()) == 0;
  for (size_t i = 0; i < t->n_decoders && fine; i++) {
    fine = json_array_append_new(decoders, decoder_json(&t->decoders[i])) == 0;
  }
  fine = put(document, "normalizer", as_one(normalizers, "normalizers")) && fine;
  fine = put(document, "pre_tokenizer", as_one(splitters, "pretokenizers")) && fine;
  return put(document, "decoder", as_one(decoders, "decoders")) && fine;
}

static json_t *added_json(const ink_tokenizer *t) {
  json_t *list = json_array();
  for (size_t id = 0; list && id < t->vocabulary.n_ids; id++) {
    const ink_token *token = ink_vocabulary_token(&t->vocabulary, (int64_t)id);
    if (!token || !token->added) continue;
    json_array_append_new(
        list, json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", (int)id, "content",
                        ink_vocabulary_text(&t->vocabulary, token), "single_word", 0, "lstrip", 0,
                        "rstrip", 0, "normalized", 0, "special", token->special));
  }
  return list;
}

// Adds the tokens of `ids` to a template, and to the table of those it names.
static bool put_template_tokens(const ink_tokenizer *t, const ink_ids *ids, json_t *steps,
                                json_t *named, int type) {
  bool fine = true;
  for (size_t i = 0; i < ids->n; i++) {
    const char *text = spelling(t, ids->at[i]);
    fine =
        json_array_append_new(
            steps, json_pack("{s:{s:s, s:i}}", "SpecialToken", "id", text, "type_id", type)) == 0 &&
        put(named, text,
            json_pack("{s:s, s:[i], s:[s]}", "id", text, "ids", (int)ids->at[i], "tokens", text)) &&
        fine;
  }
  return fine;
}

static json_t *processor_json(const ink_tokenizer *t) {
  if (!t->prefix.n && !t->suffix.n) return t->bpe.byte_level ? byte_level_step() : json_null();
  json_t *single = json_array(), *pair = json_array(), *named = json_object();
  bool fine = single && pair && named;
  static const char *const sequences[] = {"A", "B"};
  for (int type = 0; type < 2 && fine; type++) {
    for (int both = type; both < 2 && fine; both++) {
      json_t *steps = both ? pair : single;
      fine = put_template_tokens(t, &t->prefix, steps, named, type) &&
             json_array_append_new(steps, json_pack("{s:{s:s, s:i}}", "Sequence", "id",
                                                    sequences[type], "type_id", type)) == 0 &&
             put_template_tokens(t, &t->suffix, steps, named, type);
    }
  }
  if (fine) {
    return json_pack("{s:s, s:o, s:o, s:o}", "type", "TemplateProcessing", "single", single, "pair",
                     pair, "special_tokens", named);
  }
  json_decref(single);
  json_decref(pair);
  json_decref(named);
  return NULL;
}

// Rows that GGUF only numbers are no tokens.
static bool is_padding(const char *text, size_t id) {
  char expected[32];
  snprintf(expected, sizeof expected, "[PAD%zu]", id);
  return strcmp(text, expected) == 0;
}

static json_t *vocabulary_json(const ink_tokenizer *t) {
  json_t *object = json_object();
  bool fine = object != NULL;
  for (size_t id = 0; fine && id < t->vocabulary.n_ids; id++) {
    const char *text = spelling(t, (int64_t)id);
    if (text && !is_padding(text, id)) fine = put(object, text, json_integer((json_int_t)id));
  }
  if (fine) return object;
  json_decref(object);
  return NULL;
}

static json_t *merges_json(const ink_tokenizer *t) {
  ink_merge_slot *merges;
  size_t n;
  if (sort_merges(t, &merges, &n, NULL) != INK_OK) return NULL;
  json_t *list = json_array();
  bool fine = list != NULL;
  for (size_t i = 0; i < n && fine; i++) {
    fine = json_array_append_new(list, json_pack("[s, s]", spelling(t, left_of(&merges[i])),
                                                 spelling(t, right_of(&merges[i])))) == 0;
  }
  free(merges);
  if (fine) return list;
  json_decref(list);
  return NULL;
}

static json_t *text_or_null(const char *text) {
  return text ? json_string(text) : json_null();
}

static json_t *model_json(const ink_tokenizer *t) {
  json_t *model = json_pack("{s:s, s:n}", "type", "BPE", "dropout");
  bool fine = model && put(model, "unk_token", text_or_null(spelling(t, t->bpe.unknown))) &&
              put(model, "continuing_subword_prefix", json_null()) &&
              put(model, "end_of_word_suffix", text_or_null(t->bpe.word_end)) &&
              put(model, "fuse_unk", json_boolean(t->bpe.fuse_unknown)) &&
              put(model, "byte_fallback", json_boolean(t->bpe.byte_fallback)) &&
              put(model, "ignore_merges", json_boolean(t->bpe.ignore_merges)) &&
              put(model, "vocab", vocabulary_json(t)) && put(model, "merges", merges_json(t));
  if (fine) return model;
  json_decref(model);
  return NULL;
}

static json_t *document_json(const ink_tokenizer *t) {
  json_t *document = json_pack("{s:s, s:n, s:n}", "version", "1.0", "truncation", "padding");
  bool fine = document && put(document, "added_tokens", added_json(t)) && put_steps(t, document) &&
              put(document, "post_processor", processor_json(t)) &&
              put(document, "model", model_json(t));
  if (fine) return document;
  json_decref(document);
  return NULL;
}

static json_t *config_json(const ink_tokenizer *t, int64_t context) {
  json_t *config = json_pack("{s:s}", "tokenizer_class", "PreTrainedTokenizerFast");
  if (!config) return NULL;
  const struct {
    const char *key;
    int32_t id;
  } roles[] = {{"bos_token", t->bos},
               {"eos_token", t->eos},
               {"pad_token", t->pad},
               {"unk_token", t->unknown}};
  for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
    const char *text = spelling(t, roles[i].id);
    if (text) put(config, roles[i].key, json_string(text));
  }
  put(config, "add_bos_token", json_boolean(t->prefix.n > 0));
  put(config, "clean_up_tokenization_spaces", json_false());
  put(config, "model_max_length", json_integer(context));
  if (t->chat_template) put(config, "chat_template", json_string(t->chat_template));
  return config;
}

static json_t *roles_json(const ink_tokenizer *t) {
  json_t *roles = json_object(), *ends = json_array();
  if (roles && t->bos >= 0) put(roles, "bos_token_id", json_integer(t->bos));
  // The usual one first: readers that expect a single end take that.
  if (ends && t->eos >= 0) json_array_append_new(ends, json_integer(t->eos));
  for (size_t i = 0; ends && i < t->ends.n; i++) {
    if (t->ends.at[i] != t->eos) json_array_append_new(ends, json_integer(t->ends.at[i]));
  }
  if (roles && json_array_size(ends) == 1) {
    put(roles, "eos_token_id", json_incref(json_array_get(ends, 0)));
  } else if (roles && json_array_size(ends) > 1) {
    put(roles, "eos_token_id", json_incref(ends));
  }
  if (roles && t->pad >= 0) put(roles, "pad_token_id", json_integer(t->pad));
  json_decref(ends);
  return roles;
}

ink_status ink_tokenizer_to_json(const ink_tokenizer *tokenizer, int64_t context, json_t **document,
                                 json_t **config, json_t **roles, ink_error *error) {
  *document = document_json(tokenizer);
  *config = config_json(tokenizer, context);
  *roles = roles_json(tokenizer);
  if (*document && *config && *roles) return INK_OK;
  json_decref(*document);
  json_decref(*config);
  json_decref(*roles);
  *document = *config = *roles = NULL;
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "%s: this tokenizer cannot be written as tokenizer.json (or memory ran out)",
                  tokenizer->name);
}
