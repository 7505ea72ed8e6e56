// The verse automaton: whatever is drawn from what it allows is legal, and it never gets stuck.
#include <math.h>

#include "base/random.h"
#include "base/text.h"
#include "check/verse.h"
#include "lang/simplify.h"
#include "llm/verse.h"
#include "testing.h"

enum { MOST_TOKENS = 40000, END = 0, FIRST_MARK = 1, N_MARK = 6, FIRST_WORD = 7 };

// A vocabulary: an end token, the marks, then simplified characters of the rhyme book.
typedef struct vocabulary {
  int32_t runes[MOST_TOKENS];
  size_t n;
  ink_verse_lexicon *lexicon;
} vocabulary;

// One character of the book in `step`, and those the tests name.
static void make_vocabulary(vocabulary *out, uint32_t step) {
  static const uint32_t named[] = U"春夏秋冬东西南北中天地我爱月落乌啼霜流楼舟";
  ink_error error = {0};
  static const uint32_t marks[] = {U'，', U'、', U'。', U'？', U'！', U'\n'};
  int32_t end = END;
  out->n = FIRST_WORD;
  out->runes[END] = -1;
  for (int i = 0; i < N_MARK; i++) out->runes[FIRST_MARK + i] = (int32_t)marks[i];
  for (uint32_t rune = 0x4E00, k = 0; rune < 0xA000; rune++) {
    if (!ink_prosody_tones(rune, INK_READINGS_COMMON) || ink_simplify_rune(rune) != rune) continue;
    bool wanted = k++ % step == 0;
    for (size_t i = 0; named[i] && step < 10; i++) wanted = wanted || named[i] == rune;
    if (wanted) out->runes[out->n++] = (int32_t)rune;
  }
  assert_ok(ink_verse_lexicon_new(out->runes, out->n, &end, 1, &out->lexicon, &error));
}

static int32_t token_of(const vocabulary *vocab, uint32_t rune) {
  for (size_t id = 0; id < vocab->n; id++)
    if (vocab->runes[id] == (int32_t)rune) return (int32_t)id;
  return -1;
}

static uint32_t random_word(const vocabulary *vocab, ink_random *random) {
  return (uint32_t)vocab->runes[FIRST_WORD + ink_random_below(random, vocab->n - FIRST_WORD)];
}

typedef enum choice { CHOOSE_ANY, CHOOSE_FIRST, CHOOSE_LAST } choice;

// The place of the n-th bit that is set.
static int32_t nth_bit(const uint64_t *bits, size_t n) {
  size_t i = 0;
  for (; n >= (size_t)__builtin_popcountll(bits[i]); i++)
    n -= (size_t)__builtin_popcountll(bits[i]);
  uint64_t word = bits[i];
  while (n--) word &= word - 1;
  return (int32_t)(i * 64) + __builtin_ctzll(word);
}

// Write a poem by drawing from the allowed tokens; its text into `poem`.
static void write_poem(const vocabulary *vocab, ink_verse *verse, ink_random *random, choice how,
                       ink_text *poem) {
  static uint64_t bits[MOST_TOKENS / 64 + 1];
  ink_error error = {0};
  ink_text_clear(poem);
  ink_text_add(poem, ink_verse_opening(verse));
  for (int step = 0; !ink_verse_done(verse); step++) {
    assert_true(step < 400);
    ink_verse_allowed(verse, bits);
    size_t n = 0, pick = 0;
    for (size_t i = 0; i < (vocab->n + 63) / 64; i++) n += (size_t)__builtin_popcountll(bits[i]);
    if (n == 0) fail_msg("stuck behind %s", ink_text_string(poem));
    if (how == CHOOSE_ANY) pick = ink_random_below(random, n);
    if (how == CHOOSE_LAST) pick = n - 1;
    int32_t token = nth_bit(bits, pick);
    assert_ok(ink_verse_accept(verse, token, &error));
    if (token != END) ink_text_add_rune(poem, (uint32_t)vocab->runes[token]);
  }
}

