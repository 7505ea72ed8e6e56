// Labels of SVG and GIF: what is added and legible, what stays, what is refused.
#include <gif_lib.h>
#include <math.h>

#include "labelling.h"
#include "mark/label/xml_scan.h"

// ---- SVG ----------------------------------------------------------------------------------------

#define SVG "<svg xmlns=\"http://www.w3.org/2000/svg\""

// All that stood in a file is there, in its order: what was added are two pieces at most.
static void assert_only_added(const blob *before, const ink_text *after) {
  size_t begin = 0, end = 0, n = before->size;
  while (begin < n && (unsigned char)after->bytes[begin] == before->bytes[begin]) begin++;
  while (end < n - begin &&
         (unsigned char)after->bytes[after->size - 1 - end] == before->bytes[n - 1 - end]) {
    end++;
  }
  size_t middle = n - begin - end;
  if (!middle) return;
  assert_non_null(
      memmem(after->bytes + begin, after->size - begin - end, before->bytes + begin, middle));
}

// How high capitals are, by the shorter side of what is shown, from the label's own numbers.
typedef struct found {
  double across, down, em, x, y, width, height;
  bool label, text;
} found;

static void look(void *context, const ink_xml_tag *tag) {
  found *f = context;
  const char *view = ink_xml_attribute(tag, "", "viewBox");
  const char *style = ink_xml_attribute(tag, "", "style");
  if (tag->depth == 1 && strcmp(tag->name, "svg") == 0 && view) {
    assert_int_equal(sscanf(view, "0 0 %lf %lf", &f->across, &f->down), 2);
    f->label = true;
  }
  if (f->label && tag->depth == 2 && strcmp(tag->name, "rect") == 0) {
    f->x = strtod(ink_xml_attribute(tag, "", "x"), NULL);
    f->y = strtod(ink_xml_attribute(tag, "", "y"), NULL);
    f->width = strtod(ink_xml_attribute(tag, "", "width"), NULL);
    f->height = strtod(ink_xml_attribute(tag, "", "height"), NULL);
  }
  if (f->label && tag->depth == 2 && strcmp(tag->name, "text") == 0) {
    const char *size = strstr(style, "font-size:");
    assert_non_null(size);
    f->em = strtod(size + 10, NULL);
    f->text = true;
  }
}

static found look_at(const ink_text *file) {
  ink_error error = {0};
  found f = {0};
  const ink_xml_listener listener = {.context = &f, .open = look};
  assert_ok(ink_xml_scan("SVG", file->bytes, file->size, INK_XML_DOCTYPE, &listener, &error));
  return f;
}

static void letters_of_a_drawing_are_a_twentieth_of_its_side(void **state) {
  (void)state;
  static const struct {
    const char *root;
    double larger;  // of the side that is shown by that of the drawing
  } cases[] = {{SVG " viewBox=\"-10 -10 120 80\">", 1},
               {SVG " width=\"800\" height=\"3in\">", 1},
               {SVG " width=\"60mm\" height=\"40mm\" viewBox=\"0 0 6 4\">", 1},
               {SVG " width=\"300\" height=\"300\" viewBox=\"0,0,300,100\">", 3},
               {SVG " width=\"100%\">", 1},
               {SVG " width=\"100\" height=\"100\" viewBox=\"0 0 9 9\" "
                    "preserveAspectRatio=\"xMidYMid slice\">",
                1}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (int place = 0; place < INK_LABEL_PLACES; place++) {
      char text[512];
      snprintf(text, sizeof text, "%s<rect width=\"1\" height=\"1\"/></svg>", cases[i].root);
      blob b = blob_of(text);
      ink_label_style style = ink_label_style_default();
      style.place = (ink_label_place)place;
      ink_label_request r = request_for(INK_LAW_CN);
      r.language = place % 2 ? "zh-Hans" : "en";
      r.style = &style;
      ink_label_result result;
      ink_text out = label_blob("a.svg", &b, &r, &result);
      found f = look_at(&out);
      assert_true(f.label && f.text);
      double side = fmin(f.across, f.down) * cases[i].larger;
      assert_true(f.em * 0.66 >= 0.05 * side);
      // The plate lies within the drawing, at its corner or edge.
      assert_true(f.x >= 0 && f.y >= 0);
      assert_true(f.x + f.width <= f.across && f.y + f.height <= f.down);
      bool top =
          place == INK_LABEL_TOP || place == INK_LABEL_TOP_LEFT || place == INK_LABEL_TOP_RIGHT;
      assert_true(top ? f.y < f.down / 10 : f.y + f.height > 0.9 * f.down);
      // Drawn last.
      assert_string_equal(out.bytes + out.size - 12, "</svg></svg>");
      assert_labelled("a.svg", &out, "1");
      ink_text_free(&out);
      free(b.bytes);
    }
  }
}

