// Assertions that a later claim takes out (C2PA specification 2.4, sections 6.8 and 15.10.3.1):
// what may go, what has to be left of it, and what no redaction excuses.
#include "mark/c2pa/parent.h"
#include "resealing.h"

#define FIRST "self#jumbf=/c2pa/urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4"
#define LATER "self#jumbf=/c2pa/urn:c2pa:0b0b0b0b-ceb2-4faa-b6bf-329bf39fa1e4"

static const char note[] = "org.example.note", review[] = "org.example.review";
static const char *const note_uri[] = {FIRST "/c2pa.assertions/org.example.note"};

// The store beside a file that was signed with a note, and updated with a review.
static ink_text updated_store(void) {
  static const ink_c2pa_action opened = {.action = "c2pa.opened"};
  const unsigned char *data = (const unsigned char *)"data";
  ink_error error = {0};
  ink_text signed_first = {0}, out = {0};
  ink_c2pa_parent parent = {0};
  ink_signer *signer = signer_named("ed25519");
  json_t *json = json_pack("{s:s}", "by", "desk");
  ink_c2pa_assertion noted = {note, json}, reviewed = {review, json};
  ink_c2pa_manifest manifest = test_manifest();
  manifest.assertions = &noted;
  manifest.n_assertion = 1;
  assert_ok(ink_c2pa_sign(data, 4, NULL, &manifest, signer, &signed_first, &error));
  assert_ok(ink_c2pa_parent_beside("data", NULL, data, 4, signed_first.bytes, signed_first.size,
                                   &parent, &error));
  ink_c2pa_manifest later = {.identity = "0b0b0b0b-ceb2-4faa-b6bf-329bf39fa1e4",
                             .created = "2026-02-03T04:05:06Z",
                             .title = "秋夜",
                             .actions = &opened,
                             .n_action = 1,
                             .assertions = &reviewed,
                             .n_assertion = 1,
                             .ingredients = &parent.ingredient,
                             .n_ingredient = 1};
  assert_ok(ink_c2pa_update(data, 4, NULL, &later, signer, &out, &error));
  ink_c2pa_parent_free(&parent);
  ink_text_free(&signed_first);
  json_decref(json);
  ink_signer_free(signer);
  return out;
}

static ink_c2pa_report report_of(const ink_text *store) {
  ink_error error = {0};
  ink_c2pa_report report = {0};
  assert_ok(ink_c2pa_validate((const unsigned char *)"data", 4, NULL, (unsigned char *)store->bytes,
                              store->size, NULL, &report, &error));
  return report;
}

// Among the failures of the manifest before.
static bool failed_before(const ink_c2pa_report *report, const char *code) {
  size_t i, j;
  json_t *delta, *finding;
  json_array_foreach(report->deltas, i, delta) {
    const json_t *all = json_object_get(json_object_get(delta, "validationDeltas"), "failure");
    json_array_foreach((json_t *)all, j, finding) {
      if (strcmp(json_string_value(json_object_get(finding, "code")), code) == 0) return true;
    }
  }
  return false;
}

// NULL: all holds.
static void assert_before(const ink_text *store, const char *what, const char *code) {
  ink_c2pa_report report = report_of(store);
  if ((report.state == INK_C2PA_VALID) != !code || (code && !failed_before(&report, code))) {
    char *deltas = json_dumps(report.deltas, 0), *results = json_dumps(report.results, 0);
    fail_msg("%s: no %s in %s %s", what, code ? code : "good", deltas, results);
  }
  ink_c2pa_report_free(&report);
}

