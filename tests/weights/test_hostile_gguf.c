// GGUF files that lie. Each class of fault that broke another reader (CVE-2024-21802, -21825,
// -21836, -23496, -23605, CVE-2025-53630, CVE-2026-27940, -33298, -7482) is an error here that
// names file and byte, with little memory asked for.
#include <time.h>

#include "base/random.h"
#include "hostile.h"
#include "weights/gguf.h"
#include "weights/weights.h"

enum { U8 = 0, U32 = 4, F32 = 6, BOOL = 7, STRING = 8, ARRAY = 9 };
enum { TYPE_F32 = 0, TYPE_Q8_0 = 8, TYPE_Q5_K = 13 };

static void put_string(ink_text *out, const char *text) {
  put_u64(out, strlen(text));
  ink_text_add(out, text);
}

static void put_start(ink_text *out, uint32_t version, uint64_t n_tensors, uint64_t n_values) {
  ink_text_add(out, "GGUF");
  put_u32(out, version);
  put_u64(out, n_tensors);
  put_u64(out, n_values);
}

static void put_key(ink_text *out, const char *key, uint32_t type) {
  put_string(out, key);
  put_u32(out, type);
}

static void put_u32_value(ink_text *out, const char *key, uint32_t value) {
  put_key(out, key, U32);
  put_u32(out, value);
}

// A tensor description; dimensions innermost first, as in the file.
static void put_tensor(ink_text *out, const char *name, uint32_t rank, const uint64_t *dimensions,
                       uint32_t type, uint64_t offset) {
  put_string(out, name);
  put_u32(out, rank);
  for (uint32_t i = 0; i < rank; i++) put_u64(out, dimensions[i]);
  put_u32(out, type);
  put_u64(out, offset);
}

static void put_padding(ink_text *out) {
  while (out->size % 32) put_zeros(out, 1);
}

// Three values and two tensors of 2 x 4 and 32 elements, as a writer would put them.
static void make_valid(ink_text *out) {
  put_start(out, 3, 2, 3);
  put_key(out, "general.architecture", STRING);
  put_string(out, "llama");
  put_u32_value(out, "llama.block_count", 2);
  put_key(out, "tokenizer.ggml.tokens", ARRAY);
  put_u32(out, STRING);
  put_u64(out, 2);
  put_string(out, "a");
  put_string(out, "bc");
  put_tensor(out, "first", 2, (uint64_t[]){4, 2}, TYPE_F32, 0);
  put_tensor(out, "second", 1, (uint64_t[]){32}, TYPE_Q8_0, 32);
  put_padding(out);
  put_zeros(out, 32 + 34);
}

static void one_tensor(ink_text *out, uint32_t rank, const uint64_t *dimensions, uint32_t type,
                       uint64_t offset, size_t data) {
  put_start(out, 3, 1, 0);
  put_tensor(out, "t", rank, dimensions, type, offset);
  put_padding(out);
  put_zeros(out, data);
}