// What is not stretched in one unit is not in another.
static void lengths_are_of_their_units(void **state) {
  (void)state;
  static const char *const inches[] = {"96",     "96px",   "1in",  "2.54cm",
                                       "25.4mm", "101.6Q", "72pt", "6pc"};
  for (size_t i = 0; i < sizeof inches / sizeof *inches; i++) {
    char text[256];
    snprintf(text, sizeof text,
             SVG " width=\"96\" height=\"%s\" viewBox=\"0 0 9 9\" preserveAspectRatio=\"none\"/>",
             inches[i]);
    blob b = blob_of(text);
    ink_label_request r = request_for(INK_LAW_CN);
    ink_label_result result;
    ink_text out = label_blob("a.svg", &b, &r, &result);
    if (item_of(&result, INK_LAW_CN, "visible label")->outcome != INK_LABEL_GOT) {
      fail_msg("%s is no inch", inches[i]);
    }
    ink_text_free(&out);
    free(b.bytes);
  }
}

static void a_drawing_keeps_what_it_holds(void **state) {
  (void)state;
  static const char *const files[] = {
      SVG "><g/></svg>",
      SVG "/>",
      "<?xml version=\"1.0\"?><!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"http://www.w3.org/"
      "Graphics/SVG/1.1/DTD/svg11.dtd\">\n<!-- <svg> -->" SVG
      " xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><metadata><rdf:RDF><x "
      "xmlns=\"y\">&amp;</x></rdf:RDF></metadata><text>秋</text></svg>\n<!-- after -->",
      SVG " ><metadata id=\"m\"/><title>t</title></svg>",
      SVG "><metadata>words</metadata></svg>",
  };
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    blob b = blob_of(files[i]);
    ink_label_request r = request_for(INK_LAW_CN | INK_LAW_EU | INK_LAW_CA);
    r.system = "a <model>";
    r.system_version = "3";
    r.producer = "0011code";
    ink_label_result result;
    ink_text out = label_blob("a.svg", &b, &r, &result);
    assert_labelled("a.svg", &out, "1");
    assert_true(result.is_signed);
    assert_int_equal(state_of(out.bytes, out.size, ink_carrier_named("svg"), NULL, NULL),
                     INK_C2PA_VALID);
    assert_int_equal(item_of(&result, INK_LAW_CA, "latent disclosure")->outcome, INK_LABEL_GOT);
    assert_non_null(strstr(out.bytes, "a &lt;model&gt;</Iptc4xmpExt:AISystemUsed>"));
    assert_non_null(strstr(out.bytes, "trainedAlgorithmicMedia"));
    ink_text_free(&out);
    r = request_for(INK_LAW_CN);
    out = label_blob("a.svg", &b, &r, NULL);
    // An element without content is opened: its slash alone is gone.
    bool opened = strstr(files[i], "/>") && (i == 1 || i == 3);
    if (!opened) assert_only_added(&b, &out);
    ink_text_free(&out);
    free(b.bytes);
  }
}

#define RDF(inner)                                                                 \
  SVG " xmlns:r=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><metadata><r:RDF>" \
      "<r:Description xmlns:t=\"http://www.tc260.org.cn/ns/AIGC/1.0/\" "           \
      "xmlns:i=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\"" inner "</r:RDF></metadata></svg>"
#define SOURCE "http://cv.iptc.org/newscodes/digitalsourcetype/"

static void a_drawing_s_other_labels_are_left_alone(void **state) {
  (void)state;
  static const char *const labelled[] = {
      RDF("><t:AIGC>{\"Label\":\"1\",\"ProduceID\":\"17\"}</t:AIGC></r:Description>"),
      RDF(" t:AIGC='{\"Label\":\"1\",\"ProduceID\":\"17\"}'/>"),
      RDF("><t:AIGC>no JSON</t:AIGC></r:Description>")};
  for (int i = 0; i < 3; i++) {
    ink_error error = {0};
    ink_text out = {0};
    ink_label_result result;
    blob b = blob_of(labelled[i]);
    ink_label_request r = request_for(INK_LAW_CN);
    assert_int_equal(label_as("a.svg", &b, &r, &out, &result, &error), INK_ERR_CONFLICT);
    assert_non_null(strstr(error.text, i == 2 ? "ProduceID ?" : "17"));
    free(b.bytes);
  }
  // What it says of its source is another's too; another kind of generated source stays.
  static const char *const sources[] = {
      RDF(" i:DigitalSourceType='" SOURCE "digitalCapture'/>"),
      RDF("><i:DigitalSourceType r:resource='" SOURCE "digitalCapture'/></r:Description>"),
      RDF("><i:DigitalSourceType>" SOURCE "digitalCapture</i:DigitalSourceType></r:Description>"),
      RDF("><i:DigitalSourceType>" SOURCE
          "compositeWithTrainedAlgorithmicMedia</i:DigitalSourceType></r:Description>")};
  for (int i = 0; i < 4; i++) {
    ink_error error = {0};
    ink_text out = {0};
    ink_label_result result;
    blob b = blob_of(sources[i]);
    ink_label_request r = request_for(INK_LAW_CN);
    ink_status status = label_as("a.svg", &b, &r, &out, &result, &error);
    assert_int_equal(status, i < 3 ? INK_ERR_CONFLICT : INK_OK);
    if (i == 3) assert_null(strstr(out.bytes, "/trainedAlgorithmicMedia"));
    ink_text_free(&out);
    free(b.bytes);
  }
}

