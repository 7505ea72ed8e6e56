// A signed file in which one byte is another is never Valid, but where the byte means nothing: the
// padding of the signature, and the number of a JPEG segment's box instance, which C2PA binds
// nowhere. Where the byte lies decides which status code must be given.
//
// INKSTONE_MUTATIONS=N tries N changes of each sample instead of 500; all are counted by place and
// code.
#include "base/random.h"
#include "mark/c2pa/jumbf.h"
#include "mark/c2pa/parent.h"
#include "marking.h"

enum { TRIES = 500, MOST_CODES = 256 };

// ---- where a byte lies, and what may be said of it

typedef enum place {
  IN_CONTENT,    // hashed by the hard binding
  IN_WRAPPER,    // what carries the store in the file
  IN_STRUCTURE,  // boxes of the store
  IN_ASSERTION,
  IN_CLAIM,
  IN_SIGNATURE,
  IN_PARENT,  // the manifest of an ingredient
  N_PLACE
} place;

static const char *const place_names[N_PLACE] = {"content", "wrapper",   "structure", "assertion",
                                                 "claim",   "signature", "parent"};

// Codes of which one must be given; "none": the file has no manifest any more. Their beginnings.
static const char *const allowed[N_PLACE][12] = {
    {"assertion.dataHash.mismatch", "assertion.collectionHash.", "general.error", "manifest.",
     "none"},
    {"assertion.dataHash.mismatch", "assertion.collectionHash.mismatch", "general.error",
     "manifest.", "none"},
    {"general.error", "claim.missing", "claim.multiple", "claim.cbor.invalid",
     "claimSignature.missing", "claimSignature.mismatch", "assertion.missing",
     "assertion.undeclared", "assertion.outsideManifest", "assertion.hashedURI.mismatch",
     "ingredient.manifest."},
    {"assertion.hashedURI.mismatch", "assertion.missing", "general.error"},
    {"claimSignature.mismatch", "claimSignature.missing", "claim.cbor.invalid", "claim.malformed"},
    // An archive keeps a checksum of the store, its padding too.
    {"claimSignature.mismatch", "signingCredential.invalid", "algorithm.unsupported",
     "assertion.collectionHash.mismatch"},
    {"ingredient.manifest.mismatch", "general.error", "ingredient.manifest.missing"}};

typedef struct count {
  place at;
  char code[64];
  size_t n;
} count;

static count counts[MOST_CODES];
static size_t n_counts, n_tried, n_padding;

static void add_count(place at, const char *code) {
  for (size_t i = 0; i < n_counts; i++) {
    if (counts[i].at == at && strcmp(counts[i].code, code) == 0) {
      counts[i].n++;
      return;
    }
  }
  assert_true(n_counts < MOST_CODES);
  counts[n_counts].at = at;
  snprintf(counts[n_counts].code, sizeof counts->code, "%s", code);
  counts[n_counts++].n = 1;
}

// ---- samples

typedef struct subject {
  const char *name;
  const ink_carrier *carrier;  // NULL: a sidecar of `asset`
  blob asset;
  ink_text file;
  ink_place there;
  const unsigned char *store;  // its bytes
  size_t store_size;
  ink_arena *arena;
  ink_jumbf *root;
} subject;

// The padding in the unprotected header: its name and its zero bytes.
static void find_pad(const subject *s, size_t *begin, size_t *end) {
  static const char name[] = "\xA1\x63pad";
  for (size_t at = s->store_size - sizeof name; at > 0; at--) {
    if (memcmp(s->store + at, name, sizeof name - 1) != 0) continue;
    const unsigned char *head = s->store + at + 5;
    size_t length = head[0] == 0x58 ? head[1] : (size_t)head[1] << 8 | head[2];
    *begin = at + 2;
    *end = at + 5 + (head[0] == 0x58 ? 2 : 3) + length;
    return;
  }
  fail_msg("no padding in the store");
}

static bool within(const subject *s, const ink_jumbf *box, size_t at) {
  size_t begin = box ? (size_t)(box->bytes - s->store) : 0;
  return box && at >= begin && at < begin + box->size;
}

static place place_in_store(const subject *s, size_t at) {
  const ink_jumbf *active = s->root->last, *assertions = ink_jumbf_child(active, "c2pa.assertions");
  for (const ink_jumbf *m = s->root->first; m; m = m->next) {
    if (m->label && m != active && within(s, m, at)) return IN_PARENT;
  }
  for (const ink_jumbf *a = assertions->first; a; a = a->next) {
    if (a->label && within(s, a, at)) return IN_ASSERTION;
  }
  const ink_jumbf *claim = ink_jumbf_child(active, "c2pa.claim.v2");
  if (within(s, ink_jumbf_content(claim, "cbor"), at)) return IN_CLAIM;
  const ink_jumbf *signature = ink_jumbf_child(active, "c2pa.signature");
  if (within(s, ink_jumbf_content(signature, "cbor"), at)) return IN_SIGNATURE;
  return IN_STRUCTURE;
}

