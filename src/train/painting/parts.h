// Inside the room: what the runs of autoencoder and painter share.
#ifndef INK_TRAIN_PAINTING_PARTS_H
#define INK_TRAIN_PAINTING_PARTS_H

#include <jansson.h>

#include "models/decoder.h"
#include "picture/picture.h"
#include "train/painting/scenes.h"
#include "train/scene.h"

// Uses of the generator (base/random.h) below a run's seed. A stream is a use and the number of a
// sample.
typedef enum ink_painter_stream {
  INK_STREAM_LATENT_NOISE = 1,
  INK_STREAM_TIMESTEP,
  INK_STREAM_NOISE,
  INK_STREAM_CAPTION,
  INK_STREAM_SHUFFLE,
  INK_STREAM_SHEET
} ink_painter_stream;
ink_random ink_painter_random(uint64_t seed, ink_painter_stream use, int64_t sample);

// Scenes [first, first + n) as F32 (n, side, side, 3) in [-1, 1], drawn by the context's team.
// Errors stay in the context; NULL then.
ink_tensor *ink_scene_tensor(ink_compute *c, const ink_sprites *sprites, ink_scene_split split,
                             uint64_t seed, int64_t first, int64_t n, int32_t side);

// Fill samples [first, first + n) of width `size` with normals of this deviation; each depends on
// (seed, stream, its number) alone.
ink_tensor *ink_normal_tensor(ink_compute *c, uint64_t seed, ink_painter_stream stream,
                              int64_t first, int rank, const int64_t *shape, float deviation);

// Write folder/config.json and folder/<file>, the parameters as F16 under their names.
ink_status ink_part_save(const char *folder, const char *file, const ink_parameter *parameters,
                         size_t n, const json_t *config, ink_error *error);
// Write a JSON value to folder/name.
ink_status ink_json_save_below(const char *folder, const char *name, const json_t *value,
                               ink_error *error);

// Copy picture `index` of values (…, H, W, 3) in [-1, 1] into a sheet at a corner.
void ink_sheet_place(ink_picture *sheet, const ink_tensor *values, int64_t index, int32_t x,
                     int32_t y);
// Write a sheet as folder/sheet-000500.png.
ink_status ink_sheet_save(const ink_picture *sheet, const char *folder, int64_t step,
                          ink_error *error);

#endif
