// Updates: what is said later of a signed file holds on every carrier, leaves the content bound as
// it was, and says nothing that an update may not say.
#include "mark/c2pa/manifest_parts.h"
#include "mark/c2pa/parent.h"
#include "marking.h"
#include "resealing.h"
#include "stamp_server.h"

static const char later_identity[] = "0b0b0b0b-ceb2-4faa-b6bf-329bf39fa1e4";
static const char latest_identity[] = "0c0c0c0c-ceb2-4faa-b6bf-329bf39fa1e4";
static const ink_c2pa_action opened = {.action = "c2pa.opened"};

static ink_c2pa_manifest update_manifest(const char *identity) {
  return (ink_c2pa_manifest){.identity = identity,
                             .created = "2026-02-03T04:05:06Z",
                             .title = "秋夜",
                             .version = "1.0",
                             .actions = &opened,
                             .n_action = 1};
}

// Update a file by what it carries; the status of the attempt.
static ink_status try_update(const ink_text *file, const ink_carrier *carrier,
                             ink_c2pa_manifest manifest, const ink_signer *signer, ink_text *out,
                             ink_error *error) {
  ink_c2pa_parent parent = {0};
  const unsigned char *bytes = (const unsigned char *)file->bytes;
  assert_int_equal(ink_c2pa_parent_read("before", carrier, bytes, file->size, &parent, error),
                   INK_OK);
  assert_true(parent.is_signed);
  manifest.ingredients = &parent.ingredient;
  manifest.n_ingredient = 1;
  ink_status status = ink_c2pa_update(bytes, file->size, carrier, &manifest, signer, out, error);
  ink_c2pa_parent_free(&parent);
  return status;
}

static ink_text updated(const ink_text *file, const ink_carrier *carrier,
                        ink_c2pa_manifest manifest, const ink_signer *signer) {
  ink_error error = {0};
  ink_text out = {0};
  assert_ok(try_update(file, carrier, manifest, signer, &out, &error));
  return out;
}

static ink_place place_of(const ink_text *file, const ink_carrier *carrier) {
  ink_error error = {0};
  ink_place place = {0};
  assert_ok(carrier->find(carrier, (unsigned char *)file->bytes, file->size, &place, &error));
  assert_true(place.present && !place.code);
  return place;
}

// Where the directory of a container states the store's checksum; the file's size without one.
static size_t checksum_of(const ink_text *file, const ink_carrier *carrier) {
  ink_error error = {0};
  ink_text parts = {0};
  ink_directory directory = {.checksum = file->size};
  if (carrier->collect) {
    assert_ok(carrier->collect(carrier, (unsigned char *)file->bytes, file->size, &parts,
                               &directory, &error));
    assert_true(directory.checksum && directory.holds);
  }
  ink_text_free(&parts);
  return directory.checksum;
}

// The bytes around the store are those that were there before the update, but for its checksum.
static void assert_same_content(const ink_text *before, const ink_text *after,
                                const ink_carrier *carrier) {
  ink_place old = place_of(before, carrier), new = place_of(after, carrier);
  size_t rest = before->size - old.start - old.length;
  assert_int_equal(old.start, new.start);
  assert_memory_equal(before->bytes, after->bytes, old.start);
  assert_int_equal(rest, after->size - new.start - new.length);
  size_t checksum = checksum_of(before, carrier);
  size_t behind = checksum < before->size ? checksum - old.start - old.length : rest;
  assert_memory_equal(before->bytes + old.start + old.length, after->bytes + new.start + new.length,
                      behind);
  if (behind < rest) {
    assert_int_equal(checksum, checksum_of(after, carrier));
    assert_memory_equal(before->bytes + checksum + 4, after->bytes + checksum + 4,
                        before->size - checksum - 4);
  }
  ink_place_free(&old);
  ink_place_free(&new);
}

static void assert_update(const ink_text *file, const ink_carrier *carrier, const char *identity,
                          size_t n_manifest) {
  ink_c2pa_report report = {0};
  char label[64];
  snprintf(label, sizeof label, "urn:c2pa:%s", identity);
  assert_int_equal(state_of(file->bytes, file->size, carrier, NULL, &report), INK_C2PA_VALID);
  assert_string_equal(report.active, label);
  assert_int_equal(json_array_size(report.manifests), n_manifest);
  assert_true(
      json_is_true(json_object_get(json_array_get(report.manifests, 0), "isUpdateManifest")));
  // No failure but that nobody is trusted, and how the content came about is still told.
  assert_int_equal(json_array_size(json_object_get(report.results, "failure")), 1);
  const json_t *actions =
      json_object_get(ink_c2pa_assertion_of(&report, "c2pa.actions.v2"), "actions");
  assert_string_equal(
      json_string_value(json_object_get(json_array_get(actions, 0), "digitalSourceType")),
      INK_SOURCE_TRAINED);
  ink_c2pa_report_free(&report);
}