// The first byte of the store that is another one; its size when none is.
static size_t first_difference(const subject *s, const ink_place *changed) {
  for (size_t i = 0; i < s->store_size && i < changed->store.size; i++) {
    if ((unsigned char)changed->store.bytes[i] != s->store[i]) return i;
  }
  return s->store_size;
}

static place place_of(const subject *s, size_t at, const unsigned char *bytes) {
  ink_error error = {0};
  ink_place changed = {0};
  if (!s->carrier) return place_in_store(s, at);
  if (at < s->there.start || at >= s->there.start + s->there.length) return IN_CONTENT;
  place found = IN_WRAPPER;
  if (s->carrier->find(s->carrier, bytes, s->file.size, &changed, &error) == INK_OK &&
      changed.present && !changed.code && changed.store.size == s->store_size) {
    size_t first = first_difference(s, &changed);
    if (first < s->store_size) found = place_in_store(s, first);
  }
  ink_place_free(&changed);
  return found;
}

static bool means_nothing(const subject *s, size_t at, const unsigned char *bytes) {
  if (s->carrier && strcmp(s->carrier->name, "jpeg") == 0 &&
      (at == s->there.start + 6 || at == s->there.start + 7)) {
    return true;
  }
  size_t begin = 0, end = 0;
  find_pad(s, &begin, &end);
  if (!s->carrier) return at >= begin && at < end;
  if (at < s->there.start || at >= s->there.start + s->there.length) return false;
  ink_error error = {0};
  ink_place changed = {0};
  assert_ok(s->carrier->find(s->carrier, bytes, s->file.size, &changed, &error));
  bool differs = false, only = changed.store.size == s->store_size;
  for (size_t i = 0; i < s->store_size && only; i++) {
    if ((unsigned char)changed.store.bytes[i] == s->store[i]) continue;
    only = i >= begin && i < end;
    differs = true;
  }
  ink_place_free(&changed);
  return only && differs;
}

// ---- one change

// The first failure but distrust, NULL when there is none; *fits when one of all is allowed.
static const char *failure_of(const json_t *results, place at, bool *fits, const char *first) {
  size_t i;
  json_t *finding;
  json_array_foreach(json_object_get(results, "failure"), i, finding) {
    const char *code = json_string_value(json_object_get(finding, "code"));
    if (strcmp(code, "signingCredential.untrusted") == 0) continue;
    if (!first) first = code;
    for (size_t j = 0; allowed[at][j]; j++) {
      *fits = *fits || strncmp(code, allowed[at][j], strlen(allowed[at][j])) == 0;
    }
  }
  return first;
}

static void judge(const subject *s, size_t at, unsigned char was, const unsigned char *bytes,
                  const ink_c2pa_report *report) {
  n_tried++;
  if (report->state >= INK_C2PA_VALID) {
    if (!means_nothing(s, at, bytes)) {
      fail_msg("%s: byte %zu (store at %zu, %zu bytes) as %02x instead of %02x leaves it Valid",
               s->name, at, s->there.start, s->there.length, bytes[at], was);
    }
    n_padding++;
    return;
  }
  place where = place_of(s, at, bytes);
  bool fits = false;
  const char *first = failure_of(report->results, where, &fits, NULL);
  size_t i;
  json_t *delta;
  json_array_foreach(report->deltas, i, delta) {
    first = failure_of(json_object_get(delta, "validationDeltas"), where, &fits, first);
  }
  if (report->state == INK_C2PA_NONE) {
    first = "none";
    for (size_t j = 0; allowed[where][j]; j++) fits = fits || strcmp(allowed[where][j], first) == 0;
  }
  if (!fits) {
    fail_msg("%s: byte %zu of the %s as %02x instead of %02x is called %s", s->name, at,
             place_names[where], bytes[at], was, first ? first : "nothing");
  }
  add_count(where, first);
}

static void try_byte(subject *s, size_t at, unsigned char value) {
  ink_error error = {0};
  ink_c2pa_report report = {0};
  char kept = s->file.bytes[at];
  s->file.bytes[at] = (char)value;
  unsigned char *exact = malloc(s->file.size);
  memcpy(exact, s->file.bytes, s->file.size);
  if (s->carrier) {
    assert_ok(ink_c2pa_validate(exact, s->file.size, s->carrier, NULL, 0, NULL, &report, &error));
  } else {
    assert_ok(ink_c2pa_validate(s->asset.bytes, s->asset.size, NULL, exact, s->file.size, NULL,
                                &report, &error));
  }
  judge(s, at, (unsigned char)kept, exact, &report);
  ink_c2pa_report_free(&report);
  free(exact);
  s->file.bytes[at] = kept;
}

// ---- all of them

