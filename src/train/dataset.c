// Reading the poet's record files and packing documents into batches; docs/poet-data.md.
#include "train/dataset.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/random.h"
#include "train/poetry_parts.h"

enum { LONGEST_SEQUENCE = 1 << 16 };

struct ink_dataset {
  ink_map map;
  ink_dataset_header header;
  const uint64_t *offsets;  // (documents + 1) in words
  const uint16_t *words;
  char sha256[65];
};

// A field or the body within a record.
typedef struct entry {
  int kind;
  size_t count;
  const uint16_t *ids;
} entry;

// Read the entry at *at and step over it; false when it does not fit into the record.
static bool next_entry(const uint16_t *record, size_t size, size_t *at, entry *out) {
  if (size - *at < 2) return false;
  *out = (entry){record[*at], record[*at + 1], record + *at + 2};
  if (out->count > size - *at - 2) return false;
  *at += 2 + out->count;
  return true;
}

static ink_status bad_record(const char *path, size_t document, ink_error *error) {
  return ink_fail(error, INK_ERR_FORMAT,
                  "%s: record %zu is damaged; build the data again with inkstone train data poetry",
                  path, document);
}

// Kinds ascend, closed fields hold one id, ids are below the vocabulary, the body comes last.
static ink_status check_record(ink_dataset *d, const char *path, size_t document,
                               ink_error *error) {
  uint64_t begin = d->offsets[document], end = d->offsets[document + 1];
  if (begin > end || end > d->header.words) return bad_record(path, document, error);
  const uint16_t *record = d->words + begin;
  size_t size = (size_t)(end - begin), at = 0;
  int last = -1;
  while (at < size) {
    entry e;
    if (!next_entry(record, size, &at, &e) || e.kind <= last || e.count == 0) {
      return bad_record(path, document, error);
    }
    bool body = e.kind == INK_DATASET_BODY;
    if ((!body && e.kind >= INK_POEM_FIELDS) || (e.kind <= INK_POEM_RHYME && e.count != 1)) {
      return bad_record(path, document, error);
    }
    for (size_t i = 0; i < e.count; i++) {
      if (e.ids[i] >= d->header.vocabulary) return bad_record(path, document, error);
    }
    last = e.kind;
  }
  return last == INK_DATASET_BODY ? INK_OK : bad_record(path, document, error);
}

static ink_status check_file(ink_dataset *d, const char *path, ink_error *error) {
  ink_dataset_header *header = &d->header;
  if (d->map.size < sizeof *header ||
      memcmp(d->map.data, INK_DATASET_MAGIC, sizeof header->magic) != 0) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: not a file of inkstone train data poetry", path);
  }
  memcpy(header, d->map.data, sizeof *header);
  if (header->version != INK_DATASET_VERSION || header->controls != ink_poem_control_hash()) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: made by another version of the data builder; build the data again", path);
  }
  size_t rest = d->map.size - sizeof *header, offsets, words;
  if (header->documents >= SIZE_MAX || header->vocabulary > UINT16_MAX + 1 ||
      !ink_mul_size((size_t)header->documents + 1, sizeof *d->offsets, &offsets) ||
      !ink_mul_size((size_t)header->words, sizeof *d->words, &words) || offsets > rest ||
      words != rest - offsets) {
    return ink_fail(error, INK_ERR_FORMAT,
                    "%s: its header tells of %llu documents and %llu words, the file has %zu bytes",
                    path, (unsigned long long)header->documents, (unsigned long long)header->words,
                    d->map.size);
  }
  d->offsets = (const uint64_t *)(const void *)(d->map.data + sizeof *header);
  d->words = (const uint16_t *)(const void *)(d->map.data + sizeof *header + offsets);
  for (size_t i = 0; i < header->documents; i++) INK_TRY(check_record(d, path, i, error));
  for (int i = 0; i < 32; i++) {
    static const char DIGITS[] = "0123456789abcdef";
    d->sha256[2 * i] = DIGITS[header->tokenizer_sha256[i] >> 4];
    d->sha256[2 * i + 1] = DIGITS[header->tokenizer_sha256[i] & 15];
  }
  return INK_OK;
}

