// inkstone bench: how fast this machine could be, and how fast inkstone is on it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/benchmark.h"
#include "cli/cli.h"
#include "tensor/isa.h"

static void show(const char *work, const char *kind, double rate, double limit, const char *more) {
  if (limit > 0) {
    printf("%5.1f %%  %-28s %-5s %7.1f of %7.1f  %s\n", 100 * rate / limit, work, kind, rate, limit,
           more ? more : "");
  } else {
    printf("         %-28s %-5s %7.1f %s\n", work, kind, rate, more ? more : "");
  }
  fflush(stdout);
}

typedef struct part {
  const char *name;
  ink_status (*run)(ink_benchmark *b, ink_error *error);
} part;

static const part parts[] = {{"products", ink_benchmark_products},
                             {"training", ink_benchmark_training},
                             {"weights", ink_benchmark_weights}};
enum { N_PARTS = sizeof parts / sizeof *parts };

static bool known(const char *name) {
  for (size_t i = 0; i < N_PARTS; i++) {
    if (strcmp(name, parts[i].name) == 0) return true;
  }
  return false;
}

static bool wanted(const part *p, const char *only, bool roofline) {
  return only ? strcmp(only, p->name) == 0 : !roofline || p->run == ink_benchmark_products;
}

static ink_status run(const ink_command *self, int argc, char **argv, ink_error *error) {
  const char *only = NULL;
  int64_t threads = 0, rounds = 5;
  bool roofline = false, json = false;
  ink_option options[] = {
      {.name = "roofline",
       .kind = INK_OPTION_FLAG,
       .value = &roofline,
       .help = "the machine's limits, and the dense products beside them"},
      {.name = "only",
       .kind = INK_OPTION_STRING,
       .value = &only,
       .argument = "PART",
       .help = "one part: products, training or weights"},
      {.name = "rounds",
       .kind = INK_OPTION_INT,
       .value = &rounds,
       .argument = "N",
       .help = "each figure is the median of N (default 5)",
       .low = 1,
       .high = 99},
      ink_option_threads(&threads),
      {.name = "json", .kind = INK_OPTION_FLAG, .value = &json, .help = "print one JSON object"},
  };
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, sizeof options / sizeof *options, argc, argv, &n, &done,
                           error));
  if (done) return INK_OK;
  if (n > 0) return ink_fail(error, INK_ERR_USAGE, "bench takes no \"%s\"; see --help", argv[1]);
  if (only && !known(only)) {
    return ink_fail(error, INK_ERR_USAGE, "--only %s: say products, training or weights", only);
  }
  ink_benchmark b = {.rounds = (int)rounds,
                     .rows = json_array(),
                     .show = json ? NULL : show,
                     .pool = ink_pool_new((int)threads)};
  ink_status status = ink_roofline_new(b.pool, &b.roofline, error);
  const ink_cpu *cpu = ink_cpu_about();
  if (status == INK_OK && !json) {
    printf("kernels %s%s%s, %d threads; share, work, kind, GFLOP/s (GB/s) of the limit\n",
           ink_isa_name(cpu->isa), cpu->vnni ? " vnni" : "", cpu->bf16 ? " bf16" : "",
           ink_pool_threads(b.pool));
  }
  if (status == INK_OK) ink_benchmark_limits(&b);
  for (size_t i = 0; i < N_PARTS && status == INK_OK; i++) {
    if (wanted(&parts[i], only, roofline)) status = parts[i].run(&b, error);
  }
  if (status == INK_OK && json) {
    json_t *all = json_pack("{s:s, s:i, s:O}", "kernels", ink_isa_name(cpu->isa), "threads",
                            ink_pool_threads(b.pool), "rows", b.rows);
    char *text = all ? ink_json_text(all) : NULL;
    json_decref(all);
    if (text) {
      puts(text);
    } else {
      status = ink_fail(error, INK_ERR_MEMORY, "no memory for the JSON");
    }
    free(text);
  }
  json_decref(b.rows);
  ink_roofline_free(b.roofline);
  ink_pool_free(b.pool);
  return status;
}

const ink_command ink_command_bench = {
    .name = "bench",
    .summary = "Measure this machine's limits and inkstone beside them",
    .usage = "bench [--roofline] [--only PART] [--json]",
    .examples =
        "inkstone bench --roofline\n"
        "inkstone bench --only training --rounds 3\n",
    .run = run,
};
