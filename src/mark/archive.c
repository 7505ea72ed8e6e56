// Archives read strictly, by our own reader: libraries hide where bytes lie, and read what says two
// things in the way they like.
#include "mark/archive.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/checked.h"

enum {
  END = 0x06054B50,
  DESCRIPTOR = 0x08074B50,
  END_SIZE = 22,
  MOST_COMMENT = 0xFFFF,
  HAS_DESCRIPTOR = 1 << 3,
};

// ---- reading ------------------------------------------------------------------------------------

static bool find_end(const unsigned char *bytes, size_t size, size_t *end) {
  if (size < END_SIZE) return false;
  for (size_t comment = 0; comment <= MOST_COMMENT && comment + END_SIZE <= size; comment++) {
    const unsigned char *at = bytes + size - END_SIZE - comment;
    if (ink_little32(at) == END && ink_little16(at + 20) == comment) {
      *end = (size_t)(at - bytes);
      return true;
    }
  }
  return false;
}

static ink_status broken(const char *what, ink_error *error) {
  return ink_fail(error, INK_ERR_FORMAT, "ZIP: %s", ink_error_say(error, what));
}

// A relative path that leads nowhere else. What begins with a slash has an empty step before it.
static bool is_path(const unsigned char *name, size_t size) {
  if (!size || !ink_utf8_valid((const char *)name, size, NULL)) return false;
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
static bool read_local(const unsigned char *bytes, const ink_archive *a, ink_archive_file *e) {
  if (!ink_fits(e->start, INK_ZIP_LOCAL_SIZE, a->directory)) return false;
  const unsigned char *at = bytes + e->start;
  size_t name = ink_little16(at + 26), extra = ink_little16(at + 28);
  e->data = e->start + INK_ZIP_LOCAL_SIZE + name + extra;
  return ink_little32(at) == INK_ZIP_LOCAL && name == e->name_size &&
         ink_fits(e->data, e->data_size, a->directory) &&
         memcmp(at + INK_ZIP_LOCAL_SIZE, bytes + e->name, name) == 0 &&
         ink_little16(at + 6) == e->flags && ink_little16(at + 8) == e->method;
}

static ink_status read_central(const unsigned char *bytes, ink_archive *a, size_t *at,
                               ink_archive_file *e, ink_error *error) {
  if (!ink_fits(*at, INK_ZIP_CENTRAL_SIZE, a->end) ||
      ink_little32(bytes + *at) != INK_ZIP_CENTRAL) {
    return broken("its directory is cut short", error);
  }
  const unsigned char *head = bytes + *at;
  size_t name = ink_little16(head + 28), extra = ink_little16(head + 30),
         comment = ink_little16(head + 32);
  size_t whole = INK_ZIP_CENTRAL_SIZE + name + extra + comment;
  if (!ink_fits(*at, whole, a->end)) return broken("its directory is cut short", error);
  *e = (ink_archive_file){.name = *at + INK_ZIP_CENTRAL_SIZE,
                          .name_size = name,
                          .start = ink_little32(head + 42),
                          .data_size = ink_little32(head + 20),
                          .central = *at,
                          .central_size = whole,
                          .method = ink_little16(head + 10),
                          .flags = ink_little16(head + 8),
                          .checksum = ink_little32(head + 16)};
  if (e->start == UINT32_MAX || e->data_size == UINT32_MAX) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "ZIP: archives of more than 4 GiB are not read");
  }
  if (!is_path(bytes + e->name, name)) return broken("it names a file outside itself", error);
  if (!read_local(bytes, a, e)) return broken("a file is not where its directory says", error);
  *at += whole;
  return INK_OK;
}

static int by_start(const void *a, const void *b) {
  const ink_archive_file *x = *(ink_archive_file *const *)a, *y = *(ink_archive_file *const *)b;
  return x->start < y->start ? -1 : x->start > y->start;
}

static int by_name(const void *a, const void *b, void *context) {
  const ink_archive_file *x = *(ink_archive_file *const *)a, *y = *(ink_archive_file *const *)b;
  const unsigned char *bytes = context;
  size_t least = x->name_size < y->name_size ? x->name_size : y->name_size;
  int order = memcmp(bytes + x->name, bytes + y->name, least);
  return order ? order : (x->name_size > y->name_size) - (x->name_size < y->name_size);
}

