// An open tokenizer: opening by path, encoding, decoding, questions.
#include "tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "tokenizer/internal.h"
#include "tokenizer/unicode.h"

enum {
  CACHE_PAYS = 1 << 12,  // bytes of text from which remembering words saves time
  MOST_TEXT = INT32_MAX  // bytes of one text
};
#define TOKENIZER_BYTES ((size_t)1 << 28)  // largest tokenizer.json, vocab.json or merges.txt read
#define SIDE_BYTES ((size_t)1 << 24)       // largest file beside it

// -- Opening -------------------------------------------------------------------------------------

// A file in `folder`, with its path; INK_OK and NULL when there is none.
static ink_status read_optional(const char *folder, const char *name, size_t most, char **path,
                                char **bytes, size_t *size, ink_error *error) {
  *bytes = NULL;
  *size = 0;
  *path = ink_path_join(folder, name);
  if (!*path) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for a path", folder);
  if (!ink_file_exists(*path)) return INK_OK;
  return ink_file_read(*path, most, bytes, size, error);
}

static ink_status load_optional(const char *folder, const char *name, json_t **out,
                                ink_error *error) {
  char *path, *bytes;
  size_t size;
  *out = NULL;
  ink_status status = read_optional(folder, name, SIDE_BYTES, &path, &bytes, &size, error);
  if (status == INK_OK && bytes) status = ink_json_parse(bytes, size, path, out, error);
  if (status == INK_OK && *out && !json_is_object(*out)) {
    status = ink_fail(error, INK_ERR_FORMAT, "%s: not a JSON object", path);
  }
  free(path);
  free(bytes);
  return status;
}

static ink_status read_vocabulary(const char *folder, const char *json_path,
                                  const ink_tokenizer_sides *sides, ink_tokenizer **out,
                                  ink_error *error) {
  char *bytes = NULL, *merges = NULL, *path = NULL, *merges_path = NULL;
  size_t size = 0, merges_size = 0;
  ink_status status;
  if (json_path) {
    status = ink_file_read(json_path, TOKENIZER_BYTES, &bytes, &size, error);
    if (status == INK_OK) {
      status = ink_tokenizer_read_json(json_path, bytes, size, sides, out, error);
    }
  } else {
    status = read_optional(folder, "vocab.json", TOKENIZER_BYTES, &path, &bytes, &size, error);
    if (status == INK_OK) {
      status = read_optional(folder, "merges.txt", TOKENIZER_BYTES, &merges_path, &merges,
                             &merges_size, error);
    }
    if (status == INK_OK && (!bytes || !merges)) {
      status = ink_fail(error, INK_ERR_NOT_FOUND,
                        "%s: no tokenizer here: neither tokenizer.json nor vocab.json with "
                        "merges.txt",
                        folder);
    }
    if (status == INK_OK) {
      status = ink_tokenizer_read_pair(path, bytes, size, merges, merges_size, sides, out, error);
    }
  }
  free(path);
  free(bytes);
  free(merges_path);
  free(merges);
  return status;
}

static ink_status open_folder(const char *folder, const char *json_path, ink_tokenizer **out,
                              ink_error *error) {
  json_t *config = NULL, *specials = NULL, *added = NULL, *generation = NULL, *model = NULL;
  char *template_path = NULL, *chat_template = NULL;
  size_t template_size = 0;
  ink_status status = load_optional(folder, "tokenizer_config.json", &config, error);
  if (status == INK_OK) status = load_optional(folder, "special_tokens_map.json", &specials, error);
  if (status == INK_OK) status = load_optional(folder, "added_tokens.json", &added, error);
  if (status == INK_OK)
    status = load_optional(folder, "generation_config.json", &generation, error);
  if (status == INK_OK) status = load_optional(folder, "config.json", &model, error);
  if (status == INK_OK) {
    status = read_optional(folder, "chat_template.jinja", SIDE_BYTES, &template_path,
                           &chat_template, &template_size, error);
  }
  if (status == INK_OK) {
    ink_tokenizer_sides sides = {.config = config,
                                 .specials = specials,
                                 .added = added,
                                 .generation = generation,
                                 .model = model,
                                 .chat_template = chat_template,
                                 .chat_template_size = template_size};
    status = read_vocabulary(folder, json_path, &sides, out, error);
  }
  json_decref(config);
  json_decref(specials);
  json_decref(added);
  json_decref(generation);
  json_decref(model);
  free(template_path);
  free(chat_template);
  return status;
}

