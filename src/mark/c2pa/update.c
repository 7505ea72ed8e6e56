// Update manifests (C2PA specification 2.4, section 11.2.3): a store that grows behind what it
// holds, in a file whose bound bytes stay what they are.
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "mark/c2pa/cbor.h"
#include "mark/c2pa/jumbf.h"
#include "mark/c2pa/manifest_parts.h"

enum { ARENA = 1 << 26, MOST_STAMPS = 16, HEADER = 8, PAD_TRIES = 6 };

typedef struct update {
  ink_manifest_pass pass;
  ink_c2pa_manifest manifest;      // the caller's, with the ingredient below
  ink_c2pa_ingredient ingredient;  // whose store may have less padding than it had
  ink_arena *arena;
  const ink_jumbf *store;  // as it was
  ink_manifest_stamp stamps[MOST_STAMPS];
  size_t n_stamp;
} update;

// ---- what may be said

static ink_status check_description(const ink_c2pa_manifest *m, ink_error *error) {
  static const char *const allowed[] = {"c2pa.opened", "c2pa.edited.metadata", "c2pa.published"};
  INK_TRY(ink_manifest_check(m, error));
  for (size_t i = 0; i < m->n_action; i++) {
    bool good = false;
    for (size_t j = 0; j < sizeof allowed / sizeof *allowed; j++) {
      good = good || strcmp(m->actions[i].action, allowed[j]) == 0;
    }
    if (!good) {
      return ink_fail(error, INK_ERR_USAGE,
                      "an update says c2pa.opened, c2pa.edited.metadata and c2pa.published, not "
                      "%s: the content stays as it is",
                      m->actions[i].action);
    }
  }
  bool parent = m->n_ingredient == 1 && m->ingredients[0].store &&
                strcmp(m->ingredients[0].relationship, "parentOf") == 0;
  if (!parent || m->ingredients[0].thumbnail || m->thumbnail || m->soft) {
    return ink_fail(error, INK_ERR_USAGE,
                    "an update has one ingredient, the manifest that it updates, and neither "
                    "thumbnail nor watermark");
  }
  return INK_OK;
}

// ---- time-stamps of what was signed before

static bool is_stamped(update *u, const ink_jumbf *manifest) {
  for (const ink_jumbf *at = u->store->first; at; at = at->next) {
    const ink_jumbf *box =
        ink_jumbf_child(ink_jumbf_child(at, "c2pa.assertions"), "c2pa.time-stamp");
    const ink_jumbf *content = ink_jumbf_content(box, "cbor");
    const ink_cbor *map;
    if (content &&
        ink_cbor_read(u->arena, content->bytes, content->size, "time-stamps", &map, NULL) ==
            INK_OK &&
        ink_cbor_get(map, manifest->label)) {
      return true;
    }
  }
  return false;
}

// The token is of the signature's bytes alone, as c2pa-rs reads section 18.17.3.
static ink_status stamp_earlier(update *u, ink_error *error) {
  const ink_stamper *stamper = u->pass.signer->stamper;
  for (const ink_jumbf *at = u->store->first; stamper && at; at = at->next) {
    const ink_jumbf *content = ink_jumbf_content(ink_jumbf_child(at, "c2pa.signature"), "cbor");
    ink_cose cose;
    if (u->n_stamp == MOST_STAMPS || !content) continue;
    if (ink_cose_read(u->arena, content->bytes, content->size, &cose, NULL) != INK_OK ||
        cose.n_stamp || is_stamped(u, at)) {
      continue;
    }
    ink_manifest_stamp *stamp = &u->stamps[u->n_stamp];
    stamp->label = at->label;
    INK_TRY(
        stamper->stamp(stamper, cose.signature->bytes, cose.signature->size, &stamp->token, error));
    if (stamp->token.size) u->n_stamp++;
  }
  u->pass.stamps = u->stamps;
  u->pass.n_stamp = u->n_stamp;
  return INK_OK;
}

// ---- where the store lies

// A container's directory states the store's checksum too, in bytes that no hash covers. Where it
// cannot be read, the store does not fit, as is found thereafter.
static ink_status restate_checksum(const ink_carrier *carrier, const ink_text *store,
                                   ink_text *file, ink_error *error) {
  ink_text parts = {0};
  ink_directory directory = {0};
  ink_status status = carrier->collect(carrier, (const unsigned char *)ink_text_string(file),
                                       file->size, &parts, &directory, NULL);
  ink_text_free(&parts);
  if (status == INK_ERR_MEMORY) return ink_fail(error, status, "no memory for a manifest");
  uint32_t checksum = ink_crc32(0, store->bytes, store->size);
  for (int i = 0; status == INK_OK && directory.checksum && i < 4; i++) {
    file->bytes[directory.checksum + (size_t)i] = (char)(checksum >> (8 * i) & 0xFF);
  }
  return INK_OK;
}

