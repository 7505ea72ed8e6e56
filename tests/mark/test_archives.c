// Documents that are archives: nothing in them escapes the signature, and no archive that says one
// thing in two ways is read.
#include "base/hash.h"
#include "mark/archive.h"
#include "mark/detect.h"
#include "marking.h"
#include "resealing.h"

static void put(unsigned char *at, size_t value, int n) {
  for (int i = 0; i < n; i++) at[i] = (unsigned char)(value >> 8 * i);
}

static size_t get(const unsigned char *at, int n) {
  size_t value = 0;
  for (int i = 0; i < n; i++) value |= (size_t)at[i] << 8 * i;
  return value;
}

// Both headers' names, of the same length.
static void rename_in(blob *b, const char *from, const void *to) {
  size_t n = strlen(from), hits = 0;
  for (size_t i = 0; i + n <= b->size; i++) {
    if (memcmp(b->bytes + i, from, n) != 0) continue;
    memcpy(b->bytes + i, to, n);
    hits++;
  }
  assert_int_equal(hits, 2);
}

static unsigned char *end_of(const blob *b) {
  unsigned char *end = memmem(b->bytes, b->size, "PK\5\6", 4);
  assert_non_null(end);
  return end;
}

// The headers of book.opf: in front of its content, and in the directory.
static unsigned char *local_header(const blob *b) {
  return (unsigned char *)memmem(b->bytes, b->size, "book.opf", 8) - 30;
}

static unsigned char *central_header(const blob *b) {
  unsigned char *behind = local_header(b) + 38;
  return (unsigned char *)memmem(behind, b->size - (size_t)(behind - b->bytes), "book.opf", 8) - 46;
}

// One more byte before the directory.
static void with_gap(blob *b) {
  size_t at = get(end_of(b) + 16, 4);
  b->bytes = realloc(b->bytes, b->size + 1);
  memmove(b->bytes + at + 1, b->bytes + at, b->size - at);
  b->size++;
  put(end_of(b) + 16, at + 1, 4);
}

static void in_front(blob *b) {
  b->bytes = realloc(b->bytes, b->size + 1);
  memmove(b->bytes + 1, b->bytes, b->size);
  b->size++;
}

// As bytes in front of an archive are read by who counts from its directory: every place is told.
static void in_front_and_told(blob *b) {
  in_front(b);
  size_t at = get(end_of(b) + 16, 4) + 1;
  put(end_of(b) + 16, at, 4);
  for (size_t left = get(end_of(b) + 10, 2); left; left--) {
    unsigned char *head = b->bytes + at;
    put(head + 42, get(head + 42, 4) + 1, 4);
    at += 46 + get(head + 28, 2) + get(head + 30, 2) + get(head + 32, 2);
  }
}

static void behind(blob *b) {
  b->bytes = realloc(b->bytes, b->size + 1);
  b->bytes[b->size++] = 0;
}

static void outside(blob *b) {
  rename_in(b, "book.opf", "../k.opf");
}

static void absolute(blob *b) {
  rename_in(b, "book.opf", "/ook.opf");
}

static void twice(blob *b) {
  rename_in(b, "book.opf", "mimetype");
}

static void another_local_name(blob *b) {
  memcpy(memmem(b->bytes, b->size, "book.opf", 8), "cook.opf", 8);
}

static void no_step(blob *b) {
  rename_in(b, "book.opf", "b//k.opf");
}

static void a_step_nowhere(blob *b) {
  rename_in(b, "book.opf", "b/./.opf");
}

static void a_step_back(blob *b) {
  rename_in(b, "book.opf", "b\\ok.opf");
}

static void a_name_with_an_end(blob *b) {
  rename_in(b, "book.opf", "bo\0k.opf");
}

static void a_name_in_no_encoding(blob *b) {
  rename_in(b, "book.opf", "b\xFFok.opf");
}

static void other_local_flags(blob *b) {
  local_header(b)[6] ^= 2;
}

static void another_local_method(blob *b) {
  local_header(b)[8] ^= 8;
}

static void data_over_the_next_file(blob *b) {
  put(central_header(b) + 20, get(central_header(b) + 20, 4) + 9, 4);
}

