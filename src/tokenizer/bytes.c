// The byte-level alphabet (gpt-2, src/encoder.py, bytes_to_unicode).
#include "tokenizer/bytes.h"

// Bytes that stand for other characters: 0 … 0x20, 0x7F … 0xA0, 0xAD.
enum { LOW = 0x21, MIDDLE = 0xA1 - 0x7F, MOVED = LOW + MIDDLE + 1 };

uint32_t ink_byte_rune(unsigned char byte) {
  if (byte < LOW) return 0x100u + byte;
  if (byte >= 0x7F && byte <= 0xA0) return 0x100u + LOW + byte - 0x7F;
  if (byte == 0xAD) return 0x100u + LOW + MIDDLE;
  return byte;
}

// The byte a character stands for, -1 when it is not in the alphabet.
static int byte_of_rune(int32_t rune) {
  if (rune >= 0x100 && rune < 0x100 + MOVED) {
    int nth = rune - 0x100;
    if (nth < LOW) return nth;
    if (nth < LOW + MIDDLE) return nth - LOW + 0x7F;
    return 0xAD;
  }
  if (rune < LOW || rune > 0xFF) return -1;
  return ink_byte_rune((unsigned char)rune) == (uint32_t)rune ? rune : -1;
}

void ink_bytes_spell(ink_text *out, const char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) ink_text_add_rune(out, ink_byte_rune((unsigned char)bytes[i]));
}

bool ink_bytes_unspell(ink_text *out, const char *text, size_t size) {
  size_t before = out->size;
  for (size_t at = 0; at < size;) {
    int32_t rune;
    at += ink_utf8_decode(text + at, size - at, &rune);
    int byte = byte_of_rune(rune);
    if (byte < 0) {
      out->size = before;
      if (out->bytes) out->bytes[before] = 0;
      return false;
    }
    char c = (char)byte;
    ink_text_add_bytes(out, &c, 1);
  }
  return true;
}
