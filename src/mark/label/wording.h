// The words of visible labels, in each language. GB 45438-2025, section 5, asks for two elements:
// AI ("人工智能" or "AI"), and that it was generated ("生成", "合成").
#ifndef INK_MARK_LABEL_WORDING_H
#define INK_MARK_LABEL_WORDING_H

#include <stddef.h>

// What a label claims: the values of the metadata label's member "Label" (Annex E).
typedef enum ink_label_kind {
  INK_LABEL_OWN,       // 1: it is generated; by who puts the label on
  INK_LABEL_DECLARED,  // 2: it may be; who made it says so
  INK_LABEL_SUSPECTED  // 3: it is suspected to be; who spreads it found traces
} ink_label_kind;

typedef enum ink_label_medium { INK_LABEL_TEXT, INK_LABEL_PICTURE } ink_label_medium;

// Wordings, the longest first, ended by NULL. "zh…" is Chinese, any other language English. Those
// of a picture end with one that is broken in two.
const char *const *ink_label_wordings(ink_label_kind kind, ink_label_medium medium,
                                      const char *language);

// For who lays words out in a font that is not known: the width of the first `size` bytes of words
// in ems, rather too wide, and the height of a capital letter in ems, rather too low.
double ink_label_ems(const char *words, size_t size);
static const double ink_label_capital = 0.66;

#endif
