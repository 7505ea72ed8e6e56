// inkstone train: run a recipe, or build the corpus it needs.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pool.h"
#include "cli/cli.h"
#include "train/painter.h"
#include "train/painting/autoencoder.h"
#include "train/painting/painter.h"
#include "train/poetry.h"
#include "train/recipe.h"
#include "train/trainer.h"

// ---- train data ---------------------------------------------------------------------------------

static ink_status build_data(const char *corpus, const char *from, const char *out,
                             const char *commit, ink_error *error) {
  bool pictures = strcmp(corpus, "pictures") == 0;
  ink_cli_bar bar;
  ink_progress progress = ink_cli_progress(&bar, corpus);
  ink_poetry_options poetry = {.from = from, .out = out, .commit = commit};
  ink_painter_options painter = {.from = from, .out = out};
  ink_status status = pictures ? ink_painter_build(&painter, &progress, error)
                               : ink_poetry_build(&poetry, &progress, error);
  ink_cli_progress_end(&bar);
  return status;
}

// Scenes as the recipe draws them, as a file for trainers elsewhere.
static ink_status lay_out(const char *from, const char *out, const char *path, int64_t count,
                          bool held_out, ink_pool *pool, ink_error *error) {
  ink_painter_recipe recipe;
  ink_cli_bar bar;
  INK_TRY(ink_painter_recipe_load(path, &recipe, error));
  ink_progress progress = ink_cli_progress(&bar, "scenes");
  ink_status status =
      ink_painter_lay_out(&recipe, from, count, held_out, out, pool, &progress, error);
  ink_cli_progress_end(&bar);
  ink_painter_recipe_free(&recipe);
  return status;
}

static ink_status run_scenes(const ink_command *self, int argc, char **argv, ink_error *error) {
  const char *from = NULL, *out = NULL, *recipe = NULL;
  int64_t count = 0, threads = 0;
  bool held_out = false;
  ink_option options[] = {
      {.name = "from",
       .kind = INK_OPTION_STRING,
       .value = &from,
       .argument = "DIR",
       .help = "folder that train data pictures wrote"},
      {.name = "recipe",
       .kind = INK_OPTION_STRING,
       .value = &recipe,
       .argument = "FILE",
       .help = "recipe of a painter: its things, freedom, seed and side"},
      {.name = "count",
       .letter = 'n',
       .kind = INK_OPTION_INT,
       .value = &count,
       .argument = "N",
       .help = "how many scenes (default: as many as the recipe says)",
       .low = 1,
       .high = 10000000},
      {.name = "held-out",
       .kind = INK_OPTION_FLAG,
       .value = &held_out,
       .help = "scenes that are never trained on, to measure with"},
      {.name = "out",
       .letter = 'o',
       .kind = INK_OPTION_STRING,
       .value = &out,
       .argument = "FILE",
       .help = "safetensors file to write: pictures, captions, counts, kinds"},
      ink_option_threads(&threads),
  };
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, sizeof options / sizeof *options, argc, argv, &n, &done,
                           error));
  if (done) return INK_OK;
  if (n != 0 || !from || !recipe || !out) {
    return ink_fail(error, INK_ERR_USAGE, "--from, --recipe and --out are needed");
  }
  ink_pool *pool = ink_pool_new((int)threads);
  ink_status status = lay_out(from, out, recipe, count, held_out, pool, error);
  ink_pool_free(pool);
  if (status == INK_OK) printf("%s\n", out);
  return status;
}

static const ink_command scenes_command = {
    .name = "train data scenes",
    .summary = "Lay out a painter's scenes into a file, for trainers elsewhere",
    .usage = "train data scenes --from DIR --recipe FILE [--count N] [--held-out] --out FILE",
    .examples =
        "inkstone train data scenes --from pictures --recipe models/painter/recipe.yaml -n 1000 "
        "-o scenes.safetensors\n",
    .run = run_scenes,
};

