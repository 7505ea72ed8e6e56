// Byte-pair encoding (Sennrich et al. 2016), with the treatment of unknown characters that Hugging
// Face tokenizers gives it (models/bpe).
#include "tokenizer/bpe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "tokenizer/bytes.h"

#define NONE UINT32_MAX
#define WAITS (UINT32_C(1) << 31)  // set in the rank of a pair that is not in the queue yet

enum {
  SHORT_WORD = 32,  // symbols up to which looking through all pairs beats a queue
  CACHE_KEY = 24,
  CACHE_IDS = 8,
  CACHE_ENTRIES = 1 << 13  // of 64 bytes
};

// -- Merges --------------------------------------------------------------------------------------

void ink_bpe_free(ink_bpe *bpe) {
  free(bpe->slots);
  ink_vocabulary_free(&bpe->parts);
  *bpe = (ink_bpe){0};
}

static size_t slot_of(const ink_bpe *bpe, uint64_t pair) {
  unsigned __int128 product = (unsigned __int128)(pair ^ bpe->seed) * 0x9E3779B97F4A7C15u;
  return (size_t)((uint64_t)product ^ (uint64_t)(product >> 64)) & (bpe->n_slots - 1);
}

static uint64_t pair_of(uint32_t left, uint32_t right) {
  return (uint64_t)left << 32 | right;
}

static ink_merge_slot *find_slot(const ink_bpe *bpe, uint64_t pair) {
  size_t at = slot_of(bpe, pair);
  while (bpe->slots[at].pair != pair && bpe->slots[at].pair != UINT64_MAX) {
    at = (at + 1) & (bpe->n_slots - 1);
  }
  return &bpe->slots[at];
}

bool ink_bpe_reserve(ink_bpe *bpe, size_t n_merges) {
  if (bpe->n_slots && n_merges <= bpe->n_slots / 2) return true;
  size_t n = 16, bytes;
  while (n / 2 < n_merges) {
    if (n > SIZE_MAX / 4) return false;
    n *= 2;
  }
  if (!ink_mul_size(n, sizeof(ink_merge_slot), &bytes)) return false;
  ink_merge_slot *fresh = malloc(bytes);
  if (!fresh) return false;
  for (size_t i = 0; i < n; i++) fresh[i].pair = UINT64_MAX;
  ink_merge_slot *old = bpe->slots;
  size_t n_old = bpe->n_slots;
  bpe->slots = fresh;
  bpe->n_slots = n;
  for (size_t i = 0; i < n_old; i++) {
    if (old[i].pair != UINT64_MAX) *find_slot(bpe, old[i].pair) = old[i];
  }
  free(old);
  return true;
}

bool ink_bpe_add_merge(ink_bpe *bpe, uint32_t left, uint32_t right, uint32_t rank,
                       uint32_t product) {
  if (rank >= WAITS - 1 || !ink_bpe_reserve(bpe, bpe->n_merges + 1)) return false;
  ink_merge_slot *slot = find_slot(bpe, pair_of(left, right));
  if (slot->pair == UINT64_MAX) bpe->n_merges++;
  *slot = (ink_merge_slot){.pair = pair_of(left, right), .rank = rank, .product = product};
  return true;
}

// The token that the last character of a word is spelled as.
static int32_t find_last(const ink_bpe *bpe, const ink_vocabulary *vocabulary, const char *text,
                         size_t size) {
  char spelling[4 + INK_BPE_WORD_END];
  size_t end = bpe->word_end ? strlen(bpe->word_end) : 0;
  memcpy(spelling, text, size);
  if (end) memcpy(spelling + size, bpe->word_end, end);
  return ink_vocabulary_find_inside(vocabulary, spelling, size + end);
}

bool ink_bpe_has_merge(const ink_bpe *bpe, uint32_t left, uint32_t right) {
  return bpe->n_slots && find_slot(bpe, pair_of(left, right))->pair != UINT64_MAX;
}

void ink_bpe_start(ink_bpe *bpe, const ink_vocabulary *vocabulary) {
  for (unsigned byte = 0; byte < 256; byte++) {
    char text[8];
    size_t size = ink_utf8_encode(ink_byte_rune((unsigned char)byte), text);
    bpe->byte_ids[byte] = ink_vocabulary_find_inside(vocabulary, text, size);
    bpe->end_ids[byte] = find_last(bpe, vocabulary, text, size);
    size = (size_t)snprintf(text, sizeof text, "<0x%02X>", byte);
    bpe->fallback_ids[byte] = ink_vocabulary_find_inside(vocabulary, text, size);
  }
}

