// Speaking PKCS #11 to one key. The layouts are those of OASIS's PKCS #11 Base Specification 2.40
// on systems where a CK_ULONG is an unsigned long and structures are not packed.
#include "mark/c2pa/token.h"

#include <dlfcn.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

typedef unsigned long ulong_t;
typedef ulong_t session_t, object_t;

typedef struct attribute {
  ulong_t type;
  void *value;
  ulong_t size;
} attribute;

typedef struct mechanism {
  ulong_t mechanism;
  void *parameter;
  ulong_t size;
} mechanism;

typedef struct token_info {
  unsigned char label[32], manufacturer[32], model[16], serial[16];
  ulong_t flags, counts[6], memory[4];
  unsigned char hardware[2], firmware[2], time[16];
} token_info;

typedef struct initialise_arguments {
  void *mutexes[4];
  ulong_t flags;
  void *reserved;
} initialise_arguments;

// CK_FUNCTION_LIST as far as it is used.
typedef struct functions {
  unsigned char version[2];
  ulong_t (*initialise)(void *arguments);
  ulong_t (*finalise)(void *reserved);
  void (*information[2])(void);
  ulong_t (*get_slots)(unsigned char present, ulong_t *slots, ulong_t *n);
  void (*slot_information)(void);
  ulong_t (*get_token)(ulong_t slot, token_info *info);
  void (*mechanisms_and_pins[5])(void);
  ulong_t (*open_session)(ulong_t slot, ulong_t flags, void *application, void *notify,
                          session_t *session);
  ulong_t (*close_session)(session_t session);
  void (*sessions[4])(void);
  ulong_t (*login)(session_t session, ulong_t user, const char *pin, ulong_t size);
  ulong_t (*logout)(session_t session);
  void (*objects[4])(void);
  ulong_t (*get_attributes)(session_t session, object_t object, attribute *list, ulong_t n);
  void (*set_attributes)(void);
  ulong_t (*find_begin)(session_t session, attribute *list, ulong_t n);
  ulong_t (*find)(session_t session, object_t *objects, ulong_t room, ulong_t *n);
  ulong_t (*find_end)(session_t session);
  void (*ciphers_and_digests[13])(void);
  ulong_t (*sign_begin)(session_t session, mechanism *mechanism, object_t key);
  ulong_t (*sign)(session_t session, const unsigned char *bytes, ulong_t n_bytes,
                  unsigned char *signature, ulong_t *size);
} functions;

enum {
  OK = 0,
  DEVICE_ERROR = 0x30,
  DEVICE_REMOVED = 0x32,
  KEY_OF_OTHER_TYPE = 0x63,
  KEY_MAY_NOT = 0x68,
  MECHANISM_INVALID = 0x70,
  PIN_INCORRECT = 0xA0,
  PIN_INVALID = 0xA1,
  PIN_LENGTH = 0xA2,
  PIN_EXPIRED = 0xA3,
  PIN_LOCKED = 0xA4,
  ALREADY_LOGGED_IN = 0x100,
  PIN_NOT_SET = 0x102,
  ALREADY_INITIALISED = 0x191
};
enum {
  CLASS = 0x0,
  LABEL = 0x3,
  VALUE = 0x11,
  KEY_TYPE = 0x100,
  ID = 0x102,
  ALWAYS_AUTHENTICATE = 0x202
};
enum { CERTIFICATE = 1, PRIVATE_KEY = 3, USER = 1, THIS_SIGNATURE = 2 };
enum { SESSION_SERIAL = 4, OS_LOCKING = 2 };
enum {
  LOGIN_REQUIRED = 0x4,
  PIN_PAD = 0x100,
  TOKEN_READY = 0x400,
  PIN_FINAL_TRY = 0x20000,
  PIN_IS_LOCKED = 0x40000
};
enum {
  MOST_SLOTS = 64,
  MOST_OBJECTS = 64,
  MOST_CHAIN = 8,
  MOST_CERTIFICATE = 1 << 16,
  MOST_PIN = 4096
};