// Put the store where the old one was; *fits is false when the file is then another than it was, or
// the store is not found there.
static ink_status splice(const update *u, const ink_carrier *carrier, const unsigned char *bytes,
                         size_t size, const ink_place *place, ink_text *out, bool *fits,
                         ink_error *error) {
  const ink_text *store = &u->pass.store;
  ink_text bare = {0}, whole = {0};
  ink_place found = {0};
  size_t start, length, behind = place->start + place->length;
  *fits = false;
  ink_text_clear(out);
  // How a store is wrapped, the carrier shows in the file without one.
  ink_status status = ink_carrier_remove(carrier, bytes, size, &bare, error);
  if (status == INK_OK) {
    status = carrier->embed(carrier, (const unsigned char *)ink_text_string(&bare), bare.size,
                            (const unsigned char *)store->bytes, store->size, &whole, &start,
                            &length, error);
  }
  if (status == INK_OK) {
    ink_text_add_bytes(out, bytes, place->start);
    ink_text_add_bytes(out, whole.bytes + start, length);
    ink_text_add_bytes(out, bytes + behind, size - behind);
    status = ink_text_status(out, error);
  }
  if (status == INK_OK && carrier->collect) {
    status = restate_checksum(carrier, store, out, error);
  }
  if (status == INK_OK) {
    // What is not found is no error here: another way is tried.
    ink_status looked =
        ink_carrier_find(carrier, (const unsigned char *)out->bytes, out->size, &found, NULL);
    *fits = looked == INK_OK && found.present && !found.code && found.start == place->start &&
            found.length == length && found.store.size == store->size &&
            memcmp(found.store.bytes, store->bytes, store->size) == 0;
    if (looked == INK_ERR_MEMORY) status = ink_fail(error, looked, "no memory for a manifest");
  }
  ink_place_free(&found);
  ink_text_free(&bare);
  ink_text_free(&whole);
  return status;
}

static void put_u32(char *at, size_t value) {
  for (int i = 0; i < 4; i++) at[i] = (char)(value >> (24 - 8 * i) & 0xFF);
}

// The store with other padding beside its last signature, over which nothing was signed yet.
static ink_status repad(const update *u, size_t n_pad, ink_text *out, ink_error *error) {
  const ink_jumbf *box =
      ink_jumbf_content(ink_jumbf_child(u->store->last, "c2pa.signature"), "cbor");
  const unsigned char *begin = u->store->bytes - HEADER;
  size_t size = u->store->size + HEADER;
  const ink_cbor *item = NULL;
  INK_TRY(ink_cbor_read(u->arena, box->bytes, box->size, "signature", &item, error));
  if (item->kind == INK_CBOR_TAG) item = item->first;
  const ink_cbor *pad =
      ink_cbor_member(item->first ? item->first->next : NULL, "pad", INK_CBOR_BYTES);
  if (!pad || pad->size < n_pad) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "the manifest before has no padding");
  }
  ink_cbor_builder b = {.arena = u->arena};
  unsigned char *zeros = ink_arena_zeros(u->arena, n_pad + 1, 1);
  if (!zeros) return ink_fail(error, INK_ERR_MEMORY, "no memory for a manifest");
  size_t before = (size_t)(pad->span - begin);
  ink_text_add_bytes(out, begin, before);
  INK_TRY(ink_cbor_write(&b, ink_cbor_new_bytes(&b, zeros, n_pad), out, error));
  ink_text_add_bytes(out, pad->span + pad->span_size, size - before - pad->span_size);
  INK_TRY(ink_text_status(out, error));
  // The boxes around it are as much shorter.
  for (const ink_jumbf *at = box; at; at = at->parent) {
    put_u32(out->bytes + (at->bytes - HEADER - begin), at->size + HEADER - (size - out->size));
  }
  return INK_OK;
}

// Give the new signature the padding with which the store has this size; *fits is false when none
// does.
static ink_status pad_to(update *u, size_t size, bool *fits, ink_error *error) {
  ink_manifest_pass *p = &u->pass;
  *fits = false;
  p->n_pad = 0;
  INK_TRY(ink_manifest_build(p, NULL, error));
  if (p->store.size > size) return INK_OK;
  size_t most = size - p->store.size;
  // The head of the padding grows with it, by five bytes at most.
  for (size_t less = 0; less < PAD_TRIES && less <= most && !*fits; less++) {
    p->n_pad = most - less;
    INK_TRY(ink_manifest_close(p, 0, error));
    *fits = p->store.size == size;
  }
  return INK_OK;
}

static ink_status no_room(const ink_carrier *carrier, size_t missing, ink_error *error) {
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "%s: files of this kind keep the size of their manifests, and %zu bytes are "
                  "missing there for the update; a file that is signed with --reserve leaves room",
                  carrier->name, missing);
}

