// What a poem of the poet's corpus consists of, the control tokens that say so, and the prompt
// made of them. One layout for training (train/) and for writing (llm/); docs/poet-data.md.
//
//   <bos><体:七律><朝:宋><谱:…><韵:…><牌>…<作>…<题>…<意>…<头>…<步>…<诗>line，line。\n…<eos>
//
// Fields come in this order; any of them may be absent. A tag token opens a field, the next control
// token closes it. One character is one token.
#ifndef INK_LANG_POEM_H
#define INK_LANG_POEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

// Fields in the order of serialisation. The first four are one token each, the rest a tag and text.
typedef enum ink_poem_field {
  INK_POEM_FORM,      // 体, one of ink_poem_form_name
  INK_POEM_DYNASTY,   // 朝, one of ink_poem_dynasty_name
  INK_POEM_PATTERN,   // 谱, tone pattern of regulated verse, ink_poem_pattern_name
  INK_POEM_RHYME,     // 韵, rhyme group, ink_poem_rhyme_name
  INK_POEM_TUNE,      // 牌, tune of a 词
  INK_POEM_AUTHOR,    // 作
  INK_POEM_TITLE,     // 题
  INK_POEM_THEME,     // 意, key words joined by 、
  INK_POEM_ACROSTIC,  // 头, first characters: of every line, or of every other one
  INK_POEM_RHYMES,    // 步, the rhyme words in order
  INK_POEM_FIELDS
} ink_poem_field;

// Values of the closed fields: their names without brackets, "七律", "宋", "平起入韵", "东";
// NULL beyond the last. The lists are in order of token id.
const char *ink_poem_form_name(size_t index);
const char *ink_poem_dynasty_name(size_t index);
const char *ink_poem_pattern_name(size_t index);
// The 106 groups of 平水韵 (上平, 下平, 上, 去, 入), then the 19 of 词林正韵 ("第一部" …).
const char *ink_poem_rhyme_name(size_t index);

// Append the control token with this id ("<pad>", "<bos>", "<eos>", "<unk>", "<诗>" …
// "<体:五绝>" …); false beyond the last. Byte tokens <0x00> … <0xFF> follow them, then characters.
bool ink_poem_control_token(size_t index, ink_text *token);
size_t ink_poem_control_count(void);

enum { INK_POEM_PAD = 0, INK_POEM_BOS = 1, INK_POEM_EOS = 2, INK_POEM_UNK = 3 };

// The control token that opens a text field ("<题>"), the one of a closed field with this value
// ("<体:七律>"), and "<诗>": their ids, or -1 where the value is not in its list.
int32_t ink_poem_tag(ink_poem_field field);
int32_t ink_poem_value(ink_poem_field field, const char *value);
int32_t ink_poem_body_tag(void);

// What a poem is asked to be; NULL or "" leaves a field out. UTF-8, simplified characters.
typedef struct ink_poem_brief {
  const char *field[INK_POEM_FIELDS];
  const char *opening;  // text that the poem begins with, after <诗>
} ink_poem_brief;

// Append the prompt, from <bos> to <诗> and the opening. White space and control characters are
// left out of fields, and "<" becomes "＜", so that no field can forge a control token. An
// unknown value of a closed field is a USAGE error that lists the known ones.
ink_status ink_poem_prompt(const ink_poem_brief *brief, ink_text *prompt, ink_error *error);

#endif
