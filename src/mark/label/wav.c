// Labels of WAV: a chunk AIGC, and the rhythm of GB 45438-2025, section 5.3, before or behind the
// samples.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "mark/label/label_parts.h"
#include "mark/label/rhythm.h"

// ---- chunks -------------------------------------------------------------------------------------

enum { RIFF = 12, CHUNK = 8 };

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
  size_t length = ink_little32(bytes + *at + 4);
  if (!ink_fits(*at + CHUNK, length, size)) return false;
  *c = (chunk){bytes + *at, bytes + *at + CHUNK, length};
  *at += CHUNK + length;
  if (length & 1 && *at < size) ++*at;
  return true;
}

static void put_chunk(ink_text *out, const char *id, const void *data, size_t size) {
  ink_text_add_bytes(out, id, 4);
  ink_text_add_little(out, (uint32_t)size, 4);
  ink_text_add_bytes(out, data, size);
  ink_text_add_bytes(out, "", size & 1);
}

// ---- the rhythm ---------------------------------------------------------------------------------

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
                 .rate = ink_little32(c->data + 4),
                 .bits = c->data[14] | (unsigned)c->data[15] << 8,
                 .real = tag == 3};
  // A frame holds its samples and nothing else.
  unsigned frame = c->data[12] | (unsigned)c->data[13] << 8;
  if (frame != s->channels * (s->bits / 8)) return false;
  bool whole = tag == 1 && s->bits % 8 == 0 && s->bits >= 8 && s->bits <= 32;
  return (whole || (s->real && (s->bits == 32 || s->bits == 64))) && s->channels >= 1 &&
         s->channels <= 64 && s->rate >= 4000 && s->rate <= 768000;
}

static double sample_at(const unsigned char *b, const samples *s) {
  uint64_t bits = 0;
  for (unsigned i = 0; i < s->bits / 8; i++) bits |= (uint64_t)b[i] << (8 * i);
  if (s->real) {
    double value;
    float narrow;
    uint32_t low = (uint32_t)bits;
    memcpy(&value, &bits, sizeof value);
    memcpy(&narrow, &low, sizeof narrow);
    if (s->bits == 32) value = (double)narrow;
    return fabs(value) < 1e6 ? value : 0;  // nor NaN
  }
  if (s->bits == 8) return ((double)bits - 128) / 128;
  return (double)(int32_t)(uint32_t)(bits << (32 - s->bits)) / 2147483648.0;
}

static void put_sample(ink_text *out, const samples *s, double value) {
  if (s->real && s->bits == 64) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    ink_text_add_little(out, bits, 8);
    return;
  }
  if (s->real) {
    float real = (float)value;
    uint32_t bits;
    memcpy(&bits, &real, sizeof bits);
    ink_text_add_little(out, bits, 4);
    return;
  }
  // Eight bits are unsigned, more are signed.
  int64_t scaled = llround(value * (ldexp(1, (int)s->bits - 1) - 1));
  if (s->bits == 8) scaled += 128;
  for (unsigned i = 0; i < s->bits; i += 8) {
    unsigned char byte = (unsigned char)((uint64_t)scaled >> i);
    ink_text_add_bytes(out, &byte, 1);
  }
}

// Returns how many frames.
static size_t put_rhythm(ink_text *out, const samples *s) {
  size_t n = ink_rhythm_length(s->rate);
  for (size_t i = 0; i < n; i++) {
    double value = ink_rhythm_sample(s->rate, i);
    for (unsigned c = 0; c < s->channels; c++) put_sample(out, s, value);
  }
  return n;
}

// What the labelled file is put together from.
typedef struct wav {
  size_t end;  // of its chunks
  samples samples;
  bool known;    // they can be read and written, and stand in one chunk
  bool pointed;  // other chunks point at samples by number: none may be put before them
  chunk data;
} wav;

// Where the chunks end: others may have put something behind them.
static size_t end_of(const unsigned char *bytes, size_t size) {
  uint64_t stated = size >= RIFF ? (uint64_t)ink_little32(bytes + 4) + CHUNK : 0;
  stated += stated & 1;
  return stated < size ? (size_t)stated : size;
}

