// What the tests of labels share: requests, and labelling of files in memory.
#ifndef INK_TESTS_MARK_LABELLING_H
#define INK_TESTS_MARK_LABELLING_H

#include "mark/label/label.h"
#include "mark/label/picture_label.h"
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

// A test of drawn letters has nothing to look at where no font is installed.
static inline bool has_font(void) {
  ink_error error = {0};
  ink_picture picture;
  ink_label_style style = ink_label_style_default();
  assert_ok(ink_picture_new(64, 64, 3, &picture, &error));
  ink_status status = ink_mark_picture(&picture, "en", &style, NULL, &error);
  ink_picture_free(&picture);
  if (status == INK_ERR_NOT_FOUND) print_message("# skipped: %s\n", error.text);
  return status != INK_ERR_NOT_FOUND;
}

// ---- an outside reader --------------------------------------------------------------------------

static inline bool has_exiftool(void) {
  bool has = system("exiftool -ver >/dev/null 2>&1") == 0;
  if (!has) print_message("# skipped: no exiftool\n");
  return has;
}

// exiftool warns of nothing in a file, and what it says has a line for each of the patterns and one
// with the identity in `identified`.
static inline void assert_exiftool_finds(const char *name, const ink_text *file,
                                         const char *identified, const char *const *patterns,
                                         size_t n) {
  ink_text command = {0};
  write_file(in_scratch(name), file->bytes, file->size);
  ink_text_format(&command,
                  "cd '%s' && exiftool -G1 -j '%s' >out && ! grep -q Warning out && "
                  "grep -qi '%s.*%s' out",
                  scratch, name, identified, test_identity);
  for (size_t i = 0; i < n; i++) ink_text_format(&command, " && grep -q '%s' out", patterns[i]);
  if (system(command.bytes) != 0) fail_msg("%s", command.bytes);
  ink_text_free(&command);
}

#endif
