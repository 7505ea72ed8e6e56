// A second judge of regulated verse, written from the rules in docs/prosody.md and the rhyme book's
// text alone: it shares no code and no table of forms with src/.
#ifndef INK_TESTS_INDEPENDENT_H
#define INK_TESTS_INDEPENDENT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct rhyme_book rhyme_book;

// Read src/lang/data/pingshui.tsv; NULL, with a word on stderr, when it is not as described.
rhyme_book *rhyme_book_read(const char *path);
void rhyme_book_free(rhyme_book *book);

// Whether `poem` (UTF-8, simplified) is a legal 五绝, 七绝, 五律 or 七律: `lines` 4 or 8 of `width`
// 5 or 7 characters. When it is not, `why` (of 200 bytes) says so.
bool is_legal_verse(const rhyme_book *book, const char *poem, int lines, int width, char *why);

#endif
