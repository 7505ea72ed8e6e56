// How well text watermarks are found, and how often unmarked text is taken for marked.
//
//   ninja -C build bench/watermark
//   build/bench/watermark MODEL PASSAGES [TEXTS]     (PASSAGES "-": the third table alone)
//
// MODEL writes TEXTS (100) texts of 400 tokens under each scheme. PASSAGES is a text file of human
// writing, one passage a line. Prints as Markdown:
//   1. of all passages, the share with a p-value below 1e-2, 1e-3 and 1e-4;
//   2. of the marked texts, the share found (p < 1e-3) after each edit: only the first n tokens are
//      left; a share of tokens is replaced, removed or inserted at random; the text stands within
//      human writing of two and four times its length;
//   3. of texts of 200 tokens written at lower temperatures, the share found at one false positive
//      in a hundred (p < 1e-2) in their first 50, 100 and 200 tokens, by how much choice the model
//      had in each: the entropy of what a token was drawn from, its mean over the text.
// Edits are made to tokens, by random tokens of the passages: harder than a thesaurus, which leaves
// most neighbours alone, and milder than a paraphrase, which leaves none.
#include "mark/watermark/watermark.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "llm/model.h"

enum { LENGTH = 400, MOST_PASSAGES = 1 << 30, MOST_TOKENS = 5 * LENGTH };

typedef struct passages {
  int32_t *ids;  // of all passages, one behind the other
  size_t *start;
  size_t n;
} passages;

static void check(ink_status status, const ink_error *error) {
  if (status == INK_OK) return;
  fprintf(stderr, "%s\n", error->text);
  exit(1);
}

static void *allocate(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (!memory) exit(1);
  return memory;
}

static passages read_passages(const ink_model *model, const char *path) {
  ink_error error = {0};
  char *text;
  size_t size, lines = 1;
  check(ink_file_read(path, MOST_PASSAGES, &text, &size, &error), &error);
  for (size_t i = 0; i < size; i++) lines += text[i] == '\n';
  passages all = {allocate(size + 1, sizeof *all.ids), allocate(lines + 1, sizeof *all.start), 0};
  for (size_t at = 0; at < size;) {
    const char *end = memchr(text + at, '\n', size - at);
    size_t length = end ? (size_t)(end - text) - at : size - at, n;
    int32_t *ids;
    check(ink_tokenizer_encode(model->tokenizer, text + at, length, INK_ENCODE_PLAIN, &ids, &n,
                               &error),
          &error);
    // A token stands for a byte at least, so there is room.
    memcpy(all.ids + all.start[all.n], ids, n * sizeof *ids);
    free(ids);
    all.start[all.n + 1] = all.start[all.n] + n;
    if (n > 0) all.n++;
    at += length + 1;
  }
  free(text);
  return all;
}

// ---- unmarked text -----------------------------------------------------------------------------

static void count_mistakes(ink_watermark *watermark, const passages *all) {
  static const double limits[] = {1e-2, 1e-3, 1e-4};
  size_t below[3] = {0};
  ink_error error = {0};
  for (size_t i = 0; i < all->n; i++) {
    ink_watermark_score score;
    check(ink_watermark_score_tokens(watermark, all->ids + all->start[i],
                                     all->start[i + 1] - all->start[i], &score, &error),
          &error);
    for (int j = 0; j < 3; j++) below[j] += score.p_value < limits[j];
  }
  printf("| %s |", ink_watermark_name(ink_watermark_scheme_of(watermark)));
  for (int j = 0; j < 3; j++) printf(" %.5f |", (double)below[j] / (double)all->n);
  printf("\n");
  fflush(stdout);
}

// ---- marked text -------------------------------------------------------------------------------

// A reweigher that adds up the entropy of what it is given.
typedef struct meter {
  ink_reweigher inner;
  double bits;
  size_t n;
} meter;

static ink_status measure(void *self, const int32_t *written, size_t n, float *weights,
                          size_t n_vocab, ink_error *error) {
  meter *m = self;
  double sum = 0, weighted = 0;
  for (size_t i = 0; i < n_vocab; i++) {
    if (weights[i] > 0) {
      sum += (double)weights[i];
      weighted += (double)weights[i] * log2((double)weights[i]);
    }
  }
  m->bits += log2(sum) - weighted / sum;
  m->n++;
  return m->inner.reweigh(m->inner.self, written, n, weights, n_vocab, error);
}

