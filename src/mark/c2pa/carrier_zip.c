// ZIP-based documents: Office Open XML, EPUB, OpenDocument (C2PA appendix A.6; PKWARE
// APPNOTE 6.3.10). The store is the stored, unencrypted file META-INF/content_credential.c2pa.
// Archives are read strictly (mark/archive.h), so that every byte is bound by one of the
// hashes, but the store's checksum, which follows from what is signed.
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/hash.h"
#include "mark/archive.h"
#include "mark/c2pa/carrier.h"

enum { FIRST_DAY = 0x21 };  // 1980-01-01: the same file gives the same bytes

static const char store_name[] = "META-INF/content_credential.c2pa";

// ---- which document it is

// OpenDocument and EPUB begin with their media type, stored.
static bool begins_with_type(const unsigned char *bytes, size_t size, const char *type) {
  size_t n = strlen(type);
  return ink_archive_is(bytes, size) && ink_little16(bytes + 26) == 8 &&
         ink_little16(bytes + 28) == 0 && ink_fits(INK_ZIP_LOCAL_SIZE + 8, n, size) &&
         memcmp(bytes + INK_ZIP_LOCAL_SIZE, "mimetype", 8) == 0 &&
         memcmp(bytes + INK_ZIP_LOCAL_SIZE + 8, type, n) == 0 && ink_little32(bytes + 18) == n;
}

// Office documents have a part of this name.
static bool has_part(const unsigned char *bytes, size_t size, const char *name) {
  ink_archive a;
  if (!ink_archive_is(bytes, size)) return false;
  ink_status status = ink_archive_read(bytes, size, &a, NULL);
  // Without memory it stays what it is; who reads it next says what is missing.
  if (status == INK_ERR_MEMORY) return ink_archive_names(bytes, size, name);
  if (status != INK_OK) return false;
  bool found = ink_archive_find(bytes, &a, name);
  ink_archive_free(&a);
  return found;
}

// ---- the carrier

// Stored and unencrypted (A.6.2.2), and no hash binds the header in front of it: it must say what
// the directory does, which is bound.
static bool store_is_plain(const unsigned char *bytes, const ink_archive_file *e) {
  const unsigned char *local = bytes + e->start, *central = bytes + e->central;
  return !e->method && !e->flags && ink_little32(central + 24) == e->data_size &&
         memcmp(local + 4, central + 6, 24) == 0 && ink_little16(local + 28) == 0;
}

static ink_status find(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                       ink_place *place, ink_error *error) {
  ink_archive a;
  (void)carrier;
  INK_TRY(ink_archive_read(bytes, size, &a, error));
  ink_status status = INK_OK;
  const ink_archive_file *e = ink_archive_find(bytes, &a, store_name);
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
  ink_archive_free(&a);
  return status;
}

// Version, flags, method, time, date, checksum, both sizes, the name's and the extra field's.
static void add_head(ink_text *out, const unsigned char *store, size_t store_size) {
  ink_text_add_little(out, INK_ZIP_VERSION, 2);
  for (int i = 0; i < 3; i++) ink_text_add_little(out, 0, 2);
  ink_text_add_little(out, FIRST_DAY, 2);
  ink_text_add_little(out, ink_crc32(0, store, store_size), 4);
  ink_text_add_little(out, (unsigned)store_size, 4);
  ink_text_add_little(out, (unsigned)store_size, 4);
  ink_text_add_little(out, sizeof store_name - 1, 2);
  ink_text_add_little(out, 0, 2);
}

