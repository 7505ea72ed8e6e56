// Training noise and the levels that a run visits.
#include "diffusion/schedule.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "diffusion/beta_distribution.h"

ink_noise_config ink_noise_config_default(void) {
  return (ink_noise_config){.n_train = 1000,
                            .beta_start = 0.00085,
                            .beta_end = 0.012,
                            .betas = INK_BETAS_SCALED_LINEAR,
                            .prediction = INK_PREDICTS_EPSILON,
                            .spacing = INK_SPACING_LEADING,
                            .steps_offset = 1,
                            .skip_prk = true,
                            .clip_range = 1,
                            .original_steps = 50,
                            .timestep_scaling = 10,
                            .solver_order = 2};
}

// ---- training -----------------------------------------------------------------------------------

// n values from start to end, each half counted from its own end, and rounded once each, as
// torch.linspace does.
static float linspace_at(float start, float end, int32_t n, int32_t i) {
  if (n == 1) return start;
  double step = (double)((end - start) / (float)(n - 1));
  return (float)(i < n / 2 ? (double)start + step * i : (double)end - step * (n - i - 1));
}

static double cosine_alpha_bar(double t) {
  double c = cos((t + 0.008) / 1.008 * M_PI / 2);
  return c * c;
}

static float beta_at(const ink_noise_config *c, int32_t i) {
  switch (c->betas) {
    case INK_BETAS_LINEAR:
      return linspace_at((float)c->beta_start, (float)c->beta_end, c->n_train, i);
    case INK_BETAS_SCALED_LINEAR: {
      float root = linspace_at((float)sqrt(c->beta_start), (float)sqrt(c->beta_end), c->n_train, i);
      return root * root;
    }
    case INK_BETAS_SQUARED_COSINE:
    default: {
      double t1 = (double)i / c->n_train, t2 = (double)(i + 1) / c->n_train;
      return (float)fmin(1 - cosine_alpha_bar(t2) / cosine_alpha_bar(t1), 0.999);
    }
  }
}

// Products of 1 - beta from the first timestep on: gathered in double, kept in single precision.
static void accumulate(const float *betas, int32_t n, float *alphas_cumprod) {
  double product = 1;
  for (int32_t i = 0; i < n; i++) {
    product *= (double)(1.0f - betas[i]);
    alphas_cumprod[i] = (float)product;
  }
}

// Shift and stretch the square roots so that the last becomes 0 and the first stays.
static void rescale_to_zero_snr(float *betas, int32_t n, float *scratch) {
  accumulate(betas, n, scratch);
  for (int32_t i = 0; i < n; i++) scratch[i] = sqrtf(scratch[i]);
  float first = scratch[0], last = scratch[n - 1];
  float stretch = first / (first - last);
  for (int32_t i = 0; i < n; i++) {
    scratch[i] = (scratch[i] - last) * stretch;
    scratch[i] *= scratch[i];
  }
  betas[0] = 1.0f - scratch[0];
  for (int32_t i = 1; i < n; i++) betas[i] = 1.0f - scratch[i] / scratch[i - 1];
}

static void train_levels(ink_schedule *s) {
  const ink_noise_config *c = &s->config;
  float *betas = s->train_sigmas;  // its final content comes last
  for (int32_t i = 0; i < c->n_train; i++) betas[i] = beta_at(c, i);
  if (c->zero_terminal_snr) rescale_to_zero_snr(betas, c->n_train, s->alphas_cumprod);
  accumulate(betas, c->n_train, s->alphas_cumprod);
  for (int32_t i = 0; i < c->n_train; i++) {
    float alpha = s->alphas_cumprod[i];
    // Pure noise has no finite sigma; 2^-24 is close to 0 without being it.
    if (c->zero_terminal_snr && i == c->n_train - 1) alpha = 0x1p-24f;
    s->train_sigmas[i] = sqrtf((1.0f - alpha) / alpha);
  }
}

double ink_schedule_alpha_cumprod(const ink_schedule *s, int64_t timestep) {
  if (timestep >= s->config.n_train) timestep = s->config.n_train - 1;
  if (timestep >= 0) return (double)s->alphas_cumprod[timestep];
  return s->config.final_alpha_one ? 1 : (double)s->alphas_cumprod[0];
}

// ---- between timesteps and sigmas ---------------------------------------------------------------

