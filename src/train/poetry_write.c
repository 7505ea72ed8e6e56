// The outputs of the poet's data builder: record files, line index, tokenizer, manifest.
#include "train/poetry_write.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "train/corpus_output.h"

enum { OUTPUTS = 7 };

// A growing run of 16-bit words.
typedef struct words {
  uint16_t *items;
  size_t count, capacity;
  bool failed;
} words;

static void put_word(words *out, uint32_t word) {
  if (out->count == out->capacity) {
    size_t larger = out->capacity ? out->capacity * 2 : 1 << 12;
    uint16_t *grown = realloc(out->items, larger * sizeof *grown);
    if (!grown) {
      out->failed = true;
      return;
    }
    out->items = grown;
    out->capacity = larger;
  }
  out->items[out->count++] = (uint16_t)word;
}

typedef struct split_file {
  words body;
  uint64_t *offsets;
  size_t documents;
  int64_t tokens, body_tokens, characters;
} split_file;

typedef struct encoder {
  const ink_corpus *corpus;
  const ink_char_vocabulary *vocabulary;
  const ink_word_table *themes;
  int64_t fields[INK_POEM_FIELDS];
  int64_t byte_characters;  // written as byte tokens
  int64_t prosody[INK_POEM_FIELDS][256];
} encoder;

// Append runes as ids, behind a head of (kind, number of ids).
static void put_runes(split_file *file, encoder *e, int kind, const uint32_t *runes, size_t n) {
  put_word(&file->body, (uint32_t)kind);
  size_t head = file->body.count;
  put_word(&file->body, 0);
  for (size_t i = 0; i < n; i++) {
    uint16_t ids[4];
    int count = ink_char_vocabulary_encode(e->vocabulary, runes[i], ids);
    for (int k = 0; k < count; k++) put_word(&file->body, ids[k]);
    e->byte_characters += count > 1;
  }
  if (file->body.failed) return;
  size_t count = file->body.count - head - 1;
  file->body.items[head] = (uint16_t)count;
  file->tokens += (int64_t)count;
  if (kind == INK_DATASET_BODY) file->body_tokens += (int64_t)count;
}

static void put_value(split_file *file, encoder *e, ink_poem_field field, int index) {
  if (index < 0) return;
  int32_t first = ink_poem_value(field, field == INK_POEM_FORM      ? ink_poem_form_name(0)
                                        : field == INK_POEM_DYNASTY ? ink_poem_dynasty_name(0)
                                        : field == INK_POEM_PATTERN ? ink_poem_pattern_name(0)
                                                                    : ink_poem_rhyme_name(0));
  put_word(&file->body, field);
  put_word(&file->body, 1);
  put_word(&file->body, (uint32_t)(first + index));
  file->tokens++;
  e->fields[field]++;
  e->prosody[field][index & 255]++;
}

static void put_text(split_file *file, encoder *e, ink_poem_field field, ink_span span) {
  if (!span.size) return;
  put_runes(file, e, (int)field, e->corpus->runes + span.at, span.size);
  e->fields[field]++;
}

static bool is_one_token(const encoder *e, uint32_t rune) {
  uint16_t ids[4];
  return ink_char_vocabulary_encode(e->vocabulary, rune, ids) == 1;
}

static void put_theme(split_file *file, encoder *e, const ink_poem *poem) {
  uint32_t at[INK_THEME_WORDS], theme[2 * INK_THEME_WORDS];
  int n = ink_word_table_theme(e->themes, e->corpus, poem, at);
  size_t size = 0;
  for (int i = 0; i < n; i++) {
    const uint32_t *word = e->corpus->runes + at[i];
    if (!is_one_token(e, word[0]) || !is_one_token(e, word[1])) continue;
    theme[size++] = word[0];
    theme[size++] = word[1];
  }
  if (!size) return;
  put_runes(file, e, INK_POEM_THEME, theme, size);
  e->fields[INK_POEM_THEME]++;
}

