// How well the mark in the noise of painted pictures is found after what happens to pictures, and
// how often a picture without it is taken for marked.
//
//   ninja -C build bench/picture_marks
//   build/bench/picture_marks MODEL [PICTURES [STEPS [GUIDANCE [STEPS_BACK [FIRST [KEPT
//   [PROMPTS]]]]]]]
//
// MODEL paints PICTURES (20) pictures with the mark and as many without, in STEPS (20) steps with
// GUIDANCE (4), at its own size, each from a line of the file PROMPTS (or a few words of our own),
// with the visible label that every picture gets; their seeds begin at FIRST (0), so that a long
// run can be made in pieces whose counts add up. They keep a share KEPT of their noise (what
// inkstone paint keeps). Each is damaged in every way and looked into with STEPS_BACK (2) steps.
//
// Gaussian Shading's paper asks two questions, here at a false-positive rate of 1e-6:
//   detection     the mark is known, and the bits that agree with it are counted:
//                 FPR = I_1/2(tau + 1, k - tau) of k bits;
//   traceability  which of N users it is: 1 - (1 - FPR)^N.
// Here the mark of a picture is what its identity gives under the key, as there what was drawn for
// it with its key and nonce; every sign that was found is a bit of it (f_c = f_hw = 1). N is 1,000.
// Both are asked as the paper counts (each sign is one coin) and as `detect` does (signs weighed, p
// times the sizes that were tried; traced by the ledger, the sizes of the first noise known from
// the seeds of the 16 likeliest). Traced is what lies below 1e-6 and is nobody else's. Blindly,
// which the paper does not ask, nothing but the key is known.
//
// Prints as Markdown, for each damage, how many were found, with the bounds of Clopper and Pearson
// at 95 %; for two of the damages how many would be detected if the picture were turned back with
// its very prompt, guidance and steps; the mean share of signs that agree blindly, and the greatest
// p-value by a ledger of one; and of the pictures without the mark how many are taken for marked.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "mark/label/picture_label.h"
#include "mark/ledger/noise_records.h"
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
  double guidance, kept;
  char **prompts;
  size_t n_prompt;
} bench;

