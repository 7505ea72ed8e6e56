// Pre-tokenizers (Hugging Face tokenizers, pre_tokenizers/* and NormalizedString::split).
#include "tokenizer/split.h"

#include <string.h>

#include "tokenizer/bytes.h"

static ink_status step(const ink_splitting *splitting, size_t which, const char *text, size_t size,
                       bool at_start, ink_error *error);

// Pieces of a text in order, some of which are matches, on their way to the next step. One piece
// may be held back until it is known what follows.
typedef struct pieces {
  const ink_splitting *splitting;
  size_t which;
  const char *text;
  bool at_start;
  bool holds, held_match;
  size_t held_start, held_end;
  ink_error *error;
} pieces;

static ink_status emit(const pieces *p, size_t start, size_t end) {
  if (start == end) return INK_OK;
  return step(p->splitting, p->which + 1, p->text + start, end - start, p->at_start && start == 0,
              p->error);
}

static ink_status flush(pieces *p) {
  if (!p->holds) return INK_OK;
  p->holds = false;
  return emit(p, p->held_start, p->held_end);
}

static void hold(pieces *p, size_t start, size_t end, bool match) {
  p->holds = true;
  p->held_match = match;
  p->held_start = start;
  p->held_end = end;
}

static ink_status take(pieces *p, size_t start, size_t end, bool match) {
  const ink_splitter *s = &p->splitting->steps[p->which];
  match = match != s->invert;
  switch (s->behavior) {
    case INK_SPLIT_ISOLATED:
      return emit(p, start, end);
    case INK_SPLIT_REMOVED:
      return match ? INK_OK : emit(p, start, end);
    case INK_SPLIT_CONTIGUOUS:
      if (p->holds && p->held_match == match) {
        p->held_end = end;
        return INK_OK;
      }
      INK_TRY(flush(p));
      hold(p, start, end, match);
      return INK_OK;
    case INK_SPLIT_MERGED_WITH_PREVIOUS:
      if (match && p->holds) {  // only what is no match is held
        p->held_end = end;
        return flush(p);
      }
      INK_TRY(flush(p));
      if (match) return emit(p, start, end);
      hold(p, start, end, false);
      return INK_OK;
    case INK_SPLIT_MERGED_WITH_NEXT:
      if (!match && p->holds) {  // only a match is held
        p->held_end = end;
        return flush(p);
      }
      INK_TRY(flush(p));
      if (!match) return emit(p, start, end);
      hold(p, start, end, true);
      return INK_OK;
  }
  return INK_OK;
}

static ink_status split_by_pattern(const ink_splitting *splitting, size_t which, const char *text,
                                   size_t size, bool at_start, ink_error *error) {
  const ink_splitter *s = &splitting->steps[which];
  pieces p = {
      .splitting = splitting, .which = which, .text = text, .at_start = at_start, .error = error};
  ink_matches matches = ink_matches_of(s->pattern, splitting->matcher, text, size);
  size_t end = 0;
  for (;;) {
    ink_match match;
    INK_TRY(ink_matches_next(&matches, &match, error));
    if (!match.found) break;
    if (match.start > end) INK_TRY(take(&p, end, match.start, false));
    INK_TRY(take(&p, match.start, match.end, true));
    end = match.end;
  }
  if (end < size) INK_TRY(take(&p, end, size, false));
  return flush(&p);
}

static bool begins_with(const char *text, size_t size, const char *prefix, size_t prefix_size) {
  return size >= prefix_size && memcmp(text, prefix, prefix_size) == 0;
}

static ink_status metaspace(const ink_splitting *splitting, size_t which, const char *text,
                            size_t size, bool at_start, ink_error *error) {
  const ink_splitter *s = &splitting->steps[which];
  ink_text *out = &splitting->buffers[which];
  ink_text_clear(out);
  bool prepend = s->prepend == INK_PREPEND_ALWAYS || (s->prepend == INK_PREPEND_FIRST && at_start);
  if (prepend && text[0] != ' ' && !begins_with(text, size, s->content, s->content_size)) {
    ink_text_add_bytes(out, s->content, s->content_size);
  }
  for (size_t at = 0; at < size;) {
    const char *space = memchr(text + at, ' ', size - at);
    size_t end = space ? (size_t)(space - text) : size;
    ink_text_add_bytes(out, text + at, end - at);
    if (space) ink_text_add_bytes(out, s->content, s->content_size);
    at = end + 1;
  }
  INK_TRY(ink_text_status(out, error));
  return step(splitting, which + 1, out->bytes, out->size, at_start, error);
}

static ink_status step(const ink_splitting *splitting, size_t which, const char *text, size_t size,
                       bool at_start, ink_error *error) {
  if (which == splitting->n) return splitting->word(splitting->context, text, size, error);
  ink_text *out = &splitting->buffers[which];
  switch (splitting->steps[which].kind) {
    case INK_SPLITTER_PATTERN:
      return split_by_pattern(splitting, which, text, size, at_start, error);
    case INK_SPLITTER_METASPACE:
      return metaspace(splitting, which, text, size, at_start, error);
    case INK_SPLITTER_PREFIX_SPACE:
      if (text[0] == ' ') return step(splitting, which + 1, text, size, at_start, error);
      ink_text_clear(out);
      ink_text_add(out, " ");
      ink_text_add_bytes(out, text, size);
      break;
    case INK_SPLITTER_BYTES:
      ink_text_clear(out);
      ink_bytes_spell(out, text, size);
      break;
  }
  INK_TRY(ink_text_status(out, error));
  return step(splitting, which + 1, out->bytes, out->size, at_start, error);
}

ink_status ink_split(const ink_splitting *splitting, const char *text, size_t size, bool at_start,
                     ink_error *error) {
  return size ? step(splitting, 0, text, size, at_start, error) : INK_OK;
}
