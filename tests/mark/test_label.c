// Labels on files that are there: what is added, what stays, what is refused, and what each law is
// said to have got.
#include "labelling.h"
#include "mark/label/xmp.h"
#include "mark/mark.h"
#include "picture/codec.h"

// ---- pictures -----------------------------------------------------------------------------------

static const char foreign[] =
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">"
    "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">"
    "<rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" "
    "xmlns:my=\"http://example.org/my/\" my:stays=\"whole\">"
    "<dc:creator><rdf:Seq><rdf:li>月山</rdf:li></rdf:Seq></dc:creator>%s"
    "</rdf:Description></rdf:RDF></x:xmpmeta>";

static blob picture_with_xmp(ink_picture_format format, int32_t width, int32_t height,
                             const char *more) {
  ink_error error = {0};
  ink_picture picture;
  ink_picture_extras extras = {0};
  ink_text out = {0};
  char xmp[2048];
  assert_ok(ink_picture_new(width, height, 3, &picture, &error));
  memset(picture.pixels, 0, ink_picture_bytes(&picture));
  snprintf(xmp, sizeof xmp, foreign, more);
  extras.xmp = strdup(xmp);
  assert_ok(ink_picture_note_set(&extras, "parameters", "a note, Steps: 3", &error));
  ink_picture_encoding encoding = {.extras = &extras};
  assert_ok(ink_picture_encode(&picture, format, &encoding, &out, &error));
  ink_picture_extras_free(&extras);
  ink_picture_free(&picture);
  return (blob){(unsigned char *)out.bytes, out.size};
}

static const char *const picture_names[] = {"a.png", "a.jpg", "a.webp"};

static void letters_of_a_labelled_file_are_a_twentieth_of_its_side(void **state) {
  (void)state;
  if (!has_font()) skip();
  static const struct {
    int32_t width, height;
    const char *language;
  } cases[] = {{400, 300, "zh-Hans"}, {300, 700, "en"}, {1000, 1000, "zh-Hans"}};
  for (int format = INK_PICTURE_PNG; format <= INK_PICTURE_WEBP; format++) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
      ink_error error = {0};
      blob b = picture_with_xmp((ink_picture_format)format, cases[i].width, cases[i].height, "");
      ink_label_request r = request_for(INK_LAW_CN);
      ink_label_result result;
      r.language = cases[i].language;
      ink_text out = label_blob(picture_names[format], &b, &r, &result);
      ink_picture picture;
      assert_ok(ink_picture_decode(out.bytes, out.size, "labelled", NULL, &picture, NULL, &error));
      // The picture was black: what is bright in it are letters. Their rows, first to last.
      int32_t first = -1, last = -2;
      for (int32_t y = 0; y < picture.height; y++) {
        for (int32_t x = 0; x < picture.width; x++) {
          if (ink_picture_at(&picture, x, y)[0] < 128) continue;
          if (first < 0) first = y;
          last = y;
        }
      }
      int32_t side = picture.width < picture.height ? picture.width : picture.height;
      print_message("# %s %d x %d: %d rows of letters, %.3f of the side; said: %s\n",
                    picture_names[format], picture.width, picture.height, last - first + 1,
                    (double)(last - first + 1) / side, result.visible);
      assert_true(20 * (last - first + 1) >= side);
      assert_true(first > picture.height / 2);
      ink_picture_free(&picture);
      ink_text_free(&out);
      free(b.bytes);
    }
  }
}

