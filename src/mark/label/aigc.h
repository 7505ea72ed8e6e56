// Inside the room: the metadata label of GB 45438-2025, Annex E.
#ifndef INK_MARK_LABEL_AIGC_H
#define INK_MARK_LABEL_AIGC_H

#include <jansson.h>

#include "base/status.h"
#include "mark/label/wording.h"

// An object of exactly seven string members, in order; the reserved codes stay empty. In the label
// of one's own content the producer is the propagator too. In that of content that others declared
// or that is suspected it is the propagator alone: who produced it is not known, and never made up.
// producer NULL: "inkstone". USAGE: a producer or an identity that is not as mark/mark.h describes
// it. The caller's (json_decref).
ink_status ink_aigc_new(ink_label_kind kind, const char *producer, const char *identity,
                        json_t **aigc, ink_error *error);

#endif
