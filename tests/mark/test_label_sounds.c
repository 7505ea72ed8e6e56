// Labels of sounds: ears hear them, what was there stays, and what tells of it tells of all.
#include "labelling.h"
#include "mark/detect.h"
#include "mark/label/mp3_frames.h"
#include "mark/label/mp3_rhythm.h"
#include "mark/label/rhythm.h"

// ---- WAV ----------------------------------------------------------------------------------------

static void put_le(ink_text *out, uint32_t value, int n) {
  for (int i = 0; i < n; i++) {
    unsigned char byte = (unsigned char)(value >> (8 * i));
    ink_text_add_bytes(out, &byte, 1);
  }
}

// A second of one value in a WAV of some format.
static blob wav_of(unsigned tag, unsigned bits, unsigned channels, unsigned rate) {
  ink_text out = {0};
  uint32_t block = channels * bits / 8, data = rate * block;
  ink_text_add(&out, "RIFF");
  put_le(&out, 4 + 24 + 12 + 8 + data + (data & 1), 4);
  ink_text_add(&out, "WAVEfmt ");
  put_le(&out, 16, 4);
  put_le(&out, tag, 2);
  put_le(&out, channels, 2);
  put_le(&out, rate, 4);
  put_le(&out, rate * block, 4);
  put_le(&out, block, 2);
  put_le(&out, bits, 2);
  ink_text_add(&out, "fact");
  put_le(&out, 4, 4);
  put_le(&out, rate, 4);
  ink_text_add(&out, "data");
  put_le(&out, data, 4);
  for (uint32_t i = 0; i < data; i++) ink_text_add(&out, "\x11");
  ink_text_add_bytes(&out, "", data & 1);
  return (blob){(unsigned char *)out.bytes, out.size};
}

static double sample_at(const unsigned char *b, unsigned tag, unsigned bits) {
  if (tag == 3 && bits == 64) {
    double value;
    memcpy(&value, b, 8);
    return value;
  }
  if (tag == 3) {
    float value;
    memcpy(&value, b, 4);
    return (double)value;
  }
  if (bits == 8) return (b[0] - 128) / 127.0;
  uint32_t value = 0;
  for (unsigned i = 0; i < bits / 8; i++) value |= (uint32_t)b[i] << (8 * i);
  return (double)(int32_t)(value << (32 - bits)) / 2147483648.0;
}

static uint32_t le_at(const char *bytes, size_t n) {
  uint32_t value = 0;
  for (size_t i = 0; i < n; i++) value |= (uint32_t)(unsigned char)bytes[i] << (8 * i);
  return value;
}

// Ears hear the rhythm short, long, short, short: an envelope of a hundredth of a second tells it.
static void a_sound_says_ai_in_morse_code_and_stays_whole(void **state) {
  (void)state;
  static const struct {
    unsigned tag, bits, channels, rate;
    bool at_end;
  } cases[] = {{1, 16, 2, 44100, false}, {1, 8, 1, 8000, true},    {1, 24, 1, 48000, false},
               {1, 32, 2, 22050, true},  {3, 32, 2, 44100, false}, {1, 8, 1, 11025, false},
               {3, 64, 1, 16000, true}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_error error = {0};
    blob b = wav_of(cases[i].tag, cases[i].bits, cases[i].channels, cases[i].rate);
    ink_label_request r = request_for(INK_LAW_CN);
    ink_label_result result;
    r.at_end = cases[i].at_end;
    ink_text out = label_blob("a.wav", &b, &r, &result);
    assert_int_equal(item_of(&result, INK_LAW_CN, "audible label")->outcome, INK_LABEL_GOT);
    assert_int_equal(le_at(out.bytes + 4, 4), out.size - 8);
    unsigned block = cases[i].bits / 8 * cases[i].channels;
    size_t was = (size_t)cases[i].rate * block, now = le_at(out.bytes + 52, 4);
    size_t frames = (now - was) / block;
    assert_int_equal(le_at(out.bytes + 44, 4), cases[i].rate + frames);  // "fact"
    const char *data = out.bytes + 56, *tone = data + (cases[i].at_end ? was : 0);
    assert_memory_equal(data + (cases[i].at_end ? 0 : now - was), b.bytes + 56, was);
    char heard[64];
    size_t n = 0, step = cases[i].rate / 100, run = 0;
    for (size_t at = 0; at + step <= frames; at += step) {
      double loudest = 0;
      for (size_t j = at; j < at + step; j++) {
        double v = sample_at((const unsigned char *)tone + j * block, cases[i].tag, cases[i].bits);
        if (v > loudest) loudest = v;
      }
      if (loudest > 0.1) {
        run++;
      } else if (run) {
        heard[n++] = run > 20 ? '-' : '.';
        run = 0;
      }
    }
    heard[n] = 0;
    assert_string_equal(heard, ".-..");
    json_t *aigc;
    assert_ok(ink_label_read("a.wav", (unsigned char *)out.bytes, out.size, &aigc, &error));
    assert_int_equal(json_object_size(aigc), 7);
    json_decref(aigc);
    ink_text_free(&out);
    free(b.bytes);
  }
}

