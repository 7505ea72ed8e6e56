// inkstone ledger: what left this installation, row by row.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/cli.h"
#include "lang/catalogue.h"
#include "mark/ledger/ledger.h"

enum { DAY = 24 * 3600, MOST_DAYS = 36500 };

typedef struct request {
  const char *path, *holds, *out, *older_than;
  int64_t last;
  bool files, json;
} request;

static const char *text_at(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "-";
}

// ---- list and show

static bool collect(void *context, const json_t *row) {
  return json_array_append(context, (json_t *)(uintptr_t)row) == 0;
}

static void print_line(const json_t *row) {
  const json_t *files = json_object_get(row, "files");
  printf("%6lld  %s  %s  %-10s %-8s", (long long)json_integer_value(json_object_get(row, "n")),
         text_at(row, "time"), text_at(row, "identity"), text_at(row, "kind"),
         text_at(row, "command"));
  size_t i;
  const json_t *file;
  json_array_foreach(files, i, file) {
    printf(" %s", ink_path_name(text_at(file, "path")));
  }
  if (json_is_true(json_object_get(row, "unmarked"))) printf("  %s", ink_tr("unmarked"));
  printf("\n");
}

static ink_status print_rows(const request *r, ink_ledger *ledger, const ink_ledger_query *query,
                             const char *asked, bool whole, ink_error *error) {
  json_t *rows = json_array();
  if (!rows) return ink_fail(error, INK_ERR_MEMORY, "no memory for the ledger");
  ink_status status = ink_ledger_each(ledger, query, collect, rows, error);
  if (status == INK_OK && asked && json_array_size(rows) == 0) {
    status = ink_fail(error, INK_ERR_NOT_FOUND,
                      "the ledger has no row of %s; `inkstone ledger list` shows them", asked);
  }
  if (status == INK_OK && r->json) {
    json_t *json = json_pack("{s:O}", "rows", rows);
    status = ink_cli_print_json(json, error);
  } else if (status == INK_OK) {
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row) {
      if (status != INK_OK) break;
      if (whole) {
        status = ink_cli_print_json(json_incref(row), error);
      } else {
        status = ink_cli_clean_json(row, error);
        if (status == INK_OK) print_line(row);
      }
    }
  }
  json_decref(rows);
  return status;
}

static ink_status list(const request *r, ink_ledger *ledger, const char *asked, ink_error *error) {
  ink_ledger_query query = {.last = r->last};
  (void)asked;
  return print_rows(r, ledger, &query, NULL, false, error);
}

// By number, or by an identity of which eight characters are enough.
static ink_status show(const request *r, ink_ledger *ledger, const char *asked, ink_error *error) {
  ink_ledger_query query = {0};
  enum { LEAST = 8 };
  bool is_short = strlen(asked) < LEAST;
  if (is_short && strspn(asked, "0123456789") == strlen(asked)) {
    query.n = strtoll(asked, NULL, 10);
  }
  if (query.n > 0) return print_rows(r, ledger, &query, asked, true, error);
  if (is_short || strspn(asked, "0123456789abcdef-") != strlen(asked)) {
    return ink_fail(error, INK_ERR_USAGE,
                    "\"%s\" is neither a row's number nor an identity, of which eight characters "
                    "are enough",
                    asked);
  }
  query = (ink_ledger_query){.identity = asked};
  return print_rows(r, ledger, &query, asked, true, error);
}

// ---- verify

typedef struct presence {
  json_t *lists[3];
  size_t n[3];
} presence;

static void note_presence(void *context, const char *path, int64_t n, ink_ledger_presence found) {
  presence *p = context;
  p->n[found]++;
  json_array_append_new(p->lists[found], json_pack("{s:s, s:I}", "path", path, "n", (json_int_t)n));
}

static void print_verdict(const ink_ledger_verdict *v, const presence *p, bool files) {
  if (!v->broken && !v->n_row) printf("%s\n", ink_tr("the ledger is empty"));
  if (!v->broken && v->n_row) {
    printf(ink_tr("whole: rows %lld to %lld; the last one's hash is %s\n"), (long long)v->first,
           (long long)v->last, v->head);
  }
  if (!files) return;
  static const char *const signs[] = {"✓", "✗", "-"};
  static const char *const words[] = {"same", "changed", "not there any more"};
  for (int i = 0; i < 3; i++) printf("  %s %zu %s\n", signs[i], p->n[i], ink_tr(words[i]));
  size_t at;
  const json_t *file;
  json_array_foreach(p->lists[INK_LEDGER_CHANGED], at, file) {
    printf("  ✗ %s (%lld)\n", text_at(file, "path"),
           (long long)json_integer_value(json_object_get(file, "n")));
  }
}

