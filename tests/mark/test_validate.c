// The validator: states and codes as c2pa-rs gives them for the same files; trust, time, structure.
#include "marking.h"
#include "resealing.h"

static ink_c2pa_report report_of(const char *path) {
  blob b = load_path(path);
  ink_c2pa_report report = {0};
  state_of(b.bytes, b.size, ink_carrier_for(path, b.bytes, b.size), NULL, &report);
  free(b.bytes);
  return report;
}

// All codes of a list, joined by blanks, in order.
static const char *codes_of(const json_t *list) {
  static char text[2048];
  size_t i, at = 0;
  json_t *finding;
  text[0] = 0;
  json_array_foreach((json_t *)list, i, finding) {
    at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i ? " " : "",
                           json_string_value(json_object_get(finding, "code")));
  }
  return text;
}

// State and failures as c2pa-python 0.38.1 (c2pa-rs 0.91.3) gives them for the public test files.
static void public_files_are_judged_as_the_reference_judges_them(void **state) {
  (void)state;
  static const struct {
    const char *name;
    ink_c2pa_state state;
    const char *failures, *delta_failures;
    size_t n_success;
  } cases[] = {
      {"C", INK_C2PA_VALID, "signingCredential.untrusted", "", 9},
      {"CA", INK_C2PA_VALID, "signingCredential.untrusted", "", 11},
      {"CIE-sig-CA", INK_C2PA_VALID, "signingCredential.untrusted", "signingCredential.untrusted",
       11},
      {"E-dat-CA", INK_C2PA_INVALID, "signingCredential.untrusted assertion.dataHash.mismatch", "",
       10},
      {"E-sig-CA", INK_C2PA_INVALID, "signingCredential.untrusted claimSignature.mismatch", "", 7},
      {"E-uri-CA", INK_C2PA_INVALID, "signingCredential.untrusted assertion.hashedURI.mismatch", "",
       10},
      {"E-uri-CIE-sig-CA", INK_C2PA_INVALID, "signingCredential.untrusted",
       "signingCredential.untrusted assertion.hashedURI.mismatch", 11},
      {"I", INK_C2PA_NONE, "", "", 0},
      {"XCA", INK_C2PA_INVALID, "signingCredential.untrusted assertion.dataHash.mismatch", "", 10},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char name[64], deltas[512] = "";
    snprintf(name, sizeof name, "c2pa/adobe-20220124-%s.jpg", cases[i].name);
    const char *path = shared_path(name);
    if (!path) {
      print_message("# skipped: %s is not in the public test data\n", name);
      skip();
    }
    ink_c2pa_report report = report_of(path);
    assert_int_equal(report.state, cases[i].state);
    assert_string_equal(codes_of(json_object_get(report.results, "failure")), cases[i].failures);
    assert_int_equal(json_array_size(json_object_get(report.results, "success")),
                     cases[i].n_success);
    size_t j;
    json_t *delta;
    json_array_foreach(report.deltas, j, delta) {
      const json_t *findings = json_object_get(delta, "validationDeltas");
      size_t at = strlen(deltas);
      snprintf(deltas + at, sizeof deltas - at, "%s",
               codes_of(json_object_get(findings, "failure")));
    }
    assert_string_equal(deltas, cases[i].delta_failures);
    ink_c2pa_report_free(&report);
  }
}

static void files_that_the_reference_signed_are_valid(void **state) {
  (void)state;
  static const char *const names[] = {
      "mark/other.png", "mark/other.jpg", "mark/other.webp", "mark/other.gif", "mark/other.svg",
      "mark/other.wav", "mark/other.pdf", "mark/other.mp3",  "mark/boxes.png", "mark/boxes.jpg"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    ink_c2pa_report report = report_of(fixture_path(names[i]));
    assert_int_equal(report.state, INK_C2PA_VALID);
    assert_string_equal(codes_of(json_object_get(report.results, "failure")),
                        "signingCredential.untrusted");
    assert_int_equal(json_array_size(report.deltas), 0);
    ink_c2pa_report_free(&report);
  }
}

