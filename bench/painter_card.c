// The figures on the painter's card (models/painter/README.md, which says what each means), and its
// sheet:
//
//   inkstone train data pictures --from SOURCES --out SPRITES
//   ninja -C build bench/painter_card && build/bench/painter_card SPRITES [--sheet sheet.png]
//
// Prompts are captions of scenes, in English and in Chinese; each is painted once, with the seed of
// its place; --recipe keeps to the things that the recipe names; --marked paints with the mark of
// docs/watermark.md in the noise, another identity for each picture. The judge knows no model: a
// painting is compared with the drawn scenes of 64 prompts of its group, and counts when its own is
// the nearest. The same build gives the same figures.
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "diffusion/pipeline.h"
#include "mark/watermark/picture_watermark.h"
#include "picture/canvas.h"
#include "picture/codec.h"
#include "train/painting/recipe.h"
#include "train/scene.h"
#include "weights/hub.h"

enum {
  SIDE = 128,
  CELLS = 16,  // a picture as the judge sees it: CELLS x CELLS means, RGB
  FEATURES = CELLS * CELLS * 3,
  CANDIDATES = 64,
  NEIGHBOURS = 50,
  POOL = 4000,  // scenes of training that copies are looked for in, beside one of each concept
  SCENE_SEED = 77,
  MOST_CONCEPTS = 1 << 14
};

typedef float features[FEATURES];

typedef struct stand {
  ink_sprites *sprites;
  ink_pool *threads;
  ink_pipeline *pipeline;
  int each;  // prompts of a group and language that are painted
  int steps;
  double guidance;
  bool marked;
  features *pool;
  size_t n_pool;
  uint64_t scene_seed;
} stand;

static void give_up(const ink_error *error) {
  fprintf(stderr, "painter_card: %s\n", error->text);
  exit(1);
}

static void need(ink_status status, const ink_error *error) {
  if (status != INK_OK) give_up(error);
}

static void *take(size_t count, size_t size) {
  void *memory = calloc(count, size);
  if (!memory) exit(1);
  return memory;
}

// ---- looking -----------------------------------------------------------------------------------

static void look(const ink_picture *picture, features out) {
  ink_error error = {0};
  ink_picture small;
  need(ink_picture_resize(picture, CELLS, CELLS, INK_RESIZE_BOX, &small, &error), &error);
  for (int i = 0; i < FEATURES; i++) out[i] = (float)small.pixels[i] / 255;
  ink_picture_free(&small);
}

static int within(int x) {
  return x < 0 ? 0 : x >= CELLS ? CELLS - 1 : x;
}

// Root mean square difference of a, moved by (dx, dy) cells and perhaps mirrored, and b.
static double difference(const features a, const features b, int dx, int dy, bool mirror) {
  double sum = 0;
  for (int y = 0; y < CELLS; y++) {
    for (int x = 0; x < CELLS; x++) {
      int from_x = within(mirror ? CELLS - 1 - x + dx : x + dx), from_y = within(y + dy);
      const float *p = a + (from_y * CELLS + from_x) * 3, *q = b + (y * CELLS + x) * 3;
      for (int i = 0; i < 3; i++) sum += (double)((p[i] - q[i]) * (p[i] - q[i]));
    }
  }
  return sqrt(sum / FEATURES);
}

