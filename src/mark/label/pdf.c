// Labels of PDF (ISO 32000-2): the metadata label in the document information (/AIGC), IPTC's
// fields in the catalog's XMP, the visible label over a page, all in one update at the end.
#include "mark/c2pa/pdf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark/label/label_parts.h"
#include "mark/label/pdf_visible.h"
#include "mark/label/xmp.h"

enum { MOST_XMP = 1 << 24 };

// ---- strings

// A literal string: parentheses and the backslash are escaped.
static void add_literal(const char *text, ink_text *out) {
  ink_text_add(out, "(");
  for (; *text; text++) {
    if (strchr("()\\", *text)) ink_text_add(out, "\\");
    ink_text_add_bytes(out, text, 1);
  }
  ink_text_add(out, ")");
}

static void read_literal(const ink_pdf *p, size_t at, size_t end, ink_text *out) {
  static const char escapes[] = "nrtbf", meant[] = "\n\r\t\b\f";
  for (at++; at + 1 < end; at++) {
    unsigned char c = p->bytes[at];
    if (c == '\\' && at + 2 < end) {
      c = p->bytes[++at];
      const char *named = c ? strchr(escapes, c) : NULL;
      if (c == '\n' || c == '\r') {
        if (c == '\r' && p->bytes[at + 1] == '\n') at++;
        continue;  // a line that goes on
      }
      if (named) {
        c = (unsigned char)meant[named - escapes];
      } else if (c >= '0' && c <= '7') {
        unsigned value = 0;
        size_t i = 0;
        for (; i < 3 && at + i + 1 < end && (p->bytes[at + i] & 0xF8) == '0'; i++) {
          value = value * 8 + (unsigned)(p->bytes[at + i] - '0');
        }
        at += i - 1;
        c = (unsigned char)value;
      }
    }
    ink_text_add_bytes(out, &c, 1);
  }
}

static void read_hexadecimal(const ink_pdf *p, size_t at, size_t end, ink_text *out) {
  static const char digits[] = "0123456789abcdefABCDEF";
  int n = 0;
  unsigned value = 0;
  for (at++; at + 1 < end; at++) {
    const char *digit = p->bytes[at] ? strchr(digits, p->bytes[at]) : NULL;
    if (!digit) continue;
    size_t d = (size_t)(digit - digits);
    value = value << 4 | (unsigned)(d > 15 ? d - 6 : d);
    if (++n % 2) continue;
    unsigned char byte = (unsigned char)value;
    ink_text_add_bytes(out, &byte, 1);
  }
}

// The text of a string; of one in UTF-16 what is ASCII, which is all that a label may hold.
static void read_string(const ink_pdf *p, size_t at, ink_text *out) {
  size_t end = ink_pdf_skip(p, at);
  ink_text raw = {0};
  if (!end) return;
  if (p->bytes[at] == '(') read_literal(p, at, end, &raw);
  if (p->bytes[at] == '<') read_hexadecimal(p, at, end, &raw);
  bool wide = raw.size >= 2 && memcmp(raw.bytes, "\xFE\xFF", 2) == 0;
  for (size_t i = wide ? 3 : 0; i < raw.size; i += wide ? 2 : 1) {
    ink_text_add_bytes(out, raw.bytes + i, 1);
  }
  if (raw.failed) out->failed = true;
  ink_text_free(&raw);
}

// ---- reading

static ink_status read_info(ink_pdf *p, json_t **aigc, ink_error *error) {
  size_t info = ink_pdf_resolve(p, ink_pdf_value(p, p->trailer, "/Info"));
  size_t at = info ? ink_pdf_resolve(p, ink_pdf_value(p, info, "/AIGC")) : 0;
  if (!at) return INK_OK;
  ink_text text = {0};
  read_string(p, at, &text);
  json_t *json = json_loads(ink_text_string(&text), 0, NULL);
  // In some files the label is wrapped.
  json_t *inner = json_object_get(json, "AIGC");
  *aigc = json_is_object(json) ? json_incref(inner ? inner : json) : json_null();
  json_decref(json);
  ink_status status = ink_text_status(&text, error);
  ink_text_free(&text);
  return status;
}

static ink_status read_aigc(const char *name, const unsigned char *bytes, size_t size,
                            json_t **aigc, ink_error *error) {
  (void)name;
  ink_pdf p;
  *aigc = NULL;
  INK_TRY(ink_pdf_load(bytes, size, &p, error));
  ink_status status = read_info(&p, aigc, error);
  ink_pdf_free(&p);
  return status;
}

// ---- writing

