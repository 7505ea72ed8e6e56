// What tests of others' manifests share: a store in which one thing is another, its last claim
// listing and signing what is there then.
#ifndef INK_TESTS_MARK_RESEALING_H
#define INK_TESTS_MARK_RESEALING_H

#include "mark/c2pa/cose.h"
#include "mark/c2pa/digest.h"
#include "mark/c2pa/jumbf.h"
#include "marking.h"

// How the last manifest of a store differs.
typedef struct reseal {
  // The assertion that has another content, or is new; NULL: none. Without a content it is gone,
  // though the claim still lists it.
  const char *label;
  const ink_text *content;
  const char *type;  // of the content's box; NULL: "cbor"
  // What the claim takes out: URIs; NULL in the place of one is no URI.
  const char *const *redacted;
  size_t n_redacted;
  // The member of the claim that has another value (CBOR), or is new; NULL: none.
  const char *member;
  const ink_text *value;
  bool claim_twice;
  bool named;  // the claim names the hash in each entry of its assertions
} reseal;

static inline void list_assertion(ink_cbor_builder *b, ink_cbor *list, const char *label,
                                  const ink_text *out, size_t begin, bool named) {
  ink_error error = {0};
  char url[160];
  unsigned char *hash = ink_arena_zeros(b->arena, 32, 1);
  ink_cbor *entry = ink_cbor_new_map(b);
  snprintf(url, sizeof url, "self#jumbf=c2pa.assertions/%s", label);
  if (out->size > begin) {
    assert_ok(ink_digest_sha256(out->bytes + begin + 8, out->size - begin - 8, hash, &error));
  }
  ink_cbor_put_text(b, entry, "url", ink_arena_string(b->arena, url));
  ink_cbor_put(b, entry, "hash", ink_cbor_new_bytes(b, hash, 32));
  if (named) ink_cbor_put_text(b, entry, "alg", "sha256");
  ink_cbor_add(b, list, entry);
}

static inline void put_assertion(ink_text *out, const char *label, const char *type,
                                 const void *bytes, size_t size) {
  size_t begin = ink_jumbf_begin(out, "cbor", label);
  ink_jumbf_box(out, type, bytes, size);
  ink_jumbf_end(out, begin);
}

static inline ink_cbor *reseal_assertions(const ink_jumbf *store, const reseal *how,
                                          ink_cbor_builder *b, ink_text *out) {
  ink_cbor *list = ink_cbor_new_array(b);
  size_t all = ink_jumbf_begin(out, "c2as", "c2pa.assertions");
  const char *type = how->type ? how->type : "cbor";
  bool there = false;
  for (const ink_jumbf *at = store->first; at; at = at->next) {
    if (!at->label) continue;
    size_t begin = out->size;
    bool other = how->label && strcmp(at->label, how->label) == 0;
    there = there || other;
    if (!other) ink_jumbf_box(out, at->type, at->bytes, at->size);
    if (other && how->content) {
      put_assertion(out, at->label, type, how->content->bytes, how->content->size);
    }
    list_assertion(b, list, at->label, out, begin, how->named);
  }
  if (how->content && !there) {
    size_t begin = out->size;
    put_assertion(out, how->label, type, how->content->bytes, how->content->size);
    list_assertion(b, list, how->label, out, begin, how->named);
  }
  ink_jumbf_end(out, all);
  return list;
}

static inline ink_text reseal_claim(const ink_cbor *claim, const ink_cbor *list, const reseal *how,
                                    ink_cbor_builder *b) {
  ink_error error = {0};
  ink_text out = {0};
  bool added = how->member && !ink_cbor_get(claim, how->member);
  const char head = (char)(0xA0 + claim->n + (how->n_redacted ? 1 : 0) + (added ? 1 : 0));
  ink_text_add_bytes(&out, &head, 1);
  for (const ink_cbor *key = claim->first; key; key = key->next->next) {
    ink_text_add_bytes(&out, key->span, key->span_size);
    if (how->member && ink_cbor_is(key, how->member)) {
      ink_text_add_bytes(&out, how->value->bytes, how->value->size);
    } else if (ink_cbor_is(key, "created_assertions")) {
      assert_ok(ink_cbor_write(b, list, &out, &error));
    } else {
      ink_text_add_bytes(&out, key->next->span, key->next->span_size);
    }
  }
  if (added) {
    assert_ok(ink_cbor_write(b, ink_cbor_new_text(b, how->member), &out, &error));
    ink_text_add_bytes(&out, how->value->bytes, how->value->size);
  }
  if (how->n_redacted) {
    ink_cbor *redacted = ink_cbor_new_array(b);
    for (size_t i = 0; i < how->n_redacted; i++) {
      const char *uri = how->redacted[i];
      ink_cbor_add(b, redacted, uri ? ink_cbor_new_text(b, uri) : ink_cbor_new_int(b, 1));
    }
    assert_ok(ink_cbor_write(b, ink_cbor_new_text(b, "redacted_assertions"), &out, &error));
    assert_ok(ink_cbor_write(b, redacted, &out, &error));
  }
  return out;
}

static inline void reseal_signature(const ink_text *claim, ink_text *out) {
  ink_error error = {0};
  ink_text header = {0}, cose = {0};
  unsigned char signature[INK_COSE_SIGNATURE];
  size_t size;
  ink_signer *signer = signer_named("ed25519");
  assert_ok(ink_cose_protect(signer, &header, &error));
  assert_ok(ink_cose_sign(signer, &header, claim->bytes, claim->size, signature, &size, &error));
  assert_ok(ink_cose_write(&header, signature, size, 64, 0, NULL, &cose, &error));
  size_t begin = ink_jumbf_begin(out, "c2cs", "c2pa.signature");
  ink_jumbf_box(out, "cbor", cose.bytes, cose.size);
  ink_jumbf_end(out, begin);
  ink_text_free(&header);
  ink_text_free(&cose);
  ink_signer_free(signer);
}

