// What others may sign: a claim whose signature is good and whose assertions say what they may not
// is invalid, with the code of what is wrong (C2PA specification 2.4, chapter 15).
#include "resealing.h"

#define OWN "self#jumbf=/c2pa/urn:c2pa:f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4"
#define ACTIONS "self#jumbf=c2pa.assertions/c2pa.actions.v2"
#define INPUT "self#jumbf=c2pa.assertions/c2pa.ingredient.v3"

static ink_text sidecar(void) {
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  const blob data = {(unsigned char *)(uintptr_t) "data", 4};
  ink_text out = sign_blob(&data, NULL, &manifest, signer);
  ink_signer_free(signer);
  return out;
}

static bool has(const json_t *findings, const char *kind, const char *code) {
  size_t i;
  json_t *finding;
  json_array_foreach(json_object_get(findings, kind), i, finding) {
    if (strcmp(json_string_value(json_object_get(finding, "code")), code) == 0) return true;
  }
  return false;
}

// A code of `kind`, of the manifest or of one of its ingredients; NULL: all holds.
static void assert_said(const ink_text *store, const char *what, const char *kind,
                        const char *code) {
  ink_error error = {0};
  ink_c2pa_report report = {0};
  assert_ok(ink_c2pa_validate((const unsigned char *)"data", 4, NULL, (unsigned char *)store->bytes,
                              store->size, NULL, &report, &error));
  bool said = !code || has(report.results, kind, code);
  size_t i;
  json_t *delta;
  json_array_foreach(report.deltas, i, delta) {
    said = said || has(json_object_get(delta, "validationDeltas"), kind, code);
  }
  bool good = !code || strcmp(kind, "failure") != 0;
  if (!said || (report.state == INK_C2PA_VALID) != good) {
    char *results = json_dumps(report.results, 0), *deltas = json_dumps(report.deltas, 0);
    fail_msg("%s: no %s in %s %s", what, code ? code : "good", results, deltas);
  }
  ink_c2pa_report_free(&report);
}

static void each_fault_of_an_assertion_has_its_code(void **state) {
  (void)state;
  static const char actions[] = "c2pa.actions.v2", data[] = "c2pa.hash.data",
                    new_ingredient[] = "c2pa.ingredient.v3__2";
  static const char malformed[] = "assertion.action.malformed",
                    mismatch[] = "assertion.action.ingredientMismatch",
                    missing[] = "ingredient.manifest.missing";
  static const struct {
    const char *label, *json, *kind, *code;
  } cases[] = {
      {"org.example.x", "{}", "failure", NULL},
      {actions, "{}", "failure", malformed},
      {actions, "{\"actions\":[]}", "failure", malformed},
      {actions, "{\"actions\":[{}]}", "failure", malformed},
      {actions, "{\"actions\":[{\"action\":\"c2pa.created\"}]}", "failure", NULL},
      {actions, "{\"actions\":[{\"action\":\"c2pa.edited\"}]}", "failure", malformed},
      {actions, "{\"actions\":[{\"action\":\"c2pa.created\"},{\"action\":\"c2pa.created\"}]}",
       "failure", malformed},
      {actions,
       "{\"actions\":[{\"action\":\"c2pa.created\"},{\"action\":\"c2pa.watermarked.bound\"}]}",
       "failure", "assertion.action.softBindingMissing"},
      {actions, "{\"actions\":[{\"action\":\"c2pa.opened\"}]}", "failure", mismatch},
      {actions,
       "{\"actions\":[{\"action\":\"c2pa.opened\",\"parameters\":{\"ingredients\":[{\"url\":"
       "\"" INPUT "\"}]}}]}",
       "failure", mismatch},
      {actions,
       "{\"actions\":[{\"action\":\"c2pa.created\"},{\"action\":\"c2pa.placed\",\"parameters\":"
       "{\"ingredients\":[{\"url\":\"" INPUT "\"}]}}]}",
       "failure", mismatch},
      {actions, "{\"actions\":[{\"action\":\"c2pa.created\"},{\"action\":\"c2pa.removed\"}]}",
       "failure", mismatch},
      {"c2pa.hash.data__1", "{\"alg\":\"sha256\",\"hash\":\"#x\"}", "failure",
       "assertion.multipleHardBindings"},
      {data, "{\"alg\":\"sha256\"}", "failure", "assertion.dataHash.malformed"},
      {data, "{\"alg\":\"md5\",\"hash\":\"#x\"}", "failure", "algorithm.unsupported"},
      {data, "{\"alg\":\"sha256\",\"hash\":\"#x\"}", "failure", "assertion.dataHash.mismatch"},
      {data,
       "{\"alg\":\"sha256\",\"hash\":\"#x\",\"exclusions\":[{\"start\":2,\"length\":1},"
       "{\"start\":0,\"length\":1}]}",
       "failure", "assertion.dataHash.malformed"},
      {data, "{\"alg\":\"sha256\",\"hash\":\"#x\",\"exclusions\":[{\"start\":0,\"length\":5}]}",
       "failure", "assertion.dataHash.malformed"},
      {data, "{\"alg\":\"sha256\",\"hash\":\"#x\",\"exclusions\":[{\"start\":0}]}", "failure",
       "assertion.dataHash.malformed"},
      {new_ingredient, "{\"relationship\":\"componentOf\"}", "informational",
       "ingredient.unknownProvenance"},
      {new_ingredient, "{\"relationship\":\"inputTo\"}", "failure", NULL},
      {new_ingredient,
       "{\"relationship\":\"componentOf\",\"activeManifest\":{\"url\":\"self#jumbf=/c2pa/none\","
       "\"hash\":\"#x\"}}",
       "failure", missing},
      {new_ingredient,
       "{\"relationship\":\"componentOf\",\"activeManifest\":{\"url\":\"" OWN
       "/c2pa.assertions\",\"hash\":\"#x\"}}",
       "failure", missing},
      {new_ingredient,
       "{\"relationship\":\"componentOf\",\"activeManifest\":{\"url\":\"" OWN "\"}}", "failure",
       missing},
  };
  ink_text store = sidecar();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_text content = cbor_text(cases[i].json);
    ink_text out = resealed(&store, &(reseal){.label = cases[i].label, .content = &content});
    assert_said(&out, cases[i].json, cases[i].kind, cases[i].code);
    ink_text_free(&out);
    ink_text_free(&content);
  }
  ink_text out = resealed(&store, &(reseal){.label = actions});
  assert_said(&out, "no actions at all", "failure", malformed);
  ink_text_free(&out);
  ink_text_free(&store);
}

