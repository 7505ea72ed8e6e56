// PDFs whose cross-references are streams and whose objects are packed: labels and manifests go in
// by an update of the same kind; what is built to mislead or to swell is refused with its words.
#include <zlib.h>

#include "labelling.h"
#include "mark/c2pa/pdf_filter.h"

static const unsigned char store[] = {
    0,   0, 0,  38, 'j', 'u', 'm', 'b', 0,   0, 0,  30,  'j', 'u', 'm', 'd', 'c', '2', 'p',
    'a', 0, 17, 0,  16,  128, 0,   0,   170, 0, 56, 155, 113, 3,   'c', '2', 'p', 'a', 0};

// ---- a file to build ----------------------------------------------------------------------------

enum { CATALOG = 1, PAGES, PAGE, INFO, OBJECTS, XREF, LENGTH, SIZE, ROW = 7, PACKED = 2 };

// What differs from a file that is in order; zeros are that file.
typedef struct shape {
  const char *xmp;         // the catalog's, in object 7
  size_t renumbered;       // by how much the numbers in the object stream are too high
  int predictor;           // 0: nothing is packed; 1: zlib; 10 to 14: each row by that one
  const char *parameters;  // instead of /DecodeParms
  const char *filter, *widths, *index, *size, *more;
  const char *objects;  // more of the object stream's dictionary
  const char *length;   // of it
  size_t swollen;       // bytes that the object stream has besides
  bool itself;          // it is said to be in itself
  int row_type;         // instead of the first row's predictor
  bool again;           // /Prev leads to the same
  bool associated;      // the catalog names a manifest in object 7; there is no information
} shape;

static void add_packed(const ink_text *plain, bool deflate, ink_text *out) {
  if (!deflate) {
    ink_text_add_bytes(out, plain->bytes, plain->size);
    return;
  }
  uLongf size = compressBound(plain->size);
  unsigned char *packed = malloc(size);
  assert_non_null(packed);
  assert_int_equal(compress2(packed, &size, (const Bytef *)plain->bytes, plain->size, 9), Z_OK);
  ink_text_add_bytes(out, packed, size);
  free(packed);
}

// PNG's predictors as their specification has them (section 9.2).
static unsigned char expected(int type, int a, int b, int c) {
  int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);
  int paeth = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
  const int all[] = {0, a, b, (a + b) / 2, paeth};
  return (unsigned char)all[type];
}

static void add_row(const shape *s, const unsigned char *row, const unsigned char *above,
                    ink_text *out) {
  unsigned char line[ROW + 1] = {0};
  int type = s->predictor - 10;
  for (int i = 0; i < ROW; i++) {
    line[i + 1] = row[i];
    if (type < 0) continue;
    line[i + 1] = (unsigned char)(row[i] - expected(type, i ? row[i - 1] : 0, above[i],
                                                    i ? above[i - 1] : 0));
  }
  line[0] = (unsigned char)(type < 0 ? 0 : s->row_type && !out->size ? s->row_type : type);
  ink_text_add_bytes(out, line + (type < 0), ROW + (type >= 0));
}

