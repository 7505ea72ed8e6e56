// The control tokens of the poet's corpus and the prompt built from them; docs/poet-data.md.
#include "lang/poem.h"

#include <stdbool.h>
#include <string.h>

// 杂言 has lines of several lengths; 四言 五言 六言 七言 have a number of lines no other form
// names.
static const char *const FORMS[] = {"五绝", "七绝", "五律", "七律", "五排", "七排",
                                    "五古", "七古", "四言", "五言", "六言", "七言",
                                    "六绝", "杂言", "联",   "词",   "曲",   "辞"};
static const char *const DYNASTIES[] = {"先秦", "汉", "魏晋", "南北朝", "隋", "唐",
                                        "五代", "宋", "金",   "元",     "明", "清"};
static const char *const PATTERNS[] = {"平起入韵", "平起不入韵", "仄起入韵", "仄起不入韵", "拗"};
static const char *const RHYMES[] = {
    "东",       "冬",       "江",       "支",       "微",       "鱼",       "虞",       "齐",
    "佳",       "灰",       "真",       "文",       "元",       "寒",       "删",  //
    "先",       "萧",       "肴",       "豪",       "歌",       "麻",       "阳",       "庚",
    "青",       "蒸",       "尤",       "侵",       "覃",       "盐",       "咸",  //
    "董",       "肿",       "讲",       "纸",       "尾",       "语",       "麌",       "荠",
    "蟹",       "贿",       "轸",       "吻",       "阮",       "旱",       "潸",       "铣",
    "篠",       "巧",       "皓",       "哿",       "马",       "养",       "梗",       "迥",
    "有",       "寝",       "感",       "俭",       "豏",  //
    "送",       "宋",       "绛",       "寘",       "未",       "御",       "遇",       "霁",
    "泰",       "卦",       "队",       "震",       "问",       "愿",       "翰",       "谏",
    "霰",       "啸",       "效",       "号",       "个",       "祃",       "漾",       "敬",
    "径",       "宥",       "沁",       "勘",       "艳",       "陷",  //
    "屋",       "沃",       "觉",       "质",       "物",       "月",       "曷",       "黠",
    "屑",       "药",       "陌",       "锡",       "职",       "缉",       "合",       "叶",
    "洽",  //
    "第一部",   "第二部",   "第三部",   "第四部",   "第五部",   "第六部",   "第七部",   "第八部",
    "第九部",   "第十部",   "第十一部", "第十二部", "第十三部", "第十四部", "第十五部", "第十六部",
    "第十七部", "第十八部", "第十九部"};

// Every control token in order of id: fixed ones, then "<体:…>", "<朝:…>", "<谱:…>", "<韵:…>", then
// spare ones for adapters that bring fields of their own.
static const char *const FIXED[] = {"<pad>", "<bos>", "<eos>", "<unk>", "<诗>", "<牌>", "<作>",
                                    "<题>",  "<意>",  "<头>",  "<步>",  "<逆>", "<佳>"};
static const char *const SPARE[] = {"<备0>",  "<备1>",  "<备2>",  "<备3>", "<备4>",  "<备5>",
                                    "<备6>",  "<备7>",  "<备8>",  "<备9>", "<备10>", "<备11>",
                                    "<备12>", "<备13>", "<备14>", "<备15>"};
enum { BODY = 4, TUNE = 5 };  // places of <诗> and <牌> among the fixed ones

#define COUNT(list) (sizeof(list) / sizeof *(list))

typedef struct closed_list {
  const char *mark;
  const char *const *names;
  size_t count;
} closed_list;

static const closed_list CLOSED[] = {
    [INK_POEM_FORM] = {"体", FORMS, COUNT(FORMS)},
    [INK_POEM_DYNASTY] = {"朝", DYNASTIES, COUNT(DYNASTIES)},
    [INK_POEM_PATTERN] = {"谱", PATTERNS, COUNT(PATTERNS)},
    [INK_POEM_RHYME] = {"韵", RHYMES, COUNT(RHYMES)},
};

static const char *name_of(ink_poem_field field, size_t index) {
  return index < CLOSED[field].count ? CLOSED[field].names[index] : NULL;
}

const char *ink_poem_form_name(size_t index) {
  return name_of(INK_POEM_FORM, index);
}

