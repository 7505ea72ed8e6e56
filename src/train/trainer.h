// Next-token training: a decoder, a corpus of packed documents, an optimiser, and checkpoints from
// which a run goes on as if it had never stopped.
#ifndef INK_TRAIN_TRAINER_H
#define INK_TRAIN_TRAINER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/pool.h"
#include "base/status.h"
#include "train/recipe.h"

// What a run counts and measures, as history and screen call it; static texts.
typedef struct ink_train_words {
  const char *unit;    // of what is trained on: "tokens", "pictures"
  const char *loss;    // what a loss is: "nats per token"
  const char *second;  // the second held-out figure: "character_loss", "psnr"
} ink_train_words;

// What one update did. A decoder's losses are nats per token, means over the tokens' loss weights.
typedef struct ink_train_report {
  const ink_train_words *words;
  int64_t step, steps;
  double loss;
  double gradient_norm;
  double rate;               // the schedule's factor
  int64_t tokens;            // positions, or pictures, trained on since the run began
  double tokens_per_second;  // of the last updates, validation and checkpoints left out
  double gflops;        // useful floating-point operations per second / 1e9 (ink_train_flops), or 0
  bool validated;       // the two below are fresh
  double valid_loss;    // per token of the body of held-out documents
  double valid_second;  // a decoder: of its characters alone, punctuation and the end left out
} ink_train_report;

typedef struct ink_train_listener {
  // After every update; false asks for an end: the trainer then saves a checkpoint and returns
  // CANCELLED.
  bool (*report)(void *context, const ink_train_report *report);
  // A line worth a person's attention (resumed, saved, finished). May be NULL.
  void (*note)(void *context, const char *text);
  void *context;
} ink_train_listener;

typedef struct ink_trainer ink_trainer;

// Prepare a run in the folder `out`: read the corpus, make or load the parameters, and, when `out`
// holds a checkpoint, take up from there. A checkpoint of another recipe is CONFLICT unless
// `force`. `recipe` must outlive the trainer; pool may be NULL.
ink_status ink_trainer_new(const ink_recipe *recipe, const char *out, bool force, ink_pool *pool,
                           ink_trainer **trainer, ink_error *error);
void ink_trainer_free(ink_trainer *trainer);

// Train to the recipe's last step, then write the model folder out/<name> (config.json,
// model.safetensors F32, tokenizer files), out/history.csv and out/loss.svg. Checkpoints go to
// out/checkpoint.safetensors, complete or not at all.
ink_status ink_trainer_run(ink_trainer *trainer, const ink_train_listener *listener,
                           ink_error *error);

// One update with the present parameters, for tests and benchmarks; no checkpoint, no files.
ink_status ink_trainer_step(ink_trainer *trainer, ink_train_report *report, ink_error *error);

// Mean loss of up to `documents` (0: all) of a corpus file under the scoring plan: nats per token
// of the body, and per character. The ISA and precision are those of the trainer.
ink_status ink_trainer_score(ink_trainer *trainer, const char *corpus, int64_t documents,
                             double *loss, double *character_loss, ink_error *error);

// Floating-point operations a training step needs, recomputation not counted: six per parameter of
// a matrix (two forward, four backward) and token, embedding look-ups free, the head counted; for
// attention twelve per head, width and pair of query and visible key.
double ink_train_flops(const ink_decoder_config *config, int64_t tokens, int64_t visible_pairs);

#endif