static void what_a_later_claim_takes_out_leaves_nothing(void **state) {
  (void)state;
#define MARK "\xCA\xA9\x8E\xEE\x9D\x4D\xF8\x0E\x86\xAD\x4D\xFF\xCA\x26\x39\x73"
  static const struct {
    const char *what, *type, *bytes;
    size_t size;
    const char *code;
  } cases[] = {{"gone", NULL, NULL, 0, NULL},
               {"empty", "json", "", 0, NULL},
               {"zeros", "json", "\0\0\0\0\0\0\0", 8, NULL},
               {"the mark of a redaction", "uuid", MARK, 16, NULL},
               {"the mark and zeros", "uuid", MARK "\0\0\0", 20, NULL},
               {"zeros and more", "json", "\0\0\0\0x", 5, "assertion.notRedacted"},
               {"the mark and more", "uuid", MARK "\0x", 18, "assertion.notRedacted"},
               {"the mark elsewhere", "json", MARK, 16, "assertion.notRedacted"},
               {"half of the mark", "uuid", MARK, 15, "assertion.notRedacted"},
               {"another mark", "uuid", "0123456789abcdef", 16, "assertion.notRedacted"},
               {"as it was", "json", "{\"by\":\"desk\"}", 13, "assertion.notRedacted"}};
#undef MARK
  ink_text store = updated_store();
  assert_before(&store, "nothing was taken out", NULL);
  ink_text listed = resealed(&store, &(reseal){.redacted = note_uri, .n_redacted = 1});
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_text out = taken_out(&listed, note, cases[i].type, cases[i].bytes, cases[i].size);
    assert_before(&out, cases[i].what, cases[i].code);
    ink_text_free(&out);
  }
  ink_text_free(&listed);
  // Nobody said that it would go.
  ink_text out = taken_out(&store, note, NULL, NULL, 0);
  assert_before(&out, "gone in silence", "assertion.missing");
  assert_before(&out, "gone in silence", "ingredient.manifest.mismatch");
  ink_text_free(&out);
  ink_text_free(&store);
}

// What is taken out of a manifest leaves all else in it as it was signed.
static void a_redaction_excuses_nothing_else(void **state) {
  (void)state;
  static const char *const nothing[] = {FIRST "/c2pa.assertions/org.example.nothing"};
  static const char *const longer[] = {FIRST "/c2pa.assertions/org.example.note2"};
  ink_text store = updated_store();
  const char *const *others[] = {nothing, longer};
  for (size_t i = 0; i < 2; i++) {
    ink_text listed = resealed(&store, &(reseal){.redacted = others[i], .n_redacted = 1});
    assert_before(&listed, "of what was not there", NULL);
    ink_text out = taken_out(&listed, note, NULL, NULL, 0);
    assert_before(&out, "of something else", "assertion.missing");
    ink_text_free(&out);
    out = taken_out(&listed, note, "json", "\0", 1);
    assert_before(&out, "of something else", "assertion.hashedURI.mismatch");
    ink_text_free(&out);
    ink_text_free(&listed);
  }
  ink_text listed = resealed(&store, &(reseal){.redacted = note_uri, .n_redacted = 1});
  ink_text out = taken_out(&listed, "c2pa.metadata", NULL, NULL, 0);
  assert_before(&out, "another than is listed", "assertion.missing");
  ink_text_free(&out);
  ink_text_free(&listed);
  ink_text_free(&store);
}

