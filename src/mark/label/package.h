// Inside the room: documents that are archives, their files by name. libzip unpacks them; what is
// written is put together by mark/archive.h.
#ifndef INK_MARK_LABEL_PACKAGE_H
#define INK_MARK_LABEL_PACKAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"
#include "mark/archive.h"

enum {
  INK_PACKAGE_MOST_META = 1 << 22,  // bytes of a file of metadata, unpacked
  INK_PACKAGE_MOST_TEXT = 1 << 26,  // of one of content
  INK_PACKAGE_MOST_CHANGES = 16
};

typedef struct ink_package_change {
  char *name;
  ink_text content;
  bool stored;
} ink_package_change;

// Zero-initialise it; release it with ink_package_close.
typedef struct ink_package {
  const unsigned char *bytes;  // borrowed
  size_t size;
  struct zip *zip;
  ink_archive archive;
  ink_package_change changes[INK_PACKAGE_MOST_CHANGES];
  size_t n_change;
} ink_package;

// For reading alone, as libzip reads it. FORMAT: it is no archive.
ink_status ink_package_open(const void *bytes, size_t size, ink_package *package, ink_error *error);
// For writing too: read as mark/archive.h reads it, with its errors.
ink_status ink_package_open_strictly(const void *bytes, size_t size, ink_package *package,
                                     ink_error *error);
void ink_package_close(ink_package *package);

// Append a file's content, as it was changed; *there (may be NULL: NOT_FOUND instead) is false
// where there is none of that name. UNSUPPORTED: it is larger than `most` or encrypted, or does not
// unpack.
ink_status ink_package_read(const ink_package *package, const char *name, size_t most,
                            ink_text *content, bool *there, ink_error *error);
bool ink_package_has(const ink_package *package, const char *name);

// New content of a file, which becomes the package's and is emptied here. `stored`: not compressed,
// so that simple readers find what stands in it.
ink_status ink_package_change_file(ink_package *package, const char *name, ink_text *content,
                                   bool stored, ink_error *error);

// Append the document with its changes.
ink_status ink_package_write(const ink_package *package, ink_text *out, ink_error *error);

// Where `target`, as written in a file of the folder `folder` ("" or ending with '/'), points to:
// a name in the archive. False when it leads out of it or is longer than `room`.
bool ink_package_resolve(const char *folder, const char *target, char *name, size_t room);

#endif
