// The commands make, replay, explain and playbook, and what all commands share, as a person runs
// them.
#include <unistd.h>

#include "program.h"

// Without its picture, which takes a second.
#define NIGHT "\"$INK\" make poem --set theme=秋夜 --set form=七绝 --set picture=no --seed 1"

static bool exists(const char *name) {
  return ink_file_exists(in_scratch(name));
}

static char *hash_of(const char *name) {
  ink_error error = {0};
  char *hex = malloc(INK_SHA256_HEX);
  assert_ok(ink_sha256_file(in_scratch(name), hex, &error));
  return hex;
}

// ---- make and replay

static void a_piece_is_rebuilt_byte_for_byte_whatever_the_threads(void **state) {
  (void)state;
  expect(run_here(NIGHT " --out piece -t 1"), 0, "piece/poem.html");
  assert_true(exists("piece/poem.md") && exists("piece/poem.html"));
  assert_int_equal(count_entries(scratch), 1);
  expect(run_here("\"$INK\" replay piece -t 3"), 0, "2 files, every byte as recorded");
  expect(run_here("\"$INK\" replay piece/record.json"), 0, "every byte as recorded");
  expect(run_program("cd / && \"$INK\" replay \"$HERE/piece/\""), 0, "every byte as recorded");
  expect(run_here("\"$INK\" explain piece"), 0, "theme = 秋夜");
}

// A playbook of its own with a tiny painter of random weights.
static void write_pictured_playbook(const char *extra) {
  program_run run = run_here(
      "cat >pictured.yaml <<EOF\nplaybook: pictured\ndraft: verse\nmodel: poet\n"
      "inputs:\n  theme: {}\n  form: {default: 五绝}\n  picture: {}\nchecks: [verse]\n"
      "picture: {model: $INKSTONE_FIXTURES/pipelines/sd1, steps: 2, side: 128%s}\n"
      "publish: [md, html, png]\nEOF\n",
      extra);
  assert_int_equal(run.exit_code, 0);
  drop_run(&run);
}

static void a_pictured_piece_holds_its_picture_in_every_file(void **state) {
  (void)state;
  write_pictured_playbook("");
  expect(run_here("\"$INK\" make ./pictured.yaml --set theme=明月 --seed 4 --out p"), 0, "p/");
  expect(run_here("\"$INK\" replay p -t 1"), 0, "3 files, every byte as recorded");
  expect(run_here("\"$INK\" explain p"), 0, "一轮满月");
  expect(run_here("cat p/poem.md"), 0, "](poem.png)");
  expect(run_here("grep -c 'alt=\"一轮满月.*src=\"data:image/png;base64,iVBOR' p/poem.html"), 0,
         "1");
  static const char *const files[] = {"md", "html", "png"};
  for (size_t i = 0; i < 3; i++) {
    expect(run_here("\"$INK\" verify p/poem.%s", files[i]), 0, "Valid");
  }
  expect(run_here("\"$INK\" detect p/poem.png"), 0, "AIGC");
  expect(run_here("rm p/poem.png && \"$INK\" replay p"), 1, "poem.png is missing");
}

static void a_poem_comes_with_a_picture_of_what_it_names(void **state) {
  (void)state;
  expect(run_here("\"$INK\" make poem --set theme=明月 --set form=五绝 --seed 1 --out p"), 0, "p/");
  expect(run_here("\"$INK\" replay p -t 1"), 0, "3 files, every byte as recorded");
  expect(run_here("\"$INK\" explain p"), 0, "model painter");
  expect(run_here("\"$INK\" explain p"), 0, "its noise carries the piece's identity");
  expect(run_here("\"$INK\" explain p"), 0, "一轮满月");
}

