// PNG (ISO/IEC 15948) through libpng.
#include <math.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "picture/exif.h"
#include "picture/formats.h"

static const char xmp_key[] = "XML:com.adobe.xmp";

enum {
  MOST_CHUNK = 16 << 20,  // bytes of a text or profile, unpacked
  MOST_CHUNKS = 256       // texts and unknown chunks that are kept
};

// ---- reading ------------------------------------------------------------------------------------

// What libpng's callbacks see. A failure in them ends in the setjmp of ink_png_read.
typedef struct reading {
  const ink_picture_input *input;
  size_t at;
  ink_picture *picture;
  ink_picture_extras *extras;
  int *orientation;
  ink_error *error;
  ink_status status;
  png_structp png;
  png_infop info;
  png_infop end;
} reading;

static void on_error(png_structp png, png_const_charp message) {
  reading *r = png_get_error_ptr(png);
  if (r->status == INK_OK) {
    r->status = ink_fail_at(r->error, INK_ERR_FORMAT, (int64_t)r->at, "%s: not a sound PNG: %s",
                            r->input->name, message);
  }
  longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

static void read_bytes(png_structp png, png_bytep to, size_t n) {
  reading *r = png_get_io_ptr(png);
  if (n > r->input->size - r->at) png_error(png, "the file ends early");
  memcpy(to, r->input->bytes + r->at, n);
  r->at += n;
}

// Hand a failure of ours to whoever called libpng.
static void give_up_unless(reading *r, ink_status status) {
  if (status == INK_OK) return;
  r->status = status;
  png_error(r->png, "");
}

// Gamma that the file states without a profile, brought to sRGB's.
static void correct_gamma(reading *r) {
  double gamma;
  bool profiled = png_get_valid(r->png, r->info, PNG_INFO_iCCP | PNG_INFO_sRGB) != 0;
  if (profiled || !png_get_gAMA(r->png, r->info, &gamma)) return;
  if (gamma > 0.01 && gamma < 100 && fabs(gamma * 2.2 - 1) > 0.05) {
    png_set_gamma(r->png, PNG_DEFAULT_sRGB, gamma);
  }
}

static void read_pixels(reading *r) {
  png_uint_32 width, height;
  int depth, colour;
  png_get_IHDR(r->png, r->info, &width, &height, &depth, &colour, NULL, NULL, NULL);
  give_up_unless(r, ink_picture_within(r->input, width, height, r->error));
  png_set_expand(r->png);
  if (depth == 16) png_set_scale_16(r->png);
  correct_gamma(r);
  int passes = png_set_interlace_handling(r->png);
  png_read_update_info(r->png, r->info);
  int32_t channels = png_get_channels(r->png, r->info);
  give_up_unless(r,
                 ink_picture_new((int32_t)width, (int32_t)height, channels, r->picture, r->error));
  if (png_get_rowbytes(r->png, r->info) != ink_picture_row(r->picture)) {
    png_error(r->png, "rows of an odd size");
  }
  for (int pass = 0; pass < passes; pass++) {
    for (int32_t y = 0; y < (int32_t)height; y++) {
      png_read_row(r->png, ink_picture_at(r->picture, 0, y), NULL);
    }
  }
  png_read_end(r->png, r->end);
}

// tEXt and zTXt are Latin-1 by the book and UTF-8 by many writers.
static ink_status keep_text(reading *r, const png_text *text) {
  bool international = text->compression == PNG_ITXT_COMPRESSION_NONE ||
                       text->compression == PNG_ITXT_COMPRESSION_zTXt;
  size_t size = international ? text->itxt_length : text->text_length;
  if (strcmp(text->key, xmp_key) == 0) {
    return ink_picture_xmp_found(r->extras, text->text, size, r->error);
  }
  if (international || ink_utf8_valid(text->text, size, NULL)) {
    return ink_picture_note_found(r->extras, text->key, text->text, size, r->error);
  }
  ink_text utf8 = {0};
  for (size_t i = 0; i < size; i++) ink_text_add_rune(&utf8, (unsigned char)text->text[i]);
  ink_status status = ink_text_status(&utf8, r->error);
  if (status == INK_OK) {
    status =
        ink_picture_note_found(r->extras, text->key, ink_text_string(&utf8), utf8.size, r->error);
  }
  ink_text_free(&utf8);
  return status;
}

static ink_status read_extras(reading *r, png_infop info) {
  png_textp texts = NULL;
  int n = png_get_text(r->png, info, &texts, NULL);
  for (int i = 0; i < n; i++) INK_TRY(keep_text(r, &texts[i]));
  png_bytep exif = NULL;
  png_uint_32 exif_size = 0;
  if (png_get_eXIf_1(r->png, info, &exif_size, &exif) && exif) {
    INK_TRY(ink_exif_read(exif, exif_size, r->extras, r->orientation, r->error));
  }
  png_charp name;
  int compression;
  png_bytep profile = NULL;
  png_uint_32 size = 0;
  if (png_get_iCCP(r->png, info, &name, &compression, &profile, &size)) {
    INK_TRY(ink_picture_icc_found(r->extras, profile, size, r->error));
  }
  return INK_OK;
}

// libpng takes memory for a chunk before it has seen it: every length must lie within the file.
static ink_status check_chunks(const ink_picture_input *input, ink_error *error) {
  for (size_t at = 8; at < input->size;) {
    if (!ink_fits(at, 12, input->size)) break;
    const unsigned char *p = input->bytes + at;
    size_t length = ink_big32(p);
    if (!ink_fits(at + 12, length, input->size)) {
      return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)at,
                         "%s: not a sound PNG: a chunk of %zu bytes reaches beyond the end",
                         input->name, length);
    }
    if (memcmp(p + 4, "IEND", 4) == 0) return INK_OK;
    at += 12 + length;
  }
  return ink_fail(error, INK_ERR_FORMAT, "%s: not a sound PNG: the file ends early", input->name);
}