// -- Scratch -------------------------------------------------------------------------------------

typedef struct cached_word {
  char key[CACHE_KEY];  // zeros behind the word
  int32_t ids[CACHE_IDS];
  uint8_t size;  // 0: free
  uint8_t n;
} cached_word;

// A symbol of a long word, in a list of neighbours. A symbol that was merged into the one before it
// has rank NONE and is out of the list.
typedef struct symbol {
  uint32_t id, previous, next;
  // Of the pair with the next symbol, NONE when that is no merge. A pair waits while the pair that
  // begins one symbol earlier has the same rank: that one is merged first, and this one with it
  // gone.
  uint32_t rank;
} symbol;

// Positions waiting with the same rank, ascending.
typedef struct bucket {
  uint32_t rank;
  uint32_t head, tail;  // nodes, NONE when empty
} bucket;

typedef struct node {
  uint32_t position, next;
} node;

typedef struct heap {
  uint64_t *at;
  size_t n, capacity;
} heap;

struct ink_bpe_scratch {
  cached_word *cache;
  ink_text spelling;
  uint32_t *ids;
  size_t n, ids_capacity;
  symbol *symbols;
  size_t symbols_capacity;
  // The queue of a long word: pairs by (rank, position).
  node *nodes;
  size_t n_nodes, nodes_capacity;
  uint32_t free_nodes;
  bucket *buckets;
  size_t n_buckets, buckets_capacity;
  uint32_t *bucket_slots;  // rank to bucket + 1, open addressing
  size_t n_bucket_slots;
  uint32_t recent[4];  // buckets used last, by the lowest bits of their ranks
  heap waiting;        // (rank, bucket) of each bucket that is not empty
  heap late;           // (rank, position) of what came out of order
};

ink_bpe_scratch *ink_bpe_scratch_new(bool cache) {
  ink_bpe_scratch *scratch = calloc(1, sizeof *scratch);
  if (!scratch) return NULL;
  scratch->free_nodes = NONE;
  // Without memory for the cache every word is computed.
  if (cache) scratch->cache = calloc(CACHE_ENTRIES, sizeof *scratch->cache);
  return scratch;
}

void ink_bpe_scratch_free(ink_bpe_scratch *scratch) {
  if (!scratch) return;
  free(scratch->cache);
  ink_text_free(&scratch->spelling);
  free(scratch->ids);
  free(scratch->symbols);
  free(scratch->nodes);
  free(scratch->buckets);
  free(scratch->bucket_slots);
  free(scratch->waiting.at);
  free(scratch->late.at);
  free(scratch);
}

static bool fit(void **array, size_t *capacity, size_t needed, size_t item) {
  if (needed <= *capacity) return true;
  size_t larger = *capacity + *capacity / 2 + 64, bytes;
  if (larger < needed) larger = needed;
  if (!ink_mul_size(larger, item, &bytes)) return false;
  void *grown = realloc(*array, bytes);
  if (!grown) return false;
  *array = grown;
  *capacity = larger;
  return true;
}

bool ink_ids_reserve(ink_ids *ids, size_t more) {
  size_t needed;
  if (ids->failed || !ink_add_size(ids->n, more, &needed) ||
      !fit((void **)&ids->at, &ids->capacity, needed, sizeof *ids->at)) {
    ids->failed = true;
    return false;
  }
  return true;
}

// -- A queue of pairs ----------------------------------------------------------------------------

