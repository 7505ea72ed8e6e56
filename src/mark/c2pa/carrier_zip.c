// ZIP-based documents: Office Open XML, EPUB, OpenDocument (C2PA appendix A.6; PKWARE
// APPNOTE 6.3.10). The store is the stored, unencrypted file META-INF/content_credential.c2pa.
//
// Nothing may lie in such a file that its directory does not speak of: files stand one behind the
// other without gaps, then the directory, then its end record, to the last byte. So every byte is
// bound by one of the hashes, but the store's checksum, which follows from what is signed.
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/hash.h"
#include "mark/c2pa/carrier.h"

enum {
  LOCAL = 0x04034B50,
  CENTRAL = 0x02014B50,
  END = 0x06054B50,
  DESCRIPTOR = 0x08074B50,
  LOCAL_SIZE = 30,
  CENTRAL_SIZE = 46,
  END_SIZE = 22,
  MOST_COMMENT = 0xFFFF,
  HAS_DESCRIPTOR = 1 << 3,
  VERSION_STORED = 20,
  FIRST_DAY = 0x21,  // 1980-01-01: the same file gives the same bytes
};

static const char store_name[] = "META-INF/content_credential.c2pa";

typedef struct entry {
  size_t name, name_size;        // in the directory
  size_t start, length;          // of the file with its header and descriptor
  size_t data, data_size;        // as it lies there
  size_t central, central_size;  // of its header in the directory
  unsigned method, flags, checksum;
} entry;

typedef struct archive {
  entry *entries;  // in the order of the directory
  size_t n;
  size_t directory, end;  // where the directory and its end record begin
  const entry *store;     // NULL: none
} archive;

static unsigned get16(const unsigned char *at) {
  return (unsigned)at[0] | (unsigned)at[1] << 8;
}

static unsigned get32(const unsigned char *at) {
  return get16(at) | get16(at + 2) << 16;
}

static void put16(ink_text *out, unsigned value) {
  unsigned char bytes[2] = {(unsigned char)value, (unsigned char)(value >> 8)};
  ink_text_add_bytes(out, bytes, 2);
}

static void put32(ink_text *out, unsigned value) {
  put16(out, value & 0xFFFF);
  put16(out, value >> 16);
}

// ---- reading

static bool find_end(const unsigned char *bytes, size_t size, size_t *end) {
  if (size < END_SIZE) return false;
  for (size_t comment = 0; comment <= MOST_COMMENT && comment + END_SIZE <= size; comment++) {
    const unsigned char *at = bytes + size - END_SIZE - comment;
    if (get32(at) == END && get16(at + 20) == comment) {
      *end = (size_t)(at - bytes);
      return true;
    }
  }
  return false;
}

static ink_status broken(const char *what, ink_error *error) {
  return ink_fail(error, INK_ERR_FORMAT, "ZIP: %s", ink_error_say(error, what));
}

// A relative path that leads nowhere else.
static bool is_path(const unsigned char *name, size_t size) {
  if (!size || name[0] == '/' || !ink_utf8_valid((const char *)name, size, NULL)) return false;
  for (size_t from = 0; from < size;) {
    const unsigned char *slash = memchr(name + from, '/', size - from);
    size_t length = slash ? (size_t)(slash - name) - from : size - from;
    bool dots = (length == 1 && name[from] == '.') ||
                (length == 2 && name[from] == '.' && name[from + 1] == '.');
    if (!length || dots) return false;
    from += length + 1;
  }
  return !memchr(name, '\\', size) && !memchr(name, 0, size);
}

// The header in front of a file must name it as the directory does.
static bool read_local(const unsigned char *bytes, const archive *a, entry *e) {
  if (!ink_fits(e->start, LOCAL_SIZE, a->directory)) return false;
  const unsigned char *at = bytes + e->start;
  size_t name = get16(at + 26), extra = get16(at + 28);
  e->data = e->start + LOCAL_SIZE + name + extra;
  return get32(at) == LOCAL && name == e->name_size &&
         ink_fits(e->data, e->data_size, a->directory) &&
         memcmp(at + LOCAL_SIZE, bytes + e->name, name) == 0 && get16(at + 6) == e->flags &&
         get16(at + 8) == e->method;
}

