// Frames of MP3 (ISO/IEC 11172-3, section 2.4; ISO/IEC 13818-3). The frame before the sound that
// tells of it: "Xing" or "Info" with what LAME put behind it (LAME's tag, revision 1), "VBRI"
// (Fraunhofer).
//
//   frame = head (4) | checksum (2, if the head says so) | side information | data
//   Xing  = head | side information of zeros | "Xing" or "Info" | flags (4) | [frames (4)] |
//           [bytes (4)] | [table (100)] | [quality (4)] | LAME's part (36, may be missing)
//   VBRI  = head | 32 zeros | "VBRI" | version (2) | delay (2) | quality (2) | bytes (4) | frames
//   (4) |
//           entries (2) | scale (2) | bytes an entry (2) | frames an entry (2) | entries
#include "mark/label/mp3_frames.h"

#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "mark/c2pa/carrier_mp3.h"

enum { HEAD = 4, MPEG_1 = 3, MOST_BACK = 511 };

// ---- frames -------------------------------------------------------------------------------------

// Layer III; false also for the "free" bit rate, which a head does not tell.
static bool read_head(const unsigned char *b, ink_mp3_frame *f) {
  static const unsigned short bit_rates[2][16] = {
      {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160},
      {0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320}};
  static const unsigned short rates[] = {44100, 48000, 32000, 0};
  unsigned version = b[1] >> 3 & 3, layer = b[1] >> 1 & 3;
  if (b[0] != 0xFF || b[1] < 0xE0 || version == 1 || layer != 1) return false;
  bool first = version == MPEG_1;
  *f = (ink_mp3_frame){.version = version,
                       .rate = rates[b[2] >> 2 & 3] >> (first          ? 0
                                                        : version == 2 ? 1
                                                                       : 2),
                       .bit_rate = bit_rates[first][b[2] >> 4],
                       .mode = (ink_mp3_mode)(b[3] >> 6),
                       .checked = !(b[1] & 1),
                       .third = b[2],
                       .fourth = b[3]};
  if (!f->rate || !f->bit_rate) return false;
  bool mono = f->mode == INK_MP3_MONO;
  f->side = first ? (mono ? 17 : 32) : (mono ? 9 : 17);
  f->size = (first ? 144UL : 72UL) * f->bit_rate * 1000 / f->rate + (b[2] >> 1 & 1);
  return f->size >= HEAD + 2 + f->side;
}

bool ink_mp3_frame_at(const unsigned char *bytes, size_t size, size_t at, ink_mp3_frame *frame) {
  return ink_fits(at, HEAD, size) && read_head(bytes + at, frame) &&
         ink_fits(at, frame->size, size);
}

static size_t data_of(const ink_mp3_frame *f) {
  return HEAD + (f->checked ? 2u : 0u) + f->side;
}

size_t ink_mp3_reaches_back(const unsigned char *bytes, size_t at, const ink_mp3_frame *frame) {
  const unsigned char *side = bytes + at + data_of(frame) - frame->side;
  return frame->version == MPEG_1 ? (size_t)ink_big16(side) >> 7 : side[0];
}

static bool is_like(const ink_mp3_frame *a, const ink_mp3_frame *b) {
  return a->version == b->version && a->rate == b->rate;
}

// Tags may hold pictures, in which anything may look like a frame.
static bool is_tag(const unsigned char *bytes, size_t left) {
  return (left == 128 && memcmp(bytes, "TAG", 3) == 0) ||
         (left >= 8 && memcmp(bytes, "APETAGEX", 8) == 0) ||
         (left >= 11 && memcmp(bytes, "LYRICSBEGIN", 11) == 0);
}

// The next frame like `like` from *at on, which is moved to its start. What is between frames is
// passed over, up to where two follow each other or one ends the file. In a frame that the file
// cuts short nothing is looked for: with more behind it, it would be whole.
static bool next_frame(const unsigned char *bytes, size_t size, const ink_mp3_frame *like,
                       size_t *at, ink_mp3_frame *f) {
  if (ink_fits(*at, HEAD, size) && read_head(bytes + *at, f) && is_like(f, like)) {
    return ink_fits(*at, f->size, size);
  }
  for (size_t i = *at; i < size && !is_tag(bytes + i, size - i); i++) {
    ink_mp3_frame second;
    if (bytes[i] != 0xFF || !ink_mp3_frame_at(bytes, size, i, f) || !is_like(f, like)) continue;
    size_t behind = i + f->size;
    bool last = behind == size || is_tag(bytes + behind, size - behind);
    if (!last && !(ink_mp3_frame_at(bytes, size, behind, &second) && is_like(&second, like))) {
      continue;
    }
    *at = i;
    return true;
  }
  return false;
}