static void foreign_metadata_of_a_picture_stay(void **state) {
  (void)state;
  if (!has_font()) skip();
  for (int format = INK_PICTURE_PNG; format <= INK_PICTURE_WEBP; format++) {
    for (int visible = 0; visible < 2; visible++) {
      ink_error error = {0};
      blob b = picture_with_xmp((ink_picture_format)format, 200, 100, "");
      ink_label_request r = request_for(INK_LAW_EU);
      r.visible = visible;
      r.system = "a model";
      r.system_version = "3";
      r.prompt = "a <cat>";
      ink_text out = label_blob(picture_names[format], &b, &r, NULL);
      ink_picture picture;
      ink_picture_extras extras = {0};
      assert_ok(ink_picture_decode(out.bytes, out.size, "x", NULL, &picture, &extras, &error));
      assert_non_null(strstr(extras.xmp, "stays=\"whole\""));
      assert_non_null(strstr(extras.xmp, "月山"));
      assert_non_null(strstr(extras.xmp, "trainedAlgorithmicMedia"));
      assert_non_null(strstr(extras.xmp, "AISystemUsed>a model<"));
      assert_non_null(strstr(extras.xmp, "AISystemVersionUsed>3<"));
      assert_non_null(strstr(extras.xmp, "AIPromptInformation>a &lt;cat&gt;<"));
      assert_string_equal(ink_picture_note(&extras, "parameters"), "a note, Steps: 3");
      assert_int_equal(state_of(out.bytes, out.size,
                                ink_carrier_for(NULL, (void *)out.bytes, out.size), NULL, NULL),
                       INK_C2PA_VALID);
      ink_picture_extras_free(&extras);
      ink_picture_free(&picture);
      ink_text_free(&out);
      free(b.bytes);
    }
  }
}

// Exif that turns the picture is obeyed while the label is put on, and then says that it is
// upright: turned twice, the picture would be wide again.
static void a_turned_picture_is_labelled_upright(void **state) {
  (void)state;
  static const char *const names[] = {"turned.png", "turned.jpg", "turned.webp"};
  if (!has_font()) skip();
  for (int i = 0; i < 3; i++) {
    for (int visible = 0; visible < 2; visible++) {
      ink_error error = {0};
      blob b = load(names[i]);
      ink_label_request r = request_for(INK_LAW_EU);
      r.visible = visible;
      ink_text out = label_blob(names[i], &b, &r, NULL);
      ink_picture before, after;
      assert_ok(ink_picture_decode(b.bytes, b.size, names[i], NULL, &before, NULL, &error));
      assert_ok(ink_picture_decode(out.bytes, out.size, names[i], NULL, &after, NULL, &error));
      assert_int_equal(before.width, 64);
      assert_int_equal(before.height, 96);
      assert_int_equal(after.width, 64);
      assert_int_equal(after.height, 96);
      assert_non_null(memmem(out.bytes, out.size, "MM\0*", 4));  // the Exif block is kept
      ink_picture_free(&before);
      ink_picture_free(&after);
      ink_text_free(&out);
      free(b.bytes);
    }
  }
}

// Without a visible label a picture's data are not touched: not one byte of them changes.
static void metadata_alone_leave_the_pixels_data_as_they_are(void **state) {
  (void)state;
  static const struct {
    const char *name, *from;
  } files[] = {{"plain.png", "IDAT"}, {"plain.jpg", "\xFF\xDB"}, {"plain.webp", "VP8"}};
  for (size_t i = 0; i < 3; i++) {
    blob b = load(files[i].name);
    ink_label_request r = request_for(INK_LAW_EU);
    r.visible = false;
    ink_text out = label_blob(files[i].name, &b, &r, NULL);
    size_t n = strlen(files[i].from);
    const unsigned char *data = memmem(b.bytes, b.size, files[i].from, n);
    assert_non_null(data);
    // To the end of the file, or for WebP of the picture's chunk, which others follow.
    size_t size = b.size - (size_t)(data - b.bytes);
    if (i == 2) size = 8 + (data[4] | (size_t)data[5] << 8 | (size_t)data[6] << 16);
    assert_non_null(memmem(out.bytes, out.size, data, size));
    ink_text_free(&out);
    free(b.bytes);
  }
}

