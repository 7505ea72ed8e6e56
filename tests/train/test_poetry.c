// The poet's corpus: what the builder keeps, how it writes it, and what it refuses.
#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "files.h"
#include "scratch.h"
#include "train/dataset.h"
#include "train/poetry.h"

static const char *const OUTPUTS[] = {
    "tokenizer.json", "tokenizer_config.json", "train.bin", "valid.bin", "test.bin",
    "lines.bin",      "manifest.json"};
static const char *const SPLITS[] = {"train.bin", "valid.bin", "test.bin"};
enum { N_OUTPUT = 7, N_SPLIT = 3 };

// ---- folders

// Copy a tree; names are made in reverse order, so that a directory lists them differently.
static void copy_tree(const char *from, const char *to) {
  ink_error error = {0};
  struct dirent **names;
  int n = scandir(from, &names, NULL, alphasort);
  assert_true(n >= 0);
  assert_ok(ink_folder_make(to, &error));
  for (int i = n - 1; i >= 0; i--) {
    const char *name = names[i]->d_name;
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
      char source[4096], target[4096];
      snprintf(source, sizeof source, "%s/%s", from, name);
      snprintf(target, sizeof target, "%s/%s", to, name);
      if (ink_file_is_folder(source)) {
        copy_tree(source, target);
      } else {
        copy_file(source, target);
      }
    }
    free(names[i]);
  }
  free(names);
}

static const char *checkout(void) {
  return fixture_path("train/chinese-poetry");
}

static void build_into(const char *from, const char *out) {
  ink_error error = {0};
  ink_poetry_options options = {.from = from, .out = out, .least = 1};
  assert_ok(ink_poetry_build(&options, NULL, &error));
}

// ---- reading what was built

typedef struct corpus {
  char *folder;
  json_t *tokenizer;
  const char *tokens[8192];
  int n_token;
  ink_dataset *splits[N_SPLIT];
} corpus;

static corpus open_corpus(const char *folder) {
  ink_error error = {0};
  corpus c = {.folder = strdup(folder)};
  assert_ok(ink_json_load(below(folder, "tokenizer.json"), 1 << 24, &c.tokenizer, &error));
  const char *token;
  json_t *id;
  json_object_foreach(json_object_get(json_object_get(c.tokenizer, "model"), "vocab"), token, id) {
    c.tokens[json_integer_value(id)] = token;
    c.n_token++;
  }
  for (int i = 0; i < N_SPLIT; i++) {
    assert_ok(ink_dataset_open(below(folder, SPLITS[i]), &c.splits[i], &error));
  }
  return c;
}

static void close_corpus(corpus *c) {
  for (int i = 0; i < N_SPLIT; i++) ink_dataset_close(c->splits[i]);
  json_decref(c->tokenizer);
  free(c->folder);
}

static void spell(const corpus *c, const uint16_t *ids, int32_t n, ink_text *text) {
  for (int32_t i = 0; i < n; i++) ink_text_add(text, c->tokens[ids[i]]);
}

static ink_dataset_plan show_everything(void) {
  ink_dataset_plan plan = ink_dataset_scoring_plan();
  for (int i = 0; i < INK_POEM_FIELDS; i++) plan.drop[i] = 0;
  return plan;
}

// The document, as the plan shows it, whose text holds `needle`; the caller frees it.
static char *document_with(const corpus *c, const ink_dataset_plan *plan, const char *needle) {
  ink_error error = {0};
  uint16_t ids[1024];
  for (int s = 0; s < N_SPLIT; s++) {
    for (int64_t i = 0; i < ink_dataset_documents(c->splits[s]); i++) {
      int32_t n, prefix;
      assert_ok(ink_dataset_document(c->splits[s], plan, 0, i, ids, &n, &prefix, &error));
      ink_text text = {0};
      spell(c, ids, n, &text);
      if (strstr(ink_text_string(&text), needle)) return text.bytes;
      ink_text_free(&text);
    }
  }
  fail_msg("no document holds %s", needle);
  return NULL;
}

typedef struct fixture {
  char *folder;
  corpus corpus;
} fixture;