struct ink_token {
  void *module;
  const functions *f;
  bool initialised;  // by us
  bool has_session, asks_each_time;
  session_t session;
  object_t key;
  ulong_t kind;  // of the key: CK_KEY_TYPE
  char label[33];
  char *pin;
  unsigned char id[256];
  size_t id_size;
};

static void wipe(char **text) {
  if (*text) OPENSSL_cleanse(*text, strlen(*text));
  free(*text);
  *text = NULL;
}

void ink_token_free(ink_token *token) {
  if (!token) return;
  if (token->has_session) token->f->close_session(token->session);
  // The module stays loaded: some leave threads and exit handlers behind.
  if (token->initialised) token->f->finalise(NULL);
  wipe(&token->pin);
  free(token);
}

// `format` says what was not done, of the token's label and the error's number.
static ink_status refused(const ink_token *t, const char *format, ulong_t code, ink_error *error) {
  if (code == DEVICE_REMOVED || code == DEVICE_ERROR) {
    return ink_fail(error, INK_ERR_IO, "the token \"%s\" was removed, or does not answer",
                    t->label);
  }
  return ink_fail(error, INK_ERR_IO, format, t->label, code);
}

// ---- the module

static ink_status load(ink_token *t, const ink_key_uri *uri, ink_error *error) {
  const char *path = uri->module_path ? uri->module_path : getenv("INKSTONE_PKCS11_MODULE");
  if (!path || !path[0]) path = "p11-kit-proxy.so";
  t->module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  ulong_t (*get_list)(const functions **list) = NULL;
  if (t->module) *(void **)&get_list = dlsym(t->module, "C_GetFunctionList");
  if (!get_list || get_list(&t->f) != OK || !t->f) {
    return ink_fail(
        error, INK_ERR_NOT_FOUND,
        "no PKCS #11 module can be loaded from %s; name one with INKSTONE_PKCS11_MODULE, "
        "or as module-path in the name of the key",
        path);
  }
  initialise_arguments arguments = {.flags = OS_LOCKING};
  ulong_t code = t->f->initialise(&arguments);
  t->initialised = code == OK;
  if (code == OK || code == ALREADY_INITIALISED) return INK_OK;
  return ink_fail(error, INK_ERR_IO, "the PKCS #11 module %s does not start (error 0x%lx)", path,
                  code);
}

// ---- the token

// Fields are padded with blanks.
static bool is_field(const char *wanted, const unsigned char *field, size_t size) {
  while (size && field[size - 1] == ' ') size--;
  return !wanted || (strlen(wanted) == size && memcmp(wanted, field, size) == 0);
}

static void label_of(const token_info *info, char label[33]) {
  size_t size = sizeof info->label;
  while (size && info->label[size - 1] == ' ') size--;
  memcpy(label, info->label, size);
  label[size] = 0;
}

static ink_status find_token(ink_token *t, const ink_key_uri *uri, ulong_t *slot, token_info *info,
                             ink_error *error) {
  ulong_t slots[MOST_SLOTS], n = MOST_SLOTS;
  size_t n_found = 0;
  ink_text others = {0};
  ulong_t code = t->f->get_slots(1, slots, &n);
  if (code != OK) {
    return ink_fail(error, INK_ERR_IO, "the PKCS #11 module does not list its tokens (error 0x%lx)",
                    code);
  }
  for (ulong_t i = 0; i < n; i++) {
    token_info at;
    char label[33];
    if (t->f->get_token(slots[i], &at) != OK || !(at.flags & TOKEN_READY)) continue;
    label_of(&at, label);
    ink_text_format(&others, "%s\"%s\"", others.size ? ", " : "", label);
    if (!is_field(uri->token, at.label, sizeof at.label) ||
        !is_field(uri->serial, at.serial, sizeof at.serial) ||
        !is_field(uri->model, at.model, sizeof at.model) ||
        !is_field(uri->manufacturer, at.manufacturer, sizeof at.manufacturer)) {
      continue;
    }
    n_found++;
    *slot = slots[i];
    *info = at;
  }
  ink_status status = INK_OK;
  if (n_found == 0 && others.size) {
    status = ink_fail(error, INK_ERR_NOT_FOUND,
                      "no token is the one that the key's name means; %.300s "
                      "is there",
                      ink_text_string(&others));
  } else if (n_found == 0) {
    status = ink_fail(error, INK_ERR_NOT_FOUND, "there is no token; is it plugged in?");
  } else if (n_found > 1) {
    status =
        ink_fail(error, INK_ERR_USAGE,
                 "the key's name means several tokens of %.300s; say which with token= or serial=",
                 ink_text_string(&others));
  }
  ink_text_free(&others);
  return status;
}