static void another_s_label_is_not_replaced(void **state) {
  (void)state;
  static const char aigc[] =
      "<a:AIGC "
      "xmlns:a=\"http://www.tc260.org.cn/ns/AIGC/1.0/\">{\"Label\":\"1\",\"ContentProducer\":"
      "\"other\",\"ProduceID\":\"17\"}</a:AIGC>";
  static const char captured[] =
      "<e:DigitalSourceType xmlns:e=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\">http://cv.iptc."
      "org/newscodes/digitalsourcetype/digitalCapture</e:DigitalSourceType>";
  for (int format = INK_PICTURE_PNG; format <= INK_PICTURE_WEBP; format++) {
    ink_error error = {0};
    ink_label_result result;
    ink_text out = {0};
    blob b = picture_with_xmp((ink_picture_format)format, 200, 100, aigc);
    ink_label_request r = request_for(INK_LAW_CN);
    assert_int_equal(label_as(picture_names[format], &b, &r, &out, &result, &error),
                     INK_ERR_CONFLICT);
    assert_non_null(strstr(error.text, "17"));
    assert_int_equal(out.size, 0);
    // Other laws add what they ask for, and leave it.
    r = request_for(INK_LAW_EU);
    assert_ok(label_as(picture_names[format], &b, &r, &out, &result, &error));
    json_t *there;
    assert_ok(ink_label_read(NULL, (unsigned char *)out.bytes, out.size, &there, &error));
    assert_string_equal(json_string_value(json_object_get(there, "ProduceID")), "17");
    assert_int_equal(item_of(&result, INK_LAW_EU, "visible label")->outcome, INK_LABEL_MISSING);
    json_decref(there);
    ink_text_free(&out);
    free(b.bytes);

    b = picture_with_xmp((ink_picture_format)format, 200, 100, captured);
    out = (ink_text){0};
    r = request_for(INK_LAW_EU);
    assert_int_equal(label_as(picture_names[format], &b, &r, &out, &result, &error),
                     INK_ERR_CONFLICT);
    assert_non_null(strstr(error.text, "digitalCapture"));
    // A suspicion says nothing of the source.
    r.kind = INK_LABEL_SUSPECTED;
    if (has_font()) assert_ok(label_as(picture_names[format], &b, &r, &out, &result, &error));
    ink_text_free(&out);
    free(b.bytes);
  }
}

static void a_file_that_was_signed_is_the_parent(void **state) {
  (void)state;
  if (!has_font()) skip();
  ink_signer *signer = signer_named("es256");
  ink_c2pa_manifest first = test_manifest();
  for (int format = INK_PICTURE_PNG; format <= INK_PICTURE_WEBP; format++) {
    blob plain = picture_with_xmp((ink_picture_format)format, 200, 100, "");
    ink_text before =
        sign_blob(&plain, ink_carrier_for(NULL, plain.bytes, plain.size), &first, signer);
    blob b = {(unsigned char *)before.bytes, before.size};
    // Even where no law asks for a signature: the one that is there would no longer hold.
    ink_label_request r = request_for(INK_LAW_CN);
    r.identity = "11111111-2222-4333-8444-555555555555";
    assert_true(ink_label_signs(picture_names[format], b.bytes, b.size, INK_LAW_CN));
    assert_false(ink_label_signs(picture_names[format], plain.bytes, plain.size, INK_LAW_CN));
    ink_label_result result;
    ink_text out = label_blob(picture_names[format], &b, &r, &result);
    assert_true(result.is_signed);
    ink_c2pa_report report = {0};
    const ink_carrier *carrier = ink_carrier_for(NULL, (void *)out.bytes, out.size);
    assert_int_equal(state_of(out.bytes, out.size, carrier, NULL, &report), INK_C2PA_VALID);
    assert_string_equal(report.active, "urn:c2pa:11111111-2222-4333-8444-555555555555");
    assert_int_equal(json_array_size(report.manifests), 2);
    const json_t *ingredient = ink_c2pa_assertion_of(&report, "c2pa.ingredient.v3");
    assert_non_null(json_object_get(ingredient, "activeManifest"));
    assert_non_null(json_object_get(ingredient, "thumbnail"));
    ink_c2pa_report_free(&report);
    ink_text_free(&out);
    ink_text_free(&before);
    free(plain.bytes);
  }
  ink_signer_free(signer);
}

