// The steps of the poet's data builder: clean, cluster, tag, write. Internal to the builder.
#ifndef INK_TRAIN_POETRY_PARTS_H
#define INK_TRAIN_POETRY_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "lang/poem.h"

// A piece of the corpus' code points.
typedef struct ink_span {
  uint32_t at, size;
} ink_span;

// One poem. Bodies hold characters, the marks ，。！？；、：, and '\n' between lines.
typedef struct ink_poem {
  ink_span body, tune, author, title;
  int8_t form, dynasty;  // places in the lists of lang/poem.h
  uint8_t split;         // ink_poetry_split
  uint32_t file;         // place in the list of files it was read from
  uint64_t hash;         // of the characters of the body
} ink_poem;

typedef enum ink_poetry_split {
  INK_SPLIT_TRAIN,
  INK_SPLIT_VALID,
  INK_SPLIT_TEST,
  INK_SPLITS
} ink_poetry_split;

typedef struct ink_corpus {
  uint32_t *runes;
  size_t n_rune, rune_capacity;
  ink_poem *poems;
  size_t n_poem, poem_capacity;
} ink_corpus;

void ink_corpus_free(ink_corpus *corpus);
// Append code points, and a poem; MEMORY when there is none, or when 2^32 code points are passed.
ink_status ink_corpus_add_runes(ink_corpus *corpus, const uint32_t *runes, size_t n, ink_span *span,
                                ink_error *error);
ink_status ink_corpus_add_poem(ink_corpus *corpus, const ink_poem *poem, ink_error *error);

// Why an item is left out; INK_CLEAN_KEPT when it is not.
typedef enum ink_clean_verdict {
  INK_CLEAN_KEPT,
  INK_CLEAN_EMPTY,      // no text
  INK_CLEAN_GAP,        // □ ○ ● … : characters are missing
  INK_CLEAN_EDITORIAL,  // brackets, book marks, digits or letters: an editor speaks
  INK_CLEAN_ILLEGIBLE,  // private use, U+FFFD, ideographic description
  INK_CLEAN_SHORT,      // fewer than 10 characters
  INK_CLEAN_LONG,       // more than 8,000 characters
  INK_CLEAN_DUPLICATE,  // the characters of an earlier item
  INK_CLEAN_VERDICTS
} ink_clean_verdict;

// Name of a verdict for the manifest.
const char *ink_clean_name(ink_clean_verdict verdict);

// Turn the raw text of a body (paragraphs joined) into its form in the corpus: simplified, marks
// normalised, one couplet or sentence a line. `lyric` tells a 词, whose lines have their own
// lengths. Works in place; *n is the new length, at most one and a half times the old (runes has room for three times).
// *form is the place in the list of forms.
ink_status ink_poetry_clean_body(uint32_t *runes, size_t *n, bool lyric, int8_t *form,
                                 ink_clean_verdict *verdict, ink_error *error);
// A title, author or tune: simplified, without white space and what is in brackets. *n may become
// 0. A field with a gap, or longer than `most`, becomes empty.
ink_status ink_poetry_clean_field(uint32_t *runes, size_t *n, size_t most, ink_error *error);

bool ink_rune_is_han(uint32_t rune);

// 64-bit hash of code points (FNV-1a over their 32-bit words, mixed by the finaliser of
// SplitMix64).
uint64_t ink_rune_hash(const uint32_t *runes, size_t n);
uint64_t ink_mix64(uint64_t x);

// Visit the hash of every line of a body: each clause of 7 or more characters, and each two
// neighbouring shorter clauses that together have as many (a couplet of 5-character verse), without
// the mark between them. Whatever is no character divides clauses. Stops when a visit is false.
typedef bool (*ink_line_visit)(void *context, uint64_t hash);
bool ink_poetry_each_line(const uint32_t *runes, size_t n, ink_line_visit visit, void *context);

// Assign every poem to a split. Poems that share a line are in one cluster; clusters go to a split
// as wholes. *n_cluster counts them; *largest is the size of the largest. A cluster of more than 64
// poems always trains.
ink_status ink_poetry_split_corpus(ink_corpus *corpus, int64_t *n_cluster, int64_t *largest,
                                   ink_error *error);

// Key words: pairs of characters that occur together in the corpus far more often than chance.
typedef struct ink_word_table ink_word_table;
ink_status ink_word_table_new(const ink_corpus *corpus, ink_word_table **table, ink_error *error);
void ink_word_table_free(ink_word_table *table);
enum { INK_THEME_WORDS = 8 };
// Up to INK_THEME_WORDS words of the poem, the most telling first: positions of their first
// characters in the corpus' runes. Returns how many.
int ink_word_table_theme(const ink_word_table *table, const ink_corpus *corpus,
                         const ink_poem *poem, uint32_t words[INK_THEME_WORDS]);

// The character vocabulary: id of every token.
typedef struct ink_char_vocabulary {
  uint32_t *runes;  // characters in order of id, from first_character on
  int32_t n_rune;
  int32_t first_character;
  int32_t size;      // all tokens
  uint32_t *sorted;  // (n_rune) characters ascending, with their ids
  int32_t *sorted_id;
} ink_char_vocabulary;

enum { INK_POET_VOCABULARY = 8192 };
ink_status ink_char_vocabulary_new(const ink_corpus *corpus, ink_char_vocabulary *vocabulary,
                                   ink_error *error);
void ink_char_vocabulary_free(ink_char_vocabulary *vocabulary);
// Ids of a code point: one, or its UTF-8 bytes as byte tokens. Returns how many, 1 to 4.
int ink_char_vocabulary_encode(const ink_char_vocabulary *vocabulary, uint32_t rune,
                               uint16_t ids[4]);

// The layout of a record file; docs/poet-data.md.
#define INK_DATASET_MAGIC "INKPOEMS"
enum { INK_DATASET_VERSION = 1, INK_DATASET_HEADER = 128, INK_DATASET_BODY = 15 };
typedef struct ink_dataset_header {
  char magic[8];
  uint32_t version;
  uint32_t vocabulary;
  uint64_t documents;
  uint64_t words;  // of 16 bits behind the table of offsets
  uint8_t tokenizer_sha256[32];
  uint64_t controls;   // ink_poem_control_hash
  uint16_t marks[16];  // ids of '\n' (first) and of the marks of bodies; 0 ends the list
  uint8_t reserved[24];
} ink_dataset_header;
_Static_assert(sizeof(ink_dataset_header) == INK_DATASET_HEADER, "the header has no padding");

#define INK_LINES_MAGIC "INKLINES"
typedef struct ink_lines_header {
  char magic[8];
  uint32_t version;
  uint32_t reserved;
  uint64_t count;  // of hashes behind it
} ink_lines_header;
enum { INK_LINE_CHARACTERS = 7 };

// Tone pattern and rhyme group of a body, as places in the lists of lang/poem.h; -1 where it has
// none. A rhyme group holds every rhyme word in one of its readings.
void ink_poetry_prosody(const uint32_t *body, size_t n, int form, int *pattern, int *rhyme);
// Whether a form has lines of one length in couplets, so that every second clause rhymes.
bool ink_poetry_form_is_regular(int form);

// Hash over the list of control tokens: files made with another list are refused.
uint64_t ink_poem_control_hash(void);

#endif
