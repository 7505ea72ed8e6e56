// Added tokens, found by narrowing a sorted list byte by byte.
#include "tokenizer/added.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b) {
  const ink_added_token *x = a, *y = b;
  size_t shared = x->size < y->size ? x->size : y->size;
  int order = memcmp(x->text, y->text, shared);
  if (order) return order;
  if (x->size != y->size) return x->size < y->size ? -1 : 1;
  return x->id < y->id ? -1 : x->id > y->id;
}

void ink_added_set_start(ink_added_set *set, ink_added_token *tokens, size_t n) {
  *set = (ink_added_set){.tokens = tokens, .only_byte = -1};
  if (n) qsort(tokens, n, sizeof *tokens, compare);
  for (size_t i = 0; i < n; i++) {
    const ink_added_token *last = set->n ? &tokens[set->n - 1] : NULL;
    if (last && last->size == tokens[i].size && !memcmp(last->text, tokens[i].text, last->size)) {
      continue;
    }
    tokens[set->n++] = tokens[i];
  }
  size_t at = 0, used = 0;
  for (int byte = 0; byte < 256; byte++) {
    set->first[byte] = at;
    while (at < set->n && (unsigned char)tokens[at].text[0] == byte) at++;
    if (at > set->first[byte]) {
      set->only_byte = byte;
      used++;
    }
  }
  set->first[256] = at;
  if (used != 1) set->only_byte = -1;
}

// The first of [low, high) whose byte at `depth` is not below `byte`. All are longer than `depth`.
static size_t lower_bound(const ink_added_set *set, size_t low, size_t high, size_t depth,
                          unsigned byte) {
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if ((unsigned char)set->tokens[middle].text[depth] < byte) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

static const ink_added_token *longest_at(const ink_added_set *set, const char *text, size_t size) {
  unsigned byte = (unsigned char)text[0];
  size_t low = set->first[byte], high = set->first[byte + 1];
  const ink_added_token *found = NULL;
  for (size_t depth = 1; low < high; depth++) {
    if (set->tokens[low].size == depth) found = &set->tokens[low++];
    if (depth == size || low == high) break;
    byte = (unsigned char)text[depth];
    low = lower_bound(set, low, high, depth, byte);
    high = lower_bound(set, low, high, depth, byte + 1);
  }
  return found;
}

const ink_added_token *ink_added_set_find(const ink_added_set *set, const char *text, size_t size,
                                          size_t from, size_t *start) {
  if (!set->n) return NULL;
  for (size_t at = from; at < size; at++) {
    if (set->only_byte >= 0) {
      const char *hit = memchr(text + at, set->only_byte, size - at);
      if (!hit) return NULL;
      at = (size_t)(hit - text);
    } else {
      unsigned byte = (unsigned char)text[at];
      if (set->first[byte] == set->first[byte + 1]) continue;
    }
    const ink_added_token *found = longest_at(set, text + at, size - at);
    if (found) {
      *start = at;
      return found;
    }
  }
  return NULL;
}
