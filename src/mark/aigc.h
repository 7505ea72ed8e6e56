// Inside the room: the metadata label of GB 45438-2025, Annex E.
#ifndef INK_MARK_AIGC_H
#define INK_MARK_AIGC_H

#include <jansson.h>

#include "base/status.h"

// An object of exactly seven string members, in order, for content that is written for the first
// time: its producer is the propagator too, and the reserved codes stay empty. producer NULL:
// "inkstone". USAGE: a producer or an identity that is not as mark/mark.h describes it. The
// caller's (json_decref).
ink_status ink_aigc_new(const char *producer, const char *identity, json_t **aigc,
                        ink_error *error);

#endif
