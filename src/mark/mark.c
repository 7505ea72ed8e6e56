// Identity, visible label, metadata label.
#include "mark/mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "mark/label/aigc.h"

struct ink_marked {
  const ink_document *document;
  char identity[INK_UUID_TEXT];
  char created[24];
  const char *label;
  json_t *aigc;
};

ink_status ink_mark_identity(char uuid[INK_UUID_TEXT], ink_error *error) {
  unsigned char b[16];
  if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b) {
    return ink_fail(error, INK_ERR_IO, "the system gives no random bytes for an identity");
  }
  b[6] = (unsigned char)((b[6] & 0x0F) | 0x40);  // version 4
  b[8] = (unsigned char)((b[8] & 0x3F) | 0x80);  // the RFC's variant
  ink_mark_identity_text(b, uuid);
  return INK_OK;
}

void ink_mark_identity_text(const uint8_t bytes[INK_UUID_BYTES], char uuid[INK_UUID_TEXT]) {
  char *at = uuid;
  for (int i = 0; i < INK_UUID_BYTES; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
    snprintf(at, 3, "%02x", bytes[i]);
    at += 2;
  }
}

bool ink_mark_is_identity(const char *text) {
  if (strlen(text) != INK_UUID_TEXT - 1) return false;
  for (int i = 0; i < INK_UUID_TEXT - 1; i++) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !strchr("0123456789abcdef", text[i])) return false;
  }
  return true;
}

// GB 45438-2025 Annex E: single-byte 0x21 … 0x7E without the quotation mark and the backslash.
static bool is_label_text(const char *text) {
  for (const char *at = text; *at; at++) {
    if (*at < 0x21 || *at > 0x7E || *at == '"' || *at == '\\') return false;
  }
  return text[0] != 0;
}

ink_status ink_aigc_new(ink_label_kind kind, const char *producer, const char *identity,
                        json_t **aigc, ink_error *error) {
  *aigc = NULL;
  if (!producer) producer = "inkstone";
  if (!identity || !ink_mark_is_identity(identity)) {
    return ink_fail(error, INK_ERR_USAGE, "the identity must be a UUID in lower case");
  }
  if (!is_label_text(producer)) {
    return ink_fail(error, INK_ERR_USAGE,
                    "the producer \"%s\" must be printable ASCII without spaces, quotation marks "
                    "and backslashes (GB 45438-2025, Annex E)",
                    producer);
  }
  static const char *const labels[] = {"1", "2", "3"};
  bool own = kind == INK_LABEL_OWN;
  *aigc = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Label", labels[kind], "ContentProducer",
                    own ? producer : "", "ProduceID", own ? identity : "", "ReservedCode1", "",
                    "ContentPropagator", producer, "PropagateID", identity, "ReservedCode2", "");
  return *aigc ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory to mark the piece");
}

ink_status ink_mark_document(const ink_document *document, const ink_mark_options *options,
                             ink_marked **marked, ink_error *error) {
  *marked = NULL;
  if (!document->language || !document->title) {
    return ink_fail(error, INK_ERR_USAGE, "a document needs a language and a title");
  }
  if (!options->created || strlen(options->created) >= sizeof(*marked)->created) {
    return ink_fail(error, INK_ERR_USAGE, "the time of creation must be RFC 3339 in UTC");
  }
  json_t *aigc;
  INK_TRY(ink_aigc_new(INK_LABEL_OWN, options->producer, options->identity, &aigc, error));
  ink_marked *made = calloc(1, sizeof *made);
  if (!made) {
    json_decref(aigc);
    return ink_fail(error, INK_ERR_MEMORY, "no memory to mark the piece");
  }
  made->document = document;
  made->aigc = aigc;
  snprintf(made->identity, sizeof made->identity, "%s", options->identity);
  snprintf(made->created, sizeof made->created, "%s", options->created);
  made->label = ink_label_wordings(INK_LABEL_OWN, INK_LABEL_TEXT, document->language)[0];
  *marked = made;
  return INK_OK;
}

void ink_marked_free(ink_marked *marked) {
  if (!marked) return;
  json_decref(marked->aigc);
  free(marked);
}

const ink_document *ink_marked_document(const ink_marked *marked) {
  return marked->document;
}

const char *ink_marked_identity(const ink_marked *marked) {
  return marked->identity;
}

const char *ink_marked_created(const ink_marked *marked) {
  return marked->created;
}

const char *ink_marked_label(const ink_marked *marked) {
  return marked->label;
}

const json_t *ink_marked_aigc(const ink_marked *marked) {
  return marked->aigc;
}

ink_status ink_mark_json(json_t *object, const char *language, const ink_mark_options *options,
                         ink_error *error) {
  json_t *aigc;
  INK_TRY(ink_aigc_new(INK_LABEL_OWN, options->producer, options->identity, &aigc, error));
  const char *label = ink_label_wordings(INK_LABEL_OWN, INK_LABEL_TEXT, language)[0];
  bool fine = json_object_set_new(object, "label", json_string(label)) == 0;
  fine = json_object_set_new(object, "AIGC", aigc) == 0 && fine;
  return fine ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory to mark the piece");
}
