// The ledger's chain: whether it holds, whether its files do, and how its beginning may go.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "mark/ledger/ledger_parts.h"

enum {
  DAY = 24 * 3600,
  AT_ONCE = 256,  // rows that are read in one transaction: who appends waits for so many
};

// ---- verify

// Where the walk along the chain is.
typedef struct walk {
  ink_ledger *ledger;
  ink_ledger_verdict *verdict;
  bool ended;     // no row is left
  bool lost;      // the row that it came to is not there any more
  int64_t given;  // rows that were given a number once, though they may be gone from the end
  int64_t next;   // number that the next row must have
  char previous[INK_SHA256_HEX];  // and its previous hash
  // What the first row that is there says of those before it, until a checkpoint says it too.
  int64_t gone;
  char gone_hash[INK_SHA256_HEX];
  bool vouched;
  const char *holds;
  bool held;
  ink_error *error;  // whose language the findings are in
} walk;

static void broken(walk *w, int64_t n, const char *identity, const char *format, ...)
    INK_PRINTF(4, 5);

static void broken(walk *w, int64_t n, const char *identity, const char *format, ...) {
  va_list arguments;
  w->verdict->broken = n;
  snprintf(w->verdict->identity, INK_UUID_TEXT, "%s", identity ? identity : "");
  va_start(arguments, format);
  vsnprintf(w->verdict->what, sizeof w->verdict->what, ink_error_say(w->error, format), arguments);
  va_end(arguments);
}

static const char *text_at(const json_t *row, const char *name) {
  const char *text = json_string_value(json_object_get(row, name));
  return text ? text : "";
}

// Rows that were taken out from the beginning are vouched for by a checkpoint further on.
static void begin_at(walk *w, int64_t n, const json_t *row) {
  w->verdict->first = n;
  w->next = n;
  w->gone = n - 1;
  snprintf(w->gone_hash, sizeof w->gone_hash, "%s", text_at(row, "previous"));
  w->vouched = n == 1;
  snprintf(w->previous, sizeof w->previous, "%s", n == 1 ? INK_LEDGER_ORIGIN : w->gone_hash);
}

// The manifests that a row speaks of must be there, and be those.
static ink_status check_stores(walk *w, int64_t n, const json_t *row, ink_error *error) {
  size_t i;
  json_t *file;
  json_array_foreach(json_object_get(row, "files"), i, file) {
    const char *sha256 = text_at(file, "store");
    unsigned char *store;
    size_t size;
    ink_error fault = {0};
    if (!sha256[0]) continue;
    ink_status status = ink_ledger_store(w->ledger, sha256, &store, &size, &fault);
    free(store);
    if (status == INK_ERR_NOT_FOUND) {
      broken(w, n, text_at(row, "identity"), "its manifest %.12s… is not there", sha256);
    } else if (status == INK_ERR_CONFLICT) {
      broken(w, n, text_at(row, "identity"), "its manifest %.12s… was changed", sha256);
    } else if (status != INK_OK) {
      return ink_fail(error, status, "%s", fault.text);
    }
    if (w->verdict->broken) return INK_OK;
  }
  return INK_OK;
}