// What is said of the system stays; RDF that is no metadata says nothing of the drawing.
static void a_drawing_s_other_words_are_left_alone(void **state) {
  (void)state;
  blob b = blob_of(RDF(" i:AISystemUsed='theirs'/>"));
  ink_label_request r = request_for(INK_LAW_CN);
  r.system = "one of our own";
  ink_text out = label_blob("a.svg", &b, &r, NULL);
  assert_non_null(strstr(out.bytes, "i:AISystemUsed='theirs'"));
  assert_null(strstr(out.bytes, "one of our own"));
  ink_text_free(&out);
  free(b.bytes);
  static const char drawn[] =
      "<g><r:RDF xmlns:r=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><r:Description "
      "xmlns:t=\"http://www.tc260.org.cn/ns/AIGC/1.0/\" "
      "t:AIGC='{\"ProduceID\":\"17\"}'/></r:RDF></g>";
  static const char *const before[] = {"", "<metadata/>", "<metadata><a/></metadata>"};
  for (int i = 0; i < 3; i++) {
    char text[512];
    snprintf(text, sizeof text, SVG ">%s%s</svg>", before[i], drawn);
    b = blob_of(text);
    out = label_blob("a.svg", &b, &r, NULL);
    assert_labelled("a.svg", &out, "1");
    assert_non_null(strstr(out.bytes, drawn));
    ink_text_free(&out);
    free(b.bytes);
  }
}

// The name of a font ends neither the property that it stands in nor the attribute.
static void a_font_s_name_is_no_more_than_that(void **state) {
  (void)state;
  blob b = blob_of(SVG "/>");
  ink_label_style style = ink_label_style_default();
  style.font = "a\";}\\{b<c";
  ink_label_request r = request_for(INK_LAW_CN);
  r.style = &style;
  ink_text out = label_blob("a.svg", &b, &r, NULL);
  assert_non_null(strstr(out.bytes, "font-family:&quot;ab&lt;c&quot;,sans-serif;"));
  ink_text_free(&out);
  free(b.bytes);
}

static void drawings_that_cannot_be_labelled_say_why(void **state) {
  (void)state;
  static const struct {
    const char *text, *word;
    ink_status status;
  } refused[] = {
      {"<svg><g/></svg>", "namespace", INK_ERR_FORMAT},
      {SVG "><g></svg>", "well-formed", INK_ERR_FORMAT},
      {SVG ">", "well-formed", INK_ERR_FORMAT},
      {"<!DOCTYPE svg [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>" SVG ">&b;</svg>",
       "entities", INK_ERR_UNSUPPORTED},
      {"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" SVG "/>", "UTF-8", INK_ERR_UNSUPPORTED},
  };
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    ink_error error = {0};
    ink_text out = {0};
    ink_label_result result;
    blob b = blob_of(refused[i].text);
    ink_label_request r = request_for(INK_LAW_CN);
    ink_status status = label_as("a.svg", &b, &r, &out, &result, &error);
    if (status != refused[i].status || !strstr(error.text, refused[i].word)) {
      fail_msg("case %zu: %s", i, error.text);
    }
    free(b.bytes);
  }
  // Only the visible label is missing, and the report says so.
  static const struct {
    const char *text, *why;
  } partly[] = {
      {SVG " viewBox=\"0 0 9 9\" preserveAspectRatio=\"none\"><g/></svg>",
       "its drawing is stretched or cut to a window that is not known"},
      {SVG " width=\"9\" height=\"5\" viewBox=\"0 0 9 9\" preserveAspectRatio=\"xMidYMid slice\"/>",
       "its drawing is stretched or cut to its window"},
      {SVG " viewBox=\"0 0 nine 9\"/>", "its viewBox cannot be read"},
      {SVG " viewBox=\"0 0 1e999 9\"/>", "its viewBox cannot be read"},
      {SVG " width=\"2000\" height=\"100\" viewBox=\"0 0 1 50\"/>",
       "its drawing is too narrow for legible words"},
      // Its window is ten times as high as it is.
      {SVG " width=\"100\" height=\"100\" viewBox=\"0 0 1000 100\"/>",
       "its drawing is too narrow for legible words"}};
  for (size_t i = 0; i < sizeof partly / sizeof *partly; i++) {
    blob b = blob_of(partly[i].text);
    ink_label_request r = request_for(INK_LAW_CN);
    ink_label_result result;
    ink_text out = label_blob("a.svg", &b, &r, &result);
    const ink_label_item *item = item_of(&result, INK_LAW_CN, "visible label");
    assert_int_equal(item->outcome, INK_LABEL_MISSING);
    assert_string_equal(item->why, partly[i].why);
    assert_labelled("a.svg", &out, "1");
    ink_text_free(&out);
    free(b.bytes);
  }
  // Elements within elements, more than anybody draws.
  ink_text deep = {0};
  ink_error error = {0};
  ink_text out = {0};
  ink_label_result result;
  ink_label_request r = request_for(INK_LAW_CN);
  ink_text_add(&deep, SVG ">");
  for (int i = 0; i < 100000; i++) ink_text_add(&deep, "<g>");
  blob b = {(unsigned char *)deep.bytes, deep.size};
  assert_int_equal(label_as("a.svg", &b, &r, &out, &result, &error), INK_ERR_FORMAT);
  assert_non_null(strstr(error.text, "nested"));
  ink_text_free(&deep);
}

