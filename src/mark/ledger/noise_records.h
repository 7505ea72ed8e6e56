// Pictures of this installation recognised by their noise: the ledger knows the identities that it
// has given, and a known identity is met where none can be read (ink_shading_match). Its manifests
// hold the recipes, whose seeds tell the sizes of the first noise; what agrees in sign where the
// noise was large says more.
//
// Every identity that is tried counts: p-values are multiplied by records, keys and sizes, and by
// two for the two ways to try, so that an old ledger does not recognise what it has not made. How
// records are chosen for the closer look does not matter then: all count as looked at.
#ifndef INK_MARK_LEDGER_NOISE_RECORDS_H
#define INK_MARK_LEDGER_NOISE_RECORDS_H

#include "mark/ledger/ledger.h"
#include "mark/watermark/picture_watermark.h"

// Records that are tried unless told otherwise; of them so many are looked at with their recipe.
enum { INK_NOISE_RECORDS = 1000, INK_NOISE_RECIPES = 16 };

typedef struct ink_noise_records_search {
  const ink_shading_key *keys;  // n_key of them
  size_t n_key;
  const char *model_sha256;  // of the model that the noise was found under; records of others are
                             // not tried
  int64_t most;              // the newest records; 0: INK_NOISE_RECORDS
  // How a picture is inverted once more, whose recipe tells another size.
  ink_picture_watermark_search inversion;
} ink_noise_records_search;

typedef struct ink_noise_record {
  size_t tried;    // records
  bool more;       // older ones were not
  size_t n_sign;   // of the noise
  double p_value;  // times all that was tried; at most 1
  bool found;      // p_value is below INK_PICTURE_WATERMARK_P_VALUE
  bool by_recipe;  // the sizes of its first noise were known
  size_t key;      // which of the keys
  int64_t n;       // the ledger's row; 0: none was tried
  char identity[INK_UUID_TEXT];
} ink_noise_record;

// Try what the ledger knows against the noise that ink_picture_watermark_find found in a picture.
// Errors of the ledger and of ink_pipeline_invert. A recipe that is missing or cannot be read is
// passed over.
ink_status ink_noise_records_find(ink_ledger *ledger, ink_pipeline *pipeline,
                                  const ink_picture *picture,
                                  const ink_picture_watermark_finding *finding,
                                  const ink_noise_records_search *search, ink_noise_record *record,
                                  ink_error *error);

#endif