// One behind the other up to the directory, with nothing between them but descriptors.
static bool tile(const unsigned char *bytes, ink_archive *a, ink_archive_file **sorted) {
  for (size_t i = 0; i < a->n; i++) sorted[i] = &a->files[i];
  qsort(sorted, a->n, sizeof *sorted, by_start);
  size_t at = 0;
  for (size_t i = 0; i < a->n; i++) {
    ink_archive_file *e = sorted[i];
    size_t next = i + 1 < a->n ? sorted[i + 1]->start : a->directory;
    size_t data_end = e->data + e->data_size;
    if (e->start != at || next < data_end) return false;
    size_t rest = next - data_end;
    bool described = e->flags & HAS_DESCRIPTOR;
    bool sign = rest == 16 && ink_little32(bytes + data_end) == DESCRIPTOR;
    if (described ? !(sign || rest == 12) : rest != 0) return false;
    e->length = next - e->start;
    at = next;
  }
  return at == a->directory;
}

static bool names_are_unique(const unsigned char *bytes, const ink_archive *a,
                             ink_archive_file **sorted) {
  qsort_r(sorted, a->n, sizeof *sorted, by_name, (void *)(uintptr_t)bytes);
  for (size_t i = 1; i < a->n; i++) {
    if (by_name(&sorted[i - 1], &sorted[i], (void *)(uintptr_t)bytes) == 0) return false;
  }
  return true;
}

static ink_status read_files(const unsigned char *bytes, ink_archive *a, ink_error *error) {
  size_t at = a->directory;
  for (size_t i = 0; i < a->n; i++) {
    INK_TRY(read_central(bytes, a, &at, &a->files[i], error));
  }
  return at == a->end ? INK_OK : broken("its directory has another size than it says", error);
}

// Where the directory lies, and how much is in it.
static ink_status read_end(const unsigned char *bytes, size_t size, ink_archive *a,
                           ink_error *error) {
  *a = (ink_archive){0};
  if (!find_end(bytes, size, &a->end)) return broken("it has no directory", error);
  const unsigned char *end = bytes + a->end;
  a->n = ink_little16(end + 10);
  size_t directory_size = ink_little32(end + 12);
  a->directory = ink_little32(end + 16);
  if (ink_little16(end + 4) || ink_little16(end + 6) || ink_little16(end + 8) != a->n ||
      a->n == 0xFFFF) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "ZIP: archives in several parts, or of 65,535 files and more, are not read");
  }
  if (a->directory > a->end || a->end - a->directory != directory_size) {
    return broken("something lies between its directory and its end", error);
  }
  if (a->n * (size_t)INK_ZIP_CENTRAL_SIZE > directory_size) {
    return broken("its directory is cut short", error);
  }
  return INK_OK;
}

ink_status ink_archive_read(const unsigned char *bytes, size_t size, ink_archive *a,
                            ink_error *error) {
  INK_TRY(read_end(bytes, size, a, error));
  a->files = calloc(a->n + 1, sizeof *a->files);
  ink_archive_file **sorted = calloc(a->n + 1, sizeof *sorted);
  ink_status status = a->files && sorted
                          ? read_files(bytes, a, error)
                          : ink_fail(error, INK_ERR_MEMORY, "no memory for a directory");
  if (status == INK_OK && !tile(bytes, a, sorted)) {
    status = broken("something lies between its files", error);
  }
  if (status == INK_OK && !names_are_unique(bytes, a, sorted)) {
    status = broken("two of its files have one name", error);
  }
  free(sorted);
  if (status != INK_OK) {
    free(a->files);
    *a = (ink_archive){0};
  }
  return status;
}

void ink_archive_free(ink_archive *a) {
  free(a->files);
  *a = (ink_archive){0};
}

bool ink_archive_is(const unsigned char *bytes, size_t size) {
  return size >= INK_ZIP_LOCAL_SIZE && ink_little32(bytes) == INK_ZIP_LOCAL;
}

static bool has_name(const unsigned char *bytes, const ink_archive_file *e, const char *name) {
  size_t n = strlen(name);
  return e->name_size == n && memcmp(bytes + e->name, name, n) == 0;
}

bool ink_archive_names(const unsigned char *bytes, size_t size, const char *name) {
  ink_archive a;
  ink_archive_file e;
  if (read_end(bytes, size, &a, NULL) != INK_OK) return false;
  size_t at = a.directory;
  for (size_t i = 0; i < a.n && read_central(bytes, &a, &at, &e, NULL) == INK_OK; i++) {
    if (has_name(bytes, &e, name)) return true;
  }
  return false;
}

const ink_archive_file *ink_archive_find(const unsigned char *bytes, const ink_archive *a,
                                         const char *name) {
  for (size_t i = 0; i < a->n; i++) {
    if (has_name(bytes, &a->files[i], name)) return &a->files[i];
  }
  return NULL;
}

