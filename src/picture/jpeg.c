// JPEG (ITU-T T.81, JFIF, Exif) through libjpeg-turbo.
#include <setjmp.h>
#include <stdio.h>  // jpeglib.h needs it
#include <stdlib.h>
#include <string.h>

// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "picture/exif.h"
#include "picture/formats.h"

// Before an XMP packet, its NUL counted (XMP specification, part 3, 1.1.3).
static const char xmp_header[] = "http://ns.adobe.com/xap/1.0/";

enum {
  MOST_SCANS = 200,     // of a progressive picture: each costs a pass over all of it
  MOST_MARKER = 65533,  // bytes of one marker's content
  EXIF_HEADER = 6       // "Exif\0\0"
};

// libjpeg's error manager, with a way back. What changes after setjmp lives here.
typedef struct manager {
  struct jpeg_error_mgr base;
  jmp_buf back;
  char message[JMSG_LENGTH_MAX];
  bool damaged;  // the data ended early or was not in order
} manager;

static void on_error(j_common_ptr jpeg) {
  manager *m = (manager *)jpeg->err;
  m->base.format_message(jpeg, m->message);
  longjmp(m->back, 1);
}

// Warnings go on; those that mean missing pixels are remembered.
static void on_message(j_common_ptr jpeg, int level) {
  manager *m = (manager *)jpeg->err;
  int code = m->base.msg_code;
  if (level >= 0 || m->damaged) return;
  if (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE ||
      code == JWRN_ARITH_BAD_CODE) {
    m->damaged = true;
    m->base.format_message(jpeg, m->message);
  }
}

static void manage(manager *m) {
  jpeg_std_error(&m->base);
  m->base.error_exit = on_error;
  m->base.emit_message = on_message;
}

// ---- reading ------------------------------------------------------------------------------------

typedef struct reading {
  const ink_picture_input *input;
  struct jpeg_decompress_struct jpeg;
  struct jpeg_progress_mgr progress;
  manager errors;
  ink_picture *picture;
  ink_picture_extras *extras;
  int *orientation;
  ink_error *error;
  unsigned char *cmyk;  // one row
  JOCTET *profile;
} reading;

static void on_progress(j_common_ptr common) {
  j_decompress_ptr jpeg = (j_decompress_ptr)common;
  if (jpeg->input_scan_number <= MOST_SCANS) return;
  manager *m = (manager *)common->err;
  snprintf(m->message, sizeof m->message, "more than %d scans", MOST_SCANS);
  longjmp(m->back, 1);
}

static ink_status read_markers(reading *r) {
  for (jpeg_saved_marker_ptr marker = r->jpeg.marker_list; marker; marker = marker->next) {
    bool exif = marker->marker == JPEG_APP0 + 1 && marker->data_length > EXIF_HEADER &&
                memcmp(marker->data, "Exif\0", EXIF_HEADER) == 0;
    if (exif) {
      INK_TRY(ink_exif_read(marker->data + EXIF_HEADER, marker->data_length - EXIF_HEADER,
                            r->extras, r->orientation, r->error));
    }
    bool xmp = marker->marker == JPEG_APP0 + 1 && marker->data_length > sizeof xmp_header &&
               memcmp(marker->data, xmp_header, sizeof xmp_header) == 0;
    if (xmp) {
      INK_TRY(ink_picture_xmp_found(r->extras, marker->data + sizeof xmp_header,
                                    marker->data_length - sizeof xmp_header, r->error));
    }
  }
  unsigned int size = 0;
  if (jpeg_read_icc_profile(&r->jpeg, &r->profile, &size)) {
    return ink_picture_icc_found(r->extras, r->profile, size, r->error);
  }
  return INK_OK;
}

