// Safetensors files that lie: each is an error that names file and byte, with little memory asked
// for.
#include <sys/mman.h>
#include <time.h>

#include "base/random.h"
#include "hostile.h"
#include "weights/safetensors.h"
#include "weights/weights.h"

static void put_file(ink_text *out, const char *header, size_t data) {
  put_u64(out, strlen(header));
  ink_text_add(out, header);
  put_zeros(out, data);
}

#define ENTRY(name, dtype, shape, begin, end)                                                  \
  "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin "," end \
  "]"                                                                                          \
  "}"

static const char valid[] =
    "{\"__metadata__\":{\"format\":\"pt\",\"say\":\"\\u00e9\\ud83d\\ude00\\n\"}," ENTRY(
        "a", "F32", "[2,3]", "0", "24") "," ENTRY("b", "BF16", "[4]", "24",
                                                  "32") "," ENTRY("c", "I64", "[]", "32", "40") "}";

static const struct hostile {
  const char *name;
  const char *header;
  size_t data;
  ink_status status;
  const char *word;  // the message has it
} cases[] = {
    {"header_empty", "", 0, INK_ERR_FORMAT, "brace"},
    {"header_not_an_object", "[]", 0, INK_ERR_FORMAT, "brace"},
    {"header_begins_with_space", " {}", 0, INK_ERR_FORMAT, "brace"},
    {"header_ends_early", "{\"a\"", 0, INK_ERR_FORMAT, "colon"},
    {"header_followed_by_more", "{}x", 0, INK_ERR_FORMAT, "nothing but spaces"},
    {"header_comma_at_end", "{" ENTRY("a", "U8", "[1]", "0", "1") ",}", 1, INK_ERR_FORMAT, "name"},
    {"tensor_is_a_number", "{\"a\":1}", 0, INK_ERR_FORMAT, "description"},
    {"tensor_is_empty", "{\"a\":{}}", 0, INK_ERR_FORMAT, "dtype"},
    {"shape_missing", "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, INK_ERR_FORMAT,
     "lacks"},
    {"dtype_missing", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, INK_ERR_FORMAT, "lacks"},
    {"offsets_missing", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, INK_ERR_FORMAT, "lacks"},
    {"dtype_twice", "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"F32\"}}", 1, INK_ERR_FORMAT, "once"},
    {"dtype_a_number", "{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
     INK_ERR_FORMAT, "dtype"},
    {"dtype_unknown", "{" ENTRY("a", "F2048", "[1]", "0", "1") "}", 1, INK_ERR_UNSUPPORTED,
     "F2048"},
    {"shape_negative", "{" ENTRY("a", "U8", "[-1]", "0", "1") "}", 1, INK_ERR_FORMAT, "whole"},
    {"shape_fraction", "{" ENTRY("a", "U8", "[1.0]", "0", "1") "}", 1, INK_ERR_FORMAT, "whole"},
    {"shape_exponent", "{" ENTRY("a", "U8", "[1e0]", "0", "1") "}", 1, INK_ERR_FORMAT, "whole"},
    {"shape_leading_zero", "{" ENTRY("a", "U8", "[01]", "0", "1") "}", 1, INK_ERR_FORMAT, "zeros"},
    {"shape_2_63", "{" ENTRY("a", "U8", "[9223372036854775808]", "0", "1") "}", 1, INK_ERR_FORMAT,
     "2^63"},
    {"shape_2_64", "{" ENTRY("a", "U8", "[18446744073709551617]", "0", "1") "}", 1, INK_ERR_FORMAT,
     "2^64"},
    {"shape_overflows", "{" ENTRY("a", "U8", "[4294967296,4294967296]", "0", "1") "}", 1,
     INK_ERR_FORMAT, "multiplies"},
    {"size_wraps_to_little", "{" ENTRY("a", "F32", "[4611686018427387905]", "0", "4") "}", 4,
     INK_ERR_FORMAT, "size"},
    {"shape_zero_times_overflow", "{" ENTRY("a", "U8", "[4294967296,4294967296,0]", "0", "0") "}",
     0, INK_ERR_FORMAT, "multiplies"},
    {"rank_33",
     "{" ENTRY("a", "U8", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]",
               "0", "1") "}",
     1, INK_ERR_FORMAT, "dimensions"},
    {"size_contradicts_shape", "{" ENTRY("a", "F32", "[2]", "0", "4") "}", 4, INK_ERR_FORMAT,
     "ask for 8"},
    {"size_in_half_bytes", "{" ENTRY("a", "F4", "[3]", "0", "1") "}", 1, INK_ERR_FORMAT, "size"},
    {"offsets_reversed", "{" ENTRY("a", "U8", "[1]", "1", "0") "}", 1, INK_ERR_FORMAT, "lies"},
    {"offsets_beyond_file", "{" ENTRY("a", "U8", "[8]", "0", "8") "}", 7, INK_ERR_FORMAT,
     "cut short"},
    {"offsets_2_64",
     "{" ENTRY("a", "U8", "[1]", "18446744073709551615", "18446744073709551616") "}", 1,
     INK_ERR_FORMAT, "2^64"},
    {"offsets_huge",
     "{" ENTRY("a", "U8", "[1]", "18446744073709551614", "18446744073709551615") "}", 1,
     INK_ERR_FORMAT, "lies"},
    {"offsets_one", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1,
     INK_ERR_FORMAT, "two offsets"},
    {"offsets_three", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1,
     INK_ERR_FORMAT, "two offsets"},
    {"overlap", "{" ENTRY("a", "U8", "[4]", "0", "4") "," ENTRY("b", "U8", "[4]", "2", "6") "}", 6,
     INK_ERR_FORMAT, "begins at byte 2"},
    {"same_place", "{" ENTRY("a", "U8", "[4]", "0", "4") "," ENTRY("b", "U8", "[4]", "0", "4") "}",
     4, INK_ERR_FORMAT, "begins at byte 0"},
    {"hole", "{" ENTRY("a", "U8", "[1]", "0", "1") "," ENTRY("b", "U8", "[1]", "2", "3") "}", 3,
     INK_ERR_FORMAT, "begins at byte 2"},
    {"hole_at_start", "{" ENTRY("a", "U8", "[1]", "1", "2") "}", 2, INK_ERR_FORMAT,
     "begins at byte 1"},
    {"bytes_of_no_tensor", "{" ENTRY("a", "U8", "[1]", "0", "1") "}", 3, INK_ERR_FORMAT,
     "2 bytes behind"},
    {"no_tensors_but_data", "{}", 8, INK_ERR_FORMAT, "8 bytes behind"},
    {"name_twice", "{" ENTRY("a", "U8", "[1]", "0", "1") "," ENTRY("a", "U8", "[1]", "1", "2") "}",
     2, INK_ERR_FORMAT, "twice"},
    {"name_twice_by_escape",
     "{" ENTRY("a", "U8", "[1]", "0", "1") "," ENTRY("\\u0061", "U8", "[1]", "1", "2") "}", 2,
     INK_ERR_FORMAT, "twice"},
    {"name_empty", "{" ENTRY("", "U8", "[1]", "0", "1") "}", 1, INK_ERR_FORMAT, "empty"},
    {"name_with_nul", "{" ENTRY("a\\u0000b", "U8", "[1]", "0", "1") "}", 1, INK_ERR_FORMAT, "0000"},
    {"name_with_escape_character", "{" ENTRY("\\u001b[2J", "U8", "[1]", "0", "1") "}", 1,
     INK_ERR_FORMAT, "control"},
    {"name_with_raw_newline", "{" ENTRY("a\nb", "U8", "[1]", "0", "1") "}", 1, INK_ERR_FORMAT,
     "string"},
    {"name_not_utf8", "{" ENTRY("a\xFF", "U8", "[1]", "0", "1") "}", 1, INK_ERR_FORMAT, "UTF-8"},
    {"name_half_a_pair", "{" ENTRY("\\ud83d", "U8", "[1]", "0", "1") "}", 1, INK_ERR_FORMAT,
     "surrogate"},
    {"name_two_high_halves", "{" ENTRY("\\ud83d\\ud83d", "U8", "[1]", "0", "1") "}", 1,
     INK_ERR_FORMAT, "surrogate"},
    {"name_unknown_escape", "{" ENTRY("\\x41", "U8", "[1]", "0", "1") "}", 1, INK_ERR_FORMAT,
     "escape"},
    {"metadata_a_list", "{\"__metadata__\":[]}", 0, INK_ERR_FORMAT, "object"},
    {"metadata_of_numbers", "{\"__metadata__\":{\"a\":1}}", 0, INK_ERR_FORMAT, "string"},
    {"metadata_twice", "{\"__metadata__\":{},\"__metadata__\":{}}", 0, INK_ERR_FORMAT, "once"},
    {"metadata_key_twice", "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0, INK_ERR_FORMAT,
     "twice"},
};