static int set_up(void **state) {
  fixture *f = calloc(1, sizeof *f);
  f->folder = scratch_make();
  build_into(checkout(), f->folder);
  f->corpus = open_corpus(f->folder);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  fixture *f = *state;
  close_corpus(&f->corpus);
  scratch_remove(f->folder);
  free(f->folder);
  free(f);
  return 0;
}

static void expect_document(const corpus *c, const ink_dataset_plan *plan, const char *needle,
                            const char *expected) {
  char *text = document_with(c, plan, needle);
  assert_string_equal(text, expected);
  free(text);
}

// ---- tests

static void poetry_reads_form_author_title_and_simplifies(void **state) {
  const corpus *c = &((fixture *)*state)->corpus;
  ink_dataset_plan plan = ink_dataset_scoring_plan();
  expect_document(c, &plan, "白日",
                  "<bos><体:五绝><朝:唐><作>王之涣<题>登鹳雀楼<诗>白日依山尽，黄河入海流。\n"
                  "欲穷千里目，更上一层楼。<eos>");
  expect_document(c, &plan, "无边",
                  "<bos><体:七律><朝:唐><作>杜甫<题>登高<诗>风急天高猿啸哀，渚清沙白鸟飞回。\n"
                  "无边落木萧萧下，不尽长江滚滚来。\n万里悲秋常作客，百年多病独登台。\n"
                  "艰难苦恨繁霜鬓，潦倒新停浊酒杯。<eos>");
  char *spring = document_with(c, &plan, "国破");
  assert_non_null(strstr(spring, "<体:五律><朝:唐><作>杜甫<题>春望<诗>"));
  free(spring);
  char *moon = document_with(c, &plan, "独酌无相亲");
  assert_non_null(strstr(moon, "<体:五言><朝:唐><作>李白<题>月下独酌四首一<诗>"));
  free(moon);
  char *tower = document_with(c, &plan, "前不见古人");
  assert_non_null(strstr(tower, "<体:杂言>"));
  free(tower);
  // 乾 stays in 乾坤; an open end is closed; two lines make a couplet.
  expect_document(c, &plan, "腐儒",
                  "<bos><体:联><朝:宋><作>佚名<题>句<诗>乾坤一腐儒，江汉思归客。<eos>");
}

static void poetry_keeps_marks_but_ends_couplets(void **state) {
  const corpus *c = &((fixture *)*state)->corpus;
  ink_dataset_plan plan = ink_dataset_scoring_plan();
  expect_document(c, &plan, "死去",
                  "<bos><体:七绝><朝:宋><作>陆游<题>示儿<诗>死去元知万事空，但悲不见九州同？\n"
                  "王师北定中原日，家祭无忘告乃翁！<eos>");
}

static void poetry_sets_couplets_whatever_marks_the_source_has(void **state) {
  const corpus *c = &((fixture *)*state)->corpus;
  ink_dataset_plan plan = ink_dataset_scoring_plan();
  // The source has 、 after the first line and ， after the second.
  expect_document(c, &plan, "空山",
                  "<bos><体:五绝><朝:唐><作>王维<题>鹿柴<诗>空山不见人，但闻人语响。\n"
                  "返景入深林，复照青苔上。<eos>");
}

static void poetry_reads_tunes(void **state) {
  const corpus *c = &((fixture *)*state)->corpus;
  ink_dataset_plan plan = ink_dataset_scoring_plan();
  expect_document(c, &plan, "休对",
                  "<bos><体:词><朝:宋><牌>忆江南<作>苏轼<诗>休对故人思故国，且将新火试新茶。\n"
                  "诗酒趁年华。<eos>");
  expect_document(c, &plan, "林花",
                  "<bos><体:词><朝:五代><牌>相见欢<作>李煜<诗>林花谢了春红，太匆匆。\n"
                  "无奈朝来寒雨晚来风。<eos>");
  expect_document(
      c, &plan, "山一程，",
      "<bos><体:词><朝:清><牌>长相思<作>纳兰性德<题>山一程<诗>"
      "山一程，水一程，身向榆关那畔行，夜深千帐灯。\n风一更，雪一更，聒碎乡心梦不成，故园无此声。"
      "<eos>");
  char *lyric = document_with(c, &plan, "小山");
  assert_non_null(strstr(lyric, "<朝:五代><牌>菩萨蛮<作>温庭筠<诗>"));  // "菩萨蛮 其一" is no title
  free(lyric);
  expect_document(c, &plan, "对酒当歌",
                  "<bos><体:四言><朝:汉><题>短歌行<诗>对酒当歌，人生几何？\n"
                  "譬如朝露，去日苦多。<eos>");
  expect_document(c, &plan, "雎鸠",
                  "<bos><体:四言><朝:先秦><题>关雎<诗>关关雎鸠，在河之洲。\n"
                  "窈窕淑女，君子好逑。<eos>");
}

