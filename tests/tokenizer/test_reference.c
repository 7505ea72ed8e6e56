// Ids and texts equal to those of Hugging Face tokenizers (tests/reference/make_tokenizers.py) and
// of llama.cpp's vectors.
#include <jansson.h>

#include "base/file.h"
#include "base/json.h"
#include "scratch.h"
#include "tokenizer/export.h"
#include "tokenizing.h"
#include "weights/gguf.h"

static json_t *load(const char *path) {
  json_error_t fault;
  json_t *document = json_load_file(path, JSON_ALLOW_NUL, &fault);
  if (!document) fail_msg("%s: %s", path, fault.text);
  return document;
}

// The text of a case: a string, or bytes in hexadecimal.
static char *case_text(const json_t *item, size_t *size) {
  const json_t *text = json_object_get(item, "text");
  const char *hex = json_string_value(json_object_get(item, "hex"));
  *size = text ? json_string_length(text) : strlen(hex) / 2;
  char *bytes = malloc(*size + 1);
  assert_non_null(bytes);
  if (text) memcpy(bytes, json_string_value(text), *size);
  for (size_t i = 0; !text && i < *size; i++) {
    char digits[3] = {hex[2 * i], hex[2 * i + 1], 0};
    bytes[i] = (char)strtoul(digits, NULL, 16);
  }
  bytes[*size] = 0;
  return bytes;
}

static id_list case_ids(const json_t *item, const char *key) {
  const json_t *list = json_object_get(item, key);
  id_list ids = {.n = json_array_size(list)};
  ids.at = malloc(ids.n * sizeof *ids.at + 1);
  assert_non_null(ids.at);
  for (size_t i = 0; i < ids.n; i++) {
    ids.at[i] = (int32_t)json_integer_value(json_array_get(list, i));
  }
  return ids;
}

static void print_ids(const char *what, const id_list *ids) {
  fprintf(stderr, "#   %s:", what);
  for (size_t i = 0; i < ids->n; i++) fprintf(stderr, " %d", (int)ids->at[i]);
  fprintf(stderr, "\n");
}

static bool same_ids(const ink_tokenizer *tokenizer, const json_t *item, const char *key,
                     unsigned flags) {
  size_t size;
  char *text = case_text(item, &size);
  id_list wanted = case_ids(item, key), found = encode(tokenizer, text, size, flags);
  bool same = found.n == wanted.n && memcmp(found.at, wanted.at, found.n * sizeof *found.at) == 0;
  if (!same) {
    fprintf(stderr, "# “%s”\n", text);
    print_ids("expected", &wanted);
    print_ids("found", &found);
  }
  free(text);
  free(wanted.at);
  free(found.at);
  return same;
}

static bool same_text(const ink_tokenizer *tokenizer, const id_list *ids, const char *wanted,
                      size_t size, unsigned flags) {
  ink_text found = decode(tokenizer, ids->at, ids->n, flags);
  bool same = found.size == size && (size == 0 || memcmp(found.bytes, wanted, size) == 0);
  if (!same) {
    print_ids("ids", ids);
    fprintf(stderr, "#   expected “%.*s”\n#   found “%s”\n", (int)size, wanted,
            ink_text_string(&found));
  }
  ink_text_free(&found);
  return same;
}

// Every encoding of a corpus under `tokenizer`; `other` names the member that holds the ids where
// they differ from "ids".
static void check_encodings(const ink_tokenizer *tokenizer, const json_t *expected,
                            const char *other) {
  size_t i, n = 0, wrong = 0;
  json_t *item;
  json_array_foreach(json_object_get(expected, "encode"), i, item) {
    const char *key = other && json_object_get(item, other) ? other : "ids";
    n++;
    if (!same_ids(tokenizer, item, key, INK_ENCODE_SPECIAL)) wrong++;
  }
  if (wrong) fail_msg("%zu of %zu texts give other ids", wrong, n);
  assert_true(n > 1000);
}