// ---- GIF ----------------------------------------------------------------------------------------

typedef struct memory {
  const unsigned char *bytes;
  size_t size, at;
} memory;

static int read_memory(GifFileType *file, GifByteType *to, int n) {
  memory *m = file->UserData;
  size_t left = m->size - m->at, take = (size_t)n < left ? (size_t)n : left;
  memcpy(to, m->bytes + m->at, take);
  m->at += take;
  return (int)take;
}

// What a viewer shows at each frame, RGBA, by giflib and the rules of disposal (GIF 89a, 23).
typedef struct film {
  int width, height, frames;
  uint8_t *pixels;
  int delays[64];
} film;

static uint8_t *shown(const film *f, int frame, int x, int y) {
  return f->pixels +
         (((size_t)frame * (size_t)f->height + (size_t)y) * (size_t)f->width + (size_t)x) * 4;
}

static void draw_frame(const GifFileType *file, int i, const GraphicsControlBlock *control,
                       film *f) {
  const SavedImage *image = &file->SavedImages[i];
  const GifImageDesc *d = &image->ImageDesc;
  const ColorMapObject *map = d->ColorMap ? d->ColorMap : file->SColorMap;
  for (int y = 0; y < d->Height; y++) {
    for (int x = 0; x < d->Width; x++) {
      int index = image->RasterBits[y * d->Width + x];
      if (index == control->TransparentColor) continue;
      const GifColorType *c = &map->Colors[index];
      uint8_t *p = shown(f, i, d->Left + x, d->Top + y);
      p[0] = c->Red;
      p[1] = c->Green;
      p[2] = c->Blue;
      p[3] = 255;
    }
  }
}

static film play(const void *bytes, size_t size) {
  int code;
  memory m = {bytes, size, 0};
  GifFileType *file = DGifOpen(&m, read_memory, &code);
  assert_non_null(file);
  assert_int_equal(DGifSlurp(file), GIF_OK);
  film f = {.width = file->SWidth, .height = file->SHeight, .frames = file->ImageCount};
  size_t canvas = (size_t)f.width * (size_t)f.height * 4;
  f.pixels = calloc((size_t)f.frames, canvas);
  uint8_t *next = calloc(1, canvas);
  for (int i = 0; i < f.frames; i++) {
    GraphicsControlBlock control = {.TransparentColor = NO_TRANSPARENT_COLOR};
    DGifSavedExtensionToGCB(file, i, &control);
    f.delays[i] = control.DelayTime;
    memcpy(shown(&f, i, 0, 0), next, canvas);
    draw_frame(file, i, &control, &f);
    if (control.DisposalMode == DISPOSE_PREVIOUS) continue;
    memcpy(next, shown(&f, i, 0, 0), canvas);
    const GifImageDesc *d = &file->SavedImages[i].ImageDesc;
    for (int y = 0; control.DisposalMode == DISPOSE_BACKGROUND && y < d->Height; y++) {
      memset(next + ((size_t)(d->Top + y) * (size_t)f.width + (size_t)d->Left) * 4, 0,
             (size_t)d->Width * 4);
    }
  }
  free(next);
  DGifCloseFile(file, &code);
  return f;
}

