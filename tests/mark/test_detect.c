// Detection end to end: text that a model wrote under a watermark, labels in files, the verdict.
#include <math.h>
#include <unistd.h>

#include "base/file.h"
#include "llm/model.h"
#include "mark/detect.h"
#include "mark/picture_mark.h"
#include "mark/watermark/dwt_dct.h"
#include "picture/codec.h"
#include "testing.h"

static ink_detection detect_labels(const char *name, const char *text) {
  ink_error error = {0};
  ink_detection detection = {0};
  assert_ok(ink_detect_labels(name, text, strlen(text), &detection, &error));
  ink_detect_conclude(&detection);
  return detection;
}

static const ink_evidence *evidence_of(const ink_detection *d, ink_evidence_kind kind) {
  for (size_t i = 0; i < d->n_evidence; i++) {
    if (d->evidence[i].kind == kind) return &d->evidence[i];
  }
  return NULL;
}

// ---- labels ------------------------------------------------------------------------------------

static void labels_of_a_markdown_file_are_found(void **state) {
  (void)state;
  ink_detection d =
      detect_labels("a.md",
                    "---\ntitle: \"x\"\nAIGC:\n  Label: \"1\"\n  ContentProducer: "
                    "\"inkstone\"\n  ProduceID: \"abc\"\n---\n\n# x\n\nWords.\n\n---\n\n"
                    "**本内容由AI生成** · inkstone\n");
  const ink_evidence *metadata = evidence_of(&d, INK_EVIDENCE_METADATA);
  const ink_evidence *label = evidence_of(&d, INK_EVIDENCE_LABEL);
  assert_int_equal(d.verdict, INK_VERDICT_GENERATED);
  assert_non_null(metadata);
  assert_true(metadata->found);
  assert_string_equal(metadata->detail, "Label 1, inkstone, abc");
  assert_true(label->found);
  assert_string_equal(label->detail, "本内容由AI生成 · inkstone");
}

static void labels_of_an_html_page_are_found(void **state) {
  (void)state;
  ink_detection d = detect_labels(
      "a.html",
      "<!doctype html><html><head><meta name=\"AIGC\" content='{&quot;Label&quot;:&quot;2&quot;}'>"
      "<style>AI-generated</style></head><body><p>Words</p><footer>AI-generated content</footer>");
  assert_int_equal(d.verdict, INK_VERDICT_GENERATED);
  assert_true(evidence_of(&d, INK_EVIDENCE_METADATA)->found);
  assert_string_equal(evidence_of(&d, INK_EVIDENCE_LABEL)->detail, "AI-generated content");
}

// Labels 2 and 3 are put on by who did not make it, and say no more than that.
static void what_is_only_suspected_is_not_called_generated(void **state) {
  (void)state;
  static const struct {
    const char *name, *text, *detail;
  } cases[] = {
      {"a.md",
       "---\nAIGC:\n  Label: \"3\"\n  ContentProducer: \"\"\n  ProduceID: \"\"\n"
       "  ContentPropagator: \"site\"\n  PropagateID: \"xyz\"\n---\nWords.\n",
       "Label 3, site, xyz"},
      {"a.html",
       "<!doctype html><html><head><meta name=\"AIGC\" "
       "content='{&quot;Label&quot;:&quot;2&quot;,&quot;ContentProducer&quot;:&quot;maker&quot;}'>"
       "</head><body><p>Words</p>",
       "Label 2, maker"},
      {"a.txt", "本内容疑似由AI生成\n\n正文\n", NULL},
      {"a.txt", "本内容可能由AI生成\n\n正文\n", NULL},
      {"a.txt", "Suspected AI-generated content\n\nWords.\n", NULL},
      {"a.txt", "Possibly AI-generated content\n\nWords.\n", NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_detection d = detect_labels(cases[i].name, cases[i].text);
    if (d.verdict != INK_VERDICT_SUSPECTED) fail_msg("%s: %d", cases[i].text, (int)d.verdict);
    if (!cases[i].detail) continue;
    const ink_evidence *e = evidence_of(&d, INK_EVIDENCE_METADATA);
    assert_true(e->found && e->doubtful);
    assert_string_equal(e->detail, cases[i].detail);
  }
  ink_detection plain = detect_labels("a.txt", "本内容由AI生成，可能有误\n\n正文\n");
  assert_int_equal(plain.verdict, INK_VERDICT_GENERATED);
  // What says it plainly beside that decides.
  ink_detection d =
      detect_labels("a.md", "---\nAIGC:\n  Label: \"3\"\n---\nWords.\n\n**本内容由AI生成**\n");
  assert_int_equal(d.verdict, INK_VERDICT_GENERATED);
}

static void words_about_ai_are_no_label(void **state) {
  (void)state;
  static const char *const texts[] = {
      "This report of a hundred and more words asks what newspapers should do with AI-generated "
      "content, who should say so, and where on the page it should stand.",
      "她说，人工智能可以做很多事，但是诗要有人来读，也要有人来写，写给明天，写给你我，生成一首诗只"
      "要一秒钟，读懂一首诗却要一辈子。",
      "",
      "AI",
      "生成",
      "人工智能"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    ink_detection d = detect_labels(NULL, texts[i]);
    if (d.verdict != INK_VERDICT_CANNOT_TELL) fail_msg("taken for a label: %s", texts[i]);
  }
}

static void wordings_that_the_standard_names_are_labels(void **state) {
  (void)state;
  static const char *const labels[] = {"本文由AI生成", "人工智能生成合成内容", "由AI合成", "AI生成",
                                       "AI-generated", "本图由人工智能合成"};
  for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
    ink_detection d = detect_labels(NULL, labels[i]);
    if (d.verdict != INK_VERDICT_GENERATED) fail_msg("no label: %s", labels[i]);
  }
}

