// Inside the room: the visible label on every frame of a GIF (GIF 89a), in the frames' own colours.
#ifndef INK_MARK_LABEL_GIF_FRAMES_H
#define INK_MARK_LABEL_GIF_FRAMES_H

#include "base/text.h"
#include "mark/label/picture_label.h"

// Append the GIF with its label. What is not a frame the label touches keeps its bytes, and so do
// times, loops and comments; the pixels of frames are decoded and encoded anew, without loss.
// *why_not: an English constant where it cannot be put on, and nothing is appended; NULL where it
// was. Errors are those of ink_mark_picture, and FORMAT for frames that cannot be read.
ink_status ink_gif_label(const unsigned char *bytes, size_t size, const char *language,
                         const ink_label_style *style, ink_label_box *box, ink_text *out,
                         const char **why_not, ink_error *error);

#endif
