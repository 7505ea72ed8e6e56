// A folder of training pictures as `inkstone train data pictures` writes it, with coloured discs
// for drawings and the tokenizer fixture of CLIP.
#ifndef INK_TESTS_DISCS_H
#define INK_TESTS_DISCS_H

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "testing.h"
#include "train/scene_parts.h"

enum { DISCS = 60, DISC_SIDE = 24 };

static inline void discs_names(const char *folder, uint8_t sha256[32]) {
  ink_error error = {0};
  ink_text text = {0};
  char hex[INK_SHA256_HEX], *path = ink_path_join(folder, "concepts.json");
  ink_text_add(&text, "{\"concepts\": [");
  for (int i = 0; i < DISCS; i++) {
    ink_text_format(&text,
                    "%s{\"key\": \"disc-%d\", \"measure\": \"个\", \"english\": [{\"name\": \"disc "
                    "%d\", \"form\": \"one\"}], \"chinese\": [\"圆%d\"]}",
                    i ? "," : "", i, i, i);
  }
  ink_text_add(&text, "]}");
  assert_ok(ink_file_save(path, text.bytes, text.size, &error));
  assert_ok(ink_sha256_of(text.bytes, text.size, hex, &error));
  for (int i = 0; i < 32; i++) {
    unsigned byte;
    assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
    sha256[i] = (uint8_t)byte;
  }
  ink_text_free(&text);
  free(path);
}

static inline void discs_draw(int concept, uint8_t *rgba) {
  const int radius = DISC_SIDE / 2;
  for (int y = 0; y < DISC_SIDE; y++) {
    for (int x = 0; x < DISC_SIDE; x++, rgba += 4) {
      int dx = 2 * x + 1 - DISC_SIDE, dy = 2 * y + 1 - DISC_SIDE;
      rgba[0] = (uint8_t)(40 + concept * 53 % 200);
      rgba[1] = (uint8_t)(40 + concept * 97 % 200);
      rgba[2] = (uint8_t)(40 + concept * 31 % 200);
      rgba[3] = dx * dx + dy * dy <= 4 * radius * radius ? 255 : 0;
    }
  }
}

static inline void discs_sprites(const char *folder, const uint8_t sha256[32]) {
  enum { PIXELS = DISC_SIDE * DISC_SIDE * 4 };
  ink_error error = {0};
  ink_sprites_header header = {.version = INK_SPRITES_VERSION, .sprites = DISCS};
  ink_sprite_record records[DISCS];
  static uint8_t pixels[DISCS][PIXELS];
  ink_text text = {0};
  char *path = ink_path_join(folder, "sprites.bin");
  memset(records, 0, sizeof records);
  for (int i = 0; i < DISCS; i++) {
    discs_draw(i, pixels[i]);
    records[i].offset = sizeof header + sizeof records + (size_t)i * PIXELS;
    records[i].concept = (uint16_t)i;
    records[i].width = records[i].height = DISC_SIDE;
    ink_sprite_measure(pixels[i], DISC_SIDE, DISC_SIDE, &records[i]);
  }
  memcpy(header.magic, INK_SPRITES_MAGIC, sizeof header.magic);
  memcpy(header.concepts_sha256, sha256, sizeof header.concepts_sha256);
  header.size = sizeof header + sizeof records + sizeof pixels;
  ink_text_add_bytes(&text, &header, sizeof header);
  ink_text_add_bytes(&text, records, sizeof records);
  ink_text_add_bytes(&text, pixels, sizeof pixels);
  assert_ok(ink_file_save(path, text.bytes, text.size, &error));
  ink_text_free(&text);
  free(path);
}

static inline void discs_copy(const char *name, const char *folder) {
  ink_error error = {0};
  char *from = ink_path_join(fixture_path("tokenizer/clip-files"), name), *bytes;
  char *to = ink_path_join(folder, name);
  size_t size;
  assert_ok(ink_file_read(from, 1 << 20, &bytes, &size, &error));
  assert_ok(ink_file_save(to, bytes, size, &error));
  free(bytes);
  free(from);
  free(to);
}

static inline void discs_make(const char *folder) {
  ink_error error = {0};
  char *tokenizer = ink_path_join(folder, "tokenizer");
  uint8_t sha256[32];
  assert_ok(ink_folder_make(tokenizer, &error));
  discs_copy("vocab.json", tokenizer);
  discs_copy("merges.txt", tokenizer);
  discs_copy("tokenizer_config.json", tokenizer);
  discs_names(folder, sha256);
  discs_sprites(folder, sha256);
  free(tokenizer);
}

#endif