static void poetry_tags_rhyme_pattern_acrostic_and_rhyme_words(void **state) {
  const corpus *c = &((fixture *)*state)->corpus;
  ink_dataset_plan plan = show_everything();
  char *text = document_with(c, &plan, "白日依山");
  assert_non_null(strstr(text, "<朝:唐><谱:仄起不入韵><韵:尤><作>王之涣<题>登鹳雀楼<头>"));
  // Every line's first character, or every other one's.
  assert_true(strstr(text, "<头>白黄欲更<步>流楼<诗>") || strstr(text, "<头>白欲<步>流楼<诗>"));
  free(text);
  text = document_with(c, &plan, "无边落木");
  assert_non_null(strstr(text, "<谱:仄起入韵><韵:灰><作>"));
  assert_non_null(strstr(text, "<步>回来台杯<诗>"));
  free(text);
  text = document_with(c, &plan, "返景");  // 鹿柴 rhymes in a deflected tone
  assert_non_null(strstr(text, "<谱:拗><韵:养>"));
  free(text);
  text = document_with(c, &plan, "昨夜雨疏");
  assert_non_null(strstr(text, "<韵:第十二部><牌>如梦令<作>"));  // 骤酒旧否否瘦
  free(text);
  text = document_with(c, &plan, "一曲新词");
  assert_null(strstr(text, "<韵:"));  // 杯回徊 and 台来 are of two classes
  free(text);
}

static void poetry_counts_what_it_leaves_out(void **state) {
  fixture *f = *state;
  ink_error error = {0};
  json_t *manifest;
  assert_ok(ink_json_load(below(f->folder, "manifest.json"), 1 << 24, &manifest, &error));
  const json_t *left = json_object_get(manifest, "left_out");
  assert_int_equal(json_integer_value(json_object_get(manifest, "items")), 25);
  assert_int_equal(json_integer_value(json_object_get(manifest, "poems")), 20);
  static const char *const ONE_EACH[] = {"empty", "gap", "editorial", "under_10_characters",
                                         "duplicate"};
  for (size_t i = 0; i < 5; i++) {
    assert_int_equal(json_integer_value(json_object_get(left, ONE_EACH[i])), 1);
  }
  int64_t documents = 0;
  for (int i = 0; i < N_SPLIT; i++) documents += ink_dataset_documents(f->corpus.splits[i]);
  assert_int_equal(documents, 20);
  json_decref(manifest);
}

static void poetry_manifest_names_every_file_by_hash(void **state) {
  fixture *f = *state;
  ink_error error = {0};
  json_t *manifest;
  assert_ok(ink_json_load(below(f->folder, "manifest.json"), 1 << 24, &manifest, &error));
  json_t *source = json_object_get(manifest, "source"), *item;
  size_t i;
  assert_int_equal(json_array_size(json_object_get(source, "files")), 9);
  json_array_foreach(json_object_get(source, "files"), i, item) {
    char sha256[INK_SHA256_HEX];
    const char *path = json_string_value(json_object_get(item, "path"));
    assert_ok(ink_sha256_file(below(checkout(), path), sha256, &error));
    assert_string_equal(json_string_value(json_object_get(item, "sha256")), sha256);
  }
  assert_int_equal(json_array_size(json_object_get(manifest, "outputs")), N_OUTPUT - 1);
  json_array_foreach(json_object_get(manifest, "outputs"), i, item) {
    char sha256[INK_SHA256_HEX];
    const char *name = json_string_value(json_object_get(item, "name"));
    assert_ok(ink_sha256_file(below(f->folder, name), sha256, &error));
    assert_string_equal(json_string_value(json_object_get(item, "sha256")), sha256);
    if (strcmp(name, "tokenizer.json") == 0) {
      for (int s = 0; s < N_SPLIT; s++) {
        assert_string_equal(ink_dataset_tokenizer_sha256(f->corpus.splits[s]), sha256);
      }
    }
  }
  json_decref(manifest);
}

