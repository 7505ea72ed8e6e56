// The patterns behind the names that GGUF files give in tokenizer.ggml.pre (llama.cpp,
// src/llama-vocab.cpp, has the list of names). Each pattern is the one in the tokenizer.json of the
// models that carry the name.
#include <string.h>

#include "tokenizer/internal.h"

#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define BLANKS "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define SIGNS " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
#define WORD "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
#define LLAMA3 CONTRACTIONS "|" WORD "\\p{N}{1,3}|" SIGNS BLANKS
#define QWEN2 CONTRACTIONS "|" WORD "\\p{N}|" SIGNS BLANKS
#define QWEN35                                     \
  CONTRACTIONS                                     \
  "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}|" \
  " ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" BLANKS
// Words as a capital part and a small part.
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define BEFORE "[^\\r\\n\\p{L}\\p{N}]?"
#define CASED(tail) BEFORE UPPER "*" LOWER "+" tail "|" BEFORE UPPER "+" LOWER "*" tail "|"
#define GPT4O CASED(CONTRACTIONS "?") "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" BLANKS
#define TEKKEN CASED("") "\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" BLANKS
#define DEEPSEEK3                                          \
  "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|" \
  "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" BLANKS

static const ink_pretokenizer_name names[] = {
    {.name = "gpt-2", .regex = {GPT2}},
    {.name = "phi-2", .regex = {GPT2}},
    {.name = "mpt", .regex = {GPT2}, .nfc = true},
    {.name = "olmo", .regex = {GPT2}, .nfc = true},
    {.name = "roberta-bpe", .regex = {GPT2}},
    {.name = "starcoder", .regex = {"\\p{N}", GPT2}},
    {.name = "refact", .regex = {"\\p{N}", GPT2}},
    {.name = "smollm", .regex = {"\\p{N}", GPT2}},
    {.name = "command-r", .regex = {"\\p{N}", GPT2}, .nfc = true},
    {.name = "llama-bpe", .regex = {LLAMA3}, .ignore_merges = true, .add_bos = true},
    {.name = "llama3", .regex = {LLAMA3}, .ignore_merges = true, .add_bos = true},
    {.name = "llama-v3", .regex = {LLAMA3}, .ignore_merges = true, .add_bos = true},
    {.name = "falcon3", .regex = {LLAMA3}, .ignore_merges = true, .add_bos = true},
    {.name = "lfm2", .regex = {LLAMA3}, .ignore_merges = true, .add_bos = true},
    {.name = "dbrx", .regex = {LLAMA3}},
    {.name = "smaug-bpe", .regex = {LLAMA3}},
    {.name = "chatglm-bpe", .regex = {LLAMA3}},
    {.name = "glm4", .regex = {LLAMA3}},
    {.name = "qwen2", .regex = {QWEN2}, .nfc = true},
    {.name = "deepseek-r1-qwen", .regex = {QWEN2}, .nfc = true},
    {.name = "qwen35", .regex = {QWEN35}, .nfc = true},
    {.name = "gpt-4o", .regex = {GPT4O}},
    {.name = "llama4", .regex = {GPT4O}},
    {.name = "tekken", .regex = {TEKKEN}, .ignore_merges = true, .add_bos = true},
    {.name = "deepseek-v3",
     .regex = {"\\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", DEEPSEEK3}},
};

const ink_pretokenizer_name *ink_pretokenizer_find(const char *name, size_t size) {
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strlen(names[i].name) == size && memcmp(names[i].name, name, size) == 0) return &names[i];
  }
  return NULL;
}

const ink_pretokenizer_name *ink_pretokenizer_at(size_t index) {
  return index < sizeof names / sizeof names[0] ? &names[index] : NULL;
}

ink_status ink_building_add_pretokenizer(ink_building *building, const ink_pretokenizer_name *pre) {
  ink_tokenizer *t = building->tokenizer;
  if (pre->nfc) t->normalizers[t->n_normalizers++] = (ink_normalizer){.kind = INK_NORMALIZE_NFC};
  for (size_t i = 0; i < 4 && pre->regex[i]; i++) {
    INK_TRY(ink_building_add_regex_split(building, pre->regex[i], strlen(pre->regex[i]),
                                         building->tokenizer->name));
  }
  t->bpe.ignore_merges = pre->ignore_merges;
  t->decodes = true;
  t->splitters[t->n_splitters++] = (ink_splitter){.kind = INK_SPLITTER_BYTES};
  t->decoders[t->n_decoders++] = (ink_decoder){.kind = INK_DECODE_BYTE_LEVEL};
  return INK_OK;
}