// Every byte of a file but its store stands in one of the named parts.
static void box_hashes_cover_all_of_a_file(void **state) {
  (void)state;
  static const char *const names[] = {"boxes.png", "boxes.jpg"};
  for (size_t i = 0; i < 2; i++) {
    ink_error error = {0};
    blob b = load(names[i]);
    const ink_carrier *carrier = ink_carrier_for(NULL, b.bytes, b.size);
    ink_place place = {0};
    assert_ok(carrier->find(carrier, b.bytes, b.size, &place, &error));
    for (size_t at = 0; at < b.size; at++) {
      if (at >= place.start && at < place.start + place.length) continue;
      b.bytes[at] ^= 1;
      ink_c2pa_state found = state_of(b.bytes, b.size, carrier, NULL, NULL);
      if (found >= INK_C2PA_VALID) fail_msg("%s: byte %zu may change", names[i], at);
      b.bytes[at] ^= 1;
    }
    assert_int_equal(state_of(b.bytes, b.size, carrier, NULL, NULL), INK_C2PA_VALID);
    ink_place_free(&place);
    free(b.bytes);
  }
}

// ---- c2pa.hash.boxes of others

enum { MOST_PARTS = 32, MOST_ENTRIES = 6 };

// One entry: the parts from `begin` to `end`; with their names backwards where that comes before.
typedef struct entry {
  size_t begin, end;
} entry;

// "plain.png" as bound by its boxes, and its parts as some carrier names them.
typedef struct boxed {
  blob plain;
  ink_text file;
  ink_place place;
  ink_named_range parts[MOST_PARTS];
  size_t n;
} boxed;

static boxed boxed_by(const ink_carrier *carrier) {
  ink_error error = {0};
  ink_text parts = {0};
  ink_c2pa_manifest manifest = test_manifest();
  ink_signer *signer = signer_named("ed25519");
  boxed b = {.plain = load("plain.png")};
  manifest.binding = INK_C2PA_BIND_BOXES;
  b.file = sign_blob(&b.plain, ink_carrier_named("png"), &manifest, signer);
  const unsigned char *bytes = (const unsigned char *)b.file.bytes;
  assert_ok(carrier->find(carrier, bytes, b.file.size, &b.place, &error));
  assert_ok(carrier->divide(carrier, bytes, b.file.size, &b.place, &parts, &error));
  b.n = parts.size / sizeof *b.parts;
  assert_true(b.n >= 5 && b.n <= MOST_PARTS);
  memcpy(b.parts, parts.bytes, parts.size);
  assert_string_equal(b.parts[2].name, "C2PA");
  ink_text_free(&parts);
  ink_signer_free(signer);
  return b;
}

static void boxed_free(boxed *b) {
  free(b->plain.bytes);
  ink_text_free(&b->file);
  ink_place_free(&b->place);
}

static ink_text entries_of(const boxed *b, const entry *entries, size_t n) {
  ink_error error = {0};
  ink_arena *arena = ink_arena_new(1 << 20);
  ink_cbor_builder c = {.arena = arena};
  ink_cbor *map = ink_cbor_new_map(&c), *list = ink_cbor_new_array(&c);
  for (size_t i = 0; i < n; i++) {
    bool backwards = entries[i].end < entries[i].begin;
    size_t begin = backwards ? entries[i].end : entries[i].begin,
           end = backwards ? entries[i].begin : entries[i].end;
    ink_cbor *one = ink_cbor_new_map(&c), *names = ink_cbor_new_array(&c);
    for (size_t j = begin; j < end; j++) {
      size_t which = backwards ? end - 1 - (j - begin) : j;
      ink_cbor_add(&c, names, ink_cbor_new_text(&c, b->parts[which].name));
    }
    size_t start = b->parts[begin].start,
           stop = end > begin ? b->parts[end - 1].start + b->parts[end - 1].length : start;
    unsigned char *hash = ink_arena_zeros(arena, 32, 1);
    assert_ok(ink_digest_sha256(b->file.bytes + start, stop - start, hash, &error));
    ink_cbor_put(&c, one, "names", names);
    ink_cbor_put(&c, one, "hash", ink_cbor_new_bytes(&c, hash, 32));
    ink_cbor_add(&c, list, one);
  }
  ink_cbor_put(&c, map, "boxes", list);
  ink_cbor_put_text(&c, map, "alg", "sha256");
  ink_text out = encoded(&c, map);
  ink_arena_free(arena);
  return out;
}

