// The rhythm coded by LAME at a constant bit rate, without its reservoir: each frame stands alone.
#include <lame/lame.h>
#include <stdlib.h>

#include "mark/label/mp3_rhythm.h"
#include "mark/label/rhythm.h"

bool ink_mp3_rhythm_there(void) {
  return true;
}

static void say_nothing(const char *format, va_list arguments) {
  (void)format;
  (void)arguments;
}

// Two channels that differ in nothing have no use for LAME's fifth mode, "dual".
static MPEG_mode mode_of(ink_mp3_mode mode) {
  return mode == INK_MP3_MONO ? MONO : mode == INK_MP3_JOINT ? JOINT_STEREO : STEREO;
}

static ink_status set_up(lame_global_flags *lame, const ink_mp3_frame *like, unsigned bit_rate,
                         ink_error *error) {
  lame_set_errorf(lame, say_nothing);
  lame_set_msgf(lame, say_nothing);
  lame_set_debugf(lame, say_nothing);
  lame_set_in_samplerate(lame, (int)like->rate);
  lame_set_out_samplerate(lame, (int)like->rate);
  lame_set_num_channels(lame, like->mode == INK_MP3_MONO ? 1 : 2);
  lame_set_mode(lame, mode_of(like->mode));
  lame_set_VBR(lame, vbr_off);
  lame_set_brate(lame, (int)bit_rate);
  lame_set_disable_reservoir(lame, 1);
  lame_set_bWriteVbrTag(lame, 0);
  if (lame_init_params(lame) >= 0 && lame_get_out_samplerate(lame) == (int)like->rate) {
    return INK_OK;
  }
  return ink_fail(error, INK_ERR_UNSUPPORTED, "LAME codes no frames like those of the file");
}

// What LAME wrote into `coded` (a number of bytes, or a fault below 0), appended.
static ink_status take(const unsigned char *coded, int n, ink_text *out, ink_error *error) {
  if (n < 0) return ink_fail(error, INK_ERR_INTERNAL, "LAME did not code the label (%d)", n);
  ink_text_add_bytes(out, coded, (size_t)n);
  return ink_text_status(out, error);
}

static ink_status encode(lame_global_flags *lame, unsigned rate, size_t lead, size_t tail,
                         ink_text *out, ink_error *error) {
  // LAME asks for 5/4 of the samples and 7200 bytes.
  enum { BLOCK = 1152, ROOM = BLOCK * 5 / 4 + 7200 };
  unsigned char coded[ROOM];
  float samples[BLOCK];
  size_t length = ink_rhythm_length(rate), all = lead + length + tail;
  for (size_t at = 0; at < all;) {
    int n = 0;
    for (; n < BLOCK && at < all; n++, at++) {
      bool within = at >= lead && at - lead < length;
      samples[n] = within ? (float)ink_rhythm_sample(rate, at - lead) : 0;
    }
    int got = lame_encode_buffer_ieee_float(lame, samples, samples, n, coded, ROOM);
    INK_TRY(take(coded, got, out, error));
  }
  return take(coded, lame_encode_flush(lame, coded, ROOM), out, error);
}

// Give the frames the bits of the others: private, copyright, original, emphasis and, of two equal
// channels, that they are two.
static ink_status liken(const ink_mp3_frame *like, unsigned char *bytes, size_t size,
                        ink_error *error) {
  ink_mp3_frame f;
  size_t at = 0;
  for (; ink_mp3_frame_at(bytes, size, at, &f); at += f.size) {
    bool same = f.version == like->version && f.rate == like->rate && !f.checked &&
                (f.mode == INK_MP3_MONO) == (like->mode == INK_MP3_MONO);
    if (!same || ink_mp3_reaches_back(bytes, at, &f)) break;
    unsigned char mode = like->mode == INK_MP3_DUAL ? INK_MP3_DUAL << 6 : f.fourth & 0xF0;
    bytes[at + 2] = (unsigned char)((f.third & ~1U) | (like->third & 1U));
    bytes[at + 3] = (unsigned char)(mode | (like->fourth & 0x0F));
  }
  if (at == size && size) return INK_OK;
  return ink_fail(error, INK_ERR_INTERNAL, "LAME coded frames that do not stand alone");
}

ink_status ink_mp3_rhythm(const ink_mp3_frame *like, unsigned bit_rate, size_t lead, size_t tail,
                          ink_text *out, ink_error *error) {
  lame_global_flags *lame = lame_init();
  if (!lame) return ink_fail(error, INK_ERR_MEMORY, "no memory for an encoder of MP3");
  size_t begin = out->size;
  ink_status status = set_up(lame, like, bit_rate, error);
  if (status == INK_OK) status = encode(lame, like->rate, lead, tail, out, error);
  lame_close(lame);
  if (status != INK_OK) return status;
  return liken(like, (unsigned char *)out->bytes + begin, out->size - begin, error);
}
