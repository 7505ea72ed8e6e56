// Inside the room: the directory of a ZIP archive (PKWARE APPNOTE 6.3, sections 4.3 and 4.5.3), for
// entries that are stored and can be used where they lie. Nothing is unpacked.
#ifndef INK_WEIGHTS_ZIP_H
#define INK_WEIGHTS_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// One file in the archive.
typedef struct ink_zip_entry {
  const char *name;  // in the archive's bytes, not NUL-terminated; no control characters
  size_t name_size;
  uint64_t header;  // where its local header begins
  uint64_t offset;  // where its data begins
  uint64_t size;    // of the data as it lies there
  bool stored;      // neither compressed nor encrypted
} ink_zip_entry;

typedef struct ink_zip {
  const unsigned char *bytes;
  size_t size;
  ink_zip_entry *entries;  // by name
  size_t n;
} ink_zip;

// Read the directory of bytes[0 … size), which must outlive *zip; `name` is what errors call them.
// Zip64 is understood, archives in several parts are not. Refused as FORMAT: an entry that lies
// outside the file or over another one, two of one name, a local header that contradicts the
// directory. Memory grows with the number of entries. ink_zip_free in any case.
ink_status ink_zip_read(const void *bytes, size_t size, const char *name, ink_zip *zip,
                        ink_error *error);
void ink_zip_free(ink_zip *zip);

// NULL when there is none of that name.
const ink_zip_entry *ink_zip_find(const ink_zip *zip, const char *name, size_t name_size);

#endif
