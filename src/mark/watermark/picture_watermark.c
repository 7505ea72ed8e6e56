// Marks in noise, on their way in and out.
#include "mark/watermark/picture_watermark.h"

#include <math.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "mark/label/picture_label.h"
#include "models/stable_diffusion.h"

static ink_status shape(void *context, int32_t channels, int32_t height, int32_t width,
                        float *noise, ink_error *error) {
  const ink_picture_watermark *w = context;
  ink_latent_shape latent = {channels, height, width};
  return ink_shading_apply(&w->key, w->identity, latent, noise, error);
}

ink_noise_shaper ink_picture_watermark_shaper(ink_picture_watermark *watermark) {
  return (ink_noise_shaper){shape, watermark};
}

// A painter whose pictures follow from their prompts takes nothing from the noise but itself. This
// much is seen as a grain, and found after JPEG and resizing; docs/watermark.md.
static const double KEPT = 0.48;

double ink_picture_watermark_kept(const ink_pipeline *pipeline, int32_t width, int32_t height) {
  int64_t factor = ink_pipeline_factor(pipeline);
  int64_t channels = ink_unet_about(ink_pipeline_about(pipeline)->unet)->out_channels;
  return channels * (width / factor) * (height / factor) < INK_SHADING_LEAST ? KEPT : 0;
}

// ---- finding ------------------------------------------------------------------------------------

typedef struct size {
  int32_t width, height;
} size;

// In whole latent pixels.
static int32_t near_multiple(int32_t side, int32_t factor) {
  int32_t n = (side + factor / 2) / factor;
  return (n < 1 ? 1 : n) * factor;
}

// The sizes that a picture may have been painted in.
static size_t list_sizes(const ink_pipeline *pipeline, const ink_picture *picture,
                         const ink_picture_watermark_search *search, size list[2]) {
  if (search->width && search->height) {
    list[0] = (size){search->width, search->height};
    return 1;
  }
  int32_t side = ink_pipeline_side(pipeline), factor = ink_pipeline_factor(pipeline);
  size own = {near_multiple(picture->width, factor), near_multiple(picture->height, factor)};
  size models = {side, side};
  double ratio = (double)picture->width / picture->height;
  bool square = ratio > 0.9 && ratio < 1.1, large = picture->width >= side * 3 / 2;
  bool possible = own.width <= INK_PAINT_MOST_SIDE && own.height <= INK_PAINT_MOST_SIDE;
  list[0] = square || !possible ? models : own;
  list[1] = own;
  return square && large && possible ? 2 : 1;
}

// The orthonormal cosines of n points (DCT-II): row k is frequency k.
static float *cosines(int32_t n) {
  float *rows = calloc((size_t)n * (size_t)n, sizeof *rows);
  for (int32_t k = 0; rows && k < n; k++) {
    for (int32_t i = 0; i < n; i++) {
      rows[k * n + i] = (float)(sqrt((k ? 2.0 : 1.0) / n) * cos(M_PI * (i + 0.5) * k / n));
    }
  }
  return rows;
}

// A line of n values that lie `step` apart, in place; `back` goes from frequencies to points.
static void transform_line(const float *rows, int32_t n, bool back, size_t step, float *at,
                           float *line) {
  for (int32_t k = 0; k < n; k++) {
    float sum = 0;
    for (int32_t i = 0; i < n; i++) {
      sum += (back ? rows[i * n + k] : rows[k * n + i]) * at[(size_t)i * step];
    }
    line[k] = sum;
  }
  for (int32_t k = 0; k < n; k++) at[(size_t)k * step] = line[k];
}

static void transform(const ink_inversion *v, const float *across, const float *down, bool back,
                      float *line) {
  size_t width = (size_t)v->width, height = (size_t)v->height;
  for (size_t c = 0; c < (size_t)v->channels; c++) {
    float *plane = v->noise + c * width * height;
    for (size_t y = 0; y < height; y++) {
      transform_line(across, v->width, back, 1, plane + y * width, line);
    }
    for (size_t x = 0; x < width; x++) {
      transform_line(down, v->height, back, width, plane + x, line);
    }
  }
}

// Noise has as much of every frequency; what the inversion left of the picture has more of the low
// ones, and hides the signs under them. Every ring of frequencies gets the same strength.
static ink_status whiten(ink_inversion *v, ink_error *error) {
  int32_t side = v->width > v->height ? v->width : v->height;
  size_t rings = 2 * (size_t)side + 1, plane = (size_t)v->width * (size_t)v->height;
  float *across = cosines(v->width), *down = cosines(v->height);
  float *line = calloc((size_t)side, sizeof *line);
  double *power = calloc(2 * rings, sizeof *power), *count = power + rings;
  bool fine = across && down && line && power;
  if (fine) transform(v, across, down, false, line);
  for (int pass = 0; pass < 2 && fine; pass++) {
    for (size_t i = 0; i < plane * (size_t)v->channels; i++) {
      size_t column = i % plane % (size_t)v->width, row = i % plane / (size_t)v->width;
      double x = (double)column / v->width, y = (double)row / v->height;
      size_t ring = (size_t)lrint(sqrt(x * x + y * y) * side);
      if (pass == 0) {
        power[ring] += (double)v->noise[i] * (double)v->noise[i];
        count[ring]++;
      } else if (power[ring] > 0) {
        v->noise[i] = (float)((double)v->noise[i] / sqrt(power[ring] / count[ring]));
      }
    }
  }
  if (fine) transform(v, across, down, true, line);
  free(across);
  free(down);
  free(line);
  free(power);
  return fine ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory to read a watermark");
}

