// Telling formats apart, notes, limits; the formats themselves are next door.
#include "picture/codec.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "picture/formats.h"

// ---- notes --------------------------------------------------------------------------------------

void ink_picture_extras_free(ink_picture_extras *extras) {
  for (size_t i = 0; i < extras->n_notes; i++) {
    free(extras->notes[i].key);
    free(extras->notes[i].text);
  }
  free(extras->notes);
  free(extras->icc);
  free(extras->xmp);
  *extras = (ink_picture_extras){0};
}

const char *ink_picture_note(const ink_picture_extras *extras, const char *key) {
  for (size_t i = 0; i < extras->n_notes; i++) {
    if (strcmp(extras->notes[i].key, key) == 0) return extras->notes[i].text;
  }
  return NULL;
}

static bool key_is_fine(const char *key) {
  size_t length = strlen(key);
  for (size_t i = 0; i < length; i++) {
    if (key[i] < ' ' || key[i] > '~' || key[i] == ':') return false;
  }
  return length >= 1 && length <= 79 && key[0] != ' ' && key[length - 1] != ' ';
}

ink_status ink_picture_note_set(ink_picture_extras *extras, const char *key, const char *text,
                                ink_error *error) {
  if (!key_is_fine(key)) {
    return ink_fail(error, INK_ERR_USAGE,
                    "a note's key is 1 to 79 printable ASCII characters without a colon");
  }
  if (!ink_utf8_valid(text, strlen(text), NULL)) {
    return ink_fail(error, INK_ERR_USAGE, "the note \"%s\" is not well-formed UTF-8", key);
  }
  char *copy = strdup(text), *name = NULL;
  if (!copy) return ink_fail(error, INK_ERR_MEMORY, "no memory for a picture's note");
  for (size_t i = 0; i < extras->n_notes; i++) {
    if (strcmp(extras->notes[i].key, key) != 0) continue;
    free(extras->notes[i].text);
    extras->notes[i].text = copy;
    return INK_OK;
  }
  ink_note *grown = realloc(extras->notes, (extras->n_notes + 1) * sizeof *grown);
  if (grown) {
    extras->notes = grown;
    name = strdup(key);
  }
  if (!name) {
    free(copy);
    return ink_fail(error, INK_ERR_MEMORY, "no memory for a picture's note");
  }
  extras->notes[extras->n_notes++] = (ink_note){name, copy};
  return INK_OK;
}

enum { MOST_NOTES = 64 };  // more than any tool writes; a file may hold thousands

ink_status ink_picture_note_found(ink_picture_extras *extras, const char *key, const char *text,
                                  size_t size, ink_error *error) {
  if (!key_is_fine(key) || extras->n_notes >= MOST_NOTES) return INK_OK;
  const char *end = memchr(text, 0, size);
  ink_text clean = {0};
  ink_text_add_lossy(&clean, text, end ? (size_t)(end - text) : size);
  ink_status status = ink_text_status(&clean, error);
  if (status == INK_OK) {
    status = ink_picture_note_set(extras, key, ink_text_string(&clean), error);
  }
  ink_text_free(&clean);
  return status;
}

ink_status ink_picture_icc_found(ink_picture_extras *extras, const void *bytes, size_t size,
                                 ink_error *error) {
  if (!bytes || size == 0 || extras->icc) return INK_OK;
  extras->icc = malloc(size);
  if (!extras->icc) return ink_fail(error, INK_ERR_MEMORY, "no memory for a colour profile");
  memcpy(extras->icc, bytes, size);
  extras->icc_size = size;
  return INK_OK;
}

ink_status ink_picture_xmp_found(ink_picture_extras *extras, const void *bytes, size_t size,
                                 ink_error *error) {
  if (!bytes || size == 0 || extras->xmp) return INK_OK;
  extras->xmp = strndup(bytes, size);
  return extras->xmp ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for XMP");
}

// ---- reading ------------------------------------------------------------------------------------

// 16,384 on a side and 64 million pixels.
static ink_picture_limits default_limits(void) {
  return (ink_picture_limits){.most_side = 16384, .most_pixels = 64000000};
}

