// The byte-level alphabet: each of the 256 bytes as one visible character, so that any text can be
// spelled in a vocabulary (Radford et al. 2019; gpt-2, src/encoder.py, bytes_to_unicode).
#ifndef INK_TOKENIZER_BYTES_H
#define INK_TOKENIZER_BYTES_H

#include <stdint.h>

#include "base/text.h"

// Printable bytes of Latin-1 stand for themselves, the 68 others for U+0100 … U+0143 in order.
uint32_t ink_byte_rune(unsigned char byte);

// Append the spelling of bytes.
void ink_bytes_spell(ink_text *out, const char *bytes, size_t size);
// Append the bytes that `text` spells; false, appending nothing, when a character of it is not in
// the alphabet.
bool ink_bytes_unspell(ink_text *out, const char *text, size_t size);

#endif
