// The desk: playbooks and records are as their published schemas say, briefs are held to the
// inputs, and a piece depends on its order alone.
#include "base/file.h"
#include "base/json.h"
#include "base/yaml.h"
#include "desk/piece.h"
#include "schema.h"
#include "scratch.h"

static const char small[] =
    "playbook: small\n"
    "inputs:\n"
    "  theme: {most: 8}\n"
    "  form: {default: 五绝}\n"
    "  place: {required: true}\n"
    "  count: {type: whole, least: -2, most: 12, default: '3'}\n"
    "draft: verse\n"
    "model: poet\n"
    "settings: {candidates: 1}\n"
    "checks: [verse]\n"
    "publish: [md, html]\n";

static json_t *schema_of(const char *kind) {
  ink_error error = {0};
  json_t *schema;
  char name[64];
  snprintf(name, sizeof name, "../../docs/schema/%s.schema.json", kind);
  assert_ok(ink_json_load(fixture_path(name), 1 << 20, &schema, &error));
  return schema;
}

static ink_playbook *parse(const char *text) {
  ink_error error = {0};
  ink_playbook *playbook;
  assert_ok(ink_playbook_parse(text, strlen(text), "small.yaml", &playbook, &error));
  return playbook;
}

// ---- playbooks

static void starter_playbooks_are_what_the_schema_describes(void **state) {
  (void)state;
  ink_error error = {0};
  char **paths;
  size_t n;
  json_t *schema = schema_of("playbook");
  assert_ok(ink_playbook_list(&paths, &n, &error));
  assert_true(n >= 1);
  for (size_t i = 0; i < n; i++) {
    ink_playbook *playbook;
    schema_judge judge;
    assert_ok(ink_playbook_open(paths[i], &playbook, &error));
    assert_string_equal(schema_judge_value(&judge, schema, playbook->source), "");
    assert_true(playbook->n_test > 0);
    ink_playbook_free(playbook);
    free(paths[i]);
  }
  free(paths);
  json_decref(schema);
}

// What the schema refuses the reader refuses too, and names the same place.
static void the_reader_and_the_schema_refuse_the_same(void **state) {
  (void)state;
  static const struct {
    const char *find, *put, *says;
    bool schema_too;
  } faults[] = {
      {"playbook: small\n", "", "/playbook, /draft and /model are needed", true},
      {"playbook: small", "playbook: ../small", "/playbook is a name", true},
      {"playbook: small", "playbook: .small", "/playbook is a name", true},
      {"playbook: small", "playbook: 3", "/playbook must be a string", true},
      {"playbook: small", "playbook: small\ncolour: red", "unknown key /colour", true},
      {"draft: verse", "draft: prose", "/draft is \"prose\"", true},
      {"model: poet\n", "", "/model are needed", true},
      {"model: poet", "model: [poet]", "/model must be a string", true},
      {"candidates: 1", "candidates: 65", "", true},
      {"candidates: 1", "candidates: 1.5", "", true},
      {"candidates: 1", "temperatur: 1", "", true},
      {"checks: [verse]", "checks: [prose]", "/checks/0 is prose", true},
      {"checks: [verse]", "checks: verse", "/checks must be a list", true},
      {"[md, html]", "[md, pdf]", "/publish/1 is pdf", true},
      {"type: whole", "type: real", "/type is \"real\"", true},
      {"most: 8", "most: eight", "/most must be an integer", true},
      {"most: 8", "moist: 8", "unknown key /moist", true},
      {"{required: true}", "true", "/inputs/place must be a mapping", true},
      {"least: -2, most: 12", "least: 12, most: -2", "/most is -2", false},
      {"publish: [md, html]", "publish: [md]\ntests: [{name: a}]", "/tests/0: /name and /set",
       true},
      {"publish: [md, html]", "publish: [md]\ntests: [{name: a, set: {}, expect: fun}]",
       "/expect is \"fun\"", true},
      {"publish: [md, html]", "publish: [md]\nlock: {engine: 1}", "unknown key /engine", true},
      {"playbook: small", "playbook: small\nplaybook: big", "small.yaml", false},
      {"theme: {most: 8}", "theme: *other", "small.yaml", false},
  };
  json_t *schema = schema_of("playbook");
  schema_judge judge;
  ink_playbook *whole = parse(small);
  assert_string_equal(schema_judge_value(&judge, schema, whole->source), "");
  ink_playbook_free(whole);
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    const char *at = strstr(small, faults[i].find);
    assert_non_null(at);
    ink_text text = {0};
    ink_text_add_bytes(&text, small, (size_t)(at - small));
    ink_text_add(&text, faults[i].put);
    ink_text_add(&text, at + strlen(faults[i].find));
    ink_error error = {0};
    ink_playbook *playbook;
    ink_status status = ink_playbook_parse(text.bytes, text.size, "small.yaml", &playbook, &error);
    // Settings belong to the drafter, which reads them when it drafts.
    if (faults[i].says[0]) {
      assert_int_equal(status, INK_ERR_FORMAT);
      assert_null(playbook);
      if (!strstr(error.text, faults[i].says)) fail_msg("%s: %s", faults[i].put, error.text);
    }
    if (faults[i].schema_too) {
      json_t *value;
      error = (ink_error){0};
      assert_ok(ink_yaml_parse(text.bytes, text.size, "small.yaml", &value, &error));
      if (!schema_judge_value(&judge, schema, value)[0]) fail_msg("%s: passes", faults[i].put);
      json_decref(value);
    }
    ink_playbook_free(playbook);
    ink_text_free(&text);
  }
  json_decref(schema);
}

