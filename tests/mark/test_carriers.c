// Carriers: a store goes in, is found where it was put, comes out again and leaves the file as it
// was.
#include "marking.h"

static const unsigned char store[] = {0,   0,   0,   44,  'j', 'u', 'm', 'b', 0,    0,    0,
                                      30,  'j', 'u', 'm', 'd', 'c', '2', 'p', 'a',  0,    17,
                                      0,   16,  128, 0,   0,   170, 0,   56,  155,  113,  3,
                                      'c', '2', 'p', 'a', 0,   1,   2,   3,   0xFF, 0xFE, 0x80};

static void what_goes_in_is_found_and_comes_out(void **state) {
  (void)state;
  ink_error error = {0};
  for (size_t i = 0; i < N_SAMPLE; i++) {
    const ink_carrier *carrier = ink_carrier_named(samples[i].carrier);
    blob plain = sample_blob(&samples[i]);
    ink_text file = {0}, bare = {0};
    ink_place place = {0};
    size_t start, length;
    assert_ok(carrier->find(carrier, plain.bytes, plain.size, &place, &error));
    assert_false(place.present);
    assert_ok(carrier->embed(carrier, plain.bytes, plain.size, store, sizeof store, &file, &start,
                             &length, &error));
    const unsigned char *bytes = (const unsigned char *)file.bytes;
    assert_ok(carrier->find(carrier, bytes, file.size, &place, &error));
    assert_true(place.present);
    assert_null(place.code);
    assert_int_equal(place.start, start);
    assert_int_equal(place.length, length);
    assert_int_equal(place.store.size, sizeof store);
    assert_memory_equal(place.store.bytes, store, sizeof store);
    assert_ok(ink_carrier_remove(carrier, bytes, file.size, &bare, &error));
    assert_int_equal(bare.size, plain.size);
    assert_memory_equal(bare.bytes, plain.bytes, plain.size);
    ink_place_free(&place);
    ink_text_free(&file);
    ink_text_free(&bare);
    free(plain.bytes);
  }
}

