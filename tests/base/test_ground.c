// The ground floor: errors, arenas, threads, random numbers, UTF-8, files, JSON, hashes.
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/text.h"
#include "base/yaml.h"
#include "resident.h"
#include "testing.h"

static void error_names_its_offset_and_context(void **state) {
  (void)state;
  ink_error error = {0};
  assert_int_equal(ink_fail_at(&error, INK_ERR_FORMAT, 12, "bad length %d", 7), INK_ERR_FORMAT);
  assert_string_equal(error.text, "bad length 7 (at byte 12)");
  ink_context(&error, INK_ERR_FORMAT, "model.gguf");
  ink_context(&error, INK_ERR_FORMAT, "model.gguf");  // which is said once
  assert_string_equal(error.text, "model.gguf: bad length 7 (at byte 12)");
  assert_int_equal(error.offset, 12);
}

static void arena_release_returns_memory_and_keeps_earlier_bytes(void **state) {
  (void)state;
  ink_arena *arena = ink_arena_new(0);
  char *kept = ink_arena_string(arena, "kept");
  ink_arena_mark mark = ink_arena_save(arena);
  size_t before = ink_arena_used(arena);
  for (int i = 0; i < 100; i++) {
    unsigned char *taken = ink_arena_zeros(arena, 1000, 37);
    assert_non_null(taken);
    assert_int_equal((uintptr_t)taken % 64, 0);
    assert_int_equal(taken[36999], 0);
    memset(taken, 0xAA, 37000);
  }
  ink_arena_release(arena, mark);
  assert_int_equal(ink_arena_used(arena), before);
  assert_true(ink_arena_peak(arena) >= 3700000);
  assert_string_equal(kept, "kept");
  assert_null(ink_arena_zeros(arena, SIZE_MAX, 2));
  ink_arena_free(arena);
}

static void arena_refuses_what_is_over_its_limit(void **state) {
  (void)state;
  ink_arena *arena = ink_arena_new(1024);
  assert_non_null(ink_arena_take(arena, 1000));
  assert_null(ink_arena_take(arena, 64));
  ink_arena_free(arena);
}

typedef struct counts {
  atomic_int seen[1000];
} counts;

static void count(void *context, size_t index, int thread) {
  (void)thread;
  atomic_fetch_add(&((counts *)context)->seen[index], 1);
}

static void pool_runs_every_task_once_for_any_team(void **state) {
  (void)state;
  static const int teams[] = {1, 2, 7};
  for (size_t t = 0; t < 3; t++) {
    ink_pool *pool = ink_pool_new(teams[t]);
    assert_int_equal(ink_pool_threads(pool), teams[t]);
    for (int job = 0; job < 200; job++) {
      static counts c;
      memset(&c, 0, sizeof c);
      size_t n = (size_t)(job * 5 % 1000);
      ink_pool_run(pool, n, count, &c);
      for (size_t i = 0; i < 1000; i++) assert_int_equal(c.seen[i], i < n);
    }
    ink_pool_free(pool);
  }
}

// Known answers of the authors' Random123 distribution (kat_vectors, philox4x32 10).
static void philox_gives_the_published_vectors(void **state) {
  (void)state;
  static const struct {
    uint32_t counter[4], key[2], out[4];
  } vectors[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};
  for (size_t i = 0; i < 3; i++) {
    uint32_t out[4];
    ink_philox4x32(vectors[i].counter, vectors[i].key, out);
    assert_memory_equal(out, vectors[i].out, sizeof out);
  }
}

static void random_numbers_depend_on_position_alone(void **state) {
  (void)state;
  ink_random whole = ink_random_at(42, 7, 0);
  uint32_t words[40];
  for (int i = 0; i < 40; i++) words[i] = ink_random_u32(&whole);
  for (int i = 0; i < 40; i++) {
    ink_random there = ink_random_at(42, 7, (uint64_t)i);
    assert_int_equal(ink_random_u32(&there), words[i]);
  }
  double sum = 0, squares = 0;
  for (int i = 0; i < 20000; i++) {
    double x = ink_random_normal(&whole);
    sum += x;
    squares += x * x;
    assert_in_range(ink_random_below(&whole, 10), 0, 9);
  }
  assert_true(sum / 20000 > -0.03 && sum / 20000 < 0.03);
  assert_true(squares / 20000 > 0.95 && squares / 20000 < 1.05);
}

static void utf8_refuses_every_ill_formed_sequence(void **state) {
  (void)state;
  static const char *const bad[] = {"\x80",
                                    "\xC0\x80",
                                    "\xC1\xBF",
                                    "\xE0\x80\x80",
                                    "\xED\xA0\x80",
                                    "\xF0\x80\x80\x80",
                                    "\xF4\x90\x80\x80",
                                    "\xF5",
                                    "\xE4\xB8",
                                    "\xFF"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    size_t at = 99;
    assert_false(ink_utf8_valid(bad[i], strlen(bad[i]), &at));
    assert_int_equal(at, 0);
  }
  for (uint32_t rune = 1; rune <= 0x10FFFF; rune++) {
    if (rune >= 0xD800 && rune < 0xE000) continue;
    char bytes[4];
    int32_t back;
    size_t size = ink_utf8_encode(rune, bytes);
    if (ink_utf8_decode(bytes, size, &back) != size || back != (int32_t)rune) {
      fail_msg("U+%04X does not survive", rune);
    }
  }
  assert_int_equal(ink_utf8_length("砚inkstone", strlen("砚inkstone")), 9);
}