static void make_empty(ink_text *out) {
  (void)out;
}
static void make_wrong_magic(ink_text *out) {
  make_valid(out);
  out->bytes[0] = 'X';
}
static void make_version_1(ink_text *out) {
  put_start(out, 1, 0, 0);
}
static void make_version_4(ink_text *out) {
  put_start(out, 4, 0, 0);
}
static void make_big_endian(ink_text *out) {
  ink_text_add_bytes(out, "GGUF\0\0\0\3", 8);
  put_zeros(out, 16);
}
static void make_tensor_count(ink_text *out) {
  put_start(out, 3, UINT64_C(1) << 63, 0);
  put_zeros(out, 64);
}
static void make_tensor_count_beyond_size(ink_text *out) {
  put_start(out, 3, 1000, 0);
  put_zeros(out, 64);
}
static void make_value_count(ink_text *out) {
  put_start(out, 3, 0, UINT64_MAX);
  put_zeros(out, 64);
}
static void make_value_count_beyond_size(ink_text *out) {
  put_start(out, 3, 0, 100000);
  put_zeros(out, 64);
}
static void make_key_length(ink_text *out) {
  put_start(out, 3, 0, 1);
  put_u64(out, UINT64_MAX);
  put_zeros(out, 64);
}
static void make_string_length(ink_text *out) {
  put_start(out, 3, 0, 1);
  put_key(out, "k", STRING);
  put_u64(out, UINT64_C(1) << 63);
  put_zeros(out, 64);
}
static void make_string_length_wraps(ink_text *out) {
  put_start(out, 3, 0, 1);
  put_key(out, "k", STRING);
  put_u64(out, UINT64_MAX - 20);
  put_zeros(out, 64);
}
static void make_array_length(ink_text *out) {
  put_start(out, 3, 0, 1);
  put_key(out, "k", ARRAY);
  put_u32(out, U32);
  put_u64(out, (UINT64_C(1) << 62) + 1);  // times 4 wraps to 4
  put_zeros(out, 64);
}
static void make_array_of_bytes_length(ink_text *out) {
  put_start(out, 3, 0, 1);
  put_key(out, "k", ARRAY);
  put_u32(out, U8);
  put_u64(out, 1000);
  put_zeros(out, 64);
}
static void make_array_of_strings_length(ink_text *out) {
  put_start(out, 3, 0, 1);
  put_key(out, "k", ARRAY);
  put_u32(out, STRING);
  put_u64(out, UINT64_C(1) << 30);
  put_zeros(out, 64);
}
static void make_array_of_arrays(ink_text *out) {
  put_start(out, 3, 0, 1);
  put_key(out, "k", ARRAY);
  put_u32(out, ARRAY);
  put_u64(out, 1);
  put_zeros(out, 64);
}
static void make_value_type(ink_text *out) {
  put_start(out, 3, 0, 1);
  put_key(out, "k", 13);
  put_zeros(out, 64);
}
static void make_item_type(ink_text *out) {
  put_start(out, 3, 0, 1);
  put_key(out, "k", ARRAY);
  put_u32(out, UINT32_MAX);
  put_zeros(out, 64);
}
static void make_bool(ink_text *out) {
  put_start(out, 3, 0, 1);
  put_key(out, "k", BOOL);
  put_zeros(out, 1);
  out->bytes[out->size - 1] = 2;
  put_zeros(out, 64);
}
static void make_empty_key(ink_text *out) {
  put_start(out, 3, 0, 1);
  put_u32_value(out, "", 1);
  put_zeros(out, 64);
}
static void make_key_too_long(ink_text *out) {
  put_start(out, 3, 0, 1);
  put_u64(out, 65536);
  for (int i = 0; i < 65536; i++) ink_text_add(out, "k");
  put_u32(out, U32);
  put_u32(out, 1);
}
static void make_key_not_utf8(ink_text *out) {
  put_start(out, 3, 0, 1);
  put_u32_value(out, "k\xFF", 1);
  put_zeros(out, 64);
}
static void make_key_with_nul(ink_text *out) {
  put_start(out, 3, 0, 1);
  put_u64(out, 3);
  ink_text_add_bytes(out, "k\0x", 3);
  put_u32(out, U32);
  put_zeros(out, 64);
}
static void make_name_with_escape(ink_text *out) {
  put_start(out, 3, 1, 0);
  put_tensor(out, "\033[2J", 1, (uint64_t[]){1}, TYPE_F32, 0);
  put_padding(out);
  put_zeros(out, 4);
}
static void make_key_twice(ink_text *out) {
  put_start(out, 3, 0, 3);
  put_u32_value(out, "twice", 1);
  put_u32_value(out, "other", 1);
  put_u32_value(out, "twice", 2);
}
static void make_name_twice(ink_text *out) {
  put_start(out, 3, 3, 0);
  put_tensor(out, "twice", 1, (uint64_t[]){8}, TYPE_F32, 0);
  put_tensor(out, "other", 1, (uint64_t[]){8}, TYPE_F32, 32);
  put_tensor(out, "twice", 1, (uint64_t[]){8}, TYPE_F32, 64);
  put_padding(out);
  put_zeros(out, 96);
}
static void make_alignment_zero(ink_text *out) {
  put_start(out, 3, 0, 1);
  put_u32_value(out, "general.alignment", 0);
}
static void make_alignment_odd(ink_text *out) {
  put_start(out, 3, 0, 1);
  put_u32_value(out, "general.alignment", 33);
}
static void make_alignment_huge(ink_text *out) {
  put_start(out, 3, 1, 1);
  put_u32_value(out, "general.alignment", UINT32_C(1) << 31);
  put_tensor(out, "t", 1, (uint64_t[]){1}, TYPE_F32, 0);
  put_zeros(out, 64);
}
static void make_alignment_text(ink_text *out) {
  put_start(out, 3, 0, 1);
  put_key(out, "general.alignment", STRING);
  put_string(out, "32");
}
static void make_rank(ink_text *out) {
  one_tensor(out, 5, (uint64_t[]){1, 1, 1, 1, 1}, TYPE_F32, 0, 64);
}
static void make_rank_huge(ink_text *out) {
  put_start(out, 3, 1, 0);
  put_string(out, "t");
  put_u32(out, UINT32_MAX);
  put_zeros(out, 256);
}
static void make_dimension_negative(ink_text *out) {
  one_tensor(out, 1, (uint64_t[]){UINT64_MAX}, TYPE_F32, 0, 64);
}
static void make_dimensions_overflow(ink_text *out) {
  one_tensor(out, 2, (uint64_t[]){UINT64_C(1) << 32, UINT64_C(1) << 32}, TYPE_F32, 0, 64);
}
static void make_dimensions_wrap_to_little(ink_text *out) {
  // 2^61 + 1 elements of 4 bytes are 4 bytes modulo 2^64.
  one_tensor(out, 1, (uint64_t[]){(UINT64_C(1) << 62) + 1}, TYPE_F32, 0, 64);
}
static void make_dimensions_zero_times_overflow(ink_text *out) {
  one_tensor(out, 3, (uint64_t[]){UINT64_C(1) << 40, UINT64_C(1) << 40, 0}, TYPE_F32, 0, 64);
}
static void make_block_not_whole(ink_text *out) {
  one_tensor(out, 2, (uint64_t[]){33, 32}, TYPE_Q8_0, 0, 4096);
}
static void make_tensor_beyond_file(ink_text *out) {
  one_tensor(out, 1, (uint64_t[]){1000}, TYPE_F32, 0, 64);
}
static void make_offset_beyond_file(ink_text *out) {
  one_tensor(out, 1, (uint64_t[]){1}, TYPE_F32, 1 << 20, 64);
}
static void make_offset_wraps(ink_text *out) {
  one_tensor(out, 1, (uint64_t[]){16}, TYPE_F32, UINT64_MAX - 31, 64);
}
static void make_offset_unaligned(ink_text *out) {
  one_tensor(out, 1, (uint64_t[]){1}, TYPE_F32, 8, 64);
}
static void make_overlap(ink_text *out) {
  put_start(out, 3, 2, 0);
  put_tensor(out, "a", 1, (uint64_t[]){16}, TYPE_F32, 0);
  put_tensor(out, "b", 1, (uint64_t[]){16}, TYPE_F32, 32);
  put_padding(out);
  put_zeros(out, 96);
}
static void make_unknown_type(ink_text *out) {
  one_tensor(out, 1, (uint64_t[]){1}, 4242, 0, 64);
}
static void make_type_given_up(ink_text *out) {
  one_tensor(out, 1, (uint64_t[]){32}, 4, 0, 64);
}