ink_status ink_dataset_open(const char *path, ink_dataset **dataset, ink_error *error) {
  *dataset = NULL;
  ink_dataset *d = calloc(1, sizeof *d);
  if (!d) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to open it", path);
  ink_status status = ink_map_open(path, &d->map, error);
  if (status == INK_OK) status = check_file(d, path, error);
  if (status != INK_OK) {
    ink_dataset_close(d);
    return status;
  }
  *dataset = d;
  return INK_OK;
}

void ink_dataset_close(ink_dataset *dataset) {
  if (!dataset) return;
  ink_map_close(&dataset->map);
  free(dataset);
}

int64_t ink_dataset_documents(const ink_dataset *dataset) {
  return (int64_t)dataset->header.documents;
}

int32_t ink_dataset_vocabulary(const ink_dataset *dataset) {
  return (int32_t)dataset->header.vocabulary;
}

const char *ink_dataset_tokenizer_sha256(const ink_dataset *dataset) {
  return dataset->sha256;
}

ink_dataset_plan ink_dataset_training_plan(uint64_t seed) {
  return (ink_dataset_plan){.seed = seed,
                            .context = 256,
                            .shuffle = true,
                            .drop = {[INK_POEM_FORM] = 0.1f,
                                     [INK_POEM_DYNASTY] = 0.4f,
                                     [INK_POEM_PATTERN] = 0.4f,
                                     [INK_POEM_RHYME] = 0.4f,
                                     [INK_POEM_TUNE] = 0.1f,
                                     [INK_POEM_AUTHOR] = 0.4f,
                                     [INK_POEM_TITLE] = 0.25f,
                                     [INK_POEM_THEME] = 0.6f,
                                     [INK_POEM_ACROSTIC] = 0.85f,
                                     [INK_POEM_RHYMES] = 0.85f},
                            .prefix_weight = 0.1f};
}

ink_dataset_plan ink_dataset_scoring_plan(void) {
  return (ink_dataset_plan){.context = 256,
                            .drop = {[INK_POEM_PATTERN] = 1,
                                     [INK_POEM_RHYME] = 1,
                                     [INK_POEM_THEME] = 1,
                                     [INK_POEM_ACROSTIC] = 1,
                                     [INK_POEM_RHYMES] = 1}};
}

