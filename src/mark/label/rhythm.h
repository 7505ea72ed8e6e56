// Inside the room: the label for ears of GB 45438-2025, section 5.3: short, long, short, short,
// which is "AI" in Morse code.
#ifndef INK_MARK_LABEL_RHYTHM_H
#define INK_MARK_LABEL_RHYTHM_H

#include <stddef.h>

#include "base/status.h"
#include "base/text.h"

#define INK_RHYTHM "·– ··"
enum { INK_RHYTHM_PITCH = 880 };  // Hz

// Samples that it takes at `rate` samples a second, with the silence behind it.
size_t ink_rhythm_length(unsigned rate);
// The i-th of them, -1 to 1.
double ink_rhythm_sample(unsigned rate, size_t i);

enum { INK_RHYTHM_WINDOWS = 100 };  // a second
// Where it is heard, whoever made it: a steady tone of any pitch and speed, with silence between
// its signs, in the loudness (root mean square) of n windows. The window that it begins at, or n.
size_t ink_rhythm_find(const float *loudness, size_t n);

// Where a WAV has it, in seconds; below 0: nowhere. UNSUPPORTED where its samples are not read
// here, FORMAT where there are none.
ink_status ink_wav_hear(const unsigned char *bytes, size_t size, double *at, ink_error *error);

#endif
