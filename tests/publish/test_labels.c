// Marking and publishing: every file carries its labels, and no content can forge or break them.
#include "base/json.h"
#include "base/yaml.h"
#include "publish/publish.h"
#include "testing.h"

static const ink_document_line poem[] = {{"山月随人归，", "平仄平平平", false},
                                         {"秋灯照客衣。", "平平仄仄平", true},
                                         {"", NULL, false},
                                         {"<b>&\"x\"</b>", NULL, false}};
static const ink_document document = {.kind = INK_DOCUMENT_VERSE,
                                      .language = "zh-Hans",
                                      .title = "秋夜 <script>\"---\" # *x*",
                                      .subtitle = "五绝",
                                      .note = "合律",
                                      .lines = poem,
                                      .n_line = 4};
static const char identity[] = "f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4";

static ink_marked *marked_as(const char *producer) {
  ink_error error = {0};
  ink_marked *marked;
  ink_mark_options options = {identity, "2026-01-02T03:04:05Z", producer};
  assert_ok(ink_mark_document(&document, &options, &marked, &error));
  return marked;
}

static void identities_are_random_uuids_of_version_4(void **state) {
  (void)state;
  ink_error error = {0};
  char a[INK_UUID_TEXT], b[INK_UUID_TEXT];
  assert_ok(ink_mark_identity(a, &error));
  assert_ok(ink_mark_identity(b, &error));
  assert_string_not_equal(a, b);
  assert_true(ink_mark_is_identity(a));
  assert_int_equal(a[14], '4');
  assert_non_null(strchr("89ab", a[19]));
  assert_false(ink_mark_is_identity("F9168C5E-CEB2-4FAA-B6BF-329BF39FA1E4"));
  assert_false(ink_mark_is_identity("f9168c5e"));
}

// GB 45438-2025 Annex E: exactly seven string members in this order; on first writing the
// propagator is the producer.
static void metadata_label_has_the_seven_members_in_order(void **state) {
  (void)state;
  ink_marked *marked = marked_as("acme-studio");
  char *json = json_dumps(ink_marked_aigc(marked), JSON_COMPACT);
  assert_string_equal(
      json,
      "{\"Label\":\"1\",\"ContentProducer\":\"acme-studio\",\"ProduceID\":\"f9168c5e-"
      "ceb2-4faa-b6bf-329bf39fa1e4\",\"ReservedCode1\":\"\",\"ContentPropagator\":"
      "\"acme-studio\",\"PropagateID\":\"f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4\","
      "\"ReservedCode2\":\"\"}");
  free(json);
  ink_marked_free(marked);
}

static void producer_outside_the_standard_is_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"", "two words", "quo\"te", "back\\slash", "砚台", "tab\t"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ink_error error = {0};
    ink_marked *marked;
    ink_mark_options options = {identity, "2026-01-02T03:04:05Z", bad[i]};
    assert_int_equal(ink_mark_document(&document, &options, &marked, &error), INK_ERR_USAGE);
    assert_null(marked);
  }
}

static void visible_label_speaks_the_documents_language(void **state) {
  (void)state;
  ink_error error = {0};
  ink_marked *marked = marked_as(NULL);
  assert_string_equal(ink_marked_label(marked), "本内容由AI生成");
  ink_marked_free(marked);
  ink_document english = document;
  english.language = "en";
  ink_mark_options options = {identity, "2026-01-02T03:04:05Z", NULL};
  assert_ok(ink_mark_document(&english, &options, &marked, &error));
  assert_string_equal(ink_marked_label(marked), "AI-generated content");
  ink_marked_free(marked);
}

static void markdown_front_matter_reads_back_as_the_label(void **state) {
  (void)state;
  ink_error error = {0};
  ink_marked *marked = marked_as(NULL);
  ink_text text = {0};
  ink_publish_markdown(marked, &text);
  assert_ok(ink_text_status(&text, &error));
  const char *begin = text.bytes + 4, *end = strstr(begin, "\n---\n");
  assert_memory_equal(text.bytes, "---\n", 4);
  assert_non_null(end);
  json_t *front;
  assert_ok(ink_yaml_parse(begin, (size_t)(end + 1 - begin), "front matter", &front, &error));
  assert_true(json_equal(json_object_get(front, "AIGC"), ink_marked_aigc(marked)));
  assert_string_equal(json_string_value(json_object_get(front, "title")), document.title);
  json_decref(front);
  assert_non_null(strstr(end, "本内容由AI生成"));
  assert_non_null(strstr(end, "# 秋夜 \\<script\\>"));  // markup in content stays text
  assert_non_null(strstr(end, "山月随人归，\\\n秋灯照客衣。\n"));
  ink_text_free(&text);
  ink_marked_free(marked);
}

static void html_shows_the_label_and_escapes_the_content(void **state) {
  (void)state;
  ink_error error = {0};
  ink_marked *marked = marked_as(NULL);
  ink_text text = {0}, again = {0};
  ink_publish_html(marked, &text);
  ink_publish_html(marked, &again);
  assert_ok(ink_text_status(&text, &error));
  assert_string_equal(text.bytes, again.bytes);
  assert_null(strstr(text.bytes, "<script>"));
  assert_null(strstr(text.bytes, "<b>"));
  assert_null(strstr(text.bytes, "src="));
  assert_non_null(strstr(text.bytes, "<strong>本内容由AI生成</strong>"));
  assert_non_null(strstr(text.bytes, "&lt;b&gt;&amp;&quot;x&quot;&lt;/b&gt;"));
  assert_non_null(
      strstr(text.bytes, "秋灯照客<span class=\"rhyme\">衣</span><span class=\"mark\">。"));
  assert_non_null(strstr(text.bytes, "<time datetime=\"2026-01-02\">二〇二六年一月二日</time>"));
  const char *meta = strstr(text.bytes, "<meta name=\"AIGC\" content=\"");
  assert_non_null(meta);
  assert_non_null(strstr(meta, "&quot;ProduceID&quot;:&quot;f9168c5e-"));
  ink_text_free(&text);
  ink_text_free(&again);
  ink_marked_free(marked);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(identities_are_random_uuids_of_version_4),
      cmocka_unit_test(metadata_label_has_the_seven_members_in_order),
      cmocka_unit_test(producer_outside_the_standard_is_refused),
      cmocka_unit_test(visible_label_speaks_the_documents_language),
      cmocka_unit_test(markdown_front_matter_reads_back_as_the_label),
      cmocka_unit_test(html_shows_the_label_and_escapes_the_content),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