// In a store that keeps its size.
static ink_status fit(update *u, size_t size, const ink_carrier *carrier, ink_error *error) {
  ink_text shrunk[PAD_TRIES] = {0};
  bool fits = false;
  ink_status status = INK_OK;
  for (size_t i = 0; i < PAD_TRIES && status == INK_OK && !fits; i++) {
    status = repad(u, i, &shrunk[i], error);
    if (status == INK_ERR_UNSUPPORTED && u->pass.store.size > size) {
      status = no_room(carrier, u->pass.store.size - size, error);
    }
    u->ingredient.store = shrunk[i].bytes;
    u->ingredient.store_size = shrunk[i].size;
    if (status == INK_OK) status = pad_to(u, size, &fits, error);
    if (status == INK_OK && !fits && u->pass.store.size > size) {
      status = no_room(carrier, u->pass.store.size - size, error);
    }
  }
  if (status == INK_OK && !fits) {
    status =
        ink_fail(error, INK_ERR_INTERNAL, "%s: no padding gives the store its size", carrier->name);
  }
  if (status == INK_OK) status = ink_manifest_stamp_it(&u->pass, error);
  size_t room = ink_cose_stamp_room(u->pass.stamp.size);
  if (status == INK_OK && u->pass.stamp.size && room > u->pass.n_pad) {
    status = no_room(carrier, room - u->pass.n_pad, error);
  }
  for (size_t i = 0; i < PAD_TRIES; i++) ink_text_free(&shrunk[i]);
  return status;
}

// ---- the update

static ink_status write_store(update *u, ink_error *error) {
  INK_TRY(ink_manifest_build(&u->pass, NULL, error));
  INK_TRY(ink_manifest_stamp_it(&u->pass, error));
  return ink_manifest_wants_room(&u->pass) ? write_store(u, error) : INK_OK;
}

static ink_status update_file(update *u, const ink_carrier *carrier, const unsigned char *bytes,
                              size_t size, const ink_place *place, ink_text *out,
                              ink_error *error) {
  bool fits;
  INK_TRY(ink_manifest_build(&u->pass, NULL, error));
  INK_TRY(splice(u, carrier, bytes, size, place, out, &fits, error));
  INK_TRY(fits ? write_store(u, error) : fit(u, place->store.size, carrier, error));
  INK_TRY(splice(u, carrier, bytes, size, place, out, &fits, error));
  if (fits) return INK_OK;
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "%s: the manifest does not lie in this file as it is written here",
                  carrier->name);
}

static ink_status read_store(update *u, ink_error *error) {
  ink_jumbf *store;
  INK_TRY(ink_jumbf_read(u->arena, u->ingredient.store, u->ingredient.store_size, &store, error));
  u->store = store;
  if (store->last && ink_jumbf_content(ink_jumbf_child(store->last, "c2pa.signature"), "cbor")) {
    return INK_OK;
  }
  return ink_fail(error, INK_ERR_FORMAT, "the manifest of \"%s\" has no signature",
                  u->ingredient.title);
}

static ink_status find_store(const update *u, const ink_carrier *carrier,
                             const unsigned char *bytes, size_t size, ink_place *place,
                             ink_error *error) {
  INK_TRY(ink_carrier_find(carrier, bytes, size, place, error));
  if (place->present && !place->code && place->store.size == u->ingredient.store_size &&
      memcmp(place->store.bytes, u->ingredient.store, place->store.size) == 0) {
    return INK_OK;
  }
  return ink_fail(error, INK_ERR_CONFLICT, "the file does not hold the manifest that is updated");
}

ink_status ink_c2pa_update(const unsigned char *bytes, size_t size, const ink_carrier *carrier,
                           const ink_c2pa_manifest *manifest, const ink_signer *signer,
                           ink_text *out, ink_error *error) {
  ink_place place = {0};
  ink_text file = {0};
  INK_TRY(check_description(manifest, error));
  update *u = calloc(1, sizeof *u);
  if (!u) return ink_fail(error, INK_ERR_MEMORY, "no memory for a manifest");
  u->manifest = *manifest;
  u->ingredient = manifest->ingredients[0];
  u->manifest.ingredients = &u->ingredient;
  u->arena = ink_arena_new(ARENA);
  ink_status status =
      u->arena ? ink_manifest_begin(carrier, &u->manifest, signer, "c2um", &u->pass, error)
               : ink_fail(error, INK_ERR_MEMORY, "no memory for a manifest");
  if (status == INK_OK) status = read_store(u, error);
  if (status == INK_OK && carrier) {
    status = find_store(u, carrier, bytes, size, &place, error);
  }
  if (status == INK_OK) status = stamp_earlier(u, error);
  if (status == INK_OK) {
    status = carrier ? update_file(u, carrier, bytes, size, &place, &file, error)
                     : write_store(u, error);
  }
  if (status == INK_OK) {
    const ink_text *made = carrier ? &file : &u->pass.store;
    ink_text_add_bytes(out, made->bytes, made->size);
    status = ink_text_status(out, error);
  }
  for (size_t i = 0; i < MOST_STAMPS; i++) ink_text_free(&u->stamps[i].token);
  ink_manifest_end(&u->pass);
  ink_arena_free(u->arena);
  ink_place_free(&place);
  ink_text_free(&file);
  free(u);
  return status;
}
