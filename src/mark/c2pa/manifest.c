// From a description to a signed manifest store in a file, in two passes: one to learn where the
// store lies, one with the hash of what lies around it.
#include "mark/c2pa/manifest.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "mark/c2pa/cbor.h"
#include "mark/c2pa/digest.h"
#include "mark/c2pa/jumbf.h"
#include "mark/c2pa/manifest_parts.h"

enum {
  MOST_REFERENCES = 64,
  ARENA = 1 << 26,
  BINDING_INTEGERS = 10,  // bytes that start and length take at most, together
  PAD = 64,               // of the signature
  PAD_STAMPED = 12288,    // of a signature with a time-stamp, at first
  PAD_BY_VALUE = 512,     // where the value of a byte decides its length
  SLACK_BY_VALUE = 192    // bytes kept free for hashes and signatures longer than zeros
};

// An assertion in the store, as others refer to it.
typedef struct reference {
  char label[128];
  unsigned char hash[32];
} reference;

typedef struct writer {
  const ink_c2pa_manifest *manifest;
  const char *format;
  ink_cbor_builder cbor;
  ink_text *out;
  char label[96];  // of the manifest
  reference references[MOST_REFERENCES];
  size_t n_reference;
  const ink_manifest_pass *pass;
  ink_error *error;
} writer;

static const char assertion_base[] = "self#jumbf=c2pa.assertions/";

// ---- assertions

static ink_status begin_assertion(writer *w, const char *kind, const char *label, size_t *begin) {
  if (w->n_reference == MOST_REFERENCES) {
    return ink_fail(w->error, INK_ERR_USAGE, "a manifest of more than %d assertions",
                    MOST_REFERENCES);
  }
  reference *r = &w->references[w->n_reference];
  size_t n = 0;
  for (size_t i = 0; i < w->n_reference; i++) {
    size_t length = strlen(label);
    const char *other = w->references[i].label;
    n += strncmp(other, label, length) == 0 &&
         (other[length] == 0 || strncmp(other + length, "__", 2) == 0);
  }
  // Labels that repeat are numbered from the second on.
  if (n) {
    snprintf(r->label, sizeof r->label, "%.80s__%zu", label, n);
  } else {
    snprintf(r->label, sizeof r->label, "%.80s", label);
  }
  *begin = ink_jumbf_begin(w->out, kind, r->label);
  return INK_OK;
}

static ink_status end_assertion(writer *w, size_t begin) {
  ink_jumbf_end(w->out, begin);
  INK_TRY(ink_text_status(w->out, w->error));
  const ink_text *out = w->out;
  return ink_digest_sha256(out->bytes + begin + 8, out->size - begin - 8,
                           w->references[w->n_reference++].hash, w->error);
}

static ink_status add_cbor(writer *w, const ink_cbor *item) {
  ink_text bytes = {0};
  ink_status status = ink_cbor_write(&w->cbor, item, &bytes, w->error);
  if (status == INK_OK) ink_jumbf_box(w->out, "cbor", bytes.bytes, bytes.size);
  ink_text_free(&bytes);
  return status;
}

static ink_status cbor_assertion(writer *w, const char *label, const ink_cbor *item) {
  size_t begin;
  INK_TRY(begin_assertion(w, "cbor", label, &begin));
  INK_TRY(add_cbor(w, item));
  return end_assertion(w, begin);
}

static ink_status json_assertion(writer *w, const char *label, const json_t *json) {
  size_t begin;
  char *text = json_dumps(json, JSON_COMPACT);
  if (!text) return ink_fail(w->error, INK_ERR_MEMORY, "no memory for the assertion %s", label);
  ink_status status = begin_assertion(w, "json", label, &begin);
  if (status == INK_OK) {
    ink_jumbf_box(w->out, "json", text, strlen(text));
    status = end_assertion(w, begin);
  }
  free(text);
  return status;
}

// {url, hash} of an assertion that was written.
static ink_cbor *refer(writer *w, const reference *r) {
  ink_cbor *map = ink_cbor_new_map(&w->cbor);
  size_t size = sizeof assertion_base + strlen(r->label);
  char *url = ink_arena_take(w->cbor.arena, size);
  if (!url) {
    w->cbor.failed = true;
    return map;
  }
  snprintf(url, size, "%s%s", assertion_base, r->label);
  ink_cbor_put_text(&w->cbor, map, "url", url);
  ink_cbor_put(&w->cbor, map, "hash", ink_cbor_new_bytes(&w->cbor, r->hash, sizeof r->hash));
  return map;
}

