// Inside the room: the rhythm for ears (mark/label/rhythm.h) as frames of an MP3, by LAME.
#ifndef INK_MARK_LABEL_MP3_RHYTHM_H
#define INK_MARK_LABEL_MP3_RHYTHM_H

#include "base/status.h"
#include "base/text.h"
#include "mark/label/mp3_frames.h"

// False where inkstone was built without LAME.
bool ink_mp3_rhythm_there(void);

// Append frames that can stand beside those of `like`: its version, rate, channels and marks of
// ownership, none of which needs bytes of another. `lead` and `tail` are samples of silence before
// and behind. UNSUPPORTED without LAME, or where it has no such frames.
ink_status ink_mp3_rhythm(const ink_mp3_frame *like, unsigned bit_rate, size_t lead, size_t tail,
                          ink_text *out, ink_error *error);

#endif
