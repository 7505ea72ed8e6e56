// PyTorch files that lie, in the archive or in the pickle: each is an error that names file and
// byte, with little memory asked for, and nothing in it runs.
#include "base/random.h"
#include "hostile.h"
#include "weights/torch.h"

// -- Archives put together ------------------------------------------------------------------------

typedef struct file_entry {
  const char *name;
  const char *data;
  size_t size;
} file_entry;

static void put_u16(ink_text *out, uint32_t value) {
  put_number(out, value, 2);
}

// A ZIP archive of stored entries.
static void put_zip(ink_text *out, const file_entry *files, size_t n) {
  size_t offsets[8];
  for (size_t i = 0; i < n; i++) {
    offsets[i] = out->size;
    put_u32(out, 0x04034B50);
    put_zeros(out, 14);
    put_u32(out, (uint32_t)files[i].size);
    put_u32(out, (uint32_t)files[i].size);
    put_u16(out, (uint32_t)strlen(files[i].name));
    put_u16(out, 0);
    ink_text_add(out, files[i].name);
    ink_text_add_bytes(out, files[i].data, files[i].size);
  }
  size_t directory = out->size;
  for (size_t i = 0; i < n; i++) {
    put_u32(out, 0x02014B50);
    put_zeros(out, 16);
    put_u32(out, (uint32_t)files[i].size);
    put_u32(out, (uint32_t)files[i].size);
    put_u16(out, (uint32_t)strlen(files[i].name));
    put_zeros(out, 12);
    put_u32(out, (uint32_t)offsets[i]);
    ink_text_add(out, files[i].name);
  }
  size_t size = out->size - directory;
  put_u32(out, 0x06054B50);
  put_u32(out, 0);
  put_u16(out, (uint32_t)n);
  put_u16(out, (uint32_t)n);
  put_u32(out, (uint32_t)size);
  put_u32(out, (uint32_t)directory);
  put_u16(out, 0);
}

static const char eight[8] = {1, 2, 3, 4, 5, 6, 7, 8};

// An archive with a pickle and the storage 0 of two floats.
static void put_file(ink_text *out, const char *pickle, size_t size) {
  file_entry files[] = {{"a/data.pkl", pickle, size}, {"a/data/0", eight, 8}};
  put_zip(out, files, 2);
}

// Pieces of pickles. A storage: ("storage", torch.<type>, "<key>", "cpu", <elements>) by persistent
// id; a tensor of it with shape and stride.
#define GLOBAL(module, name) "c" module "\n" name "\n"
#define TEXT1(length, text) "X" length "\0\0\0" text
#define STORAGE(type, key, elements) \
  "(" TEXT1("\7", "storage") GLOBAL("torch", type) TEXT1("\1", key) TEXT1("\3", "cpu") elements "tQ"
#define REBUILD GLOBAL("torch._utils", "_rebuild_tensor_v2")
#define HOOKS "\x89" GLOBAL("collections", "OrderedDict") ")R"
#define TENSOR(storage, offset, shape, stride) REBUILD "(" storage offset shape stride HOOKS "tR"
#define DICT(value) "\x80\2}(" TEXT1("\1", "w") value "u."
#define TWO STORAGE("FloatStorage", "0", "K\2")
#define PARAMETERS GLOBAL("torch.nn.modules.container", "ParameterDict")
#define DOUBLED "}" TEXT1("\x0b", "_parameters") "h\1sb"
#define HUGE_SIZE "\x8a\x08\0\0\0\0\0\0\0\x40"