// Every frame differs from what it was within one box, which is the same in all, and in it letters
// are high enough and their colours far enough apart.
static void assert_film_labelled(const char *name, const blob *before, const ink_text *after) {
  film a = play(before->bytes, before->size), b = play(after->bytes, after->size);
  assert_int_equal(a.frames, b.frames);
  int left = b.width, right = -1, top = b.height, bottom = -1;
  for (int i = 0; i < b.frames; i++) {
    assert_int_equal(a.delays[i], b.delays[i]);
    for (int y = 0; y < b.height; y++) {
      for (int x = 0; x < b.width; x++) {
        if (memcmp(shown(&a, i, x, y), shown(&b, i, x, y), 4) == 0) continue;
        left = x < left ? x : left;
        right = x > right ? x : right;
        top = y < top ? y : top;
        bottom = y > bottom ? y : bottom;
      }
    }
  }
  assert_true(right >= left && bottom >= top);
  assert_true(left > b.width / 4 && top > b.height / 2);  // at the right lower corner
  int first = -1, last = -2, side = b.width < b.height ? b.width : b.height;
  for (int i = 0; i < b.frames; i++) {
    for (int y = top; y <= bottom; y++) {
      for (int x = left; x <= right; x++) {
        const uint8_t *p = shown(&b, i, x, y);
        // The whole of it on each frame.
        assert_int_equal(p[3], 255);
        assert_true(abs(p[1] - shown(&b, 0, x, y)[1]) < 90);
        if (p[1] < 140) continue;
        if (first < 0 || y < first) first = y;
        if (y > last) last = y;
      }
    }
  }
  print_message("# %s: %d frames, %d rows of letters, %.3f of the side\n", name, b.frames,
                last - first + 1, (double)(last - first + 1) / side);
  assert_true(20 * (last - first + 1) >= side);
  free(a.pixels);
  free(b.pixels);
}

static const char *const films[] = {"still.gif", "film.gif",       "wiped.gif",
                                    "full.gif",  "interlaced.gif", "taken_back.gif"};
enum { N_FILM = sizeof films / sizeof *films };

static void every_frame_of_a_gif_shows_the_label(void **state) {
  (void)state;
  if (!has_font()) skip();
  for (size_t i = 0; i < N_FILM; i++) {
    blob b = load(films[i]);
    for (int zh = 0; zh < 2; zh++) {
      ink_label_request r = request_for(zh ? INK_LAW_CN | INK_LAW_EU | INK_LAW_CA : INK_LAW_CN);
      ink_label_result result;
      r.language = zh ? "zh-Hans" : "en";
      ink_text out = label_blob(films[i], &b, &r, &result);
      assert_film_labelled(films[i], &b, &out);
      assert_labelled(films[i], &out, "1");
      assert_int_equal(item_of(&result, INK_LAW_CN, "visible label")->outcome, INK_LABEL_GOT);
      assert_null(item_of(&result, INK_LAW_CN, "metadata label")->note);
      if (zh) {
        assert_int_equal(state_of(out.bytes, out.size, ink_carrier_named("gif"), NULL, NULL),
                         INK_C2PA_VALID);
      }
      ink_text_free(&out);
    }
    free(b.bytes);
  }
}

// A frame of one pixel at the corner, in a way that giflib does not write it.
#define DOT ",\0\0\0\0\1\0\1\0\0\2\2\x44\1"
static const char dot[] = DOT;

// "still.gif" with bytes before its picture and behind it.
static blob around_still(const char *before, size_t n_before, const char *behind, size_t n_behind) {
  blob still = load("still.gif");
  ink_text with = {0};
  size_t at = 13 + ((size_t)6 << (still.bytes[10] & 7));
  ink_text_add_bytes(&with, still.bytes, at);
  ink_text_add_bytes(&with, before, n_before);
  ink_text_add_bytes(&with, still.bytes + at, still.size - 1 - at);
  ink_text_add_bytes(&with, behind, n_behind);
  ink_text_add(&with, ";");
  free(still.bytes);
  return (blob){(unsigned char *)with.bytes, with.size};
}

// Where the label is on the screen already, a frame apart from it is no matter of ours.
static void frames_apart_from_the_label_keep_their_bytes(void **state) {
  (void)state;
  if (!has_font()) skip();
  blob b = around_still("", 0, dot, sizeof dot);
  ink_label_request r = request_for(INK_LAW_CN);
  ink_text out = label_blob("a.gif", &b, &r, NULL);
  assert_film_labelled("still.gif and a dot", &b, &out);
  assert_memory_equal(out.bytes + out.size - 1 - sizeof dot, dot, sizeof dot);
  ink_text_free(&out);
  free(b.bytes);
}

// What wipes the label away with its frame leaves it to the next one to show it.
static void a_label_that_was_wiped_away_comes_again(void **state) {
  (void)state;
  if (!has_font()) skip();
  static const char wiped[] = "\x21\xF9\4\x8\0\0\0";
  blob b = around_still(wiped, sizeof wiped, dot, sizeof dot);
  ink_label_request r = request_for(INK_LAW_CN);
  ink_text out = label_blob("a.gif", &b, &r, NULL);
  assert_film_labelled("still.gif, wiped away", &b, &out);
  ink_text_free(&out);
  free(b.bytes);
}

