// The ledger keeps its promises: it only grows, what was changed shows, nothing is lost.
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mark/ledger/ledger_parts.h"
#include "marking.h"
#include "scratch.h"

enum { DAY = 24 * 3600 };
static const int64_t noon = 1767355200;  // 2026-01-02T12:00:00Z

typedef struct place {
  char *folder, path[4096];
} place;

static int set_up(void **state) {
  place *p = calloc(1, sizeof *p);
  p->folder = scratch_make();
  snprintf(p->path, sizeof p->path, "%s/below/ledger.db", p->folder);
  *state = p;
  return 0;
}

static int take_down(void **state) {
  place *p = *state;
  scratch_remove(p->folder);
  free(p->folder);
  free(p);
  return 0;
}

static ink_ledger *open_at(const place *p) {
  ink_error error = {0};
  ink_ledger *ledger;
  assert_ok(ink_ledger_open(p->path, true, &ledger, &error));
  return ledger;
}

static const char *const both[] = {"visible", "C2PA"};

static ink_ledger_entry entry_at(int64_t at) {
  return (ink_ledger_entry){.identity = test_identity,
                            .at = at,
                            .kind = "piece",
                            .command = "make",
                            .labels = both,
                            .n_label = 2};
}

static void append(ink_ledger *ledger, int64_t at, bool unmarked) {
  ink_error error = {0};
  ink_ledger_entry entry = entry_at(at);
  ink_ledger_file file = {.bytes = "x", .size = 1};
  entry.unmarked = unmarked;
  entry.law = unmarked ? "GB 45438-2025" : NULL;
  entry.files = &file;
  entry.n_file = 1;
  assert_ok(ink_ledger_append(ledger, &entry, &error));
}

static void append_some(const place *p, int n) {
  ink_ledger *ledger = open_at(p);
  for (int i = 0; i < n; i++) append(ledger, noon + i, false);
  ink_ledger_close(ledger);
}

static ink_ledger_verdict verdict_of(const place *p, const char *holds) {
  ink_error error = {0};
  ink_ledger *ledger;
  ink_ledger_verdict verdict;
  assert_ok(ink_ledger_open(p->path, false, &ledger, &error));
  assert_ok(ink_ledger_verify(ledger, holds, &verdict, &error));
  ink_ledger_close(ledger);
  return verdict;
}

// SQL past our own code; returns SQLite's code.
static int meddle(const place *p, const char *sql) {
  sqlite3 *db;
  assert_int_equal(sqlite3_open(p->path, &db), SQLITE_OK);
  sqlite3_busy_timeout(db, 5000);
  int code = sqlite3_exec(db, sql, NULL, NULL, NULL);
  sqlite3_close(db);
  return code;
}

#define WITHOUT_TRIGGERS                                                                  \
  "DROP TRIGGER ledger_chained; DROP TRIGGER ledger_unchanged; DROP TRIGGER ledger_kept;" \
  "DROP TRIGGER manifest_unchanged; DROP TRIGGER manifest_kept;"

static bool keep_row(void *context, const json_t *row) {
  return json_array_append(context, (json_t *)(uintptr_t)row) == 0;
}

static json_t *rows_of(const place *p, const ink_ledger_query *query) {
  ink_error error = {0};
  ink_ledger *ledger;
  json_t *rows = json_array();
  assert_ok(ink_ledger_open(p->path, false, &ledger, &error));
  assert_ok(ink_ledger_each(ledger, query, keep_row, rows, &error));
  ink_ledger_close(ledger);
  return rows;
}

static const char *text_at(const json_t *object, const char *key) {
  return json_string_value(json_object_get(object, key));
}

