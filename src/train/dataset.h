// A corpus of poems as token ids, and the packed batches that training and scoring draw from it.
// The file keeps every field of a poem apart (docs/poet-data.md), so that each epoch can show the
// model another subset of them; serialisation happens here, on the fly.
#ifndef INK_TRAIN_DATASET_H
#define INK_TRAIN_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "lang/poem.h"

typedef struct ink_dataset ink_dataset;

// Map the file (train.bin, valid.bin, test.bin) and check all of it: header, offsets, every record
// and every token id against the vocabulary size. Fails with FORMAT naming file and byte.
// Release with ink_dataset_close.
ink_status ink_dataset_open(const char *path, ink_dataset **dataset, ink_error *error);
void ink_dataset_close(ink_dataset *dataset);

int64_t ink_dataset_documents(const ink_dataset *dataset);
// Rows an embedding needs to hold every id of the file.
int32_t ink_dataset_vocabulary(const ink_dataset *dataset);
// SHA-256 of the tokenizer.json the ids belong to, as 64 hexadecimal digits.
const char *ink_dataset_tokenizer_sha256(const ink_dataset *dataset);

// How documents become sequences.
typedef struct ink_dataset_plan {
  uint64_t seed;
  int32_t context;  // longest sequence in positions; a longer poem ends after its last whole line
  bool shuffle;     // a new order each epoch, by a permutation keyed with (seed, epoch)
  // Chance that a field which is present is left out, drawn for each (seed, epoch, document).
  float drop[INK_POEM_FIELDS];
  float prefix_weight;  // loss weight of the prefix; the body's is 1
} ink_dataset_plan;

// Training: context 256, shuffled; form and tune are left out with chance 0.1, title 0.25, dynasty,
// tone pattern, rhyme group and author 0.4; theme 0.6, acrostic and rhyme words 0.85, because these
// repeat parts of the body; prefix weight 0.1.
ink_dataset_plan ink_dataset_training_plan(uint64_t seed);
// Scoring, the plan behind every published loss: in file order; form, dynasty, tune, author and
// title always shown; what repeats the body never; prefix weight 0.
ink_dataset_plan ink_dataset_scoring_plan(void);

// Where in the endless sequence of epochs a reader stands. Start with zeros; a checkpoint keeps it.
typedef struct ink_dataset_cursor {
  uint64_t epoch;
  uint64_t index;  // documents of this epoch already given out
} ink_dataset_cursor;

// What the model is asked to predict at a position.
typedef enum ink_target_kind {
  INK_TARGET_NONE = 0,     // padding
  INK_TARGET_PREFIX,       // control tokens and fields before the body
  INK_TARGET_CHARACTER,    // a character of the body
  INK_TARGET_PUNCTUATION,  // a punctuation mark or line break of the body
  INK_TARGET_END           // <eos>
} ink_target_kind;

// Whole documents one after another, each shifted by one: ids[i] is followed by targets[i].
// Attention is block-diagonal: document d is [starts[d], starts[d + 1]), causal within.
typedef struct ink_batch {
  int64_t capacity;    // positions of each array below
  int64_t n_position;  // used ones; behind them ids and targets are the padding token, weight 0
  int64_t n_document;  // at most capacity / 2
  int32_t *ids;        // (capacity)
  int32_t *targets;    // (capacity)
  float *weights;      // (capacity) loss weight of targets[i]
  int32_t *positions;  // (capacity) position within its document, from 0; always < context
  uint8_t *kinds;      // (capacity) ink_target_kind of targets[i]
  int32_t *starts;     // (capacity / 2 + 1) ascending; starts[n_document] == n_position
  int64_t *documents;  // (capacity / 2) index of each document in the file
} ink_batch;

ink_status ink_batch_new(int64_t capacity, ink_batch *batch, ink_error *error);
void ink_batch_free(ink_batch *batch);

// Fill the batch with the documents that follow `cursor`, as many as fit whole, and move the cursor
// past them. Depends on (file, plan, cursor, capacity) alone. An epoch's end goes on into the next
// epoch, unless `one_epoch`: then the batch ends there, and is empty (n_position 0) when nothing is
// left. The capacity must be at least plan->context.
ink_status ink_dataset_fill(const ink_dataset *dataset, const ink_dataset_plan *plan,
                            bool one_epoch, ink_dataset_cursor *cursor, ink_batch *batch,
                            ink_error *error);

// One document as a sequence from <bos> to <eos>, as epoch `epoch` of the plan shows it, into
// ids[0 … plan->context + 1). *n_prefix counts the tokens before the body, <bos> and <诗> included.
ink_status ink_dataset_document(const ink_dataset *dataset, const ink_dataset_plan *plan,
                                uint64_t epoch, int64_t document, uint16_t *ids, int32_t *n_ids,
                                int32_t *n_prefix, ink_error *error);

// The keyed permutation: a bijection of [0, n) for each (key, round); a Feistel network with
// Philox as round function, walked until it lands in range (Black and Rogaway, CT-RSA 2002).
uint64_t ink_dataset_permutation(uint64_t n, uint64_t key, uint64_t round, uint64_t index);

// The document at place `index` of epoch `round`: a bijection of [0, n) for each (key, round). A
// Feistel network with Philox as round function, walked until it lands in range (Black and Rogaway,
// "Ciphers with Arbitrary Finite Domains", CT-RSA 2002).
uint64_t ink_dataset_order(uint64_t n, uint64_t key, uint64_t round, uint64_t index);

#endif