// The document information once more, with the label. Returns its object's number when it is new.
static ink_status add_info(ink_pdf_writer *w, const json_t *aigc, size_t *info, ink_error *error) {
  ink_pdf *p = &w->pdf;
  size_t at = ink_pdf_value(p, p->trailer, "/Info"), number, generation, there = 0;
  *info = 0;
  if (at) {
    there = ink_pdf_resolve(p, at);
    if (!there || !ink_pdf_is_dictionary(p, there) ||
        !ink_pdf_read_reference(p, &at, &number, &generation)) {
      return ink_fail(error, INK_ERR_FORMAT, "PDF: its document information cannot be read");
    }
  } else {
    *info = number = w->next++;
    generation = 0;
  }
  char *text = json_dumps(aigc, JSON_COMPACT);
  if (!text) return ink_fail(error, INK_ERR_MEMORY, "no memory for the label");
  ink_pdf_begin(w, number, generation);
  if (there) {
    ink_pdf_dictionary_open(w, there);
  } else {
    ink_text_add(w->out, "<<");
  }
  ink_text_add(w->out, "\n/AIGC ");
  add_literal(text, w->out);
  ink_text_add(w->out, " >>\nendobj\n");
  free(text);
  return INK_OK;
}

static void add_stream(ink_pdf_writer *w, const ink_text *packet) {
  ink_text_format(w->out, "<< /Type /Metadata /Subtype /XML /Length %zu >>\nstream\n",
                  packet->size);
  ink_text_add_bytes(w->out, packet->bytes, packet->size);
  ink_text_add(w->out, "\nendstream\nendobj\n");
}

// The XMP that is there, with IPTC's fields.
static ink_status label_xmp(const ink_text *there, const ink_label_work *work, ink_text *packet,
                            ink_error *error) {
  const ink_label_request *r = work->request;
  ink_xmp_labels labels = {.source_type = work->source_type,
                           .system = r->system,
                           .system_version = r->system_version,
                           .prompt = r->prompt};
  INK_TRY(ink_xmp_keep_source(there->bytes, there->size, &labels.source_type, error));
  return ink_xmp_label(there->bytes, there->size, &labels, packet, error);
}

// IPTC's fields into the XMP of the catalog. XMP that cannot be unpacked is left as it is: *tells
// says whether the fields stand there.
static ink_status add_xmp(ink_pdf_writer *w, const ink_label_work *work, bool *tells,
                          ink_error *error) {
  ink_pdf *p = &w->pdf;
  size_t at = ink_pdf_value(p, w->catalog, "/Metadata"), number = 0, generation = 0;
  ink_text there = {0}, packet = {0};
  *tells = false;
  if (at) {
    size_t stream = ink_pdf_resolve(p, at);
    if (!stream || !ink_pdf_read_reference(p, &at, &number, &generation) ||
        !ink_pdf_unpack_stream(p, stream, MOST_XMP, &there)) {
      ink_text_free(&there);
      return INK_OK;
    }
  }
  ink_status status = label_xmp(&there, work, &packet, error);
  ink_text_free(&there);
  if (status != INK_OK) {
    ink_text_free(&packet);
    return status;
  }
  *tells = work->source_type != NULL;
  if (at) {
    ink_pdf_begin(w, number, generation);
    add_stream(w, &packet);
  } else {
    number = w->next++;
    ink_pdf_begin(w, number, 0);
    add_stream(w, &packet);
    ink_pdf_begin(w, w->root, w->root_generation);
    ink_pdf_dictionary_open(w, w->catalog);
    ink_text_format(w->out, "\n/Metadata %zu 0 R >>\nendobj\n", number);
  }
  ink_text_free(&packet);
  return INK_OK;
}

static ink_status add_labels(ink_pdf_writer *w, const ink_label_work *work, ink_labelled *out,
                             ink_error *error) {
  size_t info = 0;
  if (work->aigc) INK_TRY(add_info(w, work->aigc, &info, error));
  INK_TRY(add_xmp(w, work, &out->tells_source, error));
  if (work->request->visible) INK_TRY(ink_pdf_show_label(w, work, out, error));
  return ink_pdf_close(w, info, error);
}

static ink_status label(const ink_label_work *work, ink_labelled *out, ink_error *error) {
  ink_pdf_writer w;
  INK_TRY(ink_pdf_update(work->bytes, work->size, "it is encrypted; label it before that",
                         &out->file, &w, error));
  ink_status status = add_labels(&w, work, out, error);
  ink_pdf_free(&w.pdf);
  out->visible_rule = "5.1";
  out->metadata_rule = "Annex E";
  snprintf(out->metadata, sizeof out->metadata, "Info /AIGC");
  return status;
}

static const char *const formats[] = {"pdf", NULL};
const ink_labeller ink_labeller_pdf = {.formats = formats, .label = label, .read = read_aigc};
