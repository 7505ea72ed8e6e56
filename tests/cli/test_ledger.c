// Every exit that leaves a piece leaves a row; and what the ledger says of them.
#include "program.h"

static const json_t *row_of(const json_t *json, size_t i) {
  const json_t *row = json_array_get(json_object_get(json, "rows"), i);
  assert_non_null(row);
  return row;
}

static void every_exit_leaves_a_row(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && ($INK make poem --set theme=秋夜 --set form=五绝 --seed 7 --out p && "
      "$INK replay p && $INK sign p/poem.md --out s.md && printf data >x.bin && $INK sign x.bin "
      "--sidecar && echo '# x' >l.md && $INK label l.md && "
      "$INK write 春 --special --watermark synthid && echo Hello | $INK chat --model "
      "$FIXTURES/models/qwen3 --watermark synthid --seed 5 --max-tokens 8) >/dev/null 2>err || cat "
      "err >&2; $INK ledger "
      "verify --files >&2 && $INK ledger list --json");
  json_t *json = json_of(&run);
  static const char *const commands[] = {"make",  "replay", "sign", "sign",
                                         "label", "write",  "chat"};
  assert_int_equal(json_array_size(json_object_get(json, "rows")), 7);
  for (size_t i = 0; i < 7; i++) {
    assert_string_equal(text_at(row_of(json, i), "command"), commands[i]);
    assert_true(json_is_false(json_object_get(row_of(json, i), "unmarked")));
  }
  const json_t *made = row_of(json, 0), *checked = row_of(json, 1);
  const json_t *files = json_object_get(made, "files");
  assert_int_equal(json_array_size(files), 3);
  const json_t *labels = json_object_get(made, "labels");
  assert_int_equal(json_array_size(labels), 4);
  assert_string_equal(json_string_value(json_array_get(labels, 3)), "watermark:gaussian-shading");
  const json_t *noise = json_object_get(json_object_get(made, "details"), "noise");
  assert_int_equal(strlen(text_at(noise, "key")), 16);
  assert_int_equal(strlen(text_at(noise, "model")), 64);
  for (size_t i = 0; i < 3; i++) {
    const json_t *file = json_array_get(files, i);
    assert_string_not_equal(text_at(file, "content"), text_at(file, "sha256"));
    assert_non_null(text_at(file, "store"));
  }
  assert_string_equal(text_at(made, "identity"), text_at(checked, "identity"));
  assert_true(json_is_true(json_object_get(json_object_get(checked, "details"), "same")));
  // A sidecar's file stays what it was, and has a manifest all the same.
  const json_t *beside = json_array_get(json_object_get(row_of(json, 3), "files"), 0);
  assert_string_equal(text_at(beside, "content"), text_at(beside, "sha256"));
  assert_non_null(text_at(beside, "store"));
  const char *mark =
      json_string_value(json_array_get(json_object_get(row_of(json, 5), "labels"), 0));
  assert_memory_equal(mark, "watermark:synthid", 17);
  json_decref(json);
  drop_run(&run);
}

// Unmarked on request: logged with the law that was named; short texts are no matter.
static void what_goes_unmarked_is_logged_with_the_law(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && W=\"$INK write Hello --model $FIXTURES/models/qwen3 --context 256 --seed 1\" && "
      "($W -n 220 --watermark off --json >t && $W -n 20 --watermark off && $W -n 20) >/dev/null && "
      "$INK ledger list --json && cat t >&2");
  json_t *json = json_of(&run);
  assert_int_equal(json_array_size(json_object_get(json, "rows")), 1);
  assert_true(json_is_true(json_object_get(row_of(json, 0), "unmarked")));
  assert_non_null(strstr(text_at(row_of(json, 0), "law"), "50(2)"));
  json_decref(json);
  drop_run(&run);
  // And told when it cannot be logged.
  run = run_program(
      "INKSTONE_LEDGER=/proc/none/l.db $INK write Hello --model $FIXTURES/models/qwen3 --context "
      "256 "
      "--seed 1 -n 220 --watermark off");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.err, "not logged as it has to be"));
  drop_run(&run);
}

static void a_ledger_that_cannot_be_written_costs_no_piece(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && export INKSTONE_LEDGER=/proc/none/ledger.db && $INK make poem --set theme=秋夜 "
      "--set form=五绝 --seed 7 --out p >/dev/null && $INK verify p/poem.md --json");
  json_t *json = json_of(&run);
  assert_string_equal(text_at(json, "state"), "Valid");
  assert_non_null(strstr(run.err, "warning: written, but not in the ledger"));
  assert_non_null(strstr(run.err, "/proc/none"));
  json_decref(json);
  drop_run(&run);
}

