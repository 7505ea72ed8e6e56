// Making, keeping, rotating keys.
#include "mark/keys.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

enum { DAY = 24 * 3600, YEAR = 365 * DAY, MOST_PEM = 1 << 20 };

static ink_status no_path(ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
}

ink_status ink_keys_folder(char **folder, ink_error *error) {
  char *data;
  *folder = NULL;
  INK_TRY(ink_folder_user(INK_FOLDER_DATA, &data, error));
  if (!data) return INK_OK;
  *folder = ink_path_join(data, "keys");
  free(data);
  return *folder ? INK_OK : no_path(error);
}

static ink_status refused(const char *act, ink_error *error) {
  return ink_fail(error, INK_ERR_INTERNAL, "the crypto library does not %s: %s", act,
                  ink_openssl_reason());
}

// ---- certificates

// A key with its certificate, in memory.
typedef struct pair {
  EVP_PKEY *key;
  X509 *certificate;
} pair;

static void pair_free(pair *p) {
  EVP_PKEY_free(p->key);
  X509_free(p->certificate);
  *p = (pair){0};
}

static bool extend(X509 *certificate, X509 *issuer, int nid, const char *value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
  bool good = extension && X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return good;
}

static bool name_it(X509 *certificate, const char *name) {
  X509_NAME *subject = X509_get_subject_name(certificate);
  return X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const unsigned char *)"inkstone",
                                    -1, -1, 0) == 1 &&
         X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
                                    -1, 0) == 1;
}

static bool number_it(X509 *certificate) {
  unsigned char bytes[16];
  if (RAND_bytes(bytes, sizeof bytes) != 1) return false;
  bytes[0] = (unsigned char)((bytes[0] & 0x7F) | 0x40);
  BIGNUM *serial = BN_bin2bn(bytes, sizeof bytes, NULL);
  bool good = serial && BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate));
  BN_free(serial);
  return good;
}

// A new P-256 key and its certificate: an authority of its own without an issuer, else a leaf.
static ink_status issue(const pair *issuer, const char *name, int years, pair *out,
                        ink_error *error) {
  *out = (pair){.key = EVP_EC_gen("P-256"), .certificate = X509_new()};
  X509 *made = out->certificate;
  bool leaf = issuer != NULL;
  bool good = out->key && made && X509_set_version(made, X509_VERSION_3) == 1 && number_it(made) &&
              name_it(made, name) && X509_set_pubkey(made, out->key) == 1;
  X509 *parent = leaf ? issuer->certificate : made;
  good = good && X509_set_issuer_name(made, X509_get_subject_name(parent)) == 1 &&
         X509_gmtime_adj(X509_getm_notBefore(made), -3600) &&  // clocks differ
         X509_time_adj_ex(X509_getm_notAfter(made), 365 * years, 0, NULL);
  good = good &&
         extend(made, parent, NID_basic_constraints,
                leaf ? "critical,CA:FALSE" : "critical,CA:TRUE,pathlen:0") &&
         extend(made, parent, NID_key_usage,
                leaf ? "critical,digitalSignature" : "critical,keyCertSign,cRLSign") &&
         extend(made, parent, NID_subject_key_identifier, "hash");
  if (good && leaf) {
    good = extend(made, parent, NID_authority_key_identifier, "keyid:always") &&
           extend(made, parent, NID_ext_key_usage, "emailProtection," INK_OID_CLAIM_SIGNING);
  }
  good = good && X509_sign(made, leaf ? issuer->key : out->key, EVP_sha256()) > 0;
  if (good) return INK_OK;
  pair_free(out);
  return refused("make a certificate", error);
}

// ---- PEM files

static ink_status save_pair(const char *folder, const char *name, const pair *p,
                            const char *passphrase, ink_error *error) {
  BIO *bio = BIO_new(BIO_s_secmem());
  char *path = ink_path_join(folder, name), *bytes;
  bool good = bio && path;
  good = good && PEM_write_bio_PKCS8PrivateKey(bio, p->key, passphrase ? EVP_aes_256_cbc() : NULL,
                                               passphrase, passphrase ? (int)strlen(passphrase) : 0,
                                               NULL, NULL) == 1;
  good = good && PEM_write_bio_X509(bio, p->certificate) == 1;
  ink_status status = good ? INK_OK : path ? refused("write a key", error) : no_path(error);
  long size = good ? BIO_get_mem_data(bio, &bytes) : 0;
  if (good) status = ink_file_save_private(path, bytes, (size_t)size, error);
  BIO_free(bio);
  free(path);
  return status;
}

