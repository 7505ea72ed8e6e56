// Divisors of rotary frequencies from the parameters of a config, and back.
#include "models/rope_table.h"

#include <math.h>

void ink_rope_table(const ink_decoder_config *config, float *divisors) {
  float low = (float)config->rope_low_frequency_factor;
  float high = (float)config->rope_high_frequency_factor;
  float factor = (float)config->rope_factor, context = (float)config->rope_original_context;
  for (int32_t i = 0; i < config->rope_dim / 2; i++) {
    float exponent = (float)(2 * i) / (float)config->rope_dim;
    float frequency = 1.0f / powf((float)config->rope_theta, exponent);
    float wavelength = (float)(2 * M_PI) / frequency;
    if (wavelength < context / high) {
      divisors[i] = 1;
    } else if (wavelength > context / low) {
      divisors[i] = factor;
    } else {
      float smooth = (context / wavelength - low) / (high - low);
      divisors[i] = 1 / ((1 - smooth) / factor + smooth);
    }
  }
}

// Equal but for the last bits, in which implementations of powf differ.
static bool is_same_table(const ink_decoder_config *config, const float *divisors) {
  float ours[1 << 10];
  ink_rope_table(config, ours);
  for (int32_t i = 0; i < config->rope_dim / 2; i++) {
    if (!(fabsf(ours[i] - divisors[i]) <= 1e-5f * divisors[i])) return false;
  }
  return true;
}

bool ink_rope_table_read(const float *divisors, size_t n, ink_decoder_config *config) {
  float most = 1;
  bool plain = true;
  for (size_t i = 0; i < n; i++) {
    most = fmaxf(most, divisors[i]);
    plain = plain && divisors[i] == 1;
  }
  if (plain) return true;
  if (n != (size_t)config->rope_dim / 2 || n > 1 << 10) return false;
  ink_decoder_config tried = *config;
  tried.rope_scaling = INK_ROPE_LLAMA3;
  tried.rope_factor = (double)most;
  tried.rope_low_frequency_factor = 1;
  tried.rope_high_frequency_factor = 4;
  // Published: 8192. Smaller models are made for any power of two.
  static const int32_t contexts[] = {8192, 16,   32,   64,    128,   256,   512,
                                     1024, 2048, 4096, 16384, 32768, 65536, 131072};
  for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++) {
    tried.rope_original_context = contexts[i];
    if (!is_same_table(&tried, divisors)) continue;
    *config = tried;
    return true;
  }
  return false;
}
