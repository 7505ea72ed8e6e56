// JUMBF boxes: a strict, bounded reader and a writer.
#include "mark/c2pa/jumbf.h"

#include <string.h>

#include "base/bytes.h"

enum { HEADER = 8, UUID = 16, REQUESTABLE = 0x01, LABELLED = 0x02, PRIVATE = 0x10 };

// All of C2PA's types are <four characters>-0011-0010-8000-00AA00389B71 but for embedded files.
static const unsigned char uuid_tail[12] = {0x00, 0x11, 0x00, 0x10, 0x80, 0x00,
                                            0x00, 0xAA, 0x00, 0x38, 0x9B, 0x71};
static const unsigned char embedded_file[16] = {0x40, 0xCB, 0x0C, 0x32, 0xBB, 0x8A, 0x48, 0x9D,
                                                0xA7, 0x0B, 0x2A, 0xD6, 0xF4, 0x7F, 0x43, 0x69};

typedef struct reader {
  ink_arena *arena;
  const unsigned char *origin;
  size_t n_box;
} reader;

static ink_status malformed(const reader *r, const unsigned char *at, const char *what,
                            ink_error *error) {
  return ink_fail_at(error, INK_ERR_FORMAT, at - r->origin, "manifest store: %s", what);
}

static ink_status read_box(reader *r, const unsigned char *at, size_t left, int depth,
                           ink_jumbf **out, ink_error *error);

static ink_status read_description(reader *r, ink_jumbf *box, const ink_jumbf *description,
                                   ink_error *error) {
  const unsigned char *at = description->bytes;
  size_t size = description->size;
  if (size < UUID + 2) return malformed(r, at, "a description box is too short", error);
  unsigned char toggles = at[UUID];
  if (memcmp(at + 4, uuid_tail, sizeof uuid_tail) == 0) {
    memcpy(box->kind, at, 4);
  } else if (memcmp(at, embedded_file, UUID) == 0) {
    memcpy(box->kind, "bfdb", 4);
  }
  if ((toggles & ~PRIVATE) != (REQUESTABLE | LABELLED)) {
    return malformed(r, at + UUID, "a description box has toggles that C2PA does not use", error);
  }
  const unsigned char *label = at + UUID + 1;
  const unsigned char *end = memchr(label, 0, size - UUID - 1);
  if (!end) return malformed(r, label, "a label does not end", error);
  if (end == label || !ink_utf8_valid((const char *)label, (size_t)(end - label), NULL)) {
    return malformed(r, label, "a label is empty or not UTF-8", error);
  }
  for (const unsigned char *c = label; c < end; c++) {
    if (*c < 0x20 || *c == '/' || *c == ';' || *c == '?' || *c == '#') {
      return malformed(r, c, "a label holds a character that none may hold", error);
    }
  }
  box->label = ink_arena_string(r->arena, (const char *)label);
  if (!box->label) return ink_fail(error, INK_ERR_MEMORY, "manifest store: no memory");
  size_t rest = size - UUID - 1 - (size_t)(end + 1 - label);
  if (!(toggles & PRIVATE)) {
    return rest == 0 ? INK_OK : malformed(r, end + 1, "bytes follow a label", error);
  }
  // The private box is the salt of section 8.4.2.2: 16 or 32 bytes.
  if (rest < HEADER || ink_big32(end + 1) != rest || memcmp(end + 5, "c2sh", 4) != 0 ||
      (rest != HEADER + 16 && rest != HEADER + 32)) {
    return malformed(r, end + 1, "a private box is no salt", error);
  }
  return INK_OK;
}

static ink_status read_superbox(reader *r, ink_jumbf *box, int depth, ink_error *error) {
  const unsigned char *at = box->bytes;
  size_t left = box->size;
  ink_jumbf *description = NULL;
  if (depth > INK_JUMBF_DEPTH) return malformed(r, at, "boxes are nested too deeply", error);
  INK_TRY(read_box(r, at, left, depth, &description, error));
  if (strcmp(description->type, "jumd") != 0) {
    return malformed(r, at, "a superbox does not begin with its description", error);
  }
  INK_TRY(read_description(r, box, description, error));
  at += HEADER + description->size;
  left -= HEADER + description->size;
  while (left) {
    ink_jumbf *child = NULL;
    INK_TRY(read_box(r, at, left, depth + 1, &child, error));
    child->parent = box;
    if (box->last) {
      box->last->next = child;
    } else {
      box->first = child;
    }
    box->last = child;
    at += HEADER + child->size;
    left -= HEADER + child->size;
  }
  return INK_OK;
}