// The canonical JSON, written out by hand.
static void a_rows_hash_is_that_of_its_canonical_json(void **state) {
  const place *p = *state;
  ink_error error = {0};
  char hash[INK_SHA256_HEX], canonical[2048];
  append_some(p, 1);
  snprintf(canonical, sizeof canonical,
           "{\"command\":\"make\",\"details\":{},\"files\":[{\"bytes\":1,\"content\":\"%s\","
           "\"path\":\"-\",\"sha256\":\"%s\"}],\"identity\":\"%s\",\"kind\":\"piece\",\"labels\":"
           "[\"visible\",\"C2PA\"],\"law\":null,\"model\":null,\"n\":1,\"previous\":\"%064d\","
           "\"recipe\":null,\"time\":\"2026-01-02T12:00:00Z\",\"unmarked\":false}",
           "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
           "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881", test_identity, 0);
  assert_ok(ink_sha256_of(canonical, strlen(canonical), hash, &error));
  ink_ledger_verdict verdict = verdict_of(p, NULL);
  assert_int_equal(verdict.broken, 0);
  assert_string_equal(verdict.head, hash);
}

static void rows_are_found_by_identity_number_and_hash(void **state) {
  const place *p = *state;
  append_some(p, 3);
  static const struct {
    ink_ledger_query query;
    size_t n;
  } cases[] = {{{0}, 3},
               {{.n = 2}, 1},
               {{.n = 4}, 0},
               {{.last = 2}, 2},
               {{.identity = "f9168c5e"}, 3},
               {{.identity = "f9168c5f"}, 0},
               {{.hash = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}, 3},
               {{.hash = "3d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    json_t *rows = rows_of(p, &cases[i].query);
    assert_int_equal(json_array_size(rows), cases[i].n);
    for (size_t j = 1; j < json_array_size(rows); j++) {
      assert_string_equal(text_at(json_array_get(rows, j), "previous"),
                          text_at(json_array_get(rows, j - 1), "hash"));
    }
    json_decref(rows);
  }
}

static void the_ledger_only_grows(void **state) {
  const place *p = *state;
  append_some(p, 3);
  static const char *const refused[] = {
      "UPDATE ledger SET law = 'none' WHERE n = 2",
      "DELETE FROM ledger WHERE n = 3",
      "DELETE FROM ledger",
      "INSERT OR REPLACE INTO ledger SELECT * FROM ledger WHERE n = 2",
      "INSERT INTO ledger SELECT 9, time, identity, kind, command, model, recipe, files, labels, "
      "unmarked, law, details, hash, hash FROM ledger WHERE n = 3",
      "INSERT INTO ledger SELECT 4, time, identity, kind, command, model, recipe, files, labels, "
      "unmarked, law, details, previous, hash FROM ledger WHERE n = 3"};
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    assert_int_equal(meddle(p, refused[i]), SQLITE_CONSTRAINT);
  }
  ink_ledger_verdict verdict = verdict_of(p, NULL);
  assert_int_equal(verdict.broken, 0);
  assert_int_equal(verdict.n_row, 3);
}

static void a_broken_link_is_named(void **state) {
  static const struct {
    const char *sql;
    int64_t broken;
    const char *what;
  } cases[] = {
      {"UPDATE ledger SET n = n + 0", 0, ""},
      {"UPDATE ledger SET time = '2026-01-02T12:00:09Z' WHERE n = 2", 2, "content was changed"},
      {"UPDATE ledger SET identity = replace(identity, 'f', 'e') WHERE n = 2", 2, "content"},
      {"UPDATE ledger SET kind = 'text' WHERE n = 3", 3, "content"},
      {"UPDATE ledger SET command = 'sign' WHERE n = 1", 1, "content"},
      {"UPDATE ledger SET model = 'x' WHERE n = 2", 2, "content"},
      {"UPDATE ledger SET recipe = 'x' WHERE n = 2", 2, "content"},
      {"UPDATE ledger SET files = replace(files, '2d', '2e') WHERE n = 4", 4, "content"},
      {"UPDATE ledger SET labels = '[]' WHERE n = 2", 2, "content"},
      {"UPDATE ledger SET unmarked = 1 WHERE n = 2", 2, "content"},
      {"UPDATE ledger SET law = 'x' WHERE n = 2", 2, "content"},
      {"UPDATE ledger SET details = '{\"a\":1}' WHERE n = 2", 2, "content"},
      {"UPDATE ledger SET hash = replace(hash, 'a', 'b') WHERE n = 2", 2, "content"},
      {"UPDATE ledger SET files = 'x' WHERE n = 2", 2, "\"files\" cannot be read"},
      {"UPDATE ledger SET labels = '{}' WHERE n = 2", 2, "\"labels\" cannot be read"},
      {"DELETE FROM ledger WHERE n = 3", 3, "row 4 follows row 2"},
      {"DELETE FROM ledger WHERE n = 5", 5, "5 rows were written"},
      {"DELETE FROM ledger WHERE n > 0", 1, "5 rows were written"},
      {"DELETE FROM ledger WHERE n < 3", 2, "no checkpoint"},
      // A changed row whose hash was made to fit: the next one tells.
      {"DELETE FROM ledger WHERE n = 2; UPDATE ledger SET n = n - 1 WHERE n > 2", 2, "content"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    void *each;
    set_up(&each);
    const place *p = each;
    char sql[1024];
    append_some(p, 5);
    snprintf(sql, sizeof sql, "%s%s", WITHOUT_TRIGGERS, cases[i].sql);
    assert_int_equal(meddle(p, sql), SQLITE_OK);
    ink_ledger_verdict verdict = verdict_of(p, NULL);
    if (verdict.broken != cases[i].broken || !strstr(verdict.what, cases[i].what)) {
      fail_msg("%s: row %lld, %s", cases[i].sql, (long long)verdict.broken, verdict.what);
    }
    take_down(&each);
  }
}

// Who rewrites the end of the chain with good hashes is found by a hash that was noted before.
static void a_noted_hash_tells_of_a_rewritten_end(void **state) {
  const place *p = *state;
  append_some(p, 3);
  char noted[INK_SHA256_HEX];
  ink_ledger_verdict verdict = verdict_of(p, NULL);
  memcpy(noted, verdict.head, sizeof noted);
  assert_int_equal(meddle(p,
                          "DROP TRIGGER ledger_kept; DELETE FROM ledger WHERE n = 3;"
                          "UPDATE sqlite_sequence SET seq = 2"),
                   SQLITE_OK);
  ink_ledger *ledger = open_at(p);
  append(ledger, noon + 77, false);
  ink_ledger_close(ledger);
  assert_int_equal(verdict_of(p, NULL).broken, 0);
  assert_int_equal(verdict_of(p, noted).broken, 4);
}

static void processes_that_append_at_once_take_turns(void **state) {
  const place *p = *state;
  enum { CHILDREN = 6, ROWS = 20 };
  pid_t children[CHILDREN];
  for (int i = 0; i < CHILDREN; i++) {
    children[i] = fork();
    if (children[i] == 0) {
      ink_error error = {0};
      int failed = 0;
      for (int j = 0; j < ROWS; j++) {
        ink_ledger *ledger;
        ink_ledger_entry entry = entry_at(noon);
        if (ink_ledger_open(p->path, true, &ledger, &error) != INK_OK ||
            ink_ledger_append(ledger, &entry, &error) != INK_OK) {
          fprintf(stderr, "%s\n", error.text);
          failed++;
        }
        ink_ledger_close(ledger);
      }
      _exit(failed ? 1 : 0);
    }
  }
  for (int i = 0; i < CHILDREN; i++) {
    int status;
    assert_int_equal(waitpid(children[i], &status, 0), children[i]);
    assert_int_equal(status, 0);
  }
  ink_ledger_verdict verdict = verdict_of(p, NULL);
  assert_int_equal(verdict.broken, 0);
  assert_int_equal(verdict.n_row, CHILDREN * ROWS);
}

// Each row that a process was told of is there, whenever it is killed.
static void a_killed_process_loses_nothing(void **state) {
  const place *p = *state;
  enum { ROUNDS = 12 };
  int64_t told = 0;
  for (int round = 0; round < ROUNDS; round++) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
      ink_error error = {0};
      ink_ledger *ledger;
      if (ink_ledger_open(p->path, true, &ledger, &error) != INK_OK) _exit(1);
      for (;;) {
        ink_ledger_entry entry = entry_at(noon);
        if (ink_ledger_append(ledger, &entry, &error) != INK_OK) _exit(1);
        if (write(ends[1], "x", 1) != 1) _exit(1);
      }
    }
    close(ends[1]);
    char seen[1];
    assert_int_equal(read(ends[0], seen, 1), 1);  // it is under way
    told++;
    usleep(1000 * (unsigned)(1 + 7 * round % 23));
    kill(child, SIGKILL);
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    while (read(ends[0], seen, 1) == 1) told++;
    close(ends[0]);
    append_some(p, 1);
    told++;
    ink_ledger_verdict verdict = verdict_of(p, NULL);
    assert_int_equal(verdict.broken, 0);
    assert_true(verdict.n_row >= told);
  }
}