// First characters of the lines, and the rhyme words: of regular forms the ends of second clauses,
// of others the ends of sentences. Left out where they would be long or need byte tokens.
static void put_edges(split_file *file, encoder *e, const ink_poem *poem) {
  enum { MOST = 16 };
  const uint32_t *body = e->corpus->runes + poem->body.at;
  bool regular = ink_poetry_form_is_regular(poem->form);
  uint32_t heads[MOST + 1], rhymes[MOST + 1];
  size_t n_head = 0, n_rhyme = 0, clause = 0;
  bool fine = true, at_start = true;
  for (uint32_t i = 0; i < poem->body.size; i++) {
    if (ink_rune_is_han(body[i])) {
      if (at_start && n_head <= MOST) heads[n_head++] = body[i];
      at_start = false;
      continue;
    }
    bool strong = body[i] == U'。' || body[i] == U'！' || body[i] == U'？';
    if (body[i] == U'\n') {
      at_start = true;  // other forms: a head is the first character of a sentence
      continue;
    }
    if (regular) at_start = true;
    bool rhyme = regular ? clause % 2 == 1 : strong;
    clause++;
    if (rhyme && i > 0 && n_rhyme <= MOST) rhymes[n_rhyme++] = body[i - 1];
  }
  for (size_t i = 0; i < n_head && n_head <= MOST; i++) fine = fine && is_one_token(e, heads[i]);
  if (fine && n_head >= 2 && n_head <= MOST) {
    put_runes(file, e, INK_POEM_ACROSTIC, heads, n_head);
    e->fields[INK_POEM_ACROSTIC]++;
  }
  fine = true;
  for (size_t i = 0; i < n_rhyme && n_rhyme <= MOST; i++) fine = fine && is_one_token(e, rhymes[i]);
  if (fine && n_rhyme >= 2 && n_rhyme <= MOST) {
    put_runes(file, e, INK_POEM_RHYMES, rhymes, n_rhyme);
    e->fields[INK_POEM_RHYMES]++;
  }
}

// One record: (kind, length, ids …) for each field present, in order, and last the body.
static void put_poem(split_file *file, encoder *e, const ink_poem *poem) {
  const uint32_t *body = e->corpus->runes + poem->body.at;
  int pattern, rhyme;
  file->offsets[file->documents++] = file->body.count;
  ink_poetry_prosody(body, poem->body.size, poem->form, &pattern, &rhyme);
  put_value(file, e, INK_POEM_FORM, poem->form);
  put_value(file, e, INK_POEM_DYNASTY, poem->dynasty);
  put_value(file, e, INK_POEM_PATTERN, pattern);
  put_value(file, e, INK_POEM_RHYME, rhyme);
  put_text(file, e, INK_POEM_TUNE, poem->tune);
  put_text(file, e, INK_POEM_AUTHOR, poem->author);
  put_text(file, e, INK_POEM_TITLE, poem->title);
  put_theme(file, e, poem);
  put_edges(file, e, poem);
  put_runes(file, e, INK_DATASET_BODY, body, poem->body.size);
  for (uint32_t i = 0; i < poem->body.size; i++) file->characters += ink_rune_is_han(body[i]);
}