static ink_status read_pem(const char *folder, const char *name, char **pem, ink_error *error) {
  char *path = ink_path_join(folder, name);
  size_t size;
  if (!path) return no_path(error);
  ink_status status = ink_file_read(path, MOST_PEM, pem, &size, error);
  free(path);
  return status;
}

static X509 *first_certificate(const char *pem) {
  BIO *bio = BIO_new_mem_buf(pem, -1);
  X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
  BIO_free(bio);
  ERR_clear_error();
  return certificate;
}

static bool holds_keys(const char *folder) {
  return ink_folder_has(folder, "signer.pem");
}

// ---- making

static void fresh_name(char name[64], const char *what) {
  unsigned char bytes[4] = {0};
  RAND_bytes(bytes, sizeof bytes);
  snprintf(name, 64, "inkstone %s %02x%02x%02x%02x", what, bytes[0], bytes[1], bytes[2], bytes[3]);
}

static ink_status fill_folder(const char *folder, const char *passphrase, ink_error *error) {
  char name[64];
  pair authority, leaf;
  fresh_name(name, "authority");
  INK_TRY(issue(NULL, name, INK_KEYS_AUTHORITY_YEARS, &authority, error));
  fresh_name(name, "installation");
  ink_status status = issue(&authority, name, INK_KEYS_LEAF_YEARS, &leaf, error);
  if (status == INK_OK) {
    status = save_pair(folder, "authority.pem", &authority, passphrase, error);
    if (status == INK_OK) status = save_pair(folder, "signer.pem", &leaf, passphrase, error);
    pair_free(&leaf);
  }
  pair_free(&authority);
  return status;
}

// A folder that only its owner enters.
static ink_status private_folder(const char *folder, ink_error *error) {
  INK_TRY(ink_folder_make(folder, error));
  if (chmod(folder, 0700) != 0) {
    return ink_fail(error, INK_ERR_IO, "%s: cannot be made private: %s", folder, strerror(errno));
  }
  return INK_OK;
}

ink_status ink_keys_init(const char *folder, const char *passphrase, ink_error *error) {
  if (holds_keys(folder)) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s holds keys already; `inkstone key rotate` makes new ones", folder);
  }
  // The keys are made beside the folder and appear at once: two programs that start together keep
  // the keys of one of them.
  size_t size = strlen(folder) + sizeof ".XXXXXX";
  char *beside = malloc(size), *parent = strdup(folder);
  if (!beside || !parent) {
    free(beside);
    free(parent);
    return no_path(error);
  }
  snprintf(beside, size, "%s.XXXXXX", folder);
  char *slash = strrchr(parent, '/');
  if (slash && slash != parent) *slash = 0;
  ink_status status = slash ? ink_folder_make(parent, error) : INK_OK;
  if (status == INK_OK && !mkdtemp(beside)) {
    status =
        ink_fail(error, INK_ERR_IO, "%s: keys cannot be made there: %s", folder, strerror(errno));
  } else if (status == INK_OK) {
    status = fill_folder(beside, passphrase, error);
    if (status == INK_OK && rename(beside, folder) != 0 && !holds_keys(folder)) {
      status =
          ink_fail(error, INK_ERR_IO, "%s: keys cannot be put there: %s", folder, strerror(errno));
    }
    static const char *const names[] = {"authority.pem", "signer.pem"};
    for (int i = 0; i < 2; i++) {  // what is left where the rename did not happen
      char path[PATH_MAX];
      snprintf(path, sizeof path, "%s/%s", beside, names[i]);
      unlink(path);
    }
    rmdir(beside);
  }
  free(beside);
  free(parent);
  return status;
}

// ---- retiring and replacing

