// What binds a manifest to its content: a hash of the file around the store, of its parts, or of
// the files of an archive (C2PA specification 2.4, sections 18.5 to 18.8).
#include <string.h>

#include "mark/c2pa/digest.h"
#include "mark/c2pa/manifest_writer.h"

enum { BINDING_INTEGERS = 10 };  // bytes that start and length take at most, together

static size_t integer_size(size_t n) {
  return n < 24 ? 1 : n < 256 ? 2 : n < 65536 ? 3 : n <= UINT32_MAX ? 5 : 9;
}

// SHA-256 of some bytes, in the arena.
static ink_cbor *hash_item(ink_manifest_writer *w, const unsigned char *bytes, size_t size) {
  unsigned char *hash = ink_arena_take(w->cbor.arena, 32);
  if (!hash || ink_digest_sha256(bytes, size, hash, NULL) != INK_OK) {
    w->cbor.failed = true;
    return NULL;
  }
  return ink_cbor_new_bytes(&w->cbor, hash, 32);
}

// Hash of a container's directory, but for the store's checksum.
static ink_cbor *directory_item(ink_manifest_writer *w, const ink_manifest_binding *bound,
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
static void put_uri(ink_manifest_writer *w, ink_cbor *map, const unsigned char *name, size_t size) {
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
static ink_status bind_files(ink_manifest_writer *w, const ink_manifest_binding *bound) {
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
  return ink_assertion_cbor(w, "c2pa.hash.collection.data", map);
}

// One entry of c2pa.hash.boxes: the parts from `begin` to `end`, one after the other in the file.
static void add_parts(ink_manifest_writer *w, ink_cbor *list, const ink_manifest_binding *bound,
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
static ink_status bind_parts(ink_manifest_writer *w, const ink_manifest_binding *bound) {
  ink_cbor_builder *b = &w->cbor;
  ink_cbor *map = ink_cbor_new_map(b), *list = ink_cbor_new_array(b);
  const ink_carrier *carrier = bound->parts;
  ink_place place = {0};
  ink_text parts = {0};
  ink_status status = INK_OK;
  if (bound->file) {
    status = ink_carrier_find(carrier, bound->file, bound->file_size, &place, w->error);
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
    add_parts(w, list, bound, ranges, 0, store);
    if (store < n) add_parts(w, list, bound, ranges, store, store + 1);
    if (store < n) add_parts(w, list, bound, ranges, store + 1, n);
  }
  ink_text_free(&parts);
  ink_cbor_put(b, map, "boxes", list);
  ink_cbor_put_text(b, map, "alg", "sha256");
  return ink_assertion_cbor(w, "c2pa.hash.boxes", map);
}

// Its size does not depend on start and length: the padding takes up what their encodings leave.
static ink_status bind_bytes(ink_manifest_writer *w, const ink_manifest_binding *bound) {
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
  return ink_assertion_cbor(w, "c2pa.hash.data", map);
}

ink_status ink_write_binding(ink_manifest_writer *w, const ink_manifest_binding *bound) {
  if (!bound->parts) return bind_bytes(w, bound);
  return bound->parts->collect ? bind_files(w, bound) : bind_parts(w, bound);
}