// ---- the PIN

static ink_status pin_from(const char *source, char **pin, ink_error *error) {
  size_t size;
  if (source[0] == '|') {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "pin-source names a program, which is not run; name a file");
  }
  if (strncmp(source, "file://", 7) == 0) {
    source += 7;
  } else if (strncmp(source, "file:", 5) == 0) {
    source += 5;
  }
  INK_TRY(ink_file_read(source, MOST_PIN, pin, &size, error));
  (*pin)[strcspn(*pin, "\r\n")] = 0;
  if ((*pin)[0]) return INK_OK;
  return ink_fail(error, INK_ERR_USAGE, "%s: its first line, the PIN, is empty", source);
}

static ink_status choose_pin(ink_token *t, const ink_key_uri *uri, const char *pin,
                             ink_error *error) {
  if (uri->pin_source && !uri->pin_value) return pin_from(uri->pin_source, &t->pin, error);
  const char *given = uri->pin_value ? uri->pin_value : pin;
  if (!given) {
    return ink_fail(
        error, INK_ERR_USAGE,
        "the token \"%s\" wants its PIN: in a file with --passphrase-file or as pin-source "
        "in the name of the key, or in INKSTONE_PIN",
        t->label);
  }
  t->pin = strdup(given);
  return t->pin ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for a PIN");
}

static ink_status pin_refused(ink_token *t, ulong_t slot, ulong_t code, ink_error *error) {
  token_info info = {0};
  switch (code) {
    case PIN_INCORRECT:
    case PIN_INVALID:
    case PIN_LENGTH:
      t->f->get_token(slot, &info);
      if (info.flags & PIN_IS_LOCKED) break;
      return ink_fail(error, INK_ERR_USAGE,
                      info.flags & PIN_FINAL_TRY
                          ? "the PIN of the token \"%s\" is wrong, and the next wrong one locks it"
                          : "the PIN of the token \"%s\" is wrong",
                      t->label);
    case PIN_LOCKED:
      break;
    case PIN_EXPIRED:
      return ink_fail(error, INK_ERR_USAGE,
                      "the PIN of the token \"%s\" has expired; set a new one", t->label);
    case PIN_NOT_SET:
      return ink_fail(error, INK_ERR_USAGE, "the token \"%s\" has no PIN yet; set one", t->label);
    default:
      return refused(t, "the token \"%s\" takes no PIN (PKCS #11 error 0x%lx)", code, error);
  }
  return ink_fail(error, INK_ERR_USAGE,
                  "the token \"%s\" is locked after too many wrong PINs; its officer unlocks it",
                  t->label);
}

static ink_status log_in(ink_token *t, const ink_key_uri *uri, ulong_t slot, const token_info *info,
                         const char *pin, ink_error *error) {
  if (!(info->flags & LOGIN_REQUIRED)) return INK_OK;
  if (!(info->flags & PIN_PAD)) INK_TRY(choose_pin(t, uri, pin, error));
  ulong_t code = t->f->login(t->session, USER, t->pin, t->pin ? strlen(t->pin) : 0);
  if (code == OK || code == ALREADY_LOGGED_IN) return INK_OK;
  return pin_refused(t, slot, code, error);
}

// ---- objects

static ink_status find_objects(ink_token *t, attribute *list, ulong_t n_list, object_t *objects,
                               ulong_t *n, ink_error *error) {
  ulong_t code = t->f->find_begin(t->session, list, n_list);
  *n = 0;
  if (code == OK) {
    code = t->f->find(t->session, objects, MOST_OBJECTS, n);
    t->f->find_end(t->session);
  }
  return code == OK
             ? INK_OK
             : refused(t, "the token \"%s\" does not list its objects (PKCS #11 error 0x%lx)", code,
                       error);
}