static double heard_at(const void *bytes, size_t size) {
  ink_error error = {0};
  double at;
  assert_ok(ink_wav_hear(bytes, size, &at, &error));
  return at;
}

// The label is heard where it is, among sounds and after any number of samples; nothing else is
// taken for it.
static void the_rhythm_is_heard_where_it_is(void **state) {
  (void)state;
  for (int i = 0; i < 4; i++) {
    ink_error error = {0};
    blob b = wav_of(1, i < 2 ? 16 : 8, 1, 8000);
    if (i < 2) {
      uint32_t noise = 1;
      for (size_t at = 56; at + 77 < b.size; at++) {
        noise = noise * 1664525 + 1013904223;
        b.bytes[at] = (unsigned char)(noise >> 24);
      }
    }
    assert_true(heard_at(b.bytes, b.size) < 0);
    ink_label_request r = request_for(INK_LAW_CN);
    r.at_end = i % 2;
    ink_text out = label_blob("a.wav", &b, &r, NULL);
    double at = heard_at(out.bytes, out.size);
    assert_true(at >= (r.at_end ? 0.98 : 0) && at <= (r.at_end ? 1.01 : 0.01));
    ink_detection d = {0};
    assert_ok(ink_detect_metadata("a.wav", out.bytes, out.size, &d, &error));
    bool told = false;
    for (size_t j = 0; j < d.n_evidence; j++) {
      told |= d.evidence[j].kind == INK_EVIDENCE_LABEL && d.evidence[j].found;
    }
    assert_true(told);
    // A sign that is silent makes it another rhythm.
    size_t tone = 56 + (r.at_end ? b.size - 56 : 0), unit = 800 * (i < 2 ? 2 : 1);
    for (size_t j = 0; j < unit; j++) out.bytes[tone + 8 * unit + j] = (char)(i < 2 ? 0 : 128);
    assert_true(heard_at(out.bytes, out.size) < 0);
    ink_text_free(&out);
    free(b.bytes);
  }
}

