// What was stripped is found again in the ledger, and only what is the same holds.
#include <math.h>

#include "mark/detect.h"
#include "mark/ledger/picture_identity.h"
#include "mark/ledger/recover.h"
#include "marking.h"
#include "pictures.h"
#include "scratch.h"

typedef struct place {
  char *folder;
  ink_ledger *ledger;
} place;

static int set_up(void **state) {
  ink_error error = {0};
  char path[4096];
  place *p = calloc(1, sizeof *p);
  p->folder = scratch_make();
  snprintf(path, sizeof path, "%s/ledger.db", p->folder);
  *state = p;
  return ink_ledger_open(path, true, &p->ledger, &error) != INK_OK;
}

static int take_down(void **state) {
  place *p = *state;
  ink_ledger_close(p->ledger);
  scratch_remove(p->folder);
  free(p->folder);
  free(p);
  return 0;
}

static void note(const place *p, const char *identity, const ink_text *file, const char *name) {
  ink_error error = {0};
  char path[4200];
  snprintf(path, sizeof path, "%s/%s", p->folder, name);
  ink_ledger_file one = {.path = path, .bytes = file->bytes, .size = file->size};
  ink_ledger_entry entry = {
      .identity = identity, .kind = "picture", .command = "paint", .files = &one, .n_file = 1};
  assert_ok(ink_ledger_append(p->ledger, &entry, &error));
}

static ink_recovery look_up(const place *p, const char *name, const ink_text *file,
                            const char *identity) {
  ink_error error = {0};
  ink_recovery recovery = {0};
  assert_ok(ink_recover(p->ledger, name, file->bytes, file->size, identity, &recovery, &error));
  return recovery;
}

static ink_c2pa_report validated(const ink_recovery *recovery, const char *name,
                                 const ink_text *file) {
  ink_error error = {0};
  ink_c2pa_report report = {0};
  assert_ok(ink_recovery_validate(recovery, name, file->bytes, file->size, NULL, &report, &error));
  return report;
}

// A marked and signed picture, as PNG.
static ink_text marked_png(uint64_t seed, const char *identity, ink_text *bare, ink_picture *out) {
  ink_error error = {0};
  uint8_t value[16];
  ink_picture picture = scene(384, 384, seed);
  assert_ok(ink_picture_identity_write(&picture, identity, &error));
  *bare = encoded_picture(&picture, INK_PICTURE_PNG, 0);
  assert_true(ink_identity_bytes(identity, value));
  ink_c2pa_soft_binding soft = {INK_PICTURE_IDENTITY, value, sizeof value};
  ink_c2pa_manifest manifest = test_manifest();
  manifest.identity = identity;
  manifest.soft = &soft;
  ink_signer *signer = signer_named("es256");
  blob b = {(unsigned char *)bare->bytes, bare->size};
  ink_text made = sign_blob(&b, ink_carrier_named("png"), &manifest, signer);
  ink_signer_free(signer);
  *out = picture;
  return made;
}

static const char *const identities[] = {"f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4",
                                         "0b7c5a1e-3c1d-4b5a-9f00-6f1d2c3b4a59"};

static void a_file_without_its_manifest_is_whole_again(void **state) {
  const place *p = *state;
  ink_text bare[2];
  for (int i = 0; i < 2; i++) {
    ink_picture picture;
    ink_text made = marked_png((uint64_t)i, identities[i], &bare[i], &picture);
    assert_int_equal(state_of(made.bytes, made.size, ink_carrier_named("png"), NULL, NULL),
                     INK_C2PA_VALID);
    note(p, identities[i], &made, "a.png");
    ink_picture_free(&picture);
    ink_text_free(&made);
  }
  for (int i = 0; i < 2; i++) {
    ink_recovery r = look_up(p, "x.png", &bare[i], NULL);
    assert_int_equal(r.by, INK_RECOVERED_CONTENT);
    assert_string_equal(r.identity, identities[i]);
    assert_int_equal(r.n, i + 1);
    ink_c2pa_report report = validated(&r, "x.png", &bare[i]);
    assert_int_equal(report.state, INK_C2PA_VALID);
    assert_true(ink_c2pa_says(&report, "assertion.dataHash.match"));
    ink_c2pa_report_free(&report);
    ink_recovery_free(&r);
    ink_text_free(&bare[i]);
  }
}

