// Numbers in the bytes of files, in either order.
#ifndef INK_BASE_BYTES_H
#define INK_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

// A number of `size` bytes (8 at most), its least byte first.
static inline uint64_t ink_little(const unsigned char *at, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | at[i];
  return value;
}

// The same with its greatest byte first.
static inline uint64_t ink_big(const unsigned char *at, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; i++) value = value << 8 | at[i];
  return value;
}

static inline uint16_t ink_little16(const unsigned char *at) {
  return (uint16_t)ink_little(at, 2);
}

static inline uint32_t ink_little32(const unsigned char *at) {
  return (uint32_t)ink_little(at, 4);
}

static inline uint16_t ink_big16(const unsigned char *at) {
  return (uint16_t)ink_big(at, 2);
}

static inline uint32_t ink_big32(const unsigned char *at) {
  return (uint32_t)ink_big(at, 4);
}

// Write the lower `size` bytes (8 at most) of a number.
static inline void ink_little_into(unsigned char *at, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; i++) at[i] = (unsigned char)(value >> (8 * i));
}

static inline void ink_big_into(unsigned char *at, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; i++) at[i] = (unsigned char)(value >> (8 * (size - 1 - i)));
}

static inline void ink_text_add_little(ink_text *out, uint64_t value, size_t size) {
  unsigned char bytes[8];
  ink_little_into(bytes, value, size);
  ink_text_add_bytes(out, bytes, size);
}

static inline void ink_text_add_big(ink_text *out, uint64_t value, size_t size) {
  unsigned char bytes[8];
  ink_big_into(bytes, value, size);
  ink_text_add_bytes(out, bytes, size);
}

#endif
