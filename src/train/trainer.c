// The training loop.
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/progress.h"
#include "tensor/tape.h"
#include "train/checkpoint.h"
#include "train/dataset.h"
#include "train/history.h"
#include "weights/weights.h"

struct ink_trainer {
  const ink_recipe *recipe;
  char *out;
  ink_pool *pool;
  ink_arena *lasting;  // parameters' gradients and optimiser state
  ink_arena *passing;  // one forward and backward pass
  ink_decoder *decoder;
  ink_trained *trained;
  size_t n_trained;
  ink_optimizer *optimizer;
  ink_dataset *corpus;
  ink_dataset_plan plan;
  ink_batch *batches;  // one per micro-batch of a step
  size_t n_batch;
  int32_t *first_key;  // (micro_tokens)
  float *row_nll;      // (micro_tokens)
  ink_train_state state;
  ink_history history;
  double busy;  // seconds spent in updates since the run was taken up
  int64_t busy_tokens;
  double busy_flops;
};

static ink_status no_memory(ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY,
                  "no memory for training; a smaller micro_tokens in the recipe needs less");
}

static const ink_train_words decoder_words = {"tokens", "nats per token", "character_loss"};

double ink_train_flops(const ink_decoder_config *m, int64_t tokens, int64_t visible_pairs) {
  double attention = (double)m->hidden * m->head_dim * (2.0 * m->n_head + 2.0 * m->n_kv_head);
  double feed_forward =
      (double)m->hidden * m->ff * (m->activation == INK_ACTIVATION_SWIGLU ? 3 : 2);
  double matrices = m->n_layer * (attention + feed_forward) + (double)m->hidden * m->vocab;
  double pairs = 12.0 * m->n_layer * m->n_head * m->head_dim * (double)visible_pairs;
  return 6 * matrices * (double)tokens + pairs;
}

// ---- setting up ---------------------------------------------------------------------------------

static ink_status open_decoder(ink_trainer *t, ink_error *error) {
  const ink_recipe *r = t->recipe;
  if (!r->start) return ink_decoder_new(&r->model, &r->init, &t->decoder, error);
  ink_weights *weights;
  INK_TRY(ink_weights_open(r->start, &weights, error));
  ink_status status = ink_decoder_open_trainable(&r->model, weights, &t->decoder, error);
  ink_weights_close(weights);
  return status;
}

static ink_status make_trainable(ink_trainer *t, ink_error *error) {
  size_t n;
  ink_parameter *parameters = ink_decoder_parameters(t->decoder, &n);
  t->trained = ink_arena_zeros(t->lasting, n, sizeof *t->trained);
  if (!t->trained) return no_memory(error);
  t->n_trained = n;
  for (size_t i = 0; i < n; i++) {
    ink_tensor *value = parameters[i].tensor;
    ink_tensor *gradient = ink_tensor_new(t->lasting, INK_F32, value->rank, value->shape);
    if (!gradient) return no_memory(error);
    INK_TRY(ink_tape_parameter(t->lasting, value, gradient, error));
    bool matrix = parameters[i].role == INK_PARAMETER_MATRIX;
    t->trained[i] = (ink_trained){
        .name = parameters[i].name,
        .value = value,
        .gradient = gradient,
        .rule = matrix && t->recipe->muon ? INK_RULE_MUON : INK_RULE_ADAMW,
        .decay = matrix,
    };
  }
  return ink_optimizer_new(t->lasting, &t->recipe->optimizer, t->trained, n, &t->optimizer, error);
}

static ink_status open_corpus(ink_trainer *t, ink_error *error) {
  const ink_recipe *r = t->recipe;
  char *path = ink_path_join(r->data, "train.bin");
  if (!path) return no_memory(error);
  ink_status status = ink_dataset_open(path, &t->corpus, error);
  if (status == INK_OK && ink_dataset_vocabulary(t->corpus) > r->model.vocab) {
    status = ink_fail(error, INK_ERR_CONFLICT,
                      "%s has token ids up to %d, but the recipe's vocab_size is %d", path,
                      ink_dataset_vocabulary(t->corpus) - 1, r->model.vocab);
  }
  free(path);
  INK_TRY(status);
  t->plan = ink_dataset_training_plan(r->seed);
  t->plan.context = r->context;
  t->n_batch = (size_t)(r->batch_tokens / r->micro_tokens);
  t->batches = calloc(t->n_batch, sizeof *t->batches);
  t->first_key = calloc((size_t)r->micro_tokens, sizeof *t->first_key);
  t->row_nll = calloc((size_t)r->micro_tokens, sizeof *t->row_nll);
  if (!t->batches || !t->first_key || !t->row_nll) return no_memory(error);
  for (size_t i = 0; i < t->n_batch; i++) {
    INK_TRY(ink_batch_new(r->micro_tokens, &t->batches[i], error));
  }
  return INK_OK;
}

