// Keys, signing and verifying as they are run; pieces that are born signed.
#include "mark/c2pa/jumbf.h"
#include "program.h"

static void a_signed_file_is_verified_and_a_changed_one_is_not(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && $INK sign $FIXTURES/mark/plain.png --out s.png >/dev/null && $INK verify s.png "
      "--json");
  json_t *json = json_of(&run);
  assert_string_equal(text_at(json, "state"), "Valid");
  assert_true(json_is_true(json_object_get(json, "this_installation")));
  const json_t *label = json_array_get(json_object_get(json, "labels"), 0);
  assert_non_null(strstr(text_at(label, "digitalSourceType"), "trainedAlgorithmicMedia"));
  const json_t *failure = json_array_get(json_object_get(json, "failure"), 0);
  assert_string_equal(text_at(failure, "code"), "signingCredential.untrusted");
  const json_t *manifests = json_object_get(json, "manifests");
  assert_int_equal(json_array_size(manifests), 1);
  // A picture is shown in small.
  const json_t *assertions = json_object_get(json_array_get(manifests, 0), "assertions");
  const json_t *thumbnail = json_object_get(assertions, "c2pa.thumbnail.claim");
  assert_string_equal(text_at(thumbnail, "format"), "image/jpeg");
  json_decref(json);
  drop_run(&run);
  run = run_program(
      "cd $HOME && $INK sign $FIXTURES/mark/plain.png --out s.png >/dev/null 2>&1 && printf x "
      ">>s.png "
      "&& $INK verify s.png --json");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.out, "\"state\": \"Invalid\""));
  assert_non_null(strstr(run.out, "assertion.dataHash.mismatch"));
  drop_run(&run);
  run = run_program("$INK verify $FIXTURES/mark/plain.png --json");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.out, "\"state\": \"none\""));
  drop_run(&run);
}

// People read their language; programs, and manifests that keep what was found, read English.
static void findings_are_said_in_the_readers_language(void **state) {
  (void)state;
  program_run run = run_program("$INK verify $FIXTURES/mark/golden.png");
  assert_non_null(strstr(run.out, "test signer is not on the list of those who are trusted\n"));
  // What says the same shares a line, and names what it is of.
  const char *same = strstr(run.out, "assertion.hashedURI.match: as signed (");
  assert_non_null(same);
  assert_null(strstr(same + 1, "assertion.hashedURI.match"));
  assert_non_null(strstr(same, "c2pa.actions.v2, "));
  drop_run(&run);
  run = run_program("INKSTONE_LANG=zh $INK verify $FIXTURES/mark/golden.png");
  assert_non_null(strstr(run.out, "test signer 不在信任名单上"));
  assert_non_null(strstr(run.out, "内容与签名时相同"));
  drop_run(&run);
  run = run_program(
      "cd $HOME && export INKSTONE_LANG=zh && $INK sign $FIXTURES/mark/golden.png --out s.png "
      ">/dev/null && $INK verify s.png --json");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.out, "is not on the list of those who are trusted"));
  assert_null(strstr(run.out, "信任"));
  drop_run(&run);
}

// A manifest store whose last manifest has `n` more assertions, of which its claim does not speak.
static void add_undeclared(const char *path, size_t n) {
  ink_error error = {0};
  size_t size;
  char *bytes = read_file(path, &size);
  ink_arena *arena = ink_arena_new(1 << 24);
  ink_jumbf *store;
  ink_text out = {0};
  assert_ok(ink_jumbf_read(arena, bytes, size, &store, &error));
  size_t all = ink_jumbf_begin(&out, store->kind, store->label);
  size_t one = ink_jumbf_begin(&out, store->last->kind, store->last->label);
  for (const ink_jumbf *at = store->last->first; at; at = at->next) {
    if (!at->label) continue;
    size_t begin = out.size;
    ink_jumbf_box(&out, at->type, at->bytes, at->size);
    if (strcmp(at->label, "c2pa.assertions") != 0) continue;
    for (size_t i = 0; i < n; i++) {
      char label[32];
      snprintf(label, sizeof label, "org.example.%zu", i);
      ink_jumbf_end(&out, ink_jumbf_begin(&out, "cbor", label));
    }
    ink_jumbf_end(&out, begin);
  }
  ink_jumbf_end(&out, one);
  ink_jumbf_end(&out, all);
  assert_ok(ink_file_save(path, out.bytes, out.size, &error));
  ink_text_free(&out);
  ink_arena_free(arena);
  free(bytes);
}

