// What is done to pictures: resizing as Pillow does it, places, laying over.
#include "picture/edges.h"
#include "picture/picture.h"
#include "testing.h"
#include "weights/safetensors.h"

static ink_picture view_of(const ink_stored_tensor *t) {
  return (ink_picture){(int32_t)t->shape[1], (int32_t)t->shape[0], (int32_t)t->shape[2],
                       (uint8_t *)t->data};
}

static void resizing_equals_pillow(void **state) {
  (void)state;
  static const char *const filters[] = {"box", "bilinear", "bicubic", "lanczos"};
  ink_error error = {0};
  ink_safetensors *file;
  assert_ok(ink_safetensors_open(fixture_path("picture/expected.safetensors"), &file, &error));
  int n_seen = 0;
  for (size_t i = 0; i < ink_safetensors_count(file); i++) {
    const ink_stored_tensor *t = ink_safetensors_at(file, i);
    char filter[16], source[40];
    int channels, width, height;
    if (sscanf(t->name, "resize.%15[a-z].%d.%dx%d", filter, &channels, &width, &height) != 4) {
      continue;
    }
    int which = 0;
    while (strcmp(filters[which], filter) != 0) which++;
    snprintf(source, sizeof source, "resize.source.%d", channels);
    ink_picture from = view_of(ink_safetensors_find(file, source)), out;
    assert_ok(ink_picture_resize(&from, width, height, (ink_resize_filter)which, &out, &error));
    for (size_t k = 0; k < ink_picture_bytes(&out); k++) {
      if (out.pixels[k] != t->data[k]) {
        fail_msg("%s: value %d is %d, not %d", t->name, (int)k, out.pixels[k], t->data[k]);
      }
    }
    ink_picture_free(&out);
    n_seen++;
  }
  assert_int_equal(n_seen, 60);
  ink_safetensors_close(file);
}

static void edges_equal_those_of_opencv(void **state) {
  (void)state;
  ink_error error = {0};
  ink_safetensors *file;
  assert_ok(ink_safetensors_open(fixture_path("picture/edges.safetensors"), &file, &error));
  int n_seen = 0;
  for (size_t i = 0; i < ink_safetensors_count(file); i++) {
    const ink_stored_tensor *t = ink_safetensors_at(file, i);
    char source[16];
    int low, high;
    if (sscanf(t->name, "%15[a-z].%d.%d", source, &low, &high) != 3) continue;
    ink_picture from = view_of(ink_safetensors_find(file, source)), out;
    assert_ok(ink_picture_canny(&from, low, high, &out, &error));
    assert_int_equal(out.channels, 1);
    for (size_t k = 0; k < ink_picture_bytes(&out); k++) {
      if (out.pixels[k] != t->data[k]) {
        fail_msg("%s: pixel %d is %d, not %d", t->name, (int)k, out.pixels[k], t->data[k]);
      }
    }
    ink_picture_free(&out);
    n_seen++;
  }
  assert_int_equal(n_seen, 20);
  ink_picture from = view_of(ink_safetensors_find(file, "grey")), out;
  assert_int_equal(ink_picture_canny(&from, 200, 100, &out, &error), INK_ERR_USAGE);
  ink_safetensors_close(file);
}

static ink_picture numbered(int32_t width, int32_t height, int32_t channels) {
  ink_error error = {0};
  ink_picture p;
  assert_ok(ink_picture_new(width, height, channels, &p, &error));
  for (size_t i = 0; i < ink_picture_bytes(&p); i++) p.pixels[i] = (uint8_t)(i + 1);
  return p;
}

static void a_constant_picture_stays_constant_at_any_size(void **state) {
  (void)state;
  ink_error error = {0};
  ink_picture p = numbered(5, 4, 3), out;
  memset(p.pixels, 173, ink_picture_bytes(&p));
  for (int filter = INK_RESIZE_BOX; filter <= INK_RESIZE_LANCZOS; filter++) {
    for (int32_t side = 1; side < 40; side += 6) {
      assert_ok(ink_picture_resize(&p, side, 41 - side, (ink_resize_filter)filter, &out, &error));
      for (size_t i = 0; i < ink_picture_bytes(&out); i++) assert_int_equal(out.pixels[i], 173);
      ink_picture_free(&out);
    }
  }
  assert_int_equal(ink_picture_resize(&p, 0, 4, INK_RESIZE_BOX, &out, &error), INK_ERR_USAGE);
  assert_int_equal(ink_picture_resize(&p, 1 << 20, 4, INK_RESIZE_BOX, &out, &error), INK_ERR_USAGE);
  ink_picture_free(&p);
}

