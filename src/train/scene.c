// The painter's scenes: opens a folder of sprites, decides what a scene holds, and draws it. Each
// decision is taken from Philox by (seed, index), so a scene depends on nothing else.
#include "train/scene.h"

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/hash.h"
#include "base/json.h"
#include "train/scene_parts.h"

// ---- the mix ------------------------------------------------------------------------------------

// Scenes for training, in thousandths.
static const int KIND_SHARE[INK_SCENE_KINDS] = {
    [INK_SCENE_ONE] = 420,  [INK_SCENE_COLOUR] = 190, [INK_SCENE_TWO] = 220,
    [INK_SCENE_COUNT] = 90, [INK_SCENE_STYLE] = 80,
};
static const int STYLE_SHARE[INK_SCENE_STYLES] = {
    [INK_STYLE_PLAIN] = 0,        [INK_STYLE_BLOB] = 350,    [INK_STYLE_PIXEL] = 250,
    [INK_STYLE_SILHOUETTE] = 200, [INK_STYLE_OUTLINE] = 200,
};
// Scenes held out, by what is new in them.
static const int NOVELTY_SHARE[] = {
    [INK_NOVEL_NOTHING] = 0,
    [INK_NOVEL_CONCEPT] = 300,
    [INK_NOVEL_COLOUR] = 350,
    [INK_NOVEL_PAIR] = 350,
};
enum {
  BACKGROUND_SHARE = 280,        // a coloured background, in thousandths
  WHITE_BACKGROUND_SHARE = 700,  // the same behind a white object, which white would swallow
  COLOURED_IN_TWO = 400,         // each of two objects is turned to a colour
  COLOURED_IN_COUNT = 250,       // and those that are counted
  COLOURED_SILHOUETTE = 300,
  NAMED_BY_NATURE = 250,  // an object's own colour is named
  MIRRORED = 500,
  HELD_OUT_CONCEPTS = 30,
  HELD_OUT_COLOURS = 50,
  HELD_OUT_PAIRS = 50,  // in thousandths
  MOST_TRIES = 512
};

// ---- the split ----------------------------------------------------------------------------------

static uint64_t mix64(uint64_t x) {  // SplitMix64 (Steele, Lea, Flood 2014)
  x += 0x9E3779B97F4A7C15u;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

uint64_t ink_scene_key_hash(const char *key) {
  // Of many numbers one that leaves the commonest wishes, like a blue cat, on the side of training.
  uint64_t hash = 5286;
  for (; *key; key++) hash = mix64(hash ^ (unsigned char)*key);
  return hash;
}

static bool falls(uint64_t hash, int thousandths) {
  return (hash >> 11) % 1000 < (uint64_t)thousandths;
}

static int32_t natural_sprite(const ink_sprites *sprites, int32_t concept,
                              ink_scene_colour colour) {
  const ink_concept *c = &sprites->concepts[concept];
  for (int32_t i = c->first_sprite; i < c->first_sprite + c->n_sprite; i++) {
    if (sprites->records[i].style == INK_STYLE_PLAIN && sprites->records[i].colour == colour) {
      return i;
    }
  }
  return -1;
}

bool ink_scene_key_is_held_out(const char *key) {
  return falls(ink_scene_key_hash(key), HELD_OUT_CONCEPTS);
}

bool ink_scene_colour_is_held_out(const ink_sprites *sprites, int32_t concept,
                                  ink_scene_colour colour) {
  if (colour == INK_COLOUR_NONE) return false;
  uint64_t hash = mix64(sprites->concepts[concept].hash + (uint64_t)colour * 0x10001);
  return falls(hash, HELD_OUT_COLOURS) && natural_sprite(sprites, concept, colour) < 0;
}

bool ink_scene_pair_is_held_out(const ink_sprites *sprites, int32_t a, int32_t b) {
  uint64_t x = sprites->concepts[a].hash, y = sprites->concepts[b].hash;
  return falls(mix64(x + y) ^ mix64(x ^ y), HELD_OUT_PAIRS);  // in either order
}

// ---- the folder ---------------------------------------------------------------------------------

#define REMEDY "make it again: inkstone train data pictures --from DIR --out DIR"

static ink_status read_list(const json_t *list, const char *where, const char *texts[], int *n,
                            ink_noun_form *forms, ink_error *error) {
  size_t count = json_array_size(list);
  if (count < 1 || count > INK_CONCEPT_NAMES) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: 1 to %d names are expected; " REMEDY, where,
                    INK_CONCEPT_NAMES);
  }
  for (size_t i = 0; i < count; i++) {
    const json_t *item = json_array_get(list, i);
    const char *text = json_string_value(forms ? json_object_get(item, "name") : item);
    if (!text || !*text) {
      return ink_fail(error, INK_ERR_FORMAT, "%s: name %zu is not a string; " REMEDY, where, i);
    }
    texts[i] = text;
    if (!forms) continue;
    const char *form = json_string_value(json_object_get(item, "form"));
    forms[i] = form && strcmp(form, "plural") == 0 ? INK_NOUN_PLURAL
               : form && strcmp(form, "mass") == 0 ? INK_NOUN_MASS
                                                   : INK_NOUN_ONE;
  }
  *n = (int)count;
  return INK_OK;
}