static void updates_hold_on_every_carrier_and_leave_the_content(void **state) {
  (void)state;
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  manifest.reserve = 8000;
  for (size_t i = 0; i < N_SAMPLE; i++) {
    const ink_carrier *carrier = ink_carrier_named(samples[i].carrier);
    blob plain = sample_blob(&samples[i]);
    ink_text file = sign_blob(&plain, carrier, &manifest, signer);
    ink_text once = updated(&file, carrier, update_manifest(later_identity), signer);
    assert_same_content(&file, &once, carrier);
    assert_update(&once, carrier, later_identity, 2);
    // An update may be updated.
    ink_text twice = updated(&once, carrier, update_manifest(latest_identity), signer);
    assert_same_content(&file, &twice, carrier);
    assert_update(&twice, carrier, latest_identity, 3);
    ink_text_free(&file);
    ink_text_free(&once);
    ink_text_free(&twice);
    free(plain.bytes);
  }
  ink_signer_free(signer);
}

// Where another field states the store's length, an update needs room that was left for it.
static void stores_of_a_stated_length_keep_it_or_refuse(void **state) {
  (void)state;
  static const char *const fixed[] = {"webp", "wav", "mp3", "pdf", "docx", "epub"};
  ink_signer *signer = signer_named("ed25519");
  for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
    ink_error error = {0};
    ink_text out = {0};
    ink_c2pa_manifest manifest = test_manifest();
    const ink_carrier *carrier = ink_carrier_named(fixed[i]);
    const sample *s = sample_for(fixed[i]);
    blob plain = sample_blob(s);
    ink_text file = sign_blob(&plain, carrier, &manifest, signer);
    assert_int_equal(
        try_update(&file, carrier, update_manifest(later_identity), signer, &out, &error),
        INK_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.text, "--reserve"));
    assert_int_equal(out.size, 0);
    ink_text_free(&file);
    // Every amount of room around what just suffices, so that each length of padding is met.
    size_t missing = strtoul(strstr(error.text, " and ") + 5, NULL, 10);
    size_t n_done = 0;
    for (size_t more = 0; more < 40; more++) {
      manifest.reserve = missing - 8 + more;
      file = sign_blob(&plain, carrier, &manifest, signer);
      error = (ink_error){0};
      if (try_update(&file, carrier, update_manifest(later_identity), signer, &out, &error) ==
          INK_OK) {
        assert_int_equal(out.size, file.size);
        assert_update(&out, carrier, later_identity, 2);
        n_done++;
      } else {
        assert_non_null(strstr(error.text, "--reserve"));
      }
      ink_text_free(&out);
      ink_text_free(&file);
    }
    assert_true(n_done >= 28 && n_done < 40);
    free(plain.bytes);
  }
  ink_signer_free(signer);
}

static void what_was_said_before_is_kept_as_it_was(void **state) {
  (void)state;
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  const ink_carrier *carrier = ink_carrier_named("jpeg");
  blob plain = load("plain.jpg");
  ink_text file = sign_blob(&plain, carrier, &manifest, signer);
  ink_text later = updated(&file, carrier, update_manifest(later_identity), signer);
  ink_place old = place_of(&file, carrier), new = place_of(&later, carrier);
  // All but the size of the box around them.
  assert_memory_equal(old.store.bytes + 4, new.store.bytes + 4, old.store.size - 4);
  ink_place_free(&old);
  ink_place_free(&new);
  ink_text_free(&file);
  ink_text_free(&later);
  free(plain.bytes);
  ink_signer_free(signer);
}

static void a_changed_content_breaks_an_update(void **state) {
  (void)state;
  static const char *const names[] = {"png", "jpeg", "gif", "svg", "webp", "docx"};
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  manifest.reserve = 6000;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const ink_carrier *carrier = ink_carrier_named(names[i]);
    const sample *s = sample_for(names[i]);
    blob plain = sample_blob(s);
    ink_text file = sign_blob(&plain, carrier, &manifest, signer);
    ink_text later = updated(&file, carrier, update_manifest(later_identity), signer);
    ink_place place = place_of(&later, carrier);
    for (size_t at = 0; at < later.size; at += 1 + later.size / 400) {
      if (at >= place.start && at < place.start + place.length) continue;
      later.bytes[at] ^= 1;
      if (state_of(later.bytes, later.size, carrier, NULL, NULL) >= INK_C2PA_VALID) {
        fail_msg("%s: byte %zu may change", names[i], at);
      }
      later.bytes[at] ^= 1;
    }
    ink_place_free(&place);
    ink_text_free(&file);
    ink_text_free(&later);
    free(plain.bytes);
  }
  ink_signer_free(signer);
}