// Without a code the file is what was signed.
static void assert_boxes(const boxed *b, const ink_carrier *carrier, const ink_text *content,
                         const char *what, const char *code) {
  ink_error error = {0};
  ink_text out = {0};
  size_t start, length;
  ink_c2pa_report report = {0};
  ink_text store =
      resealed(&b->place.store, &(reseal){.label = "c2pa.hash.boxes", .content = content});
  assert_ok(carrier->embed(carrier, b->plain.bytes, b->plain.size, (unsigned char *)store.bytes,
                           store.size, &out, &start, &length, &error));
  ink_c2pa_state found = state_of(out.bytes, out.size, carrier, NULL, &report);
  if ((found == INK_C2PA_VALID) != !code || (code && !ink_c2pa_failed_with(&report, code))) {
    fail_msg("%s: no %s in %s", what, code ? code : "good",
             codes_of(json_object_get(report.results, "failure")));
  }
  ink_c2pa_report_free(&report);
  ink_text_free(&store);
  ink_text_free(&out);
}

static const char unknown_box[] = "assertion.boxesHash.unknownBox";

// Parts in their order, none left out, the store alone, and that once.
static void boxes_name_all_parts_in_their_order(void **state) {
  (void)state;
  const ink_carrier *png = ink_carrier_named("png");
  boxed b = boxed_by(png);
  const size_t n = b.n;
  const struct {
    const char *what;
    entry entries[MOST_ENTRIES];
    size_t n;
    const char *code;
  } cases[] = {
      {"three", {{0, 2}, {2, 3}, {3, n}}, 3, NULL},
      {"more", {{0, 1}, {1, 2}, {2, 3}, {3, n - 1}, {n - 1, n}}, 5, NULL},
      {"names backwards", {{0, 2}, {2, 3}, {n, 3}}, 3, unknown_box},
      {"the store first", {{2, 3}, {0, 2}, {3, n}}, 3, unknown_box},
      {"one twice", {{0, 2}, {1, 2}, {2, 3}, {3, n}}, 4, unknown_box},
      {"one left out", {{0, 1}, {2, 3}, {3, n}}, 3, unknown_box},
      {"without the last", {{0, 2}, {2, 3}, {3, n - 1}}, 3, unknown_box},
      {"without those behind the store", {{0, 2}, {2, 3}}, 2, unknown_box},
      {"without the store", {{0, 2}, {3, n}}, 2, unknown_box},
      {"without names", {{0, 0}, {0, 2}, {2, 3}, {3, n}}, 4, unknown_box},
      {"the store and the next", {{0, 2}, {2, 4}, {4, n}}, 3, unknown_box},
      {"the store and all behind it", {{0, 2}, {2, n}}, 2, unknown_box},
      {"the store behind another", {{0, 3}, {3, n}}, 2, unknown_box},
      {"all in one", {{0, n}}, 1, unknown_box},
      {"none", {{0, 0}}, 0, "assertion.boxesHash.malformed"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_text content = entries_of(&b, cases[i].entries, cases[i].n);
    assert_boxes(&b, png, &content, cases[i].what, cases[i].code);
    ink_text_free(&content);
  }
  static const char *const broken[] = {"\xA0", "\xFF", "\xA1\145boxes\x61x"};
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
    ink_text content = {0};
    ink_text_add(&content, broken[i]);
    assert_boxes(&b, png, &content, "no list", "assertion.boxesHash.malformed");
    ink_text_free(&content);
  }
  boxed_free(&b);
}

// A carrier that divides a file otherwise than one part behind the other to its end.
typedef struct odd_carrier {
  ink_carrier carrier;  // first, so that the way that divides finds the rest
  const char *what;
  size_t gap, end;  // bytes that the last part but one lacks, and the last
  bool empty;       // a part of no bytes is the last
  bool halves;      // the store is in two parts
} odd_carrier;

enum { HALF = 8 };  // bytes of a store's first part

static ink_status divide_oddly(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                               const ink_place *place, ink_text *ranges, ink_error *error) {
  const odd_carrier *odd = (const odd_carrier *)(const void *)carrier;
  const ink_carrier *png = ink_carrier_named("png");
  ink_text whole = {0};
  ink_status status = png->divide(png, bytes, size, place, &whole, error);
  size_t n = whole.size / sizeof(ink_named_range);
  for (size_t i = 0; i < n; i++) {
    ink_named_range part;
    memcpy(&part, whole.bytes + i * sizeof part, sizeof part);
    if (i + 2 == n) part.length -= odd->gap;
    if (i + 1 == n) part.length -= odd->end;
    if (odd->halves && strcmp(part.name, "C2PA") == 0) {
      ink_named_range first = part;
      first.length = HALF;
      ink_text_add_bytes(ranges, &first, sizeof first);
      part.start += HALF;
      part.length -= HALF;
    }
    ink_text_add_bytes(ranges, &part, sizeof part);
  }
  const ink_named_range none = {"none", size, 0};
  if (odd->empty) ink_text_add_bytes(ranges, &none, sizeof none);
  ink_text_free(&whole);
  return status == INK_OK ? ink_text_status(ranges, error) : status;
}