// The least over small moves and mirroring: where a thing stands is not judged.
static double distance(const features a, const features b) {
  double least = INFINITY;
  for (int dy = -1; dy <= 1; dy++) {
    for (int dx = -1; dx <= 1; dx++) {
      for (int mirror = 0; mirror < 2; mirror++) {
        double d = difference(a, b, dx, dy, mirror);
        if (d < least) least = d;
      }
    }
  }
  return least;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

// How near the nearest scene of training is, as a share of the mean of the next ones: below a half,
// a copy (arXiv 2505.16959 takes a third).
static double nearness(const stand *s, const features x) {
  double *distances = take(s->n_pool, sizeof *distances), sum = 0;
  for (size_t i = 0; i < s->n_pool; i++) distances[i] = distance(x, s->pool[i]);
  qsort(distances, s->n_pool, sizeof *distances, by_value);
  for (int i = 1; i < NEIGHBOURS; i++) sum += distances[i];
  double ratio = distances[0] / (sum / (NEIGHBOURS - 1));
  free(distances);
  return ratio;
}

// ---- scenes ------------------------------------------------------------------------------------

static void draw(const stand *s, ink_scene_split split, uint64_t index, ink_picture *picture,
                 ink_scene_caption *caption) {
  ink_error error = {0};
  if (picture) need(ink_picture_new(SIDE, SIDE, 3, picture, &error), &error);
  need(ink_scene_draw(s->sprites, split, s->scene_seed, index, SIDE,
                      picture ? picture->pixels : NULL, caption, &error),
       &error);
}

static void fill_pool(stand *s) {
  bool *seen = take(MOST_CONCEPTS, sizeof *seen);
  s->pool = take(POOL + MOST_CONCEPTS, sizeof *s->pool);
  ink_scene_caption caption;
  for (uint64_t i = 0; i < 20 * POOL; i++) {
    draw(s, INK_SCENE_TRAIN, 1000000 + i, NULL, &caption);
    int32_t concept = caption.objects[0].concept;
    bool first = caption.kind == INK_SCENE_ONE && concept < MOST_CONCEPTS && !seen[concept];
    if (i >= POOL && !first) continue;
    if (caption.kind == INK_SCENE_ONE && concept < MOST_CONCEPTS) seen[concept] = true;
    ink_picture picture;
    draw(s, INK_SCENE_TRAIN, 1000000 + i, &picture, NULL);
    look(&picture, s->pool[s->n_pool++]);
    ink_picture_free(&picture);
  }
  free(seen);
}

// The shortest caption of a language: what a person would type.
static const char *worded(const ink_scene_caption *caption, bool chinese) {
  const char *best = NULL;
  for (int i = 0; i < caption->n_text; i++) {
    const char *text = caption->texts[i];
    if (((unsigned char)text[0] >= 0x80) != chinese) continue;
    if (!best || strlen(text) < strlen(best)) best = text;
  }
  return best ? best : caption->texts[0];
}

typedef struct group {
  const char *name;
  ink_scene_split split;
  ink_scene_kind kind;  // of INK_SCENE_TRAIN
  ink_scene_novelty novelty;
} group;

static bool belongs(const group *g, const ink_scene_caption *caption) {
  return g->split == INK_SCENE_TRAIN ? caption->kind == g->kind : caption->novelty == g->novelty;
}

static bool same_scene(const ink_scene_caption *a, const ink_scene_caption *b) {
  return strcmp(worded(a, false), worded(b, false)) == 0;
}

// ---- painting ----------------------------------------------------------------------------------

static void paint(const stand *s, const char *prompt, uint64_t seed, ink_picture *picture) {
  ink_error error = {0};
  ink_paint_request request = ink_paint_request_default();
  request.prompt = prompt;
  request.steps = s->steps;
  request.guidance_scale = s->guidance;
  request.seed = seed;
  ink_picture_watermark mark;
  ink_noise_shaper shaper = ink_picture_watermark_shaper(&mark);
  if (s->marked) {
    char hex[INK_SHA256_HEX], words[512];
    snprintf(words, sizeof words, "%llu %s", (unsigned long long)seed, prompt);
    need(ink_shading_key_of(NULL, 0, &mark.key, &error), &error);
    need(ink_sha256_of(words, strlen(words), hex, &error), &error);
    memcpy(mark.identity, hex, sizeof mark.identity);
    request.first_noise = &shaper;
    request.kept_noise = ink_picture_watermark_kept(s->pipeline, SIDE, SIDE);
  }
  ink_painting painting = {0};
  need(ink_pipeline_paint(s->pipeline, &request, &painting, &error), &error);
  *picture = painting.picture;
  painting.picture = (ink_picture){0};
  ink_painting_free(&painting);
}

static void judge(const stand *s, const group *g) {
  ink_scene_caption *captions = take(CANDIDATES, sizeof *captions);
  features *drawn = take(CANDIDATES, sizeof *drawn);
  int n = 0;
  for (uint64_t index = 0; n < CANDIDATES && index < 200000; index++) {
    draw(s, g->split, index, NULL, &captions[n]);
    bool fresh = belongs(g, &captions[n]);
    for (int i = 0; fresh && i < n; i++) fresh = !same_scene(&captions[i], &captions[n]);
    if (!fresh) continue;
    ink_picture picture;
    draw(s, g->split, index, &picture, NULL);
    look(&picture, drawn[n++]);
    ink_picture_free(&picture);
  }
  int hits[2] = {0}, copies = 0, painted = 0, prompts = s->each < n ? s->each : n;
  for (int chinese = 0; chinese < 2; chinese++) {
    for (int i = 0; i < prompts; i++, painted++) {
      ink_picture picture;
      features seen;
      paint(s, worded(&captions[i], chinese), (uint64_t)i, &picture);
      look(&picture, seen);
      int nearest = 0;
      double least = INFINITY;
      for (int k = 0; k < n; k++) {
        double d = distance(seen, drawn[k]);
        if (d < least) {
          least = d;
          nearest = k;
        }
      }
      hits[chinese] += nearest == i;
      copies += nearness(s, seen) < 0.5;
      ink_picture_free(&picture);
    }
  }
  printf("| %s | %d of %d | %d of %d | 1 of %d | %.1f %% |\n", g->name, hits[0], prompts, hits[1],
         prompts, n, 100.0 * copies / (painted ? painted : 1));
  fflush(stdout);
  free(captions);
  free(drawn);
}

// ---- the sheet ---------------------------------------------------------------------------------

// A caption in at most two lines that fit the width.
static void letter(ink_picture *sheet, const char *text, int32_t x, int32_t y, int32_t width) {
  static const double height = 6.5;
  ink_error error = {0};
  ink_lettering lettering = {
      .text = text, .language = "zh-Hans", .capital_height = height, .colour = {70, 70, 70, 255}};
  ink_text broken = {0};
  int32_t wide, high;
  need(ink_canvas_measure(&lettering, &wide, &high, &error), &error);
  if (wide > width) {
    // Break near the middle: at a space, else between characters.
    size_t middle = strlen(text) / 2, at = 0;
    for (size_t i = 1; text[i]; i++) {
      bool may = text[i] == ' ' || ((unsigned char)text[i] >= 0xC0);
      if (may && (!at || labs((long)i - (long)middle) < labs((long)at - (long)middle))) at = i;
    }
    ink_text_format(&broken, "%.*s\n%s", (int)at, text, text + at + (text[at] == ' '));
    lettering.text = ink_text_string(&broken);
  }
  ink_picture words, rgb;
  need(ink_canvas_letter(&lettering, &words, &error), &error);
  // Laid over white, so that it can be laid on a sheet without alpha.
  need(ink_picture_flatten(&words, (uint8_t[]){255, 255, 255}, &rgb, &error), &error);
  need(ink_picture_composite(sheet, &rgb, x + (width - rgb.width) / 2, y, &error), &error);
  ink_picture_free(&words);
  ink_picture_free(&rgb);
  ink_text_free(&broken);
}

static void hang_sheet(const stand *s, const char *path) {
  enum { COLUMNS = 8, ROWS = 8, GAP = 12, WORDS = 30 };
  const int32_t cell_x = SIDE + GAP, cell_y = SIDE + WORDS;
  ink_error error = {0};
  ink_picture sheet;
  need(ink_picture_new(COLUMNS * cell_x, ROWS * cell_y, 3, &sheet, &error), &error);
  memset(sheet.pixels, 255, ink_picture_bytes(&sheet));
  for (int i = 0; i < COLUMNS * ROWS; i++) {
    // In turns seen and never seen, English and Chinese: the first of each split, unchosen.
    ink_scene_caption caption;
    draw(s, i % 2 ? INK_SCENE_HELD_OUT : INK_SCENE_TRAIN, 500000 + (uint64_t)i, NULL, &caption);
    const char *prompt = worded(&caption, i / 2 % 2);
    ink_picture picture;
    paint(s, prompt, (uint64_t)i, &picture);
    int32_t x = i % COLUMNS * cell_x, y = i / COLUMNS * cell_y;
    need(ink_picture_composite(&sheet, &picture, x + GAP / 2, y, &error), &error);
    letter(&sheet, prompt, x, y + SIDE + 3, cell_x);
    ink_picture_free(&picture);
  }
  ink_text file = {0};
  need(ink_picture_encode(&sheet, INK_PICTURE_PNG, &(ink_picture_encoding){0}, &file, &error),
       &error);
  need(ink_file_save(path, file.bytes, file.size, &error), &error);
  ink_text_free(&file);
  ink_picture_free(&sheet);
}

// ---- all ---------------------------------------------------------------------------------------

int main(int argc, char **argv) {
  static const struct option options[] = {
      {"model", required_argument, NULL, 'm'}, {"each", required_argument, NULL, 'n'},
      {"sheet", required_argument, NULL, 's'}, {"recipe", required_argument, NULL, 'r'},
      {"steps", required_argument, NULL, 't'}, {"guidance", required_argument, NULL, 'g'},
      {"marked", no_argument, NULL, 'k'},      {0}};
  static const group groups[] = {
      {"one thing", INK_SCENE_TRAIN, INK_SCENE_ONE, 0},
      {"a colour it does not have", INK_SCENE_TRAIN, INK_SCENE_COLOUR, 0},
      {"two things", INK_SCENE_TRAIN, INK_SCENE_TWO, 0},
      {"two to four of a thing", INK_SCENE_TRAIN, INK_SCENE_COUNT, 0},
      {"a style", INK_SCENE_TRAIN, INK_SCENE_STYLE, 0},
      {"never seen: the colour of this thing", INK_SCENE_HELD_OUT, 0, INK_NOVEL_COLOUR},
      {"never seen: these two together", INK_SCENE_HELD_OUT, 0, INK_NOVEL_PAIR},
      {"never seen: the thing itself", INK_SCENE_HELD_OUT, 0, INK_NOVEL_CONCEPT}};
  stand s = {.each = 32, .steps = 20, .guidance = 4, .scene_seed = SCENE_SEED};
  const char *model = "models/painter", *sheet = NULL, *recipe = NULL;
  for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    if (c == 'm') model = optarg;
    if (c == 'n') s.each = atoi(optarg);
    if (c == 's') sheet = optarg;
    if (c == 'r') recipe = optarg;
    if (c == 't') s.steps = atoi(optarg);
    if (c == 'g') s.guidance = atof(optarg);
    if (c == 'k') s.marked = true;
    if (c == '?') return 2;
  }
  if (optind + 1 != argc || s.each < 0 || s.steps < 1) {
    fprintf(stderr,
            "painter_card SPRITES [--model M] [--each N] [--steps N] [--guidance X] "
            "[--sheet FILE] [--recipe FILE] [--marked]\n");
    return 2;
  }
  ink_error error = {0};
  char *path;
  need(ink_sprites_open(argv[optind], &s.sprites, &error), &error);
  ink_painter_recipe made = {0};
  if (recipe) {
    need(ink_painter_recipe_load(recipe, &made, &error), &error);
    need(ink_sprites_choose(s.sprites, (const char *const *)made.concepts, made.n_concept, &error),
         &error);
    ink_sprites_set_freedom(s.sprites, made.freedom);
  }
  need(ink_model_resolve(model, &path, &error), &error);
  s.threads = ink_pool_new(0);
  need(ink_pipeline_open(path, s.threads, &s.pipeline, &error), &error);
  if (sheet) hang_sheet(&s, sheet);
  if (s.each) {
    fill_pool(&s);
    printf("| prompts | English | Chinese | chance | copies |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) judge(&s, &groups[i]);
  }
  ink_painter_recipe_free(&made);
  free(s.pool);
  free(path);
  ink_pipeline_free(s.pipeline);
  ink_pool_free(s.threads);
  ink_sprites_close(s.sprites);
  return 0;
}
