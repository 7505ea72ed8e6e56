// Canny, "A Computational Approach to Edge Detection" (1986), in OpenCV's arithmetic: integer Sobel
// gradients with the edge repeated, maxima along three directions told apart by tangents of 15
// bits, strong edges followed through weak ones to all eight neighbours.
#include "picture/edges.h"

#include <stdlib.h>
#include <string.h>

enum { SHIFT = 15, TANGENT_22_5 = 13573 };  // tan(22.5 degrees) * 2^15

enum { NOT_EDGE = 0, WEAK = 1, STRONG = 255 };

typedef struct gradient {
  int16_t x, y;
} gradient;

static inline int32_t clamp(int32_t value, int32_t most) {
  return value < 0 ? 0 : value > most ? most : value;
}

static inline int32_t steepness(gradient g) {
  return abs(g.x) + abs(g.y);
}

static gradient sobel(const ink_picture *p, int32_t x, int32_t y, int32_t channel) {
  int v[3][3];
  for (int32_t i = 0; i < 3; i++) {
    for (int32_t j = 0; j < 3; j++) {
      v[i][j] = ink_picture_at(p, clamp(x + j - 1, p->width - 1),
                               clamp(y + i - 1, p->height - 1))[channel];
    }
  }
  int dx = v[0][2] - v[0][0] + 2 * (v[1][2] - v[1][0]) + v[2][2] - v[2][0];
  int dy = v[2][0] - v[0][0] + 2 * (v[2][1] - v[0][1]) + v[2][2] - v[0][2];
  return (gradient){(int16_t)dx, (int16_t)dy};
}

// Gradients of all pixels, those of the steepest colour.
static void differentiate(const ink_picture *p, gradient *out) {
  int32_t colours = p->channels >= 3 ? 3 : 1;
  for (int32_t y = 0; y < p->height; y++) {
    for (int32_t x = 0; x < p->width; x++, out++) {
      *out = sobel(p, x, y, 0);
      for (int32_t c = 1; c < colours; c++) {
        gradient g = sobel(p, x, y, c);
        if (steepness(g) > steepness(*out)) *out = g;
      }
    }
  }
}

// Steepness at a pixel; nothing lies beyond the picture.
static int32_t at(const ink_picture *size, const gradient *gradients, int32_t x, int32_t y) {
  if (x < 0 || y < 0 || x >= size->width || y >= size->height) return 0;
  return steepness(gradients[(size_t)y * (size_t)size->width + (size_t)x]);
}

// A maximum among its neighbours along the gradient.
static bool is_ridge(const ink_picture *size, const gradient *gradients, int32_t x, int32_t y) {
  gradient g = gradients[(size_t)y * (size_t)size->width + (size_t)x];
  int32_t here = steepness(g), flat = abs(g.x) * TANGENT_22_5, steep = abs(g.y) << SHIFT;
  if (steep < flat) {
    return here > at(size, gradients, x - 1, y) && here >= at(size, gradients, x + 1, y);
  }
  if (steep > flat + (abs(g.x) << (SHIFT + 1))) {
    return here > at(size, gradients, x, y - 1) && here >= at(size, gradients, x, y + 1);
  }
  int32_t s = (g.x ^ g.y) < 0 ? -1 : 1;
  return here > at(size, gradients, x - s, y - 1) && here > at(size, gradients, x + s, y + 1);
}

// Weak edges that touch strong ones become strong; the others vanish. `stack` has room for all
// pixels, each of which gets on it once.
static void follow(ink_picture *edges, size_t *stack) {
  size_t n = 0, all = ink_picture_bytes(edges), width = (size_t)edges->width;
  for (size_t i = 0; i < all; i++) {
    if (edges->pixels[i] == STRONG) stack[n++] = i;
  }
  while (n > 0) {
    size_t i = stack[--n];
    int32_t x = (int32_t)(i % width), y = (int32_t)(i / width);
    for (int32_t k = 0; k < 9; k++) {
      int32_t u = x + k % 3 - 1, v = y + k / 3 - 1;
      if (u < 0 || v < 0 || u >= edges->width || v >= edges->height) continue;
      uint8_t *pixel = ink_picture_at(edges, u, v);
      if (*pixel != WEAK) continue;
      *pixel = STRONG;
      stack[n++] = (size_t)v * width + (size_t)u;
    }
  }
  for (size_t i = 0; i < all; i++) {
    if (edges->pixels[i] == WEAK) edges->pixels[i] = NOT_EDGE;
  }
}

ink_status ink_picture_canny(const ink_picture *picture, int low, int high, ink_picture *out,
                             ink_error *error) {
  *out = (ink_picture){0};
  if (low < 0 || high > INK_CANNY_MOST || low > high) {
    return ink_fail(error, INK_ERR_USAGE, "thresholds of %d and %d; edges take 0 … %d, rising", low,
                    high, INK_CANNY_MOST);
  }
  INK_TRY(ink_picture_new(picture->width, picture->height, 1, out, error));
  size_t n = ink_picture_bytes(out);
  gradient *gradients = calloc(n, sizeof *gradients);
  size_t *stack = calloc(n, sizeof *stack);
  if (gradients && stack) {
    differentiate(picture, gradients);
    for (size_t i = 0; i < n; i++) {
      int32_t here = steepness(gradients[i]);
      bool edge = here > low && is_ridge(out, gradients, (int32_t)(i % (size_t)out->width),
                                         (int32_t)(i / (size_t)out->width));
      out->pixels[i] = !edge ? NOT_EDGE : here > high ? STRONG : WEAK;
    }
    follow(out, stack);
  } else {
    ink_picture_free(out);
  }
  bool fine = gradients && stack;
  free(gradients);
  free(stack);
  return fine ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for the edges of a picture");
}