static ink_status read_concept(const json_t *item, const char *where, ink_concept *c,
                               ink_error *error) {
  const char *key = NULL, *measure = NULL;
  INK_TRY(ink_json_get_string(item, "key", where, &key, error));
  INK_TRY(ink_json_get_string(item, "measure", where, &measure, error));
  if (!key || !measure) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: a concept without key or measure; " REMEDY, where);
  }
  c->key = key;
  c->measure = measure;
  c->hash = ink_scene_key_hash(key);
  c->held_out = ink_scene_key_is_held_out(key);
  INK_TRY(ink_json_get_bool(item, "no_mirror", where, &c->no_mirror, error));
  INK_TRY(ink_json_get_bool(item, "no_colour", where, &c->no_colour, error));
  INK_TRY(ink_json_get_bool(item, "no_count", where, &c->no_count, error));
  INK_TRY(ink_json_get_bool(item, "no_pair", where, &c->no_pair, error));
  INK_TRY(ink_json_get_bool(item, "no_silhouette", where, &c->no_silhouette, error));
  INK_TRY(read_list(json_object_get(item, "english"), where, c->english, &c->n_english, c->forms,
                    error));
  return read_list(json_object_get(item, "chinese"), where, c->chinese, &c->n_chinese, NULL, error);
}

static ink_status read_names(ink_sprites *s, const void *bytes, size_t size, const char *path,
                             ink_error *error) {
  INK_TRY(ink_json_parse(bytes, size, path, &s->names, error));
  const json_t *list = json_object_get(s->names, "concepts");
  size_t n = json_array_size(list);
  if (n < 1 || n > UINT16_MAX) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: holds no concepts; " REMEDY, path);
  }
  s->concepts = calloc(n, sizeof *s->concepts);
  s->order = calloc(n, sizeof *s->order);
  if (!s->concepts || !s->order) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory", path);
  s->n_concept = (int32_t)n;
  for (size_t i = 0; i < n; i++) {
    INK_TRY(read_concept(json_array_get(list, i), path, &s->concepts[i], error));
  }
  int32_t at = 0;
  for (int pass = 0; pass < 2; pass++) {
    for (int32_t i = 0; i < s->n_concept; i++) {
      if (s->concepts[i].held_out == (pass == 1)) s->order[at++] = i;
    }
    if (pass == 0) s->n_train = s->n_chosen = at;
  }
  return INK_OK;
}

