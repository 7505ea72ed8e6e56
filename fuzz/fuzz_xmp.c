// Fuzz target: XMP packets, read and labelled. A labelled packet is read again, and bears the
// label.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "mark/label/xmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  static const char key[] = "Label";
  const char *packet = (const char *)bytes, *source = INK_XMP_TRAINED;
  ink_error error = {0};
  ink_text out = {0};
  json_t *there = NULL, *label = json_pack("{s:s}", key, "1");
  ink_xmp_labels labels = {
      .source_type = INK_XMP_TRAINED, .prompt = "a <cat> & \"dog\"", .aigc = label};
  if (!label) return 0;
  if (ink_xmp_aigc(packet, size, &there, &error) == INK_OK) json_decref(there);
  ink_xmp_keep_source(packet, size, &source, &error);
  if (ink_xmp_label(packet, size, &labels, &out, &error) == INK_OK) {
    if (ink_xmp_aigc(out.bytes, out.size, &there, &error) != INK_OK) abort();
    if (!there || !json_equal(there, label)) abort();
    json_decref(there);
  }
  ink_text_free(&out);
  json_decref(label);
  return 0;
}