// Keep the signer's certificate, not its key.
static ink_status retire(const char *folder, ink_error *error) {
  char *pem, *path = NULL;
  INK_TRY(read_pem(folder, "signer.pem", &pem, error));
  char *retired = ink_path_join(folder, "retired");
  X509 *old = first_certificate(pem);
  json_t *json = old ? ink_certificate_json(old) : NULL;
  ink_text name = {0};
  const char *serial = json_string_value(json_object_get(json, "serialNumber"));
  ink_text_format(&name, "%s.pem", serial ? serial : "unknown");
  ink_status status = retired ? private_folder(retired, error) : no_path(error);
  if (status == INK_OK && old) status = ink_text_status(&name, error);
  if (status == INK_OK) path = ink_path_join(retired, ink_text_string(&name));
  if (status == INK_OK && !path) status = no_path(error);
  BIO *bio = BIO_new(BIO_s_mem());
  // What is no certificate any more leaves nothing to keep.
  if (status == INK_OK && old && !(json && bio && PEM_write_bio_X509(bio, old) == 1)) {
    status = ink_fail(error, INK_ERR_MEMORY, "no memory for a certificate");
  } else if (status == INK_OK && old) {
    char *bytes;
    long size = BIO_get_mem_data(bio, &bytes);
    status = ink_file_save_private(path, bytes, (size_t)size, error);
  }
  BIO_free(bio);
  X509_free(old);
  json_decref(json);
  ink_text_free(&name);
  free(retired);
  free(path);
  OPENSSL_cleanse(pem, strlen(pem));
  free(pem);
  return status;
}

// What signer.pem will hold: the private key or its URI, and the certificates. Opening them proves
// that key, chain and passphrase belong together.
static ink_status read_imported(const char *key_path, const char *certificates_path,
                                const char *passphrase, ink_text *pem, ink_error *error) {
  ink_signer *signer = NULL;
  char *key = NULL, *certificates = NULL;
  size_t key_size = 0, size;
  bool uri = ink_key_uri_is(key_path);
  ink_status status = INK_OK;
  if (!certificates_path && !uri) {
    return ink_fail(error, INK_ERR_USAGE, "--key and --certificates go together");
  }
  if (uri && strstr(key_path, "pin-value")) {
    return ink_fail(error, INK_ERR_USAGE,
                    "a PIN is not kept with the name of its key; put it into a file, and say "
                    "pin-source");
  }
  if (!uri) status = ink_file_read(key_path, MOST_PEM, &key, &key_size, error);
  if (status == INK_OK && certificates_path) {
    status = ink_file_read(certificates_path, MOST_PEM, &certificates, &size, error);
  }
  if (status == INK_OK) {
    status = uri ? ink_signer_of_token(key_path, certificates, passphrase, &signer, error)
                 : ink_signer_read(key, certificates, passphrase, key_path, &signer, error);
  }
  // What signs nothing replaces nothing.
  const char *name = certificates_path ? certificates_path : "--key";
  if (status == INK_OK) status = ink_signer_in_time(signer, name, error);
  if (status == INK_OK) {
    ink_text_format(pem, "%s\n%s", uri ? key_path : key, certificates ? certificates : "");
    if (!certificates) status = ink_token_certificates(signer->token, pem, error);
    if (status == INK_OK) status = ink_text_status(pem, error);
  }
  if (key) OPENSSL_cleanse(key, key_size);
  free(key);
  free(certificates);
  ink_signer_free(signer);
  return status;
}

ink_status ink_keys_import(const char *folder, const char *key_path, const char *certificates_path,
                           const char *passphrase, bool replace, ink_error *error) {
  ink_text pem = {0};
  ink_status status = read_imported(key_path, certificates_path, passphrase, &pem, error);
  bool held = holds_keys(folder);
  if (status == INK_OK && held && !replace) {
    status =
        ink_fail(error, INK_ERR_CONFLICT, "%s holds keys already; --replace retires them", folder);
  }
  if (status == INK_OK) status = private_folder(folder, error);
  if (status == INK_OK && held) status = retire(folder, error);
  if (status == INK_OK) {
    char *path = ink_path_join(folder, "signer.pem"),
         *authority = ink_path_join(folder, "authority.pem");
    status = path && authority ? ink_file_save_private(path, pem.bytes, pem.size, error)
                               : no_path(error);
    if (status == INK_OK) unlink(authority);  // it did not issue what signs now
    free(path);
    free(authority);
  }
  if (pem.bytes) OPENSSL_cleanse(pem.bytes, pem.size);
  ink_text_free(&pem);
  return status;
}

