// Manifests: what is signed is Valid on every carrier and with every algorithm, says what it was
// told to say, and comes out the same every time.
#include "base/hash.h"
#include "mark/c2pa/certificate.h"
#include "marking.h"

static void signed_files_are_valid_on_every_carrier(void **state) {
  (void)state;
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  for (size_t i = 0; i < N_SAMPLE; i++) {
    const ink_carrier *carrier = ink_carrier_named(samples[i].carrier);
    blob plain = sample_blob(&samples[i]);
    ink_text file = sign_blob(&plain, carrier, &manifest, signer);
    ink_c2pa_report report = {0};
    assert_int_equal(state_of(file.bytes, file.size, carrier, NULL, &report), INK_C2PA_VALID);
    assert_string_equal(report.active, "urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4");
    // No failure but that nobody is trusted.
    assert_int_equal(json_array_size(json_object_get(report.results, "failure")), 1);
    assert_true(ink_c2pa_failed_with(&report, "signingCredential.untrusted"));
    assert_true(ink_c2pa_says(&report, "claimSignature.insideValidity"));
    assert_true(ink_c2pa_says(
        &report, carrier->collect ? "assertion.collectionHash.match" : "assertion.dataHash.match"));
    ink_c2pa_report_free(&report);
    ink_text_free(&file);
    free(plain.bytes);
  }
  ink_signer_free(signer);
}

static void sidecars_bind_the_file_as_it_is(void **state) {
  (void)state;
  ink_error error = {0};
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  blob plain = load("plain.png");
  ink_text store = sign_blob(&plain, NULL, &manifest, signer);
  ink_c2pa_report report = {0};
  for (int changed = 0; changed < 2; changed++) {
    plain.bytes[plain.size - 20] ^= (unsigned char)changed;
    assert_ok(ink_c2pa_validate(plain.bytes, plain.size, ink_carrier_named("png"),
                                (unsigned char *)store.bytes, store.size, NULL, &report, &error));
    assert_int_equal(report.state, changed ? INK_C2PA_INVALID : INK_C2PA_VALID);
    ink_c2pa_report_free(&report);
  }
  ink_text_free(&store);
  free(plain.bytes);
  ink_signer_free(signer);
}

// By its parts a file is bound as by its bytes: none but those of the store may be others.
static void boxes_bind_every_byte_but_the_store(void **state) {
  (void)state;
  static const char *const names[] = {"png", "jpeg", "gif", "webp", "wav"};
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  manifest.binding = INK_C2PA_BIND_BOXES;
  for (size_t i = 0; i < 2 * sizeof names / sizeof *names; i++) {
    // Stores of even and of odd length, which RIFF evens.
    ink_error error = {0};
    manifest.reserve = i % 2;
    const ink_carrier *carrier = ink_carrier_named(names[i / 2]);
    const sample *s = sample_for(carrier->name);
    blob plain = sample_blob(s);
    ink_text file = sign_blob(&plain, carrier, &manifest, signer);
    ink_c2pa_report report = {0};
    ink_place place = {0};
    assert_int_equal(state_of(file.bytes, file.size, carrier, NULL, &report), INK_C2PA_VALID);
    assert_true(ink_c2pa_says(&report, "assertion.boxesHash.match"));
    assert_int_equal(json_array_size(json_object_get(report.results, "failure")), 1);
    assert_null(ink_c2pa_assertion_of(&report, "c2pa.hash.data"));
    ink_c2pa_report_free(&report);
    assert_ok(carrier->find(carrier, (unsigned char *)file.bytes, file.size, &place, &error));
    for (size_t at = 0; at < file.size; at++) {
      if (at >= place.start && at < place.start + place.length) continue;
      file.bytes[at] ^= 1;
      if (state_of(file.bytes, file.size, carrier, NULL, NULL) >= INK_C2PA_VALID) {
        fail_msg("%s: byte %zu may change", carrier->name, at);
      }
      file.bytes[at] ^= 1;
    }
    // Nor may something stand behind the last part.
    char *longer = malloc(file.size + 1);
    memcpy(longer, file.bytes, file.size);
    longer[file.size] = 0;
    assert_int_equal(state_of(longer, file.size + 1, carrier, NULL, NULL), INK_C2PA_INVALID);
    free(longer);
    ink_place_free(&place);
    ink_text_free(&file);
    free(plain.bytes);
  }
  ink_signer_free(signer);
}

