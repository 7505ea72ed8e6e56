// Fuzz target: an archive read strictly and written anew with one file changed and one added. What
// is written must be read again, with the files that did not change as they were.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mark/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(const uint8_t *bytes, const ink_archive *before,
                  const ink_archive_change *changes, const ink_text *out) {
  const unsigned char *written = (const unsigned char *)out->bytes;
  ink_archive after;
  ink_error error = {0};
  if (ink_archive_read(written, out->size, &after, &error) != INK_OK) abort();
  for (size_t i = 0; i < before->n; i++) {
    const ink_archive_file *old = &before->files[i], *new = &after.files[i];
    if (old->name_size != new->name_size ||
        memcmp(bytes + old->name, written + new->name, old->name_size) != 0) {
      abort();
    }
    bool changed = ink_archive_find(bytes, before, changes[0].name) == old ||
                   ink_archive_find(bytes, before, changes[1].name) == old;
    if (!changed && (old->length != new->length ||
                     memcmp(bytes + old->start, written + new->start, old->length) != 0)) {
      abort();
    }
  }
  const ink_archive_file *fresh = ink_archive_find(written, &after, changes[1].name);
  if (!fresh || fresh->data_size != changes[1].size ||
      memcmp(written + fresh->data, changes[1].bytes, changes[1].size) != 0) {
    abort();
  }
  ink_archive_free(&after);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  ink_archive a;
  ink_error error = {0};
  ink_text out = {0};
  if (ink_archive_read(bytes, size, &a, &error) != INK_OK) return 0;
  char name[256] = "first.xml";
  if (a.n && a.files[0].name_size < sizeof name) {
    memcpy(name, bytes + a.files[0].name, a.files[0].name_size);
    name[a.files[0].name_size] = 0;
  }
  ink_archive_change changes[] = {{name, "aaaaaaaaaaaaaaaaaaaaaaaaaaaa", 28, false},
                                  {"docProps/custom.xml", "<a/>", 4, true}};
  size_t n = strcmp(name, changes[1].name) == 0 ? 1 : 2;
  if (ink_archive_write(bytes, size, &a, changes + 2 - n, n, &out, &error) == INK_OK && n == 2) {
    check(bytes, &a, changes, &out);
  }
  ink_text_free(&out);
  ink_archive_free(&a);
  return 0;
}