static void poetry_same_input_gives_same_bytes(void **state) {
  fixture *f = *state;
  char *copy = scratch_make(), *again = scratch_make();
  copy_tree(checkout(), below(copy, "c"));
  build_into(below(copy, "c"), again);
  for (int i = 0; i < N_OUTPUT; i++) {
    ink_error error = {0};
    char first[INK_SHA256_HEX], second[INK_SHA256_HEX];
    assert_ok(ink_sha256_file(below(f->folder, OUTPUTS[i]), first, &error));
    assert_ok(ink_sha256_file(below(again, OUTPUTS[i]), second, &error));
    assert_string_equal(first, second);
  }
  scratch_remove(copy);
  scratch_remove(again);
  free(copy);
  free(again);
}

static void poetry_reads_files_in_order_of_name(void **state) {
  (void)state;
  ink_error error = {0};
  char *copy = scratch_make(), *out = scratch_make();
  copy_tree(checkout(), below(copy, "c"));
  for (int i = 20; i > 1; i--) {
    char name[64];
    snprintf(name, sizeof name, "c/全唐诗/poet.tang.%d000.json", i * 7 % 20 + 2);
    write_text(below(copy, name), "[]");
  }
  build_into(below(copy, "c"), out);
  json_t *manifest, *item;
  assert_ok(ink_json_load(below(out, "manifest.json"), 1 << 24, &manifest, &error));
  size_t i;
  const char *last = "";
  int tang = 0;
  json_array_foreach(json_object_get(json_object_get(manifest, "source"), "files"), i, item) {
    const char *path = json_string_value(json_object_get(item, "path"));
    if (!strstr(path, "poet.tang")) continue;
    assert_true(strcmp(last, path) < 0);
    last = path;
    tang++;
  }
  assert_true(tang > 15);
  json_decref(manifest);
  scratch_remove(copy);
  scratch_remove(out);
  free(copy);
  free(out);
}

static void poetry_vocabulary_has_one_token_per_character(void **state) {
  const corpus *c = &((fixture *)*state)->corpus;
  size_t controls = ink_poem_control_count();
  for (int id = 0; id < c->n_token; id++) {
    assert_non_null(c->tokens[id]);
    ink_text expected = {0};
    if ((size_t)id < controls) {
      assert_true(ink_poem_control_token((size_t)id, &expected));
    } else if ((size_t)id < controls + 256) {
      ink_text_format(&expected, "<0x%02X>", (unsigned)((size_t)id - controls));
    } else {
      assert_int_equal(ink_utf8_length(c->tokens[id], strlen(c->tokens[id])), 1);
      ink_text_add(&expected, c->tokens[id]);
    }
    assert_string_equal(c->tokens[id], ink_text_string(&expected));
    ink_text_free(&expected);
  }
  // 。 and ， stand before every character of verse: they are the most frequent.
  assert_true(strcmp(c->tokens[controls + 256], "。") == 0 ||
              strcmp(c->tokens[controls + 256], "，") == 0);
  assert_string_equal(c->tokens[ink_poem_tag(INK_POEM_TITLE)], "<题>");
  assert_string_equal(c->tokens[ink_poem_body_tag()], "<诗>");
  assert_string_equal(c->tokens[ink_poem_value(INK_POEM_FORM, "七律")], "<体:七律>");
  assert_string_equal(c->tokens[ink_poem_value(INK_POEM_RHYME, "第十九部")], "<韵:第十九部>");
  assert_int_equal(ink_poem_value(INK_POEM_RHYME, "龙"), -1);
  const json_t *model = json_object_get(c->tokenizer, "model");
  assert_string_equal(json_string_value(json_object_get(model, "type")), "BPE");
  assert_true(json_is_true(json_object_get(model, "byte_fallback")));
  assert_int_equal(json_array_size(json_object_get(model, "merges")), 0);
}

