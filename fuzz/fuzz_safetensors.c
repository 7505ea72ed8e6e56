// Fuzz target: the safetensors reader and its accessors.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "weights/safetensors.h"

static volatile unsigned sink;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  ink_safetensors *file;
  ink_error error = {0};
  if (ink_safetensors_parse(bytes, size, "input", &file, &error) != INK_OK) return 0;
  for (size_t i = 0; i < ink_safetensors_count(file); i++) {
    const ink_stored_tensor *tensor = ink_safetensors_at(file, i);
    if (ink_safetensors_find(file, tensor->name) != tensor) abort();
    if (tensor->usable) {
      size_t needed;
      if (!ink_tensor_bytes(tensor->dtype, tensor->rank, tensor->shape, &needed)) abort();
      if (needed != tensor->bytes) abort();
      if ((uintptr_t)tensor->data % ink_dtype_about(tensor->dtype)->block_bytes != 0 && needed) {
        abort();
      }
    }
    for (int j = 0; j < tensor->rank; j++) sink += (unsigned)tensor->shape[j];
    for (size_t j = 0; j < tensor->bytes; j++) sink += tensor->data[j];
  }
  for (size_t i = 0; i < ink_safetensors_n_metadata(file); i++) {
    const char *key, *value;
    ink_safetensors_metadata_at(file, i, &key, &value);
    if (ink_safetensors_metadata(file, key) != value) abort();
    sink += (unsigned)strlen(value);
  }
  ink_safetensors_close(file);
  return 0;
}
