// CommonMark with YAML front matter.
#include <stdlib.h>
#include <string.h>

#include "publish/publish.h"

// A JSON string is also a double-quoted YAML 1.2 scalar.
static void add_quoted(ink_text *out, const char *text) {
  json_t *string = json_string(text);
  char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
  if (quoted) {
    ink_text_add(out, quoted);
  } else {
    out->failed = true;
  }
  free(quoted);
  json_decref(string);
}

static void add_field(ink_text *out, const char *name, const char *text) {
  ink_text_format(out, "%s: ", name);
  add_quoted(out, text);
  ink_text_add(out, "\n");
}

// Characters that CommonMark would read as markup, escaped.
static void add_escaped(ink_text *out, const char *text) {
  for (const char *at = text; *at; at++) {
    if (strchr("\\`*_{}[]()#+-.!<>|&~", *at)) ink_text_add(out, "\\");
    ink_text_add_bytes(out, at, 1);
  }
}

void ink_publish_markdown(const ink_marked *marked, ink_text *out) {
  const ink_document *d = ink_marked_document(marked);
  ink_text_add(out, "---\n");
  add_field(out, "title", d->title);
  if (d->subtitle) add_field(out, "subtitle", d->subtitle);
  add_field(out, "lang", d->language);
  add_field(out, "date", ink_marked_created(marked));
  ink_text_add(out, "AIGC:\n");
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)ink_marked_aigc(marked), key, value) {
    ink_text_add(out, "  ");
    add_field(out, key, json_string_value(value));
  }
  ink_text_add(out, "---\n\n# ");
  add_escaped(out, d->title);
  ink_text_add(out, "\n\n");
  if (d->subtitle) {
    add_escaped(out, d->subtitle);
    ink_text_add(out, "\n\n");
  }
  for (size_t i = 0; i < d->n_line; i++) {
    add_escaped(out, d->lines[i].text);
    // Verse keeps its lines with a hard break, a backslash at the end of the line.
    bool gap_follows = i + 1 == d->n_line || !d->lines[i + 1].text[0];
    bool verse = d->kind == INK_DOCUMENT_VERSE;
    if (!d->lines[i].text[0]) {
      ink_text_add(out, "\n");
    } else if (verse && !gap_follows) {
      ink_text_add(out, "\\\n");
    } else {
      ink_text_add(out, verse ? "\n" : "\n\n");
    }
  }
  ink_text_add(out, "\n");
  if (d->figure && d->figure->name) {
    ink_text_add(out, "![");
    add_escaped(out, d->figure->alt);
    ink_text_format(out, "](%s)\n\n", d->figure->name);
  }
  if (d->note) {
    add_escaped(out, d->note);
    ink_text_add(out, "\n\n");
  }
  ink_text_add(out, "---\n\n");
  ink_text_format(out, "**%s** · inkstone · `%s`\n", ink_marked_label(marked),
                  ink_marked_identity(marked));
}
