// How well the mark in the noise of painted pictures is found after what happens to pictures, and
// how often a picture without it is taken for marked.
//
//   ninja -C build bench/picture_marks
//   build/bench/picture_marks MODEL [PICTURES [STEPS [GUIDANCE [STEPS_BACK [PROMPTS]]]]]
//
// MODEL paints PICTURES (20) pictures with the mark and as many without, in STEPS (20) steps with
// GUIDANCE (4), at its own size, each from a line of the file PROMPTS (or a few words of our own),
// with the visible label that every picture gets. Each is damaged in every way and looked into with
// STEPS_BACK (2) steps. Prints as Markdown, for each damage, found at p < 1e-6: the share found
// blindly, the share whose identity was read, the share that is recognised by who knows the
// identity, the share recognised by the ledger (its recipe's seed as well; both ways tried), alone
// in it and among 1,000 records, and, for two of the damages, what it would be if the picture were
// turned back with its very prompt, guidance and steps; the mean share of signs that agree and the
// greatest p-value by the ledger; and of the pictures without the mark how many are taken for
// marked, blindly and by the ledger, and the least p-value.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "mark/label/picture_label.h"
#include "mark/watermark/picture_watermark.h"
#include "picture/codec.h"

static void check(ink_status status, const ink_error *error) {
  if (status == INK_OK) return;
  fprintf(stderr, "%s\n", error->text);
  exit(1);
}

// ---- damage -------------------------------------------------------------------------------------

// What becomes of a picture; `value` says how much. The picture is replaced.
typedef void (*damage_function)(ink_picture *picture, double value);

static void take(ink_picture *picture, ink_picture *by) {
  ink_picture_free(picture);
  *picture = *by;
}

static void recode(ink_picture *picture, ink_picture_format format, double quality) {
  ink_error error = {0};
  ink_text file = {0};
  ink_picture out;
  ink_picture_encoding encoding = {.quality = (int)quality};
  check(ink_picture_encode(picture, format, &encoding, &file, &error), &error);
  check(ink_picture_decode(file.bytes, file.size, "picture", NULL, &out, NULL, &error), &error);
  ink_text_free(&file);
  take(picture, &out);
}

static void jpeg(ink_picture *picture, double quality) {
  recode(picture, INK_PICTURE_JPEG, quality);
}

static void webp(ink_picture *picture, double quality) {
  recode(picture, INK_PICTURE_WEBP, quality);
}

static void resize(ink_picture *picture, double share) {
  ink_error error = {0};
  ink_picture out;
  int32_t width = (int32_t)lrint(picture->width * share);
  int32_t height = (int32_t)lrint(picture->height * share);
  check(ink_picture_resize(picture, width, height, INK_RESIZE_LANCZOS, &out, &error), &error);
  take(picture, &out);
}

static void resize_and_jpeg(ink_picture *picture, double quality) {
  resize(picture, 0.75);
  jpeg(picture, quality);
}

// The middle, so many of each side's pixels.
static void crop(ink_picture *picture, double share) {
  ink_error error = {0};
  ink_picture out;
  int32_t width = (int32_t)lrint(picture->width * share);
  int32_t height = (int32_t)lrint(picture->height * share);
  check(ink_picture_crop(picture, (picture->width - width) / 2, (picture->height - height) / 2,
                         width, height, &out, &error),
        &error);
  take(picture, &out);
}

// The same, with grey where the rest was.
static void frame(ink_picture *picture, double share) {
  static const uint8_t grey[3] = {128, 128, 128};
  ink_error error = {0};
  int32_t width = picture->width, height = picture->height;
  ink_picture out;
  crop(picture, share);
  int32_t left = (width - picture->width) / 2, top = (height - picture->height) / 2;
  check(ink_picture_pad(picture, left, top, width - picture->width - left,
                        height - picture->height - top, grey, &out, &error),
        &error);
  take(picture, &out);
}

static uint8_t byte_of(double value) {
  return (uint8_t)lrint(fmin(fmax(value, 0), 255));
}

static void brighten(ink_picture *picture, double factor) {
  for (size_t i = 0; i < ink_picture_bytes(picture); i++) {
    picture->pixels[i] = byte_of(picture->pixels[i] * factor);
  }
}