static void assert_legal(const ink_text *poem, const ink_verse_form *form, const char *acrostic,
                         ink_verse_report *report) {
  ink_error error = {0};
  assert_ok(ink_check_verse(ink_text_string(poem), poem->size, form, acrostic, report, &error));
  if (report->legal && report->distinct_ok) return;
  ink_text text = {0};
  for (int i = 0; i < report->n_fault; i++) {
    ink_verse_fault_text(report, &report->faults[i], INK_LANGUAGE_EN, &text);
    ink_text_add(&text, "; ");
  }
  fail_msg("%s: %s: %s", form->names[0], ink_text_string(poem), ink_text_string(&text));
}

static ink_verse *new_verse(const vocabulary *vocab, const ink_verse_demand *demand) {
  ink_error error = {0};
  ink_verse *verse;
  assert_ok(ink_verse_new(vocab->lexicon, demand, &verse, &error));
  return verse;
}

static void random_choices_never_break_any_form(void **state) {
  const vocabulary *vocab = *state;
  const ink_verse_form *form;
  ink_text poem = {0};
  ink_verse_report report;
  int poems = 0;
  for (size_t f = 0; (form = ink_verse_form_at(f)); f++) {
    ink_verse *verse = new_verse(vocab, &(ink_verse_demand){.form = form, .repeat = f % 2});
    for (uint64_t seed = 1; seed <= 40; seed++, poems++) {
      ink_random random = ink_random_at(seed, f, 0);
      ink_verse_restart(verse);
      write_poem(vocab, verse, &random, CHOOSE_ANY, &poem);
      assert_legal(&poem, form, NULL, &report);
    }
    ink_verse_free(verse);
  }
  print_message("# %d poems\n", poems);
  ink_text_free(&poem);
}

// A place that may be 平 or 仄, each in a tone pattern of its own, is no place for a character of
// neither.
static void characters_without_a_known_tone_never_lead_astray(void **state) {
  (void)state;
  ink_error error = {0};
  static vocabulary wide;
  make_vocabulary(&wide, 7);
  ink_verse_lexicon_free(wide.lexicon);
  for (uint32_t rune = 0x3400; rune < 0x4DB0; rune++)
    if (!ink_prosody_tones(rune, INK_READINGS_ALL)) wide.runes[wide.n++] = (int32_t)rune;
  int32_t end = END;
  assert_ok(ink_verse_lexicon_new(wide.runes, wide.n, &end, 1, &wide.lexicon, &error));
  ink_text poem = {0};
  ink_verse_report report;
  const ink_verse_form *form;
  int unknown = 0;
  for (size_t f = 0; (form = ink_verse_form_at(f)); f++) {
    ink_verse *verse;
    if (ink_verse_new(wide.lexicon, &(ink_verse_demand){.form = form}, &verse, &error)) continue;
    for (uint64_t seed = 1; seed <= 100; seed++) {
      ink_random random = ink_random_at(seed, f, 0);
      ink_verse_restart(verse);
      write_poem(&wide, verse, &random, CHOOSE_ANY, &poem);
      assert_legal(&poem, form, NULL, &report);
      for (int k = 0; k < report.n_clause; k++)
        for (int i = 0; i < report.clauses[k].length; i++) unknown += !report.clauses[k].tones[i];
    }
    ink_verse_free(verse);
  }
  print_message("# %d characters of no known tone\n", unknown);
  assert_true(unknown > 1000);
  ink_text_free(&poem);
  ink_verse_lexicon_free(wide.lexicon);
}

// A decoder that always takes the lowest or the highest token exhausts rhymes first.
static void stubborn_choices_never_get_stuck(void **state) {
  (void)state;
  const ink_verse_form *form;
  static vocabulary small;
  make_vocabulary(&small, 11);
  ink_text poem = {0};
  ink_verse_report report;
  for (size_t f = 0; (form = ink_verse_form_at(f)); f++) {
    ink_error error = {0};
    ink_verse *verse;
    if (ink_verse_new(small.lexicon, &(ink_verse_demand){.form = form}, &verse, &error)) {
      assert_non_null(strstr(error.text, "words in one rhyme"));
      continue;
    }
    for (uint64_t seed = 0; seed < 22; seed++) {
      ink_random random = ink_random_at(seed, f, 0);
      ink_verse_restart(verse);
      write_poem(&small, verse, &random,
                 seed == 0   ? CHOOSE_FIRST
                 : seed == 1 ? CHOOSE_LAST
                             : CHOOSE_ANY,
                 &poem);
      assert_legal(&poem, form, NULL, &report);
    }
    ink_verse_free(verse);
  }
  print_message("# with %zu tokens\n", small.n);
  ink_text_free(&poem);
  ink_verse_lexicon_free(small.lexicon);
}

