// Reading pkcs11 URIs: path attributes apart by ';', query attributes behind '?' apart by '&'.
#include "mark/c2pa/key_uri.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_URI = 4096 };

static const char scheme[] = "pkcs11:";

bool ink_key_uri_is(const char *text) {
  return strncmp(text, scheme, sizeof scheme - 1) == 0;
}

static void wipe(char **text) {
  if (*text) OPENSSL_cleanse(*text, strlen(*text));
  free(*text);
  *text = NULL;
}

void ink_key_uri_free(ink_key_uri *uri) {
  wipe(&uri->pin_value);
  free(uri->token);
  free(uri->serial);
  free(uri->model);
  free(uri->manufacturer);
  free(uri->object);
  free(uri->id);
  free(uri->module_path);
  free(uri->pin_source);
  *uri = (ink_key_uri){0};
}

static int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// What a value stands for, malloc'ed with a NUL behind it; NULL when it is not well written.
static char *decode(const char *value, size_t size, size_t *length) {
  char *out = malloc(size + 1);
  size_t n = 0;
  for (size_t i = 0; out && i < size; i++) {
    int high = value[i] == '%' && size - i > 2 ? digit_of(value[i + 1]) : -1;
    int low = high >= 0 ? digit_of(value[i + 2]) : -1;
    if (value[i] != '%') {
      out[n++] = value[i];
    } else if (low >= 0) {
      out[n++] = (char)(high << 4 | low);
      i += 2;
    } else {
      OPENSSL_cleanse(out, n);
      free(out);
      return NULL;
    }
  }
  if (out) out[n] = 0;
  *length = n;
  return out;
}

// `format` says what is wrong with an attribute of this name.
static ink_status refuse(const char *name, size_t size, const char *format, ink_error *error) {
  return ink_fail(error, INK_ERR_USAGE, format, (int)(size < 60 ? size : 60), name);
}

static ink_status take(const char *name, size_t name_size, const char *value, size_t size,
                       ink_key_uri *uri, ink_error *error) {
  const struct {
    const char *name;
    char **place;
  } places[] = {{"token", &uri->token},           {"serial", &uri->serial},
                {"model", &uri->model},           {"manufacturer", &uri->manufacturer},
                {"object", &uri->object},         {"module-path", &uri->module_path},
                {"pin-source", &uri->pin_source}, {"pin-value", &uri->pin_value}};
  size_t length = 0;
  bool is_id = name_size == 2 && memcmp(name, "id", 2) == 0;
  bool is_type = name_size == 4 && memcmp(name, "type", 4) == 0;
  if (is_type) {
    if (size == 7 && memcmp(value, "private", 7) == 0) return INK_OK;
    return refuse(name, name_size,
                  "the name of the key: \"%.*s\" must be private: it is the private key that signs",
                  error);
  }
  for (size_t i = 0; i < sizeof places / sizeof *places || is_id; i++) {
    char **place = is_id ? (char **)&uri->id : places[i].place;
    if (!is_id &&
        (strlen(places[i].name) != name_size || memcmp(places[i].name, name, name_size) != 0)) {
      continue;
    }
    if (*place)
      return refuse(name, name_size, "the name of the key: \"%.*s\" is given twice", error);
    *place = decode(value, size, &length);
    if (!*place)
      return refuse(name, name_size,
                    "the name of the key: \"%.*s\" has a value that is not well written", error);
    if (is_id) {
      uri->id_size = length;
    } else if (strlen(*place) != length || !length) {
      return refuse(name, name_size, "the name of the key: \"%.*s\" is empty, or holds a zero byte",
                    error);
    }
    return INK_OK;
  }
  return refuse(name, name_size, "the name of the key: \"%.*s\" is no attribute that is known here",
                error);
}

ink_status ink_key_uri_read(const char *text, ink_key_uri *uri, ink_error *error) {
  *uri = (ink_key_uri){0};
  if (!ink_key_uri_is(text) || strlen(text) > MOST_URI) {
    return ink_fail(error, INK_ERR_USAGE,
                    "a key in a token is named by a URI, as pkcs11:token=studio;object=signer");
  }
  const char *at = text + sizeof scheme - 1;
  ink_status status = INK_OK;
  for (bool query = false; *at && status == INK_OK;) {
    size_t size = strcspn(at, query ? "&" : ";?");
    const char *equals = memchr(at, '=', size);
    if (!equals && size) {
      status = refuse(at, size, "the name of the key: \"%.*s\" has no value", error);
    } else if (size) {
      size_t name = (size_t)(equals - at);
      status = take(at, name, equals + 1, size - name - 1, uri, error);
    }
    query = query || at[size] == '?';
    at += size + (at[size] != 0);
  }
  if (status == INK_OK && !uri->object && !uri->id) {
    status = ink_fail(error, INK_ERR_USAGE,
                      "the name of the key says neither its label (object=) nor its id (id=)");
  }
  if (status != INK_OK) ink_key_uri_free(uri);
  return status;
}
