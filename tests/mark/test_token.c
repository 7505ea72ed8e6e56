// Keys in tokens: named by URI, they sign as keys in files do, and what is absent or wrong is named
// without a PIN in any message. SoftHSM (softhsm2) stands for a token; without it these are
// skipped.
#include <dlfcn.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "mark/c2pa/token.h"
#include "mark/keys.h"
#include "marking.h"
#include "scratch.h"

static const char pin[] = "tok3n-pin";
static char *folder;        // of the token; NULL where there is no SoftHSM
static const char *module;  // that speaks to it

static bool run_line(const char *format, ...) INK_PRINTF(1, 2);
static bool run_line(const char *format, ...) {
  char line[4096], quiet[4200];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  snprintf(quiet, sizeof quiet, "(%s) >/dev/null 2>&1", line);
  return system(quiet) == 0;
}

static const char *const kinds[] = {"es256", "es384", "es512", "ps256", "ed25519"};
enum { N_KIND = sizeof kinds / sizeof *kinds };

static int set_up(void **state) {
  (void)state;
  static const char *const modules[] = {
      "/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so",
      "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"};
  for (size_t i = 0; i < sizeof modules / sizeof *modules && !module; i++) {
    if (ink_file_exists(modules[i])) module = modules[i];
  }
  if (!module || !run_line("softhsm2-util --version")) return 0;
  char *made = scratch_make(), path[4200], text[4300];
  ink_error error = {0};
  if (!made) return 1;
  snprintf(path, sizeof path, "%s/tokens", made);
  assert_ok(ink_folder_make(path, &error));
  snprintf(text, sizeof text, "directories.tokendir = %s\nobjectstore.backend = file\n", path);
  snprintf(path, sizeof path, "%s/conf", made);
  assert_ok(ink_file_save(path, text, strlen(text), &error));
  setenv("SOFTHSM2_CONF", path, 1);
  bool good = run_line(
      "softhsm2-util --init-token --free --label 'test token' --pin %s --so-pin 5678", pin);
  for (size_t i = 0; i < N_KIND && good; i++) {
    char key[64];
    snprintf(key, sizeof key, "mark/%s.key", kinds[i]);
    good =
        run_line("softhsm2-util --import '%s' --token 'test token' --label %s --id 0%zu --pin %s",
                 fixture_path(key), kinds[i], i + 1, pin);
  }
  folder = made;
  return good ? 0 : 1;
}

static int take_down(void **state) {
  (void)state;
  scratch_remove(folder);
  free(folder);
  return 0;
}

#define NEEDS_TOKEN()                                        \
  if (!folder) {                                             \
    print_message("# softhsm2 is not installed: skipped\n"); \
    skip();                                                  \
  }

static const char *uri_of(const char *attributes, const char *query) {
  static char uri[8192];
  snprintf(uri, sizeof uri, "pkcs11:%s?module-path=%s%s", attributes, module, query);
  return uri;
}

static blob certificates_of(const char *name) {
  char path[64];
  snprintf(path, sizeof path, "%s.pem", name);
  return load(path);
}

static ink_status try_signer(const char *uri, const char *certificates, const char *given,
                             ink_signer **signer, ink_error *error) {
  blob pem = certificates ? certificates_of(certificates) : (blob){0};
  *error = (ink_error){0};
  ink_status status = ink_signer_of_token(uri, (char *)pem.bytes, given, signer, error);
  free(pem.bytes);
  return status;
}

static void assert_signs(const ink_signer *signer, const char *algorithm) {
  ink_c2pa_manifest manifest = test_manifest();
  const ink_carrier *carrier = ink_carrier_named("png");
  blob plain = load("plain.png");
  ink_text file = sign_blob(&plain, carrier, &manifest, signer);
  ink_c2pa_report report = {0};
  assert_int_equal(state_of(file.bytes, file.size, carrier, NULL, &report), INK_C2PA_VALID);
  const json_t *signature = json_object_get(json_array_get(report.manifests, 0), "signature");
  assert_string_equal(json_string_value(json_object_get(signature, "algorithm")), algorithm);
  ink_c2pa_report_free(&report);
  ink_text_free(&file);
  free(plain.bytes);
}