static void carriers_are_known_by_content_before_name(void **state) {
  (void)state;
  static const struct {
    const char *file, *name, *carrier;
  } cases[] = {
      {"plain.png", "x.jpg", "png"}, {"plain.jpg", NULL, "jpeg"},   {"plain.webp", "x", "webp"},
      {"plain.wav", "x", "wav"},     {"plain.svg", "x.xml", "svg"}, {"tagged.mp3", "x", "mp3"},
      {"plain.gif", "x", "gif"},     {"plain.pdf", "x", "pdf"},     {NULL, "a/b.MD", "markdown"},
      {NULL, "x.txt", "text"},       {NULL, "x.png", NULL},         {NULL, "folder.txt/x", NULL},
      {NULL, "x.py", "shell"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    blob b = cases[i].file ? load(cases[i].file) : (blob){(unsigned char *)strdup("text"), 4};
    const ink_carrier *carrier = ink_carrier_for(cases[i].name, b.bytes, b.size);
    if (cases[i].carrier) {
      assert_non_null(carrier);
      assert_string_equal(carrier->name, cases[i].carrier);
    } else {
      assert_null(carrier);
    }
    free(b.bytes);
  }
}

// Whoever puts a second one in makes it a riddle which of them counts.
static void a_second_store_is_refused_or_told(void **state) {
  (void)state;
  ink_error error = {0};
  for (size_t i = 0; i < N_SAMPLE; i++) {
    const ink_carrier *carrier = ink_carrier_named(samples[i].carrier);
    blob plain = sample_blob(&samples[i]);
    ink_text one = {0}, two = {0};
    ink_place place = {0};
    size_t start, length;
    assert_ok(carrier->embed(carrier, plain.bytes, plain.size, store, sizeof store, &one, &start,
                             &length, &error));
    ink_status status = carrier->embed(carrier, (unsigned char *)one.bytes, one.size, store,
                                       sizeof store, &two, &start, &length, &error);
    if (status == INK_OK) {
      assert_ok(carrier->find(carrier, (unsigned char *)two.bytes, two.size, &place, &error));
      if (!place.present || !place.code) fail_msg("%s, sample %zu", samples[i].carrier, i);
    }
    ink_place_free(&place);
    ink_text_free(&one);
    ink_text_free(&two);
    free(plain.bytes);
  }
}

// ---- SVG

#define SVG "<svg xmlns=\"http://www.w3.org/2000/svg\">"

// What a declaration holds between brackets is no element of the drawing.
static void entities_of_an_svg_are_no_elements(void **state) {
  (void)state;
  ink_error error = {0};
  blob b = blob_of("<!DOCTYPE svg [<!ENTITY a \"<g><h/></g>\">]>" SVG "<g/></svg>");
  const ink_carrier *carrier = ink_carrier_for(NULL, b.bytes, b.size);
  assert_non_null(carrier);
  assert_string_equal(carrier->name, "svg");
  ink_text out = {0};
  size_t start, length;
  assert_ok(
      carrier->embed(carrier, b.bytes, b.size, store, sizeof store, &out, &start, &length, &error));
  const char *root = strstr(out.bytes, SVG);
  assert_memory_equal(root + strlen(SVG), "<metadata>", 10);
  ink_text_free(&out);
  free(b.bytes);
}

// Other readers look into the last metadata of the root.
static void a_store_goes_into_the_last_metadata_of_an_svg(void **state) {
  (void)state;
  ink_error error = {0};
  static const char first[] = SVG "<metadata><a/></metadata><metadata>";
  char text[256];
  snprintf(text, sizeof text, "%s<b/></metadata></svg>", first);
  blob b = blob_of(text);
  const ink_carrier *carrier = ink_carrier_named("svg");
  ink_text out = {0};
  size_t start, length;
  assert_ok(
      carrier->embed(carrier, b.bytes, b.size, store, sizeof store, &out, &start, &length, &error));
  assert_memory_equal(out.bytes, first, sizeof first - 1);
  assert_true(start > sizeof first);
  ink_text_free(&out);
  free(b.bytes);
}

// An element that does not end as it is written here is left where it is.
static void what_cannot_be_taken_out_of_an_svg_stays(void **state) {
  (void)state;
  static const char *const files[] = {
      SVG "<metadata><c2pa:manifest>AAAA</c2pa:manifest ></metadata></svg>",
      SVG "<metadata><c2pa:manifest>AAAA<!-- --></c2pa:manifest></metadata></svg>"};
  for (int i = 0; i < 2; i++) {
    ink_error error = {0};
    ink_text bare = {0};
    blob b = blob_of(files[i]);
    assert_int_equal(ink_carrier_remove(ink_carrier_named("svg"), b.bytes, b.size, &bare, &error),
                     INK_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.text, "another writer"));
    ink_text_free(&bare);
    free(b.bytes);
  }
}

// ---- GIF

// A picture of one pixel with a table of its own, a comment, and what is before the trailer.
static const char small_gif[] =
    "GIF89a\1\0\1\0\x80\0\0\0\0\0\xFF\xFF\xFF"
    "\x21\xF9\4\0\0\0\0\0"
    ",\0\0\0\0\1\0\1\0\x80\1\1\1\2\2\2\2\2\x44\1\0"
    "\x21\xFE\1x\0;";

