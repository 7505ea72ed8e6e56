// Decoders: from the spellings of tokens back to text, as a chain of steps that work token by
// token.
#ifndef INK_TOKENIZER_DECODE_H
#define INK_TOKENIZER_DECODE_H

#include "tokenizer/pattern.h"

typedef enum ink_decoder_kind {
  INK_DECODE_BYTE_LEVEL,     // spellings in the byte-level alphabet to bytes, and these to text
  INK_DECODE_BYTE_FALLBACK,  // runs of <0x00> … <0xFF> to text
  INK_DECODE_FUSE,           // all tokens into one
  INK_DECODE_REPLACE,        // in each token, every match of `pattern` by `content`
  INK_DECODE_STRIP,          // in each token, up to `start` and `stop` times `rune` at its ends
  INK_DECODE_METASPACE,      // `rune` to a space; in the first token to nothing if `drop_first`
  INK_DECODE_SPACES          // a space between tokens: what a file without decoders gets
} ink_decoder_kind;

typedef struct ink_decoder {
  ink_decoder_kind kind;
  ink_pattern *pattern;  // owned by the tokenizer
  const char *content;
  size_t content_size;
  uint32_t rune;
  size_t start, stop;
  bool drop_first;
} ink_decoder;

// What a chain of decoders remembers between tokens.
typedef struct ink_decoding ink_decoding;

// NULL without memory. The decoders must outlive it.
ink_decoding *ink_decoding_new(const ink_decoder *steps, size_t n);
void ink_decoding_free(ink_decoding *decoding);
// Append to *text what one more token settles.
ink_status ink_decoding_push(ink_decoding *decoding, const char *token, size_t size, ink_text *text,
                             ink_error *error);
// Append the rest; the decoding then stands as new.
ink_status ink_decoding_finish(ink_decoding *decoding, ink_text *text, ink_error *error);

// Append the bytes that one token stands for amid others, whatever they are.
ink_status ink_decoder_bytes(const ink_decoder *steps, size_t n, ink_matcher *matcher,
                             const char *token, size_t size, ink_text *bytes, ink_error *error);

#endif