static int write_memory(GifFileType *file, const GifByteType *from, int n) {
  ink_text_add_bytes(file->UserData, from, (size_t)n);
  return n;
}

// A picture that uses all of its colours: black, white, and reds.
static blob red_gif(void) {
  enum { SIDE = 256 };
  int code;
  ink_text out = {0};
  ColorMapObject *map = GifMakeMapObject(256, NULL);
  for (int i = 0; i < 256; i++) {
    map->Colors[i] = (GifColorType){(GifByteType)i, 0, 0};
  }
  map->Colors[1] = (GifColorType){255, 255, 255};
  GifFileType *file = EGifOpen(&out, write_memory, &code);
  assert_non_null(file);
  assert_int_equal(EGifPutScreenDesc(file, SIDE, SIDE, 8, 0, map), GIF_OK);
  assert_int_equal(EGifPutImageDesc(file, 0, 0, SIDE, SIDE, false, NULL), GIF_OK);
  for (int y = 0; y < SIDE; y++) {
    GifByteType row[SIDE];
    for (int x = 0; x < SIDE; x++) row[x] = (GifByteType)x;
    assert_int_equal(EGifPutLine(file, row, SIDE), GIF_OK);
  }
  EGifCloseFile(file, &code);
  GifFreeMapObject(map);
  return (blob){(unsigned char *)out.bytes, out.size};
}

// Where no colour is free for the edges of letters, they are of ink or plate rather than of a
// colour that is near by number alone.
static void edges_of_letters_take_no_strange_colour(void **state) {
  (void)state;
  if (!has_font()) skip();
  blob b = red_gif();
  ink_label_request r = request_for(INK_LAW_CN);
  ink_text out = label_blob("a.gif", &b, &r, NULL);
  film before = play(b.bytes, b.size), after = play(out.bytes, out.size);
  size_t n_changed = 0;
  for (int y = 0; y < after.height; y++) {
    for (int x = 0; x < after.width; x++) {
      const uint8_t *p = shown(&after, 0, x, y);
      if (memcmp(p, shown(&before, 0, x, y), 4) == 0) continue;
      n_changed++;
      assert_true(abs(p[0] - p[1]) < 48 && p[1] == p[2]);
    }
  }
  assert_true(n_changed > 100);
  free(before.pixels);
  free(after.pixels);
  ink_text_free(&out);
  free(b.bytes);
}

// A table of two colours for a picture of more.
static void pixels_without_a_colour_are_not_guessed(void **state) {
  (void)state;
  if (!has_font()) skip();
  enum { TABLE = 3 * 256, LEFT = 3 * 2, AT = 13 };
  blob b = red_gif();
  memmove(b.bytes + AT + LEFT, b.bytes + AT + TABLE, b.size - AT - TABLE);
  b.size -= TABLE - LEFT;
  b.bytes[10] &= 0xF8;
  ink_label_request r = request_for(INK_LAW_CN);
  ink_label_result result;
  ink_text out = label_blob("a.gif", &b, &r, &result);
  const ink_label_item *item = item_of(&result, INK_LAW_CN, "visible label");
  assert_int_equal(item->outcome, INK_LABEL_MISSING);
  assert_string_equal(item->why, "a frame has pixels without a colour");
  ink_text_free(&out);
  free(b.bytes);
}

static void metadata_alone_leave_a_gif_s_frames(void **state) {
  (void)state;
  blob b = load("film.gif");
  ink_label_request r = request_for(INK_LAW_EU);
  r.visible = false;
  ink_text out = label_blob("film.gif", &b, &r, NULL);
  // From the loop's extension on; the XMP stands before the first frame.
  const unsigned char *frames = memmem(b.bytes, b.size, "\x21\xF9\x04", 3);
  assert_non_null(frames);
  size_t size = b.size - (size_t)(frames - b.bytes);
  assert_memory_equal(out.bytes + out.size - size, frames, size);
  assert_non_null(memmem(out.bytes, out.size, "NETSCAPE2.0", 11));
  assert_labelled("film.gif", &out, "1");
  ink_text_free(&out);
  free(b.bytes);
}