// An assertion that holds a file: its media type, and its bytes.
static ink_status embedded(writer *w, const char *label, const char *format, const void *data,
                           size_t size) {
  size_t begin;
  ink_text description = {0};
  INK_TRY(begin_assertion(w, "bfdb", label, &begin));
  ink_text_add_bytes(&description, "", 1);  // toggles: no file name, not external
  ink_text_add_bytes(&description, format, strlen(format) + 1);
  ink_jumbf_box(w->out, "bfdb", description.bytes, description.size);
  ink_jumbf_box(w->out, "bidb", data, size);
  ink_status status = ink_text_status(&description, w->error);
  ink_text_free(&description);
  return status == INK_OK ? end_assertion(w, begin) : status;
}

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

static ink_cbor *hashed_box(writer *w, const ink_jumbf *box) {
  ink_text uri = {0};
  unsigned char *hash = ink_arena_take(w->cbor.arena, 32);
  ink_cbor *map = ink_cbor_new_map(&w->cbor);
  ink_jumbf_uri(box, &uri);
  char *url = ink_arena_string(w->cbor.arena, ink_text_string(&uri));
  ink_text_free(&uri);
  if (!hash || !url || ink_digest_sha256(box->bytes, box->size, hash, NULL) != INK_OK) {
    w->cbor.failed = true;
    return map;
  }
  ink_cbor_put_text(&w->cbor, map, "url", url);
  ink_cbor_put(&w->cbor, map, "hash", ink_cbor_new_bytes(&w->cbor, hash, 32));
  return map;
}

static ink_status put_provenance(writer *w, const ink_c2pa_ingredient *ingredient, ink_cbor *map) {
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

// The manifests of ingredients stand before ours, each once.
static ink_status copy_manifests(writer *w) {
  for (size_t i = 0; i < w->manifest->n_ingredient; i++) {
    const ink_c2pa_ingredient *ingredient = &w->manifest->ingredients[i];
    if (!ingredient->store) continue;
    ink_jumbf *store;
    INK_TRY(
        ink_jumbf_read(w->cbor.arena, ingredient->store, ingredient->store_size, &store, w->error));
    for (const ink_jumbf *at = store->first; at; at = at->next) {
      if (at->label && strcmp(at->label, w->label) == 0) {
        return ink_fail(w->error, INK_ERR_CONFLICT,
                        "the manifest of \"%s\" has the identity of the new one",
                        ingredient->title);
      }
      ink_jumbf_box(w->out, at->type, at->bytes, at->size);
    }
  }
  return INK_OK;
}

// ---- ingredients and actions

static ink_status ingredient_assertion(writer *w, const ink_c2pa_ingredient *ingredient) {
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
    INK_TRY(embedded(w, "c2pa.embedded-data", format, ingredient->data, ingredient->data_size));
    ink_cbor_put(b, map, "data", refer(w, &w->references[w->n_reference - 1]));
  }
  if (ingredient->thumbnail) {
    INK_TRY(embedded(w, "c2pa.thumbnail.ingredient", "image/jpeg", ingredient->thumbnail,
                     ingredient->thumbnail_size));
    ink_cbor_put(b, map, "thumbnail", refer(w, &w->references[w->n_reference - 1]));
  }
  if (ingredient->store) INK_TRY(put_provenance(w, ingredient, map));
  return cbor_assertion(w, "c2pa.ingredient.v3", map);
}

// The relationship of the ingredients that an action takes.
static const char *taken_by(const char *action) {
  if (strcmp(action, "c2pa.opened") == 0) return "parentOf";
  return strcmp(action, "c2pa.placed") == 0 ? "componentOf" : "inputTo";
}

static ink_cbor *action_map(writer *w, const ink_c2pa_action *action, const size_t *places) {
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
    ink_cbor_add(b, ingredients, refer(w, &w->references[places[i]]));
  }
  if (ingredients && ingredients->n) ink_cbor_put(b, parameters, "ingredients", ingredients);
  ink_cbor_put_text(b, parameters, "dc:format", w->format);
  ink_cbor_put(b, map, "parameters", parameters);
  return map;
}

static ink_status add_actions(writer *w) {
  const ink_c2pa_manifest *m = w->manifest;
  size_t places[MOST_REFERENCES];
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
  return cbor_assertion(w, "c2pa.actions.v2", actions);
}

// ---- the other assertions

// Over all of the content: its scope names no part.
static ink_status add_soft_binding(writer *w) {
  const ink_c2pa_soft_binding *soft = w->manifest->soft;
  ink_cbor_builder *b = &w->cbor;
  ink_cbor *map = ink_cbor_new_map(b), *blocks = ink_cbor_new_array(b);
  ink_cbor *block = ink_cbor_new_map(b);
  ink_cbor_put(b, block, "scope", ink_cbor_new_map(b));
  ink_cbor_put(b, block, "value", ink_cbor_new_bytes(b, soft->value, soft->size));
  ink_cbor_add(b, blocks, block);
  ink_cbor_put_text(b, map, "alg", soft->algorithm);
  ink_cbor_put(b, map, "blocks", blocks);
  ink_cbor_put(b, map, "pad", ink_cbor_new_bytes(b, "", 0));
  return cbor_assertion(w, "c2pa.soft-binding", map);
}

