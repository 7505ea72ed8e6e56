// Prompt syntax: what A1111's readers make of the same text, chunks of tokens, and hostile prompts.
#include <math.h>

#include "base/random.h"
#include "diffusion/prompt.h"
#include "testing.h"

// ---- schedules ----------------------------------------------------------------------------------

// Assert what the prompt reads as, as "last step: text" runs over ten steps.
static void assert_schedule(const char *prompt, const char *expected) {
  ink_error error = {0};
  ink_text runs = {0}, last = {0}, now = {0};
  for (int step = 0; step < 10; step++) {
    ink_text_clear(&now);
    assert_ok(ink_prompt_at(prompt, step, 10, &now, &error));
    if (step && strcmp(ink_text_string(&now), ink_text_string(&last)) != 0) {
      ink_text_format(&runs, "%d:%s;", step, ink_text_string(&last));
    }
    ink_text_clear(&last);
    ink_text_add(&last, ink_text_string(&now));
  }
  ink_text_format(&runs, "10:%s;", ink_text_string(&last));
  if (strcmp(runs.bytes, expected) != 0) {
    fail_msg("\"%s\" gives \"%s\", not \"%s\"", prompt, runs.bytes, expected);
  }
  ink_text_free(&runs);
  ink_text_free(&last);
  ink_text_free(&now);
}

static void schedules_switch_at_their_step(void **state) {
  (void)state;
  assert_schedule("test", "10:test;");
  assert_schedule("", "10:;");
  assert_schedule("a [b:3]", "3:a ;10:a b;");
  assert_schedule("a [b: 3 ]", "3:a ;10:a b;");
  assert_schedule("a [b::3]", "3:a b;10:a ;");
  assert_schedule("a [[[b]]:2]", "2:a ;10:a [[b]];");
  assert_schedule("[(a:2):3]", "3:;10:(a:2);");
  assert_schedule("a [b : c : 1] d", "1:a b  d;10:a  c  d;");
  assert_schedule("a[b:[c:d:2]:1]e", "1:abe;2:ace;10:ade;");
  assert_schedule("a [b:.5] c", "5:a  c;10:a b c;");
  assert_schedule("[a:b:0.25]", "2:a;10:b;");
  assert_schedule("[a:b:1.0]", "10:a;");
  assert_schedule("[a:b:99]", "10:a;");
  assert_schedule("[a:b:0]", "10:b;");
  assert_schedule("((a][:b:c [d:3]", "3:((a][:b:c ;10:((a][:b:c d;");
}

static void assert_tags(const char *prompt, const char *rest, const char *expected) {
  ink_error error = {0};
  ink_text left = {0}, names = {0};
  ink_prompt_tags tags;
  assert_ok(ink_prompt_take_tags(prompt, &left, &tags, &error));
  for (size_t i = 0; i < tags.n; i++) {
    ink_text_format(&names, "%s=%g;", tags.items[i].name, tags.items[i].weight);
  }
  assert_string_equal(ink_text_string(&left), rest);
  assert_string_equal(ink_text_string(&names), expected);
  ink_prompt_tags_free(&tags);
  ink_text_free(&left);
  ink_text_free(&names);
}

static void tags_of_plug_ins_are_taken_out(void **state) {
  (void)state;
  assert_tags("a cat <lora:style:0.8>", "a cat", "style=0.8;");
  assert_tags("<lora:a b:-1><lyco:c> (x:1.2)<lora:a/b.c:2>", "(x:1.2)", "a b=-1;c=1;a/b.c=2;");
  assert_tags(" a <cat-toy> <lora: x", " a <cat-toy> <lora: x", "");
  static const char *const bad[] = {"<lora::1>",    "<lora:x:y>",   "<lora:x:1:1>",
                                    "<lora:x:101>", "<lora:x:nan>", "<lora:>"};
  for (size_t i = 0; i < 6; i++) {
    ink_error error = {0};
    ink_text left = {0};
    ink_prompt_tags tags;
    assert_int_equal(ink_prompt_take_tags(bad[i], &left, &tags, &error), INK_ERR_USAGE);
    assert_non_null(strstr(error.text, bad[i]));
    ink_text_free(&left);
  }
}