static const struct hostile {
  const char *name;
  void (*make)(ink_text *out);
  ink_status status;
  const char *word;  // the message has it
} cases[] = {
    {"empty_file", make_empty, INK_ERR_FORMAT, "GGUF"},
    {"wrong_magic", make_wrong_magic, INK_ERR_FORMAT, "not a GGUF"},
    {"version_1", make_version_1, INK_ERR_UNSUPPORTED, "version 1"},
    {"version_4", make_version_4, INK_ERR_UNSUPPORTED, "version 4"},
    {"big_endian", make_big_endian, INK_ERR_UNSUPPORTED, "big-endian"},
    {"tensor_count_2_63", make_tensor_count, INK_ERR_FORMAT, "declared"},
    {"tensor_count_beyond_size", make_tensor_count_beyond_size, INK_ERR_FORMAT, "declared"},
    {"value_count_2_64", make_value_count, INK_ERR_FORMAT, "declared"},
    {"value_count_beyond_size", make_value_count_beyond_size, INK_ERR_FORMAT, "declared"},
    {"key_length_2_64", make_key_length, INK_ERR_FORMAT, "key"},
    {"string_length_2_63", make_string_length, INK_ERR_FORMAT, "string"},
    {"string_length_wraps", make_string_length_wraps, INK_ERR_FORMAT, "string"},
    {"array_length_wraps", make_array_length, INK_ERR_FORMAT, "array"},
    {"array_longer_than_file", make_array_of_bytes_length, INK_ERR_FORMAT, "array"},
    {"string_array_2_30", make_array_of_strings_length, INK_ERR_FORMAT, "string"},
    {"array_of_arrays", make_array_of_arrays, INK_ERR_UNSUPPORTED, "array of arrays"},
    {"value_type_13", make_value_type, INK_ERR_FORMAT, "type"},
    {"item_type_2_32", make_item_type, INK_ERR_FORMAT, "type"},
    {"bool_2", make_bool, INK_ERR_FORMAT, "bool"},
    {"key_empty", make_empty_key, INK_ERR_FORMAT, "key"},
    {"key_of_65536_bytes", make_key_too_long, INK_ERR_FORMAT, "65535"},
    {"key_not_utf8", make_key_not_utf8, INK_ERR_FORMAT, "UTF-8"},
    {"key_with_nul", make_key_with_nul, INK_ERR_FORMAT, "UTF-8"},
    {"name_with_escape", make_name_with_escape, INK_ERR_FORMAT, "UTF-8"},
    {"key_twice", make_key_twice, INK_ERR_FORMAT, "twice"},
    {"name_twice", make_name_twice, INK_ERR_FORMAT, "twice"},
    {"alignment_0", make_alignment_zero, INK_ERR_FORMAT, "alignment"},
    {"alignment_33", make_alignment_odd, INK_ERR_FORMAT, "alignment"},
    {"alignment_2_31", make_alignment_huge, INK_ERR_FORMAT, "cut short"},
    {"alignment_text", make_alignment_text, INK_ERR_FORMAT, "alignment"},
    {"rank_5", make_rank, INK_ERR_FORMAT, "dimensions"},
    {"rank_2_32", make_rank_huge, INK_ERR_FORMAT, "dimensions"},
    {"dimension_negative", make_dimension_negative, INK_ERR_FORMAT, "dimensions"},
    {"dimensions_overflow", make_dimensions_overflow, INK_ERR_FORMAT, "dimensions"},
    {"dimensions_wrap_to_little", make_dimensions_wrap_to_little, INK_ERR_FORMAT, "larger"},
    {"dimensions_zero_times_overflow", make_dimensions_zero_times_overflow, INK_ERR_FORMAT,
     "dimensions"},
    {"block_not_whole", make_block_not_whole, INK_ERR_FORMAT, "block"},
    {"tensor_beyond_file", make_tensor_beyond_file, INK_ERR_FORMAT, "larger"},
    {"offset_beyond_file", make_offset_beyond_file, INK_ERR_FORMAT, "cut short"},
    {"offset_wraps", make_offset_wraps, INK_ERR_FORMAT, "cut short"},
    {"offset_unaligned", make_offset_unaligned, INK_ERR_FORMAT, "alignment"},
    {"tensors_overlap", make_overlap, INK_ERR_FORMAT, "overlap"},
    {"tensor_type_unknown", make_unknown_type, INK_ERR_UNSUPPORTED, "4242"},
    {"tensor_type_given_up", make_type_given_up, INK_ERR_UNSUPPORTED, "type 4"},
};

