// Prompts as people write them for Stable Diffusion, in A1111's syntax:
//   (words:1.2)     weight 1.2           (words)  weight 1.1, nested ones multiply
//   [words]         weight 1 / 1.1       \( \) \[ \] \\  the characters themselves
//   [from:to:0.5]   `to` replaces `from` at that share of the steps, or [from:to:12] at step 12;
//   [to:12] and [from::12] leave one of them out
//   [one|two]       in turn, step by step
//   BREAK           goes on in a new chunk of tokens
// What does not parse is read as it stands, as A1111 does.
#ifndef INK_DIFFUSION_PROMPT_H
#define INK_DIFFUSION_PROMPT_H

#include "base/text.h"

enum {
  INK_PROMPT_MOST_BYTES = 1 << 16,
  INK_PROMPT_MOST_DEPTH = 64,  // of brackets within brackets
  INK_PROMPT_MOST_CHUNKS = 64,
  // Tokens of the prompt in a chunk, and the most there may be; begin and end come to them.
  INK_PROMPT_CHUNK = 75
};

// Append the prompt as it reads at step `step` (from 0) of n_steps: schedules and alternations are
// resolved, weights stay. USAGE: too long, too deep, not UTF-8.
ink_status ink_prompt_at(const char *prompt, int32_t step, int32_t n_steps, ink_text *out,
                         ink_error *error);

// ---- plug-ins -----------------------------------------------------------------------------------

enum { INK_PROMPT_MOST_TAGS = 16 };

// <lora:NAME:WEIGHT>; without a weight it is 1.
typedef struct ink_prompt_tag {
  char *name;
  double weight;
} ink_prompt_tag;

typedef struct ink_prompt_tags {
  ink_prompt_tag items[INK_PROMPT_MOST_TAGS];
  size_t n;
} ink_prompt_tags;

// Take the tags out of a prompt; what remains is appended to `rest`. USAGE, with the tag: no name,
// or a weight that is no number. Free with ink_prompt_tags_free, also after a failure.
ink_status ink_prompt_take_tags(const char *prompt, ink_text *rest, ink_prompt_tags *tags,
                                ink_error *error);
void ink_prompt_tags_free(ink_prompt_tags *tags);

// ---- weights ------------------------------------------------------------------------------------

// Words that share a weight.
typedef struct ink_prompt_piece {
  const char *text;  // within the owner's memory, NUL-terminated
  size_t size;
  double weight;
  bool breaks;  // BREAK: no words, a new chunk begins
} ink_prompt_piece;

typedef struct ink_prompt_pieces {
  ink_prompt_piece *items;
  size_t n;
  char *memory;
} ink_prompt_pieces;

// Take a prompt without schedules apart. There is at least one piece; neighbours differ in weight
// or are kept apart by a break. USAGE as above, or a weight beyond 100 either way. Free with
// ink_prompt_pieces_free, also after a failure.
ink_status ink_prompt_weigh(const char *prompt, ink_prompt_pieces *pieces, ink_error *error);
void ink_prompt_pieces_free(ink_prompt_pieces *pieces);

// ---- tokens -------------------------------------------------------------------------------------

// The tokenizer of a text encoder.
typedef struct ink_prompt_vocabulary {
  // Ids of words without begin and end; *ids is malloc'ed.
  ink_status (*encode)(void *context, const char *text, size_t size, int32_t **ids, size_t *n,
                       ink_error *error);
  void *context;
  int32_t begin, end;
  int32_t pad;    // what follows the first `end`
  int32_t comma;  // a chunk that is full breaks after its last comma; -1: never
  int32_t room;   // tokens of the prompt in a chunk, up to INK_PROMPT_CHUNK; 0: that many
} ink_prompt_vocabulary;

// Chunks of tokens, one after the other, and the weight of each token.
typedef struct ink_prompt_chunks {
  int32_t *ids;
  float *weights;
  size_t n;       // chunks, at least 1
  size_t width;   // tokens of a chunk: the vocabulary's room and 2
  bool weighted;  // some weight is not 1
} ink_prompt_chunks;

// Encode a prompt without schedules. A chunk that fills up ends after the last comma of its last 20
// tokens where there is one. Free with ink_prompt_chunks_free, also after a failure.
ink_status ink_prompt_encode(const char *prompt, const ink_prompt_vocabulary *vocabulary,
                             ink_prompt_chunks *chunks, ink_error *error);
void ink_prompt_chunks_free(ink_prompt_chunks *chunks);
// Append chunks of no words until there are n.
ink_status ink_prompt_chunks_extend(ink_prompt_chunks *chunks, size_t n,
                                    const ink_prompt_vocabulary *vocabulary, ink_error *error);

// Multiply each of n_tokens vectors of `width` by its weight, then all by what keeps their mean.
void ink_prompt_apply_weights(float *vectors, size_t n_tokens, size_t width, const float *weights);

#endif
