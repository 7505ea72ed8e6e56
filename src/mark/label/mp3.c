// Labels of MP3: a frame TXXX in the tag, and the rhythm of GB 45438-2025, section 5.3, before or
// behind the frames of sound, which stay as they are.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark/c2pa/carrier_mp3.h"
#include "mark/label/label_parts.h"
#include "mark/label/mp3_frames.h"
#include "mark/label/mp3_rhythm.h"
#include "mark/label/rhythm.h"

// ---- the rhythm ---------------------------------------------------------------------------------

// Chapters, words of songs and events are told by time: nothing may be put before them.
static bool tells_times(const unsigned char *bytes, size_t size) {
  static const char *const timed[] = {"CHAP", "SYLT", "ETCO", "SYTC", "MLLT"};
  ink_id3_frame f;
  for (size_t at = 0; ink_id3_next(bytes, size, &at, &f);) {
    for (size_t i = 0; i < sizeof timed / sizeof *timed; i++) {
      if (memcmp(f.id, timed[i], 4) == 0) return true;
    }
  }
  return false;
}

// A bit rate that lets the tone be heard, where those of the file differ.
static unsigned bit_rate_for(const ink_mp3_layout *l) {
  unsigned least = l->first.mode == INK_MP3_MONO ? 32 : 64;
  return l->constant || l->bit_rate > least ? l->bit_rate : least;
}

// Append the file with the rhythm, or nothing: then labelled->no_visible says why.
static ink_status add_rhythm(const ink_label_work *w, ink_text *out, ink_labelled *labelled,
                             ink_error *error) {
  ink_mp3_layout l;
  ink_text frames = {0};
  labelled->no_visible = ink_mp3_lay_out(w->bytes, w->size, &l);
  if (!labelled->no_visible && !ink_mp3_rhythm_there()) {
    labelled->no_visible = "this build codes no MP3; install libmp3lame-dev and build it anew";
  }
  if (labelled->no_visible) return INK_OK;
  // Where the first frames need bytes that are not there, they must not find others in their place.
  bool at_end = w->request->at_end || l.needs_before || tells_times(w->bytes, w->size);
  // What players leave out of the whole is silence of ours.
  ink_error unable = {0};
  ink_status status = ink_mp3_rhythm(&l.first, bit_rate_for(&l), at_end ? 0 : l.delay,
                                     at_end ? l.padding : 0, &frames, &unable);
  if (status == INK_ERR_UNSUPPORTED) {
    labelled->no_visible = "LAME codes no frames like those of the file";
    status = INK_OK;
  } else if (status != INK_OK) {
    ink_fail(error, status, "%s", unable.text);
  } else {
    status = ink_mp3_insert(w->bytes, w->size, &l, &frames, at_end, out, error);
    snprintf(labelled->visible, sizeof labelled->visible, "\"%s\", %s, %d Hz", INK_RHYTHM,
             at_end ? "end" : "start", INK_RHYTHM_PITCH);
  }
  ink_text_free(&frames);
  return status;
}

// ---- the tag ------------------------------------------------------------------------------------

static ink_status add_tag(const ink_label_work *w, const unsigned char *bytes, size_t size,
                          ink_text *out, ink_error *error) {
  if (!w->aigc) {
    ink_text_add_bytes(out, bytes, size);
    return ink_text_status(out, error);
  }
  char *label = json_dumps(w->aigc, JSON_COMPACT);
  if (!label) return ink_fail(error, INK_ERR_MEMORY, "no memory for the label");
  // Latin-1, the description, its NUL, the value.
  static const char head[] = "\0AIGC";
  ink_text frame = {0};
  size_t at;
  ink_text_add_bytes(&frame, head, sizeof head);
  ink_text_add(&frame, label);
  free(label);
  ink_status status = ink_text_status(&frame, error);
  if (status == INK_OK) status = ink_id3_add(bytes, size, "TXXX", &frame, out, &at, error);
  ink_text_free(&frame);
  return status;
}

static ink_status label_mp3(const ink_label_work *w, ink_labelled *out, ink_error *error) {
  ink_text sounding = {0};
  out->what = "audible label";
  out->visible_rule = "5.3";
  out->metadata_rule = "Annex E";
  snprintf(out->metadata, sizeof out->metadata, "ID3 TXXX AIGC");
  ink_status status = w->request->visible ? add_rhythm(w, &sounding, out, error) : INK_OK;
  if (status == INK_OK) {
    const unsigned char *bytes = sounding.size ? (unsigned char *)sounding.bytes : w->bytes;
    status = add_tag(w, bytes, sounding.size ? sounding.size : w->size, &out->file, error);
  }
  ink_text_free(&sounding);
  return status;
}

// A text frame's characters, those of UTF-16 as far as they are ASCII, which a label is.
static void add_characters(const ink_id3_frame *f, ink_text *out) {
  bool wide = f->data[0] == 1 || f->data[0] == 2;
  for (size_t i = 1; i < f->size; i++) {
    unsigned char c = f->data[i];
    if (!wide) {
      ink_text_add_bytes(out, &c, 1);
    } else if (i + 1 < f->size) {
      unsigned char other = f->data[++i];
      unsigned char low = c ? c : other;
      if (c >= 0xFE || (c && other)) continue;  // the byte order, or no ASCII
      ink_text_add_bytes(out, &low, 1);
    }
  }
}

static ink_status read_mp3(const char *name, const unsigned char *bytes, size_t size, json_t **aigc,
                           ink_error *error) {
  (void)name;
  ink_id3_frame f;
  *aigc = NULL;
  for (size_t at = 0; !*aigc && ink_id3_next(bytes, size, &at, &f);) {
    if (memcmp(f.id, "TXXX", 4) != 0 || f.size < 2) continue;
    ink_text text = {0};
    add_characters(&f, &text);
    ink_status status = ink_text_status(&text, error);
    if (status == INK_OK && text.size >= 5 && memcmp(text.bytes, "AIGC", 5) == 0) {
      // Behind the NUL of the description.
      *aigc = json_loads(text.bytes + 5, 0, NULL);
      if (!*aigc) *aigc = json_null();
    }
    ink_text_free(&text);
    INK_TRY(status);
  }
  return INK_OK;
}

static const char *const mp3s[] = {"mp3", NULL};
const ink_labeller ink_labeller_mp3 = {
    .formats = mp3s, .disclosed = true, .label = label_mp3, .read = read_mp3};
