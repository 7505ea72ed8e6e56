// Parents: validated as they are taken in.
#include "mark/c2pa/parent.h"

#include <stdlib.h>
#include <string.h>

void ink_c2pa_parent_free(ink_c2pa_parent *parent) {
  free(parent->title);
  ink_text_free(&parent->bare);
  ink_text_free(&parent->thumbnail);
  ink_place_free(&parent->place);
  ink_c2pa_report_free(&parent->report);
  json_decref(parent->validation);
  *parent = (ink_c2pa_parent){0};
}

// Validate the file with the store in it, or the one beside it, and hold that store.
static ink_status hold_store(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                             const void *store, size_t store_size, bool beside, ink_c2pa_parent *p,
                             ink_error *error) {
  INK_TRY(ink_c2pa_validate(bytes, size, carrier, beside ? store : NULL, beside ? store_size : 0,
                            NULL, &p->report, error));
  p->validation = json_pack("{s:O}", "activeManifest", p->report.results);
  if (!p->validation) return ink_fail(error, INK_ERR_MEMORY, "no memory for the parent");
  p->ingredient.store = store;
  p->ingredient.store_size = store_size;
  p->ingredient.validation = p->validation;
  p->is_signed = true;
  return INK_OK;
}

static ink_status take_manifests(const ink_carrier *carrier, const unsigned char *bytes,
                                 size_t size, ink_c2pa_parent *p, ink_error *error) {
  INK_TRY(ink_carrier_find(carrier, bytes, size, &p->place, error));
  if (!p->place.present) return INK_OK;
  if (p->place.code) {
    snprintf(p->fault, sizeof p->fault, "%s", p->place.why);
    return INK_OK;
  }
  INK_TRY(
      hold_store(carrier, bytes, size, p->place.store.bytes, p->place.store.size, false, p, error));
  return ink_carrier_remove(carrier, bytes, size, &p->bare, error);
}

static ink_status name_parent(const char *title, const ink_carrier *carrier,
                              const unsigned char *bytes, size_t size, ink_c2pa_parent *parent,
                              ink_error *error) {
  char hash[INK_SHA256_HEX];
  INK_TRY(ink_sha256_of(bytes, size, hash, error));
  snprintf(parent->instance, sizeof parent->instance, "sha256:%s", hash);
  parent->title = strdup(title);
  if (!parent->title) return ink_fail(error, INK_ERR_MEMORY, "no memory for the parent");
  parent->ingredient = (ink_c2pa_ingredient){.relationship = "parentOf",
                                             .title = parent->title,
                                             .instance = parent->instance,
                                             .format = carrier ? carrier->media_type : NULL};
  return INK_OK;
}

ink_status ink_c2pa_parent_beside(const char *title, const ink_carrier *carrier,
                                  const unsigned char *bytes, size_t size, const void *sidecar,
                                  size_t sidecar_size, ink_c2pa_parent *parent, ink_error *error) {
  INK_TRY(name_parent(title, carrier, bytes, size, parent, error));
  return hold_store(carrier, bytes, size, sidecar, sidecar_size, true, parent, error);
}

ink_status ink_c2pa_parent_read(const char *title, const ink_carrier *carrier,
                                const unsigned char *bytes, size_t size, ink_c2pa_parent *parent,
                                ink_error *error) {
  INK_TRY(name_parent(title, carrier, bytes, size, parent, error));
  ink_status status = carrier ? take_manifests(carrier, bytes, size, parent, error) : INK_OK;
  if (status == INK_OK && !parent->is_signed) {
    ink_text_add_bytes(&parent->bare, bytes, size);
    status = ink_text_status(&parent->bare, error);
  }
  return status;
}