ink_status ink_sprites_choose(ink_sprites *s, const char *const *names, size_t n,
                              ink_error *error) {
  int32_t chosen = 0;
  for (size_t k = 0; k < n; k++) {
    int32_t at = 0;
    while (at < s->n_concept && strcmp(s->concepts[s->order[at]].english[0], names[k]) != 0) at++;
    if (at == s->n_concept) {
      return ink_fail(error, INK_ERR_NOT_FOUND, "no concept is called \"%s\"", names[k]);
    }
    if (at >= s->n_train) {
      return ink_fail(error, INK_ERR_CONFLICT, "\"%s\" is held out of training", names[k]);
    }
    if (at < chosen) continue;  // named twice
    int32_t other = s->order[chosen];
    s->order[chosen++] = s->order[at];
    s->order[at] = other;
  }
  s->n_chosen = n ? chosen : s->n_train;
  return INK_OK;
}

void ink_sprites_set_freedom(ink_sprites *s, double freedom) {
  s->freedom = (int32_t)(freedom * INK_FREEDOM + 0.5);
}

static bool record_is_sound(const ink_sprites *s, const ink_sprite_record *r, int32_t previous) {
  return r->width >= 1 && r->width <= INK_SPRITE_SIDE && r->height >= 1 &&
         r->height <= INK_SPRITE_SIDE && r->concept < s->n_concept && r->concept >= previous &&
         r->concept <= previous + 1 && r->style <= INK_STYLE_PIXEL &&
         r->colour < INK_SCENE_COLOURS && r->tone < INK_TONE_KINDS && r->level >= 1 &&
         r->level < 255 && r->hue >= 0 && r->hue < 1536 &&
         ink_fits(r->offset, (uint64_t)r->width * r->height * 4, s->size);
}

static ink_status read_sprites(ink_sprites *s, const char *path, const char *names_sha256,
                               ink_error *error) {
  ink_sprites_header header;
  if (s->size < sizeof header) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: ends early; " REMEDY, path);
  }
  memcpy(&header, s->data, sizeof header);
  if (memcmp(header.magic, INK_SPRITES_MAGIC, sizeof header.magic) != 0 ||
      header.version != INK_SPRITES_VERSION) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: not sprites of version %d; " REMEDY, path,
                    INK_SPRITES_VERSION);
  }
  char hex[INK_SHA256_HEX] = {0};
  for (int i = 0; i < 32; i++) {
    hex[2 * i] = "0123456789abcdef"[header.concepts_sha256[i] >> 4];
    hex[2 * i + 1] = "0123456789abcdef"[header.concepts_sha256[i] & 15];
  }
  if (strcmp(hex, names_sha256) != 0) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "%s: concepts.json beside it belongs to other sprites; " REMEDY, path);
  }
  if (header.size != s->size || header.sprites > INT32_MAX ||
      !ink_fits(sizeof header, (uint64_t)header.sprites * sizeof *s->records, s->size)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: ends early; " REMEDY, path);
  }
  s->n_sprite = (int32_t)header.sprites;
  s->records = malloc((size_t)header.sprites * sizeof *s->records + 1);
  if (!s->records) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to open it", path);
  memcpy(s->records, s->data + sizeof header, (size_t)header.sprites * sizeof *s->records);
  int32_t previous = -1;
  for (int32_t i = 0; i < s->n_sprite; i++) {
    const ink_sprite_record *r = &s->records[i];
    if (!record_is_sound(s, r, previous)) {
      return ink_fail(error, INK_ERR_FORMAT, "%s: sprite %d is out of order; " REMEDY, path, i);
    }
    ink_concept *c = &s->concepts[r->concept];
    if (c->n_sprite++ == 0) {
      c->first_sprite = i;
      if (r->style != INK_STYLE_PLAIN) {
        return ink_fail(error, INK_ERR_FORMAT, "%s: %s has no plain drawing; " REMEDY, path,
                        c->english[0]);
      }
    }
    previous = r->concept;
  }
  if (previous + 1 != s->n_concept) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: %s has no drawing; " REMEDY, path,
                    s->concepts[previous + 1].english[0]);
  }
  return INK_OK;
}