// Parse and check what must hold for any bytes; closes what was opened.
static ink_status try_parse(const ink_text *bytes, ink_error *error) {
  ink_gguf *file;
  unsigned char *copy = exact_copy(bytes->bytes, bytes->size);
  clear_requests();
  ink_status status = ink_gguf_parse(copy, bytes->size, "hostile.gguf", &file, error);
  assert_true(asked_bytes <= memory_allowed(bytes->size));
  if (status != INK_OK) {
    assert_null(file);
    assert_non_null(strstr(error->text, "hostile.gguf"));
    assert_true(error->offset >= 0 && (uint64_t)error->offset <= bytes->size);
  } else {
    for (size_t i = 0; i < ink_gguf_n_tensors(file); i++) {
      const ink_stored_tensor *tensor = ink_gguf_tensor_at(file, i);
      assert_true(tensor->data >= copy && tensor->data + tensor->bytes <= copy + bytes->size);
    }
  }
  ink_gguf_close(file);
  free(copy);
  return status;
}

static void every_lie_is_an_error_that_names_file_and_byte(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_text bytes = {0};
    ink_error error = {0};
    cases[i].make(&bytes);
    ink_status status = try_parse(&bytes, &error);
    if (status != cases[i].status || !strstr(error.text, cases[i].word)) {
      fail_msg("%s: got %s: %s", cases[i].name, ink_status_name(status), error.text);
    }
    save_seed(cases[i].name, "gguf", &bytes);
    ink_text_free(&bytes);
  }
}