static bool heap_push(heap *h, uint64_t key) {
  if (!fit((void **)&h->at, &h->capacity, h->n + 1, sizeof *h->at)) return false;
  size_t at = h->n++;
  while (at > 0 && h->at[(at - 1) / 2] > key) {
    h->at[at] = h->at[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  h->at[at] = key;
  return true;
}

static void heap_pop(heap *h) {
  uint64_t key = h->at[--h->n];
  size_t at = 0;
  for (;;) {
    size_t child = 2 * at + 1;
    if (child >= h->n) break;
    if (child + 1 < h->n && h->at[child + 1] < h->at[child]) child++;
    if (h->at[child] >= key) break;
    h->at[at] = h->at[child];
    at = child;
  }
  h->at[at] = key;
}

static size_t bucket_slot(const ink_bpe_scratch *s, uint32_t rank) {
  size_t at = (rank * 0x9E3779B1u) & (s->n_bucket_slots - 1);
  while (s->bucket_slots[at] && s->buckets[s->bucket_slots[at] - 1].rank != rank) {
    at = (at + 1) & (s->n_bucket_slots - 1);
  }
  return at;
}

static bool grow_buckets(ink_bpe_scratch *s) {
  if (s->n_buckets < s->n_bucket_slots / 2) return true;
  size_t n = s->n_bucket_slots ? s->n_bucket_slots * 2 : 256;
  uint32_t *slots = calloc(n, sizeof *slots);
  if (!slots) return false;
  free(s->bucket_slots);
  s->bucket_slots = slots;
  s->n_bucket_slots = n;
  for (size_t i = 0; i < s->n_buckets; i++) {
    s->bucket_slots[bucket_slot(s, s->buckets[i].rank)] = (uint32_t)i + 1;
  }
  return true;
}

// The bucket of a rank, NONE without memory.
static uint32_t bucket_of(ink_bpe_scratch *s, uint32_t rank) {
  uint32_t *recent = &s->recent[rank & 3];
  if (*recent < s->n_buckets && s->buckets[*recent].rank == rank) return *recent;
  if (!grow_buckets(s)) return NONE;
  size_t slot = bucket_slot(s, rank);
  if (!s->bucket_slots[slot]) {
    if (!fit((void **)&s->buckets, &s->buckets_capacity, s->n_buckets + 1, sizeof *s->buckets)) {
      return NONE;
    }
    s->buckets[s->n_buckets++] = (bucket){.rank = rank, .head = NONE, .tail = NONE};
    s->bucket_slots[slot] = (uint32_t)s->n_buckets;
  }
  return *recent = s->bucket_slots[slot] - 1;
}

// Queue the pair that begins at `position`. Pairs of one rank mostly come in the order of their
// positions, so a list per rank takes them in constant time; the others go to a heap.
static bool queue_push(ink_bpe_scratch *s, uint32_t rank, uint32_t position) {
  uint32_t which = bucket_of(s, rank);
  if (which == NONE) return false;
  bucket *b = &s->buckets[which];
  if (b->head != NONE && s->nodes[b->tail].position > position) {
    return heap_push(&s->late, (uint64_t)rank << 32 | position);
  }
  uint32_t fresh = s->free_nodes;
  if (fresh != NONE) {
    s->free_nodes = s->nodes[fresh].next;
  } else {
    if (!fit((void **)&s->nodes, &s->nodes_capacity, s->n_nodes + 1, sizeof *s->nodes)) {
      return false;
    }
    fresh = (uint32_t)s->n_nodes++;
  }
  s->nodes[fresh] = (node){.position = position, .next = NONE};
  if (b->head == NONE) {
    b->head = b->tail = fresh;
    return heap_push(&s->waiting, (uint64_t)rank << 32 | which);
  }
  s->nodes[b->tail].next = fresh;
  b->tail = fresh;
  return true;
}

// Take the least (rank, position); false when the queue is empty.
static bool queue_pop(ink_bpe_scratch *s, uint32_t *rank, uint32_t *position) {
  uint64_t first = UINT64_MAX;
  bucket *b = NULL;
  if (s->waiting.n) {
    b = &s->buckets[(uint32_t)s->waiting.at[0]];
    first = (uint64_t)b->rank << 32 | s->nodes[b->head].position;
  }
  if (s->late.n && s->late.at[0] <= first) {
    first = s->late.at[0];
    heap_pop(&s->late);
  } else if (b) {
    uint32_t used = b->head;
    b->head = s->nodes[used].next;
    s->nodes[used].next = s->free_nodes;
    s->free_nodes = used;
    if (b->head == NONE) heap_pop(&s->waiting);
  } else {
    return false;
  }
  *rank = (uint32_t)(first >> 32);
  *position = (uint32_t)first;
  return true;
}

static void queue_clear(ink_bpe_scratch *s) {
  for (size_t i = 0; i < s->n_buckets; i++) {
    // Later buckets of the same run of slots may be gone already, so each is looked for from its
    // own place on.
    size_t at = (s->buckets[i].rank * 0x9E3779B1u) & (s->n_bucket_slots - 1);
    while (s->bucket_slots[at] != i + 1) at = (at + 1) & (s->n_bucket_slots - 1);
    s->bucket_slots[at] = 0;
  }
  s->n_buckets = s->n_nodes = s->waiting.n = s->late.n = 0;
  s->free_nodes = NONE;
}

// -- Words ---------------------------------------------------------------------------------------

// Give the pair that begins at `left` its rank, and queue it unless it has to wait.
static bool queue_pair(ink_bpe_scratch *s, uint32_t left, uint32_t rank) {
  symbol *symbols = s->symbols;
  uint32_t previous = symbols[left].previous;
  symbols[left].rank = rank;
  if (rank == NONE) return true;
  if (previous != NONE && (symbols[previous].rank & ~WAITS) == rank) {
    symbols[left].rank |= WAITS;
    return true;
  }
  return queue_push(s, rank, left);
}

static uint32_t pair_rank(const ink_bpe *bpe, const symbol *symbols, uint32_t left) {
  uint32_t right = symbols[left].next;
  if (right == NONE) return NONE;
  const ink_merge_slot *slot = find_slot(bpe, pair_of(symbols[left].id, symbols[right].id));
  return slot->pair == UINT64_MAX ? NONE : slot->rank;
}

static bool start_long(const ink_bpe *bpe, ink_bpe_scratch *s) {
  size_t n = s->n;
  if (!fit((void **)&s->symbols, &s->symbols_capacity, n, sizeof *s->symbols)) return false;
  for (size_t i = 0; i < n; i++) {
    s->symbols[i] = (symbol){.id = s->ids[i],
                             .previous = i ? (uint32_t)i - 1 : NONE,
                             .next = i + 1 < n ? (uint32_t)i + 1 : NONE,
                             .rank = NONE};
  }
  uint64_t last_pair = UINT64_MAX;
  uint32_t rank = NONE;
  for (size_t i = 0; i + 1 < n; i++) {
    uint64_t pair = pair_of(s->ids[i], s->ids[i + 1]);
    if (pair != last_pair) rank = pair_rank(bpe, s->symbols, (uint32_t)i);
    last_pair = pair;
    if (!queue_pair(s, (uint32_t)i, rank)) return false;
  }
  return true;
}

// Merge the pair at `left` and see to the three pairs that this changes or sets free.
static bool merge_pair(const ink_bpe *bpe, ink_bpe_scratch *s, uint32_t left) {
  symbol *symbols = s->symbols;
  uint32_t right = symbols[left].next, after = symbols[right].next;
  uint32_t previous = symbols[left].previous;
  symbols[left].id = find_slot(bpe, pair_of(symbols[left].id, symbols[right].id))->product;
  symbols[left].next = after;
  symbols[right].rank = NONE;
  if (after != NONE) symbols[after].previous = left;
  if (previous != NONE && !queue_pair(s, previous, pair_rank(bpe, symbols, previous))) return false;
  if (!queue_pair(s, left, pair_rank(bpe, symbols, left))) return false;
  if (after == NONE || symbols[after].rank == NONE || !(symbols[after].rank & WAITS)) return true;
  return queue_pair(s, after, symbols[after].rank & ~WAITS);
}

static bool merge_long(const ink_bpe *bpe, ink_bpe_scratch *s) {
  bool done = start_long(bpe, s);
  uint32_t rank, left;
  while (done && queue_pop(s, &rank, &left)) {
    if (s->symbols[left].rank == rank) done = merge_pair(bpe, s, left);  // else it is another now
  }
  queue_clear(s);
  if (!done) return false;
  s->n = 0;
  for (uint32_t at = 0; at != NONE; at = s->symbols[at].next) s->ids[s->n++] = s->symbols[at].id;
  return true;
}

static void merge_short(const ink_bpe *bpe, ink_bpe_scratch *s) {
  uint32_t *ids = s->ids;
  size_t n = s->n;
  uint32_t ranks[SHORT_WORD], products[SHORT_WORD];
  for (size_t i = 0; i + 1 < n; i++) {
    const ink_merge_slot *slot = find_slot(bpe, pair_of(ids[i], ids[i + 1]));
    bool is_merge = slot->pair != UINT64_MAX;
    ranks[i] = is_merge ? slot->rank : NONE;
    products[i] = slot->product;
  }
  while (n > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < n; i++) {
      if (ranks[i] < ranks[best]) best = i;
    }
    if (ranks[best] == NONE) break;
    ids[best] = products[best];
    n--;
    for (size_t i = best + 1; i < n; i++) ids[i] = ids[i + 1];
    for (size_t i = best; i + 1 < n; i++) {
      ranks[i] = ranks[i + 1];
      products[i] = products[i + 1];
    }
    for (size_t i = best ? best - 1 : 0; i <= best && i + 1 < n; i++) {
      const ink_merge_slot *slot = find_slot(bpe, pair_of(ids[i], ids[i + 1]));
      ranks[i] = slot->pair != UINT64_MAX ? slot->rank : NONE;
      products[i] = slot->product;
    }
  }
  s->n = n;
}

// The symbol of one character (or byte), or -1.
static int64_t symbol_of(const ink_bpe *bpe, const ink_vocabulary *vocabulary, const char *text,
                         size_t size, bool last) {
  if (bpe->byte_level) return (last ? bpe->end_ids : bpe->byte_ids)[(unsigned char)text[0]];
  if (last && bpe->word_end) return find_last(bpe, vocabulary, text, size);
  int32_t id = ink_vocabulary_find_inside(vocabulary, text, size);
  if (id >= 0 || !bpe->parts.n_ids) return id;
  id = ink_vocabulary_find(&bpe->parts, text, size);
  return id < 0 ? -1 : (int64_t)vocabulary->n_ids + id;
}

// Append the fallback tokens of a character's bytes; false when one of them is missing. Of a byte
// of a byte-level word it is the bytes of the character that spells it.
static bool add_fallback(const ink_bpe *bpe, const char *text, size_t size, uint32_t *ids,
                         size_t *n) {
  if (!bpe->byte_fallback) return false;
  char spelling[4];
  if (bpe->byte_level) {
    size = ink_utf8_encode(ink_byte_rune((unsigned char)text[0]), spelling);
    text = spelling;
  }
  for (size_t i = 0; i < size; i++) {
    if (bpe->fallback_ids[(unsigned char)text[i]] < 0) return false;
  }
  for (size_t i = 0; i < size; i++) {
    ids[(*n)++] = (uint32_t)bpe->fallback_ids[(unsigned char)text[i]];
  }
  return true;
}

// Spell the word as the symbols that merging begins with. An unknown token is held back until the
// next known character, so that byte fallbacks between the two come first: the reference does so.
static ink_status first_symbols(const ink_bpe *bpe, const ink_vocabulary *vocabulary,
                                ink_bpe_scratch *s, const char *word, size_t size,
                                ink_error *error) {
  // Each byte gives at most one symbol, as an unknown token stands for at least one character; or
  // two, the bytes of its spelling.
  size_t most = bpe->byte_level && bpe->byte_fallback ? 2 * size : size;
  if (!fit((void **)&s->ids, &s->ids_capacity, most, sizeof *s->ids)) {
    return ink_fail(error, INK_ERR_MEMORY, "no memory to encode a word of %zu bytes", size);
  }
  s->n = 0;
  bool unknown_held = false;
  for (size_t at = 0; at < size;) {
    size_t length = 1;
    if (!bpe->byte_level) {
      int32_t rune;
      length = ink_utf8_decode(word + at, size - at, &rune);
    }
    int64_t id = symbol_of(bpe, vocabulary, word + at, length, at + length == size);
    if (id >= 0) {
      if (unknown_held) s->ids[s->n++] = (uint32_t)bpe->unknown;
      unknown_held = false;
      s->ids[s->n++] = (uint32_t)id;
    } else if (!add_fallback(bpe, word + at, length, s->ids, &s->n) && bpe->has_unknown) {
      if (bpe->unknown < 0) {
        return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)at,
                           "the text needs the unknown token, which the vocabulary does not have");
      }
      if (unknown_held && !bpe->fuse_unknown) s->ids[s->n++] = (uint32_t)bpe->unknown;
      unknown_held = true;
    }
    at += length;
  }
  if (unknown_held) s->ids[s->n++] = (uint32_t)bpe->unknown;
  return INK_OK;
}

