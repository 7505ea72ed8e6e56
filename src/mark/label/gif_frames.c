// The label is drawn once, in a few shades, and laid into each frame that touches its place. What
// frames show is kept in mind: one after which the label is not whole (the first, and any that
// follows one that is wiped away) is enlarged to hold it, transparent beside it. giflib codes the
// pixels.
#include "mark/label/gif_frames.h"

#include <gif_lib.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "mark/c2pa/carrier_gif.h"

enum {
  SCREEN = 6,  // where the header states its size
  HEADER = 13,
  DESCRIPTOR = 10,
  COLOURS = 256,
  MOST_PIXELS = 1 << 24,  // of a screen
  MOST_CODED = 1 << 28,   // of all frames that are coded anew
  CONTROL = 0xF9,
  PLAIN_TEXT = 0x01,
  CONTROL_SIZE = 8,
  WIPED = 2,
  TAKEN_BACK = 3  // what becomes of a frame
};

typedef struct area {
  int32_t x, y, width, height;
} area;

static bool touches(const area *a, const area *b) {
  return a->x < b->x + b->width && b->x < a->x + a->width && a->y < b->y + b->height &&
         b->y < a->y + a->height;
}

static bool holds(const area *a, const area *b) {
  return a->x <= b->x && a->y <= b->y && a->x + a->width >= b->x + b->width &&
         a->y + a->height >= b->y + b->height;
}

static area around(const area *a, const area *b) {
  int32_t x = a->x < b->x ? a->x : b->x, y = a->y < b->y ? a->y : b->y;
  int32_t right = a->x + a->width > b->x + b->width ? a->x + a->width : b->x + b->width;
  int32_t below = a->y + a->height > b->y + b->height ? a->y + a->height : b->y + b->height;
  return (area){x, y, right - x, below - y};
}

// ---- the label ----------------------------------------------------------------------------------

// One byte a pixel: 0 is the plate, INK is ink, between them are the edges of letters.
enum { INK = 4, SHADES };

typedef struct stencil {
  area place;
  uint8_t *pixels;
} stencil;

static int distance(const uint8_t *a, const uint8_t *b) {
  int d = 0;
  for (int i = 0; i < 3; i++) d += (a[i] - b[i]) * (a[i] - b[i]);
  return d;
}

static void mix(const ink_label_style *s, int shade, uint8_t rgb[3]) {
  for (int i = 0; i < 3; i++) {
    rgb[i] = (uint8_t)((s->plate[i] * (INK - shade) + s->ink[i] * shade + INK / 2) / INK);
  }
}

static uint8_t shade_of(const uint8_t *pixel, const ink_label_style *s) {
  int best = 0, least = INT32_MAX;
  for (int shade = 0; shade < SHADES; shade++) {
    uint8_t rgb[3];
    mix(s, shade, rgb);
    int d = distance(pixel, rgb);
    if (d < least) {
      least = d;
      best = shade;
    }
  }
  return (uint8_t)best;
}

static ink_status cut_stencil(int32_t width, int32_t height, const char *language,
                              const ink_label_style *style, ink_label_box *box, stencil *s,
                              ink_error *error) {
  ink_picture picture;
  ink_label_style solid = *style;
  solid.opacity = 1;
  INK_TRY(ink_label_style_check(style, error));
  INK_TRY(ink_picture_new(width, height, 3, &picture, error));
  for (size_t i = 0; i < ink_picture_bytes(&picture); i++) picture.pixels[i] = solid.plate[i % 3];
  ink_status status = ink_mark_picture(&picture, language, &solid, box, error);
  if (status == INK_OK) {
    s->place = (area){box->x, box->y, box->width, box->height};
    s->pixels = malloc((size_t)box->width * (size_t)box->height);
    if (!s->pixels) status = ink_fail(error, INK_ERR_MEMORY, "no memory for a label");
  }
  for (int32_t y = 0; status == INK_OK && y < box->height; y++) {
    for (int32_t x = 0; x < box->width; x++) {
      const uint8_t *p = ink_picture_at(&picture, box->x + x, box->y + y);
      s->pixels[(size_t)y * (size_t)box->width + (size_t)x] = shade_of(p, &solid);
    }
  }
  ink_picture_free(&picture);
  return status;
}

