// The picture watermark that Stable Diffusion's own scripts write and many tools read: "dwtDct" of
// the invisible-watermark package (Wang Qiangsheng, 2021). Bits lie in the colour difference U, in
// the largest of 15 low-pass wavelet coefficients of each block of 8 x 8 pixels. (Its name promises
// a cosine transform that the package leaves out.)
//
// It is for being read by others. It survives mild JPEG, noise and brightness, not resizing,
// cropping or turning; Gaussian Shading (mark/watermark/gaussian_shading.h) is the robust one.
#ifndef INK_MARK_WATERMARK_DWT_DCT_H
#define INK_MARK_WATERMARK_DWT_DCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "picture/picture.h"

enum { INK_DWT_DCT_MOST_BITS = 256, INK_DWT_DCT_LEAST_PIXELS = 256 * 256 };

// A message and who writes it. Bits from the first byte's highest on.
typedef struct ink_dwt_dct_message {
  const char *name;
  size_t n_bit;
  uint8_t bytes[INK_DWT_DCT_MOST_BITS / 8];
} ink_dwt_dct_message;

// Messages that are in use: "sdxl" (diffusers, ComfyUI), "sd1" (the text StableDiffusionV1),
// "flux2". The first is what we write.
const ink_dwt_dct_message *ink_dwt_dct_messages(size_t *n);

// Write a message into a picture of three or four channels, in place. USAGE: grey, or fewer than
// INK_DWT_DCT_LEAST_PIXELS pixels, which no reader looks at.
ink_status ink_dwt_dct_write(ink_picture *picture, const ink_dwt_dct_message *message,
                             ink_error *error);

typedef struct ink_dwt_dct_reading {
  const ink_dwt_dct_message *message;  // the known one that fits best; NULL: too small to read
  size_t agreeing;                     // of its bits
  // The chance that fair, independent bits fit any of the messages as well. The bits of pictures
  // are not quite that, so be slow to trust a value above 1e-6.
  double p_value;
} ink_dwt_dct_reading;

ink_status ink_dwt_dct_read(const ink_picture *picture, ink_dwt_dct_reading *reading,
                            ink_error *error);
// The share of ones among the copies of each of n_bit bits. False when the picture has fewer blocks
// than bits.
bool ink_dwt_dct_shares(const ink_picture *picture, size_t n_bit, double *shares);

#endif
