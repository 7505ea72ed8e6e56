// A course: how a network that learns from pictures is trained, whatever it learns. It gathers
// parameters, takes updates, keeps averages of the weights (Polyak and Juditsky 1992) and saves
// checkpoints, from which it goes on as if it had never stopped.
#ifndef INK_TRAIN_PAINTING_COURSE_H
#define INK_TRAIN_PAINTING_COURSE_H

#include "models/decoder.h"
#include "train/painting/recipe.h"
#include "train/trainer.h"

// What is learnt. The functions get `self`; errors of `loss` stay in the compute context.
typedef struct ink_course_work {
  void *self;
  const ink_train_words *words;
  // The sum of the losses of samples [first, first + n) of all that the run ever sees, a tensor of
  // rank 0. Depends on these numbers and the parameters alone.
  ink_tensor *(*loss)(void *self, ink_compute *c, int64_t first, int64_t n);
  // In these three the averages stand in place of the parameters. Fill in valid_loss and
  // valid_second.
  ink_status (*validate)(void *self, ink_compute *c, ink_train_report *report,
                         const ink_train_listener *listener, ink_error *error);
  ink_status (*sheet)(void *self, ink_compute *c, int64_t step, ink_error *error);  // or NULL
  ink_status (*finish)(void *self, ink_compute *c, const ink_train_listener *listener,
                       ink_error *error);
} ink_course_work;

typedef struct ink_course ink_course;

// A course in the folder `out`. recipe outlives it; pool may be NULL.
ink_status ink_course_new(const ink_course_recipe *recipe, const ink_course_work *work,
                          const char *out, ink_pool *pool, ink_course **course, ink_error *error);
void ink_course_free(ink_course *course);

// Learn these parameters, which are F32 and outlive the course, under the names prefix + name.
ink_status ink_course_learn(ink_course *course, const char *prefix, const ink_parameter *parameters,
                            size_t n, ink_error *error);
// All parameters are there: make the optimiser and, when `out` holds a checkpoint, take up from
// there. A checkpoint of another recipe is CONFLICT unless `force`.
ink_status ink_course_ready(ink_course *course, bool force, ink_error *error);

// To the last step, as ink_trainer_run.
ink_status ink_course_run(ink_course *course, const ink_train_listener *listener, ink_error *error);
// One update, for tests and benchmarks.
ink_status ink_course_step(ink_course *course, ink_train_report *report, ink_error *error);

const char *ink_course_folder(const ink_course *course);

#endif