static void a_picture_that_was_saved_anew_is_known_by_its_watermark(void **state) {
  const place *p = *state;
  ink_text bare[2];
  ink_picture pictures[2];
  for (int i = 0; i < 2; i++) {
    ink_text made = marked_png((uint64_t)i, identities[i], &bare[i], &pictures[i]);
    note(p, identities[i], &made, "a.png");
    ink_text_free(&made);
  }
  for (int i = 0; i < 2; i++) {
    ink_text jpeg = encoded_picture(&pictures[i], INK_PICTURE_JPEG, 85);
    ink_recovery r = look_up(p, "x.jpg", &jpeg, NULL);
    assert_int_equal(r.by, INK_RECOVERED_WATERMARK);
    assert_string_equal(r.identity, identities[i]);
    assert_true(r.p_value < 1e-9);
    ink_c2pa_report report = validated(&r, "x.jpg", &jpeg);
    // Its signature is good; the bytes are not those that were signed; the watermark is.
    assert_int_equal(report.state, INK_C2PA_INVALID);
    assert_true(ink_c2pa_says(&report, "claimSignature.validated"));
    assert_false(ink_c2pa_says(&report, "assertion.dataHash.match"));
    assert_int_equal(report.soft, INK_C2PA_SOFT_MATCH);
    ink_detection detection = {0};
    ink_detect_record(&r, &detection);
    ink_detect_conclude(&detection);
    assert_int_equal(detection.verdict, INK_VERDICT_GENERATED);
    assert_non_null(strstr(detection.evidence[0].detail, "the ledger holds its manifest"));
    assert_non_null(strstr(detection.evidence[0].detail, identities[i]));
    ink_c2pa_report_free(&report);
    ink_recovery_free(&r);
    // Said to be the other piece, it is not.
    r = look_up(p, "x.jpg", &jpeg, identities[1 - i]);
    assert_int_equal(r.by, INK_RECOVERED_GIVEN);
    report = validated(&r, "x.jpg", &jpeg);
    assert_int_equal(report.soft, INK_C2PA_SOFT_MISMATCH);
    assert_int_equal(report.state, INK_C2PA_INVALID);
    ink_c2pa_report_free(&report);
    ink_recovery_free(&r);
    ink_text_free(&jpeg);
  }
  for (int i = 0; i < 2; i++) {
    ink_picture_free(&pictures[i]);
    ink_text_free(&bare[i]);
  }
}

static void what_was_not_made_here_is_not_found(void **state) {
  const place *p = *state;
  ink_picture picture;
  ink_text bare, made = marked_png(1, identities[0], &bare, &picture);
  note(p, identities[0], &made, "a.png");
  for (uint64_t seed = 10; seed < 40; seed++) {
    int32_t side = 256 + 16 * (int32_t)(seed % 5);
    ink_picture other = scene(side, side, seed);
    ink_text file = encoded_picture(&other, INK_PICTURE_PNG, 0);
    ink_recovery r = look_up(p, "x.png", &file, NULL);
    assert_int_equal(r.by, INK_RECOVERED_NOT);
    ink_identity_reading reading;
    ink_error error = {0};
    assert_ok(ink_picture_identity_read(&other, &reading, &error));
    assert_false(reading.whole);
    ink_picture_free(&other);
    ink_text_free(&file);
  }
  ink_text prose = {0};
  ink_text_add(&prose, "A person wrote this, and nobody else had a hand in it.\n");
  ink_recovery r = look_up(p, "x.txt", &prose, NULL);
  assert_int_equal(r.by, INK_RECOVERED_NOT);
  ink_text_free(&prose);
  ink_picture_free(&picture);
  ink_text_free(&bare);
  ink_text_free(&made);
}

// Where the manifest was, its hash leaves room for as many other bytes: they are not excused.
static void other_bytes_in_the_place_of_the_manifest_do_not_hold(void **state) {
  const place *p = *state;
  ink_error error = {0};
  ink_picture picture;
  ink_text bare, made = marked_png(1, identities[0], &bare, &picture);
  note(p, identities[0], &made, "a.png");
  ink_place found = {0};
  const ink_carrier *png = ink_carrier_named("png");
  assert_ok(png->find(png, (unsigned char *)made.bytes, made.size, &found, &error));
  ink_text forged = {0};
  ink_text_add_bytes(&forged, made.bytes, made.size);
  memcpy(forged.bytes + found.start + 4, "prVt", 4);
  assert_int_equal(state_of(forged.bytes, forged.size, png, NULL, NULL), INK_C2PA_NONE);
  ink_recovery r = look_up(p, "x.png", &forged, identities[0]);
  ink_c2pa_report report = validated(&r, "x.png", &forged);
  assert_int_equal(report.state, INK_C2PA_INVALID);
  assert_true(ink_c2pa_failed_with(&report, "assertion.dataHash.mismatch"));
  ink_c2pa_report_free(&report);
  ink_recovery_free(&r);
  ink_place_free(&found);
  ink_text_free(&forged);
  ink_text_free(&bare);
  ink_text_free(&made);
  ink_picture_free(&picture);
}

