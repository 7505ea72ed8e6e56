// inkstone key: the keys that sign manifests.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/signing.h"
#include "lang/catalogue.h"
#include "mark/keys.h"

typedef struct request {
  ink_signing_options signing;
  bool replace, json;
} request;

static void print_certificate(const char *what, const json_t *certificate) {
  const json_t *subject = json_object_get(certificate, "subject");
  const json_t *validity = json_object_get(certificate, "validity");
  const char *name = json_string_value(json_object_get(subject, "CN"));
  printf("%-10s %s\n           %s … %s\n           %s\n", what, name ? name : "-",
         json_string_value(json_object_get(validity, "notBefore")),
         json_string_value(json_object_get(validity, "notAfter")),
         json_string_value(json_object_get(certificate, "serialNumber")));
}

static void warn(const json_t *keys, bool own) {
  const char *state = json_string_value(json_object_get(keys, "state"));
  if (strcmp(state, INK_KEYS_EARLY) == 0) {
    fprintf(stderr, "%s\n",
            ink_tr("the signing certificate is not valid yet: nothing is signed with it"));
    return;
  }
  bool ended = strcmp(state, INK_KEYS_EXPIRED) == 0;
  if (!ended && json_integer_value(json_object_get(keys, "days_left")) >= INK_KEYS_WARNING_DAYS) {
    return;
  }
  fprintf(stderr, "%s\n",
          ended ? ink_tr("the signing certificate has expired: nothing is signed with it")
                : ink_tr("the signing certificate ends soon"));
  fprintf(stderr, "%s\n",
          own ? ink_tr("`inkstone key rotate` makes a new one")
              : ink_tr("ask who issued it for a new one, and take it over with `inkstone key init "
                       "--replace`"));
}

static ink_status show(const char *folder, bool json, ink_error *error) {
  json_t *keys;
  INK_TRY(ink_keys_show(folder, &keys, error));
  const json_t *authority = json_object_get(keys, "authority");
  warn(keys, !json_is_null(authority));
  if (json) return ink_cli_print_json(keys, error);
  printf("%s\n", folder);
  print_certificate(ink_tr("signer"), json_object_get(keys, "signer"));
  const char *token = json_string_value(json_object_get(keys, "token"));
  if (token) printf("           %s\n", token);
  if (!json_is_null(authority)) print_certificate(ink_tr("authority"), authority);
  size_t i;
  json_t *retired;
  json_array_foreach(json_object_get(keys, "retired"), i, retired) {
    print_certificate(ink_tr("retired"), retired);
  }
  if (strcmp(json_string_value(json_object_get(keys, "state")), INK_KEYS_VALID) == 0) {
    printf(ink_tr("%lld days left\n"),
           (long long)json_integer_value(json_object_get(keys, "days_left")));
  }
  json_decref(keys);
  return INK_OK;
}

static ink_status init(const request *r, const char *folder, const char *passphrase,
                       ink_error *error) {
  const ink_signing_options *s = &r->signing;
  if (s->certificates && !s->key) {
    return ink_fail(error, INK_ERR_USAGE, "--key and --certificates go together");
  }
  if (s->key) {
    return ink_keys_import(folder, s->key, s->certificates, passphrase, r->replace, error);
  }
  if (r->replace) {
    return ink_fail(error, INK_ERR_USAGE,
                    "--replace goes with --key; `inkstone key rotate` makes a new key");
  }
  return ink_keys_init(folder, passphrase, error);
}

static ink_status change(const request *r, const char *verb, const char *folder,
                         const char *passphrase, ink_error *error) {
  if (strcmp(verb, "init") == 0) return init(r, folder, passphrase, error);
  if (strcmp(verb, "rotate") == 0) return ink_keys_rotate(folder, passphrase, error);
  if (strcmp(verb, "show") == 0) return INK_OK;
  return ink_fail(error, INK_ERR_USAGE, "\"%s\" is not init, show or rotate", verb);
}

static ink_status act(const request *r, const char *verb, ink_error *error) {
  char *passphrase, *folder;
  INK_TRY(ink_keys_folder(&folder, error));
  if (!folder) {
    return ink_fail(error, INK_ERR_NOT_FOUND,
                    "no place for keys: set HOME, or XDG_DATA_HOME to an absolute path");
  }
  // Keys that are made here are put under a passphrase that was given for them alone.
  bool made = strcmp(verb, "init") == 0 && !r->signing.key;
  ink_status status = made ? ink_passphrase_read(r->signing.passphrase_file, &passphrase, error)
                           : ink_signing_passphrase(&r->signing, &passphrase, error);
  if (status == INK_OK) {
    status = change(r, verb, folder, passphrase, error);
    bool opens = (r->signing.key && !made) || strcmp(verb, "rotate") == 0;
    if (opens && ink_passphrase_ask(status, &passphrase)) {
      status = change(r, verb, folder, passphrase, error);
    }
  }
  if (status == INK_OK && r->signing.key && strcmp(verb, "init") != 0) {
    fprintf(stderr, "%s\n",
            ink_tr("--key or INKSTONE_KEY names another key: that one signs, not this"));
  }
  if (status == INK_OK) status = show(folder, r->json, error);
  ink_passphrase_free(passphrase);
  free(folder);
  return status;
}

static ink_status run(const ink_command *self, int argc, char **argv, ink_error *error) {
  request r = {0};
  ink_option options[] = {
      {.name = "key",
       .kind = INK_OPTION_STRING,
       .value = &r.signing.key,
       .argument = "KEY",
       .help = "init: take over this private key (PEM, or pkcs11: URI of one in a token)"},
      {.name = "certificates",
       .kind = INK_OPTION_STRING,
       .value = &r.signing.certificates,
       .argument = "FILE",
       .help = "init: its certificates (PEM), the key's own first"},
      {.name = "replace",
       .kind = INK_OPTION_FLAG,
       .value = &r.replace,
       .help = "init: retire the key that is there"},
      INK_PASSPHRASE_OPTION(&r.signing),
      {.name = "json", .kind = INK_OPTION_FLAG, .value = &r.json, .help = "print one JSON object"},
  };
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, sizeof options / sizeof *options, argc, argv, &n, &done,
                           error));
  if (done) return INK_OK;
  if (n != 1) return ink_fail(error, INK_ERR_USAGE, "say one of init, show and rotate");
  return act(&r, argv[1], error);
}

const ink_command ink_command_key = {
    .name = "key",
    .summary = "Make, show and rotate the keys that sign pieces",
    .usage = "key init|show|rotate [OPTIONS]",
    .examples =
        "inkstone key init\n"
        "inkstone key init --key studio.key --certificates studio.pem --replace\n"
        "inkstone key init --key 'pkcs11:token=studio;object=signer' --passphrase-file pin\n"
        "inkstone key rotate\n",
    .run = run,
};
