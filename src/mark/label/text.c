// Labels of texts: Markdown (YAML front matter and a line), HTML (<meta> and a paragraph), source
// (a comment), plain text (a line). All else stays byte for byte.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/yaml.h"
#include "mark/c2pa/carrier.h"
#include "mark/c2pa/carrier_html.h"
#include "mark/label/front_matter.h"
#include "mark/label/label_parts.h"
#include "mark/text_file.h"

static const char *words_of(const ink_label_work *w) {
  const ink_label_request *r = w->request;
  return ink_label_wordings(r->kind, INK_LABEL_TEXT, r->language)[0];
}

static void say_visible(const ink_label_work *w, ink_labelled *out) {
  snprintf(out->visible, sizeof out->visible, "\"%s\", %s", words_of(w),
           w->request->at_end ? "end" : "start");
}

static ink_status check_text(const ink_label_work *w, ink_labelled *out, ink_error *error) {
  size_t bad;
  out->visible_rule = "5.1";
  out->metadata_rule = "Annex E";
  if (!ink_utf8_valid((const char *)w->bytes, w->size, &bad)) {
    return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)bad, "the text is not UTF-8");
  }
  // Many readers stop there, before the label.
  const unsigned char *nul = w->size ? memchr(w->bytes, 0, w->size) : NULL;
  if (!nul) return INK_OK;
  return ink_fail_at(error, INK_ERR_FORMAT, nul - w->bytes, "the text holds a NUL byte");
}

// The end of line that a text uses.
static const char *line_end(const ink_label_work *w) {
  const unsigned char *first = w->size ? memchr(w->bytes, '\n', w->size) : NULL;
  return first && first > w->bytes && first[-1] == '\r' ? "\r\n" : "\n";
}