// Other XMP is kept, another's label is not replaced.
static void a_gif_s_xmp_is_merged(void **state) {
  (void)state;
  static const char xmp[] =
      "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF "
      "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\"><rdf:Description rdf:about=\"\" "
      "xmlns:my=\"http://example.org/my/\" my:stays=\"whole\"/></rdf:RDF></x:xmpmeta>";
  for (int blocks = 0; blocks < 2; blocks++) {
    ink_error error = {0};
    blob plain = load("plain.gif");
    size_t at = 13 + 48;  // behind its table of colours
    ink_text with = {0};
    ink_text_add_bytes(&with, plain.bytes, at);
    ink_text_add_bytes(&with, "\x21\xFF\x0BXMP DataXMP", 14);
    if (blocks) {
      // As some write it: in sub-blocks.
      for (size_t done = 0; done < sizeof xmp - 1;) {
        size_t n = sizeof xmp - 1 - done < 255 ? sizeof xmp - 1 - done : 255;
        unsigned char count = (unsigned char)n;
        ink_text_add_bytes(&with, &count, 1);
        ink_text_add_bytes(&with, xmp + done, n);
        done += n;
      }
    } else {
      ink_text_add(&with, xmp);
      ink_text_add_bytes(&with, "\1", 1);
      for (int i = 255; i >= 0; i--)
        ink_text_add_bytes(&with, (unsigned char[]){(unsigned char)i}, 1);
    }
    ink_text_add_bytes(&with, "", 1);
    ink_text_add_bytes(&with, plain.bytes + at, plain.size - at);
    blob b = {(unsigned char *)with.bytes, with.size};
    ink_label_request r = request_for(INK_LAW_EU);
    r.visible = false;
    ink_text out = label_blob("a.gif", &b, &r, NULL);
    assert_labelled("a.gif", &out, "1");
    assert_non_null(memmem(out.bytes, out.size, "stays=\"whole\"", 13));
    assert_int_equal(state_of(out.bytes, out.size, ink_carrier_named("gif"), NULL, NULL),
                     INK_C2PA_VALID);
    // Once more: it is another's now.
    blob labelled = {(unsigned char *)out.bytes, out.size};
    ink_text again = {0};
    ink_label_result result;
    r = request_for(INK_LAW_CN);
    assert_int_equal(label_as("a.gif", &labelled, &r, &again, &result, &error), INK_ERR_CONFLICT);
    assert_non_null(strstr(error.text, test_identity));
    ink_text_free(&out);
    ink_text_free(&with);
    free(plain.bytes);
  }
}

// The first version of the format had no extensions, in which labels lie.
static void a_gif_of_the_first_version_becomes_one_of_the_second(void **state) {
  (void)state;
  blob b = load("still.gif");
  b.bytes[4] = '7';
  for (int visible = 0; visible < 2; visible++) {
    if (visible && !has_font()) break;
    ink_label_request r = request_for(INK_LAW_EU);
    r.visible = visible;
    ink_text out = label_blob("a.gif", &b, &r, NULL);
    assert_memory_equal(out.bytes, "GIF89a", 6);
    ink_text_free(&out);
  }
  free(b.bytes);
}

// What governs words that a GIF draws goes on governing them.
static void words_within_a_gif_keep_their_control(void **state) {
  (void)state;
  if (!has_font()) skip();
  static const char words[] = "\x21\xF9\4\0\7\0\0\0\x21\1\x0C\0\0\0\0\x20\0\x10\0\x8\x8\1\0\2hi";
  blob plain = load("film.gif");
  const unsigned char *frames = memmem(plain.bytes, plain.size, "\x21\xF9\x04", 3);
  size_t at = (size_t)(frames - plain.bytes);
  ink_text with = {0};
  ink_text_add_bytes(&with, plain.bytes, at);
  ink_text_add_bytes(&with, words, sizeof words);
  ink_text_add_bytes(&with, plain.bytes + at, plain.size - at);
  blob b = {(unsigned char *)with.bytes, with.size};
  ink_label_request r = request_for(INK_LAW_CN);
  ink_label_result result;
  ink_text out = label_blob("a.gif", &b, &r, &result);
  assert_int_equal(item_of(&result, INK_LAW_CN, "visible label")->outcome, INK_LABEL_GOT);
  assert_non_null(memmem(out.bytes, out.size, words, sizeof words));
  ink_text_free(&out);
  ink_text_free(&with);
  free(plain.bytes);
}

static void a_gif_with_xmp_twice_is_refused(void **state) {
  (void)state;
  static const char xmp[] = "\x21\xFF\x0BXMP DataXMP\4<x/>";
  blob plain = load("plain.gif");
  size_t at = 13 + 48;  // behind its table of colours
  ink_text with = {0}, out = {0};
  ink_text_add_bytes(&with, plain.bytes, at);
  for (int i = 0; i < 2; i++) ink_text_add_bytes(&with, xmp, sizeof xmp);
  ink_text_add_bytes(&with, plain.bytes + at, plain.size - at);
  blob b = {(unsigned char *)with.bytes, with.size};
  ink_error error = {0};
  ink_label_result result;
  ink_label_request r = request_for(INK_LAW_EU);
  r.visible = false;
  assert_int_equal(label_as("a.gif", &b, &r, &out, &result, &error), INK_ERR_UNSUPPORTED);
  assert_non_null(strstr(error.text, "twice"));
  ink_text_free(&with);
  free(plain.bytes);
}