static ink_status take_up(ink_trainer *t, bool force, ink_error *error) {
  char *path = ink_path_join(t->out, INK_CHECKPOINT_NAME);
  if (!path) return no_memory(error);
  ink_status status = INK_OK;
  if (ink_file_exists(path)) {
    status = ink_checkpoint_load(path, t->recipe->sha256, force, t->trained, t->n_trained,
                                 &t->state, error);
    if (status == INK_OK) status = ink_history_load(&t->history, t->out, t->state.step, error);
  }
  free(path);
  return status;
}

ink_status ink_trainer_new(const ink_recipe *recipe, const char *out, bool force, ink_pool *pool,
                           ink_trainer **trainer, ink_error *error) {
  ink_trainer *t = calloc(1, sizeof *t);
  if (!t) return no_memory(error);
  t->recipe = recipe;
  t->pool = pool;
  t->out = strdup(out);
  t->history.words = &decoder_words;
  t->lasting = ink_arena_new(0);
  t->passing = ink_arena_new(0);
  ink_status status = t->out && t->lasting && t->passing ? INK_OK : no_memory(error);
  if (status == INK_OK) status = open_corpus(t, error);
  if (status == INK_OK) status = open_decoder(t, error);
  if (status == INK_OK) status = make_trainable(t, error);
  if (status == INK_OK) status = take_up(t, force, error);
  if (status != INK_OK) {
    ink_trainer_free(t);
    return status;
  }
  *trainer = t;
  return INK_OK;
}

void ink_trainer_free(ink_trainer *t) {
  if (!t) return;
  for (size_t i = 0; t->batches && i < t->n_batch; i++) ink_batch_free(&t->batches[i]);
  free(t->batches);
  free(t->first_key);
  free(t->row_nll);
  free(t->out);
  ink_history_free(&t->history);
  ink_dataset_close(t->corpus);
  ink_decoder_free(t->decoder);
  ink_arena_free(t->passing);
  ink_arena_free(t->lasting);
  free(t);
}

// ---- one pass -----------------------------------------------------------------------------------

// Where each query's document begins, and how many pairs of query and visible key there are.
static int64_t fill_first_key(const ink_batch *batch, int32_t *first_key) {
  int64_t pairs = 0;
  for (int64_t d = 0; d < batch->n_document; d++) {
    int64_t length = batch->starts[d + 1] - batch->starts[d];
    for (int32_t i = batch->starts[d]; i < batch->starts[d + 1]; i++) {
      first_key[i] = batch->starts[d];
    }
    pairs += length * (length + 1) / 2;
  }
  return pairs;
}

// The summed, weighted loss of a batch as a tensor of rank 0 in the passing arena; NULL on failure,
// which stays in the context. Only used positions take part.
static ink_tensor *batch_loss(ink_trainer *t, ink_compute *c, const ink_batch *batch,
                              uint64_t dropout_step) {
  int64_t n = batch->n_position;
  ink_tensor ids = ink_tensor_view(INK_I32, batch->ids, 2, (int64_t[]){1, n});
  ink_tensor positions = ink_tensor_view(INK_I32, batch->positions, 2, (int64_t[]){1, n});
  ink_tensor first_key = ink_tensor_view(INK_I32, t->first_key, 2, (int64_t[]){1, n});
  ink_tensor targets = ink_tensor_view(INK_I32, batch->targets, 1, (int64_t[]){n});
  ink_tensor weights = ink_tensor_view(INK_F32, batch->weights, 1, (int64_t[]){n});
  ink_decoder_input input = {.ids = &ids,
                             .positions = &positions,
                             .first_key = &first_key,
                             .dropout = t->recipe->dropout,
                             .dropout_seed = t->recipe->seed,
                             .dropout_step = dropout_step};
  const ink_tensor *hidden = ink_decoder_forward(c, t->decoder, &input);
  hidden = ink_reshape(c, hidden, 2, (int64_t[]){n, t->recipe->model.hidden});
  return ink_linear_cross_entropy(c, hidden, ink_decoder_head_weight(t->decoder), &targets,
                                  &weights, t->row_nll);
}