// A part more, and one of another name.
static void parts_that_were_not_signed_are_told(void **state) {
  (void)state;
  static const char chunk[12] = "\0\0\0\0inKs";
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  manifest.binding = INK_C2PA_BIND_BOXES;
  const ink_carrier *png = ink_carrier_named("png");
  blob plain = load("plain.png");
  ink_text file = sign_blob(&plain, png, &manifest, signer), longer = {0};
  ink_c2pa_report report = {0};
  size_t before = file.size - 12;  // IEND
  ink_text_add_bytes(&longer, file.bytes, before);
  ink_text_add_bytes(&longer, chunk, sizeof chunk);
  ink_text_add_bytes(&longer, file.bytes + before, file.size - before);
  assert_int_equal(state_of(longer.bytes, longer.size, png, NULL, &report), INK_C2PA_INVALID);
  assert_true(ink_c2pa_failed_with(&report, "assertion.boxesHash.unknownBox"));
  ink_c2pa_report_free(&report);
  char *name = file.bytes + before;
  while (memcmp(name, "IDAT", 4) != 0) name--;
  name[0] = 'i';
  assert_int_equal(state_of(file.bytes, file.size, png, NULL, &report), INK_C2PA_INVALID);
  assert_true(ink_c2pa_failed_with(&report, "assertion.boxesHash.unknownBox"));
  ink_c2pa_report_free(&report);
  ink_text_free(&longer);
  ink_text_free(&file);
  free(plain.bytes);
  ink_signer_free(signer);
}

static void boxes_bind_no_file_without_parts(void **state) {
  (void)state;
  ink_error error = {0};
  ink_text out = {0};
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  manifest.binding = INK_C2PA_BIND_BOXES;
  blob plain = load("plain.svg");
  const ink_carrier *svg = ink_carrier_named("svg");
  assert_int_equal(ink_c2pa_sign(plain.bytes, plain.size, svg, &manifest, signer, &out, &error),
                   INK_ERR_UNSUPPORTED);
  assert_int_equal(ink_c2pa_sign(plain.bytes, plain.size, NULL, &manifest, signer, &out, &error),
                   INK_ERR_UNSUPPORTED);
  assert_int_equal(out.size, 0);
  free(plain.bytes);
  ink_signer_free(signer);
}

static void every_algorithm_signs_and_verifies(void **state) {
  (void)state;
  static const char *const names[] = {"ed25519", "es256", "es384", "es512", "ps256"};
  ink_c2pa_manifest manifest = test_manifest();
  const ink_carrier *carrier = ink_carrier_named("png");
  blob plain = load("plain.png");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    ink_signer *signer = signer_named(names[i]);
    ink_text file = sign_blob(&plain, carrier, &manifest, signer);
    ink_c2pa_report report = {0};
    assert_int_equal(state_of(file.bytes, file.size, carrier, NULL, &report), INK_C2PA_VALID);
    const json_t *signature = json_object_get(json_array_get(report.manifests, 0), "signature");
    assert_string_equal(json_string_value(json_object_get(signature, "algorithm")), names[i]);
    ink_c2pa_report_free(&report);
    ink_text_free(&file);
    ink_signer_free(signer);
  }
  free(plain.bytes);
}

