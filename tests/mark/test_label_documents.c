// Labels of documents that are archives: where they stand, what stays as it was, what is refused.
#include "labelling.h"
#include "mark/archive.h"
#include "mark/detect.h"
#include "mark/label/package.h"

// ---- looking in ---------------------------------------------------------------------------------

static ink_text part_of(const void *bytes, size_t size, const char *name) {
  ink_error error = {0};
  ink_package p = {0};
  ink_text text = {0};
  assert_ok(ink_package_open(bytes, size, &p, &error));
  assert_ok(ink_package_read(&p, name, 1 << 26, &text, NULL, &error));
  ink_package_close(&p);
  return text;
}

static void assert_part_has(const ink_text *file, const char *part, const char *words) {
  ink_text text = part_of(file->bytes, file->size, part);
  if (!strstr(ink_text_string(&text), words)) fail_msg("%s: no %s in %s", part, words, text.bytes);
  ink_text_free(&text);
}

// The document with other content in one of its files.
static blob with_part(const char *name, const char *part, const void *content, size_t size) {
  ink_error error = {0};
  ink_archive a;
  ink_text out = {0};
  blob b = load(name);
  ink_archive_change change = {part, content, size, false};
  assert_ok(ink_archive_read(b.bytes, b.size, &a, &error));
  assert_ok(ink_archive_write(b.bytes, b.size, &a, &change, 1, &out, &error));
  ink_archive_free(&a);
  free(b.bytes);
  return (blob){(unsigned char *)out.bytes, out.size};
}

static blob with_text(const char *name, const char *part, const char *text) {
  return with_part(name, part, text, strlen(text));
}

// One place in one of its files, changed.
static blob with_change(const char *name, const char *part, const char *from, const char *to) {
  blob b = load(name);
  ink_text text = part_of(b.bytes, b.size, part), changed = {0};
  const char *at = strstr(text.bytes, from);
  assert_non_null(at);
  ink_text_add_bytes(&changed, text.bytes, (size_t)(at - text.bytes));
  ink_text_add(&changed, to);
  ink_text_add(&changed, at + strlen(from));
  blob out = with_part(name, part, changed.bytes, changed.size);
  ink_text_free(&text);
  ink_text_free(&changed);
  free(b.bytes);
  return out;
}

// ---- what is labelled ---------------------------------------------------------------------------

typedef struct document {
  const char *name;
  const char *metadata, *says;  // the file that gets the metadata label, and a word beside it
  const char *shows;            // the file that gets the visible one
  const char *changed[6];       // the others that change
} document;

static const document documents[] = {
    {"text.docx",
     "docProps/custom.xml",
     "pid=\"2\" name=\"AIGC\"",
     "word/document.xml",
     {"_rels/.rels", "[Content_Types].xml"}},
    {"properties.docx", "docProps/custom.xml", "pid=\"8\" name=\"AIGC\"", "word/document.xml", {0}},
    {"strict.docx",
     "docProps/custom.xml",
     "http://purl.oclc.org/ooxml/officeDocument/docPropsVTypes",
     "word/document.xml",
     {"_rels/.rels", "[Content_Types].xml"}},
    {"sheets.xlsx",
     "docProps/custom.xml",
     "lpwstr",
     "xl/worksheets/ai-label2.xml",
     {"_rels/.rels", "[Content_Types].xml", "xl/workbook.xml", "xl/_rels/workbook.xml.rels"}},
    {"slides.pptx",
     "docProps/custom.xml",
     "lpwstr",
     "ppt/slides/b.xml",
     {"_rels/.rels", "[Content_Types].xml"}},
    {"third.epub", "书/book.opf", "<meta name=\"AIGC\"", "书/ai-label.xhtml", {0}},
    {"second.epub", "book.opf", "<o:meta name=\"AIGC\"", "ai-label.xhtml", {0}},
    {"text.odt", "meta.xml", "<meta:user-defined ", "content.xml", {"META-INF/manifest.xml"}},
};
enum { N_DOCUMENT = sizeof documents / sizeof *documents };

static bool may_change(const document *d, const char *name, size_t size) {
  const char *const names[] = {d->metadata,
                               d->shows,
                               d->changed[0],
                               d->changed[1],
                               d->changed[2],
                               d->changed[3],
                               "META-INF/content_credential.c2pa"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (names[i] && strlen(names[i]) == size && memcmp(names[i], name, size) == 0) return true;
  }
  return false;
}

// Those that may not change are there, header and all, in their order.
static void assert_rest_stays(const document *d, const blob *before, const ink_text *after) {
  ink_error error = {0};
  ink_archive a, b;
  const unsigned char *bytes = (const unsigned char *)after->bytes;
  assert_ok(ink_archive_read(before->bytes, before->size, &a, &error));
  assert_ok(ink_archive_read(bytes, after->size, &b, &error));
  assert_true(b.n >= a.n);
  size_t kept = 0;
  for (size_t i = 0; i < a.n; i++) {
    const ink_archive_file *old = &a.files[i], *new = &b.files[i];
    const char *name = (const char *)before->bytes + old->name;
    assert_int_equal(old->name_size, new->name_size);
    assert_memory_equal(name, bytes + new->name, old->name_size);
    if (may_change(d, name, old->name_size)) continue;
    kept++;
    assert_int_equal(old->length, new->length);
    assert_memory_equal(before->bytes + old->start, bytes + new->start, old->length);
    assert_int_equal(old->central_size, new->central_size);
  }
  for (size_t i = a.n; i < b.n; i++) {
    assert_true(may_change(d, (const char *)bytes + b.files[i].name, b.files[i].name_size));
  }
  print_message("# %s: %zu of %zu files as they were\n", d->name, kept, a.n);
  ink_archive_free(&a);
  ink_archive_free(&b);
}

