// The marks of a picture, together.
#include "mark/picture_mark.h"

#include <stdlib.h>
#include <string.h>

#include "mark/label/aigc.h"
#include "mark/label/xmp.h"
#include "mark/ledger/picture_identity.h"

struct ink_marked_picture {
  ink_picture picture;
  ink_picture_extras extras;
  ink_picture_marks marks;
  char identity[INK_UUID_TEXT];  // "": let pass unmarked
};

ink_status ink_mark_identity_of(const void *bytes, size_t size, char uuid[INK_UUID_TEXT],
                                ink_error *error) {
  char hex[INK_SHA256_HEX];
  INK_TRY(ink_sha256_of(bytes, size, hex, error));
  hex[12] = '4';                  // the version
  hex[16] = "89ab"[hex[16] % 4];  // the RFC's variant
  snprintf(uuid, INK_UUID_TEXT, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
           hex + 20);
  return INK_OK;
}

// A picture that was made from another is part generated, part that other.
static const char *source_of(const ink_picture_marks *marks) {
  return marks->parent ? INK_SOURCE_COMPOSITE : INK_SOURCE_TRAINED;
}

static ink_status move_in(ink_picture *picture, ink_picture_extras *extras,
                          ink_marked_picture **marked, ink_error *error) {
  *marked = calloc(1, sizeof **marked);
  if (!*marked) return ink_fail(error, INK_ERR_MEMORY, "no memory to mark the picture");
  (*marked)->picture = *picture;
  (*marked)->extras = *extras;
  *picture = (ink_picture){0};
  *extras = (ink_picture_extras){0};
  return INK_OK;
}

ink_status ink_mark_painting(ink_picture *picture, ink_picture_extras *extras,
                             const ink_picture_marks *marks, ink_marked_picture **marked,
                             ink_error *error) {
  json_t *aigc;
  *marked = NULL;
  INK_TRY(ink_aigc_new(INK_LABEL_OWN, marks->producer, marks->identity, &aigc, error));
  ink_xmp_labels labels = {.source_type = source_of(marks),
                           .system = marks->model,
                           .system_version = marks->model_version,
                           .prompt = marks->prompt,
                           .creator_tool = "inkstone " INKSTONE_VERSION,
                           .aigc = aigc};
  ink_text packet = {0};
  ink_status status =
      ink_xmp_label(extras->xmp, extras->xmp ? strlen(extras->xmp) : 0, &labels, &packet, error);
  ink_label_style style = marks->style ? *marks->style : ink_label_style_default();
  if (status == INK_OK) status = ink_mark_picture(picture, marks->language, &style, NULL, error);
  json_decref(aigc);
  if (status == INK_OK && ink_picture_identity_fits(picture)) {
    status = ink_picture_identity_write(picture, marks->identity, error);
  }
  if (status == INK_OK) status = move_in(picture, extras, marked, error);
  if (status != INK_OK) {
    ink_text_free(&packet);
    return status;
  }
  ink_marked_picture *m = *marked;
  m->marks = *marks;
  snprintf(m->identity, sizeof m->identity, "%s", marks->identity);
  m->marks.identity = m->identity;
  free(m->extras.xmp);
  m->extras.xmp = packet.bytes;
  return INK_OK;
}

ink_status ink_mark_waive(ink_picture *picture, ink_picture_extras *extras,
                          ink_marked_picture **marked, ink_error *error) {
  return move_in(picture, extras, marked, error);
}

void ink_marked_picture_free(ink_marked_picture *marked) {
  if (!marked) return;
  ink_picture_free(&marked->picture);
  ink_picture_extras_free(&marked->extras);
  free(marked);
}

const ink_picture *ink_marked_picture_pixels(const ink_marked_picture *marked) {
  return &marked->picture;
}

const ink_picture_extras *ink_marked_picture_extras(const ink_marked_picture *marked) {
  return &marked->extras;
}

const char *ink_marked_picture_identity(const ink_marked_picture *marked) {
  return marked->identity[0] ? marked->identity : NULL;
}

// ---- the manifest

