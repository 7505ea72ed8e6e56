// Traditional and variant characters to simplified ones: a sorted table, and rules for the few
// characters whose neighbours decide.
#include "lang/simplify.h"

#include <stdbool.h>
#include <uchar.h>

#include "lang/simplify_table.h"

// `rune` becomes `special` when the simplified character before it is in `before` or the one after
// it in `after`, else `usual`.
typedef struct neighbour_rule {
  char32_t rune, usual, special;
  const char32_t *before, *after;
} neighbour_rule;

static const neighbour_rule rules[] = {
    {U'乾', U'干', U'乾', U"竺旋转承体法",
     U"坤元卦象道隆陵曜纲断德符文健刚端行旋明宁闼图造宅枢维仪淳封极清乾竺位龙城宫"},
    {U'祇', U'只', U'祇', U"神山地灵僧柔明皇风三后天", U"园树林洹陀夜桓苑"},
    {U'徵', U'征', U'徵', U"宫清流变角下急嚼魏", U"羽角宫弦音声招"},
    {U'於', U'于', U'於', U"", U"菟穆皇戏乎赫昭铄潜陵"},
    {U'沈', U'沈', U'沉', U"浮深阴昏升陆月日飞影声星云西平夜自欲未已半初沈沉乌鱼冤消",
     U"吟浮醉香冥迷沦忧埋思痾疴酣潜檀烟水沈没落睡静寂痛重滞湎溺魂霾雾舟沙船酗绵郁浸默"},
};

uint32_t ink_simplify_rune(uint32_t rune) {
  size_t low = 0, high = sizeof pair_table / sizeof *pair_table;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (pair_table[middle] >> 32 == rune) return (uint32_t)pair_table[middle];
    if (pair_table[middle] >> 32 < rune)
      low = middle + 1;
    else
      high = middle;
  }
  return rune;
}

static bool holds(const char32_t *set, uint32_t rune) {
  while (*set && *set != rune) set++;
  return *set != 0;
}

static uint32_t in_context(uint32_t before, uint32_t rune, uint32_t after) {
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (rules[i].rune == rune) {
      bool special = holds(rules[i].before, ink_simplify_rune(before)) ||
                     holds(rules[i].after, ink_simplify_rune(after));
      return special ? rules[i].special : rules[i].usual;
    }
  return ink_simplify_rune(rune);
}

static const uint32_t END = UINT32_MAX;

// Decode the code point at *at and move past it; END behind the last.
static uint32_t next_rune(const char *text, size_t size, size_t *at) {
  if (*at == size) return END;
  int32_t rune;
  *at += ink_utf8_decode(text + *at, size - *at, &rune);
  return rune < 0 ? INK_RUNE_INVALID : (uint32_t)rune;
}

void ink_simplify(const char *text, size_t size, ink_text *out) {
  size_t at = 0;
  uint32_t before = END, rune = next_rune(text, size, &at);
  while (rune != END) {
    uint32_t after = next_rune(text, size, &at);
    ink_text_add_rune(out, in_context(before, rune, after));
    before = rune;
    rune = after;
  }
}