static void metadata_and_reviews_are_said(void **state) {
  (void)state;
  static const ink_c2pa_action actions[] = {
      {.action = "c2pa.opened"}, {.action = "c2pa.edited.metadata"}, {.action = "c2pa.published"}};
  json_t *review = json_pack("{s:s, s:s}", "verdict", "approved", "by", "desk");
  json_t *metadata = json_pack("{s:{s:s}, s:[s]}", "@context", "dc",
                               "http://purl.org/dc/elements/1.1/", "dc:creator", "编辑部");
  ink_c2pa_assertion own = {"org.example.review", review};
  ink_c2pa_manifest said = update_manifest(later_identity);
  said.actions = actions;
  said.n_action = 3;
  said.assertions = &own;
  said.n_assertion = 1;
  said.metadata = metadata;
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  const ink_carrier *carrier = ink_carrier_named("png");
  blob plain = load("plain.png");
  ink_text file = sign_blob(&plain, carrier, &manifest, signer);
  ink_text later = updated(&file, carrier, said, signer);
  ink_c2pa_report report = {0};
  assert_int_equal(state_of(later.bytes, later.size, carrier, NULL, &report), INK_C2PA_VALID);
  const json_t *assertions = json_object_get(json_array_get(report.manifests, 0), "assertions");
  assert_true(json_equal(json_object_get(assertions, "org.example.review"), review));
  assert_true(json_equal(json_object_get(assertions, "cawg.metadata"), metadata));
  assert_null(json_object_get(assertions, "c2pa.metadata"));
  // Validators of C2PA 2.3 allow few fields there: neither title nor creator.
  const json_t *first = json_object_get(json_array_get(report.manifests, 1), "assertions");
  const json_t *fields = json_object_get(first, "c2pa.metadata");
  assert_int_equal(json_object_size(fields), 3);
  assert_non_null(json_object_get(fields, "@context"));
  assert_non_null(json_object_get(fields, "dc:format"));
  assert_non_null(json_object_get(fields, "Iptc4xmpExt:DigitalSourceType"));
  assert_int_equal(
      json_array_size(json_object_get(json_object_get(assertions, "c2pa.actions.v2"), "actions")),
      3);
  assert_null(json_object_get(assertions, "c2pa.hash.data"));
  ink_c2pa_report_free(&report);
  ink_text_free(&file);
  ink_text_free(&later);
  free(plain.bytes);
  ink_signer_free(signer);
  json_decref(review);
  json_decref(metadata);
}

static void updates_that_say_what_they_may_not_are_refused(void **state) {
  (void)state;
  static const ink_c2pa_action edited[] = {{.action = "c2pa.opened"}, {.action = "c2pa.edited"}};
  static const ink_c2pa_action created = {.action = "c2pa.created"};
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  const ink_carrier *carrier = ink_carrier_named("png");
  blob plain = load("plain.png");
  ink_text file = sign_blob(&plain, carrier, &manifest, signer);
  json_t *bare = json_pack("{s:s}", "creator", "x"),
         *unknown = json_pack("{s:{}, s:s}", "@context", "dc:creator", "x");
  ink_c2pa_manifest bad[6];
  for (size_t i = 0; i < 6; i++) bad[i] = update_manifest(later_identity);
  bad[0].actions = edited;
  bad[0].n_action = 2;
  bad[1].actions = &created;
  bad[2].thumbnail = "x";
  bad[2].thumbnail_size = 1;
  bad[3].metadata = bare;
  bad[4].metadata = unknown;
  bad[5].reserve = INK_C2PA_RESERVE_MOST + 1;
  for (size_t i = 0; i < 6; i++) {
    ink_error error = {0};
    ink_text out = {0};
    ink_status status = try_update(&file, carrier, bad[i], signer, &out, &error);
    if (status != INK_ERR_USAGE) fail_msg("case %zu: %d %s", i, status, error.text);
    assert_int_equal(out.size, 0);
  }
  // The manifest of another file.
  ink_error error = {0};
  ink_text out = {0};
  ink_c2pa_parent parent = {0};
  assert_ok(ink_c2pa_parent_read("before", carrier, (unsigned char *)file.bytes, file.size, &parent,
                                 &error));
  ink_c2pa_manifest said = update_manifest(later_identity);
  said.ingredients = &parent.ingredient;
  said.n_ingredient = 1;
  assert_int_equal(ink_c2pa_update(plain.bytes, plain.size, carrier, &said, signer, &out, &error),
                   INK_ERR_CONFLICT);
  ink_c2pa_parent_free(&parent);
  json_decref(bare);
  json_decref(unknown);
  ink_text_free(&file);
  free(plain.bytes);
  ink_signer_free(signer);
}

