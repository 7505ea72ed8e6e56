// Inside the room: the frames of an MP3 (ISO/IEC 11172-3 and 13818-3, layer III, with the lower
// rates called MPEG 2.5), more of them put among these, and the frame that tells players of all of
// them.
#ifndef INK_MARK_LABEL_MP3_FRAMES_H
#define INK_MARK_LABEL_MP3_FRAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"

typedef enum ink_mp3_mode {
  INK_MP3_STEREO,
  INK_MP3_JOINT,
  INK_MP3_DUAL,
  INK_MP3_MONO
} ink_mp3_mode;

// What the four bytes at the head of a frame say.
typedef struct ink_mp3_frame {
  unsigned version;   // 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
  unsigned rate;      // samples a second
  unsigned bit_rate;  // kbit/s
  ink_mp3_mode mode;
  bool checked;         // a checksum follows the head
  size_t size;          // bytes, with the head
  size_t side;          // of them, side information
  unsigned char third;  // its last two bytes
  unsigned char fourth;
} ink_mp3_frame;

// The frame at bytes[at]; false where there is none or it is not whole.
bool ink_mp3_frame_at(const unsigned char *bytes, size_t size, size_t at, ink_mp3_frame *frame);

// How many bytes before its own a frame's data begin (main_data_begin).
size_t ink_mp3_reaches_back(const unsigned char *bytes, size_t at, const ink_mp3_frame *frame);

typedef struct ink_mp3_layout {
  size_t begin;         // the first frame, behind the tag
  size_t sound;         // the first frame of sound: the one before may tell of all
  size_t end;           // behind the last whole frame
  size_t n_frame;       // of sound
  ink_mp3_frame first;  // of sound
  bool constant;        // all have its bit rate
  unsigned bit_rate;    // their mean, kbit/s
  bool needs_before;    // the first ones need bytes of frames that are not there
  // Samples that a player leaves out at the start and the end, but for its own delay.
  size_t delay, padding;
} ink_mp3_layout;

// Find the frames. Returns NULL, or why no sound can be put among them, an English constant.
const char *ink_mp3_lay_out(const unsigned char *bytes, size_t size, ink_mp3_layout *layout);

// Append the file with `frames` before its sound, or behind it. All its bytes stay but those of a
// frame that tells of the others (Xing, Info, VBRI): its counts, table of places and checksums are
// made to hold again.
ink_status ink_mp3_insert(const unsigned char *bytes, size_t size, const ink_mp3_layout *layout,
                          const ink_text *frames, bool at_end, ink_text *out, ink_error *error);

#endif
