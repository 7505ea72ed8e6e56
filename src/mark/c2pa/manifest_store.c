// The store of a new manifest: the manifests that it carries on, its assertions, its claim, the
// signature.
#include <stdio.h>
#include <string.h>

#include "mark/c2pa/digest.h"
#include "mark/c2pa/manifest_writer.h"

enum { ARENA = 1 << 26 };

// ---- the claim

// A UUID (RFC 9562, version 8) that follows from identity, title and format: the files of one piece
// have instances of their own, and replaying gives the same.
static ink_status instance_of(const ink_manifest_writer *w, char instance[64]) {
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

static ink_status claim_bytes(ink_manifest_writer *w, ink_text *claim) {
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
    ink_cbor_add(b, created, ink_assertion_refer(w, &w->references[i]));
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

static ink_status add_assertions(ink_manifest_writer *w, const ink_manifest_binding *bound) {
  const ink_c2pa_manifest *m = w->manifest;
  size_t begin = ink_jumbf_begin(w->out, "c2as", "c2pa.assertions");
  INK_TRY(ink_write_actions(w));
  for (size_t i = 0; i < m->n_assertion; i++) {
    INK_TRY(ink_assertion_json(w, m->assertions[i].label, m->assertions[i].json));
  }
  if (m->thumbnail) {
    INK_TRY(ink_assertion_embed(w, "c2pa.thumbnail.claim", "image/jpeg", m->thumbnail,
                                m->thumbnail_size));
  }
  if (m->soft) INK_TRY(ink_write_soft_binding(w));
  if (m->model) INK_TRY(ink_write_disclosure(w));
  if (m->training) INK_TRY(ink_write_training(w));
  if (bound) INK_TRY(ink_write_metadata(w));
  if (m->metadata) INK_TRY(ink_write_fields(w));
  if (w->pass->n_stamp) INK_TRY(ink_write_stamps(w));
  if (bound) INK_TRY(ink_write_binding(w, bound));
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
  ink_manifest_writer *w = ink_arena_zeros(arena, 1, sizeof *w);
  ink_text claim = {0};
  ink_status status = w ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for a manifest");
  ink_text_clear(&p->store);
  if (status == INK_OK) {
    *w = (ink_manifest_writer){.manifest = p->manifest,
                               .format = p->format,
                               .cbor = {.arena = arena},
                               .out = &p->store,
                               .pass = p,
                               .error = error};
    snprintf(w->label, sizeof w->label, "urn:c2pa:%s", p->manifest->identity);
    p->root = ink_jumbf_begin(&p->store, "c2pa", "c2pa");
    status = ink_write_carried_manifests(w);
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