static void every_kind_of_key_signs_in_its_token(void **state) {
  (void)state;
  NEEDS_TOKEN();
  for (size_t i = 0; i < N_KIND; i++) {
    ink_error error;
    ink_signer *signer;
    char attributes[64];
    snprintf(attributes, sizeof attributes, "token=test%%20token;object=%s;type=private", kinds[i]);
    if (try_signer(uri_of(attributes, ""), kinds[i], pin, &signer, &error) != INK_OK) {
      fail_msg("%s: %s", kinds[i], error.text);
    }
    assert_signs(signer, kinds[i]);
    ink_signer_free(signer);
  }
}

static void what_is_absent_or_wrong_is_named(void **state) {
  (void)state;
  NEEDS_TOKEN();
  static const struct {
    const char *attributes, *certificates, *pin;
    ink_status status;
    const char *word;
  } cases[] = {
      {"token=absent;object=es256", "es256", pin, INK_ERR_NOT_FOUND, "\"test token\" is there"},
      {"token=test%20token;serial=0;object=es256", "es256", pin, INK_ERR_NOT_FOUND, "no token"},
      {"object=es256", "es256", NULL, INK_ERR_USAGE, "--passphrase-file"},
      {"object=es256", "es256", "tok3n-pi", INK_ERR_USAGE, "is wrong"},
      {"object=none", "es256", pin, INK_ERR_NOT_FOUND, "no private key"},
      {"id=%01;object=es384", "es256", pin, INK_ERR_NOT_FOUND, "no private key"},
      {"object=es256", NULL, pin, INK_ERR_NOT_FOUND, "--certificates"},
      {"object=es384", "es256", pin, INK_ERR_CONFLICT, "another curve"},
      {"object=ps256", "es256", pin, INK_ERR_CONFLICT, "another kind"},
      {"object=ed25519", "expired", "x", INK_ERR_USAGE, "is wrong"},
      {"object=ed25519", "bad_server_usage", pin, INK_ERR_FORMAT, "extended key usage"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_error error;
    ink_signer *signer;
    ink_status status = try_signer(uri_of(cases[i].attributes, ""), cases[i].certificates,
                                   cases[i].pin, &signer, &error);
    if (status != cases[i].status || !strstr(error.text, cases[i].word)) {
      fail_msg("%s: %d %s", cases[i].attributes, status, error.text);
    }
    assert_null(signer);
    assert_null(strstr(error.text, "tok3n"));
  }
  ink_error error;
  ink_signer *signer;
  assert_int_equal(
      try_signer("pkcs11:object=x?module-path=/nowhere.so", "es256", pin, &signer, &error),
      INK_ERR_NOT_FOUND);
  assert_non_null(strstr(error.text, "INKSTONE_PKCS11_MODULE"));
}

static void a_pin_comes_from_where_the_name_says(void **state) {
  (void)state;
  NEEDS_TOKEN();
  ink_error error = {0};
  ink_signer *signer;
  char path[4200], query[4300];
  snprintf(path, sizeof path, "%s/pin", folder);
  assert_ok(ink_file_save(path, "tok3n-pin\n", 10, &error));
  snprintf(query, sizeof query, "&pin-source=file:%s", path);
  assert_int_equal(try_signer(uri_of("id=%01", query), "es256", NULL, &signer, &error), INK_OK);
  ink_signer_free(signer);
  assert_int_equal(
      try_signer(uri_of("id=%01", "&pin-value=tok3n-pin"), "es256", NULL, &signer, &error), INK_OK);
  ink_signer_free(signer);
  assert_int_equal(try_signer(uri_of("id=%01", "&pin-value=tok3n"), "es256", NULL, &signer, &error),
                   INK_ERR_USAGE);
  assert_null(strstr(error.text, "tok3n"));
  assert_int_equal(
      try_signer(uri_of("id=%01", "&pin-source=/nowhere/pin"), "es256", NULL, &signer, &error),
      INK_ERR_NOT_FOUND);
  assert_int_equal(
      try_signer(uri_of("id=%01", "&pin-source=%7Ccat%20pin"), "es256", NULL, &signer, &error),
      INK_ERR_UNSUPPORTED);
}

// ---- a certificate in the token, put there by the module's own functions

typedef struct object_field {
  unsigned long type;
  void *value;
  unsigned long size;
} object_field;

static void put_object(object_field *fields, unsigned long n_field) {
  unsigned long slots[8], n = 8, session = 0, object = 0;
  void *handle = dlopen(module, RTLD_NOW), **f;
  assert_non_null(handle);
  unsigned long (*get_list)(void ***), (*start)(void *), (*stop)(void *),
      (*get_slots)(unsigned char, unsigned long *, unsigned long *),
      (*open)(unsigned long, unsigned long, void *, void *, unsigned long *),
      (*login)(unsigned long, unsigned long, const char *, unsigned long),
      (*create)(unsigned long, object_field *, unsigned long, unsigned long *);
  *(void **)&get_list = dlsym(handle, "C_GetFunctionList");
  assert_int_equal(get_list(&f), 0);
  // The version takes the place of the first function.
  *(void **)&start = f[1];
  *(void **)&stop = f[2];
  *(void **)&get_slots = f[5];
  *(void **)&open = f[13];
  *(void **)&login = f[19];
  *(void **)&create = f[21];
  assert_int_equal(start(NULL), 0);
  assert_int_equal(get_slots(1, slots, &n), 0);
  assert_int_equal(open(slots[0], 4 | 2, NULL, NULL, &session), 0);
  assert_int_equal(login(session, 1, pin, strlen(pin)), 0);
  assert_int_equal(create(session, fields, n_field, &object), 0);
  assert_int_equal(stop(NULL), 0);
}

static void store_certificate(const char *name, unsigned char id) {
  char path[64];
  snprintf(path, sizeof path, "mark/%s.pem", name);
  FILE *file = fopen(fixture_path(path), "r");
  assert_non_null(file);
  X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
  fclose(file);
  assert_non_null(certificate);
  unsigned char *der = NULL, *subject = NULL, stays = 1;
  unsigned long class = 1, x509 = 0;
  unsigned long size = (unsigned long)i2d_X509(certificate, &der);
  unsigned long subject_size =
      (unsigned long)i2d_X509_NAME(X509_get_subject_name(certificate), &subject);
  object_field fields[] = {{0x0, &class, sizeof class}, {0x1, &stays, 1},
                           {0x80, &x509, sizeof x509},  {0x102, &id, 1},
                           {0x11, der, size},           {0x101, subject, subject_size}};
  put_object(fields, sizeof fields / sizeof *fields);
  OPENSSL_free(der);
  OPENSSL_free(subject);
  X509_free(certificate);
}

static void a_certificate_in_the_token_needs_no_file(void **state) {
  (void)state;
  NEEDS_TOKEN();
  ink_error error = {0};
  ink_signer *signer;
  store_certificate("es512", 3);
  assert_int_equal(try_signer(uri_of("object=es512", ""), NULL, pin, &signer, &error), INK_OK);
  assert_int_equal(signer->n_certificate, 1);
  assert_signs(signer, "es512");
  ink_signer_free(signer);
}

static void an_installation_signs_by_its_token(void **state) {
  (void)state;
  NEEDS_TOKEN();
  ink_error error = {0};
  ink_signer *signer;
  json_t *json;
  char keys[4200];
  snprintf(keys, sizeof keys, "%s/keys", folder);
  char *uri = strdup(uri_of("token=test%20token;object=es256", ""));
  const char *chain = fixture_path("mark/es256.pem");
  assert_ok(ink_keys_import(keys, uri, chain, pin, false, &error));
  assert_int_equal(ink_keys_signer(keys, NULL, false, &signer, &error), INK_ERR_USAGE);
  assert_ok(ink_keys_signer(keys, pin, false, &signer, &error));
  assert_signs(signer, "es256");
  ink_signer_free(signer);
  assert_ok(ink_keys_show(keys, &json, &error));
  assert_string_equal(json_string_value(json_object_get(json, "token")), uri);
  json_decref(json);
  // Nobody here issues for it, and no PIN is kept.
  assert_int_equal(ink_keys_rotate(keys, pin, &error), INK_ERR_NOT_FOUND);
  assert_int_equal(ink_keys_import(keys, uri_of("object=es384", "&pin-value=tok3n-pin"),
                                   fixture_path("mark/es384.pem"), NULL, true, &error),
                   INK_ERR_USAGE);
  snprintf(keys, sizeof keys, "%s/keys/signer.pem", folder);
  blob kept = load_path(keys);
  assert_null(strstr((char *)kept.bytes, "PRIVATE"));
  assert_null(strstr((char *)kept.bytes, "tok3n-pin"));
  free(kept.bytes);
  // A key in a file takes its place, and the other way round.
  snprintf(keys, sizeof keys, "%s/keys", folder);
  assert_ok(ink_keys_import(keys, fixture_path("mark/es384.key"), fixture_path("mark/es384.pem"),
                            NULL, true, &error));
  assert_ok(ink_keys_import(keys, uri, chain, pin, true, &error));
  assert_ok(ink_keys_signer(keys, pin, false, &signer, &error));
  ink_signer_free(signer);
  free(uri);
}

// ---- names

static void names_are_read_as_the_standard_writes_them(void **state) {
  (void)state;
  ink_error error = {0};
  ink_key_uri uri;
  assert_ok(
      ink_key_uri_read("pkcs11:token=The%20Software;serial=1;model=m;manufacturer=a;object="
                       "%e7%a7%8b;id=%01%00%fF;type=private?pin-source=file:/etc/pin&"
                       "module-path=/m.so&pin-value=a%26b",
                       &uri, &error));
  assert_string_equal(uri.token, "The Software");
  assert_string_equal(uri.object, "秋");
  assert_int_equal(uri.id_size, 3);
  assert_memory_equal(uri.id, "\x01\x00\xFF", 3);
  assert_string_equal(uri.pin_source, "file:/etc/pin");
  assert_string_equal(uri.pin_value, "a&b");
  assert_string_equal(uri.module_path, "/m.so");
  ink_key_uri_free(&uri);
  static const char *const bad[] = {"pkcs11:",
                                    "pkcs11:token=a",
                                    "pkcs11:object",
                                    "pkcs11:object=",
                                    "pkcs11:object=a;object=b",
                                    "pkcs11:object=%4",
                                    "pkcs11:object=%zz",
                                    "pkcs11:object=a%00b",
                                    "pkcs11:object=a;type=cert",
                                    "pkcs11:object=a;colour=red",
                                    "PKCS11:object=a",
                                    "file:object=a"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    error = (ink_error){0};
    if (ink_key_uri_read(bad[i], &uri, &error) != INK_ERR_USAGE) fail_msg("%s is read", bad[i]);
    assert_true(error.text[0]);
    assert_null(uri.object);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_of_key_signs_in_its_token),
      cmocka_unit_test(what_is_absent_or_wrong_is_named),
      cmocka_unit_test(a_pin_comes_from_where_the_name_says),
      cmocka_unit_test(a_certificate_in_the_token_needs_no_file),
      cmocka_unit_test(an_installation_signs_by_its_token),
      cmocka_unit_test(names_are_read_as_the_standard_writes_them),
  };
  return cmocka_run_group_tests(tests, set_up, take_down);
}
