// Paint for the painter's scenes: recolouring and resampling of drawings, in integers alone, so
// that every machine draws the same bytes.
#include <stdlib.h>
#include <string.h>

#include "train/scene_parts.h"

// ---- colours ------------------------------------------------------------------------------------

typedef struct colour_facts {
  const char *english, *chinese;
  uint8_t paint[3], ground[3];
  uint8_t shade;  // how far shadows go, of 255
  uint8_t light;  // how far highlights go towards white, of 255
} colour_facts;

static const colour_facts COLOURS[INK_SCENE_COLOURS] = {
    [INK_COLOUR_NONE] = {"", "", {255, 255, 255}, {255, 255, 255}, 255, 190},
    [INK_COLOUR_RED] = {"red", "红色", {218, 38, 38}, {240, 96, 88}, 255, 170},
    [INK_COLOUR_ORANGE] = {"orange", "橙色", {246, 132, 24}, {255, 178, 92}, 215, 190},
    [INK_COLOUR_YELLOW] = {"yellow", "黄色", {250, 205, 36}, {255, 232, 120}, 175, 190},
    [INK_COLOUR_GREEN] = {"green", "绿色", {58, 168, 66}, {126, 205, 122}, 255, 180},
    [INK_COLOUR_BLUE] = {"blue", "蓝色", {44, 110, 224}, {120, 178, 246}, 255, 180},
    [INK_COLOUR_PURPLE] = {"purple", "紫色", {136, 68, 192}, {186, 142, 226}, 255, 180},
    [INK_COLOUR_PINK] = {"pink", "粉色", {248, 134, 182}, {252, 186, 212}, 215, 190},
    [INK_COLOUR_BROWN] = {"brown", "棕色", {132, 80, 42}, {172, 128, 92}, 255, 150},
    [INK_COLOUR_BLACK] = {"black", "黑色", {46, 46, 50}, {44, 44, 48}, 255, 110},
    [INK_COLOUR_WHITE] = {"white", "白色", {238, 239, 242}, {255, 255, 255}, 165, 255},
    [INK_COLOUR_GREY] = {"grey", "灰色", {142, 144, 150}, {190, 192, 196}, 255, 170},
};

const char *ink_scene_colour_english(ink_scene_colour colour) {
  return (unsigned)colour < INK_SCENE_COLOURS ? COLOURS[colour].english : "";
}

const char *ink_scene_colour_chinese(ink_scene_colour colour) {
  return (unsigned)colour < INK_SCENE_COLOURS ? COLOURS[colour].chinese : "";
}

void ink_scene_paint_of(ink_scene_colour colour, uint8_t rgb[3]) {
  memcpy(rgb, COLOURS[colour].paint, 3);
}

void ink_scene_ground_of(ink_scene_colour colour, uint8_t rgb[3]) {
  memcpy(rgb, COLOURS[colour].ground, 3);
}

// ---- recolouring --------------------------------------------------------------------------------

enum { HUES = 1536, HUE_BINS = 48, OPAQUE = 8, FULL = 256 };

typedef struct shade {
  int32_t chroma, luma, hue;
} shade;

static shade shade_of(const uint8_t *p) {
  int32_t r = p[0], g = p[1], b = p[2];
  int32_t high = r > g ? (r > b ? r : b) : (g > b ? g : b);
  int32_t low = r < g ? (r < b ? r : b) : (g < b ? g : b);
  shade s = {high - low, (r * 299 + g * 587 + b * 114 + 500) / 1000, 0};
  if (s.chroma == 0) return s;
  int32_t hue = high == r   ? (g - b) * 256 / s.chroma
                : high == g ? 512 + (b - r) * 256 / s.chroma
                            : 1024 + (r - g) * 256 / s.chroma;
  s.hue = hue < 0 ? hue + HUES : hue >= HUES ? hue - HUES : hue;
  return s;
}

static int32_t hue_distance(int32_t a, int32_t b) {
  int32_t d = a > b ? a - b : b - a;
  return d > HUES / 2 ? HUES - d : d;
}

// 0 below `from`, FULL from `to` on.
static int32_t ramp(int32_t value, int32_t from, int32_t to) {
  if (value <= from) return 0;
  return value >= to ? FULL : (value - from) * FULL / (to - from);
}