static void a_changed_row_is_named_and_ends_with_1(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && (for i in 1 2 3; do $INK sign $FIXTURES/mark/plain.png --out s.png; done) "
      ">/dev/null 2>&1 && $INK ledger verify --json");
  json_t *json = json_of(&run);
  assert_true(json_is_true(json_object_get(json, "whole")));
  assert_int_equal(strlen(text_at(json, "head")), 64);
  json_decref(json);
  drop_run(&run);
  // A command that reads otherwise, wherever the database keeps it.
  run = run_program(
      "cd $HOME && L=.local/share/inkstone/ledger.db && (for i in 1 2 3; do $INK sign "
      "$FIXTURES/mark/plain.png --out s.png; done) >/dev/null 2>&1 && sed -i "
      "'s/file\\(sign\\)/fill\\1/' $L && $INK ledger verify --json");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.out, "\"whole\": false"));
  assert_non_null(strstr(run.err, "the chain is broken at row "));
  drop_run(&run);
  run = run_program(
      "cd $HOME && L=.local/share/inkstone/ledger.db && (for i in 1 2 3; do $INK sign "
      "$FIXTURES/mark/plain.png --out s.png; done) >/dev/null 2>&1 && sed -i "
      "'s/file\\(sign\\)/fill\\1/' $L && sleep 1.1 && $INK ledger prune --older-than 0d; "
      "$INK ledger list | wc -l");
  assert_string_equal(run.out, "3\n");
  assert_non_null(strstr(run.err, "nothing is taken out of it"));
  drop_run(&run);
}

static void rows_are_shown_exported_and_pruned(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && (for i in 1 2 3; do $INK sign $FIXTURES/mark/plain.png --out s.png; done) "
      ">/dev/null 2>&1; id=$($INK ledger list --last 1 | cut -c 31-66); $INK ledger show $id "
      "--json");
  json_t *json = json_of(&run);
  assert_int_equal(json_integer_value(json_object_get(row_of(json, 0), "n")), 3);
  json_decref(json);
  drop_run(&run);
  run = run_program(
      "cd $HOME && (for i in 1 2 3; do $INK sign $FIXTURES/mark/plain.png --out s.png; done) "
      ">/dev/null 2>&1; $INK ledger export --out e && $INK ledger export | cmp - e && wc -l <e && "
      "$INK ledger prune --older-than 1d && sleep 1.1 && $INK ledger prune --older-than 0d && $INK "
      "ledger verify");
  assert_int_equal(run.exit_code, 0);
  assert_memory_equal(run.out, "3\nrows taken out: 0\nrows taken out: 3\nwhole: rows 4 to 4", 55);
  drop_run(&run);
  static const struct {
    const char *line;
    int code;
  } wrong[] = {{"ledger", 2},         {"ledger polish", 2}, {"ledger show", 2},
               {"ledger show xy", 1}, {"ledger list x", 2}, {"ledger prune", 1},
               {"ledger list", 1}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    run = run_program("$INK %s", wrong[i].line);
    if (run.exit_code != wrong[i].code) fail_msg("%s: exit %d", wrong[i].line, run.exit_code);
    drop_run(&run);
  }
  run = run_program(
      "cd $HOME && $INK sign $FIXTURES/mark/plain.png --out s.png >/dev/null 2>&1; $INK ledger "
      "prune "
      "--older-than fortnight");
  assert_int_equal(run.exit_code, 2);
  drop_run(&run);
}

#define STRIPPED                                                                                 \
  "cd $HOME && $INK make poem --set theme=秋夜 --set form=五绝 --seed 7 --out p >out 2>err " \
  "&& sed '$d' p/poem.md >x.md && head -n 2 out >x.txt && "

static void a_stripped_piece_is_recovered_and_known(void **state) {
  (void)state;
  program_run run = run_program(STRIPPED "$INK verify x.md --recover --json");
  json_t *json = json_of(&run);
  assert_string_equal(text_at(json, "state"), "Valid");
  const json_t *recovered = json_object_get(json, "recovered");
  assert_string_equal(text_at(recovered, "by"), "content");
  json_decref(json);
  drop_run(&run);
  run = run_program(STRIPPED "$INK detect x.md; $INK verify x.md --recover && $INK verify x.md");
  assert_int_equal(run.exit_code, 1);  // without being asked it does not look
  assert_non_null(strstr(run.out, "stripped; the ledger holds its manifest urn:c2pa:"));
  assert_non_null(strstr(run.out, "found by its content, which is whole"));
  assert_non_null(strstr(run.err, "has no manifest"));
  drop_run(&run);
  // Nothing but the words is left; then other words.
  run = run_program(STRIPPED "cat x.txt >&2; $INK detect x.txt --json");
  json = json_of(&run);
  assert_string_equal(text_at(json, "verdict"), "generated");
  assert_non_null(strstr(run.out, "by its words"));
  json_decref(json);
  drop_run(&run);
  run = run_program(STRIPPED
                    "sed s/，/山，/ x.md >y.md; $INK verify y.md --recover; echo $?; echo "
                    "'Nobody made this here, or says so.' >z.txt; $INK verify z.txt --recover");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.out, "by its label, which anybody can write"));
  assert_non_null(strstr(run.out, "\n1\n"));
  assert_non_null(strstr(run.err, "but its content was changed"));
  assert_non_null(strstr(run.err, "the ledger does not know it"));
  drop_run(&run);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_exit_leaves_a_row),
      cmocka_unit_test(what_goes_unmarked_is_logged_with_the_law),
      cmocka_unit_test(a_ledger_that_cannot_be_written_costs_no_piece),
      cmocka_unit_test(a_changed_row_is_named_and_ends_with_1),
      cmocka_unit_test(rows_are_shown_exported_and_pruned),
      cmocka_unit_test(a_stripped_piece_is_recovered_and_known),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