static void data_that_ends_early(blob *b) {
  put(central_header(b) + 20, get(central_header(b) + 20, 4) - 9, 4);
}

static void data_without_end(blob *b) {
  put(central_header(b) + 20, 0xFFFFFFFF, 4);
}

static void a_gap_behind_the_directory(blob *b) {
  size_t at = (size_t)(end_of(b) - b->bytes);
  b->bytes = realloc(b->bytes, b->size + 1);
  memmove(b->bytes + at + 1, b->bytes + at, b->size - at);
  b->size++;
}

// The directory's size has it, none of its files does.
static void more_in_the_directory(blob *b) {
  a_gap_behind_the_directory(b);
  put(end_of(b) + 12, get(end_of(b) + 12, 4) + 1, 4);
}

static void fewer_than_there_are(blob *b) {
  size_t n = get(end_of(b) + 8, 2) - 1;
  put(end_of(b) + 8, n, 2);
  put(end_of(b) + 10, n, 2);
}

static void many_disks(blob *b) {
  put(end_of(b) + 4, 1, 2);
}

static void zip64(blob *b) {
  put(end_of(b) + 8, 0xFFFF, 2);
  put(end_of(b) + 10, 0xFFFF, 2);
}

static void larger_than_it_is(blob *b) {
  put(end_of(b) + 12, get(end_of(b) + 12, 4) + 1, 4);
}

static void archives_that_say_two_things_are_refused(void **state) {
  (void)state;
  static const struct {
    void (*change)(blob *b);
    ink_status status;
  } cases[] = {{with_gap, INK_ERR_FORMAT},
               {in_front, INK_ERR_FORMAT},
               {in_front_and_told, INK_ERR_FORMAT},
               {behind, INK_ERR_FORMAT},
               {outside, INK_ERR_FORMAT},
               {absolute, INK_ERR_FORMAT},
               {twice, INK_ERR_FORMAT},
               {another_local_name, INK_ERR_FORMAT},
               {no_step, INK_ERR_FORMAT},
               {a_step_nowhere, INK_ERR_FORMAT},
               {a_step_back, INK_ERR_FORMAT},
               {a_name_with_an_end, INK_ERR_FORMAT},
               {a_name_in_no_encoding, INK_ERR_FORMAT},
               {other_local_flags, INK_ERR_FORMAT},
               {another_local_method, INK_ERR_FORMAT},
               {data_over_the_next_file, INK_ERR_FORMAT},
               {data_that_ends_early, INK_ERR_FORMAT},
               {data_without_end, INK_ERR_UNSUPPORTED},
               {a_gap_behind_the_directory, INK_ERR_FORMAT},
               {more_in_the_directory, INK_ERR_FORMAT},
               {fewer_than_there_are, INK_ERR_FORMAT},
               {many_disks, INK_ERR_UNSUPPORTED},
               {zip64, INK_ERR_UNSUPPORTED},
               {larger_than_it_is, INK_ERR_FORMAT}};
  const ink_carrier *epub = ink_carrier_named("epub");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_error error = {0};
    ink_place place = {0};
    ink_text out = {0};
    size_t start, length;
    blob b = load("plain.epub");
    cases[i].change(&b);
    if (epub->find(epub, b.bytes, b.size, &place, &error) != cases[i].status) {
      fail_msg("case %zu: %s", i, error.text);
    }
    assert_int_not_equal(epub->embed(epub, b.bytes, b.size, (const unsigned char *)"x", 1, &out,
                                     &start, &length, &error),
                         INK_OK);
    ink_place_free(&place);
    ink_text_free(&out);
    free(b.bytes);
  }
}

static ink_text changed(const blob *b, const ink_archive_change *change, ink_status expected) {
  ink_error error = {0};
  ink_archive a;
  ink_text out = {0};
  assert_ok(ink_archive_read(b->bytes, b->size, &a, &error));
  assert_int_equal(ink_archive_write(b->bytes, b->size, &a, change, 1, &out, &error), expected);
  ink_archive_free(&a);
  return out;
}