// Bytes that c2pa-python and an independent checker find Valid (tests/reference/check_c2pa.py).
// With INKSTONE_WRITE_GOLDEN=FOLDER they are written anew.
static void the_same_description_gives_the_same_bytes(void **state) {
  (void)state;
  static const struct {
    const char *carrier, *plain, *golden;
  } cases[] = {{"png", "plain.png", "golden.png"},
               {"jpeg", "plain.jpg", "golden.jpg"},
               {"webp", "plain.webp", "golden.webp"},
               {"svg", "plain.svg", "golden.svg"}};
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  const char *update = getenv("INKSTONE_WRITE_GOLDEN");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    blob plain = load(cases[i].plain);
    ink_text file = sign_blob(&plain, ink_carrier_named(cases[i].carrier), &manifest, signer);
    if (update) {
      char path[4096];
      ink_error error = {0};
      snprintf(path, sizeof path, "%s/%s", update, cases[i].golden);
      assert_ok(ink_file_save(path, file.bytes, file.size, &error));
    }
    blob golden = load(cases[i].golden);
    assert_int_equal(file.size, golden.size);
    assert_memory_equal(file.bytes, golden.bytes, golden.size);
    free(golden.bytes);
    free(plain.bytes);
    ink_text_free(&file);
  }
  ink_signer_free(signer);
}

static void assertions_say_what_they_were_told(void **state) {
  (void)state;
  json_t *recipe = json_pack("{s:i, s:s}", "seed", 7, "sampler", "top-p");
  ink_c2pa_assertion own[] = {{"org.inkstone.recipe", recipe}, {"org.inkstone.recipe", recipe}};
  ink_c2pa_manifest manifest = test_manifest();
  manifest.assertions = own;
  manifest.n_assertion = 2;
  ink_signer *signer = signer_named("ed25519");
  const ink_carrier *carrier = ink_carrier_named("png");
  blob plain = load("plain.png");
  ink_text file = sign_blob(&plain, carrier, &manifest, signer);
  ink_c2pa_report report = {0};
  assert_int_equal(state_of(file.bytes, file.size, carrier, NULL, &report), INK_C2PA_VALID);
  assert_true(json_equal(ink_c2pa_assertion_of(&report, "org.inkstone.recipe"), recipe));
  assert_true(json_equal(ink_c2pa_assertion_of(&report, "org.inkstone.recipe__1"), recipe));
  const json_t *actions = ink_c2pa_assertion_of(&report, "c2pa.actions.v2");
  const json_t *action = json_array_get(json_object_get(actions, "actions"), 0);
  assert_true(json_is_true(json_object_get(actions, "allActionsIncluded")));
  assert_string_equal(json_string_value(json_object_get(action, "action")), "c2pa.created");
  assert_string_equal(json_string_value(json_object_get(action, "digitalSourceType")),
                      INK_SOURCE_TRAINED);
  assert_string_equal(json_string_value(json_object_get(action, "when")), "2026-01-02T03:04:05Z");
  const json_t *parameters = json_object_get(action, "parameters");
  assert_int_equal(json_array_size(json_object_get(parameters, "ingredients")), 2);
  const json_t *prompt = ink_c2pa_assertion_of(&report, "c2pa.ingredient.v3");
  assert_string_equal(json_string_value(json_object_get(prompt, "dc:title")), "prompt");
  assert_non_null(ink_c2pa_assertion_of(&report, "c2pa.embedded-data"));
  const json_t *training = ink_c2pa_assertion_of(&report, "cawg.training-mining");
  assert_int_equal(json_object_size(json_object_get(training, "entries")), 4);
  ink_c2pa_report_free(&report);
  ink_text_free(&file);
  free(plain.bytes);
  ink_signer_free(signer);
  json_decref(recipe);
}

