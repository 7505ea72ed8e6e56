// UniPC (Zhao et al. 2023, arXiv 2302.04867): a predictor and a corrector that share one
// evaluation, for the predicted signal, with B(h) = e^h - 1.
#include "diffusion/sampler_parts.h"

enum { MOST = 3 };  // order

static double lambda_at(const ink_sampler *s, int32_t step) {
  return -log(s->schedule->sigmas[step]);
}

// Solve a x = b for n <= 3 unknowns by Gaussian elimination with pivoting; b becomes x.
static void solve(int n, double a[MOST][MOST], double b[MOST]) {
  for (int column = 0; column < n; column++) {
    int pivot = column;
    for (int row = column + 1; row < n; row++) {
      if (fabs(a[row][column]) > fabs(a[pivot][column])) pivot = row;
    }
    for (int k = 0; k < n; k++) {
      double swap = a[column][k];
      a[column][k] = a[pivot][k];
      a[pivot][k] = swap;
    }
    double swap = b[column];
    b[column] = b[pivot];
    b[pivot] = swap;
    for (int row = 0; row < n; row++) {
      if (row == column) continue;
      double factor = a[row][column] / a[column][column];
      for (int k = column; k < n; k++) a[row][k] -= factor * a[column][k];
      b[row] -= factor * b[column];
    }
  }
  for (int i = 0; i < n; i++) b[i] /= a[i][i];
}

// One update of order `order` from step `from` to the next, out of latent x and the predictions
// m[0] (at `from`), m[1], … (before it), and `arrived`, the prediction at its end (NULL:
// predictor).
static void update(ink_sampler *s, int32_t from, int order, const float *x, const float *arrived,
                   const float *const *m, float *out) {
  ink_level level_s = ink_level_of_sigma(s->schedule->sigmas[from]);
  ink_level level_t = ink_level_of_sigma(s->schedule->sigmas[from + 1]);
  double lambda_s = lambda_at(s, from), h = lambda_at(s, from + 1) - lambda_s;
  double b_h = expm1(-h);
  // Places of the known predictions, as shares of h; the end of the step is at 1.
  double r[MOST] = {0};
  for (int i = 1; i < order; i++) r[i - 1] = (lambda_at(s, from - i) - lambda_s) / h;
  r[order - 1] = 1;
  int n = arrived ? order : order - 1;  // differences with a weight of their own
  double rows[MOST][MOST], weights[MOST] = {0};
  double phi = b_h / -h - 1, factorial = 1;
  for (int i = 0; i < n; i++) {
    for (int k = 0; k < n; k++) rows[i][k] = pow(r[k], i);
    weights[i] = phi * factorial / b_h;
    factorial *= i + 2;
    phi = phi / -h - 1 / factorial;
  }
  if (arrived ? order == 1 : order == 2) {
    weights[0] = 0.5;  // what the paper sets for the lowest order
  } else if (n > 0) {
    solve(n, rows, weights);
  }
  double gain = -level_t.alpha * b_h;
  double c[3 + MOST] = {level_t.sigma / level_s.sigma, gain};
  const float *arrays[3 + MOST] = {x, m[0]};
  int terms = 2;
  for (int i = 0; i < n; i++) {
    bool end = arrived && i == n - 1;
    double weight = gain * weights[i] / (end ? 1 : r[i]);
    arrays[terms] = end ? arrived : m[i + 1];
    c[terms++] = weight;
    c[1] -= weight;
  }
  ink_combine(s->n, out, terms, c, arrays);
}

ink_status ink_unipc_step(ink_sampler *s, float *x, ink_error *error) {
  INK_TRY(ink_denoise(s, x, ink_level_of_sigma(ink_sigma_now(s)), ink_timestep_now(s), error));
  const float *const *m = (const float *const *)s->history;
  // `kept` is the latent that the last step set out from.
  if (s->step > s->first) update(s, s->step - 1, s->order, s->kept, s->denoised, m, x);
  ink_remember(s, s->denoised);
  int32_t most = s->schedule->config.solver_order, left = s->schedule->n_steps - s->step;
  s->order = most < left ? most : left;
  if (s->order > s->n_history) s->order = s->n_history;
  INK_COMBINE2(s->n, s->kept, 1, x, 0, x);
  update(s, s->step, s->order, s->kept, NULL, m, x);
  return INK_OK;
}
