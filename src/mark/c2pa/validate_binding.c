// The hard binding: the hash of a file's content (C2PA specification 2.4, section 15.12).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "mark/c2pa/digest.h"
#include "mark/c2pa/validate_parts.h"

enum { MOST_RANGES = 64 };

// Where a binding names no hash it is that of the claim which lists it, not of an update's.
static const char *algorithm_of(ink_validator *v, const ink_jumbf *assertion, const ink_cbor *map) {
  const char *algorithm = ink_cbor_string(v->arena, ink_cbor_get(map, "alg"));
  const ink_jumbf *claim = assertion->parent->parent->first;
  while (claim && (!claim->label || strcmp(claim->kind, "c2cl") != 0)) claim = claim->next;
  if (algorithm) return algorithm;
  return ink_claim_algorithm(v, claim ? ink_validate_content(v, claim) : NULL);
}

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
    if (v->options->recovered && !v->place) return BEYOND_STORE;
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

// An update manifest grew the store that the binding before it left out; what lay behind it has
// moved (section 15.12.1.1). False when it moved out of the file.
static bool grow_ranges(const ink_validator *v, ink_digest_range *ranges, size_t n) {
  for (size_t i = 0; v->place && i < n; i++) {
    if (ranges[i].start != v->place->start || v->place->length < ranges[i].length) continue;
    size_t grown = v->place->length - ranges[i].length;
    ranges[i].length += grown;
    for (size_t j = i + 1; j < n; j++) ranges[j].start += grown;
    return ink_fits(ranges[n - 1].start, ranges[n - 1].length, v->size);
  }
  return true;
}

