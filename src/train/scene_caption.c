// What a person might ask for to get a scene: wordings in English and Chinese.
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "train/scene_parts.h"

enum { PHRASE = 160, MOST_HAN = 28 };

static bool happens(ink_random *random, int percent) {
  return ink_random_below(random, 100) < (uint64_t)percent;
}

static const char *one_of(ink_random *random, const char *const *list, size_t n) {
  return list[ink_random_below(random, n)];
}
#define ONE_OF(random, list) one_of(random, list, sizeof(list) / sizeof *(list))

// ---- English ------------------------------------------------------------------------------------

// Sounds, not letters, choose the article.
static bool takes_an(const char *word) {
  static const char *const AN[] = {"hour", "X-ray", "honest", "SUV", NULL};
  static const char *const A[] = {"uni", "UFO", "one-", "euro", "ewe", "use", "uku", NULL};
  for (int i = 0; AN[i]; i++) {
    if (strncmp(word, AN[i], strlen(AN[i])) == 0) return true;
  }
  for (int i = 0; A[i]; i++) {
    if (strncmp(word, A[i], strlen(A[i])) == 0) return false;
  }
  return strchr("aeiouAEIOU", *word) != NULL;
}

// The plural of a noun phrase is that of its head: the word before "of", "with" and the like.
static void plural(const char *phrase, char *out, size_t size) {
  static const char *const AFTER_HEAD[] = {" of ",      " with ",     " on ",       " in ",
                                           " without ", " covering ", " blowing ",  " taking ",
                                           " landing",  " exhaling",  " savoring ", " holding ",
                                           " over ",    " behind ",   " and ",      NULL};
  static const char *const IRREGULAR[][2] = {
      {"mouse", "mice"},
      {"goose", "geese"},
      {"sheep", "sheep"},
      {"fish", "fish"},
      {"deer", "deer"},
      {"man", "men"},
      {"woman", "women"},
      {"foot", "feet"},
      {"tooth", "teeth"},
      {"child", "children"},
      {"person", "people"},
      {"leaf", "leaves"},
      {"wolf", "wolves"},
      {"knife", "knives"},
      {"loaf", "loaves"},
      {"die", "dice"},
      {"bison", "bison"},
      {"squid", "squid"},
      {"shrimp", "shrimp"},
      {"moose", "moose"},
      {"ox", "oxen"},
      {"elf", "elves"},
      {"scarf", "scarves"},
      {"piano", "pianos"},
      {"photo", "photos"},
      {"avocado", "avocados"},
      {"taco", "tacos"},
      {"burrito", "burritos"},
      {"banjo", "banjos"},
      {"yo-yo", "yo-yos"},
      {"dango", "dango"},
      {"hippo", "hippos"},
      {"rhino", "rhinos"},
      {"kimono", "kimonos"},
      {"disco", "discos"},
      {"flamingo", "flamingos"},
      {"radio", "radios"},
      {"UFO", "UFOs"},
      {"blowfish", "blowfish"},
      {"jellyfish", "jellyfish"},
      {"water buffalo", "water buffalo"},
      {"buffalo", "buffalo"},
  };
  size_t length = strlen(phrase);
  for (int i = 0; AFTER_HEAD[i]; i++) {
    const char *at = strstr(phrase, AFTER_HEAD[i]);
    if (at && (size_t)(at - phrase) < length) length = (size_t)(at - phrase);
  }
  size_t word = length;
  while (word && phrase[word - 1] != ' ') word--;
  for (size_t i = 0; i < sizeof IRREGULAR / sizeof *IRREGULAR; i++) {
    size_t n = strlen(IRREGULAR[i][0]);
    if (length - word == n && strncmp(phrase + word, IRREGULAR[i][0], n) == 0) {
      snprintf(out, size, "%.*s%s%s", (int)word, phrase, IRREGULAR[i][1], phrase + length);
      return;
    }
  }
  char last = length ? phrase[length - 1] : 0, before = length > 1 ? phrase[length - 2] : 0;
  const char *ending = "s";
  size_t kept = length;
  if (last == 'y' && !strchr("aeiou", before)) {
    kept--;
    ending = "ies";
  } else if (strchr("sxz", last) || (last == 'h' && strchr("cs", before)) ||
             (last == 'o' && !strchr("aeiou", before))) {
    ending = "es";
  }
  snprintf(out, size, "%.*s%s%s", (int)kept, phrase, ending, phrase + length);
}

typedef enum article { BARE, WITH_ARTICLE } article;

// The common word, or `other` one.
static const char *english_hue(ink_scene_colour colour, bool other) {
  return other && colour == INK_COLOUR_GREY ? "gray" : ink_scene_colour_english(colour);
}

