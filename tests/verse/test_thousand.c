// Regulated verse from seeds 1 to 1000 in each of the four forms, judged by the second judge: first
// with random logits, then with the poet where it is there.
#include <pthread.h>

#include "base/random.h"
#include "check/verse.h"
#include "independent.h"
#include "lang/simplify.h"
#include "llm/poet.h"
#include "llm/verse.h"
#include "testing.h"

enum { SEEDS = 1000, MOST_TOKENS = 10000, FIRST_WORD = 7 };

typedef struct main_form {
  const char *name;
  int lines, width;
} main_form;

static const main_form forms[] = {{"五绝", 4, 5}, {"七绝", 4, 7}, {"五律", 8, 5}, {"七律", 8, 7}};

// A file of the source tree, from where the fixtures lie.
static const char *source_path(const char *name) {
  char path[512];
  snprintf(path, sizeof path, "../../%s", name);
  return fixture_path(path);
}

static int32_t runes[MOST_TOKENS];
static size_t n_vocab;

static ink_verse_lexicon *make_lexicon(void) {
  ink_error error = {0};
  ink_verse_lexicon *lexicon;
  static const int32_t first[FIRST_WORD] = {-1, U'，', U'、', U'。', U'？', U'！', U'\n'};
  int32_t end = 0;
  memcpy(runes, first, sizeof first);
  n_vocab = FIRST_WORD;
  for (uint32_t rune = 0x4E00; rune < 0xA000 && n_vocab < MOST_TOKENS; rune++)
    if (ink_prosody_tones(rune, INK_READINGS_COMMON) && ink_simplify_rune(rune) == rune)
      runes[n_vocab++] = (int32_t)rune;
  assert_ok(ink_verse_lexicon_new(runes, n_vocab, &end, 1, &lexicon, &error));
  return lexicon;
}

static void write_randomly(ink_verse *verse, ink_random *random, ink_text *poem) {
  static uint64_t bits[MOST_TOKENS / 64 + 1];
  ink_error error = {0};
  ink_text_clear(poem);
  ink_verse_restart(verse);
  while (!ink_verse_done(verse)) {
    ink_verse_allowed(verse, bits);
    size_t n = 0, i = 0;
    for (size_t k = 0; k <= n_vocab / 64; k++) n += (size_t)__builtin_popcountll(bits[k]);
    assert_true(n > 0);
    for (n = ink_random_below(random, n); n >= (size_t)__builtin_popcountll(bits[i]); i++)
      n -= (size_t)__builtin_popcountll(bits[i]);
    uint64_t word = bits[i];
    while (n--) word &= word - 1;
    int32_t token = (int32_t)(i * 64) + __builtin_ctzll(word);
    assert_ok(ink_verse_accept(verse, token, &error));
    if (runes[token] > 0) ink_text_add_rune(poem, (uint32_t)runes[token]);
  }
}