static void write_text(const ink_model *model, ink_watermark *watermark, uint64_t seed,
                       double temperature, size_t length, meter *metered, int32_t *tokens) {
  ink_error error = {0};
  check(ink_watermark_reweigher(watermark, &metered->inner, &error), &error);
  ink_reweigher reweigher = {measure, metered};
  ink_session_options options = ink_session_default();
  options.sampling.seed = seed;
  options.sampling.temperature = (float)temperature;
  options.ignore_end = true;
  options.reweigher = &reweigher;
  const ink_decoder_config *config = ink_decoder_about(model->decoder);
  // A context shorter than the text: parts of it, each behind the end of the one before.
  size_t most = (size_t)config->context, overlap = most / 4;
  size_t done = 0;
  int32_t begin[1] = {1};
  while (done < length) {
    size_t keep = done < overlap ? done : overlap;
    size_t room = most - (keep ? keep : 1), wanted = length - done;
    options.max_tokens = (int64_t)(wanted < room ? wanted : room);
    options.sampling.piece = done;
    ink_session *session;
    check(ink_session_new(model, &options, NULL, &session, &error), &error);
    check(ink_session_prompt(session, keep ? tokens + done - keep : begin, keep ? keep : 1, &error),
          &error);
    check(ink_session_run(session, &error), &error);
    size_t n;
    const int32_t *written = ink_session_tokens(session, &n);
    memcpy(tokens + done, written, n * sizeof *tokens);
    done += n;
    ink_session_free(session);
  }
}

typedef enum edit_kind { FIRST, REPLACED, REMOVED, INSERTED, WITHIN } edit_kind;
typedef struct edit {
  const char *name;
  edit_kind kind;
  double amount;
} edit;

static const edit edits[] = {
    {"untouched, 400 tokens", FIRST, 400},
    {"first 200", FIRST, 200},
    {"first 100", FIRST, 100},
    {"first 50", FIRST, 50},
    {"5 % replaced", REPLACED, 0.05},
    {"10 % replaced", REPLACED, 0.1},
    {"20 % replaced", REPLACED, 0.2},
    {"40 % replaced", REPLACED, 0.4},
    {"10 % removed", REMOVED, 0.1},
    {"20 % removed", REMOVED, 0.2},
    {"10 % inserted", INSERTED, 0.1},
    {"20 % inserted", INSERTED, 0.2},
    {"half of a longer text", WITHIN, 1},
    {"a quarter of a longer text", WITHIN, 3},
};
enum { N_EDITS = sizeof edits / sizeof *edits };

static int32_t any_token(ink_random *random, const passages *all) {
  return all->ids[ink_random_below(random, all->start[all->n])];
}

static size_t apply(const edit *e, const int32_t *text, const passages *all, ink_random *random,
                    int32_t *out) {
  size_t n = 0;
  if (e->kind == WITHIN) {
    size_t around = (size_t)(e->amount * LENGTH), total = all->start[all->n];
    if (total <= around) return 0;
    const int32_t *human = all->ids + ink_random_below(random, total - around);
    memcpy(out, human, around / 2 * sizeof *out);
    memcpy(out + around / 2, text, LENGTH * sizeof *out);
    memcpy(out + around / 2 + LENGTH, human + around / 2, (around - around / 2) * sizeof *out);
    return around + LENGTH;
  }
  if (e->kind == FIRST) {
    memcpy(out, text, (size_t)e->amount * sizeof *out);
    return (size_t)e->amount;
  }
  for (size_t i = 0; i < LENGTH; i++) {
    bool here = ink_random_double(random) < e->amount;
    if (here && e->kind != REMOVED) out[n++] = any_token(random, all);
    if (!here || e->kind == INSERTED) out[n++] = text[i];
  }
  return n;
}

static void count_found(const ink_model *model, ink_watermark *watermark, const passages *all,
                        int n_text, double *share) {
  ink_error error = {0};
  for (int seed = 0; seed < n_text; seed++) {
    int32_t text[LENGTH], changed[MOST_TOKENS];
    meter metered = {.n = 0};
    write_text(model, watermark, (uint64_t)seed, 1, LENGTH, &metered, text);
    for (int i = 0; i < N_EDITS; i++) {
      ink_random random = ink_random_at(77, (uint64_t)seed, (uint64_t)i << 32);
      ink_watermark_score score;
      size_t n = apply(&edits[i], text, all, &random, changed);
      check(ink_watermark_score_tokens(watermark, changed, n, &score, &error), &error);
      share[i] += (score.p_value < 1e-3) / (double)n_text;
    }
  }
}

