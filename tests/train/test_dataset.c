// Record files and packed batches: what the trainer and the scorer rely on.
#include "base/random.h"
#include "files.h"
#include "scratch.h"
#include "train/dataset.h"
#include "train/poetry.h"

typedef struct fixture {
  ink_dataset *data;
} fixture;

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  ink_error error = {0};
  if (scratch_open(state) != 0) return -1;
  ink_poetry_options options = {
      .from = fixture_path("train/chinese-poetry"), .out = scratch, .least = 1};
  assert_ok(ink_poetry_build(&options, NULL, &error));
  assert_ok(ink_dataset_open(in_scratch("train.bin"), &f->data, &error));
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;
  ink_dataset_close(f->data);
  free(f);
  return scratch_close(state);
}

static ink_batch new_batch(int64_t capacity) {
  ink_batch batch;
  ink_error error = {0};
  assert_ok(ink_batch_new(capacity, &batch, &error));
  return batch;
}

static void batch_holds_whole_documents_shifted_by_one(void **state) {
  const ink_dataset *data = ((fixture *)*state)->data;
  ink_error error = {0};
  ink_dataset_plan plan = ink_dataset_training_plan(5);
  ink_dataset_cursor cursor = {0};
  ink_batch batch = new_batch(700);
  for (int step = 0; step < 5; step++) {
    uint64_t epoch = cursor.epoch;
    assert_ok(ink_dataset_fill(data, &plan, true, &cursor, &batch, &error));
    assert_int_equal(batch.starts[0], 0);
    assert_int_equal(batch.starts[batch.n_document], batch.n_position);
    for (int64_t d = 0; d < batch.n_document; d++) {
      uint16_t ids[257];
      int32_t n, prefix;
      assert_ok(
          ink_dataset_document(data, &plan, epoch, batch.documents[d], ids, &n, &prefix, &error));
      assert_int_equal(batch.starts[d + 1] - batch.starts[d], n - 1);
      for (int32_t i = 0; i + 1 < n; i++) {
        int64_t at = batch.starts[d] + i;
        assert_int_equal(batch.ids[at], ids[i]);
        assert_int_equal(batch.targets[at], ids[i + 1]);
        assert_int_equal(batch.positions[at], i);
        bool in_prefix = i + 1 < prefix;
        assert_int_equal(batch.kinds[at] == INK_TARGET_PREFIX, in_prefix);
        assert_int_equal(batch.kinds[at] == INK_TARGET_END, ids[i + 1] == INK_POEM_EOS);
        assert_true(batch.weights[at] == (in_prefix ? 0.1f : 1.0f));
      }
    }
    for (int64_t i = batch.n_position; i < batch.capacity; i++) {
      assert_int_equal(batch.ids[i], INK_POEM_PAD);
      assert_int_equal(batch.kinds[i], INK_TARGET_NONE);
      assert_true(batch.weights[i] == 0);
    }
  }
  ink_batch_free(&batch);
}

static void batch_kinds_tell_marks_from_characters(void **state) {
  const ink_dataset *data = ((fixture *)*state)->data;
  ink_error error = {0};
  ink_dataset_plan plan = ink_dataset_scoring_plan();
  ink_dataset_cursor cursor = {0};
  ink_batch batch = new_batch(256);
  // The first record of the file is 关雎: 16 characters in 4 clauses on 2 lines.
  assert_ok(ink_dataset_fill(data, &plan, true, &cursor, &batch, &error));
  int count[5] = {0};
  for (int32_t i = 0; i < batch.starts[1]; i++) count[batch.kinds[i]]++;
  assert_int_equal(batch.documents[0], 0);
  assert_int_equal(count[INK_TARGET_CHARACTER], 16);
  assert_int_equal(count[INK_TARGET_PUNCTUATION], 5);
  assert_int_equal(count[INK_TARGET_END], 1);
  assert_int_equal(count[INK_TARGET_PREFIX], 6);  // 体 朝 <题> 关 雎 <诗>
  ink_batch_free(&batch);
}

static void epoch_gives_every_document_once_in_a_new_order(void **state) {
  const ink_dataset *data = ((fixture *)*state)->data;
  ink_error error = {0};
  ink_dataset_plan plan = ink_dataset_training_plan(5);
  int64_t n = ink_dataset_documents(data), order[2][64];
  assert_in_range(n, 10, 64);
  for (uint64_t epoch = 0; epoch < 2; epoch++) {
    ink_dataset_cursor cursor = {epoch, 0};
    ink_batch batch = new_batch(300);
    bool seen[64] = {false};
    int64_t count = 0;
    for (;;) {
      assert_ok(ink_dataset_fill(data, &plan, true, &cursor, &batch, &error));
      if (batch.n_position == 0) break;
      for (int64_t i = 0; i < batch.n_document; i++) {
        assert_false(seen[batch.documents[i]]);
        seen[batch.documents[i]] = true;
        order[epoch][count++] = batch.documents[i];
      }
    }
    assert_int_equal(count, n);
    ink_batch_free(&batch);
  }
  assert_memory_not_equal(order[0], order[1], (size_t)n * sizeof **order);
}