static void thousands_of_findings_are_told_in_one_line(void **state) {
  (void)state;
  enum { MANY = 5000 };
  expect_done(run_at_home("cp $FIXTURES/mark/plain.png s.png && $INK sign s.png --sidecar"));
  add_undeclared(in_scratch("s.png.c2pa"), MANY);
  program_run run = run_at_home("timeout 60 $INK verify s.png");
  assert_int_equal(run.exit_code, 1);
  const char *line = strstr(run.out, "assertion.undeclared: "), *end = line;
  assert_non_null(line);
  assert_null(strstr(line + 1, "assertion.undeclared: "));
  size_t n = 1;
  for (; *end != '\n'; end++) n += *end == ',';
  assert_int_equal(n, MANY);
  static const char last[] = ", org.example.4999)";
  assert_memory_equal(end - (sizeof last - 1), last, sizeof last - 1);
  // The others stand in the order in which they were found.
  const char *untrusted = strstr(run.out, "signingCredential.untrusted");
  assert_true(untrusted && untrusted < line);
  drop_run(&run);
}

// What a reader asks of a picture: who signed, what made it, of what, which labels it bears.
static void verify_tells_labels_and_ingredients_of_a_picture(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && $INK paint 'a house' -o a.png --steps 1 --seed 1 >&2 && $INK paint 'in snow' "
      "--init a.png -o b.png --steps 2 --seed 1 >&2 && $INK verify b.png && $INK verify b.png "
      "--json >v.json && grep -c '\"GB 45438\"' v.json");
  assert_int_equal(run.exit_code, 0);
  static const char *const words[] = {"c2pa.edited · http://cv.iptc.org",
                                      " · painter\n",
                                      "parent: a.png\n",
                                      "input: prompt, painter\n",
                                      "AIGC · Label 1 · inkstone · ",
                                      "assertion.hashedURI.match: as signed (c2pa.",
                                      ", c2pa.actions.v2, org.inkstone.recipe",
                                      "assertion.dataHash.match",
                                      "\n1\n"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    if (!strstr(run.out, words[i])) fail_msg("without \"%s\": %s", words[i], run.out);
  }
  drop_run(&run);
}

// Names and titles come from strangers, here with a word that turns the direction of writing.
static void what_files_say_steers_no_terminal_and_forges_no_line(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && cp $FIXTURES/mark/plain.png a.png && $INK sign a.png --title \"$(printf "
      "'x\\342\\200\\256\\n  ok\\033[2J')\" --out b.png >/dev/null && $INK sign b.png --title "
      "\"$(printf "
      "'x\\342\\200\\256\\n  ok\\033[2J')\" --out \"$(printf 'c\\n\\377.png')\" >/dev/null && $INK "
      "verify "
      "\"$(printf "
      "'c\\n\\377.png')\" && $INK ledger list --last 1; $INK verify \"$(printf 'no\\033\\377')\"");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.out, "c??.png: Valid"));
  assert_non_null(strstr(run.out, "parent: x????  ok?[2J\n"));
  // The ledger keeps text.
  assert_non_null(strstr(run.out, "sign     c?\uFFFD.png"));
  assert_non_null(strstr(run.err, "no??"));
  assert_null(strchr(run.out, '\033'));
  assert_null(strchr(run.err, '\033'));
  drop_run(&run);
}