static ink_text build(const shape *s) {
  const char *packed[] = {
      "<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
      "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] >>", "<< /Title (A title) >>"};
  ink_text out = {0}, header = {0}, body = {0}, rows = {0};
  size_t places[SIZE] = {0};
  if (s->associated) {
    packed[0] = "<< /Type /Catalog /Pages 2 0 R /AF [4 0 R] >>";
    packed[3] = "<< /Type /Filespec /AFRelationship /C2PA_Manifest /EF << /F 7 0 R >> >>";
  }
  if (s->xmp) packed[0] = "<< /Type /Catalog /Pages 2 0 R /Metadata 7 0 R >>";
  ink_text_add(&out, "%PDF-1.5\n");
  for (size_t i = 0; i < 4; i++) {
    ink_text_format(&header, "%zu %zu ", i + 1 + s->renumbered, body.size);
    ink_text_format(&body, "%s\n", packed[i]);
  }
  size_t first = header.size;
  ink_text_add_bytes(&header, body.bytes, body.size);
  for (size_t i = 0; i < s->swollen; i++) ink_text_add(&header, " ");
  ink_text_clear(&body);
  add_packed(&header, s->predictor, &body);
  places[OBJECTS] = out.size;
  ink_text_format(&out, "5 0 obj\n<< /Type /ObjStm /N 4 /First %zu %s %s /Length ", first,
                  s->predictor ? "/Filter /FlateDecode" : "", s->objects ? s->objects : "");
  if (s->length) {
    ink_text_add(&out, s->length);
  } else {
    ink_text_format(&out, "%zu", body.size);
  }
  ink_text_add(&out, " >>\nstream\n");
  ink_text_add_bytes(&out, body.bytes, body.size);
  ink_text_add(&out, "\nendstream\nendobj\n");
  places[LENGTH] = out.size;
  if (s->associated) {
    ink_text_format(&out, "7 0 obj\n<< /Length %zu >>\nstream\n", sizeof store);
    ink_text_add_bytes(&out, store, sizeof store);
    ink_text_add(&out, "\nendstream\nendobj\n");
  } else if (s->xmp) {
    ink_text plain = {0}, xmp = {0};
    ink_text_add(&plain, s->xmp);
    add_packed(&plain, true, &xmp);
    ink_text_format(&out,
                    "7 0 obj\n<< /Type /Metadata /Subtype /XML /Filter /FlateDecode /Length %zu "
                    ">>\nstream\n",
                    xmp.size);
    ink_text_add_bytes(&out, xmp.bytes, xmp.size);
    ink_text_add(&out, "\nendstream\nendobj\n");
    ink_text_free(&plain);
    ink_text_free(&xmp);
  } else {
    ink_text_format(&out, "7 0 obj\n%zu\nendobj\n", body.size);
  }
  places[XREF] = out.size;
  unsigned char above[ROW] = {0};
  for (size_t i = 0; i < SIZE; i++) {
    size_t at = i >= CATALOG && i <= INFO ? OBJECTS : places[i];
    size_t index = i >= CATALOG && i <= INFO ? i - 1 : 0;
    bool inside = index || i == CATALOG || (s->itself && i == OBJECTS);
    unsigned char row[ROW] = {(unsigned char)(inside ? PACKED : i > 0),
                              0,
                              0,
                              (unsigned char)(at >> 8),
                              (unsigned char)at,
                              0,
                              (unsigned char)index};
    if (s->itself && i == OBJECTS) row[3] = 0, row[4] = OBJECTS;
    add_row(s, row, above, &rows);
    memcpy(above, row, ROW);
  }
  ink_text_clear(&body);
  add_packed(&rows, s->predictor, &body);
  ink_text_format(&out, "6 0 obj\n<< /Type /XRef /Size %s /W %s %s /Root 1 0 R /Info 4 0 R %s %s ",
                  s->size ? s->size : "8", s->widths ? s->widths : "[1 4 2]",
                  s->index ? s->index : "", s->more ? s->more : "",
                  s->filter      ? s->filter
                  : s->predictor ? "/Filter /FlateDecode"
                                 : "");
  if (s->parameters) {
    ink_text_add(&out, s->parameters);
  } else if (s->predictor >= 10) {
    ink_text_format(&out, "/DecodeParms << /Predictor %d /Columns %d >>", s->predictor, ROW);
  }
  if (s->again) ink_text_format(&out, " /Prev %zu", places[XREF]);
  ink_text_format(&out, " /Length %zu >>\nstream\n", body.size);
  ink_text_add_bytes(&out, body.bytes, body.size);
  ink_text_format(&out, "\nendstream\nendobj\nstartxref\n%zu\n%%%%EOF\n", places[XREF]);
  assert_false(out.failed || header.failed || body.failed || rows.failed);
  ink_text_free(&header);
  ink_text_free(&body);
  ink_text_free(&rows);
  return out;
}

static bool holds(const ink_text *out, size_t from, const char *words) {
  return memmem(out->bytes + from, out->size - from, words, strlen(words)) != NULL;
}

// ---- predictors ---------------------------------------------------------------------------------