// Section 18.7.3.4: by these names other writers bind them.
static void parts_of_a_gif_bear_the_names_of_the_specification(void **state) {
  (void)state;
  static const struct {
    const char *name;
    size_t length;
  } parts[] = {{"GIF89a", 6}, {"LSD", 13}, {"21F9", 8}, {"2C", 16},
               {"TBID", 5},   {"21FE", 5}, {"3B", 1}};
  enum { N_PART = sizeof parts / sizeof *parts };
  ink_error error = {0};
  const ink_carrier *gif = ink_carrier_named("gif");
  const ink_place none = {0};
  ink_text ranges = {0};
  const unsigned char *bytes = (const unsigned char *)small_gif;
  const size_t size = sizeof small_gif - 1;
  assert_ok(gif->divide(gif, bytes, size, &none, &ranges, &error));
  assert_int_equal(ranges.size, N_PART * sizeof(ink_named_range));
  size_t at = 0;
  for (size_t i = 0; i < N_PART; i++) {
    ink_named_range part;
    memcpy(&part, ranges.bytes + i * sizeof part, sizeof part);
    assert_string_equal(part.name, parts[i].name);
    assert_int_equal(part.start, at);
    assert_int_equal(part.length, parts[i].length);
    at += part.length;
  }
  assert_int_equal(at, size);
  // What follows its trailer is no part, and without one it is not all there.
  ink_text_clear(&ranges);
  assert_int_equal(gif->divide(gif, bytes, sizeof small_gif, &none, &ranges, &error),
                   INK_ERR_FORMAT);
  ink_text_clear(&ranges);
  assert_int_equal(gif->divide(gif, bytes, size - 1, &none, &ranges, &error), INK_ERR_FORMAT);
  ink_text_free(&ranges);
}

// GIF 87a has no extensions: the file becomes one of the second version, its pictures stay.
static void old_gif_files_become_new_ones(void **state) {
  (void)state;
  ink_error error = {0};
  const ink_carrier *carrier = ink_carrier_named("gif");
  blob plain = load("plain.gif");
  ink_text file = {0}, bare = {0};
  size_t start, length;
  plain.bytes[4] = '7';
  assert_ok(carrier->embed(carrier, plain.bytes, plain.size, store, sizeof store, &file, &start,
                           &length, &error));
  assert_memory_equal(file.bytes, "GIF89a", 6);
  assert_ok(ink_carrier_remove(carrier, (unsigned char *)file.bytes, file.size, &bare, &error));
  plain.bytes[4] = '9';
  assert_int_equal(bare.size, plain.size);
  assert_memory_equal(bare.bytes, plain.bytes, plain.size);
  ink_text_free(&file);
  ink_text_free(&bare);
  free(plain.bytes);
}

// A store of many segments, the middle ones repeating its head (ISO 19566-5, annex D).
static void long_stores_run_through_jpeg_segments(void **state) {
  (void)state;
  ink_error error = {0};
  const ink_carrier *carrier = ink_carrier_named("jpeg");
  enum { LONG = 150000 };
  unsigned char *big = malloc(LONG);
  for (size_t i = 0; i < LONG; i++) big[i] = (unsigned char)(i * 7);
  memcpy(big, store, sizeof store);
  big[1] = LONG >> 16;
  big[2] = LONG >> 8 & 0xFF;
  big[3] = LONG & 0xFF;
  blob plain = load("plain.jpg");
  ink_text file = {0};
  ink_place place = {0};
  size_t start, length;
  assert_ok(
      carrier->embed(carrier, plain.bytes, plain.size, big, LONG, &file, &start, &length, &error));
  assert_int_equal(length, LONG + 3 * 12 + 2 * 8);
  assert_ok(carrier->find(carrier, (unsigned char *)file.bytes, file.size, &place, &error));
  assert_null(place.code);
  assert_int_equal(place.store.size, LONG);
  assert_memory_equal(place.store.bytes, big, LONG);
  ink_place_free(&place);
  // The second segment's number is 3 now: what is missing is told.
  file.bytes[start + 12 + 64000 + 11] = 3;
  assert_ok(carrier->find(carrier, (unsigned char *)file.bytes, file.size, &place, &error));
  assert_non_null(place.code);
  ink_place_free(&place);
  ink_text_free(&file);
  free(plain.bytes);
  free(big);
}