static void a_part_is_cut_out_and_padded_back(void **state) {
  (void)state;
  ink_error error = {0};
  ink_picture p = numbered(6, 5, 3), part, padded;
  assert_ok(ink_picture_crop(&p, 2, 1, 3, 2, &part, &error));
  assert_memory_equal(ink_picture_at(&part, 0, 1), ink_picture_at(&p, 2, 2), 9);
  const uint8_t colour[3] = {7, 8, 9};
  assert_ok(ink_picture_pad(&part, 2, 1, 1, 2, colour, &padded, &error));
  assert_int_equal(padded.width, 6);
  assert_int_equal(padded.height, 5);
  assert_memory_equal(ink_picture_at(&padded, 2, 1), ink_picture_at(&part, 0, 0), 9);
  assert_memory_equal(ink_picture_at(&padded, 0, 0), colour, 3);
  assert_memory_equal(ink_picture_at(&padded, 5, 4), colour, 3);
  ink_picture_free(&padded);
  assert_ok(ink_picture_pad(&part, 2, 1, 1, 2, NULL, &padded, &error));
  assert_memory_equal(ink_picture_at(&padded, 0, 0), ink_picture_at(&part, 0, 0), 3);
  assert_memory_equal(ink_picture_at(&padded, 5, 4), ink_picture_at(&part, 2, 1), 3);
  ink_picture_free(&padded);
  ink_picture_free(&part);
  static const int32_t outside[][4] = {{-1, 0, 2, 2}, {5, 0, 2, 2},         {0, 0, 7, 1},
                                       {0, 0, 0, 1},  {INT32_MAX, 0, 1, 1}, {0, 4, 1, 2}};
  for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
    const int32_t *o = outside[i];
    assert_int_equal(ink_picture_crop(&p, o[0], o[1], o[2], o[3], &part, &error), INK_ERR_USAGE);
  }
  assert_int_equal(ink_picture_pad(&p, -1, 0, 0, 0, NULL, &padded, &error), INK_ERR_USAGE);
  assert_int_equal(ink_picture_pad(&p, INT32_MAX, INT32_MAX, 0, 0, NULL, &padded, &error),
                   INK_ERR_USAGE);
  ink_picture_free(&p);
}

static void laying_over_obeys_alpha(void **state) {
  (void)state;
  ink_error error = {0};
  ink_picture under, over;
  assert_ok(ink_picture_new(3, 1, 4, &under, &error));
  assert_ok(ink_picture_new(3, 1, 4, &over, &error));
  memcpy(under.pixels, (const uint8_t[]){100, 0, 0, 255, 100, 0, 0, 255, 100, 0, 0, 0}, 12);
  memcpy(over.pixels, (const uint8_t[]){0, 200, 0, 0, 0, 200, 0, 128, 0, 200, 0, 128}, 12);
  assert_ok(ink_picture_composite(&under, &over, 0, 0, &error));
  const uint8_t expected[] = {100, 0, 0, 255, 50, 100, 0, 255, 0, 200, 0, 128};
  assert_memory_equal(under.pixels, expected, 12);
  // Partly and wholly outside.
  assert_ok(ink_picture_composite(&under, &over, 2, 0, &error));
  assert_ok(ink_picture_composite(&under, &over, INT32_MIN, INT32_MAX, &error));
  assert_memory_equal(under.pixels, expected, 8);
  ink_picture grey = numbered(3, 1, 1);
  assert_int_equal(ink_picture_composite(&under, &grey, 0, 0, &error), INK_ERR_USAGE);
  ink_picture flat;
  const uint8_t white[3] = {255, 255, 255};
  assert_ok(ink_picture_flatten(&over, white, &flat, &error));
  assert_memory_equal(flat.pixels, ((const uint8_t[]){255, 255, 255, 127, 227, 127}), 6);
  ink_picture_free(&flat);
  ink_picture_free(&grey);
  ink_picture_free(&under);
  ink_picture_free(&over);
}

static void every_turn_has_its_way_back(void **state) {
  (void)state;
  static const int back[9] = {0, 1, 2, 3, 4, 5, 8, 7, 6};
  ink_error error = {0};
  ink_picture p = numbered(4, 3, 2), turned, again;
  for (int orientation = 1; orientation <= 8; orientation++) {
    assert_ok(ink_picture_orient(&p, orientation, &turned, &error));
    assert_ok(ink_picture_orient(&turned, back[orientation], &again, &error));
    assert_int_equal(again.width, 4);
    assert_memory_equal(again.pixels, p.pixels, ink_picture_bytes(&p));
    ink_picture_free(&turned);
    ink_picture_free(&again);
  }
  assert_int_equal(ink_picture_orient(&p, 9, &turned, &error), INK_ERR_USAGE);
  ink_picture_free(&p);
}

static void channels_are_added_and_taken(void **state) {
  (void)state;
  ink_error error = {0};
  ink_picture p, out;
  assert_ok(ink_picture_new(1, 1, 3, &p, &error));
  memcpy(p.pixels, (const uint8_t[]){200, 100, 50}, 3);
  assert_ok(ink_picture_convert(&p, 2, &out, &error));
  assert_memory_equal(out.pixels, ((const uint8_t[]){124, 255}), 2);
  ink_picture_free(&p);
  assert_ok(ink_picture_convert(&out, 4, &p, &error));
  assert_memory_equal(p.pixels, ((const uint8_t[]){124, 124, 124, 255}), 4);
  ink_picture_free(&p);
  ink_picture_free(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(resizing_equals_pillow),
      cmocka_unit_test(edges_equal_those_of_opencv),
      cmocka_unit_test(a_constant_picture_stays_constant_at_any_size),
      cmocka_unit_test(a_part_is_cut_out_and_padded_back),
      cmocka_unit_test(laying_over_obeys_alpha),
      cmocka_unit_test(every_turn_has_its_way_back),
      cmocka_unit_test(channels_are_added_and_taken),
  };
  return cmocka_run_group_tests_name("operations", tests, NULL, NULL);
}