// One parent, with the manifest that the file holds, which is signed.
static void updates_of_no_one_manifest_are_refused(void **state) {
  (void)state;
  ink_error error = {0};
  ink_text out = {0};
  ink_c2pa_parent parent = {0};
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  const ink_carrier *png = ink_carrier_named("png");
  blob plain = load("plain.png");
  ink_text file = sign_blob(&plain, png, &manifest, signer);
  manifest.identity = latest_identity;
  ink_text other = sign_blob(&plain, png, &manifest, signer);
  assert_int_equal(file.size, other.size);
  const unsigned char *bytes = (const unsigned char *)file.bytes;
  assert_ok(ink_c2pa_parent_read("before", png, bytes, file.size, &parent, &error));
  const ink_c2pa_ingredient good = parent.ingredient;
  ink_c2pa_ingredient placed = good, bare = good, shown = good,
                      two[] = {good, {.relationship = "inputTo", .title = "prompt"}};
  placed.relationship = "componentOf";
  bare.store = NULL;
  shown.thumbnail = "x";
  shown.thumbnail_size = 1;
  const ink_c2pa_soft_binding soft = {"x", "y", 1};
  const struct {
    const ink_c2pa_ingredient *ingredients;
    size_t n;
    const ink_c2pa_soft_binding *soft;
  } cases[] = {{NULL, 0, NULL},  {two, 2, NULL},    {&placed, 1, NULL},
               {&bare, 1, NULL}, {&shown, 1, NULL}, {&good, 1, &soft}};
  ink_c2pa_manifest said = update_manifest(later_identity);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    said.ingredients = cases[i].ingredients;
    said.n_ingredient = cases[i].n;
    said.soft = cases[i].soft;
    ink_status status = ink_c2pa_update(bytes, file.size, png, &said, signer, &out, &error);
    if (status != INK_ERR_USAGE) fail_msg("case %zu: %d %s", i, status, error.text);
    assert_int_equal(out.size, 0);
  }
  said = update_manifest(later_identity);
  said.ingredients = &good;
  said.n_ingredient = 1;
  assert_int_equal(
      ink_c2pa_update((unsigned char *)other.bytes, other.size, png, &said, signer, &out, &error),
      INK_ERR_CONFLICT);
  assert_int_equal(out.size, 0);
  // A signature that is none.
  ink_text unsigned_one = {0};
  ink_c2pa_ingredient faulty = good;
  ink_text_add_bytes(&unsigned_one, good.store, good.store_size);
  char *box = unsigned_one.bytes + unsigned_one.size;
  while (memcmp(box, "c2pa.signature", 15) != 0) box--;
  memcpy(box + 19, "cbox", 4);
  faulty.store = unsigned_one.bytes;
  said.ingredients = &faulty;
  assert_int_equal(ink_c2pa_update(bytes, file.size, NULL, &said, signer, &out, &error),
                   INK_ERR_FORMAT);
  assert_int_equal(out.size, 0);
  ink_text_free(&unsigned_one);
  ink_c2pa_parent_free(&parent);
  ink_text_free(&other);
  ink_text_free(&file);
  free(plain.bytes);
  ink_signer_free(signer);
}

// ---- what others may write

// The codes of a store with an update manifest made by hand, beside its file.
static void assert_code(const ink_c2pa_manifest *said, const ink_manifest_binding *bound,
                        const char *code) {
  ink_error error = {0};
  ink_manifest_pass pass;
  ink_c2pa_report report = {0};
  ink_signer *signer = signer_named("ed25519");
  assert_ok(ink_manifest_begin(NULL, said, signer, "c2um", &pass, &error));
  assert_ok(ink_manifest_build(&pass, bound, &error));
  assert_ok(ink_c2pa_validate((const unsigned char *)"data", 4, NULL,
                              (unsigned char *)pass.store.bytes, pass.store.size, NULL, &report,
                              &error));
  if (code && !ink_c2pa_failed_with(&report, code)) {
    char *text = json_dumps(report.results, JSON_INDENT(1));
    fail_msg("no %s in %s", code, text);
  }
  assert_int_equal(report.state, code ? INK_C2PA_INVALID : INK_C2PA_VALID);
  ink_c2pa_report_free(&report);
  ink_manifest_end(&pass);
  ink_signer_free(signer);
}