static void random_acrostics_hold_or_are_refused(void **state) {
  const vocabulary *vocab = *state;
  const ink_verse_form *form;
  ink_text poem = {0}, acrostic = {0};
  ink_verse_report report;
  int held = 0, refused = 0;
  for (size_t f = 0; (form = ink_verse_form_at(f)); f++) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
      ink_random random = ink_random_at(seed, f, 0);
      ink_text_clear(&acrostic);
      int n = seed % 2 ? form->patterns[0].n_line : form->patterns[0].n_sentence;
      for (int i = 0; i < n; i++) ink_text_add_rune(&acrostic, random_word(vocab, &random));
      ink_error error = {0};
      ink_verse *verse;
      ink_verse_demand demand = {.form = form, .acrostic = ink_text_string(&acrostic)};
      if (ink_verse_new(vocab->lexicon, &demand, &verse, &error) != INK_OK) {
        assert_int_equal(error.status, INK_ERR_USAGE);
        // Every line of regulated verse may begin in either tone.
        if (form->kind == INK_VERSE_SHI) fail_msg("%s", error.text);
        refused++;
        continue;
      }
      write_poem(vocab, verse, &random, CHOOSE_ANY, &poem);
      assert_legal(&poem, form, ink_text_string(&acrostic), &report);
      ink_verse_free(verse);
      held++;
    }
  }
  print_message("# %d held, %d refused\n", held, refused);
  assert_true(held > 200 && refused > 0);
  ink_text_free(&poem);
  ink_text_free(&acrostic);
}

static void asked_for_rhyme_is_kept(void **state) {
  const vocabulary *vocab = *state;
  static const char *const forms[] = {"五绝", "七绝", "五律", "七律"};
  ink_text poem = {0};
  ink_verse_report report;
  for (int group = 0; group < 30; group++) {
    const ink_verse_form *form = ink_verse_form_find(forms[group % 4]);
    ink_verse_demand demand = {.form = form, .group = ink_rhyme_group_at(group)->name};
    ink_verse *verse = new_verse(vocab, &demand);
    ink_random random = ink_random_at((uint64_t)group, 0, 0);
    write_poem(vocab, verse, &random, CHOOSE_ANY, &poem);
    assert_legal(&poem, form, NULL, &report);
    for (int k = 1; k < report.n_clause; k += 2)
      assert_true(ink_prosody_in_group(report.clauses[k].runes[report.clauses[k].length - 1], group,
                                       INK_READINGS_COMMON));
    ink_verse_free(verse);
  }
  static const char *const classes[][3] = {{"浣溪沙", "第七部", "先"},
                                           {"蝶恋花", "四纸", "纸"},
                                           {"满江红", "九屑", "屑"},
                                           {"水调歌头", "下平一先", "先"}};
  for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
    const ink_verse_form *form = ink_verse_form_find(classes[i][0]);
    ink_verse *verse = new_verse(vocab, &(ink_verse_demand){.form = form, .group = classes[i][1]});
    ink_random random = ink_random_at(i, 1, 0);
    write_poem(vocab, verse, &random, CHOOSE_ANY, &poem);
    assert_legal(&poem, form, NULL, &report);
    ink_reading readings[INK_READINGS_MAX];
    int32_t rune;
    ink_utf8_decode(classes[i][2], 3, &rune);
    assert_true(ink_prosody_readings((uint32_t)rune, readings) > 0);
    assert_int_equal(report.rhymes[0], INK_RHYME_GROUPS + readings[0].ci_class);
    ink_verse_free(verse);
  }
  ink_text_free(&poem);
}