static ink_status embed(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                        const unsigned char *store, size_t store_size, ink_text *out, size_t *start,
                        size_t *length, ink_error *error) {
  ink_archive a;
  (void)carrier;
  INK_TRY(ink_archive_read(bytes, size, &a, error));
  ink_status status = INK_OK;
  if (ink_archive_find(bytes, &a, store_name))
    status = ink_fail(error, INK_ERR_CONFLICT, "the file has a manifest already");
  if (status == INK_OK && (a.n >= 0xFFFE || store_size > INK_STORE_MOST || size > INT32_MAX)) {
    status = ink_fail(error, INK_ERR_UNSUPPORTED, "ZIP: the archive is too large for a manifest");
  }
  if (status == INK_OK) {
    *start = a.directory;
    *length = INK_ZIP_LOCAL_SIZE + sizeof store_name - 1 + store_size;
    ink_text_add_bytes(out, bytes, a.directory);
    ink_text_add_little(out, INK_ZIP_LOCAL, 4);
    add_head(out, store, store_size);
    ink_text_add(out, store_name);
    ink_text_add_bytes(out, store, store_size);
    size_t directory = a.directory + *length;
    ink_text_add_bytes(out, bytes + a.directory, a.end - a.directory);
    ink_text_add_little(out, INK_ZIP_CENTRAL, 4);
    ink_text_add_little(out, INK_ZIP_VERSION, 2);
    add_head(out, store, store_size);
    ink_text_add_little(out, 0, 2);  // comment, disk, attributes
    ink_text_add_little(out, 0, 2);
    ink_text_add_little(out, 0, 2);
    ink_text_add_little(out, 0, 4);
    ink_text_add_little(out, (unsigned)*start, 4);
    ink_text_add(out, store_name);
    size_t added = INK_ZIP_CENTRAL_SIZE + sizeof store_name - 1;
    ink_zip_put_end(out, bytes + a.end, size - a.end, a.n + 1, directory,
                    a.end - a.directory + added);
    status = ink_text_status(out, error);
  }
  ink_archive_free(&a);
  return status;
}

// Offsets behind the store move up with what lies there.
static void add_central(ink_text *out, const unsigned char *bytes, const ink_archive_file *e,
                        const ink_archive_file *store) {
  const unsigned char *at = bytes + e->central;
  ink_text_add_bytes(out, at, 42);
  ink_text_add_little(out,
                      (unsigned)(e->start > store->start ? e->start - store->length : e->start), 4);
  ink_text_add_bytes(out, at + INK_ZIP_CENTRAL_SIZE, e->central_size - INK_ZIP_CENTRAL_SIZE);
}

static ink_status take_out(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                           const ink_place *place, ink_text *out, ink_error *error) {
  ink_archive a;
  (void)carrier;
  (void)place;
  INK_TRY(ink_archive_read(bytes, size, &a, error));
  ink_status status = INK_OK;
  const ink_archive_file *store = ink_archive_find(bytes, &a, store_name);
  if (!store) {
    status = ink_fail(error, INK_ERR_FORMAT, "ZIP: %s",
                      ink_error_say(error, "it has no manifest store"));
  }
  if (status == INK_OK) {
    size_t behind = store->start + store->length;
    ink_text_add_bytes(out, bytes, store->start);
    ink_text_add_bytes(out, bytes + behind, a.directory - behind);
    for (size_t i = 0; i < a.n; i++) {
      if (&a.files[i] != store) add_central(out, bytes, &a.files[i], store);
    }
    ink_zip_put_end(out, bytes + a.end, size - a.end, a.n - 1, a.directory - store->length,
                    a.end - a.directory - store->central_size);
    status = ink_text_status(out, error);
  }
  ink_archive_free(&a);
  return status;
}

static ink_status collect(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                          ink_text *parts, ink_directory *directory, ink_error *error) {
  ink_archive a;
  (void)carrier;
  INK_TRY(ink_archive_read(bytes, size, &a, error));
  const ink_archive_file *store = ink_archive_find(bytes, &a, store_name);
  for (size_t i = 0; i < a.n; i++) {
    const ink_archive_file *e = &a.files[i];
    if (e == store) continue;
    ink_part part = {e->name, e->name_size, e->start, e->length};
    ink_text_add_bytes(parts, &part, sizeof part);
  }
  *directory = (ink_directory){.start = a.directory};
  if (store) {
    directory->checksum = store->central + 16;
    directory->holds = ink_crc32(0, bytes + store->data, store->data_size) == store->checksum;
  }
  ink_archive_free(&a);
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