static void alternations_take_turns(void **state) {
  (void)state;
  assert_schedule("[a|(b:1.1)]",
                  "1:a;2:(b:1.1);3:a;4:(b:1.1);5:a;6:(b:1.1);7:a;8:(b:1.1);9:a;10:(b:1.1);");
  assert_schedule("[fe|||]male", "1:female;4:male;5:female;8:male;9:female;10:male;");
  assert_schedule("[[a|b]:c:4]", "1:a;2:b;3:a;4:b;10:c;");
}

static void what_is_no_schedule_stays(void **state) {
  (void)state;
  assert_schedule("a [unbalanced", "10:a [unbalanced;");
  assert_schedule("[a:b]", "10:[a:b];");
  assert_schedule("[a:b:c:3]", "10:[a:b:c:3];");
  assert_schedule("[a:-3]", "10:[a:-3];");
  assert_schedule("\\[a:3\\]", "10:\\[a:3\\];");
  assert_schedule("[a\\:3]", "10:[a\\:3];");
  assert_schedule("(a:1.2) :3] |", "10:(a:1.2) :3] |;");
}

// ---- weights ------------------------------------------------------------------------------------

typedef struct expected_piece {
  const char *text;
  double weight;  // NAN: a break
} expected_piece;

static void assert_pieces(const char *prompt, const expected_piece *expected, size_t n) {
  ink_error error = {0};
  ink_prompt_pieces pieces;
  assert_ok(ink_prompt_weigh(prompt, &pieces, &error));
  for (size_t i = 0; i < n && i < pieces.n; i++) {
    const ink_prompt_piece *p = &pieces.items[i];
    bool same = strcmp(p->text, expected[i].text) == 0 && p->size == strlen(p->text) &&
                p->breaks == (bool)isnan(expected[i].weight) &&
                (p->breaks || fabs(p->weight - expected[i].weight) < 1e-12);
    if (!same) fail_msg("\"%s\": piece %d is \"%s\" %g", prompt, (int)i, p->text, p->weight);
  }
  if (pieces.n != n) fail_msg("\"%s\" has %d pieces", prompt, (int)pieces.n);
  ink_prompt_pieces_free(&pieces);
}
#define PIECES(prompt, ...)                                    \
  assert_pieces(prompt, (const expected_piece[]){__VA_ARGS__}, \
                sizeof((const expected_piece[]){__VA_ARGS__}) / sizeof(expected_piece))

static void weights_are_read_as_a1111_reads_them(void **state) {
  (void)state;
  PIECES("normal text", {"normal text", 1});
  PIECES("", {"", 1});
  PIECES("an (important) word", {"an ", 1}, {"important", 1.1}, {" word", 1});
  PIECES("(unbalanced", {"unbalanced", 1.1});
  PIECES("\\(literal\\]", {"(literal]", 1});
  PIECES("a\\\\b\\c", {"a\\bc", 1});
  PIECES("(unnecessary)(parens)", {"unnecessaryparens", 1.1});
  PIECES("a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", {"a ", 1},
         {"house", 1.1 * 1.1 * 1.3}, {" ", 1.1}, {"on", 1}, {" a ", 1.1}, {"hill", 0.55},
         {", sun, ", 1.1}, {"sky", 1.1 * 1.1 * 1.1 * 1.1}, {".", 1.1});
  PIECES("(word:1.2)", {"word", 1.2});
  PIECES("(word : 1.2 )", {"word ", 1.2});
  PIECES("(word:-0.5) (x:+2)", {"word", -0.5}, {" ", 1}, {"x", 2});
  PIECES("(none:0)", {"none", 0});
  PIECES("[less]", {"less", 1 / 1.1});
  PIECES("((x))", {"x", 1.1 * 1.1});
  PIECES("(a:b)", {"a:b", 1.1});
  PIECES("a:1.2) b]", {"a:1.2) b]", 1});
  PIECES("(狐狸:1.5)，红", {"狐狸", 1.5}, {"，红", 1});
  PIECES("(a [b) c]", {"a ", 1.1}, {"b", 1}, {" c", 1 / 1.1});
}