static void a_document_gets_its_labels_and_else_keeps_its_bytes(void **state) {
  (void)state;
  for (size_t i = 0; i < N_DOCUMENT; i++) {
    const document *d = &documents[i];
    blob b = load(d->name);
    for (int zh = 0; zh < 2; zh++) {
      ink_label_request r = request_for(zh ? INK_LAW_CN | INK_LAW_EU | INK_LAW_CA : INK_LAW_CN);
      r.language = zh ? "zh-Hans" : "en";
      ink_label_result result;
      ink_text out = label_blob(d->name, &b, &r, &result);
      assert_labelled(d->name, &out, "1");
      assert_part_has(&out, d->metadata, d->says);
      assert_part_has(&out, d->shows, zh ? "本内容由AI生成" : "AI-generated content");
      assert_int_equal(item_of(&result, INK_LAW_CN, "visible label")->outcome, INK_LABEL_GOT);
      assert_int_equal(item_of(&result, INK_LAW_CN, "metadata label")->outcome, INK_LABEL_GOT);
      // Only Office's formats have a place that the standard fixes.
      bool fixed = strcmp(d->metadata, "docProps/custom.xml") == 0;
      assert_int_equal(item_of(&result, INK_LAW_CN, "metadata label")->note == NULL, fixed);
      assert_int_equal(result.is_signed, zh);
      if (zh) {
        const ink_carrier *carrier = ink_carrier_for(NULL, (unsigned char *)out.bytes, out.size);
        assert_int_equal(state_of(out.bytes, out.size, carrier, NULL, NULL), INK_C2PA_VALID);
        assert_int_equal(item_of(&result, INK_LAW_CA, "latent disclosure")->outcome,
                         INK_LABEL_NOT_ASKED);
      }
      assert_rest_stays(d, &b, &out);
      ink_text_free(&out);
    }
    free(b.bytes);
  }
}

// Labelled and signed by hand, one after the other; and signed before, which becomes the parent.
static void labels_and_signatures_go_together(void **state) {
  (void)state;
  ink_signer *signer = signer_named("es256");
  ink_c2pa_manifest manifest = test_manifest();
  for (size_t i = 0; i < N_DOCUMENT; i++) {
    const char *name = documents[i].name;
    blob b = load(name);
    const ink_carrier *carrier = ink_carrier_for(NULL, b.bytes, b.size);
    ink_label_request r = request_for(INK_LAW_CN);
    ink_text labelled = label_blob(name, &b, &r, NULL);
    blob between = {(unsigned char *)labelled.bytes, labelled.size};
    ink_text out = sign_blob(&between, carrier, &manifest, signer);
    assert_int_equal(state_of(out.bytes, out.size, carrier, NULL, NULL), INK_C2PA_VALID);
    assert_labelled(name, &out, "1");
    ink_text_free(&out);
    ink_text_free(&labelled);

    ink_text first = sign_blob(&b, carrier, &manifest, signer);
    between = (blob){(unsigned char *)first.bytes, first.size};
    r.identity = "11111111-2222-4333-8444-555555555555";
    ink_label_result result;
    out = label_blob(name, &between, &r, &result);
    ink_c2pa_report report = {0};
    assert_true(result.is_signed);
    assert_int_equal(state_of(out.bytes, out.size, carrier, NULL, &report), INK_C2PA_VALID);
    assert_int_equal(json_array_size(report.manifests), 2);
    ink_c2pa_report_free(&report);
    ink_text_free(&out);
    ink_text_free(&first);
    free(b.bytes);
  }
  ink_signer_free(signer);
}

static void properties_that_are_there_stay(void **state) {
  (void)state;
  blob b = load("properties.docx");
  ink_label_request r = request_for(INK_LAW_CN);
  ink_text out = label_blob("properties.docx", &b, &r, NULL);
  assert_part_has(&out, "docProps/custom.xml",
                  "pid=\"7\" name=\"Project\"><vt:lpwstr>mine &lt;&amp;&gt;</vt:lpwstr></property>"
                  "<property fmtid=\"{D5CDD505-2E9C-101B-9397-08002B2CF9AE}\" pid=\"8\"");
  // Not compressed, so that whoever looks for the bytes finds them.
  assert_non_null(
      memmem(out.bytes, out.size, "&quot;ContentProducer&quot;:&quot;inkstone&quot;", 48));
  ink_text_free(&out);
  free(b.bytes);
  // With a prefix, and without content.
  b = with_text("properties.docx", "docProps/custom.xml",
                "<c:Properties xmlns:c=\"http://schemas.openxmlformats.org/officeDocument/2006/"
                "custom-properties\" />");
  out = label_blob("properties.docx", &b, &r, NULL);
  assert_labelled("properties.docx", &out, "1");
  assert_part_has(&out, "docProps/custom.xml", "custom-properties\" ><c:property fmtid=");
  assert_part_has(&out, "docProps/custom.xml", "</c:property></c:Properties>");
  ink_text_free(&out);
  free(b.bytes);
}

static void another_s_label_is_left_alone(void **state) {
  (void)state;
  blob files[] = {
      load("plain.docx"),
      with_change("second.epub", "book.opf", "</o:metadata>",
                  "<o:meta name=\"AIGC\" content=\"{&quot;Label&quot;:&quot;1&quot;,"
                  "&quot;ProduceID&quot;:&quot;f9\"/></o:metadata>"),
      with_change("third.epub", "书/book.opf", "</metadata>",
                  "<meta property=\"x:AIGC\">{\"Label\":\"1\",\"ProduceID\":\"f9\"}</meta>"
                  "</metadata>"),
      with_text("text.odt", "meta.xml",
                "<o:document-meta xmlns:o=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" "
                "xmlns:m=\"urn:oasis:names:tc:opendocument:xmlns:meta:1.0\"><o:meta>"
                "<m:user-defined m:name=\"AIGC\">{\"Label\":\"1\",\"ProduceID\":\"f9\"}"
                "</m:user-defined></o:meta></o:document-meta>"),
      with_change(
          "second.epub", "book.opf", "</o:metadata>",
          "<o:meta name=\"AIGC\" content=\"{&quot;AIGC&quot;:{&quot;Label&quot;:&quot;1&quot;,"
          "&quot;ProduceID&quot;:&quot;f9&quot;}}\"/></o:metadata>"),
      with_change("second.epub", "book.opf", "</o:metadata>",
                  "<o:meta name=\"AIGC\" content=\"{&quot;ProduceID&quot;:&quot;f8&quot;,"
                  "&quot;ProduceID&quot;:&quot;f9&quot;}\"/></o:metadata>"),
  };
  static const char *const names[] = {"a.docx", "a.epub", "a.epub", "a.odt", "a.epub", "a.epub"};
  for (int i = 0; i < 6; i++) {
    ink_error error = {0};
    ink_text out = {0};
    ink_label_result result;
    ink_label_request r = request_for(INK_LAW_CN);
    if (label_as(names[i], &files[i], &r, &out, &result, &error) != INK_ERR_CONFLICT) {
      fail_msg("%d: %s", i, error.text);
    }
    // One that cannot be read is a label too.
    assert_non_null(strstr(error.text, i == 1 || i == 5 ? "ProduceID ?" : "ProduceID f9"));
    assert_int_equal(out.size, 0);
    // Another law's signature goes round it.
    r = request_for(INK_LAW_EU);
    assert_ok(label_as(names[i], &files[i], &r, &out, &result, &error));
    assert_true(result.is_signed);
    assert_int_equal(item_of(&result, INK_LAW_EU, "visible label")->outcome, INK_LABEL_MISSING);
    ink_text_free(&out);
    free(files[i].bytes);
  }
}

