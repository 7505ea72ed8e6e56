// The hard binding: the hash of a file's content (C2PA specification 2.4, section 15.12).
#include <string.h>

#include "base/checked.h"
#include "mark/c2pa/digest.h"
#include "mark/c2pa/validate_parts.h"

enum { MOST_RANGES = 64 };

// The exclusions of the assertion: rising, apart from each other, within the file.
static bool read_ranges(const ink_validator *v, const ink_cbor *map, ink_digest_range *ranges,
                        size_t *n) {
  const ink_cbor *list = ink_cbor_get(map, "exclusions");
  size_t end = 0;
  *n = 0;
  if (!list) return true;
  if (list->kind != INK_CBOR_ARRAY || list->n > MOST_RANGES) return false;
  for (const ink_cbor *at = list->first; at; at = at->next) {
    const ink_cbor *start = ink_cbor_member(at, "start", INK_CBOR_UINT);
    const ink_cbor *length = ink_cbor_member(at, "length", INK_CBOR_UINT);
    if (!start || !length || start->n < end || !ink_fits(start->n, length->n, v->size))
      return false;
    ranges[*n] = (ink_digest_range){(size_t)start->n, (size_t)length->n};
    end = (size_t)(start->n + length->n);
    ++*n;
  }
  return true;
}

// Exclusions are for the store: one that runs beyond it would hide what was changed beside it.
// Ranges apart from it are a signer's choice; what they leave out anyone may change.
typedef enum excluded { ONLY_STORE, OTHERS_TOO, BEYOND_STORE } excluded;

static excluded judge_ranges(const ink_validator *v, const ink_digest_range *ranges, size_t n) {
  excluded found = ONLY_STORE;
  for (size_t i = 0; i < n; i++) {
    if (!ranges[i].length) continue;
    size_t start = ranges[i].start, end = start + ranges[i].length;
    size_t from = v->place ? v->place->start : 0, to = v->place ? from + v->place->length : 0;
    bool apart = end <= from || start >= to;
    if (apart) {
      found = OTHERS_TOO;
    } else if (start < from || end > to) {
      return BEYOND_STORE;
    }
  }
  return found;
}

static ink_status check_data(ink_validator *v, ink_manifest_view *m, const ink_jumbf *assertion,
                             const ink_cbor *map) {
  ink_digest_range ranges[MOST_RANGES];
  size_t n;
  unsigned char hash[INK_DIGEST_MOST];
  const ink_cbor *expected = ink_cbor_member(map, "hash", INK_CBOR_BYTES);
  const char *algorithm = ink_cbor_string(v->arena, ink_cbor_get(map, "alg"));
  if (!algorithm) algorithm = m->algorithm;
  if (!expected || !read_ranges(v, map, ranges, &n)) {
    ink_find(v, m->results, INK_FAILURE, "assertion.dataHash.malformed", assertion,
             "the assertion has no hash, or exclusions that do not fit the file");
    return INK_OK;
  }
  if (!ink_digest_size(algorithm)) {
    ink_find(v, m->results, INK_FAILURE, "algorithm.unsupported", assertion,
             "no hash of C2PA is named \"%.40s\"", algorithm);
    return INK_OK;
  }
  // An update manifest grows the store that the binding before it left out.
  if (strcmp(m->box->kind, "c2um") == 0 && n && v->place && ranges[0].start == v->place->start) {
    ranges[0].length = v->place->length;
  }
  bool normalised = v->carrier && v->carrier->normalised;
  ink_error fault = {0};
  ink_status status =
      ink_digest_ranges(algorithm, v->bytes, v->size, ranges, n, normalised, hash, &fault);
  if (status == INK_ERR_MEMORY) return ink_fail(v->error, status, "%s", fault.text);
  size_t size = ink_digest_size(algorithm);
  excluded also = judge_ranges(v, ranges, n);
  if (also == BEYOND_STORE) {
    ink_find(v, m->results, INK_FAILURE, "assertion.dataHash.mismatch", assertion,
             "the range that is left out does not fit the place of the manifest");
  } else if (status == INK_OK && expected->size == size &&
             memcmp(expected->bytes, hash, size) == 0) {
    ink_find(v, m->results, INK_SUCCESS, "assertion.dataHash.match", assertion,
             "the content is what was signed");
    if (also == OTHERS_TOO) {
      ink_find(v, m->results, INK_INFORMATIONAL, "assertion.dataHash.additionalExclusionsPresent",
               assertion, "the signature leaves out more of the file than its manifest");
    }
  } else {
    ink_find(v, m->results, INK_FAILURE, "assertion.dataHash.mismatch", assertion,
             "the content is not what was signed");
  }
  return INK_OK;
}

ink_status ink_check_binding(ink_validator *v, ink_manifest_view *m, const ink_jumbf *assertion) {
  const ink_jumbf *content = ink_jumbf_content(assertion, "cbor");
  const ink_cbor *map;
  if (strncmp(assertion->label, "c2pa.hash.data", 14) != 0) {
    return ink_fail(v->error, INK_ERR_UNSUPPORTED,
                    "the file is bound by %s, which is not known here; c2pa.hash.data is",
                    assertion->label);
  }
  if (!content || ink_cbor_read(v->arena, content->bytes, content->size, assertion->label, &map,
                                NULL) != INK_OK) {
    return INK_OK;  // reported with the other assertions
  }
  return check_data(v, m, assertion, map);
}