// Another content changes nothing else: not the date and attributes of its file, not the archive's
// comment. What is encrypted is not replaced by what is not.
static void a_changed_file_keeps_what_was_said_of_it(void **state) {
  (void)state;
  static const char words[] = "made for tests";
  const ink_archive_change change = {.name = "book.opf", .bytes = "<x/>", .size = 4};
  blob b = load("plain.epub");
  put(local_header(&b) + 10, 0x5C434567, 4);
  put(central_header(&b) + 12, 0x5C434567, 4);
  put(central_header(&b) + 36, 1, 2);
  put(central_header(&b) + 38, 0x81A40000, 4);
  ink_text out = changed(&b, &change, INK_OK);
  blob after = {(unsigned char *)out.bytes, out.size};
  assert_int_equal(get(local_header(&after) + 10, 4), 0x5C434567);
  assert_int_equal(get(central_header(&after) + 12, 4), 0x5C434567);
  assert_int_equal(get(central_header(&after) + 36, 2), 1);
  assert_int_equal(get(central_header(&after) + 38, 4), 0x81A40000);
  assert_memory_equal(out.bytes + out.size - (sizeof words - 1), words, sizeof words - 1);
  // Its name of ASCII says nothing; content that packing would lengthen stays as it is.
  assert_int_equal(get(local_header(&after) + 6, 2), 0);
  assert_int_equal(get(local_header(&after) + 8, 2), 0);
  assert_int_equal(get(local_header(&after) + 18, 4), 4);
  ink_text_free(&out);
  // A new file is as old as can be, and its name says in which encoding it is.
  out = changed(&b, &(ink_archive_change){.name = "书.xml", .bytes = "<x/>", .size = 4}, INK_OK);
  const unsigned char *name = memmem(out.bytes, out.size, "书.xml", 7);
  assert_non_null(name);
  assert_int_equal(get(name - 30 + 6, 2), 1 << 11);
  assert_int_equal(get(name - 30 + 12, 2), 1 << 5 | 1);
  ink_text_free(&out);
  local_header(&b)[6] |= 1;
  central_header(&b)[8] |= 1;
  out = changed(&b, &change, INK_ERR_UNSUPPORTED);
  ink_text_free(&out);
  free(b.bytes);
}

static void documents_are_known_by_what_they_hold(void **state) {
  (void)state;
  static const char *const files[][2] = {{"plain.docx", "docx"}, {"plain.epub", "epub"}};
  for (int i = 0; i < 2; i++) {
    blob b = load(files[i][0]);
    const ink_carrier *carrier = ink_carrier_for("whatever.bin", b.bytes, b.size);
    assert_non_null(carrier);
    assert_string_equal(carrier->name, files[i][1]);
    free(b.bytes);
  }
}

// The document within is another, the rest as it was; a file more; a file less.
static void what_changes_within_is_told(void **state) {
  (void)state;
  ink_signer *signer = signer_named("es256");
  ink_c2pa_manifest manifest = test_manifest();
  const ink_carrier *docx = ink_carrier_named("docx");
  blob plain = load("plain.docx");
  ink_text made = sign_blob(&plain, docx, &manifest, signer);
  // In the data of word/document.xml, behind its header.
  char *at = memmem(made.bytes, made.size, "word/document.xml", 17);
  at[17 + 20] ^= 1;
  ink_c2pa_report report = {0};
  assert_int_equal(state_of(made.bytes, made.size, docx, NULL, &report), INK_C2PA_INVALID);
  assert_true(ink_c2pa_failed_with(&report, "assertion.collectionHash.mismatch"));
  ink_c2pa_report_free(&report);
  at[17 + 20] ^= 1;
  assert_int_equal(state_of(made.bytes, made.size, docx, NULL, NULL), INK_C2PA_VALID);
  // Renamed in both places: it is listed under the old name.
  blob b = {(unsigned char *)made.bytes, made.size};
  unsigned char *first = memmem(b.bytes, b.size, "_rels/.rels", 11);
  unsigned char *last = memmem(first + 11, b.size - (size_t)(first + 11 - b.bytes), "PK\1\2", 4);
  last = memmem(last, b.size - (size_t)(last - b.bytes), "_rels/.rels", 11);
  first[0] = last[0] = 'x';
  assert_int_equal(state_of(made.bytes, made.size, docx, NULL, &report), INK_C2PA_INVALID);
  assert_true(ink_c2pa_failed_with(&report, "assertion.collectionHash.incorrectFileCount"));
  ink_c2pa_report_free(&report);
  ink_text_free(&made);
  free(plain.bytes);
  ink_signer_free(signer);
}