static void the_three_kinds_differ(void **state) {
  (void)state;
  static const char *const labels[] = {"1", "2", "3"}, *const words[] = {
                                                           "AI-generated content",
                                                           "Possibly AI-generated content",
                                                           "Suspected AI-generated content"};
  for (size_t i = 0; i < N_DOCUMENT; i++) {
    blob b = load(documents[i].name);
    for (int kind = 0; kind < 3; kind++) {
      ink_label_request r = request_for(INK_LAW_CN);
      r.kind = (ink_label_kind)kind;
      ink_text out = label_blob(documents[i].name, &b, &r, NULL);
      char exact[64];
      snprintf(exact, sizeof exact, ">%s<", words[kind]);
      assert_labelled(documents[i].name, &out, labels[kind]);
      assert_part_has(&out, documents[i].shows, exact);
      ink_text_free(&out);
    }
    free(b.bytes);
  }
}

// Of two texts, the first stands before the second.
static void assert_order(const ink_text *file, const char *part, const char *first,
                         const char *second) {
  ink_text text = part_of(file->bytes, file->size, part);
  const char *a = strstr(text.bytes, first), *b = strstr(text.bytes, second);
  if (!a || !b || a > b) fail_msg("%s: %s", part, text.bytes);
  ink_text_free(&text);
}