// ---- the label ----------------------------------------------------------------------------------

// Over the visible label no sign is met, and its letters are louder than all the rest. Whether it
// is there or not, what lies under its usual place says nothing: that of the labels that paintings
// get in either language, in the sides that the picture has and in those that it is brought to.
static void blank_label(const ink_picture *picture, int32_t factor, ink_inversion *v) {
  static const char *const languages[] = {"en", "zh-Hans"};
  int32_t sides[2][2] = {{picture->width, picture->height},
                         {v->width * factor, v->height * factor}};
  ink_label_style style = ink_label_style_default();
  size_t plane = (size_t)v->width * (size_t)v->height;
  for (int i = 0; i < 4; i++) {
    const int32_t *side = sides[i / 2];
    ink_label_box box;
    // A picture that is too small for a label has none.
    if (ink_label_box_of(side[0], side[1], languages[i % 2], &style, &box, NULL) != INK_OK)
      continue;
    double across = (double)v->width / side[0], down = (double)v->height / side[1];
    int32_t left = (int32_t)floor(box.x * across), top = (int32_t)floor(box.y * down);
    int32_t right = (int32_t)ceil((box.x + box.width) * across);
    int32_t bottom = (int32_t)ceil((box.y + box.height) * down);
    for (size_t k = 0; k < plane * (size_t)v->channels; k++) {
      int32_t x = (int32_t)(k % plane % (size_t)v->width),
              y = (int32_t)(k % plane / (size_t)v->width);
      if (x >= left && x < right && y >= top && y < bottom) v->noise[k] = 0;
    }
  }
}

ink_status ink_picture_watermark_invert(ink_pipeline *pipeline, const ink_picture *picture,
                                        const ink_picture_watermark_search *search, int32_t width,
                                        int32_t height, ink_inversion *inversion,
                                        ink_error *error) {
  ink_inversion_options options = ink_inversion_options_default();
  options.width = width;
  options.height = height;
  options.steps = search->steps ? search->steps : INK_PICTURE_WATERMARK_STEPS;
  options.prompt = search->prompt;
  options.guidance_scale = search->guidance_scale;
  options.precision = search->precision;
  options.progress = search->progress;
  INK_TRY(ink_pipeline_invert(pipeline, picture, &options, inversion, error));
  int32_t factor = ink_pipeline_factor(pipeline);
  blank_label(picture, factor, inversion);
  ink_status status = whiten(inversion, error);
  blank_label(picture, factor, inversion);
  if (status != INK_OK) ink_inversion_free(inversion);
  return status;
}

static ink_status look_at(ink_pipeline *pipeline, const ink_picture *picture, size at,
                          const ink_picture_watermark_search *search,
                          ink_picture_watermark_finding *best, ink_error *error) {
  ink_inversion inversion;
  INK_TRY(ink_picture_watermark_invert(pipeline, picture, search, at.width, at.height, &inversion,
                                       error));
  ink_latent_shape shape = {inversion.channels, inversion.height, inversion.width};
  ink_status status = INK_OK;
  bool better = false;
  for (size_t i = 0; i < search->n_key && status == INK_OK; i++) {
    ink_shading_reading reading;
    status = ink_shading_read(&search->keys[i], shape, inversion.noise, &reading, error);
    if (status != INK_OK || (best->width && reading.p_value >= best->reading.p_value)) continue;
    best->reading = reading;
    best->key = i;
    best->width = at.width;
    best->height = at.height;
    better = true;
  }
  if (better) {
    ink_inversion_free(&best->inversion);
    best->inversion = inversion;
  } else {
    ink_inversion_free(&inversion);
  }
  return status;
}

ink_status ink_picture_watermark_find(ink_pipeline *pipeline, const ink_picture *picture,
                                      const ink_picture_watermark_search *search,
                                      ink_picture_watermark_finding *finding, ink_error *error) {
  *finding = (ink_picture_watermark_finding){.p_value = 1};
  if (search->n_key == 0) {
    return ink_fail(error, INK_ERR_USAGE, "no key to look for a picture watermark with");
  }
  size sizes[2];
  size_t n = list_sizes(pipeline, picture, search, sizes);
  ink_status status = INK_OK;
  for (size_t i = 0; i < n && status == INK_OK; i++) {
    status = look_at(pipeline, picture, sizes[i], search, finding, error);
  }
  if (status != INK_OK) {
    ink_picture_watermark_finding_free(finding);
    return status;
  }
  finding->n_size = n;
  finding->p_value = fmin(finding->reading.p_value * (double)(n * search->n_key), 1);
  finding->found = finding->p_value < INK_PICTURE_WATERMARK_P_VALUE;
  if (finding->found && finding->reading.sure) {
    ink_mark_identity_text(finding->reading.identity, finding->identity);
  }
  return INK_OK;
}

void ink_picture_watermark_finding_free(ink_picture_watermark_finding *finding) {
  ink_inversion_free(&finding->inversion);
  *finding = (ink_picture_watermark_finding){.p_value = 1};
}