static void batches_depend_on_seed_and_cursor_alone(void **state) {
  const ink_dataset *data = ((fixture *)*state)->data;
  ink_error error = {0};
  ink_dataset_plan plan = ink_dataset_training_plan(9);
  ink_dataset_cursor cursor = {0}, kept = {0};
  ink_batch batch = new_batch(400), again = new_batch(400);
  for (int step = 0; step < 12; step++) {  // well into the second epoch
    kept = cursor;
    assert_ok(ink_dataset_fill(data, &plan, false, &cursor, &batch, &error));
  }
  assert_true(cursor.epoch >= 1);
  assert_ok(ink_dataset_fill(data, &plan, false, &kept, &again, &error));
  assert_int_equal(kept.epoch, cursor.epoch);
  assert_int_equal(kept.index, cursor.index);
  assert_memory_equal(batch.ids, again.ids, 400 * sizeof *batch.ids);
  assert_memory_equal(batch.weights, again.weights, 400 * sizeof *batch.weights);
  plan.seed = 10;
  kept = (ink_dataset_cursor){0};
  cursor = kept;
  assert_ok(ink_dataset_fill(data, &plan, false, &kept, &again, &error));
  plan.seed = 9;
  assert_ok(ink_dataset_fill(data, &plan, false, &cursor, &batch, &error));
  assert_memory_not_equal(batch.ids, again.ids, 400 * sizeof *batch.ids);
  ink_batch_free(&batch);
  ink_batch_free(&again);
}

// Whether a field is shown in the prefix of a document.
static bool shows(const uint16_t *ids, int32_t prefix, int32_t token) {
  for (int32_t i = 0; i < prefix; i++) {
    if (ids[i] == token) return true;
  }
  return false;
}

static void fields_are_left_out_as_often_as_planned(void **state) {
  const ink_dataset *data = ((fixture *)*state)->data;
  ink_error error = {0};
  ink_dataset_plan plan = ink_dataset_training_plan(3);
  enum { EPOCHS = 4000 };
  int form = 0, title = 0, dynasty = 0, both = 0;
  for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
    uint16_t ids[257];
    int32_t n, prefix;
    assert_ok(ink_dataset_document(data, &plan, epoch, 0, ids, &n, &prefix, &error));
    bool has_title = shows(ids, prefix, ink_poem_tag(INK_POEM_TITLE));
    bool has_dynasty = shows(ids, prefix, ink_poem_value(INK_POEM_DYNASTY, "先秦"));
    form += shows(ids, prefix, ink_poem_value(INK_POEM_FORM, "四言"));
    title += has_title;
    dynasty += has_dynasty;
    both += has_title && has_dynasty;
  }
  // Expected 0.9, 0.75, 0.6 and 0.75 * 0.6 of the epochs, within five standard deviations.
  assert_in_range(form, 3600 - 95, 3600 + 95);
  assert_in_range(title, 3000 - 137, 3000 + 137);
  assert_in_range(dynasty, 2400 - 155, 2400 + 155);
  assert_in_range(both, 1800 - 158, 1800 + 158);
}

static void long_poem_ends_after_a_whole_line(void **state) {
  const ink_dataset *data = ((fixture *)*state)->data;
  ink_error error = {0};
  ink_dataset_plan plan = ink_dataset_scoring_plan();
  bool cut = false;
  for (int64_t i = 0; i < ink_dataset_documents(data); i++) {
    uint16_t whole[257], ids[257];
    int32_t n_whole, n, prefix;
    plan.context = 256;
    assert_ok(ink_dataset_document(data, &plan, 0, i, whole, &n_whole, &prefix, &error));
    assert_int_equal(whole[n_whole - 1], INK_POEM_EOS);
    plan.context = 48;
    assert_ok(ink_dataset_document(data, &plan, 0, i, ids, &n, &prefix, &error));
    assert_true(n <= 49);
    if (n_whole <= 49) {
      assert_int_equal(n, n_whole);
    } else {
      // A line break, never <eos>: the model must not learn to stop there.
      cut = true;
      assert_memory_equal(ids + prefix, whole + prefix, (size_t)(n - prefix) * sizeof *ids);
      assert_int_equal(ids[n - 1], whole[n - 1]);
      assert_int_not_equal(ids[n - 1], INK_POEM_EOS);
      uint16_t before_end = whole[n_whole - 2];  // 。 of the last line
      assert_int_equal(ids[n - 2], before_end);
    }
  }
  assert_true(cut);
}