static void english_noun(const ink_concept *c, int name, ink_scene_colour colour, int count,
                         article how, bool other, char *out) {
  static const char *const NUMBERS[] = {"", "", "two", "three", "four"};
  const char *hue = english_hue(colour, other);
  const char *gap = *hue ? " " : "";
  ink_noun_form form = c->forms[name];
  if (count > 1) {
    char many[PHRASE / 2];
    plural(c->english[name], many, sizeof many);
    if (other) {
      snprintf(out, PHRASE, "%d %s%s%s", count, hue, gap, many);
    } else {
      snprintf(out, PHRASE, "%s %s%s%s", NUMBERS[count], hue, gap, many);
    }
    return;
  }
  const char *lead = how == BARE || form != INK_NOUN_ONE       ? ""
                     : takes_an(*hue ? hue : c->english[name]) ? "an "
                                                               : "a ";
  snprintf(out, PHRASE, "%s%s%s%s", lead, hue, gap, c->english[name]);
}

// ---- Chinese ------------------------------------------------------------------------------------

// 红色的, or another of the ways to say it.
static void chinese_hue(ink_random *random, ink_scene_colour colour, bool other, char *out) {
  static const char *const OTHER[INK_SCENE_COLOURS] = {
      [INK_COLOUR_ORANGE] = "橘色", [INK_COLOUR_PINK] = "粉红色", [INK_COLOUR_BROWN] = "褐色"};
  const char *hue = ink_scene_colour_chinese(colour);
  *out = 0;
  if (!*hue) return;
  uint64_t way = other ? ink_random_below(random, 4) : 0;
  if (way == 3 && OTHER[colour]) hue = OTHER[colour];
  // The first character alone, 红, where it stands for the colour by itself.
  int size = (int)strlen(hue) - (way == 1 ? (int)strlen("色") : 0);
  snprintf(out, PHRASE / 4, "%.*s%s", size, hue, way == 1 || way == 2 ? "" : "的");
}

static void chinese_noun(ink_random *random, const ink_concept *c, int name,
                         ink_scene_colour colour, int count, article how, const char *measure,
                         bool other, char *out) {
  static const char *const NUMBERS[] = {"", "一", "两", "三", "四"};
  static const char *const DIGITS[] = {"", "一", "2", "3", "4"};
  char hue[PHRASE / 4];
  chinese_hue(random, colour, other, hue);
  bool bare = how == BARE && count == 1;
  snprintf(out, PHRASE, "%s%s%s%s", bare ? "" : (other ? DIGITS : NUMBERS)[count],
           bare ? "" : measure, hue, c->chinese[name]);
}

// ---- wordings -----------------------------------------------------------------------------------

// Texts that are too long for the field, or for a context of 32 tokens, are left out; so are
// repetitions.
static void add(ink_scene_caption *caption, const char *text) {
  size_t size = strlen(text), runes = ink_utf8_length(text, size);
  if (size >= INK_SCENE_TEXT_BYTES || (runes < size && runes > MOST_HAN)) return;
  for (int i = 0; i < caption->n_text; i++) {
    if (strcmp(caption->texts[i], text) == 0) return;
  }
  if (caption->n_text < INK_SCENE_TEXTS) memcpy(caption->texts[caption->n_text++], text, size + 1);
}

typedef struct wording {
  const ink_sprites *sprites;
  const ink_scene_plan *plan;
  ink_random *random;
  const ink_concept *concepts[INK_SCENE_OBJECTS];
} wording;

// The first name, or now and then another.
static int name_of(wording *w, int n, bool other) {
  return other && n > 1 ? 1 + (int)ink_random_below(w->random, (uint64_t)(n - 1)) : 0;
}

static void english(wording *w, bool other, article how, char *out) {
  const ink_scene_plan *plan = w->plan;
  char nouns[INK_SCENE_OBJECTS][PHRASE];
  for (int i = 0; i < plan->n_thing; i++) {
    const ink_concept *c = w->concepts[i];
    int name = name_of(w, c->n_english, other);
    if (plan->count > 1 && c->forms[name] != INK_NOUN_ONE) name = 0;
    ink_scene_colour colour =
        plan->style == INK_STYLE_SILHOUETTE ? INK_COLOUR_NONE : plan->things[i].colour;
    english_noun(c, name, colour, plan->count, how, other, nouns[i]);
  }
  if (plan->n_thing == 2) {
    bool turned = happens(w->random, 15);
    const char *join = turned                                  ? " to the right of "
                       : happens(w->random, 12)                ? " to the left of "
                       : happens(w->random, 12)                ? " next to "
                       : happens(w->random, 8)                 ? " with "
                       : how == BARE && happens(w->random, 20) ? ", "
                                                               : " and ";
    if (!turned && happens(w->random, 5)) {
      snprintf(out, 2 * PHRASE + 40, "%s on the left, %s on the right", nouns[0], nouns[1]);
    } else {
      snprintf(out, 2 * PHRASE + 40, "%s%s%s", nouns[turned], join, nouns[!turned]);
    }
  } else {
    snprintf(out, PHRASE, "%s", nouns[0]);
  }
}