const char *ink_poem_dynasty_name(size_t index) {
  return name_of(INK_POEM_DYNASTY, index);
}

const char *ink_poem_pattern_name(size_t index) {
  return name_of(INK_POEM_PATTERN, index);
}

const char *ink_poem_rhyme_name(size_t index) {
  return name_of(INK_POEM_RHYME, index);
}

bool ink_poem_control_token(size_t index, ink_text *token) {
  if (index < COUNT(FIXED)) {
    ink_text_add(token, FIXED[index]);
    return true;
  }
  index -= COUNT(FIXED);
  for (size_t i = 0; i < COUNT(CLOSED); i++) {
    if (index < CLOSED[i].count) {
      ink_text_format(token, "<%s:%s>", CLOSED[i].mark, CLOSED[i].names[index]);
      return true;
    }
    index -= CLOSED[i].count;
  }
  if (index >= COUNT(SPARE)) return false;
  ink_text_add(token, SPARE[index]);
  return true;
}

size_t ink_poem_control_count(void) {
  size_t count = COUNT(FIXED) + COUNT(SPARE);
  for (size_t i = 0; i < COUNT(CLOSED); i++) count += CLOSED[i].count;
  return count;
}

int32_t ink_poem_tag(ink_poem_field field) {
  if (field < INK_POEM_TUNE || field >= INK_POEM_FIELDS) return -1;
  return (int32_t)(TUNE + field - INK_POEM_TUNE);
}

int32_t ink_poem_value(ink_poem_field field, const char *value) {
  if (field > INK_POEM_RHYME) return -1;
  size_t id = COUNT(FIXED);
  for (size_t i = 0; i < field; i++) id += CLOSED[i].count;
  for (size_t i = 0; i < CLOSED[field].count; i++) {
    if (strcmp(CLOSED[field].names[i], value) == 0) return (int32_t)(id + i);
  }
  return -1;
}

int32_t ink_poem_body_tag(void) {
  return BODY;
}

static ink_status unknown_value(ink_poem_field field, const char *value, ink_error *error) {
  ink_text known = {0};
  for (size_t i = 0; i < CLOSED[field].count; i++) {
    if (i) ink_text_add(&known, " ");
    ink_text_add(&known, CLOSED[field].names[i]);
  }
  ink_status status = ink_fail(error, INK_ERR_USAGE, "%s: not known as %s; there are %s", value,
                               CLOSED[field].mark, ink_text_string(&known));
  ink_text_free(&known);
  return status;
}

// Text as a field may hold it. Line breaks pass only where `lines`.
static ink_status add_field_text(ink_text *prompt, const char *text, bool lines, ink_error *error) {
  size_t size = strlen(text);
  for (size_t at = 0; at < size;) {
    int32_t rune;
    size_t length = ink_utf8_decode(text + at, size - at, &rune);
    if (rune < 0) {
      return ink_fail_at(error, INK_ERR_FORMAT, (int64_t)at, "a field of the brief is not UTF-8");
    }
    bool skip = rune <= ' ' || rune == 0x7F || rune == 0x3000 || rune == 0xA0;
    if (rune == '<') {
      ink_text_add(prompt, "＜");
    } else if (!skip || (lines && rune == '\n')) {
      ink_text_add_bytes(prompt, text + at, length);
    }
    at += length;
  }
  return INK_OK;
}

ink_status ink_poem_prompt(const ink_poem_brief *brief, ink_text *prompt, ink_error *error) {
  ink_text_add(prompt, "<bos>");
  for (int field = 0; field < INK_POEM_FIELDS; field++) {
    const char *value = brief->field[field];
    if (!value || !*value) continue;
    if (field <= INK_POEM_RHYME) {
      if (ink_poem_value((ink_poem_field)field, value) < 0) {
        return unknown_value((ink_poem_field)field, value, error);
      }
      ink_text_format(prompt, "<%s:%s>", CLOSED[field].mark, value);
    } else {
      ink_text_add(prompt, FIXED[ink_poem_tag((ink_poem_field)field)]);
      INK_TRY(add_field_text(prompt, value, false, error));
    }
  }
  ink_text_add(prompt, FIXED[BODY]);
  if (brief->opening) INK_TRY(add_field_text(prompt, brief->opening, true, error));
  return ink_text_status(prompt, error);
}
