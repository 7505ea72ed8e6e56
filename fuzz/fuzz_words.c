// Fuzz target: what is looked for in a text of any dress: its words, its labels.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "mark/detect.h"
#include "mark/text_file.h"

static volatile unsigned sink;

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static const char *const names[] = {"a.md", "a.html", "a.txt", NULL};
  if (!size) return 0;
  const char *name = names[bytes[0] % 4], *text = (const char *)bytes + 1;
  ink_error error = {0};
  ink_text words = {0};
  json_t *aigc = NULL;
  ink_detection detection = {0};
  if (ink_text_file_words(name, text, size - 1, &words, &error) == INK_OK) {
    for (size_t i = 0; i < words.size; i++) sink += (unsigned char)words.bytes[i];
  }
  ink_text_free(&words);
  if (ink_detect_aigc(name, text, size - 1, &aigc, &error) == INK_OK) json_decref(aigc);
  if (ink_detect_labels(name, text, size - 1, &detection, &error) == INK_OK)
    ink_detect_conclude(&detection);
  if (detection.n_evidence > INK_MAX_EVIDENCE) abort();
  return 0;
}
