// What the commands that sign share: the key, its passphrase, a word before it expires.
#ifndef INK_CLI_SIGNING_H
#define INK_CLI_SIGNING_H

#include <stdbool.h>

#include "base/status.h"
#include "mark/c2pa/signer.h"

// The options of a command that signs; NULL where not given.
typedef struct ink_signing_options {
  const char *passphrase_file;
  const char *key, *certificates;  // what signs instead of the installation's key
  const char *timestamp_url;
  const char *training;  // whether models may learn from it: "allowed", "notAllowed"; NULL: unsaid
} ink_signing_options;

#define INK_TRAINING_OPTION(options)                                                         \
  {                                                                                          \
    .name = "training", .kind = INK_OPTION_STRING, .value = &(options)->training,            \
    .argument = "USE", .help = "say whether models may learn from it: allowed or notAllowed" \
  }

#define INK_TIMESTAMP_OPTION(options)                                                       \
  {                                                                                         \
    .name = "timestamp-url", .kind = INK_OPTION_STRING, .value = &(options)->timestamp_url, \
    .argument = "URL", .help = "have signatures time-stamped by this server (RFC 3161)"     \
  }

#define INK_KEY_OPTION(options)                                                            \
  {                                                                                        \
    .name = "key", .kind = INK_OPTION_STRING, .value = &(options)->key, .argument = "KEY", \
    .help = "sign with this private key (PEM, or pkcs11: URI of one in a token)"           \
  }

#define INK_CERTIFICATES_OPTION(options)                                                  \
  {                                                                                       \
    .name = "certificates", .kind = INK_OPTION_STRING, .value = &(options)->certificates, \
    .argument = "FILE", .help = "certificates of the key (PEM), its own first"            \
  }

#define INK_PASSPHRASE_OPTION(options)                                                          \
  {                                                                                             \
    .name = "passphrase-file", .kind = INK_OPTION_STRING, .value = &(options)->passphrase_file, \
    .argument = "FILE", .help = "file whose first line is the passphrase or PIN of the key"     \
  }

// First line of a file, malloc'ed; NULL for a NULL path. Wipe and free with ink_passphrase_free.
ink_status ink_passphrase_read(const char *path, char **passphrase, ink_error *error);
void ink_passphrase_free(char *passphrase);
// That of a signing command, malloc'ed, or NULL: of the file that the options name, else
// INKSTONE_PIN.
ink_status ink_signing_passphrase(const ink_signing_options *options, char **passphrase,
                                  ink_error *error);
// Ask on the terminal, without showing it: when opening a key gave `status` for want of a
// passphrase
// (`passphrase` is NULL), and there is a terminal. True when *passphrase is now one, and opening
// should be tried again.
bool ink_passphrase_ask(ink_status status, char **passphrase);

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
// certificate that ends soon, refuses one that has ended (CONFLICT). USAGE: options that make no
// sense.
ink_status ink_signing_open(const ink_signing_options *options, ink_signer **signer,
                            ink_error *error);

#endif
