// Labels of pictures: PNG, JPEG, WebP. Pixels are touched for the visible label alone; what the
// file holds beside them stays.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark/label/label_parts.h"
#include "mark/label/xmp.h"
#include "mark/picture_mark.h"
#include "picture/metadata.h"

enum { QUALITY = 95 };

// What decoding into eight bits and one picture would lose.
static ink_status check_pixels(const ink_label_work *w, ink_picture_format format,
                               ink_error *error) {
  enum { DEPTH = 24 };
  if (format != INK_PICTURE_PNG) return INK_OK;
  if (memmem(w->bytes, w->size, "acTL", 4)) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "an animation; give a still picture, or --no-visible");
  }
  if (w->size > DEPTH && w->bytes[DEPTH] == 16) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "its sixteen bits a channel would become eight under a visible label; convert "
                    "it first, or give --no-visible");
  }
  return INK_OK;
}

// A profile of another colour space belongs to what was converted (CMYK).
static bool profile_fits(const ink_picture *picture, const ink_picture_extras *extras) {
  if (extras->icc_size < 20) return false;
  return memcmp(extras->icc + 16, picture->channels > 2 ? "RGB " : "GRAY", 4) == 0;
}

// The picture with its visible label, encoded anew.
static ink_status draw(const ink_label_work *w, ink_picture_format format, ink_picture *picture,
                       const ink_picture_extras *extras, ink_labelled *out, ink_text *pixels,
                       ink_error *error) {
  const ink_label_request *r = w->request;
  ink_label_style style = r->style ? *r->style : ink_label_style_default();
  style.kind = r->kind;
  ink_label_box box;
  INK_TRY(check_pixels(w, format, error));
  INK_TRY(ink_mark_picture(picture, r->language, &style, &box, error));
  int32_t side = picture->width < picture->height ? picture->width : picture->height;
  char words[64];
  snprintf(words, sizeof words, "%s", box.words);
  for (char *at = words; *at; at++) *at = *at == '\n' ? ' ' : *at;
  snprintf(out->visible, sizeof out->visible, "\"%s\", %s, %d px (%.1f %%)", words,
           ink_label_place_name(style.place), box.capital, 100.0 * box.capital / side);
  ink_picture_extras kept = {0};
  if (profile_fits(picture, extras)) {
    kept.icc = extras->icc;
    kept.icc_size = extras->icc_size;
  }
  ink_picture_encoding encoding = {.quality = r->quality ? r->quality : QUALITY,
                                   .lossless = ink_picture_is_lossless(w->bytes, w->size),
                                   .extras = &kept};
  return ink_picture_encode(picture, format, &encoding, pixels, error);
}

static ink_status add_labels(const ink_label_work *w, const ink_picture_extras *extras,
                             ink_text *packet, ink_error *error) {
  const ink_label_request *r = w->request;
  ink_xmp_labels labels = {.source_type = w->source_type,
                           .system = r->system,
                           .system_version = r->system_version,
                           .prompt = r->prompt,
                           .aigc = w->aigc};
  size_t size = extras->xmp ? strlen(extras->xmp) : 0;
  INK_TRY(ink_xmp_keep_source(extras->xmp, size, &labels.source_type, error));
  return ink_xmp_label(extras->xmp, size, &labels, packet, error);
}

static ink_status label_decoded(const ink_label_work *w, ink_picture_format format,
                                ink_picture *picture, const ink_picture_extras *extras,
                                ink_labelled *out, ink_error *error) {
  ink_text packet = {0}, pixels = {0};
  ink_picture_file file = {w->bytes, w->size}, drawn = file;
  ink_status status = ink_mark_thumbnail(picture, &out->thumbnail, error);
  if (status == INK_OK) status = add_labels(w, extras, &packet, error);
  if (status == INK_OK && w->request->visible) {
    status = draw(w, format, picture, extras, out, &pixels, error);
    drawn = (ink_picture_file){(const unsigned char *)pixels.bytes, pixels.size};
  }
  if (status == INK_OK) status = ink_mark_thumbnail(picture, &out->new_thumbnail, error);
  if (status == INK_OK) {
    status = ink_picture_with_metadata(format, drawn, file, packet.bytes, &out->file, error);
  }
  ink_text_free(&packet);
  ink_text_free(&pixels);
  return status;
}

static ink_status label(const ink_label_work *w, ink_labelled *out, ink_error *error) {
  ink_picture_format format = INK_PICTURE_PNG;
  ink_picture picture;
  ink_picture_extras extras = {0};
  ink_picture_format_by_bytes(w->bytes, w->size, &format);
  INK_TRY(ink_picture_decode(w->bytes, w->size, w->name, NULL, &picture, &extras, error));
  out->visible_rule = "5.2";
  out->metadata_rule = "Annex E";
  snprintf(out->metadata, sizeof out->metadata, "XMP TC260:AIGC");
  out->tells_source = w->source_type != NULL;
  ink_status status = label_decoded(w, format, &picture, &extras, out, error);
  ink_picture_extras_free(&extras);
  ink_picture_free(&picture);
  return status;
}

// In XMP, or as Annex B allows: a PNG text "AIGC", an Exif UserComment {"AIGC": {…}}.
static ink_status read_aigc(const char *name, const unsigned char *bytes, size_t size,
                            json_t **aigc, ink_error *error) {
  ink_picture picture;
  ink_picture_extras extras = {0};
  *aigc = NULL;
  INK_TRY(ink_picture_decode(bytes, size, name, NULL, &picture, &extras, error));
  ink_status status = ink_xmp_aigc(extras.xmp, extras.xmp ? strlen(extras.xmp) : 0, aigc, error);
  const char *const notes[] = {ink_picture_note(&extras, "AIGC"),
                               ink_picture_note(&extras, "parameters")};
  for (int i = 0; i < 2 && status == INK_OK && !*aigc; i++) {
    json_t *json = notes[i] ? json_loads(notes[i], 0, NULL) : NULL;
    json_t *inner = json_object_get(json, "AIGC");
    const json_t *found = inner ? inner : json;
    if (json_object_get(found, "Label")) *aigc = json_incref((json_t *)found);
    json_decref(json);
  }
  ink_picture_extras_free(&extras);
  ink_picture_free(&picture);
  return status;
}

static const char *const formats[] = {"png", "jpeg", "webp", NULL};
const ink_labeller ink_labeller_picture = {
    .formats = formats, .disclosed = true, .label = label, .read = read_aigc};
