// The regularised incomplete beta function by its continued fraction (NIST DLMF 8.17.22), inverted
// by bisection.
#include "diffusion/beta_distribution.h"

#include <math.h>

// The continued fraction, evaluated forward after Lentz (1976) in Thompson and Barnett's form
// (1986).
static double continued_fraction(double x, double a, double b) {
  const double tiny = 1e-300;
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (fabs(d) < tiny ? tiny : d);
  double value = d;
  for (int m = 1; m < 1000; m++) {
    double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double change = 1;
    for (int half = 0; half < 2; half++) {
      double term = half == 0 ? even : odd;
      d = 1 + term * d;
      d = 1 / (fabs(d) < tiny ? tiny : d);
      c = 1 + term / c;
      if (fabs(c) < tiny) c = tiny;
      change = c * d;
      value *= change;
    }
    if (fabs(change - 1) < 1e-15) break;
  }
  return value;
}

// The probability below x.
static double probability(double x, double a, double b) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  int sign;  // of the gamma function: positive, as its arguments are
  double front = exp(lgamma_r(a + b, &sign) - lgamma_r(a, &sign) - lgamma_r(b, &sign) + a * log(x) +
                     b * log1p(-x));
  // The fraction converges quickly on this side of the mean; on the other it is mirrored.
  if (x < (a + 1) / (a + b + 2)) return front * continued_fraction(x, a, b) / a;
  return 1 - front * continued_fraction(1 - x, b, a) / b;
}

double ink_beta_distribution_quantile(double p, double a, double b) {
  if (p <= 0) return 0;
  if (p >= 1) return 1;
  double low = 0, high = 1;
  for (int i = 0; i < 100 && low < high; i++) {
    double middle = low + (high - low) / 2;
    if (middle == low || middle == high) break;
    if (probability(middle, a, b) < p) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low + (high - low) / 2;
}