ink_status ink_sprites_read(const void *names, size_t names_size, const char *names_path,
                            const void *bytes, size_t size, const char *path, ink_sprites **sprites,
                            ink_error *error) {
  *sprites = NULL;
  char sha256[INK_SHA256_HEX];
  INK_TRY(ink_sha256_of(names, names_size, sha256, error));
  ink_sprites *s = calloc(1, sizeof *s);
  if (!s) return ink_fail(error, INK_ERR_MEMORY, "%s: no memory to open it", path);
  s->data = bytes;
  s->size = size;
  s->freedom = INK_FREEDOM;
  ink_status status = read_names(s, names, names_size, names_path, error);
  if (status == INK_OK) status = read_sprites(s, path, sha256, error);
  if (status != INK_OK) {
    ink_sprites_close(s);
    return status;
  }
  *sprites = s;
  return INK_OK;
}

ink_status ink_sprites_open(const char *folder, ink_sprites **sprites, ink_error *error) {
  *sprites = NULL;
  char *names_path = ink_path_join(folder, "concepts.json"), *names = NULL;
  char *path = ink_path_join(folder, "sprites.bin");
  size_t names_size;
  ink_map map = {0};
  ink_status status = names_path && path
                          ? INK_OK
                          : ink_fail(error, INK_ERR_MEMORY, "%s: no memory to open it", folder);
  if (status == INK_OK) status = ink_file_read(names_path, 16 << 20, &names, &names_size, error);
  if (status == INK_OK) status = ink_map_open(path, &map, error);
  if (status == INK_OK) {
    status =
        ink_sprites_read(names, names_size, names_path, map.data, map.size, path, sprites, error);
  }
  if (status == INK_OK) {
    (*sprites)->map = map;
  } else {
    ink_map_close(&map);
  }
  free(names);
  free(names_path);
  free(path);
  return status;
}

void ink_sprites_close(ink_sprites *sprites) {
  if (!sprites) return;
  ink_map_close(&sprites->map);
  json_decref(sprites->names);
  free(sprites->records);
  free(sprites->concepts);
  free(sprites->order);
  free(sprites);
}

int32_t ink_sprites_concepts(const ink_sprites *sprites) {
  return sprites->n_concept;
}

const char *ink_sprites_english(const ink_sprites *sprites, int32_t concept) {
  return concept >= 0 && concept < sprites->n_concept ? sprites->concepts[concept].english[0] : "";
}

const char *ink_sprites_chinese(const ink_sprites *sprites, int32_t concept) {
  return concept >= 0 && concept < sprites->n_concept ? sprites->concepts[concept].chinese[0] : "";
}

bool ink_sprites_held_out(const ink_sprites *sprites, int32_t concept) {
  return concept >= 0 && concept < sprites->n_concept && sprites->concepts[concept].held_out;
}

// ---- decisions ----------------------------------------------------------------------------------

static bool happens(ink_random *random, int thousandths) {
  return ink_random_below(random, 1000) < (uint64_t)thousandths;
}

static int pick_by_share(ink_random *random, const int *shares, int n) {
  int64_t at = (int64_t)ink_random_below(random, 1000);
  for (int i = 0; i < n; i++) {
    at -= shares[i];
    if (at < 0) return i;
  }
  return n - 1;
}

static int32_t between(ink_random *random, int32_t low, int32_t high) {
  return low + (int32_t)ink_random_below(random, (uint64_t)((int64_t)high - low + 1));
}

// Like between, but held to the middle by what freedom the layout lacks. At full freedom the same
// draws give the same numbers as between.
static int32_t about(const ink_sprites *s, ink_random *random, int32_t low, int32_t high) {
  int32_t middle = low + (high - low) / 2;
  return middle + (between(random, low, high) - middle) * s->freedom / INK_FREEDOM;
}

static bool can_turn(const ink_sprites *s, int32_t concept) {
  const ink_concept *c = &s->concepts[concept];
  return !c->no_colour && s->records[c->first_sprite].tone != INK_TONE_NONE;
}

static bool can_count(const ink_sprites *s, int32_t concept) {
  const ink_concept *c = &s->concepts[concept];
  return !c->no_count && c->forms[0] == INK_NOUN_ONE;
}