static void hex_to_bytes(const char *hex, uint8_t bytes[32]) {
  for (int i = 0; i < 32; i++) {
    unsigned value = 0;
    for (int k = 0; k < 2; k++) {
      char c = hex[2 * i + k];
      value = value * 16 + (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    bytes[i] = (uint8_t)value;
  }
}

uint64_t ink_poem_control_hash(void) {
  uint64_t hash = 0;
  ink_text token = {0};
  for (size_t i = 0; i < ink_poem_control_count(); i++) {
    ink_text_clear(&token);
    ink_poem_control_token(i, &token);
    for (size_t k = 0; k < token.size; k++) hash = ink_mix64(hash ^ (unsigned char)token.bytes[k]);
    hash = ink_mix64(hash ^ 0x100);
  }
  ink_text_free(&token);
  return hash;
}

// Header, offsets (documents + 1), words: little-endian, as every platform we build for is.
static ink_status pack_split(split_file *file, const encoder *e, const char *tokenizer_sha256,
                             ink_corpus_output *out, ink_error *error) {
  ink_dataset_header header = {.version = INK_DATASET_VERSION,
                               .vocabulary = (uint32_t)e->vocabulary->size,
                               .documents = file->documents,
                               .words = file->body.count,
                               .controls = ink_poem_control_hash()};
  memcpy(header.magic, INK_DATASET_MAGIC, sizeof header.magic);
  hex_to_bytes(tokenizer_sha256, header.tokenizer_sha256);
  static const uint32_t MARKS[] = U"\n，。！？；：、";
  for (size_t i = 0; MARKS[i]; i++) {
    uint16_t ids[4];
    ink_char_vocabulary_encode(e->vocabulary, MARKS[i], ids);
    header.marks[i] = ids[0];
  }
  file->offsets[file->documents] = file->body.count;
  size_t offsets = (file->documents + 1) * sizeof *file->offsets;
  size_t body = file->body.count * sizeof *file->body.items;
  out->size = sizeof header + offsets + body;
  out->bytes = file->body.failed ? NULL : malloc(out->size);
  if (!out->bytes) return ink_fail(error, INK_ERR_MEMORY, "no memory for %s", out->name);
  unsigned char *to = out->bytes;
  memcpy(to, &header, sizeof header);
  memcpy(to + sizeof header, file->offsets, offsets);
  if (body) memcpy(to + sizeof header + offsets, file->body.items, body);
  return INK_OK;
}

typedef struct hash_list {
  uint64_t *items;
  size_t count, capacity;
} hash_list;

static bool keep_hash(void *context, uint64_t hash) {
  hash_list *list = context;
  if (list->count == list->capacity) {
    size_t larger = list->capacity ? list->capacity * 2 : 1 << 12;
    uint64_t *grown = realloc(list->items, larger * sizeof *grown);
    if (!grown) return false;
    list->items = grown;
    list->capacity = larger;
  }
  list->items[list->count++] = hash;
  return true;
}

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

// Magic, version, zero, count, then the sorted hashes of the training lines.
static ink_status pack_lines(const ink_corpus *corpus, ink_corpus_output *out, ink_error *error) {
  hash_list list = {0};
  bool fine = true;
  for (size_t i = 0; fine && i < corpus->n_poem; i++) {
    const ink_poem *poem = &corpus->poems[i];
    if (poem->split != INK_SPLIT_TRAIN) continue;
    fine = ink_poetry_each_line(corpus->runes + poem->body.at, poem->body.size, keep_hash, &list);
  }
  size_t distinct = 0;
  if (fine && list.count) {
    qsort(list.items, list.count, sizeof *list.items, by_value);
    for (size_t i = 0; i < list.count; i++) {
      if (i == 0 || list.items[i] != list.items[distinct - 1])
        list.items[distinct++] = list.items[i];
    }
  }
  ink_lines_header header = {.version = INK_DATASET_VERSION, .count = distinct};
  memcpy(header.magic, INK_LINES_MAGIC, sizeof header.magic);
  out->size = sizeof header + distinct * sizeof *list.items;
  out->bytes = fine ? malloc(out->size) : NULL;
  if (out->bytes) {
    memcpy(out->bytes, &header, sizeof header);
    if (distinct) {
      memcpy((unsigned char *)out->bytes + sizeof header, list.items,
             distinct * sizeof *list.items);
    }
  }
  free(list.items);
  return out->bytes ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for %s", out->name);
}

// tokenizer.json of the Hugging Face tokenizers library: BPE without merges gives one token per
// character, and bytes for the characters it does not know.
static json_t *tokenizer_json(const ink_char_vocabulary *vocabulary) {
  json_t *ids = json_object(), *added = json_array();
  ink_text token = {0};
  size_t controls = ink_poem_control_count();
  for (int32_t id = 0; id < vocabulary->size; id++) {
    ink_text_clear(&token);
    if ((size_t)id < controls) {
      ink_poem_control_token((size_t)id, &token);
      json_array_append_new(
          added, json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", (int)id, "content",
                           ink_text_string(&token), "single_word", 0, "lstrip", 0, "rstrip", 0,
                           "normalized", 0, "special", 1));
    } else if (id < vocabulary->first_character) {
      ink_text_format(&token, "<0x%02X>", (unsigned)((size_t)id - controls));
    } else {
      ink_text_add_rune(&token, vocabulary->runes[id - vocabulary->first_character]);
    }
    json_object_set_new(ids, ink_text_string(&token), json_integer(id));
  }
  ink_text_free(&token);
  return json_pack(
      "{s:s, s:n, s:n, s:o, s:n, s:n, s:n, s:{s:s, s:[{s:s}, {s:s}]},"
      " s:{s:s, s:n, s:s, s:n, s:n, s:b, s:b, s:b, s:o, s:[]}}",
      "version", "1.0", "truncation", "padding", "added_tokens", added, "normalizer",
      "pre_tokenizer", "post_processor", "decoder", "type", "Sequence", "decoders", "type",
      "ByteFallback", "type", "Fuse", "model", "type", "BPE", "dropout", "unk_token", "<unk>",
      "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0, "byte_fallback", 1,
      "ignore_merges", 0, "vocab", ids, "merges");
}

static json_t *tokenizer_config_json(void) {
  return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:b, s:b, s:i}", "tokenizer_class",
                   "PreTrainedTokenizerFast", "bos_token", "<bos>", "eos_token", "<eos>",
                   "pad_token", "<pad>", "unk_token", "<unk>", "add_bos_token", 0,
                   "add_prefix_space", 0, "clean_up_tokenization_spaces", 0, "model_max_length",
                   256);
}

