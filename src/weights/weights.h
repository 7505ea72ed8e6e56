// A model's weights: a read-only set of named tensors, memory-mapped in the format they are stored
// in, with the metadata that came along.
//
// Opened weights never change: any number of threads may use them at the same time. A file that
// another program cuts short while it is mapped takes this process down (SIGBUS); writers that
// replace files by renaming, as ours do, are no danger.
#ifndef INK_WEIGHTS_WEIGHTS_H
#define INK_WEIGHTS_WEIGHTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/status.h"
#include "tensor/tensor.h"
#include "weights/gguf.h"
#include "weights/safetensors.h"
#include "weights/torch.h"

typedef struct ink_weights ink_weights;

typedef enum ink_weights_format {
  INK_WEIGHTS_SAFETENSORS,
  INK_WEIGHTS_GGUF,
  INK_WEIGHTS_TORCH
} ink_weights_format;

// One tensor as it is stored.
typedef struct ink_weights_entry {
  const char *name;
  const char *type_name;  // the format's name for its type: "BF16", "Q5_K", "I64"
  bool usable;            // inkstone computes with this type; else `tensor` is empty
  ink_tensor tensor;      // a contiguous view of the file; its elements must not be written
  int rank;               // rank and shape also where it is not usable
  const int64_t *shape;   // outermost first
  size_t bytes;
  uint64_t offset;  // in the file
  size_t file;      // which of the files holds it
} ink_weights_entry;

// Open the weights at `path`, which is one of
//   - a Hugging Face folder: model.safetensors, or model.safetensors.index.json and the shards it
//     names, of transformers or (with "diffusion_pytorch_" in front) of diffusers, also in halves
//     (model.fp16.safetensors); failing these pytorch_model.bin or diffusion_pytorch_model.bin, or
//     else the one GGUF in the folder. config.json is read when it is there;
//   - a .safetensors file;
//   - a PyTorch file (.ckpt, .pt, .pth, .bin), of which tensors alone are read (weights/torch.h);
//   - a .gguf file; of a split one (NAME-00001-of-00003.gguf) any part stands for the whole.
// The kind is told by the content, not by the ending. *weights is the caller's (ink_weights_close);
// NULL on failure. NOT_FOUND: nothing there, with what was looked for. FORMAT, UNSUPPORTED: as
// ink_gguf_open, ink_safetensors_open and ink_torch_open; also a tensor in two shards, and a shard
// that lies outside the folder or lacks what the index promises.
ink_status ink_weights_open(const char *path, ink_weights **weights, ink_error *error);
void ink_weights_close(ink_weights *weights);

ink_weights_format ink_weights_format_of(const ink_weights *weights);
// The path it was opened from.
const char *ink_weights_path(const ink_weights *weights);
// What a person calls the model at a path: the folder's or file's name without its ending; in the
// Hugging Face cache "ORG/REPO". malloc'ed; NULL without memory.
char *ink_model_name(const char *path);
// That of the path it was opened from.
const char *ink_weights_name(const ink_weights *weights);

// The weight files, in the order of their names.
size_t ink_weights_n_files(const ink_weights *weights);
const char *ink_weights_file(const ink_weights *weights, size_t index);

// Tensors in the order of the files and of their places in them.
size_t ink_weights_count(const ink_weights *weights);
const ink_weights_entry *ink_weights_at(const ink_weights *weights, size_t index);
// Scalars in all tensors.
int64_t ink_weights_parameters(const ink_weights *weights);

// The entry of a name whatever its type; NULL when there is none.
const ink_weights_entry *ink_weights_entry_of(const ink_weights *weights, const char *name);
// The tensor of a name; NULL when there is none or when its type is not usable.
const ink_tensor *ink_weights_find(const ink_weights *weights, const char *name);
// The tensor of a name, of this rank and shape (-1 in `shape`: any extent). NOT_FOUND names the
// tensor and the shape that was expected, CONFLICT both shapes, UNSUPPORTED the type.
ink_status ink_weights_get(const ink_weights *weights, const char *name, int rank,
                           const int64_t *shape, const ink_tensor **tensor, ink_error *error);

// config.json of a Hugging Face folder, an object; NULL when there is none. Borrowed.
const json_t *ink_weights_config(const ink_weights *weights);
// The GGUF file with the metadata (of a split model the first part); NULL for other formats.
const ink_gguf *ink_weights_gguf(const ink_weights *weights);

// Let go of the pages that hold `bytes` at `data`, where these weights' files hold them: a weight
// that has been prepared (tensor/prepared.h) is not read again, and its pages need not stay in
// memory. Whoever reads it none the less finds it in the file. Other memory is left alone.
void ink_weights_let_go(const ink_weights *weights, const void *data, size_t bytes);

// SHA-256 of the model. With one weight file it is the hash of that file; with more, the hash of
// the text that `sha256sum` prints for the files' names in order ("HEX  NAME\n" each), so that
//   cd FOLDER && sha256sum model-*.safetensors | sha256sum
// gives it too.
typedef enum ink_hash_trust {
  // A hash noted earlier will do: the blob name that the Hugging Face cache gives a file, or one
  // under $XDG_CACHE_HOME/inkstone noted for the same path, size, inode and times of change. Hashes
  // that had to be computed are noted there.
  INK_HASH_NOTED,
  INK_HASH_COMPUTE  // read every byte
} ink_hash_trust;
ink_status ink_weights_sha256(const ink_weights *weights, ink_hash_trust trust,
                              char hex[INK_SHA256_HEX], ink_error *error);

#endif