static json_t *verdict_json(const ink_ledger_verdict *v, const presence *p, bool files) {
  json_t *broken = v->broken ? json_pack("{s:I, s:s, s:s}", "n", (json_int_t)v->broken, "identity",
                                         v->identity, "what", v->what)
                             : json_null();
  json_t *json = json_pack("{s:b, s:I, s:I, s:I, s:s, s:o}", "whole", (int)(v->broken == 0), "rows",
                           (json_int_t)v->n_row, "first", (json_int_t)v->first, "last",
                           (json_int_t)v->last, "head", v->head, "broken", broken);
  if (json && files) {
    json_object_set_new(
        json, "files",
        json_pack("{s:I, s:O, s:O}", "same", (json_int_t)p->n[INK_LEDGER_SAME], "changed",
                  p->lists[INK_LEDGER_CHANGED], "missing", p->lists[INK_LEDGER_MISSING]));
  }
  return json;
}

static ink_status verify(const request *r, ink_ledger *ledger, const char *asked,
                         ink_error *error) {
  ink_ledger_verdict v;
  presence p = {.lists = {json_array(), json_array(), json_array()}};
  (void)asked;
  ink_status status = ink_ledger_verify(ledger, r->holds, &v, error);
  bool files = r->files && status == INK_OK && !v.broken;
  if (files) status = ink_ledger_check_files(ledger, note_presence, &p, error);
  if (status == INK_OK && r->json) {
    status = ink_cli_print_json(verdict_json(&v, &p, files), error);
  } else if (status == INK_OK) {
    print_verdict(&v, &p, files);
  }
  if (status == INK_OK && v.broken) {
    status = ink_fail(error, INK_ERR_CONFLICT, "the chain is broken at row %lld%s%s: %s",
                      (long long)v.broken, v.identity[0] ? ", " : "", v.identity, v.what);
  }
  for (int i = 0; i < 3; i++) json_decref(p.lists[i]);
  return status;
}

// ---- export and prune

typedef struct export_to {
  ink_file_writer writer;
  bool to_file, failed;
  ink_error *error;
} export_to;

static bool export_row(void *context, const json_t *row) {
  export_to *e = context;
  char *text = json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS);
  if (!text) {
    ink_fail(e->error, INK_ERR_MEMORY, "no memory for the ledger");
    e->failed = true;
  } else if (!e->to_file) {
    puts(text);
  } else {
    e->failed = ink_file_write(&e->writer, text, strlen(text), e->error) != INK_OK ||
                ink_file_write(&e->writer, "\n", 1, e->error) != INK_OK;
  }
  free(text);
  return !e->failed;
}

static ink_status export_rows(const request *r, ink_ledger *ledger, const char *asked,
                              ink_error *error) {
  export_to e = {.to_file = r->out != NULL, .error = error};
  ink_ledger_query query = {.last = r->last};
  (void)asked;
  if (r->out) INK_TRY(ink_file_create(r->out, &e.writer, error));
  ink_status status = ink_ledger_each(ledger, &query, export_row, &e, error);
  if (status == INK_OK && e.failed) status = error->status;
  if (status == INK_OK && r->out) status = ink_file_commit(&e.writer, error);
  ink_file_abandon(&e.writer);
  return status;
}

// "400d", "18m" of thirty-one days, "2y".
static ink_status parse_age(const char *text, int64_t *days, ink_error *error) {
  char *end = NULL;
  long long n = text ? strtoll(text, &end, 10) : 0;
  int64_t unit = 0;
  if (end && end != text && end[0] && !end[1]) {
    unit = end[0] == 'd' ? 1 : end[0] == 'm' ? 31 : end[0] == 'y' ? 366 : 0;
  }
  if (!unit || n < 0 || n > MOST_DAYS) {
    return ink_fail(error, INK_ERR_USAGE,
                    "--older-than takes an age in days, months or years, such as 400d, 18m or 2y");
  }
  *days = n * unit;
  return INK_OK;
}

