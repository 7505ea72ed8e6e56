// Fuzz target: the painter's sprites.bin beside names that fit it; what opens is drawn.
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "train/scene_parts.h"

static const char NAMES[] =
    "{\"concepts\": [{\"key\": \"1F431\", \"measure\": \"只\", \"chinese\": [\"猫\"], "
    "\"english\": [{\"name\": \"cat\", \"form\": \"one\"}]}, {\"key\": \"1F347\", \"measure\": "
    "\"串\", \"chinese\": [\"葡萄\"], \"english\": [{\"name\": \"grapes\", \"form\": "
    "\"plural\"}]}]}";

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  enum { SIDE = 33 };
  ink_error error = {0};
  ink_sprites *sprites;
  if (ink_sprites_read(NAMES, sizeof NAMES - 1, "names", bytes, size, "input", &sprites, &error) !=
      INK_OK) {
    return 0;
  }
  uint8_t pixels[SIDE * SIDE * 3];
  for (uint64_t i = 0; i < 24; i++) {
    ink_scene_caption caption;
    ink_scene_split split = i % 3 ? INK_SCENE_TRAIN : INK_SCENE_HELD_OUT;
    (void)ink_scene_draw(sprites, split, 1, i, SIDE, pixels, &caption, &error);
  }
  ink_sprites_close(sprites);
  return 0;
}