static void predictors_give_back_what_png_took_away(void **state) {
  (void)state;
  enum { ROWS = 12, WIDE = 24 };
  uint32_t seed = 1;
  for (size_t pixel = 1; pixel <= 6; pixel++) {
    ink_pdf_filter filter = {.deflated = true, .predicted = true};
    ink_text plain = {0}, rows = {0}, packed = {0}, out = {0};
    unsigned char above[WIDE] = {0}, row[WIDE], line[WIDE + 1];
    assert_true(ink_pdf_filter_shape(&filter, pixel, 8, WIDE / pixel));
    for (int y = 0; y < ROWS; y++) {
      line[0] = (unsigned char)(y % 5);
      for (size_t x = 0; x < filter.row; x++) {
        seed = seed * 1664525 + 1013904223;
        row[x] = (unsigned char)(seed >> 24);
        bool inner = x >= pixel;
        line[x + 1] = (unsigned char)(row[x] - expected(line[0], inner ? row[x - pixel] : 0,
                                                        above[x], inner ? above[x - pixel] : 0));
      }
      memcpy(above, row, WIDE);
      ink_text_add_bytes(&plain, row, filter.row);
      ink_text_add_bytes(&rows, line, filter.row + 1);
    }
    add_packed(&rows, true, &packed);
    for (size_t most = 0; most <= plain.size + 1; most++) {
      size_t size = most < plain.size ? most : plain.size;
      ink_text_clear(&out);
      assert_true(
          ink_pdf_unfilter(&filter, (unsigned char *)packed.bytes, packed.size, most, &out));
      assert_int_equal(out.size, size);
      if (size) assert_memory_equal(out.bytes, plain.bytes, size);
    }
    // Cut short, it leaves nothing behind.
    ink_text_clear(&out);
    assert_false(ink_pdf_unfilter(&filter, (unsigned char *)packed.bytes, packed.size / 2,
                                  plain.size, &out));
    assert_int_equal(out.size, 0);
    ink_text_free(&plain);
    ink_text_free(&rows);
    ink_text_free(&packed);
    ink_text_free(&out);
  }
}

// ---- what is read and written -------------------------------------------------------------------

static void assert_takes_all(const ink_text *pdf) {
  ink_error error = {0};
  const ink_carrier *carrier = ink_carrier_named("pdf");
  blob b = {(unsigned char *)pdf->bytes, pdf->size};
  ink_text file = {0}, bare = {0};
  ink_place place = {0};
  size_t start, length;
  assert_ok(carrier->embed(carrier, b.bytes, b.size, store, sizeof store, &file, &start, &length,
                           &error));
  assert_ok(carrier->find(carrier, (unsigned char *)file.bytes, file.size, &place, &error));
  assert_true(place.present);
  assert_null(place.code);
  assert_int_equal(place.start, start);
  assert_int_equal(place.store.size, sizeof store);
  assert_memory_equal(file.bytes + place.start, store, sizeof store);
  assert_memory_equal(file.bytes, b.bytes, b.size);
  assert_true(holds(&file, b.size, "/Type /XRef"));
  assert_false(holds(&file, b.size, "\nxref\n"));
  assert_ok(ink_carrier_remove(carrier, (unsigned char *)file.bytes, file.size, &bare, &error));
  assert_int_equal(bare.size, b.size);
  assert_memory_equal(bare.bytes, b.bytes, b.size);
  ink_place_free(&place);
  ink_text_free(&bare);
  ink_text_free(&file);
  ink_label_request r = request_for(INK_LAW_CN);
  r.visible = has_font();
  r.laws = r.visible ? INK_LAW_CN : INK_LAW_EU;
  ink_label_result result;
  file = label_blob("a.pdf", &b, &r, &result);
  if (r.visible) {
    assert_int_equal(item_of(&result, INK_LAW_CN, "visible label")->outcome, INK_LABEL_GOT);
    assert_labelled("a.pdf", &file, "1");
    assert_true(holds(&file, b.size, "/Title (A title)"));
    assert_true(holds(&file, b.size, "/MediaBox [0 0 300 300]"));
  }
  assert_memory_equal(file.bytes, b.bytes, b.size);
  assert_false(holds(&file, b.size, "\nxref\n"));
  ink_text_free(&file);
}

static void packed_objects_are_found_behind_every_predictor(void **state) {
  (void)state;
  for (int predictor = 0; predictor <= 14; predictor++) {
    if (predictor > 1 && predictor < 10) continue;
    ink_text pdf = build(&(shape){.predictor = predictor});
    assert_takes_all(&pdf);
    ink_text_free(&pdf);
  }
}