static void labels_stand_at_the_start_or_the_end(void **state) {
  (void)state;
  static const char words[] = "AI-generated content";
  static const struct {
    const char *name, *part, *label, *body, *behind;  // what stays behind even a last label
  } cases[] = {{"text.docx", "word/document.xml", words, "秋夜将何处", "<w:sectPr>"},
               {"third.epub", "书/book.opf", "idref=\"ink-ai-label0\"", "idref=\"p\"", "</spine>"},
               {"second.epub", "book.opf", "idref=\"ink-ai-label0\"", "idref=\"p\"", "</o:spine>"},
               {"text.odt", "content.xml", words, "秋夜将何处", "</office:text>"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    blob b = load(cases[i].name);
    for (int at_end = 0; at_end < 2; at_end++) {
      ink_label_request r = request_for(INK_LAW_CN);
      r.at_end = at_end;
      ink_text out = label_blob(cases[i].name, &b, &r, NULL);
      assert_order(&out, cases[i].part, at_end ? cases[i].body : cases[i].label,
                   at_end ? cases[i].label : cases[i].body);
      assert_order(&out, cases[i].part, cases[i].label, cases[i].behind);
      if (i == 3) assert_order(&out, cases[i].part, "</text:sequence-decls>", cases[i].label);
      ink_text_free(&out);
    }
    free(b.bytes);
  }
}

// Whoever was numbered as ours are keeps the number.
static void names_of_ours_are_numbered_on(void **state) {
  (void)state;
  static const struct {
    const char *name, *part, *before, *put, *wanted;
  } cases[] = {
      {"sheets.xlsx", "xl/_rels/workbook.xml.rels", "</Relationships>",
       "<Relationship Id=\"inkLabel4\" Type=\"t\" Target=\"u\"/></Relationships>",
       "Id=\"inkLabel5\""},
      {"sheets.xlsx", "xl/_rels/workbook.xml.rels", "</Relationships>",
       "<Relationship Id=\"inkLabel0\" Type=\"t\" Target=\"u\"/></Relationships>",
       "Id=\"inkLabel1\""},
      {"third.epub", "书/book.opf", "</metadata>",
       "<meta id=\"ink-ai-label6\" property=\"x\">y</meta></metadata>",
       "<itemref idref=\"ink-ai-label7\""},
      {"third.epub", "书/book.opf", "</metadata>",
       "<meta id=\"ink-ai-label0\" property=\"x\">y</meta></metadata>",
       "<itemref idref=\"ink-ai-label1\""},
      {"text.odt", "content.xml", "<office:body>",
       "<office:automatic-styles><s:style "
       "xmlns:s=\"urn:oasis:names:tc:opendocument:xmlns:style:1.0\""
       " s:name=\"inkAILabel2\" s:family=\"paragraph\"/></office:automatic-styles><office:body>",
       "text:style-name=\"inkAILabel3\""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    blob b = with_change(cases[i].name, cases[i].part, cases[i].before, cases[i].put);
    ink_label_request r = request_for(INK_LAW_CN);
    ink_text out = label_blob(cases[i].name, &b, &r, NULL);
    assert_part_has(&out, cases[i].part, cases[i].wanted);
    ink_text_free(&out);
    free(b.bytes);
  }
}

static void assert_part_lacks(const ink_text *file, const char *part, const char *words) {
  ink_text text = part_of(file->bytes, file->size, part);
  if (strstr(ink_text_string(&text), words)) fail_msg("%s: %s in %s", part, words, text.bytes);
  ink_text_free(&text);
}

#define RELATIONS "http://schemas.openxmlformats.org/package/2006/relationships"
#define CONTENT_TYPES "http://schemas.openxmlformats.org/package/2006/content-types"
#define OFFICE "http://schemas.openxmlformats.org/officeDocument/2006/"
#define WORDS "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
#define SHEETS "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
#define STRICT_SHEETS "http://purl.oclc.org/ooxml/spreadsheetml/main"
#define BOOK "http://www.idpf.org/2007/opf"

// Prefixes, elements without content, and others of like names are every writer's right.
static void what_is_put_in_fits_the_elements_around_it(void **state) {
  (void)state;
  static const struct {
    const char *name, *part, *content;
    bool at_end;
    const char *where, *wanted;  // NULL: in the same part
  } cases[] = {
      {"text.docx", "_rels/.rels", "<r:Relationships xmlns:r=\"" RELATIONS "\"></r:Relationships>",
       false, NULL, "\"><r:Relationship Id=\"inkLabel0\" "},
      {"text.docx", "_rels/.rels", "<Relationships xmlns=\"" RELATIONS "\"/>", false, NULL,
       "\"><Relationship Id=\"inkLabel0\" Type=\"" OFFICE
       "relationships/custom-properties\" Target=\"docProps/custom.xml\"/></Relationships>"},
      {"text.docx", "[Content_Types].xml", "<Types xmlns=\"" CONTENT_TYPES "\"/>", false, NULL,
       "\"><Override PartName=\"/docProps/custom.xml\" "},
      {"properties.docx", "docProps/custom.xml",
       "<Properties xmlns=\"" OFFICE "custom-properties\"><property pid=\"2\" name=\"x\">"
       "<x pid=\"99\"/></property></Properties>",
       false, NULL, "pid=\"3\" name=\"AIGC\""},
      {"text.docx", "word/document.xml",
       "<d:document xmlns:d=\"" WORDS "\"><d:body><d:p/></d:body></d:document>", false, NULL,
       "<d:body><w:p xmlns:w=\"" WORDS "\"><w:pPr>"},
      {"text.docx", "word/document.xml",
       "<w:document xmlns:w=\"" WORDS "\"><w:body><w:sectPr/><w:p/></w:body></w:document>", true,
       NULL, "<w:p/><w:p><w:pPr>"},
      {"text.docx", "word/document.xml", "<w:document xmlns:w=\"" WORDS "\"><w:body/></w:document>",
       true, NULL, "<w:body><w:p><w:pPr>"},
      {"text.docx", "word/document.xml",
       "<w:document xmlns:w=\"" WORDS "\" xmlns:x=\"x\"><w:body><w:p/><x:sectPr/></w:body>"
       "</w:document>",
       true, NULL, "<x:sectPr/><w:p><w:pPr>"},
      {"sheets.xlsx", "xl/workbook.xml",
       "<x:workbook xmlns:x=\"" SHEETS "\"><x:sheets><x:sheet name=\"a\" sheetId=\"9\"/>"
       "<x:sheet name=\"b\" sheetId=\"3\"/></x:sheets></x:workbook>",
       false, NULL, "sheetId=\"3\"/><x:sheet name=\"AI-generated content\" sheetId=\"10\" "},
      {"sheets.xlsx", "xl/workbook.xml", "<workbook xmlns=\"" SHEETS "\"><sheets/></workbook>",
       false, NULL, "<sheets><sheet name=\"AI-generated content\" sheetId=\"1\" "},
      {"sheets.xlsx", "xl/workbook.xml",
       "<workbook xmlns=\"" STRICT_SHEETS "\"><sheets/></workbook>", false,
       "xl/worksheets/ai-label2.xml", "<worksheet xmlns=\"" STRICT_SHEETS "\">"},
      {"third.epub", "书/book.opf",
       "<package xmlns=\"" BOOK "\" version=\"3.0\"><metadata/><manifest/><spine/></package>", true,
       NULL, "<spine><itemref idref=\"ink-ai-label0\"/></spine>"},
      {"third.epub", "书/book.opf",
       "<package xmlns=\"" BOOK "\" version=\"3.0\"><metadata/><manifest/><spine/></package>",
       false, NULL, "<metadata><meta name=\"AIGC\" "},
      {"third.epub", "书/book.opf",
       "<package xmlns=\"" BOOK "\" xmlns:o=\"" BOOK "\" xmlns:x=\"x\" version=\"3.0\"><metadata>"
       "</metadata><o:manifest></o:manifest><spine></spine><x:spine></x:spine><x:manifest>"
       "</x:manifest><x:metadata></x:metadata><collection><metadata></metadata></collection>"
       "</package>",
       true, NULL,
       "\"/></metadata><o:manifest><o:item id=\"ink-ai-label0\" href=\"ai-label.xhtml\" "
       "media-type=\"application/xhtml+xml\"/></o:manifest><spine><itemref "
       "idref=\"ink-ai-label0\"/></spine><x:spine></x:spine>"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    blob b = with_text(cases[i].name, cases[i].part, cases[i].content);
    ink_label_request r = request_for(INK_LAW_CN);
    r.at_end = cases[i].at_end;
    ink_text out = label_blob(cases[i].name, &b, &r, NULL);
    assert_part_has(&out, cases[i].where ? cases[i].where : cases[i].part, cases[i].wanted);
    assert_labelled(cases[i].name, &out, "1");
    ink_text_free(&out);
    free(b.bytes);
  }
  // A package whose relations are all to come.
  blob b = load("text.docx");
  char *name = (char *)b.bytes;
  for (int hit = 0; hit < 2; hit++) {
    name = memmem(name, b.size - (size_t)(name - (char *)b.bytes), "_rels/.rels", 11);
    assert_non_null(name);
    memcpy(name, "_rels/.none", 11);
  }
  ink_label_request r = request_for(INK_LAW_CN);
  ink_text out = label_blob("text.docx", &b, &r, NULL);
  assert_part_has(&out, "_rels/.rels",
                  "<Relationships xmlns=\"" RELATIONS "\"><Relationship Id=\"inkLabel0\" ");
  ink_text_free(&out);
  free(b.bytes);
}

// Words, their language and their colours, which hold whatever a document's styles say.
static void words_have_their_language_and_colours(void **state) {
  (void)state;
  static const struct {
    const char *name, *part, *colours, *language;
  } cases[] = {{"text.docx", "word/document.xml",
                "w:fill=\"010203\"/><w:lang |w:fill=\"010203\"/><w:spacing|<w:vanish w:val=\"0\"/>"
                "<w:color w:val=\"FAFBFC\"/>",
                "w:eastAsia=\"zh-CN\""},
               {"slides.pptx", "ppt/slides/b.xml",
                "<a:srgbClr val=\"010203\"><a:alpha val=\"75000\"/>|<a:srgbClr val=\"FAFBFC\"/>",
                "lang=\"zh-CN\""},
               {"third.epub", "书/ai-label.xhtml", "background:#010203;color:#fafbfc",
                "xml:lang=\"zh-Hans\""}};
  ink_label_style style = ink_label_style_default();
  memcpy(style.plate, "\1\2\3", 3);
  memcpy(style.ink, "\xFA\xFB\xFC", 3);
  style.opacity = 0.75;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    blob b = load(cases[i].name);
    ink_label_request r = request_for(INK_LAW_CN);
    r.style = &style;
    r.language = "zh-Hans";
    ink_text out = label_blob(cases[i].name, &b, &r, NULL);
    assert_part_has(&out, cases[i].part, cases[i].language);
    for (const char *at = cases[i].colours; *at;) {
      char one[128];
      size_t n = strcspn(at, "|");
      snprintf(one, sizeof one, "%.*s", (int)n, at);
      assert_part_has(&out, cases[i].part, one);
      at += n + (at[n] == '|');
    }
    ink_text_free(&out);
    free(b.bytes);
  }
}

// Each writer says some things in its own way.
static void what_a_document_says_of_itself_is_heard(void **state) {
  (void)state;
  ink_label_request r = request_for(INK_LAW_CN);
  // Names of parts are of any case (ECMA-376, part 2, 6.2.2.3).
  blob b = with_change("properties.docx", "[Content_Types].xml", "/docProps/custom.xml",
                       "/DocProps/Custom.xml");
  ink_text out = label_blob("a.docx", &b, &r, NULL);
  assert_part_lacks(&out, "[Content_Types].xml", "\"/docProps/custom.xml\"");
  ink_text_free(&out);
  free(b.bytes);
  // A root with a prefix holds elements with it.
  b = with_text("properties.docx", "[Content_Types].xml",
                "<t:Types xmlns:t=\"http://schemas.openxmlformats.org/package/2006/content-types\">"
                "<t:Default Extension=\"xml\" ContentType=\"application/xml\"/></t:Types>");
  out = label_blob("a.docx", &b, &r, NULL);
  assert_part_has(&out, "[Content_Types].xml", "<t:Override PartName=\"/docProps/custom.xml\"");
  ink_text_free(&out);
  free(b.bytes);
  // Extensions come last on a slide.
  b = with_change("slides.pptx", "ppt/slides/b.xml", "</p:spTree>", "<p:extLst/></p:spTree>");
  out = label_blob("a.pptx", &b, &r, NULL);
  assert_part_has(&out, "ppt/slides/b.xml", "</p:sp><p:extLst/></p:spTree>");
  ink_text_free(&out);
  free(b.bytes);
  // Words that are wider than the slide take several lines.
  b = with_change("slides.pptx", "ppt/presentation.xml", "cx=\"9144000\" cy=\"6858000\"",
                  "cx=\"1000000\" cy=\"9000000\"");
  ink_label_style style = ink_label_style_default();
  style.height = 0.1;
  r.style = &style;
  out = label_blob("a.pptx", &b, &r, NULL);
  r.style = NULL;
  ink_text slide = part_of(out.bytes, out.size, "ppt/slides/b.xml");
  double across = strtod(strstr(strstr(slide.bytes, "AI label"), "cx=\"") + 4, NULL),
         down = strtod(strstr(strstr(slide.bytes, "AI label"), "cy=\"") + 4, NULL),
         points = strtod(strstr(strstr(slide.bytes, "AI label"), "sz=\"") + 4, NULL) / 100;
  assert_true(across < 1000000 && down > 12700 * points * 2 * 1.3);
  ink_text_free(&slide);
  ink_text_free(&out);
  free(b.bytes);
  // A page among pages that are laid out beforehand flows.
  b = with_change("third.epub", "书/book.opf", "</metadata>",
                  "<meta property=\"rendition:layout\">pre-paginated</meta></metadata>");
  out = label_blob("a.epub", &b, &r, NULL);
  assert_part_has(&out, "书/book.opf", "properties=\"rendition:layout-reflowable\"");
  ink_text_free(&out);
  free(b.bytes);
  // The page is of the book's version.
  static const char *const books[][3] = {{"third.epub", "书/ai-label.xhtml", "<!DOCTYPE html>"},
                                         {"second.epub", "ai-label.xhtml", "XHTML 1.1"}};
  for (int i = 0; i < 2; i++) {
    b = load(books[i][0]);
    out = label_blob(books[i][0], &b, &r, NULL);
    assert_part_has(&out, books[i][1], books[i][2]);
    ink_text_free(&out);
    free(b.bytes);
  }
  // A name for the page that no file has.
  b = with_text("second.epub", "ai-label.xhtml", "<html/>");
  out = label_blob("a.epub", &b, &r, NULL);
  assert_part_has(&out, "ai-label.xhtml", "<html/>");
  assert_part_has(&out, "ai-label-2.xhtml", "AI-generated content");
  ink_text_free(&out);
  free(b.bytes);
  // A file that is new is listed; what closes a text stays behind its words.
  b = with_change(
      "text.odt", "content.xml", "</office:text>",
      "<t:named-expressions xmlns:t=\"urn:oasis:names:tc:opendocument:xmlns:table:1.0\"/>"
      "</office:text>");
  r.at_end = true;
  out = label_blob("a.odt", &b, &r, NULL);
  assert_part_has(&out, "META-INF/manifest.xml", "m:full-path=\"meta.xml\"");
  assert_order(&out, "content.xml", "AI-generated content", "<t:named-expressions");
  ink_text_free(&out);
  free(b.bytes);
  // To pages of a sequence none is added, which is said.
  b = with_change("text.odt", "content.xml", "<text:p>", "<text:page-sequence/><text:p>");
  ink_label_result result;
  out = label_blob("a.odt", &b, &r, &result);
  assert_string_equal(item_of(&result, INK_LAW_CN, "visible label")->why,
                      "its text is a sequence of pages, to which none is added here");
  ink_text_free(&out);
  free(b.bytes);
}

// A worksheet of its own behind the others, of a name that none has; places by number stay.
static void a_workbook_gets_a_sheet_with_a_name_of_its_own(void **state) {
  (void)state;
  blob b = load("sheets.xlsx");
  ink_label_request r = request_for(INK_LAW_CN);
  ink_text out = label_blob("sheets.xlsx", &b, &r, NULL);
  assert_part_has(&out, "xl/workbook.xml",
                  "r:id=\"r2\"/><sheet name=\"AI-generated content 2\" sheetId=\"10\" "
                  "r:id=\"inkLabel0\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/"
                  "2006/relationships\"/></sheets>");
  assert_part_has(&out, "xl/_rels/workbook.xml.rels",
                  "<Relationship Id=\"inkLabel0\" Type=\"http://schemas.openxmlformats.org/"
                  "officeDocument/2006/relationships/worksheet\" "
                  "Target=\"worksheets/ai-label2.xml\"/></Relationships>");
  assert_part_has(&out, "[Content_Types].xml", "PartName=\"/xl/worksheets/ai-label2.xml\"");
  ink_text_free(&out);
  free(b.bytes);
  // A name has 31 characters at most (18.3.1.73), number and all.
  b = with_text("sheets.xlsx", "xl/workbook.xml",
                "<workbook xmlns=\"" SHEETS
                "\"><sheets><sheet sheetId=\"1\" "
                "name=\"Suspected AI-generated content\"/></sheets></workbook>");
  r.kind = INK_LABEL_SUSPECTED;
  out = label_blob("sheets.xlsx", &b, &r, NULL);
  assert_part_has(&out, "xl/workbook.xml", "<sheet name=\"Suspected AI-generated conten 2\"");
  assert_part_has(&out, "xl/worksheets/ai-label2.xml", ">Suspected AI-generated content<");
  ink_text_free(&out);
  free(b.bytes);
}

static int64_t number_behind(const ink_text *file, const char *part, const char *first,
                             const char *second) {
  ink_text text = part_of(file->bytes, file->size, part);
  const char *at = strstr(text.bytes, first);
  at = at ? strstr(at, second) : NULL;
  assert_non_null(at);
  int64_t number = strtoll(at + strlen(second), NULL, 10);
  ink_text_free(&text);
  return number;
}

// A fiftieth of the shorter side from the edges, on a slide that lies as on one that stands.
static void a_slide_s_label_stands_where_it_is_asked_to(void **state) {
  (void)state;
  static const char part[] = "ppt/slides/b.xml", label[] = "AI label";
  static const struct {
    ink_label_place place;
    int across, down;  // 0: the first edge, 1: the middle, 2: the other edge
  } cases[] = {{INK_LABEL_TOP_LEFT, 0, 0},  {INK_LABEL_TOP, 1, 0},
               {INK_LABEL_TOP_RIGHT, 2, 0}, {INK_LABEL_BOTTOM_LEFT, 0, 2},
               {INK_LABEL_BOTTOM, 1, 2},    {INK_LABEL_BOTTOM_RIGHT, 2, 2}};
  for (int stands = 0; stands < 2; stands++) {
    const int64_t width = stands ? 6858000 : 9144000, height = stands ? 9144000 : 6858000;
    const int64_t margin = 137160;
    char size[64];
    snprintf(size, sizeof size, "cx=\"%d\" cy=\"%d\"", (int)width, (int)height);
    blob b =
        with_change("slides.pptx", "ppt/presentation.xml", "cx=\"9144000\" cy=\"6858000\"", size);
    int64_t points = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
      ink_label_style style = ink_label_style_default();
      ink_label_request r = request_for(INK_LAW_CN);
      style.place = cases[i].place;
      r.style = &style;
      ink_text out = label_blob("slides.pptx", &b, &r, NULL);
      int64_t x = number_behind(&out, part, label, "<a:off x=\""),
              y = number_behind(&out, part, label, "\" y=\""),
              across = number_behind(&out, part, label, "cx=\""),
              down = number_behind(&out, part, label, "cy=\"");
      const int64_t xs[] = {margin, (width - across) / 2, width - margin - across};
      assert_int_equal(x, xs[cases[i].across]);
      assert_int_equal(y, cases[i].down ? height - margin - down : margin);
      assert_true(across > 0 && across < width && down > 0 && down < height / 4);
      points = number_behind(&out, part, label, "sz=\"");
      // Of the shorter side, 540 points.
      assert_true(points >= 4000 && points <= 5000);
      ink_text_free(&out);
    }
    free(b.bytes);
  }
  // On the first slide, or on the last; an id beyond what may be given is passed over.
  blob shown = with_change("slides.pptx", "ppt/slides/a.xml", "show=\"0\"", "show=\"1\"");
  for (int at_end = 0; at_end < 2; at_end++) {
    ink_label_request r = request_for(INK_LAW_CN);
    r.at_end = at_end;
    ink_text out = label_blob("slides.pptx", &shown, &r, NULL);
    assert_part_has(&out, at_end ? part : "ppt/slides/a.xml", label);
    ink_text_free(&out);
  }
  free(shown.bytes);
  blob b = with_change("slides.pptx", part, "</p:spTree>",
                       "<p:sp><p:nvSpPr><p:cNvPr id=\"4294967295\" name=\"x\"/></p:nvSpPr></p:sp>"
                       "</p:spTree>");
  ink_label_request r = request_for(INK_LAW_CN);
  ink_text out = label_blob("slides.pptx", &b, &r, NULL);
  assert_part_has(&out, part, "<p:cNvPr id=\"6\" name=\"AI label\"/>");
  ink_text_free(&out);
  free(b.bytes);
}

// On the first slide that is shown, with an id that no shape has, letters a twentieth of its
// height.
static void a_slide_s_letters_are_as_high_as_a_picture_s(void **state) {
  (void)state;
  blob b = load("slides.pptx");
  ink_label_request r = request_for(INK_LAW_CN);
  ink_label_result result;
  ink_text out = label_blob("slides.pptx", &b, &r, &result);
  assert_part_has(&out, "ppt/slides/b.xml", "<p:cNvPr id=\"6\" name=\"AI label\"/>");
  ink_text slide = part_of(out.bytes, out.size, "ppt/slides/b.xml");
  const char *size = strstr(slide.bytes, " sz=\"");
  assert_non_null(size);
  // Points, of 540; capitals of common fonts are two thirds of an em at least.
  double points = strtod(size + 5, NULL) / 100;
  assert_true(points * 0.66 >= 0.05 * 540);
  assert_true(points * 0.66 <= 0.06 * 540);
  ink_text_free(&slide);
  ink_text_free(&out);
  // Where all are hidden none can show it, which is said.
  blob hidden = with_change("slides.pptx", "ppt/slides/b.xml", "<p:sld ", "<p:sld show=\"false\" ");
  out = label_blob("slides.pptx", &hidden, &r, &result);
  assert_int_equal(item_of(&result, INK_LAW_CN, "visible label")->outcome, INK_LABEL_MISSING);
  assert_string_equal(item_of(&result, INK_LAW_CN, "visible label")->why,
                      "it has no slide that is shown");
  ink_text_free(&out);
  free(hidden.bytes);
  free(b.bytes);
}

// ---- what is refused ----------------------------------------------------------------------------

#define ENTITIES \
  "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">]>"
