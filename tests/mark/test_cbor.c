// CBOR: the encoding is deterministic (RFC 8949, 4.2.1), the reader bounded.
#include "mark/c2pa/cbor.h"
#include "testing.h"

static ink_status read_bytes(ink_arena *arena, const char *bytes, size_t size,
                             const ink_cbor **item) {
  ink_error error = {0};
  return ink_cbor_read(arena, bytes, size, "test", item, &error);
}

static void keys_are_sorted_and_heads_are_shortest(void **state) {
  (void)state;
  ink_error error = {0};
  ink_arena *arena = ink_arena_new(0);
  ink_cbor_builder b = {.arena = arena};
  ink_cbor *map = ink_cbor_new_map(&b);
  ink_text out = {0};
  // In an order that is neither that of the keys nor of their lengths.
  ink_cbor_put(&b, map, "z", ink_cbor_new_int(&b, 24));
  ink_cbor_put(&b, map, "aa", ink_cbor_new_int(&b, -1));
  ink_cbor_put_int(&b, map, 100, ink_cbor_new_int(&b, 65536));
  ink_cbor_put_int(&b, map, 10, ink_cbor_new_int(&b, 23));
  ink_cbor_put_int(&b, map, -1, ink_cbor_new_bool(&b, false));
  assert_ok(ink_cbor_write(&b, map, &out, &error));
  // The example of RFC 8949, 4.2.1: 10, 100, -1, "z", "aa".
  static const unsigned char expected[] = {0xA5, 0x0A, 0x17, 0x18, 0x64, 0x1A, 0,
                                           1,    0,    0,    0x20, 0xF4, 0x61, 'z',
                                           0x18, 0x18, 0x62, 'a',  'a',  0x20};
  assert_int_equal(out.size, sizeof expected);
  assert_memory_equal(out.bytes, expected, sizeof expected);
  ink_text_free(&out);
  ink_arena_free(arena);
}

static void values_of_the_rfc_read_back(void **state) {
  (void)state;
  ink_arena *arena = ink_arena_new(0);
  const ink_cbor *item;
  int64_t value;
  assert_int_equal(read_bytes(arena, "\x3b\x7f\xff\xff\xff\xff\xff\xff\xff", 9, &item), INK_OK);
  assert_true(ink_cbor_int(item, &value));
  assert_true(value == INT64_MIN);
  assert_int_equal(read_bytes(arena, "\x1b\xff\xff\xff\xff\xff\xff\xff\xff", 9, &item), INK_OK);
  assert_false(ink_cbor_int(item, &value));
  assert_int_equal(
      read_bytes(arena, "\xbf\x61\x61\x9f\x01\x02\xff\x61\x62\x7f\x61x\x61y\xff\xff", 16, &item),
      INK_OK);
  assert_int_equal(item->n, 2);
  assert_int_equal(ink_cbor_get(item, "a")->n, 2);
  assert_true(ink_cbor_is(ink_cbor_get(item, "b"), "xy"));
  assert_int_equal(read_bytes(arena, "\xd2\x80", 2, &item), INK_OK);  // tag 18, an empty array
  assert_int_equal(item->kind, INK_CBOR_TAG);
  assert_int_equal(item->n, 18);
  assert_int_equal(read_bytes(arena, "\xf9\x3e\x00", 3, &item), INK_OK);
  assert_true(item->number == 1.5);
  ink_arena_free(arena);
}

static void what_is_no_cbor_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t size;
  } bad[] = {{"", 0},
             {"\x18", 1},                                  // a head cut short
             {"\x62x", 2},                                 // text cut short
             {"\x01\x01", 2},                              // two items
             {"\xff", 1},                                  // a break alone
             {"\x82\x01", 2},                              // an array cut short
             {"\x81\xff", 2},                              // a break within a definite array
             {"\xa1\x01", 2},                              // a key without a value
             {"\xbf\x01\xff", 3},                          // the same, indefinite
             {"\xa2\x61\x61\x01\x61\x61\x02", 7},          // a key twice
             {"\x61\xff", 2},                              // text that is not UTF-8
             {"\x7f\x41\x61\xff", 4},                      // a chunk of bytes in text
             {"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", 9},  // 2^64 - 1 items
             {"\xbb\x7f\xff\xff\xff\xff\xff\xff\xff", 9},
             {"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", 9},
             {"\x1c", 1},  // reserved
             {"\xd2", 1}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    ink_arena *arena = ink_arena_new(1 << 20);
    const ink_cbor *item;
    assert_int_equal(read_bytes(arena, bad[i].bytes, bad[i].size, &item), INK_ERR_FORMAT);
    assert_null(item);
    ink_arena_free(arena);
  }
}

static void nesting_is_bounded(void **state) {
  (void)state;
  char deep[4096];
  ink_arena *arena = ink_arena_new(1 << 20);
  const ink_cbor *item;
  memset(deep, 0x81, sizeof deep);
  deep[INK_CBOR_DEPTH] = 0;
  assert_int_equal(read_bytes(arena, deep, INK_CBOR_DEPTH + 1, &item), INK_OK);
  memset(deep, 0x81, sizeof deep);
  deep[sizeof deep - 1] = 0;
  assert_int_equal(read_bytes(arena, deep, sizeof deep, &item), INK_ERR_FORMAT);
  memset(deep, 0xC1, sizeof deep);
  assert_int_equal(read_bytes(arena, deep, sizeof deep, &item), INK_ERR_FORMAT);
  ink_arena_free(arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(keys_are_sorted_and_heads_are_shortest),
      cmocka_unit_test(values_of_the_rfc_read_back),
      cmocka_unit_test(what_is_no_cbor_is_refused),
      cmocka_unit_test(nesting_is_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