static void pruning_keeps_the_chain_and_what_the_law_wants(void **state) {
  const place *p = *state;
  ink_error error = {0};
  int64_t n, now = noon + 400 * DAY;
  ink_ledger *ledger = open_at(p);
  append(ledger, noon, false);
  append(ledger, noon + DAY, true);
  append(ledger, now - (INK_LEDGER_KEEP_DAYS - 1) * DAY, true);
  append(ledger, now - 20 * DAY, false);
  append(ledger, now - 10 * DAY, false);
  // The unmarked one of the last months stands in the way.
  assert_int_equal(ink_ledger_prune(ledger, now - 15 * DAY, now, &n, &error), INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, "row 3"));
  assert_int_equal(verdict_of(p, NULL).n_row, 5);
  // Nothing so old.
  assert_ok(ink_ledger_prune(ledger, noon - DAY, now, &n, &error));
  assert_int_equal(n, 0);
  assert_int_equal(verdict_of(p, NULL).n_row, 5);
  assert_ok(ink_ledger_prune(ledger, now - 300 * DAY, now, &n, &error));
  assert_int_equal(n, 2);
  ink_ledger_verdict verdict = verdict_of(p, NULL);
  assert_int_equal(verdict.broken, 0);
  assert_int_equal(verdict.first, 3);
  assert_int_equal(verdict.last, 6);
  // Half a year later it may go, and the checkpoint with it the time after.
  assert_ok(ink_ledger_prune(ledger, now + 180 * DAY, now + 185 * DAY, &n, &error));
  assert_int_equal(n, 4);
  append(ledger, now + 186 * DAY, false);
  assert_ok(ink_ledger_prune(ledger, now + 186 * DAY, now + 190 * DAY, &n, &error));
  assert_int_equal(n, 1);
  ink_ledger_close(ledger);
  verdict = verdict_of(p, NULL);
  assert_int_equal(verdict.broken, 0);
  assert_int_equal(verdict.first, 8);
  // A beginning that is taken out by hand is not what the checkpoint speaks of.
  assert_int_equal(meddle(p, WITHOUT_TRIGGERS "DELETE FROM ledger WHERE n = 8"), SQLITE_OK);
  verdict = verdict_of(p, NULL);
  assert_int_equal(verdict.broken, 8);
}