static ink_status check_row(walk *w, sqlite3_stmt *s, ink_error *error) {
  int64_t n = sqlite3_column_int64(s, 0);
  const char *fault = NULL, *stored = ink_ledger_row_hash(s);
  char hash[INK_SHA256_HEX];
  json_t *row = ink_ledger_row(s, &fault);
  if (!row) {
    broken(w, n, (const char *)sqlite3_column_text(s, 2), "its member \"%s\" cannot be read",
           fault);
    return INK_OK;
  }
  const char *identity = text_at(row, "identity");
  if (!w->verdict->n_row) begin_at(w, n, row);
  ink_status status = ink_ledger_hash(row, hash, error);
  if (status != INK_OK) {
    json_decref(row);
    return status;
  }
  if (n != w->next) {
    broken(w, w->next, "", "the row is not there: row %lld follows row %lld", (long long)n,
           (long long)(w->next - 1));
  } else if (strcmp(hash, stored) != 0) {
    broken(w, n, identity, "its content was changed: its hash is %.12s…, recorded was %.12s…", hash,
           stored);
  } else if (strcmp(text_at(row, "previous"), w->previous) != 0) {
    broken(w, n, identity,
           "it follows another row: the previous hash is %.12s…, recorded was %.12s…", w->previous,
           text_at(row, "previous"));
  } else {
    status = check_stores(w, n, row, error);
  }
  const json_t *details = json_object_get(row, "details");
  if (!w->vouched && strcmp(text_at(row, "kind"), "checkpoint") == 0) {
    w->vouched = json_integer_value(json_object_get(details, "last")) == w->gone &&
                 strcmp(text_at(details, "hash"), w->gone_hash) == 0;
  }
  w->held = w->held || (w->holds && strcmp(w->holds, hash) == 0);
  w->verdict->n_row++;
  w->verdict->last = n;
  w->next = n + 1;
  snprintf(w->previous, sizeof w->previous, "%s", stored);
  json_decref(row);
  return status;
}

static ink_status numbers_given(const ink_ledger *ledger, int64_t *n, ink_error *error) {
  sqlite3_stmt *s = NULL;
  INK_TRY(ink_ledger_prepare(ledger, "SELECT seq FROM sqlite_sequence WHERE name = 'ledger'", &s,
                             error));
  int step = sqlite3_step(s);
  *n = step == SQLITE_ROW ? sqlite3_column_int64(s, 0) : 0;
  ink_status status =
      step == SQLITE_ROW || step == SQLITE_DONE ? INK_OK : ink_ledger_fault(ledger, error);
  sqlite3_finalize(s);
  return status;
}

static walk walk_from_the_first(ink_ledger *ledger, const char *holds, ink_ledger_verdict *verdict,
                                ink_error *error) {
  walk w = {.ledger = ledger,
            .verdict = verdict,
            .holds = holds,
            .next = 1,
            .vouched = true,
            .error = error};
  *verdict = (ink_ledger_verdict){0};
  snprintf(w.previous, sizeof w.previous, "%s", INK_LEDGER_ORIGIN);
  return w;
}

// Go on by `most` rows, within a transaction. The row that the walk came to is read again: where it
// went, the beginning was taken out meanwhile.
static ink_status walk_on(walk *w, int64_t most, ink_error *error) {
  const ink_ledger_verdict *v = w->verdict;
  sqlite3_stmt *s = NULL;
  INK_TRY(ink_ledger_prepare(
      w->ledger, "SELECT " INK_LEDGER_COLUMNS " FROM ledger WHERE n >= ? ORDER BY n LIMIT ?", &s,
      error));
  bool begun = v->n_row > 0;
  sqlite3_bind_int64(s, 1, begun ? v->last : INT64_MIN);
  sqlite3_bind_int64(s, 2, most + begun);
  ink_status status = INK_OK;
  int step = sqlite3_step(s);
  if (begun && (step == SQLITE_ROW || step == SQLITE_DONE)) {
    w->lost = step == SQLITE_DONE || sqlite3_column_int64(s, 0) != v->last ||
              strcmp(ink_ledger_row_hash(s), w->previous) != 0;
    if (!w->lost) step = sqlite3_step(s);
  }
  int64_t n = 0;
  for (; status == INK_OK && !v->broken && !w->lost && step != SQLITE_DONE; n++) {
    status = step == SQLITE_ROW ? check_row(w, s, error) : ink_ledger_fault(w->ledger, error);
    if (status == INK_OK) step = sqlite3_step(s);
  }
  sqlite3_finalize(s);
  w->ended = n < most;
  return status == INK_OK && w->ended ? numbers_given(w->ledger, &w->given, error) : status;
}

// To the last row, holding nobody up for long: what others append meanwhile is walked along as
// well.
static ink_status walk_to_the_end(walk *w, ink_error *error) {
  while (!w->ended && !w->verdict->broken) {
    INK_TRY(ink_ledger_run(w->ledger, "BEGIN", error));
    ink_status status = walk_on(w, AT_ONCE, error);
    sqlite3_exec(w->ledger->db, "ROLLBACK", NULL, NULL, NULL);  // it only read
    INK_TRY(status);
    if (w->lost) *w = walk_from_the_first(w->ledger, w->holds, w->verdict, error);
  }
  return INK_OK;
}

