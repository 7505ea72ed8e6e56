// The loop that the painter's runs share.
#include "train/painting/course.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/progress.h"
#include "tensor/tape.h"
#include "train/checkpoint.h"
#include "train/history.h"

struct ink_course {
  const ink_course_recipe *recipe;
  ink_course_work work;
  char *out;
  ink_pool *pool;
  ink_arena *lasting;  // gradients, averages, the optimiser's state
  ink_arena *passing;  // one forward and backward pass
  ink_trained *trained;
  size_t n;
  ink_optimizer *optimizer;
  ink_train_state state;
  ink_history history;
  double busy;  // seconds spent in updates since the run was taken up
  double busy_pictures;
};

static ink_status no_memory(ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY,
                  "no memory for training; a smaller micro in the recipe needs less");
}

// ---- setting up ---------------------------------------------------------------------------------

ink_status ink_course_new(const ink_course_recipe *recipe, const ink_course_work *work,
                          const char *out, ink_pool *pool, ink_course **course, ink_error *error) {
  *course = NULL;
  ink_course *made = calloc(1, sizeof *made);
  if (!made) return no_memory(error);
  made->recipe = recipe;
  made->work = *work;
  made->pool = pool;
  made->history.words = work->words;
  made->out = strdup(out);
  made->lasting = ink_arena_new(0);
  made->passing = ink_arena_new(0);
  if (!made->out || !made->lasting || !made->passing) {
    ink_course_free(made);
    return no_memory(error);
  }
  *course = made;
  return INK_OK;
}

void ink_course_free(ink_course *course) {
  if (!course) return;
  ink_history_free(&course->history);
  free(course->trained);
  free(course->out);
  ink_arena_free(course->passing);
  ink_arena_free(course->lasting);
  free(course);
}

// Layers to and from a few channels, such as a picture's, are no matrices in Muon's sense.
static bool is_for_muon(const ink_parameter *parameter) {
  enum { LEAST = 16 };
  const ink_tensor *t = parameter->tensor;
  return parameter->role == INK_PARAMETER_MATRIX && t->rank >= 2 && t->shape[0] >= LEAST &&
         t->shape[1] >= LEAST;
}

static ink_status learn_one(ink_course *course, const char *prefix, const ink_parameter *parameter,
                            ink_error *error) {
  ink_tensor *value = parameter->tensor;
  size_t size = strlen(prefix) + strlen(parameter->name) + 1;
  char *name = ink_arena_take(course->lasting, size);
  ink_tensor *gradient = ink_tensor_new(course->lasting, INK_F32, value->rank, value->shape);
  ink_tensor *average = ink_tensor_new(course->lasting, INK_F32, value->rank, value->shape);
  if (!name || !gradient || !average) return no_memory(error);
  snprintf(name, size, "%s%s", prefix, parameter->name);
  INK_TRY(ink_tape_parameter(course->lasting, value, gradient, error));
  memcpy(average->data, value->data, (size_t)ink_tensor_elements(value) * sizeof(float));
  course->trained[course->n++] = (ink_trained){
      .name = name,
      .value = value,
      .gradient = gradient,
      .average = average,
      .rule = course->recipe->muon && is_for_muon(parameter) ? INK_RULE_MUON : INK_RULE_ADAMW,
      .decay = parameter->role == INK_PARAMETER_MATRIX};
  return INK_OK;
}

ink_status ink_course_learn(ink_course *course, const char *prefix, const ink_parameter *parameters,
                            size_t n, ink_error *error) {
  ink_trained *grown = realloc(course->trained, (course->n + n + 1) * sizeof *grown);
  if (!grown) return no_memory(error);
  course->trained = grown;
  for (size_t i = 0; i < n; i++) INK_TRY(learn_one(course, prefix, &parameters[i], error));
  return INK_OK;
}

static ink_status take_up(ink_course *course, bool force, ink_error *error) {
  char *path = ink_path_join(course->out, INK_CHECKPOINT_NAME);
  if (!path) return no_memory(error);
  ink_status status = INK_OK;
  if (ink_file_exists(path)) {
    status = ink_checkpoint_load(path, course->recipe->sha256, force, course->trained, course->n,
                                 &course->state, error);
    if (status == INK_OK) {
      status = ink_history_load(&course->history, course->out, course->state.step, error);
    }
  }
  free(path);
  return status;
}

ink_status ink_course_ready(ink_course *course, bool force, ink_error *error) {
  INK_TRY(ink_optimizer_new(course->lasting, &course->recipe->optimizer, course->trained, course->n,
                            &course->optimizer, error));
  return take_up(course, force, error);
}

const char *ink_course_folder(const ink_course *course) {
  return course->out;
}

// ---- one update ---------------------------------------------------------------------------------

static void clear_gradients(const ink_course *course) {
  for (size_t i = 0; i < course->n; i++) {
    const ink_tensor *g = course->trained[i].gradient;
    memset(g->data, 0, (size_t)ink_tensor_elements(g) * sizeof(float));
  }
}

static ink_compute compute_of(const ink_course *course) {
  return (ink_compute){
      .arena = course->passing, .pool = course->pool, .precision = course->recipe->precision};
}

// Forward and backward of a micro-batch; its loss is added to *loss.
static ink_status pass(ink_course *course, int64_t first, double *loss, ink_error *error) {
  const ink_course_recipe *r = course->recipe;
  ink_arena_mark mark = ink_arena_save(course->passing);
  ink_compute c = compute_of(course);
  c.tape = ink_tape_new(course->passing);
  if (!c.tape) return no_memory(error);
  const ink_tensor *sum = course->work.loss(course->work.self, &c, first, r->micro);
  ink_tape_backward(&c, sum, (float)(1 / (double)r->batch));
  ink_status status = ink_compute_status(&c, error);
  if (status == INK_OK) *loss += (double)*(const float *)sum->data;
  ink_arena_release(course->passing, mark);
  return status;
}

