// A signed file in which one byte is another is never Valid, but where the byte means nothing: the
// padding of the signature, and the number of a JPEG segment's box instance, which C2PA binds
// nowhere.
#include "base/random.h"
#include "marking.h"

enum { TRIES = 700 };  // for each sample: 11,900 in all

// The padding in the unprotected header: its name and its zero bytes.
static void find_pad(const ink_text *store, size_t *begin, size_t *end) {
  static const char name[] = "\xA1\x63pad";
  for (size_t at = store->size - sizeof name; at > 0; at--) {
    if (memcmp(store->bytes + at, name, sizeof name - 1) != 0) continue;
    const unsigned char *head = (unsigned char *)store->bytes + at + 5;
    size_t length = head[0] == 0x58 ? head[1] : (size_t)head[1] << 8 | head[2];
    *begin = at + 2;
    *end = at + 5 + (head[0] == 0x58 ? 2 : 3) + length;
    return;
  }
  fail_msg("no padding in the store");
}

static bool means_nothing(const ink_carrier *carrier, const ink_place *place, size_t at,
                          const ink_place *changed) {
  if (strcmp(carrier->name, "jpeg") == 0 && (at == place->start + 6 || at == place->start + 7)) {
    return true;
  }
  size_t begin = 0, end = 0;
  find_pad(&place->store, &begin, &end);
  if (at < place->start || at >= place->start + place->length) return false;
  if (changed->store.size != place->store.size) return false;
  bool differs = false;
  for (size_t i = 0; i < place->store.size; i++) {
    if (changed->store.bytes[i] == place->store.bytes[i]) continue;
    if (i < begin || i >= end) return false;
    differs = true;
  }
  return differs;
}

static void try_byte(const ink_carrier *carrier, ink_text *file, const ink_place *place, size_t at,
                     unsigned char value, size_t *n_padding) {
  ink_error error = {0};
  ink_c2pa_report report = {0};
  char kept = file->bytes[at];
  file->bytes[at] = (char)value;
  unsigned char *exact = malloc(file->size);
  memcpy(exact, file->bytes, file->size);
  assert_ok(ink_c2pa_validate(exact, file->size, carrier, NULL, 0, NULL, &report, &error));
  if (report.state >= INK_C2PA_VALID) {
    ink_place changed = {0};
    assert_ok(carrier->find(carrier, exact, file->size, &changed, &error));
    if (!means_nothing(carrier, place, at, &changed)) {
      fail_msg("%s: byte %zu (store at %zu, %zu bytes) as %02x instead of %02x leaves it Valid",
               carrier->name, at, place->start, place->length, value, (unsigned char)kept);
    }
    ++*n_padding;
    ink_place_free(&changed);
  }
  ink_c2pa_report_free(&report);
  free(exact);
  file->bytes[at] = kept;
}

static void no_other_byte_leaves_a_file_valid(void **state) {
  (void)state;
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  size_t n_padding = 0;
  for (size_t i = 0; i < N_SAMPLE; i++) {
    ink_error error = {0};
    const ink_carrier *carrier = ink_carrier_named(samples[i].carrier);
    blob plain = sample_blob(&samples[i]);
    ink_text file = sign_blob(&plain, carrier, &manifest, signer);
    ink_place place = {0};
    ink_random random = ink_random_at(2026, i, 0);
    assert_ok(carrier->find(carrier, (unsigned char *)file.bytes, file.size, &place, &error));
    for (int n = 0; n < TRIES; n++) {
      // One half anywhere, the other around the ends of what no hash covers.
      size_t at = (size_t)ink_random_below(&random, file.size);
      if (n % 2) {
        size_t edge = n % 4 == 1 ? place.start : place.start + place.length;
        at = edge + (size_t)ink_random_below(&random, 96);
        at = at < 48 ? 0 : at - 48;
        if (at >= file.size) at = file.size - 1;
      }
      // Single bits, which turn letters into their other case, and other values.
      unsigned char change = (unsigned char)(1U << ink_random_below(&random, 8));
      if (n % 3) change = (unsigned char)(1 + ink_random_below(&random, 255));
      try_byte(carrier, &file, &place, at, (unsigned char)file.bytes[at] ^ change, &n_padding);
    }
    ink_place_free(&place);
    ink_text_free(&file);
    free(plain.bytes);
  }
  print_message("# %zu changes of padding left a file Valid\n", n_padding);
  ink_signer_free(signer);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(no_other_byte_leaves_a_file_valid)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
