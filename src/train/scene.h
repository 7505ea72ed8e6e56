// The painter's training pictures: scenes laid out from a folder of sprites, with captions in
// English and Chinese. `inkstone train data pictures` makes the folder (docs/painter-data.md).
#ifndef INK_TRAIN_SCENE_H
#define INK_TRAIN_SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// The sprites of one folder: RGBA drawings of 128x128 pixels, and the names of what they show.
// Whoever opens it closes it; it is never written after that, so any number of threads may draw.
typedef struct ink_sprites ink_sprites;

// NOT_FOUND: no such folder, or a file of it is missing. FORMAT: a file is not as the builder
// writes it; the text says how to make the folder again.
ink_status ink_sprites_open(const char *folder, ink_sprites **sprites, ink_error *error);
// Safe on NULL.
void ink_sprites_close(ink_sprites *sprites);

// From now on draw only these concepts, by their first English names, in scenes of training, and in
// held-out ones but for the concepts that are held out themselves. NOT_FOUND: a name that is none;
// CONFLICT: a concept that is held out. No name at all: every concept, as after opening.
ink_status ink_sprites_choose(ink_sprites *sprites, const char *const *names, size_t n,
                              ink_error *error);

// How freely scenes are laid out from now on, 0 … 1: at 1, as after opening, things stand and face
// as chance has it, and those with several drawings show any; at 0 they stand in the middle of
// their places, all of one size, never mirrored, in their first drawing. A small network learns
// shapes sooner where it need not guess.
void ink_sprites_set_freedom(ink_sprites *sprites, double freedom);

// Concepts are what can be drawn ("cat"); each has one sprite or several.
int32_t ink_sprites_concepts(const ink_sprites *sprites);
// The concept's first name, "" outside the range. Owned by `sprites`.
const char *ink_sprites_english(const ink_sprites *sprites, int32_t concept);
const char *ink_sprites_chinese(const ink_sprites *sprites, int32_t concept);
// Drawn for INK_SCENE_HELD_OUT alone.
bool ink_sprites_held_out(const ink_sprites *sprites, int32_t concept);

// About 3 % of the concepts, 5 % of the pairs of concept and colour and 5 % of the pairs of two
// concepts are never drawn for training. HELD_OUT draws nothing else: it judges composition.
typedef enum ink_scene_split { INK_SCENE_TRAIN, INK_SCENE_HELD_OUT } ink_scene_split;

typedef enum ink_scene_kind {
  INK_SCENE_ONE,     // an object in its own colours
  INK_SCENE_COLOUR,  // an object turned to a colour
  INK_SCENE_TWO,     // two objects, left and right
  INK_SCENE_COUNT,   // 2 to 4 of one object
  INK_SCENE_STYLE,   // an object in another style
  INK_SCENE_KINDS
} ink_scene_kind;

typedef enum ink_scene_style {
  INK_STYLE_PLAIN,
  INK_STYLE_BLOB,
  INK_STYLE_PIXEL,
  INK_STYLE_SILHOUETTE,
  INK_STYLE_OUTLINE,
  INK_SCENE_STYLES
} ink_scene_style;

typedef enum ink_scene_colour {
  INK_COLOUR_NONE,  // an object in its own colours; a background that is white
  INK_COLOUR_RED,
  INK_COLOUR_ORANGE,
  INK_COLOUR_YELLOW,
  INK_COLOUR_GREEN,
  INK_COLOUR_BLUE,
  INK_COLOUR_PURPLE,
  INK_COLOUR_PINK,
  INK_COLOUR_BROWN,
  INK_COLOUR_BLACK,
  INK_COLOUR_WHITE,
  INK_COLOUR_GREY,
  INK_SCENE_COLOURS
} ink_scene_colour;

// Why a scene of INK_SCENE_HELD_OUT was never seen in training.
typedef enum ink_scene_novelty {
  INK_NOVEL_NOTHING,  // every scene of INK_SCENE_TRAIN
  INK_NOVEL_CONCEPT,  // the concept itself
  INK_NOVEL_COLOUR,   // this concept in this colour
  INK_NOVEL_PAIR      // these two concepts together
} ink_scene_novelty;

// "red", "红色"; "" for INK_COLOUR_NONE.
const char *ink_scene_colour_english(ink_scene_colour colour);
const char *ink_scene_colour_chinese(ink_scene_colour colour);

enum { INK_SCENE_TEXTS = 8, INK_SCENE_TEXT_BYTES = 128, INK_SCENE_OBJECTS = 2 };

typedef struct ink_scene_object {
  int32_t concept;
  ink_scene_colour colour;
} ink_scene_object;

typedef struct ink_scene_caption {
  // What a person might ask for to get this picture, UTF-8, ended by 0: English and Chinese, with
  // and without articles and measure words. Each says all that is in the scene; any of them serves.
  char texts[INK_SCENE_TEXTS][INK_SCENE_TEXT_BYTES];
  int n_text;
  // What the scene is, for judging.
  ink_scene_kind kind;
  ink_scene_style style;
  ink_scene_colour background;
  int n_object;  // 1, or 2: from left to right
  ink_scene_object objects[INK_SCENE_OBJECTS];
  int count;  // how many of the first object, 1 to 4
  ink_scene_novelty novelty;
} ink_scene_caption;

// Draw scene `index` of a seed: `pixels` takes (side, side, 3) bytes of sRGB, rows from the top.
// `side` is 16 to 512; sprites are 128. NULL pixels: the caption alone; NULL caption: the picture
// alone. Equal arguments give equal bytes on every machine. USAGE: side out of range.
ink_status ink_scene_draw(const ink_sprites *sprites, ink_scene_split split, uint64_t seed,
                          uint64_t index, int32_t side, uint8_t *pixels, ink_scene_caption *caption,
                          ink_error *error);

#endif