// An update says nothing of its own here: the format is what it was. Validators of C2PA 2.3 and
// before allow few fields in this assertion; the title, which the claim has, is not one of them.
static ink_status add_metadata(writer *w) {
  const ink_c2pa_manifest *m = w->manifest;
  const char *source = NULL;
  for (size_t i = 0; i < m->n_action && !source; i++) source = m->actions[i].source_type;
  json_t *json =
      json_pack("{s:{s:s, s:s}, s:s, s:s*}", "@context", "dc", "http://purl.org/dc/elements/1.1/",
                "Iptc4xmpExt", "http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "dc:format",
                w->format, "Iptc4xmpExt:DigitalSourceType", source);
  if (!json) return ink_fail(w->error, INK_ERR_MEMORY, "no memory for metadata");
  ink_status status = json_assertion(w, "c2pa.metadata", json);
  json_decref(json);
  return status;
}

static ink_status check_fields(const json_t *fields, ink_error *error) {
  const json_t *context = json_object_get(fields, "@context");
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)fields, key, value) {
    if (strcmp(key, "@context") == 0) continue;
    char prefix[64];
    size_t n = strcspn(key, ":");
    if (!key[n] || n >= sizeof prefix) {
      return ink_fail(error, INK_ERR_USAGE,
                      "the metadata field \"%.60s\" has no prefix, as \"dc:creator\" has", key);
    }
    memcpy(prefix, key, n);
    prefix[n] = 0;
    if (!json_is_string(json_object_get(context, prefix))) {
      return ink_fail(error, INK_ERR_USAGE,
                      "the \"@context\" of the metadata does not say what \"%s\" means", prefix);
    }
  }
  return INK_OK;
}

// Fields of the caller's choice stand in the assertion that may hold any.
static ink_status add_fields(writer *w) {
  INK_TRY(check_fields(w->manifest->metadata, w->error));
  return json_assertion(w, "cawg.metadata", w->manifest->metadata);
}

// Tokens for the signatures of earlier manifests (section 18.17).
static ink_status add_stamps(writer *w) {
  ink_cbor_builder *b = &w->cbor;
  ink_cbor *map = ink_cbor_new_map(b);
  for (size_t i = 0; i < w->pass->n_stamp; i++) {
    const ink_manifest_stamp *stamp = &w->pass->stamps[i];
    ink_cbor_put(b, map, stamp->label,
                 ink_cbor_new_bytes(b, stamp->token.bytes, stamp->token.size));
  }
  return cbor_assertion(w, "c2pa.time-stamp", map);
}

static ink_status add_disclosure(writer *w) {
  const ink_c2pa_manifest *m = w->manifest;
  ink_cbor_builder *b = &w->cbor;
  ink_cbor *map = ink_cbor_new_map(b);
  ink_cbor_put_text(b, map, "modelType", "c2pa.types.model");
  ink_cbor_put_text(b, map, "modelName", m->model);
  if (m->oversight) {
    ink_cbor *profile = ink_cbor_new_map(b);
    ink_cbor_put_text(b, profile, "humanOversightLevel", m->oversight);
    ink_cbor_put(b, map, "contentProfile", profile);
  }
  return cbor_assertion(w, "c2pa.ai-disclosure", map);
}

static ink_status add_training(writer *w) {
  static const char *const uses[] = {"cawg.ai_generative_training", "cawg.ai_training",
                                     "cawg.ai_inference", "cawg.data_mining"};
  ink_cbor_builder *b = &w->cbor;
  ink_cbor *map = ink_cbor_new_map(b), *entries = ink_cbor_new_map(b);
  for (size_t i = 0; i < sizeof uses / sizeof *uses; i++) {
    ink_cbor *entry = ink_cbor_new_map(b);
    ink_cbor_put_text(b, entry, "use", w->manifest->training);
    ink_cbor_put(b, entries, uses[i], entry);
  }
  ink_cbor_put(b, map, "entries", entries);
  return cbor_assertion(w, "cawg.training-mining", map);
}

static size_t integer_size(size_t n) {
  return n < 24 ? 1 : n < 256 ? 2 : n < 65536 ? 3 : n <= UINT32_MAX ? 5 : 9;
}

// SHA-256 of some bytes, in the arena.
static ink_cbor *hash_item(writer *w, const unsigned char *bytes, size_t size) {
  unsigned char *hash = ink_arena_take(w->cbor.arena, 32);
  if (!hash || ink_digest_sha256(bytes, size, hash, NULL) != INK_OK) {
    w->cbor.failed = true;
    return NULL;
  }
  return ink_cbor_new_bytes(&w->cbor, hash, 32);
}