static void the_file_that_the_lies_are_made_from_is_accepted(void **state) {
  (void)state;
  ink_text bytes = {0};
  ink_error error = {0};
  make_valid(&bytes);
  save_seed("valid", "gguf", &bytes);
  ink_gguf *file;
  assert_ok(ink_gguf_parse(bytes.bytes, bytes.size, "valid.gguf", &file, &error));
  assert_int_equal(ink_gguf_n_values(file), 3);
  assert_int_equal(ink_gguf_n_tensors(file), 2);
  const ink_stored_tensor *first = ink_gguf_find_tensor(file, "first");
  assert_non_null(first);
  assert_int_equal(first->rank, 2);
  assert_int_equal(first->shape[0], 2);  // outermost first
  assert_int_equal(first->shape[1], 4);
  assert_int_equal(first->bytes, 32);
  const ink_stored_tensor *second = ink_gguf_find_tensor(file, "second");
  assert_int_equal(second->dtype, INK_Q8_0);
  assert_int_equal(second->bytes, 34);
  assert_ptr_equal(second->data, first->data + 32);
  ink_gguf_close(file);
  ink_text_free(&bytes);
}

static void a_file_cut_short_at_any_byte_is_an_error(void **state) {
  (void)state;
  ink_text bytes = {0};
  make_valid(&bytes);
  size_t whole = bytes.size;
  for (size_t size = 0; size < whole; size++) {
    ink_error error = {0};
    bytes.size = size;
    assert_int_equal(try_parse(&bytes, &error), INK_ERR_FORMAT);
  }
  bytes.size = whole;
  ink_error error = {0};
  assert_ok(try_parse(&bytes, &error));
  ink_text_free(&bytes);
}