// How a list of files differs from the one that was signed.
typedef struct listing {
  const char *what, *code;
  size_t drop, twice;  // the file that is left out, or is there again, counted from 1
  const char *also;    // a URI more
  bool no_directory, no_algorithm;
} listing;

static ink_text listed_otherwise(const ink_cbor *map, const listing *l, ink_arena *arena) {
  ink_cbor_builder b = {.arena = arena};
  ink_cbor *all = ink_cbor_new_map(&b), *list = ink_cbor_new_array(&b);
  const ink_cbor *files = ink_cbor_member(map, "uris", INK_CBOR_ARRAY), *hash = NULL;
  size_t n = 0;
  for (const ink_cbor *at = files->first; at; at = at->next) {
    hash = ink_cbor_member(at, "hash", INK_CBOR_BYTES);
    n++;
    for (int times = n == l->drop ? 0 : n == l->twice ? 2 : 1; times; times--) {
      ink_cbor *one = ink_cbor_new_map(&b);
      ink_cbor_put_text(&b, one, "uri", ink_cbor_string(arena, ink_cbor_get(at, "uri")));
      ink_cbor_put(&b, one, "hash", ink_cbor_new_bytes(&b, hash->bytes, hash->size));
      ink_cbor_add(&b, list, one);
    }
  }
  if (l->also) {
    ink_cbor *one = ink_cbor_new_map(&b);
    ink_cbor_put_text(&b, one, "uri", l->also);
    ink_cbor_put(&b, one, "hash", ink_cbor_new_bytes(&b, hash->bytes, hash->size));
    ink_cbor_add(&b, list, one);
  }
  const ink_cbor *directory = ink_cbor_get(map, "zip_central_directory_hash");
  ink_cbor_put(&b, all, "uris", list);
  if (!l->no_algorithm) ink_cbor_put_text(&b, all, "alg", "sha256");
  if (!l->no_directory) {
    ink_cbor_put(&b, all, "zip_central_directory_hash",
                 ink_cbor_new_bytes(&b, directory->bytes, directory->size));
  }
  return encoded(&b, all);
}

// Each file once, none beside them, and all by names that stay within the archive.
static void a_list_of_files_is_that_of_the_archive(void **state) {
  (void)state;
  static const listing cases[] = {
      {.what = "as it was"},
      {.what = "one less", .drop = 2, .code = "assertion.collectionHash.incorrectFileCount"},
      {.what = "one twice", .twice = 1, .code = "assertion.collectionHash.incorrectFileCount"},
      {.what = "one for another",
       .drop = 2,
       .twice = 1,
       .code = "assertion.collectionHash.incorrectFileCount"},
      {.what = "one more", .also = "x", .code = "assertion.collectionHash.incorrectFileCount"},
      {.what = "half an escape", .also = "x%4", .code = "assertion.collectionHash.invalidURI"},
      {.what = "no escape", .also = "x%4g", .code = "assertion.collectionHash.invalidURI"},
      {.what = "a signed escape", .also = "x%+4", .code = "assertion.collectionHash.invalidURI"},
      {.what = "outside", .also = "../x", .code = "assertion.collectionHash.invalidURI"},
      {.what = "outside, escaped",
       .also = "a/%2E%2e/x",
       .code = "assertion.collectionHash.invalidURI"},
      {.what = "a step nowhere", .also = "a/.", .code = "assertion.collectionHash.invalidURI"},
      {.what = "no directory", .no_directory = true, .code = "assertion.collectionHash.malformed"},
      {.what = "no hash named",
       .no_algorithm = true,
       .code = "assertion.collectionHash.malformed"}};
  ink_signer *signer = signer_named("ed25519");
  ink_c2pa_manifest manifest = test_manifest();
  const ink_carrier *docx = ink_carrier_named("docx");
  blob plain = load("plain.docx");
  ink_text made = sign_blob(&plain, docx, &manifest, signer);
  ink_error error = {0};
  ink_place place = {0};
  ink_arena *arena = ink_arena_new(1 << 24);
  assert_ok(docx->find(docx, (unsigned char *)made.bytes, made.size, &place, &error));
  const ink_jumbf *root = boxes_in(arena, &place.store);
  const ink_cbor *map = cbor_in(
      arena,
      ink_jumbf_child(ink_jumbf_child(root->last, "c2pa.assertions"), "c2pa.hash.collection.data"));
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ink_text content = listed_otherwise(map, &cases[i], arena), file = {0};
    ink_text store = resealed(&place.store,
                              &(reseal){.label = "c2pa.hash.collection.data", .content = &content});
    size_t start, length;
    assert_ok(docx->embed(docx, plain.bytes, plain.size, (unsigned char *)store.bytes, store.size,
                          &file, &start, &length, &error));
    ink_c2pa_report report = {0};
    ink_c2pa_state found = state_of(file.bytes, file.size, docx, NULL, &report);
    const char *code = cases[i].code;
    bool told = !code || ink_c2pa_failed_with(&report, code);
    if (found != (code ? INK_C2PA_INVALID : INK_C2PA_VALID) || !told) {
      fail_msg("%s: %s", cases[i].what, json_dumps(report.results, 0));
    }
    ink_c2pa_report_free(&report);
    ink_text_free(&file);
    ink_text_free(&store);
    ink_text_free(&content);
  }
  ink_place_free(&place);
  ink_arena_free(arena);
  ink_text_free(&made);
  free(plain.bytes);
  ink_signer_free(signer);
}