static const char *const SPLIT_NAMES[INK_SPLITS] = {"train", "valid", "test"};

static json_t *counts_json(const char *(*name_at)(size_t), const int64_t *counts) {
  json_t *object = json_object();
  for (size_t i = 0; name_at(i); i++) {
    if (counts[i]) json_object_set_new(object, name_at(i), json_integer(counts[i]));
  }
  return object;
}

static json_t *manifest_json(const ink_poetry_report *report, const encoder *e,
                             const split_file *splits, json_t *written) {
  json_t *files = json_array(), *absent = json_array(), *left_out = json_object(),
         *parts = json_object(), *fields = json_object();
  int64_t items = 0;
  for (size_t i = 0; i < report->n_file; i++) {
    const ink_poetry_file *file = &report->files[i];
    items += file->items;
    json_array_append_new(
        files, json_pack("{s:s, s:s, s:I, s:I, s:I}", "path", file->path, "sha256", file->sha256,
                         "bytes", (json_int_t)file->bytes, "items", (json_int_t)file->items, "kept",
                         (json_int_t)file->kept));
  }
  for (size_t i = 0; i < report->n_absent; i++) {
    json_array_append_new(absent, json_string(report->absent[i]));
  }
  for (int i = INK_CLEAN_EMPTY; i < INK_CLEAN_VERDICTS; i++) {
    json_object_set_new(left_out, ink_clean_name((ink_clean_verdict)i),
                        json_integer(report->verdicts[i]));
  }
  for (int i = 0; i < INK_SPLITS; i++) {
    json_object_set_new(
        parts, SPLIT_NAMES[i],
        json_pack("{s:I, s:I, s:I, s:I}", "documents", (json_int_t)splits[i].documents, "tokens",
                  (json_int_t)splits[i].tokens, "body_tokens", (json_int_t)splits[i].body_tokens,
                  "characters", (json_int_t)splits[i].characters));
  }
  static const char *const FIELD_NAMES[INK_POEM_FIELDS] = {
      "form",   "dynasty", "pattern", "rhyme",    "tune",
      "author", "title",   "theme",   "acrostic", "rhymes"};
  for (int i = 0; i < INK_POEM_FIELDS; i++) {
    json_object_set_new(fields, FIELD_NAMES[i], json_integer(e->fields[i]));
  }
  json_t *commit = report->commit[0] ? json_string(report->commit) : json_null();
  json_t *source =
      json_pack("{s:s, s:o, s:s, s:s, s:o, s:o}", "repository",
                "https://github.com/chinese-poetry/chinese-poetry", "commit", commit, "licence",
                "MIT", "texts", "public domain", "absent", absent, "files", files);
  return json_pack(
      "{s:s, s:i, s:o, s:I, s:I, s:o, s:o, s:{s:I, s:I}, s:o, s:{s:o, s:o, s:o, s:o},"
      " s:{s:i, s:i, s:i, s:I}, s:o}",
      "format", "inkstone poetry corpus", "version", INK_DATASET_VERSION, "source", source, "items",
      (json_int_t)items, "poems", (json_int_t)report->verdicts[INK_CLEAN_KEPT], "left_out",
      left_out, "splits", parts, "clusters", "count", (json_int_t)report->n_cluster, "largest",
      (json_int_t)report->largest_cluster, "fields", fields, "values", "form",
      counts_json(ink_poem_form_name, e->prosody[INK_POEM_FORM]), "dynasty",
      counts_json(ink_poem_dynasty_name, e->prosody[INK_POEM_DYNASTY]), "pattern",
      counts_json(ink_poem_pattern_name, e->prosody[INK_POEM_PATTERN]), "rhyme",
      counts_json(ink_poem_rhyme_name, e->prosody[INK_POEM_RHYME]), "vocabulary", "size",
      (int)e->vocabulary->size, "control_tokens", (int)ink_poem_control_count(), "characters",
      (int)e->vocabulary->n_rune, "characters_as_bytes", (json_int_t)e->byte_characters, "outputs",
      written);
}