static void break_begins_a_new_chunk(void **state) {
  (void)state;
  PIECES("a BREAK b", {"a", 1}, {"", (double)NAN}, {"b", 1});
  PIECES("(a BREAK b:1.2)", {"a", 1.2}, {"", (double)NAN}, {"b", 1.2});
  PIECES("BREAK", {"", (double)NAN});
  PIECES("BREAKFAST xBREAK _BREAK", {"BREAKFAST xBREAK _BREAK", 1});
  PIECES("a\nBREAK\n BREAK b", {"a", 1}, {"", (double)NAN}, {"", (double)NAN}, {"b", 1});
}

// ---- chunks -------------------------------------------------------------------------------------

enum { BEGIN = 1000, END = 1001, COMMA = 44 };

// A tokenizer of one id per byte that is not a space.
static ink_status encode(void *context, const char *text, size_t size, int32_t **ids, size_t *n,
                         ink_error *error) {
  (void)context, (void)error;
  *ids = malloc((size + 1) * sizeof **ids);
  *n = 0;
  for (size_t i = 0; i < size; i++) {
    if (text[i] != ' ') (*ids)[(*n)++] = (unsigned char)text[i];
  }
  return INK_OK;
}

static const ink_prompt_vocabulary vocabulary = {
    .encode = encode, .begin = BEGIN, .end = END, .pad = 7, .comma = COMMA};

static ink_prompt_chunks encoded(const char *prompt) {
  ink_error error = {0};
  ink_prompt_chunks chunks;
  assert_ok(ink_prompt_encode(prompt, &vocabulary, &chunks, &error));
  return chunks;
}

// Tokens of a chunk before its end.
static int length_of(const ink_prompt_chunks *chunks, size_t chunk) {
  const int32_t *ids = chunks->ids + chunk * 77;
  assert_int_equal(ids[0], BEGIN);
  int n = 0;
  while (ids[1 + n] != END) n++;
  for (int i = n + 2; i < 77; i++) assert_int_equal(ids[i], 7);
  return n;
}

static void short_prompts_fill_one_chunk(void **state) {
  (void)state;
  ink_prompt_chunks c = encoded("");
  assert_int_equal(c.n, 1);
  assert_int_equal(length_of(&c, 0), 0);
  assert_false(c.weighted);
  ink_prompt_chunks_free(&c);
  c = encoded("ab (cd:1.5)");
  assert_int_equal(c.n, 1);
  assert_int_equal(length_of(&c, 0), 4);
  assert_true(c.weighted);
  const float weights[] = {1, 1, 1, 1.5F, 1.5F, 1};
  assert_memory_equal(c.weights, weights, sizeof weights);
  ink_prompt_chunks_free(&c);
}

static void long_prompts_go_on_in_new_chunks(void **state) {
  (void)state;
  char text[200];
  memset(text, 'x', sizeof text);
  text[75] = 0;
  ink_prompt_chunks c = encoded(text);
  assert_int_equal(c.n, 1);
  assert_int_equal(length_of(&c, 0), 75);
  ink_prompt_chunks_free(&c);
  text[75] = 'x';
  text[160] = 0;
  c = encoded(text);
  assert_int_equal(c.n, 3);
  assert_int_equal(length_of(&c, 0), 75);
  assert_int_equal(length_of(&c, 2), 10);
  ink_prompt_chunks_free(&c);
  // A comma among the last twenty tokens: what follows it moves on whole.
  text[60] = ',';
  c = encoded(text);
  assert_int_equal(length_of(&c, 0), 61);
  assert_int_equal(length_of(&c, 1), 75);
  ink_prompt_chunks_free(&c);
  text[60] = 'x';
  // Twenty tokens back at most, and one more is too far.
  for (int far = 0; far < 2; far++) {
    text[55 - far] = ',';
    c = encoded(text);
    assert_int_equal(length_of(&c, 0), far ? 75 : 56);
    ink_prompt_chunks_free(&c);
    text[55 - far] = 'x';
  }
  text[40] = ',';
  c = encoded(text);
  assert_int_equal(length_of(&c, 0), 75);
  ink_prompt_chunks_free(&c);
  // What moves on takes its weights along, less than 1 as well as more.
  memset(text, 'x', 70);
  strcpy(text + 70, ",(yyyyyyyy:0.5)");
  c = encoded(text);
  assert_int_equal(length_of(&c, 0), 71);
  assert_int_equal(length_of(&c, 1), 8);
  assert_true(c.weighted);
  for (int i = 0; i < 10; i++) {
    assert_true(c.weights[77 + i] == (i >= 1 && i <= 8 ? 0.5F : 1));
    assert_true(c.weights[62 + i] == 1);
  }
  ink_prompt_chunks_free(&c);
}