// The rhyme words of one poem are demanded of another, with the beginning of a third.
static void rhyme_words_of_a_poem_fit_another(void **state) {
  const vocabulary *vocab = *state;
  const ink_verse_form *form;
  ink_text poem = {0}, words = {0};
  ink_verse_report report, again;
  for (size_t f = 0; (form = ink_verse_form_at(f)); f++) {
    for (uint64_t seed = 1; seed <= 5; seed++) {
      ink_random random = ink_random_at(seed, f, 0);
      ink_verse *verse = new_verse(vocab, &(ink_verse_demand){.form = form});
      write_poem(vocab, verse, &random, CHOOSE_ANY, &poem);
      ink_verse_free(verse);
      assert_legal(&poem, form, NULL, &report);
      ink_text_clear(&words);
      for (int k = 0; k < report.n_clause; k++)
        if (report.pattern->clauses[k].rhyme >= 0 && !report.pattern->clauses[k].echo)
          ink_text_add_rune(&words, report.clauses[k].runes[report.clauses[k].length - 1]);
      ink_verse_demand demand = {
          .form = form,
          .pattern = form->kind == INK_VERSE_SHI ? report.pattern->name : NULL,
          .rhymes = ink_text_string(&words)};
      verse = new_verse(vocab, &demand);
      write_poem(vocab, verse, &random, CHOOSE_ANY, &poem);
      ink_verse_free(verse);
      assert_legal(&poem, form, NULL, &again);
      if (again.pattern != report.pattern) continue;  // another one with as many rhymes
      for (int k = 0; k < report.n_clause; k++)
        if (report.pattern->clauses[k].rhyme >= 0) {
          int end = report.clauses[k].length - 1;
          assert_int_equal(again.clauses[k].runes[end], report.clauses[k].runes[end]);
        }
    }
  }
  ink_text_free(&poem);
  ink_text_free(&words);
}

// Any beginning of any legal poem can be given as an opening and is completed.
static void any_beginning_can_be_completed(void **state) {
  const vocabulary *vocab = *state;
  const ink_verse_form *form;
  ink_text poem = {0}, opening = {0}, whole = {0};
  ink_verse_report report;
  int tried = 0;
  for (size_t f = 0; (form = ink_verse_form_at(f)); f++) {
    ink_random random = ink_random_at(7, f, 0);
    ink_verse *verse = new_verse(vocab, &(ink_verse_demand){.form = form});
    write_poem(vocab, verse, &random, CHOOSE_ANY, &poem);
    ink_verse_free(verse);
    for (size_t at = 0; at < poem.size;) {
      int32_t rune;
      size_t size = ink_utf8_decode(poem.bytes + at, poem.size - at, &rune);
      at += size;
      if (at / size % 3 != f % 3) continue;
      ink_text_clear(&opening);
      ink_text_add_bytes(&opening, poem.bytes, at);
      verse =
          new_verse(vocab, &(ink_verse_demand){.form = form, .opening = ink_text_string(&opening)});
      assert_string_equal(ink_verse_opening(verse), ink_text_string(&opening));
      write_poem(vocab, verse, &random, CHOOSE_ANY, &whole);
      assert_memory_equal(whole.bytes, poem.bytes, at);
      assert_legal(&whole, form, NULL, &report);
      ink_verse_free(verse);
      tried++;
    }
  }
  print_message("# %d openings\n", tried);
  ink_text_free(&poem);
  ink_text_free(&opening);
  ink_text_free(&whole);
}

static void opening_of_a_poet_goes_on(void **state) {
  const vocabulary *vocab = *state;
  const ink_verse_form *form = ink_verse_form_find("五律");
  ink_text poem = {0};
  ink_verse_report report;
  // No line break between the couplets, traditional characters, and a swapped 无为在歧路.
  ink_verse *verse = new_verse(
      vocab, &(ink_verse_demand){.form = form,
                                 .opening = "城闕輔三秦，風煙望五津。與君離別意，同是宦遊人。"
                                            "海內存知己，天涯若比鄰。無為在歧"});
  assert_string_equal(ink_verse_opening(verse),
                      "城阙辅三秦，风烟望五津。\n与君离别意，同是宦游人。\n"
                      "海内存知己，天涯若比邻。\n无为在歧");
  ink_random random = ink_random_at(3, 0, 0);
  write_poem(vocab, verse, &random, CHOOSE_ANY, &poem);
  assert_legal(&poem, form, NULL, &report);
  assert_string_equal(report.pattern->name, "仄起入韵");
  ink_verse_free(verse);
  ink_text_free(&poem);
}

