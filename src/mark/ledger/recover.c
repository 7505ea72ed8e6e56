// Records found again.
#include "mark/ledger/recover.h"

#include <stdlib.h>
#include <string.h>

#include "mark/label/label.h"
#include "mark/label/xmp.h"
#include "mark/ledger/picture_identity.h"
#include "picture/codec.h"

// An identity that the pixels carry counts below this, over all rows that it is compared with.
static const double likeness_limit = 1e-6;

const char *ink_recovered_name(ink_recovered_by by) {
  static const char *const names[] = {"not", "content", "watermark", "label", "words", "given"};
  return names[by];
}

void ink_recovery_free(ink_recovery *recovery) {
  json_decref(recovery->row);
  free(recovery->store);
  *recovery = (ink_recovery){0};
}

static const char *text_at(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text ? text : "";
}

// ---- the row, and the file in it

// What is looked for among the rows; the newest that fits stays.
typedef struct search {
  const char *hash;                     // of a file, or NULL
  const ink_identity_reading *reading;  // of a watermark, or NULL
  double least;                         // its likeness so far
  size_t n_row;
  json_t *row;
} search;

static bool take_row(void *context, const json_t *row) {
  search *s = context;
  if (strcmp(text_at(row, "kind"), "check") == 0 ||
      strcmp(text_at(row, "kind"), "checkpoint") == 0) {
    return true;
  }
  s->n_row++;
  if (s->reading) {
    uint8_t identity[16];
    if (!ink_identity_bytes(text_at(row, "identity"), identity)) return true;
    double p = ink_identity_likeness(s->reading, identity);
    if (p > s->least) return true;
    s->least = p;
  }
  json_decref(s->row);
  s->row = json_incref((json_t *)(uintptr_t)row);
  return true;
}

// The file of a row that has this hash as `member`; without a hash the first with a manifest, of
// the same carrier if there is one.
static const json_t *file_with(const json_t *row, const char *member, const char *hash,
                               const char *carrier) {
  const json_t *files = json_object_get(row, "files"), *file, *kept = NULL;
  size_t i;
  json_array_foreach(files, i, file) {
    if (hash && strcmp(text_at(file, member), hash) == 0) return file;
    if (hash || !json_object_get(file, "store")) continue;
    if (carrier && strcmp(text_at(file, "carrier"), carrier) == 0) return file;
    if (!kept) kept = file;
  }
  return kept;
}

static ink_status keep(ink_ledger *ledger, search *s, ink_recovered_by by, const json_t *file,
                       ink_recovery *r, ink_error *error) {
  r->by = by;
  r->row = s->row;
  s->row = NULL;
  r->file = file;
  r->n = json_integer_value(json_object_get(r->row, "n"));
  snprintf(r->identity, sizeof r->identity, "%s", text_at(r->row, "identity"));
  const char *store = json_string_value(json_object_get(file, "store"));
  if (!store) return INK_OK;
  ink_status status = ink_ledger_store(ledger, store, &r->store, &r->store_size, error);
  if (status != INK_OK) ink_recovery_free(r);
  return status;
}

static ink_status by_hash(ink_ledger *ledger, const char *hash, ink_recovered_by by,
                          ink_recovery *r, ink_error *error) {
  search s = {.hash = hash};
  ink_ledger_query query = {.hash = hash};
  ink_status status = ink_ledger_each(ledger, &query, take_row, &s, error);
  if (status == INK_OK && s.row) {
    const json_t *file = by == INK_RECOVERED_WORDS ? file_with(s.row, "words", hash, NULL)
                                                   : file_with(s.row, "content", hash, NULL);
    if (!file) file = file_with(s.row, "sha256", hash, NULL);
    if (!file) file = file_with(s.row, NULL, NULL, NULL);
    status = keep(ledger, &s, by, file, r, error);
  }
  json_decref(s.row);
  return status;
}

static ink_status by_identity(ink_ledger *ledger, const char *identity, ink_recovered_by by,
                              const char *carrier, ink_recovery *r, ink_error *error) {
  search s = {0};
  ink_ledger_query query = {.identity = identity};
  ink_status status = ink_ledger_each(ledger, &query, take_row, &s, error);
  if (status == INK_OK && s.row) {
    status = keep(ledger, &s, by, file_with(s.row, NULL, NULL, carrier), r, error);
  }
  json_decref(s.row);
  return status;
}