// ---- the metadata label -------------------------------------------------------------------------

static void labels_of_three_kinds_name_only_what_is_known(void **state) {
  (void)state;
  static const struct {
    ink_label_kind kind;
    const char *label, *producer, *words;
  } kinds[] = {{INK_LABEL_OWN, "1", "0011code", "AI-generated"},
               {INK_LABEL_DECLARED, "2", "", "Possibly AI-generated"},
               {INK_LABEL_SUSPECTED, "3", "", "Suspected AI-generated"}};
  for (size_t i = 0; i < 3; i++) {
    ink_error error = {0};
    blob b = blob_of("# Title\n");
    ink_label_request r = request_for(INK_LAW_CN);
    r.kind = kinds[i].kind;
    r.producer = "0011code";
    ink_text out = label_blob("a.md", &b, &r, NULL);
    json_t *aigc;
    assert_ok(ink_label_read("a.md", (unsigned char *)out.bytes, out.size, &aigc, &error));
    assert_int_equal(json_object_size(aigc), 7);
    assert_string_equal(json_string_value(json_object_get(aigc, "Label")), kinds[i].label);
    assert_string_equal(json_string_value(json_object_get(aigc, "ContentProducer")),
                        kinds[i].producer);
    assert_string_equal(json_string_value(json_object_get(aigc, "ContentPropagator")), "0011code");
    assert_string_equal(json_string_value(json_object_get(aigc, "PropagateID")), test_identity);
    assert_non_null(strstr(out.bytes, kinds[i].words));
    json_decref(aigc);
    ink_text_free(&out);
    free(b.bytes);
  }
  // A code that the standard's characters cannot spell is refused, not mended.
  ink_error error = {0};
  ink_text out = {0};
  ink_label_result result;
  blob b = blob_of("x\n");
  ink_label_request r = request_for(INK_LAW_CN);
  r.producer = "某 公司";
  assert_int_equal(label_as("a.md", &b, &r, &out, &result, &error), INK_ERR_USAGE);
  free(b.bytes);
}

// ---- texts --------------------------------------------------------------------------------------