static void boxes_leave_no_byte_between_them(void **state) {
  (void)state;
  static const odd_carrier cases[] = {{.what = "a gap", .gap = 1},
                                      {.what = "not to the end", .end = 1},
                                      {.what = "not all of them", .empty = true},
                                      {.what = "two stores", .halves = true}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    odd_carrier odd = cases[i];
    odd.carrier = *ink_carrier_named("png");
    odd.carrier.divide = divide_oddly;
    boxed b = boxed_by(&odd.carrier);
    const size_t n = b.n - odd.empty, behind = odd.halves ? 4 : 3;
    entry entries[MOST_ENTRIES] = {{0, 2}, {2, 3}};
    size_t k = 2;
    if (odd.halves) entries[k++] = (entry){.begin = 3, .end = 4};
    entries[k++] = (entry){.begin = behind, .end = n - 1};
    entries[k++] = (entry){.begin = n - 1, .end = n};
    ink_text content = entries_of(&b, entries, k);
    assert_boxes(&b, &odd.carrier, &content, odd.what, unknown_box);
    ink_text_free(&content);
    boxed_free(&b);
  }
}

// ---- what c2pa.hash.data of others leaves out

// The content of a binding that leaves out two ranges of a file, of which one may be empty.
static ink_text leaving_out(const ink_text *file, const ink_digest_range ranges[2]) {
  ink_error error = {0};
  ink_arena *arena = ink_arena_new(1 << 16);
  ink_cbor_builder c = {.arena = arena};
  ink_cbor *map = ink_cbor_new_map(&c), *list = ink_cbor_new_array(&c);
  unsigned char hash[32];
  assert_ok(ink_digest_ranges("sha256", (const unsigned char *)file->bytes, file->size, ranges, 2,
                              false, hash, &error));
  for (int i = 0; i < 2; i++) {
    ink_cbor *one = ink_cbor_new_map(&c);
    ink_cbor_put(&c, one, "start", ink_cbor_new_int(&c, (int64_t)ranges[i].start));
    ink_cbor_put(&c, one, "length", ink_cbor_new_int(&c, (int64_t)ranges[i].length));
    ink_cbor_add(&c, list, one);
  }
  ink_cbor_put(&c, map, "exclusions", list);
  ink_cbor_put_text(&c, map, "alg", "sha256");
  ink_cbor_put(&c, map, "hash", ink_cbor_new_bytes(&c, hash, 32));
  ink_text out = encoded(&c, map);
  ink_arena_free(arena);
  return out;
}

// Ranges apart from the store may be left out, and are told of. The one of the store ends with it:
// it would hide what was changed beside it.
static void what_a_binding_leaves_out_is_judged(void **state) {
  (void)state;
  static const struct {
    size_t before, behind, apart;
    bool touches, good;
  } cases[] = {{0, 0, 0, false, true},
               {0, 0, 4, false, true},
               {0, 0, 4, true, true},
               {0, 1, 0, false, false},
               {1, 0, 0, false, false}};
  const ink_carrier *png = ink_carrier_named("png");
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  blob plain = load("plain.png");
  ink_text first = sign_blob(&plain, png, &manifest, signer);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_error error = {0};
    ink_place place = {0};
    ink_text file = {0};
    ink_c2pa_report report = {0};
    ink_text_add_bytes(&file, first.bytes, first.size);
    assert_ok(png->find(png, (unsigned char *)file.bytes, file.size, &place, &error));
    // Once more for the place of the store that has the ranges, which is as long then.
    for (int pass = 0; pass < 2; pass++) {
      size_t start, length;
      const ink_digest_range ranges[2] = {
          {place.start - cases[i].before, place.length + cases[i].before + cases[i].behind},
          {cases[i].touches ? place.start + place.length : file.size - 4, cases[i].apart}};
      ink_text content = leaving_out(&file, ranges);
      ink_text store =
          resealed(&place.store, &(reseal){.label = "c2pa.hash.data", .content = &content});
      ink_text_clear(&file);
      assert_ok(png->embed(png, plain.bytes, plain.size, (unsigned char *)store.bytes, store.size,
                           &file, &start, &length, &error));
      ink_place_free(&place);
      assert_ok(png->find(png, (unsigned char *)file.bytes, file.size, &place, &error));
      ink_text_free(&content);
      ink_text_free(&store);
    }
    ink_c2pa_state found = state_of(file.bytes, file.size, png, NULL, &report);
    assert_int_equal(found == INK_C2PA_VALID, cases[i].good);
    assert_int_equal(ink_c2pa_failed_with(&report, "assertion.dataHash.mismatch"), !cases[i].good);
    assert_int_equal(ink_c2pa_says(&report, "assertion.dataHash.additionalExclusionsPresent"),
                     cases[i].apart > 0);
    ink_c2pa_report_free(&report);
    ink_place_free(&place);
    ink_text_free(&file);
  }
  ink_text_free(&first);
  free(plain.bytes);
  ink_signer_free(signer);
}