// Hash of a container's directory, but for the store's checksum.
static ink_cbor *directory_item(writer *w, const ink_manifest_binding *bound,
                                const ink_directory *directory) {
  unsigned char *hash = ink_arena_take(w->cbor.arena, 32);
  ink_digest_range checksum = {directory->checksum - directory->start, 4};
  if (!hash || ink_digest_ranges("sha256", bound->file + directory->start,
                                 bound->file_size - directory->start, &checksum,
                                 directory->checksum ? 1 : 0, false, hash, NULL) != INK_OK) {
    w->cbor.failed = true;
    return NULL;
  }
  return ink_cbor_new_bytes(&w->cbor, hash, 32);
}

// The name of a part as a relative URI (section 18.8.3).
static void put_uri(writer *w, ink_cbor *map, const unsigned char *name, size_t size) {
  ink_text plain = {0}, escaped = {0};
  ink_text_add_bytes(&plain, name, size);
  ink_url_escape(&escaped, ink_text_string(&plain), true);
  char *uri = ink_arena_string(w->cbor.arena, ink_text_string(&escaped));
  w->cbor.failed = w->cbor.failed || plain.failed || escaped.failed || !uri;
  if (uri) ink_cbor_put_text(&w->cbor, map, "uri", uri);
  ink_text_free(&plain);
  ink_text_free(&escaped);
}

// c2pa.hash.collection.data (sections 18.8 and A.6.2). Its size depends on the parts' names alone.
static ink_status add_collection(writer *w, const ink_manifest_binding *bound) {
  ink_cbor_builder *b = &w->cbor;
  ink_text parts = {0};
  ink_directory directory = {0};
  INK_TRY(bound->parts->collect(bound->parts, bound->file, bound->file_size, &parts, &directory,
                                w->error));
  ink_cbor *map = ink_cbor_new_map(b), *list = ink_cbor_new_array(b);
  const ink_part *part = (const ink_part *)(const void *)parts.bytes;
  for (size_t i = 0; i < parts.size / sizeof *part; i++) {
    ink_cbor *one = ink_cbor_new_map(b);
    put_uri(w, one, bound->file + part[i].name, part[i].name_size);
    ink_cbor_put(b, one, "hash", hash_item(w, bound->file + part[i].start, part[i].length));
    ink_cbor_add(b, list, one);
  }
  ink_text_free(&parts);
  ink_cbor_put(b, map, "uris", list);
  ink_cbor_put_text(b, map, "alg", "sha256");
  ink_cbor_put(b, map, "zip_central_directory_hash", directory_item(w, bound, &directory));
  return cbor_assertion(w, "c2pa.hash.collection.data", map);
}

// One entry of c2pa.hash.boxes: the parts from `begin` to `end`, one after the other in the file.
static void add_boxes_entry(writer *w, ink_cbor *list, const ink_manifest_binding *bound,
                            const ink_named_range *ranges, size_t begin, size_t end) {
  ink_cbor_builder *b = &w->cbor;
  ink_cbor *entry = ink_cbor_new_map(b), *names = ink_cbor_new_array(b);
  if (begin == end) return;
  for (size_t i = begin; i < end; i++) {
    const char *name = ink_arena_string(b->arena, ranges[i].name);
    if (!name) b->failed = true;
    if (name) ink_cbor_add(b, names, ink_cbor_new_text(b, name));
  }
  bool store = strcmp(ranges[begin].name, "C2PA") == 0;
  size_t start = ranges[begin].start, stop = ranges[end - 1].start + ranges[end - 1].length;
  ink_cbor_put(b, entry, "names", names);
  ink_cbor_put(
      b, entry, "hash",
      store ? ink_cbor_new_bytes(b, "", 1) : hash_item(w, bound->file + start, stop - start));
  ink_cbor_put(b, entry, "pad", ink_cbor_new_bytes(b, "", 0));
  ink_cbor_add(b, list, entry);
}

