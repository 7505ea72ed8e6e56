// Writing weights: what was read comes out again bit by bit, and nothing half-written ever appears.
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "files.h"
#include "scratch.h"
#include "weights/gguf.h"
#include "weights/safetensors.h"

// Copy through reader and writer, in pieces of odd sizes.
static void copy_gguf(const char *from, const char *to) {
  ink_gguf *file;
  ink_error error = {0};
  assert_ok(ink_gguf_open(from, &file, &error));
  ink_gguf_writer *writer = ink_gguf_writer_new();
  for (size_t i = 0; i < ink_gguf_n_values(file); i++) {
    ink_gguf_add_value(writer, ink_gguf_value_at(file, i));
  }
  for (size_t i = 0; i < ink_gguf_n_tensors(file); i++) {
    const ink_stored_tensor *tensor = ink_gguf_tensor_at(file, i);
    ink_gguf_add_tensor(writer, tensor->name, tensor->dtype, tensor->rank, tensor->shape);
  }
  assert_ok(ink_gguf_writer_open(writer, to, &error));
  for (size_t i = 0; i < ink_gguf_n_tensors(file); i++) {
    const ink_stored_tensor *tensor = ink_gguf_tensor_at(file, i);
    for (size_t at = 0; at < tensor->bytes;) {
      size_t size = 1 + (at * 7 + i) % 1000;
      if (size > tensor->bytes - at) size = tensor->bytes - at;
      assert_ok(ink_gguf_writer_data(writer, tensor->data + at, size, &error));
      at += size;
    }
  }
  assert_ok(ink_gguf_writer_commit(writer, &error));
  ink_gguf_writer_free(writer);
  ink_gguf_close(file);
}

static void gguf_comes_out_as_it_went_in(void **state) {
  (void)state;
  static const char *const names[] = {"models/llama/model.gguf", "models/qwen3/model-q8_0.gguf",
                                      "models/qwen3/model-q4_0.gguf", "models/qwen3-k/model.gguf",
                                      "models/gpt2/model.gguf"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    copy_gguf(fixture_path(names[i]), in_scratch("copy.gguf"));
    assert_same_files(fixture_path(names[i]), in_scratch("copy.gguf"));
  }
}

// The order of tensors in the file is the writer's; given as it was it must be the same.
static void copy_safetensors(const char *from, const char *to, bool backwards) {
  ink_safetensors *file;
  ink_error error = {0};
  assert_ok(ink_safetensors_open(from, &file, &error));
  size_t n = ink_safetensors_count(file), n_metadata = ink_safetensors_n_metadata(file);
  ink_safetensors_entry *entries = calloc(n, sizeof *entries);
  const ink_stored_tensor **tensors = calloc(n, sizeof *tensors);
  const char *metadata[8][2];
  assert_true(n_metadata <= 8);
  for (size_t i = 0; i < n_metadata; i++) {
    ink_safetensors_metadata_at(file, i, &metadata[i][0], &metadata[i][1]);
  }
  for (size_t i = 0; i < n; i++) {
    tensors[i] = ink_safetensors_at(file, backwards ? n - 1 - i : i);
    entries[i] = (ink_safetensors_entry){
        .name = tensors[i]->name, .type_name = tensors[i]->type_name, .rank = tensors[i]->rank};
    memcpy(entries[i].shape, tensors[i]->shape, (size_t)tensors[i]->rank * sizeof(int64_t));
  }
  ink_safetensors_writer *writer;
  assert_ok(ink_safetensors_create(to, entries, n, (const char *const(*)[2])metadata, n_metadata,
                                   &writer, &error));
  for (size_t i = 0; i < n; i++) {
    const ink_stored_tensor *tensor = tensors[ink_safetensors_writer_order(writer)[i]];
    size_t half = tensor->bytes / 2;
    assert_ok(ink_safetensors_writer_data(writer, tensor->data, half, &error));
    assert_ok(
        ink_safetensors_writer_data(writer, tensor->data + half, tensor->bytes - half, &error));
  }
  assert_ok(ink_safetensors_writer_commit(writer, &error));
  ink_safetensors_writer_free(writer);
  free(entries);
  free(tensors);
  ink_safetensors_close(file);
}