static const struct hostile {
  const char *name;
  const char *pickle;
  size_t size;
  ink_status status;
  const char *word;  // the message has it
} cases[] = {
#define CASE(name, pickle, status, word) \
  { name, pickle, sizeof pickle - 1, status, word }
    CASE("global_system", "\x80\2" GLOBAL("os", "system") "(" TEXT1("\2", "ls") "tR.",
         INK_ERR_UNSUPPORTED, "os.system"),
    CASE("global_eval",
         "\x80\4\x8c\x08"
         "builtins"
         "\x8c\4"
         "eval"
         "\x93)R.",
         INK_ERR_UNSUPPORTED, "builtins.eval"),
    CASE("global_with_escape", "\x80\2" GLOBAL("os", "\x1b[2J") ".", INK_ERR_FORMAT, "control"),
    CASE("global_without_end",
         "\x80\2"
         "cos",
         INK_ERR_FORMAT, "cut short"),
    CASE("instance", "\x80\2(ios\nsystem\n.", INK_ERR_UNSUPPORTED, "0x69"),
    CASE("new_object", "\x80\2" GLOBAL("collections", "OrderedDict") ")\x81.", INK_ERR_FORMAT,
         "no class"),
    CASE("object_of_a_text", "\x80\2" TEXT1("\3", "set") ")\x81.", INK_ERR_FORMAT, "no class"),
    CASE("thing_as_root", "\x80\2" GLOBAL("argparse", "Namespace") ")\x81}b.", INK_ERR_UNSUPPORTED,
         "no dict of tensors"),
    CASE("parameters_that_double",
         "\x80\2" PARAMETERS ")\x81q\1" TEXT1("\1", "a") "Ns" DOUBLED DOUBLED DOUBLED DOUBLED
             DOUBLED DOUBLED DOUBLED DOUBLED DOUBLED DOUBLED DOUBLED DOUBLED ".",
         INK_ERR_FORMAT, "more parameters"),
    CASE("extension", "\x80\2\x82\1.", INK_ERR_UNSUPPORTED, "0x82"),
    CASE("call_of_a_text", "\x80\2" TEXT1("\2", "ls") ")R.", INK_ERR_FORMAT, "calls"),
    CASE("call_of_a_storage_type", "\x80\2" GLOBAL("torch", "FloatStorage") ")R.", INK_ERR_FORMAT,
         "calls"),
    CASE("attributes_of_a_tensor", DICT(TENSOR(TWO, "K\0", "K\2\x85", "K\1\x85") "}b"),
         INK_ERR_FORMAT, "attributes"),
    CASE("protocol_0", "(dp0\n.", INK_ERR_FORMAT, "protocol"),
    CASE("protocol_6", "\x80\6}.", INK_ERR_UNSUPPORTED, "protocol 6"),
    CASE("protocol_again", "\x80\2\x80\2}.", INK_ERR_UNSUPPORTED, "protocol"),
    CASE("no_end", "\x80\2}", INK_ERR_FORMAT, "cut short"),
    CASE("end_at_once", "\x80\2.", INK_ERR_FORMAT, "empty stack"),
    CASE("values_left_behind", "\x80\2}}.", INK_ERR_FORMAT, "leaves"),
    CASE("more_behind_the_end", "\x80\2}.}", INK_ERR_FORMAT, "behind its end"),
    CASE("root_is_a_list", "\x80\2].", INK_ERR_UNSUPPORTED, "state_dict"),
    CASE("mark_missing", "\x80\2u.", INK_ERR_FORMAT, "mark"),
    CASE("pop_of_a_mark", "\x80\2(0.", INK_ERR_FORMAT, "empty stack"),
    CASE("append_to_a_dict", "\x80\2}Na.", INK_ERR_FORMAT, "container"),
    CASE("key_without_value", "\x80\2}(Nu.", INK_ERR_FORMAT, "key"),
    CASE("dict_of_three", "\x80\2(NNNd.", INK_ERR_FORMAT, "odd"),
    CASE("memo_not_there", "\x80\2h\5.", INK_ERR_FORMAT, "remember"),
    CASE("memo_2_31", "\x80\2}r\xff\xff\xff\x7f.", INK_ERR_FORMAT, "index"),
    CASE("text_beyond_end",
         "\x80\2X\xff\xff\xff\x7f"
         "ab",
         INK_ERR_FORMAT, "cut short"),
    CASE("text_2_63",
         "\x80\4\x8d\xff\xff\xff\xff\xff\xff\xff\x7f"
         "ab",
         INK_ERR_FORMAT, "4 GB"),
    CASE("long_of_9_bytes",
         "\x80\2\x8a\x09"
         "123456789.",
         INK_ERR_FORMAT, "64 bits"),
    CASE("storage_a_text", "\x80\2" TEXT1("\2", "ls") "Q.", INK_ERR_FORMAT, "storage"),
    CASE("storage_of_four", "\x80\2(" TEXT1("\7", "storage") "NNNtQ.", INK_ERR_FORMAT, "storage"),
    CASE("storage_negative",
         DICT(TENSOR(STORAGE("FloatStorage", "0", "J\xff\xff\xff\xff"), "K\0", "K\2\x85",
                     "K\1\x85")),
         INK_ERR_FORMAT, "storage"),
    CASE("storage_not_there",
         DICT(TENSOR(STORAGE("FloatStorage", "9", "K\2"), "K\0", "K\2\x85", "K\1\x85")),
         INK_ERR_FORMAT, "does not hold"),
    CASE("storage_outside",
         DICT(TENSOR(STORAGE("FloatStorage", "/", "K\2"), "K\0", "K\2\x85", "K\1\x85")),
         INK_ERR_FORMAT, "does not hold"),
    CASE("storage_of_another_size",
         DICT(TENSOR(STORAGE("FloatStorage", "0", "K\3"), "K\0", "K\2\x85", "K\1\x85")),
         INK_ERR_FORMAT, "another size"),
    CASE("storage_2_62",
         DICT(TENSOR(STORAGE("FloatStorage", "0", HUGE_SIZE), "K\0", "K\2\x85", "K\1\x85")),
         INK_ERR_FORMAT, "another size"),
    CASE("tensor_beyond_storage", DICT(TENSOR(TWO, "K\0", "K\3\x85", "K\1\x85")), INK_ERR_FORMAT,
         "beyond its storage"),
    CASE("offset_beyond_storage", DICT(TENSOR(TWO, "K\1", "K\2\x85", "K\1\x85")), INK_ERR_FORMAT,
         "beyond its storage"),
    CASE("offset_2_62", DICT(TENSOR(TWO, HUGE_SIZE, "K\1\x85", "K\1\x85")), INK_ERR_FORMAT,
         "beyond its storage"),
    CASE("offset_negative", DICT(TENSOR(TWO, "J\xff\xff\xff\xff", "K\1\x85", "K\1\x85")),
         INK_ERR_FORMAT, "tensor"),
    CASE("shape_negative", DICT(TENSOR(TWO, "K\0", "J\xff\xff\xff\xff\x85", "K\1\x85")),
         INK_ERR_FORMAT, "negative"),
    CASE("shape_overflows", DICT(TENSOR(TWO, "K\0", HUGE_SIZE HUGE_SIZE "\x86", "K\1K\1\x86")),
         INK_ERR_FORMAT, "multiplies"),
    CASE("shape_zero_times_overflow",
         DICT(TENSOR(TWO, "K\0", HUGE_SIZE HUGE_SIZE "K\0\x87", "K\1K\1K\1\x87")), INK_ERR_FORMAT,
         "multiplies"),
    CASE("stride_zero", DICT(TENSOR(TWO, "K\0", "J\xff\xff\xff\x7f\x85", "K\0\x85")),
         INK_ERR_FORMAT, "more than once"),
    CASE("stride_overlaps", DICT(TENSOR(TWO, "K\0", "K\2K\2\x86", "K\1K\1\x86")), INK_ERR_FORMAT,
         "more than once"),
    CASE("stride_2_62", DICT(TENSOR(TWO, "K\0", "K\3\x85", HUGE_SIZE "\x85")), INK_ERR_FORMAT,
         "more than once"),
    CASE("strides_missing", DICT(TENSOR(TWO, "K\0", "K\1K\2\x86", "K\1\x85")), INK_ERR_FORMAT,
         "strides"),
    CASE("tensor_of_a_text", DICT(TENSOR("N", "K\0", "K\1\x85", "K\1\x85")), INK_ERR_FORMAT,
         "tensor"),
    CASE("name_twice",
         "\x80\2}(" TEXT1("\1", "w") TENSOR(TWO, "K\0", "K\2\x85", "K\1\x85") TEXT1("\1", "w")
             TENSOR(TWO, "K\0", "K\2\x85", "K\1\x85") "u.",
         INK_ERR_FORMAT, "twice"),
    CASE("name_with_escape",
         "\x80\2}" TEXT1("\2", "\x1bw") TENSOR(TWO, "K\0", "K\2\x85", "K\1\x85") "s.",
         INK_ERR_FORMAT, "control"),
    CASE("dict_in_itself", "\x80\2}q\0(" TEXT1("\1", "w") "h\0u.", INK_ERR_FORMAT, "two places"),
};