static bool ends_with(const char *text, const char *end) {
  size_t size = strlen(text), end_size = strlen(end);
  return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

ink_status ink_tokenizer_open(const char *path, ink_tokenizer **out, ink_error *error) {
  *out = NULL;
  if (ends_with(path, ".gguf")) return ink_tokenizer_open_gguf(path, out, error);
  if (ink_file_is_folder(path)) {
    char *json_path = ink_path_join(path, "tokenizer.json");
    if (!json_path) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for a path", path);
    ink_status status =
        open_folder(path, ink_file_exists(json_path) ? json_path : NULL, out, error);
    free(json_path);
    return status;
  }
  char *folder = ink_path_folder(path);
  if (!folder) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for a path", path);
  ink_status status = open_folder(folder, path, out, error);
  free(folder);
  return status;
}

ink_status ink_tokenizer_from_memory(const ink_tokenizer_files *files, ink_tokenizer **out,
                                     ink_error *error) {
  json_t *config = NULL, *generation = NULL;
  *out = NULL;
  ink_status status = INK_OK;
  if (files->config) {
    status = ink_json_parse(files->config, files->config_size, files->name, &config, error);
  }
  if (status == INK_OK && files->generation) {
    status =
        ink_json_parse(files->generation, files->generation_size, files->name, &generation, error);
  }
  if (status == INK_OK) {
    ink_tokenizer_sides sides = {.config = config,
                                 .generation = generation,
                                 .chat_template = files->chat_template,
                                 .chat_template_size = files->chat_template_size};
    status = ink_tokenizer_read_json(files->name, files->tokenizer, files->tokenizer_size, &sides,
                                     out, error);
  }
  json_decref(config);
  json_decref(generation);
  return status;
}

void ink_tokenizer_free(ink_tokenizer *tokenizer) {
  if (!tokenizer) return;
  for (size_t i = 0; i < tokenizer->n_patterns; i++) ink_pattern_free(tokenizer->patterns[i]);
  ink_vocabulary_free(&tokenizer->vocabulary);
  ink_bpe_free(&tokenizer->bpe);
  ink_arena_free(tokenizer->arena);
  free(tokenizer->prefix.at);
  free(tokenizer->suffix.at);
  free(tokenizer->ends.at);
  free(tokenizer->chat_template);
  free(tokenizer->name);
  free(tokenizer);
}

// -- Encoding ------------------------------------------------------------------------------------

typedef struct encoding {
  const ink_tokenizer *tokenizer;
  unsigned flags;
  ink_matcher *matcher;
  ink_bpe_scratch *scratch;
  ink_splitting splitting;
  ink_text buffers[INK_TOKENIZER_STEPS];
  ink_text normalized[2];
  ink_ids ids;
} encoding;

static ink_status encode_word(void *context, const char *word, size_t size, ink_error *error) {
  encoding *e = context;
  ink_status status = ink_bpe_encode(&e->tokenizer->bpe, &e->tokenizer->vocabulary, e->scratch,
                                     word, size, &e->ids, error);
  if (status == INK_OK) return INK_OK;
  return ink_context(error, status, "%s", e->tokenizer->name);
}

static bool word_before(const char *text, size_t end) {
  if (end == 0) return false;
  size_t at = end - 1;
  while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80) at--;
  int32_t rune;
  ink_utf8_decode(text + at, end - at, &rune);
  return ink_rune_is_word(rune);
}

static bool word_after(const char *text, size_t size, size_t start) {
  int32_t rune;
  return ink_utf8_decode(text + start, size - start, &rune) && ink_rune_is_word(rune);
}

static size_t spaces_before(const char *text, size_t end, size_t least) {
  while (end > least) {
    size_t at = end - 1;
    while (at > least && ((unsigned char)text[at] & 0xC0) == 0x80) at--;
    int32_t rune;
    ink_utf8_decode(text + at, end - at, &rune);
    if (!ink_rune_is_space(rune)) break;
    end = at;
  }
  return end;
}

static size_t spaces_after(const char *text, size_t size, size_t start) {
  while (start < size) {
    int32_t rune;
    size_t length = ink_utf8_decode(text + start, size - start, &rune);
    if (!ink_rune_is_space(rune)) break;
    start += length;
  }
  return start;
}

typedef ink_status (*encode_piece)(encoding *e, const char *text, size_t size, bool at_start,
                                   ink_error *error);