ink_status ink_mark_thumbnail(const ink_picture *picture, ink_text *jpeg, ink_error *error) {
  enum { SIDE = 256, QUALITY = 75 };
  static const uint8_t white[3] = {255, 255, 255};
  ink_picture flat = {0}, small = {0};
  int32_t longer = picture->width > picture->height ? picture->width : picture->height;
  int32_t width = picture->width, height = picture->height;
  if (longer > SIDE) {
    width = (int32_t)((int64_t)width * SIDE / longer);
    height = (int32_t)((int64_t)height * SIDE / longer);
  }
  INK_TRY(ink_picture_flatten(picture, white, &flat, error));
  ink_status status = ink_picture_resize(&flat, width ? width : 1, height ? height : 1,
                                         INK_RESIZE_BICUBIC, &small, error);
  ink_picture_encoding encoding = {.quality = QUALITY};
  if (status == INK_OK) {
    status = ink_picture_encode(&small, INK_PICTURE_JPEG, &encoding, jpeg, error);
  }
  ink_picture_free(&flat);
  ink_picture_free(&small);
  return status;
}

// All that went in: prompt, model, further inputs, the parent. At most n_input + 3.
static size_t list_ingredients(const ink_picture_marks *m, const char *instance,
                               ink_c2pa_ingredient *list) {
  size_t n = 0;
  if (m->parent) {
    list[n] = m->parent->ingredient;
    if (m->parent->thumbnail.size) {
      list[n].thumbnail = m->parent->thumbnail.bytes;
      list[n].thumbnail_size = m->parent->thumbnail.size;
    }
    n++;
  }
  if (m->prompt) {
    list[n++] = (ink_c2pa_ingredient){.relationship = "inputTo",
                                      .title = "prompt",
                                      .format = "text/plain",
                                      .data = m->prompt,
                                      .data_size = strlen(m->prompt)};
  }
  if (m->model) {
    list[n++] = (ink_c2pa_ingredient){.relationship = "inputTo",
                                      .title = m->model,
                                      .instance = m->model_version ? instance : NULL,
                                      .data_type = "c2pa.types.generator"};
  }
  for (size_t i = 0; i < m->n_input; i++) list[n++] = m->inputs[i];
  return n;
}

ink_status ink_marked_picture_sign(const ink_marked_picture *marked, const ink_text *file,
                                   const char *created, const ink_signer *signer, ink_text *out,
                                   ink_error *error) {
  const ink_picture_marks *m = &marked->marks;
  const unsigned char *bytes = (const unsigned char *)file->bytes;
  const ink_carrier *carrier = ink_carrier_for(NULL, bytes, file->size);
  if (!carrier || !marked->identity[0]) {
    return ink_fail(error, INK_ERR_INTERNAL, "only marked pictures are signed");
  }
  char instance[8 + INK_SHA256_HEX] = "";
  if (m->model_version) snprintf(instance, sizeof instance, "sha256:%s", m->model_version);
  ink_c2pa_ingredient *ingredients = calloc(m->n_input + 3, sizeof *ingredients);
  if (!ingredients) return ink_fail(error, INK_ERR_MEMORY, "no memory to sign the picture");
  const char *prompted = m->prompt && m->prompt[0] ? m->prompt : "picture";
  ink_c2pa_action made = {.action = m->parent ? "c2pa.edited" : "c2pa.created",
                          .source_type = source_of(m),
                          .agent_name = m->model,
                          .agent_version = instance[0] ? instance : NULL};
  ink_c2pa_action actions[2] = {{.action = "c2pa.opened"}, made};
  ink_c2pa_assertion recipe = {"org.inkstone.recipe", m->recipe};
  uint8_t value[INK_IDENTITY_BYTES];
  ink_c2pa_soft_binding soft = {INK_PICTURE_IDENTITY, value, sizeof value};
  bool holds =
      ink_picture_identity_fits(&marked->picture) && ink_identity_bytes(marked->identity, value);
  ink_text thumbnail = {0};
  ink_c2pa_manifest manifest = {.identity = marked->identity,
                                .created = created,
                                .title = m->title ? m->title : prompted,
                                .actions = m->parent ? actions : &actions[1],
                                .n_action = m->parent ? 2 : 1,
                                .ingredients = ingredients,
                                .n_ingredient = list_ingredients(m, instance, ingredients),
                                .assertions = &recipe,
                                .n_assertion = m->recipe != NULL,
                                .soft = holds ? &soft : NULL,
                                .training = m->training,
                                .model = m->model,
                                .oversight = "prompt_guided"};
  ink_status status = ink_mark_thumbnail(&marked->picture, &thumbnail, error);
  manifest.thumbnail = thumbnail.bytes;
  manifest.thumbnail_size = thumbnail.size;
  if (status == INK_OK) {
    status = ink_c2pa_sign(bytes, file->size, carrier, &manifest, signer, out, error);
  }
  ink_text_free(&thumbnail);
  free(ingredients);
  return status;
}