static ink_status run_data(const ink_command *self, int argc, char **argv, ink_error *error) {
  const char *from = NULL, *out = NULL, *commit = NULL;
  ink_option options[] = {
      {.name = "from",
       .kind = INK_OPTION_STRING,
       .value = &from,
       .argument = "DIR",
       .help = "poetry: checkout of github.com/chinese-poetry/chinese-poetry; pictures: folder "
               "with noto-emoji, blobmoji, cldr-annotations-full, emojibase-data and, if wanted, "
               "serenity"},
      {.name = "out",
       .letter = 'o',
       .kind = INK_OPTION_STRING,
       .value = &out,
       .argument = "DIR",
       .help = "folder to write"},
      {.name = "commit",
       .kind = INK_OPTION_STRING,
       .value = &commit,
       .argument = "HASH",
       .help = "commit of the poetry checkout, where it has no .git"},
  };
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, sizeof options / sizeof *options, argc, argv, &n, &done,
                           error));
  if (done) return INK_OK;
  bool known = n == 1 && (strcmp(argv[1], "poetry") == 0 || strcmp(argv[1], "pictures") == 0);
  if (!known) return ink_fail(error, INK_ERR_USAGE, "name one corpus: poetry, pictures or scenes");
  if (!from || !out) return ink_fail(error, INK_ERR_USAGE, "--from and --out are needed");
  if (commit && strcmp(argv[1], "poetry") != 0) {
    return ink_fail(error, INK_ERR_USAGE, "--commit belongs to poetry");
  }
  INK_TRY(build_data(argv[1], from, out, commit, error));
  printf("%s\n", out);
  return INK_OK;
}

static const ink_command data_command = {
    .name = "train data",
    .summary = "Build a training corpus",
    .usage =
        "train data poetry|pictures --from DIR --out DIR | train data scenes --from DIR "
        "--recipe FILE --out FILE",
    .examples =
        "inkstone train data poetry --from chinese-poetry --out poetry\n"
        "inkstone train data pictures --from drawings --out pictures\n",
    .run = run_data,
    .below = (const ink_command *const[]){&scenes_command, NULL},
};

// ---- train RECIPE -------------------------------------------------------------------------------

typedef struct screen {
  bool terminal;
  double began, drawn;
  int64_t first_step;
} screen;

static bool report(void *context, const ink_train_report *r) {
  screen *s = context;
  double now = ink_clock_seconds();
  if (!s->first_step) {
    s->first_step = r->step;
    s->began = now;
  }
  // A terminal is redrawn often, a log gets a line a minute; what was validated always shows.
  if (r->validated || r->step == r->steps || now - s->drawn >= (s->terminal ? 0.2 : 60)) {
    int64_t done = r->step - s->first_step;
    double left = done ? (now - s->began) / (double)done * (double)(r->steps - r->step) : 0;
    fprintf(stderr,
            "%sstep %lld/%lld  loss %.4f  %.*f %s/s  norm %.2f  rate %.3f  left %d:%02d:%02d",
            s->terminal ? "\r\033[K" : "", (long long)r->step, (long long)r->steps, r->loss,
            r->tokens_per_second < 100 ? 1 : 0, r->tokens_per_second, r->words->unit,
            r->gradient_norm, r->rate, (int)left / 3600, (int)left / 60 % 60, (int)left % 60);
    if (r->gflops > 0) fprintf(stderr, "  %.0f GFLOP/s", r->gflops);
    if (r->validated) {
      fprintf(stderr, "  held out %.4f (%s %.4f)", r->valid_loss, r->words->second,
              r->valid_second);
    }
    if (!s->terminal || r->validated) fputc('\n', stderr);
    fflush(stderr);
    s->drawn = now;
  }
  return !ink_cli_interrupted();
}

static void note(void *context, const char *text) {
  const screen *s = context;
  fprintf(stderr, "%s%s\n", s->terminal ? "\r\033[K" : "", text);
}

// Where and how a run goes.
typedef struct place {
  const char *out;  // NULL: runs/NAME
  bool force;
  ink_pool *pool;
  const ink_train_listener *listener;
} place;

static const char *folder_of(const place *where, const char *name, char folder[512]) {
  if (where->out) return where->out;
  snprintf(folder, 512, "runs/%s", name);
  return folder;
}