// Other identities are other noise, and the record says under which key.
static void a_picture_s_noise_carries_the_identity_of_its_piece(void **state) {
  (void)state;
  write_pictured_playbook("");
  for (int i = 0; i < 2; i++) {
    expect(run_here("\"$INK\" make ./pictured.yaml --set theme=明月 --seed 4 --out p%d", i), 0,
           "p");
  }
  char *one = hash_of("p0/poem.png"), *other = hash_of("p1/poem.png");
  assert_string_not_equal(one, other);
  free(one);
  free(other);
  expect(run_here("cat p0/record.json"), 0, "\"gaussian_shading\": \"5d834017c25105b7\"");
  expect(run_here("\"$INK\" replay p0 && \"$INK\" replay p1"), 0, "every byte as recorded");
  // A record that does not say so is of a picture without.
  expect(
      run_here("sed -i 's/\"gaussian_shading\"/\"other\"/' p0/record.json && \"$INK\" replay p0"),
      1, "poem.png came out with other bytes");
}

static void a_piece_goes_without_a_picture_that_is_not_wanted(void **state) {
  (void)state;
  write_pictured_playbook("");
  expect(run_here("\"$INK\" make ./pictured.yaml --set picture=no --seed 4 --out p"), 0, "p/");
  assert_true(exists("p/poem.html") && !exists("p/poem.png"));
  expect(run_here("\"$INK\" replay p"), 0, "2 files, every byte as recorded");
  write_pictured_playbook(", sides: 3");
  expect(run_here("\"$INK\" make ./pictured.yaml --out q"), 1, "/picture");
  assert_false(exists("q"));
  expect(run_here(
             "sed 's/^picture: .*//' pictured.yaml >none.yaml; \"$INK\" make ./none.yaml --out q"),
         1, "there is no /picture");
}

static void make_prints_the_record_and_where_the_piece_lies(void **state) {
  (void)state;
  ink_error error = {0};
  program_run run = run_here(NIGHT " --json");
  json_t *printed = json_of(&run), *recorded;
  const char *folder = json_string_value(json_object_get(printed, "folder"));
  assert_non_null(folder);
  assert_memory_equal(folder, "poem-", 5);
  assert_ok(ink_json_load(below(in_scratch(folder), "record.json"), 1 << 20, &recorded, &error));
  json_object_del(printed, "folder");
  assert_true(json_equal(printed, recorded));
  json_t *sampler = json_object_get(json_object_get(recorded, "recipe"), "sampler");
  assert_true(json_real_value(json_object_get(sampler, "temperature")) == 0.8);
  assert_non_null(strstr(run.err, "seed 1\n"));
  json_decref(printed);
  json_decref(recorded);
  drop_run(&run);
}

static void what_was_changed_is_named(void **state) {
  (void)state;
  static const struct {
    const char *change, *says;
  } changes[] = {
      {"printf x >>piece/poem.html", "poem.html was changed since: byte"},
      {"sed -i 's/秋/春/' piece/poem.md", "poem.md was changed since: byte"},
      {"rm piece/poem.md", "piece/poem.md is missing"},
      {"sed -i 's/\"temperature\": 0.8/\"temperature\": 0.7/' piece/record.json",
       "/recipe/sampler/temperature is 0.7, made again it is 0.8"},
      {"sed -i 's/\"theme\": \"秋夜\"/\"theme\": \"春夜\"/' piece/record.json", "/draft/text"},
      {"sed -i 's/\"seed\": 1/\"seed\": 2/' piece/record.json", "/draft/text"},
      {"sed -i 's/\"passed\": true/\"passed\": false/' piece/record.json", "/checks/0/passed"},
      {"sed -i 's/本内容由AI生成/本内容由人写成/' piece/record.json", "/label/visible"},
      {"sed -i 's/\"bytes\": /\"bytes\": 1/' piece/record.json", "/files/0/bytes"},
      {"sed -i 's/\"name\": \"poem.md\"/\"name\": \"poem.txt\"/' piece/record.json",
       "poem.txt was not made this time"},
      {"sed -i 's/\"producer\": \"inkstone\"/\"producer\": \"someone\"/' piece/record.json",
       "poem.md came out with other bytes than recorded"},
  };
  expect(run_here(NIGHT " --out whole"), 0, "whole/poem.html");
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    expect(run_here("rm -rf piece && cp -r whole piece && %s", changes[i].change), 0, "");
    expect(run_here("\"$INK\" replay piece"), 1, changes[i].says);
    program_run run = run_here("\"$INK\" replay piece --json");
    assert_int_equal(run.exit_code, 1);
    assert_non_null(strstr(run.out, "\"same\": false"));
    drop_run(&run);
  }
}

