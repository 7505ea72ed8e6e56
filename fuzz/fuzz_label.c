// Fuzz target: labelling a file; the first byte chooses its name, by which texts are told apart.
// What is labelled must be readable again, and bear the label; a WAV is listened to.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mark/label/label.h"
#include "mark/label/rhythm.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static const char *const names[] = {"a.md", "a.html", "a.txt", "a.py", "a.png", "a.pdf", "a.wav"};
  enum { NAMES = sizeof names / sizeof *names };
  if (!size) return 0;
  const char *name = names[bytes[0] % NAMES];
  ink_label_request request = {.laws = INK_LAW_CN,
                               .visible = true,
                               .identity = "f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4",
                               .created = "2026-01-02T03:04:05Z",
                               .at_end = bytes[0] & 0x80};
  ink_label_result result;
  ink_text out = {0};
  ink_error error = {0};
  // Signed ones need a signer; carriers and manifests have targets of their own.
  if (ink_label_signs(name, bytes + 1, size - 1, request.laws)) return 0;
  json_t *aigc = NULL;
  if (ink_label_file(name, bytes + 1, size - 1, &request, NULL, &out, &result, &error) == INK_OK) {
    ink_status status =
        ink_label_read(name, (const unsigned char *)out.bytes, out.size, &aigc, &error);
    if (status != INK_OK || (result.metadata[0] && !aigc)) abort();
    double at;
    bool sounds = result.visible[0] && strcmp(result.format, "wav") == 0;
    if (sounds &&
        (ink_wav_hear((const unsigned char *)out.bytes, out.size, &at, &error) != INK_OK ||
         at < 0)) {
      abort();
    }
  }
  json_decref(aigc);
  ink_text_free(&out);
  return 0;
}
