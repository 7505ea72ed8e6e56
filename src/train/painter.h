// The painter's data, built from openly licensed drawings and their names (docs/painter-data.md).
#ifndef INK_TRAIN_PAINTER_H
#define INK_TRAIN_PAINTER_H

#include <stdint.h>

#include "base/progress.h"
#include "base/status.h"

typedef struct ink_painter_options {
  // Folder that holds noto-emoji, blobmoji, cldr-annotations-full, emojibase-data and, if pixel art
  // is wanted, serenity.
  const char *from;
  const char *out;  // folder to write; made when absent
  // Fewest concepts the result must hold, 0 for the default of 500: a guard against sources that
  // are mostly missing. Tests lower it.
  int64_t least;
} ink_painter_options;

// Read drawings and names, check the licences, and write sprites.bin, concepts.json, NOTICE,
// manifest.json and tokenizer/: what ink_sprites_open reads, and CLIP's tokenizer trained on the
// captions. The same sources give the same bytes. No file appears under its name before all are
// written; a build that fails or is cancelled leaves nothing behind. NOT_FOUND names a folder or
// file that is missing, CONFLICT a licence that is not the one expected, FORMAT a file that is not
// as expected.
ink_status ink_painter_build(const ink_painter_options *options, const ink_progress *progress,
                             ink_error *error);

#endif
