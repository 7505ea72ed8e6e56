// crJSON: manifests as JSON (C2PA specification 2.4, "crJSON file format").
#include <math.h>
#include <string.h>

#include "mark/c2pa/validate_parts.h"

// What has no memory is noted in the validator.
static json_t *bytes_json(ink_validator *v, const unsigned char *bytes, size_t size) {
  ink_text text = {0};
  ink_text_add(&text, "b64'");
  ink_base64_add(&text, bytes, size);
  ink_text_add(&text, "'");
  v->failed = v->failed || text.failed;
  json_t *json = text.failed ? NULL : json_stringn(text.bytes, text.size);
  ink_text_free(&text);
  return json;
}

static json_t *json_of(ink_validator *v, const ink_cbor *item);

static json_t *map_json(ink_validator *v, const ink_cbor *map) {
  json_t *object = json_object();
  for (const ink_cbor *at = map->first; at; at = at->next->next) {
    char number[32];
    int64_t value;
    const char *key = number;
    size_t size = 0;
    if (at->kind == INK_CBOR_TEXT) {
      key = (const char *)at->bytes;
      size = at->size;
    } else if (ink_cbor_int(at, &value)) {
      size = (size_t)snprintf(number, sizeof number, "%lld", (long long)value);
    } else {
      continue;  // no manifest has other keys
    }
    json_object_setn_new(object, key, size, json_of(v, at->next));
  }
  return object;
}

// CBOR as crJSON writes it: byte strings are "b64'…'".
static json_t *json_of(ink_validator *v, const ink_cbor *item) {
  int64_t value;
  switch (item->kind) {
    case INK_CBOR_UINT:
    case INK_CBOR_NEGINT:
      return ink_cbor_int(item, &value) ? json_integer(value) : json_real((double)item->n);
    case INK_CBOR_BYTES:
      return bytes_json(v, item->bytes, item->size);
    case INK_CBOR_TEXT:
      return json_stringn((const char *)item->bytes, item->size);
    case INK_CBOR_MAP:
      return map_json(v, item);
    case INK_CBOR_TAG:
      return json_of(v, item->first);
    case INK_CBOR_BOOL:
      return json_boolean(item->n);
    case INK_CBOR_FLOAT:
      return isfinite(item->number) ? json_real(item->number) : json_null();
    case INK_CBOR_ARRAY: {
      json_t *array = json_array();
      for (const ink_cbor *at = item->first; at; at = at->next) {
        json_array_append_new(array, json_of(v, at));
      }
      return array;
    }
    default:
      return json_null();
  }
}

// Embedded files show their media type and where they lie, not their content.
static json_t *file_json(ink_validator *v, const ink_jumbf *box) {
  ink_text uri = {0};
  const ink_jumbf *description = box->first;
  ink_jumbf_uri(box, &uri);
  v->failed = v->failed || uri.failed;
  json_t *json = json_pack("{s:s}", "identifier", ink_text_string(&uri));
  if (description && strcmp(description->type, "bfdb") == 0 && description->size > 2) {
    size_t size = strnlen((const char *)description->bytes + 1, description->size - 1);
    json_object_set_new(json, "format", json_stringn((const char *)description->bytes + 1, size));
  }
  ink_text_free(&uri);
  return json;
}

static json_t *assertion_json(ink_validator *v, const ink_jumbf *box) {
  const ink_jumbf *content = ink_jumbf_content(box, "cbor");
  const ink_cbor *item;
  if (content &&
      ink_cbor_read(v->arena, content->bytes, content->size, box->label, &item, NULL) == INK_OK) {
    return json_of(v, item);
  }
  content = ink_jumbf_content(box, "json");
  if (content) {
    json_t *json = json_loadb((const char *)content->bytes, content->size, JSON_DECODE_ANY, NULL);
    return json ? json : json_null();
  }
  return file_json(v, box);
}

json_t *ink_crjson_manifest(ink_validator *v, const ink_manifest_view *m) {
  json_t *assertions = json_object(), *json = NULL;
  const ink_jumbf *store = ink_jumbf_child(m->box, "c2pa.assertions");
  for (const ink_jumbf *at = store ? store->first : NULL; at; at = at->next) {
    if (at->label) json_object_set_new(assertions, at->label, assertion_json(v, at));
  }
  json = json_pack("{s:s, s:b, s:b, s:o}", "label", m->box->label, "isUpdateManifest",
                   strcmp(m->box->kind, "c2um") == 0, "isCompressedManifest", 0, "assertions",
                   assertions);
  if (m->claim) {
    json_object_set_new(json, m->v2 ? "claim.v2" : "claim", json_of(v, m->claim));
  }
  return json;
}
