// inkstone model: what models there are, fetching, showing, converting and removing them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/pool.h"
#include "cli/cli.h"
#include "cli/model_show.h"
#include "lang/catalogue.h"
#include "models/convert.h"
#include "weights/hub.h"

// What the options say. All actions share one table, so that help and completion know them all.
typedef struct settings {
  bool json, yes, force, tensors, hash;
  const char *type;
  ink_string_list include;
  int64_t threads, ram;  // ram in MiB
} settings;

enum { JSON, TENSORS, HASH, TYPE, FORCE, RAM, THREADS, YES, INCLUDE, N_OPTIONS };

static void describe_options(settings *s, ink_option *options) {
  const ink_option all[N_OPTIONS] = {
      [JSON] = {.name = "json",
                .kind = INK_OPTION_FLAG,
                .value = &s->json,
                .help = "list, show, pull: print one JSON object"},
      [TENSORS] = {.name = "tensors",
                   .kind = INK_OPTION_FLAG,
                   .value = &s->tensors,
                   .help = "show: name every tensor with type and shape"},
      [HASH] = {.name = "sha256",
                .kind = INK_OPTION_FLAG,
                .value = &s->hash,
                .help = "show: tell the SHA-256 of the weights"},
      [TYPE] = {.name = "type",
                .kind = INK_OPTION_STRING,
                .value = &s->type,
                .argument = "T",
                .help = "convert, quantize: F32, F16, BF16, Q8_0, Q6_K, Q4_K_M or Q4_0"},
      [FORCE] = {.name = "force",
                 .kind = INK_OPTION_FLAG,
                 .value = &s->force,
                 .help = "convert, quantize: replace a file that is there"},
      [RAM] = {.name = "ram",
               .kind = INK_OPTION_INT,
               .value = &s->ram,
               .argument = "MIB",
               .help = "convert, quantize: most memory beside the input (default 512)",
               .low = 1,
               .high = 1 << 24},
      [THREADS] = ink_option_threads(&s->threads),
      [YES] = {.name = "yes",
               .letter = 'y',
               .kind = INK_OPTION_FLAG,
               .value = &s->yes,
               .help = "rm: do not ask"},
      [INCLUDE] = {.name = "include",
                   .kind = INK_OPTION_LIST,
                   .value = &s->include,
                   .argument = "PATTERN",
                   .help = "pull: only the files of this name, such as \"*.json\"; may be "
                           "repeated"},
  };
  memcpy(options, all, sizeof all);
}

// ---- list ---------------------------------------------------------------------------------------

static ink_status add_listed(const ink_hub_model *model, const char *place, json_t *all,
                             ink_error *error) {
  json_t *one = json_pack("{s:s, s:s, s:s, s:I, s:I}", "name", model->repo, "place", place, "path",
                          model->path, "bytes", (json_int_t)model->bytes, "incomplete",
                          (json_int_t)model->incomplete);
  if (one && model->commit[0]) json_object_set_new(one, "commit", json_string(model->commit));
  if (json_array_append_new(all, one) == 0) return INK_OK;
  return ink_fail(error, INK_ERR_MEMORY, "no memory for the list");
}

static void print_listed(const ink_hub_model *model, const char *place) {
  char bytes[32];
  printf("%-40s %10s  %s", model->repo, ink_cli_bytes(model->bytes, bytes), ink_tr(place));
  if (model->commit[0]) printf("  %.8s", model->commit);
  if (model->incomplete) printf("  (%s: %zu)", ink_tr("unfinished downloads"), model->incomplete);
  putchar('\n');
}

static ink_status list_place(ink_status (*find)(ink_hub_model **, size_t *, ink_error *),
                             const char *place, json_t *all, ink_error *error) {
  ink_hub_model *models;
  size_t n;
  INK_TRY(find(&models, &n, error));
  ink_status status = INK_OK;
  for (size_t i = 0; i < n && status == INK_OK; i++) {
    if (all) {
      status = add_listed(&models[i], place, all, error);
    } else {
      print_listed(&models[i], place);
    }
  }
  ink_hub_list_free(models, n);
  return status;
}

