// The directory of a ZIP archive (PKWARE APPNOTE 6.3).
#include "weights/zip.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "weights/check.h"

enum {
  END_SIZE = 22,      // end of central directory record, without its comment (4.3.16)
  LOCATOR_SIZE = 20,  // zip64 locator, which stands before it (4.3.15)
  END64_SIZE = 56,    // zip64 end of central directory record (4.3.14)
  CENTRAL_SIZE = 46,  // central directory header (4.3.12)
  LOCAL_SIZE = 30,    // local file header (4.3.7)
  LONGEST_COMMENT = 0xFFFF
};

#define END_MAGIC 0x06054B50u
#define LOCATOR_MAGIC 0x07064B50u
#define END64_MAGIC 0x06064B50u
#define CENTRAL_MAGIC 0x02014B50u
#define LOCAL_MAGIC 0x04034B50u
#define IN_ZIP64 0xFFFFFFFFu  // a field whose value is in the zip64 part

typedef struct reader {
  const unsigned char *bytes;
  size_t size;
  const char *name;
  ink_error *error;
} reader;

typedef struct directory {
  uint64_t offset, size, count;
} directory;

static uint64_t number(const reader *r, uint64_t at, size_t size) {
  return ink_little(r->bytes + at, size);
}

static uint32_t u16(const reader *r, uint64_t at) {
  return (uint32_t)number(r, at, 2);
}

static uint32_t u32(const reader *r, uint64_t at) {
  return (uint32_t)number(r, at, 4);
}

static ink_status fault(const reader *r, uint64_t at, const char *what) {
  return ink_fail_at(r->error, INK_ERR_FORMAT, (int64_t)at, "%s: %s", r->name, what);
}

// The record stands at the very end, behind it only a comment whose length it tells.
static ink_status find_end(const reader *r, uint64_t *end) {
  for (size_t comment = 0; comment <= LONGEST_COMMENT; comment++) {
    if (r->size < END_SIZE + comment) break;
    *end = r->size - END_SIZE - comment;
    if (u32(r, *end) == END_MAGIC && u16(r, *end + 20) == comment) return INK_OK;
  }
  return fault(r, r->size, "a ZIP archive without its directory; it is cut short");
}

static ink_status read_end64(const reader *r, uint64_t end, directory *d) {
  if (end < LOCATOR_SIZE || u32(r, end - LOCATOR_SIZE) != LOCATOR_MAGIC) {
    return fault(r, end, "a ZIP archive whose zip64 directory is missing");
  }
  uint64_t at = number(r, end - LOCATOR_SIZE + 8, 8);
  if (!ink_fits(at, END64_SIZE, end - LOCATOR_SIZE) || u32(r, at) != END64_MAGIC) {
    return fault(r, end - LOCATOR_SIZE, "a ZIP archive whose zip64 directory is not where it says");
  }
  *d = (directory){.offset = number(r, at + 48, 8),
                   .size = number(r, at + 40, 8),
                   .count = number(r, at + 32, 8)};
  return ink_fits(d->offset, d->size, at)
             ? INK_OK
             : fault(r, at, "a ZIP archive whose directory lies outside the file");
}

static ink_status find_directory(const reader *r, directory *d) {
  uint64_t end = 0;
  INK_TRY(find_end(r, &end));
  *d = (directory){.offset = u32(r, end + 16), .size = u32(r, end + 12), .count = u16(r, end + 10)};
  if (u16(r, end + 4) != 0 && u16(r, end + 4) != 0xFFFF) {
    return fault(r, end, "one part of a ZIP archive in several; join them first");
  }
  if (d->offset == IN_ZIP64 || d->size == IN_ZIP64 || d->count == 0xFFFF) {
    INK_TRY(read_end64(r, end, d));
  } else if (!ink_fits(d->offset, d->size, end)) {
    return fault(r, end, "a ZIP archive whose directory lies outside the file");
  }
  if (d->count > d->size / CENTRAL_SIZE) {
    return fault(r, end, "a ZIP archive that counts more entries than its directory can hold");
  }
  return INK_OK;
}

// The zip64 field of an entry (4.5.3): 8 bytes for each value that did not fit, in this order.
static ink_status read_extra64(const reader *r, uint64_t at, uint64_t end, uint64_t *values[3]) {
  while (end - at >= 4) {
    uint64_t size = u16(r, at + 2), field = at + 4;
    if (size > end - field) break;
    if (u16(r, at) != 1) {
      at = field + size;
      continue;
    }
    for (int i = 0; i < 3; i++) {
      if (*values[i] != IN_ZIP64) continue;
      if (size < 8) return fault(r, at, "a ZIP entry whose zip64 field is too short");
      *values[i] = number(r, field, 8);
      field += 8;
      size -= 8;
    }
    return INK_OK;
  }
  return INK_OK;  // sizes of exactly 2^32 - 1 need no field
}