// What follows the chunks, and a frame of samples that is cut short, stay.
static void bytes_of_a_sound_that_belong_to_nothing_stay(void **state) {
  (void)state;
  ink_error error = {0};
  blob b = wav_of(1, 16, 2, 8000);
  ink_text file = {0};
  ink_text_add_bytes(&file, b.bytes, b.size);
  for (int i = 0; i < 3; i++) ink_text_add(&file, "\x22");  // most of a frame
  ink_text_add_bytes(&file, "", 1);
  file.bytes[52] = (char)((file.size - 57) & 0xFF);
  file.bytes[53] = (char)((file.size - 57) >> 8 & 0xFF);
  file.bytes[4] = (char)((file.size - 8) & 0xFF);
  file.bytes[5] = (char)((file.size - 8) >> 8 & 0xFF);
  ink_text_add(&file, "behind");
  assert_ok(ink_text_status(&file, &error));
  blob odd = {(unsigned char *)file.bytes, file.size};
  ink_label_request r = request_for(INK_LAW_CN);
  r.at_end = true;
  ink_text out = label_blob("a.wav", &odd, &r, NULL);
  assert_memory_equal(out.bytes + out.size - 6, "behind", 6);
  assert_int_equal(le_at(out.bytes + 4, 4), out.size - 8 - 6);
  assert_memory_equal(out.bytes + 56, b.bytes + 56, b.size - 56);
  size_t tone = (size_t)8000 / 10 * 15 * 4;
  assert_memory_equal(out.bytes + b.size + tone, "\x22\x22\x22\0AIGC", 8);
  ink_text_free(&out);
  ink_text_free(&file);
  free(b.bytes);
}

// ---- MP3 ----------------------------------------------------------------------------------------

static void an_mp3_keeps_its_frames_and_gets_its_label(void **state) {
  (void)state;
  static const char *const names[] = {"plain.mp3", "tagged.mp3"};
  for (int i = 0; i < 2; i++) {
    ink_error error = {0};
    blob b = load(names[i]);
    ink_label_request r = request_for(INK_LAW_CA);
    ink_label_result result;
    r.visible = false;
    ink_text out = label_blob(names[i], &b, &r, &result);
    // What followed the head of the tag, or all of it, stands at the end.
    size_t from = i == 1 ? 10 : 0;
    assert_memory_equal(out.bytes + out.size - (b.size - from), b.bytes + from, b.size - from);
    json_t *aigc;
    assert_ok(ink_label_read(names[i], (unsigned char *)out.bytes, out.size, &aigc, &error));
    assert_int_equal(json_object_size(aigc), 7);
    json_decref(aigc);
    assert_int_equal(state_of(out.bytes, out.size, ink_carrier_named("mp3"), NULL, NULL),
                     INK_C2PA_VALID);
    assert_int_equal(item_of(&result, INK_LAW_CA, "latent disclosure")->outcome, INK_LABEL_GOT);
    assert_int_equal(item_of(&result, INK_LAW_CA, "name of the provider")->outcome,
                     INK_LABEL_MISSING);
    ink_text_free(&out);
    free(b.bytes);
  }
}

static uint32_t be_at(const unsigned char *bytes, size_t n) {
  uint32_t value = 0;
  for (size_t i = 0; i < n; i++) value = value << 8 | bytes[i];
  return value;
}

// A walk over frames that shares nothing with the one under test.
typedef struct frame {
  size_t at, size;
  bool mono;
} frame;

typedef struct walk {
  frame frames[400];
  size_t n, begin, end;
} walk;