static void hostile_files_are_read_without_harm(void **state) {
  (void)state;
  static const char *const texts[] = {
      "---\n",
      "---\n---",
      "---\n---\n",
      "---\nAIGC:\n",
      "---\nAIGC: [\n---\n",
      "---\nAIGC: 1\n---\nx",
      "---\nAIGC: {Label: [1]}\n---\n",
      "<html><meta name=AIGC content='{'>",
      "<html><meta name=AIGC>",
      "<!DOCTYPE html",
      "<html><!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>&a;"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    ink_detection d = detect_labels(NULL, texts[i]);
    if (d.verdict != INK_VERDICT_CANNOT_TELL) fail_msg("a verdict on: %s", texts[i]);
  }
  // Deep nesting ends in an error or a shallower tree, never in a lost stack.
  enum { DEPTH = 200000 };
  char *deep = malloc(6 + 5 * DEPTH + 1);
  memcpy(deep, "<html>", 6);
  for (size_t i = 0; i < DEPTH; i++) memcpy(deep + 6 + 5 * i, "<div>", 5);
  ink_detection d = {0};
  ink_error error = {0};
  ink_detect_labels("deep.html", deep, 6 + 5 * DEPTH, &d, &error);
  free(deep);
}

// ---- pictures ----------------------------------------------------------------------------------

static ink_picture plain_picture(void) {
  ink_error error = {0};
  ink_picture p;
  assert_ok(ink_picture_new(320, 256, 3, &p, &error));
  for (int32_t y = 0; y < 256; y++) {
    for (int32_t x = 0; x < 320; x++) {
      uint8_t *to = ink_picture_at(&p, x, y);
      to[0] = (uint8_t)(x / 2);
      to[1] = (uint8_t)y;
      to[2] = (uint8_t)(200 - x / 4 + (x * 7 + y * 13) % 5);
    }
  }
  return p;
}

static ink_detection detect_picture(const ink_picture *picture, const ink_picture_extras *extras,
                                    ink_picture_format format) {
  ink_error error = {0};
  ink_text bytes = {0};
  ink_picture_encoding encoding = {.extras = extras};
  assert_ok(ink_picture_encode(picture, format, &encoding, &bytes, &error));
  assert_true(ink_picture_recognise(bytes.bytes, bytes.size));
  ink_detection d = {0};
  assert_ok(ink_detect_manifest(NULL, bytes.bytes, bytes.size, &d, &error));
  assert_ok(ink_detect_picture(NULL, bytes.bytes, bytes.size, &d, &error));
  ink_detect_conclude(&d);
  ink_text_free(&bytes);
  return d;
}