static void print_mistakes_and_edits(const ink_model *model, ink_watermark *const *watermarks,
                                     const passages *all, int n_text) {
  double share[INK_WATERMARK_SCHEMES][N_EDITS] = {{0}};
  printf("%zu passages of human writing, %.0f tokens each\n\n", all->n,
         (double)all->start[all->n] / (double)all->n);
  printf("| scheme | p < 0.01 | p < 0.001 | p < 0.0001 |\n|---|---|---|---|\n");
  for (int i = 0; i < INK_WATERMARK_SCHEMES; i++) count_mistakes(watermarks[i], all);
  for (int i = 0; i < INK_WATERMARK_SCHEMES; i++) {
    count_found(model, watermarks[i], all, n_text, share[i]);
  }
  printf("\n%d marked texts, found at p < 0.001\n\n| edit |", n_text);
  for (int i = 0; i < INK_WATERMARK_SCHEMES; i++) {
    printf(" %s |", ink_watermark_name((ink_watermark_scheme)i));
  }
  printf("\n|---|---|---|---|\n");
  for (int e = 0; e < N_EDITS; e++) {
    printf("| %s |", edits[e].name);
    for (int i = 0; i < INK_WATERMARK_SCHEMES; i++) printf(" %.2f |", share[i][e]);
    printf("\n");
  }
}

// ---- by choice ---------------------------------------------------------------------------------

// Texts by the bits a token that the model had to choose from in each.
typedef struct bin {
  double least, bits;
  size_t n, found[3];
} bin;

static void count_by_choice(const ink_model *model, ink_watermark *watermark, int n_text) {
  static const double temperatures[] = {0.7, 0.5, 0.4, 0.35, 0.3};
  static const size_t lengths[] = {50, 100, 200};
  bin bins[] = {{.least = 0},   {.least = 0.5}, {.least = 1},
                {.least = 1.5}, {.least = 2},   {.least = 3}};
  ink_error error = {0};
  size_t n_bin = sizeof bins / sizeof *bins;
  for (size_t t = 0; t < sizeof temperatures / sizeof *temperatures; t++) {
    for (int seed = 0; seed < n_text; seed++) {
      int32_t text[LENGTH];
      meter metered = {.n = 0};
      write_text(model, watermark, (uint64_t)seed, temperatures[t], lengths[2], &metered, text);
      double bits = metered.bits / (double)metered.n;
      bin *b = &bins[n_bin - 1];
      while (bits < b->least) b--;
      b->n++;
      b->bits += bits;
      for (int j = 0; j < 3; j++) {
        ink_watermark_score score;
        check(ink_watermark_score_tokens(watermark, text, lengths[j], &score, &error), &error);
        b->found[j] += score.p_value < 1e-2;
      }
    }
  }
  for (const bin *b = bins; b < bins + n_bin; b++) {
    if (!b->n) continue;
    printf("| %s | from %.1f, mean %.2f | %zu |",
           ink_watermark_name(ink_watermark_scheme_of(watermark)), b->least, b->bits / (double)b->n,
           b->n);
    for (int j = 0; j < 3; j++) printf(" %.3f |", (double)b->found[j] / (double)b->n);
    printf("\n");
  }
  fflush(stdout);
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: watermark MODEL PASSAGES [TEXTS]\n");
    return 2;
  }
  ink_error error = {0};
  ink_model *model;
  check(ink_model_open(argv[1], &model, &error), &error);
  bool apart = strcmp(argv[2], "-") == 0;
  passages all = {0};
  if (!apart) all = read_passages(model, argv[2]);
  int n_text = argc > 3 ? atoi(argv[3]) : 100;
  size_t vocab = (size_t)ink_decoder_about(model->decoder)->vocab;
  ink_watermark *watermarks[INK_WATERMARK_SCHEMES];
  for (int i = 0; i < INK_WATERMARK_SCHEMES; i++) {
    check(ink_watermark_open((ink_watermark_scheme)i, NULL, vocab, &watermarks[i], &error), &error);
  }
  if (!apart) print_mistakes_and_edits(model, watermarks, &all, n_text);
  printf("\nMarked texts found at p < 0.01\n\n");
  printf("| scheme | bits a token | texts | 50 tokens | 100 | 200 |\n|---|---|---|---|---|---|\n");
  for (int i = 0; i < INK_WATERMARK_SCHEMES; i++) count_by_choice(model, watermarks[i], n_text);
  for (int i = 0; i < INK_WATERMARK_SCHEMES; i++) ink_watermark_free(watermarks[i]);
  free(all.ids);
  free(all.start);
  ink_model_free(model);
  return 0;
}