static void add_english(wording *w, bool other, article how, const char *lead,
                        ink_scene_caption *caption) {
  static const char *const BLOB[] = {"%s in blob style", "%s, blob style", "blob style %s"};
  static const char *const PIXEL[] = {"pixel art of %s", "%s in pixel art", "%s, pixel art",
                                      "pixel art %s"};
  static const char *const OUTLINE[] = {"a line drawing of %s", "an outline of %s",
                                        "line drawing of %s", "%s, line drawing"};
  static const char *const GROUND[] = {"%s on a %s background", "%s on a %s background",
                                       "%s with a %s background", "%s, %s background"};
  const ink_scene_plan *plan = w->plan;
  char noun[3 * PHRASE], styled[4 * PHRASE], text[6 * PHRASE];
  english(w, other, how, noun);
  switch (plan->style) {
    case INK_STYLE_BLOB: {
      const char *form = ONE_OF(w->random, BLOB);
      if (form == BLOB[2]) english(w, other, BARE, noun);
      snprintf(styled, sizeof styled, form, noun);
      break;
    }
    case INK_STYLE_PIXEL: {
      const char *form = ONE_OF(w->random, PIXEL);
      if (form == PIXEL[3]) english(w, other, BARE, noun);
      snprintf(styled, sizeof styled, form, noun);
      break;
    }
    case INK_STYLE_OUTLINE:
      snprintf(styled, sizeof styled, ONE_OF(w->random, OUTLINE), noun);
      break;
    case INK_STYLE_SILHOUETTE: {
      ink_scene_colour colour = plan->things[0].colour;
      const char *hue = ink_scene_colour_english(colour);
      bool named = colour != INK_COLOUR_BLACK || happens(w->random, 50);
      snprintf(styled, sizeof styled, "%s%s%ssilhouette of %s",
               how == BARE              ? ""
               : named && takes_an(hue) ? "an "
                                        : "a ",
               named ? hue : "", named ? " " : "", noun);
      break;
    }
    case INK_STYLE_PLAIN:
    case INK_SCENE_STYLES:
      snprintf(styled, sizeof styled, "%s", noun);
      break;
  }
  if (plan->background) {
    const char *hue = english_hue(plan->background, other);
    const char *form = ONE_OF(w->random, GROUND);
    if (takes_an(hue) && form != GROUND[3]) {
      form = form == GROUND[2] ? "%s with an %s background" : "%s on an %s background";
    }
    char grounded[5 * PHRASE];
    snprintf(grounded, sizeof grounded, form, styled, hue);
    snprintf(text, sizeof text, "%s%s", lead, grounded);
  } else {
    snprintf(text, sizeof text, "%s%s", lead, styled);
  }
  add(caption, text);
}

// `inside` a longer phrase the form must stay a noun.
static void chinese(wording *w, bool other, article how, const char *measure, bool inside,
                    char *out) {
  const ink_scene_plan *plan = w->plan;
  char nouns[INK_SCENE_OBJECTS][PHRASE];
  for (int i = 0; i < plan->n_thing; i++) {
    const ink_concept *c = w->concepts[i];
    ink_scene_colour colour =
        plan->style == INK_STYLE_SILHOUETTE ? INK_COLOUR_NONE : plan->things[i].colour;
    bool one = measure && c->forms[0] == INK_NOUN_ONE;
    chinese_noun(w->random, c, name_of(w, c->n_chinese, other), colour, plan->count, how,
                 one ? measure : c->measure, other, nouns[i]);
  }
  if (plan->n_thing == 2) {
    // Those that stay nouns come first. The right one is named first where the form says so.
    static const char *const FORMS[] = {
        "%s和%s",         "%s和%s",      "%s和%s",       "%s与%s",
        "%s和%s",         "%s，%s",      "%s在%s的左边", "左边是%s，右边是%s",
        "左边%s，右边%s", "%s在%s的右边"};
    enum { NOUNS = 5, RIGHT_FIRST = 9 };
    size_t form = ink_random_below(w->random, inside ? NOUNS : sizeof FORMS / sizeof *FORMS);
    bool turned = form == RIGHT_FIRST;
    snprintf(out, 3 * PHRASE, FORMS[form], nouns[turned], nouns[!turned]);
  } else {
    snprintf(out, PHRASE, "%s", nouns[0]);
  }
}

