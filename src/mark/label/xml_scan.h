// Inside the room: XML read with the place of every tag, so that something can be put in and all
// else stays byte for byte. Expat reads it (Namespaces in XML 1.0); no entity is expanded, nothing
// is fetched.
#ifndef INK_MARK_LABEL_XML_SCAN_H
#define INK_MARK_LABEL_XML_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "base/text.h"

typedef struct ink_xml_tag {
  const char *space, *name, *prefix;  // "" where there is none
  const char *const *attributes;      // of a start tag: pairs as Expat gives them; ended by NULL
  size_t depth;                       // of its element: 0 is the root
  // Bytes of the tag. Of an element <a/> the start tag is all of it, and the end tag nothing
  // behind.
  size_t start, end;
} ink_xml_tag;

// Strings are borrowed until the function returns. NULL: not wanted.
typedef struct ink_xml_listener {
  void *context;
  void (*open)(void *context, const ink_xml_tag *tag);
  void (*close)(void *context, const ink_xml_tag *tag);
  void (*text)(void *context, const char *text, size_t size);
} ink_xml_listener;

enum {
  INK_XML_MOST_DEPTH = 256,
  INK_XML_DOCTYPE = 1,  // a document type may be named; it may not hold declarations
  INK_XML_READ = 2      // only read: in any encoding that Expat knows
};

// Read it to its end. `what` is what errors call it. FORMAT: not well-formed, or deeper than
// INK_XML_MOST_DEPTH. UNSUPPORTED: a document type with declarations of its own (or any, without
// INK_XML_DOCTYPE), an encoding other than UTF-8 (without INK_XML_READ), more than 64 MiB.
ink_status ink_xml_scan(const char *what, const char *bytes, size_t size, unsigned options,
                        const ink_xml_listener *listener, ink_error *error);

bool ink_xml_is(const ink_xml_tag *tag, const char *space, const char *name);
// Value of an attribute; space "" is that of attributes without prefix. NULL: it has none.
const char *ink_xml_attribute(const ink_xml_tag *tag, const char *space, const char *name);

// Where something can be put. An element without content, <a/>, is opened for it.
typedef struct ink_xml_spot {
  bool found;
  size_t at;
  size_t empty;  // bytes of the tag <a/> that ends at `at`; 0: none
} ink_xml_spot;

// Behind a start tag, which is the first place in its element.
ink_xml_spot ink_xml_inside(const char *bytes, const ink_xml_tag *open);
// At a byte.
ink_xml_spot ink_xml_at(size_t at);

// Put a piece of XML there.
ink_status ink_xml_put(ink_text *xml, const ink_xml_spot *spot, const char *piece,
                       ink_error *error);

// Text with what would be markup as references; in an attribute's value as well, whatever its
// quotes.
void ink_xml_add_text(ink_text *out, const char *text);

#endif