static void try_subject(subject *s, uint64_t stream) {
  ink_error error = {0};
  ink_random random = ink_random_at(2026, stream, 0);
  const char *wanted = getenv("INKSTONE_MUTATIONS");
  long tries = wanted ? atol(wanted) : TRIES;
  size_t begin = 0, end = s->file.size;
  if (s->carrier) {
    const unsigned char *bytes = (const unsigned char *)s->file.bytes;
    assert_ok(s->carrier->find(s->carrier, bytes, s->file.size, &s->there, &error));
    s->store = (const unsigned char *)s->there.store.bytes;
    s->store_size = s->there.store.size;
    begin = s->there.start;
    end = begin + s->there.length;
  } else {
    // A copy, since the file is what changes.
    ink_text_add_bytes(&s->there.store, s->file.bytes, s->file.size);
    s->store = (const unsigned char *)s->there.store.bytes;
    s->store_size = s->there.store.size;
  }
  s->arena = ink_arena_new(1 << 24);
  assert_ok(ink_jumbf_read(s->arena, s->store, s->store_size, &s->root, &error));
  for (long n = 0; n < tries; n++) {
    // One half anywhere, the other around the ends of what no hash covers.
    size_t at = (size_t)ink_random_below(&random, s->file.size);
    if (n % 2) {
      at = (n % 4 == 1 ? begin : end) + (size_t)ink_random_below(&random, 96);
      at = at < 48 ? 0 : at - 48;
      if (at >= s->file.size) at = s->file.size - 1;
    }
    // Single bits, which turn letters into their other case, and other values.
    unsigned char change = (unsigned char)(1U << ink_random_below(&random, 8));
    if (n % 3) change = (unsigned char)(1 + ink_random_below(&random, 255));
    try_byte(s, at, (unsigned char)s->file.bytes[at] ^ change);
  }
  ink_place_free(&s->there);
  ink_text_free(&s->file);
  ink_arena_free(s->arena);
}

static void no_other_byte_leaves_a_file_valid(void **state) {
  (void)state;
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  for (size_t i = 0; i < N_SAMPLE; i++) {
    subject s = {.name = samples[i].carrier, .carrier = ink_carrier_named(samples[i].carrier)};
    blob plain = sample_blob(&samples[i]);
    s.file = sign_blob(&plain, s.carrier, &manifest, signer);
    try_subject(&s, i);
    free(plain.bytes);
  }
  ink_signer_free(signer);
}

static void no_other_byte_leaves_a_sidecar_valid(void **state) {
  (void)state;
  ink_signer *signer = signer_named("es256");
  ink_c2pa_manifest manifest = test_manifest();
  subject s = {.name = "sidecar", .asset = load("plain.png")};
  s.file = sign_blob(&s.asset, NULL, &manifest, signer);
  try_subject(&s, 100);
  free(s.asset.bytes);
  ink_signer_free(signer);
}

// A file that c2pa-rs signed, opened and signed again: the parent's manifest is as it was.
static void no_other_byte_leaves_a_file_with_a_parent_valid(void **state) {
  (void)state;
  static const char *const names[] = {"png", "jpg"};
  for (size_t i = 0; i < 2; i++) {
    char path[32];
    ink_error error = {0};
    ink_c2pa_parent parent = {0};
    ink_signer *signer = signer_named(i ? "ps256" : "es384");
    snprintf(path, sizeof path, "other.%s", names[i]);
    blob other = load(path);
    subject s = {.name = path, .carrier = ink_carrier_for(path, other.bytes, other.size)};
    assert_ok(ink_c2pa_parent_read("other", s.carrier, other.bytes, other.size, &parent, &error));
    ink_c2pa_action action = {.action = "c2pa.opened"};
    ink_c2pa_manifest manifest = test_manifest();
    manifest.actions = &action;
    manifest.ingredients = &parent.ingredient;
    manifest.n_ingredient = 1;
    blob bare = {(unsigned char *)parent.bare.bytes, parent.bare.size};
    s.file = sign_blob(&bare, s.carrier, &manifest, signer);
    try_subject(&s, 200 + i);
    ink_c2pa_parent_free(&parent);
    ink_signer_free(signer);
    free(other.bytes);
  }
}

static void what_was_said_is_counted(void **state) {
  (void)state;
  print_message("# %zu changes of one byte, %zu of them of padding left a file Valid\n", n_tried,
                n_padding);
  for (int at = 0; at < N_PLACE; at++) {
    for (size_t i = 0; i < n_counts; i++) {
      if (counts[i].at != (place)at) continue;
      print_message("# %-10s %-40s %zu\n", place_names[at], counts[i].code, counts[i].n);
    }
  }
  for (int at = 0; at < N_PLACE; at++) {
    size_t n = 0;
    for (size_t i = 0; i < n_counts; i++) n += counts[i].at == (place)at;
    if (!n) fail_msg("no byte of the %s was tried", place_names[at]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_other_byte_leaves_a_file_valid),
      cmocka_unit_test(no_other_byte_leaves_a_sidecar_valid),
      cmocka_unit_test(no_other_byte_leaves_a_file_with_a_parent_valid),
      cmocka_unit_test(what_was_said_is_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
