// Identities in pixels.
#include "mark/ledger/picture_identity.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "mark/watermark/gaussian_shading.h"

enum {
  CELLS = 32,  // along each side
  CHECK = 4,   // bytes
  BYTES = INK_IDENTITY_BYTES + CHECK,
  BITS = 8 * BYTES,
  IDENTITY_BITS = 8 * INK_IDENTITY_BYTES,
  ROUNDS = 16  // until a cell of saturated colours has its mean
};
static const double step = 8;  // between values for the same bit, in steps of 8-bit colour

typedef struct cell {
  int32_t x, y, right, bottom;
} cell;

static cell cell_at(const ink_picture *p, int i) {
  int32_t column = i % CELLS, row = i / CELLS;
  return (cell){(int32_t)((int64_t)p->width * column / CELLS),
                (int32_t)((int64_t)p->height * row / CELLS),
                (int32_t)((int64_t)p->width * (column + 1) / CELLS),
                (int32_t)((int64_t)p->height * (row + 1) / CELLS)};
}

static double mean_v(const ink_picture *p, cell c) {
  double sum = 0;
  for (int32_t y = c.y; y < c.bottom; y++) {
    for (int32_t x = c.x; x < c.right; x++) {
      const uint8_t *rgb = ink_picture_at(p, x, y);
      sum += 0.877 * (rgb[0] - (0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]));
    }
  }
  return sum / ((double)(c.right - c.x) * (c.bottom - c.y));
}

// Neighbouring cells hold bits far from each other, so that a spot of damage spreads over many.
static int bit_of_cell(int i) {
  return (int)((unsigned)i * 53U % BITS);
}

// ---- identities as bits

// Of a digit that is known to be one.
static unsigned nibble(char c) {
  return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10) & 15;
}

bool ink_identity_bytes(const char *identity, uint8_t bytes[INK_IDENTITY_BYTES]) {
  if (!ink_mark_is_identity(identity)) return false;
  size_t n = 0;
  memset(bytes, 0, INK_IDENTITY_BYTES);
  for (const char *at = identity; *at; at++) {
    if (*at == '-') continue;
    bytes[n / 2] = (uint8_t)(bytes[n / 2] << 4 | nibble(*at));
    n++;
  }
  return true;
}

static ink_status check_of(const uint8_t *identity, uint8_t check[CHECK], ink_error *error) {
  char hex[INK_SHA256_HEX];
  INK_TRY(ink_sha256_of(identity, INK_IDENTITY_BYTES, hex, error));
  for (int i = 0; i < CHECK; i++) {
    check[i] = (uint8_t)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
  }
  return INK_OK;
}

// ---- writing

bool ink_picture_identity_fits(const ink_picture *picture) {
  return picture->channels >= 3 && picture->width >= INK_IDENTITY_LEAST_SIDE &&
         picture->height >= INK_IDENTITY_LEAST_SIDE;
}

// What rounding leaves over goes to the next pixel: otherwise a flat cell could not move by less
// than one step.
static uint8_t add_carried(uint8_t value, double change, double *carry) {
  double wanted = value + change + *carry, rounded = fmin(fmax(round(wanted), 0), 255);
  double left = wanted - rounded;
  *carry = fabs(left) <= 0.5 ? left : 0;
  return (uint8_t)rounded;
}

static void move_cell(ink_picture *p, cell c, double change) {
  double red = 0, green = 0;
  for (int32_t y = c.y; y < c.bottom; y++) {
    for (int32_t x = c.x; x < c.right; x++) {
      uint8_t *rgb = ink_picture_at(p, x, y);
      rgb[0] = add_carried(rgb[0], 1.140 * change, &red);
      rgb[1] = add_carried(rgb[1], -0.581 * change, &green);
    }
  }
}

static void write_cell(ink_picture *p, cell c, unsigned bit) {
  double mean = mean_v(p, c);
  double wanted = (round(mean / step - (bit ? 0.75 : 0.25)) + (bit ? 0.75 : 0.25)) * step;
  for (int i = 0; i < ROUNDS && fabs(wanted - mean) > 0.05; i++) {
    move_cell(p, c, wanted - mean);
    mean = mean_v(p, c);
  }
}

ink_status ink_picture_identity_write(ink_picture *picture, const char *identity,
                                      ink_error *error) {
  uint8_t bytes[BYTES];
  if (!identity || !ink_identity_bytes(identity, bytes)) {
    return ink_fail(error, INK_ERR_USAGE, "the identity must be a UUID in lower case");
  }
  if (!ink_picture_identity_fits(picture)) {
    return ink_fail(error, INK_ERR_USAGE,
                    "a picture of %d x %d does not hold an identity: it takes colour, and %d "
                    "pixels a side",
                    picture->width, picture->height, INK_IDENTITY_LEAST_SIDE);
  }
  INK_TRY(check_of(bytes, bytes + INK_IDENTITY_BYTES, error));
  for (int i = 0; i < CELLS * CELLS; i++) {
    int bit = bit_of_cell(i);
    write_cell(picture, cell_at(picture, i), bytes[bit / 8] >> (7 - bit % 8) & 1);
  }
  return INK_OK;
}

// ---- reading

// Each cell votes by how far it is from where the bits part.
static void vote(const ink_picture *colour, uint8_t bytes[BYTES]) {
  double votes[BITS] = {0};
  for (int i = 0; i < CELLS * CELLS; i++) {
    double turns = mean_v(colour, cell_at(colour, i)) / step;
    votes[bit_of_cell(i)] -= sin(2 * acos(-1) * turns);
  }
  memset(bytes, 0, BYTES);
  for (int i = 0; i < BITS; i++) {
    if (votes[i] > 0) bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
  }
}

static void write_text(const uint8_t bytes[INK_IDENTITY_BYTES], char *at) {
  for (int i = 0; i < INK_IDENTITY_BYTES; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
    snprintf(at, 3, "%02x", bytes[i]);
    at += 2;
  }
}

ink_status ink_picture_identity_read(const ink_picture *picture, ink_identity_reading *reading,
                                     ink_error *error) {
  uint8_t bytes[BYTES], check[CHECK];
  *reading = (ink_identity_reading){.p_value = 1};
  // A picture that was made smaller has smaller cells; of those of a few pixels nothing is left.
  enum { LEAST = 2 * CELLS };
  if (picture->width < LEAST || picture->height < LEAST) return INK_OK;
  ink_picture colour;
  INK_TRY(ink_picture_convert(picture, 3, &colour, error));
  vote(&colour, bytes);
  ink_picture_free(&colour);
  INK_TRY(check_of(bytes, check, error));
  int differing = 0;
  for (int i = 0; i < CHECK; i++) {
    differing += __builtin_popcount((unsigned)(bytes[INK_IDENTITY_BYTES + i] ^ check[i]));
  }
  reading->looked = true;
  reading->whole = differing == 0;
  reading->p_value = ink_fair_coins(8 * CHECK, (size_t)(8 * CHECK - differing));
  memcpy(reading->bytes, bytes, sizeof reading->bytes);
  write_text(bytes, reading->identity);
  return INK_OK;
}

double ink_identity_likeness(const ink_identity_reading *reading,
                             const uint8_t identity[INK_IDENTITY_BYTES]) {
  if (!reading->looked) return 1;
  size_t agreeing = 0;
  for (int i = 0; i < INK_IDENTITY_BYTES; i++) {
    agreeing += 8 - (size_t)__builtin_popcount((unsigned)(identity[i] ^ reading->bytes[i]));
  }
  return ink_fair_coins(IDENTITY_BITS, agreeing);
}