// How much of a pixel is turned, 0 to FULL.
static int32_t turn_weight(ink_tone_kind kind, int32_t hue, shade s) {
  int32_t coloured = ramp(s.chroma, 22, 60);
  int32_t same_hue = FULL - ramp(hue_distance(s.hue, hue), 190, 280);
  int32_t neutral = FULL - ramp(s.chroma, 60, 100);
  int32_t pale = ramp(s.luma, 60, 110) * neutral / FULL;
  switch (kind) {
    case INK_TONE_ALL:
      return coloured;
    case INK_TONE_ONE:
      return coloured * same_hue / FULL;
    case INK_TONE_PALE:
      return pale;
    case INK_TONE_DARK:
      return (FULL - ramp(s.luma, 110, 160)) * neutral / FULL;
    case INK_TONE_BOTH: {
      int32_t own = coloured * same_hue / FULL;
      return own > pale ? own : pale;
    }
    case INK_TONE_NONE:
    case INK_TONE_KINDS:
      break;
  }
  return 0;
}

// The hue whose neighbourhood (45 degrees to each side) has most of the colour; *share in 256ths.
static int32_t prevailing_hue(const int64_t bins[HUE_BINS], int32_t *share) {
  int64_t total = 0, best = -1;
  int32_t at = 0;
  for (int32_t i = 0; i < HUE_BINS; i++) total += bins[i];
  for (int32_t i = 0; i < HUE_BINS; i++) {
    int64_t sum = 0;
    for (int32_t k = -6; k <= 6; k++) sum += bins[(i + k + HUE_BINS) % HUE_BINS];
    // Of equal neighbourhoods the one whose middle is strongest.
    sum = sum * 16 + bins[i];
    if (sum > best) {
      best = sum;
      at = i;
    }
  }
  int64_t sum = 0;
  for (int32_t k = -6; k <= 6; k++) sum += bins[(at + k + HUE_BINS) % HUE_BINS];
  *share = total ? (int32_t)(sum * FULL / total) : 0;
  return at * (HUES / HUE_BINS) + HUES / HUE_BINS / 2;
}

void ink_sprite_measure(const uint8_t *rgba, int32_t width, int32_t height,
                        ink_sprite_record *record) {
  int64_t bins[HUE_BINS] = {0}, area = 0, coloured = 0, dark = 0;
  int32_t n = width * height;
  for (int32_t i = 0; i < n; i++) {
    const uint8_t *p = rgba + (size_t)i * 4;
    if (p[3] < OPAQUE) continue;
    shade s = shade_of(p);
    area += p[3];
    if (s.chroma >= 40) {
      coloured += p[3];
      bins[s.hue * HUE_BINS / HUES] += (int64_t)p[3] * s.chroma;
    } else if (s.luma < 110) {
      dark += p[3];
    }
  }
  int32_t share;
  int32_t hue = prevailing_hue(bins, &share);
  bool one_hue = share >= 150;
  ink_tone_kind kind;
  if (coloured * 10 < area * 3) {
    kind = dark * 2 > area ? INK_TONE_DARK : INK_TONE_PALE;
  } else if (coloured * 20 < area * 11 && one_hue && dark * 4 < area) {
    kind = INK_TONE_BOTH;
  } else {
    kind = one_hue ? INK_TONE_ONE : INK_TONE_ALL;
  }
  int64_t weight = 0, luma = 0;
  for (int32_t i = 0; i < n; i++) {
    const uint8_t *p = rgba + (size_t)i * 4;
    if (p[3] < OPAQUE) continue;
    shade s = shade_of(p);
    int64_t w = (int64_t)turn_weight(kind, hue, s) * p[3];
    weight += w;
    luma += w * s.luma;
  }
  if (weight * 4 < area * FULL) kind = INK_TONE_NONE;  // less than a quarter of it
  int32_t level = weight ? (int32_t)(luma / weight) : 128;
  record->tone = (uint8_t)kind;
  record->level = (uint8_t)(level < 24 ? 24 : level > 232 ? 232 : level);
  record->hue = (int16_t)hue;
}

void ink_sprite_turn(const ink_sprite_record *record, ink_scene_colour colour, const uint8_t *rgba,
                     uint8_t *out) {
  const colour_facts *facts = &COLOURS[colour];
  int32_t level = record->level, n = record->width * record->height;
  for (int32_t i = 0; i < n; i++, rgba += 4, out += 4) {
    memcpy(out, rgba, 4);
    if (!rgba[3]) continue;
    shade s = shade_of(rgba);
    int32_t w = turn_weight((ink_tone_kind)record->tone, record->hue, s);
    if (!w) continue;
    for (int c = 0; c < 3; c++) {
      int32_t base = facts->paint[c], value;
      if (s.luma <= level) {
        int32_t shadow = (level - s.luma) * facts->shade / level;  // of 255
        value = base * (255 - shadow) / 255;
      } else {
        int32_t light = (s.luma - level) * facts->light / (255 - level);
        value = base + (255 - base) * light / 255;
      }
      out[c] = (uint8_t)((rgba[c] * (FULL - w) + value * w + FULL / 2) / FULL);
    }
  }
}