static ink_status run_list(const settings *s, char **names, int n, ink_error *error) {
  (void)names;
  (void)n;
  json_t *all = s->json ? json_array() : NULL;
  ink_status status = list_place(ink_shipped_list, "shipped", all, error);
  if (status == INK_OK) status = list_place(ink_hub_list, "cache", all, error);
  if (status == INK_OK && all) {
    return ink_cli_print_json(json_pack("{s:o}", "models", all), error);
  }
  json_decref(all);
  return status;
}

// ---- show, rm -----------------------------------------------------------------------------------

static ink_status run_show(const settings *s, char **names, int n, ink_error *error) {
  (void)n;
  char *path;
  INK_TRY(ink_model_resolve(names[0], &path, error));
  ink_status status = ink_model_show(path, s->json, s->tensors, s->hash, error);
  free(path);
  return status;
}

static ink_status ask(const char *name, ink_error *error) {
  char answer[16] = "";
  if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
    return ink_fail(error, INK_ERR_USAGE, "%s would be removed for good; say --yes", name);
  }
  fprintf(stderr, "%s: %s [y/N] ", name, ink_tr("remove it from the cache, all revisions?"));
  if (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y')) return INK_OK;
  return ink_fail(error, INK_ERR_CANCELLED, "%s stays", name);
}

static ink_status run_rm(const settings *s, char **names, int n, ink_error *error) {
  for (int i = 0; i < n; i++) {
    uint64_t bytes;
    char freed[32];
    if (!s->yes) INK_TRY(ask(names[i], error));
    INK_TRY(ink_hub_remove(names[i], &bytes, error));
    fprintf(stderr, "%s: %s %s\n", names[i], ink_cli_bytes(bytes, freed), ink_tr("freed"));
  }
  return INK_OK;
}

// ---- pull ---------------------------------------------------------------------------------------

static ink_status pull_one(const settings *s, const char *name, json_t *all, ink_error *error) {
  ink_cli_bar bar;
  ink_progress progress = ink_cli_progress(&bar, name);
  ink_hub_options options = {
      .progress = &progress, .include = s->include.items, .n_include = s->include.n};
  char *path;
  ink_status status = ink_hub_pull(name, &options, &path, error);
  ink_cli_progress_end(&bar);
  if (status == INK_OK && all) {
    if (json_array_append_new(all, json_pack("{s:s, s:s}", "name", name, "path", path)) != 0) {
      status = ink_fail(error, INK_ERR_MEMORY, "no memory for the result");
    }
  } else if (status == INK_OK) {
    puts(path);
  }
  free(path);
  return status;
}

static ink_status run_pull(const settings *s, char **names, int n, ink_error *error) {
  json_t *all = s->json ? json_array() : NULL;
  ink_status status = INK_OK;
  for (int i = 0; i < n && status == INK_OK; i++) status = pull_one(s, names[i], all, error);
  if (status == INK_OK && all) {
    return ink_cli_print_json(json_pack("{s:o}", "models", all), error);
  }
  json_decref(all);
  return status;
}

// ---- convert, quantize --------------------------------------------------------------------------

static bool is_gguf_name(const char *path) {
  size_t length = strlen(path);
  return length > 5 && strcasecmp(path + length - 5, ".gguf") == 0;
}

static ink_status convert(const settings *s, ink_quant quant, char **names, ink_error *error) {
  char *path, before[32], after[32];
  INK_TRY(ink_model_resolve(names[0], &path, error));
  ink_pool *pool = ink_pool_new((int)s->threads);
  ink_cli_bar bar;
  ink_progress progress = ink_cli_progress(&bar, "convert");
  ink_convert_options options = {
      .format = is_gguf_name(names[1]) ? INK_WEIGHTS_GGUF : INK_WEIGHTS_SAFETENSORS,
      .quant = quant,
      .ram = (size_t)s->ram << 20,
      .replace = s->force,
      .pool = pool,
      .progress = &progress};
  ink_convert_report report;
  ink_status status = ink_model_convert(path, names[1], &options, &report, error);
  ink_cli_progress_end(&bar);
  ink_pool_free(pool);
  free(path);
  INK_TRY(status);
  if (report.requantised) {
    fprintf(stderr, "%s\n",
            ink_tr("note: the input was quantised already; from a full one it comes out better"));
  }
  fprintf(stderr, "%zu %s, %s -> %s\n", report.tensors, ink_tr("tensors"),
          ink_cli_bytes(report.bytes_before, before), ink_cli_bytes(report.bytes_after, after));
  puts(names[1]);
  return INK_OK;
}