static ink_status read_png(reading *r) {
  if (setjmp(png_jmpbuf(r->png))) return r->status;
  png_set_read_fn(r->png, r, read_bytes);
  png_set_user_limits(r->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_chunk_malloc_max(r->png, MOST_CHUNK);
  png_set_chunk_cache_max(r->png, MOST_CHUNKS);
  png_read_info(r->png, r->info);
  read_pixels(r);
  r->status = read_extras(r, r->info);
  if (r->status == INK_OK) r->status = read_extras(r, r->end);
  return r->status;
}

ink_status ink_png_read(const ink_picture_input *input, ink_picture *picture,
                        ink_picture_extras *extras, int *orientation, ink_error *error) {
  INK_TRY(check_chunks(input, error));
  reading r = {.input = input,
               .picture = picture,
               .extras = extras,
               .orientation = orientation,
               .error = error};
  r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
  if (r.png) r.info = png_create_info_struct(r.png);
  if (r.info) r.end = png_create_info_struct(r.png);
  ink_status status =
      r.end ? read_png(&r)
            : ink_fail(error, INK_ERR_MEMORY, "%s: no memory to read a PNG", input->name);
  png_destroy_read_struct(&r.png, &r.info, &r.end);
  return status;
}

// ---- writing ------------------------------------------------------------------------------------

typedef struct writing {
  const ink_picture *picture;
  const ink_picture_extras *extras;
  ink_text *out;
  ink_error *error;
  ink_status status;
  png_structp png;
  png_infop info;
  png_text *texts;
} writing;

static void on_write_error(png_structp png, png_const_charp message) {
  writing *w = png_get_error_ptr(png);
  w->status = ink_fail(w->error, INK_ERR_INTERNAL, "a PNG could not be written: %s", message);
  longjmp(png_jmpbuf(png), 1);
}

static void write_bytes(png_structp png, png_bytep from, size_t n) {
  writing *w = png_get_io_ptr(png);
  ink_text_add_bytes(w->out, from, n);
}

static void flush(png_structp png) {
  (void)png;
}

static bool is_ascii(const char *text) {
  for (; *text; text++) {
    if ((unsigned char)*text >= 0x80) return false;
  }
  return true;
}

// ASCII as tEXt, which every reader knows; the rest as iTXt.
static void set_texts(writing *w) {
  size_t n = w->extras ? w->extras->n_notes : 0;
  for (size_t i = 0; i < n; i++) {
    const ink_note *note = &w->extras->notes[i];
    bool ascii = is_ascii(note->text);
    w->texts[i] =
        (png_text){.compression = ascii ? PNG_TEXT_COMPRESSION_NONE : PNG_ITXT_COMPRESSION_NONE,
                   .key = note->key,
                   .text = note->text,
                   .text_length = ascii ? strlen(note->text) : 0,
                   .itxt_length = ascii ? 0 : strlen(note->text)};
  }
  if (w->extras && w->extras->xmp) {
    // Uncompressed, as the XMP specification asks (part 3, 1.1.5).
    w->texts[n++] = (png_text){.compression = PNG_ITXT_COMPRESSION_NONE,
                               .key = (png_charp)(uintptr_t)xmp_key,
                               .text = w->extras->xmp,
                               .itxt_length = strlen(w->extras->xmp)};
  }
  if (n) png_set_text(w->png, w->info, w->texts, (int)n);
  if (w->extras && w->extras->icc_size) {
    png_set_iCCP(w->png, w->info, "ICC profile", PNG_COMPRESSION_TYPE_BASE, w->extras->icc,
                 (png_uint_32)w->extras->icc_size);
  }
}

static ink_status write_png(writing *w) {
  static const int colours[5] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA,
                                 PNG_COLOR_TYPE_RGB, PNG_COLOR_TYPE_RGB_ALPHA};
  if (setjmp(png_jmpbuf(w->png))) return w->status;
  const ink_picture *p = w->picture;
  png_set_write_fn(w->png, w, write_bytes, flush);
  // A long text is no fault of the writer's.
  png_set_chunk_malloc_max(w->png, 0);
  png_set_IHDR(w->png, w->info, (png_uint_32)p->width, (png_uint_32)p->height, 8,
               colours[p->channels], PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
               PNG_FILTER_TYPE_DEFAULT);
  png_set_compression_level(w->png, 6);
  set_texts(w);
  png_write_info(w->png, w->info);
  for (int32_t y = 0; y < p->height; y++) png_write_row(w->png, ink_picture_at(p, 0, y));
  png_write_end(w->png, NULL);
  return ink_text_status(w->out, w->error);
}

ink_status ink_png_write(const ink_picture *picture, const ink_picture_encoding *encoding,
                         ink_text *out, ink_error *error) {
  writing w = {.picture = picture, .extras = encoding->extras, .out = out, .error = error};
  size_t n = w.extras ? w.extras->n_notes : 0;
  w.texts = calloc(n + 2, sizeof *w.texts);
  w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, on_write_error, on_warning);
  if (w.png) w.info = png_create_info_struct(w.png);
  ink_status status = w.texts && w.info
                          ? write_png(&w)
                          : ink_fail(error, INK_ERR_MEMORY, "no memory to write a PNG");
  png_destroy_write_struct(&w.png, &w.info);
  free(w.texts);
  return status;
}