static void safetensors_come_out_as_the_reference_writes_them(void **state) {
  (void)state;
  static const char *const names[] = {
      "models/llama/model.safetensors", "models/gpt2/model.safetensors",
      "models/qwen3/model.safetensors", "diffusion/painter.safetensors"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    for (int backwards = 0; backwards < 2; backwards++) {
      copy_safetensors(fixture_path(names[i]), in_scratch("copy.safetensors"), backwards);
      assert_same_files(fixture_path(names[i]), in_scratch("copy.safetensors"));
    }
  }
}

static void every_metadata_type_comes_back(void **state) {
  (void)state;
  ink_error error = {0};
  const ink_gguf_string strings[] = {{"a", 1}, {"", 0}, {"\xFF\0z", 3}};
  const int32_t integers[] = {-1, 0, INT32_MAX};
  const float floats[] = {-0.0f, 1e-30f, 3.5f};
  ink_gguf_writer *writer = ink_gguf_writer_new();
  ink_gguf_add_u32(writer, "u32", UINT32_MAX);
  ink_gguf_add_i32(writer, "i32", -7);
  ink_gguf_add_u64(writer, "u64", UINT64_C(1) << 40);
  ink_gguf_add_f32(writer, "f32", 0.1f);
  ink_gguf_add_bool(writer, "bool", true);
  ink_gguf_add_string(writer, "string", "砚", 3);
  ink_gguf_add_strings(writer, "strings", strings, 3);
  ink_gguf_add_i32s(writer, "i32s", integers, 3);
  ink_gguf_add_f32s(writer, "f32s", floats, 3);
  assert_ok(ink_gguf_writer_open(writer, in_scratch("types.gguf"), &error));
  assert_ok(ink_gguf_writer_commit(writer, &error));
  ink_gguf_writer_free(writer);

  ink_gguf *file;
  int64_t integer = 0;
  double number = 0;
  bool flag = false;
  ink_gguf_string string = {0};
  const ink_gguf_value *array = NULL;
  assert_ok(ink_gguf_open(in_scratch("types.gguf"), &file, &error));
  assert_ok(ink_gguf_get_int(file, "u32", true, 0, INT64_MAX, &integer, &error));
  assert_int_equal(integer, UINT32_MAX);
  assert_ok(ink_gguf_get_int(file, "i32", true, -10, 0, &integer, &error));
  assert_int_equal(integer, -7);
  assert_ok(ink_gguf_get_int(file, "u64", true, 0, INT64_MAX, &integer, &error));
  assert_true(integer == INT64_C(1) << 40);
  assert_ok(ink_gguf_get_number(file, "f32", true, 0, 1, &number, &error));
  assert_true((float)number == 0.1f);
  assert_ok(ink_gguf_get_bool(file, "bool", true, &flag, &error));
  assert_true(flag);
  assert_ok(ink_gguf_get_string(file, "string", true, &string, &error));
  assert_true(ink_gguf_string_is(string, "砚"));
  assert_ok(ink_gguf_get_array(file, "strings", true, INK_GGUF_STRING, &array, &error));
  size_t at = 0, n = 0;
  while (ink_gguf_next_string(array, &at, &string)) {
    assert_int_equal(string.size, strings[n].size);
    assert_memory_equal(string.bytes, strings[n].bytes, string.size);
    n++;
  }
  assert_int_equal(n, 3);
  assert_ok(ink_gguf_get_array(file, "i32s", true, INK_GGUF_I32, &array, &error));
  for (uint64_t i = 0; i < 3; i++) assert_int_equal(ink_gguf_item_int(array, i), integers[i]);
  assert_ok(ink_gguf_get_array(file, "f32s", true, INK_GGUF_F32, &array, &error));
  for (uint64_t i = 0; i < 3; i++) {
    assert_true((float)ink_gguf_item_number(array, i) == floats[i]);
  }
  ink_gguf_close(file);
}

