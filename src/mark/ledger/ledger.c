// The ledger: opening, appending, reading.
#include "mark/ledger/ledger.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <utf8proc.h>

#include "base/file.h"
#include "base/text.h"
#include "mark/c2pa/carrier.h"
#include "mark/ledger/ledger_parts.h"
#include "mark/text_file.h"

enum {
  WAIT_MS = 20000,           // for another process that appends
  APPLICATION = 0x496E6B4C,  // "InkL", in the header of the database
  VERSION = 1,               // of the tables
  LEAST_LETTERS = 12,        // of words that a text can be known by
  MOST_FILE = 1 << 30,
  MOST_TEXT = 1 << 26,
};

// A row can only be added, behind the last one and with its hash; only what a checkpoint speaks of
// can go.
static const char tables[] =
    "CREATE TABLE ledger ("
    "  n INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, identity TEXT NOT NULL,"
    "  kind TEXT NOT NULL, command TEXT NOT NULL, model TEXT, recipe TEXT, files TEXT NOT NULL,"
    "  labels TEXT NOT NULL, unmarked INTEGER NOT NULL, law TEXT, details TEXT NOT NULL,"
    "  previous TEXT NOT NULL, hash TEXT NOT NULL) STRICT;"
    "CREATE INDEX ledger_identity ON ledger (identity);"
    "CREATE TABLE manifest (sha256 TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;"
    "CREATE TRIGGER ledger_chained BEFORE INSERT ON ledger WHEN"
    "  NEW.n IS NOT (SELECT COALESCE(MAX(n), 0) + 1 FROM ledger) OR NEW.previous IS NOT COALESCE("
    "    (SELECT hash FROM ledger ORDER BY n DESC LIMIT 1), '" INK_LEDGER_ORIGIN
    "')"
    "  BEGIN SELECT RAISE(ABORT, 'a row follows the last one'); END;"
    "CREATE TRIGGER ledger_unchanged BEFORE UPDATE ON ledger"
    "  BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;"
    "CREATE TRIGGER ledger_kept BEFORE DELETE ON ledger WHEN NOT EXISTS (SELECT 1 FROM ledger"
    "  WHERE kind = 'checkpoint'"
    "  AND CAST(substr(details, instr(details, '\"last\":') + 7) AS INTEGER) >= OLD.n)"
    "  BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;"
    "CREATE TRIGGER manifest_unchanged BEFORE UPDATE ON manifest"
    "  BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;"
    "CREATE TRIGGER manifest_kept BEFORE DELETE ON manifest WHEN EXISTS (SELECT 1 FROM ledger"
    "  WHERE instr(files, OLD.sha256))"
    "  BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;";

// ---- the database

ink_status ink_ledger_fault(const ink_ledger *ledger, ink_error *error) {
  const char *why = ledger->db ? sqlite3_errmsg(ledger->db) : "out of memory";
  switch (ledger->db ? sqlite3_errcode(ledger->db) & 0xFF : SQLITE_NOMEM) {
    case SQLITE_NOMEM:
      return ink_fail(error, INK_ERR_MEMORY, "no memory for the ledger");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ink_fail(error, INK_ERR_IO, "the ledger %s is held by another process", ledger->path);
    case SQLITE_FULL:
      return ink_fail(error, INK_ERR_IO,
                      "the ledger %s cannot grow: the disk is full; make room, or name another "
                      "place with INKSTONE_LEDGER",
                      ledger->path);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return ink_fail(error, INK_ERR_FORMAT,
                      "%s is no ledger, or a broken one (%s); move it away, or name another with "
                      "INKSTONE_LEDGER",
                      ledger->path, why);
    case SQLITE_CONSTRAINT:
    case SQLITE_ERROR:
      return ink_fail(error, INK_ERR_CONFLICT, "the ledger %s refuses: %s", ledger->path, why);
    default:
      return ink_fail(error, INK_ERR_IO,
                      "the ledger %s cannot be read or written (%s); name another place with "
                      "INKSTONE_LEDGER",
                      ledger->path, why);
  }
}