// ---- who signed, and when

static void anchors_make_a_signer_trusted(void **state) {
  (void)state;
  ink_error error = {0};
  ink_anchors *anchors = NULL, *others = NULL;
  assert_ok(ink_anchors_open(fixture_path("mark/authority.pem"), &anchors, &error));
  assert_ok(ink_anchors_open(fixture_path("mark/es256.pem"), &others, &error));
  blob b = load("golden.png");
  const ink_carrier *png = ink_carrier_named("png");
  ink_c2pa_options options = {.anchors = anchors};
  ink_c2pa_report report = {0};
  assert_int_equal(state_of(b.bytes, b.size, png, &options, &report), INK_C2PA_TRUSTED);
  assert_string_equal(codes_of(json_object_get(report.results, "failure")), "");
  ink_c2pa_report_free(&report);
  options.anchors = others;  // of somebody else
  assert_int_equal(state_of(b.bytes, b.size, png, &options, NULL), INK_C2PA_VALID);
  free(b.bytes);
  ink_anchors_free(anchors);
  ink_anchors_free(others);
}

static void signatures_outside_their_certificates_time_are_invalid(void **state) {
  (void)state;
  blob b = load("golden.png");
  const ink_carrier *png = ink_carrier_named("png");
  static const int64_t times[] = {1262304000, 4765132800};  // 2010, 2121
  for (int i = 0; i < 2; i++) {
    ink_c2pa_options options = {.now = times[i]};
    ink_c2pa_report report = {0};
    assert_int_equal(state_of(b.bytes, b.size, png, &options, &report), INK_C2PA_INVALID);
    assert_true(ink_c2pa_failed_with(&report, "claimSignature.outsideValidity"));
    assert_false(ink_c2pa_says(&report, "claimSignature.validated"));
    ink_c2pa_report_free(&report);
  }
  free(b.bytes);
}

// A store of which one thing is wrong, made of a good one.
static ink_c2pa_report report_of_store(const char *old, size_t old_size, const char *new,
                                       size_t n_replace) {
  ink_error error = {0};
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  blob plain = load("plain.png");
  ink_text store = sign_blob(&plain, NULL, &manifest, signer);
  char *at = store.bytes;
  for (size_t i = 0; i < n_replace; i++) {
    at = memmem(at, store.size - (size_t)(at - store.bytes), old, old_size);
    assert_non_null(at);
    memcpy(at, new, old_size);
    at += old_size;
  }
  ink_c2pa_report report = {0};
  assert_ok(ink_c2pa_validate(plain.bytes, plain.size, ink_carrier_named("png"),
                              (unsigned char *)store.bytes, store.size, NULL, &report, &error));
  ink_text_free(&store);
  free(plain.bytes);
  ink_signer_free(signer);
  return report;
}