static void a_record_that_is_none_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *change, *says;
  } changes[] = {
      {"rm piece/record.json", "record.json: cannot open"},
      {"truncate -s 100 piece/record.json", "record.json: not valid JSON"},
      {"echo '[]' >piece/record.json", "a record is an object"},
      {"sed -i 's/\"record\": 1/\"record\": 9/' piece/record.json", "version 9"},
      {"sed -i 's/\"seed\": 1/\"seed\": -1/' piece/record.json", "seed is negative"},
      {"sed -i 's/\"seed\": 1/\"seed\": \"1\"/' piece/record.json", "/seed must be an integer"},
      {"sed -i 's#\"name\": \"poem.md\"#\"name\": \"../poem.md\"#' piece/record.json",
       "leads out of the folder"},
  };
  expect(run_here(NIGHT " --out whole"), 0, "");
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    expect(run_here("rm -rf piece && cp -r whole piece && %s", changes[i].change), 0, "");
    expect(run_here("\"$INK\" replay piece"), 1, changes[i].says);
    expect(run_here("\"$INK\" explain piece"), 1, changes[i].says);
  }
}

static void a_changed_model_and_a_changed_playbook_are_named(void **state) {
  (void)state;
  expect(run_here(NIGHT " --out piece"), 0, "");
  // One bit of one weight.
  expect(run_here("mkdir models && cp -r \"$FIXTURES/../../models/poet\" models/poet && "
                  "printf '\\001' | dd of=$(ls models/poet/*.gguf) bs=1 seek=5000003 conv=notrunc "
                  "2>dd.log"),
         0, "");
  expect(run_here("INKSTONE_MODELS=models \"$INK\" replay piece"), 1, "the model's SHA-256 is");
  expect(run_here("mkdir books && sed 's/top_p: 0.9/top_p: 0.96/' "
                  "\"$FIXTURES/../../playbooks/poem.yaml\" >books/poem.yaml"),
         0, "");
  expect(run_here("INKSTONE_PLAYBOOKS=books \"$INK\" replay piece"), 1,
         "the playbook's SHA-256 is");
  expect(run_here("\"$INK\" replay piece"), 0, "every byte as recorded");
}

static void a_playbook_given_by_path_travels_in_the_record(void **state) {
  (void)state;
  expect(run_here("cp \"$FIXTURES/../../playbooks/poem.yaml\" mine.yaml"), 0, "");
  expect(run_here("\"$INK\" make ./mine.yaml --set theme=月 --seed 3 --out piece"), 0, "");
  expect(run_here("rm mine.yaml && \"$INK\" replay piece"), 0, "every byte as recorded");
  expect(run_here("sed -i 's/top_p: 0.9/top_p: 0.91/' piece/record.json && "
                  "\"$INK\" replay piece"),
         1, "the playbook's SHA-256 is");
}

// ---- briefs

static void a_brief_comes_from_a_file_or_stdin_and_set_beats_it(void **state) {
  (void)state;
  expect(run_here("echo '{\"theme\": \"江南\", \"form\": \"五绝\", \"seed\": 4}' >f.json"), 0, "");
  program_run run = run_here("\"$INK\" make poem --brief f.json --set form=七绝 --out a --json");
  json_t *json = json_of(&run);
  json_t *brief = json_object_get(json, "brief"), *recipe = json_object_get(json, "recipe");
  assert_string_equal(json_string_value(json_object_get(brief, "theme")), "江南");
  assert_string_equal(json_string_value(json_object_get(brief, "form")), "七绝");
  assert_null(json_object_get(brief, "seed"));
  assert_int_equal(json_integer_value(json_object_get(recipe, "seed")), 4);
  json_decref(json);
  drop_run(&run);
  expect(run_here("\"$INK\" make poem --brief - --out b <f.json"), 0, "五绝");
}

