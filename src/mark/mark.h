// Marking: one identity per piece, the visible label in the reader's language, the metadata label.
// Writers of files (src/publish) take only what comes out of here.
#ifndef INK_MARK_MARK_H
#define INK_MARK_MARK_H

#include <jansson.h>
#include <stdint.h>

#include "base/status.h"
#include "mark/document.h"

enum { INK_UUID_TEXT = 37 };

// A fresh identity: UUID version 4 (RFC 9562, section 5.4), lower case.
ink_status ink_mark_identity(char uuid[INK_UUID_TEXT], ink_error *error);
// True for the 36 characters of a UUID in lower case.
bool ink_mark_is_identity(const char *text);
// A UUID of its 16 bytes.
enum { INK_UUID_BYTES = 16 };
void ink_mark_identity_text(const uint8_t bytes[INK_UUID_BYTES], char uuid[INK_UUID_TEXT]);

typedef struct ink_mark_options {
  const char *identity;  // UUID, as ink_mark_identity gives it
  const char *created;   // RFC 3339, UTC
  // Who produces the content, as GB 45438-2025 wants it in the metadata: the provider code that the
  // operator was given, or a plain name. Printable ASCII without space, '"' and '\'. NULL:
  // "inkstone". Codes are never invented.
  const char *producer;
} ink_mark_options;

// A document with its identity and labels. Opaque, so that nothing unmarked can be published.
typedef struct ink_marked ink_marked;

// Mark a document, which is borrowed and must outlive *marked. Release with ink_marked_free. USAGE
// names a field that is not as described above.
ink_status ink_mark_document(const ink_document *document, const ink_mark_options *options,
                             ink_marked **marked, ink_error *error);
void ink_marked_free(ink_marked *marked);

const ink_document *ink_marked_document(const ink_marked *marked);
const char *ink_marked_identity(const ink_marked *marked);
const char *ink_marked_created(const ink_marked *marked);
// The visible label in the document's language, with the two elements GB 45438-2025 section 5 asks
// for (AI, and that it was generated): "本内容由AI生成", "AI-generated content".
const char *ink_marked_label(const ink_marked *marked);
// The metadata label of GB 45438-2025 Annex E: an object of exactly seven string members, in order.
// Borrowed.
const json_t *ink_marked_aigc(const ink_marked *marked);

// Mark an object of JSON that holds generated content, for files that programs read: the members
// "label", the visible label in a language, and "AIGC", the metadata label. Errors as
// ink_mark_document.
ink_status ink_mark_json(json_t *object, const char *language, const ink_mark_options *options,
                         ink_error *error);

#endif
