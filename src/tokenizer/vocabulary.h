// The tokens of a vocabulary: id to spelling and bytes, spelling to id.
#ifndef INK_TOKENIZER_VOCABULARY_H
#define INK_TOKENIZER_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// Where a token's text lies in the pool. An id without a token has text_at 0.
typedef struct ink_token {
  uint32_t text_at, text_size;        // the spelling, NUL-terminated
  uint32_t bytes_at, bytes_size;      // what it stands for; the spelling itself until set
  uint32_t decoded_at, decoded_size;  // what decoders are given; the spelling itself until set
  uint32_t added;                     // 1 + its place among the added tokens, 0 when it is none
  bool special;
  bool outside;  // unknown to the model itself, which must not spell words with it
} ink_token;

typedef struct ink_vocabulary_slot {
  uint32_t hash;
  uint32_t id_plus_one;  // 0: free
} ink_vocabulary_slot;

// Zero-initialise it with a seed (any number an attacker does not know).
typedef struct ink_vocabulary {
  uint64_t seed;
  char *pool;
  size_t pool_size, pool_capacity;
  ink_token *tokens;
  size_t n_ids, tokens_capacity;  // n_ids: one more than the highest id
  size_t n_tokens;
  size_t longest;  // bytes of the longest spelling
  ink_vocabulary_slot *slots;
  size_t n_slots;  // a power of two, or 0
} ink_vocabulary;

void ink_vocabulary_free(ink_vocabulary *vocabulary);

typedef enum ink_vocabulary_fault {
  INK_VOCABULARY_OK,
  INK_VOCABULARY_DUPLICATE_TEXT,
  INK_VOCABULARY_DUPLICATE_ID,
  INK_VOCABULARY_MEMORY
} ink_vocabulary_fault;

// Make room for `n` tokens of together `bytes` bytes at once; optional. False without memory.
bool ink_vocabulary_reserve(ink_vocabulary *vocabulary, size_t n, size_t bytes);
// Add a token, whose spelling must hold no NUL. Memory for all ids up to `id` is taken.
ink_vocabulary_fault ink_vocabulary_add(ink_vocabulary *vocabulary, const char *text, size_t size,
                                        uint32_t id);
// Set the bytes of the token `id`, which must exist. False without memory.
bool ink_vocabulary_set_bytes(ink_vocabulary *vocabulary, uint32_t id, const char *bytes,
                              size_t size);
// The same for what decoders are given in its place.
bool ink_vocabulary_set_decoded(ink_vocabulary *vocabulary, uint32_t id, const char *text,
                                size_t size);

// -1 when there is none.
int32_t ink_vocabulary_find(const ink_vocabulary *vocabulary, const char *text, size_t size);
// The same among the tokens that the model knows.
int32_t ink_vocabulary_find_inside(const ink_vocabulary *vocabulary, const char *text, size_t size);
// NULL for an id that no token has.
const ink_token *ink_vocabulary_token(const ink_vocabulary *vocabulary, int64_t id);
const char *ink_vocabulary_text(const ink_vocabulary *vocabulary, const ink_token *token);
const char *ink_vocabulary_bytes(const ink_vocabulary *vocabulary, const ink_token *token);
const char *ink_vocabulary_decoded(const ink_vocabulary *vocabulary, const ink_token *token);

#endif