ink_status ink_ledger_run(const ink_ledger *ledger, const char *sql, ink_error *error) {
  return sqlite3_exec(ledger->db, sql, NULL, NULL, NULL) == SQLITE_OK
             ? INK_OK
             : ink_ledger_fault(ledger, error);
}

ink_status ink_ledger_prepare(const ink_ledger *ledger, const char *sql, sqlite3_stmt **statement,
                              ink_error *error) {
  return sqlite3_prepare_v2(ledger->db, sql, -1, statement, NULL) == SQLITE_OK
             ? INK_OK
             : ink_ledger_fault(ledger, error);
}

static ink_status number_of(const ink_ledger *ledger, const char *sql, int64_t *n,
                            ink_error *error) {
  sqlite3_stmt *s = NULL;
  INK_TRY(ink_ledger_prepare(ledger, sql, &s, error));
  ink_status status = sqlite3_step(s) == SQLITE_ROW ? INK_OK : ink_ledger_fault(ledger, error);
  if (status == INK_OK) *n = sqlite3_column_int64(s, 0);
  sqlite3_finalize(s);
  return status;
}

// Two processes may find no tables at once: the second one in finds them made.
static ink_status make_tables(const ink_ledger *ledger, ink_error *error) {
  char pragma[80];
  int64_t application;
  INK_TRY(ink_ledger_run(ledger, "BEGIN IMMEDIATE", error));
  ink_status status = number_of(ledger, "PRAGMA application_id", &application, error);
  if (status == INK_OK && application != APPLICATION) {
    snprintf(pragma, sizeof pragma, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION, VERSION);
    status = ink_ledger_run(ledger, tables, error);
    if (status == INK_OK) status = ink_ledger_run(ledger, pragma, error);
  }
  if (status == INK_OK) return ink_ledger_run(ledger, "COMMIT", error);
  sqlite3_exec(ledger->db, "ROLLBACK", NULL, NULL, NULL);
  return status;
}

static ink_status check_tables(const ink_ledger *ledger, bool append, ink_error *error) {
  int64_t application, version, n_table;
  // Tables and application come in one transaction, which may be another process's between these
  // two: who sees tables sees the application behind them.
  INK_TRY(number_of(ledger, "SELECT COUNT(*) FROM sqlite_schema", &n_table, error));
  INK_TRY(number_of(ledger, "PRAGMA application_id", &application, error));
  if (append && !application && !n_table) {
    INK_TRY(make_tables(ledger, error));
    application = APPLICATION;
  }
  INK_TRY(number_of(ledger, "PRAGMA user_version", &version, error));
  if (application == APPLICATION && version == VERSION) return INK_OK;
  if (application == APPLICATION) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: a ledger of version %lld, not %d",
                    ledger->path, (long long)version, VERSION);
  }
  return ink_fail(error, INK_ERR_FORMAT, "%s is no ledger; name another with INKSTONE_LEDGER",
                  ledger->path);
}

ink_status ink_ledger_path(char **path, ink_error *error) {
  const char *named = getenv("INKSTONE_LEDGER");
  char *data = NULL;
  *path = NULL;
  if (named && *named) {
    *path = strdup(named);
  } else {
    INK_TRY(ink_folder_user(INK_FOLDER_DATA, &data, error));
    if (!data) return INK_OK;
    *path = ink_path_join(data, "ledger.db");
    free(data);
  }
  return *path ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for the ledger");
}

// Made by us rather than by SQLite, which would let everybody read it.
static ink_status make_private(const char *path, ink_error *error) {
  char *folder = strdup(path), *slash = folder ? strrchr(folder, '/') : NULL;
  if (!folder) return ink_fail(error, INK_ERR_MEMORY, "no memory for the ledger");
  ink_status status = INK_OK;
  if (slash && slash != folder) {
    *slash = 0;
    status = ink_folder_make(folder, error);
  }
  free(folder);
  INK_TRY(status);
  int descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor >= 0) close(descriptor);
  return INK_OK;  // where it could not be made SQLite says why
}

