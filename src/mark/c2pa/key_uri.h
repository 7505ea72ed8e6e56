// Names of keys in tokens: URIs of the scheme "pkcs11" (RFC 7512).
#ifndef INK_MARK_C2PA_KEY_URI_H
#define INK_MARK_C2PA_KEY_URI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

// Zero-initialise it; release with ink_key_uri_free, which wipes the PIN. NULL: not given.
typedef struct ink_key_uri {
  char *token, *serial, *model, *manufacturer;  // of the token
  char *object;                                 // label of the key
  unsigned char *id;                            // of the key
  size_t id_size;
  char *module_path;             // file of the module that speaks to the token
  char *pin_source, *pin_value;  // a file whose first line is the PIN, or the PIN itself
} ink_key_uri;

// True for what begins with "pkcs11:".
bool ink_key_uri_is(const char *text);
// Read a URI. Attributes that do not tell tokens and private keys apart ("type=cert", "slot-id" …)
// are USAGE, as is what is no URI; no message holds a PIN.
ink_status ink_key_uri_read(const char *text, ink_key_uri *uri, ink_error *error);
void ink_key_uri_free(ink_key_uri *uri);

#endif
