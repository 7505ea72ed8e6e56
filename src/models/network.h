// Inside the room: what the networks of Stable Diffusion are made of. Parameters bound one by one
// from a source, layers that several networks share, and scopes that give memory back in between.
// Activations are (B, H, W, C).
#ifndef INK_MODELS_NETWORK_H
#define INK_MODELS_NETWORK_H

#include <jansson.h>

#include "models/decoder.h"
#include "models/layers.h"
#include "models/source.h"
#include "tensor/ops.h"

// ---- parameters --------------------------------------------------------------------------------

enum { INK_NAME = 192 };

// A stored tensor that holds a parameter, or rows of it.
typedef struct ink_stored_name {
  char name[INK_NAME];
  int64_t part, parts;  // which of how many equal parts of its rows; 0, 1 for all
  bool transposed;      // stored (in, out)
} ink_stored_name;

// The parameters of a network, in the order of its forward pass.
typedef struct ink_network {
  ink_arena *arena;  // parameters it owns, names, structures
  ink_parameter *parameters;
  size_t n, capacity;
} ink_network;

// Asks a source for one parameter after the other. The first failure is kept, what follows it is
// skipped; ink_network_finish reports it.
typedef struct ink_network_builder {
  ink_network *network;
  const ink_source *source;
  // The stored name of a parameter in the source's naming; false when it has none. NULL: the same.
  bool (*translate)(const void *config, ink_naming naming, const char *name, ink_stored_name *out);
  const void *config;
  char scope[INK_NAME];  // stands before the names of what is bound now
  bool *used;            // tensors of the source
  ink_status status;
  ink_error *error;
} ink_network_builder;

// Begin; *error outlives the builder.
void ink_network_start(ink_network_builder *b, ink_network *network, const ink_source *source,
                       const void *config,
                       bool (*translate)(const void *config, ink_naming naming, const char *name,
                                         ink_stored_name *out),
                       ink_error *error);
// Report the first failure, or tensors below the source's prefix that nobody asked for (CONFLICT,
// with names). Releases what the builder holds.
ink_status ink_network_finish(ink_network_builder *b);
void ink_network_free(ink_network *network);

// Set the scope, as printf: "down_blocks.%d.resnets.%d.".
void ink_network_scope(ink_network_builder *b, const char *format, ...) INK_PRINTF(2, 3);
// Memory of the network, cleared; NULL after a failure.
void *ink_network_take(ink_network_builder *b, size_t count, size_t size);

// A table (rows, columns) below the scope, by the whole of its name.
ink_tensor *ink_network_table(ink_network_builder *b, const char *name, int64_t rows,
                              int64_t columns);
// name.weight and name.bias below the scope.
ink_norm ink_network_norm(ink_network_builder *b, const char *name, int64_t width);
ink_projection ink_network_linear(ink_network_builder *b, const char *name, int64_t out, int64_t in,
                                  bool bias);

// A convolution of square kernels.
typedef struct ink_convolution {
  ink_tensor *weight;  // (out, in, k, k)
  ink_tensor *bias;    // or NULL
} ink_convolution;
ink_convolution ink_network_convolution(ink_network_builder *b, const char *name, int64_t out,
                                        int64_t in, int64_t kernel, bool bias);

// ---- layers ------------------------------------------------------------------------------------

// Padded so that the size stays (stride 1), or halves (stride 2).
ink_tensor *ink_run_convolution(ink_compute *c, const ink_tensor *x, const ink_convolution *w,
                                int64_t stride);
// relu(convolution(x) + also), stride 1; `also` may be NULL.
ink_tensor *ink_run_convolution_relu(ink_compute *c, const ink_tensor *x, const ink_convolution *w,
                                     const ink_tensor *also);
// A convolution over x enlarged by two, with a 3 x 3 kernel and padding 1.
ink_tensor *ink_run_enlarged(ink_compute *c, const ink_tensor *x, const ink_convolution *w);

// What normalisation is over: groups of channels, with this epsilon.
typedef struct ink_groups {
  int64_t n;
  float epsilon;
} ink_groups;
ink_tensor *ink_normalise_groups(ink_compute *c, const ink_tensor *x, const ink_norm *w,
                                 ink_groups groups);
// The same and SiLU.
ink_tensor *ink_activate_groups(ink_compute *c, const ink_tensor *x, const ink_norm *w,
                                ink_groups groups);

// A residual block (diffusers, ResnetBlock2D): norm, SiLU, convolution, the time's embedding added,
// norm, SiLU, convolution; the shortcut is a 1x1 convolution where the channels change.
typedef struct ink_resnet {
  ink_norm norm1, norm2;
  ink_convolution conv1, conv2;
  ink_projection time;  // weight NULL: without
  ink_convolution shortcut;
} ink_resnet;
// time_width 0: without time.
void ink_network_resnet(ink_network_builder *b, int64_t in, int64_t out, int64_t time_width,
                        ink_resnet *w);
// x (B, H, W, in); time (B, time_width), SiLU applied, or NULL.
ink_tensor *ink_run_resnet(ink_compute *c, const ink_resnet *w, ink_groups groups,
                           const ink_tensor *x, const ink_tensor *time);

// (B, H, W, C) seen as (B, H * W, C), and back to a picture's height and width.
ink_tensor *ink_picture_rows(ink_compute *c, const ink_tensor *x);
ink_tensor *ink_rows_picture(ink_compute *c, const ink_tensor *x, int64_t height, int64_t width);

// Attention of all queries to all keys: q (B, T, C), k and v (B, S, C), n_head heads.
ink_tensor *ink_attend_all(ink_compute *c, const ink_tensor *q, const ink_tensor *k,
                           const ink_tensor *v, int64_t n_head);

// ---- memory ------------------------------------------------------------------------------------

// A stretch of a forward pass whose intermediate results are given back at its end, where no tape
// needs them: the result's place is taken before them.
typedef struct ink_scope {
  ink_tensor *result;  // NULL while a tape is open, or after a failure
  ink_arena_mark mark;
} ink_scope;

// Open a scope that will give a tensor of this type and shape.
ink_scope ink_scope_open(ink_compute *c, ink_dtype dtype, int rank, const int64_t *shape);
// Give back all but y: what the scope gives.
ink_tensor *ink_scope_close(ink_compute *c, ink_scope *scope, ink_tensor *y);
// Give back all, and give a + b.
ink_tensor *ink_scope_close_sum(ink_compute *c, ink_scope *scope, const ink_tensor *a,
                                const ink_tensor *b);
// Open one for a picture like x with so many channels.
ink_scope ink_scope_like(ink_compute *c, const ink_tensor *x, int64_t channels);

// ---- config.json of diffusers -------------------------------------------------------------------

enum { INK_MAX_LEVELS = 8 };

// A list of n sizes; a single number stands for n equal ones. The default when it is absent.
ink_status ink_config_sizes(const json_t *json, const char *name, const char *key, int n,
                            int32_t fallback, int32_t *out, ink_error *error);
// The length of a list that must be there, from 1 to INK_MAX_LEVELS.
ink_status ink_config_levels(const json_t *json, const char *name, const char *key, int *n,
                             ink_error *error);
// A choice that this program knows in one form alone: UNSUPPORTED, with key and value, for any
// other. `value` is JSON text.
typedef struct ink_config_fixed {
  const char *key, *value;
} ink_config_fixed;
ink_status ink_config_only(const json_t *json, const char *name, const ink_config_fixed *fixed,
                           size_t n, ink_error *error);
// The class that the file says it is for must be this one, if it says.
ink_status ink_config_class(const json_t *json, const char *name, const char *class_name,
                            ink_error *error);

#endif
