// PyTorch's own files against what torch reads from them.
#include "testing.h"
#include "weights/weights.h"

static ink_weights *open_fixture(const char *name) {
  ink_weights *weights;
  ink_error error = {0};
  char path[128];
  snprintf(path, sizeof path, "weights/torch/%s", name);
  assert_ok(ink_weights_open(fixture_path(path), &weights, &error));
  return weights;
}

// Every tensor of the reference is in `weights` with the same type, shape and bytes.
static void check_same(const ink_weights *weights, const char *file) {
  ink_weights *expected = open_fixture("expected.safetensors");
  for (size_t i = 0; i < ink_weights_count(expected); i++) {
    const ink_weights_entry *want = ink_weights_at(expected, i);
    const ink_weights_entry *have = ink_weights_entry_of(weights, want->name);
    if (!have || !have->usable) fail_msg("%s: no %s", file, want->name);
    assert_string_equal(have->type_name, want->type_name);
    assert_int_equal(have->bytes, want->bytes);
    assert_true(ink_tensor_same_shape(&have->tensor, &want->tensor));
    assert_true(ink_tensor_is_contiguous(&have->tensor));
    if (want->bytes && memcmp(have->tensor.data, want->tensor.data, want->bytes) != 0) {
      fail_msg("%s: %s has other elements", file, want->name);
    }
  }
  ink_weights_close(expected);
}

static void tensors_equal_torch_in_every_pickle_protocol(void **state) {
  (void)state;
  for (int protocol = 2; protocol <= 5; protocol++) {
    char name[32];
    snprintf(name, sizeof name, "plain-%d.pt", protocol);
    ink_weights *weights = open_fixture(name);
    assert_int_equal(ink_weights_format_of(weights), INK_WEIGHTS_TORCH);
    assert_int_equal(ink_weights_count(weights), 14);
    check_same(weights, name);
    ink_weights_close(weights);
  }
}

static void a_training_checkpoint_gives_its_state_dict(void **state) {
  (void)state;
  static const char *const names[] = {"checkpoint.ckpt", "nested.pth", "trained.ckpt",
                                      "parameters.pt"};
  for (size_t i = 0; i < 4; i++) {
    ink_weights *weights = open_fixture(names[i]);
    assert_int_equal(ink_weights_count(weights), 14);
    check_same(weights, names[i]);
    ink_weights_close(weights);
  }
}

static void the_form_before_the_archives_is_read(void **state) {
  (void)state;
  ink_weights *weights = open_fixture("old.pt");
  assert_int_equal(ink_weights_format_of(weights), INK_WEIGHTS_TORCH);
  assert_int_equal(ink_weights_count(weights), 14);
  check_same(weights, "old.pt");
  ink_weights_close(weights);
}

static void contiguous_tensors_stay_in_the_mapped_file(void **state) {
  (void)state;
  ink_weights *weights = open_fixture("plain-2.pt");
  const ink_tensor *tied = ink_weights_find(weights, "model.tied");
  const ink_tensor *again = ink_weights_find(weights, "model.tied_again");
  const ink_tensor *tail = ink_weights_find(weights, "model.tail");
  assert_ptr_equal(tied->data, again->data);
  assert_ptr_equal((const float *)tied->data + 2, tail->data);
  ink_weights_close(weights);
}

static void pages_let_go_are_read_again(void **state) {
  (void)state;
  ink_weights *weights = open_fixture("plain-2.pt");
  enum { SIZE = 1 << 16 };
  char *heap = malloc(SIZE);
  memset(heap, 7, SIZE);
  for (size_t i = 0; i < ink_weights_count(weights); i++) {
    const ink_weights_entry *entry = ink_weights_at(weights, i);
    if (entry->usable) ink_weights_let_go(weights, entry->tensor.data, entry->bytes);
  }
  ink_weights_let_go(weights, heap, SIZE);
  check_same(weights, "plain-2.pt");
  for (size_t i = 0; i < SIZE; i++) assert_int_equal(heap[i], 7);
  free(heap);
  ink_weights_close(weights);
}

static void types_that_are_not_computed_with_are_listed(void **state) {
  (void)state;
  ink_weights *weights = open_fixture("plain-2.pt");
  static const char *const rows[][2] = {{"model.long", "I64"}, {"model.fp8", "F8_E4M3"}};
  for (size_t i = 0; i < 2; i++) {
    const ink_weights_entry *entry = ink_weights_entry_of(weights, rows[i][0]);
    assert_non_null(entry);
    assert_false(entry->usable);
    assert_string_equal(entry->type_name, rows[i][1]);
    assert_int_equal(entry->rank, 1);
    assert_int_equal(entry->shape[0], 4);
  }
  ink_weights_close(weights);
}

static void a_foreign_global_is_refused_by_name(void **state) {
  (void)state;
  ink_weights *weights;
  ink_error error = {0};
  assert_int_equal(ink_weights_open(fixture_path("weights/torch/foreign.pt"), &weights, &error),
                   INK_ERR_UNSUPPORTED);
  assert_non_null(strstr(error.text, "fractions.Fraction"));
  assert_non_null(strstr(error.text, "safetensors"));
}

static void a_published_autoencoder_opens_whole(void **state) {
  (void)state;
  static const struct {
    const char *name;
    size_t n;
    int64_t parameters;
    const char *tensor;
    int64_t shape[4];
  } files[] = {
      {"taesd/taef2_decoder.pth", 79, 1338499, "1.weight", {64, 32, 3, 3}},
      {"taesd/taef2_encoder.pth", 79, 1338528, "14.weight", {32, 64, 3, 3}},
  };
  for (size_t i = 0; i < 2; i++) {
    const char *path = shared_path(files[i].name);
    if (!path) skip();
    ink_weights *weights;
    ink_error error = {0};
    const ink_tensor *tensor;
    assert_ok(ink_weights_open(path, &weights, &error));
    assert_ok(ink_weights_get(weights, files[i].tensor, 4, files[i].shape, &tensor, &error));
    assert_int_equal(tensor->dtype, INK_F16);
    assert_int_equal(ink_weights_count(weights), files[i].n);
    assert_int_equal(ink_weights_parameters(weights), files[i].parameters);
    ink_weights_close(weights);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tensors_equal_torch_in_every_pickle_protocol),
      cmocka_unit_test(a_training_checkpoint_gives_its_state_dict),
      cmocka_unit_test(the_form_before_the_archives_is_read),
      cmocka_unit_test(contiguous_tensors_stay_in_the_mapped_file),
      cmocka_unit_test(pages_let_go_are_read_again),
      cmocka_unit_test(types_that_are_not_computed_with_are_listed),
      cmocka_unit_test(a_foreign_global_is_refused_by_name),
      cmocka_unit_test(a_published_autoencoder_opens_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