static int32_t styled_sprite(const ink_sprites *s, int32_t concept, ink_scene_style style) {
  const ink_concept *c = &s->concepts[concept];
  for (int32_t i = c->first_sprite; i < c->first_sprite + c->n_sprite; i++) {
    if (s->records[i].style == style) return i;
  }
  return -1;
}

// A concept of this side of the split; -1 when there is none.
static int32_t pick_concept(const ink_sprites *s, ink_random *random, bool held_out) {
  int32_t first = held_out ? s->n_train : 0;
  int32_t n = held_out ? s->n_concept - s->n_train : s->n_chosen;
  if (n == 0) return -1;
  return s->order[first + (int32_t)ink_random_below(random, (uint64_t)n)];
}

// A drawing of the concept in its own colours: the first, or another that no colour tells apart.
static int32_t pick_sprite(const ink_sprites *s, ink_random *random, int32_t concept) {
  const ink_concept *c = &s->concepts[concept];
  int32_t found[64], n = 0;
  uint8_t first = s->records[c->first_sprite].colour;
  for (int32_t i = c->first_sprite; i < c->first_sprite + c->n_sprite && n < 64; i++) {
    const ink_sprite_record *r = &s->records[i];
    if (r->style == INK_STYLE_PLAIN &&
        (i == c->first_sprite || r->colour == INK_COLOUR_NONE || r->colour == first)) {
      found[n++] = i;
    }
  }
  return found[(int32_t)ink_random_below(random, (uint64_t)n) * s->freedom / INK_FREEDOM];
}

static ink_scene_thing plain_thing(const ink_sprites *s, ink_random *random, int32_t concept) {
  ink_scene_thing thing = {.concept = concept, .sprite = pick_sprite(s, random, concept)};
  thing.mirrored =
      !s->concepts[concept].no_mirror && happens(random, MIRRORED * s->freedom / INK_FREEDOM);
  return thing;
}

// Give a thing a colour that its split allows; false when no colour suits.
static bool colour_thing(const ink_sprites *s, ink_random *random, bool held_out,
                         ink_scene_thing *thing) {
  bool turns = can_turn(s, thing->concept);
  for (int i = 0; i < 64; i++) {
    ink_scene_colour colour = (ink_scene_colour)between(random, 1, INK_SCENE_COLOURS - 1);
    if (ink_scene_colour_is_held_out(s, thing->concept, colour) != held_out) continue;
    int32_t natural = natural_sprite(s, thing->concept, colour);
    if (natural < 0 && !turns) continue;
    thing->colour = colour;
    thing->turned = natural < 0;
    if (natural >= 0) {
      thing->sprite = natural;
    } else {
      const ink_concept *c = &s->concepts[thing->concept];
      if (s->records[thing->sprite].tone == INK_TONE_NONE) thing->sprite = c->first_sprite;
    }
    return true;
  }
  return false;
}

static void choose_background(const ink_sprites *s, ink_random *random, ink_scene_plan *plan) {
  bool white = false;
  for (int i = 0; i < plan->n_thing; i++) white |= plan->things[i].colour == INK_COLOUR_WHITE;
  if (!happens(random, white ? WHITE_BACKGROUND_SHARE : BACKGROUND_SHARE)) return;
  for (int tries = 0; tries < 32; tries++) {
    ink_scene_colour colour = (ink_scene_colour)between(random, 1, INK_SCENE_COLOURS - 1);
    bool fits = !(white && colour == INK_COLOUR_WHITE);
    for (int i = 0; i < plan->n_thing; i++) {
      const ink_scene_thing *t = &plan->things[i];
      fits = fits && t->colour != colour &&
             (t->turned || s->records[t->sprite].colour != (uint8_t)colour);
      // Dark contours and silhouettes vanish in black.
      fits = fits && (colour != INK_COLOUR_BLACK || plan->style == INK_STYLE_PLAIN);
    }
    if (fits) {
      plan->background = colour;
      return;
    }
  }
}

// ---- layout -------------------------------------------------------------------------------------

