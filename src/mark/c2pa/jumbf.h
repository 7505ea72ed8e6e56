// JUMBF boxes (ISO 19566-5) as C2PA uses them (specification 2.4, section 11.1.4).
//
//   box       = u32 size | four characters | payload
//   superbox  = box "jumb" of: description box "jumd", content boxes
//   "jumd"    = type UUID (16) | toggles (1) | label, NUL-terminated [| salt box "c2sh"]
#ifndef INK_MARK_C2PA_JUMBF_H
#define INK_MARK_C2PA_JUMBF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/text.h"

// Bounds of the reader.
enum { INK_JUMBF_DEPTH = 12, INK_JUMBF_BOXES = 1 << 14 };

typedef struct ink_jumbf {
  char type[5];                // "jumb", "cbor", "json", "bfdb", "bidb" …
  const unsigned char *bytes;  // payload: of a superbox its description and contents, which are
  size_t size;                 // what hashed URIs hash (section 8.4.2.3)
  // Superboxes only.
  char kind[5];       // first four characters of the type UUID, "" for UUIDs of other patterns
  const char *label;  // never NULL in a superbox
  struct ink_jumbf *parent, *first, *last, *next;
} ink_jumbf;

// Read one superbox that fills `bytes`, with all below it. FORMAT names the byte where a box does
// not fit. Boxes borrow `bytes`; labels are copied into the arena.
ink_status ink_jumbf_read(ink_arena *arena, const void *bytes, size_t size, ink_jumbf **root,
                          ink_error *error);

// First child superbox of a label; NULL when there is none or parent is NULL.
const ink_jumbf *ink_jumbf_child(const ink_jumbf *parent, const char *label);
// The only content box of a superbox when it is of this type; NULL otherwise.
const ink_jumbf *ink_jumbf_content(const ink_jumbf *box, const char *type);
// What "self#jumbf=…" names: an absolute path from the store ("/c2pa/…"), or one relative to a
// manifest. NULL when it leads nowhere.
const ink_jumbf *ink_jumbf_resolve(const ink_jumbf *store, const ink_jumbf *manifest,
                                   const char *uri);
// "self#jumbf=/c2pa/…" of a superbox.
void ink_jumbf_uri(const ink_jumbf *box, ink_text *out);

// Writing: begin a superbox (kind: four characters of its UUID), write into `out`, end it with what
// begin returned.
size_t ink_jumbf_begin(ink_text *out, const char *kind, const char *label);
void ink_jumbf_end(ink_text *out, size_t begin);
void ink_jumbf_box(ink_text *out, const char *type, const void *bytes, size_t size);

#endif