// A text encoder of few positions gets chunks of its own length.
static void chunks_have_the_encoders_room(void **state) {
  (void)state;
  ink_error error = {0};
  ink_prompt_vocabulary small = vocabulary;
  ink_prompt_chunks c;
  small.room = 30;
  assert_ok(ink_prompt_encode("abcdefghijklmnopqrstuvwxyzabcdefg", &small, &c, &error));
  assert_int_equal(c.n, 2);
  assert_int_equal(c.width, 32);
  assert_int_equal(c.ids[31], END);
  assert_int_equal(c.ids[32], BEGIN);
  assert_int_equal(c.ids[32 + 4], END);
  assert_int_equal(c.ids[32 + 5], small.pad);
  ink_prompt_chunks_free(&c);
}

static void a_break_ends_its_chunk(void **state) {
  (void)state;
  ink_error error = {0};
  ink_prompt_chunks c = encoded("ab BREAK cde");
  assert_int_equal(c.n, 2);
  assert_int_equal(length_of(&c, 0), 2);
  assert_int_equal(length_of(&c, 1), 3);
  assert_ok(ink_prompt_chunks_extend(&c, 4, &vocabulary, &error));
  assert_int_equal(c.n, 4);
  assert_int_equal(length_of(&c, 3), 0);
  ink_prompt_chunks_free(&c);
}

static void weights_keep_the_mean(void **state) {
  (void)state;
  float v[6] = {1, 2, 3, 4, 5, 6};
  const float weights[3] = {1, 2, 0.5F};
  ink_prompt_apply_weights(v, 3, 2, weights);
  double mean = 0;
  for (int i = 0; i < 6; i++) mean += (double)v[i] / 6;
  assert_true(fabs(mean - 3.5) < 1e-6);
  assert_true(fabs((double)v[2] / (double)v[0] - 6) < 1e-5);
  assert_true(fabs((double)v[5] / (double)v[0] - 3) < 1e-5);
  // Weights that cancel out leave no mean, and numbers all the same.
  float none[2] = {1, 1};
  const float opposed[2] = {1, -1};
  ink_prompt_apply_weights(none, 2, 1, opposed);
  assert_true(none[0] == 1 && none[1] == -1);
}

// ---- hostile ------------------------------------------------------------------------------------

static char *repeated(const char *what, size_t times) {
  size_t size = strlen(what);
  char *text = malloc(size * times + 1);
  for (size_t i = 0; i < times; i++) memcpy(text + i * size, what, size);
  text[size * times] = 0;
  return text;
}

// Both readers end with INK_OK or USAGE, and say why.
static void survive(const char *prompt) {
  ink_error error = {0};
  ink_text out = {0};
  ink_status status = ink_prompt_at(prompt, 3, 10, &out, &error);
  assert_true(status == INK_OK || (status == INK_ERR_USAGE && error.text[0]));
  ink_prompt_chunks chunks;
  status = ink_prompt_encode(prompt, &vocabulary, &chunks, &error);
  assert_true(status == INK_OK || (status == INK_ERR_USAGE && error.text[0]));
  ink_prompt_chunks_free(&chunks);
  ink_text_free(&out);
}

