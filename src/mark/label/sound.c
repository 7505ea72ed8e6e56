// Labels of sounds: WAV (a chunk AIGC, and the rhythm short-long-short-short that GB 45438-2025,
// section 5.3, has for ears: "AI" in Morse code), MP3 (a frame TXXX).
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "mark/c2pa/carrier_mp3.h"
#include "mark/label/label_parts.h"

static const char rhythm[] = "·– ··";

// ---- WAV: chunks --------------------------------------------------------------------------------

enum { RIFF = 12, CHUNK = 8 };

static uint32_t u32_at(const unsigned char *b) {
  return (uint32_t)b[3] << 24 | (uint32_t)b[2] << 16 | (uint32_t)b[1] << 8 | b[0];
}

static void put_u32(ink_text *out, uint32_t value) {
  unsigned char bytes[4] = {(unsigned char)value, (unsigned char)(value >> 8),
                            (unsigned char)(value >> 16), (unsigned char)(value >> 24)};
  ink_text_add_bytes(out, bytes, 4);
}

typedef struct chunk {
  const unsigned char *start, *data;
  size_t size;
} chunk;

static bool is(const chunk *c, const char *id) {
  return memcmp(c->start, id, 4) == 0;
}

// The next chunk from *at, which moves behind it. The last may lack the byte that evens it.
static bool next_chunk(const unsigned char *bytes, size_t size, size_t *at, chunk *c) {
  if (!ink_fits(*at, CHUNK, size)) return false;
  size_t length = u32_at(bytes + *at + 4);
  if (!ink_fits(*at + CHUNK, length, size)) return false;
  *c = (chunk){bytes + *at, bytes + *at + CHUNK, length};
  *at += CHUNK + length;
  if (length & 1 && *at < size) ++*at;
  return true;
}

static void put_chunk(ink_text *out, const char *id, const void *data, size_t size) {
  ink_text_add_bytes(out, id, 4);
  put_u32(out, (uint32_t)size);
  ink_text_add_bytes(out, data, size);
  ink_text_add_bytes(out, "", size & 1);
}

// ---- WAV: the rhythm ----------------------------------------------------------------------------

typedef struct samples {
  unsigned channels, rate, bits;
  bool real;  // floating point
} samples;

// PCM and floating point; false for what is compressed.
static bool read_format(const chunk *c, samples *s) {
  if (c->size < 16) return false;
  unsigned tag = c->data[0] | (unsigned)c->data[1] << 8;
  if (tag == 0xFFFE && c->size >= 26) tag = c->data[24] | (unsigned)c->data[25] << 8;
  *s = (samples){.channels = c->data[2] | (unsigned)c->data[3] << 8,
                 .rate = u32_at(c->data + 4),
                 .bits = c->data[14] | (unsigned)c->data[15] << 8,
                 .real = tag == 3};
  bool whole = tag == 1 && s->bits % 8 == 0 && s->bits >= 8 && s->bits <= 32;
  return (whole || (s->real && s->bits == 32)) && s->channels >= 1 && s->channels <= 64 &&
         s->rate >= 4000 && s->rate <= 768000;
}

static void put_sample(ink_text *out, const samples *s, double value) {
  if (s->real) {
    float real = (float)value;
    uint32_t bits;
    memcpy(&bits, &real, sizeof bits);
    put_u32(out, bits);
    return;
  }
  // Eight bits are unsigned, more are signed.
  int64_t scaled = llround(value * (double)((INT64_C(1) << (s->bits - 1)) - 1));
  if (s->bits == 8) scaled += 128;
  for (unsigned i = 0; i < s->bits; i += 8) {
    unsigned char byte = (unsigned char)((uint64_t)scaled >> i);
    ink_text_add_bytes(out, &byte, 1);
  }
}

// How loud the tone is in the middle of the i-th of `n` samples of a sign: soft at its edges.
static double envelope(size_t i, size_t n, size_t edge) {
  size_t near = i < n - 1 - i ? i : n - 1 - i;
  return near >= edge ? 1 : 0.5 - 0.5 * cos(3.14159265358979 * (double)near / (double)edge);
}

// "AI" in Morse code, a tenth of a second a unit, with silence behind. Returns how many frames.
static size_t put_rhythm(ink_text *out, const samples *s) {
  static const struct {
    int units;
    bool sounds;
  } signs[] = {{1, true}, {1, false}, {3, true}, {3, false},
               {1, true}, {1, false}, {1, true}, {4, false}};
  enum { PITCH = 880 };
  static const double loudness = 0.25;  // -12 dB
  size_t unit = s->rate / 10, edge = s->rate / 200, frames = 0;
  for (size_t j = 0; j < sizeof signs / sizeof *signs; j++) {
    size_t n = unit * (size_t)signs[j].units;
    for (size_t i = 0; i < n; i++, frames++) {
      double phase = 2 * 3.14159265358979 * PITCH * (double)i / s->rate;
      double value = signs[j].sounds ? loudness * envelope(i, n, edge) * sin(phase) : 0;
      for (unsigned c = 0; c < s->channels; c++) put_sample(out, s, value);
    }
  }
  return frames;
}

// What the labelled file is put together from.
typedef struct wav {
  samples samples;
  bool known;     // its samples can be written
  bool has_data;  // one chunk of them
  bool pointed;   // other chunks point at samples by number: none may be put before them
} wav;