static void wrong_briefs_and_usage_have_a_word_and_exit_code_2(void **state) {
  (void)state;
  static const struct {
    const char *arguments;
    int exit_code;
    const char *says;
  } cases[] = {
      {"make", 2, "name one playbook"},
      {"make poem other", 2, "name one playbook"},
      {"make peom", 1, "did you mean poem?"},
      {"make nothing-like-it", 1, "there are: poem"},
      {"make ./nowhere.yaml", 1, "nowhere.yaml: cannot open"},
      {"make poem --set them=x", 2, "did you mean theme?"},
      {"make poem --set theme", 2, "NAME=VALUE"},
      {"make poem --set =x", 2, "NAME=VALUE"},
      {"make poem --set", 2, "--set needs a value"},
      {"make poem --set form=九律", 2, "no form \"九律\"; did you mean"},
      {"make poem --set form=浣溪纱", 2, "did you mean 浣溪沙?"},
      {"make poem --set form=sonnet", 2, "there are: 五绝"},
      {"write --form 浣溪纱", 2, "did you mean 浣溪沙?"},
      {"make poem --set seed=soon", 2, "seed is a whole number"},
      {"make poem --set seed=1.5", 2, "seed is a whole number"},
      {"make poem --seed -3", 2, "--seed is -3"},
      {"make poem --seed soon", 2, "--seed takes a whole number"},
      {"make poem --set acrostic=我爱你", 2, "acrostic has 3 characters"},
      {"make poem --set \"theme=$(printf 'a\\nb')\"", 2, "one line of text"},
      {"make poem --set \"theme=$(printf 'a\\033[31mb')\"", 2, "without control characters"},
      {"make poem --set \"theme=$(printf '\\377')\"", 2, "not valid UTF-8"},
      {"make poem --set theme=一二三四五六七八九十一二三四五六七八九十一二三四五", 2,
       "theme has 25 characters"},
      {"make poem --producer 'two words'", 2, "printable ASCII"},
      {"make poem --out ''", 2, "--out needs the name of a folder"},
      {"make poem --threads 0", 2, "--threads is 0"},
      {"make poem --thread 2", 2, "did you mean --threads?"},
      {"make poem --brief nowhere.json", 1, "nowhere.json: cannot open"},
      {"make poem --brief .", 1, "Is a directory"},
      {"make poem --brief list.json", 1, "a brief is an object"},
      {"make poem --brief broken.json", 1, "broken.json: not valid JSON: line 1"},
      {"make poem --brief number.json", 2, "theme must be a text"},
      {"make poem --brief twice.json", 1, "duplicate"},
      {"replay", 2, "name one piece"},
      {"replay nowhere", 1, "nowhere: cannot open"},
      {"explain", 2, "name one piece"},
      {"playbook", 2, "say `playbook list`"},
      {"playbook shwo poem", 2, "did you mean show?"},
      {"playbook show peom", 1, "did you mean poem?"},
      {"version now", 2, "\"now\""},
      {"mkae poem", 2, "did you mean make?"},
      {"zzzzzz", 2, "`inkstone help` lists the commands"},
      {"help mkae", 2, "did you mean make?"},
      {"completion csh", 2, "bash, zsh or fish"},
  };
  expect(run_here("echo '[1]' >list.json; echo '{\"theme\": \"a' >broken.json; "
                  "echo '{\"theme\": 5}' >number.json; "
                  "echo '{\"theme\": \"a\", \"theme\": \"b\"}' >twice.json"),
         0, "");
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    program_run run = run_here("\"$INK\" %s </dev/null", cases[i].arguments);
    if (run.exit_code != cases[i].exit_code || !strstr(run.err, cases[i].says)) {
      fail_msg("%s: exit %d: %s", cases[i].arguments, run.exit_code, run.err);
    }
    assert_string_equal(run.out, "");
    drop_run(&run);
  }
  assert_int_equal(count_entries(scratch), 4);  // the four briefs and nothing else
}