// ---- the frame that tells of the others ---------------------------------------------------------

typedef enum telling { NOTHING, XING, VBRI } telling;

typedef struct teller {
  telling kind;
  // Where the parts of Xing stand in the file; 0: they do not.
  size_t frames, bytes, table, lame;
  size_t vbri, entries, entry_size;
} teller;

enum { TABLE = 100, LAME = 36, VBRI_AT = HEAD + 32, VBRI_HEAD = 26 };
// Within LAME's part.
enum { DELAYS = 21, MUSIC = 28, MUSIC_CHECK = 32, TAG_CHECK = 34 };

static bool is_xing(const unsigned char *bytes) {
  return memcmp(bytes, "Xing", 4) == 0 || memcmp(bytes, "Info", 4) == 0;
}

static size_t take(size_t *at, size_t n, bool there) {
  size_t place = *at;
  *at += there ? n : 0;
  return there ? place : 0;
}

static void read_xing(const unsigned char *bytes, size_t at, size_t end, teller *t) {
  enum { FRAMES = 1, BYTES = 2, PLACES = 4, QUALITY = 8 };
  uint32_t flags = ink_big32(bytes + at + 4);
  at += 8;
  *t = (teller){.kind = XING};
  t->frames = take(&at, 4, flags & FRAMES && ink_fits(at, 4, end));
  t->bytes = take(&at, 4, flags & BYTES && ink_fits(at, 4, end));
  t->table = take(&at, TABLE, flags & PLACES && ink_fits(at, TABLE, end));
  take(&at, 4, flags & QUALITY);
  if (ink_fits(at, LAME, end) && bytes[at]) t->lame = at;
}

// What the frame at `begin` is, which is there.
static teller read_teller(const unsigned char *bytes, size_t begin, const ink_mp3_frame *f) {
  teller t = {0};
  size_t end = begin + f->size;
  // Its checksum is counted by some writers and not by others.
  for (size_t at = begin + HEAD + f->side; at <= begin + HEAD + f->side + 2; at += 2) {
    if (ink_fits(at, 8, end) && is_xing(bytes + at)) {
      read_xing(bytes, at, end, &t);
      return t;
    }
  }
  size_t at = begin + VBRI_AT;
  if (!ink_fits(at, VBRI_HEAD, end) || memcmp(bytes + at, "VBRI", 4) != 0) return t;
  t = (teller){.kind = VBRI, .vbri = at};
  size_t entries = ink_big16(bytes + at + 18), entry_size = ink_big16(bytes + at + 22);
  if (entry_size >= 1 && entry_size <= 4 && ink_fits(at + VBRI_HEAD, entries * entry_size, end)) {
    t.entries = entries;
    t.entry_size = entry_size;
  }
  return t;
}

// CRC-16 with the polynomial 0x8005, its bits turned round.
static unsigned add_to_checksum(unsigned crc, unsigned char byte) {
  crc ^= byte;
  for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xA001 : crc >> 1;
  return crc;
}

static unsigned checksum(const unsigned char *bytes, size_t size) {
  unsigned crc = 0;
  for (size_t i = 0; i < size; i++) crc = add_to_checksum(crc, bytes[i]);
  return crc;
}

// Of `n` bytes of a frame, zero where its checksum stands, at `place`, and behind its end.
static unsigned frame_checksum(const unsigned char *bytes, size_t size, size_t place, size_t n) {
  unsigned crc = 0;
  for (size_t i = 0; i < n; i++) {
    bool counts = i < size && i - place >= 2;
    crc = add_to_checksum(crc, counts ? bytes[i] : 0);
  }
  return crc;
}

// ---- the layout ---------------------------------------------------------------------------------