#define EXTERNAL "<!DOCTYPE x SYSTEM \"file:///etc/passwd\">"
#define BODY \
  "<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body>"
#define BODY_END "</w:body></w:document>"

static void hostile_parts_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *name, *part, *content;
    ink_status status;
    const char *word;
  } cases[] = {
      {"text.docx", "word/document.xml", "<w:document", INK_ERR_FORMAT, "well-formed"},
      {"text.docx", "word/document.xml", "", INK_ERR_FORMAT, "well-formed"},
      {"text.docx", "word/document.xml", "<a xmlns=\"x\"/>", INK_ERR_FORMAT, "no body"},
      {"text.docx", "word/document.xml", ENTITIES BODY "&b;" BODY_END, INK_ERR_UNSUPPORTED,
       "entities"},
      {"text.docx", "word/document.xml", EXTERNAL BODY BODY_END, INK_ERR_UNSUPPORTED, "entities"},
      {"text.docx", "word/document.xml",
       "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" BODY BODY_END, INK_ERR_UNSUPPORTED,
       "UTF-8"},
      {"text.docx", "word/document.xml", BODY "\xC3\x28" BODY_END, INK_ERR_FORMAT, "well-formed"},
      {"text.docx", "[Content_Types].xml", "<Types>", INK_ERR_FORMAT, "well-formed"},
      {"text.docx", "_rels/.rels", ENTITIES "<x/>", INK_ERR_UNSUPPORTED, "entities"},
      {"properties.docx", "docProps/custom.xml", "<a/>", INK_ERR_FORMAT, "no custom properties"},
      {"properties.docx", "docProps/custom.xml", ENTITIES "<a/>", INK_ERR_UNSUPPORTED, "entities"},
      {"properties.docx", "docProps/custom.xml",
       "<Properties xmlns=\"http://schemas.openxmlformats.org/officeDocument/2006/"
       "custom-properties\"><property pid=\"99999999999\" name=\"x\"/></Properties>",
       INK_ERR_FORMAT, "no custom properties"},
      {"sheets.xlsx", "xl/workbook.xml", "<workbook xmlns=\"x\"/>", INK_ERR_FORMAT, "worksheets"},
      {"sheets.xlsx", "xl/workbook.xml",
       "<workbook xmlns=\"x\"><sheets><sheet name=\"a\" sheetId=\"4294967295\"/></sheets>"
       "</workbook>",
       INK_ERR_FORMAT, "worksheets"},
      {"sheets.xlsx", "xl/workbook.xml",
       "<workbook xmlns=\"x\"><sheets><sheet name=\"a\" sheetId=\"65534\"/></sheets></workbook>",
       INK_ERR_FORMAT, "worksheets"},
      {"slides.pptx", "ppt/presentation.xml", "<p xmlns=\"x\"><sldSz cx=\"0\" cy=\"-5\"/></p>",
       INK_ERR_FORMAT, "slides are"},
      {"slides.pptx", "ppt/presentation.xml",
       "<p xmlns=\"x\"><sldSz cx=\"91440001\" cy=\"6858000\"/></p>", INK_ERR_FORMAT, "slides are"},
      {"slides.pptx", "ppt/presentation.xml",
       "<p xmlns=\"x\"><sldSz cx=\"9144000\" cy=\"91440001\"/></p>", INK_ERR_FORMAT, "slides are"},
      {"slides.pptx", "ppt/presentation.xml",
       "<p xmlns=\"x\"><sldSz cx=\"9144000\" cy=\"228599\"/></p>", INK_ERR_FORMAT, "slides are"},
      {"third.epub", "META-INF/container.xml", "<container/>", INK_ERR_NOT_FOUND, "names no"},
      {"third.epub", "META-INF/container.xml",
       "<container xmlns=\"urn:oasis:names:tc:opendocument:xmlns:container\"><rootfile "
       "full-path=\"../../x.opf\"/></container>",
       INK_ERR_NOT_FOUND, "names no"},
      {"third.epub", "META-INF/container.xml",
       "<container xmlns=\"urn:oasis:names:tc:opendocument:xmlns:container\"><rootfile "
       "full-path=\"a\"/><rootfile full-path=\"b\"/></container>",
       INK_ERR_UNSUPPORTED, "renditions"},
      {"third.epub", "书/book.opf",
       "<package xmlns=\"http://www.idpf.org/2007/opf\"><spine/><manifest/><metadata/></package>",
       INK_ERR_FORMAT, "order"},
      {"third.epub", "书/book.opf",
       "<package xmlns=\"" BOOK "\"><manifest/><metadata/><spine/></package>", INK_ERR_FORMAT,
       "order"},
      {"third.epub", "书/book.opf",
       "<package xmlns=\"" BOOK "\"><metadata/><spine/><manifest/></package>", INK_ERR_FORMAT,
       "order"},
      {"third.epub", "书/book.opf", ENTITIES "<package/>", INK_ERR_UNSUPPORTED, "entities"},
      {"text.odt", "META-INF/manifest.xml",
       "<m:manifest xmlns:m=\"urn:oasis:names:tc:opendocument:xmlns:manifest:1.0\"><m:file-entry>"
       "<m:encryption-data/></m:file-entry></m:manifest>",
       INK_ERR_UNSUPPORTED, "encrypted"},
      {"text.odt", "content.xml", "<a/>", INK_ERR_FORMAT, "no text"},
      {"text.odt", "meta.xml", "<a/>", INK_ERR_FORMAT, "office:meta"},
      {"text.odt", "META-INF/documentsignatures.xml", "<a/>", INK_ERR_UNSUPPORTED, "signature"},
      {"third.epub", "META-INF/signatures.xml", "<a/>", INK_ERR_UNSUPPORTED, "signature"},
      {"text.docx", "_rels/.rels",
       "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">"
       "<Relationship Id=\"a\" Type=\"http://schemas.openxmlformats.org/package/2006/relationships/"
       "digital-signature/origin\" Target=\"s\"/></Relationships>",
       INK_ERR_UNSUPPORTED, "signature"},
      {"text.docx", "_rels/.rels",
       "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">"
       "<Relationship Id=\"a\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/"
       "relationships/custom-properties\" Target=\"docProps/other.xml\"/></Relationships>",
       INK_ERR_UNSUPPORTED, "custom properties"},
      {"properties.docx", "_rels/.rels",
       "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">"
       "<Relationship Id=\"a\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/"
       "relationships/custom-properties\" Target=\"docProps/custom.xml\" TargetMode=\"External\"/>"
       "</Relationships>",
       INK_ERR_UNSUPPORTED, "custom properties"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_error error = {0};
    ink_text out = {0};
    ink_label_result result;
    ink_label_request r = request_for(INK_LAW_CN);
    blob b = with_text(cases[i].name, cases[i].part, cases[i].content);
    ink_status status = label_as(cases[i].name, &b, &r, &out, &result, &error);
    if (status != cases[i].status || !strstr(error.text, cases[i].word)) {
      fail_msg("case %zu: %s: %s", i, ink_status_name(status), error.text);
    }
    assert_int_equal(out.size, 0);
    free(b.bytes);
  }
}