void ink_sprite_fill(const ink_sprite_record *record, const uint8_t rgb[3], const uint8_t *rgba,
                     uint8_t *out) {
  int32_t n = record->width * record->height;
  for (int32_t i = 0; i < n; i++) {
    memcpy(out + (size_t)i * 4, rgb, 3);
    out[(size_t)i * 4 + 3] = rgba[(size_t)i * 4 + 3];
  }
}

// ---- resampling ---------------------------------------------------------------------------------

enum { WEIGHT_BITS = 14, MOST_TAPS = 4096, MOST_ALPHA = 255 * 255 };

// Where each pixel of a row or column comes from: a tent as wide as the drawing shrinks.
typedef struct taps {
  int32_t first_out, n_out;
  int32_t first[512], count[512], at[512];
  uint16_t weights[MOST_TAPS];
} taps;

typedef struct work {
  taps across, down;
  uint16_t source[INK_SPRITE_SIDE * INK_SPRITE_SIDE * 4];
  uint16_t rows[];  // (128, side, 4)
} work;

size_t ink_scene_work_size(int32_t side) {
  return sizeof(work) + (size_t)INK_SPRITE_SIDE * (size_t)side * 4 * sizeof(uint16_t);
}

// `box` and `length` in 256ths of a pixel.
static void make_taps(taps *t, int32_t n_source, int32_t side, int32_t box, int32_t length,
                      bool nearest) {
  const int64_t one = 1 << 16;
  int64_t step = ((int64_t)n_source * 256 * one) / length;  // of the source, for a pixel
  int64_t reach = nearest ? 1 : step > one ? step : one;
  int32_t used = 0;
  t->n_out = 0;
  for (int32_t x = 0; x < side; x++) {
    int64_t middle = ((int64_t)x * 256 + 128 - box) * n_source * one / length;
    if (middle <= -reach || middle >= n_source * one + reach) continue;
    if (nearest && (middle < 0 || middle >= n_source * one)) continue;
    if (t->n_out == 0) t->first_out = x;
    int32_t k = t->n_out;
    int64_t low = nearest ? middle / one : (middle - reach + one * 1024) / one - 1024;
    int64_t high = nearest ? low : (middle + reach) / one;
    int64_t sum = 0, kept = 0;
    int32_t strongest = -1;
    t->at[k] = used;
    t->first[k] = (int32_t)(low < 0 ? 0 : low);
    int32_t last = (int32_t)(high >= n_source ? n_source - 1 : high);
    for (int64_t i = low; i <= high; i++) {
      int64_t distance = i * one + one / 2 - middle;
      int64_t w = reach - (distance < 0 ? -distance : distance);
      if (w > 0) sum += w;
    }
    if (used + last - t->first[k] + 1 > MOST_TAPS) break;
    for (int32_t i = t->first[k]; i <= last; i++) {
      int64_t distance = i * one + one / 2 - middle;
      int64_t w = reach - (distance < 0 ? -distance : distance);
      w = nearest ? 1 << WEIGHT_BITS : w > 0 && sum > 0 ? (w << WEIGHT_BITS) / sum : 0;
      t->weights[used + i - t->first[k]] = (uint16_t)w;
      kept += w;
      if (strongest < 0 || w > t->weights[strongest]) strongest = used + i - t->first[k];
    }
    // All within the drawing: what rounding took goes to the strongest, so that opaque stays so.
    if (!nearest && strongest >= 0 && low >= 0 && high < n_source) {
      t->weights[strongest] =
          (uint16_t)(t->weights[strongest] + ((1 << WEIGHT_BITS) - (int32_t)kept));
    }
    t->count[k] = last - t->first[k] + 1;
    if (t->count[k] < 0) t->count[k] = 0;
    used += t->count[k];
    t->n_out++;
  }
}

static void multiply_alpha(const uint8_t *rgba, int32_t width, int32_t height, bool mirrored,
                           uint16_t *out) {
  for (int32_t y = 0; y < height; y++) {
    for (int32_t x = 0; x < width; x++) {
      const uint8_t *p =
          rgba + ((size_t)y * (size_t)width + (size_t)(mirrored ? width - 1 - x : x)) * 4;
      uint16_t *q = out + ((size_t)y * (size_t)width + (size_t)x) * 4;
      for (int c = 0; c < 3; c++) q[c] = (uint16_t)(p[c] * p[3]);
      q[3] = (uint16_t)(255 * p[3]);
    }
  }
}