static void forms_that_are_in_order_are_read(void **state) {
  (void)state;
  static const shape shapes[] = {
      {.predictor = 1, .index = "/Index [0 3 3 5]"},
      {.predictor = 1, .filter = "/Filter [ /FlateDecode ]"},
      {.predictor = 12, .parameters = "/DecodeParms [<< /Columns 7 /Predictor 15 >>]"},
      {.predictor = 1, .parameters = "/DecodeParms << /Predictor 1 >>"},
      {.predictor = 1, .length = "7 0 R"},
      {.predictor = 1, .swollen = 1 << 20},
  };
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    ink_text pdf = build(&shapes[i]);
    assert_takes_all(&pdf);
    ink_text_free(&pdf);
  }
}

// An update keeps the form that the file has: a hybrid, which readers of tables alone can open,
// stays one.
static void hybrids_keep_their_table(void **state) {
  (void)state;
  if (!has_font()) skip();
  static const char *const names[] = {"hybrid.pdf", "hidden.pdf"};
  for (int i = 0; i < 2; i++) {
    blob b = load(names[i]);
    ink_label_request r = request_for(INK_LAW_CN);
    ink_label_result result;
    ink_text out = label_blob(names[i], &b, &r, &result);
    assert_int_equal(item_of(&result, INK_LAW_CN, "visible label")->outcome, INK_LABEL_GOT);
    assert_labelled(names[i], &out, "1");
    assert_true(holds(&out, b.size, "/Title (A \\(title\\))"));
    assert_true(holds(&out, b.size, "\nxref\n"));
    assert_false(holds(&out, b.size, "/XRef"));
    ink_text_free(&out);
    free(b.bytes);
  }
}

static void deflated_xmp_keeps_what_it_says(void **state) {
  (void)state;
  static const char xmp[] =
      "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF "
      "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description rdf:about=\"\" "
      "xmlns:my=\"http://example.org/my/\" my:stays=\"whole\"/></rdf:RDF></x:xmpmeta>";
  ink_text pdf = build(&(shape){.predictor = 1, .xmp = xmp});
  blob b = {(unsigned char *)pdf.bytes, pdf.size};
  ink_label_request r = request_for(INK_LAW_EU);
  r.visible = false;
  ink_text out = label_blob("a.pdf", &b, &r, NULL);
  assert_false(holds(&pdf, 0, "my:stays"));
  assert_true(holds(&out, pdf.size, "my:stays=\"whole\""));
  assert_true(holds(&out, pdf.size, "trainedAlgorithmicMedia"));
  assert_true(holds(&out, pdf.size, "\n7 0 obj\n<< /Type /Metadata /Subtype /XML /Length"));
  ink_text_free(&out);
  ink_text_free(&pdf);
}

// A manifest that another program packed is found all the same.
static void a_packed_association_is_seen(void **state) {
  (void)state;
  ink_error error = {0};
  const ink_carrier *carrier = ink_carrier_named("pdf");
  ink_text pdf = build(&(shape){.predictor = 1, .associated = true});
  ink_place place = {0};
  assert_false(holds(&pdf, 0, "C2PA_Manifest"));
  assert_ok(carrier->find(carrier, (unsigned char *)pdf.bytes, pdf.size, &place, &error));
  assert_true(place.present);
  assert_null(place.code);
  assert_int_equal(place.store.size, sizeof store);
  assert_memory_equal(place.store.bytes, store, sizeof store);
  ink_place_free(&place);
  ink_text_free(&pdf);
}

// ---- what is refused ----------------------------------------------------------------------------