static void place_one(const ink_sprites *s, ink_random *random, ink_scene_plan *plan) {
  int32_t size = about(s, random, 44000, 60000);
  int32_t room = (65536 - size) / 2;
  plan->n_place = 1;
  plan->places[0] = (ink_scene_place){32768 + about(s, random, -room * 2 / 3, room * 2 / 3),
                                      32768 + about(s, random, -room * 2 / 3, room * 2 / 3), size};
}

static void place_two(const ink_sprites *s, ink_random *random, ink_scene_plan *plan) {
  plan->n_place = 2;
  for (int i = 0; i < 2; i++) {
    plan->places[i] =
        (ink_scene_place){(i ? 49000 : 16500) + about(s, random, -600, 600),
                          32768 + about(s, random, -5000, 5000), about(s, random, 27000, 31000)};
  }
}

static void place_many(const ink_sprites *s, ink_random *random, ink_scene_plan *plan) {
  int n = plan->count;
  bool row = n == 3 && happens(random, 400);
  // Small enough that neighbours do not touch, wherever chance moves them.
  int32_t size = n == 2 ? about(s, random, 24000, 28500)
                 : row  ? about(s, random, 16500, 18500)
                        : about(s, random, 22000, 26500);
  plan->n_place = n;
  bool up = happens(random, 500);  // of three: one above two, or two above one
  for (int i = 0; i < n; i++) {
    int32_t x, y;
    if (n == 2) {
      x = i ? 48900 : 16600;
      y = 32768;
    } else if (row) {
      x = 11000 + i * 21768;
      y = 32768;
    } else if (n == 3) {
      bool alone = i == (up ? 0 : 2);
      x = alone ? 32768 : (i == (up ? 1 : 0)) ? 17000 : 48500;
      y = (up ? i == 0 : i < 2) ? 17500 : 48000;
    } else {
      x = i % 2 ? 48500 : 17000;
      y = i / 2 ? 48500 : 17000;
    }
    plan->places[i] =
        (ink_scene_place){x + about(s, random, -900, 900), y + about(s, random, -900, 900),
                          size + about(s, random, -800, 800)};
  }
}

// ---- plans --------------------------------------------------------------------------------------

static void plan_one(const ink_sprites *s, ink_random *random, int32_t concept,
                     ink_scene_plan *plan) {
  plan->kind = INK_SCENE_ONE;
  plan->style = INK_STYLE_PLAIN;
  plan->n_thing = plan->count = 1;
  plan->things[0] = plain_thing(s, random, concept);
  uint8_t natural = s->records[plan->things[0].sprite].colour;
  if (natural && happens(random, NAMED_BY_NATURE)) {
    plan->things[0].colour = (ink_scene_colour)natural;
  }
}

static bool plan_style(const ink_sprites *s, ink_random *random, ink_scene_plan *plan) {
  ink_scene_thing *thing = &plan->things[0];
  plan->style = (ink_scene_style)pick_by_share(random, STYLE_SHARE, INK_SCENE_STYLES);
  if (plan->style == INK_STYLE_BLOB || plan->style == INK_STYLE_PIXEL) {
    int32_t sprite = styled_sprite(s, thing->concept, plan->style);
    if (sprite < 0) return false;
    thing->sprite = sprite;
    thing->colour = INK_COLOUR_NONE;
  } else if (plan->style == INK_STYLE_SILHOUETTE) {
    if (s->concepts[thing->concept].no_silhouette) return false;
    thing->colour = INK_COLOUR_BLACK;
    if (happens(random, COLOURED_SILHOUETTE)) {
      thing->colour = (ink_scene_colour)between(random, INK_COLOUR_RED, INK_COLOUR_BROWN);
    }
    thing->turned = true;
  }
  return true;
}

