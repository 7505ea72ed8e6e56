// What commands share that leave a piece: its row in the ledger.
#ifndef INK_CLI_NOTING_H
#define INK_CLI_NOTING_H

#include "base/status.h"
#include "cli/generation.h"
#include "mark/ledger/ledger.h"

// The law that asks for what was left out when a text goes without its watermark.
#define INK_CLI_TEXT_LAW "EU AI Act, article 50(2)"

// Append a row to the user's ledger. The piece is there already and stays. A ledger that cannot be
// written is a warning on stderr, but a failure where the piece was left unmarked, which the law
// wants logged.
ink_status ink_cli_note(const ink_ledger_entry *entry, ink_error *error);

// The user's ledger to read; *ledger stays NULL where there is none yet.
ink_status ink_cli_ledger(ink_ledger **ledger, ink_error *error);

// The row of a text of n_token tokens that went to standard output: when it is marked, or is long
// enough to be and was asked to go without (--watermark off); else none.
ink_status ink_cli_note_text(const ink_cli_model *m, const ink_cli_sampling *sampling,
                             const ink_cli_mark *mark, const char *command, const char *text,
                             size_t n_token, ink_error *error);

#endif
