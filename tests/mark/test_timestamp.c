// Time-stamps are asked for, put beside the signature, and judged.
#include "mark/c2pa/jumbf.h"
#include "mark/c2pa/stamper.h"
#include "marking.h"
#include "stamp_server.h"

#define NEEDS_OPENSSL()                                \
  if (!stamp_folder) {                                 \
    print_message("# openssl is not here: skipped\n"); \
    skip();                                            \
  }

static ink_anchors *stamp_anchors(void) {
  ink_error error = {0};
  ink_anchors *anchors = NULL;
  char path[4200];
  snprintf(path, sizeof path, "%s/ca.pem", stamp_folder);
  assert_ok(ink_anchors_open(path, &anchors, &error));
  return anchors;
}

static void stamped_signatures_are_validated(void **state) {
  (void)state;
  NEEDS_OPENSSL();
  stamp_server server = stamp_start(stamp_folder, STAMP_GOOD);
  ink_stamper stamper = {.stamp = ink_stamper_ask, .url = server.url};
  ink_signer *signer = signer_named("es256");
  ink_anchors *anchors = stamp_anchors();
  signer->stamper = &stamper;
  ink_c2pa_manifest manifest = test_manifest();
  // One of each way of placing a store: binary, escaped in segments, in Base64.
  static const char *const names[] = {"png", "jpeg", "html", "markdown", "pdf"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const sample *s = sample_for(names[i]);
    blob b = sample_blob(s);
    const ink_carrier *carrier = ink_carrier_named(names[i]);
    ink_text made = sign_blob(&b, carrier, &manifest, signer);
    ink_c2pa_options options = {.stamp_anchors = anchors};
    ink_c2pa_report report = {0};
    assert_int_equal(state_of(made.bytes, made.size, carrier, &options, &report), INK_C2PA_VALID);
    assert_true(ink_c2pa_says(&report, "timeStamp.validated"));
    assert_true(ink_c2pa_says(&report, "timeStamp.trusted"));
    ink_c2pa_report_free(&report);
    ink_text_free(&made);
    free(b.bytes);
  }
  ink_anchors_free(anchors);
  ink_signer_free(signer);
  stamp_stop(&server);
}

static ink_text stamped_png(stamp_way way, ink_signer *signer) {
  stamp_server server = stamp_start(stamp_folder, way);
  ink_stamper stamper = {.stamp = ink_stamper_ask, .url = server.url};
  signer->stamper = &stamper;
  ink_c2pa_manifest manifest = test_manifest();
  blob plain = load("plain.png");
  ink_text made = sign_blob(&plain, ink_carrier_named("png"), &manifest, signer);
  signer->stamper = NULL;
  free(plain.bytes);
  stamp_stop(&server);
  return made;
}

// The certificate has ended long ago; that it was valid then is what the stamp is for.
static void a_trusted_stamp_outlives_the_certificate(void **state) {
  (void)state;
  NEEDS_OPENSSL();
  ink_signer *signer = signer_named("es256");
  ink_text made = stamped_png(STAMP_GOOD, signer);
  ink_anchors *anchors = stamp_anchors();
  const ink_carrier *png = ink_carrier_named("png");
  ink_c2pa_report report = {0};
  ink_c2pa_options later = {.stamp_anchors = anchors, .now = signer->not_after + 1000};
  assert_int_equal(state_of(made.bytes, made.size, png, &later, &report), INK_C2PA_VALID);
  ink_c2pa_report_free(&report);
  later.stamp_anchors = NULL;
  assert_int_equal(state_of(made.bytes, made.size, png, &later, &report), INK_C2PA_INVALID);
  assert_true(ink_c2pa_says(&report, "timeStamp.untrusted"));
  assert_true(ink_c2pa_failed_with(&report, "claimSignature.outsideValidity"));
  ink_c2pa_report_free(&report);
  ink_anchors_free(anchors);
  ink_text_free(&made);
  ink_signer_free(signer);
}

static ink_text stamped_sidecar(ink_signer *signer) {
  ink_error error = {0};
  ink_c2pa_manifest manifest = test_manifest();
  ink_text side = {0};
  assert_ok(
      ink_c2pa_sign((const unsigned char *)"data", 4, NULL, &manifest, signer, &side, &error));
  return side;
}