double ink_schedule_timestep_of(const ink_schedule *s, double sigma) {
  int32_t low = 0, high = s->config.n_train - 1;
  double log_sigma = log(fmax(sigma, 1e-10));
  while (high - low > 1) {
    int32_t middle = low + (high - low) / 2;
    if ((double)logf(s->train_sigmas[middle]) <= log_sigma) {
      low = middle;
    } else {
      high = middle;
    }
  }
  double a = (double)logf(s->train_sigmas[low]), b = (double)logf(s->train_sigmas[high]);
  double w = a == b ? 0 : fmin(fmax((a - log_sigma) / (a - b), 0), 1);
  return (1 - w) * low + w * high;
}

// Sigma at a fractional timestep, linear between its neighbours.
static double sigma_at(const ink_schedule *s, double timestep) {
  double last = s->config.n_train - 1;
  double t = fmin(fmax(timestep, 0), last);
  int32_t low = (int32_t)t, high = low < (int32_t)last ? low + 1 : low;
  double a = (double)s->train_sigmas[low], b = (double)s->train_sigmas[high];
  return a + (t - low) * (b - a);
}

// The same, linear in log sigma.
static double log_sigma_at(const ink_schedule *s, double timestep) {
  int32_t low = (int32_t)floor(timestep), high = (int32_t)ceil(timestep);
  double w = timestep - low;
  return exp((1 - w) * log((double)s->train_sigmas[low]) + w * log((double)s->train_sigmas[high]));
}

// ---- spaced timesteps ---------------------------------------------------------------------------

// Timesteps from the noisiest on. `n` of them, out of `of` evenly spaced ones.
static void space(const ink_schedule *s, int32_t n, int32_t of, bool whole, double *out) {
  int32_t n_train = s->config.n_train, interval = n_train / of;
  for (int32_t i = 0; i < n; i++) {
    int32_t from_clean = of - 1 - i;
    switch (s->config.spacing) {
      case INK_SPACING_LEADING:
        out[i] = (double)((int64_t)from_clean * interval + s->config.steps_offset);
        break;
      case INK_SPACING_TRAILING:
        out[i] = rint(n_train - i * ((double)n_train / n)) - 1;
        break;
      case INK_SPACING_LINSPACE:
      default:
        out[i] = of == 1 ? 0 : (n_train - 1) * ((double)from_clean / (of - 1));
        // diffusers keeps fractional timesteps in single precision.
        out[i] = whole ? rint(out[i]) : (double)(float)out[i];
        break;
    }
  }
}

// Linear multistep visits the second timestep twice; Runge-Kutta visits the first three and the
// points half way between them, four evaluations each.
static void space_pndm(ink_schedule *s, const double *spaced) {
  int32_t n = s->n_asked, k = 0;
  if (s->config.skip_prk) {
    for (int32_t i = 0; i < n; i++) {
      s->timesteps[k++] = spaced[i];
      if (i == 1) s->timesteps[k++] = spaced[i];
    }
    return;
  }
  int32_t half = s->config.n_train / n / 2;
  for (int32_t i = 0; i < 3; i++) {
    s->timesteps[k++] = spaced[i];
    s->timesteps[k++] = spaced[i + 1] + half;
    s->timesteps[k++] = spaced[i + 1] + half;
    s->timesteps[k++] = spaced[i + 1];
  }
  for (int32_t i = 3; i < n; i++) s->timesteps[k++] = spaced[i];
}

static void space_distilled(ink_schedule *s) {
  int32_t teacher = s->config.original_steps, each = s->config.n_train / teacher;
  for (int32_t i = 0; i < s->n_steps; i++) {
    int32_t index = (int32_t)((int64_t)i * teacher / s->n_steps);
    s->timesteps[i] = (double)(teacher - index) * each - 1;
  }
}

// ---- curves -------------------------------------------------------------------------------------

static const double ays_levels[2][11] = {
    {14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029},
    {14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380, 0.234, 0.113, 0.029}};

// Eleven published levels, taken to n + 1 evenly in log sigma; the last is 0 by definition.
static double ays_at(const double levels[11], int32_t n, int32_t i) {
  double at = (double)i * 10 / n;
  int32_t low = (int32_t)at;
  if (low > 9) low = 9;
  double w = at - low;
  return exp((1 - w) * log(levels[low]) + w * log(levels[low + 1]));
}