static void check_plain(const ink_tokenizer *tokenizer, const json_t *expected) {
  size_t i, n = 0, wrong = 0;
  json_t *item;
  json_array_foreach(json_object_get(expected, "encode"), i, item) {
    const char *key = json_object_get(item, "plain") ? "plain" : "ids";
    n++;
    if (!same_ids(tokenizer, item, key, INK_ENCODE_PLAIN)) wrong++;
  }
  if (wrong) fail_msg("%zu of %zu texts give other ids", wrong, n);
}

static void check_affix(const ink_tokenizer *tokenizer, const json_t *expected) {
  id_list prefix = case_ids(expected, "prefix"), suffix = case_ids(expected, "suffix");
  id_list bare = encode(tokenizer, "hello", 5, INK_ENCODE_PLAIN);
  id_list ids = encode(tokenizer, "hello", 5, INK_ENCODE_AFFIX);
  assert_int_equal(ids.n, prefix.n + bare.n + suffix.n);
  assert_memory_equal(ids.at, prefix.at, prefix.n * sizeof *ids.at);
  assert_memory_equal(ids.at + prefix.n, bare.at, bare.n * sizeof *ids.at);
  assert_memory_equal(ids.at + prefix.n + bare.n, suffix.at, suffix.n * sizeof *ids.at);
  free(prefix.at);
  free(suffix.at);
  free(bare.at);
  free(ids.at);
}

static void check_decodings(const ink_tokenizer *tokenizer, const json_t *expected) {
  size_t i, n = 0, wrong = 0;
  json_t *item;
  json_array_foreach(json_object_get(expected, "encode"), i, item) {
    // Where nothing else is said a text comes back as it was, but for ill-formed bytes.
    const json_t *decoded = json_object_get(item, "decoded");
    size_t size;
    char *text = case_text(item, &size);
    ink_text wanted = {0};
    if (decoded) {
      ink_text_add_bytes(&wanted, json_string_value(decoded), json_string_length(decoded));
    } else {
      ink_text_add_lossy(&wanted, text, size);
    }
    id_list ids = case_ids(item, "ids");
    n++;
    if (!same_text(tokenizer, &ids, ink_text_string(&wanted), wanted.size, 0)) wrong++;
    ink_text_free(&wanted);
    free(text);
    free(ids.at);
  }
  json_array_foreach(json_object_get(expected, "decode"), i, item) {
    const json_t *text = json_object_get(item, "text"), *skip = json_object_get(item, "skip");
    if (!skip) skip = text;
    id_list ids = case_ids(item, "ids");
    n += 2;
    if (!same_text(tokenizer, &ids, json_string_value(text), json_string_length(text), 0)) wrong++;
    if (!same_text(tokenizer, &ids, json_string_value(skip), json_string_length(skip),
                   INK_DECODE_SKIP_SPECIAL)) {
      wrong++;
    }
    free(ids.at);
  }
  if (wrong) fail_msg("%zu of %zu sequences give another text", wrong, n);
}

// Token by token the same text comes out as at once, and never half a character.
static void check_streams(const ink_tokenizer *tokenizer, const json_t *expected) {
  size_t i;
  json_t *item;
  ink_error error;
  ink_token_stream *stream = ink_token_stream_new(tokenizer, 0);
  assert_non_null(stream);
  json_array_foreach(json_object_get(expected, "decode"), i, item) {
    const json_t *text = json_object_get(item, "text");
    id_list ids = case_ids(item, "ids");
    ink_text whole = {0};
    for (size_t k = 0; k < ids.n; k++) {
      size_t before = whole.size;
      assert_ok(ink_token_stream_push(stream, ids.at[k], &whole, &error));
      assert_true(ink_utf8_valid(ink_text_string(&whole) + before, whole.size - before, NULL));
    }
    assert_ok(ink_token_stream_finish(stream, &whole, &error));
    assert_int_equal(whole.size, json_string_length(text));
    assert_memory_equal(ink_text_string(&whole), json_string_value(text), whole.size);
    ink_text_free(&whole);
    free(ids.at);
  }
  ink_token_stream_free(stream);
}