// Standard deviation in 255ths.
static void add_noise(ink_picture *picture, double deviation) {
  ink_random random = ink_random_at(1, 2, 0);
  for (size_t i = 0; i < ink_picture_bytes(picture); i++) {
    picture->pixels[i] = byte_of(picture->pixels[i] + deviation * ink_random_normal(&random));
  }
}

// Gaussian, along one axis: `step` bytes from neighbour to neighbour, `n` of them.
static void blur_line(uint8_t *at, size_t step, int32_t n, double deviation, double *line) {
  int32_t reach = (int32_t)ceil(3 * deviation);
  for (int32_t i = 0; i < n; i++) {
    double sum = 0, weights = 0;
    for (int32_t k = -reach; k <= reach; k++) {
      int32_t from = i + k < 0 ? 0 : i + k >= n ? n - 1 : i + k;
      double weight = exp(-0.5 * k * k / (deviation * deviation));
      sum += weight * at[(size_t)from * step];
      weights += weight;
    }
    line[i] = sum / weights;
  }
  for (int32_t i = 0; i < n; i++) at[(size_t)i * step] = byte_of(line[i]);
}

static void blur(ink_picture *picture, double deviation) {
  size_t row = ink_picture_row(picture), pixel = (size_t)picture->channels;
  double *line = calloc((size_t)(picture->width + picture->height), sizeof *line);
  if (!line) exit(1);
  for (int32_t y = 0; y < picture->height; y++) {
    for (size_t c = 0; c < pixel; c++) {
      blur_line(picture->pixels + (size_t)y * row + c, pixel, picture->width, deviation, line);
    }
  }
  for (size_t x = 0; x < row; x++) {
    blur_line(picture->pixels + x, row, picture->height, deviation, line);
  }
  free(line);
}

static void leave(ink_picture *picture, double value) {
  (void)picture;
  (void)value;
}

typedef struct damage {
  const char *name;
  damage_function apply;
  double value;
} damage;

static const damage damages[] = {{"none (PNG)", leave, 0},
                                 {"JPEG, quality 90", jpeg, 90},
                                 {"JPEG, quality 75", jpeg, 75},
                                 {"JPEG, quality 50", jpeg, 50},
                                 {"JPEG, quality 25", jpeg, 25},
                                 {"WebP, quality 50", webp, 50},
                                 {"resized to 75 %", resize, 0.75},
                                 {"resized to 50 %", resize, 0.5},
                                 {"resized to 150 %", resize, 1.5},
                                 {"75 % and JPEG 50", resize_and_jpeg, 50},
                                 {"middle 90 % of each side, in place", frame, 0.9},
                                 {"middle 90 % of each side, alone", crop, 0.9},
                                 {"blur, 1 pixel", blur, 1},
                                 {"blur, 2 pixels", blur, 2},
                                 {"noise, 5 %", add_noise, 0.05 * 255},
                                 {"noise, 10 %", add_noise, 0.1 * 255},
                                 {"brightness x 1.5", brighten, 1.5},
                                 {"brightness x 0.6", brighten, 0.6}};
enum { DAMAGES = sizeof damages / sizeof *damages };

// Looked into with the prompt as well, which takes as long as painting.
static bool is_prompted(const damage *d) {
  return d->apply == leave || d->apply == resize_and_jpeg;
}

// ---- pictures -----------------------------------------------------------------------------------

typedef struct bench {
  ink_pipeline *pipeline;
  ink_shading_key key;
  int32_t steps, steps_back;
  double guidance;
  char **prompts;
  size_t n_prompt;
} bench;

static void read_prompts(bench *b, const char *path) {
  static const char own[] =
      "a red apple\na blue cat\na yellow star on a green background\nthree hearts\na dog\n"
      "a pixel art rocket\na house\na tree beside a car\n";
  ink_error error = {0};
  char *text = NULL;
  size_t size;
  if (path) {
    check(ink_file_read(path, 1 << 24, &text, &size, &error), &error);
  } else {
    text = strdup(own);
  }
  for (char *line = text ? strtok(text, "\r\n") : NULL; line; line = strtok(NULL, "\r\n")) {
    char **more = realloc(b->prompts, (b->n_prompt + 1) * sizeof *more);
    if (!more) exit(1);
    b->prompts = more;
    b->prompts[b->n_prompt++] = line;  // the text stays
  }
  if (b->n_prompt == 0) exit(1);
}