// The vector of the conformance tests for appendix A.8.
static void plain_text_wrapper_equals_the_published_vector(void **state) {
  (void)state;
  static const unsigned char expected[] =
      "hello world\xEF\xBB\xBF\xF3\xA0\x84\xB3\xF3\xA0\x84\xA2\xF3\xA0\x85\x80\xF3\xA0\x84\xB1"
      "\xF3\xA0\x85\x84\xF3\xA0\x85\x88\xF3\xA0\x85\x84\xEF\xB8\x80\xEF\xB8\x81\xEF\xB8\x80"
      "\xEF\xB8\x80\xEF\xB8\x80\xEF\xB8\x84\xF3\xA0\x87\x8E\xF3\xA0\x86\x9D\xF3\xA0\x86\xAE"
      "\xF3\xA0\x87\x9F";
  static const unsigned char beef[] = {0xDE, 0xAD, 0xBE, 0xEF};
  ink_error error = {0};
  const ink_carrier *carrier = ink_carrier_named("text");
  ink_text out = {0};
  size_t start, length;
  assert_ok(carrier->embed(carrier, (const unsigned char *)"hello world", 11, beef, 4, &out, &start,
                           &length, &error));
  assert_int_equal(out.size, sizeof expected - 1);
  assert_memory_equal(out.bytes, expected, out.size);
  assert_int_equal(start, 11);
  ink_text_free(&out);
}

static const char block[] = "-----BEGIN C2PA MANIFEST-----";

// What is there but not as it should be has the specification's own code.
static void faults_of_text_carriers_have_their_codes(void **state) {
  (void)state;
  static const struct {
    const char *carrier, *text, *code;
  } cases[] = {
      {"markdown", "<!-- -----BEGIN C2PA MANIFEST-----   -----END C2PA MANIFEST----- -->\n",
       "manifest.structuredText.malformedReference"},
      {"markdown", "<!-- -----BEGIN C2PA MANIFEST----- -----END C2PA MANIFEST----- -->\n",
       "manifest.structuredText.emptyReference"},
      {"markdown", "<!-- -----BEGIN C2PA MANIFEST----- not a url -----END C2PA MANIFEST----- -->\n",
       "manifest.structuredText.malformedReference"},
      {"markdown",
       "<!-- -----BEGIN C2PA MANIFEST----- https://x/m.c2pa -----END C2PA MANIFEST----- -->\n",
       "manifest.inaccessible"},
      {"markdown",
       "<!-- -----BEGIN C2PA MANIFEST----- data:application/c2pa;base64,AAA -----END C2PA "
       "MANIFEST----- -->\n",
       "manifest.structuredText.malformedReference"},
      {"markdown",
       "<!-- -----BEGIN C2PA MANIFEST----- data:application/c2pa;base64,AAAB -----END C2PA "
       "MANIFEST----- -->\n<!-- -----BEGIN C2PA MANIFEST----- x -----END C2PA MANIFEST----- -->\n",
       "manifest.structuredText.multipleReferences"},
      {"markdown", "-----END C2PA MANIFEST----- -----BEGIN C2PA MANIFEST-----\n",
       "manifest.structuredText.noManifest"},
      // Another language's comment: a byte beside the block would go unseen.
      {"markdown",
       "# -----BEGIN C2PA MANIFEST----- data:application/c2pa;base64,AAAB -----END C2PA "
       "MANIFEST-----\n",
       "manifest.structuredText.malformedReference"},
      {"html",
       "<html><head><script type=\"application/c2pa\">AAAB</script><script "
       "type=\"application/c2pa\">AAAB</script></head></html>",
       "manifest.html.multipleManifests"},
      {"html",
       "<html><head><script type=\"application/c2pa\">AAAB</script><link rel=\"c2pa-manifest\" "
       "href=\"/x\"></head></html>",
       "manifest.html.multipleManifests"},
      {"html", "<html><head><link rel=\"c2pa-manifest\" href=\"/x\"></head></html>",
       "manifest.inaccessible"},
      {"html", "<html><head><SCRIPT type=\"application/c2pa\">AAAB</script></head></html>",
       "general.error"},
      {"text",
       "x\xEF\xBB\xBF\xF3\xA0\x84\xB3\xF3\xA0\x84\xA2\xF3\xA0\x85\x80\xF3\xA0\x84\xB1"
       "\xF3\xA0\x85\x84\xF3\xA0\x85\x88\xF3\xA0\x85\x84\xEF\xB8\x80",
       "manifest.text.corruptedWrapper"},
  };
  ink_error error = {0};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const ink_carrier *carrier = ink_carrier_named(cases[i].carrier);
    ink_place place = {0};
    assert_ok(carrier->find(carrier, (const unsigned char *)cases[i].text, strlen(cases[i].text),
                            &place, &error));
    assert_true(place.present);
    assert_non_null(place.code);
    assert_string_equal(place.code, cases[i].code);
    ink_place_free(&place);
  }
}

