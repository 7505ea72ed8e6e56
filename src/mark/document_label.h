// Inside the room: the AIGC label of office documents (GB 45438-2025, Annex E, as the guides of
// TC260 fix it): a property of docProps/custom.xml.
#ifndef INK_MARK_DOCUMENT_LABEL_H
#define INK_MARK_DOCUMENT_LABEL_H

#include <jansson.h>
#include <stddef.h>

#include "base/status.h"

// The label of a ZIP-based document, parsed; *aigc is NULL where there is none that can be read.
// The caller's (json_decref). What is larger than a label can be when it is unpacked is not looked
// at.
ink_status ink_document_aigc(const void *bytes, size_t size, json_t **aigc, ink_error *error);

#endif
