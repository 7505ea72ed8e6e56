// The visible label of PDF pages: which page, where on it as it is shown, and that nothing of the
// page is lost.
#include "labelling.h"
#include "picture/canvas.h"
#include "scratch.h"

enum { MOST_OBJECTS = 16 };

// A file of these objects, numbered from 1; the first is the catalog.
static ink_text pdf_of(const char *const *objects) {
  ink_text out = {0};
  size_t offsets[MOST_OBJECTS], n = 0;
  ink_text_add(&out, "%PDF-1.7\n");
  for (; objects[n]; n++) {
    offsets[n] = out.size;
    ink_text_format(&out, "%zu 0 obj\n%s\nendobj\n", n + 1, objects[n]);
  }
  size_t table = out.size;
  ink_text_format(&out, "xref\n0 %zu\n0000000000 65535 f \n", n + 1);
  for (size_t i = 0; i < n; i++) ink_text_format(&out, "%010zu 00000 n \n", offsets[i]);
  ink_text_format(&out, "trailer\n<< /Size %zu /Root 1 0 R >>\nstartxref\n%zu\n%%%%EOF\n", n + 1,
                  table);
  assert_false(out.failed);
  return out;
}

static ink_text label_pdf(const ink_text *pdf, bool at_end, ink_label_place place,
                          ink_label_result *result) {
  blob b = {(unsigned char *)pdf->bytes, pdf->size};
  ink_label_request r = request_for(INK_LAW_CN);
  ink_label_style style = ink_label_style_default();
  style.place = place;
  r.style = &style;
  r.at_end = at_end;
  return label_blob("a.pdf", &b, &r, result);
}

static bool holds(const ink_text *out, size_t from, const char *words) {
  return memmem(out->bytes + from, out->size - from, words, strlen(words)) != NULL;
}

// ---- what is written ----------------------------------------------------------------------------

static void the_page_keeps_what_it_has_in_whatever_form(void **state) {
  (void)state;
  if (!has_font()) skip();
  static const struct {
    const char *page, *becomes;
  } cases[] = {
      {"<< /Type /Page /Parent 2 0 R /Contents 5 0 R /Annots [] >>", "5 0 R"},
      {"<< /Contents [ 5 0 R 6 0 R ] /Type /Page /Parent 2 0 R /Annots [] >>", " 5 0 R 6 0 R "},
      {"<< /Type /Page /Contents %/Contents 9 0 R\n 7 0 R /Parent 2 0 R /Annots [] >>", " 6 0 R "},
      {"<< /Type /Page /Parent 2 0 R /Annots [] >>", ""}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *objects[] = {"<< /Type /Catalog /Pages 2 0 R >>",
                             "<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 /MediaBox [0 0 595 842] "
                             ">>",
                             cases[i].page,
                             "<< /Type /Page /Parent 2 0 R >>",
                             "<< /Length 2 >>\nstream\nq \nendstream",
                             "<< /Length 2 >>\nstream\nQ \nendstream",
                             "[ 6 0 R ]",
                             NULL};
    ink_text pdf = pdf_of(objects);
    ink_label_result result;
    ink_text out = label_pdf(&pdf, false, INK_LABEL_BOTTOM_RIGHT, &result);
    assert_int_equal(item_of(&result, INK_LAW_CN, "visible label")->outcome, INK_LABEL_GOT);
    assert_non_null(strstr(result.visible, "first page"));
    assert_memory_equal(out.bytes, pdf.bytes, pdf.size);
    char contents[80];
    snprintf(contents, sizeof contents, "/Contents [10 0 R %s 11 0 R] >>", cases[i].becomes);
    if (!holds(&out, pdf.size, contents)) {
      fail_msg("%s: no %s in %.*s", cases[i].page, contents, 400, out.bytes + pdf.size);
    }
    assert_true(holds(&out, pdf.size, "3 0 obj\n<<"));
    assert_true(holds(&out, pdf.size, "/Annots []"));
    assert_false(holds(&out, pdf.size, "4 0 obj"));
    ink_text_free(&out);
    out = label_pdf(&pdf, true, INK_LABEL_BOTTOM_RIGHT, &result);
    assert_non_null(strstr(result.visible, "last page"));
    assert_true(holds(&out, pdf.size, "\n4 0 obj"));
    assert_false(holds(&out, pdf.size, "\n3 0 obj"));
    ink_text_free(&out);
    ink_text_free(&pdf);
  }
}

