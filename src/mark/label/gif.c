// Labels of GIF: words on every frame, and XMP in the application extension "XMP Data" (ISO
// 16684-1; GB 45438-2025, Annex E, by the guide TC260-PG-20259A): the packet as it is, and behind
// it a descent of bytes by which those who know nothing of it pass over.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "mark/c2pa/carrier_gif.h"
#include "mark/label/gif_frames.h"
#include "mark/label/label_parts.h"
#include "mark/label/xmp.h"

enum { HEAD = 14, TAIL = 258, APPLICATION = 0xFF, CONTROL = 0xF9, PLAIN_TEXT = 0x01 };

static const unsigned char head[HEAD] = {0x21, 0xFF, 11,  'X', 'M', 'P', ' ',
                                         'D',  'a',  't', 'a', 'X', 'M', 'P'};

// 1, 255, 254 … 0, and the end of the sub-blocks.
static void add_tail(ink_text *out) {
  unsigned char tail[TAIL] = {1};
  for (int i = 1; i < TAIL - 1; i++) tail[i] = (unsigned char)(256 - i);
  ink_text_add_bytes(out, tail, TAIL);
}

typedef struct parts {
  size_t pictures;    // where the first block stands that is shown, or the end of them all
  size_t start, end;  // of the extension with XMP; 0, 0: none
  ink_text packet;
} parts;

// As it stands before the descent; some have it in sub-blocks.
static void read_packet(const unsigned char *bytes, size_t size, parts *p) {
  ink_text tail = {0};
  add_tail(&tail);
  size_t from = p->start + HEAD, length = p->end - from;
  bool raw = !tail.failed && length > TAIL && memcmp(bytes + p->end - TAIL, tail.bytes, TAIL) == 0;
  if (raw) {
    ink_text_add_bytes(&p->packet, bytes + from, length - TAIL);
  } else {
    ink_gif_data(bytes, size, from, &p->packet);
  }
  ink_text_free(&tail);
}

static ink_status divide(const unsigned char *bytes, size_t size, parts *p, ink_error *error) {
  ink_gif_block b;
  size_t at = 0;
  *p = (parts){0};
  while (ink_gif_next(bytes, size, &at, &b)) {
    bool shown = b.is_image || b.label == CONTROL || b.label == PLAIN_TEXT;
    if (shown && !p->pictures) p->pictures = b.start;
    bool xmp = b.label == APPLICATION && b.end - b.start >= HEAD && !b.is_image &&
               memcmp(bytes + b.start, head, HEAD) == 0;
    if (!xmp) continue;
    if (p->end) return ink_fail(error, INK_ERR_UNSUPPORTED, "GIF: it holds XMP twice");
    p->start = b.start;
    p->end = b.end;
  }
  if (!p->pictures) return ink_fail(error, INK_ERR_FORMAT, "GIF: it holds no picture");
  if (p->end) read_packet(bytes, size, p);
  return ink_text_status(&p->packet, error);
}

static ink_status read_aigc(const char *name, const unsigned char *bytes, size_t size,
                            json_t **aigc, ink_error *error) {
  (void)name;
  parts p;
  *aigc = NULL;
  ink_status status = divide(bytes, size, &p, error);
  if (status == INK_OK) status = ink_xmp_aigc(p.packet.bytes, p.packet.size, aigc, error);
  ink_text_free(&p.packet);
  return status;
}

static ink_status put_metadata(const ink_label_work *w, const ink_text *file, ink_text *out,
                               ink_error *error) {
  const ink_label_request *r = w->request;
  const unsigned char *bytes = (const unsigned char *)file->bytes;
  parts p;
  ink_text packet = {0};
  ink_xmp_labels labels = {.source_type = w->source_type,
                           .system = r->system,
                           .system_version = r->system_version,
                           .prompt = r->prompt,
                           .aigc = w->aigc};
  ink_status status = divide(bytes, file->size, &p, error);
  if (status == INK_OK) {
    status = ink_xmp_keep_source(p.packet.bytes, p.packet.size, &labels.source_type, error);
  }
  if (status == INK_OK) {
    status = ink_xmp_label(p.packet.bytes, p.packet.size, &labels, &packet, error);
  }
  if (status == INK_OK) {
    size_t start = p.end ? p.start : p.pictures, end = p.end ? p.end : p.pictures;
    ink_text_add_bytes(out, bytes, 4);
    ink_text_add(out, "9");  // the first version had no extensions
    ink_text_add_bytes(out, bytes + 5, start - 5);
    ink_text_add_bytes(out, head, HEAD);
    ink_text_add_bytes(out, packet.bytes, packet.size);
    add_tail(out);
    ink_text_add_bytes(out, bytes + end, file->size - end);
    status = ink_text_status(out, error);
  }
  ink_text_free(&packet);
  ink_text_free(&p.packet);
  return status;
}

static ink_status put_visible(const ink_label_work *w, ink_text *file, ink_labelled *out,
                              ink_error *error) {
  const ink_label_request *r = w->request;
  ink_label_style style = r->style ? *r->style : ink_label_style_default();
  ink_label_box box;
  ink_text drawn = {0};
  style.kind = r->kind;
  ink_status status =
      ink_gif_label(w->bytes, w->size, r->language, &style, &box, &drawn, &out->no_visible, error);
  if (status != INK_OK || out->no_visible) {
    ink_text_free(&drawn);
    return status;
  }
  ink_text_free(file);
  *file = drawn;
  int32_t width = ink_little16(w->bytes + 6), height = ink_little16(w->bytes + 8);
  int32_t side = width < height ? width : height;
  char words[64];
  snprintf(words, sizeof words, "%s", box.words);
  for (char *at = words; *at; at++) *at = *at == '\n' ? ' ' : *at;
  snprintf(out->visible, sizeof out->visible, "\"%s\", %s, %d px (%.1f %%)", words,
           ink_label_place_name(style.place), box.capital, 100.0 * box.capital / side);
  return INK_OK;
}

static ink_status label(const ink_label_work *w, ink_labelled *out, ink_error *error) {
  ink_text file = {0};
  out->visible_rule = "5.2";
  out->metadata_rule = "Annex E";
  ink_text_add_bytes(&file, w->bytes, w->size);
  ink_status status = ink_text_status(&file, error);
  if (status == INK_OK && w->request->visible) status = put_visible(w, &file, out, error);
  if (status == INK_OK) status = put_metadata(w, &file, &out->file, error);
  snprintf(out->metadata, sizeof out->metadata, "XMP TC260:AIGC");
  out->tells_source = w->source_type != NULL;
  ink_text_free(&file);
  return status;
}

static const char *const formats[] = {"gif", NULL};
const ink_labeller ink_labeller_gif = {
    .formats = formats, .disclosed = true, .label = label, .read = read_aigc};
