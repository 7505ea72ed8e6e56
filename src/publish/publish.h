// Writers of finished files. They take marked documents only: an unmarked piece has no way out.
#ifndef INK_PUBLISH_PUBLISH_H
#define INK_PUBLISH_PUBLISH_H

#include "base/text.h"
#include "mark/mark.h"

// Append the document as a file of the format; the same input gives the same bytes. Failures stay
// in `out` (ink_text_status).

// CommonMark with YAML front matter: title, language, and the metadata label under "AIGC".
void ink_publish_markdown(const ink_marked *marked, ink_text *out);
// A page that stands alone: no script, no font or picture from elsewhere. Verse in Chinese is set
// in columns from right to left, as a scroll. The metadata label stands in <meta name="AIGC">.
void ink_publish_html(const ink_marked *marked, ink_text *out);

#endif