ink_status ink_ledger_open(const char *path, bool append, ink_ledger **ledger, ink_error *error) {
  *ledger = NULL;
  if (append) {
    INK_TRY(make_private(path, error));
  } else if (!ink_file_exists(path)) {
    return ink_fail(error, INK_ERR_NOT_FOUND, "%s: there is no ledger yet", path);
  }
  ink_ledger *made = calloc(1, sizeof *made);
  if (made) made->path = strdup(path);
  if (!made || !made->path) {
    free(made);
    return ink_fail(error, INK_ERR_MEMORY, "no memory for the ledger");
  }
  int flags = append ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  ink_status status = INK_OK;
  if (sqlite3_open_v2(path, &made->db, flags, NULL) != SQLITE_OK) {
    status = ink_ledger_fault(made, error);
  }
  if (status == INK_OK) {
    sqlite3_busy_timeout(made->db, WAIT_MS);
    // What SQL in a database of unknown origin may do is kept small.
    sqlite3_db_config(made->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(made->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    status = ink_ledger_run(made, "PRAGMA synchronous = EXTRA", error);
  }
  if (status == INK_OK) status = check_tables(made, append, error);
  if (status != INK_OK) {
    ink_ledger_close(made);
    return status;
  }
  *ledger = made;
  return INK_OK;
}

void ink_ledger_close(ink_ledger *ledger) {
  if (!ledger) return;
  sqlite3_close(ledger->db);
  free(ledger->path);
  free(ledger);
}

// ---- rows

void ink_ledger_time(int64_t seconds, char text[24]) {
  time_t at = (time_t)seconds;
  struct tm broken = {0};
  gmtime_r(&at, &broken);
  if (!strftime(text, 24, "%Y-%m-%dT%H:%M:%SZ", &broken)) text[0] = 0;
}

static const char *column_text(sqlite3_stmt *s, int i) {
  return (const char *)sqlite3_column_text(s, i);
}

json_t *ink_ledger_row(sqlite3_stmt *s, const char **fault) {
  static const struct {
    const char *name;
    enum { WHOLE, TEXT, MAYBE, LIST, OBJECT, TRUTH } kind;
  } columns[] = {{"n", WHOLE},      {"time", TEXT},      {"identity", TEXT}, {"kind", TEXT},
                 {"command", TEXT}, {"model", MAYBE},    {"recipe", MAYBE},  {"files", LIST},
                 {"labels", LIST},  {"unmarked", TRUTH}, {"law", MAYBE},     {"details", OBJECT},
                 {"previous", TEXT}};
  json_t *row = json_object();
  for (int i = 0; row && i < (int)(sizeof columns / sizeof *columns); i++) {
    const char *text = column_text(s, i);
    json_t *value = NULL;
    switch (columns[i].kind) {
      case WHOLE:
        value = json_integer(sqlite3_column_int64(s, i));
        break;
      case TRUTH:
        value = json_boolean(sqlite3_column_int64(s, i) != 0);
        break;
      case MAYBE:
        value = text ? json_string(text) : json_null();
        break;
      case TEXT:
        value = text ? json_string(text) : NULL;
        break;
      default:
        value = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
        if (columns[i].kind == LIST ? !json_is_array(value) : !json_is_object(value)) {
          json_decref(value);
          value = NULL;
        }
    }
    if (!value || json_object_set_new(row, columns[i].name, value) != 0) {
      *fault = columns[i].name;
      json_decref(row);
      return NULL;
    }
  }
  return row;
}

const char *ink_ledger_row_hash(sqlite3_stmt *s) {
  const char *hash = column_text(s, 13);
  return hash ? hash : "";
}

ink_status ink_ledger_hash(const json_t *row, char hash[INK_SHA256_HEX], ink_error *error) {
  char *text = json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS);
  if (!text) return ink_fail(error, INK_ERR_MEMORY, "no memory for a row of the ledger");
  ink_status status = ink_sha256_of(text, strlen(text), hash, error);
  free(text);
  return status;
}

// Number and hash of the last row; 0 and the origin where there is none.
static ink_status find_head(const ink_ledger *ledger, int64_t *n, char hash[INK_SHA256_HEX],
                            ink_error *error) {
  sqlite3_stmt *s = NULL;
  *n = 0;
  snprintf(hash, INK_SHA256_HEX, "%s", INK_LEDGER_ORIGIN);
  INK_TRY(
      ink_ledger_prepare(ledger, "SELECT n, hash FROM ledger ORDER BY n DESC LIMIT 1", &s, error));
  int step = sqlite3_step(s);
  if (step == SQLITE_ROW) {
    *n = sqlite3_column_int64(s, 0);
    snprintf(hash, INK_SHA256_HEX, "%s", column_text(s, 1));
  }
  ink_status status =
      step == SQLITE_ROW || step == SQLITE_DONE ? INK_OK : ink_ledger_fault(ledger, error);
  sqlite3_finalize(s);
  return status;
}

static void bind_member(sqlite3_stmt *s, int at, const json_t *row, const char *name) {
  const json_t *value = json_object_get(row, name);
  if (json_is_string(value)) {
    sqlite3_bind_text(s, at, json_string_value(value), -1, SQLITE_TRANSIENT);
  } else if (json_is_integer(value)) {
    sqlite3_bind_int64(s, at, json_integer_value(value));
  } else if (json_is_boolean(value)) {
    sqlite3_bind_int64(s, at, json_is_true(value));
  } else if (json_is_object(value) || json_is_array(value)) {
    sqlite3_bind_text(s, at, json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS), -1, free);
  }
}