static ink_status look_at(const ink_label_work *w, wav *v, ink_error *error) {
  chunk c;
  *v = (wav){0};
  size_t at = RIFF, n_data = 0;
  while (next_chunk(w->bytes, w->size, &at, &c)) {
    if (is(&c, "fmt ")) v->known = read_format(&c, &v->samples);
    n_data += is(&c, "data");
    v->pointed = v->pointed || is(&c, "cue ") || is(&c, "smpl") || is(&c, "plst") || is(&c, "bext");
  }
  v->has_data = n_data == 1;
  if (w->size > at && w->size - at >= CHUNK) {
    return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)at, "WAV: a chunk is cut short");
  }
  if (w->size >= RIFF && n_data) return INK_OK;
  return ink_fail(error, INK_ERR_FORMAT, "WAV: it holds no samples");
}

static void put_samples(const chunk *c, const ink_text *tone, bool at_end, ink_text *out) {
  size_t size = c->size + tone->size;
  ink_text_add(out, "data");
  put_u32(out, (uint32_t)size);
  if (!at_end) ink_text_add_bytes(out, ink_text_string(tone), tone->size);
  ink_text_add_bytes(out, c->data, c->size);
  if (at_end) ink_text_add_bytes(out, ink_text_string(tone), tone->size);
  ink_text_add_bytes(out, "", size & 1);
}

static ink_status write_wav(const ink_label_work *w, const ink_text *tone, size_t frames,
                            bool at_end, ink_text *out, ink_error *error) {
  chunk c;
  size_t at = RIFF, begin = out->size;
  ink_text_add_bytes(out, w->bytes, RIFF);
  while (next_chunk(w->bytes, w->size, &at, &c)) {
    if (is(&c, "data") && tone->size) {
      put_samples(&c, tone, at_end, out);
    } else if (is(&c, "fact") && c.size >= 4 && tone->size) {
      ink_text fact = {0};
      put_u32(&fact, u32_at(c.data) + (uint32_t)frames);
      ink_text_add_bytes(&fact, c.data + 4, c.size - 4);
      put_chunk(out, "fact", ink_text_string(&fact), fact.size);
      ink_text_free(&fact);
    } else {
      put_chunk(out, (const char *)c.start, c.data, c.size);
    }
  }
  char *label = w->aigc ? json_dumps(w->aigc, JSON_COMPACT) : NULL;
  if (w->aigc && !label) out->failed = true;
  if (label) put_chunk(out, "AIGC", label, strlen(label));
  free(label);
  INK_TRY(ink_text_status(out, error));
  size_t stated = out->size - begin - CHUNK;
  if (stated > UINT32_MAX) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "WAV: no room for a label below 4 GiB");
  }
  for (int i = 0; i < 4; i++) out->bytes[begin + 4 + (size_t)i] = (char)(stated >> (8 * i));
  return INK_OK;
}

static ink_status label_wav(const ink_label_work *w, ink_labelled *out, ink_error *error) {
  wav v;
  ink_text tone = {0};
  size_t frames = 0;
  out->what = "audible label";
  out->visible_rule = "5.3";
  out->metadata_rule = "Annex E";
  INK_TRY(look_at(w, &v, error));
  bool at_end = w->request->at_end || v.pointed;
  if (w->request->visible && v.known && v.has_data) {
    frames = put_rhythm(&tone, &v.samples);
    INK_TRY(ink_text_status(&tone, error));
    snprintf(out->visible, sizeof out->visible, "\"%s\", %s, 880 Hz", rhythm,
             at_end ? "end" : "start");
  } else if (w->request->visible) {
    out->no_visible = "its samples are coded in a way that is not written here";
  }
  ink_status status = write_wav(w, &tone, frames, at_end, &out->file, error);
  ink_text_free(&tone);
  snprintf(out->metadata, sizeof out->metadata, "RIFF AIGC");
  return status;
}

static ink_status read_wav(const char *name, const unsigned char *bytes, size_t size, json_t **aigc,
                           ink_error *error) {
  (void)name;
  (void)error;
  chunk c;
  size_t at = RIFF;
  *aigc = NULL;
  while (!*aigc && next_chunk(bytes, size, &at, &c)) {
    if (!is(&c, "AIGC")) continue;
    *aigc = json_loadb((const char *)c.data, c.size, 0, NULL);
    if (!*aigc) *aigc = json_null();
  }
  return INK_OK;
}

// ---- MP3 ----------------------------------------------------------------------------------------

static ink_status label_mp3(const ink_label_work *w, ink_labelled *out, ink_error *error) {
  out->what = "audible label";
  out->visible_rule = "5.3";
  out->metadata_rule = "Annex E";
  out->no_visible = "MP3 is not coded anew here; label a WAV, and code that";
  snprintf(out->metadata, sizeof out->metadata, "ID3 TXXX AIGC");
  if (!w->aigc) {
    ink_text_add_bytes(&out->file, w->bytes, w->size);
    return ink_text_status(&out->file, error);
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
  if (status == INK_OK) {
    status = ink_id3_add(w->bytes, w->size, "TXXX", &frame, &out->file, &at, error);
  }
  ink_text_free(&frame);
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

static const char *const wavs[] = {"wav", NULL}, *const mp3s[] = {"mp3", NULL};
const ink_labeller ink_labeller_wav = {
    .formats = wavs, .disclosed = true, .label = label_wav, .read = read_wav};
const ink_labeller ink_labeller_mp3 = {
    .formats = mp3s, .disclosed = true, .label = label_mp3, .read = read_mp3};
