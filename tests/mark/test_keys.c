// The keys of an installation: private, complete, replaced without harm to what they signed.
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mark/keys.h"
#include "marking.h"
#include "scratch.h"

static char *folder;  // made for each test, with the keys' folder below it

static int make_folder(void **state) {
  (void)state;
  char *base = scratch_make();
  if (!base) return -1;
  folder = ink_path_join(base, "keys");
  *state = base;
  return folder ? 0 : -1;
}

static int drop_folder(void **state) {
  scratch_remove(*state);
  free(*state);
  free(folder);
  return 0;
}

static mode_t mode_of(const char *name) {
  char path[4096];
  struct stat info;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  assert_int_equal(stat(path, &info), 0);
  return info.st_mode & 0777;
}

static ink_signer *open_signer(const char *passphrase) {
  ink_error error = {0};
  ink_signer *signer;
  assert_ok(ink_keys_signer(folder, passphrase, false, &signer, &error));
  return signer;
}

static ink_text sign_png(const ink_signer *signer) {
  ink_c2pa_manifest manifest = test_manifest();
  blob plain = load("plain.png");
  ink_text file = sign_blob(&plain, ink_carrier_named("png"), &manifest, signer);
  free(plain.bytes);
  return file;
}

static ink_c2pa_state judge(const ink_text *file, const char *anchors) {
  ink_error error = {0};
  ink_anchors *trust = NULL;
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, anchors);
  assert_ok(ink_anchors_open(path, &trust, &error));
  ink_c2pa_options options = {.anchors = trust};
  ink_c2pa_state state =
      state_of(file->bytes, file->size, ink_carrier_named("png"), &options, NULL);
  ink_anchors_free(trust);
  return state;
}

static void fresh_keys_sign_and_nobody_else_reads_them(void **state) {
  (void)state;
  ink_error error = {0};
  assert_ok(ink_keys_init(folder, NULL, &error));
  assert_int_equal(mode_of("signer.pem"), 0600);
  assert_int_equal(mode_of("authority.pem"), 0600);
  assert_int_equal(mode_of("."), 0700);
  ink_signer *signer = open_signer(NULL);
  assert_int_equal(signer->algorithm, INK_COSE_ES256);
  assert_int_equal(signer->n_certificate, 1);
  ink_text file = sign_png(signer);
  assert_int_equal(judge(&file, "authority.pem"), INK_C2PA_TRUSTED);
  ink_text_free(&file);
  ink_signer_free(signer);
  assert_int_equal(ink_keys_init(folder, NULL, &error), INK_ERR_CONFLICT);
}

static void a_first_use_makes_keys_and_a_second_finds_them(void **state) {
  (void)state;
  ink_error error = {0};
  ink_signer *first, *second;
  assert_int_equal(ink_keys_signer(folder, NULL, false, &first, &error), INK_ERR_NOT_FOUND);
  assert_ok(ink_keys_signer(folder, NULL, true, &first, &error));
  assert_ok(ink_keys_signer(folder, NULL, true, &second, &error));
  assert_int_equal(first->sizes[0], second->sizes[0]);
  assert_memory_equal(first->certificates[0], second->certificates[0], first->sizes[0]);
  ink_signer_free(first);
  ink_signer_free(second);
}

static void what_was_signed_before_rotation_stays_valid(void **state) {
  (void)state;
  ink_error error = {0};
  json_t *before, *after;
  assert_ok(ink_keys_init(folder, NULL, &error));
  ink_signer *old = open_signer(NULL);
  ink_text file = sign_png(old);
  assert_ok(ink_keys_show(folder, &before, &error));
  assert_ok(ink_keys_rotate(folder, NULL, &error));
  assert_ok(ink_keys_show(folder, &after, &error));
  ink_signer *new = open_signer(NULL);
  assert_true(new->sizes[0] != old->sizes[0] ||
              memcmp(new->certificates[0], old->certificates[0], old->sizes[0]) != 0);
  assert_int_equal(judge(&file, "authority.pem"), INK_C2PA_TRUSTED);
  // The old certificate is kept, its key is not; it is still known as this installation's.
  const json_t *signer = json_object_get(before, "signer");
  assert_true(json_equal(json_array_get(json_object_get(after, "retired"), 0), signer));
  const char *serial = json_string_value(json_object_get(signer, "serialNumber"));
  bool known;
  assert_ok(ink_keys_know(folder, serial, &known, &error));
  assert_true(known);
  assert_ok(ink_keys_know(folder, "00", &known, &error));
  assert_false(known);
  char path[4096];
  snprintf(path, sizeof path, "%s/retired/%s.pem", folder,
           json_string_value(json_object_get(signer, "serialNumber")));
  blob retired = load_path(path);
  assert_null(strstr((char *)retired.bytes, "PRIVATE"));
  free(retired.bytes);
  json_decref(before);
  json_decref(after);
  ink_text_free(&file);
  ink_signer_free(old);
  ink_signer_free(new);
}