// ---- at once with others

#define LAST_ROW_CHANGED                                                                          \
  WITHOUT_TRIGGERS                                                                                \
  "UPDATE ledger SET hash = replace(replace(hash, 'a', 'x'), '1', 'y') WHERE n = (SELECT MAX(n) " \
  "FROM ledger)"
#define A_BROKEN_ROW                                                                              \
  WITHOUT_TRIGGERS                                                                                \
  "INSERT INTO ledger SELECT n + 1, time, identity, kind, 'sigh', model, recipe, files, labels, " \
  "unmarked, law, details, hash, hash FROM ledger ORDER BY n DESC LIMIT 1"

// A second process, which does to the ledger what it is told by one letter.
typedef struct neighbour {
  pid_t process;
  int tell, told;  // ends of pipes
} neighbour;

static void neighbour_acts(const place *p, int from, int to) {
  char order;
  while (read(from, &order, 1) == 1) {
    ink_error error = {0};
    ink_ledger *ledger;
    ink_ledger_entry entry = entry_at(noon + 400 * DAY);
    int64_t n;
    ink_status status = ink_ledger_open(p->path, true, &ledger, &error);
    if (status == INK_OK) sqlite3_busy_timeout(ledger->db, 0);  // waiting is failing
    if (status == INK_OK && order == 'a') status = ink_ledger_append(ledger, &entry, &error);
    if (status == INK_OK && order == 'm' && meddle(p, LAST_ROW_CHANGED) != SQLITE_OK) {
      status = INK_ERR_IO;
    }
    if (status == INK_OK && order == 'b' && meddle(p, A_BROKEN_ROW) != SQLITE_OK) {
      status = INK_ERR_IO;
    }
    if (status == INK_OK && order == 'p') {
      status = ink_ledger_prune(ledger, noon + 300 * DAY, noon + 400 * DAY, &n, &error);
    }
    ink_ledger_close(ledger);
    if (write(to, status == INK_OK ? "+" : "-", 1) != 1) break;
  }
  _exit(0);
}

