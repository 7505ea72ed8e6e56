// What a finished text is made of before it is marked: the content, apart from any file format.
#ifndef INK_MARK_DOCUMENT_H
#define INK_MARK_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum ink_document_kind { INK_DOCUMENT_PROSE, INK_DOCUMENT_VERSE } ink_document_kind;

// One line of verse or one paragraph of prose.
typedef struct ink_document_line {
  const char *text;   // with its punctuation; "" is the gap between stanzas
  const char *tones;  // verse: one of 平, 仄 for each character of the line, or NULL
  bool rhymes;        // verse: its last character is a rhyme word
} ink_document_line;

// A picture that belongs to the text, finished and labelled (publish/picture.h).
typedef struct ink_document_figure {
  const char *name;  // of its file beside the text; NULL: it has none
  const char *alt;   // what it shows, in words
  const void *png;
  size_t size;
  int32_t width, height;
} ink_document_figure;

// Strings are UTF-8 and borrowed: they must outlive the document.
typedef struct ink_document {
  ink_document_kind kind;
  const char *language;  // BCP 47: "zh-Hans", "en"
  const char *title;
  const char *subtitle;  // the form, a by-line; NULL for none
  const char *note;      // what the checks found, in a sentence; NULL for none
  const ink_document_line *lines;
  size_t n_line;
  const ink_document_figure *figure;  // NULL: none
} ink_document;

#endif