static void add_chinese(wording *w, bool other, article how, const char *measure, const char *lead,
                        const char *tail, ink_scene_caption *caption) {
  const ink_scene_plan *plan = w->plan;
  char noun[3 * PHRASE], styled[4 * PHRASE], text[6 * PHRASE];
  bool behind = happens(w->random, 40);
  chinese(w, other, how, measure, plan->background || plan->style || *lead || *tail, noun);
  const char *style = plan->style == INK_STYLE_BLOB    ? "圆润风格"
                      : plan->style == INK_STYLE_PIXEL ? "像素风格"
                                                       : "";
  if (*style) {
    if (behind && *tail == 0) {
      snprintf(styled, sizeof styled, "%s，%s", noun, style);
    } else {
      snprintf(styled, sizeof styled, "%s的%s", style, noun);
    }
  } else if (plan->style == INK_STYLE_SILHOUETTE) {
    ink_scene_colour colour = plan->things[0].colour;
    bool named = colour != INK_COLOUR_BLACK || happens(w->random, 50);
    snprintf(styled, sizeof styled, "%s的%s剪影", noun,
             named ? ink_scene_colour_chinese(colour) : "");
  } else if (plan->style == INK_STYLE_OUTLINE) {
    static const char *const LINES[] = {"%s的线稿", "%s的简笔画", "%s的轮廓"};
    snprintf(styled, sizeof styled, ONE_OF(w->random, LINES), noun);
  } else {
    snprintf(styled, sizeof styled, "%s", noun);
  }
  if (plan->background) {
    const char *hue = ink_scene_colour_chinese(plan->background);
    char grounded[5 * PHRASE];
    if (behind && *tail == 0) {
      snprintf(grounded, sizeof grounded, "%s，%s背景", styled, hue);
    } else {
      snprintf(grounded, sizeof grounded, "%s背景上的%s", hue, styled);
    }
    snprintf(text, sizeof text, "%s%s%s", lead, grounded, tail);
  } else {
    snprintf(text, sizeof text, "%s%s%s", lead, styled, tail);
  }
  add(caption, text);
}

void ink_scene_word(const ink_sprites *sprites, const ink_scene_plan *plan, ink_random *random,
                    ink_scene_caption *caption) {
  static const char *const ENGLISH_LEADS[] = {"a picture of ", "a picture of ", "a drawing of ",
                                              "an image of ",  "an emoji of ",  "draw ",
                                              "paint ",        "an icon of "};
  static const struct {
    const char *lead, *tail;
  } CHINESE_LEADS[] = {{"画", ""},       {"画", ""},   {"一幅", "的图"}, {"一张", "的图片"},
                       {"一幅", "的画"}, {"请画", ""}, {"", "的图标"},   {"", "的图片"}};
  memset(caption, 0, sizeof *caption);
  caption->kind = plan->kind;
  caption->style = plan->style;
  caption->background = plan->background;
  caption->novelty = plan->novelty;
  caption->n_object = plan->n_thing;
  caption->count = plan->count;
  wording w = {sprites, plan, random, {NULL, NULL}};
  for (int i = 0; i < plan->n_thing; i++) {
    caption->objects[i] = (ink_scene_object){plan->things[i].concept, plan->things[i].colour};
    w.concepts[i] = &sprites->concepts[plan->things[i].concept];
  }
  add_english(&w, false, WITH_ARTICLE, "", caption);
  add_chinese(&w, false, WITH_ARTICLE, NULL, "", "", caption);
  add_english(&w, false, BARE, "", caption);
  add_chinese(&w, false, BARE, NULL, "", "", caption);
  add_english(&w, true, happens(random, 60) ? WITH_ARTICLE : BARE, "", caption);
  add_chinese(&w, true, happens(random, 60) ? WITH_ARTICLE : BARE, NULL, "", "", caption);
  add_english(&w, happens(random, 20), WITH_ARTICLE, ONE_OF(random, ENGLISH_LEADS), caption);
  size_t lead = ink_random_below(random, sizeof CHINESE_LEADS / sizeof *CHINESE_LEADS);
  // 画一只猫, 一幅一只猫的画, 猫的图标.
  article how = happens(random, *CHINESE_LEADS[lead].tail ? 40 : 80) ? WITH_ARTICLE : BARE;
  add_chinese(&w, happens(random, 30), how, happens(random, 25) ? "个" : NULL,
              CHINESE_LEADS[lead].lead, CHINESE_LEADS[lead].tail, caption);
}