// Of a manifest that lost an assertion the signature alone tells that it is the one.
static void who_redacts_knows_the_signature_before(void **state) {
  (void)state;
  static const char label[] = "c2pa.ingredient.v3";
  ink_text store = updated_store(), without = {0}, other = {0};
  ink_arena *arena = ink_arena_new(1 << 24);
  const ink_jumbf *box =
      ink_jumbf_child(ink_jumbf_child(boxes_in(arena, &store)->last, "c2pa.assertions"), label);
  const ink_cbor *map = cbor_in(arena, box);
  const char head = (char)(0xA0 + map->n - 1);
  ink_text_add_bytes(&without, &head, 1);
  for (const ink_cbor *key = map->first; key; key = key->next->next) {
    if (ink_cbor_is(key, "claimSignature")) continue;
    ink_text_add_bytes(&without, key->span, key->span_size);
    ink_text_add_bytes(&without, key->next->span, key->next->span_size);
  }
  const ink_cbor *hash =
      ink_cbor_member(ink_cbor_get(map, "claimSignature"), "hash", INK_CBOR_BYTES);
  ink_text_add_bytes(&other, map->span, map->span_size);
  other.bytes[hash->bytes - map->span] ^= 1;
  const struct {
    const ink_text *content;
    size_t n_redacted;
    const char *code;
  } cases[] = {{&without, 0, NULL},
               {&without, 1, "ingredient.claimSignature.missing"},
               {&other, 0, "ingredient.claimSignature.mismatch"},
               {&other, 1, "ingredient.claimSignature.mismatch"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_text listed = resealed(&store, &(reseal){.label = label,
                                                 .content = cases[i].content,
                                                 .redacted = note_uri,
                                                 .n_redacted = cases[i].n_redacted});
    ink_text out = cases[i].n_redacted ? taken_out(&listed, note, NULL, NULL, 0) : (ink_text){0};
    assert_before(cases[i].n_redacted ? &out : &listed, "the ingredient", cases[i].code);
    ink_text_free(&out);
    ink_text_free(&listed);
  }
  ink_arena_free(arena);
  ink_text_free(&without);
  ink_text_free(&other);
  ink_text_free(&store);
}

static void assert_refused(const ink_text *store, const char *what, const char *code) {
  ink_c2pa_report report = report_of(store);
  if (report.state != INK_C2PA_INVALID || !ink_c2pa_failed_with(&report, code)) {
    char *text = json_dumps(json_object_get(report.results, "failure"), 0);
    fail_msg("%s: no %s in %s", what, code, text);
  }
  ink_c2pa_report_free(&report);
}

static void what_no_claim_may_take_out_is_told(void **state) {
  (void)state;
#define OF(label) FIRST "/c2pa.assertions/" label
  static const struct {
    const char *uri, *code;
  } cases[] = {{OF("c2pa.actions"), "assertion.action.redacted"},
               {OF("c2pa.actions__1"), "assertion.action.redacted"},
               {OF("c2pa.actions.v2"), "assertion.action.redacted"},
               {OF("c2pa.actions.v2__2"), "assertion.action.redacted"},
               {OF("c2pa.hash.data"), "assertion.dataHash.redacted"},
               {OF("c2pa.hash.data__1"), "assertion.dataHash.redacted"},
               {OF("c2pa.hash.boxes"), "assertion.dataHash.redacted"},
               {OF("c2pa.hash.bmff"), "assertion.dataHash.redacted"},
               {OF("c2pa.hash.bmff.v2"), "assertion.dataHash.redacted"},
               {OF("c2pa.hash.bmff.v3"), "assertion.dataHash.redacted"},
               {OF("c2pa.hash.collection.data"), "assertion.dataHash.redacted"},
               {OF("c2pa.hash.multi-asset"), "assertion.dataHash.redacted"},
               {LATER "/c2pa.assertions/org.example.review", "assertion.selfRedacted"},
               {LATER "/c2pa.assertions/c2pa.actions.v2", "assertion.selfRedacted"},
               {"self#jumbf=c2pa.assertions/org.example.review", "assertion.selfRedacted"},
               {NULL, "claim.malformed"}};
#undef OF
  ink_text store = updated_store();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    // Behind one that may be taken out.
    const char *const both[] = {note_uri[0], cases[i].uri};
    ink_text listed = resealed(&store, &(reseal){.redacted = both, .n_redacted = 2});
    ink_text out = taken_out(&listed, note, NULL, NULL, 0);
    assert_refused(&out, cases[i].uri ? cases[i].uri : "no URI", cases[i].code);
    ink_text_free(&out);
    ink_text_free(&listed);
  }
  // A claim that takes out its own is not believed either.
  static const char *const own[] = {LATER "/c2pa.assertions/org.example.review"};
  ink_text out = resealed(&store, &(reseal){.label = review, .redacted = own, .n_redacted = 1});
  assert_refused(&out, own[0], "assertion.selfRedacted");
  assert_refused(&out, own[0], "assertion.missing");
  ink_text_free(&out);
  ink_text_free(&store);
}

// The action c2pa.redacted of an update, with what it says was taken out.
static ink_text redacting(const char *uri) {
  ink_arena *arena = ink_arena_new(1 << 16);
  ink_cbor_builder b = {.arena = arena};
  ink_cbor *map = ink_cbor_new_map(&b), *list = ink_cbor_new_array(&b);
  ink_cbor *action = ink_cbor_new_map(&b), *parameters = ink_cbor_new_map(&b);
  ink_cbor_put_text(&b, action, "action", "c2pa.redacted");
  if (uri) ink_cbor_put_text(&b, parameters, "redacted", uri);
  ink_cbor_put(&b, action, "parameters", parameters);
  ink_cbor_add(&b, list, action);
  ink_cbor_put(&b, map, "actions", list);
  ink_text out = encoded(&b, map);
  ink_arena_free(arena);
  return out;
}