static const char valid[] = DICT(TENSOR(TWO, "K\0", "K\2\x85", "K\1\x85"));

// Values of a pickle are larger than its bytes, each at most by a fixed amount.
static size_t torch_memory_allowed(size_t file_size) {
  return (1 << 18) + 1024 * file_size;
}

// Parse and check what must hold for any bytes; closes what was opened.
static ink_status try_parse(const ink_text *bytes, ink_error *error) {
  ink_torch *file;
  unsigned char *copy = exact_copy(bytes->bytes, bytes->size);
  clear_requests();
  ink_status status = ink_torch_parse(copy, bytes->size, "hostile.ckpt", &file, error);
  assert_true(asked_bytes <= torch_memory_allowed(bytes->size));
  if (status != INK_OK) {
    assert_null(file);
    assert_non_null(strstr(error->text, "hostile.ckpt"));
    assert_true(error->offset >= 0 && (uint64_t)error->offset <= bytes->size);
  } else {
    for (size_t i = 0; i < ink_torch_count(file); i++) {
      assert_true(ink_torch_at(file, i)->offset <= bytes->size);
    }
  }
  ink_torch_close(file);
  free(copy);
  return status;
}

static void the_file_that_the_lies_are_made_from_is_accepted(void **state) {
  (void)state;
  ink_text bytes = {0};
  ink_error error = {0};
  put_file(&bytes, valid, sizeof valid - 1);
  save_seed("valid", "pt", &bytes);
  ink_torch *file;
  assert_ok(ink_torch_parse(bytes.bytes, bytes.size, "valid", &file, &error));
  assert_int_equal(ink_torch_count(file), 1);
  const ink_stored_tensor *w = ink_torch_at(file, 0);
  assert_string_equal(w->name, "w");
  assert_true(w->usable && w->dtype == INK_F32 && w->rank == 1 && w->shape[0] == 2);
  assert_memory_equal(w->data, eight, 8);
  ink_torch_close(file);
  ink_text_free(&bytes);
}