static ink_status append(const ink_bpe *bpe, const ink_vocabulary *vocabulary,
                         const ink_bpe_scratch *s, ink_ids *ids, ink_error *error) {
  if (!ink_ids_reserve(ids, s->n)) {
    return ink_fail(error, INK_ERR_MEMORY, "no memory for %zu token ids", ids->n + s->n);
  }
  for (size_t i = 0; i < s->n; i++) {
    if (s->ids[i] < vocabulary->n_ids) {
      ink_ids_add(ids, (int32_t)s->ids[i]);
      continue;
    }
    const ink_token *part =
        ink_vocabulary_token(&bpe->parts, (int64_t)s->ids[i] - (int64_t)vocabulary->n_ids);
    uint32_t bytes[4];
    size_t n = 0;
    if (add_fallback(bpe, ink_vocabulary_text(&bpe->parts, part), part->text_size, bytes, &n)) {
      for (size_t k = 0; k < n; k++) ink_ids_add(ids, (int32_t)bytes[k]);
    } else if (bpe->has_unknown && bpe->unknown >= 0) {
      ink_ids_add(ids, bpe->unknown);
    }
  }
  if (ids->failed) return ink_fail(error, INK_ERR_MEMORY, "no memory for the token ids");
  return INK_OK;
}

static cached_word *cache_entry(ink_bpe_scratch *s, const char *word, size_t size,
                                char key[CACHE_KEY]) {
  if (!s->cache || size > CACHE_KEY) return NULL;
  memset(key, 0, CACHE_KEY);
  memcpy(key, word, size);
  uint64_t part[3];
  memcpy(part, key, sizeof part);
  uint64_t hash = (part[0] ^ size) * 0x9E3779B97F4A7C15u;
  hash = (hash ^ hash >> 29 ^ part[1]) * 0xD6E8FEB86659FD93u;
  hash = (hash ^ hash >> 29 ^ part[2]) * 0x9E3779B97F4A7C15u;
  return &s->cache[hash >> 40 & (CACHE_ENTRIES - 1)];
}

