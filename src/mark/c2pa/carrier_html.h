// Inside the room: where things stand in a page, for who puts something into it.
#ifndef INK_MARK_C2PA_CARRIER_HTML_H
#define INK_MARK_C2PA_CARRIER_HTML_H

#include <stdbool.h>
#include <stddef.h>

typedef struct ink_html_places {
  size_t head_end;    // where </head> begins
  size_t body_begin;  // behind <body …>, or where there is none behind </head>
  size_t body_end;    // where the last </body> begins, or the end
} ink_html_places;

// False for a page without </head>.
bool ink_html_find_places(const unsigned char *bytes, size_t size, ink_html_places *places);

#endif