static void texts_are_labelled_and_else_stay_as_they_are(void **state) {
  (void)state;
  static const struct {
    const char *name, *text;
    bool at_end;
    const char *begins, *holds, *ends;
  } cases[] = {
      {"a.txt", "one\ntwo\n", false, "AI-generated content\n\none\ntwo\n", "", "two\n"},
      {"a.txt", "one\r\ntwo", true, "one\r\ntwo\r\n\r\nAI-generated content\r\n", "", "\r\n"},
      {"a.txt", "", false, "AI-generated content\n", "", "\n"},
      {"a.md", "# T\n\nbody\n", false, "---\nAIGC:\n  Label: \"1\"\n",
       "---\n\n**AI-generated content**\n\n# T\n\nbody\n", "body\n"},
      {"a.md", "---\ntitle: x\nl: [1, 2]\n---\n\n# T\n", false, "---\ntitle: x\nl: [1, 2]\nAIGC:\n",
       "\"\"\n---\n\n**AI-generated content**\n\n# T\n", "# T\n"},
      {"a.md", "---\r\ntitle: x\r\n---\r\n# T\r\n", false, "---\r\ntitle: x\r\nAIGC:\r\n",
       "---\r\n**AI-generated content**\r\n\r\n# T\r\n", "# T\r\n"},
      {"a.md", "---\na: 1\n---", false, "---\na: 1\nAIGC:\n", "\n---\n**AI-generated content**\n\n",
       "content**\n\n"},
      {"a.md", "---\r\na: 1\r\n---\r", false, "---\r\na: 1\r\nAIGC:\r\n",
       "---\r\r\n**AI-generated content**\r\n\r\n", "\r\n"},
      {"a.md", "---\na: 1\n---", true, "---\na: 1\nAIGC:\n", "\n---\n**AI-generated content**\n",
       "content**\n"},
      {"a.md", "body", true, "---\nAIGC:", "---\n\nbody\n\n**AI-generated content**\n", "**\n"},
      {"a.py", "#!/usr/bin/python3\nx\n", false,
       "#!/usr/bin/python3\n# AI-generated content\n\nx\n", "", "x\n"},
      {"a.css", "a {}\n", false, "/* AI-generated content */\n\na {}\n", "", "}\n"},
      {"a.html",
       "<!doctype html><html><head><title>x</title></HEAD>\n<body id=a>\n<p>y</p></body></html>",
       false,
       "<!doctype html><html><head><title>x</title><meta name=\"AIGC\" "
       "content=\"{&quot;Label&quot;:&quot;1&quot;,",
       "</HEAD>\n<body id=a>\n<p class=\"ai-label\"", "\n<p>y</p></body></html>"},
      {"a.html", "<html><head></head><p>y</p></html>", true, "<html><head><meta name=\"AIGC\"",
       ">AI-generated content</p>\n", "AI-generated content</p>\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    blob b = blob_of(cases[i].text);
    ink_label_request r = request_for(INK_LAW_CN);
    r.at_end = cases[i].at_end;
    ink_text out = label_blob(cases[i].name, &b, &r, NULL);
    const char *text = ink_text_string(&out);
    bool begins = strncmp(text, cases[i].begins, strlen(cases[i].begins)) == 0;
    size_t n = strlen(cases[i].ends);
    bool ends = out.size >= n && strcmp(text + out.size - n, cases[i].ends) == 0;
    if (!begins || !ends || !strstr(text, cases[i].holds)) fail_msg("case %zu:\n%s", i, text);
    ink_text_free(&out);
    free(b.bytes);
  }
}

static void texts_that_cannot_take_a_label_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *name, *text, *word;
    ink_status status;
  } cases[] = {
      {"a.md", "---\ntitle: x\nAIGC: {Label: \"1\", ProduceID: \"9\"}\n---\n", "ProduceID 9",
       INK_ERR_CONFLICT},
      {"a.md", "---\r\nAIGC: {Label: \"1\", ProduceID: \"9\"}\r\n---\r\n", "ProduceID 9",
       INK_ERR_CONFLICT},
      {"a.md", "---\nAIGC: yes, it is\n---\n", "another AIGC label", INK_ERR_CONFLICT},
      {"a.html", "<html><head><meta name=AIGC content='yes'></head></html>", "another AIGC label",
       INK_ERR_CONFLICT},
      {"a.md", "---\n{a: 1}\n---\n", "front matter", INK_ERR_UNSUPPORTED},
      {"a.md", "---\n- a\n---\n", "front matter", INK_ERR_UNSUPPORTED},
      {"a.md", "---\na: [1\n---\n", "front matter", INK_ERR_UNSUPPORTED},
      {"a.md", "---\na: |\n  text\n b\n---\n", "front matter", INK_ERR_UNSUPPORTED},
      {"a.html", "<!doctype html><p>no head</p>", "</head>", INK_ERR_FORMAT},
      {"a.html",
       "<html><head><meta name=AIGC content='{\"Label\":\"1\",\"ProduceID\":\"8\"}'></head></html>",
       "ProduceID 8", INK_ERR_CONFLICT},
      {"a.txt", "\xFF\xFE", "UTF-8", INK_ERR_FORMAT},
      {"a.bin", "x", "not labelled", INK_ERR_UNSUPPORTED},
      {"a.docx", "x", "its name is that of a file of kind \"docx\"", INK_ERR_UNSUPPORTED},
      {"a.mp3", "words", "kind \"mp3\", its content is not", INK_ERR_UNSUPPORTED},
      {"a.wav", "", "it is empty", INK_ERR_UNSUPPORTED},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_error error = {0};
    ink_text out = {0};
    ink_label_result result;
    blob b = blob_of(cases[i].text);
    ink_label_request r = request_for(INK_LAW_CN);
    ink_status status = label_as(cases[i].name, &b, &r, &out, &result, &error);
    if (status != cases[i].status || !strstr(error.text, cases[i].word)) {
      fail_msg("case %zu: %d, %s", i, (int)status, error.text);
    }
    assert_int_equal(out.size, 0);
    free(b.bytes);
  }
}