// Level i of n on a curve between sigma_max and sigma_min.
static double curve_at(const ink_schedule *s, double sigma_max, double sigma_min, int32_t i) {
  int32_t n = s->n_steps, n_train = s->config.n_train;
  double ramp = n > 1 ? (double)i / (n - 1) : 0;
  switch (s->curve) {
    case INK_CURVE_KARRAS: {
      double rho = 7, low = pow(sigma_min, 1 / rho), high = pow(sigma_max, 1 / rho);
      return pow(high + ramp * (low - high), rho);
    }
    case INK_CURVE_EXPONENTIAL:
      return exp(log(sigma_max) + ramp * (log(sigma_min) - log(sigma_max)));
    case INK_CURVE_BETA:
      return sigma_min +
             ink_beta_distribution_quantile(1 - ramp, 0.6, 0.6) * (sigma_max - sigma_min);
    case INK_CURVE_SGM_UNIFORM:
      return log_sigma_at(s, (n_train - 1) * (1 - (double)i / n));
    case INK_CURVE_SIMPLE:
      return (double)s->train_sigmas[n_train - 1 - (int32_t)(i * ((double)n_train / n))];
    case INK_CURVE_AYS:
    case INK_CURVE_AYS_XL:
      return ays_at(ays_levels[s->curve == INK_CURVE_AYS_XL], n, i);
    case INK_CURVE_SPACED:
    case INK_CURVE_TRAILING:
    case INK_CURVE_COUNT:
    default:
      return sigma_at(s, s->timesteps[i]);
  }
}

// The timestep that a level of the curve is shown to the network as.
static double shown_timestep(const ink_schedule *s, double sigma) {
  double t = ink_schedule_timestep_of(s, sigma);
  bool karras = s->curve == INK_CURVE_KARRAS;
  if (s->grid == INK_GRID_CONTINUOUS_DPM2) return karras ? rint(t) : t;
  if (s->grid != INK_GRID_DPM) return t;
  // diffusers rounds under Karras and cuts off under its other curves.
  bool cut = s->curve == INK_CURVE_EXPONENTIAL || s->curve == INK_CURVE_BETA;
  return cut ? trunc(t) : rint(t);
}

static void follow_curve(ink_schedule *s) {
  bool dpm = s->grid == INK_GRID_DPM;
  int32_t n = s->n_steps;
  double most = dpm ? (double)s->train_sigmas[s->config.n_train - 1] : sigma_at(s, s->timesteps[0]);
  double least = dpm ? (double)s->train_sigmas[0] : sigma_at(s, s->timesteps[n - 1]);
  for (int32_t i = 0; i < n; i++) s->sigmas[i] = curve_at(s, most, least, i);
  if (s->curve != INK_CURVE_SPACED) {
    for (int32_t i = 0; i < n; i++) s->timesteps[i] = shown_timestep(s, s->sigmas[i]);
  }
  s->sigmas[n] = s->config.final_sigma_min ? (double)s->train_sigmas[0] : 0;
  for (int32_t i = 0; i <= n; i++) s->sigmas[i] = (double)(float)s->sigmas[i];
}

// ---- making -------------------------------------------------------------------------------------

static ink_status check(const ink_noise_config *c, ink_grid grid, ink_curve curve, int32_t n_steps,
                        ink_error *error) {
  if (c->n_train < 2 || c->n_train > INK_MOST_TRAIN_TIMESTEPS) {
    return ink_fail(error, INK_ERR_USAGE, "a model has 2 … %d timesteps, not %d",
                    INK_MOST_TRAIN_TIMESTEPS, (int)c->n_train);
  }
  if (!(c->beta_start > 0 && c->beta_start <= c->beta_end && c->beta_end < 1)) {
    return ink_fail(error, INK_ERR_USAGE,
                    "betas go from %g to %g; they must grow within 0 … 1 (exclusive)",
                    c->beta_start, c->beta_end);
  }
  if (n_steps < 1 || n_steps > c->n_train) {
    return ink_fail(error, INK_ERR_USAGE, "%d steps; a run takes 1 … %d", (int)n_steps,
                    (int)c->n_train);
  }
  int32_t of = grid == INK_GRID_DPM ? n_steps + 1 : n_steps;
  int64_t noisiest = (int64_t)(of - 1) * (c->n_train / of) + c->steps_offset;
  if (c->spacing == INK_SPACING_LEADING && (c->steps_offset < 0 || noisiest >= c->n_train)) {
    return ink_fail(error, INK_ERR_USAGE, "a timestep offset of %d does not fit %d steps of %d",
                    (int)c->steps_offset, (int)n_steps, (int)c->n_train);
  }
  bool spaced_only = grid == INK_GRID_DDIM || grid == INK_GRID_PNDM || grid == INK_GRID_DISTILLED;
  if (spaced_only && curve != INK_CURVE_SPACED) {
    return ink_fail(error, INK_ERR_USAGE,
                    "this sampler visits timesteps of its own; its schedule must be \"default\", "
                    "not \"%s\"",
                    ink_curve_name(curve));
  }
  if (c->zero_terminal_snr && spaced_only &&
      (grid == INK_GRID_PNDM || c->prediction == INK_PREDICTS_EPSILON)) {
    return ink_fail(
        error, INK_ERR_USAGE,
        "at zero terminal signal-to-noise ratio there is nothing to tell from the noise; "
        "this sampler needs a model that predicts v or the sample, and is not PNDM");
  }
  if (grid == INK_GRID_PNDM && n_steps < (c->skip_prk ? 1 : 4)) {
    return ink_fail(error, INK_ERR_USAGE, "PNDM with Runge-Kutta steps takes at least 4 steps");
  }
  if (grid == INK_GRID_DISTILLED &&
      (c->original_steps < 1 || c->original_steps > c->n_train || n_steps > c->original_steps)) {
    return ink_fail(error, INK_ERR_USAGE,
                    "%d steps; a model distilled from %d steps takes at most as many", (int)n_steps,
                    (int)c->original_steps);
  }
  if (c->solver_order < 1 || c->solver_order > 3) {
    return ink_fail(error, INK_ERR_USAGE, "a solver order of %d; it must lie in 1 … 3",
                    (int)c->solver_order);
  }
  return INK_OK;
}