static void poem_prompt_equals_what_training_saw(void **state) {
  const corpus *c = &((fixture *)*state)->corpus;
  ink_dataset_plan plan = ink_dataset_scoring_plan();
  ink_error error = {0};
  ink_poem_brief brief = {.field = {[INK_POEM_FORM] = "七绝",
                                    [INK_POEM_DYNASTY] = "宋",
                                    [INK_POEM_AUTHOR] = "苏轼",
                                    [INK_POEM_TITLE] = "题西林壁"},
                          .opening = "横看成岭侧成峰，"};
  ink_text prompt = {0};
  assert_ok(ink_poem_prompt(&brief, &prompt, &error));
  char *document = document_with(c, &plan, "横看");
  assert_memory_equal(document, prompt.bytes, prompt.size);
  free(document);
  ink_text_free(&prompt);
}

static void poem_prompt_fields_cannot_forge_control_tokens(void **state) {
  (void)state;
  ink_error error = {0};
  ink_text prompt = {0};
  ink_poem_brief brief = {.field = {[INK_POEM_TITLE] = " 秋\n夜<eos><诗>", [INK_POEM_AUTHOR] = ""}};
  assert_ok(ink_poem_prompt(&brief, &prompt, &error));
  assert_string_equal(prompt.bytes, "<bos><题>秋夜＜eos>＜诗><诗>");
  ink_text_free(&prompt);
  brief = (ink_poem_brief){.field = {[INK_POEM_FORM] = "八律"}};
  assert_int_equal(ink_poem_prompt(&brief, &prompt, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "八律"));
  assert_non_null(strstr(error.text, "七律"));
  ink_text_free(&prompt);
}

// ---- the split

typedef struct line {
  char text[64];
  int split;
} line;

static int by_text(const void *a, const void *b) {
  return strcmp(((const line *)a)->text, ((const line *)b)->text);
}

static void add_random(ink_random *random, int n, ink_text *line_text) {
  for (int i = 0; i < n; i++) {
    ink_text_add_rune(line_text, 0x4E00 + (uint32_t)ink_random_below(random, 1500));
  }
}

// A corpus of random verse in which many pairs of neighbours share one line (7 characters) or one
// couplet (5 and 5), and nothing else.
static void write_random_checkout(const char *folder) {
  ink_error error = {0};
  ink_random random = ink_random_at(7, 0, 0);
  ink_text shi = {0}, kept = {0}, couplet = {0};
  ink_text_add(&shi, "[");
  for (int i = 0; i < 6000; i++) {
    int length = i / 2 % 2 ? 7 : 5;
    ink_text_format(&shi, "%s{\"author\":\"甲\",\"title\":\"乙\",\"paragraphs\":[", i ? "," : "");
    for (int k = 0; k < 2; k++) {
      ink_text_clear(&couplet);
      add_random(&random, length, &couplet);
      ink_text_add(&couplet, "，");
      add_random(&random, length, &couplet);
      bool share = i % 2 == 1 && k == 1;
      if (share && length == 5) {  // the whole couplet
        ink_text_clear(&couplet);
        ink_text_add_bytes(&couplet, kept.bytes, kept.size);
      } else if (share) {  // its first line
        memcpy(couplet.bytes, kept.bytes, (size_t)length * 3);
      }
      if (i % 2 == 0 && k == 0) {
        ink_text_clear(&kept);
        ink_text_add_bytes(&kept, couplet.bytes, couplet.size);
      }
      ink_text_format(&shi, "%s\"%s。\"", k ? "," : "", couplet.bytes);
    }
    ink_text_add(&shi, "]}\n");
  }
  ink_text_add(&shi, "]");
  assert_ok(ink_text_status(&shi, &error));
  assert_ok(ink_folder_make(below(folder, "全唐诗"), &error));
  assert_ok(ink_folder_make(below(folder, "宋词"), &error));
  write_text(below(folder, "全唐诗/poet.tang.0.json"), shi.bytes);
  write_text(below(folder, "全唐诗/poet.song.0.json"), "[]");
  write_text(below(folder, "宋词/ci.song.0.json"), "[]");
  ink_text_free(&shi);
  ink_text_free(&kept);
  ink_text_free(&couplet);
}

