// The rhyme book and the simplification table.
#include <jansson.h>

#include "lang/prosody.h"
#include "lang/simplify.h"
#include "testing.h"

static uint32_t rune_of(const char *text) {
  int32_t rune;
  ink_utf8_decode(text, strlen(text), &rune);
  return (uint32_t)rune;
}

static bool rhymes_in(const char *character, const char *group) {
  int index = ink_rhyme_group_find(group);
  assert_true(index >= 0);
  return ink_prosody_in_group(rune_of(character), index, INK_READINGS_ALL);
}

static void well_known_characters_have_their_readings(void **state) {
  (void)state;
  static const char *const level[][2] = {
      {"东", "一东"},   {"松", "二冬"},   {"江", "三江"},   {"时", "四支"},   {"归", "五微"},
      {"书", "六鱼"},   {"湖", "七虞"},   {"西", "八齐"},   {"怀", "九佳"},   {"来", "十灰"},
      {"春", "十一真"}, {"云", "十二文"}, {"村", "十三元"}, {"寒", "十四寒"}, {"山", "十五删"},
      {"天", "一先"},   {"桥", "二萧"},   {"梢", "三肴"},   {"高", "四豪"},   {"多", "五歌"},
      {"花", "六麻"},   {"霜", "七阳"},   {"明", "八庚"},   {"青", "九青"},   {"灯", "十蒸"},
      {"秋", "十一尤"}, {"心", "十二侵"}, {"南", "十三覃"}, {"帘", "十四盐"}, {"帆", "十五咸"}};
  for (size_t i = 0; i < sizeof level / sizeof *level; i++) {
    if (!rhymes_in(level[i][0], level[i][1])) fail_msg("%s not in %s", level[i][0], level[i][1]);
    assert_true(ink_prosody_tones(rune_of(level[i][0]), INK_READINGS_ALL) & INK_TONE_PING);
  }
  static const char *const deflected[][2] = {
      {"雪", "九屑"},     {"月", "六月"}, {"国", "十三职"}, {"夜", "二十二祃"}, {"水", "四纸"},
      {"酒", "二十五有"}, {"路", "七遇"}, {"白", "十一陌"}, {"石", "十一陌"}};
  for (size_t i = 0; i < sizeof deflected / sizeof *deflected; i++) {
    if (!rhymes_in(deflected[i][0], deflected[i][1]))
      fail_msg("%s not in %s", deflected[i][0], deflected[i][1]);
    assert_false(ink_prosody_tones(rune_of(deflected[i][0]), INK_READINGS_ALL) & INK_TONE_PING);
  }
}

static void simplified_character_has_the_readings_of_its_forms(void **state) {
  (void)state;
  assert_true(rhymes_in("干", "十四寒"));  // 干, 乾
  assert_true(rhymes_in("干", "十五翰"));  // 幹
  assert_true(rhymes_in("后", "二十五有"));
  assert_true(rhymes_in("發", "六月") && rhymes_in("髮", "六月") && rhymes_in("发", "六月"));
  assert_true(rhymes_in("窗", "三江"));  // 廣韻 prints 窻
  // 胜 stands for 勝 in verse, not for the 胜 of 廣韻 in 青.
  assert_true(rhymes_in("胜", "十蒸") && rhymes_in("胜", "二十五径"));
  assert_false(rhymes_in("胜", "九青"));
}

static void reading_that_verse_never_uses_is_not_common(void **state) {
  (void)state;
  uint32_t bu = rune_of("不"), kan = rune_of("看");
  assert_true(ink_prosody_tones(bu, INK_READINGS_ALL) & INK_TONE_PING);
  assert_false(ink_prosody_tones(bu, INK_READINGS_COMMON) & INK_TONE_PING);
  assert_true(ink_prosody_tones(kan, INK_READINGS_COMMON) & INK_TONE_PING);
  assert_true(ink_prosody_tones(kan, INK_READINGS_COMMON) & INK_TONE_ZE);
}

static void every_reading_is_within_the_book(void **state) {
  (void)state;
  size_t characters = 0, readings = 0;
  for (uint32_t rune = 0; rune < 0x110000; rune++) {
    ink_reading out[INK_READINGS_MAX];
    size_t n = ink_prosody_readings(rune, out);
    bool common = n == 0;
    for (size_t i = 0; i < n; i++) {
      const ink_rhyme_group *group = ink_rhyme_group_at(out[i].group);
      assert_non_null(group);
      assert_int_equal(out[i].tone, group->tone);
      assert_in_range(out[i].ci_class, 1, INK_CI_CLASSES);
      assert_int_equal(out[i].ci_class >= 15, out[i].tone == INK_TONE_RU);
      common = common || out[i].common;
    }
    assert_true(n < INK_READINGS_MAX);
    assert_true(common);
    characters += n > 0;
    readings += n;
  }
  print_message("# %zu characters, %zu readings\n", characters, readings);
  assert_true(characters > 20000);
}

static void unknown_character_has_no_reading(void **state) {
  (void)state;
  ink_reading out[INK_READINGS_MAX];
  assert_int_equal(ink_prosody_readings('A', out), 0);
  assert_int_equal(ink_prosody_readings(0x1F600, out), 0);
  assert_int_equal(ink_prosody_readings(UINT32_MAX, out), 0);
  assert_int_equal(ink_prosody_tones(rune_of("，"), INK_READINGS_ALL), 0);
}

