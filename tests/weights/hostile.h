// What the hostile-file tests share: bytes put together piece by piece, and a count of the memory
// that a reader asks for. Link with -Wl,--wrap=malloc, calloc and realloc.
#ifndef INK_TESTS_WEIGHTS_HOSTILE_H
#define INK_TESTS_WEIGHTS_HOSTILE_H

#include "base/file.h"
#include "base/text.h"
#include "testing.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);

static size_t asked_bytes;  // of all requests since it was last cleared

static void count_request(size_t size) {
  if (__builtin_add_overflow(asked_bytes, size, &asked_bytes)) asked_bytes = SIZE_MAX;
}

void *__wrap_malloc(size_t size) {
  count_request(size);
  return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
  size_t all;
  count_request(__builtin_mul_overflow(n, size, &all) ? SIZE_MAX : all);
  return __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size) {
  count_request(size);
  return __real_realloc(old, size);
}

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

// A copy of exactly the bytes' size, so that a sanitizer sees the first byte read beyond them.
static inline unsigned char *exact_copy(const ink_text *bytes) {
  unsigned char *copy = malloc(bytes->size ? bytes->size : 1);
  assert_non_null(copy);
  if (bytes->size) memcpy(copy, bytes->bytes, bytes->size);
  return copy;
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
