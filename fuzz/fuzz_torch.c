// Fuzz target: the reader of PyTorch files, its archive and its pickle.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "weights/torch.h"

static volatile unsigned sink;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  ink_torch *file;
  ink_error error = {0};
  if (ink_torch_parse(bytes, size, "input", &file, &error) != INK_OK) return 0;
  for (size_t i = 0; i < ink_torch_count(file); i++) {
    const ink_stored_tensor *tensor = ink_torch_at(file, i);
    sink += (unsigned)strlen(tensor->name);
    for (int j = 0; j < tensor->rank; j++) sink += (unsigned)tensor->shape[j];
    if (!tensor->usable) continue;
    size_t needed;
    if (!ink_tensor_bytes(tensor->dtype, tensor->rank, tensor->shape, &needed)) abort();
    if (needed != tensor->bytes) abort();
    if ((uintptr_t)tensor->data % ink_dtype_about(tensor->dtype)->block_bytes != 0 && needed) {
      abort();
    }
    for (size_t j = 0; j < tensor->bytes; j++) sink += tensor->data[j];
  }
  ink_torch_close(file);
  return 0;
}
