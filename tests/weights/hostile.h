// What the hostile-file tests share: bytes put together piece by piece, and how much memory a
// reader may ask for.
#ifndef INK_TESTS_WEIGHTS_HOSTILE_H
#define INK_TESTS_WEIGHTS_HOSTILE_H

#include "base/file.h"
#include "base/text.h"
#include "requests.h"

// No file makes its reader ask for more than this, in all requests together.
static inline size_t memory_allowed(size_t file_size) {
  return 4096 + 16 * file_size;
}

// -- Little-endian bytes --------------------------------------------------------------------------

static inline void put_number(ink_text *out, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; i++) {
    char byte = (char)(value >> (8 * i) & 0xFF);
    ink_text_add_bytes(out, &byte, 1);
  }
}

static inline void put_u32(ink_text *out, uint32_t value) {
  put_number(out, value, 4);
}

static inline void put_u64(ink_text *out, uint64_t value) {
  put_number(out, value, 8);
}

static inline void put_zeros(ink_text *out, size_t n) {
  for (size_t i = 0; i < n; i++) ink_text_add_bytes(out, "", 1);
}

// With "--corpus FOLDER" the tests write their files there, as seeds for the fuzzers.
static const char *corpus_folder;

static inline void save_seed(const char *name, const char *ending, const ink_text *bytes) {
  char path[4096];
  ink_error error = {0};
  if (!corpus_folder || bytes->size > 1 << 14) return;
  snprintf(path, sizeof path, "%s/%s.%s", corpus_folder, name, ending);
  assert_ok(ink_file_save(path, bytes->bytes, bytes->size, &error));
}

static inline void read_arguments(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "--corpus") == 0) corpus_folder = argv[2];
}

#endif