// ---- frames -------------------------------------------------------------------------------------

typedef struct frame {
  area place;
  uint8_t *pixels;
  uint8_t palette[COLOURS][3];
  int colours;      // in it, a power of two
  bool own;         // the palette is its own, or has become so
  int transparent;  // -1: none
  int disposal;
} frame;

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

static int write_memory(GifFileType *file, const GifByteType *from, int n) {
  ink_text *out = file->UserData;
  ink_text_add_bytes(out, from, (size_t)n);
  return out->failed ? 0 : n;
}

// The pixels of the image at `block`: giflib reads it as a GIF of its own.
static ink_status decode(const unsigned char *block, size_t size, frame *f, ink_error *error) {
  int code;
  ink_text alone = {0};
  ink_text_add(&alone, "GIF89a");
  ink_text_add_little(&alone, (uint64_t)f->place.width, 2);
  ink_text_add_little(&alone, (uint64_t)f->place.height, 2);
  ink_text_add_bytes(&alone, "\0\0\0\x2C\0\0\0\0", 8);
  ink_text_add_bytes(&alone, block + 5, size - 5);
  ink_text_add(&alone, ";");
  memory m = {(const unsigned char *)alone.bytes, alone.size, 0};
  size_t pixels = (size_t)f->place.width * (size_t)f->place.height;
  ink_status status = ink_text_status(&alone, error);
  GifFileType *file = status == INK_OK ? DGifOpen(&m, read_memory, &code) : NULL;
  bool read =
      file && DGifSlurp(file) == GIF_OK && file->ImageCount == 1 && file->SavedImages[0].RasterBits;
  if (read) f->pixels = malloc(pixels);
  if (f->pixels) memcpy(f->pixels, file->SavedImages[0].RasterBits, pixels);
  if (file) DGifCloseFile(file, &code);
  ink_text_free(&alone);
  INK_TRY(status);
  if (!read) return ink_fail(error, INK_ERR_FORMAT, "GIF: the pixels of a frame cannot be read");
  return f->pixels ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for a frame");
}

static int bits_of(int colours) {
  int bits = 1;
  while (1 << bits < colours) bits++;
  return bits;
}

// Append the image with its descriptor and palette.
static ink_status encode(const frame *f, ink_text *out, ink_error *error) {
  int code, bits = bits_of(f->colours);
  ink_text alone = {0};
  ColorMapObject *map = GifMakeMapObject(1 << bits, NULL);
  GifFileType *file = map ? EGifOpen(&alone, write_memory, &code) : NULL;
  bool written =
      file && EGifPutScreenDesc(file, f->place.width, f->place.height, bits, 0, map) == GIF_OK;
  size_t before = alone.size;
  written = written &&
            EGifPutImageDesc(file, 0, 0, f->place.width, f->place.height, false, NULL) == GIF_OK;
  for (int32_t y = 0; written && y < f->place.height; y++) {
    written =
        EGifPutLine(file, f->pixels + (size_t)y * (size_t)f->place.width, f->place.width) == GIF_OK;
  }
  size_t end = alone.size;
  if (file) EGifCloseFile(file, &code);
  GifFreeMapObject(map);
  if (written && !alone.failed) {
    ink_text_add(out, ",");
    ink_text_add_little(out, (uint64_t)f->place.x, 2);
    ink_text_add_little(out, (uint64_t)f->place.y, 2);
    ink_text_add_little(out, (uint64_t)f->place.width, 2);
    ink_text_add_little(out, (uint64_t)f->place.height, 2);
    unsigned char packed = f->own ? (unsigned char)(0x80 | (bits - 1)) : 0;
    ink_text_add_bytes(out, &packed, 1);
    if (f->own) ink_text_add_bytes(out, f->palette, (size_t)3 << bits);
    ink_text_add_bytes(out, alone.bytes + before + DESCRIPTOR, end - before - DESCRIPTOR);
  }
  ink_text_free(&alone);
  if (!written) return ink_fail(error, INK_ERR_MEMORY, "no memory for a frame");
  return ink_text_status(out, error);
}