// Before this process has the ledger open: SQLite must not be carried over a fork.
static neighbour neighbour_begins(const place *p) {
  int there[2], back[2];
  assert_int_equal(pipe(there), 0);
  assert_int_equal(pipe(back), 0);
  neighbour o = {.process = fork(), .tell = there[1], .told = back[0]};
  if (o.process == 0) {
    close(there[1]);
    close(back[0]);
    neighbour_acts(p, there[0], back[1]);
  }
  close(there[0]);
  close(back[1]);
  return o;
}

static void neighbour_ends(neighbour *o) {
  close(o->tell);
  close(o->told);
  waitpid(o->process, NULL, 0);
}

// What runs in this process, and what the other is told to do before each reading.
typedef struct watch {
  const neighbour *o;
  const char *orders;  // the last one again and again; '-' is none
  int n_done, n_refused;
  bool locked;
  int n_locked;  // whole rows that were read while others had to wait
} watch;

static int on_statement(unsigned kind, void *context, void *statement, void *text) {
  watch *w = context;
  const char *sql = text;
  char answer;
  if (kind == SQLITE_TRACE_ROW) {
    const char *of = sqlite3_sql(statement);
    w->n_locked += w->locked && strstr(of, "SELECT n, time, identity, kind") == of;
    return 0;
  }
  if (strcmp(sql, "BEGIN IMMEDIATE") == 0) w->locked = true;
  if (strcmp(sql, "COMMIT") == 0 || strcmp(sql, "ROLLBACK") == 0) w->locked = false;
  if (strncmp(sql, "BEGIN", 5) != 0) return 0;
  if (w->orders[0] == '-') {
    if (w->orders[1]) w->orders++;
    return 0;
  }
  if (write(w->o->tell, w->orders, 1) != 1 || read(w->o->told, &answer, 1) != 1) answer = '-';
  if (answer == '+') {
    w->n_done++;
  } else {
    w->n_refused++;
  }
  if (w->orders[1]) w->orders++;
  return 0;
}

enum { MANY = 700 };  // more than are read at once

static void append_many(const place *p) {
  ink_ledger *ledger = open_at(p);
  assert_int_equal(sqlite3_exec(ledger->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL), 0);
  for (int i = 0; i < MANY; i++) append(ledger, noon + i, false);
  ink_ledger_close(ledger);
}

// Who appends while the chain is followed need not wait, and is not lost.
static void others_append_while_the_chain_is_followed(void **state) {
  const place *p = *state;
  ink_error error = {0};
  int64_t n;
  append_many(p);
  neighbour o = neighbour_begins(p);
  watch w = {.o = &o, .orders = "a"};
  ink_ledger *ledger = open_at(p);
  sqlite3_trace_v2(ledger->db, SQLITE_TRACE_STMT | SQLITE_TRACE_ROW, on_statement, &w);
  ink_ledger_verdict verdict;
  assert_ok(ink_ledger_verify(ledger, NULL, &verdict, &error));
  assert_int_equal(w.n_refused, 0);
  assert_int_equal(w.n_done, 3);
  assert_int_equal(verdict.broken, 0);
  assert_int_equal(verdict.n_row, MANY + 3);
  assert_ok(ink_ledger_prune(ledger, noon + MANY / 2, noon + 400 * DAY, &n, &error));
  assert_int_equal(n, MANY / 2);
  assert_int_equal(w.n_refused, 0);
  assert_int_equal(w.n_done, 7);
  assert_true(w.n_locked > 0 && w.n_locked < 10);
  ink_ledger_close(ledger);
  neighbour_ends(&o);
  verdict = verdict_of(p, NULL);
  assert_int_equal(verdict.broken, 0);
  assert_int_equal(verdict.first, MANY / 2 + 1);
  assert_int_equal(verdict.last, MANY + 7 + 1);
}

