// The rhythm of GB 45438-2025, section 5.3, as samples: a tenth of a second a unit of Morse code.
#include "mark/label/rhythm.h"

#include <math.h>
#include <stdbool.h>

static const struct {
  unsigned units;
  bool sounds;
} signs[] = {{1, true}, {1, false}, {3, true}, {3, false},
             {1, true}, {1, false}, {1, true}, {4, false}};
enum { N_SIGN = sizeof signs / sizeof *signs };

// How loud the tone is in the middle of the i-th of `n` samples of a sign: soft at its edges.
static double envelope(size_t i, size_t n, size_t edge) {
  size_t near = i < n - 1 - i ? i : n - 1 - i;
  return near >= edge ? 1 : 0.5 - 0.5 * cos(3.14159265358979 * (double)near / (double)edge);
}

size_t ink_rhythm_length(unsigned rate) {
  size_t length = 0;
  for (int j = 0; j < N_SIGN; j++) length += signs[j].units * (size_t)(rate / 10);
  return length;
}

double ink_rhythm_sample(unsigned rate, size_t i) {
  static const double loudness = 0.25;  // -12 dB
  size_t unit = rate / 10;
  for (int j = 0; j < N_SIGN; j++) {
    size_t n = signs[j].units * unit;
    if (i < n) {
      double phase = 2 * 3.14159265358979 * INK_RHYTHM_PITCH * (double)i / rate;
      return signs[j].sounds ? loudness * envelope(i, n, rate / 200) * sin(phase) : 0;
    }
    i -= n;
  }
  return 0;
}

// ---- hearing it ---------------------------------------------------------------------------------

// How a tone and the silence between have to differ, and how steady it must be.
#define SILENCE 8
#define STEADY 2
#define LEAST 0.01F

typedef struct heard {
  float least_tone, most_tone, most_silence;
} heard;

// A sign from one window to another, without those at its edges; what is behind the end is silent.
static bool hear_sign(const float *loudness, size_t n, double from, double to, bool sounds,
                      heard *h) {
  for (size_t i = (size_t)from + 1; (double)(i + 1) < to; i++) {
    float l = i < n ? loudness[i] : 0;
    if (sounds && l < h->least_tone) h->least_tone = l;
    if (sounds && l > h->most_tone) h->most_tone = l;
    if (!sounds && l > h->most_silence) h->most_silence = l;
  }
  return h->least_tone > LEAST && h->most_tone < STEADY * h->least_tone &&
         h->most_silence * SILENCE < h->least_tone;
}

// `unit` in windows; between the letters are as many as `gap`, behind them is at least one.
static bool hear_at(const float *loudness, size_t n, size_t at, double unit, unsigned gap) {
  heard h = {.least_tone = INFINITY};
  double from = (double)at;
  for (int j = 0; j < N_SIGN; j++) {
    unsigned units = signs[j].units;
    if (!signs[j].sounds && units > 1) units = j + 1 < N_SIGN ? gap : 1;
    double to = from + units * unit;
    if (!hear_sign(loudness, n, from, to, signs[j].sounds, &h)) return false;
    from = to;
  }
  return true;
}

// Windows from `at` to the first that is silent beside its second; 0 where none is as soon as a
// sign ends.
static size_t first_silence(const float *loudness, size_t n, size_t at, size_t most) {
  float tone = at + 1 < n ? loudness[at + 1] : 0;
  if (!(tone > LEAST)) return 0;
  for (size_t i = at + 2; i <= at + most; i++) {
    if ((i < n ? loudness[i] : 0) * SILENCE < tone) return i - at;
  }
  return 0;
}

size_t ink_rhythm_find(const float *loudness, size_t n) {
  // Windows of the shortest sign; its end tells how many, but for two that it may share.
  enum { FASTEST = 5, SLOWEST = 20 };
  for (size_t at = 0; at < n; at++) {
    size_t silence = first_silence(loudness, n, at, SLOWEST + 2);
    for (int i = 0; silence && i <= 40; i++) {
      double unit = (double)silence - 0.05 * i;
      if (unit < FASTEST) break;
      if (hear_at(loudness, n, at, unit, 3) || hear_at(loudness, n, at, unit, 1)) return at;
    }
  }
  return n;
}