// What the rows tell together.
static void judge(walk *w) {
  ink_ledger_verdict *v = w->verdict;
  snprintf(v->head, sizeof v->head, "%s", w->previous);
  if (v->broken) return;
  if (!w->vouched) {
    broken(w, w->gone, "", "the row is not there, and no checkpoint speaks of it");
  } else if (w->given > v->last) {
    broken(w, v->last + 1, "", "the row is not there: %lld rows were written", (long long)w->given);
  } else if (w->holds && !w->held) {
    broken(w, v->last + 1, "", "no row has the hash %.12s…", w->holds);
  }
}

ink_status ink_ledger_verify(ink_ledger *ledger, const char *holds, ink_ledger_verdict *verdict,
                             ink_error *error) {
  walk w = walk_from_the_first(ledger, holds, verdict, error);
  INK_TRY(walk_to_the_end(&w, error));
  judge(&w);
  return INK_OK;
}

// ---- files

static bool note_files(void *context, const json_t *row) {
  json_t *newest = context;
  size_t i;
  const json_t *file;
  json_array_foreach(json_object_get(row, "files"), i, file) {
    const char *path = text_at(file, "path");
    if (strcmp(path, "-") == 0) continue;
    json_object_set_new(newest, path,
                        json_pack("{s:O, s:O}", "n", json_object_get(row, "n"), "sha256",
                                  json_object_get(file, "sha256")));
  }
  return true;
}

ink_status ink_ledger_check_files(ink_ledger *ledger,
                                  void (*take)(void *context, const char *path, int64_t n,
                                               ink_ledger_presence presence),
                                  void *context, ink_error *error) {
  json_t *newest = json_object();
  if (!newest) return ink_fail(error, INK_ERR_MEMORY, "no memory for the ledger's files");
  ink_ledger_query all = {0};
  ink_status status = ink_ledger_each(ledger, &all, note_files, newest, error);
  const char *path;
  json_t *file;
  json_object_foreach(newest, path, file) {
    if (status != INK_OK) break;
    char hash[INK_SHA256_HEX];
    ink_error unread = {0};
    ink_ledger_presence presence = INK_LEDGER_MISSING;
    if (ink_file_exists(path) && ink_sha256_file(path, hash, &unread) == INK_OK) {
      presence = strcmp(hash, text_at(file, "sha256")) == 0 ? INK_LEDGER_SAME : INK_LEDGER_CHANGED;
    }
    if (unread.status == INK_ERR_MEMORY) {
      status = ink_fail(error, unread.status, "%s", unread.text);
      break;
    }
    take(context, path, json_integer_value(json_object_get(file, "n")), presence);
  }
  json_decref(newest);
  return status;
}

// ---- prune

// The rows before a time, from the first on: *last is the number of the last of them, 0 for none.
static ink_status find_old(const ink_ledger *ledger, int64_t before, int64_t now, int64_t *last,
                           int64_t *n, char hash[INK_SHA256_HEX], ink_error *error) {
  char limit[24], kept[24];
  ink_ledger_time(before, limit);
  ink_ledger_time(now - (int64_t)INK_LEDGER_KEEP_DAYS * DAY, kept);
  sqlite3_stmt *s = NULL;
  INK_TRY(ink_ledger_prepare(
      ledger, "SELECT n, time, identity, unmarked, hash FROM ledger ORDER BY n", &s, error));
  ink_status status = INK_OK;
  int step = SQLITE_DONE;
  *last = *n = 0;
  while (status == INK_OK && (step = sqlite3_step(s)) == SQLITE_ROW) {
    const char *time_text = (const char *)sqlite3_column_text(s, 1);
    if (strcmp(time_text, limit) >= 0) break;
    if (sqlite3_column_int64(s, 3) && strcmp(time_text, kept) >= 0) {
      status = ink_fail(error, INK_ERR_CONFLICT,
                        "row %lld of %s is of a piece that was given unmarked on request: its log "
                        "is kept for %d days (China, Measures for Labelling, article 9)",
                        (long long)sqlite3_column_int64(s, 0), time_text, INK_LEDGER_KEEP_DAYS);
      break;
    }
    *last = sqlite3_column_int64(s, 0);
    snprintf(hash, INK_SHA256_HEX, "%s", (const char *)sqlite3_column_text(s, 4));
    ++*n;
  }
  if (status == INK_OK && step != SQLITE_ROW && step != SQLITE_DONE) {
    status = ink_ledger_fault(ledger, error);
  }
  sqlite3_finalize(s);
  return status;
}