static ink_status read_box(reader *r, const unsigned char *at, size_t left, int depth,
                           ink_jumbf **out, ink_error *error) {
  if (left < HEADER) return malformed(r, at, "a box header is cut short", error);
  uint32_t size = ink_big32(at);
  if (size < HEADER || size > left) {
    return malformed(r, at, "a box is longer than what holds it, or shorter than its header",
                     error);
  }
  if (++r->n_box > INK_JUMBF_BOXES) return malformed(r, at, "too many boxes", error);
  ink_jumbf *box = ink_arena_zeros(r->arena, 1, sizeof *box);
  if (!box) return ink_fail(error, INK_ERR_MEMORY, "manifest store: no memory");
  memcpy(box->type, at + 4, 4);
  box->bytes = at + HEADER;
  box->size = size - HEADER;
  *out = box;
  return strcmp(box->type, "jumb") == 0 ? read_superbox(r, box, depth, error) : INK_OK;
}

ink_status ink_jumbf_read(ink_arena *arena, const void *bytes, size_t size, ink_jumbf **root,
                          ink_error *error) {
  reader r = {.arena = arena, .origin = bytes};
  *root = NULL;
  ink_jumbf *read = NULL;
  INK_TRY(read_box(&r, bytes, size, 0, &read, error));
  if (!read->label) return malformed(&r, bytes, "it does not begin with a superbox", error);
  if (read->size + HEADER != size) {
    return malformed(&r, read->bytes + read->size, "bytes follow the store", error);
  }
  *root = read;
  return INK_OK;
}

static const ink_jumbf *child_of(const ink_jumbf *parent, const char *label, size_t length) {
  for (const ink_jumbf *at = parent ? parent->first : NULL; at; at = at->next) {
    if (at->label && strlen(at->label) == length && memcmp(at->label, label, length) == 0) {
      return at;
    }
  }
  return NULL;
}

const ink_jumbf *ink_jumbf_child(const ink_jumbf *parent, const char *label) {
  return child_of(parent, label, strlen(label));
}

const ink_jumbf *ink_jumbf_content(const ink_jumbf *box, const char *type) {
  const ink_jumbf *only = box ? box->first : NULL;
  return only && !only->next && strcmp(only->type, type) == 0 ? only : NULL;
}

const ink_jumbf *ink_jumbf_resolve(const ink_jumbf *store, const ink_jumbf *manifest,
                                   const char *uri) {
  static const char prefix[] = "self#jumbf=";
  if (!uri || strncmp(uri, prefix, sizeof prefix - 1) != 0) return NULL;
  const char *at = uri + sizeof prefix - 1;
  const ink_jumbf *box = manifest;
  if (*at == '/') {
    size_t root = strcspn(at + 1, "/");
    if (strlen(store->label) != root || memcmp(store->label, at + 1, root) != 0) return NULL;
    box = store;
    at += 1 + root;
    if (*at == '/') at++;
  }
  while (*at && box) {
    size_t length = strcspn(at, "/");
    box = child_of(box, at, length);
    at += length;
    if (*at == '/') at++;
  }
  return box;
}

void ink_jumbf_uri(const ink_jumbf *box, ink_text *out) {
  const ink_jumbf *path[INK_JUMBF_DEPTH + 2];
  size_t n = 0;
  for (; box && n < sizeof path / sizeof *path; box = box->parent) path[n++] = box;
  ink_text_add(out, "self#jumbf=");
  while (n--) {
    ink_text_add(out, "/");
    ink_text_add(out, path[n]->label ? path[n]->label : path[n]->type);
  }
}

size_t ink_jumbf_begin(ink_text *out, const char *kind, const char *label) {
  static const unsigned char toggles = REQUESTABLE | LABELLED;
  size_t begin = out->size;
  ink_text_add_bytes(out, "\0\0\0\0jumb", HEADER);
  ink_text_add_big(out, HEADER + UUID + 1 + strlen(label) + 1, 4);
  ink_text_add(out, "jumd");
  if (strcmp(kind, "bfdb") == 0) {
    ink_text_add_bytes(out, embedded_file, UUID);
  } else {
    ink_text_add_bytes(out, kind, 4);
    ink_text_add_bytes(out, uuid_tail, sizeof uuid_tail);
  }
  ink_text_add_bytes(out, &toggles, 1);
  ink_text_add_bytes(out, label, strlen(label) + 1);
  return begin;
}

void ink_jumbf_end(ink_text *out, size_t begin) {
  if (out->failed) return;
  size_t size = out->size - begin;
  if (size > UINT32_MAX) {
    out->failed = true;
    return;
  }
  for (int i = 0; i < 4; i++) out->bytes[begin + (size_t)i] = (char)(size >> (24 - 8 * i) & 0xFF);
}

void ink_jumbf_box(ink_text *out, const char *type, const void *bytes, size_t size) {
  if (size > UINT32_MAX - HEADER) {
    out->failed = true;
    return;
  }
  ink_text_add_big(out, HEADER + size, 4);
  ink_text_add_bytes(out, type, 4);
  ink_text_add_bytes(out, bytes, size);
}