static int32_t steps_to_take(const ink_noise_config *c, ink_grid grid, int32_t n) {
  if (grid != INK_GRID_PNDM) return n;
  if (c->skip_prk) return n > 1 ? n + 1 : n;
  return 12 + n - 3;
}

static void lay_out(ink_schedule *s, double *spaced) {
  switch (s->grid) {
    case INK_GRID_DISTILLED:
      space_distilled(s);
      break;
    case INK_GRID_DPM:
      space(s, s->n_steps, s->n_steps + 1, true, s->timesteps);
      break;
    case INK_GRID_DDIM:
      space(s, s->n_steps, s->n_steps, true, s->timesteps);
      break;
    case INK_GRID_PNDM:
      space(s, s->n_asked, s->n_asked, true, spaced);
      space_pndm(s, spaced);
      break;
    case INK_GRID_CONTINUOUS:
    case INK_GRID_CONTINUOUS_DPM2:
    default:
      space(s, s->n_steps, s->n_steps, false, s->timesteps);
      break;
  }
  follow_curve(s);
}

ink_status ink_schedule_new(const ink_noise_config *config, ink_grid grid, ink_curve curve,
                            int32_t n_steps, ink_schedule **out, ink_error *error) {
  *out = NULL;
  ink_noise_config trailing = *config;
  if (curve == INK_CURVE_TRAILING) {
    trailing.spacing = INK_SPACING_TRAILING;
    config = &trailing;
    curve = INK_CURVE_SPACED;
  }
  INK_TRY(check(config, grid, curve, n_steps, error));
  ink_schedule *s = calloc(1, sizeof *s);
  double *spaced = calloc((size_t)n_steps, sizeof *spaced);
  if (s) {
    s->config = *config;
    s->grid = grid;
    s->curve = curve;
    s->n_asked = n_steps;
    s->n_steps = steps_to_take(config, grid, n_steps);
    s->alphas_cumprod = calloc((size_t)config->n_train, sizeof *s->alphas_cumprod);
    s->train_sigmas = calloc((size_t)config->n_train, sizeof *s->train_sigmas);
    s->timesteps = calloc((size_t)s->n_steps, sizeof *s->timesteps);
    s->sigmas = calloc((size_t)s->n_steps + 1, sizeof *s->sigmas);
  }
  bool fine = spaced && s && s->alphas_cumprod && s->train_sigmas && s->timesteps && s->sigmas;
  if (fine) {
    train_levels(s);
    lay_out(s, spaced);
  }
  free(spaced);
  if (!fine) {
    ink_schedule_free(s);
    return ink_fail(error, INK_ERR_MEMORY, "no memory for a schedule of %d steps", (int)n_steps);
  }
  *out = s;
  return INK_OK;
}

void ink_schedule_free(ink_schedule *schedule) {
  if (!schedule) return;
  free(schedule->alphas_cumprod);
  free(schedule->train_sigmas);
  free(schedule->timesteps);
  free(schedule->sigmas);
  free(schedule);
}
