// Normalizers. Canonical ordering and composition follow Unicode 15, section 3.11, with the
// character data of utf8proc, as far as the reference's own data reach (Unicode 9.0).
#include "tokenizer/normalize.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/checked.h"
#include "tokenizer/bytes.h"
#include "tokenizer/unicode.h"

// Ranges in which every character is its own canonical form and none combines with what stands
// before it: text of these alone is in NFC. They hold Latin, most punctuation, CJK and Hangul
// syllables, kana without the voicing marks, and most emoji.
static bool plain_for_nfc(int32_t rune) {
  return rune < 0x300 || (rune >= 0x4E00 && rune <= 0x9FFF) || (rune >= 0x3400 && rune <= 0x4DBF) ||
         (rune >= 0x3000 && rune <= 0x3029) || (rune >= 0x3030 && rune <= 0x3098) ||
         (rune >= 0x309B && rune <= 0x30FF) || (rune >= 0xAC00 && rune <= 0xD7A3) ||
         (rune >= 0xFF00 && rune <= 0xFFEF) || (rune >= 0x2010 && rune <= 0x2070) ||
         (rune >= 0x1F300 && rune <= 0x1FAFF);
}

// Of those, the ones without a canonical decomposition.
static bool is_inert(int32_t rune) {
  return rune < 0xC0 ||
         (rune >= 0x2010 && rune < 0xAC00 && (rune < 0x3030 || rune > 0x30FF) &&
          plain_for_nfc(rune)) ||
         (rune >= 0xFF00 && plain_for_nfc(rune));
}

static bool is_plain(ink_normalizer_kind kind, const char *text, size_t size) {
  for (size_t at = 0; at < size;) {
    if ((unsigned char)text[at] < 0x80) {
      at++;
      continue;
    }
    if (kind != INK_NORMALIZE_NFC) return false;
    int32_t rune;
    at += ink_utf8_decode(text + at, size - at, &rune);
    if (!plain_for_nfc(rune)) return false;
  }
  return true;
}

typedef struct mark {
  int32_t rune;
  uint64_t rank;  // combining class, then position: the order is stable
} mark;

static int compare_marks(const void *a, const void *b) {
  uint64_t x = ((const mark *)a)->rank, y = ((const mark *)b)->rank;
  return x < y ? -1 : x > y;
}

static unsigned combining_class(int32_t rune) {
  if (plain_for_nfc(rune) || ink_rune_is_beyond_unicode9(rune)) return 0;
  return (unsigned)utf8proc_get_property(rune)->combining_class;
}