ink_status ink_trainer_step(ink_trainer *t, ink_train_report *report, ink_error *error) {
  const ink_recipe *r = t->recipe;
  double began = ink_clock_seconds();
  ink_dataset_cursor cursor = {t->state.epoch, t->state.index};
  double weight = 0;
  int64_t tokens = 0, pairs = 0;
  for (size_t i = 0; i < t->n_batch; i++) {
    INK_TRY(ink_dataset_fill(t->corpus, &t->plan, false, &cursor, &t->batches[i], error));
    for (int64_t j = 0; j < t->batches[i].n_position; j++) {
      weight += (double)t->batches[i].weights[j];
    }
    tokens += t->batches[i].n_position;
  }
  if (weight <= 0) return ink_fail(error, INK_ERR_CONFLICT, "%s: nothing to learn", r->data);
  for (size_t i = 0; i < t->n_trained; i++) {
    const ink_tensor *g = t->trained[i].gradient;
    memset(g->data, 0, (size_t)ink_tensor_elements(g) * sizeof(float));
  }
  double loss = 0;
  int64_t step = t->state.step + 1;
  for (size_t i = 0; i < t->n_batch; i++) {
    ink_arena_mark mark = ink_arena_save(t->passing);
    ink_compute c = {.arena = t->passing,
                     .pool = t->pool,
                     .tape = ink_tape_new(t->passing),
                     .precision = r->precision};
    if (!c.tape) return no_memory(error);
    pairs += fill_first_key(&t->batches[i], t->first_key);
    uint64_t pass = (uint64_t)step * t->n_batch + i;
    const ink_tensor *sum = batch_loss(t, &c, &t->batches[i], pass);
    ink_tape_backward(&c, sum, (float)(1 / weight));
    ink_status status = ink_compute_status(&c, error);
    if (status == INK_OK) loss += (double)*(const float *)sum->data;
    ink_arena_release(t->passing, mark);
    INK_TRY(status);
  }
  double rate = ink_schedule_wsd(step, r->steps, r->warmup, r->decay, r->floor);
  double norm;
  INK_TRY(ink_optimizer_step(t->optimizer, t->pool, step, rate, &norm, error));
  t->state.step = step;
  t->state.tokens += tokens;
  t->state.epoch = cursor.epoch;
  t->state.index = cursor.index;
  t->busy += ink_clock_seconds() - began;
  t->busy_tokens += tokens;
  t->busy_flops += ink_train_flops(&r->model, tokens, pairs);
  *report = (ink_train_report){.words = &decoder_words,
                               .step = step,
                               .steps = r->steps,
                               .loss = loss / weight,
                               .gradient_norm = norm,
                               .rate = rate,
                               .tokens = t->state.tokens,
                               .tokens_per_second = (double)t->busy_tokens / t->busy,
                               .gflops = t->busy_flops / t->busy * 1e-9};
  if (t->busy > 10) {  // forget slowly, so that the figures follow the machine
    t->busy /= 2;
    t->busy_tokens /= 2;
    t->busy_flops /= 2;
  }
  return INK_OK;
}

// ---- held-out loss ------------------------------------------------------------------------------

typedef struct tally {
  double all, characters;
  int64_t n_all, n_characters;
} tally;

static ink_status score_batch(ink_trainer *t, const ink_batch *batch, tally *sum,
                              ink_error *error) {
  ink_arena_mark mark = ink_arena_save(t->passing);
  ink_compute c = {.arena = t->passing, .pool = t->pool, .precision = t->recipe->precision};
  fill_first_key(batch, t->first_key);
  batch_loss(t, &c, batch, 0);
  ink_status status = ink_compute_status(&c, error);
  for (int64_t i = 0; status == INK_OK && i < batch->n_position; i++) {
    if (batch->kinds[i] < INK_TARGET_CHARACTER) continue;
    sum->all += (double)t->row_nll[i];
    sum->n_all++;
    if (batch->kinds[i] != INK_TARGET_CHARACTER) continue;
    sum->characters += (double)t->row_nll[i];
    sum->n_characters++;
  }
  ink_arena_release(t->passing, mark);
  return status;
}