ink_status ink_ledger_put(const ink_ledger *ledger, json_t *row, ink_error *error) {
  static const char *const names[] = {"n",     "time",    "identity", "kind",   "command",
                                      "model", "recipe",  "files",    "labels", "unmarked",
                                      "law",   "details", "previous"};
  enum { N_NAME = sizeof names / sizeof *names };
  int64_t n;
  char previous[INK_SHA256_HEX], hash[INK_SHA256_HEX];
  INK_TRY(find_head(ledger, &n, previous, error));
  json_object_set_new(row, "n", json_integer(n + 1));
  json_object_set_new(row, "previous", json_string(previous));
  INK_TRY(ink_ledger_hash(row, hash, error));
  sqlite3_stmt *s = NULL;
  INK_TRY(ink_ledger_prepare(ledger,
                             "INSERT INTO ledger (" INK_LEDGER_COLUMNS
                             ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                             &s, error));
  for (int i = 0; i < N_NAME; i++) bind_member(s, i + 1, row, names[i]);
  sqlite3_bind_text(s, N_NAME + 1, hash, -1, SQLITE_TRANSIENT);
  ink_status status = sqlite3_step(s) == SQLITE_DONE ? INK_OK : ink_ledger_fault(ledger, error);
  sqlite3_finalize(s);
  return status;
}

// ---- what a file carries

ink_status ink_ledger_words(const char *name, const void *bytes, size_t size,
                            char hex[INK_SHA256_HEX], ink_error *error) {
  ink_text words = {0}, folded = {0};
  if (size > MOST_TEXT || !ink_utf8_valid(bytes, size, NULL)) {
    return ink_fail(error, INK_ERR_NOT_FOUND, "%s: no text", name ? name : "-");
  }
  ink_status status = ink_text_file_words(name, bytes, size, &words, error);
  utf8proc_uint8_t *form = NULL;
  utf8proc_ssize_t length = 0;
  if (status == INK_OK) {
    length = utf8proc_map((const utf8proc_uint8_t *)ink_text_string(&words),
                          (utf8proc_ssize_t)words.size, &form,
                          UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD);
  }
  size_t letters = 0;
  for (utf8proc_ssize_t at = 0; length > 0 && at < length;) {
    int32_t rune;
    at += (utf8proc_ssize_t)ink_utf8_decode((const char *)form + at, (size_t)(length - at), &rune);
    const char *category = rune >= 0 ? utf8proc_category_string(rune) : "";
    if (category[0] != 'L' && category[0] != 'N') continue;
    ink_text_add_rune(&folded, (uint32_t)rune);
    letters++;
  }
  free(form);
  if (status == INK_OK) status = ink_text_status(&folded, error);
  if (status == INK_OK && letters < LEAST_LETTERS) {
    status = ink_fail(error, INK_ERR_NOT_FOUND, "%s: too few words to know a text by",
                      name ? name : "-");
  }
  if (status == INK_OK) status = ink_sha256_of(folded.bytes, folded.size, hex, error);
  ink_text_free(&words);
  ink_text_free(&folded);
  return status;
}