static void put16(unsigned char *at, int value) {
  at[0] = (unsigned char)value;
  at[1] = (unsigned char)(value >> 8);
}

static void gifs_that_cannot_be_labelled_say_why(void **state) {
  (void)state;
  if (!has_font()) skip();
  ink_error error = {0};
  ink_text out = {0};
  ink_label_result result;
  ink_label_request r = request_for(INK_LAW_CN);
  // Pixels cut short; no pixels at all; a screen of four gigapixels.
  blob b = load("still.gif");
  unsigned char *image = memmem(b.bytes, b.size, "\x2C\0\0\0\0", 5);
  assert_non_null(image);
  blob cut = {b.bytes, b.size / 2};
  assert_int_equal(label_as("a.gif", &cut, &r, &out, &result, &error), INK_ERR_FORMAT);
  cut.size = (size_t)(image - b.bytes);
  assert_int_equal(label_as("a.gif", &cut, &r, &out, &result, &error), INK_ERR_FORMAT);
  put16(b.bytes + 6, 65535);
  put16(b.bytes + 8, 65535);
  out = label_blob("a.gif", &b, &r, &result);
  assert_string_equal(item_of(&result, INK_LAW_CN, "visible label")->why,
                      "its screen is larger than is drawn on here");
  assert_labelled("a.gif", &out, "1");
  ink_text_free(&out);
  // A frame beyond the screen.
  put16(b.bytes + 6, 64);
  put16(b.bytes + 8, 64);
  out = label_blob("a.gif", &b, &r, &result);
  assert_string_equal(item_of(&result, INK_LAW_CN, "visible label")->why,
                      "a frame is empty or larger than its screen");
  ink_text_free(&out);
  free(b.bytes);
  // Two colours that are one, and no room for more.
  b = load("grey.gif");
  out = label_blob("a.gif", &b, &r, &result);
  assert_string_equal(item_of(&result, INK_LAW_CN, "visible label")->why,
                      "a frame has no two colours in which its label could be read");
  assert_labelled("a.gif", &out, "1");
  ink_text_free(&out);
  free(b.bytes);
}

// ---- outside readers ----------------------------------------------------------------------------

static void exiftool_reads_the_fields(void **state) {
  (void)state;
  if (!has_exiftool() || !has_font()) skip();
  static const char *const names[] = {"plain.svg", "film.gif"};
  static const char *const said[] = {"XMP-iptcExt:DigitalSourceType.*trainedAlgorithmicMedia",
                                     "XMP-iptcExt:AISystemUsed.*painter"};
  for (int i = 0; i < 2; i++) {
    blob b = load(names[i]);
    ink_label_request r = request_for(INK_LAW_CN | INK_LAW_EU);
    r.system = "painter";
    ink_text out = label_blob(names[i], &b, &r, NULL);
    assert_exiftool_finds(names[i], &out, "XMP-TC260:AIGC", said, 2);
    ink_text_free(&out);
    free(b.bytes);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(letters_of_a_drawing_are_a_twentieth_of_its_side),
      cmocka_unit_test(lengths_are_of_their_units),
      cmocka_unit_test(a_drawing_keeps_what_it_holds),
      cmocka_unit_test(a_drawing_s_other_labels_are_left_alone),
      cmocka_unit_test(a_drawing_s_other_words_are_left_alone),
      cmocka_unit_test(drawings_that_cannot_be_labelled_say_why),
      cmocka_unit_test(a_font_s_name_is_no_more_than_that),
      cmocka_unit_test(frames_apart_from_the_label_keep_their_bytes),
      cmocka_unit_test(a_label_that_was_wiped_away_comes_again),
      cmocka_unit_test(edges_of_letters_take_no_strange_colour),
      cmocka_unit_test(pixels_without_a_colour_are_not_guessed),
      cmocka_unit_test(every_frame_of_a_gif_shows_the_label),
      cmocka_unit_test(metadata_alone_leave_a_gif_s_frames),
      cmocka_unit_test(a_gif_s_xmp_is_merged),
      cmocka_unit_test(a_gif_of_the_first_version_becomes_one_of_the_second),
      cmocka_unit_test(words_within_a_gif_keep_their_control),
      cmocka_unit_test(a_gif_with_xmp_twice_is_refused),
      cmocka_unit_test(gifs_that_cannot_be_labelled_say_why),
      cmocka_unit_test(exiftool_reads_the_fields),
  };
  return cmocka_run_group_tests_name("label_drawings", tests, scratch_open, scratch_close);
}