// An archive's directory is its end: one that came in part holds nothing that could be found.
static void an_archive_that_is_cut_short_is_called_damaged(void **state) {
  (void)state;
  static const char *const files[] = {"plain.docx", "plain.epub", "text.odt"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    program_run run = run_program(
        "cd $HOME && cp $FIXTURES/mark/%s whole && head -c $(($(stat -c %%s whole) - 30)) whole "
        ">%s && $INK detect %s && $INK verify %s",
        files[i], files[i], files[i], files[i]);
    assert_int_equal(run.exit_code, 1);
    if (!strstr(run.out, "could not be looked at: the archive is damaged") ||
        !strstr(run.out, "not everything could be looked at") ||
        !strstr(run.err, "the archive is damaged or irregular (ZIP: it has no directory)") ||
        strstr(run.err, "has no manifest")) {
      fail_msg("%s: %s%s", files[i], run.out, run.err);
    }
    drop_run(&run);
    run = run_program(
        "cd $HOME && cp $FIXTURES/mark/%s whole && head -c 200 whole >%s && $INK verify %s --json; "
        "INKSTONE_LANG=zh $INK detect %s",
        files[i], files[i], files[i], files[i]);
    assert_non_null(strstr(run.out, "\"damaged\": \"the archive is damaged"));
    assert_non_null(strstr(run.out, "归档已损坏"));
    drop_run(&run);
    // A whole one is not.
    run = run_program("$INK detect $FIXTURES/mark/%s; $INK verify $FIXTURES/mark/%s", files[i],
                      files[i]);
    assert_null(strstr(run.out, "damaged"));
    assert_non_null(strstr(run.err, "has no manifest"));
    drop_run(&run);
  }
}

static void what_is_no_file_of_bytes_is_refused_at_once(void **state) {
  (void)state;
  static const struct {
    const char *command, *word;
  } cases[] = {{"mkfifo p.png && timeout 20 $INK verify p.png", "p.png: not a regular file"},
               {"mkfifo p.png && timeout 20 $INK sign p.png --out q.png", "p.png: not a regular"},
               {"mkfifo p.md && timeout 20 $INK label p.md", "p.md: not a regular file"},
               {": >e.png && $INK sign e.png --out f.png", "error: e.png: it is empty"},
               {"mkdir d.png && $INK label d.png", "d.png: not a regular file"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    program_run run = run_program("cd $HOME && %s", cases[i].command);
    if (run.exit_code != 1 || !strstr(run.err, cases[i].word)) {
      fail_msg("%s: exit %d: %s", cases[i].command, run.exit_code, run.err);
    }
    drop_run(&run);
  }
  // A name may be any bytes.
  program_run run = run_program(
      "cd $HOME && cp $FIXTURES/mark/plain.png \"$(printf 'a\\377.png')\" && $INK sign \"$(printf "
      "'a\\377.png')\" --out b.png && $INK verify b.png");
  assert_int_equal(run.exit_code, 0);
  drop_run(&run);
}

// What was labelled here as somebody else's is not evidence that it was made here.
static void a_row_of_a_suspicion_proves_nothing(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && cp $FIXTURES/mark/plain.svg a.svg && $INK label a.svg --as suspected >/dev/null "
      "&& $INK detect a.svg --json");
  json_t *json = json_of(&run);
  assert_string_equal(text_at(json, "verdict"), "suspected");
  size_t i, seen = 0;
  json_t *one;
  json_array_foreach(json_object_get(json, "evidence"), i, one) {
    if (strcmp(text_at(one, "kind"), "record") != 0) continue;
    seen++;
    assert_true(json_is_false(json_object_get(one, "found")));
    // Its manifest is there.
    assert_null(strstr(text_at(one, "detail"), "stripped"));
  }
  assert_int_equal(seen, 1);
  json_decref(json);
  drop_run(&run);
}