static size_t bom_of(const ink_label_work *w) {
  return w->size >= 3 && memcmp(w->bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

// The text from `from` on with a line, set off by an empty one.
static void add_with_line(const ink_label_work *w, size_t from, const char *line, ink_text *out) {
  const char *end = line_end(w), *rest = (const char *)w->bytes + from;
  size_t size = w->size - from;
  if (w->request->at_end) {
    ink_text_add_bytes(out, rest, size);
    if (size && rest[size - 1] != '\n') ink_text_add(out, end);
    ink_text_format(out, "%s%s%s", end, line, end);
  } else {
    ink_text_format(out, "%s%s%s", line, end, end);
    ink_text_add_bytes(out, rest, size);
  }
}

static ink_status read_aigc(const char *name, const unsigned char *bytes, size_t size,
                            json_t **aigc, ink_error *error) {
  return ink_text_file_label(name, (const char *)bytes, size, aigc, error);
}

// ---- Markdown -----------------------------------------------------------------------------------

static void add_aigc_yaml(const json_t *aigc, const char *end, ink_text *out) {
  const char *key;
  json_t *value;
  ink_text_format(out, "AIGC:%s", end);
  json_object_foreach((json_t *)aigc, key, value) {
    // A JSON string is also a double-quoted YAML 1.2 scalar.
    char *quoted = json_dumps(value, JSON_ENCODE_ANY);
    if (!quoted) out->failed = true;
    ink_text_format(out, "  %s: %s%s", key, quoted ? quoted : "", end);
    free(quoted);
  }
}

// The front matter that is written must say what it said before and the label, no more.
static ink_status check_front_matter(const ink_label_work *w, const ink_front_matter *front,
                                     const char *now, size_t now_size, ink_error *error) {
  json_t *before = NULL, *after = NULL;
  const char *was = (const char *)w->bytes + front->yaml;
  size_t was_size = front->yaml_end - front->yaml;
  bool blank = true;
  for (size_t i = 0; i < was_size; i++) blank = blank && memchr(" \t\r\n", was[i], 4);
  ink_error unread = {0};
  bool good = blank || (ink_yaml_parse(was, was_size, "front matter", &before, &unread) == INK_OK &&
                        json_is_object(before));
  good = good && ink_yaml_parse(now, now_size, "front matter", &after, &unread) == INK_OK;
  good = good && json_equal(json_object_get(after, "AIGC"), (json_t *)w->aigc);
  if (good && !blank) {
    json_object_del(after, "AIGC");
    good = json_equal(before, after);
  }
  json_decref(before);
  json_decref(after);
  if (good) return INK_OK;
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "its front matter is no mapping of plain YAML, to which a label could be added; "
                  "write one key to a line");
}

static ink_status add_front_matter(const ink_label_work *w, size_t *body, ink_text *out,
                                   ink_error *error) {
  const char *end = line_end(w), *bytes = (const char *)w->bytes;
  ink_front_matter front;
  if (!ink_front_matter_find(bytes, w->size, &front)) {
    *body = bom_of(w);
    ink_text_add_bytes(out, bytes, *body);
    if (!w->aigc) return ink_text_status(out, error);
    ink_text_format(out, "---%s", end);
    add_aigc_yaml(w->aigc, end, out);
    ink_text_format(out, "---%s%s", end, end);
    return ink_text_status(out, error);
  }
  *body = front.body;
  if (!w->aigc) {
    ink_text_add_bytes(out, bytes, *body);
    return ink_text_status(out, error);
  }
  ink_text_add_bytes(out, bytes, front.yaml_end);
  add_aigc_yaml(w->aigc, end, out);
  INK_TRY(ink_text_status(out, error));
  INK_TRY(check_front_matter(w, &front, out->bytes + front.yaml, out->size - front.yaml, error));
  ink_text_add_bytes(out, bytes + front.yaml_end, *body - front.yaml_end);
  return ink_text_status(out, error);
}

static ink_status label_markdown(const ink_label_work *w, ink_labelled *out, ink_error *error) {
  INK_TRY(check_text(w, out, error));
  size_t body;
  INK_TRY(add_front_matter(w, &body, &out->file, error));
  snprintf(out->metadata, sizeof out->metadata, "front matter AIGC");
  if (!w->request->visible) {
    ink_text_add_bytes(&out->file, w->bytes + body, w->size - body);
    return ink_text_status(&out->file, error);
  }
  say_visible(w, out);
  char line[160];
  snprintf(line, sizeof line, "**%s**", words_of(w));
  // The rule that ends the front matter may be the text's last line, and have no end.
  if (!w->request->at_end && body > bom_of(w) && w->bytes[body - 1] != '\n') {
    ink_text_add(&out->file, line_end(w));
  }
  // An empty line between front matter and label, as there may be one behind it.
  while (!w->request->at_end && body < w->size && strchr("\r\n", w->bytes[body])) {
    ink_text_add_bytes(&out->file, w->bytes + body++, 1);
  }
  add_with_line(w, body, line, &out->file);
  return ink_text_status(&out->file, error);
}

// ---- HTML ---------------------------------------------------------------------------------------

static void add_attribute(const char *text, ink_text *out) {
  for (; *text; text++) {
    const char *entity = *text == '&'   ? "&amp;"
                         : *text == '"' ? "&quot;"
                         : *text == '<' ? "&lt;"
                         : *text == '>' ? "&gt;"
                                        : NULL;
    ink_text_add_bytes(out, entity ? entity : text, entity ? strlen(entity) : 1);
  }
}

static void add_meta(const char *attribute, const char *name, const char *content, ink_text *out) {
  if (!content) return;
  ink_text_format(out, "<meta %s=\"%s\" content=\"", attribute, name);
  add_attribute(content, out);
  ink_text_add(out, "\">\n");
}

static void add_head(const ink_label_work *w, ink_text *out) {
  char *aigc = w->aigc ? json_dumps(w->aigc, JSON_COMPACT) : NULL;
  if (w->aigc && !aigc) out->failed = true;
  add_meta("name", "AIGC", aigc, out);
  add_meta("property", "Iptc4xmpExt:DigitalSourceType", w->source_type, out);
  add_meta("property", "Iptc4xmpExt:AISystemUsed", w->request->system, out);
  add_meta("property", "Iptc4xmpExt:AISystemVersionUsed", w->request->system_version, out);
  add_meta("property", "Iptc4xmpExt:AIPromptInformation", w->request->prompt, out);
  free(aigc);
}

// A paragraph with colours of its own, legible on any page.
static void add_paragraph(const ink_label_work *w, ink_text *out) {
  ink_label_style s = w->request->style ? *w->request->style : ink_label_style_default();
  bool zh = w->request->language && strncmp(w->request->language, "zh", 2) == 0;
  ink_text_format(
      out,
      "<p class=\"ai-label\" role=\"note\" lang=\"%s\" style=\"all:revert;display:block;"
      "margin:0;padding:.5em 1em;background:#%02x%02x%02x;color:#%02x%02x%02x;"
      "font:bold 1rem/1.5 sans-serif\">%s</p>\n",
      zh ? "zh-Hans" : "en", s.plate[0], s.plate[1], s.plate[2], s.ink[0], s.ink[1], s.ink[2],
      words_of(w));
}

static ink_status label_html(const ink_label_work *w, ink_labelled *out, ink_error *error) {
  ink_html_places places;
  INK_TRY(check_text(w, out, error));
  if (!ink_html_find_places(w->bytes, w->size, &places)) {
    return ink_fail(error, INK_ERR_FORMAT,
                    "HTML: no </head>, before which a label could stand; write one");
  }
  const char *bytes = (const char *)w->bytes;
  size_t body = w->request->at_end ? places.body_end : places.body_begin;
  ink_text *file = &out->file;
  ink_text_add_bytes(file, bytes, places.head_end);
  add_head(w, file);
  ink_text_add_bytes(file, bytes + places.head_end, body - places.head_end);
  if (w->request->visible) {
    say_visible(w, out);
    ink_text_add(file, "\n");
    add_paragraph(w, file);
  }
  ink_text_add_bytes(file, bytes + body, w->size - body);
  snprintf(out->metadata, sizeof out->metadata, "<meta name=\"AIGC\">");
  out->tells_source = w->source_type != NULL;
  return ink_text_status(file, error);
}

// ---- plain text and source ----------------------------------------------------------------------

// Behind a first line that the format keeps for itself.
static size_t taken_line(const ink_label_work *w) {
  static const char *const taken[] = {"#!", "<?", "<!"};
  size_t at = bom_of(w);
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
    if (w->size - at < 2 || memcmp(w->bytes + at, taken[i], 2) != 0) continue;
    const unsigned char *end = memchr(w->bytes + at, '\n', w->size - at);
    return end ? (size_t)(end - w->bytes) + 1 : w->size;
  }
  return at;
}

