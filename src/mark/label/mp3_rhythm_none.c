// Where inkstone is built without LAME: no sound is coded.
#include "mark/label/mp3_rhythm.h"

bool ink_mp3_rhythm_there(void) {
  return false;
}

ink_status ink_mp3_rhythm(const ink_mp3_frame *like, unsigned bit_rate, size_t lead, size_t tail,
                          ink_text *out, ink_error *error) {
  (void)like;
  (void)bit_rate;
  (void)lead;
  (void)tail;
  (void)out;
  return ink_fail(error, INK_ERR_UNSUPPORTED, "this build codes no MP3");
}
