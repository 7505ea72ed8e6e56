// The ways out: no place in the program writes content that was not marked, unless it is listed
// here with the reason why it may. A new place fails until somebody has looked at it
// (docs/exits.md).
#include <dirent.h>

#include "base/file.h"
#include "testing.h"

typedef struct rule {
  const char *call;         // what is looked for
  const char *rooms[6];     // below src/, where it is looked for
  const char *allowed[12];  // paths below src/
} rule;

static const rule rules[] = {
    // Pixels become bytes: in the writer of marked pictures; for thumbnails, which show what is
    // marked; where a label is put on a picture; for the contact sheets of a training run.
    {"ink_picture_encode(",
     {"cli", "desk", "diffusion", "mark", "publish", "train"},
     {"publish/picture.c", "mark/picture_mark.c", "mark/label/picture.c",
      "train/painting/parts.c"}},
    // Pixels become characters: of a marked picture, and of previews below a label.
    {"ink_picture_to_terminal(",
     {"cli", "desk", "diffusion", "mark", "publish"},
     {"cli/paint_preview.c"}},
    {"ink_png_write(", {"cli", "desk", "mark", "publish"}, {NULL}},
    {"ink_jpeg_write(", {"cli", "desk", "mark", "publish"}, {NULL}},
    {"ink_webp_write(", {"cli", "desk", "mark", "publish"}, {NULL}},
    // Letting a picture pass unmarked: where --unmarked asks for it.
    {"ink_mark_waive(",
     {"cli", "desk", "mark", "publish"},
     {"cli/painted.c", "mark/picture_mark.c"}},
    // Files that commands, desk and publishers write: signed pictures; what is signed or labelled
    // and was a file before; the files of a piece, which are published from marked documents; a
    // playbook's lock.
    {"ink_file_save(",
     {"cli", "desk", "publish"},
     {"publish/picture.c", "cli/cmd_sign.c", "cli/cmd_label.c", "desk/playbook.c"}},
    // A conversation that is saved bears its label.
    {"ink_json_save(", {"cli", "desk", "publish"}, {"cli/cmd_chat.c"}},
    // The ledger's rows, exported, tell of content and hold none.
    {"ink_file_create(", {"cli", "desk", "publish"}, {"desk/make.c", "cli/cmd_ledger.c"}},
    {"fopen(", {"cli", "desk", "diffusion", "mark", "picture", "publish"}, {NULL}},
    {"open(", {"cli", "desk", "diffusion", "llm", "picture", "publish"}, {NULL}},
    // Rooms below write no content: keys and the ledger of marks; checkpoints, corpora and sheets
    // of
    // a training run.
    {"ink_file_save(",
     {"diffusion", "llm", "mark", "picture", "train"},
     {"train/checkpoint.c", "train/history.c", "train/painting/export.c",
      "train/painting/parts.c"}},
    {"ink_file_create(",
     {"diffusion", "llm", "mark", "picture", "train"},
     {"train/corpus_output.c"}},
    {"ink_file_save_private(",
     {"cli", "desk", "diffusion", "mark", "publish"},
     {"mark/keys.c", "mark/watermark/gaussian_shading.c"}},
    {"open(", {"mark"}, {"mark/ledger/ledger.c"}},
    // Text that was generated is taken from where it was written to print it below a label, to save
    // it with one, and to make a piece of it.
    {"ink_session_text(", {"cli", "desk", "publish"}, {"cli/cmd_write.c", "cli/cmd_chat.c"}},
    {"ink_session_tokens(", {"cli", "desk", "publish"}, {"cli/cmd_write.c", "cli/cmd_chat.c"}},
    {"on_text", {"cli", "desk"}, {"cli/cmd_write.c", "cli/cmd_chat.c", "cli/verse_options.c"}},
    {"ink_poet_write(", {"cli", "desk"}, {"cli/verse_options.c", "desk/make.c"}},
    // Whatever generates: no other place begins a session or paints.
    {"ink_session_new(",
     {"check", "cli", "desk", "mark", "publish", "train"},
     {"cli/cmd_write.c", "cli/cmd_chat.c"}},
    {"ink_poet_write(", {"check", "mark", "publish", "train"}, {NULL}},
    {"ink_pipeline_paint(",
     {"check", "cli", "desk", "mark", "publish", "train"},
     {"cli/cmd_paint.c", "desk/illustration.c"}},
    {"ink_pipeline_paint_hires(",
     {"check", "cli", "desk", "mark", "publish", "train"},
     {"cli/cmd_paint.c"}},
    {"ink_upscaler_run(",
     {"check", "cli", "desk", "mark", "publish", "train"},
     {"cli/paint_upscale.c"}},
    // All that writes bytes to a stream: what commands print of text and pictures.
    {"fwrite(",
     {"cli", "desk", "diffusion", "llm", "mark", "publish"},
     {"cli/generation.c", "cli/paint_preview.c"}},
};

static int faults;

static bool is_allowed(const rule *r, const char *place) {
  for (const char *const *at = r->allowed; *at; at++) {
    if (strcmp(*at, place) == 0) return true;
  }
  return false;
}

static void check_file(const rule *r, const char *place) {
  char path[512], *text;
  size_t size;
  ink_error error = {0};
  snprintf(path, sizeof path, "../../src/%s", place);
  assert_ok(ink_file_read(fixture_path(path), 1 << 24, &text, &size, &error));
  bool whole = false;
  for (const char *hit = text; (hit = strstr(hit, r->call)) && !whole; hit++) {
    // Neither the end of a longer name nor a member that is called so.
    whole = hit == text || !strchr("_abcdefghijklmnopqrstuvwxyz>.", hit[-1]);
  }
  if (whole && !is_allowed(r, place)) {
    print_message("# src/%s calls %s…): does what leaves there bear its marks?\n", place, r->call);
    faults++;
  }
  free(text);
}

static void check_folder(const rule *r, const char *place) {
  char path[512];
  snprintf(path, sizeof path, "../../src/%s", place);
  DIR *folder = opendir(fixture_path(path));
  assert_non_null(folder);
  for (struct dirent *entry; (entry = readdir(folder));) {
    char below[400];
    size_t length = strlen(entry->d_name);
    if (entry->d_name[0] == '.') continue;
    snprintf(below, sizeof below, "%s/%.200s", place, entry->d_name);
    snprintf(path, sizeof path, "../../src/%s", below);
    if (ink_file_is_folder(fixture_path(path))) {
      check_folder(r, below);
    } else if (length > 2 && strcmp(entry->d_name + length - 2, ".c") == 0) {
      check_file(r, below);
    }
  }
  closedir(folder);
}

static void content_leaves_where_it_was_looked_at(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    for (size_t j = 0; j < 6 && rules[i].rooms[j]; j++) check_folder(&rules[i], rules[i].rooms[j]);
  }
  assert_int_equal(faults, 0);
}

// A list that names what is gone would let it come back unseen.
static void what_is_listed_is_there(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    for (const char *const *at = rules[i].allowed; *at; at++) {
      char path[512], *text;
      size_t size;
      ink_error error = {0};
      snprintf(path, sizeof path, "../../src/%s", *at);
      assert_ok(ink_file_read(fixture_path(path), 1 << 24, &text, &size, &error));
      if (!strstr(text, rules[i].call)) fail_msg("src/%s has no %s", *at, rules[i].call);
      free(text);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(content_leaves_where_it_was_looked_at),
      cmocka_unit_test(what_is_listed_is_there),
  };
  return cmocka_run_group_tests_name("exits", tests, NULL, NULL);
}
