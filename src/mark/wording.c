// The words of visible labels.
#include "mark/wording.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { MOST = 4 };

static const char *const chinese[2][3][MOST] = {
    {{"本内容由AI生成"}, {"本内容可能由AI生成"}, {"本内容疑似由AI生成"}},
    {{"本图片由AI生成", "AI生成", "AI\n生成"},
     {"本图片可能由AI生成", "可能由AI生成", "可能由\nAI生成"},
     {"本图片疑似由AI生成", "疑似AI生成", "疑似\nAI生成"}}};

static const char *const english[2][3][MOST] = {
    {{"AI-generated content"},
     {"Possibly AI-generated content"},
     {"Suspected AI-generated content"}},
    {{"AI-generated image", "AI-generated", "AI-\ngenerated"},
     {"Possibly AI-generated image", "Possibly AI-generated", "Possibly\nAI-generated"},
     {"Suspected AI-generated image", "Suspected AI-generated", "Suspected\nAI-generated"}}};

const char *const *ink_label_wordings(ink_label_kind kind, ink_label_medium medium,
                                      const char *language) {
  bool zh = language && strncmp(language, "zh", 2) == 0;
  return zh ? chinese[medium][kind] : english[medium][kind];
}