// A scene for training of the kind, or false when the concept that came up does not lend itself.
static bool plan_kind(const ink_sprites *s, ink_random *random, ink_scene_kind kind,
                      ink_scene_plan *plan) {
  int32_t concept = pick_concept(s, random, false);
  *plan = (ink_scene_plan){.kind = kind, .n_thing = 1, .count = 1};
  plan->things[0] = plain_thing(s, random, concept);
  switch (kind) {
    case INK_SCENE_ONE:
      plan_one(s, random, concept, plan);
      return true;
    case INK_SCENE_COLOUR:
      return colour_thing(s, random, false, &plan->things[0]);
    case INK_SCENE_TWO: {
      int32_t other = pick_concept(s, random, false);
      if (other == concept || s->concepts[concept].no_pair || s->concepts[other].no_pair ||
          ink_scene_pair_is_held_out(s, concept, other)) {
        return false;
      }
      plan->n_thing = 2;
      plan->things[1] = plain_thing(s, random, other);
      for (int i = 0; i < 2; i++) {
        if (happens(random, COLOURED_IN_TWO)) colour_thing(s, random, false, &plan->things[i]);
      }
      return true;
    }
    case INK_SCENE_COUNT:
      if (!can_count(s, concept)) return false;
      plan->count = between(random, 2, 4);
      if (happens(random, COLOURED_IN_COUNT)) colour_thing(s, random, false, &plan->things[0]);
      return true;
    case INK_SCENE_STYLE:
      return plan_style(s, random, plan);
    case INK_SCENE_KINDS:
      break;
  }
  return false;
}

// A scene with this novelty; false when what came up is not held out.
static bool plan_novelty(const ink_sprites *s, ink_random *random, ink_scene_novelty novelty,
                         ink_scene_plan *plan) {
  int32_t concept = pick_concept(s, random, novelty == INK_NOVEL_CONCEPT);
  if (concept < 0) return false;
  *plan = (ink_scene_plan){.novelty = novelty, .n_thing = 1, .count = 1};
  if (novelty == INK_NOVEL_CONCEPT) {
    plan_one(s, random, concept, plan);
    return true;
  }
  plan->things[0] = plain_thing(s, random, concept);
  if (novelty == INK_NOVEL_COLOUR) {
    plan->kind = INK_SCENE_COLOUR;
    return colour_thing(s, random, true, &plan->things[0]);
  }
  int32_t other = pick_concept(s, random, false);
  if (other == concept || s->concepts[concept].no_pair || s->concepts[other].no_pair ||
      !ink_scene_pair_is_held_out(s, concept, other)) {
    return false;
  }
  plan->kind = INK_SCENE_TWO;
  plan->n_thing = 2;
  plan->things[1] = plain_thing(s, random, other);
  return true;
}

static ink_status make_plan(const ink_sprites *s, ink_scene_split split, ink_random *random,
                            ink_scene_plan *plan, ink_error *error) {
  bool done = false;
  if (split == INK_SCENE_TRAIN) {
    if (s->n_train == 0) {
      return ink_fail(error, INK_ERR_UNSUPPORTED, "so few sprites that all are held out");
    }
    ink_scene_kind kind = (ink_scene_kind)pick_by_share(random, KIND_SHARE, INK_SCENE_KINDS);
    for (int i = 0; i < MOST_TRIES && !done; i++) done = plan_kind(s, random, kind, plan);
    if (!done) plan_kind(s, random, INK_SCENE_ONE, plan);
  } else {
    for (int i = 0; i < 16 && !done; i++) {
      ink_scene_novelty novelty =
          (ink_scene_novelty)pick_by_share(random, NOVELTY_SHARE, INK_NOVEL_PAIR + 1);
      for (int k = 0; k < MOST_TRIES && !done; k++) done = plan_novelty(s, random, novelty, plan);
    }
    if (!done) {
      return ink_fail(error, INK_ERR_UNSUPPORTED, "so few sprites that nothing is held out");
    }
  }
  if (plan->kind == INK_SCENE_TWO) {
    place_two(s, random, plan);
  } else if (plan->kind == INK_SCENE_COUNT) {
    place_many(s, random, plan);
  } else {
    place_one(s, random, plan);
  }
  if (plan->style != INK_STYLE_OUTLINE) choose_background(s, random, plan);
  return INK_OK;
}

