// Pictures that tests write to disk. The program itself writes marked ones only
// (publish/picture.h).
#ifndef INK_TESTS_PICTURES_H
#define INK_TESTS_PICTURES_H

#include "base/file.h"
#include "picture/codec.h"

// A picture to a file, its format by its ending.
static inline ink_status save_picture(const ink_picture *picture, const char *path,
                                      const ink_picture_encoding *encoding, ink_error *error) {
  ink_picture_format format = INK_PICTURE_PNG;
  ink_text bytes = {0};
  INK_TRY(ink_picture_format_of(path, &format, error));
  ink_status status = ink_picture_encode(picture, format, encoding, &bytes, error);
  if (status == INK_OK) status = ink_file_save(path, bytes.bytes, bytes.size, error);
  ink_text_free(&bytes);
  return status;
}

#endif
