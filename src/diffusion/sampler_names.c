// Samplers and schedules by the names that people know them by: ours, A1111's ("DPM++ 2M Karras"),
// ComfyUI's ("dpmpp_2m", "sgm_uniform").
#include <ctype.h>
#include <string.h>

#include "diffusion/sampler.h"

enum { MOST_KEY = 64 };

static const char *const curve_names[INK_CURVE_COUNT] = {"default", "karras",      "exponential",
                                                         "beta",    "sgm-uniform", "simple",
                                                         "ays",     "ays-xl",      "trailing"};
static const char *const curve_labels[INK_CURVE_COUNT] = {
    "Automatic", "Karras",           "Exponential",         "Beta",    "SGM Uniform",
    "Simple",    "Align Your Steps", "Align Your Steps XL", "Trailing"};

const char *ink_curve_name(ink_curve curve) {
  return curve_names[curve];
}

const char *ink_curve_label(ink_curve curve) {
  return curve_labels[curve];
}

// What a name comes to in every spelling: letters and figures, small; "++" is "pp" in ComfyUI, and
// "a" there "ancestral". False for names that are none, being too long.
static bool key_of(const char *name, size_t size, char key[MOST_KEY]) {
  static const char ancestral[] = "ancestral";
  size_t n = 0;
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)name[i];
    if (c == '+') c = 'p';
    if (c == ' ' || c == '-' || c == '_') continue;
    if (n + 1 == MOST_KEY) return false;
    key[n++] = (char)tolower(c);
  }
  size_t tail = sizeof ancestral - 1;
  if (n > tail && memcmp(key + n - tail, ancestral, tail) == 0) n -= tail - 1;
  key[n] = 0;
  return n > 0;
}

static bool same_key(const char *key, const char *name) {
  char other[MOST_KEY];
  return key_of(name, strlen(name), other) && strcmp(key, other) == 0;
}

static bool parse_sampler(const char *name, size_t size, ink_sampler_kind *kind) {
  char key[MOST_KEY];
  if (!key_of(name, size, key)) return false;
  for (int i = 0; i < INK_SAMPLER_COUNT; i++) {
    const ink_sampler_info *info = ink_sampler_about((ink_sampler_kind)i);
    if (!same_key(key, info->name) && !same_key(key, info->label)) continue;
    *kind = (ink_sampler_kind)i;
    return true;
  }
  return false;
}

bool ink_sampler_parse(const char *name, ink_sampler_kind *kind) {
  return parse_sampler(name, strlen(name), kind);
}

bool ink_curve_parse(const char *name, ink_curve *curve) {
  char key[MOST_KEY];
  if (!key_of(name, strlen(name), key)) return false;
  // ComfyUI's name for the first.
  if (strcmp(key, "normal") == 0) {
    *curve = INK_CURVE_SPACED;
    return true;
  }
  for (int i = 0; i < INK_CURVE_COUNT; i++) {
    if (!same_key(key, curve_names[i]) && !same_key(key, curve_labels[i])) continue;
    *curve = (ink_curve)i;
    return true;
  }
  return false;
}

bool ink_sampler_parse_scheduled(const char *name, ink_sampler_kind *kind, ink_curve *curve,
                                 bool *has_curve) {
  *has_curve = false;
  if (ink_sampler_parse(name, kind)) return true;
  for (const char *at = strpbrk(name, " _"); at; at = strpbrk(at + 1, " _")) {
    if (!parse_sampler(name, (size_t)(at - name), kind) || !ink_curve_parse(at + 1, curve)) {
      continue;
    }
    *has_curve = true;
    return true;
  }
  return false;
}