static ink_status label_text(const ink_label_work *w, ink_labelled *out, ink_error *error) {
  INK_TRY(check_text(w, out, error));
  out->no_metadata = "the standard fixes no carrier in plain text; the visible label is the label";
  if (!w->request->visible) {
    ink_text_add_bytes(&out->file, w->bytes, w->size);
    return ink_text_status(&out->file, error);
  }
  say_visible(w, out);
  const ink_carrier *carrier = ink_carrier_for(w->name, w->bytes, w->size);
  char line[200];
  const char *sign = carrier && carrier->comment ? carrier->comment : "";
  const char *close = carrier && carrier->comment_end ? carrier->comment_end : "";
  snprintf(line, sizeof line, "%s%s%s%s%s", sign, sign[0] ? " " : "", words_of(w),
           close[0] ? " " : "", close);
  size_t from = taken_line(w);
  ink_text_add_bytes(&out->file, w->bytes, from);
  if (from && w->bytes[from - 1] != '\n' && from > bom_of(w)) ink_text_add(&out->file, "\n");
  add_with_line(w, from, line, &out->file);
  return ink_text_status(&out->file, error);
}

static const char *const markdown[] = {"markdown", NULL}, *const html[] = {"html", NULL},
                         *const texts[] = {"text", "c", "css", "shell", "sql", "tex", "ini", NULL};
const ink_labeller ink_labeller_markdown = {
    .formats = markdown, .label = label_markdown, .read = read_aigc};
const ink_labeller ink_labeller_html = {.formats = html, .label = label_html, .read = read_aigc};
const ink_labeller ink_labeller_text = {.formats = texts, .label = label_text, .read = read_aigc};