static void numbers_are_read_as_they_were_written_in_either_order(void **state) {
  (void)state;
  ink_text text = {0};
  ink_text_add_little(&text, 0x8182, 2);
  ink_text_add_big(&text, 0x8384, 2);
  ink_text_add_little(&text, 0xF1F2F3F4, 4);
  ink_text_add_big(&text, 0xF5F6F7F8, 4);
  const unsigned char *at = (const unsigned char *)text.bytes;
  assert_int_equal(text.size, 12);
  assert_memory_equal(at, "\x82\x81\x83\x84\xF4\xF3\xF2\xF1\xF5\xF6\xF7\xF8", 12);
  assert_int_equal(ink_little16(at), 0x8182);
  assert_int_equal(ink_big16(at + 2), 0x8384);
  assert_int_equal(ink_little32(at + 4), 0xF1F2F3F4);
  assert_int_equal(ink_big32(at + 8), 0xF5F6F7F8);
  assert_int_equal(ink_big(at + 4, 8), UINT64_C(0xF4F3F2F1F5F6F7F8));
  assert_int_equal(ink_little(at, 0), 0);
  ink_text_free(&text);
}

static void text_grows_and_formats(void **state) {
  (void)state;
  ink_text text = {0};
  assert_string_equal(ink_text_string(&text), "");
  for (int i = 0; i < 1000; i++) ink_text_format(&text, "%d,", i);
  ink_text_add_rune(&text, 0x7816);
  assert_int_equal(text.size, 3890 + 3);
  assert_int_equal(ink_text_status(&text, NULL), INK_OK);
  ink_text_free(&text);
}