static void a_trust_list_makes_it_trusted(void **state) {
  (void)state;
  program_run run = run_program(
      "$INK verify $FIXTURES/mark/golden.png --trust $FIXTURES/mark/authority.pem --json");
  json_t *json = json_of(&run);
  assert_string_equal(text_at(json, "state"), "Trusted");
  assert_int_equal(json_array_size(json_object_get(json, "failure")), 0);
  json_decref(json);
  drop_run(&run);
}

static void what_is_signed_again_keeps_its_parent(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && $INK sign $FIXTURES/mark/other.jpg --out s.jpg >/dev/null && $INK verify s.jpg "
      "--json");
  json_t *json = json_of(&run);
  assert_string_equal(text_at(json, "state"), "Valid");
  assert_int_equal(json_array_size(json_object_get(json, "manifests")), 2);
  json_decref(json);
  drop_run(&run);
}

static void sidecars_are_found_beside_their_files(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && printf data >x.bin && $INK sign x.bin --sidecar >/dev/null && $INK verify x.bin "
      "--json");
  json_t *json = json_of(&run);
  assert_string_equal(text_at(json, "state"), "Valid");
  json_decref(json);
  drop_run(&run);
}

static void keys_are_made_shown_and_rotated(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && echo 'open sesame' >p && $INK key init --passphrase-file p >/dev/null && "
      "INKSTONE_PASSPHRASE_FILE=p $INK key rotate --json");
  json_t *json = json_of(&run);
  assert_int_equal(json_array_size(json_object_get(json, "retired")), 1);
  assert_true(json_integer_value(json_object_get(json, "days_left")) > 3000);
  json_decref(json);
  drop_run(&run);
  run = run_program(
      "cd $HOME && echo 'open sesame' >p && $INK key init --passphrase-file p >/dev/null && $INK "
      "sign "
      "$FIXTURES/mark/plain.png -o s.png");
  assert_int_equal(run.exit_code, 2);
  assert_non_null(strstr(run.err, "--passphrase-file"));
  drop_run(&run);
  run = run_program("$INK key polish");
  assert_int_equal(run.exit_code, 2);
  drop_run(&run);
}

// What is said later holds with what was said before; what does not hold is not updated.
static void a_signed_file_is_updated_in_place_and_beside(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && echo '{\"verdict\": \"approved\"}' >r.json && $INK sign "
      "$FIXTURES/mark/plain.png --out s.png >/dev/null && $INK sign s.png --update --published "
      "--assertion org.example.review=r.json --out s.png >/dev/null && $INK verify s.png --json");
  json_t *json = json_of(&run);
  assert_string_equal(text_at(json, "state"), "Valid");
  const json_t *manifests = json_object_get(json, "manifests");
  const json_t *said = json_object_get(json_array_get(manifests, 0), "assertions");
  assert_int_equal(json_array_size(manifests), 2);
  assert_string_equal(text_at(json_object_get(said, "org.example.review"), "verdict"), "approved");
  // How the content came about is what the manifest before says.
  const json_t *label = json_array_get(json_object_get(json, "labels"), 0);
  assert_non_null(strstr(text_at(label, "digitalSourceType"), "trainedAlgorithmicMedia"));
  json_decref(json);
  drop_run(&run);
  run = run_program(
      "cd $HOME && printf data >x.bin && $INK sign x.bin --sidecar >/dev/null && $INK sign x.bin "
      "--sidecar --update >/dev/null && $INK verify x.bin --json");
  json = json_of(&run);
  assert_string_equal(text_at(json, "state"), "Valid");
  assert_int_equal(json_array_size(json_object_get(json, "manifests")), 2);
  json_decref(json);
  drop_run(&run);
}

