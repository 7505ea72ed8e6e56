// What the tests of labels share: requests, and labelling of files in memory.
#ifndef INK_TESTS_MARK_LABELLING_H
#define INK_TESTS_MARK_LABELLING_H

#include "mark/label/label.h"
#include "marking.h"

static inline ink_label_request request_for(unsigned laws) {
  return (ink_label_request){.laws = laws,
                             .visible = true,
                             .identity = test_identity,
                             .created = "2026-01-02T03:04:05Z",
                             .language = "en"};
}

static inline ink_status label_as(const char *name, const blob *b, const ink_label_request *r,
                                  ink_text *out, ink_label_result *result, ink_error *error) {
  ink_signer *signer = signer_named("es256");
  ink_status status = ink_label_file(name, b->bytes, b->size, r, signer, out, result, error);
  ink_signer_free(signer);
  return status;
}

static inline ink_text label_blob(const char *name, const blob *b, const ink_label_request *r,
                                  ink_label_result *result) {
  ink_error error = {0};
  ink_text out = {0};
  ink_label_result own;
  assert_ok(label_as(name, b, r, &out, result ? result : &own, &error));
  return out;
}

static inline const ink_label_item *item_of(const ink_label_result *r, unsigned law,
                                            const char *what) {
  for (size_t i = 0; i < r->n_item; i++) {
    if (r->items[i].law == law && strcmp(r->items[i].what, what) == 0) return &r->items[i];
  }
  fail_msg("no item \"%s\"", what);
  return NULL;
}

// The metadata label of a file has seven members, of which two are what they have to be.
static inline void assert_labelled(const char *name, const ink_text *file, const char *label) {
  ink_error error = {0};
  json_t *aigc;
  assert_ok(ink_label_read(name, (const unsigned char *)file->bytes, file->size, &aigc, &error));
  assert_non_null(aigc);
  assert_int_equal(json_object_size(aigc), 7);
  assert_string_equal(json_string_value(json_object_get(aigc, "Label")), label);
  assert_string_equal(json_string_value(json_object_get(aigc, "PropagateID")), test_identity);
  json_decref(aigc);
}

#endif