static void file_appears_only_when_committed(void **state) {
  (void)state;
  ink_error error = {0};
  char folder[] = "/tmp/ink-test-XXXXXX";
  assert_non_null(mkdtemp(folder));
  char *deep = ink_path_join(folder, "a/b/c");
  assert_ok(ink_folder_make(deep, &error));
  assert_ok(ink_folder_make(deep, &error));
  char *path = ink_path_join(deep, "file");
  ink_file_writer writer;
  assert_ok(ink_file_create(path, &writer, &error));
  assert_ok(ink_file_write(&writer, "hello", 5, &error));
  assert_false(ink_file_exists(path));
  ink_file_abandon(&writer);
  assert_int_equal(rmdir(deep), 0);  // nothing is left behind
  assert_ok(ink_folder_make(deep, &error));
  assert_ok(ink_file_save(path, "hello", 5, &error));
  char *bytes;
  size_t size;
  assert_ok(ink_file_read(path, 100, &bytes, &size, &error));
  assert_int_equal(size, 5);
  assert_string_equal(bytes, "hello");
  free(bytes);
  assert_int_equal(ink_file_read(path, 4, &bytes, &size, &error), INK_ERR_FORMAT);
  char hex[INK_SHA256_HEX];
  assert_ok(ink_sha256_file(path, hex, &error));
  assert_string_equal(hex, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  assert_int_equal(ink_map_open(folder, &(ink_map){0}, &error), INK_ERR_IO);
  unlink(path);
  assert_int_equal(ink_file_read(path, 4, &bytes, &size, &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, path));
  free(path);
  free(deep);
}

static void pages_let_go_leave_memory_and_are_read_again(void **state) {
  (void)state;
  enum { SIZE = 1 << 20 };
  char path[] = "/tmp/ink-test-map-XXXXXX";
  int descriptor = mkstemp(path);
  assert_true(descriptor >= 0);
  unsigned char *bytes = malloc(SIZE), *other = malloc(SIZE);
  for (size_t i = 0; i < SIZE; i++) bytes[i] = other[i] = (unsigned char)(i * 7 + (i >> 9));
  assert_int_equal(write(descriptor, bytes, SIZE), SIZE);
  close(descriptor);
  ink_error error = {0};
  ink_map map;
  assert_ok(ink_map_open(path, &map, &error));
  assert_memory_equal(map.data, bytes, SIZE);
  if (resident_kib(path) >= 0) {
    assert_int_equal(resident_kib(path), SIZE >> 10);
    // Half a file goes with what is mapped around it; memory that is not the map's stays.
    ink_map_let_go(&map, map.data, SIZE / 2);
    assert_in_range(resident_kib(path), 0, SIZE >> 11);
    ink_map_let_go(&map, map.data + SIZE / 4, SIZE);
    assert_int_equal(resident_kib(path), 0);
  }
  ink_map_let_go(&map, other, SIZE);
  ink_map_let_go(&(ink_map){0}, other, SIZE);
  assert_memory_equal(other, bytes, SIZE);
  assert_memory_equal(map.data, bytes, SIZE);
  ink_map_close(&map);
  unlink(path);
  free(bytes);
  free(other);
}

static void full_disk_is_an_error_with_a_name(void **state) {
  (void)state;
  ink_error error = {0};
  ink_file_writer writer = {.descriptor = -1};
  if (access("/dev/full", W_OK) != 0) skip();
  assert_ok(ink_file_create("/tmp/ink-test-full", &writer, &error));
  FILE *full = fopen("/dev/full", "w");
  assert_non_null(full);
  dup2(fileno(full), writer.descriptor);
  fclose(full);
  assert_ok(ink_file_write(&writer, "x", 1, &error));
  assert_int_equal(ink_file_commit(&writer, &error), INK_ERR_IO);
  assert_non_null(strstr(error.text, "/tmp/ink-test-full"));
  assert_false(ink_file_exists("/tmp/ink-test-full"));
}

static void json_members_are_typed_and_ranged(void **state) {
  (void)state;
  ink_error error = {0};
  json_t *value;
  const char *text = "{\"a\": 3, \"b\": \"x\", \"c\": null, \"d\": 1e400}";
  assert_int_equal(ink_json_parse(text, strlen(text), "t", &value, &error), INK_ERR_FORMAT);
  text = "{\"a\": 3, \"b\": \"x\", \"c\": null}";
  assert_ok(ink_json_parse(text, strlen(text), "t.json", &value, &error));
  int64_t number = 9;
  assert_ok(ink_json_get_int(value, "a", "t.json", 0, 3, &number, &error));
  assert_int_equal(number, 3);
  assert_ok(ink_json_get_int(value, "c", "t.json", 0, 3, &number, &error));
  assert_int_equal(ink_json_get_int(value, "a", "t.json", 4, 9, &number, &error), INK_ERR_FORMAT);
  assert_string_equal(error.text, "t.json: /a is 3; it must lie in 4 … 9");
  assert_int_equal(ink_json_get_int(value, "b", "t.json", 4, 9, &number, &error), INK_ERR_FORMAT);
  json_decref(value);
  text = "{\"a\": 1, \"a\": 2}";
  assert_int_equal(ink_json_parse(text, strlen(text), "t", &value, &error), INK_ERR_FORMAT);
}

static void yaml_reads_as_json_and_names_the_line_of_a_fault(void **state) {
  (void)state;
  ink_error error = {0};
  json_t *value;
  const char *text = "a: 1\nb: [x, 2.5, true, \"3\"]\nc: {d: null, e: 2026-01-01}\nf: 7\ng: 7\n";
  assert_ok(ink_yaml_parse(text, strlen(text), "r.yaml", &value, &error));
  char *flat = json_dumps(value, JSON_COMPACT);
  assert_string_equal(flat,
                      "{\"a\":1,\"b\":[\"x\",2.5,true,\"3\"],\"c\":{\"d\":null,\"e\":"
                      "\"2026-01-01\"},\"f\":7,\"g\":7}");
  free(flat);
  const char *const known[] = {"a", "b", "c", "f", NULL};
  assert_int_equal(ink_json_only(value, "r.yaml", known, &error), INK_ERR_FORMAT);
  assert_string_equal(error.text, "r.yaml: unknown key /g; known here: a, b, c, f");
  json_decref(value);
  static const char *const bad[] = {"a: [1, 2",     "a: 1\na: 2\n",    "a: &n 7\nb: *n\n",
                                    "? [x]\n: 1\n", "a: 1\nb: \xff\n", "\t- a"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    if (ink_yaml_parse(bad[i], strlen(bad[i]), "r.yaml", &value, &error) != INK_ERR_FORMAT) {
      fail_msg("accepted: %s", bad[i]);
    }
    assert_non_null(strstr(error.text, "r.yaml"));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(error_names_its_offset_and_context),
      cmocka_unit_test(arena_release_returns_memory_and_keeps_earlier_bytes),
      cmocka_unit_test(arena_refuses_what_is_over_its_limit),
      cmocka_unit_test(pool_runs_every_task_once_for_any_team),
      cmocka_unit_test(philox_gives_the_published_vectors),
      cmocka_unit_test(random_numbers_depend_on_position_alone),
      cmocka_unit_test(utf8_refuses_every_ill_formed_sequence),
      cmocka_unit_test(numbers_are_read_as_they_were_written_in_either_order),
      cmocka_unit_test(text_grows_and_formats),
      cmocka_unit_test(file_appears_only_when_committed),
      cmocka_unit_test(pages_let_go_leave_memory_and_are_read_again),
      cmocka_unit_test(full_disk_is_an_error_with_a_name),
      cmocka_unit_test(json_members_are_typed_and_ranged),
      cmocka_unit_test(yaml_reads_as_json_and_names_the_line_of_a_fault),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