static ink_status keep_store(const ink_ledger *ledger, json_t *about, const void *store,
                             size_t size, ink_error *error) {
  char hash[INK_SHA256_HEX];
  if (size > INK_STORE_MOST) return INK_OK;
  INK_TRY(ink_sha256_of(store, size, hash, error));
  json_object_set_new(about, "store", json_string(hash));
  sqlite3_stmt *s = NULL;
  INK_TRY(ink_ledger_prepare(ledger, "INSERT OR IGNORE INTO manifest VALUES (?, ?)", &s, error));
  sqlite3_bind_text(s, 1, hash, -1, SQLITE_TRANSIENT);
  sqlite3_bind_blob64(s, 2, store, size, SQLITE_STATIC);
  ink_status status = sqlite3_step(s) == SQLITE_DONE ? INK_OK : ink_ledger_fault(ledger, error);
  sqlite3_finalize(s);
  return status;
}

// The manifest store within, and the hash of what is left without it.
static ink_status keep_manifest(const ink_ledger *ledger, const char *path,
                                const unsigned char *bytes, size_t size, json_t *about,
                                ink_error *error) {
  const ink_carrier *carrier = ink_carrier_for(path, bytes, size);
  ink_place place = {0};
  ink_text bare = {0};
  ink_error unread = {0};
  char hash[INK_SHA256_HEX];
  if (!carrier) return INK_OK;
  ink_status status = INK_OK;
  bool there = ink_carrier_find(carrier, bytes, size, &place, &unread) == INK_OK && place.present &&
               !place.code && ink_carrier_remove(carrier, bytes, size, &bare, &unread) == INK_OK;
  if (unread.status == INK_ERR_MEMORY) {
    status = ink_fail(error, unread.status, "%s", unread.text);
  } else if (there) {
    status = ink_sha256_of(bare.bytes, bare.size, hash, error);
    if (status == INK_OK) {
      json_object_set_new(about, "content", json_string(hash));
      json_object_set_new(about, "carrier", json_string(carrier->name));
      status = keep_store(ledger, about, place.store.bytes, place.store.size, error);
    }
  }
  ink_place_free(&place);
  ink_text_free(&bare);
  return status;
}

static ink_status file_json(const ink_ledger *ledger, const ink_ledger_file *file, const char *path,
                            const unsigned char *bytes, size_t size, json_t **about,
                            ink_error *error) {
  char hash[INK_SHA256_HEX], real[PATH_MAX];
  INK_TRY(ink_sha256_of(bytes, size, hash, error));
  const char *whole = path && realpath(path, real) ? real : path;
  ink_text name = {0};
  if (whole) ink_text_add_lossy(&name, whole, strlen(whole));
  *about = json_pack("{s:s, s:I, s:s, s:s}", "path", whole ? ink_text_string(&name) : "-", "bytes",
                     (json_int_t)size, "sha256", hash, "content", hash);
  ink_text_free(&name);
  if (!*about) return ink_fail(error, INK_ERR_MEMORY, "no memory for a row of the ledger");
  if (file->sidecar) {
    INK_TRY(keep_store(ledger, *about, file->sidecar, file->sidecar_size, error));
  } else {
    INK_TRY(keep_manifest(ledger, path, bytes, size, *about, error));
  }
  ink_error unread = {0};
  if (ink_ledger_words(path, bytes, size, hash, &unread) == INK_OK) {
    json_object_set_new(*about, "words", json_string(hash));
  }
  return INK_OK;
}