static void assert_refused(const char *name, blob b, ink_status expected, const char *word) {
  ink_error error = {0};
  ink_text out = {0};
  ink_label_result result;
  ink_label_request r = request_for(INK_LAW_CN);
  ink_status status = label_as(name, &b, &r, &out, &result, &error);
  if (status != expected || !strstr(error.text, word)) fail_msg("%s: %s", name, error.text);
  assert_int_equal(out.size, 0);
  free(b.bytes);
}

// A few kilobytes that become many megabytes; elements within elements; a million of them.
static void bombs_are_refused(void **state) {
  (void)state;
  enum { LARGE = (1 << 26) + 1, DEEP = 100000, MANY = 200000 };
  char *blanks = malloc(LARGE);
  assert_non_null(blanks);
  memset(blanks, ' ', LARGE);
  blob b = with_part("text.docx", "word/document.xml", blanks, LARGE);
  assert_true(b.size < 1 << 17);
  assert_refused("text.docx", b, INK_ERR_UNSUPPORTED, "larger than");
  static const char *const meta[][2] = {{"properties.docx", "docProps/custom.xml"},
                                        {"text.docx", "_rels/.rels"},
                                        {"text.docx", "[Content_Types].xml"},
                                        {"sheets.xlsx", "xl/workbook.xml"},
                                        {"slides.pptx", "ppt/presentation.xml"},
                                        {"third.epub", "META-INF/container.xml"},
                                        {"third.epub", "书/book.opf"},
                                        {"text.odt", "meta.xml"}};
  for (size_t i = 0; i < sizeof meta / sizeof *meta; i++) {
    b = with_part(meta[i][0], meta[i][1], blanks, (1 << 22) + 1);
    assert_refused(meta[i][0], b, INK_ERR_UNSUPPORTED, "larger than");
  }
  free(blanks);
  ink_text deep = {0};
  ink_text_add(&deep, BODY);
  for (int i = 0; i < DEEP; i++) ink_text_add(&deep, "<w:p>");
  b = with_text("text.docx", "word/document.xml", deep.bytes);
  assert_refused("text.docx", b, INK_ERR_FORMAT, "nested");
  ink_text_free(&deep);
  // Many properties, each with the label's name but one letter: read in time, and labelled.
  ink_text many = {0};
  ink_text_add(&many, BODY);
  for (int i = 0; i < MANY; i++) ink_text_add(&many, "<w:p a=\"AIGB\"/>");
  ink_text_add(&many, BODY_END);
  b = with_text("text.docx", "word/document.xml", many.bytes);
  ink_label_request r = request_for(INK_LAW_CN);
  ink_text out = label_blob("text.docx", &b, &r, NULL);
  assert_labelled("text.docx", &out, "1");
  ink_text_free(&out);
  ink_text_free(&many);
  free(b.bytes);
}