// Parse and check what must hold for any bytes; closes what was opened.
static ink_status try_parse(const ink_text *bytes, ink_error *error) {
  ink_safetensors *file;
  unsigned char *copy = exact_copy(bytes->bytes, bytes->size);
  clear_requests();
  ink_status status = ink_safetensors_parse(copy, bytes->size, "hostile.safetensors", &file, error);
  assert_true(asked_bytes <= memory_allowed(bytes->size));
  if (status != INK_OK) {
    assert_null(file);
    assert_non_null(strstr(error->text, "hostile.safetensors"));
    assert_true(error->offset >= 0 && (uint64_t)error->offset <= bytes->size);
  } else {
    for (size_t i = 0; i < ink_safetensors_count(file); i++) {
      const ink_stored_tensor *tensor = ink_safetensors_at(file, i);
      assert_true(tensor->offset + tensor->bytes <= bytes->size);
    }
  }
  ink_safetensors_close(file);
  free(copy);
  return status;
}

static void every_lie_is_an_error_that_names_file_and_byte(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_text bytes = {0};
    ink_error error = {0};
    put_file(&bytes, cases[i].header, cases[i].data);
    ink_status status = try_parse(&bytes, &error);
    if (status != cases[i].status || !strstr(error.text, cases[i].word)) {
      fail_msg("%s: got %s: %s", cases[i].name, ink_status_name(status), error.text);
    }
    save_seed(cases[i].name, "safetensors", &bytes);
    ink_text_free(&bytes);
  }
}