static void every_lie_in_the_pickle_is_an_error_that_names_file_and_byte(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_text bytes = {0};
    ink_error error = {0};
    put_file(&bytes, cases[i].pickle, cases[i].size);
    ink_status status = try_parse(&bytes, &error);
    if (status != cases[i].status || !strstr(error.text, cases[i].word)) {
      fail_msg("%s: got %s: %s", cases[i].name, ink_status_name(status), error.text);
    }
    save_seed(cases[i].name, "pt", &bytes);
    ink_text_free(&bytes);
  }
}

// One field of the valid archive set to another value.
typedef struct patch {
  const char *name;
  int from_end;  // where, counted from the end of the file, or from its start when positive
  int size;
  uint64_t value;
  ink_status status;
  const char *word;
} patch;

// The directory's two entries have 46 + 10 and 46 + 8 bytes, the end record 22.
enum { END = -22, SECOND = END - 54, FIRST = SECOND - 56 };

static const patch patches[] = {
    {"zip_end_gone", END, 4, 0, INK_ERR_FORMAT, "directory"},
    {"zip_parts", END + 4, 2, 1, INK_ERR_FORMAT, "several"},
    {"zip_count_65534", END + 10, 2, 65534, INK_ERR_FORMAT, "more entries"},
    {"zip_count_3", END + 10, 2, 3, INK_ERR_FORMAT, "more entries"},
    {"zip_count_zip64", END + 10, 2, 0xFFFF, INK_ERR_FORMAT, "zip64"},
    {"zip_directory_outside", END + 16, 4, 0x7FFFFFFF, INK_ERR_FORMAT, "outside"},
    {"zip_directory_elsewhere", END + 16, 4, 1, INK_ERR_FORMAT, "directory"},
    {"zip_directory_size", END + 12, 4, 0x7FFFFFFF, INK_ERR_FORMAT, "outside"},
    {"zip_comment", END + 20, 2, 9, INK_ERR_FORMAT, "directory"},
    {"zip_compressed", SECOND + 10, 2, 8, INK_ERR_UNSUPPORTED, "compressed"},
    {"zip_encrypted", SECOND + 8, 2, 1, INK_ERR_UNSUPPORTED, "encrypted"},
    {"zip_pickle_compressed", FIRST + 10, 2, 8, INK_ERR_UNSUPPORTED, "compressed"},
    {"zip_two_sizes", SECOND + 24, 4, 9, INK_ERR_FORMAT, "two sizes"},
    {"zip_size_beyond", SECOND + 20, 4, 0x7FFFFFFF, INK_ERR_FORMAT, "two sizes"},
    {"zip_name_beyond", SECOND + 28, 2, 0xFFFF, INK_ERR_FORMAT, "directory"},
    {"zip_name_empty", SECOND + 28, 2, 0, INK_ERR_FORMAT, "name"},
    {"zip_header_elsewhere", SECOND + 42, 4, 5, INK_ERR_FORMAT, "not where"},
    {"zip_header_outside", SECOND + 42, 4, 0x7FFFFFFF, INK_ERR_FORMAT, "not where"},
    {"zip_header_zip64", SECOND + 42, 4, 0xFFFFFFFF, INK_ERR_FORMAT, "not where"},
    {"zip_header_shared", SECOND + 42, 4, 0, INK_ERR_FORMAT, "another name"},
    {"zip_local_name", 30, 1, 'b', INK_ERR_FORMAT, "another name"},
    {"zip_local_extra", 28, 2, 0xFFFF, INK_ERR_FORMAT, "ends beyond"},
};

