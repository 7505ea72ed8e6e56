// inkstone playbook: what kinds of piece there are and what they ask for.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "desk/piece.h"
#include "desk/playbook.h"
#include "lang/catalogue.h"
#include "lang/verse_form.h"
#include "llm/model.h"
#include "weights/weights.h"

static const char *in_language(const char *english, const char *chinese) {
  bool zh = ink_language_current() == INK_LANGUAGE_ZH;
  const char *text = zh && chinese ? chinese : english;
  return text ? text : "";
}

static ink_status list(bool json, ink_error *error) {
  char **paths;
  size_t n;
  ink_status status = ink_playbook_list(&paths, &n, error);
  json_t *all = json_array();
  for (size_t i = 0; i < n; i++) {
    ink_playbook *playbook;
    if (status == INK_OK) status = ink_playbook_open(paths[i], &playbook, error);
    if (status == INK_OK) {
      const char *summary = in_language(playbook->summary, playbook->summary_zh);
      json_t *one = json_pack("{s:s, s:s, s:s, s:s}", "name", playbook->name, "summary", summary,
                              "path", playbook->path, "sha256", playbook->sha256);
      if (json_array_append_new(all, one) != 0) {
        status = ink_fail(error, INK_ERR_MEMORY, "no memory for the list");
      }
      if (!json) printf("%-12s %s\n", playbook->name, summary);
      ink_playbook_free(playbook);
    }
    free(paths[i]);
  }
  free(paths);
  if (status == INK_OK && json) {
    status = ink_cli_print_json(json_pack("{s:O}", "playbooks", all), error);
  }
  json_decref(all);
  return status;
}

static ink_status show(const char *reference, bool json, ink_error *error) {
  ink_playbook *p;
  INK_TRY(ink_playbook_open(reference, &p, error));
  ink_status status = INK_OK;
  if (json) {
    status = ink_cli_print_json(json_incref(p->source), error);
  } else {
    printf("%s: %s\n\n", p->name, in_language(p->summary, p->summary_zh));
    for (size_t i = 0; i < p->n_input; i++) {
      const ink_playbook_input *input = &p->inputs[i];
      printf("  %-12s %s%s%s%s\n", input->name, in_language(input->help, input->help_zh),
             input->fallback ? " [" : "", input->fallback ? input->fallback : "",
             input->fallback ? "]" : "");
    }
    ink_text forms = {0};
    ink_verse_form_list(&forms);
    status = ink_text_status(&forms, error);
    if (status == INK_OK) {
      printf("\n%s: %s\n\nSHA-256 %s\n", ink_tr("Forms"), ink_text_string(&forms), p->sha256);
    }
    ink_text_free(&forms);
  }
  ink_playbook_free(p);
  return status;
}

static ink_status test(const char *reference, int threads, const ink_progress *progress,
                       ink_error *error) {
  ink_playbook *p;
  INK_TRY(ink_playbook_open(reference, &p, error));
  ink_status status = INK_OK;
  if (p->n_test == 0) {
    status = ink_fail(error, INK_ERR_NOT_FOUND, "%s: there are no /tests", p->path);
  }
  ink_pool *pool = ink_pool_new(threads);
  size_t n_held = 0;
  for (size_t i = 0; status == INK_OK && i < p->n_test; i++) {
    bool held;
    ink_text found = {0};
    status = ink_piece_try(p, &p->tests[i], pool, progress, &held, &found, error);
    if (status == INK_OK) {
      printf("%s %s\n", held ? "✓" : "✗", p->tests[i].name);
      if (!held) printf("%s\n", ink_text_string(&found));
      fflush(stdout);
      n_held += held;
    }
    ink_text_free(&found);
  }
  ink_pool_free(pool);
  if (status == INK_OK && n_held < p->n_test) {
    status = ink_fail(error, INK_ERR_CONFLICT, "%s: %zu of %zu tests did not come out as promised",
                      p->name, p->n_test - n_held, p->n_test);
  }
  ink_playbook_free(p);
  return status;
}

static ink_status lock(const char *reference, ink_error *error) {
  ink_playbook *p;
  ink_model *model = NULL;
  char sha256[INK_SHA256_HEX];
  INK_TRY(ink_playbook_open(reference, &p, error));
  ink_status status = ink_model_open(p->model, &model, error);
  if (status == INK_OK) {
    status = ink_weights_sha256(model->weights, INK_HASH_COMPUTE, sha256, error);
  }
  if (status == INK_OK) status = ink_playbook_lock(p, sha256, error);
  if (status == INK_OK) {
    printf(ink_tr("%s: locked to %s (SHA-256 %.12s…) and inkstone %s\n"), p->path, p->model, sha256,
           INKSTONE_VERSION);
  }
  ink_model_free(model);
  ink_playbook_free(p);
  return status;
}

static ink_status act(int n, char **words, bool json, int threads, ink_error *error) {
  static const char *const acts[] = {"list", "show", "test", "lock"};
  enum { N_ACTS = sizeof acts / sizeof *acts };
  const char *name = n ? words[0] : "";
  if (n == 1 && strcmp(name, "list") == 0) return list(json, error);
  if (n == 2 && strcmp(name, "show") == 0) return show(words[1], json, error);
  if (n == 2 && strcmp(name, "lock") == 0) return lock(words[1], error);
  if (n == 2 && strcmp(name, "test") == 0) {
    ink_cli_bar bar;
    ink_progress progress = ink_cli_progress(&bar, words[1]);
    ink_status status = test(words[1], threads, &progress, error);
    ink_cli_progress_end(&bar);
    return status;
  }
  int nearest = ink_text_nearest(name, acts, N_ACTS);
  if (n && nearest >= 0 && strcmp(name, acts[nearest]) != 0) {
    return ink_fail(error, INK_ERR_USAGE, "unknown command \"%s\"; did you mean %s?", name,
                    acts[nearest]);
  }
  return ink_fail(error, INK_ERR_USAGE,
                  "say `playbook list`, or `playbook show`, `test` or `lock` and one playbook");
}

static ink_status run(const ink_command *self, int argc, char **argv, ink_error *error) {
  bool json = false;
  int64_t threads = 0;
  ink_option options[] = {
      {.name = "json", .kind = INK_OPTION_FLAG, .value = &json, .help = "list, show: print JSON"},
      ink_option_threads(&threads),
  };
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, sizeof options / sizeof *options, argc, argv, &n, &done,
                           error));
  if (done) return INK_OK;
  return act(n, argv + 1, json, (int)threads, error);
}

const ink_command ink_command_playbook = {
    .name = "playbook",
    .summary = "List, show, test and lock playbooks",
    .usage = "playbook list | playbook show|test|lock PLAYBOOK",
    .examples =
        "inkstone playbook list\n"
        "inkstone playbook show poem\n"
        "inkstone playbook test poem\n",
    .run = run,
};