// It is in the way of another, and tells nothing.
static void a_label_that_cannot_be_read_is_no_label(void **state) {
  (void)state;
  ink_error error = {0};
  json_t *aigc = NULL;
  static const char page[] = "<html><head><meta name=AIGC content='yes'></head></html>";
  assert_ok(ink_label_read("a.html", (const unsigned char *)page, sizeof page - 1, &aigc, &error));
  assert_null(aigc);
}

// ---- documents ----------------------------------------------------------------------------------

static void a_pdf_keeps_what_it_says_and_gets_its_label(void **state) {
  (void)state;
  if (!has_font()) skip();
  ink_error error = {0};
  static const char *const names[] = {"plain.pdf", "informed.pdf", "packed.pdf"};
  for (int i = 0; i < 3; i++) {
    blob b = load(names[i]);
    ink_label_request r = request_for(INK_LAW_CN | INK_LAW_EU);
    ink_label_result result;
    r.producer = "(me)";
    ink_text out = label_blob(names[i], &b, &r, &result);
    // An update: the file as it was stands before it.
    assert_memory_equal(out.bytes, b.bytes, b.size);
    json_t *aigc;
    assert_ok(ink_label_read(names[i], (unsigned char *)out.bytes, out.size, &aigc, &error));
    assert_int_equal(json_object_size(aigc), 7);
    assert_string_equal(json_string_value(json_object_get(aigc, "ContentProducer")), "(me)");
    json_decref(aigc);
    const char *more = out.bytes + b.size;
    size_t size = out.size - b.size;
    assert_non_null(memmem(more, size, "trainedAlgorithmicMedia", 23));
    if (i > 0) assert_non_null(memmem(more, size, "/Title (A \\(title\\))", 20));
    if (i == 1) {
      assert_non_null(memmem(more, size, "my:stays=\"whole\"", 16));
    }
    assert_int_equal(state_of(out.bytes, out.size, ink_carrier_named("pdf"), NULL, NULL),
                     INK_C2PA_VALID);
    assert_int_equal(item_of(&result, INK_LAW_CN, "metadata label")->outcome, INK_LABEL_GOT);
    // The page of the second is no larger than a letter.
    assert_int_equal(item_of(&result, INK_LAW_CN, "visible label")->outcome,
                     i == 1 ? INK_LABEL_MISSING : INK_LABEL_GOT);
    // What bears a label gets no second.
    blob again = {(unsigned char *)out.bytes, out.size};
    ink_text more_out = {0};
    assert_int_equal(label_as(names[i], &again, &r, &more_out, &result, &error), INK_ERR_CONFLICT);
    ink_text_free(&out);
    free(b.bytes);
  }
}

// ---- laws ---------------------------------------------------------------------------------------