// A place in the palette that no pixel uses; -1: none is left.
static int free_colour(frame *f, const bool used[COLOURS]) {
  for (int i = 0; i < f->colours; i++) {
    if (!used[i] && i != f->transparent) return i;
  }
  if (f->colours == COLOURS) return -1;
  int fresh = f->colours;
  memset(f->palette[fresh], 0, (size_t)fresh * 3);
  f->colours *= 2;
  return fresh;
}

// The colour itself, one that is free, or the nearest; -1: none.
static int colour_for(frame *f, const uint8_t rgb[3], bool used[COLOURS]) {
  int best = -1;
  for (int i = 0; i < f->colours; i++) {
    if (i == f->transparent) continue;
    bool nearer = best < 0 || distance(f->palette[i], rgb) < distance(f->palette[best], rgb);
    if (nearer) best = i;
  }
  if (best < 0 || distance(f->palette[best], rgb) > 0) {
    int fresh = free_colour(f, used);
    if (fresh >= 0) {
      memcpy(f->palette[fresh], rgb, 3);
      f->own = true;
      best = fresh;
    }
  }
  if (best >= 0) used[best] = true;
  return best;
}

// False where there are not two that can be told apart. A shade between them that is far from what
// it should be becomes the nearer of the two.
static bool choose_colours(frame *f, const ink_label_style *style, bool used[COLOURS],
                           int colours[SHADES]) {
  enum { FAR = 48 * 48 };
  ink_label_style seen = *style;
  colours[INK] = colour_for(f, style->ink, used);
  colours[0] = colour_for(f, style->plate, used);
  if (colours[0] < 0 || colours[INK] < 0) return false;
  memcpy(seen.ink, f->palette[colours[INK]], 3);
  memcpy(seen.plate, f->palette[colours[0]], 3);
  seen.opacity = 1;
  if (ink_label_style_check(&seen, NULL) != INK_OK) return false;
  for (int shade = 1; shade < INK; shade++) {
    uint8_t rgb[3];
    mix(&seen, shade, rgb);
    colours[shade] = colour_for(f, rgb, used);
    bool far = distance(f->palette[colours[shade]], rgb) > FAR;
    if (far) colours[shade] = colours[shade > INK / 2 ? INK : 0];
  }
  return true;
}

// The frame on a larger place, transparent beside what it was.
static ink_status enlarge(frame *f, const area *place, ink_error *error) {
  uint8_t *pixels = malloc((size_t)place->width * (size_t)place->height);
  if (!pixels) return ink_fail(error, INK_ERR_MEMORY, "no memory for a frame");
  memset(pixels, f->transparent, (size_t)place->width * (size_t)place->height);
  for (int32_t y = 0; y < f->place.height; y++) {
    size_t to = (size_t)(f->place.y - place->y + y) * (size_t)place->width +
                (size_t)(f->place.x - place->x);
    memcpy(pixels + to, f->pixels + (size_t)y * (size_t)f->place.width, (size_t)f->place.width);
  }
  free(f->pixels);
  f->pixels = pixels;
  f->place = *place;
  return INK_OK;
}