static void updates_that_cannot_hold_are_refused_with_a_word(void **state) {
  (void)state;
  static const refusal cases[] = {
      {"$INK sign $FIXTURES/mark/plain.png --update --out u.png", "without --update", 1},
      {"$INK sign s.png --update --title x --out u.png", "keeps the binding and the title", 2},
      {"$INK sign s.png --published --out u.png", "goes with --update", 2},
      {"$INK sign s.png --update --assertion c2pa.actions=r.json --out u.png", "LABEL=FILE", 2},
      {"$INK sign s.png --update --assertion review=r.json --out u.png", "LABEL=FILE", 2},
      {"$INK sign s.png --update --metadata r.json --out u.png", "no prefix", 2},
      {"printf x >>s.png; $INK sign s.png --update --out u.png", "assertion.dataHash.mismatch", 1},
      {"$INK sign $FIXTURES/mark/plain.wav --out s.wav && $INK sign s.wav --update --out u.png",
       "--reserve", 1},
      {"$INK sign $FIXTURES/mark/plain.svg --binding boxes --out u.png", "by their boxes", 1},
      {"$INK sign $FIXTURES/mark/plain.png --binding bytes --out u.png", "data or boxes", 2},
  };
  expect_refusals(
      "cd $HOME && echo '{\"a\": 1}' >r.json && $INK sign $FIXTURES/mark/plain.png --out s.png "
      ">/dev/null && (%s; code=$?; test ! -e u.png || code=99; exit $code)",
      cases, sizeof cases / sizeof *cases);
}

static void keys_that_are_given_sign_and_say_when_they_end(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && $INK sign $FIXTURES/mark/plain.png --key $FIXTURES/mark/es384.key "
      "--certificates "
      "$FIXTURES/mark/es384.pem --out s.png >/dev/null && $INK verify s.png --trust "
      "$FIXTURES/mark/authority.pem --json");
  json_t *json = json_of(&run);
  assert_string_equal(text_at(json, "state"), "Trusted");
  json_decref(json);
  drop_run(&run);
  run = run_program(
      "cd $HOME && $INK sign $FIXTURES/mark/plain.png --key $FIXTURES/mark/ed25519.key "
      "--certificates $FIXTURES/mark/expired.pem --out s.png");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.err, "has expired on 2021-01-01"));
  drop_run(&run);
  // It is not taken over, and what was there stays.
  run = run_program(
      "cd $HOME && $INK key init >/dev/null && $INK key init --replace --key "
      "$FIXTURES/mark/ed25519.key --certificates $FIXTURES/mark/expired.pem; code=$?; $INK key "
      "show "
      ">&2 && exit $code");
  assert_int_equal(run.exit_code, 1);
  assert_non_null(strstr(run.err, "has expired on 2021-01-01"));
  assert_non_null(strstr(run.err, "authority"));
  drop_run(&run);
  // One that ended since is shown, with a warning and no days that are left, and signs nothing.
  run = run_program(
      "cd $HOME && K=.local/share/inkstone/keys && mkdir -p $K && cat $FIXTURES/mark/ed25519.key "
      "$FIXTURES/mark/expired.pem >$K/signer.pem && $INK key show && $INK key show --json && $INK "
      "sign $FIXTURES/mark/plain.png --out s.png");
  assert_int_equal(run.exit_code, 1);
  assert_null(strstr(run.out, "days left"));
  assert_non_null(strstr(run.out, "\"state\": \"expired\""));
  assert_non_null(strstr(run.out, "\"days_left\": 0"));
  assert_non_null(strstr(run.err, "has expired: nothing is signed with it"));
  assert_non_null(strstr(run.err, "ask who issued it for a new one"));
  drop_run(&run);
  if (system("openssl version >/dev/null 2>&1") != 0) {
    print_message("# openssl is not here: no certificate that ends soon\n");
    return;
  }
  run = run_program(
      "cd $HOME && printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\n"
      "authorityKeyIdentifier=keyid:always\nsubjectKeyIdentifier=hash\n' >e && N='-newkey ec "
      "-pkeyopt ec_paramgen_curve:P-256 -nodes' && (openssl req -x509 $N -keyout c.key -out c.pem "
      "-subj /CN=c && openssl req $N -keyout l.key -out l.csr -subj /CN=l && openssl x509 -req -in "
      "l.csr -CA c.pem -CAkey c.key -CAcreateserial -days 9 -extfile e -out l.pem) >/dev/null 2>&1 "
      "&& $INK sign $FIXTURES/mark/plain.png --key l.key --certificates l.pem --out s.png && $INK "
      "key init --key l.key --certificates l.pem");
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.err, " days; ask who issued it"));
  assert_non_null(strstr(run.err, "the signing certificate ends soon"));
  drop_run(&run);
}