static void every_lie_in_the_archive_is_an_error(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof patches / sizeof *patches; i++) {
    const patch *p = &patches[i];
    ink_text bytes = {0};
    ink_error error = {0};
    put_file(&bytes, valid, sizeof valid - 1);
    size_t at = p->from_end < 0 ? bytes.size - (size_t)-p->from_end : (size_t)p->from_end;
    for (int j = 0; j < p->size; j++) bytes.bytes[at + (size_t)j] = (char)(p->value >> (8 * j));
    ink_status status = try_parse(&bytes, &error);
    if (status != p->status || !strstr(error.text, p->word)) {
      fail_msg("%s: got %s: %s", p->name, ink_status_name(status), error.text);
    }
    save_seed(p->name, "pt", &bytes);
    ink_text_free(&bytes);
  }
}

// The pickle's entry grown by so much that it holds the next entry's header too.
static void an_entry_that_lies_over_another_one_is_refused(void **state) {
  (void)state;
  ink_text bytes = {0};
  ink_error error = {0};
  put_file(&bytes, valid, sizeof valid - 1);
  size_t first = bytes.size - (size_t)-FIRST;
  bytes.bytes[first + 20] = (char)(bytes.bytes[first + 20] + 4);
  bytes.bytes[first + 24] = (char)(bytes.bytes[first + 24] + 4);
  assert_int_equal(try_parse(&bytes, &error), INK_ERR_FORMAT);
  assert_non_null(strstr(error.text, "lies over"));
  save_seed("zip_overlap", "pt", &bytes);
  ink_text_free(&bytes);
}

static void archives_of_other_content_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *name;
    file_entry files[3];
    ink_status status;
    const char *word;
  } archives[] = {
      {"no_pickle",
       {{"a/data/0", eight, 8}, {"x", "", 0}, {"y", "", 0}},
       INK_ERR_UNSUPPORTED,
       "data.pkl"},
      {"two_pickles",
       {{"a/data.pkl", "}", 1}, {"b/data.pkl", "}", 1}, {"y", "", 0}},
       INK_ERR_FORMAT,
       "two pickles"},
      {"big_endian",
       {{"a/data.pkl", valid, sizeof valid - 1}, {"a/byteorder", "big", 3}, {"a/data/0", eight, 8}},
       INK_ERR_UNSUPPORTED,
       "little-endian"},
      {"entry_twice",
       {{"a/data.pkl", valid, sizeof valid - 1}, {"a/data/0", eight, 8}, {"a/data/0", eight, 8}},
       INK_ERR_FORMAT,
       "two entries"},
      {"pickle_deep_down",
       {{"a/b/data.pkl", "}", 1}, {"x", "", 0}, {"y", "", 0}},
       INK_ERR_UNSUPPORTED,
       "data.pkl"},
  };
  for (size_t i = 0; i < sizeof archives / sizeof *archives; i++) {
    ink_text bytes = {0};
    ink_error error = {0};
    put_zip(&bytes, archives[i].files, 3);
    ink_status status = try_parse(&bytes, &error);
    if (status != archives[i].status || !strstr(error.text, archives[i].word)) {
      fail_msg("%s: got %s: %s", archives[i].name, ink_status_name(status), error.text);
    }
    save_seed(archives[i].name, "pt", &bytes);
    ink_text_free(&bytes);
  }
}