static int32_t whole_word(const ink_bpe *bpe, const ink_vocabulary *vocabulary, ink_bpe_scratch *s,
                          const char *word, size_t size) {
  if (!bpe->ignore_merges || size > vocabulary->longest) return -1;
  if (!bpe->byte_level) return ink_vocabulary_find_inside(vocabulary, word, size);
  ink_text_clear(&s->spelling);
  ink_bytes_spell(&s->spelling, word, size);
  if (s->spelling.failed) return -1;
  return ink_vocabulary_find_inside(vocabulary, s->spelling.bytes, s->spelling.size);
}

ink_status ink_bpe_encode(const ink_bpe *bpe, const ink_vocabulary *vocabulary,
                          ink_bpe_scratch *scratch, const char *word, size_t size, ink_ids *ids,
                          ink_error *error) {
  if (size == 0) return INK_OK;
  char key[CACHE_KEY];
  cached_word *cached = cache_entry(scratch, word, size, key);
  if (cached && cached->size == size && memcmp(cached->key, key, CACHE_KEY) == 0) {
    if (ids->capacity - ids->n < CACHE_IDS && !ink_ids_reserve(ids, CACHE_IDS)) {
      return ink_fail(error, INK_ERR_MEMORY, "no memory for the token ids");
    }
    // A fixed count copies faster than the right one; what lies behind n is overwritten later.
    memcpy(ids->at + ids->n, cached->ids, sizeof cached->ids);
    ids->n += cached->n;
    return INK_OK;
  }
  size_t before = ids->n;
  int32_t whole = whole_word(bpe, vocabulary, scratch, word, size);
  if (whole >= 0) {
    ink_ids_add(ids, whole);
  } else {
    INK_TRY(first_symbols(bpe, vocabulary, scratch, word, size, error));
    if (scratch->n > 1 && bpe->n_merges) {
      if (scratch->n <= SHORT_WORD) {
        merge_short(bpe, scratch);
      } else if (!merge_long(bpe, scratch)) {
        return ink_fail(error, INK_ERR_MEMORY, "no memory to encode a word of %zu bytes", size);
      }
    }
    INK_TRY(append(bpe, vocabulary, scratch, ids, error));
  }
  if (ids->failed) return ink_fail(error, INK_ERR_MEMORY, "no memory for the token ids");
  size_t n = ids->n - before;
  if (cached && n <= CACHE_IDS) {
    memcpy(cached->key, key, CACHE_KEY);
    if (n) memcpy(cached->ids, ids->at + before, n * sizeof *cached->ids);
    cached->size = (uint8_t)size;
    cached->n = (uint8_t)n;
  }
  return INK_OK;
}