// c2pa.hash.boxes (section 18.7): all before the store, the store, all behind it. Its size depends
// on the parts' names alone; before a file is made it is empty.
static ink_status add_boxes(writer *w, const ink_manifest_binding *bound) {
  ink_cbor_builder *b = &w->cbor;
  ink_cbor *map = ink_cbor_new_map(b), *list = ink_cbor_new_array(b);
  const ink_carrier *carrier = bound->parts;
  ink_place place = {0};
  ink_text parts = {0};
  ink_status status = INK_OK;
  if (bound->file) {
    status = carrier->find(carrier, bound->file, bound->file_size, &place, w->error);
    if (status == INK_OK) {
      status = carrier->divide(carrier, bound->file, bound->file_size, &place, &parts, w->error);
    }
    ink_place_free(&place);
    if (status != INK_OK) {
      ink_text_free(&parts);
      return status;
    }
  }
  const ink_named_range *ranges = (const ink_named_range *)(const void *)parts.bytes;
  size_t n = parts.size / sizeof *ranges, store = 0;
  while (store < n && strcmp(ranges[store].name, "C2PA") != 0) store++;
  if (n) {
    add_boxes_entry(w, list, bound, ranges, 0, store);
    if (store < n) add_boxes_entry(w, list, bound, ranges, store, store + 1);
    if (store < n) add_boxes_entry(w, list, bound, ranges, store + 1, n);
  }
  ink_text_free(&parts);
  ink_cbor_put(b, map, "boxes", list);
  ink_cbor_put_text(b, map, "alg", "sha256");
  return cbor_assertion(w, "c2pa.hash.boxes", map);
}

// Its size does not depend on start and length: the padding takes up what their encodings leave.
static ink_status add_binding(writer *w, const ink_manifest_binding *bound) {
  static const unsigned char zeros[BINDING_INTEGERS + 1];
  ink_cbor_builder *b = &w->cbor;
  ink_cbor *map = ink_cbor_new_map(b);
  size_t used = 0;
  if (bound->excluded) {
    ink_cbor *list = ink_cbor_new_array(b), *range = ink_cbor_new_map(b);
    ink_cbor_put(b, range, "start", ink_cbor_new_int(b, (int64_t)bound->start));
    ink_cbor_put(b, range, "length", ink_cbor_new_int(b, (int64_t)bound->length));
    ink_cbor_add(b, list, range);
    ink_cbor_put(b, map, "exclusions", list);
    used = integer_size(bound->start) + integer_size(bound->length);
    if (used > BINDING_INTEGERS) {
      return ink_fail(w->error, INK_ERR_UNSUPPORTED, "a file of more than 4 GiB");
    }
  }
  ink_cbor_put_text(b, map, "alg", "sha256");
  ink_cbor_put_text(b, map, "name", "jumbf manifest");
  ink_cbor_put(b, map, "hash", ink_cbor_new_bytes(b, bound->hash, sizeof bound->hash));
  ink_cbor_put(b, map, "pad", ink_cbor_new_bytes(b, zeros, BINDING_INTEGERS - used));
  return cbor_assertion(w, "c2pa.hash.data", map);
}

// ---- the claim

// A UUID (RFC 9562, version 8) that follows from identity, title and format: the files of one piece
// have instances of their own, and replaying gives the same.
static ink_status instance_of(const writer *w, char instance[64]) {
  unsigned char hash[32] = {0};
  ink_text text = {0};
  ink_text_format(&text, "%s\n%s\n%s", w->manifest->identity, w->manifest->title, w->format);
  ink_status status = ink_text_status(&text, w->error);
  if (status == INK_OK) status = ink_digest_sha256(text.bytes, text.size, hash, w->error);
  ink_text_free(&text);
  INK_TRY(status);
  hash[6] = (unsigned char)((hash[6] & 0x0F) | 0x80);
  hash[8] = (unsigned char)((hash[8] & 0x3F) | 0x80);
  int at = snprintf(instance, 64, "xmp:iid:");
  for (int i = 0; i < 16; i++) {
    bool dash = i == 4 || i == 6 || i == 8 || i == 10;
    at += snprintf(instance + at, 64 - (size_t)at, "%s%02x", dash ? "-" : "", hash[i]);
  }
  return INK_OK;
}

static ink_status claim_bytes(writer *w, ink_text *claim) {
  ink_cbor_builder *b = &w->cbor;
  char instance[64], signature[160];
  ink_cbor *map = ink_cbor_new_map(b), *generator = ink_cbor_new_map(b);
  ink_cbor *created = ink_cbor_new_array(b);
  INK_TRY(instance_of(w, instance));
  // An absolute address: it puts the manifest's own label under the signature.
  snprintf(signature, sizeof signature, "self#jumbf=/c2pa/%s/c2pa.signature", w->label);
  ink_cbor_put_text(b, generator, "name", "inkstone");
  ink_cbor_put_text(b, generator, "version",
                    w->manifest->version ? w->manifest->version : INKSTONE_VERSION);
  ink_cbor_put_text(b, generator, "specVersion", "2.4.0");
  for (size_t i = 0; i < w->n_reference; i++) {
    ink_cbor_add(b, created, refer(w, &w->references[i]));
  }
  ink_cbor_put_text(b, map, "instanceID", instance);
  ink_cbor_put(b, map, "claim_generator_info", generator);
  ink_cbor_put_text(b, map, "signature", signature);
  ink_cbor_put(b, map, "created_assertions", created);
  ink_cbor_put_text(b, map, "dc:title", w->manifest->title);
  ink_cbor_put_text(b, map, "alg", "sha256");
  return ink_cbor_write(b, map, claim, w->error);
}