static void each_law_is_told_what_it_got(void **state) {
  (void)state;
  ink_error error = {0};
  blob b = blob_of("# T\n");
  ink_label_request r = request_for(INK_LAW_CN | INK_LAW_EU | INK_LAW_CA);
  ink_label_result result;
  ink_text out = label_blob("a.md", &b, &r, &result);
  assert_int_equal(item_of(&result, INK_LAW_CN, "visible label")->outcome, INK_LABEL_GOT);
  assert_int_equal(item_of(&result, INK_LAW_CN, "metadata label")->outcome, INK_LABEL_GOT);
  assert_int_equal(item_of(&result, INK_LAW_EU, "signed metadata")->outcome, INK_LABEL_GOT);
  assert_int_equal(item_of(&result, INK_LAW_EU, "imperceptible watermark")->outcome,
                   INK_LABEL_MISSING);
  assert_int_equal(item_of(&result, INK_LAW_CA, "latent disclosure")->outcome, INK_LABEL_NOT_ASKED);
  ink_text_free(&out);
  free(b.bytes);
  // Plain text keeps no manifest, and says so.
  b = blob_of("T\n");
  out = label_blob("a.txt", &b, &r, &result);
  assert_false(result.is_signed);
  assert_int_equal(item_of(&result, INK_LAW_EU, "signed metadata")->outcome, INK_LABEL_MISSING);
  // Nor a label that only machines read.
  assert_int_equal(item_of(&result, INK_LAW_CN, "metadata label")->outcome, INK_LABEL_NOT_ASKED);
  ink_text_free(&out);
  // What China's law does not let go.
  r.visible = false;
  out = (ink_text){0};
  assert_int_equal(label_as("a.txt", &b, &r, &out, &result, &error), INK_ERR_USAGE);
  free(b.bytes);
  unsigned laws;
  assert_ok(ink_laws_parse("eu,cn", &laws, &error));
  assert_int_equal(laws, INK_LAW_EU | INK_LAW_CN);
  assert_int_equal(ink_laws_parse("uk", &laws, &error), INK_ERR_USAGE);
  assert_int_equal(ink_laws_parse("", &laws, &error), INK_ERR_USAGE);
  assert_int_equal(ink_laws_parse("cn,,eu", &laws, &error), INK_ERR_USAGE);
}

