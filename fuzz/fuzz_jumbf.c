// Fuzz target: the box reader, and addresses into what it reads.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "mark/c2pa/jumbf.h"

static volatile unsigned sink;

static void look(const ink_jumbf *root, const ink_jumbf *box) {
  for (size_t i = 0; i < box->size; i++) sink += box->bytes[i];
  if (!box->label) return;
  ink_text uri = {0};
  ink_jumbf_uri(box, &uri);
  sink += ink_jumbf_resolve(root, NULL, ink_text_string(&uri)) != NULL;
  sink += ink_jumbf_resolve(root, box, "self#jumbf=c2pa.assertions/c2pa.hash.data") != NULL;
  sink += ink_jumbf_content(box, "cbor") != NULL;
  ink_text_free(&uri);
  for (const ink_jumbf *at = box->first; at; at = at->next) {
    if (at->parent != box) abort();
    look(root, at);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  ink_error error = {0};
  ink_jumbf *root;
  ink_arena *arena = ink_arena_new(1 << 26);
  if (!arena) return 0;
  if (ink_jumbf_read(arena, bytes, size, &root, &error) == INK_OK) look(root, root);
  ink_arena_free(arena);
  return 0;
}
