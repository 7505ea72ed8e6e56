// What went into the content and what was done with it: ingredients with the manifests that they
// carried, and the actions that take them.
#include <string.h>

#include "mark/c2pa/digest.h"
#include "mark/c2pa/manifest_writer.h"

// ---- manifests that ingredients carried

// Results of a validation, which hold strings, arrays and objects only.
static ink_cbor *cbor_of_json(ink_cbor_builder *b, const json_t *json) {
  if (json_is_string(json)) return ink_cbor_new_text(b, json_string_value(json));
  if (json_is_array(json)) {
    ink_cbor *array = ink_cbor_new_array(b);
    for (size_t i = 0; i < json_array_size(json); i++) {
      ink_cbor_add(b, array, cbor_of_json(b, json_array_get(json, i)));
    }
    return array;
  }
  ink_cbor *map = ink_cbor_new_map(b);
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)json, key, value) {
    ink_cbor_put(b, map, key, cbor_of_json(b, value));
  }
  return map;
}

static ink_cbor *hashed_box(ink_manifest_writer *w, const ink_jumbf *box) {
  ink_text uri = {0};
  unsigned char *hash = ink_arena_take(w->cbor.arena, 32);
  ink_cbor *map = ink_cbor_new_map(&w->cbor);
  ink_jumbf_uri(box, &uri);
  char *url = uri.failed ? NULL : ink_arena_string(w->cbor.arena, ink_text_string(&uri));
  ink_text_free(&uri);
  if (!hash || !url || ink_digest_sha256(box->bytes, box->size, hash, NULL) != INK_OK) {
    w->cbor.failed = true;
    return map;
  }
  ink_cbor_put_text(&w->cbor, map, "url", url);
  ink_cbor_put(&w->cbor, map, "hash", ink_cbor_new_bytes(&w->cbor, hash, 32));
  return map;
}

static ink_status put_provenance(ink_manifest_writer *w, const ink_c2pa_ingredient *ingredient,
                                 ink_cbor *map) {
  ink_jumbf *store;
  INK_TRY(
      ink_jumbf_read(w->cbor.arena, ingredient->store, ingredient->store_size, &store, w->error));
  const ink_jumbf *active = store->last;
  const ink_jumbf *signature = ink_jumbf_child(active, "c2pa.signature");
  if (!active || !active->label || !signature) {
    return ink_fail(w->error, INK_ERR_FORMAT, "the manifest of \"%s\" has no signature",
                    ingredient->title);
  }
  ink_cbor_put(&w->cbor, map, "activeManifest", hashed_box(w, active));
  ink_cbor_put(&w->cbor, map, "claimSignature", hashed_box(w, signature));
  ink_cbor_put(&w->cbor, map, "validationResults", cbor_of_json(&w->cbor, ingredient->validation));
  return INK_OK;
}

// Two ingredients may have come from one: its manifest is the same in both, or neither can be kept.
static ink_status is_written(ink_manifest_writer *w, ink_jumbf *const *stores, size_t n,
                             const ink_jumbf *manifest, const char *title, bool *written) {
  *written = false;
  for (size_t i = 0; manifest->label && i < n && !*written; i++) {
    const ink_jumbf *same = stores[i] ? ink_jumbf_child(stores[i], manifest->label) : NULL;
    if (!same) continue;
    *written = same->size == manifest->size && !memcmp(same->bytes, manifest->bytes, same->size);
    if (!*written) {
      return ink_fail(w->error, INK_ERR_CONFLICT,
                      "the manifest %.80s, which \"%s\" carries, is another one in another "
                      "ingredient",
                      manifest->label, title);
    }
  }
  return INK_OK;
}

ink_status ink_write_carried_manifests(ink_manifest_writer *w) {
  ink_jumbf **stores = ink_arena_zeros(w->cbor.arena, w->manifest->n_ingredient, sizeof *stores);
  if (!stores) return ink_fail(w->error, INK_ERR_MEMORY, "no memory for a manifest");
  for (size_t i = 0; i < w->manifest->n_ingredient; i++) {
    const ink_c2pa_ingredient *ingredient = &w->manifest->ingredients[i];
    if (!ingredient->store) continue;
    INK_TRY(ink_jumbf_read(w->cbor.arena, ingredient->store, ingredient->store_size, &stores[i],
                           w->error));
    for (const ink_jumbf *at = stores[i]->first; at; at = at->next) {
      bool written;
      if (at->label && strcmp(at->label, w->label) == 0) {
        return ink_fail(w->error, INK_ERR_CONFLICT,
                        "the manifest of \"%s\" has the identity of the new one",
                        ingredient->title);
      }
      INK_TRY(is_written(w, stores, i, at, ingredient->title, &written));
      if (!written) ink_jumbf_box(w->out, at->type, at->bytes, at->size);
    }
  }
  return INK_OK;
}

// ---- ingredients and actions