// Adobe writes CMYK inverted: 255 is no ink. Without a profile of the press this is what viewers
// do.
static void cmyk_to_rgb(const unsigned char *from, bool inverted, int32_t n, uint8_t *to) {
  for (int32_t i = 0; i < n; i++, from += 4, to += 3) {
    unsigned k = inverted ? from[3] : 255u - from[3];
    for (int c = 0; c < 3; c++) {
      unsigned paper = inverted ? from[c] : 255u - from[c];
      to[c] = (uint8_t)((paper * k + 127) / 255);
    }
  }
}

static ink_status read_rows(reading *r) {
  bool cmyk = r->jpeg.out_color_space == JCS_CMYK;
  int32_t width = (int32_t)r->jpeg.output_width;
  int32_t channels = cmyk ? 3 : r->jpeg.output_components;
  INK_TRY(ink_picture_new(width, (int32_t)r->jpeg.output_height, channels, r->picture, r->error));
  if (cmyk) {
    r->cmyk = malloc((size_t)width * 4);
    if (!r->cmyk) return ink_fail(r->error, INK_ERR_MEMORY, "%s: no memory", r->input->name);
  }
  while (r->jpeg.output_scanline < r->jpeg.output_height) {
    uint8_t *row = ink_picture_at(r->picture, 0, (int32_t)r->jpeg.output_scanline);
    JSAMPROW into = cmyk ? r->cmyk : row;
    jpeg_read_scanlines(&r->jpeg, &into, 1);
    if (cmyk) cmyk_to_rgb(r->cmyk, r->jpeg.saw_Adobe_marker, width, row);
  }
  return INK_OK;
}

static ink_status read_jpeg(reading *r) {
  if (setjmp(r->errors.back)) {
    return ink_fail(r->error, INK_ERR_FORMAT, "%s: not a sound JPEG: %s", r->input->name,
                    r->errors.message);
  }
  jpeg_create_decompress(&r->jpeg);
  jpeg_mem_src(&r->jpeg, r->input->bytes, (unsigned long)r->input->size);
  jpeg_save_markers(&r->jpeg, JPEG_APP0 + 1, 0xFFFF);
  jpeg_save_markers(&r->jpeg, JPEG_APP0 + 2, 0xFFFF);
  jpeg_read_header(&r->jpeg, TRUE);
  INK_TRY(ink_picture_within(r->input, r->jpeg.image_width, r->jpeg.image_height, r->error));
  r->progress.progress_monitor = on_progress;
  r->jpeg.progress = &r->progress;
  bool inks = r->jpeg.jpeg_color_space == JCS_CMYK || r->jpeg.jpeg_color_space == JCS_YCCK;
  bool grey = r->jpeg.jpeg_color_space == JCS_GRAYSCALE;
  r->jpeg.out_color_space = inks ? JCS_CMYK : grey ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_start_decompress(&r->jpeg);
  INK_TRY(read_rows(r));
  INK_TRY(read_markers(r));
  jpeg_finish_decompress(&r->jpeg);
  if (r->errors.damaged) {
    return ink_fail(r->error, INK_ERR_FORMAT, "%s: a damaged JPEG: %s", r->input->name,
                    r->errors.message);
  }
  return INK_OK;
}

ink_status ink_jpeg_read(const ink_picture_input *input, ink_picture *picture,
                         ink_picture_extras *extras, int *orientation, ink_error *error) {
  reading r = {.input = input,
               .picture = picture,
               .extras = extras,
               .orientation = orientation,
               .error = error};
  manage(&r.errors);
  r.jpeg.err = &r.errors.base;
  ink_status status = read_jpeg(&r);
  jpeg_destroy_decompress(&r.jpeg);
  free(r.cmyk);
  free(r.profile);
  return status;
}

// ---- writing ------------------------------------------------------------------------------------

typedef struct writing {
  const ink_picture *picture;
  const ink_picture_encoding *encoding;
  struct jpeg_compress_struct jpeg;
  manager errors;
  unsigned char *bytes;  // libjpeg's
  unsigned long size;
  ink_text exif, xmp;
  ink_error *error;
} writing;

