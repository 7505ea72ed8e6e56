// All marks of a picture under one identity: the visible label, the labels in XMP, and what its
// signed manifest will say. What comes out of here is the only thing that can be written
// (publish/picture.h).
#ifndef INK_MARK_PICTURE_MARK_H
#define INK_MARK_PICTURE_MARK_H

#include <jansson.h>

#include "base/status.h"
#include "mark/c2pa/parent.h"
#include "mark/label/picture_label.h"
#include "mark/mark.h"
#include "picture/codec.h"

// Strings and what else is pointed at are borrowed, and must outlive the marked picture.
typedef struct ink_picture_marks {
  const char *identity;          // UUID
  const char *language;          // of the visible label: "zh…", else English
  const ink_label_style *style;  // NULL: the default
  const char *producer;          // as in ink_mark_options; NULL: inkstone
  const char *model;             // its name; NULL leaves it out
  const char *model_version;     // its SHA-256; NULL leaves it out
  const char *prompt;            // NULL leaves it out
  // For the manifest alone.
  const char *title;            // NULL: the prompt, or "picture"
  const json_t *recipe;         // org.inkstone.recipe; NULL: none
  const char *training;         // whether models may learn from it, as in ink_c2pa_manifest
  ink_c2pa_ingredient *inputs;  // beside prompt and model: a mask, plug-ins
  size_t n_input;
  // The picture that this one was made from; NULL: none.
  const ink_c2pa_parent *parent;
} ink_picture_marks;

// The identity of something that is made again from the same description: a UUID whose digits are
// those of its SHA-256. It is of version 4, which the names of C2PA manifests must be.
ink_status ink_mark_identity_of(const void *bytes, size_t size, char uuid[INK_UUID_TEXT],
                                ink_error *error);

// A picture with its identity and labels. Opaque, so that nothing unmarked can be written.
typedef struct ink_marked_picture ink_marked_picture;

// Label a picture, put its identity into the pixels where they can hold one (picture_identity.h),
// and put the labels into its XMP, which keeps what it holds besides. On success
// *picture and *extras have moved into *marked and are empty; on failure they are as they were.
// Release with ink_marked_picture_free. Errors as ink_mark_picture and ink_xmp_label.
ink_status ink_mark_painting(ink_picture *picture, ink_picture_extras *extras,
                             const ink_picture_marks *marks, ink_marked_picture **marked,
                             ink_error *error);

// Let a picture pass as it is, because its user asked for it by name: the caller has told which law
// may apply (EU AI Act, article 50; Measures, article 9). It gets neither labels nor manifest.
// Moves as ink_mark_painting.
ink_status ink_mark_waive(ink_picture *picture, ink_picture_extras *extras,
                          ink_marked_picture **marked, ink_error *error);

void ink_marked_picture_free(ink_marked_picture *marked);

// What it holds, borrowed. The identity of an unmarked picture is NULL.
const ink_picture *ink_marked_picture_pixels(const ink_marked_picture *marked);
const ink_picture_extras *ink_marked_picture_extras(const ink_marked_picture *marked);
const char *ink_marked_picture_identity(const ink_marked_picture *marked);

// Append to `out` the file, whose bytes are those of an encoded marked picture, with its manifest:
// c2pa.created, or c2pa.opened and c2pa.edited where it was made from another; prompt, model and
// inputs; recipe and thumbnail. `created` is RFC 3339 in UTC. Errors as ink_c2pa_sign.
ink_status ink_marked_picture_sign(const ink_marked_picture *marked, const ink_text *file,
                                   const char *created, const ink_signer *signer, ink_text *out,
                                   ink_error *error);

// A small JPEG of a picture, at most 256 pixels on a side, for manifests.
ink_status ink_mark_thumbnail(const ink_picture *picture, ink_text *jpeg, ink_error *error);

#endif