// The row whose identity the pixels carry, be it with some bits lost.
static ink_status by_likeness(ink_ledger *ledger, const ink_identity_reading *reading,
                              const char *carrier, ink_recovery *r, ink_error *error) {
  search s = {.reading = reading, .least = likeness_limit};
  ink_ledger_query all = {0};
  ink_status status = ink_ledger_each(ledger, &all, take_row, &s, error);
  double p = s.least * (double)s.n_row;
  if (status == INK_OK && s.row && p < likeness_limit) {
    status =
        keep(ledger, &s, INK_RECOVERED_WATERMARK, file_with(s.row, NULL, NULL, carrier), r, error);
    r->p_value = p;
  }
  json_decref(s.row);
  return status;
}

// ---- what the file still says

// The label's ProduceID, where it is a UUID; "" else.
static void take_label(const json_t *aigc, char identity[INK_UUID_TEXT]) {
  const char *id = text_at(aigc, "ProduceID");
  if (ink_mark_is_identity(id)) snprintf(identity, INK_UUID_TEXT, "%s", id);
}

static ink_status read_picture(const char *name, const void *bytes, size_t size,
                               ink_identity_reading *reading, char label[INK_UUID_TEXT],
                               ink_error *error) {
  ink_picture picture;
  ink_picture_extras extras = {0};
  ink_error unread = {0};
  ink_status status =
      ink_picture_decode(bytes, size, name ? name : "picture", NULL, &picture, &extras, &unread);
  // What cannot be read carries nothing.
  if (status != INK_OK)
    return status == INK_ERR_MEMORY ? ink_fail(error, status, "%s", unread.text) : INK_OK;
  json_t *aigc = NULL;
  if (extras.xmp && ink_xmp_aigc(extras.xmp, strlen(extras.xmp), &aigc, &unread) == INK_OK) {
    take_label(aigc, label);
  }
  json_decref(aigc);
  status = ink_picture_identity_read(&picture, reading, error);
  ink_picture_extras_free(&extras);
  ink_picture_free(&picture);
  return status;
}

// The content as it was, or with other line ends at its end.
static ink_status by_content(ink_ledger *ledger, const char *bytes, size_t size, ink_recovery *r,
                             ink_error *error) {
  static const char *const endings[] = {"", "\n", "\n\n", "\r\n"};
  char hash[INK_SHA256_HEX];
  INK_TRY(ink_sha256_of(bytes, size, hash, error));
  INK_TRY(by_hash(ledger, hash, INK_RECOVERED_CONTENT, r, error));
  r->content_size = size;
  r->ending = "";
  if (r->by || !ink_utf8_valid(bytes, size, NULL)) return INK_OK;
  size_t trimmed = size;
  while (trimmed && strchr("\r\n", bytes[trimmed - 1]) && bytes[trimmed - 1]) trimmed--;
  for (size_t i = 0; !r->by && i < sizeof endings / sizeof *endings; i++) {
    ink_sha256 sum;
    INK_TRY(ink_sha256_start(&sum, error));
    ink_sha256_add(&sum, bytes, trimmed);
    ink_sha256_add(&sum, endings[i], strlen(endings[i]));
    ink_sha256_finish(&sum, hash);
    INK_TRY(by_hash(ledger, hash, INK_RECOVERED_CONTENT, r, error));
    r->content_size = trimmed;
    r->ending = endings[i];
  }
  return INK_OK;
}