static ink_status train_decoder(const char *path, const place *where, ink_error *error) {
  ink_recipe recipe;
  ink_trainer *trainer = NULL;
  char folder[512];
  INK_TRY(ink_recipe_load(path, &recipe, error));
  ink_status status = ink_trainer_new(&recipe, folder_of(where, recipe.name, folder), where->force,
                                      where->pool, &trainer, error);
  if (status == INK_OK) status = ink_trainer_run(trainer, where->listener, error);
  ink_trainer_free(trainer);
  ink_recipe_free(&recipe);
  return status;
}

static ink_status train_autoencoder(const char *path, const place *where, ink_error *error) {
  ink_autoencoder_recipe recipe;
  ink_autoencoder_trainer *trainer = NULL;
  char folder[512];
  INK_TRY(ink_autoencoder_recipe_load(path, &recipe, error));
  ink_status status =
      ink_autoencoder_trainer_new(&recipe, folder_of(where, recipe.course.name, folder),
                                  where->force, where->pool, &trainer, error);
  if (status == INK_OK) status = ink_autoencoder_trainer_run(trainer, where->listener, error);
  ink_autoencoder_trainer_free(trainer);
  ink_autoencoder_recipe_free(&recipe);
  return status;
}

static ink_status train_painter(const char *path, const place *where, ink_error *error) {
  ink_painter_recipe recipe;
  ink_painter_trainer *trainer = NULL;
  char folder[512];
  INK_TRY(ink_painter_recipe_load(path, &recipe, error));
  ink_cli_bar bar;
  ink_progress progress = ink_cli_progress(&bar, "scenes");
  ink_status status =
      ink_painter_trainer_new(&recipe, folder_of(where, recipe.course.name, folder), where->force,
                              where->pool, &progress, &trainer, error);
  ink_cli_progress_end(&bar);
  if (status == INK_OK) status = ink_painter_trainer_run(trainer, where->listener, error);
  ink_painter_trainer_free(trainer);
  ink_painter_recipe_free(&recipe);
  return status;
}

static ink_status train_by(const char *path, const place *where, ink_error *error) {
  ink_recipe_kind kind;
  INK_TRY(ink_recipe_kind_of(path, &kind, error));
  switch (kind) {
    case INK_RECIPE_AUTOENCODER:
      return train_autoencoder(path, where, error);
    case INK_RECIPE_PAINTER:
      return train_painter(path, where, error);
    case INK_RECIPE_DECODER:
    default:
      return train_decoder(path, where, error);
  }
}

static ink_status run(const ink_command *self, int argc, char **argv, ink_error *error) {
  const char *out = NULL;
  int64_t threads = 0;
  bool force = false;
  ink_option options[] = {
      {.name = "out",
       .letter = 'o',
       .kind = INK_OPTION_STRING,
       .value = &out,
       .argument = "DIR",
       .help = "folder of the run: checkpoints, history, chart, model (default: runs/NAME)"},
      ink_option_threads(&threads),
      {.name = "force",
       .kind = INK_OPTION_FLAG,
       .value = &force,
       .help = "go on from a checkpoint that another recipe made"},
  };
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, sizeof options / sizeof *options, argc, argv, &n, &done,
                           error));
  if (done) return INK_OK;
  if (n != 1) return ink_fail(error, INK_ERR_USAGE, "name one recipe, a YAML file");
  screen s = {.terminal = isatty(STDERR_FILENO) == 1};
  ink_train_listener listener = {report, note, &s};
  place where = {out, force, ink_pool_new((int)threads), &listener};
  ink_cli_catch_interrupts();
  ink_status status = train_by(argv[1], &where, error);
  if (s.terminal) fputs("\r\033[K", stderr);
  ink_pool_free(where.pool);
  return status;
}

const ink_command ink_command_train = {
    .name = "train",
    .summary = "Train a model by a recipe, or build a corpus for it",
    .usage = "train RECIPE.yaml [--out DIR] | train data poetry|pictures --from DIR --out DIR",
    .examples =
        "inkstone train data poetry --from chinese-poetry --out poetry\n"
        "inkstone train models/poet/recipe.yaml --out runs/poet\n"
        "inkstone train models/painter/recipe.yaml\n",
    .run = run,
    .below = (const ink_command *const[]){&data_command, NULL},
};
