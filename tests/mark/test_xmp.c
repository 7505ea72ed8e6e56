// Labels in XMP: what is there stays, what is ours is found in every picture format.
#include "mark/label/xmp.h"
#include "picture/codec.h"
#include "pictures.h"
#include "testing.h"

static json_t *label_of(const char *id) {
  return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Label", "1", "ContentProducer",
                   "inkstone", "ProduceID", id, "ReservedCode1", "", "ContentPropagator",
                   "inkstone", "PropagateID", id, "ReservedCode2", "");
}

static char *packet_with(const char *packet, const ink_xmp_labels *labels) {
  ink_error error = {0};
  ink_text out = {0};
  assert_ok(ink_xmp_label(packet, packet ? strlen(packet) : 0, labels, &out, &error));
  return out.bytes;
}

static const char foreign[] =
    "<?xpacket begin=\"\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>"
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\" x:xmptk=\"Other 1.0\">"
    "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">"
    "<rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\" "
    "xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\" xmp:CreatorTool=\"Other\" xmp:Rating=\"4\">"
    "<dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">月 &amp; 山</rdf:li></rdf:Alt></dc:title>"
    "</rdf:Description>"
    "<rdf:Description rdf:about=\"\" xmlns:e=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\">"
    "<e:DigitalSourceType>http://example.org/other</e:DigitalSourceType>"
    "<e:Event>party</e:Event></rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end=\"w\"?>";

#define RDF(inside)                                                 \
  "<r:RDF xmlns:r=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\" " \
  "xmlns:e=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\">" inside "</r:RDF>"

static size_t count(const char *text, const char *word) {
  size_t n = 0;
  for (const char *at = text; (at = strstr(at, word)); at += strlen(word)) n++;
  return n;
}

static void foreign_xmp_is_kept_and_ours_stands_once(void **state) {
  (void)state;
  json_t *aigc = label_of("abc");
  ink_xmp_labels labels = {
      .source_type = INK_XMP_TRAINED, .creator_tool = "inkstone", .aigc = aigc};
  char *packet = packet_with(foreign, &labels);
  assert_non_null(strstr(packet, "月 &amp; 山"));
  assert_non_null(strstr(packet, "Rating=\"4\""));
  assert_non_null(strstr(packet, "Event>party"));
  assert_non_null(strstr(packet, "Other 1.0"));
  assert_null(strstr(packet, "example.org/other"));
  assert_int_equal(count(packet, INK_XMP_TRAINED), 1);
  assert_int_equal(count(packet, "CreatorTool"), 2);  // one element, opened and closed
  assert_int_equal(count(packet, "<?xpacket"), 2);
  // Labelling again changes nothing.
  char *again = packet_with(packet, &labels);
  assert_int_equal(count(again, INK_XMP_TRAINED), 1);
  assert_int_equal(count(again, "ProduceID"), 1);
  free(packet);
  free(again);
  json_decref(aigc);
}

// Without a wrapper, without a description, twice in one.
static void any_form_of_xmp_is_labelled(void **state) {
  (void)state;
  static const char *const packets[] = {
      RDF(""), RDF("<r:Description r:about=\"\"/>"),
      RDF("<r:Description><e:DigitalSourceType>a</e:DigitalSourceType><e:DigitalSourceType>b"
          "</e:DigitalSourceType></r:Description>"),
      RDF("<r:Description e:DigitalSourceType=\"a\"/><r:Description e:DigitalSourceType=\"b\"/>")};
  const ink_xmp_labels labels = {.source_type = INK_XMP_TRAINED};
  for (size_t i = 0; i < sizeof packets / sizeof *packets; i++) {
    char *packet = packet_with(packets[i], &labels);
    assert_int_equal(count(packet, INK_XMP_TRAINED), 1);
    if (count(packet, "DigitalSourceType>") != 2 || count(packet, "DigitalSourceType=")) {
      fail_msg("%s", packet);
    }
    free(packet);
  }
}

// However a packet says it: generated in another way stays, and what is no machine's is refused.
static void another_s_word_on_the_source_is_heard_in_every_form(void **state) {
  (void)state;
#define SOURCE "http://cv.iptc.org/newscodes/digitalsourcetype/"
  static const struct {
    const char *packet;
    ink_status status;
    bool stays;
  } cases[] = {
      {RDF("<r:Description e:DigitalSourceType=\"" SOURCE "digitalCapture\"/>"), INK_ERR_CONFLICT,
       true},
      {RDF("<r:Description><e:DigitalSourceType r:resource=\"" SOURCE
           "digitalCapture\"/></r:Description>"),
       INK_ERR_CONFLICT, true},
      {RDF("<r:Description><e:DigitalSourceType>" SOURCE
           "digitalCapture</e:DigitalSourceType></r:Description>"),
       INK_ERR_CONFLICT, true},
      {RDF("<r:Description e:DigitalSourceType=\"" SOURCE "algorithmicMedia\"/>"), INK_OK, true},
      {RDF("<r:Description e:DigitalSourceType=\"" INK_XMP_TRAINED "\"/>"), INK_OK, false},
      {RDF("<r:Description e:DigitalSourceType=\"\"/>"), INK_OK, false},
      {RDF("<r:Description/>"), INK_OK, false}};
#undef SOURCE
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_error error = {0};
    const char *source = INK_XMP_TRAINED;
    ink_status status =
        ink_xmp_keep_source(cases[i].packet, strlen(cases[i].packet), &source, &error);
    assert_int_equal(status, cases[i].status);
    if (!source != cases[i].stays) fail_msg("case %zu", i);
  }
}