// ---- writing ------------------------------------------------------------------------------------

enum {
  DEFLATED = 8,
  ENCRYPTED = 1 << 0,
  IS_UTF8 = 1 << 11,
  FIRST_DATE = 1 << 5 | 1  // 1980-01-01, the earliest there is
};

// What both headers of a changed file say of it.
typedef struct header {
  unsigned flags, method, time, date, checksum;
  const ink_archive_change *change;
  ink_text data;
} header;

static ink_status deflate_into(const ink_archive_change *c, ink_text *out, ink_error *error) {
  z_stream z = {0};
  if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    return ink_fail(error, INK_ERR_MEMORY, "no memory to compress a document");
  }
  size_t most = deflateBound(&z, c->size);
  unsigned char *packed = malloc(most);
  z.next_in = (Bytef *)(uintptr_t)c->bytes;
  z.avail_in = (uInt)c->size;
  z.next_out = packed;
  z.avail_out = (uInt)most;
  bool done = packed && deflate(&z, Z_FINISH) == Z_STREAM_END;
  if (done) ink_text_add_bytes(out, packed, z.total_out);
  deflateEnd(&z);
  free(packed);
  if (!done) return ink_fail(error, INK_ERR_MEMORY, "no memory to compress a document");
  return ink_text_status(out, error);
}

// `old` is the file that is replaced, NULL where it is new.
static ink_status make_header(const unsigned char *bytes, const ink_archive_file *old,
                              const ink_archive_change *c, header *h, ink_error *error) {
  *h = (header){.change = c, .date = FIRST_DATE};
  if (old && (old->flags & ENCRYPTED)) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "ZIP: %s is encrypted", c->name);
  }
  if (old) {
    h->time = ink_little16(bytes + old->central + 12);
    h->date = ink_little16(bytes + old->central + 14);
  }
  for (const char *at = c->name; *at; at++) {
    if (*at & 0x80) h->flags = IS_UTF8;
  }
  h->checksum = (unsigned)crc32(0, (const Bytef *)c->bytes, (uInt)c->size);
  if (!c->stored) INK_TRY(deflate_into(c, &h->data, error));
  if (h->data.size && h->data.size < c->size) {
    h->method = DEFLATED;
    return INK_OK;
  }
  ink_text_clear(&h->data);
  ink_text_add_bytes(&h->data, c->bytes, c->size);
  return ink_text_status(&h->data, error);
}

// From the version that is needed to the length of the extra field, which is empty.
static void put_header(ink_text *out, const header *h) {
  ink_text_add_little(out, INK_ZIP_VERSION, 2);
  ink_text_add_little(out, h->flags, 2);
  ink_text_add_little(out, h->method, 2);
  ink_text_add_little(out, h->time, 2);
  ink_text_add_little(out, h->date, 2);
  ink_text_add_little(out, h->checksum, 4);
  ink_text_add_little(out, (unsigned)h->data.size, 4);
  ink_text_add_little(out, (unsigned)h->change->size, 4);
  ink_text_add_little(out, (unsigned)strlen(h->change->name), 2);
  ink_text_add_little(out, 0, 2);
}

static void put_local(ink_text *out, const header *h) {
  ink_text_add_little(out, INK_ZIP_LOCAL, 4);
  put_header(out, h);
  ink_text_add(out, h->change->name);
  ink_text_add_bytes(out, ink_text_string(&h->data), h->data.size);
}

// Attributes are those of the file that was replaced.
static void put_central(ink_text *out, const unsigned char *old, const header *h, size_t start) {
  ink_text_add_little(out, INK_ZIP_CENTRAL, 4);
  ink_text_add_little(out, old ? ink_little16(old + 4) : INK_ZIP_VERSION, 2);
  put_header(out, h);
  ink_text_add_little(out, 0, 2);  // comment
  ink_text_add_little(out, 0, 2);  // disk
  ink_text_add_little(out, old ? ink_little16(old + 36) : 0, 2);
  ink_text_add_little(out, old ? ink_little32(old + 38) : 0, 4);
  ink_text_add_little(out, (unsigned)start, 4);
  ink_text_add(out, h->change->name);
}

void ink_zip_put_end(ink_text *out, const unsigned char *end, size_t end_size, size_t n,
                     size_t directory, size_t directory_size) {
  ink_text_add_bytes(out, end, 8);
  ink_text_add_little(out, (unsigned)n, 2);
  ink_text_add_little(out, (unsigned)n, 2);
  ink_text_add_little(out, (unsigned)directory_size, 4);
  ink_text_add_little(out, (unsigned)directory, 4);
  ink_text_add_bytes(out, end + 20, end_size - 20);
}