static void pattern_by_name_is_kept(void **state) {
  const vocabulary *vocab = *state;
  const ink_verse_form *form = ink_verse_form_find("七律");
  ink_text poem = {0};
  ink_verse_report report;
  for (int p = 0; p < form->n_pattern; p++) {
    ink_verse *verse =
        new_verse(vocab, &(ink_verse_demand){.form = form, .pattern = form->patterns[p].name});
    assert_ptr_equal(ink_verse_settled(verse), &form->patterns[p]);
    ink_random random = ink_random_at(5, (uint64_t)p, 0);
    write_poem(vocab, verse, &random, CHOOSE_ANY, &poem);
    assert_legal(&poem, form, NULL, &report);
    assert_ptr_equal(report.pattern, &form->patterns[p]);
    ink_verse_free(verse);
  }
  ink_text_free(&poem);
}

static void characters_come_again_only_doubled(void **state) {
  const vocabulary *vocab = *state;
  const ink_verse_form *form = ink_verse_form_find("七律");
  ink_text poem = {0};
  ink_verse_report report;
  ink_verse *verse = new_verse(vocab, &(ink_verse_demand){.form = form, .acrostic = "春夏秋冬"});
  for (uint64_t seed = 0; seed < 50; seed++) {
    ink_random random = ink_random_at(seed, 0, 0);
    ink_verse_restart(verse);
    write_poem(vocab, verse, &random, CHOOSE_ANY, &poem);
    assert_legal(&poem, form, "春夏秋冬", &report);
    uint32_t runes[64];
    int n = 0;
    for (int k = 0; k < report.n_clause; k++)
      for (int i = 0; i < report.clauses[k].length; i++) runes[n++] = report.clauses[k].runes[i];
    for (int i = 0; i < n; i++)
      for (int j = 0; j < i - 1; j++) assert_int_not_equal(runes[i], runes[j]);
  }
  ink_verse_free(verse);
  ink_text_free(&poem);
}

static void assert_refused(const vocabulary *vocab, const ink_verse_demand *demand,
                           const char *part) {
  ink_error error = {0};
  ink_verse *verse = (ink_verse *)&error;
  ink_status status = ink_verse_new(vocab->lexicon, demand, &verse, &error);
  if (status != INK_ERR_USAGE) fail_msg("not refused, wanted: %s", part);
  assert_null(verse);
  if (!strstr(error.text, part)) fail_msg("'%s' does not say '%s'", error.text, part);
}

