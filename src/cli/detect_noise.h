// Looking into the noise of a picture for `inkstone detect`: model and keys as they are at hand.
#ifndef INK_CLI_DETECT_NOISE_H
#define INK_CLI_DETECT_NOISE_H

#include "mark/detect.h"
#include "mark/watermark/picture_watermark.h"

typedef struct ink_detect_noise_options {
  const char *keys;  // another installation's watermark.key; NULL: none
  const char *size;  // "WxH", or NULL
  int64_t steps;     // 0: the default
  int64_t records;   // of the ledger, the newest, whose identities are tried; 0: none
} ink_detect_noise_options;

// Look under the installation's key, that of every inkstone and the one given, for any mark and for
// those that the ledger knows; a ledger that cannot be read is a warning on stderr. `model` NULL:
// the painter that came with the program; where there is none stderr says that the noise was not
// looked into. A model that was named must open.
ink_status ink_detect_noise_of(const ink_detect_noise_options *options, const char *model,
                               int threads, const char *name, const char *bytes, size_t size,
                               ink_detection *detection, ink_error *error);

#endif
