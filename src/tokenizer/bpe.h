// Byte-pair encoding (Sennrich et al. 2016): a word is a list of symbols, and of all neighbours
// that the table of merges knows, those of the lowest rank, leftmost first, become one until none
// is left.
#ifndef INK_TOKENIZER_BPE_H
#define INK_TOKENIZER_BPE_H

#include "base/status.h"
#include "base/text.h"
#include "tokenizer/ids.h"
#include "tokenizer/vocabulary.h"

enum { INK_BPE_WORD_END = 32 };  // most bytes of a word's ending

typedef struct ink_merge_slot {
  uint64_t pair;  // left id in the upper half, right id in the lower
  uint32_t rank;
  uint32_t product;
} ink_merge_slot;

// Zero-initialise it, then set it up with ink_bpe_start.
typedef struct ink_bpe {
  uint64_t seed;
  ink_merge_slot *slots;  // open addressing
  size_t n_slots, n_merges;
  bool byte_level;  // words come as plain bytes, whose symbols are the byte-level alphabet's
  int32_t byte_ids[256];
  bool byte_fallback;  // a character without a token becomes its bytes' tokens, <0x00> … <0xFF>
  int32_t fallback_ids[256];
  bool ignore_merges;  // a word that is a token is that token
  // What the spelling of a word's last symbol ends in ("</w>", CLIP); NULL for nothing.
  const char *word_end;
  int32_t end_ids[256];  // byte_ids with it
  bool fuse_unknown;     // neighbouring unknown characters give one unknown token
  bool has_unknown;      // there is an unknown token; its id is -1 when the vocabulary lacks it
  int32_t unknown;
  // Characters that have no token but begin or end tokens (SentencePiece). Their symbols follow the
  // ids of the vocabulary in number.
  ink_vocabulary parts;
} ink_bpe;

void ink_bpe_free(ink_bpe *bpe);
// Look up what the flags above need. The vocabulary must be complete.
void ink_bpe_start(ink_bpe *bpe, const ink_vocabulary *vocabulary);

bool ink_bpe_reserve(ink_bpe *bpe, size_t n_merges);
// Let (left, right) become `product`. A pair that is there already is replaced. Pairs of the same
// rank are taken leftmost first. False without memory.
bool ink_bpe_add_merge(ink_bpe *bpe, uint32_t left, uint32_t right, uint32_t rank,
                       uint32_t product);

// True when there is a merge of the two.
bool ink_bpe_has_merge(const ink_bpe *bpe, uint32_t left, uint32_t right);

// What one thread needs for encoding. NULL without memory; with `cache` it remembers short words,
// which pays for itself on texts of some thousand bytes.
typedef struct ink_bpe_scratch ink_bpe_scratch;
ink_bpe_scratch *ink_bpe_scratch_new(bool cache);
void ink_bpe_scratch_free(ink_bpe_scratch *scratch);

// Append the ids of a word of well-formed UTF-8 (of any bytes when byte_level). At most 2^31 bytes.
ink_status ink_bpe_encode(const ink_bpe *bpe, const ink_vocabulary *vocabulary,
                          ink_bpe_scratch *scratch, const char *word, size_t size, ink_ids *ids,
                          ink_error *error);

#endif