static void impossible_demand_is_an_error_that_says_why(void **state) {
  const vocabulary *vocab = *state;
  const ink_verse_form *lv = ink_verse_form_find("七律"), *jue = ink_verse_form_find("五绝"),
                       *yi = ink_verse_form_find("忆江南"), *die = ink_verse_form_find("蝶恋花"),
                       *ling = ink_verse_form_find("如梦令");
  typedef ink_verse_demand d;
  assert_refused(vocab, &(d){.form = lv, .acrostic = "我爱中"}, "the acrostic has 3 characters");
  assert_refused(vocab, &(d){.form = lv, .acrostic = "love"}, "must be Chinese characters");
  assert_refused(vocab, &(d){.form = lv, .acrostic = "我爱中𪚥"},
                 "𪚥, which the model cannot write");
  assert_refused(
      vocab, &(d){.form = yi, .pattern = "又一体", .acrostic = "月落乌啼霜"},
      "月 is 仄 and cannot be character 1 of clause 1 of 忆江南 (又一体), which must be 平");
  assert_refused(vocab, &(d){.form = lv, .pattern = "正体"}, "七律 has no pattern '正体'");
  assert_refused(vocab, &(d){.form = lv, .group = "一董"}, "一董 is not one");
  assert_refused(vocab, &(d){.form = lv, .group = "东风"}, "there is no rhyme '东风'");
  assert_refused(vocab, &(d){.form = lv, .group = "第一部"}, "there is no rhyme '第一部'");
  assert_refused(vocab, &(d){.form = die, .group = "一东"}, "begins with a rhyme in 仄");
  assert_refused(vocab, &(d){.form = jue, .rhymes = "流楼舟秋"}, "there are 4 rhyme words");
  assert_refused(vocab, &(d){.form = jue, .rhymes = "流流"}, "流 comes twice");
  assert_refused(vocab, &(d){.form = jue, .rhymes = "流月"}, "月 is 仄; clause 4");
  assert_refused(vocab, &(d){.form = jue, .rhymes = "流天"},
                 "天 does not rhyme with those before it");
  assert_refused(vocab, &(d){.form = jue, .rhymes = "流楼", .group = "一东"}, "流 does not rhyme");
  assert_refused(vocab, &(d){.form = ling, .acrostic = "东西南北中天地"},
                 "中 and 天 are asked for");
  assert_refused(vocab, &(d){.form = jue, .opening = "床前明月光，疑是地上"},
                 "behind its first 8 characters, at '上'");
  assert_refused(vocab, &(d){.form = jue, .opening = "白日依山尽。"}, "at '。'");
  assert_refused(vocab, &(d){.form = jue, .opening = "白日依山尽，", .acrostic = "春夏秋冬"},
                 "behind its first 0 characters, at '白'");
  assert_refused(vocab, &(d){.form = jue, .opening = "\xff"}, "not a character");
  // Two demands that each could be met alone.
  assert_refused(vocab, &(d){.form = lv, .rhymes = "东中风天"}, "天 does not rhyme with those");
  assert_refused(vocab, &(d){.form = lv, .group = "七阳", .rhymes = "流楼舟秋"},
                 "流 does not rhyme with those before it or with the rhyme asked for");
  assert_refused(vocab, &(d){.form = jue, .pattern = "仄起入韵", .rhymes = "流楼"},
                 "there are 2 rhyme words; 五绝 (仄起入韵) takes 3");
  assert_refused(vocab, &(d){.form = jue, .opening = "白日依山尽，黄河入海流。", .group = "一东"},
                 "at '流'");
  assert_refused(vocab, &(d){.form = jue, .opening = "白日依山尽，黄河入海流。", .rhymes = "东中"},
                 "at '流'");
  assert_refused(vocab, &(d){.form = jue, .opening = "白日依山尽，", .pattern = "平起入韵"},
                 "behind its first");
  assert_refused(
      vocab,
      &(d){.form = lv,
           .acrostic = "春夏秋冬春夏秋冬春夏秋冬春夏秋冬春夏秋冬春夏秋冬春夏秋冬春夏秋冬"
                       "春夏秋冬春夏秋冬春夏秋冬春夏秋冬春夏秋冬春夏秋冬春夏秋冬春夏秋冬春"},
      "more than 64 characters");
}

static void vocabulary_without_verse_is_refused(void **state) {
  const vocabulary *vocab = *state;
  ink_error error = {0};
  ink_verse_lexicon *lexicon;
  int32_t end = END;
  assert_int_equal(ink_verse_lexicon_new(vocab->runes, 300, &end, 1, &lexicon, &error),
                   INK_ERR_USAGE);
  assert_null(lexicon);
  assert_int_equal(ink_verse_lexicon_new(vocab->runes, vocab->n, &end, 0, &lexicon, &error),
                   INK_ERR_USAGE);
  assert_int_equal(ink_verse_lexicon_new(NULL, 0, &end, 1, &lexicon, &error), INK_ERR_USAGE);
}

