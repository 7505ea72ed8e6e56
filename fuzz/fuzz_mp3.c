// Fuzz target: the frames of an MP3, and more of them put among these. The first byte says where.
// What was there stays but for the frame that tells of the others, and more frames are found than
// before.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mark/label/mp3_frames.h"

static void insert(const unsigned char *bytes, size_t size, const ink_mp3_layout *l, bool at_end) {
  enum { MORE = 3 };
  ink_error error = {0};
  ink_text frames = {0}, out = {0};
  ink_mp3_layout after;
  unsigned char head[4] = {0xFF, (unsigned char)(0xE2 | l->first.version << 3 | !l->first.checked),
                           l->first.third, l->first.fourth};
  for (int i = 0; i < MORE; i++) {
    ink_text_add_bytes(&frames, head, 4);
    for (size_t j = 4; j < l->first.size; j++) ink_text_add_bytes(&frames, "", 1);
  }
  size_t place = at_end ? l->end : l->sound;
  if (l->sound < l->begin || l->end < l->sound || l->end > size || !l->n_frame) abort();
  if (ink_mp3_insert(bytes, size, l, &frames, at_end, &out, &error) == INK_OK) {
    const unsigned char *made = (const unsigned char *)out.bytes;
    if (out.size != size + frames.size || memcmp(made, bytes, l->begin) != 0 ||
        memcmp(made + l->sound, at_end ? bytes + l->sound : (unsigned char *)frames.bytes,
               at_end ? place - l->sound : frames.size) != 0 ||
        memcmp(made + place + frames.size, bytes + place, size - place) != 0) {
      abort();
    }
    if (ink_mp3_lay_out(made, out.size, &after) || after.n_frame < l->n_frame) abort();
  }
  ink_text_free(&frames);
  ink_text_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  ink_mp3_layout layout;
  if (!size || ink_mp3_lay_out(bytes + 1, size - 1, &layout)) return 0;
  insert(bytes + 1, size - 1, &layout, bytes[0] & 1);
  return 0;
}