static ink_status encode_all(const ink_corpus *corpus, encoder *e, split_file *splits,
                             const ink_progress *progress, ink_error *error) {
  for (int i = 0; i < INK_SPLITS; i++) {
    splits[i].offsets = malloc((corpus->n_poem + 1) * sizeof *splits[i].offsets);
    if (!splits[i].offsets)
      return ink_fail(error, INK_ERR_MEMORY, "no memory for the record files");
  }
  for (size_t i = 0; i < corpus->n_poem; i++) {
    put_poem(&splits[corpus->poems[i].split], e, &corpus->poems[i]);
    if (i % 4096 == 0 &&
        !ink_progress_report(progress, (int64_t)i, (int64_t)corpus->n_poem, "writing")) {
      return ink_fail(error, INK_ERR_CANCELLED, "stopped while writing");
    }
  }
  return INK_OK;
}

static ink_status make_outputs(const ink_corpus *corpus, const ink_poetry_report *report,
                               const char *folder, encoder *e, split_file *splits,
                               ink_corpus_output *outputs, const ink_progress *progress,
                               ink_error *error) {
  enum { TOKENIZER, CONFIG, SPLIT, LINES = SPLIT + INK_SPLITS, MANIFEST };
  static const char *const NAMES[OUTPUTS] = {
      "tokenizer.json", "tokenizer_config.json", "train.bin", "valid.bin", "test.bin",
      "lines.bin",      "manifest.json"};
  for (size_t i = 0; i < OUTPUTS; i++) outputs[i].name = NAMES[i];
  char sha256[INK_SHA256_HEX];
  INK_TRY(ink_corpus_output_json(tokenizer_json(e->vocabulary), &outputs[TOKENIZER], error));
  INK_TRY(ink_corpus_output_json(tokenizer_config_json(), &outputs[CONFIG], error));
  INK_TRY(ink_sha256_of(outputs[TOKENIZER].bytes, outputs[TOKENIZER].size, sha256, error));
  INK_TRY(encode_all(corpus, e, splits, progress, error));
  for (int i = 0; i < INK_SPLITS; i++) {
    INK_TRY(pack_split(&splits[i], e, sha256, &outputs[SPLIT + i], error));
  }
  INK_TRY(pack_lines(corpus, &outputs[LINES], error));
  json_t *written;
  INK_TRY(ink_corpus_outputs_list(outputs, MANIFEST, &written, error));
  INK_TRY(
      ink_corpus_output_json(manifest_json(report, e, splits, written), &outputs[MANIFEST], error));
  return ink_corpus_outputs_save(folder, outputs, OUTPUTS, error);
}

ink_status ink_poetry_write(const ink_corpus *corpus, const ink_poetry_report *report,
                            const char *folder, const ink_progress *progress, ink_error *error) {
  ink_char_vocabulary vocabulary;
  INK_TRY(ink_char_vocabulary_new(corpus, &vocabulary, error));
  ink_word_table *themes = NULL;
  ink_status status = ink_word_table_new(corpus, &themes, error);
  encoder *e = calloc(1, sizeof *e);
  split_file splits[INK_SPLITS] = {0};
  ink_corpus_output outputs[OUTPUTS] = {0};
  if (status == INK_OK && !e) status = ink_fail(error, INK_ERR_MEMORY, "no memory to write");
  if (status == INK_OK) {
    e->corpus = corpus;
    e->vocabulary = &vocabulary;
    e->themes = themes;
    status = make_outputs(corpus, report, folder, e, splits, outputs, progress, error);
  }
  for (int i = 0; i < INK_SPLITS; i++) {
    free(splits[i].body.items);
    free(splits[i].offsets);
  }
  for (int i = 0; i < OUTPUTS; i++) free(outputs[i].bytes);
  free(e);
  ink_word_table_free(themes);
  ink_char_vocabulary_free(&vocabulary);
  return status;
}