static ink_status open_authority(const char *folder, const char *passphrase, pair *out,
                                 ink_error *error) {
  char *pem;
  *out = (pair){0};
  ink_status status = read_pem(folder, "authority.pem", &pem, error);
  if (status == INK_ERR_NOT_FOUND) {
    return ink_fail(error, INK_ERR_NOT_FOUND,
                    holds_keys(folder)
                        ? "%s: the certificate is an operator's; bring the new one with `inkstone "
                          "key init --key FILE --certificates FILE --replace`"
                        : "%s holds no keys; `inkstone key init` makes them",
                    folder);
  }
  if (status != INK_OK) return status;
  BIO *bio = BIO_new_mem_buf(pem, -1);
  out->certificate = first_certificate(pem);
  out->key = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL,
                                           (void *)(uintptr_t)(passphrase ? passphrase : ""))
                 : NULL;
  BIO_free(bio);
  OPENSSL_cleanse(pem, strlen(pem));
  free(pem);
  ERR_clear_error();
  if (out->key && out->certificate) return INK_OK;
  pair_free(out);
  return ink_fail(error, INK_ERR_USAGE,
                  passphrase ? "%s: the passphrase does not open the authority's key"
                             : "%s: the authority's key does not open; does it have a passphrase? "
                               "give it in a file with --passphrase-file",
                  folder);
}

ink_status ink_keys_rotate(const char *folder, const char *passphrase, ink_error *error) {
  pair authority, leaf;
  char name[64];
  int64_t not_before, not_after;
  INK_TRY(open_authority(folder, passphrase, &authority, error));
  ink_certificate_validity(authority.certificate, &not_before, &not_after);
  int64_t years = (not_after - (int64_t)time(NULL)) / YEAR;
  ink_status status = INK_OK;
  if (years < 1) {
    status = ink_fail(error, INK_ERR_CONFLICT,
                      "%s: the authority has less than a year left; move the folder away and run "
                      "`inkstone key init`",
                      folder);
  }
  fresh_name(name, "installation");
  if (status == INK_OK) {
    int lives = years < INK_KEYS_LEAF_YEARS ? (int)years : INK_KEYS_LEAF_YEARS;
    status = issue(&authority, name, lives, &leaf, error);
  }
  if (status == INK_OK) {
    status = retire(folder, error);
    if (status == INK_OK) status = save_pair(folder, "signer.pem", &leaf, passphrase, error);
    pair_free(&leaf);
  }
  pair_free(&authority);
  return status;
}

// ---- reading

ink_status ink_keys_signer(const char *folder, const char *passphrase, bool make,
                           ink_signer **signer, ink_error *error) {
  *signer = NULL;
  if (!holds_keys(folder)) {
    if (!make) {
      return ink_fail(error, INK_ERR_NOT_FOUND, "%s holds no keys; `inkstone key init` makes them",
                      folder);
    }
    INK_TRY(ink_keys_init(folder, passphrase, error));
  }
  char *pem, *path = ink_path_join(folder, "signer.pem");
  if (!path) return no_path(error);
  ink_status status = read_pem(folder, "signer.pem", &pem, error);
  if (status == INK_OK) {
    if (ink_key_uri_is(pem)) {
      size_t line = strcspn(pem, "\n");
      bool more = pem[line] != 0;
      pem[line] = 0;
      status = ink_signer_of_token(pem, more ? pem + line + 1 : NULL, passphrase, signer, error);
      if (more) pem[line] = '\n';
    } else {
      status = ink_signer_read(pem, pem, passphrase, path, signer, error);
    }
    OPENSSL_cleanse(pem, strlen(pem));
    free(pem);
  }
  free(path);
  return status;
}

// *json is NULL where there is no certificate; the one failure is MEMORY. `validity` (may be NULL):
// when it begins and ends.
static ink_status certificate_of(const char *folder, const char *name, int64_t validity[2],
                                 json_t **json, ink_error *error) {
  char *pem;
  int64_t not_before, not_after;
  *json = NULL;
  ink_status status = read_pem(folder, name, &pem, error);
  if (status != INK_OK) return status == INK_ERR_MEMORY ? status : INK_OK;
  X509 *certificate = first_certificate(pem);
  if (certificate) *json = ink_certificate_json(certificate);
  if (certificate && !*json) {
    status = ink_fail(error, INK_ERR_MEMORY, "no memory for a certificate");
  }
  if (certificate && validity) {
    ink_certificate_validity(certificate, &not_before, &not_after);
    validity[0] = not_before;
    validity[1] = not_after;
  }
  X509_free(certificate);
  OPENSSL_cleanse(pem, strlen(pem));
  free(pem);
  return status;
}