uint64_t ink_dataset_order(uint64_t n, uint64_t key, uint64_t round, uint64_t index) {
  unsigned half = 1;
  while (half < 32 && (UINT64_C(1) << (2 * half)) < n) half++;
  uint32_t mask = half < 32 ? (UINT32_C(1) << half) - 1 : UINT32_MAX;
  uint32_t keys[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
  do {
    uint32_t left = (uint32_t)(index >> half) & mask, right = (uint32_t)index & mask;
    for (uint32_t i = 0; i < 4; i++) {
      uint32_t out[4],
          counter[4] = {right, i, (uint32_t)round, (uint32_t)(round >> 32) ^ 0x50455231u};
      ink_philox4x32(counter, keys, out);
      uint32_t next = (left ^ out[0]) & mask;
      left = right;
      right = next;
    }
    index = (uint64_t)left << half | right;
  } while (index >= n);
  return index;
}

// Where a sequence is put together.
typedef struct sequence {
  uint16_t *ids;
  int32_t count, limit;
} sequence;

static void put(sequence *s, int32_t id) {
  s->ids[s->count++] = (uint16_t)id;
}

// Between one and four of the words, in random order, joined by 、.
static void put_theme(sequence *s, const entry *e, int32_t comma, ink_random *random) {
  size_t words = e->count / 2, order[INK_THEME_WORDS] = {0};
  if (words > INK_THEME_WORDS) words = INK_THEME_WORDS;
  for (size_t i = 0; i < words; i++) order[i] = i;
  for (size_t i = words; i > 1; i--) {
    size_t other = (size_t)ink_random_below(random, i), kept = order[i - 1];
    order[i - 1] = order[other];
    order[other] = kept;
  }
  size_t shown = 1 + (size_t)ink_random_below(random, words < 4 ? words : 4);
  for (size_t i = 0; i < shown; i++) {
    if (i) put(s, comma);
    put(s, e->ids[2 * order[i]]);
    put(s, e->ids[2 * order[i] + 1]);
  }
}

static void put_field(sequence *s, const entry *e, const ink_dataset_header *header,
                      ink_random *random) {
  // A prefix never takes more than half of the context: what would is left out.
  if ((int64_t)s->count + (int64_t)e->count * 2 + 2 > s->limit / 2) return;
  if (e->kind <= INK_POEM_RHYME) {
    put(s, e->ids[0]);
    return;
  }
  put(s, ink_poem_tag((ink_poem_field)e->kind));
  if (e->kind == INK_POEM_THEME && e->count >= 2) {
    put_theme(s, e, header->marks[7], random);
    return;
  }
  // An acrostic names every line, or with even chance every other one.
  bool halve = e->kind == INK_POEM_ACROSTIC && e->count >= 4 && e->count % 2 == 0 &&
               ink_random_below(random, 2) == 1;
  for (size_t i = 0; i < e->count; i += halve ? 2 : 1) put(s, e->ids[i]);
}

// The body and <eos>, or as many whole lines as fit; without one, as many characters.
static void put_body(sequence *s, const entry *body, int32_t newline) {
  size_t room = (size_t)(s->limit - s->count), take = body->count;
  bool whole = take + 1 <= room;
  if (!whole) {
    take = room;
    while (take && body->ids[take - 1] != newline) take--;
    if (take == 0) take = room;
  }
  memcpy(s->ids + s->count, body->ids, take * sizeof *s->ids);
  s->count += (int32_t)take;
  if (whole) put(s, INK_POEM_EOS);
}

static ink_status check_plan(const ink_dataset_plan *plan, ink_error *error) {
  if (plan->context >= 8 && plan->context < LONGEST_SEQUENCE) return INK_OK;
  return ink_fail(error, INK_ERR_USAGE, "context %d: must lie in 8 … %d", plan->context,
                  LONGEST_SEQUENCE - 1);
}

static void make_sequence(const ink_dataset *dataset, const ink_dataset_plan *plan, uint64_t epoch,
                          uint64_t document, sequence *s, int32_t *n_prefix) {
  const uint16_t *record = dataset->words + dataset->offsets[document];
  size_t size = (size_t)(dataset->offsets[document + 1] - dataset->offsets[document]), at = 0;
  ink_random random = ink_random_at(plan->seed, epoch << 40 ^ document, 0);
  bool shown[INK_POEM_FIELDS];
  for (int i = 0; i < INK_POEM_FIELDS; i++) shown[i] = ink_random_float(&random) >= plan->drop[i];
  put(s, INK_POEM_BOS);
  entry e = {0};
  while (next_entry(record, size, &at, &e) && e.kind != INK_DATASET_BODY) {
    if (shown[e.kind]) put_field(s, &e, &dataset->header, &random);
  }
  put(s, ink_poem_body_tag());
  *n_prefix = s->count;
  put_body(s, &e, dataset->header.marks[0]);
}

ink_status ink_dataset_document(const ink_dataset *dataset, const ink_dataset_plan *plan,
                                uint64_t epoch, int64_t document, uint16_t *ids, int32_t *n_ids,
                                int32_t *n_prefix, ink_error *error) {
  INK_TRY(check_plan(plan, error));
  if (document < 0 || document >= ink_dataset_documents(dataset)) {
    return ink_fail(error, INK_ERR_USAGE, "document %lld: there are %lld", (long long)document,
                    (long long)ink_dataset_documents(dataset));
  }
  sequence s = {ids, 0, plan->context + 1};
  make_sequence(dataset, plan, epoch, (uint64_t)document, &s, n_prefix);
  *n_ids = s.count;
  return INK_OK;
}

ink_status ink_batch_new(int64_t capacity, ink_batch *batch, ink_error *error) {
  *batch = (ink_batch){.capacity = capacity};
  size_t n = capacity > 0 && capacity < INT32_MAX ? (size_t)capacity : 0;
  if (!n) {
    return ink_fail(error, INK_ERR_USAGE, "a batch of %lld positions: must be at least 1",
                    (long long)capacity);
  }
  batch->ids = calloc(n, sizeof *batch->ids);
  batch->targets = calloc(n, sizeof *batch->targets);
  batch->weights = calloc(n, sizeof *batch->weights);
  batch->positions = calloc(n, sizeof *batch->positions);
  batch->kinds = calloc(n, sizeof *batch->kinds);
  batch->starts = calloc(n / 2 + 1, sizeof *batch->starts);
  batch->documents = calloc(n / 2 + 1, sizeof *batch->documents);
  if (batch->ids && batch->targets && batch->weights && batch->positions && batch->kinds &&
      batch->starts && batch->documents) {
    return INK_OK;
  }
  ink_batch_free(batch);
  return ink_fail(error, INK_ERR_MEMORY, "no memory for a batch of %zu positions", n);
}

void ink_batch_free(ink_batch *batch) {
  free(batch->ids);
  free(batch->targets);
  free(batch->weights);
  free(batch->positions);
  free(batch->kinds);
  free(batch->starts);
  free(batch->documents);
  *batch = (ink_batch){0};
}

static uint8_t kind_of(const ink_dataset_header *header, int32_t id, bool prefix) {
  if (prefix) return INK_TARGET_PREFIX;
  if (id == INK_POEM_EOS) return INK_TARGET_END;
  for (int i = 0; i < 16 && header->marks[i]; i++) {
    if (header->marks[i] == id) return INK_TARGET_PUNCTUATION;
  }
  return INK_TARGET_CHARACTER;
}

static void append(ink_batch *batch, const ink_dataset *dataset, const ink_dataset_plan *plan,
                   const sequence *s, int32_t n_prefix, uint64_t document) {
  int64_t at = batch->n_position;
  for (int32_t i = 0; i + 1 < s->count; i++, at++) {
    bool prefix = i + 1 < n_prefix;
    batch->ids[at] = s->ids[i];
    batch->targets[at] = s->ids[i + 1];
    batch->weights[at] = prefix ? plan->prefix_weight : 1;
    batch->positions[at] = i;
    batch->kinds[at] = kind_of(&dataset->header, s->ids[i + 1], prefix);
  }
  batch->documents[batch->n_document] = (int64_t)document;
  batch->starts[++batch->n_document] = (int32_t)at;
  batch->n_position = at;
}

static void pad(ink_batch *batch) {
  for (int64_t i = batch->n_position; i < batch->capacity; i++) {
    batch->ids[i] = batch->targets[i] = INK_POEM_PAD;
    batch->weights[i] = 0;
    batch->positions[i] = 0;
    batch->kinds[i] = INK_TARGET_NONE;
  }
}

ink_status ink_dataset_fill(const ink_dataset *dataset, const ink_dataset_plan *plan,
                            bool one_epoch, ink_dataset_cursor *cursor, ink_batch *batch,
                            ink_error *error) {
  INK_TRY(check_plan(plan, error));
  uint64_t n = dataset->header.documents;
  if (n == 0) return ink_fail(error, INK_ERR_USAGE, "the data set has no documents");
  if (batch->capacity < plan->context) {
    return ink_fail(error, INK_ERR_USAGE, "a batch of %lld positions cannot hold a context of %d",
                    (long long)batch->capacity, plan->context);
  }
  uint16_t *ids = malloc(((size_t)plan->context + 1) * sizeof *ids);
  if (!ids) return ink_fail(error, INK_ERR_MEMORY, "no memory for a sequence");
  batch->n_position = batch->n_document = 0;
  batch->starts[0] = 0;
  for (;;) {
    if (cursor->index >= n) {
      if (one_epoch) break;
      *cursor = (ink_dataset_cursor){cursor->epoch + 1, 0};
    }
    uint64_t document = plan->shuffle
                            ? ink_dataset_order(n, plan->seed, cursor->epoch, cursor->index)
                            : cursor->index;
    sequence s = {ids, 0, plan->context + 1};
    int32_t n_prefix;
    make_sequence(dataset, plan, cursor->epoch, document, &s, &n_prefix);
    if (batch->n_position + s.count - 1 > batch->capacity) break;
    append(batch, dataset, plan, &s, n_prefix, document);
    cursor->index++;
  }
  free(ids);
  pad(batch);
  return INK_OK;
}