static ink_status check_data(ink_validator *v, ink_manifest_view *m, const ink_jumbf *assertion,
                             const ink_cbor *map) {
  ink_digest_range ranges[MOST_RANGES];
  size_t n;
  unsigned char hash[INK_DIGEST_MOST];
  const ink_cbor *expected = ink_cbor_member(map, "hash", INK_CBOR_BYTES);
  const char *algorithm = algorithm_of(v, assertion, map);
  bool update = strcmp(m->box->kind, "c2um") == 0;
  if (!expected || !read_ranges(v, map, ranges, &n) || (update && !grow_ranges(v, ranges, n))) {
    ink_find(v, m->results, INK_FAILURE, "assertion.dataHash.malformed", assertion,
             "the assertion has no hash, or exclusions that do not fit the file");
    return INK_OK;
  }
  if (!ink_digest_size(algorithm)) {
    ink_find(v, m->results, INK_FAILURE, "algorithm.unsupported", assertion,
             "no hash of C2PA is named \"%.40s\"", algorithm);
    return INK_OK;
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

// ---- c2pa.hash.boxes

// The parts that an entry names, from *at on: in the order of the file, without gaps.
static bool match_names(const ink_cbor *entry, const ink_named_range *ranges, size_t n, size_t *at,
                        ink_digest_range *span) {
  const ink_cbor *names = ink_cbor_member(entry, "names", INK_CBOR_ARRAY);
  if (!names || !names->n) return false;
  *span = (ink_digest_range){*at < n ? ranges[*at].start : 0, 0};
  for (const ink_cbor *name = names->first; name; name = name->next, ++*at) {
    if (*at >= n || !ink_cbor_is(name, ranges[*at].name)) return false;
    span->length = ranges[*at].start + ranges[*at].length - span->start;
  }
  return true;
}

static bool entry_holds(const ink_validator *v, const char *shared, const ink_cbor *entry,
                        ink_digest_range span) {
  const ink_cbor *expected = ink_cbor_member(entry, "hash", INK_CBOR_BYTES);
  const char *algorithm = ink_cbor_string(v->arena, ink_cbor_get(entry, "alg"));
  if (!algorithm) algorithm = shared;
  unsigned char hash[INK_DIGEST_MOST];
  size_t size = ink_digest_size(algorithm);
  return expected && size && expected->size == size &&
         ink_digest_of(algorithm, v->bytes + span.start, span.length, hash, NULL) == INK_OK &&
         memcmp(expected->bytes, hash, size) == 0;
}

static ink_status check_boxes(ink_validator *v, ink_manifest_view *m, const ink_jumbf *assertion,
                              const ink_cbor *map) {
  const ink_cbor *list = ink_cbor_member(map, "boxes", INK_CBOR_ARRAY);
  if (!v->carrier || !v->carrier->divide || !v->place) {
    return ink_fail(v->error, INK_ERR_UNSUPPORTED,
                    "the file is bound by c2pa.hash.boxes, which is known here in PNG, JPEG, GIF, "
                    "WebP and WAV");
  }
  if (!list || !list->n) {
    ink_find(v, m->results, INK_FAILURE, "assertion.boxesHash.malformed", assertion,
             "the assertion has no boxes");
    return INK_OK;
  }
  const char *algorithm = algorithm_of(v, assertion, map);
  ink_text parts = {0};
  ink_error fault = {0};
  ink_status status = v->carrier->divide(v->carrier, v->bytes, v->size, v->place, &parts, &fault);
  const ink_named_range *ranges = (const ink_named_range *)(const void *)ink_text_string(&parts);
  size_t n = parts.size / sizeof *ranges, at = 0, end = 0, n_store = 0;
  bool known = status == INK_OK, holds = known;
  for (const ink_cbor *entry = list->first; known && entry; entry = entry->next) {
    ink_digest_range span = {0};
    bool store = at < n && strcmp(ranges[at].name, "C2PA") == 0;
    known = match_names(entry, ranges, n, &at, &span) && span.start == end;
    end = span.start + span.length;
    // The store is not hashed, and stands alone.
    if (store) {
      n_store++;
      known = known && ink_cbor_get(entry, "names")->n == 1;
    } else {
      holds = holds && known && entry_holds(v, algorithm, entry, span);
    }
  }
  ink_text_free(&parts);
  if (status == INK_ERR_MEMORY) return ink_fail(v->error, status, "%s", fault.text);
  if (!known || at != n || end != v->size || n_store != 1) {
    ink_find(v, m->results, INK_FAILURE, "assertion.boxesHash.unknownBox", assertion,
             "the file's parts are not those that were signed");
  } else {
    ink_find(v, m->results, holds ? INK_SUCCESS : INK_FAILURE,
             holds ? "assertion.boxesHash.match" : "assertion.boxesHash.mismatch", assertion,
             holds ? "the content is what was signed" : "the content is not what was signed");
  }
  return INK_OK;
}

// ---- c2pa.hash.collection.data, of archives (sections 15.12.5 and A.6.2)

// A part and its name, sorted so that they are found.
typedef struct named_part {
  const unsigned char *name;
  size_t size;
  const ink_part *part;
  bool listed;
} named_part;

// The name that a URI spells, in the arena: %41 is A. False when it is no such thing.
static bool read_uri(ink_validator *v, const ink_cbor *uri, named_part *name) {
  char *text = ink_arena_take(v->arena, uri->size + 1);
  *name = (named_part){.name = (unsigned char *)text};
  if (!text) {
    v->failed = true;
    return false;
  }
  for (size_t i = 0; i < uri->size; i++) {
    unsigned value;
    text[name->size] = (char)uri->bytes[i];
    if (uri->bytes[i] == '%') {
      char digits[3] = {0};
      if (uri->size - i < 3) return false;
      memcpy(digits, uri->bytes + i + 1, 2);
      if (strspn(digits, "0123456789ABCDEFabcdef") != 2 || sscanf(digits, "%x", &value) != 1) {
        return false;
      }
      text[name->size] = (char)value;
      i += 2;
    }
    name->size++;
  }
  return true;
}

// Neither "." nor ".." may be part of a URI (section 15.12.5.1).
static bool leads_outside(const named_part *uri) {
  const char *text = (const char *)uri->name;
  for (size_t from = 0; from <= uri->size;) {
    const char *slash = from < uri->size ? memchr(text + from, '/', uri->size - from) : NULL;
    size_t length = slash ? (size_t)(slash - text) - from : uri->size - from;
    if ((length == 1 && text[from] == '.') || (length == 2 && memcmp(text + from, "..", 2) == 0)) {
      return true;
    }
    from += length + 1;
  }
  return false;
}

static int compare_names(const void *a, const void *b) {
  const named_part *x = a, *y = b;
  size_t least = x->size < y->size ? x->size : y->size;
  int order = least ? memcmp(x->name, y->name, least) : 0;
  return order ? order : (x->size > y->size) - (x->size < y->size);
}

typedef enum collection_fault {
  COLLECTION_HOLDS,
  COLLECTION_MALFORMED,
  COLLECTION_OUTSIDE,
  COLLECTION_MISSING,
  COLLECTION_CHANGED
} collection_fault;

static bool has_hash(const ink_cbor *expected, const char *algorithm, const unsigned char *bytes,
                     size_t size) {
  unsigned char hash[INK_DIGEST_MOST];
  size_t n = ink_digest_size(algorithm);
  return expected->size == n && ink_digest_of(algorithm, bytes, size, hash, NULL) == INK_OK &&
         memcmp(expected->bytes, hash, n) == 0;
}

// Each file that is listed is there and as it was, and each that is there is listed, once.
static collection_fault compare_files(ink_validator *v, const ink_cbor *list, const char *algorithm,
                                      named_part *names, size_t n) {
  size_t n_listed = 0;
  for (const ink_cbor *at = list->first; at; at = at->next) {
    const ink_cbor *uri = ink_cbor_member(at, "uri", INK_CBOR_TEXT);
    const ink_cbor *hash = ink_cbor_member(at, "hash", INK_CBOR_BYTES);
    if (!uri || !hash) return COLLECTION_MALFORMED;
    named_part key;
    if (!read_uri(v, uri, &key) || leads_outside(&key)) return COLLECTION_OUTSIDE;
    named_part *found = n ? bsearch(&key, names, n, sizeof *names, compare_names) : NULL;
    if (!found || found->listed) return COLLECTION_MISSING;
    found->listed = true;
    n_listed++;
    if (!has_hash(hash, algorithm, v->bytes + found->part->start, found->part->length)) {
      return COLLECTION_CHANGED;
    }
  }
  return n_listed == n ? COLLECTION_HOLDS : COLLECTION_MISSING;
}

// Of the directory no hash covers the store's checksum, which must be the store's.
static bool directory_holds(const ink_validator *v, const ink_cbor *expected, const char *algorithm,
                            const ink_directory *directory) {
  unsigned char hash[INK_DIGEST_MOST];
  size_t n = ink_digest_size(algorithm);
  ink_digest_range checksum = {directory->checksum - directory->start, 4};
  return directory->checksum && directory->holds && expected->size == n &&
         ink_digest_ranges(algorithm, v->bytes + directory->start, v->size - directory->start,
                           &checksum, 1, false, hash, NULL) == INK_OK &&
         memcmp(expected->bytes, hash, n) == 0;
}

static ink_status judge_collection(ink_validator *v, const ink_cbor *map, const char *algorithm,
                                   collection_fault *fault) {
  const ink_cbor *list = ink_cbor_member(map, "uris", INK_CBOR_ARRAY);
  const ink_cbor *directory_hash =
      ink_cbor_member(map, "zip_central_directory_hash", INK_CBOR_BYTES);
  ink_text parts = {0};
  ink_error unread = {0};
  ink_directory directory = {0};
  *fault = COLLECTION_MALFORMED;
  if (!list || !directory_hash) return INK_OK;
  ink_status status =
      v->carrier->collect(v->carrier, v->bytes, v->size, &parts, &directory, &unread);
  const ink_part *part = (const ink_part *)(const void *)parts.bytes;
  size_t n = parts.size / sizeof *part;
  named_part *names = status == INK_OK ? calloc(n + 1, sizeof *names) : NULL;
  if (status == INK_ERR_MEMORY || (status == INK_OK && !names)) {
    ink_text_free(&parts);
    return ink_fail(v->error, INK_ERR_MEMORY, "no memory to validate a manifest");
  }
  *fault = COLLECTION_CHANGED;
  if (status == INK_OK) {
    for (size_t i = 0; i < n; i++) {
      names[i] = (named_part){v->bytes + part[i].name, part[i].name_size, &part[i], false};
    }
    qsort(names, n, sizeof *names, compare_names);
    *fault = compare_files(v, list, algorithm, names, n);
    if (*fault == COLLECTION_HOLDS && !directory_holds(v, directory_hash, algorithm, &directory)) {
      *fault = COLLECTION_CHANGED;
    }
  }
  free(names);
  ink_text_free(&parts);
  return INK_OK;
}

static ink_status check_collection(ink_validator *v, ink_manifest_view *m,
                                   const ink_jumbf *assertion, const ink_cbor *map) {
  static const struct {
    const char *code, *why;
  } faults[] = {
      {"assertion.collectionHash.match", "each file within is what was signed"},
      {"assertion.collectionHash.malformed", "the assertion lacks what it has to have"},
      {"assertion.collectionHash.invalidURI", "the assertion names a file outside of this one"},
      {"assertion.collectionHash.incorrectFileCount",
       "the files within are not those that were signed"},
      {"assertion.collectionHash.mismatch", "a file within is not what was signed"}};
  const char *algorithm = ink_cbor_string(v->arena, ink_cbor_get(map, "alg"));
  collection_fault fault = COLLECTION_MALFORMED;
  if (!v->carrier || !v->carrier->collect || !v->place) {
    return ink_fail(v->error, INK_ERR_UNSUPPORTED,
                    "the file is bound by c2pa.hash.collection.data, which is known here in "
                    "ZIP-based documents");
  }
  if (algorithm && !ink_digest_size(algorithm)) {
    ink_find(v, m->results, INK_FAILURE, "algorithm.unsupported", assertion,
             "no hash of C2PA is named \"%.40s\"", algorithm);
    return INK_OK;
  }
  if (algorithm) INK_TRY(judge_collection(v, map, algorithm, &fault));
  ink_find(v, m->results, fault == COLLECTION_HOLDS ? INK_SUCCESS : INK_FAILURE, faults[fault].code,
           assertion, "%s", faults[fault].why);
  return INK_OK;
}

static bool has_label(const ink_jumbf *assertion, const char *label) {
  return strncmp(assertion->label, label, strlen(label)) == 0;
}

ink_status ink_check_binding(ink_validator *v, ink_manifest_view *m, const ink_jumbf *assertion) {
  static const struct {
    const char *label, *malformed;
    ink_status (*check)(ink_validator *v, ink_manifest_view *m, const ink_jumbf *assertion,
                        const ink_cbor *map);
  } kinds[] = {
      {"c2pa.hash.data", "assertion.dataHash.malformed", check_data},
      {"c2pa.hash.boxes", "assertion.boxesHash.malformed", check_boxes},
      {"c2pa.hash.collection.data", "assertion.collectionHash.malformed", check_collection}};
  const ink_jumbf *content = ink_jumbf_content(assertion, "cbor");
  const ink_cbor *map;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (!has_label(assertion, kinds[i].label)) continue;
    if (!content || ink_cbor_read(v->arena, content->bytes, content->size, assertion->label, &map,
                                  NULL) != INK_OK) {
      ink_find(v, m->results, INK_FAILURE, kinds[i].malformed, assertion,
               "it is not one item of CBOR");
      return INK_OK;
    }
    return kinds[i].check(v, m, assertion, map);
  }
  return ink_fail(v->error, INK_ERR_UNSUPPORTED, "the file is bound by %s, which is not known here",
                  assertion->label);
}