static void identity_of(uint64_t seed, uint8_t identity[INK_SHADING_IDENTITY]) {
  ink_random random = ink_random_at(seed, 4, 0);
  for (int i = 0; i < INK_SHADING_IDENTITY; i++) identity[i] = (uint8_t)ink_random_u32(&random);
}

static ink_picture paint(const bench *b, uint64_t seed, bool marked) {
  ink_error error = {0};
  ink_picture_watermark watermark = {.key = b->key};
  identity_of(seed, watermark.identity);
  ink_noise_shaper shaper = ink_picture_watermark_shaper(&watermark);
  ink_paint_request request = ink_paint_request_default();
  request.prompt = b->prompts[seed % b->n_prompt];
  request.steps = b->steps;
  request.guidance_scale = b->guidance;
  request.seed = seed;
  if (marked) {
    int32_t side = ink_pipeline_side(b->pipeline);
    request.first_noise = &shaper;
    request.kept_noise = ink_picture_watermark_kept(b->pipeline, side, side);
  }
  ink_painting painting;
  check(ink_pipeline_paint(b->pipeline, &request, &painting, &error), &error);
  ink_picture picture = painting.picture;
  painting.picture = (ink_picture){0};
  ink_painting_free(&painting);
  ink_label_style style = ink_label_style_default();
  check(ink_mark_picture(&picture, "en", &style, NULL, &error), &error);
  return picture;
}

typedef struct score {
  int n, found, read, known, ledger, among, prompted;
  double signs, greatest, least;
} score;

// The sizes of the first noise, as the recipe's seed gives them.
static ink_first_noise first_noise_of(const bench *b, uint64_t seed) {
  ink_error error = {0};
  ink_first_noise first;
  ink_paint_request request = ink_paint_request_default();
  request.seed = seed;
  check(ink_pipeline_first_noise(b->pipeline, &request, &first, &error), &error);
  return first;
}

// The chance of a picture's noise as it is turned back with all that its recipe tells.
static double prompted_match(const bench *b, const ink_picture *picture, uint64_t seed,
                             const float *first) {
  ink_error error = {0};
  ink_picture_watermark_search search = {
      .steps = b->steps, .prompt = b->prompts[seed % b->n_prompt], .guidance_scale = b->guidance};
  ink_inversion v;
  uint8_t identity[INK_SHADING_IDENTITY];
  double p;
  identity_of(seed, identity);
  check(ink_picture_watermark_invert(b->pipeline, picture, &search, 0, 0, &v, &error), &error);
  ink_latent_shape shape = {v.channels, v.height, v.width};
  check(ink_shading_match(&b->key, identity, shape, v.noise, first, &p, &error), &error);
  ink_inversion_free(&v);
  return fmin(2 * p, 1);
}

static void look(const bench *b, const ink_picture *picture, uint64_t seed, bool prompted,
                 score *s) {
  ink_error error = {0};
  ink_picture_watermark_search search = {.keys = &b->key, .n_key = 1, .steps = b->steps_back};
  ink_picture_watermark_finding f;
  uint8_t identity[INK_SHADING_IDENTITY];
  double known, sized;
  identity_of(seed, identity);
  check(ink_picture_watermark_find(b->pipeline, picture, &search, &f, &error), &error);
  ink_latent_shape shape = {f.inversion.channels, f.inversion.height, f.inversion.width};
  ink_first_noise first = first_noise_of(b, seed);
  check(ink_shading_match(&b->key, identity, shape, f.inversion.noise, NULL, &known, &error),
        &error);
  // At the size that the recipe tells, whichever agreed best.
  ink_inversion *v = &f.inversion, other = {0};
  if (first.height != shape.height || first.width != shape.width) {
    v = &other;
    check(ink_picture_watermark_invert(b->pipeline, picture, &search, 0, 0, v, &error), &error);
    shape = (ink_latent_shape){v->channels, v->height, v->width};
  }
  check(ink_shading_match(&b->key, identity, shape, v->noise, first.values, &sized, &error),
        &error);
  ink_inversion_free(&other);
  // As mark/ledger/noise_records.h counts: sizes and keys, and two ways to try.
  known *= (double)f.n_size;
  double ledger = fmin(2 * fmin(known, sized), 1);
  s->n++;
  s->found += f.found;
  s->read += f.identity[0] && memcmp(f.reading.identity, identity, sizeof identity) == 0;
  s->known += known < INK_PICTURE_WATERMARK_P_VALUE;
  s->ledger += ledger < INK_PICTURE_WATERMARK_P_VALUE;
  s->among += 1000 * ledger < INK_PICTURE_WATERMARK_P_VALUE;
  if (prompted) {
    s->prompted += prompted_match(b, picture, seed, first.values) < INK_PICTURE_WATERMARK_P_VALUE;
  }
  s->signs += (double)f.reading.hits / (double)f.reading.n;
  s->greatest = fmax(s->greatest, ledger);
  double either = fmin(f.p_value, ledger);
  s->least = s->n == 1 ? either : fmin(s->least, either);
  ink_first_noise_free(&first);
  ink_picture_watermark_finding_free(&f);
}

