// The validator: states and codes as c2pa-rs gives them for the same files; trust, time, structure.
#include "marking.h"

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
      cmocka_unit_test(anchors_make_a_signer_trusted),
      cmocka_unit_test(signatures_outside_their_certificates_time_are_invalid),
      cmocka_unit_test(each_fault_has_its_code),
      cmocka_unit_test(stores_that_end_early_are_invalid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