static ink_status prune(const request *r, ink_ledger *ledger, const char *asked, ink_error *error) {
  int64_t days = 0, n, now = (int64_t)time(NULL);
  (void)asked;
  INK_TRY(parse_age(r->older_than, &days, error));
  INK_TRY(ink_ledger_prune(ledger, now - days * DAY, now, &n, error));
  if (r->json) return ink_cli_print_json(json_pack("{s:I}", "rows", (json_int_t)n), error);
  printf(ink_tr("rows taken out: %lld\n"), (long long)n);
  return INK_OK;
}

// ---- the command

static const struct verb {
  const char *name;
  bool takes, appends;
  ink_status (*act)(const request *r, ink_ledger *ledger, const char *asked, ink_error *error);
} verbs[] = {{"list", false, false, list},
             {"show", true, false, show},
             {"verify", false, false, verify},
             {"export", false, false, export_rows},
             {"prune", false, true, prune}};

static ink_status act(const request *r, int n, char **argv, ink_error *error) {
  const struct verb *verb = NULL;
  for (size_t i = 0; n > 0 && i < sizeof verbs / sizeof *verbs; i++) {
    if (strcmp(verbs[i].name, argv[1]) == 0) verb = &verbs[i];
  }
  if (!verb) {
    return ink_fail(error, INK_ERR_USAGE, "say one of list, show, verify, export and prune");
  }
  if (verb->takes && n != 2) {
    return ink_fail(error, INK_ERR_USAGE, "name one row, by its number or its piece's identity");
  }
  if (!verb->takes && n != 1) {
    return ink_fail(error, INK_ERR_USAGE, "%s takes nothing but options", verb->name);
  }
  char *own = NULL;
  if (!r->path) INK_TRY(ink_ledger_path(&own, error));
  const char *path = r->path ? r->path : own;
  if (!path) {
    return ink_fail(error, INK_ERR_NOT_FOUND,
                    "no place for the ledger: set HOME, XDG_DATA_HOME or INKSTONE_LEDGER");
  }
  ink_ledger *ledger = NULL;
  ink_status status = verb->appends && !ink_file_exists(path)
                          ? ink_fail(error, INK_ERR_NOT_FOUND, "%s: there is no ledger yet", path)
                          : ink_ledger_open(path, verb->appends, &ledger, error);
  if (status == INK_OK) status = verb->act(r, ledger, n == 2 ? argv[2] : NULL, error);
  ink_ledger_close(ledger);
  free(own);
  return status;
}

static ink_status run(const ink_command *self, int argc, char **argv, ink_error *error) {
  request r = {0};
  ink_option options[] = {
      {.name = "ledger",
       .kind = INK_OPTION_STRING,
       .value = &r.path,
       .argument = "FILE",
       .help = "another ledger than the user's own"},
      {.name = "last",
       .letter = 'n',
       .kind = INK_OPTION_INT,
       .value = &r.last,
       .argument = "N",
       .help = "list, export: the newest N rows (default: all)",
       .low = 0,
       .high = 0x1p53},
      {.name = "files",
       .kind = INK_OPTION_FLAG,
       .value = &r.files,
       .help = "verify: also look at the files that are still there"},
      {.name = "holds",
       .kind = INK_OPTION_STRING,
       .value = &r.holds,
       .argument = "HASH",
       .help = "verify: a row of this hash, noted earlier, must be there"},
      {.name = "older-than",
       .kind = INK_OPTION_STRING,
       .value = &r.older_than,
       .argument = "AGE",
       .help = "prune: take out rows of this age, such as 400d, 18m or 2y"},
      {.name = "out",
       .letter = 'o',
       .kind = INK_OPTION_STRING,
       .value = &r.out,
       .argument = "FILE",
       .help = "export: write there (default: standard output)"},
      {.name = "json", .kind = INK_OPTION_FLAG, .value = &r.json, .help = "print one JSON object"},
  };
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, sizeof options / sizeof *options, argc, argv, &n, &done,
                           error));
  if (done) return INK_OK;
  return act(&r, n, argv, error);
}

const ink_command ink_command_ledger = {
    .name = "ledger",
    .summary = "Look at the log of what was made here, and check it",
    .usage = "ledger list|show ID|verify|export|prune [OPTIONS]",
    .examples =
        "inkstone ledger list --last 10\n"
        "inkstone ledger verify --files\n"
        "inkstone ledger export --out ledger.jsonl\n"
        "inkstone ledger prune --older-than 2y\n",
    .run = run,
};