static ink_status run_convert(const settings *s, char **names, int n, ink_error *error) {
  (void)n;
  ink_quant quant = INK_QUANT_KEEP;
  if (s->type) INK_TRY(ink_quant_parse(s->type, &quant, error));
  return convert(s, quant, names, error);
}

static ink_status run_quantize(const settings *s, char **names, int n, ink_error *error) {
  const char *type = n == 3 ? names[2] : s->type;
  ink_quant quant;
  if (!type) {
    return ink_fail(error, INK_ERR_USAGE,
                    "to which type? Name F32, F16, BF16, Q8_0, Q6_K, Q4_K_M or Q4_0");
  }
  INK_TRY(ink_quant_parse(type, &quant, error));
  return convert(s, quant, names, error);
}

// ---- the command --------------------------------------------------------------------------------

typedef struct action {
  const char *name;
  int least, most;     // names that it takes
  const char *wanted;  // them, in words
  unsigned options;    // that mean something to it
  ink_status (*run)(const settings *s, char **names, int n, ink_error *error);
} action;

#define BIT(option) (1u << (option))

static const action actions[] = {
    {"list", 0, 0, "nothing", BIT(JSON), run_list},
    {"pull", 1, 64, "ORG/REPO[:QUANT][@REVISION]...", BIT(JSON) | BIT(INCLUDE), run_pull},
    {"show", 1, 1, "one model", BIT(JSON) | BIT(TENSORS) | BIT(HASH), run_show},
    {"convert", 2, 2, "a model, and a folder or a .gguf file to write",
     BIT(TYPE) | BIT(FORCE) | BIT(RAM) | BIT(THREADS), run_convert},
    {"quantize", 2, 3, "a model, a .gguf file to write, and a type",
     BIT(TYPE) | BIT(FORCE) | BIT(RAM) | BIT(THREADS), run_quantize},
    {"rm", 1, 64, "ORG/REPO...", BIT(YES), run_rm},
};
enum { N_ACTIONS = sizeof actions / sizeof *actions };

static ink_status run_action(const action *a, const settings *s, const ink_option *options,
                             char **names, int n, ink_error *error) {
  for (int i = 0; i < N_OPTIONS; i++) {
    if (!options[i].given || a->options & BIT(i)) continue;
    // Set for all commands by the environment, it is no fault.
    if (i == JSON || i == THREADS) continue;
    return ink_fail(error, INK_ERR_USAGE, "`model %s` has no --%s", a->name, options[i].name);
  }
  if (n < a->least || n > a->most) {
    return ink_fail(error, INK_ERR_USAGE, "`model %s` takes %s", a->name, a->wanted);
  }
  return a->run(s, names, n, error);
}

static ink_status run(const ink_command *self, int argc, char **argv, ink_error *error) {
  settings s = {0};
  ink_option options[N_OPTIONS];
  describe_options(&s, options);
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, N_OPTIONS, argc, argv, &n, &done, error));
  if (done) return INK_OK;
  const action *found = NULL;
  for (size_t i = 0; i < N_ACTIONS && n > 0; i++) {
    if (strcmp(argv[1], actions[i].name) == 0) found = &actions[i];
  }
  if (!found) {
    return ink_fail(error, INK_ERR_USAGE,
                    "say what to do: list, pull, show, convert, quantize or rm");
  }
  return run_action(found, &s, options, argv + 2, n - 1, error);
}

const ink_command ink_command_model = {
    .name = "model",
    .summary = "List, fetch, show, convert and remove models",
    .usage =
        "model list | pull REF... | show MODEL | convert MODEL TO | quantize MODEL TO.gguf TYPE "
        "| rm REF...",
    .examples =
        "inkstone model list\n"
        "inkstone model pull Qwen/Qwen3-0.6B\n"
        "inkstone model pull unsloth/Qwen3-0.6B-GGUF:Q4_K_M\n"
        "inkstone model pull openai/clip-vit-large-patch14 --include vocab.json --include "
        "merges.txt\n"
        "inkstone model show poet\n"
        "inkstone model convert poet poet-folder --type F32\n"
        "inkstone model quantize poet-folder poet-q4.gguf Q4_K_M\n"
        "inkstone model rm Qwen/Qwen3-0.6B --yes\n",
    .run = run,
};