static ink_status ingredient_assertion(ink_manifest_writer *w,
                                       const ink_c2pa_ingredient *ingredient) {
  ink_cbor_builder *b = &w->cbor;
  ink_cbor *map = ink_cbor_new_map(b);
  ink_cbor_put_text(b, map, "relationship", ingredient->relationship);
  ink_cbor_put_text(b, map, "dc:title", ingredient->title);
  if (ingredient->format) ink_cbor_put_text(b, map, "dc:format", ingredient->format);
  if (ingredient->instance) ink_cbor_put_text(b, map, "instanceID", ingredient->instance);
  if (ingredient->data_type) {
    ink_cbor *types = ink_cbor_new_array(b), *type = ink_cbor_new_map(b);
    ink_cbor_put_text(b, type, "type", ingredient->data_type);
    ink_cbor_add(b, types, type);
    ink_cbor_put(b, map, "dataTypes", types);
  }
  if (ingredient->data) {
    const char *format = ingredient->format ? ingredient->format : "application/octet-stream";
    INK_TRY(ink_assertion_embed(w, "c2pa.embedded-data", format, ingredient->data,
                                ingredient->data_size));
    ink_cbor_put(b, map, "data", ink_assertion_refer(w, &w->references[w->n_reference - 1]));
  }
  if (ingredient->thumbnail) {
    INK_TRY(ink_assertion_embed(w, "c2pa.thumbnail.ingredient", "image/jpeg", ingredient->thumbnail,
                                ingredient->thumbnail_size));
    ink_cbor_put(b, map, "thumbnail", ink_assertion_refer(w, &w->references[w->n_reference - 1]));
  }
  if (ingredient->store) INK_TRY(put_provenance(w, ingredient, map));
  return ink_assertion_cbor(w, "c2pa.ingredient.v3", map);
}

// The relationship of the ingredients that an action takes.
static const char *taken_by(const char *action) {
  if (strcmp(action, "c2pa.opened") == 0) return "parentOf";
  return strcmp(action, "c2pa.placed") == 0 ? "componentOf" : "inputTo";
}

static ink_cbor *action_map(ink_manifest_writer *w, const ink_c2pa_action *action,
                            const size_t *places) {
  ink_cbor_builder *b = &w->cbor;
  const ink_c2pa_manifest *m = w->manifest;
  ink_cbor *map = ink_cbor_new_map(b), *parameters = ink_cbor_new_map(b);
  ink_cbor *ingredients = ink_cbor_new_array(b);
  ink_cbor_put_text(b, map, "action", action->action);
  ink_cbor_put(b, map, "when", ink_cbor_new_tag(b, 0, ink_cbor_new_text(b, m->created)));
  if (action->source_type) ink_cbor_put_text(b, map, "digitalSourceType", action->source_type);
  if (action->agent_name) {
    ink_cbor *agent = ink_cbor_new_map(b);
    ink_cbor_put_text(b, agent, "name", action->agent_name);
    if (action->agent_version) ink_cbor_put_text(b, agent, "version", action->agent_version);
    ink_cbor_put(b, map, "softwareAgent", agent);
  }
  for (size_t i = 0; i < m->n_ingredient; i++) {
    if (strcmp(m->ingredients[i].relationship, taken_by(action->action)) != 0) continue;
    ink_cbor_add(b, ingredients, ink_assertion_refer(w, &w->references[places[i]]));
  }
  if (ingredients && ingredients->n) ink_cbor_put(b, parameters, "ingredients", ingredients);
  ink_cbor_put_text(b, parameters, "dc:format", w->format);
  ink_cbor_put(b, map, "parameters", parameters);
  return map;
}

ink_status ink_write_actions(ink_manifest_writer *w) {
  const ink_c2pa_manifest *m = w->manifest;
  size_t places[INK_REFERENCES_MOST] = {0};
  ink_cbor_builder *b = &w->cbor;
  for (size_t i = 0; i < m->n_ingredient; i++) {
    INK_TRY(ingredient_assertion(w, &m->ingredients[i]));
    places[i] = w->n_reference - 1;
  }
  ink_cbor *actions = ink_cbor_new_map(b), *list = ink_cbor_new_array(b);
  for (size_t i = 0; i < m->n_action; i++) {
    ink_cbor_add(b, list, action_map(w, &m->actions[i], places));
  }
  if (m->soft) {
    ink_cbor *marked = ink_cbor_new_map(b);
    ink_cbor_put_text(b, marked, "action", "c2pa.watermarked.bound");
    ink_cbor_put(b, marked, "when", ink_cbor_new_tag(b, 0, ink_cbor_new_text(b, m->created)));
    ink_cbor_add(b, list, marked);
  }
  ink_cbor_put(b, actions, "actions", list);
  ink_cbor_put(b, actions, "allActionsIncluded", ink_cbor_new_bool(b, true));
  return ink_assertion_cbor(w, "c2pa.actions.v2", actions);
}