// Of the store's checksum no hash speaks (A.6.2.2): it is that of its bytes all the same, in both
// of the places where it stands. Names are URIs (18.8.3).
static void the_stores_checksum_is_its_own(void **state) {
  (void)state;
  ink_signer *signer = signer_named("es256");
  ink_c2pa_manifest manifest = test_manifest();
  const ink_carrier *docx = ink_carrier_named("docx");
  blob plain = load("plain.docx");
  ink_text made = sign_blob(&plain, docx, &manifest, signer);
  assert_non_null(memmem(made.bytes, made.size, "%5BContent_Types%5D.xml", 23));
  static const char name[] = "META-INF/content_credential.c2pa";
  unsigned char *bytes = (unsigned char *)made.bytes;
  unsigned char *local = memmem(bytes, made.size, name, sizeof name - 1);
  size_t behind = (size_t)(local + 1 - bytes);
  unsigned char *central = memmem(bytes + behind, made.size - behind, name, sizeof name - 1);
  assert_non_null(central);
  local -= 30;
  central -= 46;
  assert_int_equal(get(local + 14, 4),
                   ink_crc32(0, local + 30 + sizeof name - 1, get(local + 18, 4)));
  assert_int_equal(get(central + 16, 4), get(local + 14, 4));
  local[14] ^= 1;
  assert_int_equal(state_of(bytes, made.size, docx, NULL, NULL), INK_C2PA_INVALID);
  central[16] ^= 1;
  ink_c2pa_report report = {0};
  assert_int_equal(state_of(bytes, made.size, docx, NULL, &report), INK_C2PA_INVALID);
  assert_true(ink_c2pa_failed_with(&report, "assertion.collectionHash.mismatch"));
  ink_c2pa_report_free(&report);
  ink_text_free(&made);
  free(plain.bytes);
  ink_signer_free(signer);
}

// In an office document's properties; bounded, whatever its size says.
static void an_office_document_says_its_label(void **state) {
  (void)state;
  ink_error error = {0};
  json_t *aigc = NULL;
  blob b = load("plain.docx");
  assert_ok(ink_detect_aigc("a.docx", (char *)b.bytes, b.size, &aigc, &error));
  assert_string_equal(json_string_value(json_object_get(aigc, "ProduceID")), test_identity);
  json_decref(aigc);
  ink_detection detection = {0};
  assert_ok(ink_detect_document("a.docx", (char *)b.bytes, b.size, &detection, &error));
  ink_detect_conclude(&detection);
  assert_int_equal(detection.verdict, INK_VERDICT_GENERATED);
  free(b.bytes);
  b = load("plain.epub");
  assert_ok(ink_detect_aigc("a.epub", (char *)b.bytes, b.size, &aigc, &error));
  assert_null(aigc);
  free(b.bytes);
  b = load("bomb.docx");
  assert_true(b.size < 1 << 16);
  assert_ok(ink_detect_aigc("a.docx", (char *)b.bytes, b.size, &aigc, &error));
  assert_null(aigc);
  free(b.bytes);
}