static ink_status take_out(const ink_ledger *ledger, int64_t last, int64_t n, const char *hash,
                           int64_t now, ink_error *error) {
  char identity[INK_UUID_TEXT], time_text[24], sql[160];
  INK_TRY(ink_mark_identity(identity, error));
  ink_ledger_time(now, time_text);
  json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:n, s:n, s:[], s:[], s:b, s:n, s:{s:I, s:I, s:s}}",
                          "time", time_text, "identity", identity, "kind", "checkpoint", "command",
                          "ledger", "model", "recipe", "files", "labels", "unmarked", 0, "law",
                          "details", "last", (json_int_t)last, "rows", (json_int_t)n, "hash", hash);
  if (!row) return ink_fail(error, INK_ERR_MEMORY, "no memory for a row of the ledger");
  ink_status status = ink_ledger_put(ledger, row, error);
  json_decref(row);
  INK_TRY(status);
  snprintf(sql, sizeof sql, "DELETE FROM ledger WHERE n <= %lld", (long long)last);
  INK_TRY(ink_ledger_run(ledger, sql, error));
  return ink_ledger_run(ledger,
                        "DELETE FROM manifest WHERE NOT EXISTS (SELECT 1 FROM ledger WHERE "
                        "instr(files, manifest.sha256))",
                        error);
}

// A checkpoint would vouch for whatever was done to the rows that it takes the place of.
static ink_status check_whole(walk *w, ink_error *error) {
  const ink_ledger_verdict *v = w->verdict;
  judge(w);
  if (!v->broken) return INK_OK;
  return ink_fail(error, INK_ERR_CONFLICT,
                  "the chain is broken at row %lld%s%s: %s; nothing is taken out of it, for what "
                  "happened there would be gone",
                  (long long)v->broken, v->identity[0] ? ", " : "", v->identity, v->what);
}

// Begin a transaction that writes on a chain that is whole. Others wait for it, so that the walk
// comes before it, and in it only what was appended since.
static ink_status begin_on_whole(ink_ledger *ledger, ink_error *error) {
  ink_ledger_verdict verdict;
  walk w;
  do {
    w = walk_from_the_first(ledger, NULL, &verdict, error);
    INK_TRY(walk_to_the_end(&w, error));
    INK_TRY(check_whole(&w, error));
    INK_TRY(ink_ledger_run(ledger, "BEGIN IMMEDIATE", error));
    ink_status status = walk_on(&w, INT64_MAX - 1, error);
    if (status == INK_OK && !w.lost) status = check_whole(&w, error);
    if (status != INK_OK || w.lost) sqlite3_exec(ledger->db, "ROLLBACK", NULL, NULL, NULL);
    INK_TRY(status);
  } while (w.lost);  // another process pruned it meanwhile
  return INK_OK;
}

ink_status ink_ledger_prune(ink_ledger *ledger, int64_t before, int64_t now, int64_t *n,
                            ink_error *error) {
  int64_t last;
  char hash[INK_SHA256_HEX];
  if (!now) now = (int64_t)time(NULL);
  INK_TRY(begin_on_whole(ledger, error));
  ink_status status = find_old(ledger, before, now, &last, n, hash, error);
  if (status == INK_OK && *n) status = take_out(ledger, last, *n, hash, now, error);
  if (status == INK_OK) status = ink_ledger_run(ledger, "COMMIT", error);
  if (status != INK_OK) sqlite3_exec(ledger->db, "ROLLBACK", NULL, NULL, NULL);
  return status;
}
