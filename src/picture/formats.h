// Inside the room: one reader and one writer per format.
#ifndef INK_PICTURE_FORMATS_H
#define INK_PICTURE_FORMATS_H

#include "picture/codec.h"

// Readers. `extras` is never NULL here; orientation (1 to 8) is for the caller to obey.
typedef struct ink_picture_input {
  const unsigned char *bytes;
  size_t size;
  const char *name;
  ink_picture_limits limits;
} ink_picture_input;

ink_status ink_png_read(const ink_picture_input *input, ink_picture *picture,
                        ink_picture_extras *extras, int *orientation, ink_error *error);
ink_status ink_jpeg_read(const ink_picture_input *input, ink_picture *picture,
                         ink_picture_extras *extras, int *orientation, ink_error *error);
ink_status ink_webp_read(const ink_picture_input *input, ink_picture *picture,
                         ink_picture_extras *extras, int *orientation, ink_error *error);

ink_status ink_png_write(const ink_picture *picture, const ink_picture_encoding *encoding,
                         ink_text *out, ink_error *error);
ink_status ink_jpeg_write(const ink_picture *picture, const ink_picture_encoding *encoding,
                          ink_text *out, ink_error *error);
ink_status ink_webp_write(const ink_picture *picture, const ink_picture_encoding *encoding,
                          ink_text *out, ink_error *error);

// USAGE when a picture of this size is over the limits.
ink_status ink_picture_within(const ink_picture_input *input, uint64_t width, uint64_t height,
                              ink_error *error);
// Keep a note from a file: ill-formed UTF-8 is mended, a key that is none of ours is left out.
ink_status ink_picture_note_found(ink_picture_extras *extras, const char *key, const char *text,
                                  size_t size, ink_error *error);
// Keep a copy of a profile.
ink_status ink_picture_icc_found(ink_picture_extras *extras, const void *bytes, size_t size,
                                 ink_error *error);
// Keep a copy of an XMP packet, up to its first NUL; a second one is left out.
ink_status ink_picture_xmp_found(ink_picture_extras *extras, const void *bytes, size_t size,
                                 ink_error *error);

#endif
