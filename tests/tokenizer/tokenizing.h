// What the tests of this room share: encoding and decoding that fail the test with words.
#ifndef INK_TESTS_TOKENIZING_H
#define INK_TESTS_TOKENIZING_H

#include "testing.h"
#include "tokenizer/tokenizer.h"

typedef struct id_list {
  int32_t *at;
  size_t n;
} id_list;

static inline ink_tokenizer *open_tokenizer(const char *path) {
  ink_error error;
  ink_tokenizer *tokenizer;
  assert_ok(ink_tokenizer_open(path, &tokenizer, &error));
  return tokenizer;
}

static inline ink_tokenizer *parse_tokenizer(const char *json) {
  ink_error error;
  ink_tokenizer *tokenizer;
  ink_tokenizer_files files = {
      .name = "tokenizer.json", .tokenizer = json, .tokenizer_size = strlen(json)};
  assert_ok(ink_tokenizer_from_memory(&files, &tokenizer, &error));
  return tokenizer;
}

static inline id_list encode(const ink_tokenizer *tokenizer, const char *text, size_t size,
                             unsigned flags) {
  ink_error error;
  id_list ids;
  assert_ok(ink_tokenizer_encode(tokenizer, text, size, flags, &ids.at, &ids.n, &error));
  return ids;
}

// The text of ids; the caller frees it.
static inline ink_text decode(const ink_tokenizer *tokenizer, const int32_t *ids, size_t n,
                              unsigned flags) {
  ink_error error;
  ink_text text = {0};
  assert_ok(ink_tokenizer_decode(tokenizer, ids, n, flags, &text, &error));
  return text;
}

// Fail unless `text` gives the spellings, which are written with a space between them.
static inline void assert_tokens(const ink_tokenizer *tokenizer, const char *text, unsigned flags,
                                 const char *expected) {
  id_list ids = encode(tokenizer, text, strlen(text), flags);
  ink_text found = {0};
  for (size_t i = 0; i < ids.n; i++) {
    if (i) ink_text_add(&found, " ");
    ink_text_add(&found, ink_tokenizer_token(tokenizer, ids.at[i]));
  }
  if (strcmp(ink_text_string(&found), expected) != 0) {
    fail_msg("“%s” gives “%s”, not “%s”", text, ink_text_string(&found), expected);
  }
  ink_text_free(&found);
  free(ids.at);
}

#endif