static void the_file_that_the_lies_are_made_from_is_accepted(void **state) {
  (void)state;
  ink_text bytes = {0};
  ink_error error = {0};
  put_file(&bytes, valid, 40);
  save_seed("valid", "safetensors", &bytes);
  ink_safetensors *file;
  assert_ok(ink_safetensors_parse(bytes.bytes, bytes.size, "valid", &file, &error));
  assert_int_equal(ink_safetensors_count(file), 3);
  const ink_stored_tensor *a = ink_safetensors_find(file, "a");
  assert_true(a && a->usable && a->dtype == INK_F32 && a->rank == 2 && a->shape[0] == 2);
  const ink_stored_tensor *c = ink_safetensors_find(file, "c");
  assert_true(c && !c->usable && c->rank == 0 && c->bytes == 8);
  assert_string_equal(c->type_name, "I64");
  assert_string_equal(ink_safetensors_metadata(file, "say"), "é😀\n");
  assert_null(ink_safetensors_find(file, "__metadata__"));
  ink_safetensors_close(file);
  ink_text_free(&bytes);
}

static void a_file_cut_short_at_any_byte_is_an_error(void **state) {
  (void)state;
  ink_text bytes = {0};
  put_file(&bytes, valid, 40);
  for (size_t size = bytes.size; size-- > 0;) {
    ink_error error = {0};
    bytes.size = size;
    assert_int_equal(try_parse(&bytes, &error), INK_ERR_FORMAT);
  }
  ink_text_free(&bytes);
}

