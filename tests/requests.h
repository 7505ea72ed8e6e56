// A count of the memory that a reader of files asks for. Link with -Wl,--wrap=malloc, calloc and
// realloc; include it in one file of a program.
#ifndef INK_TESTS_REQUESTS_H
#define INK_TESTS_REQUESTS_H

#include "testing.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);

// Of all requests since they were last cleared.
static size_t asked_bytes, largest_request;

static inline void clear_requests(void) {
  asked_bytes = largest_request = 0;
}

static inline void note_request(size_t size) {
  if (__builtin_add_overflow(asked_bytes, size, &asked_bytes)) asked_bytes = SIZE_MAX;
  if (size > largest_request) largest_request = size;
}

void *__wrap_malloc(size_t size) {
  note_request(size);
  return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
  size_t all;
  note_request(__builtin_mul_overflow(n, size, &all) ? SIZE_MAX : all);
  return __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size) {
  note_request(size);
  return __real_realloc(old, size);
}

// A copy of exactly the bytes' size, so that a sanitizer sees the first byte read beyond them.
static inline unsigned char *exact_copy(const void *bytes, size_t size) {
  unsigned char *copy = malloc(size ? size : 1);
  assert_non_null(copy);
  if (size) memcpy(copy, bytes, size);
  return copy;
}

#endif