ink_status ink_trainer_score(ink_trainer *t, const char *path, int64_t documents, double *loss,
                             double *character_loss, ink_error *error) {
  ink_dataset *corpus;
  INK_TRY(ink_dataset_open(path, &corpus, error));
  ink_dataset_plan plan = ink_dataset_scoring_plan();
  plan.context = t->recipe->context;
  ink_dataset_cursor cursor = {0};
  tally sum = {0};
  ink_batch *batch = &t->batches[0];  // free between steps
  ink_status status =
      ink_dataset_vocabulary(corpus) <= t->recipe->model.vocab
          ? INK_OK
          : ink_fail(error, INK_ERR_CONFLICT, "%s: token ids beyond the vocabulary", path);
  for (int64_t seen = 0; status == INK_OK && (!documents || seen < documents);) {
    status = ink_dataset_fill(corpus, &plan, true, &cursor, batch, error);
    if (status != INK_OK || batch->n_position == 0) break;
    status = score_batch(t, batch, &sum, error);
    seen += batch->n_document;
  }
  ink_dataset_close(corpus);
  if (status == INK_OK && sum.n_characters == 0) {
    status = ink_fail(error, INK_ERR_CONFLICT, "%s: holds nothing to score", path);
  }
  if (status != INK_OK) return status;
  *loss = sum.all / (double)sum.n_all;
  *character_loss = sum.characters / (double)sum.n_characters;
  return INK_OK;
}

// ---- the run ------------------------------------------------------------------------------------

static void note(const ink_train_listener *listener, const char *text) {
  if (listener && listener->note) listener->note(listener->context, text);
}

static ink_status save(ink_trainer *t, ink_error *error) {
  char *path = ink_path_join(t->out, INK_CHECKPOINT_NAME);
  if (!path) return no_memory(error);
  ink_status status =
      ink_checkpoint_save(path, t->recipe->sha256, t->trained, t->n_trained, &t->state, error);
  free(path);
  if (status == INK_OK) status = ink_history_save(&t->history, t->out, error);
  return status;
}

// A corpus without held-out documents (no valid.bin, or an empty one) is trained without
// validation.
static ink_status count_held_out(const char *path, int64_t *n, ink_error *error) {
  ink_dataset *corpus;
  *n = 0;
  if (!ink_file_exists(path)) return INK_OK;
  INK_TRY(ink_dataset_open(path, &corpus, error));
  *n = ink_dataset_documents(corpus);
  ink_dataset_close(corpus);
  return INK_OK;
}

static ink_status validate(ink_trainer *t, ink_train_report *report, ink_error *error) {
  char *path = ink_path_join(t->recipe->data, "valid.bin");
  if (!path) return no_memory(error);
  int64_t n;
  ink_status status = count_held_out(path, &n, error);
  if (status == INK_OK && n > 0) {
    status = ink_trainer_score(t, path, t->recipe->validate_documents, &report->valid_loss,
                               &report->valid_second, error);
    report->validated = status == INK_OK;
  }
  free(path);
  return status;
}

ink_status ink_trainer_run(ink_trainer *t, const ink_train_listener *listener, ink_error *error) {
  const ink_recipe *r = t->recipe;
  char text[160];
  INK_TRY(ink_folder_make(t->out, error));
  if (t->state.step) {
    snprintf(text, sizeof text, "taken up at step %lld of %lld", (long long)t->state.step,
             (long long)r->steps);
    note(listener, text);
  }
  double saved = ink_clock_seconds();
  while (t->state.step < r->steps) {
    ink_train_report report;
    INK_TRY(ink_trainer_step(t, &report, error));
    bool last = report.step == r->steps;
    if (last || (r->validate_every && report.step % r->validate_every == 0)) {
      INK_TRY(validate(t, &report, error));
    }
    INK_TRY(ink_history_add(&t->history, &report, error));
    bool go_on = !listener || !listener->report || listener->report(listener->context, &report);
    double now = ink_clock_seconds();
    if (last || !go_on || now - saved >= 60 * r->checkpoint_minutes) {
      INK_TRY(save(t, error));
      saved = now;
    }
    if (!go_on && !last) {
      return ink_fail(error, INK_ERR_CANCELLED,
                      "stopped at step %lld; the same command goes on from %s/%s",
                      (long long)report.step, t->out, INK_CHECKPOINT_NAME);
    }
  }
  INK_TRY(ink_history_chart(&t->history, t->out, r->name, error));
  INK_TRY(ink_train_export(t->decoder, r, t->out, error));
  snprintf(text, sizeof text, "finished: %lld steps, %lld tokens; model in %s/%s",
           (long long)t->state.step, (long long)t->state.tokens, t->out, r->name);
  note(listener, text);
  return INK_OK;
}