// The value of an attribute, malloc'ed; NULL when there is none or it is longer than `most`.
static unsigned char *value_of(ink_token *t, object_t object, ulong_t type, size_t most,
                               size_t *size) {
  attribute a = {.type = type};
  if (t->f->get_attributes(t->session, object, &a, 1) != OK || a.size > most) return NULL;
  unsigned char *value = malloc(a.size + 1);
  a.value = value;
  if (value && t->f->get_attributes(t->session, object, &a, 1) == OK && a.size <= most) {
    *size = a.size;
    return value;
  }
  free(value);
  return NULL;
}

static ink_status find_key(ink_token *t, const ink_key_uri *uri, ink_error *error) {
  ulong_t class = PRIVATE_KEY, n, n_list = 1;
  object_t objects[MOST_OBJECTS];
  attribute list[3] = {{CLASS, &class, sizeof class}};
  if (uri->object) list[n_list++] = (attribute){LABEL, uri->object, strlen(uri->object)};
  if (uri->id) list[n_list++] = (attribute){ID, uri->id, uri->id_size};
  INK_TRY(find_objects(t, list, n_list, objects, &n, error));
  if (n == 0) {
    return ink_fail(error, INK_ERR_NOT_FOUND,
                    "the token \"%s\" holds no private key of this label (object=) or id (id=)",
                    t->label);
  }
  if (n > 1) {
    return ink_fail(error, INK_ERR_USAGE,
                    "the token \"%s\" holds %lu private keys that the key's name means; say which "
                    "with id=",
                    t->label, n);
  }
  t->key = objects[0];
  size_t size = 0;
  unsigned char *id = value_of(t, t->key, ID, sizeof t->id, &size);
  if (id) memcpy(t->id, id, size);
  t->id_size = id ? size : 0;
  free(id);
  unsigned char *kind = value_of(t, t->key, KEY_TYPE, sizeof t->kind, &size);
  t->kind = ULONG_MAX;
  if (kind && size == sizeof t->kind) memcpy(&t->kind, kind, size);
  free(kind);
  unsigned char *always = value_of(t, t->key, ALWAYS_AUTHENTICATE, 1, &size);
  t->asks_each_time = always && size == 1 && always[0];
  free(always);
  return INK_OK;
}

ink_status ink_token_open(const ink_key_uri *uri, const char *pin, ink_token **token,
                          ink_error *error) {
  ink_token *t = calloc(1, sizeof *t);
  ulong_t slot = 0;
  token_info info;
  *token = NULL;
  if (!t) return ink_fail(error, INK_ERR_MEMORY, "no memory for a token");
  ink_status status = load(t, uri, error);
  if (status == INK_OK) status = find_token(t, uri, &slot, &info, error);
  if (status == INK_OK) {
    label_of(&info, t->label);
    ulong_t code = t->f->open_session(slot, SESSION_SERIAL, NULL, NULL, &t->session);
    t->has_session = code == OK;
    if (code != OK)
      status = refused(t, "the token \"%s\" opens no session (PKCS #11 error 0x%lx)", code, error);
  }
  if (status == INK_OK) status = log_in(t, uri, slot, &info, pin, error);
  if (status == INK_OK) status = find_key(t, uri, error);
  if (status == INK_OK) {
    *token = t;
  } else {
    ink_token_free(t);
  }
  return status;
}

// ---- signing

typedef struct pss_parameters {
  ulong_t hash, mask, salt;
} pss_parameters;

