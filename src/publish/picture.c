// Pictures on their way to the disk: encoded, signed, written, read again.
#include "publish/picture.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/progress.h"

enum { MOST_FILE = 1 << 30 };

// The file on disk must be the one that was made, and what it says of itself must hold.
static ink_status check_written(const ink_marked_picture *marked, const char *path,
                                const ink_text *file, ink_error *error) {
  const char *identity = ink_marked_picture_identity(marked);
  char *bytes, expected[16 + INK_UUID_TEXT];
  size_t size;
  INK_TRY(ink_file_read(path, MOST_FILE, &bytes, &size, error));
  ink_status status = INK_OK;
  if (size != file->size || memcmp(bytes, file->bytes, size) != 0) {
    status = ink_fail(error, INK_ERR_IO, "%s was written with other bytes than were signed", path);
  }
  ink_c2pa_report report = {0};
  if (status == INK_OK && identity) {
    const unsigned char *read = (const unsigned char *)bytes;
    const ink_carrier *carrier = ink_carrier_for(NULL, read, size);
    status = ink_c2pa_validate(read, size, carrier, NULL, 0, NULL, &report, error);
    snprintf(expected, sizeof expected, "urn:c2pa:%s", identity);
    bool holds = report.state == INK_C2PA_VALID || report.state == INK_C2PA_TRUSTED;
    if (status == INK_OK && (!holds || strcmp(report.active, expected) != 0)) {
      status = ink_fail(error, INK_ERR_IO, "%s was written, but its manifest does not hold (%s)",
                        path, ink_c2pa_state_name(report.state));
    }
  }
  ink_c2pa_report_free(&report);
  free(bytes);
  return status;
}

ink_status ink_publish_picture(const ink_marked_picture *marked, const char *path,
                               const ink_publish_picture_options *options,
                               char content[INK_SHA256_HEX], ink_error *error) {
  ink_picture_format format = INK_PICTURE_PNG;
  ink_picture_encoding encoding = {.quality = options->quality,
                                   .lossless = options->lossless,
                                   .extras = ink_marked_picture_extras(marked)};
  bool marks = ink_marked_picture_identity(marked) != NULL;
  if (marks && !options->signer) {
    return ink_fail(error, INK_ERR_INTERNAL, "%s: a marked picture is signed", path);
  }
  INK_TRY(ink_picture_format_of(path, &format, error));
  char created[24];
  ink_clock_utc(created);
  ink_text file = {0}, signed_file = {0};
  ink_status status =
      ink_picture_encode(ink_marked_picture_pixels(marked), format, &encoding, &file, error);
  if (status == INK_OK && content) status = ink_sha256_of(file.bytes, file.size, content, error);
  if (status == INK_OK && marks) {
    status = ink_marked_picture_sign(marked, &file, created, options->signer, &signed_file, error);
  }
  if (status != INK_OK) ink_context(error, status, "%s", path);
  const ink_text *whole = marks ? &signed_file : &file;
  if (status == INK_OK) status = ink_file_save(path, whole->bytes, whole->size, error);
  if (status == INK_OK) status = check_written(marked, path, whole, error);
  ink_text_free(&file);
  ink_text_free(&signed_file);
  return status;
}

ink_status ink_publish_png(const ink_marked_picture *marked, ink_text *out, ink_error *error) {
  ink_picture_encoding encoding = {.extras = ink_marked_picture_extras(marked)};
  return ink_picture_encode(ink_marked_picture_pixels(marked), INK_PICTURE_PNG, &encoding, out,
                            error);
}