static void an_action_names_what_was_taken_out(void **state) {
  (void)state;
  static const char *const others[] = {
      NULL, FIRST "/c2pa.assertions/org.example.nothing", LATER "/c2pa.assertions/org.example.note",
      "self#jumbf=/c2pa/urn:c2pa:00000000-ceb2-4faa-b6bf-329bf39fa1e4/c2pa.assertions/"
      "org.example.note"};
  ink_text store = updated_store();
  reseal how = {.label = "c2pa.actions.v2", .redacted = note_uri, .n_redacted = 1};
  ink_text content = redacting(note_uri[0]);
  how.content = &content;
  ink_text listed = resealed(&store, &how), out = taken_out(&listed, note, NULL, NULL, 0);
  assert_before(&out, "with its action", NULL);
  ink_text_free(&content);
  ink_text_free(&listed);
  ink_text_free(&out);
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    content = redacting(others[i]);
    listed = resealed(&store, &how);
    out = taken_out(&listed, note, NULL, NULL, 0);
    assert_refused(&out, others[i] ? others[i] : "none", "assertion.action.redactionMismatch");
    ink_text_free(&content);
    ink_text_free(&listed);
    ink_text_free(&out);
  }
  ink_text_free(&store);
}

// ---- besides redaction

// An assertion and a signature are those of the claim's own manifest.
static void a_claim_speaks_of_its_own_manifest(void **state) {
  (void)state;
  static const struct {
    const char *member, *json, *code;
  } cases[] = {{"created_assertions",
                "[{\"url\":\"" FIRST "/c2pa.assertions/org.example.note\",\"hash\":\"#x\"}]",
                "assertion.outsideManifest"},
               {"signature", "\"" FIRST "/c2pa.signature\"", "claimSignature.missing"}};
  ink_text store = updated_store();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_text value = cbor_text(cases[i].json);
    ink_text out = resealed(&store, &(reseal){.member = cases[i].member, .value = &value});
    assert_refused(&out, cases[i].json, cases[i].code);
    ink_text_free(&out);
    ink_text_free(&value);
  }
  ink_text_free(&store);
}

// What an ingredient tells of a fault excuses that fault in that place.
static void recorded_faults_are_those_of_their_place(void **state) {
  (void)state;
  static const struct {
    const char *code, *url;
    bool told;
  } cases[] = {{"assertion.missing", FIRST, false},
               {"assertion.missing", LATER, true},
               {"assertion.undeclared", FIRST, true}};
  ink_text store = updated_store();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char json[1024];
    snprintf(json, sizeof json,
             "{\"relationship\":\"parentOf\",\"activeManifest\":{\"url\":\"" FIRST
             "\",\"hash\":\"#x\"},\"validationResults\":{\"activeManifest\":{\"failure\":"
             "[{\"code\":\"%s\",\"url\":\"%s\"}]}}}",
             cases[i].code, cases[i].url);
    ink_text content = cbor_text(json);
    ink_text other =
        resealed(&store, &(reseal){.label = "c2pa.ingredient.v3", .content = &content});
    ink_text out = taken_out(&other, note, NULL, NULL, 0);
    ink_c2pa_report report = report_of(&out);
    assert_int_equal(failed_before(&report, "assertion.missing"), cases[i].told);
    assert_true(failed_before(&report, "ingredient.manifest.mismatch"));
    ink_c2pa_report_free(&report);
    ink_text_free(&out);
    ink_text_free(&other);
    ink_text_free(&content);
  }
  ink_text_free(&store);
}

// All assertions are compared with all redactions: there is an end to them.
static void a_store_takes_out_so_much_and_no_more(void **state) {
  (void)state;
  enum { MOST = 1024 };
  ink_text store = updated_store();
  const char *uris[MOST + 1];
  for (size_t i = 0; i <= MOST; i++) uris[i] = note_uri[0];
  for (size_t more = 0; more < 2; more++) {
    ink_text out = resealed(&store, &(reseal){.redacted = uris, .n_redacted = MOST + more});
    ink_c2pa_report report = report_of(&out);
    assert_int_equal(ink_c2pa_failed_with(&report, "general.error"), more);
    ink_c2pa_report_free(&report);
    ink_text_free(&out);
  }
  ink_text_free(&store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_a_later_claim_takes_out_leaves_nothing),
      cmocka_unit_test(a_redaction_excuses_nothing_else),
      cmocka_unit_test(who_redacts_knows_the_signature_before),
      cmocka_unit_test(what_no_claim_may_take_out_is_told),
      cmocka_unit_test(an_action_names_what_was_taken_out),
      cmocka_unit_test(a_claim_speaks_of_its_own_manifest),
      cmocka_unit_test(recorded_faults_are_those_of_their_place),
      cmocka_unit_test(a_store_takes_out_so_much_and_no_more),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
