// What the commands that sign share: the key, its passphrase, a word before it expires.
#ifndef INK_CLI_SIGNING_H
#define INK_CLI_SIGNING_H

#include <stdbool.h>

#include "base/status.h"
#include "mark/c2pa/signer.h"

// The options of a command that signs; NULL where not given.
typedef struct ink_signing_options {
  const char *passphrase_file;
  const char *timestamp_url;
} ink_signing_options;

#define INK_TIMESTAMP_OPTION(options)                                                       \
  {                                                                                         \
    .name = "timestamp-url", .kind = INK_OPTION_STRING, .value = &(options)->timestamp_url, \
    .argument = "URL", .help = "have signatures time-stamped by this server (RFC 3161)"     \
  }

#define INK_PASSPHRASE_OPTION(options)                                                          \
  {                                                                                             \
    .name = "passphrase-file", .kind = INK_OPTION_STRING, .value = &(options)->passphrase_file, \
    .argument = "FILE", .help = "file whose first line is the passphrase of the key"            \
  }

// First line of a file, malloc'ed; NULL for a NULL path. Wipe and free with ink_passphrase_free.
ink_status ink_passphrase_read(const char *path, char **passphrase, ink_error *error);
void ink_passphrase_free(char *passphrase);

// The same as a signer's stamper. A stamp that is `required` and not given fails the signature;
// another is a warning, and the signature goes without. Zero-initialise it; it must outlive the
// signer's last use.
typedef struct ink_cli_stamper {
  ink_stamper base;
  bool required;
} ink_cli_stamper;
// Have the signer ask the server that the options name; nothing where they name none.
void ink_signing_stamp(const ink_signing_options *options, bool required, ink_cli_stamper *stamper,
                       ink_signer *signer);

// The installation's signer; a first use makes the keys and says so on stderr. Warns of a
// certificate that ends soon, refuses one that has ended (CONFLICT).
ink_status ink_signing_open(const ink_signing_options *options, ink_signer **signer,
                            ink_error *error);

#endif
