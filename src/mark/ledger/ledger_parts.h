// Inside the room: what the parts of the ledger share.
#ifndef INK_MARK_LEDGER_LEDGER_PARTS_H
#define INK_MARK_LEDGER_LEDGER_PARTS_H

#include <sqlite3.h>

#include "mark/ledger/ledger.h"

struct ink_ledger {
  sqlite3 *db;
  char *path;
};

// What the first row has before it.
#define INK_LEDGER_ORIGIN "0000000000000000000000000000000000000000000000000000000000000000"

// RFC 3339 in UTC: as text, later times are greater.
void ink_ledger_time(int64_t seconds, char text[24]);
// The database's last fault as a status with words.
ink_status ink_ledger_fault(const ink_ledger *ledger, ink_error *error);
ink_status ink_ledger_run(const ink_ledger *ledger, const char *sql, ink_error *error);
ink_status ink_ledger_prepare(const ink_ledger *ledger, const char *sql, sqlite3_stmt **statement,
                              ink_error *error);
// Put a row behind the last one: number, previous hash and hash are added to it. Within a
// transaction.
ink_status ink_ledger_put(const ink_ledger *ledger, json_t *row, ink_error *error);

// The columns that ink_ledger_row reads, in this order.
#define INK_LEDGER_COLUMNS                                                                   \
  "n, time, identity, kind, command, model, recipe, files, labels, unmarked, law, details, " \
  "previous, hash"
// The row under a statement's cursor, the caller's; its hash is not among the members. NULL, and
// *fault the column, where one is not what it should be.
json_t *ink_ledger_row(sqlite3_stmt *statement, const char **fault);
// The row's own hash, as it is stored.
const char *ink_ledger_row_hash(sqlite3_stmt *statement);
// The hash that a row should have.
ink_status ink_ledger_hash(const json_t *row, char hash[INK_SHA256_HEX], ink_error *error);

#endif