// What is done to the chain between the walk and the lock is seen under it.
static void a_chain_that_is_broken_meanwhile_is_not_pruned(void **state) {
  (void)state;
  static const char *const orders[] = {"-m-", "-b-"};
  for (int i = 0; i < 2; i++) {
    void *each;
    set_up(&each);
    const place *p = each;
    ink_error error = {0};
    int64_t n;
    append_some(p, 5);
    neighbour o = neighbour_begins(p);
    watch w = {.o = &o, .orders = orders[i]};
    ink_ledger *ledger = open_at(p);
    sqlite3_trace_v2(ledger->db, SQLITE_TRACE_STMT, on_statement, &w);
    assert_int_equal(ink_ledger_prune(ledger, noon + 2, noon + 400 * DAY, &n, &error),
                     INK_ERR_CONFLICT);
    ink_ledger_close(ledger);
    neighbour_ends(&o);
    assert_int_equal(w.n_done, 1);
    assert_non_null(strstr(error.text, "the chain is broken at row"));
    ink_ledger_query all = {0};
    json_t *rows = rows_of(p, &all);
    assert_int_equal(json_array_size(rows), 5 + i);
    json_decref(rows);
    take_down(&each);
  }
}

// Rows that another process takes out meanwhile are no holes.
static void others_prune_while_the_chain_is_followed(void **state) {
  const place *p = *state;
  ink_error error = {0};
  append_many(p);
  neighbour o = neighbour_begins(p);
  watch w = {.o = &o, .orders = "aapa"};
  ink_ledger *ledger = open_at(p);
  sqlite3_trace_v2(ledger->db, SQLITE_TRACE_STMT, on_statement, &w);
  ink_ledger_verdict verdict;
  assert_ok(ink_ledger_verify(ledger, NULL, &verdict, &error));
  ink_ledger_close(ledger);
  neighbour_ends(&o);
  assert_int_equal(w.n_refused, 0);
  assert_int_equal(verdict.broken, 0);
  assert_int_equal(verdict.first, MANY + 1);
  assert_int_equal(verdict.last, MANY + w.n_done);
}

// A checkpoint in place of a row that was changed would make the change good.
static void a_broken_chain_is_not_pruned(void **state) {
  const place *p = *state;
  ink_error error = {0};
  int64_t n;
  ink_ledger *ledger = open_at(p);
  for (int i = 0; i < 3; i++) append(ledger, noon + i * DAY, false);
  assert_int_equal(meddle(p, WITHOUT_TRIGGERS "UPDATE ledger SET command = 'sigh' WHERE n = 1"),
                   SQLITE_OK);
  assert_int_equal(ink_ledger_prune(ledger, noon + 2 * DAY, noon + 400 * DAY, &n, &error),
                   INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, "the chain is broken at row 1"));
  ink_ledger_close(ledger);
  ink_ledger_query all = {0};
  json_t *rows = rows_of(p, &all);
  assert_int_equal(json_array_size(rows), 3);
  json_decref(rows);
}