static void briefs_are_held_to_the_inputs(void **state) {
  (void)state;
  static const struct {
    const char *brief;
    const char *filled;  // or NULL
    const char *says;
  } cases[] = {
      {"{'place': '山'}", "{'form': '五绝', 'place': '山', 'count': 3}", NULL},
      {"{'place': '山', 'count': 12, 'form': '七律', 'theme': null}",
       "{'form': '七律', 'place': '山', 'count': 12}", NULL},
      {"{'place': '山', 'count': ' -2'}", "{'form': '五绝', 'place': '山', 'count': -2}", NULL},
      {"{'place': '山', 'count': 13}", NULL, "count is 13; it must lie in -2 … 12"},
      {"{'place': '山', 'count': '3x'}", NULL, "count takes a whole number, not \"3x\""},
      {"{'place': '山', 'count': ' '}", NULL, "count takes a whole number"},
      {"{'place': '山', 'count': '99999999999999999999'}", NULL, "count takes a whole number"},
      {"{'place': '山', 'count': 1.5}", NULL, "count must be a whole number"},
      {"{'place': '山', 'theme': '一二三四五六七八'}",
       "{'theme': '一二三四五六七八', 'form': '五绝', 'place': '山', 'count': 3}", NULL},
      {"{'place': '山', 'theme': '一二三四五六七八九'}", NULL, "theme has 9 characters"},
      {"{'place': '山', 'theme': 5}", NULL, "theme must be a text"},
      {"{'place': '山', 'theme': 'a\\tb'}", NULL, "theme must be one line"},
      {"{'place': '山', 'theme': 'a\\u202eb'}", NULL, "theme must be one line"},
      {"{'place': '山', 'theme': 'a\\u2028b'}", NULL, "theme must be one line"},
      {"{}", NULL, "place is needed"},
      {"{'place': ''}", NULL, "place is needed"},
      {"{'palce': '山'}", NULL, "did you mean place?"},
      {"['place']", NULL, "a brief is an object"},
  };
  ink_playbook *playbook = parse(small);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char brief[512], filled[512];
    snprintf(brief, sizeof brief, "%s", cases[i].brief);
    snprintf(filled, sizeof filled, "%s", cases[i].filled ? cases[i].filled : "null");
    for (char *at = brief; (at = strchr(at, '\''));) *at = '"';
    for (char *at = filled; (at = strchr(at, '\''));) *at = '"';
    ink_error error = {0};
    json_t *given, *expected, *made;
    assert_ok(ink_json_parse(brief, strlen(brief), "brief", &given, &error));
    assert_ok(ink_json_parse(filled, strlen(filled), "filled", &expected, &error));
    ink_status status = ink_playbook_fill(playbook, given, &made, &error);
    if (cases[i].filled) {
      if (status != INK_OK) fail_msg("%s: %s", brief, error.text);
      assert_true(json_equal(made, expected));
    } else {
      assert_int_equal(status, INK_ERR_USAGE);
      assert_null(made);
      if (!strstr(error.text, cases[i].says)) fail_msg("%s: %s", brief, error.text);
    }
    json_decref(given);
    json_decref(expected);
    json_decref(made);
  }
  ink_playbook_free(playbook);
}