// What is written: the archive's files, then those that are new.
typedef struct rewriting {
  const unsigned char *bytes;
  const ink_archive *archive;
  header *headers;  // one for each change
  size_t n;
  const header **fresh;  // for each file of the archive: its change, NULL where it stays
  size_t *starts;        // of the archive's files and then of the changes
} rewriting;

static ink_status prepare(rewriting *r, const ink_archive_change *changes, ink_error *error) {
  const ink_archive *a = r->archive;
  for (size_t i = 0; i < r->n; i++) {
    const ink_archive_file *old = ink_archive_find(r->bytes, a, changes[i].name);
    INK_TRY(make_header(r->bytes, old, &changes[i], &r->headers[i], error));
    if (old) r->fresh[old - a->files] = &r->headers[i];
  }
  return INK_OK;
}

static bool is_new(const rewriting *r, size_t change) {
  return !ink_archive_find(r->bytes, r->archive, r->headers[change].change->name);
}

static ink_status put_all(rewriting *r, size_t size, ink_text *out, ink_error *error) {
  const ink_archive *a = r->archive;
  size_t begin = out->size, added = 0;
  ink_archive_file **sorted = calloc(a->n + 1, sizeof *sorted);
  if (!sorted) return ink_fail(error, INK_ERR_MEMORY, "no memory for a directory");
  for (size_t i = 0; i < a->n; i++) sorted[i] = &a->files[i];
  qsort(sorted, a->n, sizeof *sorted, by_start);
  for (size_t i = 0; i < a->n; i++) {
    const ink_archive_file *e = sorted[i];
    size_t which = (size_t)(e - a->files);
    r->starts[which] = out->size - begin;
    if (r->fresh[which]) {
      put_local(out, r->fresh[which]);
    } else {
      ink_text_add_bytes(out, r->bytes + e->start, e->length);
    }
  }
  free(sorted);
  for (size_t i = 0; i < r->n; i++) {
    if (!is_new(r, i)) continue;
    added++;
    r->starts[a->n + i] = out->size - begin;
    put_local(out, &r->headers[i]);
  }
  size_t directory = out->size - begin;
  for (size_t i = 0; i < a->n; i++) {
    const unsigned char *central = r->bytes + a->files[i].central;
    if (r->fresh[i]) {
      put_central(out, central, r->fresh[i], r->starts[i]);
      continue;
    }
    ink_text_add_bytes(out, central, 42);
    ink_text_add_little(out, (unsigned)r->starts[i], 4);
    ink_text_add_bytes(out, central + INK_ZIP_CENTRAL_SIZE,
                       a->files[i].central_size - INK_ZIP_CENTRAL_SIZE);
  }
  for (size_t i = 0; i < r->n; i++) {
    if (is_new(r, i)) put_central(out, NULL, &r->headers[i], r->starts[a->n + i]);
  }
  size_t end = out->size - begin;
  ink_zip_put_end(out, r->bytes + a->end, size - a->end, a->n + added, directory, end - directory);
  if (out->size - begin > INT32_MAX || a->n + added >= 0xFFFF) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "ZIP: the archive is too large to be changed");
  }
  return ink_text_status(out, error);
}

ink_status ink_archive_write(const unsigned char *bytes, size_t size, const ink_archive *archive,
                             const ink_archive_change *changes, size_t n, ink_text *out,
                             ink_error *error) {
  size_t total = size;
  for (size_t i = 0; i < n; i++) {
    if (!ink_add_size(total, changes[i].size, &total) || total > INT32_MAX) {
      return ink_fail(error, INK_ERR_UNSUPPORTED, "ZIP: the archive is too large to be changed");
    }
  }
  rewriting r = {.bytes = bytes, .archive = archive, .n = n};
  r.headers = calloc(n + 1, sizeof *r.headers);
  r.fresh = calloc(archive->n + 1, sizeof *r.fresh);
  r.starts = calloc(archive->n + n + 1, sizeof *r.starts);
  ink_status status = r.headers && r.fresh && r.starts
                          ? prepare(&r, changes, error)
                          : ink_fail(error, INK_ERR_MEMORY, "no memory for a directory");
  if (status == INK_OK) status = put_all(&r, size, out, error);
  for (size_t i = 0; r.headers && i < n; i++) ink_text_free(&r.headers[i].data);
  free(r.headers);
  free(r.fresh);
  free(r.starts);
  return status;
}