static void manifests_lie_beside_the_rows(void **state) {
  const place *p = *state;
  ink_error error = {0};
  ink_signer *signer = signer_named("es256");
  ink_c2pa_manifest manifest = test_manifest();
  blob plain = load("plain.png");
  ink_text made = sign_blob(&plain, ink_carrier_named("png"), &manifest, signer);
  ink_place found = {0};
  assert_ok(ink_carrier_named("png")->find(ink_carrier_named("png"), (unsigned char *)made.bytes,
                                           made.size, &found, &error));
  char content[INK_SHA256_HEX], path[4200];
  assert_ok(ink_sha256_of(plain.bytes, plain.size, content, &error));
  snprintf(path, sizeof path, "%s/a.png", p->folder);
  assert_ok(ink_file_save(path, made.bytes, made.size, &error));
  ink_ledger *ledger = open_at(p);
  ink_ledger_file file = {.path = path};
  ink_ledger_entry entry = entry_at(noon);
  entry.files = &file;
  entry.n_file = 1;
  assert_ok(ink_ledger_append(ledger, &entry, &error));
  ink_ledger_query query = {.hash = content};
  json_t *rows = rows_of(p, &query);
  assert_int_equal(json_array_size(rows), 1);
  const json_t *row = json_array_get(json_object_get(json_array_get(rows, 0), "files"), 0);
  assert_string_equal(text_at(row, "content"), content);
  assert_string_equal(text_at(row, "carrier"), "png");
  unsigned char *store;
  size_t size;
  assert_ok(ink_ledger_store(ledger, text_at(row, "store"), &store, &size, &error));
  assert_int_equal(size, found.store.size);
  assert_memory_equal(store, found.store.bytes, size);
  free(store);
  assert_int_equal(ink_ledger_store(ledger, content, &store, &size, &error), INK_ERR_NOT_FOUND);
  // Kept while a row speaks of it; told when it was changed.
  assert_int_equal(meddle(p, "DELETE FROM manifest"), SQLITE_CONSTRAINT);
  assert_int_equal(meddle(p, WITHOUT_TRIGGERS "UPDATE manifest SET bytes = x'00'"), SQLITE_OK);
  assert_int_equal(ink_ledger_store(ledger, text_at(row, "store"), &store, &size, &error),
                   INK_ERR_CONFLICT);
  // Nor is the chain whole with another manifest than a row speaks of, or with none.
  ink_ledger_verdict verdict = verdict_of(p, NULL);
  assert_int_equal(verdict.broken, 1);
  assert_non_null(strstr(verdict.what, "was changed"));
  assert_int_equal(meddle(p, "DELETE FROM manifest"), SQLITE_OK);
  verdict = verdict_of(p, NULL);
  assert_int_equal(verdict.broken, 1);
  assert_non_null(strstr(verdict.what, "is not there"));
  json_decref(rows);
  ink_ledger_close(ledger);
  ink_place_free(&found);
  ink_text_free(&made);
  ink_signer_free(signer);
  free(plain.bytes);
}

static size_t seen[3];

static void count_presence(void *context, const char *path, int64_t n,
                           ink_ledger_presence presence) {
  (void)context;
  (void)path;
  (void)n;
  seen[presence]++;
}

static void files_are_looked_for_by_their_newest_row(void **state) {
  const place *p = *state;
  ink_error error = {0};
  static const char *const names[] = {"kept", "again", "edited", "gone"};
  ink_ledger *ledger = open_at(p);
  char paths[4][4200];
  for (int i = 0; i < 5; i++) {
    int at = i < 4 ? i : 1;  // "again" is written twice
    snprintf(paths[at], sizeof paths[at], "%s/%s", p->folder, names[at]);
    assert_ok(ink_file_save(paths[at], i < 4 ? "one" : "two", 3, &error));
    ink_ledger_file file = {.path = paths[at]};
    ink_ledger_entry entry = entry_at(noon + i);
    entry.files = &file;
    entry.n_file = 1;
    assert_ok(ink_ledger_append(ledger, &entry, &error));
  }
  assert_ok(ink_file_save(paths[2], "owt", 3, &error));
  remove(paths[3]);
  memset(seen, 0, sizeof seen);
  assert_ok(ink_ledger_check_files(ledger, count_presence, NULL, &error));
  assert_int_equal(seen[INK_LEDGER_SAME], 2);
  assert_int_equal(seen[INK_LEDGER_CHANGED], 1);
  assert_int_equal(seen[INK_LEDGER_MISSING], 1);
  ink_ledger_close(ledger);
}

