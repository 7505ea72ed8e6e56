// Inside the room: the AIGC label of documents that are archives. In Office Open XML it is a
// property of docProps/custom.xml (GB 45438-2025, Annex E, by the guide TC260-PG-20258A). For EPUB
// and OpenDocument no place is fixed; here it is a meta of the package document, and a user-defined
// field of meta.xml.
#ifndef INK_MARK_LABEL_DOCUMENT_LABEL_H
#define INK_MARK_LABEL_DOCUMENT_LABEL_H

#include <jansson.h>
#include <stddef.h>

#include "base/status.h"
#include "mark/label/package.h"

// The label of a document, parsed; *aigc is NULL where there is none that can be read. The caller's
// (json_decref). What is larger than metadata can be when it is unpacked is not looked at.
ink_status ink_document_aigc(const void *bytes, size_t size, json_t **aigc, ink_error *error);

// The label of a document that is to be labelled: JSON's null where there is one that cannot be
// read. Errors where it cannot be told whether there is one.
ink_status ink_document_label(const ink_package *package, json_t **aigc, ink_error *error);

// The name of an EPUB's package document. NOT_FOUND: it names none; UNSUPPORTED: several.
ink_status ink_epub_package_name(const ink_package *package, char *name, size_t room,
                                 ink_error *error);

#endif
