// Fuzz target: the GGUF reader and its accessors.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "weights/gguf.h"

static volatile unsigned sink;

static void read_value(const ink_gguf *file, const ink_gguf_value *value) {
  ink_error error = {0};
  ink_gguf_string string = {0};
  const ink_gguf_value *array = NULL;
  int64_t integer = 0;
  double number = 0;
  bool flag = false;
  size_t at = 0;
  ink_gguf_get_int(file, value->key, true, INT64_MIN, INT64_MAX, &integer, &error);
  ink_gguf_get_number(file, value->key, true, -1e300, 1e300, &number, &error);
  ink_gguf_get_bool(file, value->key, true, &flag, &error);
  ink_gguf_get_string(file, value->key, true, &string, &error);
  ink_gguf_get_array(file, value->key, true, INK_GGUF_STRING, &array, &error);
  for (size_t i = 0; i < string.size; i++) sink += (unsigned char)string.bytes[i];
  while (ink_gguf_next_string(value, &at, &string)) {
    for (size_t i = 0; i < string.size; i++) sink += (unsigned char)string.bytes[i];
  }
  for (uint64_t i = 0; i < value->n; i++) {
    sink += (unsigned)ink_gguf_item_int(value, i);
    sink += ink_gguf_item_number(value, i) > 0;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  ink_gguf *file;
  ink_error error = {0};
  if (ink_gguf_parse(bytes, size, "input", &file, &error) != INK_OK) return 0;
  for (size_t i = 0; i < ink_gguf_n_values(file); i++) {
    const ink_gguf_value *value = ink_gguf_value_at(file, i);
    if (ink_gguf_find(file, value->key) != value) abort();
    read_value(file, value);
  }
  for (size_t i = 0; i < ink_gguf_n_tensors(file); i++) {
    const ink_stored_tensor *tensor = ink_gguf_tensor_at(file, i);
    if (ink_gguf_find_tensor(file, tensor->name) != tensor) abort();
    for (size_t j = 0; j < tensor->bytes; j++) sink += tensor->data[j];
  }
  ink_gguf_close(file);
  return 0;
}