// A presentation that names a hundred thousand slides has its first looked at.
static void absurd_counts_are_survived(void **state) {
  (void)state;
  ink_text slides = {0};
  ink_text_add(&slides,
               "<p xmlns=\"x\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/"
               "2006/relationships\"><sldIdLst>");
  for (int i = 0; i < 30000; i++) ink_text_format(&slides, "<sldId r:id=\"r%d\"/>", i);
  ink_text_add(&slides, "</sldIdLst><sldSz cx=\"9144000\" cy=\"6858000\"/></p>");
  blob b = with_text("slides.pptx", "ppt/presentation.xml", slides.bytes);
  ink_label_request r = request_for(INK_LAW_CN);
  ink_label_result result;
  ink_text out = label_blob("slides.pptx", &b, &r, &result);
  assert_int_equal(item_of(&result, INK_LAW_CN, "visible label")->outcome, INK_LABEL_GOT);
  ink_text_free(&out);
  ink_text_free(&slides);
  free(b.bytes);
}

static void paths_within_a_document_stay_within(void **state) {
  (void)state;
  static const struct {
    const char *folder, *target, *name;
  } cases[] = {{"ppt/", "slides/a.xml", "ppt/slides/a.xml"},
               {"ppt/", "/ppt/slides/a.xml", "ppt/slides/a.xml"},
               {"ppt/", "../ppt/./a.xml", "ppt/a.xml"},
               {"ppt/slides/", "../media/a", "ppt/media/a"},
               {"", "a", "a"},
               {"", "../a", NULL},
               {"ppt/", "../../a", NULL},
               {"ppt/", "", NULL},
               {"", "", NULL},
               {"ppt/", "a/", NULL},
               {"", "0123456789012345678901234567890123456789", NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char name[32];
    bool found = ink_package_resolve(cases[i].folder, cases[i].target, name, sizeof name);
    assert_int_equal(found, cases[i].name != NULL);
    if (found) assert_string_equal(name, cases[i].name);
  }
}

// ---- outside readers ----------------------------------------------------------------------------

static void exiftool_shows_the_property(void **state) {
  (void)state;
  if (system("perl -MArchive::Zip -e 1 2>/dev/null && exiftool -ver >/dev/null 2>&1") != 0) {
    print_message("# skipped: no exiftool that reads archives (libarchive-zip-perl)\n");
    skip();
  }
  char command[8600];
  for (size_t i = 0; i < N_DOCUMENT; i++) {
    blob b = load(documents[i].name);
    ink_label_request r = request_for(INK_LAW_CN | INK_LAW_EU);
    ink_text out = label_blob(documents[i].name, &b, &r, NULL);
    const char *path = in_scratch(documents[i].name);
    write_file(path, out.bytes, out.size);
    bool office = strcmp(documents[i].metadata, "docProps/custom.xml") == 0;
    // exiftool does not follow a container to a name that is not ASCII.
    bool followed = strcmp(documents[i].name, "third.epub") != 0;
    snprintf(command, sizeof command, "exiftool -a -G1 '%s' | grep -q '%s.*%s'", path,
             office ? "XML.*AIGC *: " : "\"ProduceID\":", test_identity);
    if (followed && system(command) != 0) fail_msg("%s", command);
    ink_text_free(&out);
    free(b.bytes);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_document_gets_its_labels_and_else_keeps_its_bytes),
      cmocka_unit_test(labels_and_signatures_go_together),
      cmocka_unit_test(properties_that_are_there_stay),
      cmocka_unit_test(another_s_label_is_left_alone),
      cmocka_unit_test(the_three_kinds_differ),
      cmocka_unit_test(labels_stand_at_the_start_or_the_end),
      cmocka_unit_test(names_of_ours_are_numbered_on),
      cmocka_unit_test(what_is_put_in_fits_the_elements_around_it),
      cmocka_unit_test(words_have_their_language_and_colours),
      cmocka_unit_test(what_a_document_says_of_itself_is_heard),
      cmocka_unit_test(a_workbook_gets_a_sheet_with_a_name_of_its_own),
      cmocka_unit_test(a_slide_s_label_stands_where_it_is_asked_to),
      cmocka_unit_test(a_slide_s_letters_are_as_high_as_a_picture_s),
      cmocka_unit_test(hostile_parts_are_refused),
      cmocka_unit_test(bombs_are_refused),
      cmocka_unit_test(absurd_counts_are_survived),
      cmocka_unit_test(paths_within_a_document_stay_within),
      cmocka_unit_test(exiftool_shows_the_property),
  };
  return cmocka_run_group_tests_name("label_documents", tests, scratch_open, scratch_close);
}