static void group_is_found_by_every_usual_name(void **state) {
  (void)state;
  static const char *const names[] = {"一东",     "东",       "東",        "一東",
                                      "上平一东", "平声一东", "上平声一東"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (ink_rhyme_group_find(names[i]) != 0) fail_msg("%s", names[i]);
  assert_string_equal(ink_rhyme_group_at(ink_rhyme_group_find("下平七阳"))->name, "七阳");
  assert_string_equal(ink_rhyme_group_at(ink_rhyme_group_find("入声一屋"))->name, "一屋");
  for (int i = 0; i < INK_RHYME_GROUPS; i++)
    assert_int_equal(ink_rhyme_group_find(ink_rhyme_group_at(i)->name), i);
  assert_int_equal(ink_rhyme_group_find("二东"), -1);
  assert_int_equal(ink_rhyme_group_find("平"), -1);
  assert_int_equal(ink_rhyme_group_find(""), -1);
  assert_int_equal(ink_rhyme_group_find("\xe4\xb8"), -1);
  assert_null(ink_rhyme_group_at(-1));
  assert_null(ink_rhyme_group_at(INK_RHYME_GROUPS));
}

// Share of the other table's characters that have one of its readings in ours, at least 98.5 %.
static void book_agrees_with_an_independent_table(void **state) {
  (void)state;
  const char *path = shared_path("prosody/Pingshui_Rhyme.json");
  if (!path) {
    print_message("# skipped: no ../shared/data\n");
    return;
  }
  json_t *root = json_load_file(path, 0, NULL);
  assert_non_null(root);
  const char *part, *name;
  json_t *groups, *characters, *seen = json_object(), *met = json_object();
  json_object_foreach(root, part, groups) {
    json_object_foreach(groups, name, characters) {
      int group = ink_rhyme_group_find(strcmp(name, "二十八琰") ? name : "二十八俭");
      if (group < 0) fail_msg("%s is no group of ours", name);
      size_t i;
      json_t *character;
      json_array_foreach(characters, i, character) {
        uint32_t rune = rune_of(json_string_value(character));
        ink_reading out[INK_READINGS_MAX];
        if (!ink_prosody_readings(rune, out)) continue;
        json_object_set_new(seen, json_string_value(character), json_true());
        if (ink_prosody_in_group(rune, group, INK_READINGS_ALL))
          json_object_set_new(met, json_string_value(character), json_true());
      }
    }
  }
  size_t total = json_object_size(seen), agreed = json_object_size(met);
  print_message("# %zu of %zu characters agree\n", agreed, total);
  assert_true(total > 7500);
  assert_true((double)agreed > 0.985 * (double)total);
  json_decref(root);
  json_decref(seen);
  json_decref(met);
}

static void assert_simplified(const char *traditional, const char *expected) {
  ink_error error = {0};
  ink_text out = {0};
  ink_simplify(traditional, strlen(traditional), &out);
  assert_ok(ink_text_status(&out, &error));
  assert_string_equal(ink_text_string(&out), expected);
  ink_text_free(&out);
}

static void neighbours_decide_what_one_character_becomes(void **state) {
  (void)state;
  assert_simplified("乾坤一腐儒，淚痕未乾。", "乾坤一腐儒，泪痕未干。");
  assert_simplified("身輕於羽，虎有於菟", "身轻于羽，虎有於菟");
  assert_simplified("祇今惟有，地祇", "只今惟有，地祇");
  assert_simplified("沈約吟，沈吟", "沈约吟，沉吟");
}

static void old_glyphs_become_their_standard_character(void **state) {
  (void)state;
  assert_simplified("春風又緑江南岸", "春风又绿江南岸");
  assert_simplified("鴈過疎簷，劒氣隠", "雁过疏檐，剑气隐");
  assert_simplified("細雨濛濛", "细雨濛濛");
  assert_simplified("床前明月光", "床前明月光");
  assert_simplified("", "");
}

static void ill_formed_text_becomes_replacement_characters(void **state) {
  (void)state;
  assert_simplified("東\xff\xe6\x9d", "东\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

static void simplifying_twice_changes_nothing(void **state) {
  (void)state;
  for (uint32_t rune = 0; rune < 0x30000; rune++) {
    uint32_t once = ink_simplify_rune(rune);
    if (ink_simplify_rune(once) != once) fail_msg("U+%04X -> U+%04X", rune, once);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(well_known_characters_have_their_readings),
      cmocka_unit_test(simplified_character_has_the_readings_of_its_forms),
      cmocka_unit_test(reading_that_verse_never_uses_is_not_common),
      cmocka_unit_test(every_reading_is_within_the_book),
      cmocka_unit_test(unknown_character_has_no_reading),
      cmocka_unit_test(group_is_found_by_every_usual_name),
      cmocka_unit_test(book_agrees_with_an_independent_table),
      cmocka_unit_test(neighbours_decide_what_one_character_becomes),
      cmocka_unit_test(old_glyphs_become_their_standard_character),
      cmocka_unit_test(ill_formed_text_becomes_replacement_characters),
      cmocka_unit_test(simplifying_twice_changes_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