static void second_judge_knows_good_from_bad(void **state) {
  const rhyme_book *book = *state;
  char why[200];
  static const struct {
    const char *poem;
    int lines, width;
    const char *why;
  } cases[] = {
      {"白日依山尽，黄河入海流。\n欲穷千里目，更上一层楼。\n", 4, 5, NULL},
      {"功盖三分国，名成八阵图。江流石不转，遗恨失吞吴。", 4, 5, NULL},
      {"朝辞白帝彩云间，千里江陵一日还。两岸猿声啼不住，轻舟已过万重山。", 4, 7, NULL},
      {"城阙辅三秦，风烟望五津。与君离别意，同是宦游人。"
       "海内存知己，天涯若比邻。无为在歧路，儿女共沾巾。",
       8, 5, NULL},
      {"风急天高猿啸哀，渚清沙白鸟飞回。无边落木萧萧下，不尽长江滚滚来。"
       "万里悲秋常作客，百年多病独登台。艰难苦恨繁霜鬓，潦倒新停浊酒杯。",
       8, 7, NULL},
      {"白日依山尽，黄河入海流。欲穷千里目，更上一楼。", 4, 5, "lines"},
      {"白日依山尽，黄河入海流。", 4, 5, "lines"},
      {"白日依山尽，欲河入海流。欲穷千里目，更上一层楼。", 4, 5, "tones"},
      {"白日依山尽，黄河入海流。欲穷千里目，更上高层楼。", 4, 5, "tones"},
      {"床前明月光，疑是地上霜。举头望明月，低头思故乡。", 4, 5, "tones"},
      {"白日依山尽，黄河入海流。欲穷千里目，更上一层天。", 4, 5, "rhyme group"},
      {"白日依山尽，黄河入海流。欲穷千里目，更上一层流。", 4, 5, "twice"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bool legal = is_legal_verse(book, cases[i].poem, cases[i].lines, cases[i].width, why);
    if (legal != !cases[i].why || (cases[i].why && !strstr(why, cases[i].why)))
      fail_msg("%s: %s (%s)", cases[i].poem, legal ? "legal" : "not legal", why);
  }
}

// Legal poems with up to two characters changed: both judges say the same of every one.
static void both_judges_agree_on_damaged_poems(void **state) {
  const rhyme_book *book = *state;
  ink_verse_lexicon *lexicon = make_lexicon();
  ink_text poem = {0}, damaged = {0};
  int legal = 0, illegal = 0;
  char why[200];
  for (size_t f = 0; f < 4; f++) {
    ink_error error = {0};
    ink_verse *verse;
    const ink_verse_form *form = ink_verse_form_find(forms[f].name);
    assert_ok(ink_verse_new(lexicon, &(ink_verse_demand){.form = form}, &verse, &error));
    for (uint64_t seed = 1; seed <= 200; seed++) {
      ink_random random = ink_random_at(seed, f, 0);
      write_randomly(verse, &random, &poem);
      for (int change = 0; change < 10; change++) {
        size_t places[2] = {ink_random_below(&random, 80), ink_random_below(&random, 80)}, at = 0;
        ink_text_clear(&damaged);
        for (size_t i = 0; at < poem.size; i++) {
          int32_t rune;
          at += ink_utf8_decode(poem.bytes + at, poem.size - at, &rune);
          if (rune >= 0x4E00 && rune < 0xA000 && (i == places[0] || i == places[1]))
            rune = runes[FIRST_WORD + ink_random_below(&random, n_vocab - FIRST_WORD)];
          ink_text_add_rune(&damaged, (uint32_t)rune);
        }
        ink_verse_report report;
        assert_ok(ink_check_verse(damaged.bytes, damaged.size, form, NULL, &report, &error));
        bool second = is_legal_verse(book, damaged.bytes, forms[f].lines, forms[f].width, why);
        if (report.legal != second)
          fail_msg("%s: %d against %d (%s)", damaged.bytes, report.legal, second, why);
        legal += second;
        illegal += !second;
      }
    }
    ink_verse_free(verse);
  }
  print_message("# %d legal, %d not\n", legal, illegal);
  assert_true(legal > 1000 && illegal > 1000);
  ink_verse_lexicon_free(lexicon);
  ink_text_free(&poem);
  ink_text_free(&damaged);
}

static void thousand_poems_of_random_logits_are_legal(void **state) {
  const rhyme_book *book = *state;
  ink_verse_lexicon *lexicon = make_lexicon();
  ink_text poem = {0};
  char why[200];
  for (size_t f = 0; f < 4; f++) {
    ink_error error = {0};
    ink_verse *verse;
    ink_verse_demand demand = {.form = ink_verse_form_find(forms[f].name)};
    assert_ok(ink_verse_new(lexicon, &demand, &verse, &error));
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
      ink_random random = ink_random_at(seed, 0, 0);
      write_randomly(verse, &random, &poem);
      if (!is_legal_verse(book, ink_text_string(&poem), forms[f].lines, forms[f].width, why))
        fail_msg("%s seed %d: %s: %s", forms[f].name, (int)seed, why, ink_text_string(&poem));
    }
    ink_verse_free(verse);
  }
  ink_verse_lexicon_free(lexicon);
  ink_text_free(&poem);
}

// One form's share of the work; what went wrong, or "".
typedef struct shift {
  const rhyme_book *book;
  const ink_model *model;
  main_form form;
  char fault[1000];
} shift;

static void *write_a_thousand(void *argument) {
  shift *own = argument;
  ink_error error = {0};
  ink_poet_request *requests = calloc(SEEDS, sizeof *requests);
  ink_poem_draft *drafts = calloc(SEEDS, sizeof *drafts);
  for (size_t i = 0; i < SEEDS; i++) {
    requests[i] = ink_poet_default();
    requests[i].brief.field[INK_POEM_FORM] = own->form.name;
    requests[i].candidates = 1;
    requests[i].sampling.seed = i + 1;
  }
  if (ink_poet_write_many(own->model, requests, SEEDS, NULL, NULL, drafts, &error) != INK_OK)
    snprintf(own->fault, sizeof own->fault, "%s", error.text);
  for (size_t i = 0; i < SEEDS && !own->fault[0]; i++) {
    char why[200];
    if (!is_legal_verse(own->book, drafts[i].text, own->form.lines, own->form.width, why))
      snprintf(own->fault, sizeof own->fault, "seed %zu: %s: %.600s", i + 1, why, drafts[i].text);
  }
  for (size_t i = 0; i < SEEDS; i++) ink_poem_draft_free(&drafts[i]);
  free(requests);
  free(drafts);
  return NULL;
}

static void thousand_poems_of_the_poet_are_legal(void **state) {
  ink_error error = {0};
  ink_model *model;
  if (ink_model_open_at(source_path("models/poet"), &model, &error) != INK_OK) {
    print_message("# skipped: no models/poet (%s)\n", error.text);
    return;
  }
  pthread_t threads[4];
  static shift shifts[4];
  for (size_t f = 0; f < 4; f++) {
    shifts[f] = (shift){.book = *state, .model = model, .form = forms[f]};
    assert_int_equal(pthread_create(&threads[f], NULL, write_a_thousand, &shifts[f]), 0);
  }
  for (size_t f = 0; f < 4; f++) pthread_join(threads[f], NULL);
  for (size_t f = 0; f < 4; f++)
    if (shifts[f].fault[0]) fail_msg("%s, %s", forms[f].name, shifts[f].fault);
  ink_model_free(model);
}

static int set_up(void **state) {
  *state = rhyme_book_read(source_path("src/lang/data/pingshui.tsv"));
  return *state ? 0 : -1;
}

static int tear_down(void **state) {
  rhyme_book_free(*state);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(second_judge_knows_good_from_bad),
      cmocka_unit_test(both_judges_agree_on_damaged_poems),
      cmocka_unit_test(thousand_poems_of_random_logits_are_legal),
      cmocka_unit_test(thousand_poems_of_the_poet_are_legal),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