// ---- where a piece goes

static void nothing_is_overwritten_unless_replace_asks(void **state) {
  (void)state;
  expect(run_here(NIGHT " --out piece"), 0, "");
  char *before = hash_of("piece/record.json");
  expect(run_here(NIGHT " --out piece"), 1, "holds a piece already");
  char *after = hash_of("piece/record.json");
  assert_string_equal(before, after);
  expect(run_here(NIGHT " --out piece --replace"), 0, "");
  free(after);
  after = hash_of("piece/record.json");
  assert_string_not_equal(before, after);  // its identity is its own
  expect(run_here("\"$INK\" replay piece"), 0, "every byte as recorded");
  // A file of the person's own, of such a name.
  expect(run_here("mkdir own && echo mine >own/poem.md && " NIGHT " --out own"), 1,
         "own/poem.md is there already");
  expect(run_here("cat own/poem.md"), 0, "mine");
  assert_false(exists("own/poem.html"));
  free(before);
  free(after);
}

static void a_folder_that_cannot_be_written_is_named(void **state) {
  (void)state;
  expect(run_here("echo x >file && " NIGHT " --out file"), 1,
         "file: cannot make the folder: Not a directory");
  expect(run_here(NIGHT " --out file/below"), 1, "Not a directory");
  expect(run_here(NIGHT " --out /proc/piece"), 1, "/proc/piece: cannot make the folder");
  if (geteuid() != 0) {
    expect(run_here("mkdir shut && chmod 500 shut && " NIGHT " --out shut"), 1,
           "cannot create a file beside it: Permission denied");
  }
}

// RLIMIT_FSIZE stands for a full disk: writing beyond it fails with EFBIG. poem.md fits, poem.html
// does not.
static void a_full_disk_leaves_all_or_nothing(void **state) {
  (void)state;
  expect(run_here("ulimit -f 4; " NIGHT " --out piece"), 1, "cannot write: File too large");
  assert_int_equal(count_entries(scratch), 0);
  expect(run_here(NIGHT " --out piece"), 0, "");
  expect(run_here("ulimit -f 4; " NIGHT " --out piece --replace"), 1, "File too large");
  expect(run_here("\"$INK\" replay piece && ls -A piece | wc -l"), 0, "every byte as recorded");
  assert_int_equal(count_entries(in_scratch("piece")), 3);
}

static void output_that_cannot_be_printed_is_a_fault(void **state) {
  (void)state;
  expect(run_here("\"$INK\" version >/dev/full"), 1, "could not be written: No space left");
  expect(run_here(NIGHT " --json >/dev/full"), 1, "could not be written: No space left");
}

// 64 candidates of a long tune take seconds: Ctrl-C comes in between.
static void an_interrupted_work_leaves_nothing(void **state) {
  (void)state;
  static const char *const signals[] = {"INT", "TERM"};
  expect(run_here("sed 's/candidates: 8/candidates: 64/' "
                  "\"$FIXTURES/../../playbooks/poem.yaml\" >slow.yaml"),
         0, "");
  for (size_t i = 0; i < 2; i++) {
    expect(run_here("\"$INK\" make ./slow.yaml --set form=沁园春 --out piece & "
                    "sleep 0.4; kill -%s $!; wait $!",
                    signals[i]),
           1, "stopped before");
    assert_int_equal(count_entries(scratch), 1);
  }
}

static void a_piece_that_a_check_blocks_is_shown_and_not_published(void **state) {
  (void)state;
  expect(run_here("sed 's/candidates: 8/free_form: true, candidates: 1/' "
                  "\"$FIXTURES/../../playbooks/poem.yaml\" >free.yaml"),
         0, "");
  int seed = 1;
  for (; seed < 60; seed++) {
    program_run run =
        run_here("\"$INK\" make ./free.yaml --set form=七律 --seed %d --out piece --json", seed);
    if (run.exit_code == 3) {
      ink_error error = {0};
      json_t *json;
      assert_ok(ink_json_parse(run.out, strlen(run.out), "stdout", &json, &error));
      assert_int_equal(json_array_size(json_object_get(json, "files")), 0);
      assert_true(json_is_null(json_object_get(json, "folder")));
      assert_true(json_is_false(
          json_object_get(json_array_get(json_object_get(json, "checks"), 0), "passed")));
      json_decref(json);
      assert_non_null(strstr(run.err, "nothing was published"));
      drop_run(&run);
      break;
    }
    assert_int_equal(run.exit_code, 0);
    drop_run(&run);
    expect(run_here("rm -r piece"), 0, "");
  }
  assert_true(seed < 60);
  assert_int_equal(count_entries(scratch), 1);
}