static void read_prompts(bench *b, const char *path) {
  static const char own[] =
      "a red apple\na blue cat\na yellow star on a green background\nthree hearts\na dog\n"
      "a pixel art rocket\na house\na tree beside a car\n一只红色的狐狸\nthe moon\n"
      "a purple umbrella\na blue cat and a star\n两只鸟\na white rabbit on a red "
      "background\n一匹马\n"
      "a green fish\n月亮和山\nfour bananas\na clock\n一朵粉色的花\na bicycle\n";
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
    request.first_noise = &shaper;
    request.kept_noise = b->kept;
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

enum { USERS = 1000 };  // the identity itself and USERS - 1 others

typedef struct score {
  int n;
  int counted, weighed;      // detection
  int counted_among, among;  // traceability
  int blind, read, prompted;
  double signs, greatest, least;
} score;

// Seeds of pieces that are other than any that is painted here.
static uint64_t stranger(int i) {
  return UINT64_C(1000000000) + (uint64_t)i;
}

// The chance of a picture's noise as it is turned back with all that its recipe tells.
static double prompted_match(const bench *b, const ink_picture *picture, uint64_t seed) {
  ink_error error = {0};
  ink_picture_watermark_search search = {
      .steps = b->steps, .prompt = b->prompts[seed % b->n_prompt], .guidance_scale = b->guidance};
  ink_inversion v;
  uint8_t identity[INK_SHADING_IDENTITY];
  double p;
  identity_of(seed, identity);
  check(ink_picture_watermark_invert(b->pipeline, picture, &search, 0, 0, &v, &error), &error);
  ink_latent_shape shape = {v.channels, v.height, v.width};
  check(ink_shading_match(&b->key, identity, shape, v.noise, &p, &error), &error);
  ink_inversion_free(&v);
  return p;
}

// The paper's count: of the signs that were found, how likely so many agree with the mark.
static double counted_match(const bench *b, const uint8_t identity[INK_SHADING_IDENTITY],
                            ink_latent_shape shape, const float *noise) {
  ink_error error = {0};
  size_t n = (size_t)shape.channels * (size_t)shape.height * (size_t)shape.width;
  size_t signs = 0, agree = 0;
  float *mark = calloc(n, sizeof *mark);
  if (!mark) exit(1);
  for (size_t i = 0; i < n; i++) mark[i] = 1;
  check(ink_shading_apply(&b->key, identity, shape, mark, &error), &error);
  for (size_t i = 0; i < n; i++) {
    signs += noise[i] != 0;
    agree += noise[i] != 0 && (noise[i] > 0) == (mark[i] > 0);
  }
  free(mark);
  return ink_fair_coins(signs, agree);
}

static ink_latent_shape shape_of(const ink_inversion *v) {
  return (ink_latent_shape){v->channels, v->height, v->width};
}

// Whose picture it is said to be, as mark/ledger/noise_records.h says it; with p of the whole
// search.
static uint64_t trace(const bench *b, const ink_picture_watermark_finding *f, uint64_t seed,
                      double *p_value) {
  ink_error error = {0};
  ink_shading_matcher *matcher;
  uint64_t best = seed;
  double least = 1;
  check(ink_shading_matcher_new(shape_of(&f->inversion), f->inversion.noise, &matcher, &error),
        &error);
  for (int i = 0; i < USERS; i++) {
    uint8_t identity[INK_SHADING_IDENTITY];
    double p;
    uint64_t own = i == 0 ? seed : stranger(i);
    identity_of(own, identity);
    check(ink_shading_matcher_try(matcher, &b->key, identity, &p, &error), &error);
    if (p < least) {
      least = p;
      best = own;
    }
  }
  ink_shading_matcher_free(matcher);
  *p_value = fmin(USERS * least * (double)f->n_size, 1);
  return best;
}

// As the paper traces: the one of USERS with whom most signs agree.
static bool counted_trace(const bench *b, const ink_picture_watermark_finding *f, double own) {
  if (USERS * own >= INK_PICTURE_WATERMARK_P_VALUE) return false;
  for (int i = 1; i < USERS; i++) {
    uint8_t identity[INK_SHADING_IDENTITY];
    identity_of(stranger(i), identity);
    if (counted_match(b, identity, shape_of(&f->inversion), f->inversion.noise) <= own)
      return false;
  }
  return true;
}

// A picture that bears no mark is asked about the identity that its seed would have.
static void look(const bench *b, const ink_picture *picture, uint64_t seed, bool marked,
                 bool prompted, score *s) {
  ink_error error = {0};
  const double least = INK_PICTURE_WATERMARK_P_VALUE;
  ink_picture_watermark_search search = {.keys = &b->key, .n_key = 1, .steps = b->steps_back};
  ink_picture_watermark_finding f;
  uint8_t identity[INK_SHADING_IDENTITY];
  identity_of(seed, identity);
  check(ink_picture_watermark_find(b->pipeline, picture, &search, &f, &error), &error);
  ink_latent_shape shape = shape_of(&f.inversion);
  double sizes = (double)f.n_size, weighed, among;
  double counted = counted_match(b, identity, shape, f.inversion.noise) * sizes;
  check(ink_shading_match(&b->key, identity, shape, f.inversion.noise, &weighed, &error), &error);
  weighed = fmin(weighed * sizes, 1);
  uint64_t owner = trace(b, &f, seed, &among);
  s->n++;
  s->counted += counted < least;
  s->weighed += weighed < least;
  s->counted_among += counted_trace(b, &f, counted);
  s->among += among < least && (owner == seed || !marked);
  s->blind += f.found;
  s->read += f.identity[0] && memcmp(f.reading.identity, identity, sizeof identity) == 0;
  if (prompted) s->prompted += prompted_match(b, picture, seed) < least;
  s->signs += (double)f.reading.hits / (double)f.reading.n;
  s->greatest = fmax(s->greatest, weighed);
  double either = fmin(f.p_value, fmin(weighed, fmin(counted, among)));
  s->least = s->n == 1 ? either : fmin(s->least, either);
  ink_picture_watermark_finding_free(&f);
}

// ---- what is printed ----------------------------------------------------------------------------

// The chance of at least `k` of `n`, each with chance p.
static double at_least(int k, int n, double p) {
  double sum = 0;
  for (int i = k; i <= n; i++) {
    sum += exp(lgamma(n + 1.0) - lgamma(i + 1.0) - lgamma(n - i + 1.0) + i * log(p) +
               (n - i) * log1p(-p));
  }
  return sum;
}

// The share below which `k` or more of `n` are seen less than once in forty times.
static double lower_bound(int k, int n) {
  double low = 0, high = 1;
  if (k == 0) return 0;
  for (int i = 0; i < 60; i++) {
    double middle = (low + high) / 2;
    *(at_least(k, n, middle) < 0.025 ? &low : &high) = middle;
  }
  return low;
}

static void print_share(int k, int n) {
  printf(" %d: %.3f (%.3f to %.3f) |", k, (double)k / n, lower_bound(k, n),
         1 - lower_bound(n - k, n));
}

static void print_table(const score *marked, const score *plain) {
  puts(
      "| damage | detection, counted | detection, weighed | traced among 1,000, counted "
      "| traced among 1,000, ledger | blind | identity read | with its prompt "
      "| signs | greatest p | unmarked taken for marked | least p |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|");
  for (int d = 0; d < DAMAGES; d++) {
    const score *s = &marked[d], *u = &plain[d];
    printf("| %s |", damages[d].name);
    print_share(s->counted, s->n);
    print_share(s->weighed, s->n);
    print_share(s->counted_among, s->n);
    print_share(s->among, s->n);
    print_share(s->blind, s->n);
    printf(" %d |", s->read);
    if (is_prompted(&damages[d])) printf(" %d", s->prompted);
    printf(" | %.3f | %.1e | %d, %d, %d, %d, %d of %d | %.2g |\n", s->signs / s->n, s->greatest,
           u->counted, u->weighed, u->counted_among, u->among, u->blind, u->n, u->least);
  }
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
    fprintf(stderr,
            "picture_marks MODEL [PICTURES [STEPS [GUIDANCE [STEPS_BACK [FIRST [KEPT "
            "[PROMPTS]]]]]]]\n");
    return 2;
  }
  int pictures = (int)number(argc, argv, 2, 20);
  bench b = {.steps = (int32_t)number(argc, argv, 3, 20),
             .guidance = number(argc, argv, 4, 4),
             .steps_back = (int32_t)number(argc, argv, 5, 2)};
  uint64_t first = (uint64_t)number(argc, argv, 6, 0);
  read_prompts(&b, argc > 8 ? argv[8] : NULL);
  ink_pool *pool = ink_pool_new(0);
  check(ink_pipeline_open(argv[1], pool, &b.pipeline, &error), &error);
  check(ink_shading_key_of(NULL, 0, &b.key, &error), &error);
  int32_t side = ink_pipeline_side(b.pipeline);
  b.kept = number(argc, argv, 7, ink_picture_watermark_kept(b.pipeline, side, side));
  for (int i = 0; i < 2 * pictures; i++) {
    bool with = i % 2 == 0;
    uint64_t seed = first + (uint64_t)(i / 2);
    ink_picture picture = paint(&b, seed, with);
    for (int d = 0; d < DAMAGES; d++) {
      ink_picture damaged = copy_of(&picture);
      damages[d].apply(&damaged, damages[d].value);
      look(&b, &damaged, seed, with, with && is_prompted(&damages[d]),
           with ? &marked[d] : &plain[d]);
      ink_picture_free(&damaged);
    }
    ink_picture_free(&picture);
    fprintf(stderr, "\r%d of %d", i + 1, 2 * pictures);
  }
  fputc('\n', stderr);
  printf(
      "%d pictures with and %d without the mark, %d steps, guidance %g, %g of the noise kept, %d "
      "steps back\n\n",
      pictures, pictures, (int)b.steps, b.guidance, b.kept, (int)b.steps_back);
  print_table(marked, plain);
  ink_pipeline_free(b.pipeline);
  ink_pool_free(pool);
  free(b.prompts);
  return 0;
}