static void a_file_cut_short_at_any_byte_is_an_error(void **state) {
  (void)state;
  ink_text bytes = {0};
  put_file(&bytes, valid, sizeof valid - 1);
  for (size_t size = bytes.size; size-- > 0;) {
    ink_error error = {0};
    bytes.size = size;
    assert_int_equal(try_parse(&bytes, &error), INK_ERR_FORMAT);
  }
  ink_text_free(&bytes);
}

// Two names for one dict on each of many levels: two to the power of the levels, if walked.
static void shared_dicts_are_not_walked_twice(void **state) {
  (void)state;
  ink_text pickle = {0}, bytes = {0};
  ink_error error = {0};
  ink_text_add(&pickle, "\x80\2}");
  for (int level = 0; level < 12; level++) {
    ink_text_add_bytes(&pickle, "q\0", 2);
    ink_text_add(&pickle, "0}(");
    for (char key = 'a'; key <= 'b'; key++) {
      ink_text_add_bytes(&pickle, "X\1\0\0\0", 5);
      ink_text_add_bytes(&pickle, &key, 1);
      ink_text_add_bytes(&pickle, "h\0", 2);
    }
    ink_text_add(&pickle, "u");
  }
  ink_text_add(&pickle, ".");
  put_file(&bytes, pickle.bytes, pickle.size);
  assert_int_equal(try_parse(&bytes, &error), INK_ERR_FORMAT);
  assert_non_null(strstr(error.text, "two places"));
  ink_text_free(&pickle);
  ink_text_free(&bytes);
}

// Thousands of turned views of one storage would be copied into thousands of times its size.
static void copies_of_views_do_not_outgrow_the_file(void **state) {
  (void)state;
  ink_text pickle = {0}, bytes = {0};
  ink_error error = {0};
  static const char start[] = "\x80\2}(", one[] = TENSOR(STORAGE("FloatStorage", "0", "M\0\x40"),
                                                         "K\0", "K\x80K\x80\x86", "K\1K\x80\x86");
  ink_text_add_bytes(&pickle, start, sizeof start - 1);
  for (uint32_t i = 0; i < 400; i++) {
    char name[5] = {0};
    snprintf(name, sizeof name, "%04u", i);
    ink_text_add_bytes(&pickle, "X\4\0\0\0", 5);
    ink_text_add_bytes(&pickle, name, 4);
    ink_text_add_bytes(&pickle, one, sizeof one - 1);
  }
  ink_text_add(&pickle, "u.");
  char *data = calloc(1, 1 << 16);
  file_entry files[] = {{"a/data.pkl", pickle.bytes, pickle.size}, {"a/data/0", data, 1 << 16}};
  put_zip(&bytes, files, 2);
  assert_int_equal(try_parse(&bytes, &error), INK_ERR_FORMAT);
  assert_non_null(strstr(error.text, "outgrow"));
  free(data);
  ink_text_free(&pickle);
  ink_text_free(&bytes);
}