void ink_scene_lay(ink_scene_canvas *canvas, const uint8_t *rgba, int32_t width, int32_t height,
                   int32_t box_x, int32_t box_y, int32_t box_width, int32_t box_height,
                   bool mirrored, bool pixels) {
  work *w = canvas->work;
  if (box_width < 1 || box_height < 1) return;
  make_taps(&w->across, width, canvas->side, box_x, box_width, pixels);
  make_taps(&w->down, height, canvas->side, box_y, box_height, pixels);
  multiply_alpha(rgba, width, height, mirrored, w->source);
  const uint32_t half = 1u << (WEIGHT_BITS - 1);
  size_t n_out = (size_t)w->across.n_out;
  for (int32_t y = 0; y < height; y++) {
    const uint16_t *row = w->source + (size_t)y * (size_t)width * 4;
    uint16_t *to = w->rows + (size_t)y * n_out * 4;
    for (size_t x = 0; x < n_out; x++, to += 4) {
      const uint16_t *from = row + (size_t)w->across.first[x] * 4;
      const uint16_t *weights = w->across.weights + w->across.at[x];
      uint32_t sum[4] = {half, half, half, half};
      for (int32_t k = 0; k < w->across.count[x]; k++, from += 4) {
        for (int c = 0; c < 4; c++) sum[c] += (uint32_t)from[c] * weights[k];
      }
      for (int c = 0; c < 4; c++) to[c] = (uint16_t)(sum[c] >> WEIGHT_BITS);
    }
  }
  for (int32_t y = 0; y < w->down.n_out; y++) {
    const uint16_t *weights = w->down.weights + w->down.at[y];
    uint8_t *to =
        canvas->rgb +
        ((size_t)(w->down.first_out + y) * (size_t)canvas->side + (size_t)w->across.first_out) * 3;
    for (size_t x = 0; x < n_out; x++, to += 3) {
      const uint16_t *from = w->rows + ((size_t)w->down.first[y] * n_out + x) * 4;
      uint32_t sum[4] = {half, half, half, half};
      for (int32_t k = 0; k < w->down.count[y]; k++, from += n_out * 4) {
        for (int c = 0; c < 4; c++) sum[c] += (uint32_t)from[c] * weights[k];
      }
      uint32_t alpha = sum[3] >> WEIGHT_BITS;
      if (alpha > MOST_ALPHA) alpha = MOST_ALPHA;
      if (!alpha) continue;
      for (int c = 0; c < 3; c++) {
        uint32_t over = (sum[c] >> WEIGHT_BITS) * 255 + to[c] * (MOST_ALPHA - alpha);
        uint32_t value = (over + MOST_ALPHA / 2) / MOST_ALPHA;
        to[c] = (uint8_t)(value > 255 ? 255 : value);
      }
    }
  }
}

// ---- contours -----------------------------------------------------------------------------------

void ink_scene_contour(ink_scene_canvas *canvas) {
  int32_t side = canvas->side;
  uint8_t *luma = canvas->work;  // (side, side): the work space is larger
  for (int32_t i = 0; i < side * side; i++) {
    luma[i] = (uint8_t)shade_of(canvas->rgb + (size_t)i * 3).luma;
  }
  for (int32_t y = 0; y < side; y++) {
    for (int32_t x = 0; x < side; x++) {
      int32_t left = x ? x - 1 : 0, right = x + 1 < side ? x + 1 : x;
      int32_t up = (y ? y - 1 : 0) * side, down = (y + 1 < side ? y + 1 : y) * side,
              here = y * side;
      int32_t across = luma[up + right] + 2 * luma[here + right] + luma[down + right] -
                       luma[up + left] - 2 * luma[here + left] - luma[down + left];
      int32_t along = luma[down + left] + 2 * luma[down + x] + luma[down + right] -
                      luma[up + left] - 2 * luma[up + x] - luma[up + right];
      int32_t edge = (abs(across) > abs(along) ? abs(across) : abs(along)) * 9 / 8;
      int32_t dark = edge < 40 ? 0 : edge - 40;
      int32_t value = 255 - (dark > 225 ? 225 : dark);
      memset(canvas->rgb + ((size_t)here + (size_t)x) * 3, value, 3);
    }
  }
}