ink_status ink_token_sign(ink_token *token, ink_token_scheme scheme, const void *bytes,
                          size_t n_bytes, unsigned char *signature, size_t *size,
                          ink_error *error) {
  static const ulong_t mechanisms[] = {0x1041, 0x0D, 0x1057}, kinds[] = {3, 0, 0x40};
  // SHA-256, SHA-384, SHA-512 by the length of the hash.
  ulong_t nth = n_bytes == 64 ? 2 : n_bytes == 48 ? 1 : 0;
  pss_parameters pss = {0x250 + 0x10 * nth, 2 + nth, n_bytes};
  mechanism how = {mechanisms[scheme], NULL, 0};
  if (scheme == INK_TOKEN_RSA_PSS) how = (mechanism){mechanisms[scheme], &pss, sizeof pss};
  ulong_t length = *size;
  bool fits = token->kind == kinds[scheme] || token->kind == ULONG_MAX;
  ulong_t code = fits ? token->f->sign_begin(token->session, &how, token->key) : KEY_OF_OTHER_TYPE;
  if (code == KEY_OF_OTHER_TYPE) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "the key in the token \"%s\" is of another kind than its certificate",
                    token->label);
  }
  if (code == MECHANISM_INVALID || code == KEY_MAY_NOT) {
    return ink_fail(
        error, INK_ERR_UNSUPPORTED,
        "the token \"%s\" does not sign as C2PA wants it with this key (ECDSA, RSA-PSS or "
        "Ed25519)",
        token->label);
  }
  if (code == OK && token->asks_each_time) {
    code = token->f->login(token->session, THIS_SIGNATURE, token->pin,
                           token->pin ? strlen(token->pin) : 0);
  }
  if (code == OK) code = token->f->sign(token->session, bytes, n_bytes, signature, &length);
  if (code != OK)
    return refused(token, "the token \"%s\" does not sign (PKCS #11 error 0x%lx)", code, error);
  *size = length;
  return INK_OK;
}

// ---- certificates

static X509 *certificate_at(ink_token *t, object_t object) {
  size_t size = 0;
  unsigned char *der = value_of(t, object, VALUE, MOST_CERTIFICATE, &size);
  const unsigned char *at = der;
  X509 *certificate = der ? d2i_X509(NULL, &at, (long)size) : NULL;
  free(der);
  ERR_clear_error();
  return certificate;
}

static ink_status add_pem(X509 *certificate, ink_text *pem, ink_error *error) {
  BIO *bio = BIO_new(BIO_s_mem());
  char *bytes;
  bool good = bio && PEM_write_bio_X509(bio, certificate) == 1;
  long size = good ? BIO_get_mem_data(bio, &bytes) : 0;
  if (good) ink_text_add_bytes(pem, bytes, (size_t)size);
  BIO_free(bio);
  return good ? ink_text_status(pem, error)
              : ink_fail(error, INK_ERR_MEMORY, "no memory for a certificate");
}

static bool is_root(X509 *certificate) {
  return X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(certificate)) == 0;
}

// From the leaf up, as far as the token knows.
static ink_status add_chain(X509 *const *all, ulong_t n, X509 *leaf, ink_text *pem,
                            ink_error *error) {
  X509 *at = leaf;
  for (int i = 0; at && i < MOST_CHAIN; i++) {
    INK_TRY(add_pem(at, pem, error));
    X509 *next = NULL;
    for (ulong_t j = 0; j < n; j++) {
      bool issuer =
          all[j] && X509_NAME_cmp(X509_get_subject_name(all[j]), X509_get_issuer_name(at)) == 0;
      if (issuer && !is_root(all[j]) && all[j] != at) next = all[j];
    }
    at = next;
  }
  return INK_OK;
}

ink_status ink_token_certificates(ink_token *token, ink_text *pem, ink_error *error) {
  ulong_t class = CERTIFICATE, n, n_own = 0;
  object_t objects[MOST_OBJECTS], own[MOST_OBJECTS];
  X509 *all[MOST_OBJECTS] = {0}, *leaf = NULL;
  attribute list[2] = {{CLASS, &class, sizeof class}, {ID, token->id, token->id_size}};
  if (!token->id_size) return INK_OK;
  INK_TRY(find_objects(token, list, 2, own, &n_own, error));
  INK_TRY(find_objects(token, list, 1, objects, &n, error));
  for (ulong_t i = 0; i < n; i++) all[i] = certificate_at(token, objects[i]);
  for (ulong_t i = 0; i < n && n_own; i++) {
    if (objects[i] == own[0]) leaf = all[i];
  }
  ink_status status = leaf ? add_chain(all, n, leaf, pem, error) : INK_OK;
  for (ulong_t i = 0; i < n; i++) X509_free(all[i]);
  return status;
}