// ---- the store

static ink_status bind_content(writer *w, const ink_manifest_binding *bound) {
  if (!bound->parts) return add_binding(w, bound);
  return bound->parts->collect ? add_collection(w, bound) : add_boxes(w, bound);
}

static ink_status add_assertions(writer *w, const ink_manifest_binding *bound) {
  const ink_c2pa_manifest *m = w->manifest;
  size_t begin = ink_jumbf_begin(w->out, "c2as", "c2pa.assertions");
  INK_TRY(add_actions(w));
  for (size_t i = 0; i < m->n_assertion; i++) {
    INK_TRY(json_assertion(w, m->assertions[i].label, m->assertions[i].json));
  }
  if (m->thumbnail) {
    INK_TRY(embedded(w, "c2pa.thumbnail.claim", "image/jpeg", m->thumbnail, m->thumbnail_size));
  }
  if (m->soft) INK_TRY(add_soft_binding(w));
  if (m->model) INK_TRY(add_disclosure(w));
  if (m->training) INK_TRY(add_training(w));
  if (bound) INK_TRY(add_metadata(w));
  if (m->metadata) INK_TRY(add_fields(w));
  if (w->pass->n_stamp) INK_TRY(add_stamps(w));
  if (bound) INK_TRY(bind_content(w, bound));
  ink_jumbf_end(w->out, begin);
  return ink_text_status(w->out, w->error);
}

ink_status ink_manifest_close(ink_manifest_pass *p, size_t n_high, ink_error *error) {
  ink_text cose = {0};
  p->store.size = p->box;
  ink_status status = ink_cose_write(&p->header, p->signature, p->signature_size, p->n_pad, n_high,
                                     &p->stamp, &cose, error);
  if (status == INK_OK) {
    size_t begin = ink_jumbf_begin(&p->store, "c2cs", "c2pa.signature");
    ink_jumbf_box(&p->store, "cbor", cose.bytes, cose.size);
    ink_jumbf_end(&p->store, begin);
    ink_jumbf_end(&p->store, p->urn);
    ink_jumbf_end(&p->store, p->root);
    status = ink_text_status(&p->store, error);
  }
  ink_text_free(&cose);
  return status;
}

ink_status ink_manifest_build(ink_manifest_pass *p, const ink_manifest_binding *bound,
                              ink_error *error) {
  ink_arena *arena = ink_arena_new(ARENA);
  if (!arena) return ink_fail(error, INK_ERR_MEMORY, "no memory for a manifest");
  writer *w = ink_arena_zeros(arena, 1, sizeof *w);
  ink_text claim = {0};
  ink_status status = w ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for a manifest");
  ink_text_clear(&p->store);
  if (status == INK_OK) {
    *w = (writer){.manifest = p->manifest,
                  .format = p->format,
                  .cbor = {.arena = arena},
                  .out = &p->store,
                  .pass = p,
                  .error = error};
    snprintf(w->label, sizeof w->label, "urn:c2pa:%s", p->manifest->identity);
    p->root = ink_jumbf_begin(&p->store, "c2pa", "c2pa");
    status = copy_manifests(w);
  }
  if (status == INK_OK) {
    p->urn = ink_jumbf_begin(&p->store, p->kind, w->label);
    status = add_assertions(w, bound);
  }
  if (status == INK_OK) status = claim_bytes(w, &claim);
  if (status == INK_OK) {
    size_t begin = ink_jumbf_begin(&p->store, "c2cl", "c2pa.claim.v2");
    ink_jumbf_box(&p->store, "cbor", claim.bytes, claim.size);
    ink_jumbf_end(&p->store, begin);
    p->box = p->store.size;
    status = ink_cose_sign(p->signer, &p->header, claim.bytes, claim.size, p->signature,
                           &p->signature_size, error);
  }
  if (status == INK_OK) status = ink_manifest_close(p, 0, error);
  ink_text_free(&claim);
  ink_arena_free(arena);
  return status;
}

// ---- two passes

typedef struct placed {
  ink_text file;
  size_t start, length;
} placed;

static ink_status place_store(const ink_manifest_pass *p, const ink_carrier *carrier,
                              const unsigned char *bytes, size_t size, placed *out,
                              ink_error *error) {
  ink_text_clear(&out->file);
  return carrier->embed(carrier, bytes, size, (const unsigned char *)p->store.bytes, p->store.size,
                        &out->file, &out->start, &out->length, error);
}

