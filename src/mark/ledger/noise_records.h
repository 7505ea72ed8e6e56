// Pictures of this installation recognised by their noise: the ledger knows the identities that it
// has given, and a known identity is met where none can be read (ink_shading_match). It knows in
// which size each was painted, too, so that a picture that was resized is looked at as it was.
//
// Every identity that is tried counts: p-values are multiplied by records and keys, so that an old
// ledger does not recognise what it has not made.
#ifndef INK_MARK_LEDGER_NOISE_RECORDS_H
#define INK_MARK_LEDGER_NOISE_RECORDS_H

#include "mark/ledger/ledger.h"
#include "mark/watermark/picture_watermark.h"

// Records that are tried unless told otherwise, and sizes that the picture is brought to for them.
enum { INK_NOISE_RECORDS = 1000, INK_NOISE_SIZES = 4 };

typedef struct ink_noise_records_search {
  const ink_shading_key *keys;  // n_key of them
  size_t n_key;
  const char *model_sha256;  // of the model that the noise was found under; records of others are
                             // not tried
  int64_t most;              // the newest records; 0: INK_NOISE_RECORDS
  // How the picture is inverted in the size of a record, if that is another than was looked at.
  ink_picture_watermark_search inversion;
} ink_noise_records_search;

typedef struct ink_noise_record {
  size_t tried;    // records
  bool more;       // older ones were not
  size_t n_sign;   // of the noise
  double p_value;  // times all that was tried; at most 1
  bool found;      // p_value is below INK_PICTURE_WATERMARK_P_VALUE
  size_t key;      // which of the keys
  int64_t n;       // the ledger's row; 0: none was tried
  char identity[INK_UUID_TEXT];
} ink_noise_record;

// Try what the ledger knows against the noise that ink_picture_watermark_find found in a picture.
// Records of pictures of other proportions are not tried, nor those of more than INK_NOISE_SIZES
// sizes, the newest first. Errors of the ledger and of ink_pipeline_invert.
ink_status ink_noise_records_find(ink_ledger *ledger, ink_pipeline *pipeline,
                                  const ink_picture *picture,
                                  const ink_picture_watermark_finding *finding,
                                  const ink_noise_records_search *search, ink_noise_record *record,
                                  ink_error *error);

#endif