static void check_corpus(const char *name) {
  char path[256];
  snprintf(path, sizeof path, "tokenizer/%s/expected.json", name);
  json_t *expected = load(fixture_path(path));
  snprintf(path, sizeof path, "tokenizer/%s", name);
  ink_tokenizer *tokenizer = open_tokenizer(fixture_path(path));
  check_encodings(tokenizer, expected, NULL);
  check_plain(tokenizer, expected);
  check_affix(tokenizer, expected);
  check_decodings(tokenizer, expected);
  check_streams(tokenizer, expected);
  ink_tokenizer_free(tokenizer);
  json_decref(expected);
}

// A vocabulary in GGUF. It does not hold the normalised spellings of added tokens, from which the
// reference decodes them: `same_texts` says that there are none that differ.
static void check_gguf(const char *name, bool same_texts) {
  char path[256];
  snprintf(path, sizeof path, "tokenizer/%s/expected.json", name);
  json_t *expected = load(fixture_path(path));
  snprintf(path, sizeof path, "tokenizer/%s/vocab.gguf", name);
  ink_tokenizer *tokenizer = open_tokenizer(fixture_path(path));
  check_encodings(tokenizer, expected, "gguf");
  if (same_texts) check_decodings(tokenizer, expected);
  ink_tokenizer_free(tokenizer);
  json_decref(expected);
}

static void gpt2_gives_the_ids_of_the_reference(void **state) {
  (void)state;
  check_corpus("gpt2");
}

static void llama3_gives_the_ids_of_the_reference(void **state) {
  (void)state;
  check_corpus("llama3");
}

static void qwen2_gives_the_ids_of_the_reference(void **state) {
  (void)state;
  check_corpus("qwen2");
}

static void characters_give_the_ids_of_the_reference(void **state) {
  (void)state;
  check_corpus("characters");
}

static void vocab_and_merges_give_the_ids_of_the_reference(void **state) {
  (void)state;
  json_t *expected = load(fixture_path("tokenizer/gpt2/expected.json"));
  ink_tokenizer *tokenizer = open_tokenizer(fixture_path("tokenizer/gpt2-files"));
  check_encodings(tokenizer, expected, NULL);
  check_plain(tokenizer, expected);
  check_decodings(tokenizer, expected);
  ink_tokenizer_free(tokenizer);
  json_decref(expected);
}

// Copy vocab.json and merges.txt alone into a folder.
static void copy_pair(const char *from, const char *folder) {
  static const char *const names[] = {"vocab.json", "merges.txt"};
  for (int i = 0; i < 2; i++) {
    char path[600], *bytes;
    size_t size;
    ink_error error = {0};
    snprintf(path, sizeof path, "%s/%s", fixture_path(from), names[i]);
    assert_ok(ink_file_read(path, 1 << 24, &bytes, &size, &error));
    snprintf(path, sizeof path, "%s/%s", folder, names[i]);
    assert_ok(ink_file_save(path, bytes, size, &error));
    free(bytes);
  }
}