static void add_lines(const char *body, int split, line *lines, size_t *n) {
  char clauses[16][64];
  size_t count = 0;
  for (const char *at = strstr(body, "<诗>") + strlen("<诗>"); *at && *at != '<';) {
    const char *end = at;
    while (strncmp(end, "，", 3) != 0 && strncmp(end, "。", 3) != 0) end++;
    snprintf(clauses[count++], sizeof clauses[0], "%.*s", (int)(end - at), at);
    at = end + 3;
    while (*at == '\n') at++;
  }
  for (size_t i = 0; i < count; i++) {
    bool longer = ink_utf8_length(clauses[i], strlen(clauses[i])) >= 7;
    if (!longer && i + 1 == count) break;
    line *one = &lines[(*n)++];
    snprintf(one->text, sizeof one->text, "%s%s", clauses[i], longer ? "" : clauses[i + 1]);
    one->split = split;
  }
}

static void poetry_held_out_poems_share_no_line_with_training(void **state) {
  (void)state;
  char *from = scratch_make(), *out = scratch_make();
  write_random_checkout(from);
  build_into(from, out);
  corpus c = open_corpus(out);
  ink_dataset_plan plan = ink_dataset_scoring_plan();
  line *lines = calloc(6000 * 4, sizeof *lines);
  size_t n = 0, shared = 0;
  for (int s = 0; s < N_SPLIT; s++) {
    for (int64_t i = 0; i < ink_dataset_documents(c.splits[s]); i++) {
      ink_error error = {0};
      uint16_t ids[1024];
      int32_t count, prefix;
      assert_ok(ink_dataset_document(c.splits[s], &plan, 0, i, ids, &count, &prefix, &error));
      ink_text text = {0};
      spell(&c, ids, count, &text);
      add_lines(text.bytes, s, lines, &n);
      ink_text_free(&text);
    }
  }
  qsort(lines, n, sizeof *lines, by_text);
  for (size_t i = 1; i < n; i++) {
    if (strcmp(lines[i].text, lines[i - 1].text) != 0) continue;
    shared++;
    assert_int_equal(lines[i].split, lines[i - 1].split);
  }
  assert_true(shared > 2000);  // the poems do share lines, or this test would prove nothing
  for (int s = 1; s < N_SPLIT; s++) {
    assert_in_range(ink_dataset_documents(c.splits[s]), 20, 120);
  }
  free(lines);
  close_corpus(&c);
  scratch_remove(from);
  scratch_remove(out);
  free(from);
  free(out);
}

static void line_index_finds_copied_lines(void **state) {
  (void)state;
  char *from = scratch_make(), *out = scratch_make();
  write_random_checkout(from);
  build_into(from, out);
  corpus c = open_corpus(out);
  ink_error error = {0};
  ink_line_index *index;
  assert_ok(ink_poetry_line_index(below(out, "lines.bin"), &index, &error));
  ink_dataset_plan plan = ink_dataset_scoring_plan();
  for (int s = 0; s < N_SPLIT; s++) {
    for (int64_t i = 0; i < 10; i++) {
      uint16_t ids[1024];
      int32_t count, prefix;
      int64_t lines, copied;
      assert_ok(ink_dataset_document(c.splits[s], &plan, 0, i, ids, &count, &prefix, &error));
      ink_text text = {0};
      spell(&c, ids + prefix, count - prefix - 1, &text);
      assert_ok(ink_line_index_count(index, text.bytes, &lines, &copied, &error));
      bool seven = ink_utf8_length(text.bytes, text.size) > 30;
      assert_int_equal(lines, seven ? 4 : 3);
      assert_int_equal(copied, s == 0 ? lines : 0);
      ink_text_free(&text);
    }
  }
  ink_line_index_free(index);
  close_corpus(&c);
  scratch_remove(from);
  scratch_remove(out);
  free(from);
  free(out);
}

