// The safetensors writer. Order and spelling are those of the reference implementation, so that the
// same tensors give the same bytes.
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/file.h"
#include "base/text.h"
#include "weights/check.h"
#include "weights/element_types.h"
#include "weights/safetensors.h"

struct ink_safetensors_writer {
  ink_file_writer file;
  bool open;
  size_t n;
  size_t *order;
  uint64_t total, given;  // bytes of data
};

static bool size_of(const ink_safetensors_entry *entry, const ink_element_type *type,
                    size_t *bytes) {
  int64_t elements, bits;
  if (entry->rank < 0 || entry->rank > INK_MAX_RANK) return false;
  if (!ink_mul_extents(entry->shape, entry->rank, &elements)) return false;
  if (!ink_mul_count(elements, type->bits, &bits) || bits % 8 != 0) return false;
  *bytes = (size_t)(bits / 8);
  return true;
}

static void put_quoted(ink_text *out, const char *text) {
  ink_text_add(out, "\"");
  for (const char *at = text; *at; at++) {
    unsigned char c = (unsigned char)*at;
    static const char special[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    const char *found = strchr(special, c);
    if (found) {
      char escape[2] = {'\\', letters[found - special]};
      ink_text_add_bytes(out, escape, 2);
    } else if (c < 0x20) {
      ink_text_format(out, "\\u%04x", c);
    } else {
      ink_text_add_bytes(out, at, 1);
    }
  }
  ink_text_add(out, "\"");
}

static int by_place(const void *a, const void *b) {
  const ink_safetensors_entry *x = *(const ink_safetensors_entry *const *)a;
  const ink_safetensors_entry *y = *(const ink_safetensors_entry *const *)b;
  const ink_element_type *type_x = ink_element_type_of(x->type_name);
  const ink_element_type *type_y = ink_element_type_of(y->type_name);
  if (type_x != type_y) return type_x > type_y ? -1 : 1;
  return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const ink_safetensors_entry *const *)a)->name,
                (*(const ink_safetensors_entry *const *)b)->name);
}

static ink_status check_entries(const char *path, const ink_safetensors_entry **sorted, size_t n,
                                ink_error *error) {
  for (size_t i = 0; i < n; i++) {
    const ink_safetensors_entry *entry = sorted[i];
    const ink_element_type *type = ink_element_type_of(entry->type_name);
    size_t bytes, bad;
    if (!ink_name_valid(entry->name, strlen(entry->name), &bad) ||
        strcmp(entry->name, "__metadata__") == 0) {
      return ink_fail(error, INK_ERR_USAGE, "%s: \"%.*s\" is no name for a tensor", path,
                      INK_SHOWN(entry->name));
    }
    if (!type) {
      return ink_fail(error, INK_ERR_USAGE,
                      "%s: safetensors has no type %s, as tensor %.*s would need; GGUF has it",
                      path, entry->type_name, INK_SHOWN(entry->name));
    }
    if (!size_of(entry, type, &bytes)) {
      return ink_fail(error, INK_ERR_USAGE, "%s: tensor %.*s has no size", path,
                      INK_SHOWN(entry->name));
    }
  }
  qsort(sorted, n, sizeof *sorted, by_name);
  for (size_t i = 1; i < n; i++) {
    if (by_name(&sorted[i - 1], &sorted[i]) == 0) {
      return ink_fail(error, INK_ERR_USAGE, "%s: the tensor %.*s is there twice", path,
                      INK_SHOWN(sorted[i]->name));
    }
  }
  return INK_OK;
}