// The forms in which CLIP's tokenizer is published, with the tokens around a text; the third is the
// pair of files that is enough for single-file models, with none that says that it is CLIP's.
static void clip_gives_the_ids_of_the_reference(void **state) {
  (void)state;
  char *pair = scratch_make(), folders[3][300];
  snprintf(folders[0], sizeof folders[0], "%s", fixture_path("tokenizer/clip"));
  snprintf(folders[1], sizeof folders[1], "%s", fixture_path("tokenizer/clip-files"));
  snprintf(folders[2], sizeof folders[2], "%s", pair);
  copy_pair("tokenizer/clip-files", pair);
  json_t *expected = load(fixture_path("tokenizer/clip/expected.json"));
  for (size_t f = 0; f < 3; f++) {
    ink_tokenizer *tokenizer = open_tokenizer(folders[f]);
    size_t i, n = 0, wrong = 0;
    json_t *item;
    json_array_foreach(json_object_get(expected, "encode"), i, item) {
      n++;
      if (!same_ids(tokenizer, item, "ids", INK_ENCODE_SPECIAL | INK_ENCODE_AFFIX)) wrong++;
    }
    if (wrong) fail_msg("%s: %zu of %zu texts give other ids", folders[f], wrong, n);
    assert_true(n > 1000);
    static const char start[] = "<|startoftext|>", end[] = "<|endoftext|>";
    int32_t end_id = ink_tokenizer_id(tokenizer, end, strlen(end));
    assert_int_equal(ink_tokenizer_bos(tokenizer),
                     ink_tokenizer_id(tokenizer, start, strlen(start)));
    assert_int_equal(ink_tokenizer_eos(tokenizer), end_id);
    assert_int_equal(ink_tokenizer_pad(tokenizer), end_id);
    ink_tokenizer_free(tokenizer);
  }
  json_decref(expected);
  scratch_remove(pair);
  free(pair);
}

static void gguf_gpt2_gives_the_ids_of_the_reference(void **state) {
  (void)state;
  check_gguf("gpt2", true);
}

static void gguf_llama3_gives_the_ids_of_the_reference(void **state) {
  (void)state;
  check_gguf("llama3", true);
}

static void gguf_qwen2_gives_the_ids_of_the_reference(void **state) {
  (void)state;
  check_gguf("qwen2", false);
}

static void gguf_characters_give_the_ids_of_the_reference(void **state) {
  (void)state;
  check_gguf("characters", true);
}

// -- Written in the other format ------------------------------------------------------------------

static void write_gguf(const ink_tokenizer *tokenizer, const char *path) {
  ink_error error = {0};
  ink_gguf_writer *writer = ink_gguf_writer_new();
  assert_ok(ink_tokenizer_put_gguf(tokenizer, ink_tokenizer_size(tokenizer), writer, &error));
  assert_ok(ink_gguf_writer_open(writer, path, &error));
  assert_ok(ink_gguf_writer_commit(writer, &error));
  ink_gguf_writer_free(writer);
}

// The tables of a vocabulary in the bytes that the reference converter wrote.
static void assert_same_tables(const char *ours, const char *theirs) {
  static const char *const keys[] = {"tokenizer.ggml.model",  "tokenizer.ggml.pre",
                                     "tokenizer.ggml.tokens", "tokenizer.ggml.token_type",
                                     "tokenizer.ggml.merges", "tokenizer.ggml.scores"};
  ink_error error = {0};
  ink_gguf *a, *b;
  assert_ok(ink_gguf_open(ours, &a, &error));
  assert_ok(ink_gguf_open(theirs, &b, &error));
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    const ink_gguf_value *x = ink_gguf_find(a, keys[i]), *y = ink_gguf_find(b, keys[i]);
    if (!x != !y) fail_msg("%s is in one of the two", keys[i]);
    if (!x || strcmp(keys[i], "tokenizer.ggml.scores") == 0) continue;  // these are only ordered
    if (x->size != y->size || memcmp(x->data, y->data, x->size) != 0) fail_msg("%s", keys[i]);
  }
  ink_gguf_close(a);
  ink_gguf_close(b);
}

