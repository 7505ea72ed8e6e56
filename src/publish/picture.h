// Picture files. Only what mark returned has a way out (mark/picture_mark.h).
#ifndef INK_PUBLISH_PICTURE_H
#define INK_PUBLISH_PICTURE_H

#include "base/text.h"
#include "mark/c2pa/signer.h"
#include "mark/picture_mark.h"

typedef struct ink_publish_picture_options {
  int quality;               // as ink_picture_encoding
  bool lossless;             // WebP
  const ink_signer *signer;  // NULL only for a picture that is let pass unmarked
} ink_publish_picture_options;

// Write a picture to a file, its format by its ending: encoded with its labels, then signed. It
// appears when it is whole, and is read again: the manifest must hold and be the picture's own, and
// the content what was signed. `content` (may be NULL) gets the file's SHA-256 without the
// manifest, which the same picture always has. Errors as ink_picture_encode and ink_c2pa_sign; IO
// when the file read back is not what was written.
ink_status ink_publish_picture(const ink_marked_picture *marked, const char *path,
                               const ink_publish_picture_options *options,
                               char content[INK_SHA256_HEX], ink_error *error);

// Append a marked picture as a PNG without a manifest, for a piece that is signed as a whole.
ink_status ink_publish_png(const ink_marked_picture *marked, ink_text *out, ink_error *error);

#endif
