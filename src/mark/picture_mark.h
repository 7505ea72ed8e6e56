// All marks of a picture that its file carries: the visible label and the labels in XMP, under one
// identity. Manifests are signed into the finished file (mark/c2pa/).
#ifndef INK_MARK_PICTURE_MARK_H
#define INK_MARK_PICTURE_MARK_H

#include "base/status.h"
#include "mark/mark.h"
#include "mark/picture_label.h"
#include "picture/codec.h"

typedef struct ink_picture_marks {
  const char *identity;       // UUID
  const char *language;       // of the visible label: "zh…", else English
  const char *producer;       // as in ink_mark_options; NULL: inkstone
  const char *model;          // its name; NULL leaves it out
  const char *model_version;  // its SHA-256; NULL leaves it out
  const char *prompt;         // NULL leaves it out
} ink_picture_marks;

// The identity of something that is made again from the same description: a UUID of version 8 (RFC
// 9562, section 5.8) from its SHA-256.
ink_status ink_mark_identity_of(const void *bytes, size_t size, char uuid[INK_UUID_TEXT],
                                ink_error *error);

// Label the picture in place and put the labels into extras->xmp, which keeps what it holds
// besides. Errors as ink_mark_picture and ink_xmp_label.
ink_status ink_mark_painting(ink_picture *picture, ink_picture_extras *extras,
                             const ink_picture_marks *marks, ink_error *error);

#endif