static ink_c2pa_report report_of(const ink_text *side, const ink_c2pa_options *options) {
  ink_error error = {0};
  ink_c2pa_report report = {0};
  assert_ok(ink_c2pa_validate((const unsigned char *)"data", 4, NULL, (unsigned char *)side->bytes,
                              side->size, options, &report, &error));
  return report;
}

// It lies outside the claim's signature: what was changed in it is told, and it counts for nothing.
static void a_changed_stamp_counts_for_nothing(void **state) {
  (void)state;
  NEEDS_OPENSSL();
  stamp_server server = stamp_start(stamp_folder, STAMP_GOOD);
  ink_stamper stamper = {.stamp = ink_stamper_ask, .url = server.url};
  ink_signer *signer = signer_named("es256");
  signer->stamper = &stamper;
  ink_text made = stamped_sidecar(signer);
  ink_anchors *anchors = stamp_anchors();
  ink_c2pa_options later = {.stamp_anchors = anchors, .now = signer->not_after + 1000};
  ink_c2pa_report report = report_of(&made, &later);
  assert_int_equal(report.state, INK_C2PA_VALID);
  ink_c2pa_report_free(&report);
  char *name = memmem(made.bytes, made.size, "TestStamps", 10);
  assert_non_null(name);
  name[0] ^= 1;
  report = report_of(&made, &later);
  assert_int_equal(report.state, INK_C2PA_INVALID);
  assert_false(ink_c2pa_says(&report, "timeStamp.trusted"));
  assert_true(ink_c2pa_failed_with(&report, "claimSignature.outsideValidity"));
  ink_c2pa_report_free(&report);
  ink_anchors_free(anchors);
  ink_text_free(&made);
  ink_signer_free(signer);
  stamp_stop(&server);
}

// A byte string of two bytes of length under "val".
static char *token_in(const ink_text *side, size_t *size) {
  char *at = memmem(side->bytes, side->size, "cval\x59", 5);
  assert_non_null(at);
  *size = (size_t)((unsigned char)at[5] << 8 | (unsigned char)at[6]);
  return at + 7;
}

static void a_stamp_of_another_signature_is_a_mismatch(void **state) {
  (void)state;
  NEEDS_OPENSSL();
  stamp_server server = stamp_start(stamp_folder, STAMP_GOOD);
  ink_stamper stamper = {.stamp = ink_stamper_ask, .url = server.url};
  ink_signer *signer = signer_named("es256");
  signer->stamper = &stamper;
  ink_text one = stamped_sidecar(signer);
  size_t n = 0, m = 0;
  char *token = token_in(&one, &n);
  // ECDSA makes tokens of several lengths, some of them rare: two of one length follow each other
  // soon.
  for (int i = 0; i < 100 && m != n; i++) {
    ink_text two = stamped_sidecar(signer);
    const char *other = token_in(&two, &m);
    if (m == n) {
      memcpy(token, other, n);
      ink_text_free(&two);
      break;
    }
    ink_text_free(&one);
    one = two;
    token = token_in(&one, &n);
    m = 0;
  }
  assert_int_equal(m, n);
  ink_c2pa_report report = report_of(&one, NULL);
  assert_true(ink_c2pa_says(&report, "timeStamp.mismatch"));
  assert_false(ink_c2pa_says(&report, "timeStamp.validated"));
  assert_int_equal(report.state, INK_C2PA_VALID);  // a stamp that is none is as no stamp
  ink_c2pa_report_free(&report);
  ink_text_free(&one);
  ink_signer_free(signer);
  stamp_stop(&server);
}

static void a_token_larger_than_expected_finds_room(void **state) {
  (void)state;
  NEEDS_OPENSSL();
  ink_signer *signer = signer_named("es256");
  ink_text made = stamped_png(STAMP_LARGE, signer);
  ink_c2pa_report report = {0};
  assert_int_equal(state_of(made.bytes, made.size, ink_carrier_named("png"), NULL, &report),
                   INK_C2PA_VALID);
  assert_true(ink_c2pa_says(&report, "timeStamp.validated"));
  ink_c2pa_report_free(&report);
  ink_text_free(&made);
  ink_signer_free(signer);
}