static void changed_bytes_never_crash_nor_take_much_memory(void **state) {
  (void)state;
  ink_text bytes = {0};
  size_t accepted = 0;
  put_file(&bytes, valid, sizeof valid - 1);
  char *kept = malloc(bytes.size);
  memcpy(kept, bytes.bytes, bytes.size);
  for (uint64_t round = 0; round < 30000; round++) {
    static const char likely[] = "}](.)QRtuh\0\1\2\x7f\x80\x85\xff";
    ink_random random = ink_random_at(3, round, 0);
    size_t n = 1 + ink_random_below(&random, 3);
    for (size_t i = 0; i < n; i++) {
      size_t at = ink_random_below(&random, bytes.size);
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

// ---- the form before PyTorch 1.6 ----------------------------------------------------------------

static void read_old(ink_text *bytes) {
  char *content;
  size_t size;
  ink_error error = {0};
  assert_ok(ink_file_read(fixture_path("weights/torch/old.pt"), 1 << 20, &content, &size, &error));
  ink_text_add_bytes(bytes, content, size);
  free(content);
}

// Where the bytes of a word stand first.
static char *place_of(const ink_text *bytes, const char *word, size_t size) {
  char *found = memmem(bytes->bytes, bytes->size, word, size);
  assert_non_null(found);
  return found;
}

static void expect_fault(const ink_text *bytes, ink_status status, const char *word) {
  ink_error error = {0};
  assert_int_equal(try_parse(bytes, &error), status);
  if (!strstr(error.text, word)) fail_msg("%s: no \"%s\"", error.text, word);
}

static void an_old_file_that_lies_is_refused(void **state) {
  (void)state;
  enum { MAGIC = 15 };
  ink_text bytes = {0};
  read_old(&bytes);
  size_t whole = bytes.size;
  for (size_t size = whole; size-- > MAGIC;) {
    ink_error error = {0};
    bytes.size = size;
    assert_int_equal(try_parse(&bytes, &error), INK_ERR_FORMAT);
  }
  bytes.size = MAGIC - 1;
  expect_fault(&bytes, INK_ERR_UNSUPPORTED, "bare pickle");
  bytes.size = whole;
  ink_text_add_bytes(&bytes, "x", 1);
  expect_fault(&bytes, INK_ERR_FORMAT, "behind its end");
  bytes.size = whole;

  // The numbers of the machine; of the last storage the count, whose elements end the file.
  char *little = place_of(&bytes, "little_endianq\2\x88", 16) + 15;
  *little = '\x89';
  expect_fault(&bytes, INK_ERR_UNSUPPORTED, "little-endian");
  *little = '\x88';
  // The list of keys follows the object: its first key becomes the second, and one unknown.
  char *keys = place_of(&bytes, ".\x80\2]q", 5), *first = place_of(&bytes, "]q\0(X", 5) + 5;
  assert_true(first > keys && first < keys + 16);
  uint32_t size = (uint32_t)(unsigned char)first[0];
  char *key = first + 4, *next = key + size + 2;
  assert_int_equal(*next, 'X');
  if ((unsigned char)next[1] == size) {
    char kept[64];
    assert_true(size < sizeof kept);
    memcpy(kept, next + 5, size);
    memcpy(next + 5, key, size);
    expect_fault(&bytes, INK_ERR_FORMAT, "twice");
    memcpy(next + 5, kept, size);
  }
  char digit = key[0];
  key[0] = 'x';
  expect_fault(&bytes, INK_ERR_FORMAT, "does not name");
  key[0] = digit;
  ink_error error = {0};
  assert_ok(try_parse(&bytes, &error));
  ink_text_free(&bytes);
}

static void changed_bytes_of_an_old_file_never_crash(void **state) {
  (void)state;
  ink_text bytes = {0};
  size_t accepted = 0, rounds = 20000;
  read_old(&bytes);
  char *kept = malloc(bytes.size);
  memcpy(kept, bytes.bytes, bytes.size);
  for (uint64_t round = 0; round < rounds; round++) {
    ink_random random = ink_random_at(5, round, 0);
    size_t at = ink_random_below(&random, bytes.size);
    bytes.bytes[at] = (char)ink_random_below(&random, 256);
    ink_error error = {0};
    accepted += try_parse(&bytes, &error) == INK_OK;
    bytes.bytes[at] = kept[at];
  }
  assert_true(accepted > rounds / 100 && accepted < rounds * 9 / 10);
  free(kept);
  ink_text_free(&bytes);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_file_that_the_lies_are_made_from_is_accepted),
      cmocka_unit_test(every_lie_in_the_pickle_is_an_error_that_names_file_and_byte),
      cmocka_unit_test(every_lie_in_the_archive_is_an_error),
      cmocka_unit_test(an_entry_that_lies_over_another_one_is_refused),
      cmocka_unit_test(archives_of_other_content_are_refused),
      cmocka_unit_test(a_file_cut_short_at_any_byte_is_an_error),
      cmocka_unit_test(shared_dicts_are_not_walked_twice),
      cmocka_unit_test(copies_of_views_do_not_outgrow_the_file),
      cmocka_unit_test(changed_bytes_never_crash_nor_take_much_memory),
      cmocka_unit_test(an_old_file_that_lies_is_refused),
      cmocka_unit_test(changed_bytes_of_an_old_file_never_crash),
  };
  read_arguments(argc, argv);
  return cmocka_run_group_tests_name("torch", tests, NULL, NULL);
}
