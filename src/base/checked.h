// Overflow-checked arithmetic for sizes that come from files and requests.
#ifndef INK_BASE_CHECKED_H
#define INK_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// *out = a + b; false, leaving *out undefined, when it does not fit.
static inline bool ink_add_size(size_t a, size_t b, size_t *out) {
  return !__builtin_add_overflow(a, b, out);
}

// *out = a * b; false, leaving *out undefined, when it does not fit.
static inline bool ink_mul_size(size_t a, size_t b, size_t *out) {
  return !__builtin_mul_overflow(a, b, out);
}

// As above for element counts; negative inputs do not fit.
static inline bool ink_mul_count(int64_t a, int64_t b, int64_t *out) {
  return a >= 0 && b >= 0 && !__builtin_mul_overflow(a, b, out);
}

// *out = the product of n extents, 1 when there are none.
static inline bool ink_mul_extents(const int64_t *extents, int n, int64_t *out) {
  *out = 1;
  for (int i = 0; i < n; i++) {
    if (!ink_mul_count(*out, extents[i], out)) return false;
  }
  return true;
}

// True when [offset, offset + size) lies within a file or buffer of `total` bytes.
static inline bool ink_fits(uint64_t offset, uint64_t size, uint64_t total) {
  return offset <= total && size <= total - offset;
}

#endif