static void what_is_no_ledger_is_left_alone(void **state) {
  const place *p = *state;
  ink_error error = {0};
  ink_ledger *ledger;
  assert_int_equal(ink_ledger_open(p->path, false, &ledger, &error), INK_ERR_NOT_FOUND);
  char path[4200];
  snprintf(path, sizeof path, "%s/notes.txt", p->folder);
  char text[4096];
  memset(text, 'x', sizeof text);
  assert_ok(ink_file_save(path, text, sizeof text, &error));
  assert_int_equal(ink_ledger_open(path, true, &ledger, &error), INK_ERR_FORMAT);
  assert_non_null(strstr(error.text, "notes.txt"));
  place other = {.folder = p->folder};
  snprintf(other.path, sizeof other.path, "%s/other.db", p->folder);
  assert_int_equal(meddle(&other, "CREATE TABLE t (a)"), SQLITE_OK);
  assert_int_equal(ink_ledger_open(other.path, true, &ledger, &error), INK_ERR_FORMAT);
  append_some(p, 1);
  assert_int_equal(meddle(p, "PRAGMA user_version = 2"), SQLITE_OK);
  assert_int_equal(ink_ledger_open(p->path, true, &ledger, &error), INK_ERR_UNSUPPORTED);
  // Nobody else reads what was made here.
  struct stat info;
  assert_int_equal(stat(p->path, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0600);
}

static void a_full_disk_is_said_and_leaves_the_chain_whole(void **state) {
  const place *p = *state;
  append_some(p, 2);
  pid_t child = fork();
  if (child == 0) {
    ink_error error = {0};
    ink_ledger *ledger = NULL;
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {4096, 4096};
    setrlimit(RLIMIT_FSIZE, &limit);
    ink_ledger_entry entry = entry_at(noon);
    ink_status status = ink_ledger_open(p->path, true, &ledger, &error);
    if (status == INK_OK) status = ink_ledger_append(ledger, &entry, &error);
    ink_ledger_close(ledger);
    _exit(status == INK_ERR_IO && strstr(error.text, p->path) ? 0 : 1);
  }
  int status;
  waitpid(child, &status, 0);
  assert_int_equal(status, 0);
  append_some(p, 1);
  ink_ledger_verdict verdict = verdict_of(p, NULL);
  assert_int_equal(verdict.broken, 0);
  assert_int_equal(verdict.n_row, 3);
}

static void words_are_known_in_another_dress(void **state) {
  (void)state;
  ink_error error = {0};
  char one[INK_SHA256_HEX], other[INK_SHA256_HEX];
  static const char markdown[] = "---\ntitle: x\n---\n\n**山月**随人归，\n秋灯照客衣。\n\n夜深\n",
                    html[] =
                        "<!doctype html><html><head><title>y</title></head><body><p>山月随"
                        "人归,</p><p>秋灯照客衣</p> 夜深</body></html>",
                    changed[] = "山月随人归，秋灯照我衣。夜深";
  assert_ok(ink_ledger_words("a.md", markdown, strlen(markdown), one, &error));
  assert_ok(ink_ledger_words("a.html", html, strlen(html), other, &error));
  assert_string_equal(one, other);
  assert_ok(ink_ledger_words(NULL, changed, strlen(changed), other, &error));
  assert_string_not_equal(one, other);
  assert_int_equal(ink_ledger_words(NULL, "too few", 7, other, &error), INK_ERR_NOT_FOUND);
  assert_int_equal(ink_ledger_words(NULL, "\xFF\xFE", 2, other, &error), INK_ERR_NOT_FOUND);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, take_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_PLACE(a_rows_hash_is_that_of_its_canonical_json),
      WITH_PLACE(rows_are_found_by_identity_number_and_hash),
      WITH_PLACE(the_ledger_only_grows),
      cmocka_unit_test(a_broken_link_is_named),
      WITH_PLACE(a_noted_hash_tells_of_a_rewritten_end),
      WITH_PLACE(processes_that_append_at_once_take_turns),
      WITH_PLACE(a_killed_process_loses_nothing),
      WITH_PLACE(pruning_keeps_the_chain_and_what_the_law_wants),
      WITH_PLACE(others_append_while_the_chain_is_followed),
      WITH_PLACE(others_prune_while_the_chain_is_followed),
      cmocka_unit_test(a_chain_that_is_broken_meanwhile_is_not_pruned),
      WITH_PLACE(a_broken_chain_is_not_pruned),
      WITH_PLACE(manifests_lie_beside_the_rows),
      WITH_PLACE(files_are_looked_for_by_their_newest_row),
      WITH_PLACE(what_is_no_ledger_is_left_alone),
      WITH_PLACE(a_full_disk_is_said_and_leaves_the_chain_whole),
      cmocka_unit_test(words_are_known_in_another_dress),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