static void a_lock_is_written_in_place_of_the_old_one(void **state) {
  (void)state;
  ink_error error = {0};
  char *folder = scratch_make(), path[4096];
  snprintf(path, sizeof path, "%s/small.yaml", folder);
  static const char *const tails[] = {"", "# the end\n", "lock: {model: old}\n",
                                      "lock: {model: old}\n# the end\n", "lock: {}"};
  for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
    ink_text text = {0};
    ink_text_format(&text, "%s%s", small, tails[i]);
    assert_ok(ink_file_save(path, text.bytes, text.size, &error));
    ink_text_free(&text);
    ink_playbook *playbook;
    assert_ok(ink_playbook_open(path, &playbook, &error));
    assert_ok(ink_playbook_lock(playbook, "0123abcd", &error));
    ink_playbook_free(playbook);
    assert_ok(ink_playbook_open(path, &playbook, &error));
    assert_string_equal(playbook->locked_model, "0123abcd");
    assert_string_equal(playbook->locked_version, INKSTONE_VERSION);
    assert_memory_equal(playbook->text, small, sizeof small - 1);
    assert_int_equal(strstr(playbook->text, "# the end") != NULL, strstr(tails[i], "#") != NULL);
    ink_playbook_free(playbook);
  }
  // Several lines, or JSON: left alone.
  static const char *const hard[] = {
      "lock:\n  model: old\n",
      "{\"playbook\": \"j\", \"inputs\": {\"a\": {}}, \"draft\": \"verse\", \"model\": \"poet\"}"};
  for (size_t i = 0; i < 2; i++) {
    ink_text text = {0};
    ink_text_format(&text, "%s%s", i ? "" : small, hard[i]);
    assert_ok(ink_file_save(path, text.bytes, text.size, &error));
    ink_playbook *playbook;
    assert_ok(ink_playbook_open(path, &playbook, &error));
    assert_int_equal(ink_playbook_lock(playbook, "0123abcd", &error), INK_ERR_UNSUPPORTED);
    ink_playbook_free(playbook);
    char *bytes;
    size_t size;
    assert_ok(ink_file_read(path, 1 << 20, &bytes, &size, &error));
    assert_string_equal(bytes, text.bytes);
    free(bytes);
    ink_text_free(&text);
  }
  scratch_remove(folder);
  free(folder);
}

// ---- pieces

static ink_order order_of(const ink_playbook *playbook, const json_t *brief) {
  return (ink_order){.playbook = playbook,
                     .brief = brief,
                     .seed = 7,
                     .identity = "f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4",
                     .created = "2026-01-02T03:04:05Z"};
}

static void a_piece_depends_on_its_order_alone_and_its_record_is_as_published(void **state) {
  (void)state;
  ink_error error = {0};
  ink_playbook *playbook = parse(small);
  json_t *brief = json_pack("{s:s}", "place", "山"), *schema = schema_of("record");
  ink_order order = order_of(playbook, brief);
  ink_piece pieces[2];
  for (int i = 0; i < 2; i++) {
    ink_pool *pool = ink_pool_new(1 + 2 * i);
    assert_ok(ink_piece_make(&order, pool, NULL, &pieces[i], &error));
    ink_pool_free(pool);
  }
  assert_true(json_equal(pieces[0].record, pieces[1].record));
  assert_int_equal(pieces[0].n_file, 2);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(pieces[0].files[i].size, pieces[1].files[i].size);
    assert_memory_equal(pieces[0].files[i].bytes, pieces[1].files[i].bytes,
                        pieces[0].files[i].size);
  }
  schema_judge judge;
  assert_string_equal(schema_judge_value(&judge, schema, pieces[0].record), "");
  // The judge is no rubber stamp.
  json_object_set_new(json_object_get(pieces[0].record, "recipe"), "seed", json_integer(-1));
  assert_string_equal(schema_judge_value(&judge, schema, pieces[0].record),
                      "/recipe/seed: minimum");
  json_object_set_new(pieces[1].record, "mood", json_string("merry"));
  assert_string_equal(schema_judge_value(&judge, schema, pieces[1].record),
                      "/mood: additionalProperties");
  for (int i = 0; i < 2; i++) ink_piece_free(&pieces[i]);
  json_decref(schema);
  json_decref(brief);
  ink_playbook_free(playbook);
}

static bool stop(void *context, int64_t done, int64_t total, const char *text) {
  (void)context;
  (void)done;
  (void)total;
  (void)text;
  return false;
}

static void a_listener_stops_the_work(void **state) {
  (void)state;
  ink_error error = {0};
  ink_playbook *playbook = parse(small);
  json_t *brief = json_pack("{s:s}", "place", "山");
  ink_order order = order_of(playbook, brief);
  ink_progress progress = {.report = stop};
  ink_pool *pool = ink_pool_new(1);
  ink_piece piece;
  assert_int_equal(ink_piece_make(&order, pool, &progress, &piece, &error), INK_ERR_CANCELLED);
  assert_null(piece.record);
  ink_pool_free(pool);
  json_decref(brief);
  ink_playbook_free(playbook);
}

int main(void) {
  setenv("INKSTONE_MODELS", fixture_path("../../models"), 1);
  setenv("INKSTONE_PLAYBOOKS", fixture_path("../../playbooks"), 1);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(starter_playbooks_are_what_the_schema_describes),
      cmocka_unit_test(the_reader_and_the_schema_refuse_the_same),
      cmocka_unit_test(briefs_are_held_to_the_inputs),
      cmocka_unit_test(a_lock_is_written_in_place_of_the_old_one),
      cmocka_unit_test(a_piece_depends_on_its_order_alone_and_its_record_is_as_published),
      cmocka_unit_test(a_listener_stops_the_work),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