static void marks_of_a_picture_are_found_in_every_format(void **state) {
  (void)state;
  ink_error error = {0};
  ink_picture picture = plain_picture();
  ink_picture_extras extras = {0};
  ink_picture_marks marks = {.identity = "84b1f6c7-2c4b-4d0f-bf3a-b0bdfc5c1ad5", .language = "en"};
  ink_marked_picture *marked = NULL;
  ink_status status = ink_mark_painting(&picture, &extras, &marks, &marked, &error);
  if (status == INK_ERR_NOT_FOUND) skip();  // no font on this machine
  assert_ok(status);
  for (int format = INK_PICTURE_PNG; format <= INK_PICTURE_WEBP; format++) {
    ink_detection d = detect_picture(ink_marked_picture_pixels(marked),
                                     ink_marked_picture_extras(marked), (ink_picture_format)format);
    assert_int_equal(d.verdict, INK_VERDICT_GENERATED);
    const ink_evidence *metadata = evidence_of(&d, INK_EVIDENCE_METADATA);
    assert_true(metadata->found);
    assert_string_equal(metadata->detail,
                        "Label 1, inkstone, 84b1f6c7-2c4b-4d0f-bf3a-b0bdfc5c1ad5");
    assert_false(evidence_of(&d, INK_EVIDENCE_MANIFEST)->found);
    assert_false(evidence_of(&d, INK_EVIDENCE_WATERMARK)->found);
  }
  // They have moved: nothing unmarked is left to be written.
  assert_null(picture.pixels);
  assert_null(extras.xmp);
  ink_marked_picture_free(marked);
}

static void the_watermark_of_a_picture_is_found_alone(void **state) {
  (void)state;
  ink_error error = {0};
  ink_picture picture = plain_picture();
  ink_detection d = detect_picture(&picture, NULL, INK_PICTURE_PNG);
  assert_int_equal(d.verdict, INK_VERDICT_NO_MARK);
  size_t n;
  assert_ok(ink_dwt_dct_write(&picture, &ink_dwt_dct_messages(&n)[0], &error));
  d = detect_picture(&picture, NULL, INK_PICTURE_PNG);
  assert_int_equal(d.verdict, INK_VERDICT_GENERATED);
  assert_true(evidence_of(&d, INK_EVIDENCE_WATERMARK)->found);
  ink_picture_free(&picture);
}

static void manifests_count_where_they_hold(void **state) {
  (void)state;
  // Files of others; absent where the public test data is.
  static const struct {
    const char *name;
    bool signed_by_someone;
  } files[] = {{"c2pa/adobe-20220124-CA.jpg", true}, {"c2pa/adobe-20220124-I.jpg", false}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    const char *path = shared_path(files[i].name);
    if (!path) continue;
    ink_error error = {0};
    char *bytes;
    size_t size;
    ink_detection d = {0};
    assert_ok(ink_file_read(path, 1 << 26, &bytes, &size, &error));
    assert_ok(ink_detect_manifest(path, bytes, size, &d, &error));
    const ink_evidence *e = evidence_of(&d, INK_EVIDENCE_MANIFEST);
    assert_non_null(e);
    assert_int_equal(e->detail[0] != 0, files[i].signed_by_someone);
    assert_false(e->found);  // signed, but by a camera or an editor
    free(bytes);
  }
}

// ---- watermarks --------------------------------------------------------------------------------

static ink_model *open_poet(void) {
  ink_error error = {0};
  ink_model *model;
  assert_ok(ink_model_open_at(fixture_path("../../models/poet"), &model, &error));
  return model;
}

// 250 tokens behind the first token of a poem, marked unless watermark is NULL.
static char *write_text(const ink_model *model, ink_watermark *watermark, uint64_t seed) {
  ink_error error = {0};
  ink_session_options options = ink_session_default();
  ink_reweigher reweigher;
  options.sampling.seed = seed;
  options.max_tokens = 250;
  options.ignore_end = true;
  if (watermark) {
    assert_ok(ink_watermark_reweigher(watermark, &reweigher, &error));
    options.reweigher = &reweigher;
  }
  ink_session *session;
  int32_t begin[1] = {1};
  assert_ok(ink_session_new(model, &options, NULL, &session, &error));
  assert_ok(ink_session_prompt(session, begin, 1, &error));
  assert_ok(ink_session_run(session, &error));
  char *text = strdup(ink_session_text(session));
  ink_session_free(session);
  return text;
}

static double p_value_of(const ink_model *model, ink_watermark *watermark, const char *text) {
  ink_error error = {0};
  int32_t *ids;
  size_t n;
  assert_ok(ink_tokenizer_encode(model->tokenizer, text, strlen(text), INK_ENCODE_PLAIN, &ids, &n,
                                 &error));
  ink_watermark_score score;
  assert_ok(ink_watermark_score_tokens(watermark, ids, n, &score, &error));
  free(ids);
  return score.p_value;
}