static void each_fault_of_an_update_has_its_code(void **state) {
  (void)state;
  static const ink_c2pa_action edited[] = {{.action = "c2pa.opened"}, {.action = "c2pa.edited"}};
  static const ink_c2pa_action created = {.action = "c2pa.created"};
  ink_error error = {0};
  ink_text side = {0};
  ink_c2pa_parent parent = {0};
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  assert_ok(
      ink_c2pa_sign((const unsigned char *)"data", 4, NULL, &manifest, signer, &side, &error));
  assert_ok(ink_c2pa_parent_beside("data", NULL, (const unsigned char *)"data", 4, side.bytes,
                                   side.size, &parent, &error));
  ink_c2pa_ingredient two[] = {parent.ingredient, {.relationship = "inputTo", .title = "prompt"}};
  ink_c2pa_ingredient placed = parent.ingredient;
  placed.relationship = "componentOf";
  ink_c2pa_manifest good = update_manifest(later_identity);
  good.ingredients = two;
  good.n_ingredient = 1;
  assert_code(&good, NULL, NULL);
  ink_c2pa_manifest bad = good;
  bad.n_ingredient = 2;
  assert_code(&bad, NULL, "manifest.update.wrongParents");
  bad.n_ingredient = 0;
  assert_code(&bad, NULL, "manifest.update.wrongParents");
  assert_code(&bad, NULL, "claim.hardBindings.missing");
  bad = good;
  bad.ingredients = &placed;
  assert_code(&bad, NULL, "manifest.update.wrongParents");
  assert_code(&bad, NULL, "claim.hardBindings.missing");
  bad = good;
  bad.actions = edited;
  bad.n_action = 2;
  assert_code(&bad, NULL, "manifest.update.invalid");
  bad.actions = &created;
  bad.n_action = 1;
  assert_code(&bad, NULL, "manifest.update.invalid");
  bad = good;
  bad.thumbnail = "x";
  bad.thumbnail_size = 1;
  assert_code(&bad, NULL, "manifest.update.invalid");
  ink_manifest_binding bound = {.excluded = false};
  assert_code(&good, &bound, "manifest.update.invalid");
  ink_c2pa_parent_free(&parent);
  ink_text_free(&side);
  ink_signer_free(signer);
}

static ink_text updated_sidecar(void) {
  ink_error error = {0};
  ink_text side = {0}, out = {0};
  ink_c2pa_parent parent = {0};
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest(), said = update_manifest(later_identity);
  const unsigned char *data = (const unsigned char *)"data";
  assert_ok(ink_c2pa_sign(data, 4, NULL, &manifest, signer, &side, &error));
  assert_ok(ink_c2pa_parent_beside("data", NULL, data, 4, side.bytes, side.size, &parent, &error));
  said.ingredients = &parent.ingredient;
  said.n_ingredient = 1;
  assert_ok(ink_c2pa_update(data, 4, NULL, &said, signer, &out, &error));
  ink_c2pa_parent_free(&parent);
  ink_text_free(&side);
  ink_signer_free(signer);
  return out;
}

// Without a code all holds.
static void assert_sidecar(const ink_text *store, const char *what, const char *code) {
  ink_error error = {0};
  ink_c2pa_report report = {0};
  assert_ok(ink_c2pa_validate((const unsigned char *)"data", 4, NULL, (unsigned char *)store->bytes,
                              store->size, NULL, &report, &error));
  if ((report.state == INK_C2PA_VALID) != !code || (code && !ink_c2pa_failed_with(&report, code))) {
    char *text = json_dumps(json_object_get(report.results, "failure"), 0);
    fail_msg("%s: no %s in %s", what, code ? code : "good", text);
  }
  ink_c2pa_report_free(&report);
}

static void an_update_stands_on_what_is_there_and_is_signed(void **state) {
  (void)state;
  ink_text store = updated_sidecar(), alone = {0};
  assert_sidecar(&store, "as written", NULL);
  ink_arena *arena = ink_arena_new(1 << 24);
  const ink_jumbf *root = boxes_in(arena, &store);
  size_t begin = ink_jumbf_begin(&alone, root->kind, root->label);
  ink_jumbf_box(&alone, "jumb", root->last->bytes, root->last->size);
  ink_jumbf_end(&alone, begin);
  assert_sidecar(&alone, "without what it updates", "claim.hardBindings.missing");
  char *box = memmem(store.bytes, store.size, "c2ma", 4);
  box[3] = 'x';
  assert_sidecar(&store, "of what is no manifest", "claim.hardBindings.missing");
  box[3] = 'a';
  box = store.bytes + store.size;
  while (memcmp(box, "c2pa.signature", 15) != 0) box--;
  box[13] = 'X';
  assert_sidecar(&store, "without a signature", "claimSignature.missing");
  ink_arena_free(arena);
  ink_text_free(&alone);
  ink_text_free(&store);
}

static ink_cbor *hash_of(ink_cbor_builder *b, const char *algorithm, const void *bytes,
                         size_t size) {
  ink_error error = {0};
  unsigned char *hash = ink_arena_take(b->arena, INK_DIGEST_MOST);
  assert_non_null(hash);
  assert_ok(ink_digest_of(algorithm, bytes, size, hash, &error));
  return ink_cbor_new_bytes(b, hash, ink_digest_size(algorithm));
}