static ink_status hash_around(const placed *at, bool normalised, ink_manifest_binding *bound,
                              ink_error *error) {
  ink_digest_range range = {bound->start, bound->length};
  return ink_digest_ranges("sha256", (const unsigned char *)at->file.bytes, at->file.size, &range,
                           1, normalised, bound->hash, error);
}

// What was put in must be found: a file of another shape than its carrier thinks is not signed.
static ink_status find_again(const ink_carrier *carrier, const placed *at, ink_error *error) {
  ink_place place = {0};
  INK_TRY(
      carrier->find(carrier, (const unsigned char *)at->file.bytes, at->file.size, &place, error));
  bool same =
      place.present && !place.code && place.start == at->start && place.length == at->length;
  ink_place_free(&place);
  if (same) return INK_OK;
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "%s: a manifest in this file would not be found; --sidecar puts it beside",
                  carrier->name);
}

ink_status ink_manifest_stamp_it(ink_manifest_pass *p, ink_error *error) {
  const ink_stamper *stamper = p->signer->stamper;
  ink_text stamped = {0};
  if (!stamper) return INK_OK;
  ink_status status =
      ink_cose_to_stamp(&p->header, p->signature, p->signature_size, &stamped, error);
  if (status == INK_OK) {
    status = stamper->stamp(stamper, stamped.bytes, stamped.size, &p->stamp, error);
  }
  ink_text_free(&stamped);
  if (status != INK_OK || !p->stamp.size) return status;
  return ink_cose_stamp_room(p->stamp.size) > p->n_pad ? INK_OK : ink_manifest_close(p, 0, error);
}

bool ink_manifest_wants_room(ink_manifest_pass *p) {
  size_t room = ink_cose_stamp_room(p->stamp.size);
  if (!p->stamp.size || room <= p->n_pad) return false;
  p->n_pad = room + INK_COSE_STAMP_LEAST_PAD + p->manifest->reserve;
  ink_text_clear(&p->stamp);
  return true;
}

// The hash of what lies around the store, and what the store binds by it.
static ink_status bind_data(ink_manifest_pass *p, const ink_carrier *carrier,
                            const unsigned char *bytes, size_t size, placed *at,
                            ink_manifest_binding *bound, ink_error *error) {
  *bound = (ink_manifest_binding){.excluded = true,
                                  .start = size,
                                  .length = size,
                                  .parts = carrier->collect ? carrier : NULL,
                                  .file = bytes,
                                  .file_size = size};
  INK_TRY(ink_manifest_build(p, bound, error));
  INK_TRY(place_store(p, carrier, bytes, size, at, error));
  bound->start = at->start;
  bound->length = at->length;
  INK_TRY(hash_around(at, carrier->normalised, bound, error));
  if (carrier->value_sized) bound->length += SLACK_BY_VALUE;
  // The directory speaks of the store's place and size, not of its bytes.
  bound->file = (const unsigned char *)at->file.bytes;
  bound->file_size = at->file.size;
  return ink_manifest_build(p, bound, error);
}

// First the parts' names, with them the store's size, which some formats state elsewhere, and then
// the hashes.
static ink_status bind_boxes(ink_manifest_pass *p, const ink_carrier *carrier,
                             const unsigned char *bytes, size_t size, placed *at,
                             ink_manifest_binding *bound, ink_error *error) {
  *bound = (ink_manifest_binding){.parts = carrier};
  for (int i = 0; i < 2; i++) {
    INK_TRY(ink_manifest_build(p, bound, error));
    INK_TRY(place_store(p, carrier, bytes, size, at, error));
    bound->file = (const unsigned char *)at->file.bytes;
    bound->file_size = at->file.size;
  }
  bound->start = at->start;
  bound->length = at->length;
  return ink_manifest_build(p, bound, error);
}

static ink_status sign_into(ink_manifest_pass *p, const ink_carrier *carrier,
                            const unsigned char *bytes, size_t size, placed *at, ink_error *error) {
  ink_manifest_binding bound;
  INK_TRY(p->manifest->binding == INK_C2PA_BIND_BOXES
              ? bind_boxes(p, carrier, bytes, size, at, &bound, error)
              : bind_data(p, carrier, bytes, size, at, &bound, error));
  INK_TRY(place_store(p, carrier, bytes, size, at, error));
  if (carrier->value_sized && at->length <= bound.length && bound.length - at->length <= p->n_pad) {
    INK_TRY(ink_manifest_close(p, bound.length - at->length, error));
    INK_TRY(place_store(p, carrier, bytes, size, at, error));
  }
  INK_TRY(ink_manifest_stamp_it(p, error));
  if (ink_manifest_wants_room(p)) return sign_into(p, carrier, bytes, size, at, error);
  if (p->stamp.size) INK_TRY(place_store(p, carrier, bytes, size, at, error));
  if (at->start != bound.start || at->length != bound.length) {
    return ink_fail(error, INK_ERR_INTERNAL, "%s: the manifest store did not keep its place",
                    carrier->name);
  }
  return find_again(carrier, at, error);
}