// Averages follow closely at first, when the weights are of no worth yet.
static double average_decay(const ink_course_recipe *r, int64_t step) {
  return fmin(r->average, (double)(1 + step) / (double)(10 + step));
}

static void measure(ink_course *course, double seconds) {
  course->busy += seconds;
  course->busy_pictures += (double)course->recipe->batch;
  if (course->busy > 60) {  // forget slowly, so that the figure follows the machine
    course->busy /= 2;
    course->busy_pictures /= 2;
  }
}

ink_status ink_course_step(ink_course *course, ink_train_report *report, ink_error *error) {
  const ink_course_recipe *r = course->recipe;
  double began = ink_clock_seconds(), loss = 0, norm;
  clear_gradients(course);
  for (int64_t first = 0; first < r->batch; first += r->micro) {
    INK_TRY(pass(course, course->state.tokens + first, &loss, error));
  }
  int64_t step = course->state.step + 1;
  double rate = ink_schedule_wsd(step, r->steps, r->warmup, r->decay, r->floor);
  INK_TRY(ink_optimizer_step(course->optimizer, course->pool, step, rate, &norm, error));
  ink_average_update(course->pool, course->trained, course->n, average_decay(r, step));
  course->state.step = step;
  course->state.tokens += r->batch;
  measure(course, ink_clock_seconds() - began);
  *report = (ink_train_report){.words = course->work.words,
                               .step = step,
                               .steps = r->steps,
                               .loss = loss / (double)r->batch,
                               .gradient_norm = norm,
                               .rate = rate,
                               .tokens = course->state.tokens,
                               .tokens_per_second = course->busy_pictures / course->busy};
  return INK_OK;
}

// ---- the run ------------------------------------------------------------------------------------

static void note(const ink_train_listener *listener, const char *text) {
  if (listener && listener->note) listener->note(listener->context, text);
}

static ink_status save(ink_course *course, ink_error *error) {
  char *path = ink_path_join(course->out, INK_CHECKPOINT_NAME);
  if (!path) return no_memory(error);
  ink_status status = ink_checkpoint_save(path, course->recipe->sha256, course->trained, course->n,
                                          &course->state, error);
  free(path);
  if (status == INK_OK) status = ink_history_save(&course->history, course->out, error);
  return status;
}

// What the averages are needed for after a step.
typedef struct looks {
  bool validate, sheet, finish;
} looks;

static ink_status look(ink_course *course, looks what, ink_train_report *report,
                       const ink_train_listener *listener, ink_error *error) {
  const ink_course_work *work = &course->work;
  if (!what.validate && !what.sheet && !what.finish) return INK_OK;
  ink_status status = INK_OK;
  ink_compute c = compute_of(course);
  ink_average_swap(course->pool, course->trained, course->n);
  if (what.validate) {
    status = work->validate(work->self, &c, report, listener, error);
    report->validated = status == INK_OK;
  }
  if (status == INK_OK && what.sheet) {
    status = work->sheet(work->self, &c, course->state.step, error);
  }
  if (status == INK_OK && what.finish) status = work->finish(work->self, &c, listener, error);
  ink_average_swap(course->pool, course->trained, course->n);
  return status;
}

static ink_status finish(ink_course *course, const ink_train_listener *listener, ink_error *error) {
  const ink_course_recipe *r = course->recipe;
  char text[512];
  INK_TRY(ink_history_chart(&course->history, course->out, r->name, error));
  INK_TRY(look(course, (looks){.finish = true}, NULL, listener, error));
  snprintf(text, sizeof text, "finished: %lld steps, %lld pictures; model in %s/%s",
           (long long)course->state.step, (long long)course->state.tokens, course->out, r->name);
  note(listener, text);
  return INK_OK;
}

ink_status ink_course_run(ink_course *course, const ink_train_listener *listener,
                          ink_error *error) {
  const ink_course_recipe *r = course->recipe;
  char text[160];
  INK_TRY(ink_folder_make(course->out, error));
  if (course->state.step) {
    snprintf(text, sizeof text, "taken up at step %lld of %lld", (long long)course->state.step,
             (long long)r->steps);
    note(listener, text);
  }
  double saved = ink_clock_seconds(), drawn = saved;
  while (course->state.step < r->steps) {
    ink_train_report report;
    INK_TRY(ink_course_step(course, &report, error));
    bool last = report.step == r->steps;
    double now = ink_clock_seconds();
    looks what = {.validate = last || (r->validate_every && report.step % r->validate_every == 0),
                  .sheet = course->work.sheet && (last || now - drawn >= 60 * r->sheet_minutes)};
    if (what.sheet) drawn = now;
    INK_TRY(look(course, what, &report, listener, error));
    INK_TRY(ink_history_add(&course->history, &report, error));
    bool go_on = !listener || !listener->report || listener->report(listener->context, &report);
    now = ink_clock_seconds();
    if (last || !go_on || now - saved >= 60 * r->checkpoint_minutes) {
      INK_TRY(save(course, error));
      saved = now;
    }
    if (!go_on && !last) {
      return ink_fail(error, INK_ERR_CANCELLED,
                      "stopped at step %lld; the same command goes on from %s/%s",
                      (long long)report.step, course->out, INK_CHECKPOINT_NAME);
    }
  }
  return finish(course, listener, error);
}