// A binding that names no hash has that of the claim which lists it, and not the update's.
static void a_binding_s_hash_is_named_by_its_own_claim(void **state) {
  (void)state;
  static const char *const hashes[] = {"sha256", "sha384", "sha512"};
  ink_error error = {0};
  ink_text side = {0}, longer = cbor_text("\"sha512\"");
  ink_arena *arena = ink_arena_new(1 << 24);
  ink_cbor_builder b = {.arena = arena};
  ink_signer *signer = signer_named("ed25519");
  const unsigned char *data = (const unsigned char *)"data";
  ink_c2pa_manifest manifest = test_manifest();
  assert_ok(ink_c2pa_sign(data, 4, NULL, &manifest, signer, &side, &error));
  for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
    ink_c2pa_parent parent = {0};
    ink_c2pa_manifest said = update_manifest(later_identity);
    ink_text out = {0};
    ink_cbor *map = ink_cbor_new_map(&b);
    ink_cbor_put(&b, map, "hash", hash_of(&b, hashes[i], data, 4));
    ink_text content = encoded(&b, map);
    ink_text first = resealed(&side, &(reseal){.label = "c2pa.hash.data",
                                               .content = &content,
                                               .member = "alg",
                                               .value = &longer,
                                               .named = true});
    const char *code = i == 2 ? NULL : "assertion.dataHash.mismatch";
    assert_sidecar(&first, hashes[i], code);
    assert_ok(
        ink_c2pa_parent_beside("data", NULL, data, 4, first.bytes, first.size, &parent, &error));
    said.ingredients = &parent.ingredient;
    said.n_ingredient = 1;
    ink_status status = ink_c2pa_update(data, 4, NULL, &said, signer, &out, &error);
    assert_ok(status);
    assert_sidecar(&out, hashes[i], code);
    ink_c2pa_parent_free(&parent);
    ink_text_free(&out);
    ink_text_free(&first);
    ink_text_free(&content);
  }
  ink_text_free(&longer);
  ink_text_free(&side);
  ink_arena_free(arena);
  ink_signer_free(signer);
}

// So have the hashed URIs of an ingredient; each may name another.
static void an_ingredient_s_hashes_are_named_by_its_claim(void **state) {
  (void)state;
  static const struct {
    const char *what, *manifest, *manifest_alg, *signature, *signature_alg, *code;
  } cases[] = {{"as the claim says", "sha512", NULL, "sha512", NULL, NULL},
               {"not as any claim did before", "sha256", NULL, "sha512", NULL,
                "ingredient.manifest.mismatch"},
               {"one named", "sha256", "sha256", "sha512", NULL, NULL},
               {"the other named", "sha512", NULL, "sha384", "sha384", NULL},
               {"one named for both", "sha256", "sha256", "sha256", NULL,
                "ingredient.claimSignature.mismatch"}};
  ink_error error = {0};
  ink_arena *arena = ink_arena_new(1 << 24);
  ink_cbor_builder b = {.arena = arena};
  ink_text store = updated_sidecar(), longer = cbor_text("\"sha512\"");
  const ink_jumbf *first = boxes_in(arena, &store)->first;
  while (!first->label) first = first->next;
  const ink_jumbf *signature = ink_jumbf_child(first, "c2pa.signature");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_cbor *map = ink_cbor_new_map(&b), *active = ink_cbor_new_map(&b),
             *signed_by = ink_cbor_new_map(&b);
    ink_text uri = {0};
    ink_jumbf_uri(first, &uri);
    ink_cbor_put_text(&b, active, "url", ink_arena_string(arena, uri.bytes));
    ink_cbor_put(&b, active, "hash", hash_of(&b, cases[i].manifest, first->bytes, first->size));
    if (cases[i].manifest_alg) ink_cbor_put_text(&b, active, "alg", cases[i].manifest_alg);
    ink_cbor_put(&b, signed_by, "hash",
                 hash_of(&b, cases[i].signature, signature->bytes, signature->size));
    if (cases[i].signature_alg) ink_cbor_put_text(&b, signed_by, "alg", cases[i].signature_alg);
    ink_cbor_put_text(&b, map, "relationship", "parentOf");
    ink_cbor_put(&b, map, "activeManifest", active);
    ink_cbor_put(&b, map, "claimSignature", signed_by);
    ink_text content = encoded(&b, map);
    ink_text out = resealed(&store, &(reseal){.label = "c2pa.ingredient.v3",
                                              .content = &content,
                                              .member = "alg",
                                              .value = &longer,
                                              .named = true});
    ink_c2pa_report report = {0};
    assert_ok(ink_c2pa_validate((const unsigned char *)"data", 4, NULL, (unsigned char *)out.bytes,
                                out.size, NULL, &report, &error));
    char *deltas = json_dumps(report.deltas, 0);
    bool told = cases[i].code && strstr(deltas, cases[i].code);
    bool valid = report.state == INK_C2PA_VALID;
    if (valid != !cases[i].code || told == valid) fail_msg("%s: %s", cases[i].what, deltas);
    free(deltas);
    ink_c2pa_report_free(&report);
    ink_text_free(&out);
    ink_text_free(&content);
    ink_text_free(&uri);
  }
  ink_text_free(&longer);
  ink_text_free(&store);
  ink_arena_free(arena);
}