static void a_passphrase_locks_the_keys(void **state) {
  (void)state;
  ink_error error = {0};
  ink_signer *signer;
  assert_ok(ink_keys_init(folder, "open sesame", &error));
  assert_int_equal(ink_keys_signer(folder, NULL, false, &signer, &error), INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "--passphrase-file"));
  assert_int_equal(ink_keys_signer(folder, "wrong", false, &signer, &error), INK_ERR_USAGE);
  assert_int_equal(ink_keys_rotate(folder, "wrong", &error), INK_ERR_USAGE);
  ink_signer_free(open_signer("open sesame"));
  assert_ok(ink_keys_rotate(folder, "open sesame", &error));
  ink_signer_free(open_signer("open sesame"));
}

static void an_operators_key_takes_the_place(void **state) {
  (void)state;
  ink_error error = {0};
  const char *key = fixture_path("mark/es384.key"), *chain = fixture_path("mark/es384.pem");
  assert_ok(ink_keys_init(folder, NULL, &error));
  assert_int_equal(ink_keys_import(folder, key, chain, NULL, false, &error), INK_ERR_CONFLICT);
  assert_int_equal(ink_keys_import(folder, key, fixture_path("mark/es256.pem"), NULL, true, &error),
                   INK_ERR_CONFLICT);
  assert_ok(ink_keys_import(folder, key, chain, NULL, true, &error));
  ink_signer *signer = open_signer(NULL);
  assert_int_equal(signer->algorithm, INK_COSE_ES384);
  ink_signer_free(signer);
  // Nobody here can issue for it.
  assert_int_equal(ink_keys_rotate(folder, NULL, &error), INK_ERR_NOT_FOUND);
}

static void a_certificate_signs_from_its_first_day_to_its_last(void **state) {
  (void)state;
  ink_error error = {0};
  ink_signer *signer = signer_named("ed25519");
  assert_ok(ink_signer_in_time(signer, "x.pem", &error));
  int64_t now = (int64_t)time(NULL);
  signer->not_before = now + 3600;
  assert_int_equal(ink_signer_in_time(signer, "x.pem", &error), INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, "x.pem: the certificate is valid from "));
  signer->not_before = now - 7200;
  signer->not_after = now - 3600;
  assert_int_equal(ink_signer_in_time(signer, "x.pem", &error), INK_ERR_CONFLICT);
  assert_non_null(strstr(error.text, "x.pem: the certificate has expired on "));
  ink_signer_free(signer);
}

static void folders_that_cannot_be_written_are_named(void **state) {
  (void)state;
  ink_error error = {0};
  // A file stands where the folder should be.
  assert_ok(ink_file_save(folder, "x", 1, &error));
  char *below = ink_path_join(folder, "keys");
  assert_int_equal(ink_keys_init(below, NULL, &error), INK_ERR_IO);
  assert_non_null(strstr(error.text, folder));
  free(below);
}

int main(void) {
  const struct CMUnitTest tests[] = {
#define KEYS_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, drop_folder)
      KEYS_TEST(fresh_keys_sign_and_nobody_else_reads_them),
      KEYS_TEST(a_first_use_makes_keys_and_a_second_finds_them),
      KEYS_TEST(what_was_signed_before_rotation_stays_valid),
      KEYS_TEST(a_passphrase_locks_the_keys),
      KEYS_TEST(an_operators_key_takes_the_place),
      cmocka_unit_test(a_certificate_signs_from_its_first_day_to_its_last),
      KEYS_TEST(folders_that_cannot_be_written_are_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