static void permutation_is_a_bijection(void **state) {
  (void)state;
  for (uint64_t n = 1; n < 600; n = n * 3 / 2 + 1) {
    bool seen[600] = {false};
    for (uint64_t i = 0; i < n; i++) {
      uint64_t place = ink_dataset_order(n, 77, 3, i);
      assert_true(place < n);
      assert_false(seen[place]);
      seen[place] = true;
    }
  }
  int same = 0;
  for (uint64_t i = 0; i < 500; i++)
    same += ink_dataset_order(500, 77, 3, i) == ink_dataset_order(500, 77, 4, i);
  assert_true(same < 10);
}

static void bad_plans_and_batches_are_refused(void **state) {
  const ink_dataset *data = ((fixture *)*state)->data;
  ink_error error = {0};
  ink_dataset_plan plan = ink_dataset_scoring_plan();
  ink_dataset_cursor cursor = {0};
  ink_batch batch = new_batch(100);
  assert_int_equal(ink_dataset_fill(data, &plan, true, &cursor, &batch, &error), INK_ERR_USAGE);
  plan.context = 2;
  assert_int_equal(ink_dataset_fill(data, &plan, true, &cursor, &batch, &error), INK_ERR_USAGE);
  ink_batch_free(&batch);
  assert_int_equal(ink_batch_new(0, &batch, &error), INK_ERR_USAGE);
  uint16_t ids[257];
  int32_t n, prefix;
  plan.context = 256;
  assert_int_equal(ink_dataset_document(data, &plan, 0, 1000, ids, &n, &prefix, &error),
                   INK_ERR_USAGE);
}

// Plainly written: syncing a thousand small files to the disk would take seconds.
// Without a sync each time, as these are thousands.
static void save(const char *path, const char *bytes, size_t size) {
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, size, file), size);
  assert_int_equal(fclose(file), 0);
}

// Open a spoiled copy; when it opens all the same, every document must still be readable.
static void try_spoiled(const char *bytes, size_t size, bool may_open) {
  const char *path = in_scratch("spoiled.bin");
  ink_error error = {0};
  ink_dataset *data;
  save(path, bytes, size);
  ink_status status = ink_dataset_open(path, &data, &error);
  if (status != INK_OK) {
    assert_true(status == INK_ERR_FORMAT || status == INK_ERR_UNSUPPORTED);
    assert_non_null(strstr(error.text, "spoiled.bin"));
    return;
  }
  assert_true(may_open);
  ink_dataset_plan plan = ink_dataset_training_plan(1);
  for (int64_t i = 0; i < ink_dataset_documents(data); i++) {
    uint16_t ids[257];
    int32_t n, prefix;
    assert_ok(ink_dataset_document(data, &plan, 0, i, ids, &n, &prefix, &error));
    assert_true(n <= 257);
    for (int32_t k = 0; k < n; k++) assert_true(ids[k] < ink_dataset_vocabulary(data));
  }
  ink_dataset_close(data);
}

static void dataset_truncated_or_flipped_file_is_an_error_or_harmless(void **state) {
  (void)state;
  size_t size;
  char *bytes = read_file(in_scratch("train.bin"), &size);
  for (size_t cut = 0; cut < size; cut += cut < 400 ? 1 : 37) try_spoiled(bytes, cut, false);
  ink_random random = ink_random_at(1, 2, 0);
  for (size_t i = 0; i < size; i += i < 400 ? 1 : 7) {
    char kept = bytes[i];
    bytes[i] = (char)(kept ^ (1 + (int)ink_random_below(&random, 255)));
    try_spoiled(bytes, size, true);
    bytes[i] = kept;
  }
  free(bytes);
}

static void line_index_truncated_file_is_an_error(void **state) {
  (void)state;
  ink_error error = {0};
  size_t size;
  char *bytes = read_file(in_scratch("lines.bin"), &size);
  const char *path = in_scratch("spoiled.bin");
  for (size_t cut = 0; cut < size; cut++) {
    ink_line_index *index;
    save(path, bytes, cut);
    assert_int_equal(ink_poetry_line_index(path, &index, &error), INK_ERR_FORMAT);
    assert_null(index);
  }
  free(bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(batch_holds_whole_documents_shifted_by_one),
      cmocka_unit_test(batch_kinds_tell_marks_from_characters),
      cmocka_unit_test(epoch_gives_every_document_once_in_a_new_order),
      cmocka_unit_test(batches_depend_on_seed_and_cursor_alone),
      cmocka_unit_test(fields_are_left_out_as_often_as_planned),
      cmocka_unit_test(long_poem_ends_after_a_whole_line),
      cmocka_unit_test(permutation_is_a_bijection),
      cmocka_unit_test(bad_plans_and_batches_are_refused),
      cmocka_unit_test(dataset_truncated_or_flipped_file_is_an_error_or_harmless),
      cmocka_unit_test(line_index_truncated_file_is_an_error),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