// ---- playbooks

static void the_starter_playbook_keeps_its_own_promises(void **state) {
  (void)state;
  expect(run_here("\"$INK\" playbook list"), 0, "poem ");
  expect(run_here("\"$INK\" playbook show poem"), 0, "acrostic");
  expect(run_here("\"$INK\" playbook test poem"), 0, "✓ keeps an acrostic");
  program_run run = run_here("\"$INK\" playbook list --json");
  json_t *json = json_of(&run);
  const json_t *first = json_array_get(json_object_get(json, "playbooks"), 0);
  assert_string_equal(json_string_value(json_object_get(first, "name")), "poem");
  json_decref(json);
  drop_run(&run);
}

static void a_test_that_does_not_hold_fails(void **state) {
  (void)state;
  expect(run_here("sed 's/contains: 我/contains: 砚/' "
                  "\"$FIXTURES/../../playbooks/poem.yaml\" >mine.yaml; "
                  "\"$INK\" playbook test ./mine.yaml"),
         1, "✗ keeps an acrostic");
  expect(run_here("sed '/^tests/,$d' \"$FIXTURES/../../playbooks/poem.yaml\" >none.yaml; "
                  "\"$INK\" playbook test ./none.yaml"),
         1, "there are no /tests");
}

static void a_locked_playbook_keeps_to_its_model(void **state) {
  (void)state;
  expect(run_here("cp \"$FIXTURES/../../playbooks/poem.yaml\" mine.yaml && "
                  "\"$INK\" playbook lock ./mine.yaml && \"$INK\" playbook lock ./mine.yaml && "
                  "grep -c '^lock: {model' mine.yaml"),
         0, "\n1\n");
  expect(run_here("head -n -1 mine.yaml | cmp - \"$FIXTURES/../../playbooks/poem.yaml\""), 0, "");
  expect(run_here("\"$INK\" make ./mine.yaml --out a"), 0, "");
  expect(run_here("sed -i 's/model: \"..../model: \"0000/' mine.yaml; "
                  "\"$INK\" make ./mine.yaml --out b"),
         1, "is locked to a model of SHA-256 0000");
  expect(run_here("\"$INK\" playbook lock ./mine.yaml && \"$INK\" make ./mine.yaml --out b"), 0,
         "");
  expect(run_here("sed -i 's/inkstone: \"[^\"]*/inkstone: \"0.0.9/' mine.yaml; "
                  "\"$INK\" make ./mine.yaml --out c"),
         1, "is locked to inkstone 0.0.9");
}

// ---- help

static void help_of_a_command_is_the_same_by_either_name(void **state) {
  (void)state;
  program_run commands = run_here("\"$INK\" --list-commands");
  assert_int_equal(commands.exit_code, 0);
  size_t n = 0;
  for (char *name = strtok(commands.out, "\n"); name; name = strtok(NULL, "\n")) {
    program_run a = run_here("\"$INK\" help %s", name), b = run_here("\"$INK\" %s --help", name);
    assert_int_equal(a.exit_code, 0);
    assert_int_equal(b.exit_code, 0);
    assert_string_equal(a.out, b.out);
    assert_string_equal(a.err, "");
    if (!strstr(a.out, "\nExamples:\n  inkstone ")) fail_msg("%s has no examples", name);
    drop_run(&a);
    drop_run(&b);
    n++;
  }
  assert_true(n >= 10);
  drop_run(&commands);
}

