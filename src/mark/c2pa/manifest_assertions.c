// The assertions of a manifest that is written: how each is put into the store, and those that
// speak of the content as a whole.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark/c2pa/digest.h"
#include "mark/c2pa/manifest_writer.h"

static const char assertion_base[] = "self#jumbf=c2pa.assertions/";

static ink_status begin_assertion(ink_manifest_writer *w, const char *kind, const char *label,
                                  size_t *begin) {
  if (w->n_reference == INK_REFERENCES_MOST) {
    return ink_fail(w->error, INK_ERR_USAGE, "a manifest of more than %d assertions",
                    INK_REFERENCES_MOST);
  }
  ink_reference *r = &w->references[w->n_reference];
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

static ink_status end_assertion(ink_manifest_writer *w, size_t begin) {
  ink_jumbf_end(w->out, begin);
  INK_TRY(ink_text_status(w->out, w->error));
  const ink_text *out = w->out;
  return ink_digest_sha256(out->bytes + begin + 8, out->size - begin - 8,
                           w->references[w->n_reference++].hash, w->error);
}

static ink_status add_cbor(ink_manifest_writer *w, const ink_cbor *item) {
  ink_text bytes = {0};
  ink_status status = ink_cbor_write(&w->cbor, item, &bytes, w->error);
  if (status == INK_OK) ink_jumbf_box(w->out, "cbor", bytes.bytes, bytes.size);
  ink_text_free(&bytes);
  return status;
}

ink_status ink_assertion_cbor(ink_manifest_writer *w, const char *label, const ink_cbor *item) {
  size_t begin;
  INK_TRY(begin_assertion(w, "cbor", label, &begin));
  INK_TRY(add_cbor(w, item));
  return end_assertion(w, begin);
}

ink_status ink_assertion_json(ink_manifest_writer *w, const char *label, const json_t *json) {
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

ink_cbor *ink_assertion_refer(ink_manifest_writer *w, const ink_reference *r) {
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

ink_status ink_assertion_embed(ink_manifest_writer *w, const char *label, const char *format,
                               const void *data, size_t size) {
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

// ---- those that speak of the whole

// Over all of the content: its scope names no part.
ink_status ink_write_soft_binding(ink_manifest_writer *w) {
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
  return ink_assertion_cbor(w, "c2pa.soft-binding", map);
}

// An update says nothing of its own here: the format is what it was. Validators of C2PA 2.3 and
// before allow few fields in this assertion; the title, which the claim has, is not one of them.
ink_status ink_write_metadata(ink_manifest_writer *w) {
  const ink_c2pa_manifest *m = w->manifest;
  const char *source = NULL;
  for (size_t i = 0; i < m->n_action && !source; i++) source = m->actions[i].source_type;
  json_t *json =
      json_pack("{s:{s:s, s:s}, s:s, s:s*}", "@context", "dc", "http://purl.org/dc/elements/1.1/",
                "Iptc4xmpExt", "http://iptc.org/std/Iptc4xmpExt/2008-02-29/", "dc:format",
                w->format, "Iptc4xmpExt:DigitalSourceType", source);
  if (!json) return ink_fail(w->error, INK_ERR_MEMORY, "no memory for metadata");
  ink_status status = ink_assertion_json(w, "c2pa.metadata", json);
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
ink_status ink_write_fields(ink_manifest_writer *w) {
  INK_TRY(check_fields(w->manifest->metadata, w->error));
  return ink_assertion_json(w, "cawg.metadata", w->manifest->metadata);
}

// Tokens for the signatures of earlier manifests (section 18.17).
ink_status ink_write_stamps(ink_manifest_writer *w) {
  ink_cbor_builder *b = &w->cbor;
  ink_cbor *map = ink_cbor_new_map(b);
  for (size_t i = 0; i < w->pass->n_stamp; i++) {
    const ink_manifest_stamp *stamp = &w->pass->stamps[i];
    ink_cbor_put(b, map, stamp->label,
                 ink_cbor_new_bytes(b, stamp->token.bytes, stamp->token.size));
  }
  return ink_assertion_cbor(w, "c2pa.time-stamp", map);
}

ink_status ink_write_disclosure(ink_manifest_writer *w) {
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
  return ink_assertion_cbor(w, "c2pa.ai-disclosure", map);
}

ink_status ink_write_training(ink_manifest_writer *w) {
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
  return ink_assertion_cbor(w, "cawg.training-mining", map);
}