static ink_status read_central(const unsigned char *bytes, archive *a, size_t *at, entry *e,
                               ink_error *error) {
  if (!ink_fits(*at, CENTRAL_SIZE, a->end) || get32(bytes + *at) != CENTRAL) {
    return broken("its directory is cut short", error);
  }
  const unsigned char *head = bytes + *at;
  size_t name = get16(head + 28), extra = get16(head + 30), comment = get16(head + 32);
  size_t whole = CENTRAL_SIZE + name + extra + comment;
  if (!ink_fits(*at, whole, a->end)) return broken("its directory is cut short", error);
  *e = (entry){.name = *at + CENTRAL_SIZE,
               .name_size = name,
               .start = get32(head + 42),
               .data_size = get32(head + 20),
               .central = *at,
               .central_size = whole,
               .method = get16(head + 10),
               .flags = get16(head + 8),
               .checksum = get32(head + 16)};
  if (e->start == UINT32_MAX || e->data_size == UINT32_MAX) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "ZIP: archives of more than 4 GiB are not read");
  }
  if (!is_path(bytes + e->name, name)) return broken("it names a file outside itself", error);
  if (!read_local(bytes, a, e)) return broken("a file is not where its directory says", error);
  *at += whole;
  return INK_OK;
}

static int by_start(const void *a, const void *b) {
  const entry *x = *(entry *const *)a, *y = *(entry *const *)b;
  return x->start < y->start ? -1 : x->start > y->start;
}

static int by_name(const void *a, const void *b, void *context) {
  const entry *x = *(entry *const *)a, *y = *(entry *const *)b;
  const unsigned char *bytes = context;
  size_t least = x->name_size < y->name_size ? x->name_size : y->name_size;
  int order = memcmp(bytes + x->name, bytes + y->name, least);
  return order ? order : (x->name_size > y->name_size) - (x->name_size < y->name_size);
}

// One behind the other up to the directory, with nothing between them but descriptors.
static bool tile(const unsigned char *bytes, archive *a, entry **sorted) {
  for (size_t i = 0; i < a->n; i++) sorted[i] = &a->entries[i];
  qsort(sorted, a->n, sizeof *sorted, by_start);
  size_t at = 0;
  for (size_t i = 0; i < a->n; i++) {
    entry *e = sorted[i];
    size_t next = i + 1 < a->n ? sorted[i + 1]->start : a->directory;
    size_t data_end = e->data + e->data_size;
    if (e->start != at || next < data_end) return false;
    size_t rest = next - data_end;
    bool described = e->flags & HAS_DESCRIPTOR;
    bool sign = rest == 16 && get32(bytes + data_end) == DESCRIPTOR;
    if (described ? !(sign || rest == 12) : rest != 0) return false;
    e->length = next - e->start;
    at = next;
  }
  return at == a->directory;
}

static bool names_are_unique(const unsigned char *bytes, const archive *a, entry **sorted) {
  qsort_r(sorted, a->n, sizeof *sorted, by_name, (void *)(uintptr_t)bytes);
  for (size_t i = 1; i < a->n; i++) {
    if (by_name(&sorted[i - 1], &sorted[i], (void *)(uintptr_t)bytes) == 0) return false;
  }
  return true;
}

static ink_status read_entries(const unsigned char *bytes, archive *a, ink_error *error) {
  size_t at = a->directory;
  for (size_t i = 0; i < a->n; i++) {
    entry *e = &a->entries[i];
    INK_TRY(read_central(bytes, a, &at, e, error));
    if (e->name_size == sizeof store_name - 1 &&
        memcmp(bytes + e->name, store_name, e->name_size) == 0) {
      a->store = e;
    }
  }
  return at == a->end ? INK_OK : broken("its directory has another size than it says", error);
}

static ink_status archive_read(const unsigned char *bytes, size_t size, archive *a,
                               ink_error *error) {
  *a = (archive){0};
  if (!find_end(bytes, size, &a->end)) return broken("it has no directory", error);
  const unsigned char *end = bytes + a->end;
  a->n = get16(end + 10);
  size_t directory_size = get32(end + 12);
  a->directory = get32(end + 16);
  if (get16(end + 4) || get16(end + 6) || get16(end + 8) != a->n || a->n == 0xFFFF) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "ZIP: archives in several parts, or of 65,535 files and more, are not read");
  }
  if (a->directory > a->end || a->end - a->directory != directory_size) {
    return broken("something lies between its directory and its end", error);
  }
  if (a->n * (size_t)CENTRAL_SIZE > directory_size) {
    return broken("its directory is cut short", error);
  }
  a->entries = calloc(a->n + 1, sizeof *a->entries);
  entry **sorted = calloc(a->n + 1, sizeof *sorted);
  ink_status status = a->entries && sorted
                          ? read_entries(bytes, a, error)
                          : ink_fail(error, INK_ERR_MEMORY, "no memory for a directory");
  if (status == INK_OK && !tile(bytes, a, sorted)) {
    status = broken("something lies between its files", error);
  }
  if (status == INK_OK && !names_are_unique(bytes, a, sorted)) {
    status = broken("two of its files have one name", error);
  }
  free(sorted);
  if (status != INK_OK) {
    free(a->entries);
    *a = (archive){0};
  }
  return status;
}

