// What the files of the painter's scenes share: the folder's formats, the plan of a scene, paint.
#ifndef INK_TRAIN_SCENE_PARTS_H
#define INK_TRAIN_SCENE_PARTS_H

#include <jansson.h>

#include "base/file.h"
#include "base/random.h"
#include "train/scene.h"

#define INK_SPRITES_MAGIC "INKSPRIT"
enum { INK_SPRITES_VERSION = 1, INK_SPRITE_SIDE = 128, INK_CONCEPT_NAMES = 4 };
enum { INK_FREEDOM = 1000 };  // of the layout, at most

// sprites.bin: this header, a record for each sprite in the order of concepts, then their pixels:
// RGBA, alpha not multiplied in, rows from the top, cut to what is not transparent. Little-endian,
// as every platform we build for is.
typedef struct ink_sprites_header {
  char magic[8];
  uint32_t version, sprites;
  uint64_t size;                // of the whole file
  uint8_t concepts_sha256[32];  // of concepts.json
  uint8_t unused[8];
} ink_sprites_header;

// What recolouring needs to know of a drawing.
typedef enum ink_tone_kind {
  INK_TONE_ALL,   // of many colours: all that has colour is turned
  INK_TONE_ONE,   // mostly of one hue: that is turned
  INK_TONE_PALE,  // mostly grey or white: that is turned, but for accents and what is dark
  INK_TONE_DARK,  // mostly black: that is turned, but for accents and what is light
  INK_TONE_BOTH,  // in equal parts coloured and pale: both are turned
  INK_TONE_NONE,  // too little of it could be turned
  INK_TONE_KINDS
} ink_tone_kind;

typedef struct ink_sprite_record {
  uint64_t offset;  // of the pixels in the file
  uint16_t concept;
  uint16_t width, height;  // 1 to 128
  uint8_t style;           // ink_scene_style: plain, blob or pixel
  uint8_t colour;          // that it has by nature, ink_scene_colour
  uint8_t tone;            // ink_tone_kind
  uint8_t level;           // mean luma of what is turned
  int16_t hue;             // that prevails, 0 to 1535; six times 256
  uint32_t unused;
} ink_sprite_record;

typedef enum ink_noun_form { INK_NOUN_ONE, INK_NOUN_PLURAL, INK_NOUN_MASS } ink_noun_form;

typedef struct ink_concept {
  const char *key;  // first code point
  const char *english[INK_CONCEPT_NAMES];
  ink_noun_form forms[INK_CONCEPT_NAMES];
  const char *chinese[INK_CONCEPT_NAMES];
  const char *measure;
  int n_english, n_chinese;
  bool no_mirror, no_colour, no_count, no_pair, no_silhouette;
  bool held_out;
  uint64_t hash;  // of the key
  int32_t first_sprite, n_sprite;
} ink_concept;

struct ink_sprites {
  const uint8_t *data;  // sprites.bin
  size_t size;
  ink_map map;    // that holds it; empty when the memory is another's
  json_t *names;  // concepts.json: owns the strings of `concepts`
  ink_sprite_record *records;
  int32_t n_sprite, n_concept, n_train;
  int32_t freedom;   // of the layout, of INK_FREEDOM
  int32_t n_chosen;  // of those for training, at the front of `order`
  ink_concept *concepts;
  int32_t *order;  // concepts: those for training first, then those held out
};

// The split. A pair of the concept and a colour that a drawing of it has by nature is never held
// out.
bool ink_scene_colour_is_held_out(const ink_sprites *sprites, int32_t concept,
                                  ink_scene_colour colour);
bool ink_scene_pair_is_held_out(const ink_sprites *sprites, int32_t a, int32_t b);
uint64_t ink_scene_key_hash(const char *key);
bool ink_scene_key_is_held_out(const char *key);

// As ink_sprites_open, from memory: `names` is not needed after, `bytes` must last.
ink_status ink_sprites_read(const void *names, size_t names_size, const char *names_path,
                            const void *bytes, size_t size, const char *path, ink_sprites **sprites,
                            ink_error *error);

// ---- what a scene holds -------------------------------------------------------------------------

typedef struct ink_scene_thing {
  int32_t concept, sprite;
  ink_scene_colour colour;  // named in the caption
  bool turned;              // to that colour; otherwise the drawing has it by nature
  bool mirrored;
} ink_scene_thing;

enum { INK_SCENE_MOST_PLACES = 4 };

// In 65536ths of the side: the middle, and the longer side.
typedef struct ink_scene_place {
  int32_t x, y, size;
} ink_scene_place;

typedef struct ink_scene_plan {
  ink_scene_kind kind;
  ink_scene_style style;
  ink_scene_novelty novelty;
  ink_scene_colour background;
  int n_thing, count;
  ink_scene_thing things[INK_SCENE_OBJECTS];
  int n_place;
  ink_scene_place places[INK_SCENE_MOST_PLACES];  // of the things, or of the copies of the first
} ink_scene_plan;

void ink_scene_word(const ink_sprites *sprites, const ink_scene_plan *plan, ink_random *random,
                    ink_scene_caption *caption);

// ---- paint --------------------------------------------------------------------------------------

// sRGB of an object, and of a background, of this colour.
void ink_scene_paint_of(ink_scene_colour colour, uint8_t rgb[3]);
void ink_scene_ground_of(ink_scene_colour colour, uint8_t rgb[3]);

// Find what recolouring needs: fills tone, level and hue.
void ink_sprite_measure(const uint8_t *rgba, int32_t width, int32_t height,
                        ink_sprite_record *record);
// Turn a drawing to a colour, keeping light and shade.
void ink_sprite_turn(const ink_sprite_record *record, ink_scene_colour colour, const uint8_t *rgba,
                     uint8_t *out);
// One colour all over.
void ink_sprite_fill(const ink_sprite_record *record, const uint8_t rgb[3], const uint8_t *rgba,
                     uint8_t *out);

typedef struct ink_scene_canvas {
  int32_t side;
  uint8_t *rgb;  // (side, side, 3)
  void *work;    // ink_scene_work_size(side) bytes
} ink_scene_canvas;

size_t ink_scene_work_size(int32_t side);
// Lay a drawing on the canvas within a box whose corner and sides are in 256ths of a pixel;
// `pixels` repeats the nearest pixel instead of resampling.
void ink_scene_lay(ink_scene_canvas *canvas, const uint8_t *rgba, int32_t width, int32_t height,
                   int32_t box_x, int32_t box_y, int32_t box_width, int32_t box_height,
                   bool mirrored, bool pixels);
// Leave the contours alone, dark on white.
void ink_scene_contour(ink_scene_canvas *canvas);

#endif
