// The tables of verse forms.
#include "lang/verse_form.h"
#include "testing.h"

static void form_is_found_by_every_name(void **state) {
  (void)state;
  static const char *const names[][2] = {{"七律", "七律"},     {"七言律诗", "七律"},
                                         {"七言律詩", "七律"}, {"水調歌頭", "水调歌头"},
                                         {"念奴嬌", "念奴娇"}, {"大江東去", "念奴娇"},
                                         {"望江南", "忆江南"}, {"減字木蘭花", "减字木兰花"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const ink_verse_form *form = ink_verse_form_find(names[i][0]);
    assert_non_null(form);
    assert_string_equal(form->names[0], names[i][1]);
  }
  assert_null(ink_verse_form_find("七"));
  assert_null(ink_verse_form_find("七律诗"));
  assert_null(ink_verse_form_find(""));
  assert_null(ink_verse_form_find("\xe4\xb8"));
}

static void no_two_forms_share_a_name(void **state) {
  (void)state;
  const ink_verse_form *form;
  for (size_t i = 0; (form = ink_verse_form_at(i)); i++)
    for (const char *const *name = form->names; *name; name++)
      assert_ptr_equal(ink_verse_form_find(*name), form);
}

static void four_forms_of_shi_and_at_least_twenty_tunes(void **state) {
  (void)state;
  size_t shi = 0, ci = 0;
  const ink_verse_form *form;
  for (size_t i = 0; (form = ink_verse_form_at(i)); i++) {
    shi += form->kind == INK_VERSE_SHI;
    ci += form->kind == INK_VERSE_CI;
  }
  print_message("# %zu forms of shi, %zu tunes\n", shi, ci);
  assert_int_equal(shi, 4);
  assert_true(ci >= 20);
}

static void regulated_verse_has_four_patterns_of_equal_lines(void **state) {
  (void)state;
  static const struct {
    const char *name;
    int lines, length;
  } expected[] = {{"五绝", 4, 5}, {"七绝", 4, 7}, {"五律", 8, 5}, {"七律", 8, 7}};
  for (size_t i = 0; i < 4; i++) {
    const ink_verse_form *form = ink_verse_form_find(expected[i].name);
    assert_int_equal(form->n_pattern, 4);
    for (int p = 0; p < 4; p++) {
      const ink_verse_pattern *pattern = &form->patterns[p];
      assert_int_equal(pattern->n_clause, expected[i].lines);
      assert_int_equal(pattern->n_sentence, expected[i].lines / 2);
      assert_int_equal(pattern->n_rhyme, 1);
      bool enters = !strstr(pattern->name, "不入韵");
      for (int k = 0; k < pattern->n_clause; k++) {
        assert_int_equal(pattern->clauses[k].length, expected[i].length);
        assert_int_equal(pattern->clauses[k].rhyme, k % 2 || (k == 0 && enters) ? 0 : -1);
      }
    }
  }
}

// What readers of the tables rely on: sizes within bounds, a last 。, rhymes on one side, an echo
// whose tones the clause before it can have.
static void every_pattern_is_well_formed(void **state) {
  (void)state;
  const ink_verse_form *form;
  for (size_t i = 0; (form = ink_verse_form_at(i)); i++) {
    assert_in_range(form->n_pattern, 1, INK_VERSE_PATTERNS);
    float share = 0;
    for (int p = 0; p < form->n_pattern; p++) {
      const ink_verse_pattern *pattern = &form->patterns[p];
      assert_in_range(pattern->n_clause, 1, INK_VERSE_CLAUSES);
      assert_in_range(pattern->n_rhyme, 1, INK_VERSE_RHYMES);
      share += pattern->share;
      int places = 0, rhymes[INK_VERSE_RHYMES] = {0};
      for (int k = 0; k < pattern->n_clause; k++) {
        const ink_verse_clause *clause = &pattern->clauses[k];
        assert_in_range(clause->length, 1, INK_VERSE_PLACES);
        assert_in_range(clause->n_written, 1, clause->n_tones);
        assert_in_range(clause->n_tones, 1, INK_VERSE_TONES);
        assert_true(clause->rhyme >= -1 && clause->rhyme < pattern->n_rhyme);
        for (int t = 0; t < clause->n_tones; t++)
          for (int at = 0; at < clause->length; at++) {
            uint8_t tones = clause->tones[t][at];
            assert_true(tones == INK_TONE_PING || tones == INK_TONE_ZE ||
                        tones == (INK_TONE_PING | INK_TONE_ZE));
            // All tone patterns of a clause that rhymes end alike, on one side.
            if (clause->rhyme >= 0 && at == clause->length - 1) {
              assert_int_equal(tones, clause->tones[0][at]);
              assert_true(tones == INK_TONE_PING || tones == INK_TONE_ZE);
            }
          }
        if (clause->rhyme >= 0) rhymes[clause->rhyme]++;
        if (clause->echo) {
          assert_true(k > 0);
          const ink_verse_clause *before = clause - 1;
          assert_int_equal(clause->n_tones, 1);
          assert_int_equal(before->n_tones, 1);
          assert_true(clause->length <= before->length);
          assert_int_equal(clause->rhyme, before->rhyme);
          for (int at = 0; at < clause->length; at++)
            assert_int_equal(clause->tones[0][at],
                             before->tones[0][before->length - clause->length + at]);
        }
        places += clause->length;
      }
      assert_int_equal(places, pattern->n_place);
      assert_int_equal(pattern->clauses[pattern->n_clause - 1].mark, u'。');
      assert_false(pattern->clauses[pattern->n_clause - 1].stanza);
      for (int r = 0; r < pattern->n_rhyme; r++) assert_true(rhymes[r] >= 2);
    }
    assert_true(share > 0.4f && share < 1.01f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(form_is_found_by_every_name),
      cmocka_unit_test(no_two_forms_share_a_name),
      cmocka_unit_test(four_forms_of_shi_and_at_least_twenty_tunes),
      cmocka_unit_test(regulated_verse_has_four_patterns_of_equal_lines),
      cmocka_unit_test(every_pattern_is_well_formed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