static void what_the_formats_cannot_hold_is_refused(void **state) {
  (void)state;
  ink_error error = {0};
  const int64_t shape[5] = {1, 1, 1, 1, 32};
  ink_safetensors_writer *safetensors;
  ink_safetensors_entry entries[2] = {{.name = "a", .type_name = "Q8_0", .rank = 1, .shape = {32}},
                                      {.name = "b", .type_name = "F32", .rank = 1, .shape = {1}}};
  assert_int_equal(
      ink_safetensors_create(in_scratch("x"), entries, 2, NULL, 0, &safetensors, &error),
      INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "Q8_0"));
  entries[0] = (ink_safetensors_entry){.name = "b", .type_name = "F16", .rank = 1, .shape = {3}};
  assert_int_equal(
      ink_safetensors_create(in_scratch("x"), entries, 2, NULL, 0, &safetensors, &error),
      INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "twice"));
  entries[0].name = "not\xFF";
  assert_int_equal(
      ink_safetensors_create(in_scratch("x"), entries, 2, NULL, 0, &safetensors, &error),
      INK_ERR_USAGE);

  static const struct {
    const char *key, *first, *second;
    ink_dtype dtype;
    int rank;
  } wrong[] = {{"twice", "a", "b", INK_F32, 1},
               {"once", "a", "a", INK_F32, 1},
               {"once", "a", "b", INK_F32, 5},
               {"once", "a", "b", INK_Q8_0, 1}};  // rows of 1
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    ink_gguf_writer *writer = ink_gguf_writer_new();
    ink_gguf_add_u32(writer, "twice", 1);
    ink_gguf_add_u32(writer, wrong[i].key, 1);
    ink_gguf_add_tensor(writer, wrong[i].first, INK_F32, 1, shape);
    ink_gguf_add_tensor(writer, wrong[i].second, wrong[i].dtype, wrong[i].rank, shape);
    assert_int_equal(ink_gguf_writer_open(writer, in_scratch("x"), &error), INK_ERR_USAGE);
    ink_gguf_writer_free(writer);
  }
  static const uint32_t alignments[] = {0, 4, 33, UINT32_C(1) << 31};
  for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
    ink_gguf_writer *writer = ink_gguf_writer_new();
    ink_gguf_add_u32(writer, "general.alignment", alignments[i]);
    assert_int_equal(ink_gguf_writer_open(writer, in_scratch("x"), &error), INK_ERR_USAGE);
    ink_gguf_writer_free(writer);
  }
  assert_false(ink_file_exists(in_scratch("x")));
}

static void too_much_or_too_little_data_is_refused_and_leaves_no_file(void **state) {
  (void)state;
  ink_error error = {0};
  const float data[4] = {0};
  int before = count_entries(scratch);

  ink_safetensors_entry entry = {.name = "a", .type_name = "F32", .rank = 1, .shape = {3}};
  ink_safetensors_writer *safetensors;
  assert_ok(ink_safetensors_create(in_scratch("x"), &entry, 1, NULL, 0, &safetensors, &error));
  assert_int_equal(ink_safetensors_writer_data(safetensors, data, 16, &error), INK_ERR_USAGE);
  assert_ok(ink_safetensors_writer_data(safetensors, data, 8, &error));
  assert_int_equal(ink_safetensors_writer_commit(safetensors, &error), INK_ERR_USAGE);
  ink_safetensors_writer_free(safetensors);

  ink_gguf_writer *gguf = ink_gguf_writer_new();
  ink_gguf_add_tensor(gguf, "a", INK_F32, 1, (int64_t[]){3});
  ink_gguf_add_tensor(gguf, "none", INK_F32, 1, (int64_t[]){0});
  assert_ok(ink_gguf_writer_open(gguf, in_scratch("x"), &error));
  assert_ok(ink_gguf_writer_data(gguf, data, 8, &error));
  assert_int_equal(ink_gguf_writer_commit(gguf, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "tensor a "));
  assert_int_equal(ink_gguf_writer_data(gguf, data, 16, &error), INK_ERR_USAGE);
  ink_gguf_writer_free(gguf);

  assert_int_equal(count_entries(scratch), before);
}

