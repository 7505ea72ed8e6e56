// Picture files: PNG (ISO/IEC 15948) through libpng, JPEG (ITU-T T.81) through libjpeg-turbo, WebP
// (RFC 9649) through libwebp, with the words that come with them.
#ifndef INK_PICTURE_CODEC_H
#define INK_PICTURE_CODEC_H

#include "base/text.h"
#include "picture/picture.h"

typedef enum ink_picture_format {
  INK_PICTURE_PNG,
  INK_PICTURE_JPEG,
  INK_PICTURE_WEBP
} ink_picture_format;

// By a path's ending (.png, .jpg, .jpeg, .webp); USAGE, naming these, for another.
ink_status ink_picture_format_of(const char *path, ink_picture_format *format, ink_error *error);

// ---- words beside the pixels --------------------------------------------------------------------

// A keyed text, as PNG has them. In JPEG and WebP "parameters" is the Exif UserComment, where A1111
// and its readers look for it; "prompt" and "workflow" are the Exif Make and Model, which ComfyUI's
// reader knows, "inkstone" is the ImageDescription, each as "key:text" ("Prompt:text"); there is no
// place for others, which are left out.
typedef struct ink_note {
  char *key, *text;  // UTF-8
} ink_note;

// What a file holds beside its pixels. Zero-initialise it.
typedef struct ink_picture_extras {
  ink_note *notes;
  size_t n_notes;
  unsigned char *icc;  // colour profile; NULL: none, the pixels are sRGB
  size_t icc_size;
  char *xmp;  // XMP packet, NUL-terminated; NULL: none
} ink_picture_extras;

void ink_picture_extras_free(ink_picture_extras *extras);
// Add a note, or change the one of this key. USAGE: a key that is not 1 to 79 printable ASCII
// characters, or ill-formed UTF-8.
ink_status ink_picture_note_set(ink_picture_extras *extras, const char *key, const char *text,
                                ink_error *error);
// Borrowed; NULL when there is none.
const char *ink_picture_note(const ink_picture_extras *extras, const char *key);

// ---- reading ------------------------------------------------------------------------------------

// What a picture may ask for. Checked against the file's own header before anything is allocated.
typedef struct ink_picture_limits {
  int32_t most_side;
  int64_t most_pixels;
} ink_picture_limits;

enum { INK_PICTURE_MOST_FILE = 512 << 20 };  // bytes of a file that is read

// True for the first bytes of a PNG, JPEG or WebP.
bool ink_picture_recognise(const void *bytes, size_t size);

// Read a picture of any of the formats, told by its first bytes. Sixteen bits become eight;
// palettes, transparent colours and small depths are spelt out; CMYK becomes RGB; a picture that
// Exif calls turned is turned. Gamma that a PNG states without a profile is turned into sRGB's. A
// file that ends early or fails its checksums is FORMAT, with `name` in the text; animations and
// what the libraries cannot read are UNSUPPORTED; over the limits is USAGE. `limits` and `extras`
// (zeroed by the caller; freed on failure) may be NULL.
ink_status ink_picture_decode(const void *bytes, size_t size, const char *name,
                              const ink_picture_limits *limits, ink_picture *picture,
                              ink_picture_extras *extras, ink_error *error);
// The same from a file; "-" reads standard input.
ink_status ink_picture_load(const char *path, const ink_picture_limits *limits,
                            ink_picture *picture, ink_picture_extras *extras, ink_error *error);

// ---- writing ------------------------------------------------------------------------------------

typedef struct ink_picture_encoding {
  int quality;                       // JPEG and lossy WebP: 1 to 100; 0: 92
  bool lossless;                     // WebP
  const ink_picture_extras *extras;  // may be NULL
} ink_picture_encoding;

// Append the file's bytes to `out`. Files for users are written from marked pictures alone
// (publish/picture.h). The same picture gives the same bytes. UNSUPPORTED: alpha in
// JPEG (flatten it first); USAGE: notes beyond the 64 KiB that JPEG has for them, a WebP side
// beyond 16,383.
ink_status ink_picture_encode(const ink_picture *picture, ink_picture_format format,
                              const ink_picture_encoding *encoding, ink_text *out,
                              ink_error *error);

#endif
