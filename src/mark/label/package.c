// Files of a document: unpacked as far as they may go, changed, put together again.
#include "mark/label/package.h"

#include <stdlib.h>
#include <string.h>
#include <zip.h>

ink_status ink_package_open(const void *bytes, size_t size, ink_package *p, ink_error *error) {
  zip_error_t fault;
  *p = (ink_package){.bytes = bytes, .size = size};
  zip_error_init(&fault);
  zip_source_t *source = zip_source_buffer_create(bytes, size, 0, &fault);
  p->zip = source ? zip_open_from_source(source, ZIP_RDONLY, &fault) : NULL;
  if (source && !p->zip) zip_source_free(source);
  zip_error_fini(&fault);
  if (!source) return ink_fail(error, INK_ERR_MEMORY, "no memory to read a document");
  if (!p->zip) return ink_fail(error, INK_ERR_FORMAT, "ZIP: it has no directory");
  return INK_OK;
}

ink_status ink_package_open_strictly(const void *bytes, size_t size, ink_package *p,
                                     ink_error *error) {
  INK_TRY(ink_package_open(bytes, size, p, error));
  ink_status status = ink_archive_read(bytes, size, &p->archive, error);
  if (status != INK_OK) ink_package_close(p);
  return status;
}

void ink_package_close(ink_package *p) {
  for (size_t i = 0; i < p->n_change; i++) {
    free(p->changes[i].name);
    ink_text_free(&p->changes[i].content);
  }
  if (p->zip) zip_discard(p->zip);
  ink_archive_free(&p->archive);
  *p = (ink_package){0};
}

static ink_package_change *change_of(const ink_package *p, const char *name) {
  for (size_t i = 0; i < p->n_change; i++) {
    if (strcmp(p->changes[i].name, name) == 0) return (ink_package_change *)&p->changes[i];
  }
  return NULL;
}

// Whatever the archive says of sizes: one byte more than the most is too much.
static bool unpack(zip_t *zip, const char *name, size_t most, ink_text *content) {
  enum { BLOCK = 1 << 14 };
  char block[BLOCK];
  size_t before = content->size;
  zip_int64_t got = -1;
  zip_file_t *file = zip_fopen(zip, name, 0);
  while (file && content->size - before <= most && (got = zip_fread(file, block, BLOCK)) > 0) {
    ink_text_add_bytes(content, block, (size_t)got);
    if (content->failed) break;
  }
  if (file) zip_fclose(file);
  return got == 0 && content->size - before <= most;
}

bool ink_package_has(const ink_package *p, const char *name) {
  return change_of(p, name) || zip_name_locate(p->zip, name, 0) >= 0;
}

ink_status ink_package_read(const ink_package *p, const char *name, size_t most, ink_text *content,
                            bool *there, ink_error *error) {
  const ink_package_change *change = change_of(p, name);
  bool has = ink_package_has(p, name);
  if (there) *there = has;
  if (!has) {
    return there ? INK_OK : ink_fail(error, INK_ERR_NOT_FOUND, "the document has no %s", name);
  }
  if (change) {
    ink_text_add_bytes(content, ink_text_string(&change->content), change->content.size);
  } else if (!unpack(p->zip, name, most, content)) {
    INK_TRY(ink_text_status(content, error));
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s in the document does not unpack, is encrypted, or is larger than %zu MiB",
                    name, most >> 20);
  }
  return ink_text_status(content, error);
}

ink_status ink_package_change_file(ink_package *p, const char *name, ink_text *content, bool stored,
                                   ink_error *error) {
  INK_TRY(ink_text_status(content, error));
  ink_package_change *change = change_of(p, name);
  if (!change) {
    char *copy = strdup(name);
    if (!copy || p->n_change == INK_PACKAGE_MOST_CHANGES) {
      free(copy);
      return ink_fail(error, INK_ERR_MEMORY, "no memory to change a document");
    }
    change = &p->changes[p->n_change++];
    *change = (ink_package_change){.name = copy};
  }
  ink_text_free(&change->content);
  change->content = *content;
  change->stored = stored;
  *content = (ink_text){0};
  return INK_OK;
}

ink_status ink_package_write(const ink_package *p, ink_text *out, ink_error *error) {
  ink_archive_change changes[INK_PACKAGE_MOST_CHANGES];
  for (size_t i = 0; i < p->n_change; i++) {
    const ink_package_change *c = &p->changes[i];
    changes[i] = (ink_archive_change){.name = c->name,
                                      .bytes = ink_text_string(&c->content),
                                      .size = c->content.size,
                                      .stored = c->stored};
  }
  return ink_archive_write(p->bytes, p->size, &p->archive, changes, p->n_change, out, error);
}

bool ink_package_resolve(const char *folder, const char *target, char *name, size_t room) {
  size_t n = strlen(folder);
  if (*target == '/') {
    n = 0;
    target++;
  }
  if (n >= room) return false;
  memcpy(name, folder, n);
  for (;;) {
    size_t step = strcspn(target, "/");
    if (step == 2 && memcmp(target, "..", 2) == 0) {
      if (!n) return false;
      for (n--; n > 0 && name[n - 1] != '/';) n--;
    } else if (step && !(step == 1 && *target == '.')) {
      if (step + 2 > room - n) return false;
      memcpy(name + n, target, step);
      n += step;
      if (target[step]) name[n++] = '/';
    }
    if (!target[step]) break;
    target += step + 1;
  }
  name[n] = 0;
  return n > 0 && name[n - 1] != '/';
}