static void changed_bytes_never_crash_nor_take_much_memory(void **state) {
  (void)state;
  ink_text bytes = {0};
  make_valid(&bytes);
  size_t header = bytes.size - 66, accepted = 0;
  char *kept = malloc(bytes.size);
  memcpy(kept, bytes.bytes, bytes.size);
  for (uint64_t round = 0; round < 30000; round++) {
    ink_random random = ink_random_at(1, round, 0);
    size_t n = 1 + ink_random_below(&random, 4);
    for (size_t i = 0; i < n; i++) {
      static const unsigned char extremes[] = {0, 1, 0x7F, 0x80, 0xFF};
      size_t at = ink_random_below(&random, header);
      uint64_t pick = ink_random_below(&random, 10);
      bytes.bytes[at] = (char)(pick < 5 ? extremes[pick] : ink_random_u32(&random) & 0xFF);
    }
    ink_error error = {0};
    accepted += try_parse(&bytes, &error) == INK_OK;
    memcpy(bytes.bytes, kept, bytes.size);
  }
  assert_true(accepted > 100 && accepted < 29000);  // else the changes test nothing
  free(kept);
  ink_text_free(&bytes);
}

static void many_keys_and_tensors_take_no_quadratic_time(void **state) {
  (void)state;
  enum { N = 200000 };
  ink_text bytes = {0};
  ink_error error = {0};
  put_start(&bytes, 3, N, N);
  for (int i = 0; i < N; i++) {
    char key[40];
    snprintf(key, sizeof key, "a.long.common.beginning.%d", i);
    put_u32_value(&bytes, key, 1);
  }
  for (int i = 0; i < N; i++) {
    char name[40];
    snprintf(name, sizeof name, "a.long.common.beginning.%d", i);
    put_tensor(&bytes, name, 1, (uint64_t[]){0}, TYPE_F32, 0);
  }
  put_padding(&bytes);
  put_zeros(&bytes, 32);
  clock_t start = clock();
  assert_ok(try_parse(&bytes, &error));
  double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
  // Comparing each with each would take 4e10 comparisons, minutes.
  assert_true(seconds < 10);
  ink_text_free(&bytes);
}

static void values_of_another_kind_are_errors_that_name_the_key(void **state) {
  (void)state;
  ink_text bytes = {0};
  put_start(&bytes, 3, 0, 6);
  put_key(&bytes, "text", STRING);
  put_string(&bytes, "seven");
  put_u32_value(&bytes, "seven", 7);
  put_key(&bytes, "pi", F32);
  put_u32(&bytes, 0x40490FDB);
  put_key(&bytes, "nan", F32);
  put_u32(&bytes, 0x7FC00000);
  put_key(&bytes, "list", ARRAY);
  put_u32(&bytes, U8);
  put_u64(&bytes, 3);
  put_zeros(&bytes, 3);
  put_key(&bytes, "huge", 10);  // u64
  put_u64(&bytes, UINT64_MAX);
  save_seed("kinds", "gguf", &bytes);

  ink_gguf *file;
  ink_error error = {0};
  assert_ok(ink_gguf_parse(bytes.bytes, bytes.size, "kinds.gguf", &file, &error));
  int64_t integer = -5;
  double number = 0.5;
  bool flag = true;
  ink_gguf_string string = {"x", 1};
  const ink_gguf_value *array = NULL;

  assert_int_equal(ink_gguf_get_int(file, "text", false, 0, 9, &integer, &error), INK_ERR_FORMAT);
  assert_non_null(strstr(error.text, "kinds.gguf: text"));
  assert_int_equal(ink_gguf_get_int(file, "pi", false, 0, 9, &integer, &error), INK_ERR_FORMAT);
  assert_int_equal(ink_gguf_get_int(file, "list", false, 0, 9, &integer, &error), INK_ERR_FORMAT);
  assert_int_equal(ink_gguf_get_int(file, "seven", false, 0, 6, &integer, &error), INK_ERR_FORMAT);
  assert_int_equal(ink_gguf_get_int(file, "huge", false, 0, INT64_MAX, &integer, &error),
                   INK_ERR_FORMAT);
  assert_int_equal(ink_gguf_get_number(file, "nan", false, -9, 9, &number, &error), INK_ERR_FORMAT);
  assert_int_equal(ink_gguf_get_number(file, "text", false, -9, 9, &number, &error),
                   INK_ERR_FORMAT);
  assert_int_equal(ink_gguf_get_bool(file, "seven", false, &flag, &error), INK_ERR_FORMAT);
  assert_int_equal(ink_gguf_get_string(file, "seven", false, &string, &error), INK_ERR_FORMAT);
  assert_int_equal(ink_gguf_get_array(file, "seven", false, INK_GGUF_U32, &array, &error),
                   INK_ERR_FORMAT);
  assert_int_equal(ink_gguf_get_array(file, "list", false, INK_GGUF_STRING, &array, &error),
                   INK_ERR_FORMAT);
  // None of these has touched what it was to fill.
  assert_int_equal(integer, -5);
  assert_true(number == 0.5 && flag && string.size == 1 && !array);

  // Absent keys: nothing, or NOT_FOUND when they are required.
  assert_ok(ink_gguf_get_int(file, "absent", false, 0, 9, &integer, &error));
  assert_int_equal(integer, -5);
  assert_int_equal(ink_gguf_get_int(file, "absent", true, 0, 9, &integer, &error),
                   INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "absent"));

  assert_ok(ink_gguf_get_int(file, "seven", true, 0, 9, &integer, &error));
  assert_int_equal(integer, 7);
  assert_ok(ink_gguf_get_number(file, "seven", true, 0, 9, &number, &error));
  assert_true(number == 7);
  assert_ok(ink_gguf_get_array(file, "list", true, INK_GGUF_I32, &array, &error));
  assert_int_equal(array->n, 3);
  assert_int_equal(ink_gguf_item_int(array, 3), 0);  // beyond the end
  assert_int_equal(ink_gguf_item_int(array, UINT64_MAX), 0);
  ink_gguf_close(file);
  ink_text_free(&bytes);
}

