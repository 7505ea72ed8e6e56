// What a picture file holds beside its pixels, moved as it is from container to container: PNG
// chunks, JPEG segments, WebP chunks. Nothing is decoded.
#ifndef INK_PICTURE_METADATA_H
#define INK_PICTURE_METADATA_H

#include <stdbool.h>

#include "base/text.h"
#include "picture/codec.h"

// The format of a picture file by its first bytes; false when it is none.
bool ink_picture_format_by_bytes(const void *bytes, size_t size, ink_picture_format *format);

// True for a file whose pixels were stored without loss: PNG, and WebP of the kind VP8L.
bool ink_picture_is_lossless(const void *bytes, size_t size);

typedef struct ink_picture_file {
  const unsigned char *bytes;
  size_t size;
} ink_picture_file;

// Append the pixels of one file with the metadata of another, both of the same format: Exif, texts
// and comments, IPTC, resolution, time; colour profiles go with the pixels. `xmp` (NULL: leave it
// out) stands in place of the XMP packet of either. Where the two are one file all else stays as it
// is. Where they are two, Exif is stated to be upright: decoding has turned the pixels. What only
// belonged to the old pixels (thumbnails that other segments hold, animations) is left out. FORMAT:
// a file whose parts are not in order; USAGE: XMP beyond what JPEG has room for.
ink_status ink_picture_with_metadata(ink_picture_format format, ink_picture_file pixels,
                                     ink_picture_file metadata, const char *xmp, ink_text *out,
                                     ink_error *error);

#endif
