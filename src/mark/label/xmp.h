// Labels in XMP (ISO 16684-1), the metadata of pictures: what kind of source the content has (IPTC
// Photo Metadata 2025.1) and the AIGC label of GB 45438-2025, Annex E.
#ifndef INK_MARK_LABEL_XMP_H
#define INK_MARK_LABEL_XMP_H

#include <jansson.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"

// NULL leaves a property as it is.
typedef struct ink_xmp_labels {
  const char *source_type;     // Iptc4xmpExt:DigitalSourceType; a URI, INK_XMP_TRAINED
  const char *system;          // Iptc4xmpExt:AISystemUsed, the model
  const char *system_version;  // Iptc4xmpExt:AISystemVersionUsed
  const char *prompt;          // Iptc4xmpExt:AIPromptInformation
  const char *creator_tool;    // xmp:CreatorTool
  const json_t *aigc;          // TC260:AIGC, the seven keys as JSON
} ink_xmp_labels;

#define INK_XMP_IPTC "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
#define INK_XMP_TC260 "http://www.tc260.org.cn/ns/AIGC/1.0/"
#define INK_XMP_TRAINED "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"

// Put labels into a packet: `packet` (of `size` bytes; NULL: none so far) with all it holds
// besides, appended to `out`. CONFLICT when it holds another AIGC label, which is nobody's to
// replace (Measures, article 10); FORMAT when it is no XMP; UNSUPPORTED when it declares entities.
ink_status ink_xmp_label(const char *packet, size_t size, const ink_xmp_labels *labels,
                         ink_text *out, ink_error *error);

// Append an rdf:Description that says these labels and no more, with all its namespaces: for XMP
// within another document. USAGE as above.
ink_status ink_xmp_describe(const ink_xmp_labels *labels, ink_text *out, ink_error *error);

// What another said of the source stays. *source, which is to be put into a packet, becomes NULL
// where the packet already says another kind of generated source; CONFLICT where it says that the
// source is none, which is no label's to change.
ink_status ink_xmp_keep_source(const char *packet, size_t size, const char **source,
                               ink_error *error);

// The same where it is known that `there` is what was said.
ink_status ink_xmp_check_source(const char *there, const char **source, ink_error *error);

// The AIGC label of a packet, parsed; *aigc is NULL where there is none. The caller's
// (json_decref).
ink_status ink_xmp_aigc(const char *packet, size_t size, json_t **aigc, ink_error *error);

#endif
