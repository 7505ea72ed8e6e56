// Edges of pictures.
#ifndef INK_PICTURE_EDGES_H
#define INK_PICTURE_EDGES_H

#include "picture/picture.h"

// Thresholds as most people set them for ControlNet.
enum { INK_CANNY_LOW = 100, INK_CANNY_HIGH = 200, INK_CANNY_MOST = 2040 };

// Canny's edges (1986) as a grey picture, white on black: pixel for pixel what OpenCV's
// Canny(picture, low, high) gives, with its 3x3 Sobel kernel and the sum of absolute gradients. Of
// several colours each pixel takes the steepest; alpha is not looked at. USAGE: thresholds outside
// 0 … INK_CANNY_MOST, or low above high.
ink_status ink_picture_canny(const ink_picture *picture, int low, int high, ink_picture *out,
                             ink_error *error);

#endif
