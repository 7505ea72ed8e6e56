// PyTorch's own files (.pt, .pth, .ckpt, .bin): a ZIP archive with a pickle that describes tensors
// and one stored entry per storage (torch.save since 1.6; PyTorch, torch/serialization.py), or the
// older form, pickles with the storages behind them (weights/torch_old.h). Read by mapping. The
// pickle is read for tensors alone, nothing in it is run: weights/pickle.h.
#ifndef INK_WEIGHTS_TORCH_H
#define INK_WEIGHTS_TORCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "weights/stored_tensor.h"

typedef struct ink_torch ink_torch;

// True for bytes that begin as a ZIP archive or as a pickle: what ink_torch_open takes or refuses
// with a word.
bool ink_torch_is(const unsigned char *start, size_t size);

// Map and check a file. *file is the caller's (ink_torch_close); NULL on failure. Of a training
// checkpoint only what stands in "state_dict" (or "params_ema", "params", as upscalers have it)
// counts. Refused: tensors beyond their storage, storages whose size in the archive is another,
// views that use an element twice, names that stand there twice. UNSUPPORTED, by name: globals that
// tensors do not need, compressed entries, numbers stored big-endian, pickles of no known form.
// Memory grows with the size of the pickle, and by copies of at most the file's size.
ink_status ink_torch_open(const char *path, ink_torch **file, ink_error *error);
// The same for bytes[0 … size) in memory, which must outlive *file; `name` is what errors call it.
ink_status ink_torch_parse(const void *bytes, size_t size, const char *name, ink_torch **file,
                           ink_error *error);
void ink_torch_close(ink_torch *file);
// The mapped file; empty for bytes in memory.
const struct ink_map *ink_torch_map(const ink_torch *file);

// Tensors in the order of the pickle, members of dicts in dicts as "a.b", with types as safetensors
// spells them ("F16", "I64"; usable are F32, F16, BF16 and I32). Borrowed until ink_torch_close.
size_t ink_torch_count(const ink_torch *file);
const ink_stored_tensor *ink_torch_at(const ink_torch *file, size_t index);

#endif
