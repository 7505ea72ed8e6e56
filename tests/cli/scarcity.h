// Running a command of the program again and again, each time without memory for another of its
// allocations (support/scarce_memory.c), and judging what it then says and leaves.
#ifndef INK_TESTS_SCARCITY_H
#define INK_TESTS_SCARCITY_H

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mark/ledger/ledger.h"
#include "program.h"
#include "support/scarce.h"

// A command that is tried. Both lines are a shell's, with $FIXTURES, in a home of their own.
typedef struct scarcity {
  const char *command;  // without the program
  const char *before;   // what makes the files it needs; may be NULL
} scarcity;

typedef struct scarcity_file {
  char path[256];  // below the home
  char sha256[INK_SHA256_HEX];
} scarcity_file;

// What a run leaves.
typedef struct scarcity_state {
  int status;
  char *out, *err;
  scarcity_file files[256];
  size_t n_file;
  int64_t n_row;  // of the ledger
} scarcity_state;

typedef struct scarcity_runner {
  const scarcity *of;
  char base[512], work[512];
  scarce_board *board;
  pid_t server;
  int orders, answers;
  scarcity_state before, after;  // without the run, and with one that gets all its memory
  bool speaks_otherwise;         // each run prints something of its own, such as a time
  uint64_t n_run;
  int n_fault;
} scarcity_runner;

// ---- folders

static char scarcity_from[512], scarcity_to[512];

static inline int scarcity_copy_one(const char *path, const struct stat *info, int kind,
                                    struct FTW *walk) {
  (void)walk;
  char to[1024];
  snprintf(to, sizeof to, "%s%s", scarcity_to, path + strlen(scarcity_from));
  if (kind == FTW_D) return mkdir(to, info->st_mode & 0777);
  int in = open(path, O_RDONLY | O_CLOEXEC);
  int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, info->st_mode & 0777);
  char bytes[1 << 16];
  ssize_t n = -1;
  while (in >= 0 && out >= 0 && (n = read(in, bytes, sizeof bytes)) > 0) {
    if (write(out, bytes, (size_t)n) != n) n = -1;
  }
  close(in);
  close(out);
  return n == 0 ? 0 : -1;
}

// A new folder with all that is in another.
static inline void scarcity_copy(const char *from, const char *to) {
  scratch_remove(to);
  snprintf(scarcity_from, sizeof scarcity_from, "%s", from);
  snprintf(scarcity_to, sizeof scarcity_to, "%s", to);
  assert_int_equal(nftw(from, scarcity_copy_one, 16, FTW_PHYS), 0);
}

static scarcity_state *scarcity_listed;
static size_t scarcity_root;

static inline int scarcity_list_one(const char *path, const struct stat *info, int kind,
                                    struct FTW *walk) {
  (void)info;
  (void)walk;
  ink_error error = {0};
  scarcity_state *state = scarcity_listed;
  if (kind != FTW_F && kind != FTW_SL) return 0;
  if (state->n_file == sizeof state->files / sizeof *state->files) return -1;
  scarcity_file *file = &state->files[state->n_file++];
  snprintf(file->path, sizeof file->path, "%s", path + scarcity_root);
  // The ledger is a database, judged by its rows.
  if (strstr(file->path, "ledger.db")) return 0;
  return ink_sha256_file(path, file->sha256, &error) == INK_OK ? 0 : -1;
}

static inline int scarcity_order(const void *a, const void *b) {
  return strcmp(((const scarcity_file *)a)->path, ((const scarcity_file *)b)->path);
}

static inline const scarcity_file *scarcity_find(const scarcity_state *state, const char *path) {
  for (size_t i = 0; i < state->n_file; i++) {
    if (strcmp(state->files[i].path, path) == 0) return &state->files[i];
  }
  return NULL;
}

// Rows of the ledger in a home, or -1 where it is broken.
static inline int64_t scarcity_rows(const char *home) {
  ink_error error = {0};
  ink_ledger *ledger;
  ink_ledger_verdict verdict;
  const char *path = below(home, ".local/share/inkstone/ledger.db");
  if (!ink_file_exists(path)) return 0;
  if (ink_ledger_open(path, false, &ledger, &error) != INK_OK) return -1;
  ink_status status = ink_ledger_verify(ledger, NULL, &verdict, &error);
  ink_ledger_close(ledger);
  return status == INK_OK && verdict.broken == 0 ? verdict.n_row : -1;
}

static inline void scarcity_look(const char *folder, scarcity_state *state) {
  *state = (scarcity_state){.status = state->status};
  scarcity_listed = state;
  scarcity_root = strlen(folder) + 1;
  assert_int_equal(nftw(folder, scarcity_list_one, 16, FTW_PHYS), 0);
  qsort(state->files, state->n_file, sizeof *state->files, scarcity_order);
  state->n_row = scarcity_rows(folder);
}

// ---- runs

static inline void scarcity_drop(scarcity_state *state) {
  free(state->out);
  free(state->err);
}