// ---- drawing ------------------------------------------------------------------------------------

static void draw_thing(const ink_sprites *s, const ink_scene_plan *plan,
                       const ink_scene_thing *thing, const ink_scene_place *place, uint8_t *scratch,
                       ink_scene_canvas *canvas) {
  const ink_sprite_record *r = &s->records[thing->sprite];
  const uint8_t *rgba = s->data + r->offset;
  if (plan->style == INK_STYLE_SILHOUETTE) {
    uint8_t paint[3] = {16, 16, 20};
    if (thing->colour != INK_COLOUR_BLACK) ink_scene_paint_of(thing->colour, paint);
    ink_sprite_fill(r, paint, rgba, scratch);
    rgba = scratch;
  } else if (thing->turned) {
    ink_sprite_turn(r, thing->colour, rgba, scratch);
    rgba = scratch;
  }
  int32_t longer = r->width > r->height ? r->width : r->height;
  int64_t size = (int64_t)place->size * canvas->side / 256;  // in 256ths of a pixel
  bool pixels = r->style == INK_STYLE_PIXEL;
  if (pixels) {  // whole multiples, on whole pixels
    int64_t times = size / 256 / longer;
    size = (times < 1 ? 1 : times) * longer * 256;
  }
  int32_t width = (int32_t)(size * r->width / longer),
          height = (int32_t)(size * r->height / longer);
  int32_t x = (int32_t)((int64_t)place->x * canvas->side / 256) - width / 2;
  int32_t y = (int32_t)((int64_t)place->y * canvas->side / 256) - height / 2;
  if (pixels) {
    x = (x + 128) & ~255;
    y = (y + 128) & ~255;
  }
  ink_scene_lay(canvas, rgba, r->width, r->height, x, y, width, height, thing->mirrored, pixels);
}

static ink_status draw(const ink_sprites *s, const ink_scene_plan *plan, int32_t side,
                       uint8_t *pixels, ink_error *error) {
  uint8_t *memory = malloc(ink_scene_work_size(side) + INK_SPRITE_SIDE * INK_SPRITE_SIDE * 4);
  if (!memory) return ink_fail(error, INK_ERR_MEMORY, "no memory to draw a scene");
  uint8_t *scratch = memory + ink_scene_work_size(side);
  ink_scene_canvas canvas = {side, pixels, memory};
  uint8_t ground[3];
  ink_scene_ground_of(plan->background, ground);
  for (int32_t i = 0; i < side * side; i++) memcpy(pixels + (size_t)i * 3, ground, 3);
  for (int i = 0; i < plan->n_place; i++) {
    const ink_scene_thing *thing = &plan->things[i < plan->n_thing ? i : 0];
    draw_thing(s, plan, thing, &plan->places[i], scratch, &canvas);
  }
  if (plan->style == INK_STYLE_OUTLINE) ink_scene_contour(&canvas);
  free(memory);
  return INK_OK;
}

ink_status ink_scene_draw(const ink_sprites *sprites, ink_scene_split split, uint64_t seed,
                          uint64_t index, int32_t side, uint8_t *pixels, ink_scene_caption *caption,
                          ink_error *error) {
  if (pixels && (side < 16 || side > 512)) {
    return ink_fail(error, INK_ERR_USAGE, "a scene has a side of 16 to 512, not %d", side);
  }
  // The wording has numbers of its own, so that no wording changes a picture.
  ink_random random = ink_random_at(seed, index * 2 + 0, split == INK_SCENE_TRAIN ? 0 : 1 << 20);
  ink_random words = ink_random_at(seed, index * 2 + 1, split == INK_SCENE_TRAIN ? 0 : 1 << 20);
  ink_scene_plan plan;
  INK_TRY(make_plan(sprites, split, &random, &plan, error));
  if (caption) ink_scene_word(sprites, &plan, &words, caption);
  return pixels ? draw(sprites, &plan, side, pixels, error) : INK_OK;
}