// The canonical composition of two code points, or -1.
static int32_t composition(int32_t first, int32_t second) {
  if (plain_for_nfc(second)) return -1;
  int32_t pair[2] = {first, second};
  utf8proc_ssize_t n =
      utf8proc_normalize_utf32(pair, 2, (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  return n == 1 && !ink_rune_is_beyond_unicode9(pair[0]) ? pair[0] : -1;
}

// Compose in place what is decomposed and ordered (Unicode 15, D117): a character joins the last
// starter unless one that was kept between them has no combining class, or not a lower one.
static size_t compose_runes(int32_t *runes, size_t n) {
  size_t kept = 0, starter = SIZE_MAX;
  unsigned last = 0;  // the class of what was kept last
  for (size_t i = 0; i < n; i++) {
    unsigned now = combining_class(runes[i]);
    bool adjacent = starter != SIZE_MAX && starter + 1 == kept;
    if (starter != SIZE_MAX && (adjacent || (last != 0 && last < now))) {
      int32_t joined = composition(runes[starter], runes[i]);
      if (joined >= 0) {
        runes[starter] = joined;
        continue;
      }
    }
    if (now == 0) starter = kept;
    last = now;
    runes[kept++] = runes[i];
  }
  return kept;
}

// Sort each run of marks by combining class. A run may be as long as the text, so that exchanging
// neighbours until all are in order would take time in its square.
static bool order_marks(int32_t *runes, size_t n) {
  for (size_t i = 0; i < n;) {
    if (combining_class(runes[i]) == 0) {
      i++;
      continue;
    }
    size_t end = i;
    bool ordered = true;
    unsigned last = 0;
    while (end < n) {
      unsigned now = combining_class(runes[end]);
      if (now == 0) break;
      ordered = ordered && now >= last;
      last = now;
      end++;
    }
    if (!ordered) {
      size_t length = end - i;
      mark *marks = malloc(length * sizeof *marks);
      if (!marks) return false;
      for (size_t k = 0; k < length; k++) {
        marks[k].rune = runes[i + k];
        marks[k].rank = (uint64_t)combining_class(runes[i + k]) << 48 | k;
      }
      qsort(marks, length, sizeof *marks, compare_marks);
      for (size_t k = 0; k < length; k++) runes[i + k] = marks[k].rune;
      free(marks);
    }
    i = end;
  }
  return true;
}

static ink_status unicode_form(ink_normalizer_kind kind, const char *text, size_t size,
                               ink_text *out, ink_error *error) {
  bool compatible = kind == INK_NORMALIZE_NFKC || kind == INK_NORMALIZE_NFKD;
  bool compose = kind == INK_NORMALIZE_NFC || kind == INK_NORMALIZE_NFKC;
  int options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
  enum { LONGEST = 32 };  // no decomposition has more than 18 code points
  int32_t *runes = NULL;
  size_t n = 0, capacity = 0;
  ink_status status = INK_OK;
  for (size_t at = 0; at < size && status == INK_OK;) {
    if (capacity - n < LONGEST) {
      size_t larger, bytes;
      if (!ink_add_size(capacity, capacity / 2 + size / 2 + 2 * LONGEST, &larger) ||
          !ink_mul_size(larger, sizeof *runes, &bytes)) {
        bytes = SIZE_MAX;
      }
      int32_t *grown = bytes < SIZE_MAX ? realloc(runes, bytes) : NULL;
      if (!grown) {
        status = ink_fail(error, INK_ERR_MEMORY, "no memory to normalise %zu bytes of text", size);
        break;
      }
      runes = grown;
      capacity = larger;
    }
    int32_t rune;
    at += ink_utf8_decode(text + at, size - at, &rune);
    if ((!compatible && is_inert(rune)) || ink_rune_is_beyond_unicode9(rune)) {
      runes[n++] = rune;
      continue;
    }
    int boundary = 0;
    utf8proc_ssize_t got =
        utf8proc_decompose_char(rune, runes + n, LONGEST, (utf8proc_option_t)options, &boundary);
    if (got < 0 || got > LONGEST) {
      status = ink_fail(error, INK_ERR_INTERNAL, "U+%04X cannot be decomposed", (unsigned)rune);
    } else {
      n += (size_t)got;
    }
  }
  if (status == INK_OK && !order_marks(runes, n)) {
    status = ink_fail(error, INK_ERR_MEMORY, "no memory to normalise %zu bytes of text", size);
  }
  if (status == INK_OK && compose) n = compose_runes(runes, n);
  if (status == INK_OK) {
    for (size_t i = 0; i < n; i++) ink_text_add_rune(out, (uint32_t)runes[i]);
  }
  free(runes);
  return status;
}

static void lowercase(const char *text, size_t size, ink_text *out) {
  for (size_t at = 0; at < size;) {
    int32_t rune;
    at += ink_utf8_decode(text + at, size - at, &rune);
    if (rune == 0x130) {  // the one character whose lower case is two (SpecialCasing.txt)
      ink_text_add(out, "i\xCC\x87");
    } else {
      ink_text_add_rune(out, (uint32_t)utf8proc_tolower(rune));
    }
  }
}

static void strip_accents(const char *text, size_t size, ink_text *out) {
  for (size_t at = 0; at < size;) {
    int32_t rune;
    size_t length = ink_utf8_decode(text + at, size - at, &rune);
    if (!ink_rune_is_mark(rune) || ink_rune_is_beyond_unicode9(rune))
      ink_text_add_bytes(out, text + at, length);
    at += length;
  }
}

static ink_status replace(const ink_normalizer *step, ink_matcher *matcher, const char *text,
                          size_t size, ink_text *out, bool *cut, ink_error *error) {
  ink_matches matches = ink_matches_of(step->pattern, matcher, text, size);
  size_t copied = 0;
  for (;;) {
    ink_match match;
    INK_TRY(ink_matches_next(&matches, &match, error));
    if (!match.found) break;
    if (match.start == 0 && match.end > 0 && step->content_size == 0) *cut = true;
    ink_text_add_bytes(out, text + copied, match.start - copied);
    ink_text_add_bytes(out, step->content, step->content_size);
    copied = match.end;
  }
  ink_text_add_bytes(out, text + copied, size - copied);
  return INK_OK;
}

static size_t leading_space(const char *text, size_t size) {
  size_t at = 0;
  while (at < size) {
    int32_t rune;
    size_t length = ink_utf8_decode(text + at, size - at, &rune);
    if (!ink_rune_is_space(rune)) break;
    at += length;
  }
  return at;
}

static size_t without_trailing_space(const char *text, size_t size) {
  while (size > 0) {
    size_t last = size - 1;
    while (last > 0 && ((unsigned char)text[last] & 0xC0) == 0x80) last--;
    int32_t rune;
    ink_utf8_decode(text + last, size - last, &rune);
    if (!ink_rune_is_space(rune)) break;
    size = last;
  }
  return size;
}

ink_status ink_normalize(const ink_normalizer *steps, size_t n, ink_matcher *matcher,
                         const char *text, size_t size, ink_text buffers[2], const char **to,
                         size_t *to_size, bool *cut, ink_error *error) {
  int next = 0;
  *cut = false;
  for (size_t i = 0; i < n && size > 0; i++) {
    const ink_normalizer *step = &steps[i];
    ink_text *out = &buffers[next];
    if (step->kind == INK_NORMALIZE_STRIP) {
      if (step->right) size = without_trailing_space(text, size);
      size_t skip = step->left ? leading_space(text, size) : 0;
      if (skip) *cut = true;
      text += skip;
      size -= skip;
      continue;
    }
    if (step->kind <= INK_NORMALIZE_NFKD && is_plain(step->kind, text, size)) continue;
    ink_text_clear(out);
    switch (step->kind) {
      case INK_NORMALIZE_NFC:
      case INK_NORMALIZE_NFD:
      case INK_NORMALIZE_NFKC:
      case INK_NORMALIZE_NFKD:
        INK_TRY(unicode_form(step->kind, text, size, out, error));
        break;
      case INK_NORMALIZE_LOWERCASE:
        lowercase(text, size, out);
        break;
      case INK_NORMALIZE_STRIP_ACCENTS:
        strip_accents(text, size, out);
        break;
      case INK_NORMALIZE_REPLACE:
        INK_TRY(replace(step, matcher, text, size, out, cut, error));
        break;
      case INK_NORMALIZE_PREPEND:
        ink_text_add_bytes(out, step->content, step->content_size);
        ink_text_add_bytes(out, text, size);
        break;
      case INK_NORMALIZE_BYTE_LEVEL:
        ink_bytes_spell(out, text, size);
        break;
      case INK_NORMALIZE_STRIP:
        break;
    }
    INK_TRY(ink_text_status(out, error));
    text = ink_text_string(out);
    size = out->size;
    next = 1 - next;
  }
  *to = text;
  *to_size = size;
  return INK_OK;
}