static void what_the_poet_wrote_is_found_by_every_scheme(void **state) {
  (void)state;
  enum { TEXTS = 4 };
  ink_error error = {0};
  ink_model *model = open_poet();
  size_t vocab = (size_t)ink_decoder_about(model->decoder)->vocab;
  char *plain[TEXTS];
  for (uint64_t i = 0; i < TEXTS; i++) plain[i] = write_text(model, NULL, i + 1);
  for (int scheme = 0; scheme < INK_WATERMARK_SCHEMES; scheme++) {
    ink_watermark *watermark;
    assert_ok(ink_watermark_open((ink_watermark_scheme)scheme, NULL, vocab, &watermark, &error));
    for (uint64_t i = 0; i < TEXTS; i++) {
      char *marked = write_text(model, watermark, i + 1);
      double with = p_value_of(model, watermark, marked),
             without = p_value_of(model, watermark, plain[i]);
      print_message("# %s, seed %llu: %.1e marked, %.2g unmarked\n", ink_watermark_id(watermark),
                    (unsigned long long)i + 1, with, without);
      assert_true(with < 1e-6);
      assert_true(without > 1e-4);
      if (i == 0) {
        char *again = write_text(model, watermark, i + 1);
        assert_string_equal(marked, again);
        free(again);
      }
      free(marked);
    }
    ink_watermark_free(watermark);
  }
  for (int i = 0; i < TEXTS; i++) free(plain[i]);
  ink_model_free(model);
}

static void keys_of_ones_own_are_read_from_a_file(void **state) {
  (void)state;
  ink_error error = {0};
  char path[] = "/tmp/inkstone-keys-XXXXXX";
  int file = mkstemp(path);
  assert_true(file >= 0);
  close(file);
  ink_watermark *a, *b;
  assert_int_equal(ink_watermark_open(INK_WATERMARK_SYNTHID, path, 100, &a, &error), INK_ERR_USAGE);
  assert_ok(ink_file_save(path, "secret", 6, &error));
  assert_ok(ink_watermark_open(INK_WATERMARK_SYNTHID, path, 100, &a, &error));
  assert_ok(ink_watermark_open(INK_WATERMARK_SYNTHID, NULL, 100, &b, &error));
  assert_string_not_equal(ink_watermark_id(a), ink_watermark_id(b));
  ink_watermark_free(a);
  ink_watermark_free(b);
  assert_ok(ink_file_save(path, "{\"keys\": [1, 2, 3]}", 19, &error));
  assert_ok(ink_watermark_open(INK_WATERMARK_SYNTHID, path, 100, &a, &error));
  ink_watermark_free(a);
  assert_int_equal(ink_watermark_open(INK_WATERMARK_KGW, path, 100, &a, &error),
                   INK_ERR_UNSUPPORTED);
  remove(path);
  assert_int_equal(ink_watermark_open(INK_WATERMARK_KGW, path, 100, &a, &error), INK_ERR_NOT_FOUND);
}

static void many_looks_make_the_verdict_stricter(void **state) {
  (void)state;
  ink_detection d = {.n_evidence = 3};
  for (int i = 0; i < 3; i++) {
    d.evidence[i] = (ink_evidence){
        .kind = INK_EVIDENCE_WATERMARK, .p_value = 1, .p_limit = INK_DETECT_P_VALUE, .used = 300};
  }
  d.evidence[1].p_value = 0.0005;  // found alone, not among three
  ink_detect_conclude(&d);
  assert_int_equal(d.verdict, INK_VERDICT_NO_MARK);
  assert_true(fabs(d.p_value - 0.0015) < 1e-12);
  d.evidence[1].p_value = 0.0001;
  ink_detect_conclude(&d);
  assert_int_equal(d.verdict, INK_VERDICT_GENERATED);
  assert_true(d.evidence[1].found && !d.evidence[0].found);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(labels_of_a_markdown_file_are_found),
      cmocka_unit_test(labels_of_an_html_page_are_found),
      cmocka_unit_test(what_is_only_suspected_is_not_called_generated),
      cmocka_unit_test(words_about_ai_are_no_label),
      cmocka_unit_test(wordings_that_the_standard_names_are_labels),
      cmocka_unit_test(hostile_files_are_read_without_harm),
      cmocka_unit_test(marks_of_a_picture_are_found_in_every_format),
      cmocka_unit_test(the_watermark_of_a_picture_is_found_alone),
      cmocka_unit_test(manifests_count_where_they_hold),
      cmocka_unit_test(what_the_poet_wrote_is_found_by_every_scheme),
      cmocka_unit_test(keys_of_ones_own_are_read_from_a_file),
      cmocka_unit_test(many_looks_make_the_verdict_stricter),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