// The manifests of what was edited stay, and what they say of it is looked at too.
static void parents_are_kept_and_looked_at(void **state) {
  (void)state;
  ink_error error = {0};
  ink_signer *signer = signer_named("ed25519");
  const ink_carrier *carrier = ink_carrier_named("png");
  ink_c2pa_manifest first = test_manifest();
  blob plain = load("plain.png");
  ink_text parent = sign_blob(&plain, carrier, &first, signer), file = {0};
  ink_place place = {0};
  ink_c2pa_report report = {0};
  assert_int_equal(state_of(parent.bytes, parent.size, carrier, NULL, &report), INK_C2PA_VALID);
  assert_ok(carrier->find(carrier, (unsigned char *)parent.bytes, parent.size, &place, &error));
  json_t *validation = json_pack("{s:O}", "activeManifest", report.results);
  ink_c2pa_ingredient ingredient = {.relationship = "parentOf",
                                    .title = "before",
                                    .format = "image/png",
                                    .store = place.store.bytes,
                                    .store_size = place.store.size,
                                    .validation = validation};
  ink_c2pa_action opened = {.action = "c2pa.opened"};
  ink_c2pa_manifest second = {.identity = "0a0a0a0a-ceb2-4faa-b6bf-329bf39fa1e4",
                              .created = "2026-01-02T03:04:05Z",
                              .title = "after",
                              .actions = &opened,
                              .n_action = 1,
                              .ingredients = &ingredient,
                              .n_ingredient = 1};
  assert_int_equal(ink_c2pa_sign((unsigned char *)parent.bytes, parent.size, carrier, &second,
                                 signer, &file, &error),
                   INK_ERR_CONFLICT);
  file = sign_blob(&plain, carrier, &second, signer);
  ink_c2pa_report_free(&report);
  assert_int_equal(state_of(file.bytes, file.size, carrier, NULL, &report), INK_C2PA_VALID);
  assert_int_equal(json_array_size(report.manifests), 2);
  ink_c2pa_report_free(&report);
  // A byte of the parent's claim: its manifest is not what the child saw.
  char *at =
      memmem(file.bytes, file.size, "f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4/c2pa.signature", 51);
  assert_non_null(at);
  at[-1] ^= 1;
  size_t crc = 33;  // of the chunk, so that the fault is found behind the carrier
  (void)crc;
  assert_int_equal(state_of(file.bytes, file.size, carrier, NULL, &report), INK_C2PA_INVALID);
  ink_c2pa_report_free(&report);
  ink_place_free(&place);
  ink_text_free(&parent);
  ink_text_free(&file);
  json_decref(validation);
  free(plain.bytes);
  ink_signer_free(signer);
}

// Two ingredients of one piece: what each refers to is there, once; two manifests of one name that
// differ cannot both be kept.
static void what_two_ingredients_carry_is_kept_once(void **state) {
  (void)state;
  enum { SAME, OTHER_BYTE, OTHER_SIZE, CASES };
  ink_signer *signer = signer_named("ed25519");
  const ink_carrier *carrier = ink_carrier_named("png");
  ink_c2pa_manifest first = test_manifest();
  blob plain = load("plain.png");
  for (int i = 0; i < CASES; i++) {
    ink_error error = {0};
    ink_place places[2] = {{0}, {0}};
    ink_text file = {0};
    json_t *validation = json_pack("{s:{}}", "activeManifest");
    for (int j = 0; j < 2; j++) {
      first.title = j && i == OTHER_BYTE ? "秋天" : j && i == OTHER_SIZE ? "秋夜。" : "秋夜";
      ink_text before = sign_blob(&plain, carrier, &first, signer);
      assert_ok(
          carrier->find(carrier, (unsigned char *)before.bytes, before.size, &places[j], &error));
      ink_text_free(&before);
    }
    const ink_c2pa_ingredient ingredients[] = {{.relationship = "parentOf",
                                                .title = "before",
                                                .store = places[0].store.bytes,
                                                .store_size = places[0].store.size,
                                                .validation = validation},
                                               {.relationship = "componentOf",
                                                .title = "beside",
                                                .store = places[1].store.bytes,
                                                .store_size = places[1].store.size,
                                                .validation = validation}};
    const ink_c2pa_action actions[] = {{.action = "c2pa.opened"}, {.action = "c2pa.placed"}};
    const ink_c2pa_manifest second = {.identity = "0a0a0a0a-ceb2-4faa-b6bf-329bf39fa1e4",
                                      .created = "2026-01-02T03:04:05Z",
                                      .title = "after",
                                      .actions = actions,
                                      .n_action = 2,
                                      .ingredients = ingredients,
                                      .n_ingredient = 2};
    ink_status status =
        ink_c2pa_sign(plain.bytes, plain.size, carrier, &second, signer, &file, &error);
    if (i == SAME) {
      ink_c2pa_report report = {0};
      assert_ok(status);
      assert_int_equal(state_of(file.bytes, file.size, carrier, NULL, &report), INK_C2PA_VALID);
      assert_int_equal(json_array_size(report.manifests), 2);
      ink_c2pa_report_free(&report);
    } else {
      assert_int_equal(status, INK_ERR_CONFLICT);
      assert_non_null(strstr(error.text, "beside"));
    }
    ink_text_free(&file);
    ink_place_free(&places[0]);
    ink_place_free(&places[1]);
    json_decref(validation);
  }
  free(plain.bytes);
  ink_signer_free(signer);
}

