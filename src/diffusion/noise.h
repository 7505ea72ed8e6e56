// Where Gaussian noise comes from. Samplers know the interface alone, so that a watermark (mark/)
// can stand in for the initial noise; the sources below reproduce the generators of other tools, so
// that their seeds give the same noise here.
#ifndef INK_DIFFUSION_NOISE_H
#define INK_DIFFUSION_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mersenne.h"
#include "base/status.h"

typedef struct ink_noise_source {
  // Fill noise[0 … n) with standard normals. Called once for the initial latent, then whenever a
  // step of a stochastic sampler needs noise, in order.
  ink_status (*draw)(void *context, float *noise, size_t n, ink_error *error);
  void *context;
  // The noise of a step from one sigma to another, for solvers of the diffusion's SDE: increments
  // of one path (diffusion/brownian.h). NULL: `draw`.
  ink_status (*between)(void *context, double from, double to, float *noise, size_t n,
                        ink_error *error);
} ink_noise_source;

// Changes the first noise of a picture after it was drawn: a watermark.
typedef struct ink_noise_shaper {
  // `noise` is (channels, height, width), standard normal, and must stay so.
  ink_status (*shape)(void *context, int32_t channels, int32_t height, int32_t width, float *noise,
                      ink_error *error);
  void *context;
} ink_noise_shaper;

typedef enum ink_noise_kind {
  INK_NOISE_OWN,   // Philox at (seed, stream, position)
  INK_NOISE_CPU,   // torch.randn on the CPU: diffusers, ComfyUI
  INK_NOISE_CUDA,  // torch.randn on a CUDA device: A1111 ("NV")
  INK_NOISE_COUNT
} ink_noise_kind;

// "own", "cpu", "cuda".
const char *ink_noise_name(ink_noise_kind kind);
bool ink_noise_parse(const char *name, ink_noise_kind *kind);

// ---- torch on the CPU ---------------------------------------------------------------------------

// As at::CPUGeneratorImpl keeps it.
typedef struct ink_torch_cpu {
  ink_mersenne mersenne;
  bool has_spare;  // the second normal of a pair drawn one by one
  double spare;
} ink_torch_cpu;

// As torch.manual_seed(seed): the low 32 bits count.
void ink_torch_cpu_seed(ink_torch_cpu *generator, uint64_t seed);
uint32_t ink_torch_cpu_u32(ink_torch_cpu *generator);
// As torch.randn(n): from 16 elements on in blocks of 16 uniforms, the first eight giving radii and
// the last eight angles, and the last 16 elements anew where n is no multiple of 16; below, pair by
// pair in double precision. torch's vectorised logarithm and cosine differ from these in the last
// bits.
void ink_torch_cpu_normal(ink_torch_cpu *generator, float *out, size_t n);
// As torch.randn(n, dtype=torch.float64).
void ink_torch_cpu_normal_double(ink_torch_cpu *generator, double *out, size_t n);

// ---- torch on CUDA ------------------------------------------------------------------------------

// Philox4x32-10 as curand and at::CUDAGeneratorImpl use it.
typedef struct ink_torch_cuda {
  uint64_t seed;
  uint64_t offset;   // in 32-bit words per thread
  uint64_t threads;  // most threads of one launch: multiprocessors * threads of each
} ink_torch_cuda;

// As torch.cuda.manual_seed(seed). `threads` 0: as many as there are elements, which is what any
// device from 20 multiprocessors on does for up to 40,960 elements.
ink_torch_cuda ink_torch_cuda_seed(uint64_t seed, uint64_t threads);
// As torch.randn(n, device="cuda"): thread i draws four normals at a time for elements i,
// i + threads, i + 2 threads, i + 3 threads, and so on.
void ink_torch_cuda_normal(ink_torch_cuda *generator, float *out, size_t n);

// ---- any of them --------------------------------------------------------------------------------

typedef struct ink_noise {
  ink_noise_kind kind;
  uint64_t seed, stream, position;  // own
  ink_torch_cpu cpu;
  ink_torch_cuda cuda;
} ink_noise;

// `stream` keeps the pictures of one run apart in the own generator; the others take seed alone.
void ink_noise_start(ink_noise *noise, ink_noise_kind kind, uint64_t seed, uint64_t stream);
// The interface of a noise, which must outlive it.
ink_noise_source ink_noise_source_of(ink_noise *noise);

// Turn noise (channels, height, width) by a share of the way towards another, on the sphere
// (spherical interpolation), as A1111 does for variations: columns of pixels are its vectors.
void ink_noise_turn(int64_t channels, int64_t height, int64_t width, double share,
                    const float *towards, float *noise);

#endif
