// The words of visible labels.
#include "mark/label/wording.h"

#include <stdbool.h>
#include <string.h>

#include "base/text.h"

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

double ink_label_ems(const char *words, size_t size) {
  static const double wide = 1.05, narrow = 0.64;  // of Chinese and of Latin letters, in bold
  enum { CHINESE = 0x2E80 };
  double ems = 0;
  for (size_t i = 0; i < size;) {
    int32_t rune;
    i += ink_utf8_decode(words + i, size - i, &rune);
    ems += rune >= CHINESE ? wide : narrow;
  }
  return ems;
}