static ink_status look_at(const unsigned char *bytes, size_t size, wav *v, ink_error *error) {
  chunk c;
  *v = (wav){.end = end_of(bytes, size)};
  size_t at = RIFF, n_data = 0;
  while (next_chunk(bytes, v->end, &at, &c)) {
    if (is(&c, "fmt ")) v->known = read_format(&c, &v->samples);
    if (is(&c, "data") && n_data++ == 0) v->data = c;
    v->pointed = v->pointed || is(&c, "cue ") || is(&c, "smpl") || is(&c, "plst") || is(&c, "bext");
  }
  v->known = v->known && n_data == 1;
  if (v->end > at) {
    return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)at, "WAV: a chunk is cut short");
  }
  if (size >= RIFF && n_data) return INK_OK;
  return ink_fail(error, INK_ERR_FORMAT, "WAV: it holds no samples");
}

// The label `place` bytes behind their start.
static void put_samples(const chunk *c, const ink_text *tone, size_t place, ink_text *out) {
  size_t size = c->size + tone->size;
  ink_text_add(out, "data");
  ink_text_add_little(out, (uint32_t)size, 4);
  ink_text_add_bytes(out, c->data, place);
  ink_text_add_bytes(out, ink_text_string(tone), tone->size);
  ink_text_add_bytes(out, c->data + place, c->size - place);
  ink_text_add_bytes(out, "", size & 1);
}

static ink_status write_wav(const ink_label_work *w, const ink_text *tone, size_t frames,
                            bool at_end, ink_text *out, ink_error *error) {
  chunk c;
  size_t at = RIFF, begin = out->size, end = end_of(w->bytes, w->size);
  ink_text_add_bytes(out, w->bytes, RIFF);
  while (next_chunk(w->bytes, end, &at, &c)) {
    if (is(&c, "data") && tone->size) {
      // A frame that is cut short stays behind.
      put_samples(&c, tone, at_end ? c.size - c.size % (tone->size / frames) : 0, out);
    } else if (is(&c, "fact") && c.size >= 4 && tone->size) {
      ink_text fact = {0};
      ink_text_add_little(&fact, ink_little32(c.data) + (uint32_t)frames, 4);
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
  ink_text_add_bytes(out, w->bytes + end, w->size - end);
  return ink_text_status(out, error);
}

static ink_status label_wav(const ink_label_work *w, ink_labelled *out, ink_error *error) {
  wav v;
  ink_text tone = {0};
  size_t frames = 0;
  out->what = "audible label";
  out->visible_rule = "5.3";
  out->metadata_rule = "Annex E";
  INK_TRY(look_at(w->bytes, w->size, &v, error));
  bool at_end = w->request->at_end || v.pointed;
  if (w->request->visible && v.known) {
    frames = put_rhythm(&tone, &v.samples);
    INK_TRY(ink_text_status(&tone, error));
    snprintf(out->visible, sizeof out->visible, "\"%s\", %s, %d Hz", INK_RHYTHM,
             at_end ? "end" : "start", INK_RHYTHM_PITCH);
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

// ---- hearing ------------------------------------------------------------------------------------

// The loudness of all channels together, a hundredth of a second at a time.
static void measure(const chunk *c, const samples *s, float *loudness, size_t n, size_t frames) {
  size_t each = s->bits / 8, per_window = frames * s->channels;
  for (size_t i = 0; i < n; i++) {
    double sum = 0;
    for (size_t j = 0; j < per_window; j++) {
      double value = sample_at(c->data + (i * per_window + j) * each, s);
      sum += value * value;
    }
    loudness[i] = (float)sqrt(sum / (double)per_window);
  }
}

ink_status ink_wav_hear(const unsigned char *bytes, size_t size, double *at, ink_error *error) {
  wav v;
  *at = -1;
  INK_TRY(look_at(bytes, size, &v, error));
  if (!v.known) return ink_fail(error, INK_ERR_UNSUPPORTED, "WAV: its samples are not read here");
  size_t frames = v.samples.rate / INK_RHYTHM_WINDOWS;
  size_t n = v.data.size / (frames * v.samples.channels * (v.samples.bits / 8));
  float *loudness = malloc((n ? n : 1) * sizeof *loudness);
  if (!loudness) return ink_fail(error, INK_ERR_MEMORY, "no memory to listen to a sound");
  measure(&v.data, &v.samples, loudness, n, frames);
  size_t found = ink_rhythm_find(loudness, n);
  if (found < n) *at = (double)(found * frames) / v.samples.rate;
  free(loudness);
  return INK_OK;
}

static const char *const wavs[] = {"wav", NULL};
const ink_labeller ink_labeller_wav = {
    .formats = wavs, .disclosed = true, .label = label_wav, .read = read_wav};
