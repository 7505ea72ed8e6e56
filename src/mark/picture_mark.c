// The marks of a picture.
#include "mark/picture_mark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "mark/aigc.h"
#include "mark/xmp.h"

ink_status ink_mark_identity_of(const void *bytes, size_t size, char uuid[INK_UUID_TEXT],
                                ink_error *error) {
  char hex[INK_SHA256_HEX];
  INK_TRY(ink_sha256_of(bytes, size, hex, error));
  hex[12] = '8';                  // the version
  hex[16] = "89ab"[hex[16] % 4];  // the RFC's variant
  snprintf(uuid, INK_UUID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
           hex + 20);
  return INK_OK;
}

ink_status ink_mark_painting(ink_picture *picture, ink_picture_extras *extras,
                             const ink_picture_marks *marks, ink_error *error) {
  json_t *aigc;
  INK_TRY(ink_aigc_new(marks->producer, marks->identity, &aigc, error));
  ink_xmp_labels labels = {.source_type = INK_XMP_TRAINED,
                           .system = marks->model,
                           .system_version = marks->model_version,
                           .prompt = marks->prompt,
                           .creator_tool = "inkstone " INKSTONE_VERSION,
                           .aigc = aigc};
  ink_text packet = {0};
  ink_status status =
      ink_xmp_label(extras->xmp, extras->xmp ? strlen(extras->xmp) : 0, &labels, &packet, error);
  ink_label_style style = ink_label_style_default();
  if (status == INK_OK) status = ink_mark_picture(picture, marks->language, &style, NULL, error);
  json_decref(aigc);
  if (status != INK_OK) {
    ink_text_free(&packet);
    return status;
  }
  free(extras->xmp);
  extras->xmp = packet.bytes;
  return INK_OK;
}