static ink_status write_jpeg(writing *w) {
  const ink_picture *p = w->picture;
  const ink_picture_extras *extras = w->encoding->extras;
  if (setjmp(w->errors.back)) {
    return ink_fail(w->error, INK_ERR_INTERNAL, "a JPEG could not be written: %s",
                    w->errors.message);
  }
  jpeg_create_compress(&w->jpeg);
  jpeg_mem_dest(&w->jpeg, &w->bytes, &w->size);
  w->jpeg.image_width = (JDIMENSION)p->width;
  w->jpeg.image_height = (JDIMENSION)p->height;
  w->jpeg.input_components = p->channels;
  w->jpeg.in_color_space = p->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&w->jpeg);
  jpeg_set_quality(&w->jpeg, w->encoding->quality, TRUE);
  w->jpeg.optimize_coding = TRUE;
  if (p->channels == 3 && w->encoding->quality >= 90) {
    // Colour at full resolution, where quality is asked for.
    w->jpeg.comp_info[0].h_samp_factor = w->jpeg.comp_info[0].v_samp_factor = 1;
  }
  jpeg_start_compress(&w->jpeg, TRUE);
  if (w->exif.size) {
    jpeg_write_marker(&w->jpeg, JPEG_APP0 + 1, (const JOCTET *)w->exif.bytes,
                      (unsigned int)w->exif.size);
  }
  if (w->xmp.size) {
    jpeg_write_marker(&w->jpeg, JPEG_APP0 + 1, (const JOCTET *)w->xmp.bytes,
                      (unsigned int)w->xmp.size);
  }
  if (extras && extras->icc_size) {
    jpeg_write_icc_profile(&w->jpeg, extras->icc, (unsigned int)extras->icc_size);
  }
  while (w->jpeg.next_scanline < w->jpeg.image_height) {
    JSAMPROW row = ink_picture_at(p, 0, (int32_t)w->jpeg.next_scanline);
    jpeg_write_scanlines(&w->jpeg, &row, 1);
  }
  jpeg_finish_compress(&w->jpeg);
  return INK_OK;
}

ink_status ink_jpeg_write(const ink_picture *picture, const ink_picture_encoding *encoding,
                          ink_text *out, ink_error *error) {
  if (ink_picture_has_alpha(picture)) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "JPEG has no transparency; flatten the picture or choose PNG or WebP");
  }
  writing w = {.picture = picture, .encoding = encoding, .error = error};
  ink_text_add_bytes(&w.exif, "Exif\0", EXIF_HEADER);
  ink_status status = ink_exif_write(encoding->extras, &w.exif, error);
  if (status == INK_OK && w.exif.size == EXIF_HEADER) ink_text_clear(&w.exif);
  if (status == INK_OK && encoding->extras && encoding->extras->xmp) {
    ink_text_add_bytes(&w.xmp, xmp_header, sizeof xmp_header);
    ink_text_add(&w.xmp, encoding->extras->xmp);
    status = ink_text_status(&w.xmp, error);
  }
  if (status == INK_OK && w.xmp.size > MOST_MARKER) {
    status = ink_fail(error, INK_ERR_USAGE,
                      "the XMP takes %zu bytes and JPEG has %d for it; choose PNG or WebP",
                      w.xmp.size, MOST_MARKER);
  }
  if (status == INK_OK && w.exif.size > MOST_MARKER) {
    status = ink_fail(error, INK_ERR_USAGE,
                      "the notes take %zu bytes and JPEG has %d for them; choose PNG or WebP",
                      w.exif.size, MOST_MARKER);
  }
  manage(&w.errors);
  w.jpeg.err = &w.errors.base;
  if (status == INK_OK) status = write_jpeg(&w);
  jpeg_destroy_compress(&w.jpeg);
  if (status == INK_OK) {
    ink_text_add_bytes(out, w.bytes, w.size);
    status = ink_text_status(out, error);
  }
  free(w.bytes);
  ink_text_free(&w.exif);
  ink_text_free(&w.xmp);
  return status;
}
