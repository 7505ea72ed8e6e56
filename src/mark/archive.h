// Inside the room: ZIP archives (PKWARE APPNOTE 6.3.10) whose every byte is spoken for, read and
// written anew with some files changed.
//
// Nothing may lie in such an archive that its directory does not speak of: files stand one behind
// the other without gaps, then the directory, then its end record, to the last byte.
#ifndef INK_MARK_ARCHIVE_H
#define INK_MARK_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"

// A file in an archive. Offsets are of the archive's bytes.
typedef struct ink_archive_file {
  size_t name, name_size;        // in the directory
  size_t start, length;          // with its header and descriptor
  size_t data, data_size;        // as it lies there
  size_t central, central_size;  // its header in the directory
  unsigned method, flags, checksum;
} ink_archive_file;

// Release it with ink_archive_free. It does not keep the bytes.
typedef struct ink_archive {
  ink_archive_file *files;  // in the order of the directory
  size_t n;
  size_t directory, end;  // where the directory and its end record begin
} ink_archive;

// FORMAT: something in it is said in two ways, or not at all. UNSUPPORTED: several parts, 65,535
// files and more, more than 4 GiB.
ink_status ink_archive_read(const unsigned char *bytes, size_t size, ink_archive *archive,
                            ink_error *error);
void ink_archive_free(ink_archive *archive);

// True when it begins as an archive does.
bool ink_archive_is(const unsigned char *bytes, size_t size);

// The file of that name; NULL: there is none.
const ink_archive_file *ink_archive_find(const unsigned char *bytes, const ink_archive *archive,
                                         const char *name);

// Whether the directory of an archive that need not be sound otherwise names a file. Takes no
// memory.
bool ink_archive_names(const unsigned char *bytes, size_t size, const char *name);

// New content of a file, which is added where the archive has none of that name.
typedef struct ink_archive_change {
  const char *name;  // UTF-8
  const char *bytes;
  size_t size;
  bool stored;  // without compression
} ink_archive_change;

// Append to `out` the archive with its changes (each of another name): files that do not change
// keep their bytes, with their headers, and their order; new ones come last.
ink_status ink_archive_write(const unsigned char *bytes, size_t size, const ink_archive *archive,
                             const ink_archive_change *changes, size_t n, ink_text *out,
                             ink_error *error);

// For who writes headers and directories.
enum {
  INK_ZIP_LOCAL = 0x04034B50,
  INK_ZIP_CENTRAL = 0x02014B50,
  INK_ZIP_LOCAL_SIZE = 30,
  INK_ZIP_CENTRAL_SIZE = 46,
  INK_ZIP_VERSION = 20
};
// The end record again, with other figures.
void ink_zip_put_end(ink_text *out, const unsigned char *end, size_t end_size, size_t n,
                     size_t directory, size_t directory_size);

#endif