static walk walk_over(const unsigned char *b, size_t size) {
  static const unsigned rates[4][3] = {
      {11025, 12000, 8000}, {0}, {22050, 24000, 16000}, {44100, 48000, 32000}};
  static const unsigned bits[2][15] = {
      {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
      {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}};
  walk w = {0};
  if (memcmp(b, "ID3", 3) == 0) {
    w.begin = 10 + ((size_t)b[6] << 21 | (size_t)b[7] << 14 | (size_t)b[8] << 7 | b[9]);
  }
  size_t at = w.begin;
  while (at + 4 <= size && b[at] == 0xFF && (b[at + 1] & 0xE6) == 0xE2) {
    unsigned version = b[at + 1] >> 3 & 3;
    unsigned rate = rates[version][b[at + 2] >> 2 & 3], one = version == 3;
    size_t whole = (one ? 144 : 72) * 1000UL * bits[one][b[at + 2] >> 4] / rate;
    whole += b[at + 2] >> 1 & 1;
    if (at + whole > size) break;
    assert_in_range(w.n, 0, 399);
    w.frames[w.n++] = (frame){at, whole, b[at + 3] >> 6 == 3};
    at += whole;
  }
  w.end = at;
  return w;
}

static size_t place_of_xing(const unsigned char *b, const frame *f) {
  bool one = (b[f->at + 1] >> 3 & 3) == 3;
  return f->at + 4 + (one ? (f->mono ? 17 : 32) : (f->mono ? 9 : 17));
}

static const char *const mp3s[] = {"plain.mp3",    "tagged.mp3", "variable.mp3",
                                   "constant.mp3", "vbri.mp3",   "low.mp3"};
enum { N_MP3 = sizeof mp3s / sizeof *mp3s };

// How many frames before the sound tell of it.
static size_t tellers_of(const char *name) {
  return strcmp(name, "variable.mp3") == 0 || strcmp(name, "constant.mp3") == 0 ||
         strcmp(name, "vbri.mp3") == 0;
}

// Every frame that was there follows in its order, whole; the new ones stand together, are of the
// same kind and need no byte of another.
static void assert_frames_stay(const char *name, const blob *b, const ink_text *out, bool at_end) {
  const unsigned char *made = (const unsigned char *)out->bytes;
  walk was = walk_over(b->bytes, b->size), is = walk_over(made, out->size);
  size_t told = tellers_of(name), more = is.n - was.n, first = at_end ? was.n : told;
  assert_in_range(more, 20, 100);
  for (size_t i = told; i < was.n; i++) {
    const frame *old = &was.frames[i], *now = &is.frames[i + (at_end ? 0 : more)];
    assert_int_equal(old->size, now->size);
    assert_memory_equal(b->bytes + old->at, made + now->at, old->size);
  }
  const unsigned char *like = b->bytes + was.frames[told].at;
  for (size_t i = first; i < first + more; i++) {
    const unsigned char *f = made + is.frames[i].at;
    assert_int_equal(f[1] | 1, like[1] | 1);              // version and layer
    assert_int_equal(f[2] & 0x0D, like[2] & 0x0D);        // rate, private
    assert_int_equal(f[3] & 0x0F, like[3] & 0x0F);        // copyright, original, emphasis
    assert_int_equal(f[3] >> 6 == 3, like[3] >> 6 == 3);  // channels
    assert_int_equal(f[4], 0);
    if ((f[1] >> 3 & 3) == 3) assert_int_equal(f[5] & 0x80, 0);
  }
  assert_int_equal(out->size - is.end, b->size - was.end);
  assert_memory_equal(made + is.end, b->bytes + was.end, b->size - was.end);
}

static void an_mp3_says_ai_beside_its_sound_which_stays(void **state) {
  (void)state;
  for (int i = 0; i < 2 * N_MP3; i++) {
    const char *name = mp3s[i / 2];
    blob b = load(name);
    ink_label_request r = request_for(INK_LAW_CN | INK_LAW_EU);
    ink_label_result result;
    r.at_end = i % 2;
    ink_text out = label_blob(name, &b, &r, &result);
    const ink_label_item *item = item_of(&result, INK_LAW_CN, "audible label");
    if (ink_mp3_rhythm_there()) {
      assert_int_equal(item->outcome, INK_LABEL_GOT);
      assert_non_null(strstr(item->detail, r.at_end ? "end" : "start"));
      assert_frames_stay(name, &b, &out, r.at_end);
    } else {
      assert_int_equal(item->outcome, INK_LABEL_MISSING);
      assert_non_null(strstr(item->why, "libmp3lame-dev"));
    }
    assert_labelled(name, &out, "1");
    assert_int_equal(state_of(out.bytes, out.size, ink_carrier_named("mp3"), NULL, NULL),
                     INK_C2PA_VALID);
    // The second time it is another's, whatever law is named.
    blob again = {(unsigned char *)out.bytes, out.size};
    ink_text twice = {0};
    ink_error error = {0};
    assert_int_equal(label_as(name, &again, &r, &twice, &result, &error), INK_ERR_CONFLICT);
    r.laws = INK_LAW_EU;
    r.identity = "0a168c5e-ceb2-4faa-b6bf-329bf39fa1e4";
    twice = label_blob(name, &again, &r, &result);
    assert_string_equal(result.visible, "");
    walk once = walk_over(again.bytes, again.size);
    walk more = walk_over((unsigned char *)twice.bytes, twice.size);
    assert_int_equal(once.n, more.n);
    ink_text_free(&twice);
    ink_text_free(&out);
    free(b.bytes);
  }
}

// Before frames that need others which are lost, and before chapters, nothing is put.
static void an_mp3_whose_start_is_bound_is_labelled_at_its_end(void **state) {
  (void)state;
  static const char *const names[] = {"cut.mp3", "chapters.mp3"};
  for (int i = 0; i < 2 && ink_mp3_rhythm_there(); i++) {
    blob b = load(names[i]);
    ink_label_request r = request_for(INK_LAW_CN);
    ink_label_result result;
    ink_text out = label_blob(names[i], &b, &r, &result);
    assert_non_null(strstr(result.visible, "end"));
    walk was = walk_over(b.bytes, b.size), is = walk_over((unsigned char *)out.bytes, out.size);
    assert_int_equal(is.frames[0].size, was.frames[0].size);
    assert_memory_equal(out.bytes + is.frames[was.n - 1].at, b.bytes + was.frames[was.n - 1].at,
                        was.frames[was.n - 1].size);
    ink_text_free(&out);
    free(b.bytes);
  }
}

static void an_mp3_that_takes_no_sound_says_why_and_gets_the_rest(void **state) {
  (void)state;
  static const struct {
    unsigned char third;
    const char *why;
  } cases[] = {{0x00, "free bit rate"}, {0xF0, "no whole frame"}, {0x9C, "no whole frame"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    blob b = load("plain.mp3");
    for (size_t at = 2; at < b.size; at += 417) b.bytes[at] = cases[i].third;
    ink_label_request r = request_for(INK_LAW_CN);
    ink_label_result result;
    ink_text out = label_blob("plain.mp3", &b, &r, &result);
    const ink_label_item *item = item_of(&result, INK_LAW_CN, "audible label");
    assert_int_equal(item->outcome, INK_LABEL_MISSING);
    assert_non_null(strstr(item->why, cases[i].why));
    assert_memory_equal(out.bytes + out.size - b.size, b.bytes, b.size);
    assert_labelled("plain.mp3", &out, "1");
    ink_text_free(&out);
    free(b.bytes);
  }
}

// ---- frames that tell of others -----------------------------------------------------------------

enum { MORE = 9 };

// Silent frames like those of a file, nine of them, put before or behind its sound.
static ink_text with_silence(const blob *b, bool at_end, ink_mp3_layout *l, size_t *added) {
  ink_error error = {0};
  ink_text frames = {0}, out = {0};
  assert_null(ink_mp3_lay_out(b->bytes, b->size, l));
  for (int i = 0; i < MORE; i++) {
    ink_text_add_bytes(&frames, b->bytes + l->sound, 4);
    for (size_t j = 4; j < l->first.size; j++) ink_text_add_bytes(&frames, "", 1);
  }
  *added = frames.size;
  assert_ok(ink_mp3_insert(b->bytes, b->size, l, &frames, at_end, &out, &error));
  ink_text_free(&frames);
  return out;
}

static unsigned crc_16(const unsigned char *bytes, size_t size) {
  unsigned crc = 0;
  for (size_t i = 0; i < size; i++) {
    for (unsigned bit = 0; bit < 8; bit++) {
      unsigned in = (bytes[i] >> bit & 1) ^ (crc & 1);
      crc = crc >> 1 ^ (in ? 0xA001U : 0);
    }
  }
  return crc;
}

static void assert_xing(const blob *b, const unsigned char *made, size_t size, size_t added) {
  walk was = walk_over(b->bytes, b->size), is = walk_over(made, size);
  size_t xing = place_of_xing(b->bytes, &was.frames[0]);
  const unsigned char *old = b->bytes + xing, *now = made + xing;
  assert_int_equal(is.n, was.n + MORE);
  assert_int_equal(be_at(old + 4, 4), 15);
  assert_int_equal(be_at(now + 8, 4), be_at(old + 8, 4) + MORE);
  assert_int_equal(be_at(now + 12, 4), be_at(old + 12, 4) + added);
  for (size_t i = 0; i < 100; i++) {
    size_t place = is.frames[1 + i * (is.n - 1) / 100].at - is.begin;
    size_t wanted = place * 256 / be_at(now + 12, 4);
    assert_int_equal(now[16 + i], wanted < 255 ? wanted : 255);
  }
  const unsigned char *lame = now + 120;
  assert_memory_equal(lame, old + 120, 28);  // the encoder, gain, delay and padding
  assert_int_equal(be_at(lame + 28, 4), be_at(old + 148, 4) + added);
  size_t sound = is.frames[1].at, end = is.begin + be_at(lame + 28, 4);
  assert_int_equal(be_at(lame + 32, 2), crc_16(made + sound, end - sound));
  // LAME's checksum is of what is before it, ffmpeg's of 190 bytes, zero where it stands and behind
  // the frame.
  unsigned char whole[190] = {0};
  size_t begin = is.begin, place = xing + 154 - begin, n = is.frames[0].size;
  memcpy(whole, made + begin, n < 190 ? n : 190);
  if (place < 189) memset(whole + place, 0, 2);
  bool lame_s = memcmp(lame, "LAME", 4) == 0;
  assert_int_equal(be_at(lame + 34, 2), crc_16(whole, lame_s ? place : 190));
}

static void a_frame_that_tells_of_the_others_tells_of_all(void **state) {
  (void)state;
  static const char *const names[] = {"variable.mp3", "constant.mp3"};
  for (int i = 0; i < 4; i++) {
    blob b = load(names[i / 2]);
    ink_mp3_layout l;
    size_t added;
    ink_text out = with_silence(&b, i % 2, &l, &added);
    assert_true(l.delay > 0 && l.delay < 2000 && l.padding < 2000);
    assert_false(l.needs_before);
    assert_int_equal(l.constant, i / 2);
    assert_xing(&b, (unsigned char *)out.bytes, out.size, added);
    ink_text_free(&out);
    free(b.bytes);
  }
}

static void checksums_that_did_not_hold_are_left_alone(void **state) {
  (void)state;
  blob b = load("variable.mp3");
  walk w = walk_over(b.bytes, b.size);
  size_t lame = place_of_xing(b.bytes, &w.frames[0]) + 120;
  ink_mp3_layout l;
  size_t added;
  b.bytes[lame + 33] ^= 1;  // of the music: then that of the frame does not hold either
  ink_text out = with_silence(&b, false, &l, &added);
  assert_memory_equal(out.bytes + lame, b.bytes + lame, 36);
  ink_text_free(&out);
  free(b.bytes);
}

static void a_vbri_frame_tells_of_all_frames(void **state) {
  (void)state;
  for (int at_end = 0; at_end < 2; at_end++) {
    blob b = load("vbri.mp3");
    ink_mp3_layout l;
    size_t added;
    ink_text out = with_silence(&b, at_end, &l, &added);
    const unsigned char *made = (unsigned char *)out.bytes, *now = made + 36, *old = b.bytes + 36;
    walk is = walk_over(made, out.size);
    assert_memory_equal(now, "VBRI", 4);
    assert_int_equal(be_at(now + 10, 4), be_at(old + 10, 4) + added);
    assert_int_equal(be_at(now + 14, 4), be_at(old + 14, 4) + MORE);
    assert_int_equal(be_at(now + 18, 2), be_at(old + 18, 2));
    size_t each = be_at(now + 24, 2), entries = be_at(now + 18, 2);
    assert_true(each * entries >= is.n - 1);
    for (size_t i = 0; i < entries; i++) {
      size_t bytes = 0;
      for (size_t j = i * each; j < (i + 1) * each && j < is.n - 1; j++) {
        bytes += is.frames[1 + j].size;
      }
      assert_int_equal(be_at(now + 26 + 2 * i, 2), bytes / be_at(now + 20, 2));
    }
    ink_text_free(&out);
    free(b.bytes);
  }
}

// A picture in a tag behind the sound may hold what looks like frames.
static void what_looks_like_frames_in_a_tag_is_none(void **state) {
  (void)state;
  ink_error error = {0};
  blob b = load("plain.mp3");
  ink_text file = {0};
  ink_mp3_layout l;
  ink_text_add_bytes(&file, b.bytes, b.size);
  ink_text_add(&file, "APETAGEX");
  ink_text_add_bytes(&file, b.bytes, b.size);
  assert_ok(ink_text_status(&file, &error));
  assert_null(ink_mp3_lay_out((unsigned char *)file.bytes, file.size, &l));
  assert_int_equal(l.n_frame, 3);
  assert_int_equal(l.end, b.size);
  // Bytes between frames are passed over.
  ink_text_clear(&file);
  ink_text_add_bytes(&file, b.bytes, b.size);
  ink_text_add(&file, "between");
  ink_text_add_bytes(&file, b.bytes, b.size);
  assert_null(ink_mp3_lay_out((unsigned char *)file.bytes, file.size, &l));
  assert_int_equal(l.n_frame, 6);
  assert_int_equal(l.end, file.size);
  ink_text_free(&file);
  free(b.bytes);
}

// A file that was cut off within a frame may hold there what looks like one. More frames behind
// that would be swallowed by the frame, which is whole then.
static void what_looks_like_a_frame_in_one_cut_short_is_none(void **state) {
  (void)state;
  blob b = load("plain.mp3");
  ink_text file = {0};
  ink_mp3_layout whole, l;
  size_t added;
  assert_null(ink_mp3_lay_out(b.bytes, b.size, &whole));
  const unsigned char head[4] = {b.bytes[whole.sound], b.bytes[whole.sound + 1],
                                 (unsigned char)((whole.first.third & 0x0F) | 0xE0),
                                 whole.first.fourth};
  ink_text_add_bytes(&file, b.bytes, whole.end);
  ink_text_add_bytes(&file, head, sizeof head);
  ink_text_add(&file, "short");
  ink_text_add_bytes(&file, b.bytes + whole.sound, whole.first.size);
  blob cut = {(unsigned char *)file.bytes, file.size};
  ink_text out = with_silence(&cut, true, &l, &added);
  assert_int_equal(l.n_frame, whole.n_frame);
  assert_int_equal(l.end, whole.end);
  assert_null(ink_mp3_lay_out((unsigned char *)out.bytes, out.size, &l));
  assert_int_equal(l.n_frame, whole.n_frame + MORE);
  ink_text_free(&out);
  ink_text_free(&file);
  free(b.bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_sound_says_ai_in_morse_code_and_stays_whole),
      cmocka_unit_test(the_rhythm_is_heard_where_it_is),
      cmocka_unit_test(bytes_of_a_sound_that_belong_to_nothing_stay),
      cmocka_unit_test(an_mp3_keeps_its_frames_and_gets_its_label),
      cmocka_unit_test(an_mp3_says_ai_beside_its_sound_which_stays),
      cmocka_unit_test(an_mp3_whose_start_is_bound_is_labelled_at_its_end),
      cmocka_unit_test(an_mp3_that_takes_no_sound_says_why_and_gets_the_rest),
      cmocka_unit_test(what_looks_like_a_frame_in_one_cut_short_is_none),
      cmocka_unit_test(a_frame_that_tells_of_the_others_tells_of_all),
      cmocka_unit_test(checksums_that_did_not_hold_are_left_alone),
      cmocka_unit_test(a_vbri_frame_tells_of_all_frames),
      cmocka_unit_test(what_looks_like_frames_in_a_tag_is_none),
  };
  return cmocka_run_group_tests_name("label_sounds", tests, NULL, NULL);
}