static void assertions_that_cannot_be_read_are_told(void **state) {
  (void)state;
  ink_text store = sidecar(), broken = {0};
  ink_text_add(&broken, "\xFF");
  reseal how = {.label = "org.example.x", .content = &broken};
  ink_text out = resealed(&store, &how);
  assert_said(&out, "no CBOR", "failure", "assertion.cbor.invalid");
  ink_text_free(&out);
  static const char *const bad[] = {"{", "{\"a\":1,\"a\":2}"};
  how.type = "json";
  for (size_t i = 0; i < 2; i++) {
    ink_text_clear(&broken);
    ink_text_add(&broken, bad[i]);
    out = resealed(&store, &how);
    assert_said(&out, bad[i], "failure", "assertion.json.invalid");
    ink_text_free(&out);
  }
  ink_text_free(&broken);
  ink_text_free(&store);
}

static void a_manifest_has_one_parent_at_most(void **state) {
  (void)state;
  ink_text store = sidecar(), content = cbor_text("{\"relationship\":\"parentOf\"}");
  ink_text one = resealed(&store, &(reseal){.label = "c2pa.ingredient.v3__2", .content = &content});
  assert_said(&one, "one parent", "failure", NULL);
  ink_text two = resealed(&one, &(reseal){.label = "c2pa.ingredient.v3__3", .content = &content});
  assert_said(&two, "two parents", "failure", "manifest.multipleParents");
  ink_text_free(&one);
  ink_text_free(&two);
  ink_text_free(&content);
  ink_text_free(&store);
}

static void each_fault_of_a_claim_has_its_code(void **state) {
  (void)state;
  static const char malformed[] = "claim.malformed";
  static const struct {
    const char *member, *json, *code;
  } cases[] = {
      {"org.example.x", "1", NULL},
      {"gathered_assertions", "[]", NULL},
      {"gathered_assertions", "1", malformed},
      {"created_assertions", "1", malformed},
      {"claim_generator_info", "{}", malformed},
      {"claim_generator_info", "{\"name\":1}", malformed},
      {"instanceID", "1", malformed},
      {"signature", "1", malformed},
      {"signature", "\"self#jumbf=c2pa.claim.v2\"", "claimSignature.missing"},
      {"created_assertions", "[1]", malformed},
      {"created_assertions", "[{\"url\":\"" ACTIONS "\"}]", malformed},
      {"created_assertions", "[{\"hash\":\"#x\"}]", malformed},
      {"created_assertions", "[{\"url\":\"" ACTIONS "\",\"hash\":\"#x\"}]",
       "assertion.hashedURI.mismatch"},
      {"created_assertions", "[{\"url\":\"" ACTIONS "\",\"hash\":\"#x\",\"alg\":\"md5\"}]",
       "algorithm.unsupported"},
      {"created_assertions", "[{\"url\":\"self#jumbf=c2pa.claim.v2\",\"hash\":\"#x\"}]",
       "assertion.outsideManifest"},
  };
  ink_text store = sidecar();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_text value = cbor_text(cases[i].json);
    ink_text out = resealed(&store, &(reseal){.member = cases[i].member, .value = &value});
    assert_said(&out, cases[i].json, "failure", cases[i].code);
    ink_text_free(&out);
    ink_text_free(&value);
  }
  // A signature that its box does not call so.
  ink_text value = cbor_text("\"self#jumbf=c2pa.signaturX\"");
  ink_text out = resealed(&store, &(reseal){.member = "signature", .value = &value});
  char *label = out.bytes + out.size;
  while (memcmp(label, "c2pa.signature", 15) != 0) label--;
  label[13] = 'X';
  assert_said(&out, "another label", "failure", "claimSignature.missing");
  ink_text_free(&value);
  ink_text_free(&out);
  out = resealed(&store, &(reseal){.claim_twice = true});
  assert_said(&out, "two claims", "failure", "claim.multiple");
  ink_text_free(&out);
  ink_text_free(&store);
}

static void two_manifests_of_one_label_are_invalid(void **state) {
  (void)state;
  ink_text store = sidecar(), twice = {0};
  ink_arena *arena = ink_arena_new(1 << 24);
  const ink_jumbf *root = boxes_in(arena, &store);
  size_t begin = ink_jumbf_begin(&twice, root->kind, root->label);
  for (int i = 0; i < 2; i++) {
    ink_jumbf_box(&twice, "jumb", root->last->bytes, root->last->size);
  }
  ink_jumbf_end(&twice, begin);
  assert_said(&twice, "one label", "failure", "general.error");
  ink_arena_free(arena);
  ink_text_free(&twice);
  ink_text_free(&store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_fault_of_an_assertion_has_its_code),
      cmocka_unit_test(assertions_that_cannot_be_read_are_told),
      cmocka_unit_test(a_manifest_has_one_parent_at_most),
      cmocka_unit_test(each_fault_of_a_claim_has_its_code),
      cmocka_unit_test(two_manifests_of_one_label_are_invalid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