static ink_status sign_sidecar(ink_manifest_pass *p, const unsigned char *bytes, size_t size,
                               ink_error *error) {
  ink_manifest_binding bound = {.excluded = false};
  INK_TRY(ink_digest_sha256(bytes, size, bound.hash, error));
  INK_TRY(ink_manifest_build(p, &bound, error));
  INK_TRY(ink_manifest_stamp_it(p, error));
  return ink_manifest_wants_room(p) ? sign_sidecar(p, bytes, size, error) : INK_OK;
}

ink_status ink_manifest_check(const ink_c2pa_manifest *m, ink_error *error) {
  if (!m->identity || strlen(m->identity) != 36 || !m->created || !m->title || !m->n_action) {
    return ink_fail(error, INK_ERR_USAGE, "a manifest needs identity, time, title and an action");
  }
  if (!ink_utf8_valid(m->title, strlen(m->title), NULL)) {
    return ink_fail(error, INK_ERR_USAGE, "the title of a manifest must be UTF-8");
  }
  const char *first = m->actions[0].action;
  if (strcmp(first, "c2pa.created") != 0 && strcmp(first, "c2pa.opened") != 0) {
    return ink_fail(error, INK_ERR_USAGE,
                    "the first action of a manifest is c2pa.created or c2pa.opened, not %s", first);
  }
  if (m->reserve > INK_C2PA_RESERVE_MOST) {
    return ink_fail(error, INK_ERR_USAGE, "room for updates is %d bytes at most, not %zu",
                    INK_C2PA_RESERVE_MOST, m->reserve);
  }
  return INK_OK;
}

ink_status ink_manifest_begin(const ink_carrier *carrier, const ink_c2pa_manifest *manifest,
                              const ink_signer *signer, const char *kind, ink_manifest_pass *pass,
                              ink_error *error) {
  *pass = (ink_manifest_pass){.manifest = manifest,
                              .kind = kind,
                              .signer = signer,
                              .n_pad = carrier && carrier->value_sized ? PAD_BY_VALUE
                                       : signer->stamper               ? PAD_STAMPED
                                                                       : PAD,
                              .format = manifest->format ? manifest->format
                                        : carrier        ? carrier->media_type
                                                         : "application/octet-stream"};
  pass->n_pad += manifest->reserve;
  return ink_cose_protect(signer, &pass->header, error);
}

void ink_manifest_end(ink_manifest_pass *pass) {
  ink_text_free(&pass->header);
  ink_text_free(&pass->stamp);
  ink_text_free(&pass->store);
}

static ink_status check_binding(const ink_c2pa_manifest *manifest, const ink_carrier *carrier,
                                ink_error *error) {
  if (manifest->binding != INK_C2PA_BIND_BOXES || (carrier && carrier->divide)) return INK_OK;
  return ink_fail(
      error, INK_ERR_UNSUPPORTED,
      "%s: only PNG, JPEG, GIF, WebP and WAV files with their manifest within are bound "
      "by their boxes",
      carrier ? carrier->name : "sidecar");
}

ink_status ink_c2pa_sign(const unsigned char *bytes, size_t size, const ink_carrier *carrier,
                         const ink_c2pa_manifest *manifest, const ink_signer *signer, ink_text *out,
                         ink_error *error) {
  ink_manifest_pass p;
  placed at = {0};
  ink_place place = {0};
  INK_TRY(ink_manifest_check(manifest, error));
  INK_TRY(check_binding(manifest, carrier, error));
  // There each byte of a token would be four, and how long it is not known before.
  if (carrier && carrier->value_sized && signer->stamper) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "plain text carries no time-stamp; --sidecar puts the manifest beside it");
  }
  ink_status status = ink_manifest_begin(carrier, manifest, signer, "c2ma", &p, error);
  if (status == INK_OK && carrier) status = carrier->find(carrier, bytes, size, &place, error);
  if (status == INK_OK && place.present) {
    status = ink_fail(error, INK_ERR_CONFLICT, "the file has a manifest already");
  }
  ink_place_free(&place);
  if (status == INK_OK) {
    status = carrier ? sign_into(&p, carrier, bytes, size, &at, error)
                     : sign_sidecar(&p, bytes, size, error);
  }
  if (status == INK_OK) {
    const ink_text *made = carrier ? &at.file : &p.store;
    ink_text_add_bytes(out, made->bytes, made->size);
    status = ink_text_status(out, error);
  }
  ink_manifest_end(&p);
  ink_text_free(&at.file);
  return status;
}
