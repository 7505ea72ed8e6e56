// The beta distribution, as far as a noise schedule needs it.
#ifndef INK_DIFFUSION_BETA_DISTRIBUTION_H
#define INK_DIFFUSION_BETA_DISTRIBUTION_H

// The x at which the beta distribution with shapes a, b > 0 has gathered probability p in [0, 1].
double ink_beta_distribution_quantile(double p, double a, double b);

#endif