// The store's file has no bytes beside the store that no hash covers.
static void nothing_hides_in_front_of_the_store(void **state) {
  (void)state;
  static const char name[] = "META-INF/content_credential.c2pa";
  enum { EXTRA = 4 };
  ink_error error = {0};
  ink_place place = {0};
  ink_text made = {0};
  size_t start, length;
  const ink_carrier *docx = ink_carrier_named("docx");
  blob plain = load("plain.docx");
  assert_ok(docx->embed(docx, plain.bytes, plain.size, (const unsigned char *)"store", 5, &made,
                        &start, &length, &error));
  size_t behind = start + 30 + sizeof name - 1;
  blob b = {malloc(made.size + EXTRA), made.size + EXTRA};
  memcpy(b.bytes, made.bytes, behind);
  memcpy(b.bytes + behind, "\xFE\xCA\0", EXTRA);
  memcpy(b.bytes + behind + EXTRA, made.bytes + behind, made.size - behind);
  put(b.bytes + start + 28, EXTRA, 2);
  put(end_of(&b) + 16, get(end_of(&b) + 16, 4) + EXTRA, 4);
  assert_ok(docx->find(docx, b.bytes, b.size, &place, &error));
  assert_true(place.present && place.code);
  ink_place_free(&place);
  // Nor is there a second one.
  ink_text more = {0};
  assert_int_equal(docx->embed(docx, (unsigned char *)made.bytes, made.size,
                               (const unsigned char *)"store", 5, &more, &start, &length, &error),
                   INK_ERR_CONFLICT);
  ink_text_free(&more);
  ink_text_free(&made);
  free(b.bytes);
  free(plain.bytes);
}

// What another program put behind the store moves up when it is taken out.
static void files_behind_the_store_move_up_with_it(void **state) {
  (void)state;
  ink_error error = {0};
  ink_text made = {0}, bare = {0};
  ink_archive a;
  size_t start, length;
  const ink_carrier *docx = ink_carrier_named("docx");
  blob plain = load("plain.docx");
  assert_ok(docx->embed(docx, plain.bytes, plain.size, (const unsigned char *)"store", 5, &made,
                        &start, &length, &error));
  blob b = {(unsigned char *)made.bytes, made.size};
  const ink_archive_change change = {.name = "z", .bytes = "zzz", .size = 3, .stored = true};
  ink_text with = changed(&b, &change, INK_OK);
  assert_ok(ink_carrier_remove(docx, (unsigned char *)with.bytes, with.size, &bare, &error));
  assert_ok(ink_archive_read((unsigned char *)bare.bytes, bare.size, &a, &error));
  const ink_archive_file *z = ink_archive_find((unsigned char *)bare.bytes, &a, "z");
  assert_non_null(z);
  assert_int_equal(z->start, start);
  assert_memory_equal(bare.bytes + z->data, "zzz", 3);
  ink_archive_free(&a);
  ink_text_free(&bare);
  ink_text_free(&with);
  ink_text_free(&made);
  free(plain.bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(archives_that_say_two_things_are_refused),
      cmocka_unit_test(a_changed_file_keeps_what_was_said_of_it),
      cmocka_unit_test(documents_are_known_by_what_they_hold),
      cmocka_unit_test(what_changes_within_is_told),
      cmocka_unit_test(a_list_of_files_is_that_of_the_archive),
      cmocka_unit_test(the_stores_checksum_is_its_own),
      cmocka_unit_test(nothing_hides_in_front_of_the_store),
      cmocka_unit_test(files_behind_the_store_move_up_with_it),
      cmocka_unit_test(an_office_document_says_its_label),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