static void check_export(const char *name) {
  char path[256], *folder = scratch_make(), target[600];
  ink_error error = {0};
  snprintf(path, sizeof path, "tokenizer/%s/expected.json", name);
  json_t *expected = load(fixture_path(path)), *document, *config, *roles;
  snprintf(path, sizeof path, "tokenizer/%s", name);
  ink_tokenizer *tokenizer = open_tokenizer(fixture_path(path));
  snprintf(target, sizeof target, "%s/vocab.gguf", folder);
  write_gguf(tokenizer, target);
  snprintf(path, sizeof path, "tokenizer/%s/vocab.gguf", name);
  assert_same_tables(target, fixture_path(path));
  ink_tokenizer_free(tokenizer);
  tokenizer = open_tokenizer(target);
  check_encodings(tokenizer, expected, "gguf");
  // And from there to tokenizer.json.
  assert_ok(ink_tokenizer_to_json(tokenizer, 512, &document, &config, &roles, &error));
  char *text = ink_json_text(document);
  ink_tokenizer *again = parse_tokenizer(text);
  check_encodings(again, expected, "gguf");
  assert_int_equal(ink_tokenizer_size(again), ink_tokenizer_size(tokenizer));
  for (int32_t id = 0; id < (int32_t)ink_tokenizer_size(again); id++) {
    assert_string_equal(ink_tokenizer_token(again, id), ink_tokenizer_token(tokenizer, id));
    assert_int_equal(ink_tokenizer_is_special(again, id), ink_tokenizer_is_special(tokenizer, id));
  }
  ink_tokenizer_free(again);
  free(text);
  json_decref(document);
  json_decref(config);
  json_decref(roles);
  ink_tokenizer_free(tokenizer);
  json_decref(expected);
  scratch_remove(folder);
  free(folder);
}

static void tokenizers_written_in_the_other_format_give_the_same_ids(void **state) {
  (void)state;
  check_export("gpt2");
  check_export("llama3");
  check_export("qwen2");
  check_export("characters");
}

#define BPE(before, more, vocab, merges)                                                          \
  "{\"version\": \"1.0\", \"added_tokens\": [], " before ", \"model\": {\"type\": \"BPE\", " more \
  "\"vocab\": {" vocab "}, \"merges\": [" merges "]}}"
#define SPACES                                                                              \
  "\"normalizer\": {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"}, \"content\": " \
  "\"\u2581\"}"

static void what_gguf_cannot_say_of_a_tokenizer_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *document, *words;
  } cases[] = {
      {BPE("\"normalizer\": null", "", "\"a\": 0", ""), "fall"},
      {BPE("\"normalizer\": {\"type\": \"Lowercase\"}", "\"byte_fallback\": true,", "\"a\": 0", ""),
       "before it is split"},
      // "abc" made of "ab" and "c" alone: scores would make it of "a" and "bc" too.
      {BPE(SPACES, "\"byte_fallback\": true,",
           "\"a\": 0, \"b\": 1, \"c\": 2, \"ab\": 3, \"bc\": 4, \"abc\": 5",
           "\"a b\", \"b c\", \"ab c\""),
       "abc"},
      {BPE("\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", "
           "\"pattern\": {\"Regex\": \"[a-z]+\"}, \"behavior\": \"Isolated\", \"invert\": false}, "
           "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}]}",
           "", "\"a\": 0", ""),
       "no name there"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_error error = {0};
    ink_tokenizer *tokenizer = parse_tokenizer(cases[i].document);
    ink_gguf_writer *writer = ink_gguf_writer_new();
    assert_int_equal(ink_tokenizer_put_gguf(tokenizer, 10, writer, &error), INK_ERR_UNSUPPORTED);
    if (!strstr(error.text, cases[i].words)) fail_msg("%zu: %s", i, error.text);
    ink_gguf_writer_free(writer);
    ink_tokenizer_free(tokenizer);
  }
}

// Merges of SentencePiece: a token for every place where it can be cut, ordered by the token made.
static void merges_that_scores_can_tell_are_carried_over(void **state) {
  (void)state;
  char *folder = scratch_make(), path[600];
  ink_tokenizer *tokenizer = parse_tokenizer(
      BPE(SPACES, "\"byte_fallback\": true,",
          "\"a\": 0, \"b\": 1, \"c\": 2, \"bc\": 3, \"ab\": 4, \"abc\": 5, \"<0x64>\": 6",
          "\"b c\", \"a b\", \"ab c\", \"a bc\""));
  snprintf(path, sizeof path, "%s/spm.gguf", folder);
  write_gguf(tokenizer, path);
  ink_tokenizer *other = open_tokenizer(path);
  static const char *const texts[] = {"abc", "abab", "bcabcab", "aabbcc", "d", "abcabcabc"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    id_list x = encode(tokenizer, texts[i], strlen(texts[i]), 0);
    id_list y = encode(other, texts[i], strlen(texts[i]), 0);
    assert_int_equal(x.n, y.n);
    assert_memory_equal(x.at, y.at, x.n * sizeof *x.at);
    free(x.at);
    free(y.at);
  }
  ink_tokenizer_free(other);
  ink_tokenizer_free(tokenizer);
  scratch_remove(folder);
  free(folder);
}