static void read_sound(const unsigned char *bytes, size_t size, ink_mp3_layout *l) {
  size_t kept = 0, all = 0;
  ink_mp3_frame f;
  l->constant = true;
  for (size_t at = l->sound; next_frame(bytes, size, &l->first, &at, &f); at += f.size) {
    // Data that reach back stand in frames of sound, at most as many as its number can say.
    if (ink_mp3_reaches_back(bytes, at, &f) > kept) l->needs_before = true;
    kept += f.size - data_of(&f);
    if (kept > MOST_BACK) kept = MOST_BACK;
    l->constant = l->constant && f.bit_rate == l->first.bit_rate;
    all += f.bit_rate;
    l->n_frame++;
    l->end = at + f.size;
  }
  l->bit_rate = l->n_frame ? (unsigned)(all / l->n_frame) : 0;
}

const char *ink_mp3_lay_out(const unsigned char *bytes, size_t size, ink_mp3_layout *layout) {
  ink_mp3_frame f;
  size_t begin = ink_id3_size(bytes, size);
  *layout = (ink_mp3_layout){.begin = begin, .sound = begin};
  if (ink_fits(begin, HEAD, size) && bytes[begin] == 0xFF && (bytes[begin + 2] & 0xF0) == 0) {
    return "its frames are of a free bit rate, which few players read; code it anew";
  }
  if (!ink_mp3_frame_at(bytes, size, begin, &f)) return "no whole frame follows its tag";
  teller t = read_teller(bytes, begin, &f);
  layout->first = f;
  if (t.kind != NOTHING) layout->sound = layout->end = begin + f.size;
  size_t at = layout->sound;
  if (!next_frame(bytes, size, &f, &at, &layout->first)) return "it holds no sound";
  if (t.lame) {
    layout->delay = (uint32_t)ink_big(bytes + t.lame + DELAYS, 3) >> 12;
    layout->padding = (uint32_t)ink_big(bytes + t.lame + DELAYS, 3) & 0xFFF;
  }
  read_sound(bytes, size, layout);
  return NULL;
}

// ---- what is told, made to hold again -----------------------------------------------------------

// A count of four bytes that more is added to; it stays where it does not fit.
static uint64_t raise_count(unsigned char *bytes, size_t more) {
  uint64_t count = ink_big32(bytes) + (uint64_t)more;
  if (count <= UINT32_MAX) ink_big_into(bytes, count, 4);
  return count;
}

// The place of each hundredth of the time, in 256ths of the bytes.
static void write_table(unsigned char *bytes, const ink_mp3_layout *l, size_t table,
                        uint64_t frames, uint64_t stated) {
  size_t at = l->sound, n = 0;
  ink_mp3_frame f;
  bool there = next_frame(bytes, l->end, &l->first, &at, &f);
  for (unsigned i = 0; i < TABLE; i++) {
    for (uint64_t wanted = i * frames / TABLE; there && n < wanted; n++) {
      at += f.size;
      there = next_frame(bytes, l->end, &l->first, &at, &f);
    }
    uint64_t place = there && stated ? (at - l->begin) * UINT64_C(256) / stated : 255;
    bytes[table + i] = (unsigned char)(place < 255 ? place : 255);
  }
}

// What of LAME's part held before: a checksum that did not would now vouch for what nobody checked.
typedef struct held {
  size_t tag;  // bytes that the frame's own is of: all before it, or 190 as ffmpeg has it; 0: none
  bool music;
} held;

static bool music_of(const unsigned char *bytes, size_t size, const ink_mp3_layout *l,
                     const teller *t, size_t *length) {
  size_t whole = ink_big32(bytes + t->lame + MUSIC), head = l->sound - l->begin;
  *length = whole > head ? whole - head : 0;
  return ink_fits(l->sound, *length, size);
}

static held look_at_lame(const unsigned char *bytes, size_t size, const ink_mp3_layout *l,
                         const teller *t) {
  held h = {0};
  size_t length;
  if (!t->lame) return h;
  size_t place = t->lame + TAG_CHECK - l->begin, ways[] = {place, 190};
  for (int i = 0; i < 2 && !h.tag; i++) {
    unsigned crc = frame_checksum(bytes + l->begin, l->sound - l->begin, place, ways[i]);
    if (crc == ink_big16(bytes + l->begin + place)) h.tag = ways[i];
  }
  h.music = h.tag && music_of(bytes, size, l, t, &length) &&
            checksum(bytes + l->sound, length) == ink_big16(bytes + t->lame + MUSIC_CHECK);
  return h;
}