static void sidecars_are_stamped_and_plain_text_is_not(void **state) {
  (void)state;
  NEEDS_OPENSSL();
  ink_error error = {0};
  stamp_server server = stamp_start(stamp_folder, STAMP_GOOD);
  ink_stamper stamper = {.stamp = ink_stamper_ask, .url = server.url};
  ink_signer *signer = signer_named("es256");
  signer->stamper = &stamper;
  ink_c2pa_manifest manifest = test_manifest();
  ink_text side = {0}, text = {0};
  assert_ok(
      ink_c2pa_sign((const unsigned char *)"data", 4, NULL, &manifest, signer, &side, &error));
  ink_c2pa_report report = {0};
  assert_ok(ink_c2pa_validate((const unsigned char *)"data", 4, NULL, (unsigned char *)side.bytes,
                              side.size, NULL, &report, &error));
  assert_int_equal(report.state, INK_C2PA_VALID);
  assert_true(ink_c2pa_says(&report, "timeStamp.validated"));
  ink_c2pa_report_free(&report);
  assert_int_equal(ink_c2pa_sign((const unsigned char *)"words", 5, ink_carrier_named("text"),
                                 &manifest, signer, &text, &error),
                   INK_ERR_UNSUPPORTED);
  assert_non_null(strstr(error.text, "--sidecar"));
  ink_text_free(&side);
  ink_text_free(&text);
  ink_signer_free(signer);
  stamp_stop(&server);
}

static void what_is_no_answer_is_named(void **state) {
  (void)state;
  NEEDS_OPENSSL();
  static const struct {
    stamp_way way;
    ink_status status;
    const char *words;
  } cases[] = {{STAMP_OTHER_HASH, INK_ERR_CONFLICT, "of something else"},
               {STAMP_OTHER_NONCE, INK_ERR_CONFLICT, "nonce"},
               {STAMP_REFUSED, INK_ERR_NETWORK, "refuses a time-stamp (status 2"},
               {STAMP_HTTP_ERROR, INK_ERR_NETWORK, "HTTP 503"},
               {STAMP_GARBAGE, INK_ERR_NETWORK, "its answer is none"},
               {STAMP_SILENT, INK_ERR_NETWORK, "in time"}};
  ink_signer *signer = signer_named("es256");
  ink_c2pa_manifest manifest = test_manifest();
  blob plain = load("plain.png");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_error error = {0};
    ink_text out = {0};
    stamp_server server = stamp_start(stamp_folder, cases[i].way);
    ink_stamper stamper = {.stamp = ink_stamper_ask,
                           .url = server.url,
                           .seconds = cases[i].way == STAMP_SILENT ? 1 : 0};
    signer->stamper = &stamper;
    ink_status status = ink_c2pa_sign(plain.bytes, plain.size, ink_carrier_named("png"), &manifest,
                                      signer, &out, &error);
    if (status != cases[i].status || !strstr(error.text, cases[i].words)) {
      fail_msg("way %d: %s", cases[i].way, error.text);
    }
    assert_int_equal(out.size, 0);
    ink_text_free(&out);
    stamp_stop(&server);
    // Nobody listens there any more.
    if (i == 0) {
      assert_int_equal(ink_stamper_ask(&stamper, "x", 1, &out, &error), INK_ERR_NETWORK);
    }
  }
  ink_error error = {0};
  ink_text out = {0};
  ink_stamper wrong = {.url = "file:///etc/passwd"};
  assert_int_equal(ink_stamper_ask(&wrong, "x", 1, &out, &error), INK_ERR_USAGE);
  free(plain.bytes);
  ink_signer_free(signer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(stamped_signatures_are_validated),
      cmocka_unit_test(a_trusted_stamp_outlives_the_certificate),
      cmocka_unit_test(a_changed_stamp_counts_for_nothing),
      cmocka_unit_test(a_stamp_of_another_signature_is_a_mismatch),
      cmocka_unit_test(a_token_larger_than_expected_finds_room),
      cmocka_unit_test(sidecars_are_stamped_and_plain_text_is_not),
      cmocka_unit_test(what_is_no_answer_is_named),
  };
  return cmocka_run_group_tests(tests, stamp_set_up, stamp_take_down);
}