static void text_without_a_manifest_is_no_fault(void **state) {
  (void)state;
  static const struct {
    const char *carrier, *text;
  } cases[] = {
      {"markdown", "speaks of -----BEGIN C2PA MANIFEST----- only\n"},
      {"html", "<html><head></head><body><script type=\"application/c2pa\">AA</script></body>"},
      {"html", "<html><head><!-- <script type=\"application/c2pa\">AAAB</script> --></head>"},
      {"text", "\xEF\xBB\xBFwith a mark at its start\n"},
      {"svg", "<svg><!-- <metadata><c2pa:manifest>AAAB</c2pa:manifest></metadata> --></svg>"},
  };
  ink_error error = {0};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const ink_carrier *carrier = ink_carrier_named(cases[i].carrier);
    ink_place place = {0};
    assert_ok(carrier->find(carrier, (const unsigned char *)cases[i].text, strlen(cases[i].text),
                            &place, &error));
    assert_false(place.present);
    ink_place_free(&place);
  }
}

static void front_matter_blocks_are_read(void **state) {
  (void)state;
  static const char text[] =
      "---\n-----BEGIN C2PA MANIFEST-----\ndata:application/c2pa;base64,AAAB\n-----END C2PA "
      "MANIFEST-----\ntitle: x\n---\n";
  ink_error error = {0};
  const ink_carrier *carrier = ink_carrier_named("markdown");
  ink_place place = {0};
  ink_text bare = {0};
  const unsigned char *bytes = (const unsigned char *)text;
  assert_ok(carrier->find(carrier, bytes, sizeof text - 1, &place, &error));
  assert_null(place.code);
  assert_int_equal(place.store.size, 3);
  assert_ok(ink_carrier_remove(carrier, bytes, sizeof text - 1, &bare, &error));
  assert_string_equal(bare.bytes, "---\ntitle: x\n---\n");
  ink_place_free(&place);
  ink_text_free(&bare);
}

static void texts_that_hold_a_delimiter_are_refused(void **state) {
  (void)state;
  ink_error error = {0};
  const ink_carrier *carrier = ink_carrier_named("markdown");
  ink_text out = {0};
  size_t start, length;
  assert_int_equal(carrier->embed(carrier, (const unsigned char *)block, sizeof block - 1, store,
                                  sizeof store, &out, &start, &length, &error),
                   INK_ERR_FORMAT);
  ink_text_free(&out);
}

static void base64_is_read_strictly(void **state) {
  (void)state;
  static const char *const bad[] = {"A",    "AA",   "AAA",   "A===",  "AA=A",    "AAA A",
                                    "AB==", "AAB=", "A\nAA", "AAAA=", "AA==AAAA"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ink_text out = {0};
    assert_false(ink_base64_read(bad[i], strlen(bad[i]), &out));
    ink_text_free(&out);
  }
  ink_text text = {0}, bytes = {0};
  ink_base64_add(&text, store, sizeof store);
  assert_true(ink_base64_read(text.bytes, text.size, &bytes));
  assert_memory_equal(bytes.bytes, store, sizeof store);
  ink_text_free(&text);
  ink_text_free(&bytes);
}