// Take the added tokens of a set out of a text, and give what lies between them to `piece`.
static ink_status around_added(encoding *e, const ink_added_set *set, const char *text, size_t size,
                               bool at_start, encode_piece piece, ink_error *error) {
  size_t from = 0, done = 0, start;
  const ink_added_token *token;
  while ((token = ink_added_set_find(set, text, size, from, &start))) {
    size_t end = start + token->size;
    from = end;
    if (token->special && !(e->flags & INK_ENCODE_SPECIAL)) continue;
    if (token->single_word && (word_before(text, start) || word_after(text, size, end))) continue;
    if (token->lstrip) start = done > start ? done : spaces_before(text, start, done);
    if (token->rstrip) end = spaces_after(text, size, end);
    if (start > done) INK_TRY(piece(e, text + done, start - done, at_start && done == 0, error));
    // White space that the token before has taken may leave nothing of this one.
    if (start < end) ink_ids_add(&e->ids, token->id);
    done = end;
  }
  return done < size ? piece(e, text + done, size - done, at_start && done == 0, error) : INK_OK;
}

static ink_status encode_normalized(encoding *e, const char *text, size_t size, bool at_start,
                                    ink_error *error) {
  return ink_split(&e->splitting, text, size, at_start, error);
}

static ink_status encode_raw(encoding *e, const char *text, size_t size, bool at_start,
                             ink_error *error) {
  const ink_tokenizer *t = e->tokenizer;
  bool cut;
  INK_TRY(ink_normalize(t->normalizers, t->n_normalizers, e->matcher, text, size, e->normalized,
                        &text, &size, &cut, error));
  return around_added(e, &t->normalized, text, size, at_start && !cut, encode_normalized, error);
}

static ink_status encode_text(encoding *e, const char *text, size_t size, ink_error *error) {
  const ink_tokenizer *t = e->tokenizer;
  bool affix = e->flags & INK_ENCODE_AFFIX;
  for (size_t i = 0; affix && i < t->prefix.n; i++) ink_ids_add(&e->ids, t->prefix.at[i]);
  INK_TRY(around_added(e, &t->raw, text, size, true, encode_raw, error));
  for (size_t i = 0; affix && i < t->suffix.n; i++) ink_ids_add(&e->ids, t->suffix.at[i]);
  return INK_OK;
}

// The same for bytes that need not be well-formed.
static ink_status encode_bytes(encoding *e, const char *bytes, size_t size, ink_error *error) {
  if (ink_utf8_valid(bytes, size, NULL)) return encode_text(e, bytes, size, error);
  ink_text text = {0};
  ink_text_add_lossy(&text, bytes, size);
  ink_status status = ink_text_status(&text, error);
  if (status == INK_OK) status = encode_text(e, text.bytes, text.size, error);
  ink_text_free(&text);
  return status;
}

ink_status ink_tokenizer_encode(const ink_tokenizer *tokenizer, const char *text, size_t size,
                                unsigned flags, int32_t **ids, size_t *n, ink_error *error) {
  *ids = NULL;
  *n = 0;
  if (size > MOST_TEXT) {
    return ink_fail(error, INK_ERR_USAGE, "a text of %zu bytes; at most %d can be encoded at once",
                    size, MOST_TEXT);
  }
  encoding e = {.tokenizer = tokenizer,
                .flags = flags,
                .matcher = ink_matcher_new(),
                .scratch = ink_bpe_scratch_new(size >= CACHE_PAYS)};
  e.splitting = (ink_splitting){.steps = tokenizer->splitters,
                                .n = tokenizer->n_splitters,
                                .matcher = e.matcher,
                                .buffers = e.buffers,
                                .word = encode_word,
                                .context = &e};
  ink_status status = INK_OK;
  if (!e.matcher || !e.scratch || !ink_ids_reserve(&e.ids, size / 4 + 16)) {
    status = ink_fail(error, INK_ERR_MEMORY, "no memory to encode %zu bytes of text", size);
  }
  if (status == INK_OK) status = encode_bytes(&e, text, size, error);
  if (status == INK_OK && e.ids.failed) {
    status = ink_fail(error, INK_ERR_MEMORY, "no memory for the ids of %zu bytes of text", size);
  }
  ink_matcher_free(e.matcher);
  ink_bpe_scratch_free(e.scratch);
  for (size_t i = 0; i < INK_TOKENIZER_STEPS; i++) ink_text_free(&e.buffers[i]);
  ink_text_free(&e.normalized[0]);
  ink_text_free(&e.normalized[1]);
  if (status != INK_OK) {
    free(e.ids.at);
    return status;
  }
  *ids = e.ids.at;
  *n = e.ids.n;
  return INK_OK;
}