// Of the newest manifest: "issuer: subject".
static void signer_of(const json_t *verified, char *text, size_t size) {
  const json_t *manifest = json_array_get(json_object_get(verified, "manifests"), 0);
  const json_t *signature = json_object_get(manifest, "signature");
  const json_t *certificate = json_object_get(signature, "certificateInfo");
  snprintf(text, size, "%s: %s", text_at(json_object_get(certificate, "issuer"), "CN"),
           text_at(json_object_get(certificate, "subject"), "CN"));
}

// What an operator's key signs, by options or set once, verifies with its issuer; no other is made.
static void an_operators_key_signs_whatever_leaves(void **state) {
  (void)state;
  static const char options[] =
      "--key $FIXTURES/mark/es256.key --certificates $FIXTURES/mark/es256.pem";
  static const char set[] =
      "export INKSTONE_KEY=$FIXTURES/mark/es256.key INKSTONE_CERTIFICATES=$FIXTURES/mark/es256.pem";
  static const struct {
    const char *line, *file;
  } ways[] = {
      {"$INK make poem --set theme=秋夜 --set form=五绝 --seed 7 --out p %s", "p/poem.md"},
      {"$INK make poem --set theme=秋夜 --set form=五绝 --seed 7 --out p %s", "p/poem.html"},
      {"$INK label $FIXTURES/mark/text.docx --law eu -o l.docx %s", "l.docx"},
      {"$INK paint fox --model $FIXTURES/pipelines/sd1 --steps 1 --size 64x64 --watermark none -o "
       "f.png %s",
       "f.png"},
      {"$INK sign $FIXTURES/mark/plain.png --out s.png %s", "s.png"},
  };
  for (size_t i = 0; i < 2 * sizeof ways / sizeof *ways; i++) {
    char line[1024], signer[128];
    const char *file = ways[i / 2].file;
    snprintf(line, sizeof line, ways[i / 2].line, i % 2 ? "" : options);
    program_run run = run_program(
        "cd $HOME && %s && %s >/dev/null && test ! -e .local/share/inkstone/keys && $INK verify %s "
        "--trust $FIXTURES/mark/authority.pem --json",
        i % 2 ? set : "true", line, file);
    json_t *json = json_of(&run);
    signer_of(json, signer, sizeof signer);
    assert_string_equal(signer, "test authority: test signer es256");
    assert_string_equal(text_at(json, "state"), "Trusted");
    json_decref(json);
    drop_run(&run);
  }
  program_run run =
      run_program("cd $HOME && $INK make poem %s --certificates x.pem --out p", "--set theme=秋夜");
  assert_int_equal(run.exit_code, 2);
  assert_non_null(strstr(run.err, "--certificates goes with --key"));
  drop_run(&run);
  run = run_program("cd $HOME && $INK key init >/dev/null && %s && $INK key show", set);
  assert_int_equal(run.exit_code, 0);
  assert_non_null(strstr(run.err, "INKSTONE_KEY names another key"));
  drop_run(&run);
}

static void no_pin_stands_in_a_message(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && for p in module-path=/nowhere.so pin-source=/nowhere; do $INK sign "
      "$FIXTURES/mark/plain.png --out s.png --key \"pkcs11:object=x?pin-value=s3cret&$p\"; $INK "
      "key "
      "init --key \"pkcs11:object=x?pin-value=s3cret&$p\"; done; $INK sign "
      "$FIXTURES/mark/plain.png --out s.png --key 'pkcs11:object=x?pin-value=s3cret%%0'");
  assert_int_not_equal(run.exit_code, 0);
  assert_non_null(strstr(run.err, "INKSTONE_PKCS11_MODULE"));
  assert_non_null(strstr(run.err, "pin-source"));
  assert_null(strstr(run.err, "s3cret"));
  assert_null(strstr(run.out, "s3cret"));
  drop_run(&run);
}

