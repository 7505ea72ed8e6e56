// The installation's key, as commands open it.
#include "cli/signing.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "lang/catalogue.h"
#include "mark/keys.h"

enum { MOST_PASSPHRASE = 4096, DAY = 24 * 3600 };

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

static ink_status check_time(const ink_signer *signer, const char *folder, ink_error *error) {
  int64_t left = signer->not_after - (int64_t)time(NULL);
  if (left <= 0) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s: the certificate has expired; `inkstone key rotate` makes a new one",
                    folder);
  }
  if (left < (int64_t)INK_KEYS_WARNING_DAYS * DAY) {
    fprintf(stderr,
            ink_tr("the signing certificate ends in %lld days; `inkstone key rotate` makes "
                   "a new one\n"),
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

ink_status ink_signing_open(const ink_signing_options *options, ink_signer **signer,
                            ink_error *error) {
  char *passphrase, *folder = ink_keys_folder();
  *signer = NULL;
  if (!folder) {
    return ink_fail(error, INK_ERR_NOT_FOUND,
                    "no place for the signing key: set HOME, or XDG_DATA_HOME to an absolute path");
  }
  ink_status status = ink_passphrase_read(options->passphrase_file, &passphrase, error);
  if (status == INK_OK) {
    status = ink_keys_signer(folder, passphrase, false, signer, error);
    if (status == INK_ERR_NOT_FOUND) {
      status = ink_keys_signer(folder, passphrase, true, signer, error);
      if (status == INK_OK)
        fprintf(stderr, ink_tr("made this installation's signing key in %s\n"), folder);
    }
    if (status == INK_ERR_IO) {
      ink_context(error, status, "the signing key cannot be kept in %s", folder);
    }
    ink_passphrase_free(passphrase);
  }
  if (status == INK_OK) status = check_time(*signer, folder, error);
  if (status != INK_OK) {
    ink_signer_free(*signer);
    *signer = NULL;
  }
  free(folder);
  return status;
}