static void archive_free(archive *a) {
  free(a->entries);
}

// ---- which document it is

static bool is_zip(const unsigned char *bytes, size_t size) {
  return size >= LOCAL_SIZE && get32(bytes) == LOCAL;
}

// OpenDocument and EPUB begin with their media type, stored.
static bool begins_with_type(const unsigned char *bytes, size_t size, const char *type) {
  size_t n = strlen(type);
  return is_zip(bytes, size) && get16(bytes + 26) == 8 && get16(bytes + 28) == 0 &&
         ink_fits(LOCAL_SIZE + 8, n, size) && memcmp(bytes + LOCAL_SIZE, "mimetype", 8) == 0 &&
         memcmp(bytes + LOCAL_SIZE + 8, type, n) == 0 && get32(bytes + 18) == n;
}

// Office documents have a part of this name.
static bool has_part(const unsigned char *bytes, size_t size, const char *name) {
  archive a;
  bool found = false;
  size_t n = strlen(name);
  if (!is_zip(bytes, size) || archive_read(bytes, size, &a, NULL) != INK_OK) return false;
  for (size_t i = 0; i < a.n; i++) {
    found =
        found || (a.entries[i].name_size == n && memcmp(bytes + a.entries[i].name, name, n) == 0);
  }
  archive_free(&a);
  return found;
}

// ---- the carrier

// Stored and unencrypted (A.6.2.2), and no hash binds the header in front of it: it must say what
// the directory does, which is bound.
static bool store_is_plain(const unsigned char *bytes, const entry *e) {
  const unsigned char *local = bytes + e->start, *central = bytes + e->central;
  return !e->method && !e->flags && get32(central + 24) == e->data_size &&
         memcmp(local + 4, central + 6, 24) == 0 && get16(local + 28) == 0;
}

static ink_status find(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                       ink_place *place, ink_error *error) {
  archive a;
  (void)carrier;
  INK_TRY(archive_read(bytes, size, &a, error));
  ink_status status = INK_OK;
  const entry *e = a.store;
  if (e && !store_is_plain(bytes, e)) {
    status = ink_place_fault(place, "manifest.inaccessible",
                             "META-INF/content_credential.c2pa is not a stored file without flags");
  } else if (e) {
    place->present = true;
    place->start = e->start;
    place->length = e->length;
    if (e->data_size > INK_STORE_MOST) {
      status = ink_fail(error, INK_ERR_UNSUPPORTED, "ZIP: its manifest store is too large");
    } else {
      ink_text_add_bytes(&place->store, bytes + e->data, e->data_size);
      status = ink_text_status(&place->store, error);
    }
  }
  archive_free(&a);
  return status;
}

static void add_end(ink_text *out, const unsigned char *end, size_t end_size, size_t n,
                    size_t directory, size_t directory_size) {
  ink_text_add_bytes(out, end, 8);
  put16(out, (unsigned)n);
  put16(out, (unsigned)n);
  put32(out, (unsigned)directory_size);
  put32(out, (unsigned)directory);
  ink_text_add_bytes(out, end + 20, end_size - 20);
}

// Version, flags, method, time, date, checksum, both sizes, the name's and the extra field's.
static void add_head(ink_text *out, const unsigned char *store, size_t store_size) {
  put16(out, VERSION_STORED);
  for (int i = 0; i < 3; i++) put16(out, 0);
  put16(out, FIRST_DAY);
  put32(out, ink_crc32(0, store, store_size));
  put32(out, (unsigned)store_size);
  put32(out, (unsigned)store_size);
  put16(out, sizeof store_name - 1);
  put16(out, 0);
}