static void pages_that_are_none_get_no_label_and_are_told(void **state) {
  (void)state;
  static const char catalog[] = "<< /Type /Catalog /Pages 2 0 R >>";
  static const struct {
    const char *catalog, *pages, *page, *word;
  } cases[] = {{catalog, "<< /Type /Pages /Kids [2 0 R] >>", "<< >>", "its pages"},
               {catalog, "<< /Type /Pages /Kids [3 0 R] >>", "<< /Type /Page >>", "its pages"},
               {catalog, "<< /Type /Pages /Kids [3 0 R] /MediaBox [0 0 x 9] >>",
                "<< /Type /Page >>", "its pages"},
               {catalog, "<< /Type /Pages /Kids [3 0 R] /MediaBox [0 0 20 20] >>",
                "<< /Type /Page >>", "its pages"},
               {catalog, "<< /Type /Pages /Kids [] >>", "<< /Type /Page >>", "its pages"},
               {catalog, "<< /Type /Pages /Kids [<< /Type /Page >>] >>", "<< >>", "its pages"},
               {catalog, "<< /Type /Pages /Kids [3 0 R] /MediaBox [0 0 200 200] >>",
                "<< /Type /Page /Parent 2 0 R /Rotate 45 >>", "its pages"},
               {catalog, "<< /Type /Pages /Kids [3 0 R] /MediaBox [0 0 200 200] >>",
                "<< /Type /Page /Parent 2 0 R /Contents 4 0 R >>", "its pages"},
               {"<< /Type /Catalog /Pages 2 0 R /AcroForm << /SigFlags 3 >> >>",
                "<< /Type /Pages /Kids [3 0 R] /MediaBox [0 0 200 200] >>",
                "<< /Type /Page /Parent 2 0 R >>", "signature"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const char *objects[] = {cases[i].catalog, cases[i].pages, cases[i].page, "[ 5 0 R ( ", NULL};
    ink_text pdf = pdf_of(objects);
    ink_label_result result;
    ink_text out = label_pdf(&pdf, false, INK_LABEL_BOTTOM_RIGHT, &result);
    const ink_label_item *item = item_of(&result, INK_LAW_CN, "visible label");
    assert_int_equal(item->outcome, INK_LABEL_MISSING);
    if (!strstr(item->why, cases[i].word)) fail_msg("%zu: %s", i, item->why);
    assert_labelled("a.pdf", &out, "1");
    ink_text_free(&out);
    ink_text_free(&pdf);
  }
}

// An update that held one object twice would lose the first of them.
static void one_object_is_not_two_things(void **state) {
  (void)state;
  if (!has_font()) skip();
  const char *objects[] = {"<< /Type /Catalog /Pages 2 0 R /Metadata 3 0 R >>",
                           "<< /Type /Pages /Kids [3 0 R] /MediaBox [0 0 200 200] >>",
                           "<< /Type /Page /Parent 2 0 R /Length 0 >>\nstream\n\nendstream", NULL};
  ink_text pdf = pdf_of(objects), out = {0};
  blob b = {(unsigned char *)pdf.bytes, pdf.size};
  ink_label_request r = request_for(INK_LAW_CN);
  ink_label_result result;
  ink_error error = {0};
  assert_int_equal(label_as("a.pdf", &b, &r, &out, &result, &error), INK_ERR_FORMAT);
  assert_non_null(strstr(error.text, "one object stands for two things"));
  ink_text_free(&out);
  ink_text_free(&pdf);
}

// ---- what is seen -------------------------------------------------------------------------------

// The box of what is dark on a page as poppler shows it at 72 dots an inch.
typedef struct sight {
  int width, height, left, top, right, bottom;
} sight;

static sight look_at(const ink_text *pdf) {
  ink_error error = {0};
  char *folder = scratch_make(), path[4200], command[9000], *bytes;
  size_t size;
  sight s = {0};
  int begin = 0;
  snprintf(path, sizeof path, "%s/a.pdf", folder);
  assert_ok(ink_file_save(path, pdf->bytes, pdf->size, &error));
  snprintf(command, sizeof command,
           "pdftoppm -r 72 -gray -cropbox -singlefile '%s' '%s/out' 2>'%s/err'", path, folder,
           folder);
  assert_int_equal(system(command), 0);
  snprintf(path, sizeof path, "%s/err", folder);
  assert_ok(ink_file_read(path, 1 << 20, &bytes, &size, &error));
  assert_string_equal(bytes, "");
  free(bytes);
  snprintf(path, sizeof path, "%s/out.pgm", folder);
  assert_ok(ink_file_read(path, 1 << 24, &bytes, &size, &error));
  assert_int_equal(sscanf(bytes, "P5 %d %d 255%n", &s.width, &s.height, &begin), 2);
  s.left = s.width;
  s.top = s.height;
  const unsigned char *pixels = (unsigned char *)bytes + begin + 1;
  for (int y = 0; y < s.height; y++) {
    for (int x = 0; x < s.width; x++) {
      if (pixels[y * s.width + x] > 128) continue;
      s.left = x < s.left ? x : s.left;
      s.right = x > s.right ? x : s.right;
      s.top = y < s.top ? y : s.top;
      s.bottom = y > s.bottom ? y : s.bottom;
    }
  }
  free(bytes);
  scratch_remove(folder);
  free(folder);
  return s;
}

static void labels_are_seen_upright_in_their_corner(void **state) {
  (void)state;
  if (!has_font()) skip();
  if (system("command -v pdftoppm >/dev/null") != 0) skip();
  for (int turns = -1; turns < 4; turns++) {
    for (int place = 0; place < INK_LABEL_PLACES; place++) {
      char page[200];
      snprintf(
          page, sizeof page,
          "<< /Type /Page /Parent 2 0 R /Rotate %d /CropBox [-20 30 380.5 600] /Contents 4 0 R "
          ">>",
          turns * 90);
      // What the page does to the coordinates is undone.
      const char *objects[] = {
          "<< /Type /Catalog /Pages 2 0 R >>",
          "<< /Type /Pages /Kids [3 0 R] /Count 1 /MediaBox [-50 0 500 700] >>", page,
          "<< /Length 27 >>\nstream\n0.1 0 0 0.1 900 900 cm 1 g \nendstream", NULL};
      ink_text pdf = pdf_of(objects);
      ink_label_result result;
      ink_text out = label_pdf(&pdf, false, (ink_label_place)place, &result);
      sight s = look_at(&out);
      bool across = turns % 2 != 0;
      assert_in_range(s.width, across ? 569 : 400, across ? 571 : 402);
      int wide = s.right - s.left, high = s.bottom - s.top;
      const char *name = ink_label_place_name((ink_label_place)place);
      bool right = strstr(name, "right"), left = strstr(name, "left");
      bool fits = wide > 3 * high && high > 8 && s.left > 2 && s.right < s.width - 2;
      bool there = (strncmp(name, "top", 3) == 0 ? s.top < 20 : s.bottom > s.height - 20) &&
                   (right  ? s.right > s.width - 30
                    : left ? s.left < 30
                           : abs(s.left + s.right - s.width) < 6);
      if (!fits || !there) {
        fail_msg("turned %d, %s: %d %d to %d %d of %d x %d", turns, name, s.left, s.top, s.right,
                 s.bottom, s.width, s.height);
      }
      ink_text_free(&out);
      ink_text_free(&pdf);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_page_keeps_what_it_has_in_whatever_form),
      cmocka_unit_test(pages_that_are_none_get_no_label_and_are_told),
      cmocka_unit_test(one_object_is_not_two_things),
      cmocka_unit_test(labels_are_seen_upright_in_their_corner),
  };
  return cmocka_run_group_tests_name("label_pdf", tests, NULL, NULL);
}