// With the store the ranges behind it move; none may move out of the file.
static void ranges_that_leave_a_grown_file_are_malformed(void **state) {
  (void)state;
  ink_error error = {0};
  ink_text file = {0};
  size_t start, length;
  ink_c2pa_report report = {0};
  const ink_carrier *png = ink_carrier_named("png");
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  blob plain = load("plain.png");
  ink_text first = sign_blob(&plain, png, &manifest, signer);
  ink_place place = place_of(&first, png);
  char json[256];
  snprintf(json, sizeof json,
           "{\"alg\":\"sha256\",\"hash\":\"#x\",\"exclusions\":[{\"start\":%zu,\"length\":1},"
           "{\"start\":%zu,\"length\":4}]}",
           place.start, plain.size);
  ink_text content = cbor_text(json);
  ink_text store =
      resealed(&place.store, &(reseal){.label = "c2pa.hash.data", .content = &content});
  assert_ok(png->embed(png, plain.bytes, plain.size, (unsigned char *)store.bytes, store.size,
                       &file, &start, &length, &error));
  assert_int_equal(state_of(file.bytes, file.size, png, NULL, &report), INK_C2PA_INVALID);
  assert_true(ink_c2pa_failed_with(&report, "assertion.dataHash.mismatch"));
  ink_c2pa_report_free(&report);
  ink_text later = updated(&file, png, update_manifest(later_identity), signer);
  assert_int_equal(state_of(later.bytes, later.size, png, NULL, &report), INK_C2PA_INVALID);
  assert_true(ink_c2pa_failed_with(&report, "assertion.dataHash.malformed"));
  ink_c2pa_report_free(&report);
  ink_text_free(&later);
  ink_text_free(&file);
  ink_text_free(&store);
  ink_text_free(&content);
  ink_text_free(&first);
  ink_place_free(&place);
  free(plain.bytes);
  ink_signer_free(signer);
}

// A map of names to tokens that is not empty, once.
static void stamps_of_another_form_are_malformed(void **state) {
  (void)state;
  static const char one[] = "c2pa.time-stamp", more[] = "c2pa.time-stamp__1";
  static const char bad[] = "assertion.timestamp.malformed";
  static const struct {
    const char *what, *label, *bytes;
    size_t size;
    const char *code;
  } cases[] = {{"a token that is none", one, "\xA1\x61x\x41y", 5, NULL},
               {"a second assertion", more, "\xA1\x61x\x41y", 5, bad},
               {"no map", one, "\x81\x61x", 3, bad},
               {"text alone", one, "\x61x", 2, bad},
               {"an empty map", one, "\xA0", 1, bad},
               {"text for a token", one, "\xA1\x61x\x61y", 5, bad},
               {"a number for a name", one, "\xA1\x01\x41y", 4, bad},
               {"text before a token", one, "\xA2\x61x\x61y\x61z\x41y", 9, bad},
               {"text behind a token", one, "\xA2\x61x\x41y\x61z\x61y", 9, bad},
               {"no CBOR", one, "\xFF", 1, bad}};
  ink_text store = updated_sidecar();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_text content = {0};
    ink_text_add_bytes(&content, cases[i].bytes, cases[i].size);
    ink_text out = resealed(&store, &(reseal){.label = cases[i].label, .content = &content});
    assert_sidecar(&out, cases[i].what, cases[i].code);
    ink_text_free(&out);
    ink_text_free(&content);
  }
  ink_text_free(&store);
}

// ---- time-stamps that come later

enum { ED25519_SIGNATURE = 64, TOKEN = 3000 };

// A token for what is signed now, none for the bare signature of before.
static ink_status stamp_the_new(const ink_stamper *self, const void *bytes, size_t size,
                                ink_text *token, ink_error *error) {
  (void)self;
  (void)bytes;
  if (size == ED25519_SIGNATURE) return INK_OK;
  for (size_t i = 0; i < TOKEN; i++) ink_text_add(token, "t");
  return ink_text_status(token, error);
}

// Where the store keeps its size a stamp needs room too: no update drops it in silence.
static void an_update_without_room_for_its_stamp_is_refused(void **state) {
  (void)state;
  static const ink_stamper stamper = {.stamp = stamp_the_new};
  const ink_carrier *webp = ink_carrier_named("webp");
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  blob plain = load("plain.webp");
  // First as much as the update needs without a stamp, then what is said to be missing.
  for (int i = 0; i < 3; i++) {
    ink_error error = {0};
    ink_text out = {0};
    signer->stamper = NULL;
    ink_text file = sign_blob(&plain, webp, &manifest, signer);
    signer->stamper = i ? &stamper : NULL;
    ink_status status =
        try_update(&file, webp, update_manifest(later_identity), signer, &out, &error);
    if (i < 2) {
      if (status != INK_ERR_UNSUPPORTED) fail_msg("%d: %d %s", i, status, error.text);
      assert_non_null(strstr(error.text, "--reserve"));
      manifest.reserve += strtoul(strstr(error.text, " and ") + 5, NULL, 10) + 16;
      assert_true(i == 0 || manifest.reserve > TOKEN);
    } else {
      ink_c2pa_report report = {0};
      assert_ok(status);
      assert_int_equal(state_of(out.bytes, out.size, webp, NULL, &report), INK_C2PA_VALID);
      assert_true(ink_c2pa_says(&report, "timeStamp.malformed"));
      ink_c2pa_report_free(&report);
    }
    ink_text_free(&out);
    ink_text_free(&file);
  }
  free(plain.bytes);
  ink_signer_free(signer);
}

