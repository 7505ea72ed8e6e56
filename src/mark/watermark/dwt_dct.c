// dwtDct.
#include "mark/watermark/dwt_dct.h"

#include <math.h>

#include "mark/watermark/gaussian_shading.h"

enum { PIXELS = 8, BLOCK = 4 };
static const double step = 36;

static const ink_dwt_dct_message messages[] = {
    {"sdxl", 48, {0xB3, 0xEC, 0x90, 0x7B, 0xB1, 0x9E}},
    {"sd1",
     136,
     {'S', 't', 'a', 'b', 'l', 'e', 'D', 'i', 'f', 'f', 'u', 's', 'i', 'o', 'n', 'V', '1'}},
    {"flux2", 46, {0xAB, 0xFA, 0x1E, 0x73, 0xD4, 0xB8}},
};
enum { N_MESSAGES = sizeof messages / sizeof *messages };

const ink_dwt_dct_message *ink_dwt_dct_messages(size_t *n) {
  *n = N_MESSAGES;
  return messages;
}

static unsigned bit_of(const ink_dwt_dct_message *m, size_t i) {
  return m->bytes[i / 8] >> (7 - i % 8) & 1;
}

// U of OpenCV's BGR2YUV: in fixed point, 14 binary places.
static double colour_difference(const uint8_t *rgb) {
  int y = (rgb[0] * 4899 + rgb[1] * 9617 + rgb[2] * 1868 + (1 << 13)) >> 14;
  int u = ((rgb[2] - y) * 8061 + (128 << 14) + (1 << 13)) >> 14;
  return u < 0 ? 0 : u > 255 ? 255 : u;
}

// The low-pass Haar coefficients of the block with its corner at (x, y).
static void low_pass(const ink_picture *p, int32_t x, int32_t y, double out[BLOCK * BLOCK]) {
  for (int i = 0; i < BLOCK; i++) {
    for (int j = 0; j < BLOCK; j++) {
      double sum = 0;
      for (int k = 0; k < 4; k++) {
        sum += colour_difference(ink_picture_at(p, x + 2 * j + k % 2, y + 2 * i + k / 2));
      }
      out[i * BLOCK + j] = sum / 2;
    }
  }
}

// The largest but the first, which the format leaves alone; the first among equals.
static int largest(const double *c) {
  int best = 1;
  for (int i = 2; i < BLOCK * BLOCK; i++) {
    if (fabs(c[i]) > fabs(c[best])) best = i;
  }
  return best;
}

static int32_t blocks_of(int32_t side) {
  return side / PIXELS;
}

// ---- writing -----------------------------------------------------------------------------------

static uint8_t rounded(double value) {
  return (uint8_t)lround(fmin(fmax(value, 0), 255));
}

// Add to U with Y and V kept: the change of OpenCV's YUV2BGR.
static void add_to_u(uint8_t *rgb, double change) {
  rgb[1] = rounded(rgb[1] - 0.395 * change);
  rgb[2] = rounded(rgb[2] + 2.032 * change);
}

static void write_block(ink_picture *p, int32_t x, int32_t y, unsigned bit) {
  double c[BLOCK * BLOCK];
  low_pass(p, x, y, c);
  int at = largest(c);
  double before = c[at], others = 0;
  for (int i = 1; i < BLOCK * BLOCK; i++) {
    if (i != at) others = fmax(others, fabs(c[i]));
  }
  // The middle of the half step that means the bit; a step higher where another coefficient would
  // be taken for the largest.
  double wanted = (floor(before / step) + 0.25 + 0.5 * bit) * step;
  if (wanted < others + 2) wanted += step;
  for (int k = 0; k < 4; k++) {
    add_to_u(ink_picture_at(p, x + 2 * (at % BLOCK) + k % 2, y + 2 * (at / BLOCK) + k / 2),
             (wanted - before) / 2);
  }
}

ink_status ink_dwt_dct_write(ink_picture *picture, const ink_dwt_dct_message *message,
                             ink_error *error) {
  if (picture->channels < 3) {
    return ink_fail(error, INK_ERR_USAGE, "this watermark lies in colours; the picture is grey");
  }
  if ((int64_t)picture->width * picture->height < INK_DWT_DCT_LEAST_PIXELS) {
    return ink_fail(
        error, INK_ERR_USAGE,
        "a picture of %d x %d is too small for this watermark: no reader looks at fewer "
        "than 256 x 256 pixels",
        picture->width, picture->height);
  }
  size_t n = 0;
  for (int32_t i = 0; i < blocks_of(picture->height); i++) {
    for (int32_t j = 0; j < blocks_of(picture->width); j++) {
      write_block(picture, j * PIXELS, i * PIXELS, bit_of(message, n++ % message->n_bit));
    }
  }
  return INK_OK;
}

// ---- reading -----------------------------------------------------------------------------------

bool ink_dwt_dct_shares(const ink_picture *p, size_t n_bit, double *shares) {
  double ones[INK_DWT_DCT_MOST_BITS] = {0}, copies[INK_DWT_DCT_MOST_BITS] = {0};
  size_t n = 0;
  for (int32_t i = 0; i < blocks_of(p->height); i++) {
    for (int32_t j = 0; j < blocks_of(p->width); j++, n++) {
      double c[BLOCK * BLOCK];
      low_pass(p, j * PIXELS, i * PIXELS, c);
      ones[n % n_bit] += fmod(fabs(c[largest(c)]), step) > step / 2;
      copies[n % n_bit]++;
    }
  }
  if (n < n_bit) return false;
  for (size_t i = 0; i < n_bit; i++) shares[i] = ones[i] / copies[i];
  return true;
}

ink_status ink_dwt_dct_read(const ink_picture *picture, ink_dwt_dct_reading *reading,
                            ink_error *error) {
  *reading = (ink_dwt_dct_reading){.p_value = 1};
  ink_picture colour;
  INK_TRY(ink_picture_convert(picture, 3, &colour, error));
  bool large = (int64_t)picture->width * picture->height >= INK_DWT_DCT_LEAST_PIXELS;
  for (size_t i = 0; i < N_MESSAGES && large; i++) {
    double shares[INK_DWT_DCT_MOST_BITS] = {0};
    if (!ink_dwt_dct_shares(&colour, messages[i].n_bit, shares)) continue;
    size_t agreeing = 0;
    for (size_t b = 0; b < messages[i].n_bit; b++) {
      agreeing += (shares[b] * 255 > 127) == (bit_of(&messages[i], b) == 1);
    }
    double p = N_MESSAGES * ink_fair_coins(messages[i].n_bit, agreeing);
    if (reading->message && p >= reading->p_value) continue;
    *reading = (ink_dwt_dct_reading){&messages[i], agreeing, p < 1 ? p : 1};
  }
  ink_picture_free(&colour);
  return INK_OK;
}
