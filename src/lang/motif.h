// What a picture can show of a verse: the things it names, with the words a painter knows them by.
#ifndef INK_LANG_MOTIF_H
#define INK_LANG_MOTIF_H

#include <stddef.h>

typedef struct ink_motif {
  const char *signs;    // words of verse that mean it, simplified, separated by spaces
  const char *phrase;   // in Chinese, with its measure word: "一轮满月"
  const char *english;  // "full moon"
} ink_motif;

// The motifs of a verse, the most telling first, at most `most`; returns how many. A sign in
// `heading` (title and theme; may be NULL) weighs as much as four in the text; a long sign hides
// the short ones within it ("明月" is not also 明). Equal weights keep the order of first
// appearance.
size_t ink_motifs_of(const char *heading, const char *text, size_t most, const ink_motif **found);

#endif
