// Carriers: where the bytes of a manifest store lie in a file of some format, and which bytes of
// the file the hash of its content leaves out for that (C2PA specification 2.4, appendix A). A
// carrier knows nothing of what a manifest says, and a manifest nothing of carriers.
#ifndef INK_MARK_C2PA_CARRIER_H
#define INK_MARK_C2PA_CARRIER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"

enum { INK_STORE_MOST = 1 << 26 };  // bytes of a manifest store, at most

// What a carrier finds in a file. Zero-initialise it; release with ink_place_free.
typedef struct ink_place {
  bool present;          // the file has a manifest store, or what should be one
  ink_text store;        // its bytes
  size_t start, length;  // of the file: the store with what wraps it
  // What is wrong with it, as a status code of the specification; NULL when nothing is.
  const char *code;
  char why[160];
} ink_place;

// A part of a file as c2pa.hash.boxes names it (section 18.9): a chunk, a segment, "C2PA" for the
// store.
typedef struct ink_named_range {
  char name[16];
  size_t start, length;
} ink_named_range;

// A file within a container: where its name stands, and which bytes are its own with what describes
// them there.
typedef struct ink_part {
  size_t name, name_size;
  size_t start, length;
} ink_part;

// The directory of a container, from `start` to the end of the file. No hash covers the store's
// checksum in it, the four bytes from `checksum` on, which would depend on itself (A.6.2.2).
typedef struct ink_directory {
  size_t start;
  size_t checksum;  // 0: there is no store
  bool holds;       // the checksum is that of the store
} ink_directory;

typedef struct ink_carrier ink_carrier;
struct ink_carrier {
  const char *name, *media_type;
  const char *endings[8];  // of file names, in lower case
  // A.9: what makes a line a comment; NULL in other carriers.
  const char *comment, *comment_end;
  bool normalised;  // its content is hashed in normalisation form C
  // True when the content alone tells that a file is of this format; NULL: only its name does.
  bool (*recognise)(const unsigned char *bytes, size_t size);
  // Find the store. A file without one is INK_OK with `present` false.
  ink_status (*find)(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                     ink_place *place, ink_error *error);
  // Append to `out` the file with a store in it; it must have none yet. start and length are those
  // that `find` will give. FORMAT when the file is not of the format or has no room for a store.
  // Where value_sized is set, length depends on the values of the store's bytes, elsewhere only on
  // their number.
  ink_status (*embed)(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                      const unsigned char *store, size_t store_size, ink_text *out, size_t *start,
                      size_t *length, ink_error *error);
  // Append the file without its store: what embed was given. NULL: it is the file without [start,
  // start + length).
  ink_status (*remove)(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                       const ink_place *place, ink_text *out, ink_error *error);
  bool value_sized;
  // Append an ink_named_range for each part of the file, in order. NULL where parts have no names.
  ink_status (*divide)(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                       const ink_place *place, ink_text *ranges, ink_error *error);
  // A container, whose files are bound one by one (c2pa.hash.collection.data): append an ink_part
  // for each but the store. NULL elsewhere.
  ink_status (*collect)(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                        ink_text *parts, ink_directory *directory, ink_error *error);
};

void ink_place_free(ink_place *place);
// carrier->find, MEMORY where the store did not fit.
ink_status ink_carrier_find(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                            ink_place *place, ink_error *error);

// The carrier for a file, by its content, else by its name (a path, may be NULL); NULL when none
// fits.
const ink_carrier *ink_carrier_for(const char *name, const unsigned char *bytes, size_t size);
// The carrier whose files have names like this one; NULL when none has.
const ink_carrier *ink_carrier_by_ending(const char *name);
// A carrier by its own name ("png", "text", …).
const ink_carrier *ink_carrier_named(const char *name);

// The file without its store. FORMAT when it has none.
ink_status ink_carrier_remove(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                              ink_text *out, ink_error *error);

// ---- for carriers

// Say that a store is there but not as it should be; always INK_OK.
ink_status ink_place_fault(ink_place *place, const char *code, const char *why);
// Base64 (RFC 4648, section 4): appended with padding; read strictly, false for anything but whole
// groups of its alphabet with zero bits where none count.
void ink_base64_add(ink_text *out, const unsigned char *bytes, size_t size);
bool ink_base64_read(const char *text, size_t size, ink_text *out);
// Append a range to those of `divide`; the store's are called "C2PA", and several of them are one.
void ink_range_add(ink_text *ranges, const ink_place *place, const char *name, size_t start,
                   size_t length);
// First place of `what` (n bytes) in bytes[from … size), or size.
size_t ink_find_bytes(const unsigned char *bytes, size_t size, size_t from, const char *what);

#endif