// -- Decoding ------------------------------------------------------------------------------------

struct ink_token_stream {
  const ink_tokenizer *tokenizer;
  unsigned flags;
  ink_decoding *decoding;
};

ink_token_stream *ink_token_stream_new(const ink_tokenizer *tokenizer, unsigned flags) {
  ink_token_stream *stream = calloc(1, sizeof *stream);
  if (!stream) return NULL;
  stream->tokenizer = tokenizer;
  stream->flags = flags;
  stream->decoding = ink_decoding_new(tokenizer->decoders, tokenizer->n_decoders);
  if (!stream->decoding) {
    free(stream);
    return NULL;
  }
  return stream;
}

void ink_token_stream_free(ink_token_stream *stream) {
  if (!stream) return;
  ink_decoding_free(stream->decoding);
  free(stream);
}

ink_status ink_token_stream_push(ink_token_stream *stream, int32_t id, ink_text *text,
                                 ink_error *error) {
  const ink_vocabulary *v = &stream->tokenizer->vocabulary;
  const ink_token *token = ink_vocabulary_token(v, id);
  if (!token || (token->special && (stream->flags & INK_DECODE_SKIP_SPECIAL))) return INK_OK;
  return ink_decoding_push(stream->decoding, ink_vocabulary_decoded(v, token), token->decoded_size,
                           text, error);
}

ink_status ink_token_stream_finish(ink_token_stream *stream, ink_text *text, ink_error *error) {
  return ink_decoding_finish(stream->decoding, text, error);
}

ink_status ink_tokenizer_decode(const ink_tokenizer *tokenizer, const int32_t *ids, size_t n,
                                unsigned flags, ink_text *text, ink_error *error) {
  ink_token_stream *stream = ink_token_stream_new(tokenizer, flags);
  if (!stream) return ink_fail(error, INK_ERR_MEMORY, "no memory to decode %zu tokens", n);
  ink_status status = INK_OK;
  for (size_t i = 0; i < n && status == INK_OK; i++) {
    status = ink_token_stream_push(stream, ids[i], text, error);
  }
  if (status == INK_OK) status = ink_token_stream_finish(stream, text, error);
  ink_token_stream_free(stream);
  return status;
}

// -- The vocabulary ------------------------------------------------------------------------------

size_t ink_tokenizer_size(const ink_tokenizer *tokenizer) {
  return tokenizer->vocabulary.n_ids;
}

const char *ink_tokenizer_token(const ink_tokenizer *tokenizer, int32_t id) {
  const ink_token *token = ink_vocabulary_token(&tokenizer->vocabulary, id);
  return token ? ink_vocabulary_text(&tokenizer->vocabulary, token) : NULL;
}

const char *ink_tokenizer_bytes(const ink_tokenizer *tokenizer, int32_t id, size_t *size) {
  const ink_token *token = ink_vocabulary_token(&tokenizer->vocabulary, id);
  *size = token ? token->bytes_size : 0;
  return token ? ink_vocabulary_bytes(&tokenizer->vocabulary, token) : NULL;
}

int32_t ink_tokenizer_id(const ink_tokenizer *tokenizer, const char *token, size_t size) {
  return ink_vocabulary_find(&tokenizer->vocabulary, token, size);
}

bool ink_tokenizer_is_special(const ink_tokenizer *tokenizer, int32_t id) {
  const ink_token *token = ink_vocabulary_token(&tokenizer->vocabulary, id);
  return token && token->special;
}

int32_t ink_tokenizer_bos(const ink_tokenizer *tokenizer) {
  return tokenizer->bos;
}

int32_t ink_tokenizer_eos(const ink_tokenizer *tokenizer) {
  return tokenizer->eos;
}

int32_t ink_tokenizer_pad(const ink_tokenizer *tokenizer) {
  return tokenizer->pad;
}

int32_t ink_tokenizer_unknown(const ink_tokenizer *tokenizer) {
  return tokenizer->unknown;
}

const int32_t *ink_tokenizer_ends(const ink_tokenizer *tokenizer, size_t *n) {
  *n = tokenizer->ends.n;
  return tokenizer->ends.at;
}

bool ink_tokenizer_is_end(const ink_tokenizer *tokenizer, int32_t id) {
  for (size_t i = 0; i < tokenizer->ends.n; i++) {
    if (tokenizer->ends.at[i] == id) return true;
  }
  return false;
}

const char *ink_tokenizer_chat_template(const ink_tokenizer *tokenizer) {
  return tokenizer->chat_template;
}
