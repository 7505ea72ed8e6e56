// The inside of an open tokenizer, and how the readers of the several formats build one.
#ifndef INK_TOKENIZER_INTERNAL_H
#define INK_TOKENIZER_INTERNAL_H

#include <jansson.h>

#include "base/arena.h"
#include "tokenizer/added.h"
#include "tokenizer/bpe.h"
#include "tokenizer/decode.h"
#include "tokenizer/ids.h"
#include "tokenizer/normalize.h"
#include "tokenizer/split.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

enum { INK_TOKENIZER_STEPS = 64 };  // of one kind in a row; more is refused

struct ink_tokenizer {
  char *name;        // what errors call it
  ink_arena *arena;  // small things that live as long
  ink_vocabulary vocabulary;
  ink_bpe bpe;
  ink_normalizer normalizers[INK_TOKENIZER_STEPS];
  size_t n_normalizers;
  ink_splitter splitters[INK_TOKENIZER_STEPS];
  size_t n_splitters;
  ink_decoder decoders[INK_TOKENIZER_STEPS];
  size_t n_decoders;
  bool decodes;                                    // the file says how, be it without a step
  ink_pattern *patterns[3 * INK_TOKENIZER_STEPS];  // of all the steps
  size_t n_patterns;
  // Added tokens looked for in the text as it is, and in the normalised text.
  ink_added_set raw, normalized;
  ink_ids prefix, suffix;  // what INK_ENCODE_AFFIX puts around a text
  int32_t bos, eos, pad, unknown;
  ink_ids ends;
  char *chat_template;
};

// The pattern and manners of a byte-level vocabulary that a file only names.
typedef struct ink_pretokenizer_name {
  const char *name;      // tokenizer.ggml.pre
  const char *regex[4];  // splits, one after the other
  bool ignore_merges;    // see ink_bpe
  bool nfc;              // text is put into NFC first
  bool add_bos;          // unless the file says otherwise
} ink_pretokenizer_name;

// An added token as its file gives it.
typedef struct ink_added_entry {
  const char *text;  // in the tokenizer's arena
  size_t size;
  int32_t id;
  bool special, single_word, lstrip, rstrip, normalized;
} ink_added_entry;

// A tokenizer in the making, with its added tokens in order.
typedef struct ink_building {
  ink_tokenizer *tokenizer;
  ink_added_entry *added;
  size_t n_added, added_capacity;
  ink_error *error;
} ink_building;

ink_status ink_building_start(ink_building *building, const char *name, ink_error *error);
void ink_building_abandon(ink_building *building);

// The reader's own memory, or a MEMORY error.
ink_status ink_building_copy(ink_building *building, const char *bytes, size_t size,
                             const char **out);
// Keep a pattern until the tokenizer is freed. On failure the pattern is freed.
ink_status ink_building_keep(ink_building *building, ink_pattern *pattern);

// Add an added token. Its spelling is copied. One that is in the vocabulary must have the id it has
// there; another is new in the vocabulary. `place` is what errors call it.
ink_status ink_building_add_token(ink_building *building, const ink_added_entry *entry,
                                  const char *place);
// Make the id of a token special; it becomes an added token if it is none.
ink_status ink_building_make_special(ink_building *building, int32_t id, const char *place);

// The ids a vocabulary may have that holds `n` tokens: memory is taken for every id up to the
// highest, so gaps have a limit.
int64_t ink_building_most_ids(size_t n);

// Add an id to those that end a generation.
void ink_building_add_end(ink_building *building, int32_t id);

// Steps that several formats share.
ink_status ink_building_add_regex_split(ink_building *building, const char *regex, size_t size,
                                        const char *place);
ink_status ink_building_add_pretokenizer(ink_building *building, const ink_pretokenizer_name *pre);

// Complete what was built, and hand it over.
ink_status ink_building_finish(ink_building *building, ink_tokenizer **out);

// Open a .gguf file and read the vocabulary in it.
ink_status ink_tokenizer_open_gguf(const char *path, ink_tokenizer **out, ink_error *error);

// NULL when the name is not known.
const ink_pretokenizer_name *ink_pretokenizer_find(const char *name, size_t size);
// The i-th in the table; NULL beyond the last.
const ink_pretokenizer_name *ink_pretokenizer_at(size_t index);

// The readers. Files beside the vocabulary (tokenizer_config.json …) as trees, NULL when absent.
typedef struct ink_tokenizer_sides {
  const json_t *config;      // tokenizer_config.json
  const json_t *specials;    // special_tokens_map.json
  const json_t *added;       // added_tokens.json
  const json_t *generation;  // generation_config.json
  const json_t *model;       // config.json
  const char *chat_template;
  size_t chat_template_size;
} ink_tokenizer_sides;

// tokenizer.json in memory.
ink_status ink_tokenizer_read_json(const char *name, const char *bytes, size_t size,
                                   const ink_tokenizer_sides *sides, ink_tokenizer **out,
                                   ink_error *error);
// vocab.json and merges.txt in memory.
ink_status ink_tokenizer_read_pair(const char *name, const char *vocab, size_t vocab_size,
                                   const char *merges, size_t merges_size,
                                   const ink_tokenizer_sides *sides, ink_tokenizer **out,
                                   ink_error *error);

// A merge of two spellings, written as "left right". `at` is the byte offset of the place, for
// errors.
ink_status ink_building_add_merge_line(ink_building *building, const char *line, size_t size,
                                       size_t rank, int64_t at);

#endif
