// A piece's identity in a picture's pixels: 160 bits, the 128 of its UUID and 32 that check them,
// in the mean colour of 32 x 32 cells that lie over the whole picture, whatever its size. Each mean
// of V (the red colour difference of ITU-R BT.601) is moved to the nearest value that stands for
// its bit (quantisation index modulation: Chen and Wornell, IEEE Transactions on Information Theory
// 47(4), 2001).
//
// It survives JPEG, resizing, blur and noise; not cropping, turning, or a change of colours.
// Everybody can read it, and who wants to can remove it: it finds a record, it proves nothing.
#ifndef INK_MARK_LEDGER_PICTURE_IDENTITY_H
#define INK_MARK_LEDGER_PICTURE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "mark/mark.h"
#include "picture/picture.h"

// The algorithm's name as a C2PA soft binding, whose value is the 16 bytes of the UUID.
#define INK_PICTURE_IDENTITY "org.inkstone.cells.1"

enum { INK_IDENTITY_BYTES = 16, INK_IDENTITY_LEAST_SIDE = 192 };

// The bytes of a UUID in lower case; false when it is none.
bool ink_identity_bytes(const char *identity, uint8_t bytes[INK_IDENTITY_BYTES]);

// Whether a picture can hold one: in colour, both sides at least INK_IDENTITY_LEAST_SIDE.
bool ink_picture_identity_fits(const ink_picture *picture);
// Write a UUID, in place. USAGE: a picture that does not fit, or no UUID.
ink_status ink_picture_identity_write(ink_picture *picture, const char *identity, ink_error *error);

typedef struct ink_identity_reading {
  bool looked;                        // false: the picture is too small to hold one
  bool whole;                         // the check fits: the identity is right
  double p_value;                     // the chance that the check of fair bits fits as well
  uint8_t bytes[INK_IDENTITY_BYTES];  // as read, right or not
  char identity[INK_UUID_TEXT];       // the same as text
} ink_identity_reading;

ink_status ink_picture_identity_read(const ink_picture *picture, ink_identity_reading *reading,
                                     ink_error *error);
// The chance that fair bits are as near to an identity as those that were read: a mark that lost
// some of its bits is still known to who has the identity. 1 when nothing was read.
double ink_identity_likeness(const ink_identity_reading *reading,
                             const uint8_t identity[INK_IDENTITY_BYTES]);

#endif