static void the_label_is_read_as_it_was_written(void **state) {
  (void)state;
  ink_error error = {0};
  json_t *aigc = label_of("61f6e2bd-63f7-40d7-b626-61a9a8c59bd0"), *read;
  ink_xmp_labels labels = {.aigc = aigc, .prompt = "a <fox> & \"moon\", 狐狸"};
  char *packet = packet_with(NULL, &labels);
  assert_ok(ink_xmp_aigc(packet, strlen(packet), &read, &error));
  assert_true(json_equal(read, aigc));
  json_decref(read);
  assert_ok(ink_xmp_aigc(foreign, strlen(foreign), &read, &error));
  assert_null(read);
  free(packet);
  json_decref(aigc);
}

static void another_label_is_never_replaced(void **state) {
  (void)state;
  ink_error error = {0};
  json_t *mine = label_of("mine"), *yours = label_of("yours");
  ink_text out = {0};
  char *packet = packet_with(NULL, &(ink_xmp_labels){.aigc = yours});
  ink_xmp_labels labels = {.aigc = mine};
  assert_int_equal(ink_xmp_label(packet, strlen(packet), &labels, &out, &error), INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, "yours"));
  assert_int_equal(out.size, 0);
  free(packet);
  json_decref(mine);
  json_decref(yours);
}

static void what_is_no_xmp_is_refused(void **state) {
  (void)state;
  static const char *const bad[] = {
      "x",
      "<x/>",
      "<a><b></a>",
      "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><x:xmpmeta xmlns:x=\"adobe:ns:meta/\">&a;</x:xmpmeta>",
      "<!DOCTYPE x [<!ENTITY a \"aaaa\">]>" RDF("<r:Description/>"),
      RDF("<r:Description><q:unbound/></r:Description>")};
  ink_xmp_labels labels = {.creator_tool = "inkstone"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ink_error error = {0};
    ink_text out = {0};
    if (ink_xmp_label(bad[i], strlen(bad[i]), &labels, &out, &error) == INK_OK) {
      fail_msg("accepted: %s", bad[i]);
    }
    json_t *aigc;
    assert_int_not_equal(ink_xmp_aigc(bad[i], strlen(bad[i]), &aigc, &error), INK_OK);
    ink_text_free(&out);
  }
  ink_error error = {0};
  ink_text out = {0};
  static const char *const tools[] = {"bell \a", "half a letter \xE6\x9C"};
  for (size_t i = 0; i < 2; i++) {
    labels.creator_tool = tools[i];
    assert_int_equal(ink_xmp_label(NULL, 0, &labels, &out, &error), INK_ERR_USAGE);
    assert_int_equal(ink_xmp_describe(&labels, &out, &error), INK_ERR_USAGE);
    assert_int_equal(out.size, 0);
  }
}

static void every_picture_format_carries_the_packet(void **state) {
  (void)state;
  json_t *aigc = label_of("abc");
  ink_xmp_labels labels = {.source_type = INK_XMP_TRAINED, .system = "painter", .aigc = aigc};
  char *packet = packet_with(NULL, &labels);
  const char *folder = getenv("INKSTONE_KEEP");  // for a look with exiftool
  static const char *const endings[] = {"png", "jpg", "webp"};
  for (int format = INK_PICTURE_PNG; format <= INK_PICTURE_WEBP; format++) {
    ink_error error = {0};
    ink_picture picture, back;
    ink_picture_extras extras = {.xmp = packet}, found = {0};
    ink_picture_encoding encoding = {.extras = &extras};
    ink_text bytes = {0};
    assert_ok(ink_picture_new(20, 10, 3, &picture, &error));
    memset(picture.pixels, 100, ink_picture_bytes(&picture));
    assert_ok(ink_picture_encode(&picture, (ink_picture_format)format, &encoding, &bytes, &error));
    assert_ok(ink_picture_decode(bytes.bytes, bytes.size, "memory", NULL, &back, &found, &error));
    assert_non_null(found.xmp);
    assert_string_equal(found.xmp, packet);
    if (folder) {
      char path[4096];
      snprintf(path, sizeof path, "%s/xmp.%s", folder, endings[format]);
      assert_ok(save_picture(&picture, path, &encoding, &error));
    }
    ink_picture_extras_free(&found);
    ink_picture_free(&picture);
    ink_picture_free(&back);
    ink_text_free(&bytes);
  }
  free(packet);
  json_decref(aigc);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(foreign_xmp_is_kept_and_ours_stands_once),
      cmocka_unit_test(any_form_of_xmp_is_labelled),
      cmocka_unit_test(another_s_word_on_the_source_is_heard_in_every_form),
      cmocka_unit_test(the_label_is_read_as_it_was_written),
      cmocka_unit_test(another_label_is_never_replaced),
      cmocka_unit_test(what_is_no_xmp_is_refused),
      cmocka_unit_test(every_picture_format_carries_the_packet),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
