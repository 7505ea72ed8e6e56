// What the tests of Stable Diffusion's networks share.
#ifndef INK_TESTS_NETWORKS_TESTING_H
#define INK_TESTS_NETWORKS_TESTING_H

#include <math.h>

#include "base/json.h"
#include "models/clip.h"
#include "models/source.h"
#include "models/taesd.h"
#include "models/unet.h"
#include "models/vae.h"
#include "testing.h"
#include "weights/weights.h"

// A folder of tests/fixtures/networks with its weights, its config and what is expected of it.
typedef struct network_fixture {
  const char *name;
  ink_weights *weights, *expected;
  ink_arena *arena;
  ink_pool *pool;
  ink_compute compute;
} network_fixture;

static inline ink_weights *open_network_file(const char *name, const char *file) {
  ink_weights *weights;
  ink_error error = {0};
  char path[128];
  snprintf(path, sizeof path, "networks/%s%s", name, file);
  assert_ok(ink_weights_open(fixture_path(path), &weights, &error));
  return weights;
}

static inline network_fixture open_network(const char *name) {
  network_fixture f = {.name = name,
                       .weights = open_network_file(name, ""),
                       .expected = open_network_file(name, "/expected.safetensors"),
                       .arena = ink_arena_new(0),
                       .pool = ink_pool_new(2)};
  f.compute = (ink_compute){.arena = f.arena, .pool = f.pool};
  return f;
}

static inline void close_network(network_fixture *f) {
  ink_pool_free(f->pool);
  ink_arena_free(f->arena);
  ink_weights_close(f->expected);
  ink_weights_close(f->weights);
}

// A tensor of expected.safetensors; NULL when there is none.
static inline const ink_tensor *find_expected(const network_fixture *f, const char *format, ...)
    INK_PRINTF(2, 3);
static inline const ink_tensor *find_expected(const network_fixture *f, const char *format, ...) {
  char name[64];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(name, sizeof name, format, arguments);
  va_end(arguments);
  return ink_weights_find(f->expected, name);
}

// `found` has the shape of `wanted`, and no element differs by more than the tolerance.
static inline void check_close(network_fixture *f, const char *what, const ink_tensor *found,
                               const ink_tensor *wanted, double tolerance) {
  char a[96], b[96];
  ink_error error = {0};
  assert_ok(ink_compute_status(&f->compute, &error));
  if (!found || !wanted) fail_msg("%s: %s is not there", f->name, what);
  if (!ink_tensor_same_shape(found, wanted)) {
    fail_msg("%s: %s is %s, not %s", f->name, what, ink_tensor_describe(found, a),
             ink_tensor_describe(wanted, b));
  }
  ink_tensor *dense = ink_cast(&f->compute, found, INK_F32);
  double most = 0;
  for (int64_t i = 0; i < ink_tensor_elements(wanted); i++) {
    double d = fabs((double)((float *)dense->data)[i] - (double)((float *)wanted->data)[i]);
    if (!(d <= most)) most = d;
  }
  print_message("# %-10s %-10s %.1e\n", f->name, what, most);
  if (!(most <= tolerance)) fail_msg("%s: %s differs by %g", f->name, what, most);
}

#endif
