// The installation's key, as commands open it.
#include "cli/signing.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "lang/catalogue.h"
#include "mark/keys.h"

enum { MOST_PASSPHRASE = 4096, MOST_PEM = 1 << 20, DAY = 24 * 3600 };

ink_status ink_passphrase_read(const char *path, char **passphrase, ink_error *error) {
  size_t size;
  *passphrase = NULL;
  if (!path) return INK_OK;
  INK_TRY(ink_file_read(path, MOST_PASSPHRASE, passphrase, &size, error));
  (*passphrase)[strcspn(*passphrase, "\r\n")] = 0;
  if ((*passphrase)[0]) return INK_OK;
  ink_passphrase_free(*passphrase);
  *passphrase = NULL;
  return ink_fail(error, INK_ERR_USAGE, "%s: its first line, the passphrase, is empty", path);
}

void ink_passphrase_free(char *passphrase) {
  if (!passphrase) return;
  OPENSSL_cleanse(passphrase, strlen(passphrase));
  free(passphrase);
}

ink_status ink_signing_passphrase(const ink_signing_options *options, char **passphrase,
                                  ink_error *error) {
  const char *pin = getenv("INKSTONE_PIN");
  if (options->passphrase_file || !pin || !pin[0]) {
    return ink_passphrase_read(options->passphrase_file, passphrase, error);
  }
  *passphrase = strdup(pin);
  return *passphrase ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for a passphrase");
}

bool ink_passphrase_ask(ink_status status, char **passphrase) {
  struct termios shown, hidden;
  char line[MOST_PASSPHRASE];
  if (status != INK_ERR_USAGE || *passphrase || !isatty(STDIN_FILENO) || !isatty(STDERR_FILENO) ||
      tcgetattr(STDIN_FILENO, &shown) != 0) {
    return false;
  }
  fputs(ink_tr("passphrase or PIN of the key: "), stderr);
  hidden = shown;
  hidden.c_lflag &= (tcflag_t) ~(unsigned)ECHO;
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  char *got = fgets(line, sizeof line, stdin);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
  fputc('\n', stderr);
  if (got) line[strcspn(line, "\r\n")] = 0;
  if (got && line[0]) *passphrase = strdup(line);
  OPENSSL_cleanse(line, sizeof line);
  return *passphrase != NULL;
}

// Who made the certificate makes the next one: the installation by rotating, others elsewhere.
static ink_status check_time(const ink_signer *signer, const char *name, bool own,
                             ink_error *error) {
  int64_t left = signer->not_after - (int64_t)time(NULL);
  if (own && left <= 0) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s: the certificate has expired; `inkstone key rotate` makes a new one", name);
  }
  INK_TRY(ink_signer_in_time(signer, name, error));
  if (left < (int64_t)INK_KEYS_WARNING_DAYS * DAY) {
    fprintf(stderr,
            own ? ink_tr("the signing certificate ends in %lld days; `inkstone key rotate` makes "
                         "a new one\n")
                : ink_tr("the signing certificate ends in %lld days; ask who issued it for a new "
                         "one\n"),
            (long long)(left / DAY));
  }
  return INK_OK;
}

static ink_status stamp(const ink_stamper *self, const void *bytes, size_t size, ink_text *token,
                        ink_error *error) {
  const ink_cli_stamper *own = (const ink_cli_stamper *)(const void *)self;
  ink_error fault = {.translate = error ? error->translate : NULL};
  ink_status status = ink_stamper_ask(self, bytes, size, token, &fault);
  if (status == INK_OK) return INK_OK;
  if (own->required) return ink_fail(error, status, "%s", fault.text);
  fprintf(stderr, ink_tr("warning: signed without a time-stamp: %s\n"), fault.text);
  ink_text_clear(token);
  return INK_OK;
}

void ink_signing_stamp(const ink_signing_options *options, bool required, ink_cli_stamper *stamper,
                       ink_signer *signer) {
  if (!options->timestamp_url) return;
  *stamper = (ink_cli_stamper){.base = {.stamp = stamp, .url = options->timestamp_url},
                               .required = required};
  signer->stamper = &stamper->base;
}

static ink_status open_installation(const char *folder, const char *passphrase, ink_signer **signer,
                                    ink_error *error) {
  ink_status status = ink_keys_signer(folder, passphrase, false, signer, error);
  if (status == INK_ERR_NOT_FOUND && !ink_keys_there(folder)) {
    status = ink_keys_signer(folder, passphrase, true, signer, error);
    if (status == INK_OK) {
      fprintf(stderr, ink_tr("made this installation's signing key in %s\n"), folder);
    }
  }
  if (status == INK_ERR_IO) {
    ink_context(error, status, "the signing key cannot be kept in %s", folder);
  }
  return status;
}

static ink_status open_given(const ink_signing_options *options, const char *passphrase,
                             ink_signer **signer, ink_error *error) {
  char *certificates = NULL;
  size_t size;
  if (!ink_key_uri_is(options->key)) {
    const char *chain = options->certificates ? options->certificates : options->key;
    return ink_signer_open(options->key, chain, passphrase, signer, error);
  }
  if (options->certificates) {
    INK_TRY(ink_file_read(options->certificates, MOST_PEM, &certificates, &size, error));
  }
  ink_status status = ink_signer_of_token(options->key, certificates, passphrase, signer, error);
  free(certificates);
  return status;
}

static ink_status open_once(const ink_signing_options *options, const char *folder,
                            const char *passphrase, ink_signer **signer, ink_error *error) {
  return options->key ? open_given(options, passphrase, signer, error)
                      : open_installation(folder, passphrase, signer, error);
}

ink_status ink_signing_open(const ink_signing_options *options, ink_signer **signer,
                            ink_error *error) {
  char *passphrase = NULL, *folder = NULL;
  *signer = NULL;
  if (options->training && strcmp(options->training, "allowed") != 0 &&
      strcmp(options->training, "notAllowed") != 0) {
    return ink_fail(error, INK_ERR_USAGE, "--training is allowed or notAllowed, not \"%s\"",
                    options->training);
  }
  if (options->certificates && !options->key) {
    return ink_fail(error, INK_ERR_USAGE, "--certificates goes with --key");
  }
  if (!options->key) INK_TRY(ink_keys_folder(&folder, error));
  if (!folder && !options->key) {
    return ink_fail(error, INK_ERR_NOT_FOUND,
                    "no place for the signing key: set HOME, or XDG_DATA_HOME to an absolute path");
  }
  ink_status status = ink_signing_passphrase(options, &passphrase, error);
  if (status == INK_OK) {
    status = open_once(options, folder, passphrase, signer, error);
    if (ink_passphrase_ask(status, &passphrase)) {
      status = open_once(options, folder, passphrase, signer, error);
    }
  }
  ink_passphrase_free(passphrase);
  if (status == INK_OK) {
    const char *given = options->certificates ? options->certificates : "--key";
    status = check_time(*signer, folder ? folder : given, folder && ink_keys_own(folder), error);
  }
  if (status != INK_OK) {
    ink_signer_free(*signer);
    *signer = NULL;
  }
  free(folder);
  return status;
}
