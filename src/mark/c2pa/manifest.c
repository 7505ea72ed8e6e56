// From a description to a signed manifest store in a file, in two passes: one to learn where the
// store lies, one with the hash of what lies around it.
#include "mark/c2pa/manifest.h"

#include <string.h>

#include "mark/c2pa/digest.h"
#include "mark/c2pa/manifest_parts.h"

enum {
  PAD = 64,             // of the signature
  PAD_STAMPED = 12288,  // of a signature with a time-stamp, at first
  PAD_BY_VALUE = 512,   // where the value of a byte decides its length
  SLACK_BY_VALUE = 192  // bytes kept free for hashes and signatures longer than zeros
};

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
  INK_TRY(ink_carrier_find(carrier, (const unsigned char *)at->file.bytes, at->file.size, &place,
                           error));
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
  if (status == INK_OK && carrier) status = ink_carrier_find(carrier, bytes, size, &place, error);
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