static void hostile_files_are_refused_with_words(void **state) {
  (void)state;
  static const struct {
    shape shape;
    const char *words;
  } cases[] = {
      {{.predictor = 1, .widths = "[1 9 2]"}, "more than eight bytes"},
      {{.predictor = 1, .widths = "[1 4]"}, "cross-references are broken"},
      {{.predictor = 1, .widths = "[1 0 2]"}, "cross-references are broken"},
      {{.predictor = 1, .index = "/Index [0 5 3 5]"}, "list an object twice"},
      {{.predictor = 1, .index = "/Index [0 -1]"}, "cross-references are broken"},
      {{.predictor = 1, .index = "/Index [0 9]"}, "are cut short"},
      {{.predictor = 1, .size = "8388607"}, "are cut short"},
      {{.predictor = 1, .size = "9999999999"}, "are larger than is read here"},
      {{.predictor = 1, .index = "/Index [0 8000000 8000000 388607]", .widths = "[8 8 8]"},
       "are larger than is read here"},
      {{.predictor = 12, .parameters = "/DecodeParms << /Predictor 12 /Columns 99999999 >>"},
       "packed in a way"},
      {{.predictor = 12,
        .parameters = "/DecodeParms << /Predictor 12 /Columns 1000000 /Colors 32 >>"},
       "packed in a way"},
      {{.predictor = 12, .parameters = "/DecodeParms << /Predictor 12 /Columns 0 >>"},
       "packed in a way"},
      {{.predictor = 1, .parameters = "/DecodeParms << /Predictor 2 /Columns 7 >>"},
       "packed in a way"},
      {{.predictor = 12, .row_type = 5}, "are cut short"},
      {{.filter = "/Filter /LZWDecode"}, "packed in a way"},
      {{.predictor = 1, .filter = "/Filter [/ASCIIHexDecode /FlateDecode]"}, "packed in a way"},
      {{.filter = "/Filter /FlateDecode"}, "are cut short"},
      {{.predictor = 1, .again = true}, "updates do not end"},
      {{.predictor = 1, .itself = true}, "an object stream depends on another"},
      {{.predictor = 1, .length = "4 0 R"}, "an object stream depends on another"},
      {{.predictor = 1, .objects = "/DecodeParms 4 0 R"}, "an object stream depends on another"},
      {{.predictor = 1, .renumbered = 1}, "its catalog cannot be read"},
      {{.predictor = 1, .length = "3"}, "an object stream cannot be read"},
      {{.objects = "/Filter /FlateDecode"}, "an object stream cannot be unpacked"},
      {{.objects = "/Filter /LZWDecode"}, "an object stream is packed in a way"},
      {{.predictor = 1, .swollen = 1 << 25}, "an object stream is larger than is read here"},
      {{.predictor = 1, .more = "/Encrypt 4 0 R"}, "it is encrypted"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_error error = {0};
    ink_text pdf = build(&cases[i].shape), out = {0};
    const ink_carrier *carrier = ink_carrier_named("pdf");
    size_t start, length;
    ink_place place = {0};
    const unsigned char *bytes = (const unsigned char *)pdf.bytes;
    // To look for a manifest is no fault: it has none that can be read.
    assert_ok(carrier->find(carrier, bytes, pdf.size, &place, &error));
    assert_false(place.present);
    ink_status status = carrier->embed(carrier, bytes, pdf.size, store, sizeof store, &out, &start,
                                       &length, &error);
    if (status == INK_OK || !strstr(error.text, cases[i].words)) {
      fail_msg("%zu: no \"%s\" in \"%s\"", i, cases[i].words, error.text);
    }
    assert_int_equal(out.size, 0);
    blob b = {(unsigned char *)pdf.bytes, pdf.size};
    ink_label_request r = request_for(INK_LAW_CN);
    ink_label_result result;
    error = (ink_error){0};
    status = label_as("a.pdf", &b, &r, &out, &result, &error);
    if (status == INK_OK || !strstr(error.text, cases[i].words)) {
      fail_msg("%zu, labelled: no \"%s\" in \"%s\"", i, cases[i].words, error.text);
    }
    ink_text_free(&out);
    ink_text_free(&pdf);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(predictors_give_back_what_png_took_away),
      cmocka_unit_test(packed_objects_are_found_behind_every_predictor),
      cmocka_unit_test(forms_that_are_in_order_are_read),
      cmocka_unit_test(hybrids_keep_their_table),
      cmocka_unit_test(deflated_xmp_keeps_what_it_says),
      cmocka_unit_test(a_packed_association_is_seen),
      cmocka_unit_test(hostile_files_are_refused_with_words),
  };
  return cmocka_run_group_tests_name("hostile_pdf_streams", tests, NULL, NULL);
}