// c2pa-rs signed plain.<kind>; without its store the file is that again, or one that reads alike.
static void what_others_put_in_comes_out(void **state) {
  (void)state;
  static const char *const kinds[] = {"png", "jpg", "wav", "mp3"};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    ink_error error = {0};
    char name[32];
    snprintf(name, sizeof name, "plain.%s", kinds[i]);
    blob plain = load(name);
    snprintf(name, sizeof name, "other.%s", kinds[i]);
    blob other = load(name);
    const ink_carrier *carrier = ink_carrier_for(name, other.bytes, other.size);
    ink_text bare = {0};
    assert_ok(ink_carrier_remove(carrier, other.bytes, other.size, &bare, &error));
    assert_int_equal(bare.size, plain.size);
    assert_memory_equal(bare.bytes, plain.bytes, plain.size);
    ink_text_free(&bare);
    free(plain.bytes);
    free(other.bytes);
  }
}

static void an_element_of_another_writer_is_taken_out_of_svg(void **state) {
  (void)state;
  ink_error error = {0};
  blob other = load("other.svg");
  const ink_carrier *svg = ink_carrier_named("svg");
  ink_text bare = {0};
  ink_place place = {0};
  assert_ok(ink_carrier_remove(svg, other.bytes, other.size, &bare, &error));
  assert_ok(svg->find(svg, (unsigned char *)bare.bytes, bare.size, &place, &error));
  assert_false(place.present);
  assert_non_null(strstr(ink_text_string(&bare), "<metadata></metadata>\n<rect"));
  ink_text_free(&bare);
  free(other.bytes);
}

// Where the trailer's count is too low, new objects would stand in place of old ones.
static void a_pdf_with_more_objects_than_it_says_is_refused(void **state) {
  (void)state;
  ink_error error = {0};
  ink_text out = {0};
  size_t start, length;
  blob b = load("plain.pdf");
  char *count = memmem(b.bytes, b.size, "/Size 4", 7);
  assert_non_null(count);
  for (char n = '1'; n < '5'; n++) {
    count[6] = n;
    const ink_carrier *pdf = ink_carrier_named("pdf");
    ink_status status =
        pdf->embed(pdf, b.bytes, b.size, store, sizeof store, &out, &start, &length, &error);
    assert_int_equal(status, n < '4' ? INK_ERR_FORMAT : INK_OK);
  }
  ink_text_free(&out);
  free(b.bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_goes_in_is_found_and_comes_out),
      cmocka_unit_test(what_others_put_in_comes_out),
      cmocka_unit_test(an_element_of_another_writer_is_taken_out_of_svg),
      cmocka_unit_test(a_pdf_with_more_objects_than_it_says_is_refused),
      cmocka_unit_test(carriers_are_known_by_content_before_name),
      cmocka_unit_test(a_second_store_is_refused_or_told),
      cmocka_unit_test(entities_of_an_svg_are_no_elements),
      cmocka_unit_test(a_store_goes_into_the_last_metadata_of_an_svg),
      cmocka_unit_test(what_cannot_be_taken_out_of_an_svg_stays),
      cmocka_unit_test(parts_of_a_gif_bear_the_names_of_the_specification),
      cmocka_unit_test(old_gif_files_become_new_ones),
      cmocka_unit_test(long_stores_run_through_jpeg_segments),
      cmocka_unit_test(plain_text_wrapper_equals_the_published_vector),
      cmocka_unit_test(faults_of_text_carriers_have_their_codes),
      cmocka_unit_test(text_without_a_manifest_is_no_fault),
      cmocka_unit_test(front_matter_blocks_are_read),
      cmocka_unit_test(texts_that_hold_a_delimiter_are_refused),
      cmocka_unit_test(base64_is_read_strictly),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