static void a_header_longer_than_the_file_or_the_format_is_an_error(void **state) {
  (void)state;
  const uint64_t lengths[] = {100, 100000001, UINT64_C(1) << 63, UINT64_MAX, UINT64_MAX - 7};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    ink_text bytes = {0};
    ink_error error = {0};
    put_u64(&bytes, lengths[i]);
    ink_text_add(&bytes, "{}");
    assert_int_equal(try_parse(&bytes, &error), INK_ERR_FORMAT);
    assert_non_null(strstr(error.text, "header"));
    ink_text_free(&bytes);
  }
}

static void a_header_above_100_megabytes_is_refused_unread(void **state) {
  (void)state;
  const size_t size = 100000001 + 8;
  unsigned char *bytes =
      mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  assert_true(bytes != MAP_FAILED);
  for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(UINT64_C(100000001) >> (8 * i) & 0xFF);
  ink_safetensors *file;
  ink_error error = {0};
  clear_requests();
  assert_int_equal(ink_safetensors_parse(bytes, size, "large", &file, &error), INK_ERR_FORMAT);
  assert_non_null(strstr(error.text, "100000000"));
  assert_true(asked_bytes < 4096);
  munmap(bytes, size);
}

static void a_tensor_of_six_dimensions_is_listed_and_refused_on_use(void **state) {
  (void)state;
  ink_text bytes = {0};
  ink_error error = {0};
  put_file(&bytes, "{" ENTRY("a", "F32", "[1,1,1,1,1,2]", "0", "8") "}", 8);
  save_seed("rank_6", "safetensors", &bytes);
  char path[] = "/tmp/inkstone-rank-XXXXXX";
  int descriptor = mkstemp(path);
  assert_true(descriptor >= 0);
  FILE *out = fdopen(descriptor, "wb");
  fwrite(bytes.bytes, 1, bytes.size, out);
  fclose(out);
  ink_weights *weights;
  const ink_tensor *tensor;
  assert_ok(ink_weights_open(path, &weights, &error));
  assert_int_equal(ink_weights_at(weights, 0)->rank, 6);
  assert_int_equal(ink_weights_parameters(weights), 2);
  assert_null(ink_weights_find(weights, "a"));
  assert_int_equal(ink_weights_get(weights, "a", 6, (int64_t[]){1, 1, 1, 1, 1, 2}, &tensor, &error),
                   INK_ERR_UNSUPPORTED);
  ink_weights_close(weights);
  remove(path);
  ink_text_free(&bytes);
}

// Nesting in members that the format does not define: refused, not followed down the stack.
static void deeply_nested_json_is_an_error(void **state) {
  (void)state;
  for (int object = 0; object < 2; object++) {
    ink_text header = {0}, bytes = {0};
    ink_error error = {0};
    ink_text_add(&header, "{\"a\":{\"extra\":");
    for (int i = 0; i < 200000; i++) ink_text_add(&header, object ? "{\"x\":" : "[");
    put_file(&bytes, header.bytes, 0);
    assert_int_equal(try_parse(&bytes, &error), INK_ERR_FORMAT);
    assert_non_null(strstr(error.text, "nested"));
    ink_text_free(&header);
    ink_text_free(&bytes);
  }
}

// Millions of little values: a general JSON tree would take dozens of bytes for each.
static void wide_json_takes_little_memory(void **state) {
  (void)state;
  ink_text header = {0}, bytes = {0};
  ink_error error = {0};
  ink_text_add(&header, "{\"a\":{\"extra\":[0");
  for (int i = 0; i < 1000000; i++) ink_text_add(&header, ",0");
  ink_text_add(&header, "],\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}");
  put_file(&bytes, header.bytes, 1);
  ink_safetensors *file;
  clear_requests();
  assert_ok(ink_safetensors_parse(bytes.bytes, bytes.size, "wide", &file, &error));
  assert_true(asked_bytes < 2 * bytes.size);
  ink_safetensors_close(file);
  ink_text_free(&header);
  ink_text_free(&bytes);
}