// Label, metadata, signature: the whole of a piece; and replay tells what was done to it.
static void whether_models_may_learn_from_a_piece_is_said(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && $INK make poem --set theme=秋夜 --set form=五绝 --set picture=no --seed 7 "
      "--training notAllowed --out p >/dev/null && $INK replay p >&2 && $INK verify p/poem.md "
      "--json");
  json_t *json = json_of(&run);
  const json_t *manifest = json_array_get(json_object_get(json, "manifests"), 0);
  const json_t *said =
      json_object_get(json_object_get(manifest, "assertions"), "cawg.training-mining");
  const json_t *entry = json_object_get(json_object_get(said, "entries"), "cawg.ai_training");
  assert_string_equal(text_at(entry, "use"), "notAllowed");
  json_decref(json);
  drop_run(&run);
  expect(run_program("cd $HOME && $INK make poem --set theme=秋夜 --training maybe --out p"), 2,
         "--training is allowed or notAllowed");
  expect(run_program("cd $HOME && $INK sign $FIXTURES/mark/plain.png --training maybe --out p"), 2,
         "--training is allowed or notAllowed");
}

static void pieces_are_born_signed_and_replay_knows_them(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && $INK make poem --set theme=秋夜 --set form=五绝 --seed 7 --out p >/dev/null "
      "2>&1 && $INK replay p >&2 && $INK verify p/poem.md >&2 && $INK verify p/poem.html --json");
  json_t *json = json_of(&run);
  assert_string_equal(text_at(json, "state"), "Valid");
  const json_t *manifest = json_array_get(json_object_get(json, "manifests"), 0);
  const json_t *assertions = json_object_get(manifest, "assertions");
  assert_memory_equal(text_at(manifest, "label"), "urn:c2pa:", 9);
  assert_int_equal(json_integer_value(
                       json_object_get(json_object_get(assertions, "org.inkstone.recipe"), "seed")),
                   7);
  assert_true(json_is_array(json_object_get(assertions, "org.inkstone.checks")));
  // One identity: the manifest's name and the metadata label's.
  const json_t *aigc = json_object_get(json_array_get(json_object_get(json, "labels"), 1), "AIGC");
  assert_string_equal(text_at(aigc, "ProduceID"), text_at(manifest, "label") + 9);
  json_decref(json);
  drop_run(&run);
  static const struct {
    const char *change, *found;
  } changes[] = {
      {"sed -i 's/AI/ai/' p/poem.md", "poem.md"},
      {"sed -i '$d' p/poem.md", "not signed any more"},
      {"sed -i 's/<title>/<title>x/' p/poem.html", "assertion.dataHash.mismatch"},
      {"sed -i 's/\"seed\": 7/\"seed\": 8/' p/record.json", "replay"},
  };
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    run = run_program(
        "cd $HOME && $INK make poem --set theme=秋夜 --set form=五绝 --seed 7 --out p >/dev/null "
        "2>&1 && %s && $INK replay p",
        changes[i].change);
    assert_int_equal(run.exit_code, 1);
    if (!strstr(run.out, changes[i].found) && !strstr(run.err, changes[i].found)) {
      fail_msg("%s: %s%s", changes[i].change, run.out, run.err);
    }
    drop_run(&run);
  }
}

// The manifest at a text's end is not among its words, where the visible label is looked for.
static void every_mark_of_a_signed_piece_is_detected(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && $INK make poem --set theme=秋夜 --set form=五绝 --seed 7 --out p >/dev/null "
      "2>&1 && $INK detect p/poem.md --json");
  json_t *json = json_of(&run);
  const json_t *evidence = json_object_get(json, "evidence");
  size_t i, n_found = 0;
  json_t *one;
  json_array_foreach(evidence, i, one) {
    if (strcmp(text_at(one, "kind"), "watermark") == 0) continue;
    n_found += json_is_true(json_object_get(one, "found"));
  }
  assert_int_equal(n_found, 4);  // manifest, metadata label, visible label, and the ledger knows it
  json_decref(json);
  drop_run(&run);
}