static void a_later_stamp_outlives_the_certificate(void **state) {
  (void)state;
  if (!stamp_folder) {
    print_message("# openssl is not here: skipped\n");
    skip();
  }
  ink_error error = {0};
  char path[4200];
  ink_anchors *anchors = NULL;
  snprintf(path, sizeof path, "%s/ca.pem", stamp_folder);
  assert_ok(ink_anchors_open(path, &anchors, &error));
  stamp_server server = stamp_start(stamp_folder, STAMP_GOOD);
  ink_stamper stamper = {.stamp = ink_stamper_ask, .url = server.url};
  static const char *const names[] = {"png", "webp", "text"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    ink_signer *signer = signer_named("es256");
    ink_c2pa_manifest manifest = test_manifest();
    manifest.reserve = 16000;
    const ink_carrier *carrier = ink_carrier_named(names[i]);
    const sample *s = sample_for(names[i]);
    blob plain = sample_blob(s);
    ink_text file = sign_blob(&plain, carrier, &manifest, signer);
    ink_c2pa_options later = {.stamp_anchors = anchors, .now = signer->not_after + 1000};
    assert_int_equal(state_of(file.bytes, file.size, carrier, &later, NULL), INK_C2PA_INVALID);
    signer->stamper = &stamper;
    ink_text stamped = updated(&file, carrier, update_manifest(later_identity), signer);
    ink_c2pa_report report = {0};
    ink_c2pa_state found = state_of(stamped.bytes, stamped.size, carrier, &later, &report);
    const json_t *before = json_array_get(report.manifests, 1);
    const json_t *info = json_object_get(json_object_get(before, "signature"), "timeStampInfo");
    assert_non_null(info);
    assert_int_equal(found, INK_C2PA_VALID);
    assert_same_content(&file, &stamped, carrier);
    // What is stamped is not stamped again.
    ink_text again = updated(&stamped, carrier, update_manifest(latest_identity), signer);
    ink_c2pa_report_free(&report);
    assert_int_equal(state_of(again.bytes, again.size, carrier, &later, &report), INK_C2PA_VALID);
    for (size_t j = 0; j < 2; j++) {
      const json_t *said = json_object_get(json_array_get(report.manifests, j), "assertions");
      assert_int_equal(json_object_get(said, "c2pa.time-stamp") != NULL, j == 1);
    }
    ink_c2pa_report_free(&report);
    // Another authority's word is not taken.
    later.stamp_anchors = NULL;
    assert_int_equal(state_of(stamped.bytes, stamped.size, carrier, &later, NULL),
                     INK_C2PA_INVALID);
    ink_text_free(&again);
    ink_text_free(&stamped);
    ink_text_free(&file);
    free(plain.bytes);
    ink_signer_free(signer);
  }
  stamp_stop(&server);
  ink_anchors_free(anchors);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(updates_hold_on_every_carrier_and_leave_the_content),
      cmocka_unit_test(stores_of_a_stated_length_keep_it_or_refuse),
      cmocka_unit_test(what_was_said_before_is_kept_as_it_was),
      cmocka_unit_test(a_changed_content_breaks_an_update),
      cmocka_unit_test(metadata_and_reviews_are_said),
      cmocka_unit_test(updates_that_say_what_they_may_not_are_refused),
      cmocka_unit_test(updates_of_no_one_manifest_are_refused),
      cmocka_unit_test(each_fault_of_an_update_has_its_code),
      cmocka_unit_test(an_update_stands_on_what_is_there_and_is_signed),
      cmocka_unit_test(a_binding_s_hash_is_named_by_its_own_claim),
      cmocka_unit_test(an_ingredient_s_hashes_are_named_by_its_claim),
      cmocka_unit_test(ranges_that_leave_a_grown_file_are_malformed),
      cmocka_unit_test(stamps_of_another_form_are_malformed),
      cmocka_unit_test(an_update_without_room_for_its_stamp_is_refused),
      cmocka_unit_test(a_later_stamp_outlives_the_certificate),
  };
  return cmocka_run_group_tests(tests, stamp_set_up, stamp_take_down);
}
