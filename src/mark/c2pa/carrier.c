// The list of carriers, and what several of them share.
#include "mark/c2pa/carrier.h"

#include <string.h>
#include <strings.h>

#include "base/file.h"

// Each is defined in its carrier_<format>.c; those of text that differ in their comments alone in
// carrier_text.c.
extern const ink_carrier ink_carrier_png, ink_carrier_jpeg, ink_carrier_webp, ink_carrier_wav,
    ink_carrier_gif, ink_carrier_mp3, ink_carrier_pdf, ink_carrier_svg, ink_carrier_html,
    ink_carrier_markdown, ink_carrier_c, ink_carrier_css, ink_carrier_shell, ink_carrier_sql,
    ink_carrier_tex, ink_carrier_ini, ink_carrier_plain, ink_carrier_epub, ink_carrier_odt,
    ink_carrier_docx, ink_carrier_xlsx, ink_carrier_pptx;

static const ink_carrier *const carriers[] = {
    &ink_carrier_png,   &ink_carrier_jpeg, &ink_carrier_webp, &ink_carrier_wav,
    &ink_carrier_gif,   &ink_carrier_mp3,  &ink_carrier_pdf,  &ink_carrier_svg,
    &ink_carrier_html,  &ink_carrier_c,    &ink_carrier_css,  &ink_carrier_markdown,
    &ink_carrier_sql,   &ink_carrier_tex,  &ink_carrier_ini,  &ink_carrier_shell,
    &ink_carrier_plain, &ink_carrier_epub, &ink_carrier_odt,  &ink_carrier_docx,
    &ink_carrier_xlsx,  &ink_carrier_pptx};
enum { N_CARRIER = sizeof carriers / sizeof *carriers };

static bool has_ending(const ink_carrier *carrier, const char *ending) {
  for (size_t i = 0; i < sizeof carrier->endings / sizeof *carrier->endings; i++) {
    if (carrier->endings[i] && strcasecmp(carrier->endings[i], ending) == 0) return true;
  }
  return false;
}

const ink_carrier *ink_carrier_by_ending(const char *name) {
  const char *dot = name ? strrchr(ink_path_name(name), '.') : NULL;
  for (size_t i = 0; dot && i < N_CARRIER; i++) {
    if (has_ending(carriers[i], dot + 1)) return carriers[i];
  }
  return NULL;
}

const ink_carrier *ink_carrier_for(const char *name, const unsigned char *bytes, size_t size) {
  for (size_t i = 0; i < N_CARRIER; i++) {
    if (carriers[i]->recognise && carriers[i]->recognise(bytes, size)) return carriers[i];
  }
  const char *dot = name ? strrchr(ink_path_name(name), '.') : NULL;
  for (size_t i = 0; dot && i < N_CARRIER; i++) {
    // A name does not make a picture of what is none.
    if (!carriers[i]->recognise && has_ending(carriers[i], dot + 1)) return carriers[i];
  }
  return NULL;
}

const ink_carrier *ink_carrier_named(const char *name) {
  for (size_t i = 0; i < N_CARRIER; i++) {
    if (strcmp(carriers[i]->name, name) == 0) return carriers[i];
  }
  return NULL;
}

void ink_place_free(ink_place *place) {
  ink_text_free(&place->store);
  *place = (ink_place){0};
}

ink_status ink_place_fault(ink_place *place, const char *code, const char *why) {
  place->present = true;
  place->code = code;
  size_t length = strnlen(why, sizeof place->why - 1);
  memcpy(place->why, why, length);
  place->why[length] = 0;
  return INK_OK;
}

ink_status ink_carrier_find(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                            ink_place *place, ink_error *error) {
  INK_TRY(carrier->find(carrier, bytes, size, place, error));
  // A store that did not fit into memory is not one that is wrong.
  return ink_text_status(&place->store, error);
}

ink_status ink_carrier_remove(const ink_carrier *carrier, const unsigned char *bytes, size_t size,
                              ink_text *out, ink_error *error) {
  ink_place place = {0};
  ink_status status = ink_carrier_find(carrier, bytes, size, &place, error);
  if (status == INK_OK && (!place.present || place.code)) {
    status = ink_fail(error, INK_ERR_FORMAT, "no manifest store that could be taken out%s%s",
                      place.code ? ": " : "", place.why);
  }
  if (status == INK_OK && carrier->remove) {
    status = carrier->remove(carrier, bytes, size, &place, out, error);
  } else if (status == INK_OK) {
    size_t end = place.start + place.length;
    ink_text_add_bytes(out, bytes, place.start);
    ink_text_add_bytes(out, bytes + end, size - end);
    status = ink_text_status(out, error);
  }
  ink_place_free(&place);
  return status;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void ink_base64_add(ink_text *out, const unsigned char *bytes, size_t size) {
  for (size_t i = 0; i < size; i += 3) {
    size_t n = size - i < 3 ? size - i : 3;
    unsigned group = (unsigned)bytes[i] << 16;
    if (n > 1) group |= (unsigned)bytes[i + 1] << 8;
    if (n > 2) group |= bytes[i + 2];
    char four[4] = {alphabet[group >> 18], alphabet[group >> 12 & 63],
                    n > 1 ? alphabet[group >> 6 & 63] : '=', n > 2 ? alphabet[group & 63] : '='};
    ink_text_add_bytes(out, four, 4);
  }
}

static int value_of(char c) {
  const char *at = c ? memchr(alphabet, c, 64) : NULL;
  return at ? (int)(at - alphabet) : -1;
}

bool ink_base64_read(const char *text, size_t size, ink_text *out) {
  if (size % 4) return false;
  for (size_t i = 0; i < size; i += 4) {
    int v[4];
    size_t n = 3;
    if (i + 4 == size && text[i + 3] == '=') n = text[i + 2] == '=' ? 1 : 2;
    unsigned group = 0;
    for (size_t j = 0; j < 4; j++) {
      v[j] = j <= n ? value_of(text[i + j]) : 0;
      if (v[j] < 0) return false;
      group = group << 6 | (unsigned)v[j];
    }
    unsigned char three[3] = {(unsigned char)(group >> 16), (unsigned char)(group >> 8),
                              (unsigned char)group};
    for (size_t j = n; j < 3; j++) {
      if (three[j]) return false;
    }
    ink_text_add_bytes(out, three, n);
  }
  return true;
}

void ink_range_add(ink_text *ranges, const ink_place *place, const char *name, size_t start,
                   size_t length) {
  ink_named_range range = {.start = start, .length = length};
  size_t end = place->start + place->length;
  if (place->present && start >= place->start && start < end) {
    if (start != place->start) return;
    range.length = place->length;
    name = "C2PA";
  }
  size_t n = strnlen(name, sizeof range.name - 1);
  memcpy(range.name, name, n);
  ink_text_add_bytes(ranges, &range, sizeof range);
}

size_t ink_find_bytes(const unsigned char *bytes, size_t size, size_t from, const char *what) {
  if (from >= size) return size;
  const unsigned char *at = memmem(bytes + from, size - from, what, strlen(what));
  return at ? (size_t)(at - bytes) : size;
}