static char *read_all(const char *path) {
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  char *bytes = NULL;
  size_t size = 0, got;
  do {
    bytes = realloc(bytes, size + 4097);
    assert_non_null(bytes);
    got = fread(bytes + size, 1, 4096, file);
    size += got;
  } while (got);
  bytes[size] = 0;
  fclose(file);
  return bytes;
}

// 46 texts with "\n__ggml_vocab_test__\n" between them, and a line of ids for each.
static void llama_cpp_vectors_of_gpt2_are_met(void **state) {
  (void)state;
  const char *vocabulary = shared_path("tokenizer/ggml-vocab-gpt-2.gguf");
  const char *inputs = shared_path("tokenizer/ggml-vocab-gpt-2.gguf.inp");
  const char *outputs = shared_path("tokenizer/ggml-vocab-gpt-2.gguf.out");
  if (!vocabulary || !inputs || !outputs) {
    print_message("# no shared/data/tokenizer here: nothing compared\n");
    skip();
  }
  static const char separator[] = "\n__ggml_vocab_test__\n";
  char *texts = read_all(inputs), *lines = read_all(outputs), *text = texts, *line = lines;
  ink_tokenizer *tokenizer = open_tokenizer(vocabulary);
  int n = 0;
  while (text) {
    char *end = strstr(text, separator);
    size_t size = end ? (size_t)(end - text) : strlen(text);
    id_list found = encode(tokenizer, text, size, INK_ENCODE_PLAIN);
    for (size_t i = 0; i < found.n; i++) {
      char *next;
      long wanted = strtol(line, &next, 10);
      if (next == line || wanted != found.at[i]) fail_msg("text %d: id %zu differs", n, i);
      line = next;
    }
    while (*line == ' ') line++;
    if (*line != '\n' && *line) fail_msg("text %d: more ids are expected", n);
    if (*line) line++;
    free(found.at);
    text = end ? end + sizeof separator - 1 : NULL;
    n++;
  }
  assert_true(n >= 46);
  ink_tokenizer_free(tokenizer);
  free(texts);
  free(lines);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gpt2_gives_the_ids_of_the_reference),
      cmocka_unit_test(llama3_gives_the_ids_of_the_reference),
      cmocka_unit_test(qwen2_gives_the_ids_of_the_reference),
      cmocka_unit_test(characters_give_the_ids_of_the_reference),
      cmocka_unit_test(vocab_and_merges_give_the_ids_of_the_reference),
      cmocka_unit_test(clip_gives_the_ids_of_the_reference),
      cmocka_unit_test(gguf_gpt2_gives_the_ids_of_the_reference),
      cmocka_unit_test(gguf_llama3_gives_the_ids_of_the_reference),
      cmocka_unit_test(gguf_qwen2_gives_the_ids_of_the_reference),
      cmocka_unit_test(gguf_characters_give_the_ids_of_the_reference),
      cmocka_unit_test(tokenizers_written_in_the_other_format_give_the_same_ids),
      cmocka_unit_test(what_gguf_cannot_say_of_a_tokenizer_is_refused),
      cmocka_unit_test(merges_that_scores_can_tell_are_carried_over),
      cmocka_unit_test(llama_cpp_vectors_of_gpt2_are_met),
  };
  return cmocka_run_group_tests_name("reference", tests, NULL, NULL);
}