static ink_picture copy_of(const ink_picture *picture) {
  ink_error error = {0};
  ink_picture out;
  check(ink_picture_convert(picture, picture->channels, &out, &error), &error);
  return out;
}

static double number(int argc, char **argv, int at, double otherwise) {
  return argc > at ? strtod(argv[at], NULL) : otherwise;
}

int main(int argc, char **argv) {
  ink_error error = {0};
  static score marked[DAMAGES], plain[DAMAGES];
  if (argc < 2) {
    fprintf(stderr, "picture_marks MODEL [PICTURES [STEPS [GUIDANCE [STEPS_BACK [PROMPTS]]]]]\n");
    return 2;
  }
  int pictures = (int)number(argc, argv, 2, 20);
  bench b = {.steps = (int32_t)number(argc, argv, 3, 20),
             .guidance = number(argc, argv, 4, 4),
             .steps_back = (int32_t)number(argc, argv, 5, 2)};
  read_prompts(&b, argc > 6 ? argv[6] : NULL);
  ink_pool *pool = ink_pool_new(0);
  check(ink_pipeline_open(argv[1], pool, &b.pipeline, &error), &error);
  check(ink_shading_key_of(NULL, 0, &b.key, &error), &error);
  for (int i = 0; i < 2 * pictures; i++) {
    bool with = i % 2 == 0;
    uint64_t seed = (uint64_t)(i / 2);
    ink_picture picture = paint(&b, seed, with);
    for (int d = 0; d < DAMAGES; d++) {
      ink_picture damaged = copy_of(&picture);
      damages[d].apply(&damaged, damages[d].value);
      look(&b, &damaged, seed, with && is_prompted(&damages[d]), with ? &marked[d] : &plain[d]);
      ink_picture_free(&damaged);
    }
    ink_picture_free(&picture);
    fprintf(stderr, "\r%d of %d", i + 1, 2 * pictures);
  }
  fputc('\n', stderr);
  printf("%d pictures with and %d without the mark, %d steps, guidance %g, %d steps back\n\n",
         pictures, pictures, (int)b.steps, b.guidance, (int)b.steps_back);
  puts(
      "| damage | blind | identity read | known | ledger of 1 | of 1,000 | with its prompt | signs "
      "| greatest p | unmarked: blind, ledger | least p |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|");
  for (int d = 0; d < DAMAGES; d++) {
    const score *s = &marked[d], *u = &plain[d];
    char prompted[16] = "";
    if (is_prompted(&damages[d])) {
      snprintf(prompted, sizeof prompted, "%.3f", (double)s->prompted / s->n);
    }
    printf("| %s | %.3f | %.3f | %.3f | %.3f | %.3f | %s | %.3f | %.1e | %d, %d of %d | %.2g |\n",
           damages[d].name, (double)s->found / s->n, (double)s->read / s->n,
           (double)s->known / s->n, (double)s->ledger / s->n, (double)s->among / s->n, prompted,
           s->signs / s->n, s->greatest, u->found, u->ledger, u->n, u->least);
  }
  ink_pipeline_free(b.pipeline);
  ink_pool_free(pool);
  free(b.prompts);
  return 0;
}