// ---- bad input

// Build from a copy of the fixture in which one file has another content (NULL: is missing).
static ink_status build_spoiled(const char *name, const char *content, ink_error *error) {
  char *copy = scratch_make(), *out = scratch_make();
  copy_tree(checkout(), below(copy, "c"));
  char spoiled[4096];
  snprintf(spoiled, sizeof spoiled, "%s/c/%s", copy, name);
  if (content) {
    write_text(spoiled, content);
  } else {
    scratch_remove(spoiled);
  }
  char *target = strdup(below(out, "o"));
  ink_poetry_options options = {.from = below(copy, "c"), .out = target, .least = 1};
  ink_status status = ink_poetry_build(&options, NULL, error);
  if (status != INK_OK) assert_int_equal(count_entries(target), 0);
  free(target);
  scratch_remove(copy);
  scratch_remove(out);
  free(copy);
  free(out);
  return status;
}

static void poetry_bad_checkout_is_an_error_that_names_the_file(void **state) {
  (void)state;
  static const struct {
    const char *name, *content;
    ink_status status;
    const char *says;
  } CASES[] = {
      {"全唐诗", NULL, INK_ERR_NOT_FOUND, "chinese-poetry/chinese-poetry"},
      {"宋词", NULL, INK_ERR_NOT_FOUND, "宋词"},
      {"全唐诗/poet.tang.1000.json", "[{\"author\": ", INK_ERR_FORMAT, "poet.tang.1000.json"},
      {"全唐诗/poet.tang.1000.json", "", INK_ERR_FORMAT, "poet.tang.1000.json"},
      {"全唐诗/poet.tang.1000.json", "\"text\"", INK_ERR_FORMAT, "a list of poems"},
      {"全唐诗/poet.tang.1000.json", "[17]", INK_ERR_FORMAT, "/0 is not a poem"},
      {"全唐诗/poet.tang.1000.json", "[{\"paragraphs\": \"x\"}]", INK_ERR_FORMAT, "paragraphs"},
      {"全唐诗/poet.tang.1000.json", "[{\"paragraphs\": [1]}]", INK_ERR_FORMAT, "not a string"},
      {"全唐诗/poet.tang.1000.json", "[{\"paragraphs\": [], \"title\": 3}]", INK_ERR_FORMAT,
       "title"},
      {"全唐诗/poet.tang.1000.json", "[{\"paragraphs\": [\"\xff\xfe\"]}]", INK_ERR_FORMAT,
       "poet.tang.1000.json"},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
    ink_error error = {0};
    assert_int_equal(build_spoiled(CASES[i].name, CASES[i].content, &error), CASES[i].status);
    if (!strstr(error.text, CASES[i].says)) fail_msg("%s: %s", CASES[i].says, error.text);
  }
}

static void poetry_optional_folders_may_be_absent(void **state) {
  (void)state;
  ink_error error = {0};
  assert_ok(build_spoiled("纳兰性德", NULL, &error));
}

static void poetry_options_are_checked(void **state) {
  (void)state;
  ink_error error = {0};
  char *out = scratch_make();
  char *target = strdup(below(out, "o"));
  ink_poetry_options options = {.from = "/nowhere/at/all", .out = target};
  assert_int_equal(ink_poetry_build(&options, NULL, &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "/nowhere/at/all"));
  options.from = checkout();
  assert_int_equal(ink_poetry_build(&options, NULL, &error), INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "only 20 usable poems"));
  options.commit = "main";
  assert_int_equal(ink_poetry_build(&options, NULL, &error), INK_ERR_USAGE);
  options = (ink_poetry_options){.from = checkout()};
  assert_int_equal(ink_poetry_build(&options, NULL, &error), INK_ERR_USAGE);
  assert_int_equal(count_entries(out), 0);
  free(target);
  scratch_remove(out);
  free(out);
}

static bool refuse(void *context, int64_t done, int64_t total, const char *words) {
  (void)done;
  (void)total;
  (void)words;
  return --*(int *)context > 0;
}