// The signed part says what the label claims, and nothing that is not known.
static void a_manifest_says_what_the_label_claims(void **state) {
  (void)state;
  if (!has_font()) skip();
  static const struct {
    ink_label_kind kind;
    const char *name, *given, *source;
    bool model;
  } cases[] = {
      {INK_LABEL_OWN, "own", NULL, INK_SOURCE_TRAINED, true},
      {INK_LABEL_OWN, "own", "http://example.org/source", "http://example.org/source", true},
      {INK_LABEL_DECLARED, "declared", NULL, INK_SOURCE_TRAINED, false},
      {INK_LABEL_SUSPECTED, "suspected", NULL, NULL, false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    blob b = picture_with_xmp(INK_PICTURE_PNG, 200, 100, "");
    ink_label_request r = request_for(INK_LAW_CA);
    ink_label_result result;
    ink_c2pa_report report = {0};
    r.kind = cases[i].kind;
    r.source_type = cases[i].given;
    r.system = "a model";
    r.system_version = i ? "3" : NULL;
    assert_true(ink_label_signs("a.png", b.bytes, b.size, INK_LAW_CA));
    ink_text out = label_blob("a.png", &b, &r, &result);
    assert_int_equal(state_of(out.bytes, out.size, ink_carrier_named("png"), NULL, &report),
                     INK_C2PA_VALID);
    const json_t *said = ink_c2pa_assertion_of(&report, "org.inkstone.label");
    assert_string_equal(json_string_value(json_object_get(said, "kind")), cases[i].name);
    const json_t *actions =
        json_object_get(ink_c2pa_assertion_of(&report, "c2pa.actions.v2"), "actions");
    const char *source =
        json_string_value(json_object_get(json_array_get(actions, 1), "digitalSourceType"));
    if (cases[i].source) assert_string_equal(source, cases[i].source);
    if (!cases[i].source) assert_null(source);
    assert_int_equal(ink_c2pa_assertion_of(&report, "c2pa.ai-disclosure") != NULL, cases[i].model);
    assert_non_null(ink_c2pa_assertion_of(&report, "c2pa.thumbnail.claim"));
    // California's law asks for both.
    const ink_label_item *item = item_of(&result, INK_LAW_CA, "name and version of the system");
    assert_int_equal(item->outcome, i ? INK_LABEL_GOT : INK_LABEL_MISSING);
    if (i) assert_string_equal(item->detail, "a model 3");
    ink_c2pa_report_free(&report);
    ink_text_free(&out);
    free(b.bytes);
  }
}

// Two manifests where one may be: whose piece it is cannot be told, and none of them is dropped.
static void a_file_whose_manifest_cannot_be_kept_is_refused(void **state) {
  (void)state;
  ink_error error = {0};
  ink_text out = {0};
  ink_label_result result;
  ink_label_request r = request_for(INK_LAW_EU);
  blob b = blob_of(
      "<html><head><script type=\"application/c2pa\">AAAA</script>"
      "<script type=\"application/c2pa\">AAAA</script></head></html>");
  assert_int_equal(label_as("a.html", &b, &r, &out, &result, &error), INK_ERR_FORMAT);
  assert_non_null(strstr(error.text, "cannot be kept"));
  assert_int_equal(out.size, 0);
  free(b.bytes);
}

// ---- an outside reader --------------------------------------------------------------------------

static void exiftool_reads_the_fields(void **state) {
  (void)state;
  if (!has_exiftool() || !has_font()) skip();
  static const char *const of_picture[] = {"\"XMP-dc:Creator\": \"月山\"",
                                           "XMP-iptcExt:DigitalSourceType.*trainedAlgorithmicMedia",
                                           "XMP-iptcExt:AISystemUsed.*painter"};
  static const char *const of_pdf[] = {"\"PDF:Title\": \"A (title)\"",
                                       "XMP-iptcExt:DigitalSourceType.*trainedAlgorithmicMedia",
                                       "XMP-my:Stays.*whole"};
  ink_label_request r = request_for(INK_LAW_CN | INK_LAW_EU);
  for (int format = INK_PICTURE_PNG; format <= INK_PICTURE_WEBP; format++) {
    blob b = picture_with_xmp((ink_picture_format)format, 200, 100, "");
    r.system = "painter";
    ink_text out = label_blob(picture_names[format], &b, &r, NULL);
    assert_exiftool_finds(picture_names[format], &out, "XMP-TC260:AIGC", of_picture, 3);
    ink_text_free(&out);
    free(b.bytes);
  }
  r.system = NULL;
  blob b = load("informed.pdf");
  ink_text out = label_blob("informed.pdf", &b, &r, NULL);
  assert_exiftool_finds("informed.pdf", &out, "PDF:AIGC", of_pdf, 3);
  ink_text_free(&out);
  free(b.bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(letters_of_a_labelled_file_are_a_twentieth_of_its_side),
      cmocka_unit_test(foreign_metadata_of_a_picture_stay),
      cmocka_unit_test(a_turned_picture_is_labelled_upright),
      cmocka_unit_test(metadata_alone_leave_the_pixels_data_as_they_are),
      cmocka_unit_test(another_s_label_is_not_replaced),
      cmocka_unit_test(a_file_that_was_signed_is_the_parent),
      cmocka_unit_test(labels_of_three_kinds_name_only_what_is_known),
      cmocka_unit_test(texts_are_labelled_and_else_stay_as_they_are),
      cmocka_unit_test(texts_that_cannot_take_a_label_are_refused),
      cmocka_unit_test(a_label_that_cannot_be_read_is_no_label),
      cmocka_unit_test(a_pdf_keeps_what_it_says_and_gets_its_label),
      cmocka_unit_test(each_law_is_told_what_it_got),
      cmocka_unit_test(a_manifest_says_what_the_label_claims),
      cmocka_unit_test(a_file_whose_manifest_cannot_be_kept_is_refused),
      cmocka_unit_test(exiftool_reads_the_fields),
  };
  return cmocka_run_group_tests_name("label", tests, scratch_open, scratch_close);
}