static ink_status add_file(const ink_ledger *ledger, const ink_ledger_file *file, json_t *files,
                           ink_error *error) {
  ink_map map = {0};
  const unsigned char *bytes = file->bytes;
  size_t size = file->size;
  if (!bytes && file->path) {
    INK_TRY(ink_map_open(file->path, &map, error));
    bytes = map.data;
    size = map.size;
  }
  json_t *about = NULL;
  static const unsigned char empty[1];
  ink_status status =
      size > MOST_FILE
          ? ink_fail(error, INK_ERR_UNSUPPORTED, "%s: more than 1 GiB", file->path)
          : file_json(ledger, file, file->path, bytes ? bytes : empty, size, &about, error);
  if (status == INK_OK && json_array_append(files, about) != 0) {
    status = ink_fail(error, INK_ERR_MEMORY, "no memory for a row of the ledger");
  }
  json_decref(about);
  ink_map_close(&map);
  return status;
}

// ---- appending

static json_t *maybe(const char *text) {
  return text ? json_string(text) : json_null();
}

static ink_status entry_json(const ink_ledger *ledger, const ink_ledger_entry *entry, json_t **row,
                             ink_error *error) {
  char identity[INK_UUID_TEXT], time_text[24], hash[INK_SHA256_HEX];
  if (!entry->identity) INK_TRY(ink_mark_identity(identity, error));
  ink_ledger_time(entry->at ? entry->at : (int64_t)time(NULL), time_text);
  json_t *files = json_array(), *labels = json_array();
  json_t *details = entry->details ? json_deep_copy(entry->details) : json_object();
  for (size_t i = 0; i < entry->n_label; i++) {
    json_array_append_new(labels, json_string(entry->labels[i]));
  }
  *row = json_pack("{s:s, s:s, s:s, s:s, s:o, s:n, s:O, s:o, s:b, s:o, s:O}", "time", time_text,
                   "identity", entry->identity ? entry->identity : identity, "kind", entry->kind,
                   "command", entry->command, "model", maybe(entry->model_sha256), "recipe",
                   "files", files, "labels", labels, "unmarked", (int)entry->unmarked, "law",
                   maybe(entry->law), "details", details);
  ink_status status =
      *row ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for a row of the ledger");
  if (status == INK_OK && entry->recipe) {
    status = ink_ledger_hash(entry->recipe, hash, error);
    if (status == INK_OK) json_object_set_new(*row, "recipe", json_string(hash));
  }
  ink_error few = {0};
  if (status == INK_OK && entry->text &&
      ink_ledger_words(NULL, entry->text, strlen(entry->text), hash, &few) == INK_OK) {
    json_object_set_new(details, "words", json_string(hash));
  }
  for (size_t i = 0; status == INK_OK && i < entry->n_file; i++) {
    status = add_file(ledger, &entry->files[i], files, error);
  }
  json_decref(files);
  json_decref(details);
  return status;
}

ink_status ink_ledger_append(ink_ledger *ledger, const ink_ledger_entry *entry, ink_error *error) {
  json_t *row = NULL;
  INK_TRY(ink_ledger_run(ledger, "BEGIN IMMEDIATE", error));
  ink_status status = entry_json(ledger, entry, &row, error);
  if (status == INK_OK) status = ink_ledger_put(ledger, row, error);
  if (status == INK_OK) status = ink_ledger_run(ledger, "COMMIT", error);
  if (status != INK_OK) sqlite3_exec(ledger->db, "ROLLBACK", NULL, NULL, NULL);
  json_decref(row);
  return status;
}

static ink_status open_user(ink_ledger **ledger, ink_error *error) {
  char *path;
  *ledger = NULL;
  INK_TRY(ink_ledger_path(&path, error));
  if (!path) {
    return ink_fail(error, INK_ERR_NOT_FOUND,
                    "no place for the ledger: set HOME, XDG_DATA_HOME or INKSTONE_LEDGER");
  }
  ink_status status = ink_ledger_open(path, true, ledger, error);
  free(path);
  return status;
}

ink_status ink_ledger_note(const ink_ledger_entry *entry, ink_error *error) {
  ink_ledger *ledger;
  INK_TRY(open_user(&ledger, error));
  ink_status status = ink_ledger_append(ledger, entry, error);
  ink_ledger_close(ledger);
  return status;
}