ink_status ink_picture_within(const ink_picture_input *input, uint64_t width, uint64_t height,
                              ink_error *error) {
  uint64_t side = (uint64_t)input->limits.most_side;
  if (width < 1 || height < 1) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: a picture without pixels", input->name);
  }
  if (width > side || height > side || width > (uint64_t)input->limits.most_pixels / height) {
    return ink_fail(error, INK_ERR_USAGE,
                    "%s: %llu x %llu pixels; at most %d on a side and %lld in all are read",
                    input->name, (unsigned long long)width, (unsigned long long)height,
                    (int)input->limits.most_side, (long long)input->limits.most_pixels);
  }
  return INK_OK;
}

typedef ink_status (*reader)(const ink_picture_input *, ink_picture *, ink_picture_extras *, int *,
                             ink_error *);

static reader reader_of(const unsigned char *bytes, size_t size) {
  if (size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0) return ink_png_read;
  if (size >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0) return ink_jpeg_read;
  if (size >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0) {
    return ink_webp_read;
  }
  return NULL;
}

bool ink_picture_recognise(const void *bytes, size_t size) {
  return reader_of(bytes, size) != NULL;
}

static ink_status turn(ink_picture *picture, int orientation, ink_error *error) {
  if (orientation == 1) return INK_OK;
  ink_picture turned;
  INK_TRY(ink_picture_orient(picture, orientation, &turned, error));
  ink_picture_free(picture);
  *picture = turned;
  return INK_OK;
}

ink_status ink_picture_decode(const void *bytes, size_t size, const char *name,
                              const ink_picture_limits *limits, ink_picture *picture,
                              ink_picture_extras *extras, ink_error *error) {
  *picture = (ink_picture){0};
  ink_picture_input input = {bytes, size, name, limits ? *limits : default_limits()};
  reader read = reader_of(input.bytes, size);
  if (!read) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: neither PNG nor JPEG nor WebP", name);
  }
  ink_picture_extras own = {0};
  int orientation = 1;
  ink_status status = read(&input, picture, &own, &orientation, error);
  if (status == INK_OK) status = turn(picture, orientation, error);
  if (status == INK_OK && extras) {
    *extras = own;
    return INK_OK;
  }
  ink_picture_extras_free(&own);
  if (status != INK_OK) ink_picture_free(picture);
  return status;
}

ink_status ink_picture_load(const char *path, const ink_picture_limits *limits,
                            ink_picture *picture, ink_picture_extras *extras, ink_error *error) {
  *picture = (ink_picture){0};
  char *bytes;
  size_t size;
  INK_TRY(ink_file_read(path, INK_PICTURE_MOST_FILE, &bytes, &size, error));
  ink_status status = ink_picture_decode(bytes, size, path, limits, picture, extras, error);
  free(bytes);
  return status;
}

// ---- writing ------------------------------------------------------------------------------------

ink_status ink_picture_format_of(const char *path, ink_picture_format *format, ink_error *error) {
  static const struct {
    const char *ending;
    ink_picture_format format;
  } known[] = {{".png", INK_PICTURE_PNG},
               {".jpg", INK_PICTURE_JPEG},
               {".jpeg", INK_PICTURE_JPEG},
               {".webp", INK_PICTURE_WEBP}};
  const char *dot = strrchr(ink_path_name(path), '.');
  for (size_t i = 0; dot && i < sizeof known / sizeof *known; i++) {
    if (strcasecmp(dot, known[i].ending) == 0) {
      *format = known[i].format;
      return INK_OK;
    }
  }
  return ink_fail(error, INK_ERR_USAGE, "%s: a picture's name ends in .png, .jpg, .jpeg or .webp",
                  path);
}

ink_status ink_picture_encode(const ink_picture *picture, ink_picture_format format,
                              const ink_picture_encoding *encoding, ink_text *out,
                              ink_error *error) {
  ink_picture_encoding e = encoding ? *encoding : (ink_picture_encoding){0};
  if (e.quality == 0) e.quality = 92;
  if (e.quality < 1 || e.quality > 100) {
    return ink_fail(error, INK_ERR_USAGE, "a quality of %d; it lies in 1 … 100", e.quality);
  }
  switch (format) {
    case INK_PICTURE_PNG:
      return ink_png_write(picture, &e, out, error);
    case INK_PICTURE_JPEG:
      return ink_jpeg_write(picture, &e, out, error);
    case INK_PICTURE_WEBP:
    default:
      return ink_webp_write(picture, &e, out, error);
  }
}