static ink_status retired_certificates(const char *folder, json_t **list, ink_error *error) {
  char *path = ink_path_join(folder, "retired");
  struct dirent **items = NULL;
  ink_status status = INK_OK;
  *list = json_array();
  int n = path ? scandir(path, &items, NULL, alphasort) : -1;
  if (!*list || !path || (n < 0 && errno == ENOMEM)) status = no_path(error);
  for (int i = 0; i < n; i++) {
    json_t *json = NULL;
    if (status == INK_OK && items[i]->d_name[0] != '.') {
      status = certificate_of(path, items[i]->d_name, NULL, &json, error);
    }
    if (json && json_array_append_new(*list, json) != 0) status = no_path(error);
    free(items[i]);
  }
  free(items);
  free(path);
  return status;
}

// The URI of the signer's key, or null.
static ink_status token_uri(const char *folder, json_t **json, ink_error *error) {
  char *pem;
  INK_TRY(read_pem(folder, "signer.pem", &pem, error));
  *json = ink_key_uri_is(pem) ? json_stringn(pem, strcspn(pem, "\n")) : json_null();
  OPENSSL_cleanse(pem, strlen(pem));
  free(pem);
  return *json ? INK_OK : no_path(error);
}

ink_status ink_keys_show(const char *folder, json_t **json, ink_error *error) {
  int64_t validity[2] = {0}, now = (int64_t)time(NULL);
  *json = NULL;
  if (!holds_keys(folder)) {
    return ink_fail(error, INK_ERR_NOT_FOUND, "%s holds no keys; `inkstone key init` makes them",
                    folder);
  }
  json_t *signer, *authority = NULL, *token = NULL, *retired = NULL;
  ink_status status = certificate_of(folder, "signer.pem", validity, &signer, error);
  if (status == INK_OK && !signer) {
    status = ink_fail(error, INK_ERR_FORMAT, "%s/signer.pem: no certificate can be read", folder);
  }
  if (status == INK_OK) {
    status = certificate_of(folder, "authority.pem", NULL, &authority, error);
  }
  if (status == INK_OK) status = token_uri(folder, &token, error);
  if (status == INK_OK) status = retired_certificates(folder, &retired, error);
  if (status != INK_OK) {
    json_decref(signer);
    json_decref(authority);
    json_decref(token);
    json_decref(retired);
    return status;
  }
  const char *state = validity[0] > now    ? INK_KEYS_EARLY
                      : validity[1] <= now ? INK_KEYS_EXPIRED
                                           : INK_KEYS_VALID;
  int64_t left = validity[1] > now ? (validity[1] - now) / DAY : 0;
  *json = json_pack("{s:s, s:o, s:o, s:s, s:I, s:o, s:o}", "folder", folder, "signer", signer,
                    "authority", authority ? authority : json_null(), "state", state, "days_left",
                    (json_int_t)left, "token", token, "retired", retired);
  return *json ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory to show keys");
}

bool ink_keys_there(const char *folder) {
  return holds_keys(folder);
}

bool ink_keys_own(const char *folder) {
  return ink_folder_has(folder, "authority.pem");
}

static bool has_serial(const json_t *certificate, const char *serial) {
  const char *own = json_string_value(json_object_get(certificate, "serialNumber"));
  return own && strcmp(own, serial) == 0;
}

ink_status ink_keys_know(const char *folder, const char *serial, bool *known, ink_error *error) {
  json_t *json;
  *known = false;
  ink_status status = ink_keys_show(folder, &json, error);
  if (status != INK_OK) return status == INK_ERR_MEMORY ? status : INK_OK;
  *known = has_serial(json_object_get(json, "signer"), serial);
  size_t i;
  json_t *old;
  json_array_foreach(json_object_get(json, "retired"), i, old) *known =
      *known || has_serial(old, serial);
  json_decref(json);
  return INK_OK;
}