ink_status ink_ledger_ready(ink_error *error) {
  ink_ledger *ledger;
  INK_TRY(open_user(&ledger, error));
  // A transaction that writes shows a read-only folder; it leaves nothing.
  ink_status status = ink_ledger_run(
      ledger, "BEGIN IMMEDIATE; INSERT INTO manifest VALUES ('', x''); ROLLBACK", error);
  ink_ledger_close(ledger);
  return status;
}

// ---- reading

ink_status ink_ledger_each(ink_ledger *ledger, const ink_ledger_query *query,
                           bool (*take)(void *context, const json_t *row), void *context,
                           ink_error *error) {
  sqlite3_stmt *s = NULL;
  INK_TRY(ink_ledger_prepare(
      ledger,
      "SELECT " INK_LEDGER_COLUMNS
      " FROM (SELECT * FROM ledger WHERE (?1 IS NULL OR substr(identity, 1, length(?1)) = ?1)"
      " AND (?2 = 0 OR n = ?2) AND (?4 IS NULL OR instr(files, ?4) OR instr(details, ?4))"
      " AND (?5 IS NULL OR instr(labels, '\"' || ?5 || '\"'))"
      " ORDER BY n DESC LIMIT ?3) ORDER BY n",
      &s, error));
  if (query->identity) sqlite3_bind_text(s, 1, query->identity, -1, SQLITE_TRANSIENT);
  sqlite3_bind_int64(s, 2, query->n);
  sqlite3_bind_int64(s, 3, query->last ? query->last : -1);
  if (query->hash) sqlite3_bind_text(s, 4, query->hash, -1, SQLITE_TRANSIENT);
  if (query->label) sqlite3_bind_text(s, 5, query->label, -1, SQLITE_TRANSIENT);
  ink_status status = INK_OK;
  int step;
  bool more = true;
  while (status == INK_OK && more && (step = sqlite3_step(s)) != SQLITE_DONE) {
    const char *fault = NULL;
    if (step != SQLITE_ROW) {
      status = ink_ledger_fault(ledger, error);
      break;
    }
    json_t *row = ink_ledger_row(s, &fault);
    if (!row) {
      status = ink_fail(error, INK_ERR_FORMAT,
                        "%s: row %lld cannot be read (%s); `inkstone ledger verify` tells more",
                        ledger->path, (long long)sqlite3_column_int64(s, 0), fault);
      break;
    }
    json_object_set_new(row, "hash", json_string(ink_ledger_row_hash(s)));
    more = take(context, row);
    json_decref(row);
  }
  sqlite3_finalize(s);
  return status;
}

ink_status ink_ledger_store(ink_ledger *ledger, const char *sha256, unsigned char **store,
                            size_t *size, ink_error *error) {
  sqlite3_stmt *s = NULL;
  char hash[INK_SHA256_HEX];
  *store = NULL;
  INK_TRY(ink_ledger_prepare(ledger, "SELECT bytes FROM manifest WHERE sha256 = ?", &s, error));
  sqlite3_bind_text(s, 1, sha256, -1, SQLITE_TRANSIENT);
  ink_status status = INK_OK;
  int step = sqlite3_step(s);
  if (step == SQLITE_DONE) {
    status =
        ink_fail(error, INK_ERR_NOT_FOUND, "%s: no manifest %.12s… in it", ledger->path, sha256);
  } else if (step != SQLITE_ROW) {
    status = ink_ledger_fault(ledger, error);
  }
  if (status == INK_OK) {
    const void *blob = sqlite3_column_blob(s, 0);  // NULL where it is empty
    const void *bytes = blob ? blob : "";
    *size = (size_t)sqlite3_column_bytes(s, 0);
    status = ink_sha256_of(bytes, *size, hash, error);
    if (status == INK_OK && strcmp(hash, sha256) != 0) {
      status = ink_fail(error, INK_ERR_CONFLICT, "%s: the manifest %.12s… was changed in it",
                        ledger->path, sha256);
    }
    if (status == INK_OK) {
      *store = malloc(*size + 1);
      if (*store) {
        memcpy(*store, bytes, *size);
      } else {
        status = ink_fail(error, INK_ERR_MEMORY, "no memory for a manifest");
      }
    }
  }
  sqlite3_finalize(s);
  return status;
}