static void a_tensor_type_without_kernels_is_listed_and_refused_on_use(void **state) {
  (void)state;
  ink_text bytes = {0};
  ink_error error = {0};
  one_tensor(&bytes, 1, (uint64_t[]){256}, TYPE_Q5_K, 0, 176);
  save_seed("type_q5_k", "gguf", &bytes);
  char path[] = "/tmp/inkstone-q5k-XXXXXX";
  int descriptor = mkstemp(path);
  assert_true(descriptor >= 0);
  FILE *out = fdopen(descriptor, "wb");
  fwrite(bytes.bytes, 1, bytes.size, out);
  fclose(out);

  ink_weights *weights;
  const ink_tensor *tensor;
  assert_ok(ink_weights_open(path, &weights, &error));
  assert_int_equal(ink_weights_count(weights), 1);
  assert_string_equal(ink_weights_at(weights, 0)->type_name, "Q5_K");
  assert_null(ink_weights_find(weights, "t"));
  assert_int_equal(ink_weights_get(weights, "t", 1, (int64_t[]){256}, &tensor, &error),
                   INK_ERR_UNSUPPORTED);
  assert_non_null(strstr(error.text, "Q5_K"));
  assert_non_null(strstr(error.text, "tensor t "));
  ink_weights_close(weights);
  remove(path);
  ink_text_free(&bytes);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_file_that_the_lies_are_made_from_is_accepted),
      cmocka_unit_test(every_lie_is_an_error_that_names_file_and_byte),
      cmocka_unit_test(a_file_cut_short_at_any_byte_is_an_error),
      cmocka_unit_test(changed_bytes_never_crash_nor_take_much_memory),
      cmocka_unit_test(many_keys_and_tensors_take_no_quadratic_time),
      cmocka_unit_test(values_of_another_kind_are_errors_that_name_the_key),
      cmocka_unit_test(a_tensor_type_without_kernels_is_listed_and_refused_on_use),
  };
  read_arguments(argc, argv);
  return cmocka_run_group_tests_name("gguf", tests, NULL, NULL);
}