static void a_manifest_that_does_not_hold_proves_nothing(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && $INK make poem --set theme=秋夜 --set form=五绝 --seed 7 --out p >/dev/null "
      "2>&1 && sed -i 's/^# .*/# 春/' p/poem.md && $INK detect p/poem.md --json");
  json_t *json = json_of(&run);
  const json_t *manifest = json_array_get(json_object_get(json, "evidence"), 0);
  assert_string_equal(text_at(manifest, "kind"), "manifest");
  assert_true(json_is_false(json_object_get(manifest, "found")));
  assert_memory_equal(text_at(manifest, "detail"), "Invalid", 7);
  json_decref(json);
  drop_run(&run);
}

// A server that does not answer: a file that is there is not signed without its stamp, a piece is
// not lost for it.
static void a_piece_is_not_lost_for_a_time_stamp(void **state) {
  (void)state;
  program_run run = run_program(
      "cd $HOME && export INKSTONE_TIMESTAMP_URL=http://127.0.0.1:1/ && $INK make poem --set "
      "theme=秋夜 --set form=五绝 --seed 7 --out p >/dev/null && $INK verify p/poem.md --json");
  json_t *json = json_of(&run);
  assert_string_equal(text_at(json, "state"), "Valid");
  assert_non_null(strstr(run.err, "signed without a time-stamp"));
  json_decref(json);
  drop_run(&run);
  run = run_program(
      "cd $HOME && $INK sign $FIXTURES/mark/plain.png --out s.png --timestamp-url "
      "http://127.0.0.1:1/ || test ! -e s.png && exit 3");
  assert_int_equal(run.exit_code, 3);
  assert_non_null(strstr(run.err, "127.0.0.1 gave no time-stamp"));
  drop_run(&run);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_signed_file_is_verified_and_a_changed_one_is_not),
      cmocka_unit_test(findings_are_said_in_the_readers_language),
      cmocka_unit_test_setup_teardown(thousands_of_findings_are_told_in_one_line, scratch_open,
                                      scratch_close),
      cmocka_unit_test(verify_tells_labels_and_ingredients_of_a_picture),
      cmocka_unit_test(what_files_say_steers_no_terminal_and_forges_no_line),
      cmocka_unit_test(an_archive_that_is_cut_short_is_called_damaged),
      cmocka_unit_test(what_is_no_file_of_bytes_is_refused_at_once),
      cmocka_unit_test(a_row_of_a_suspicion_proves_nothing),
      cmocka_unit_test(a_trust_list_makes_it_trusted),
      cmocka_unit_test(what_is_signed_again_keeps_its_parent),
      cmocka_unit_test(sidecars_are_found_beside_their_files),
      cmocka_unit_test(keys_are_made_shown_and_rotated),
      cmocka_unit_test(a_signed_file_is_updated_in_place_and_beside),
      cmocka_unit_test(updates_that_cannot_hold_are_refused_with_a_word),
      cmocka_unit_test(keys_that_are_given_sign_and_say_when_they_end),
      cmocka_unit_test(an_operators_key_signs_whatever_leaves),
      cmocka_unit_test(no_pin_stands_in_a_message),
      cmocka_unit_test(whether_models_may_learn_from_a_piece_is_said),
      cmocka_unit_test(pieces_are_born_signed_and_replay_knows_them),
      cmocka_unit_test(every_mark_of_a_signed_piece_is_detected),
      cmocka_unit_test(a_manifest_that_does_not_hold_proves_nothing),
      cmocka_unit_test(a_piece_is_not_lost_for_a_time_stamp),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