static void hostile_prompts_end_in_a_word(void **state) {
  (void)state;
  static const char *const parts[] = {"(",  "[",      "((", ")",  "]",     ":1.1)",  "[a|", "[a:",
                                      "\\", "BREAK ", "()", "[]", "(a:9)", "[:0.5]", ",",   "[([("};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    for (size_t times = 1; times <= 8192; times *= 8) {
      char *text = repeated(parts[i], times);
      survive(text);
      free(text);
    }
  }
  ink_error error = {0};
  ink_text out = {0};
  ink_prompt_pieces pieces;
  char *deep = repeated("[", 200);
  assert_int_equal(ink_prompt_weigh(deep, &pieces, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "deep"));
  free(deep);
  char *pairs = malloc(401);
  memset(pairs, '[', 200);
  memset(pairs + 200, ']', 200);
  pairs[400] = 0;
  assert_int_equal(ink_prompt_at(pairs, 0, 10, &out, &error), INK_ERR_USAGE);
  free(pairs);
  char *long_ = repeated("x", INK_PROMPT_MOST_BYTES + 1);
  assert_int_equal(ink_prompt_at(long_, 0, 10, &out, &error), INK_ERR_USAGE);
  assert_int_equal(ink_prompt_weigh(long_, &pieces, &error), INK_ERR_USAGE);
  free(long_);
  assert_int_equal(ink_prompt_weigh("a\xff", &pieces, &error), INK_ERR_USAGE);
  // Beyond a hundred either way; more digits than a weight has are words.
  assert_int_equal(ink_prompt_weigh("(a:101)", &pieces, &error), INK_ERR_USAGE);
  assert_int_equal(ink_prompt_weigh("(a:-101)", &pieces, &error), INK_ERR_USAGE);
  static const char digits[] = "(a:1.0000000000000000000000000000000000000000000000000000)";
  assert_ok(ink_prompt_weigh(digits, &pieces, &error));
  assert_int_equal(pieces.n, 1);
  assert_non_null(strstr(pieces.items[0].text, ":1.0000"));
  ink_prompt_pieces_free(&pieces);
  // Chunks are counted, however they come about.
  for (int more = 0; more < 2; more++) {
    ink_prompt_chunks chunks;
    char *many = repeated("a BREAK ", INK_PROMPT_MOST_CHUNKS - 1 + (size_t)more);
    ink_text all = {0};
    ink_text_add(&all, many);
    ink_text_add(&all, "a");
    ink_status status = ink_prompt_encode(all.bytes, &vocabulary, &chunks, &error);
    assert_int_equal(status, more ? INK_ERR_USAGE : INK_OK);
    if (!more) assert_int_equal(chunks.n, INK_PROMPT_MOST_CHUNKS);
    ink_prompt_chunks_free(&chunks);
    ink_text_free(&all);
    free(many);
  }
  assert_int_equal(ink_prompt_weigh("(a:101)", &pieces, &error), INK_ERR_USAGE);
  assert_int_equal(ink_prompt_weigh("(((((a:9):9):9):9):9)", &pieces, &error), INK_ERR_USAGE);
  ink_text_free(&out);
}

static void any_mixture_of_signs_is_survived(void **state) {
  (void)state;
  static const char *const signs[] = {"(",  ")", "[",       "]", ":",     "|",  "\\", "1",
                                      ".5", "a", " BREAK ", ",", ":1.3)", "狐", "-"};
  ink_random random = ink_random_at(5, 0, 0);
  for (int i = 0; i < 4000; i++) {
    ink_text text = {0};
    uint64_t n = ink_random_below(&random, 40);
    for (uint64_t k = 0; k < n; k++) {
      ink_text_add(&text, signs[ink_random_below(&random, sizeof signs / sizeof *signs)]);
    }
    survive(ink_text_string(&text));
    ink_text_free(&text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(schedules_switch_at_their_step),
      cmocka_unit_test(tags_of_plug_ins_are_taken_out),
      cmocka_unit_test(alternations_take_turns),
      cmocka_unit_test(what_is_no_schedule_stays),
      cmocka_unit_test(weights_are_read_as_a1111_reads_them),
      cmocka_unit_test(break_begins_a_new_chunk),
      cmocka_unit_test(short_prompts_fill_one_chunk),
      cmocka_unit_test(long_prompts_go_on_in_new_chunks),
      cmocka_unit_test(chunks_have_the_encoders_room),
      cmocka_unit_test(a_break_ends_its_chunk),
      cmocka_unit_test(weights_keep_the_mean),
      cmocka_unit_test(hostile_prompts_end_in_a_word),
      cmocka_unit_test(any_mixture_of_signs_is_survived),
  };
  return cmocka_run_group_tests_name("hostile_prompt", tests, NULL, NULL);
}