static void put_header(ink_text *out, const ink_safetensors_entry *const *sorted, size_t n,
                       const char *const (*metadata)[2], size_t n_metadata, uint64_t *total) {
  ink_text_add(out, "{");
  for (size_t i = 0; i < n_metadata; i++) {
    ink_text_add(out, i ? "," : "\"__metadata__\":{");
    put_quoted(out, metadata[i][0]);
    ink_text_add(out, ":");
    put_quoted(out, metadata[i][1]);
  }
  if (n_metadata) ink_text_add(out, n ? "}," : "}");
  *total = 0;
  for (size_t i = 0; i < n; i++) {
    size_t bytes = 0;
    size_of(sorted[i], ink_element_type_of(sorted[i]->type_name), &bytes);
    put_quoted(out, sorted[i]->name);
    ink_text_format(out, ":{\"dtype\":\"%s\",\"shape\":[", sorted[i]->type_name);
    for (int j = 0; j < sorted[i]->rank; j++) {
      ink_text_format(out, "%s%lld", j ? "," : "", (long long)sorted[i]->shape[j]);
    }
    ink_text_format(out, "],\"data_offsets\":[%llu,%llu]}%s", (unsigned long long)*total,
                    (unsigned long long)*total + bytes, i + 1 < n ? "," : "");
    *total += bytes;
  }
  ink_text_add(out, "}");
  while (!out->failed && out->size % 8) ink_text_add(out, " ");
}

static ink_status start_file(const char *path, const ink_text *header,
                             ink_safetensors_writer *writer, ink_error *error) {
  unsigned char length[8];
  INK_TRY(ink_text_status(header, error));
  for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)header->size >> (8 * i) & 0xFF);
  INK_TRY(ink_file_create(path, &writer->file, error));
  writer->open = true;
  INK_TRY(ink_file_write(&writer->file, length, sizeof length, error));
  return ink_file_write(&writer->file, header->bytes, header->size, error);
}

ink_status ink_safetensors_create(const char *path, const ink_safetensors_entry *entries, size_t n,
                                  const char *const (*metadata)[2], size_t n_metadata,
                                  ink_safetensors_writer **writer, ink_error *error) {
  *writer = NULL;
  ink_safetensors_writer *new = calloc(1, sizeof *new);
  const ink_safetensors_entry **sorted = calloc(n + 1, sizeof *sorted);
  if (new) new->order = calloc(n + 1, sizeof *new->order);
  ink_text header = {0};
  ink_status status;
  if (!new || !sorted || !new->order) {
    status = ink_fail(error, INK_ERR_MEMORY, "%s: no memory for its header", path);
  } else {
    new->n = n;
    for (size_t i = 0; i < n; i++) sorted[i] = &entries[i];
    status = check_entries(path, sorted, n, error);
  }
  if (status == INK_OK) {
    qsort(sorted, n, sizeof *sorted, by_place);
    for (size_t i = 0; i < n; i++) new->order[i] = (size_t)(sorted[i] - entries);
    put_header(&header, sorted, n, metadata, n_metadata, &new->total);
    status = start_file(path, &header, new, error);
  }
  ink_text_free(&header);
  free(sorted);
  if (status != INK_OK) {
    ink_safetensors_writer_free(new);
    return status;
  }
  *writer = new;
  return INK_OK;
}

const size_t *ink_safetensors_writer_order(const ink_safetensors_writer *writer) {
  return writer->order;
}

ink_status ink_safetensors_writer_data(ink_safetensors_writer *writer, const void *bytes,
                                       size_t size, ink_error *error) {
  if (size > writer->total - writer->given) {
    return ink_fail(error, INK_ERR_USAGE, "%s: more data than its tensors have",
                    writer->open ? writer->file.path : "safetensors file");
  }
  writer->given += size;
  return ink_file_write(&writer->file, bytes, size, error);
}

ink_status ink_safetensors_writer_commit(ink_safetensors_writer *writer, ink_error *error) {
  if (!writer->open) return ink_fail(error, INK_ERR_USAGE, "safetensors file: not open");
  if (writer->given != writer->total) {
    return ink_fail(error, INK_ERR_USAGE, "%s: %llu bytes of its tensors are missing",
                    writer->file.path, (unsigned long long)(writer->total - writer->given));
  }
  writer->open = false;
  return ink_file_commit(&writer->file, error);
}

void ink_safetensors_writer_free(ink_safetensors_writer *writer) {
  if (!writer) return;
  if (writer->open) ink_file_abandon(&writer->file);
  free(writer->order);
  free(writer);
}