static void many_tensors_take_no_quadratic_time(void **state) {
  (void)state;
  enum { N = 100000 };
  ink_text header = {0}, bytes = {0};
  ink_error error = {0};
  ink_text_add(&header, "{");
  for (int i = 0; i < N; i++) {
    ink_text_format(&header,
                    "%s\"beginning.%d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}",
                    i ? "," : "", i);
  }
  ink_text_add(&header, "}");
  put_file(&bytes, header.bytes, 0);
  clock_t start = clock();
  assert_ok(try_parse(&bytes, &error));
  // Comparing each with each would take 5e9 comparisons.
  assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5);
  ink_text_free(&header);
  ink_text_free(&bytes);
}

static void changed_bytes_never_crash_nor_take_much_memory(void **state) {
  (void)state;
  ink_text bytes = {0};
  put_file(&bytes, valid, 40);
  size_t header = bytes.size - 40, accepted = 0;
  char *kept = malloc(bytes.size);
  memcpy(kept, bytes.bytes, bytes.size);
  for (uint64_t round = 0; round < 30000; round++) {
    static const char likely[] = "{}[]\",:\\0123456789eE.-u \n\xFF\x80";
    ink_random random = ink_random_at(2, round, 0);
    size_t n = 1 + ink_random_below(&random, 3);
    for (size_t i = 0; i < n; i++) {
      size_t at = ink_random_below(&random, header);
      bytes.bytes[at] = likely[ink_random_below(&random, sizeof likely)];
    }
    ink_error error = {0};
    accepted += try_parse(&bytes, &error) == INK_OK;
    memcpy(bytes.bytes, kept, bytes.size);
  }
  assert_true(accepted > 100 && accepted < 29000);  // else the changes test nothing
  free(kept);
  ink_text_free(&bytes);
}

// Writers before 2023 did not pad the header: such tensors are copied to where they are aligned.
static void tensors_at_odd_places_are_aligned_in_memory(void **state) {
  (void)state;
  ink_text bytes = {0};
  ink_error error = {0};
  const float values[2] = {1.5f, -2.25f};
  put_file(&bytes, "{" ENTRY("a", "F32", "[2]", "0", "8") "}", 0);
  while (bytes.size % 4 != 1) {  // a header one byte longer, until the data stands at an odd place
    ink_text_add(&bytes, " ");
    bytes.bytes[0]++;
  }
  ink_text_add_bytes(&bytes, values, sizeof values);
  ink_safetensors *file;
  assert_ok(ink_safetensors_parse(bytes.bytes, bytes.size, "odd", &file, &error));
  const ink_stored_tensor *a = ink_safetensors_find(file, "a");
  assert_int_equal((uintptr_t)a->data % 4, 0);
  assert_memory_equal(a->data, values, sizeof values);
  ink_safetensors_close(file);
  ink_text_free(&bytes);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_file_that_the_lies_are_made_from_is_accepted),
      cmocka_unit_test(every_lie_is_an_error_that_names_file_and_byte),
      cmocka_unit_test(a_file_cut_short_at_any_byte_is_an_error),
      cmocka_unit_test(a_header_longer_than_the_file_or_the_format_is_an_error),
      cmocka_unit_test(a_header_above_100_megabytes_is_refused_unread),
      cmocka_unit_test(a_tensor_of_six_dimensions_is_listed_and_refused_on_use),
      cmocka_unit_test(deeply_nested_json_is_an_error),
      cmocka_unit_test(wide_json_takes_little_memory),
      cmocka_unit_test(many_tensors_take_no_quadratic_time),
      cmocka_unit_test(changed_bytes_never_crash_nor_take_much_memory),
      cmocka_unit_test(tensors_at_odd_places_are_aligned_in_memory),
  };
  read_arguments(argc, argv);
  return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