// Lay the label into the frame; *why_not where its colours do not allow it.
static ink_status lay_in(frame *f, const stencil *s, const ink_label_style *style, bool whole,
                         const char **why_not, ink_error *error) {
  bool used[COLOURS] = {false};
  size_t n = (size_t)f->place.width * (size_t)f->place.height;
  for (size_t i = 0; i < n; i++) {
    if (f->pixels[i] >= f->colours) {
      *why_not = "a frame has pixels without a colour";
      return INK_OK;
    }
    used[f->pixels[i]] = true;
  }
  area place = whole ? around(&f->place, &s->place) : f->place;
  if (!holds(&f->place, &place)) {
    if (f->transparent < 0 || f->transparent >= f->colours) {
      f->transparent = free_colour(f, used);
      f->own = true;
    }
    if (f->transparent < 0) {
      *why_not = "a frame has no colour left for what is beside its label";
      return INK_OK;
    }
    INK_TRY(enlarge(f, &place, error));
  }
  int colours[SHADES];
  if (!choose_colours(f, style, used, colours)) {
    *why_not = "a frame has no two colours in which its label could be read";
    return INK_OK;
  }
  for (int32_t y = 0; y < s->place.height; y++) {
    for (int32_t x = 0; x < s->place.width; x++) {
      int32_t to_x = s->place.x + x - f->place.x, to_y = s->place.y + y - f->place.y;
      if (to_x < 0 || to_y < 0 || to_x >= f->place.width || to_y >= f->place.height) continue;
      uint8_t shade = s->pixels[(size_t)y * (size_t)s->place.width + (size_t)x];
      f->pixels[(size_t)to_y * (size_t)f->place.width + (size_t)to_x] = (uint8_t)colours[shade];
    }
  }
  return INK_OK;
}

// ---- the file -----------------------------------------------------------------------------------

typedef struct labelling {
  const unsigned char *bytes;
  size_t size;
  area screen;
  stencil stencil;
  const ink_label_style *style;
  const unsigned char *control;  // the extension that governs the next image; NULL: none
  bool shown;                    // the label is whole on the screen as the next frame finds it
  size_t coded, images;
  const char *why_not;
} labelling;

static void read_palette(const unsigned char *packed, const unsigned char *table, frame *f) {
  f->colours = 2 << (*packed & 7);
  memcpy(f->palette, table, (size_t)f->colours * 3);
}

static ink_status read_frame(labelling *l, const ink_gif_block *b, frame *f, ink_error *error) {
  const unsigned char *at = l->bytes + b->start;
  f->place = (area){ink_little16(at + 1), ink_little16(at + 3), ink_little16(at + 5),
                    ink_little16(at + 7)};
  f->transparent = -1;
  if (l->control) {
    f->disposal = l->control[3] >> 2 & 7;
    if (l->control[3] & 1) f->transparent = l->control[6];
  }
  if (!f->place.width || !f->place.height || !holds(&l->screen, &f->place)) {
    l->why_not = "a frame is empty or larger than its screen";
    return INK_OK;
  }
  if (at[9] & 0x80) {
    f->own = true;
    read_palette(&at[9], at + DESCRIPTOR, f);
  } else if (l->bytes[10] & 0x80) {
    read_palette(&l->bytes[10], l->bytes + HEADER, f);
  } else {
    l->why_not = "a frame has no table of colours";
  }
  (void)error;
  return INK_OK;
}

static void put_control(const labelling *l, const frame *f, ink_text *out) {
  static const unsigned char none[CONTROL_SIZE] = {0x21, CONTROL, 4, 0, 0, 0, 0, 0};
  unsigned char control[CONTROL_SIZE];
  memcpy(control, l->control ? l->control : none, CONTROL_SIZE);
  if (f->transparent >= 0) {
    control[3] |= 1;
    control[6] = (unsigned char)f->transparent;
  }
  if (l->control || f->transparent >= 0) ink_text_add_bytes(out, control, CONTROL_SIZE);
}