static void poetry_cancelled_build_leaves_nothing(void **state) {
  (void)state;
  char *out = scratch_make();
  char *target = strdup(below(out, "o"));
  int calls = 1000;
  ink_progress count = {refuse, &calls};
  ink_poetry_options options = {.from = checkout(), .out = target, .least = 1};
  ink_error error = {0};
  assert_ok(ink_poetry_build(&options, &count, &error));
  int reports = 1000 - calls;
  assert_true(reports >= 10);
  scratch_remove(target);
  for (int i = 1; i <= reports; i++) {
    calls = i;
    assert_int_equal(ink_poetry_build(&options, &count, &error), INK_ERR_CANCELLED);
    assert_int_equal(count_entries(target), 0);
  }
  free(target);
  scratch_remove(out);
  free(out);
}

static void poetry_full_disk_leaves_nothing(void **state) {
  (void)state;
  ink_error error = {0};
  char *out = scratch_make();
  char *target = strdup(below(out, "o"));
  struct rlimit limit, kept;
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &kept), 0);
  limit = kept;
  limit.rlim_cur = 2000;  // tokenizer.json is larger, others are not
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
  ink_poetry_options options = {.from = checkout(), .out = target, .least = 1};
  ink_status status = ink_poetry_build(&options, NULL, &error);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &kept), 0);
  signal(SIGXFSZ, SIG_DFL);
  assert_int_equal(status, INK_ERR_IO);
  assert_int_equal(count_entries(target), 0);
  free(target);
  scratch_remove(out);
  free(out);
}

static void poetry_commit_is_read_from_git(void **state) {
  (void)state;
  static const char COMMIT[] = "0123456789abcdef0123456789abcdef01234567";
  ink_error error = {0};
  char *copy = scratch_make(), *out = scratch_make();
  copy_tree(checkout(), copy);
  assert_ok(ink_folder_make(below(copy, ".git/refs/heads"), &error));
  write_text(below(copy, ".git/HEAD"), "ref: refs/heads/master\n");
  write_text(below(copy, ".git/refs/heads/master"), "0123456789abcdef0123456789abcdef01234567\n");
  build_into(copy, out);
  json_t *manifest;
  assert_ok(ink_json_load(below(out, "manifest.json"), 1 << 24, &manifest, &error));
  const json_t *source = json_object_get(manifest, "source");
  assert_string_equal(json_string_value(json_object_get(source, "commit")), COMMIT);
  json_decref(manifest);
  scratch_remove(copy);
  scratch_remove(out);
  free(copy);
  free(out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(poetry_reads_form_author_title_and_simplifies),
      cmocka_unit_test(poetry_keeps_marks_but_ends_couplets),
      cmocka_unit_test(poetry_sets_couplets_whatever_marks_the_source_has),
      cmocka_unit_test(poetry_reads_tunes),
      cmocka_unit_test(poetry_tags_rhyme_pattern_acrostic_and_rhyme_words),
      cmocka_unit_test(poetry_counts_what_it_leaves_out),
      cmocka_unit_test(poetry_manifest_names_every_file_by_hash),
      cmocka_unit_test(poetry_same_input_gives_same_bytes),
      cmocka_unit_test(poetry_reads_files_in_order_of_name),
      cmocka_unit_test(poetry_vocabulary_has_one_token_per_character),
      cmocka_unit_test(poem_prompt_equals_what_training_saw),
      cmocka_unit_test(poem_prompt_fields_cannot_forge_control_tokens),
      cmocka_unit_test(poetry_held_out_poems_share_no_line_with_training),
      cmocka_unit_test(line_index_finds_copied_lines),
      cmocka_unit_test(poetry_bad_checkout_is_an_error_that_names_the_file),
      cmocka_unit_test(poetry_optional_folders_may_be_absent),
      cmocka_unit_test(poetry_options_are_checked),
      cmocka_unit_test(poetry_cancelled_build_leaves_nothing),
      cmocka_unit_test(poetry_full_disk_leaves_nothing),
      cmocka_unit_test(poetry_commit_is_read_from_git),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