static void token_that_is_not_allowed_changes_nothing(void **state) {
  const vocabulary *vocab = *state;
  ink_error error = {0};
  ink_verse *verse = new_verse(
      vocab, &(ink_verse_demand){.form = ink_verse_form_find("五绝"), .acrostic = "春秋"});
  static uint64_t before[MOST_TOKENS / 64 + 1], after[MOST_TOKENS / 64 + 1];
  ink_verse_allowed(verse, before);
  int32_t wrong[] = {-1, END, FIRST_MARK, token_of(vocab, U'夏'), (int32_t)vocab->n, INT32_MAX};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    assert_int_equal(ink_verse_accept(verse, wrong[i], &error), INK_ERR_USAGE);
  ink_verse_allowed(verse, after);
  assert_memory_equal(before, after, sizeof before);
  assert_ok(ink_verse_accept(verse, token_of(vocab, U'春'), &error));
  ink_verse_free(verse);
}

static void processor_forbids_all_but_the_allowed(void **state) {
  const vocabulary *vocab = *state;
  ink_error error = {0};
  ink_verse *verse = new_verse(
      vocab, &(ink_verse_demand){.form = ink_verse_form_find("五绝"), .acrostic = "春秋"});
  ink_logit_processor processor = ink_verse_processor(verse);
  static float logits[MOST_TOKENS + 10];
  size_t n = vocab->n + 10;  // an embedding with spare rows
  for (size_t i = 0; i < n; i++) logits[i] = (float)i;
  int32_t prompt = 3, spring = token_of(vocab, U'春');
  assert_ok(processor.process(processor.self, &prompt, 1, logits, n, &error));
  for (size_t i = 0; i < n; i++)
    assert_true(i == (size_t)spring ? logits[i] == (float)i : isinf(logits[i]) && logits[i] < 0);
  assert_ok(processor.accept(processor.self, spring, &error));
  ink_text poem = {0};
  ink_random random = ink_random_at(1, 0, 0);
  write_poem(vocab, verse, &random, CHOOSE_ANY, &poem);
  assert_int_equal(processor.process(processor.self, &prompt, 1, logits, n, &error), INK_ERR_USAGE);
  assert_int_equal(processor.accept(processor.self, spring, &error), INK_ERR_USAGE);
  ink_text_free(&poem);
  ink_verse_free(verse);
}

static void same_choices_give_the_same_poem_after_a_restart(void **state) {
  const vocabulary *vocab = *state;
  ink_text first = {0}, second = {0};
  ink_verse *verse =
      new_verse(vocab, &(ink_verse_demand){.form = ink_verse_form_find("满江红"), .group = "月"});
  for (int i = 0; i < 2; i++) {
    ink_random random = ink_random_at(11, 0, 0);
    ink_verse_restart(verse);
    write_poem(vocab, verse, &random, CHOOSE_ANY, i ? &second : &first);
  }
  assert_string_equal(ink_text_string(&first), ink_text_string(&second));
  ink_verse_free(verse);
  ink_text_free(&first);
  ink_text_free(&second);
}

static int set_up(void **state) {
  static vocabulary vocab;
  make_vocabulary(&vocab, 3);
  *state = &vocab;
  return 0;
}

static int tear_down(void **state) {
  vocabulary *vocab = *state;
  ink_verse_lexicon_free(vocab->lexicon);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(random_choices_never_break_any_form),
      cmocka_unit_test(stubborn_choices_never_get_stuck),
      cmocka_unit_test(characters_without_a_known_tone_never_lead_astray),
      cmocka_unit_test(random_acrostics_hold_or_are_refused),
      cmocka_unit_test(asked_for_rhyme_is_kept),
      cmocka_unit_test(rhyme_words_of_a_poem_fit_another),
      cmocka_unit_test(any_beginning_can_be_completed),
      cmocka_unit_test(opening_of_a_poet_goes_on),
      cmocka_unit_test(pattern_by_name_is_kept),
      cmocka_unit_test(characters_come_again_only_doubled),
      cmocka_unit_test(impossible_demand_is_an_error_that_says_why),
      cmocka_unit_test(vocabulary_without_verse_is_refused),
      cmocka_unit_test(token_that_is_not_allowed_changes_nothing),
      cmocka_unit_test(processor_forbids_all_but_the_allowed),
      cmocka_unit_test(same_choices_give_the_same_poem_after_a_restart),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