// The local header repeats the name, and may have extra fields of another length: padding, which
// aligns the data.
static ink_status find_data(const reader *r, uint64_t limit, ink_zip_entry *e) {
  if (!ink_fits(e->header, LOCAL_SIZE, limit) || u32(r, e->header) != LOCAL_MAGIC) {
    return fault(r, e->header <= r->size ? e->header : r->size,
                 "a ZIP entry that is not where the directory says");
  }
  uint64_t name_size = u16(r, e->header + 26), extra_size = u16(r, e->header + 28);
  e->offset = e->header + LOCAL_SIZE + name_size + extra_size;
  if (!ink_fits(e->offset, e->size, limit)) {
    return fault(r, e->header, "a ZIP entry that ends beyond the entries; the file is cut short");
  }
  if (name_size != e->name_size ||
      memcmp(r->bytes + e->header + LOCAL_SIZE, e->name, e->name_size) != 0) {
    return fault(r, e->header, "a ZIP entry that has another name than in the directory");
  }
  return INK_OK;
}

static ink_status read_entry(const reader *r, const directory *d, uint64_t *at, ink_zip_entry *e) {
  uint64_t end = d->offset + d->size, bad = *at;
  size_t bad_byte;
  if (end - *at < CENTRAL_SIZE || u32(r, *at) != CENTRAL_MAGIC) {
    return fault(r, bad, "a ZIP directory that ends before its last entry");
  }
  uint64_t packed = u32(r, *at + 20), unpacked = u32(r, *at + 24), header = u32(r, *at + 42);
  uint64_t name_size = u16(r, *at + 28), extra_size = u16(r, *at + 30);
  uint64_t comment_size = u16(r, *at + 32);
  uint64_t name_at = *at + CENTRAL_SIZE, extra_at = name_at + name_size;
  if (name_size + extra_size + comment_size > end - name_at) {
    return fault(r, bad, "a ZIP directory that ends before its last entry");
  }
  e->name = (const char *)r->bytes + name_at;
  e->name_size = (size_t)name_size;
  if (!ink_name_valid(e->name, e->name_size, &bad_byte)) {
    return fault(r, name_at, "a ZIP entry with control characters in its name, or with none");
  }
  // Bit 0 of the flags is encryption, method 0 is "stored".
  e->stored = !(u16(r, *at + 8) & 1) && u16(r, *at + 10) == 0;
  INK_TRY(read_extra64(r, extra_at, extra_at + extra_size,
                       (uint64_t *[3]){&unpacked, &packed, &header}));
  if (e->stored && packed != unpacked) {
    return fault(r, bad, "a stored ZIP entry that has two sizes");
  }
  e->size = packed;
  e->header = header;
  *at = extra_at + extra_size + comment_size;
  return find_data(r, d->offset, e);
}

static int by_place(const void *a, const void *b) {
  const ink_zip_entry *x = a, *y = b;
  return x->header < y->header ? -1 : x->header > y->header;
}

static int compare(const char *a, size_t a_size, const char *b, size_t b_size) {
  int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
  if (order != 0) return order;
  return a_size < b_size ? -1 : a_size > b_size;
}

static int by_name(const void *a, const void *b) {
  const ink_zip_entry *x = a, *y = b;
  return compare(x->name, x->name_size, y->name, y->name_size);
}

static ink_status read_entries(const reader *r, const directory *d, ink_zip *zip) {
  uint64_t at = d->offset;
  for (uint64_t i = 0; i < d->count; i++) {
    INK_TRY(read_entry(r, d, &at, &zip->entries[i]));
    zip->n++;
  }
  qsort(zip->entries, zip->n, sizeof *zip->entries, by_place);
  for (size_t i = 1; i < zip->n; i++) {
    const ink_zip_entry *before = &zip->entries[i - 1];
    if (zip->entries[i].header < before->offset + before->size) {
      return fault(r, zip->entries[i].header, "a ZIP entry that lies over another one");
    }
  }
  qsort(zip->entries, zip->n, sizeof *zip->entries, by_name);
  for (size_t i = 1; i < zip->n; i++) {
    if (by_name(&zip->entries[i - 1], &zip->entries[i]) == 0) {
      return fault(r, zip->entries[i].header, "a ZIP archive with two entries of one name");
    }
  }
  return INK_OK;
}

ink_status ink_zip_read(const void *bytes, size_t size, const char *name, ink_zip *zip,
                        ink_error *error) {
  reader r = {.bytes = bytes, .size = size, .name = name, .error = error};
  directory d;
  *zip = (ink_zip){.bytes = bytes, .size = size};
  INK_TRY(find_directory(&r, &d));
  zip->entries = calloc((size_t)d.count + 1, sizeof *zip->entries);
  if (!zip->entries) {
    return ink_fail(error, INK_ERR_MEMORY, "%s: no memory for its directory", name);
  }
  return read_entries(&r, &d, zip);
}

void ink_zip_free(ink_zip *zip) {
  free(zip->entries);
  *zip = (ink_zip){0};
}

typedef struct wanted {
  const char *name;
  size_t size;
} wanted;

static int name_order(const void *key, const void *entry) {
  const wanted *w = key;
  const ink_zip_entry *e = entry;
  return compare(w->name, w->size, e->name, e->name_size);
}

const ink_zip_entry *ink_zip_find(const ink_zip *zip, const char *name, size_t name_size) {
  wanted w = {name, name_size};
  return bsearch(&w, zip->entries, zip->n, sizeof *zip->entries, name_order);
}