// The examples in the help of a command, as lines of a shell script.
static void run_examples(const char *command) {
  program_run help = run_here("\"$INK\" %s --help", command);
  char *examples = strstr(help.out, "\nExamples:\n");
  assert_non_null(examples);
  FILE *script = fopen(in_scratch("examples.sh"), "w");
  assert_non_null(script);
  fputs("set -e\ninkstone() { \"$INK\" \"$@\"; }\n", script);
  fputs(examples + strlen("\nExamples:\n"), script);
  fclose(script);
  program_run run = run_here("sh examples.sh");
  if (run.exit_code != 0) fail_msg("%s: %s%s", command, examples, run.err);
  drop_run(&run);
  drop_run(&help);
}

static void examples_in_the_help_work_as_they_stand(void **state) {
  (void)state;
  static const char *const commands[] = {"make", "replay", "explain", "playbook", "version"};
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) run_examples(commands[i]);
}

static void the_program_speaks_chinese_where_asked(void **state) {
  (void)state;
  expect(run_here("INKSTONE_LANG=zh \"$INK\" make poem --help"), 0, "从 JSON 文件读取各项及其值");
  expect(run_here("LC_ALL=zh_CN.UTF-8 \"$INK\" mkae"), 2, "您是指 make 吗？");
  expect(run_here("LANG=zh_CN.UTF-8 \"$INK\" replay nowhere"), 1, "无法打开：没有这个文件或文件夹");
  expect(run_here("LC_ALL=C LANG=zh_CN.UTF-8 \"$INK\" replay"), 2, "name one piece");
  expect(run_here("INKSTONE_LANG=zh " NIGHT " --out piece"), 0, "✓ 合律：七绝");
  expect(run_here("INKSTONE_LANG=zh \"$INK\" replay piece"), 0, "逐字节与记录相同");
  expect(run_here("INKSTONE_LANG=zh \"$INK\" explain piece"), 0, "温度 0.8，top-p 0.9");
  expect(run_here("rm piece/poem.md; INKSTONE_LANG=zh \"$INK\" replay piece"), 1,
         "piece/poem.md 不见了");
}

int main(void) {
#define PROMISE(name) cmocka_unit_test_setup_teardown(name, scratch_open, scratch_close)
  const struct CMUnitTest tests[] = {
      PROMISE(a_piece_is_rebuilt_byte_for_byte_whatever_the_threads),
      PROMISE(a_pictured_piece_holds_its_picture_in_every_file),
      PROMISE(a_poem_comes_with_a_picture_of_what_it_names),
      PROMISE(a_picture_s_noise_carries_the_identity_of_its_piece),
      PROMISE(a_piece_goes_without_a_picture_that_is_not_wanted),
      PROMISE(make_prints_the_record_and_where_the_piece_lies),
      PROMISE(what_was_changed_is_named),
      PROMISE(a_record_that_is_none_is_refused),
      PROMISE(a_changed_model_and_a_changed_playbook_are_named),
      PROMISE(a_playbook_given_by_path_travels_in_the_record),
      PROMISE(a_brief_comes_from_a_file_or_stdin_and_set_beats_it),
      PROMISE(wrong_briefs_and_usage_have_a_word_and_exit_code_2),
      PROMISE(nothing_is_overwritten_unless_replace_asks),
      PROMISE(a_folder_that_cannot_be_written_is_named),
      PROMISE(a_full_disk_leaves_all_or_nothing),
      PROMISE(output_that_cannot_be_printed_is_a_fault),
      PROMISE(an_interrupted_work_leaves_nothing),
      PROMISE(a_piece_that_a_check_blocks_is_shown_and_not_published),
      PROMISE(the_starter_playbook_keeps_its_own_promises),
      PROMISE(a_test_that_does_not_hold_fails),
      PROMISE(a_locked_playbook_keeps_to_its_model),
      PROMISE(help_of_a_command_is_the_same_by_either_name),
      PROMISE(examples_in_the_help_work_as_they_stand),
      PROMISE(the_program_speaks_chinese_where_asked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