static void descriptions_that_break_the_rules_are_refused(void **state) {
  (void)state;
  ink_signer *signer = signer_named("ed25519");
  blob plain = load("plain.png");
  ink_c2pa_action edited = {.action = "c2pa.edited"};
  ink_c2pa_manifest bad[3] = {test_manifest(), test_manifest(), test_manifest()};
  bad[0].actions = &edited;
  bad[1].n_action = 0;
  bad[2].identity = "short";
  for (size_t i = 0; i < 3; i++) {
    ink_error error = {0};
    ink_text out = {0};
    assert_int_equal(ink_c2pa_sign(plain.bytes, plain.size, ink_carrier_named("png"), &bad[i],
                                   signer, &out, &error),
                     INK_ERR_USAGE);
    ink_text_free(&out);
  }
  free(plain.bytes);
  ink_signer_free(signer);
}

static void signers_that_do_not_fit_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *key, *certificates;
    ink_status status;
  } cases[] = {
      {"ed25519.key", "bad_self_signed.pem", INK_ERR_FORMAT},
      {"ed25519.key", "bad_authority.pem", INK_ERR_FORMAT},
      {"ed25519.key", "bad_any_usage.pem", INK_ERR_FORMAT},
      {"ed25519.key", "bad_server_usage.pem", INK_ERR_FORMAT},
      {"ed25519.key", "bad_no_usage.pem", INK_ERR_FORMAT},
      {"ed25519.key", "bad_no_issuer_key.pem", INK_ERR_FORMAT},
      {"small.key", "small.pem", INK_ERR_FORMAT},
      {"es256.key", "ed25519.pem", INK_ERR_CONFLICT},
      {"encrypted.key", "ed25519.pem", INK_ERR_USAGE},
      {"ed25519.pem", "ed25519.pem", INK_ERR_FORMAT},
      {"ed25519.key", "ed25519.key", INK_ERR_FORMAT},
      {"ed25519.key", "nothing.pem", INK_ERR_NOT_FOUND},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_error error = {0};
    ink_signer *signer;
    char key[128], certificates[128];
    snprintf(key, sizeof key, "mark/%s", cases[i].key);
    snprintf(certificates, sizeof certificates, "mark/%s", cases[i].certificates);
    ink_status status =
        ink_signer_open(fixture_path(key), fixture_path(certificates), NULL, &signer, &error);
    if (status != cases[i].status) fail_msg("case %zu: %s", i, error.text);
    assert_null(signer);
  }
  ink_error error = {0};
  ink_signer *signer;
  assert_ok(ink_signer_open(fixture_path("mark/encrypted.key"), fixture_path("mark/ed25519.pem"),
                            "open sesame", &signer, &error));
  ink_signer_free(signer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(signed_files_are_valid_on_every_carrier),
      cmocka_unit_test(sidecars_bind_the_file_as_it_is),
      cmocka_unit_test(boxes_bind_every_byte_but_the_store),
      cmocka_unit_test(parts_that_were_not_signed_are_told),
      cmocka_unit_test(boxes_bind_no_file_without_parts),
      cmocka_unit_test(every_algorithm_signs_and_verifies),
      cmocka_unit_test(the_same_description_gives_the_same_bytes),
      cmocka_unit_test(assertions_say_what_they_were_told),
      cmocka_unit_test(parents_are_kept_and_looked_at),
      cmocka_unit_test(what_two_ingredients_carry_is_kept_once),
      cmocka_unit_test(descriptions_that_break_the_rules_are_refused),
      cmocka_unit_test(signers_that_do_not_fit_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