static ink_status embed(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                        const unsigned char *store, size_t store_size, ink_text *out, size_t *start,
                        size_t *length, ink_error *error) {
  archive a;
  (void)carrier;
  INK_TRY(archive_read(bytes, size, &a, error));
  ink_status status = INK_OK;
  if (a.store) status = ink_fail(error, INK_ERR_CONFLICT, "the file has a manifest already");
  if (status == INK_OK && (a.n >= 0xFFFE || store_size > INK_STORE_MOST || size > INT32_MAX)) {
    status = ink_fail(error, INK_ERR_UNSUPPORTED, "ZIP: the archive is too large for a manifest");
  }
  if (status == INK_OK) {
    *start = a.directory;
    *length = LOCAL_SIZE + sizeof store_name - 1 + store_size;
    ink_text_add_bytes(out, bytes, a.directory);
    put32(out, LOCAL);
    add_head(out, store, store_size);
    ink_text_add(out, store_name);
    ink_text_add_bytes(out, store, store_size);
    size_t directory = a.directory + *length;
    ink_text_add_bytes(out, bytes + a.directory, a.end - a.directory);
    put32(out, CENTRAL);
    put16(out, VERSION_STORED);
    add_head(out, store, store_size);
    put16(out, 0);  // comment, disk, attributes
    put16(out, 0);
    put16(out, 0);
    put32(out, 0);
    put32(out, (unsigned)*start);
    ink_text_add(out, store_name);
    size_t added = CENTRAL_SIZE + sizeof store_name - 1;
    add_end(out, bytes + a.end, size - a.end, a.n + 1, directory, a.end - a.directory + added);
    status = ink_text_status(out, error);
  }
  archive_free(&a);
  return status;
}

// Offsets behind the store move up with what lies there.
static void add_central(ink_text *out, const unsigned char *bytes, const entry *e,
                        const entry *store) {
  const unsigned char *at = bytes + e->central;
  ink_text_add_bytes(out, at, 42);
  put32(out, (unsigned)(e->start > store->start ? e->start - store->length : e->start));
  ink_text_add_bytes(out, at + CENTRAL_SIZE, e->central_size - CENTRAL_SIZE);
}

static ink_status take_out(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                           const ink_place *place, ink_text *out, ink_error *error) {
  archive a;
  (void)carrier;
  (void)place;
  INK_TRY(archive_read(bytes, size, &a, error));
  ink_status status = INK_OK;
  if (!a.store) status = broken("it has no manifest store", error);
  if (status == INK_OK) {
    size_t behind = a.store->start + a.store->length;
    ink_text_add_bytes(out, bytes, a.store->start);
    ink_text_add_bytes(out, bytes + behind, a.directory - behind);
    for (size_t i = 0; i < a.n; i++) {
      if (&a.entries[i] != a.store) add_central(out, bytes, &a.entries[i], a.store);
    }
    add_end(out, bytes + a.end, size - a.end, a.n - 1, a.directory - a.store->length,
            a.end - a.directory - a.store->central_size);
    status = ink_text_status(out, error);
  }
  archive_free(&a);
  return status;
}

static ink_status collect(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                          ink_text *parts, ink_directory *directory, ink_error *error) {
  archive a;
  (void)carrier;
  INK_TRY(archive_read(bytes, size, &a, error));
  for (size_t i = 0; i < a.n; i++) {
    const entry *e = &a.entries[i];
    if (e == a.store) continue;
    ink_part part = {e->name, e->name_size, e->start, e->length};
    ink_text_add_bytes(parts, &part, sizeof part);
  }
  *directory = (ink_directory){.start = a.directory};
  if (a.store) {
    directory->checksum = a.store->central + 16;
    directory->holds = ink_crc32(0, bytes + a.store->data, a.store->data_size) == a.store->checksum;
  }
  archive_free(&a);
  return ink_text_status(parts, error);
}

#define ZIP_CARRIER(symbol, text, media, test, ...)                   \
  static bool is_##symbol(const unsigned char *bytes, size_t size) {  \
    return test;                                                      \
  }                                                                   \
  const ink_carrier ink_carrier_##symbol = {.name = text,             \
                                            .media_type = media,      \
                                            .endings = __VA_ARGS__,   \
                                            .recognise = is_##symbol, \
                                            .find = find,             \
                                            .embed = embed,           \
                                            .remove = take_out,       \
                                            .collect = collect}

#define OFFICE "application/vnd.openxmlformats-officedocument."
#define OPEN "application/vnd.oasis.opendocument."

ZIP_CARRIER(epub, "epub", "application/epub+zip",
            begins_with_type(bytes, size, "application/epub+zip"), {"epub"});
ZIP_CARRIER(odt, "odt", OPEN "text", begins_with_type(bytes, size, OPEN "text"), {"odt"});
ZIP_CARRIER(docx, "docx", OFFICE "wordprocessingml.document",
            has_part(bytes, size, "word/document.xml"), {"docx"});
ZIP_CARRIER(xlsx, "xlsx", OFFICE "spreadsheetml.sheet", has_part(bytes, size, "xl/workbook.xml"),
            {"xlsx"});
ZIP_CARRIER(pptx, "pptx", OFFICE "presentationml.presentation",
            has_part(bytes, size, "ppt/presentation.xml"), {"pptx"});