static inline void scarcity_run(scarcity_runner *r, uint64_t fail_at, bool lasting,
                                scarcity_state *state) {
  char byte = 0;
  scarcity_copy(r->base, r->work);
  r->board->fail_at = fail_at;
  r->board->lasting = lasting;
  r->board->seconds = 60;
  assert_int_equal(write(r->orders, &byte, 1), 1);
  assert_int_equal(read(r->answers, &byte, 1), 1);
  state->status = r->board->status;
  scarcity_look(r->work, state);
  state->out = read_file(in_scratch("out"), NULL);
  state->err = read_file(in_scratch("err"), NULL);
  r->n_run++;
}

static inline void scarcity_start(scarcity_runner *r, const scarcity *of) {
  *r = (scarcity_runner){.of = of};
  snprintf(r->base, sizeof r->base, "%s", in_scratch("base"));
  snprintf(r->work, sizeof r->work, "%s", in_scratch("work"));
  scarcity_copy(in_scratch("home"), r->base);
  if (of->before) {
    expect_done(run_program("cd '%s' && export HOME=$PWD && %s", r->base, of->before));
  }
  int board = open(in_scratch("board"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  assert_int_equal(ftruncate(board, sizeof *r->board), 0);
  r->board = mmap(NULL, sizeof *r->board, PROT_READ | PROT_WRITE, MAP_SHARED, board, 0);
  assert_true(r->board != MAP_FAILED);
  close(board);
  int orders[2], answers[2];
  assert_int_equal(pipe2(orders, O_CLOEXEC), 0);
  assert_int_equal(pipe2(answers, O_CLOEXEC), 0);
  char line[4096];
  snprintf(
      line, sizeof line,
      "unset XDG_STATE_HOME XDG_CACHE_HOME XDG_DATA_HOME INKSTONE_LEDGER HF_HOME HF_HUB_CACHE "
      "LANG LC_ALL LC_MESSAGES INKSTONE_LANG; export HOME='%s' FIXTURES=\"$INKSTONE_FIXTURES\" "
      "INKSTONE_THREADS=1 HF_HUB_OFFLINE=1; exec env LD_PRELOAD=\"$INKSTONE_SCARCE\" "
      "INKSTONE_SCARCE_BOARD='%s' INKSTONE_SCARCE_FOLDER='%s' \"$INKSTONE_PROGRAM\" %s",
      r->work, in_scratch("board"), r->work, of->command);
  r->server = fork();
  assert_true(r->server >= 0);
  if (r->server == 0) {
    if (dup2(orders[0], SCARCE_ORDERS) < 0 || dup2(answers[1], SCARCE_ANSWERS) < 0) _exit(126);
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    _exit(126);
  }
  close(orders[0]);
  close(answers[1]);
  r->orders = orders[1];
  r->answers = answers[0];
  scarcity_look(r->base, &r->before);
}

static inline void scarcity_end(scarcity_runner *r) {
  close(r->orders);
  close(r->answers);
  waitpid(r->server, NULL, 0);
  munmap(r->board, sizeof *r->board);
  scarcity_drop(&r->after);
}

// ---- the promise

// Whether all files are those of a success; what is kept for a later run may be missing.
static inline bool scarcity_all_there(const scarcity_runner *r, const scarcity_state *now) {
  for (size_t i = 0; i < r->after.n_file; i++) {
    const scarcity_file *wanted = &r->after.files[i];
    const scarcity_file *there = scarcity_find(now, wanted->path);
    if (!there && strncmp(wanted->path, ".cache/", 7) != 0 && !strstr(wanted->path, "ledger.db"))
      return false;
  }
  return true;
}

// What is wrong with a run; NULL when the promise was kept.
static inline const char *scarcity_judge(const scarcity_runner *r, const scarcity_state *now) {
  static char words[512];
  if (WIFSIGNALED(now->status)) {
    snprintf(words, sizeof words, "ended by signal %d", WTERMSIG(now->status));
    return words;
  }
  for (size_t i = 0; i < now->n_file; i++) {
    const scarcity_file *is = &now->files[i], *was = scarcity_find(&r->before, is->path);
    const scarcity_file *becomes = scarcity_find(&r->after, is->path);
    if ((was && strcmp(was->sha256, is->sha256) == 0) ||
        (becomes && (!becomes->sha256[0] || strcmp(becomes->sha256, is->sha256) == 0)))
      continue;
    snprintf(words, sizeof words, "leaves %s, which is neither as before nor whole", is->path);
    return words;
  }
  for (size_t i = 0; i < r->before.n_file; i++) {
    const char *path = r->before.files[i].path;
    if (scarcity_find(now, path) || !scarcity_find(&r->after, path)) continue;
    snprintf(words, sizeof words, "%s is gone", path);
    return words;
  }
  if (now->n_row < r->before.n_row) return "the ledger is broken";
  bool says = strcasestr(now->err, "memory") != NULL;
  if (now->status != r->after.status) {
    // A failure after a success is one of memory; so is a success where there was none.
    if (WEXITSTATUS(now->status) == 0) return "succeeds";
    return says ? NULL : "fails without a word of memory";
  }
  // The same end: then it is the same result, or the failure that it was before.
  if (says && WEXITSTATUS(now->status) != 0) return NULL;
  if (!r->speaks_otherwise && strcmp(now->out, r->after.out) != 0) return "prints something else";
  if (!scarcity_all_there(r, now)) return "succeeds and leaves something out";
  if (now->n_row < r->after.n_row && !says) return "leaves the ledger's row out in silence";
  if (!r->speaks_otherwise && !says && strcmp(now->err, r->after.err) != 0)
    return "warns of something else";
  return NULL;
}

static inline void scarcity_tell(scarcity_runner *r, uint64_t at, bool lasting, const char *fault,
                                 const scarcity_state *now) {
  r->n_fault++;
  fprintf(stderr,
          "%s: without memory for allocation %llu%s: %s (exit %d)\n  said: %s\n  where: addr2line "
          "-pfie %s",
          r->of->command, (unsigned long long)at, lasting ? " and what follows" : "", fault,
          WIFEXITED(now->status) ? WEXITSTATUS(now->status) : -1, now->err,
          getenv("INKSTONE_PROGRAM"));
  for (uint32_t i = 0; i < r->board->n_frame; i++) {
    // A return address is behind its call.
    fprintf(stderr, " 0x%llx", (unsigned long long)r->board->frames[i] - 1);
  }
  fprintf(stderr, "\n");
}

static inline void scarcity_try(scarcity_runner *r, uint64_t at, bool lasting) {
  scarcity_state now = {0};
  scarcity_run(r, at, lasting, &now);
  const char *fault = scarcity_judge(r, &now);
  if (fault) scarcity_tell(r, at, lasting, fault, &now);
  scarcity_drop(&now);
}

typedef struct scarcity_stack {
  uint64_t hash, at;
} scarcity_stack;

static inline int scarcity_by_hash(const void *a, const void *b) {
  const scarcity_stack *x = a, *y = b;
  if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
  return x->at < y->at ? -1 : 1;
}

static inline int scarcity_by_place(const void *a, const void *b) {
  const scarcity_stack *x = a, *y = b;
  return x->at < y->at ? -1 : x->at > y->at;
}

// The first allocation of each chain of callers, in the order of the run. Returns how many.
static inline size_t scarcity_places(const scarcity_runner *r, scarcity_stack **places) {
  size_t n = r->board->count < SCARCE_STACKS ? r->board->count : SCARCE_STACKS, kept = 0;
  scarcity_stack *all = malloc((n + 1) * sizeof *all);
  assert_non_null(all);
  for (size_t i = 0; i < n; i++) all[i] = (scarcity_stack){r->board->stacks[i], i + 1};
  qsort(all, n, sizeof *all, scarcity_by_hash);
  for (size_t i = 0; i < n; i++) {
    if (i == 0 || all[i].hash != all[i - 1].hash) all[kept++] = all[i];
  }
  qsort(all, kept, sizeof *all, scarcity_by_place);
  *places = all;
  return kept;
}

// Try a command with at most `most` places at which memory is missing, spread over the run. Returns
// the number of faults, which were told.
static inline int scarcity_hold(const scarcity *of, size_t most) {
  scarcity_runner *r = calloc(1, sizeof *r);
  assert_non_null(r);
  scarcity_start(r, of);
  scarcity_state again = {0};
  scarcity_run(r, 0, false, &again);
  scarcity_run(r, 0, false, &r->after);
  assert_true(WIFEXITED(r->after.status));
  r->speaks_otherwise =
      strcmp(r->after.out, again.out) != 0 || strcmp(r->after.err, again.err) != 0;
  for (size_t i = 0; i < r->after.n_file; i++) {
    // What differs from run to run is asked for by name alone.
    const scarcity_file *other = scarcity_find(&again, r->after.files[i].path);
    if (!other || strcmp(other->sha256, r->after.files[i].sha256) != 0) {
      r->after.files[i].sha256[0] = 0;
    }
  }
  scarcity_drop(&again);
  scarcity_stack *places;
  size_t n = scarcity_places(r, &places);
  uint64_t count = r->board->count;
  size_t tried = n < most ? n : most;
  for (size_t i = 0; i < tried; i++) {
    uint64_t at = places[tried == 1 ? 0 : i * (n - 1) / (tried - 1)].at;
    if (most > n || i % 2 == 0) scarcity_try(r, at, false);
    if (most > n || i % 2 == 1) scarcity_try(r, at, true);
  }
  print_message("# %s: exit %d, %zu allocations at %zu places, %zu tried%s\n", of->command,
                WEXITSTATUS(r->after.status), (size_t)count, n, tried,
                r->speaks_otherwise ? "; no two runs print the same" : "");
  free(places);
  int faults = r->n_fault;
  scarcity_end(r);
  free(r);
  return faults;
}

#endif