ink_status ink_recover(ink_ledger *ledger, const char *name, const void *bytes, size_t size,
                       const char *identity, ink_recovery *r, ink_error *error) {
  char hash[INK_SHA256_HEX], label[INK_UUID_TEXT] = "";
  const ink_carrier *carrier = ink_carrier_for(name, bytes, size);
  const char *kind = carrier ? carrier->name : NULL;
  *r = (ink_recovery){0};
  INK_TRY(by_content(ledger, bytes, size, r, error));
  if (r->by && identity && strcmp(identity, r->identity) != 0) ink_recovery_free(r);
  if (!r->by && identity) {
    return by_identity(ledger, identity, INK_RECOVERED_GIVEN, kind, r, error);
  }
  if (r->by) return INK_OK;
  if (ink_picture_recognise(bytes, size)) {
    ink_identity_reading reading = {0};
    INK_TRY(read_picture(name, bytes, size, &reading, label, error));
    if (reading.looked) INK_TRY(by_likeness(ledger, &reading, kind, r, error));
  } else {
    json_t *aigc = NULL;
    ink_error unread = {0};
    if (ink_label_read(name, bytes, size, &aigc, &unread) == INK_OK) take_label(aigc, label);
    json_decref(aigc);
    if (ink_ledger_words(name, bytes, size, hash, &unread) == INK_OK) {
      INK_TRY(by_hash(ledger, hash, INK_RECOVERED_WORDS, r, error));
    }
  }
  if (r->by || !label[0]) return INK_OK;
  return by_identity(ledger, label, INK_RECOVERED_LABEL, kind, r, error);
}

// ---- validating

// The file with its store where it was: its bytes must be those that left.
static ink_status put_back(const ink_recovery *r, const ink_carrier *carrier, const void *bytes,
                           ink_text *whole, bool *same, ink_error *error) {
  size_t start, length;
  char hash[INK_SHA256_HEX] = "";
  ink_error unfit = {0};
  ink_text content = {0};
  *same = false;
  ink_text_add_bytes(&content, bytes, r->content_size);
  ink_text_add(&content, r->ending);
  ink_status status = ink_text_status(&content, error);
  if (status == INK_OK &&
      carrier->embed(carrier, (const unsigned char *)ink_text_string(&content), content.size,
                     r->store, r->store_size, whole, &start, &length, &unfit) == INK_OK) {
    status = ink_sha256_of(whole->bytes, whole->size, hash, error);
    *same = strcmp(hash, text_at(r->file, "sha256")) == 0;
  }
  ink_text_free(&content);
  return status;
}

// The watermark of the pixels is what the manifest says it is, but for some bits.
static bool soft_matches(void *context, const char *algorithm, const unsigned char *value,
                         size_t size) {
  const ink_identity_reading *reading = context;
  return strcmp(algorithm, INK_PICTURE_IDENTITY) == 0 && size == sizeof reading->bytes &&
         ink_identity_likeness(reading, value) < likeness_limit;
}

ink_status ink_recovery_validate(const ink_recovery *r, const char *name, const void *bytes,
                                 size_t size, const ink_c2pa_options *options,
                                 ink_c2pa_report *report, ink_error *error) {
  static const ink_c2pa_options nobody;
  ink_c2pa_options with = options ? *options : nobody;
  const char *carried = json_string_value(json_object_get(r->file, "carrier"));
  const ink_carrier *carrier = carried ? ink_carrier_named(carried) : NULL;
  ink_text whole = {0};
  bool same = false;
  if (!r->store) {
    return ink_fail(error, INK_ERR_NOT_FOUND, "%s: the ledger has its row, but no manifest of it",
                    name);
  }
  if (carrier && r->by == INK_RECOVERED_CONTENT) {
    ink_status status = put_back(r, carrier, bytes, &whole, &same, error);
    if (status != INK_OK) {
      ink_text_free(&whole);
      return status;
    }
  }
  ink_identity_reading reading = {0};
  char label[INK_UUID_TEXT];
  ink_status status = INK_OK;
  if (!same && ink_picture_recognise(bytes, size)) {
    status = read_picture(name, bytes, size, &reading, label, error);
    with.soft_matches = soft_matches;
    with.soft_context = &reading;
  }
  with.recovered = true;
  if (status == INK_OK) {
    status =
        same ? ink_c2pa_validate((const unsigned char *)whole.bytes, whole.size, carrier, NULL, 0,
                                 &with, report, error)
             : ink_c2pa_validate(bytes, size, NULL, r->store, r->store_size, &with, report, error);
  }
  ink_text_free(&whole);
  return status;
}
