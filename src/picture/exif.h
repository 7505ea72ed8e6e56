// Exif (CIPA DC-008-2019), as far as pictures need it: which side is up, and words.
#ifndef INK_PICTURE_EXIF_H
#define INK_PICTURE_EXIF_H

#include "picture/codec.h"

// Read a TIFF block ("II*" or "MM*" on). Notes go to `extras`, *orientation stays unless a valid
// one is there. Exif is a courtesy: a block that is not in order is read as far as it goes. Fails
// without memory only.
ink_status ink_exif_read(const unsigned char *bytes, size_t size, ink_picture_extras *extras,
                         int *orientation, ink_error *error);

// State in a TIFF block, in place, that the picture is upright; nothing where it says nothing of
// it.
void ink_exif_set_upright(unsigned char *bytes, size_t size);

// Append a TIFF block that holds the notes; nothing when there are none.
ink_status ink_exif_write(const ink_picture_extras *extras, ink_text *out, ink_error *error);

#endif
