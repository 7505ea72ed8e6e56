// Names of samplers and schedules, and prompts, as the command line gives them.
#include "cli/paint_words.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "lang/catalogue.h"

// ---- names --------------------------------------------------------------------------------------

enum { MOST_NAMES = 16 };
_Static_assert((int)INK_SAMPLER_COUNT <= MOST_NAMES && (int)INK_CURVE_COUNT <= MOST_NAMES,
               "every name has its place");

const char *ink_paint_sampler_at(int i) {
  return i < INK_SAMPLER_COUNT ? ink_sampler_about((ink_sampler_kind)i)->name : NULL;
}

const char *ink_paint_schedule_at(int i) {
  return i < INK_CURVE_COUNT ? ink_curve_name((ink_curve)i) : NULL;
}

// Lists the names that there are; which of them was meant, as far as can be told, or NULL.
static const char *nearest_name(const char *given, const char *(*name_at)(int), ink_text *all) {
  const char *names[MOST_NAMES];
  char lowered[64];
  size_t size = 0, n = 0;
  for (; given[size] && size + 1 < sizeof lowered; size++) {
    lowered[size] = (char)tolower((unsigned char)given[size]);
  }
  lowered[size] = 0;
  for (; name_at((int)n); n++) {
    names[n] = name_at((int)n);
    ink_text_format(all, "%s%s", n ? ", " : "", names[n]);
  }
  int nearest = ink_text_nearest(lowered, names, n);
  return nearest < 0 ? NULL : names[nearest];
}

// USAGE: `meant` names the one that was likely meant, `none` is for where nothing is near.
static ink_status unknown(const char *given, const char *(*name_at)(int), const char *meant,
                          const char *none, ink_error *error) {
  ink_text all = {0};
  const char *near = nearest_name(given, name_at, &all), *there = ink_text_string(&all);
  ink_status status = near ? ink_fail(error, INK_ERR_USAGE, meant, given, near, there)
                           : ink_fail(error, INK_ERR_USAGE, none, given, there);
  ink_text_free(&all);
  return status;
}

ink_status ink_paint_set_sampler(const ink_paint_arguments *a, ink_paint_recipe *r,
                                 ink_error *error) {
  ink_curve curve = r->curve;
  bool scheduled = false;
  if (a->sampler && !ink_sampler_parse_scheduled(a->sampler, &r->sampler, &curve, &scheduled)) {
    return unknown(a->sampler, ink_paint_sampler_at,
                   "no sampler \"%s\"; did you mean %s? There are %s",
                   "no sampler \"%s\"; there are %s", error);
  }
  if (a->schedule && !ink_curve_parse(a->schedule, &curve)) {
    return unknown(a->schedule, ink_paint_schedule_at,
                   "no schedule \"%s\"; did you mean %s? There are %s",
                   "no schedule \"%s\"; there are %s", error);
  }
  r->has_sampler = r->has_sampler || a->sampler;
  if (!scheduled && !a->schedule) return INK_OK;
  r->curve = curve;
  r->has_curve = true;
  return INK_OK;
}

// ---- prompts ------------------------------------------------------------------------------------

static ink_status check_words(const char *words, ink_error *error) {
  size_t size = words ? strlen(words) : 0, bad = 0;
  if (!ink_utf8_valid(words, size, &bad)) {
    return ink_fail_at(error, INK_ERR_USAGE, (int64_t)bad,
                       "the prompt is not UTF-8; set the terminal to UTF-8, or save the text so");
  }
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)words[i];
    if ((c >= 0x20 && c != 0x7F) || c == '\n' || c == '\t' || c == '\r') continue;
    return ink_fail_at(
        error, INK_ERR_USAGE, (int64_t)i,
        "the prompt has a control character, which labels cannot hold; leave it out");
  }
  return INK_OK;
}

// "（红色：1.3）": a weight in the brackets and colons of a Chinese keyboard, which are no syntax.
static bool weighs_in_full_width(const char *words) {
  static const char closing[] = "\xEF\xBC\x89", colon[] = "\xEF\xBC\x9A";
  for (const char *at = words ? words : ""; (at = strstr(at, closing)); at += sizeof closing - 1) {
    const char *begin = at;
    while (begin > words && (isdigit((unsigned char)begin[-1]) || begin[-1] == '.')) begin--;
    size_t before = (size_t)(begin - words), size = sizeof colon - 1;
    bool wide = before >= size && memcmp(begin - size, colon, size) == 0;
    if (begin < at && (wide || (before && begin[-1] == ':'))) return true;
  }
  return false;
}

ink_status ink_paint_check_prompts(const ink_paint_recipe *r, ink_error *error) {
  INK_TRY(check_words(r->prompt, error));
  INK_TRY(check_words(r->negative, error));
  if (weighs_in_full_width(r->prompt) || weighs_in_full_width(r->negative)) {
    fprintf(stderr, "%s\n",
            ink_tr("a weight in full-width brackets is read as it stands; write it as (red:1.3)"));
  }
  return INK_OK;
}
