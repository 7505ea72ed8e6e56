// Text watermarks as users name them: a scheme and whose keys. One front for SynthID-Text, green
// lists and the exponential race.
//
// Who can find a mark? By default its keys are those that every inkstone has: everybody can check a
// text, and everybody could also write one that is found. Keys of one's own show more and are found
// only by those who have them.
#ifndef INK_MARK_WATERMARK_WATERMARK_H
#define INK_MARK_WATERMARK_WATERMARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "llm/llm.h"

typedef enum ink_watermark_scheme {
  INK_WATERMARK_SYNTHID,
  INK_WATERMARK_GUMBEL,
  INK_WATERMARK_KGW,
  INK_WATERMARK_SCHEMES
} ink_watermark_scheme;

// "synthid", "gumbel", "kgw"; and back: USAGE lists them.
const char *ink_watermark_name(ink_watermark_scheme scheme);
ink_status ink_watermark_parse(const char *name, ink_watermark_scheme *scheme, ink_error *error);

// Texts below this are not marked unless asked, and not judged: too few choices to be found in.
enum { INK_WATERMARK_LEAST_TOKENS = 200 };

typedef struct ink_watermark ink_watermark;

// Open a scheme for a vocabulary of n_vocab tokens. keys: a file, or NULL for the keys that every
// inkstone has. A JSON file is a watermarking_config of transformers (SynthID alone); of any other
// file the bytes are the secret. Release with ink_watermark_free. One per thread.
ink_status ink_watermark_open(ink_watermark_scheme scheme, const char *keys, size_t n_vocab,
                              ink_watermark **watermark, ink_error *error);
void ink_watermark_free(ink_watermark *watermark);

ink_watermark_scheme ink_watermark_scheme_of(const ink_watermark *watermark);
// Names scheme and keys without telling the keys: "synthid:0123456789abcdef".
const char *ink_watermark_id(const ink_watermark *watermark);

// What a session takes. Good for one text at a time, any number one after another; borrowed.
ink_status ink_watermark_reweigher(ink_watermark *watermark, ink_reweigher *reweigher,
                                   ink_error *error);

typedef struct ink_watermark_score {
  size_t tokens;   // of the text
  size_t used;     // that count: behind a context met for the first time
  double p_value;  // the chance of such a score in text without the mark; 1 when none are used
} ink_watermark_score;

ink_status ink_watermark_score_tokens(ink_watermark *watermark, const int32_t *tokens, size_t n,
                                      ink_watermark_score *score, ink_error *error);

#endif