static void a_full_disk_is_an_error_and_leaves_no_file(void **state) {
  (void)state;
  ink_error error = {0};
  enum { N = 1 << 20 };
  struct rlimit before, small = {.rlim_cur = 100000};
  int files = count_entries(scratch);
  float *data = calloc(N, sizeof *data);
  signal(SIGXFSZ, SIG_IGN);
  getrlimit(RLIMIT_FSIZE, &before);
  small.rlim_max = before.rlim_max;
  setrlimit(RLIMIT_FSIZE, &small);
  ink_gguf_writer *writer = ink_gguf_writer_new();
  ink_gguf_add_tensor(writer, "a", INK_F32, 1, (int64_t[]){N});
  ink_status status = ink_gguf_writer_open(writer, in_scratch("full.gguf"), &error);
  if (status == INK_OK) status = ink_gguf_writer_data(writer, data, N * sizeof *data, &error);
  if (status == INK_OK) status = ink_gguf_writer_commit(writer, &error);
  setrlimit(RLIMIT_FSIZE, &before);
  ink_gguf_writer_free(writer);
  free(data);
  assert_int_equal(status, INK_ERR_IO);
  assert_non_null(strstr(error.text, "full.gguf"));
  assert_int_equal(count_entries(scratch), files);
}

static void random_tensors_of_all_types_come_back_aligned(void **state) {
  (void)state;
  ink_error error = {0};
  for (uint64_t round = 0; round < 20; round++) {
    enum { N = 12 };
    ink_random random = ink_random_at(3, round, 0);
    ink_gguf_writer *writer = ink_gguf_writer_new();
    ink_dtype types[N];
    int64_t shapes[N][3];
    for (int i = 0; i < N; i++) {
      char name[20];
      snprintf(name, sizeof name, "tensor.%d", i);
      types[i] = (ink_dtype)ink_random_below(&random, INK_DTYPE_COUNT);
      shapes[i][0] = (int64_t)ink_random_below(&random, 4);
      shapes[i][1] = (int64_t)(1 + ink_random_below(&random, 3));
      shapes[i][2] =
          (int64_t)(1 + ink_random_below(&random, 2)) * ink_dtype_about(types[i])->block_elements;
      ink_gguf_add_tensor(writer, name, types[i], 3, shapes[i]);
    }
    assert_ok(ink_gguf_writer_open(writer, in_scratch("random.gguf"), &error));
    for (int i = 0; i < N; i++) {
      size_t bytes;
      assert_true(ink_tensor_bytes(types[i], 3, shapes[i], &bytes));
      unsigned char *data = malloc(bytes + 1);
      memset(data, i + 1, bytes);
      assert_ok(ink_gguf_writer_data(writer, data, bytes, &error));
      free(data);
    }
    assert_ok(ink_gguf_writer_commit(writer, &error));
    ink_gguf_writer_free(writer);
    ink_gguf *file;
    assert_ok(ink_gguf_open(in_scratch("random.gguf"), &file, &error));
    for (int i = 0; i < N; i++) {
      const ink_stored_tensor *tensor = ink_gguf_tensor_at(file, (size_t)i);
      assert_int_equal(tensor->dtype, types[i]);
      assert_memory_equal(tensor->shape, shapes[i], sizeof shapes[i]);
      assert_int_equal(tensor->offset % 32, 0);
      for (size_t j = 0; j < tensor->bytes; j++) assert_int_equal(tensor->data[j], i + 1);
    }
    ink_gguf_close(file);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gguf_comes_out_as_it_went_in),
      cmocka_unit_test(safetensors_come_out_as_the_reference_writes_them),
      cmocka_unit_test(every_metadata_type_comes_back),
      cmocka_unit_test(what_the_formats_cannot_hold_is_refused),
      cmocka_unit_test(too_much_or_too_little_data_is_refused_and_leaves_no_file),
      cmocka_unit_test(a_full_disk_is_an_error_and_leaves_no_file),
      cmocka_unit_test(random_tensors_of_all_types_come_back_aligned),
  };
  return cmocka_run_group_tests_name("writers", tests, scratch_open, scratch_close);
}