static void mend_xing(unsigned char *bytes, size_t size, const ink_mp3_layout *l, const teller *t,
                      held h, size_t more_frames, size_t more_bytes) {
  uint64_t frames = l->n_frame, stated = l->end - l->begin;
  if (t->frames) frames = raise_count(bytes + t->frames, more_frames);
  if (t->bytes) stated = raise_count(bytes + t->bytes, more_bytes);
  if (t->table) write_table(bytes, l, t->table, frames, stated);
  if (!h.tag) return;
  size_t length;
  raise_count(bytes + t->lame + MUSIC, more_bytes);
  if (h.music && music_of(bytes, size, l, t, &length)) {
    ink_big_into(bytes + t->lame + MUSIC_CHECK, checksum(bytes + l->sound, length), 2);
  }
  size_t place = t->lame + TAG_CHECK - l->begin;
  ink_big_into(bytes + t->lame + TAG_CHECK,
               frame_checksum(bytes + l->begin, l->sound - l->begin, place, h.tag), 2);
}

// Bytes of the next n frames from *at on, which moves behind them.
static uint64_t bytes_of(const unsigned char *bytes, const ink_mp3_layout *l, size_t *at,
                         size_t n) {
  size_t begin = *at;
  ink_mp3_frame f;
  while (n-- && next_frame(bytes, l->end, &l->first, at, &f)) *at += f.size;
  return *at - begin;
}

// The table keeps its number of entries; each tells of more frames than before.
static void mend_vbri(unsigned char *bytes, const ink_mp3_layout *l, const teller *t,
                      size_t more_frames, size_t more_bytes) {
  unsigned char *vbri = bytes + t->vbri;
  raise_count(vbri + 10, more_bytes);
  raise_count(vbri + 14, more_frames);
  if (!t->entries) return;
  size_t each = (l->n_frame + t->entries - 1) / t->entries, at = l->sound;
  uint64_t most = 0, top = (UINT64_C(1) << (8 * t->entry_size)) - 1;
  for (size_t i = 0; i < t->entries; i++) {
    uint64_t n = bytes_of(bytes, l, &at, each);
    if (n > most) most = n;
  }
  uint64_t scale = ink_big16(vbri + 20), least = (most + top - 1) / top;
  if (scale < least) scale = least;
  if (!scale || scale > 0xFFFF || each > 0xFFFF) return;
  ink_big_into(vbri + 20, scale, 2);
  ink_big_into(vbri + 24, each, 2);
  at = l->sound;
  for (size_t i = 0; i < t->entries; i++) {
    ink_big_into(vbri + VBRI_HEAD + i * t->entry_size, bytes_of(bytes, l, &at, each) / scale,
                 t->entry_size);
  }
}

ink_status ink_mp3_insert(const unsigned char *bytes, size_t size, const ink_mp3_layout *layout,
                          const ink_text *frames, bool at_end, ink_text *out, ink_error *error) {
  ink_mp3_frame f;
  ink_mp3_layout after;
  size_t place = at_end ? layout->end : layout->sound, begin = out->size;
  ink_text_add_bytes(out, bytes, place);
  ink_text_add_bytes(out, ink_text_string(frames), frames->size);
  ink_text_add_bytes(out, bytes + place, size - place);
  INK_TRY(ink_text_status(out, error));
  unsigned char *made = (unsigned char *)out->bytes + begin;
  size_t whole = out->size - begin;
  if (ink_mp3_lay_out(made, whole, &after) || after.sound != layout->sound ||
      after.n_frame <= layout->n_frame || !ink_mp3_frame_at(made, whole, after.begin, &f)) {
    return ink_fail(error, INK_ERR_FORMAT,
                    "MP3: its frames are too broken for more to be put among them");
  }
  if (layout->sound == layout->begin) return INK_OK;
  teller t = read_teller(bytes, layout->begin, &f);
  size_t more = after.n_frame - layout->n_frame;
  if (t.kind == XING) {
    mend_xing(made, whole, &after, &t, look_at_lame(bytes, size, layout, &t), more, frames->size);
  } else if (t.kind == VBRI) {
    mend_vbri(made, &after, &t, more, frames->size);
  }
  return INK_OK;
}