static void each_fault_has_its_code(void **state) {
  (void)state;
  static const struct {
    const char *old, *new, *code;
    size_t n;
  } cases[] = {
      {"c2pa.claim.v2", "c2pa.claim.v9", "claim.missing", 1},
      {"c2cl", "c2cx", "claim.missing", 1},
      {"instanceIDx,xmp", "instanceIXx,xmp", "claim.malformed", 1},
      {"c2pa.signature", "c2pa.signaturX", "claimSignature.missing", 1},
      {"c2cs", "c2cx", "claimSignature.missing", 1},
      {"urn:c2pa:f9", "urn:c2pa:f8", "claimSignature.missing", 1},
      {"c2as", "c2ax", "assertion.outsideManifest", 1},
      {"c2pa.actions.v2", "c2pa.actions.v3", "assertion.missing", 1},
      {"c2pa.actions.v2", "c2pa.actions.v3", "assertion.undeclared", 1},
      {"c2pa.created", "c2pa.creased", "assertion.hashedURI.mismatch", 1},
      {"c2pa.created", "c2pa.creased", "assertion.action.malformed", 1},
      {"hdc:title", "hdc:titlX", "assertion.hashedURI.mismatch", 1},
      {"c2ma", "c2mx", "claim.missing", 1},
      {"jumdc2pa", "jumdc2px", "general.error", 1},
      {"inkstone tests", "inkstone tesXs", "claimSignature.mismatch", 1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    size_t size = strlen(cases[i].old);
    ink_c2pa_report report = report_of_store(cases[i].old, size, cases[i].new, cases[i].n);
    assert_int_equal(report.state, INK_C2PA_INVALID);
    if (!ink_c2pa_failed_with(&report, cases[i].code)) {
      fail_msg("%s: no %s among %s", cases[i].new, cases[i].code,
               codes_of(json_object_get(report.results, "failure")));
    }
    ink_c2pa_report_free(&report);
  }
}

// A store of manifests that are empty, one behind the other.
static ink_text store_of_empty(size_t n, const char *label) {
  ink_text store = {0};
  size_t all = ink_jumbf_begin(&store, "c2pa", "c2pa");
  for (size_t i = 0; i < n; i++) {
    ink_jumbf_end(&store, ink_jumbf_begin(&store, "c2ma", label));
  }
  ink_jumbf_end(&store, all);
  return store;
}

// What a file repeats without end is told once of each, not of each pair.
static void findings_grow_with_the_file_alone(void **state) {
  (void)state;
  enum { MANIFESTS = 4000 };
  ink_error error = {0};
  ink_c2pa_report report = {0};
  ink_text store = store_of_empty(MANIFESTS, "urn:c2pa:one");
  assert_ok(ink_c2pa_validate((const unsigned char *)"x", 1, NULL, (unsigned char *)store.bytes,
                              store.size, NULL, &report, &error));
  assert_int_equal(report.state, INK_C2PA_INVALID);
  assert_true(ink_c2pa_failed_with(&report, "general.error"));
  assert_int_equal(json_array_size(json_object_get(report.results, "failure")), MANIFESTS);
  ink_c2pa_report_free(&report);
  ink_text_free(&store);
}

static void stores_that_end_early_are_invalid(void **state) {
  (void)state;
  ink_error error = {0};
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  blob plain = load("plain.png");
  ink_text store = sign_blob(&plain, NULL, &manifest, signer);
  for (size_t size = 0; size < store.size; size += 7) {
    ink_c2pa_report report = {0};
    unsigned char *exact = malloc(size ? size : 1);
    memcpy(exact, store.bytes, size);
    assert_ok(ink_c2pa_validate(plain.bytes, plain.size, ink_carrier_named("png"), exact, size,
                                NULL, &report, &error));
    assert_int_equal(report.state, INK_C2PA_INVALID);
    ink_c2pa_report_free(&report);
    free(exact);
  }
  ink_text_free(&store);
  free(plain.bytes);
  ink_signer_free(signer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(public_files_are_judged_as_the_reference_judges_them),
      cmocka_unit_test(files_that_the_reference_signed_are_valid),
      cmocka_unit_test(box_hashes_cover_all_of_a_file),
      cmocka_unit_test(boxes_name_all_parts_in_their_order),
      cmocka_unit_test(boxes_leave_no_byte_between_them),
      cmocka_unit_test(what_a_binding_leaves_out_is_judged),
      cmocka_unit_test(anchors_make_a_signer_trusted),
      cmocka_unit_test(signatures_outside_their_certificates_time_are_invalid),
      cmocka_unit_test(each_fault_has_its_code),
      cmocka_unit_test(findings_grow_with_the_file_alone),
      cmocka_unit_test(stores_that_end_early_are_invalid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