static void texts_are_known_by_words_and_labels(void **state) {
  const place *p = *state;
  static const char markdown[] =
      "---\nAIGC:\n  Label: \"1\"\n  ContentProducer: \"inkstone\"\n  ProduceID: "
      "\"f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4\"\n---\n\n山月随人归，\n秋灯照客衣。\n\n夜深人未寐\n";
  ink_c2pa_manifest manifest = test_manifest();
  ink_signer *signer = signer_named("es256");
  blob b = {(unsigned char *)(uintptr_t)markdown, strlen(markdown)};
  ink_text made = sign_blob(&b, ink_carrier_named("markdown"), &manifest, signer);
  note(p, identities[0], &made, "a.md");
  ink_text pasted = {0}, edited = {0}, bare = {0};
  ink_text_add(&pasted, "山月随人归，秋灯照客衣。 夜深人未寐");
  ink_recovery r = look_up(p, "x.txt", &pasted, NULL);
  assert_int_equal(r.by, INK_RECOVERED_WORDS);
  assert_string_equal(r.identity, identities[0]);
  ink_c2pa_report report = validated(&r, "x.txt", &pasted);
  assert_int_equal(report.state, INK_C2PA_INVALID);
  assert_true(ink_c2pa_says(&report, "claimSignature.validated"));
  ink_c2pa_report_free(&report);
  ink_recovery_free(&r);
  // Other words under the label: found, and nothing is proved by that.
  ink_text_add_bytes(&edited, markdown, strlen(markdown));
  ink_text_add(&edited, "别有一句\n");
  r = look_up(p, "x.md", &edited, NULL);
  assert_int_equal(r.by, INK_RECOVERED_LABEL);
  ink_detection detection = {0};
  ink_detect_record(&r, &detection);
  assert_false(detection.evidence[0].found);
  ink_recovery_free(&r);
  ink_text_add_bytes(&bare, markdown, strlen(markdown));
  r = look_up(p, "x.md", &bare, NULL);
  assert_int_equal(r.by, INK_RECOVERED_CONTENT);
  report = validated(&r, "x.md", &bare);
  assert_int_equal(report.state, INK_C2PA_VALID);
  ink_c2pa_report_free(&report);
  ink_recovery_free(&r);
  ink_text_free(&pasted);
  ink_text_free(&edited);
  ink_text_free(&bare);
  ink_text_free(&made);
  ink_signer_free(signer);
}

static void every_carrier_gets_its_manifest_back(void **state) {
  const place *p = *state;
  ink_signer *signer = signer_named("es256");
  for (size_t i = 0; i < N_SAMPLE; i++) {
    ink_error error = {0};
    const ink_carrier *carrier = ink_carrier_named(samples[i].carrier);
    blob b = sample_blob(&samples[i]);
    char name[64];
    snprintf(name, sizeof name, "a%zu.%s", i, carrier->endings[0]);
    ink_c2pa_manifest manifest = test_manifest();
    ink_text made = sign_blob(&b, carrier, &manifest, signer), bare = {0};
    note(p, NULL, &made, name);
    assert_ok(ink_carrier_remove(carrier, (unsigned char *)made.bytes, made.size, &bare, &error));
    ink_recovery r = look_up(p, name, &bare, NULL);
    assert_int_equal(r.by, INK_RECOVERED_CONTENT);
    ink_c2pa_report report = validated(&r, name, &bare);
    if (report.state != INK_C2PA_VALID) fail_msg("%s", samples[i].carrier);
    ink_c2pa_report_free(&report);
    ink_recovery_free(&r);
    ink_text_free(&made);
    ink_text_free(&bare);
    free(b.bytes);
  }
  ink_signer_free(signer);
}

static void a_watermark_that_nothing_describes_is_a_fault(void **state) {
  (void)state;
  ink_signer *signer = signer_named("es256");
  ink_c2pa_manifest manifest = test_manifest();
  ink_c2pa_action actions[] = {test_action, {.action = "c2pa.watermarked.bound"}};
  manifest.actions = actions;
  manifest.n_action = 2;
  blob plain = load("plain.png");
  ink_text made = sign_blob(&plain, ink_carrier_named("png"), &manifest, signer);
  ink_c2pa_report report = {0};
  assert_int_equal(state_of(made.bytes, made.size, ink_carrier_named("png"), NULL, &report),
                   INK_C2PA_INVALID);
  assert_true(ink_c2pa_failed_with(&report, "assertion.action.softBindingMissing"));
  ink_c2pa_report_free(&report);
  ink_text_free(&made);
  ink_signer_free(signer);
  free(plain.bytes);
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, take_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_PLACE(a_file_without_its_manifest_is_whole_again),
      WITH_PLACE(a_picture_that_was_saved_anew_is_known_by_its_watermark),
      WITH_PLACE(what_was_not_made_here_is_not_found),
      WITH_PLACE(other_bytes_in_the_place_of_the_manifest_do_not_hold),
      WITH_PLACE(texts_are_known_by_words_and_labels),
      WITH_PLACE(every_carrier_gets_its_manifest_back),
      cmocka_unit_test(a_watermark_that_nothing_describes_is_a_fault),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