// The content of an assertion or a claim.
static inline const ink_cbor *cbor_in(ink_arena *arena, const ink_jumbf *box) {
  ink_error error = {0};
  const ink_cbor *item;
  const ink_jumbf *content = ink_jumbf_content(box, "cbor");
  assert_non_null(content);
  assert_ok(ink_cbor_read(arena, content->bytes, content->size, box->label, &item, &error));
  return item;
}

static inline ink_jumbf *boxes_in(ink_arena *arena, const ink_text *store) {
  ink_error error = {0};
  ink_jumbf *root;
  assert_ok(ink_jumbf_read(arena, store->bytes, store->size, &root, &error));
  return root;
}

// The store with its last manifest changed and signed anew by "ed25519".
static inline ink_text resealed(const ink_text *store, const reseal *how) {
  ink_arena *arena = ink_arena_new(1 << 24);
  ink_cbor_builder b = {.arena = arena};
  ink_text out = {0};
  const ink_jumbf *root = boxes_in(arena, store), *last = root->last;
  size_t all = ink_jumbf_begin(&out, root->kind, root->label);
  for (const ink_jumbf *at = root->first; at != last; at = at->next) {
    if (at->label) ink_jumbf_box(&out, at->type, at->bytes, at->size);
  }
  size_t begin = ink_jumbf_begin(&out, last->kind, last->label);
  const ink_cbor *list = reseal_assertions(ink_jumbf_child(last, "c2pa.assertions"), how, &b, &out);
  ink_text claim =
      reseal_claim(cbor_in(arena, ink_jumbf_child(last, "c2pa.claim.v2")), list, how, &b);
  for (int i = 0; i < (how->claim_twice ? 2 : 1); i++) {
    size_t claimed = ink_jumbf_begin(&out, "c2cl", "c2pa.claim.v2");
    ink_jumbf_box(&out, "cbor", claim.bytes, claim.size);
    ink_jumbf_end(&out, claimed);
  }
  reseal_signature(&claim, &out);
  ink_jumbf_end(&out, begin);
  ink_jumbf_end(&out, all);
  assert_false(out.failed || b.failed);
  ink_text_free(&claim);
  ink_arena_free(arena);
  return out;
}

// The store with one content box in an assertion of its first manifest, whose claim stays as it
// was; without a type the assertion is gone.
static inline ink_text taken_out(const ink_text *store, const char *label, const char *type,
                                 const void *bytes, size_t size) {
  ink_arena *arena = ink_arena_new(1 << 24);
  ink_text out = {0};
  const ink_jumbf *root = boxes_in(arena, store), *first = root->first;
  bool found = false;
  while (!first->label) first = first->next;
  size_t all = ink_jumbf_begin(&out, root->kind, root->label);
  size_t begin = ink_jumbf_begin(&out, first->kind, first->label);
  for (const ink_jumbf *at = first->first; at; at = at->next) {
    if (!at->label) continue;
    if (strcmp(at->label, "c2pa.assertions") != 0) {
      ink_jumbf_box(&out, at->type, at->bytes, at->size);
      continue;
    }
    size_t list = ink_jumbf_begin(&out, at->kind, at->label);
    for (const ink_jumbf *a = at->first; a; a = a->next) {
      bool other = a->label && strcmp(a->label, label) == 0;
      found = found || other;
      if (a->label && !other) ink_jumbf_box(&out, a->type, a->bytes, a->size);
      if (other && type) put_assertion(&out, label, type, bytes, size);
    }
    ink_jumbf_end(&out, list);
  }
  ink_jumbf_end(&out, begin);
  for (const ink_jumbf *at = first->next; at; at = at->next) {
    if (at->label) ink_jumbf_box(&out, at->type, at->bytes, at->size);
  }
  ink_jumbf_end(&out, all);
  assert_true(found && !out.failed);
  ink_arena_free(arena);
  return out;
}

// The encoding of what was built, into a text of the caller's.
static inline ink_text encoded(const ink_cbor_builder *b, const ink_cbor *item) {
  ink_error error = {0};
  ink_text out = {0};
  assert_ok(ink_cbor_write(b, item, &out, &error));
  return out;
}

// CBOR of JSON; a text "#…" stands for bytes.
static inline ink_cbor *cbor_of(ink_cbor_builder *b, const json_t *json) {
  const char *key, *text = json_string_value(json);
  size_t i;
  json_t *value;
  if (text && text[0] == '#') return ink_cbor_new_bytes(b, text + 1, strlen(text + 1));
  if (text) return ink_cbor_new_text(b, text);
  if (json_is_integer(json)) return ink_cbor_new_int(b, json_integer_value(json));
  if (json_is_array(json)) {
    ink_cbor *array = ink_cbor_new_array(b);
    json_array_foreach((json_t *)json, i, value) ink_cbor_add(b, array, cbor_of(b, value));
    return array;
  }
  ink_cbor *map = ink_cbor_new_map(b);
  json_object_foreach((json_t *)json, key, value) ink_cbor_put(b, map, key, cbor_of(b, value));
  return map;
}

static inline ink_text cbor_text(const char *json) {
  ink_arena *arena = ink_arena_new(1 << 16);
  ink_cbor_builder b = {.arena = arena};
  json_t *read = json_loads(json, JSON_DECODE_ANY, NULL);
  assert_non_null(read);
  ink_text out = encoded(&b, cbor_of(&b, read));
  json_decref(read);
  ink_arena_free(arena);
  return out;
}

#endif