static ink_status put_image(labelling *l, const ink_gif_block *b, ink_text *out, ink_error *error) {
  frame f = {0};
  INK_TRY(read_frame(l, b, &f, error));
  if (l->why_not) return INK_OK;
  bool whole = !l->shown && !holds(&f.place, &l->stencil.place);
  bool drawn = !l->shown || touches(&f.place, &l->stencil.place);
  ink_status status = INK_OK;
  if (drawn) {
    area place = whole ? around(&f.place, &l->stencil.place) : f.place;
    l->coded += (size_t)place.width * (size_t)place.height;
    if (l->coded > MOST_CODED) {
      l->why_not = "its frames are too many and too large to be drawn on";
      return INK_OK;
    }
    status = decode(l->bytes + b->start, b->end - b->start, &f, error);
    if (status == INK_OK) status = lay_in(&f, &l->stencil, l->style, whole, &l->why_not, error);
  }
  if (status == INK_OK && !l->why_not) {
    put_control(l, &f, out);
    if (drawn) {
      status = encode(&f, out, error);
    } else {
      ink_text_add_bytes(out, l->bytes + b->start, b->end - b->start);
    }
    bool before = l->shown;
    l->shown = true;
    if (f.disposal == WIPED && touches(&f.place, &l->stencil.place)) l->shown = false;
    if (f.disposal == TAKEN_BACK) l->shown = before;
    l->images++;
  }
  free(f.pixels);
  return status;
}

static ink_status put_blocks(labelling *l, ink_text *out, ink_error *error) {
  ink_gif_block b;
  size_t at = 0;
  size_t table = l->bytes[10] & 0x80 ? (size_t)6 << (l->bytes[10] & 7) : 0;
  ink_text_add_bytes(out, l->bytes, 4);
  ink_text_add(out, "9");  // the first version had no extensions
  ink_text_add_bytes(out, l->bytes + 5, HEADER - 5 + table);
  while (!l->why_not && ink_gif_next(l->bytes, l->size, &at, &b)) {
    bool control = !b.is_image && b.label == CONTROL && b.end - b.start == CONTROL_SIZE;
    if (b.is_image) {
      INK_TRY(put_image(l, &b, out, error));
      l->control = NULL;
    } else if (control) {
      l->control = l->bytes + b.start;  // written before the image
    } else {
      if (b.label == PLAIN_TEXT && l->control) {
        ink_text_add_bytes(out, l->control, CONTROL_SIZE);
        l->control = NULL;
      }
      ink_text_add_bytes(out, l->bytes + b.start, b.end - b.start);
    }
  }
  if (!l->why_not && !l->images) {
    return ink_fail(error, INK_ERR_FORMAT, "GIF: it holds no picture");
  }
  ink_text_add_bytes(out, l->bytes + at, l->size - at);
  return ink_text_status(out, error);
}

ink_status ink_gif_label(const unsigned char *bytes, size_t size, const char *language,
                         const ink_label_style *style, ink_label_box *box, ink_text *out,
                         const char **why_not, ink_error *error) {
  labelling l = {.bytes = bytes, .size = size, .style = style};
  size_t begin = out->size, first = 0;
  ink_gif_block b;
  *why_not = NULL;
  if (!ink_gif_next(bytes, size, &first, &b)) {
    return ink_fail(error, INK_ERR_FORMAT, "GIF: it holds no picture");
  }
  l.screen = (area){0, 0, ink_little16(bytes + SCREEN), ink_little16(bytes + SCREEN + 2)};
  if ((int64_t)l.screen.width * l.screen.height > MOST_PIXELS) {
    *why_not = "its screen is larger than is drawn on here";
    return INK_OK;
  }
  INK_TRY(cut_stencil(l.screen.width, l.screen.height, language, style, box, &l.stencil, error));
  ink_status status = put_blocks(&l, out, error);
  free(l.stencil.pixels);
  *why_not = l.why_not;
  if (status == INK_OK && l.why_not) {
    out->size = begin;
    if (out->bytes) out->bytes[begin] = 0;
  }
  return status;
}
