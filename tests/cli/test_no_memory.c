// Whatever allocation of a command gets no memory: it says so, never dies, leaves nothing half
// written, and loses nothing.
#include <time.h>

#include "scarcity.h"

#define SD1 "--model \"$FIXTURES/pipelines/sd1\" --steps 1 --size 64x64 --seed 1 "
// A picture with room for a label.
#define PICTURE(name)                                                                       \
  "$INK paint cat --model \"$FIXTURES/pipelines/sd1\" --steps 1 --size 128x128 --unmarked " \
  "-o " name

static const scarcity commands[] = {
    {"completion bash", NULL},
    // Painting, with all that can be put beside a model.
    {"paint cat " SD1 "-o x.png", NULL},
    {"paint 'a (cat:1.2), a dog' " SD1 "--negative rain --unmarked --json --sampler dpm++2m "
     "--schedule karras -o x.webp",
     NULL},
    {"paint cat " SD1 "--init \"$FIXTURES/pipelines/init.png\" --mask "
     "\"$FIXTURES/pipelines/mask.png\" --strength 1 --watermark public -o x.jpg",
     NULL},
    {"paint cat " SD1 "--control-model \"$FIXTURES/control/one\" --control "
     "canny:\"$FIXTURES/control/hint.png\" --unmarked -o x.png",
     NULL},
    {"paint cat " SD1
     "--lora \"$FIXTURES/networks/lora/kohya.safetensors\":0.5 --lora-partial --unmarked -o x.png",
     NULL},
    {"paint 'a moody cat' " SD1 "--embedding \"$FIXTURES/embedding/moody.pt\" --unmarked -o x.png",
     NULL},
    {"paint cat " SD1 "--hires 2:1 --variation 3:0.2 --count 2 --grid --unmarked -o x.png", NULL},
    {"paint --from a.png --model \"$FIXTURES/pipelines/sd1\" -o x.png",
     "$INK paint cat " SD1 "-o a.png"},
    {"paint --upscale \"$FIXTURES/networks/esrgan/model-x4.pth\" init.png -o x.png",
     "cp \"$FIXTURES/pipelines/init.png\" ."},
    {"paint cat --model \"$FIXTURES/pipelines/xl\" --steps 1 --size 64x64 --seed 1 -o x.png", NULL},
    {"paint 'a house' --steps 1 --size 64x64 --seed 1 -o x.png", NULL},
    // Words.
    {"write hello --model \"$FIXTURES/models/qwen3\" -n 5 --seed 1 --json --logprobs 2", NULL},
    {"write hello --model \"$FIXTURES/models/gpt2\" -n 5 --seed 1", NULL},
    {"write 春 --special --watermark synthid --seed 1 -n 24", NULL},
    {"write --form 五绝 --title 秋 --seed 1", NULL},
    {"score hello --model \"$FIXTURES/models/gpt2/model.gguf\" --json", NULL},
    {"score 床前明月光", NULL},
    // Models.
    {"model list --json", NULL},
    {"model show poet --tensors --sha256", NULL},
    {"model show \"$FIXTURES/models/gpt2/model.gguf\" --json", NULL},
    {"model show \"$FIXTURES/networks/esrgan/model-x4.pth\"", NULL},
    {"model show \"$FIXTURES/pipelines/sd1\" --json", NULL},
    {"model convert \"$FIXTURES/models/qwen3\" q.gguf", NULL},
    {"model convert q.gguf folder --type F32",
     "$INK model convert \"$FIXTURES/models/qwen3\" q.gguf"},
    {"model quantize \"$FIXTURES/models/qwen3-k\" q.gguf Q4_K_M", NULL},
    {"model pull Org/Repo --include vocab.json",
     "R=.cache/huggingface/hub/models--Org--Repo && mkdir -p $R/refs $R/snapshots/"
     "0123456789abcdef0123456789abcdef01234567 && printf 0123456789abcdef0123456789abcdef01234567 "
     ">$R/refs/main && echo {} >$R/snapshots/0123456789abcdef0123456789abcdef01234567/vocab.json"},
    // Pieces.
    {"playbook list --json", NULL},
    {"playbook show poem", NULL},
    {"explain p", "cp -r ../piece p"},
    {"replay p", "cp -r ../piece p"},
    {"make poem --set theme=秋夜 --set form=五绝 --set picture=no --seed 1 --out p", NULL},
    {"make ./pictured.yaml --set theme=明月 --seed 4 --out p",
     "cat >pictured.yaml <<EOF\nplaybook: pictured\ndraft: verse\nmodel: poet\n"
     "inputs:\n  theme: {}\n  form: {default: 五绝}\n  picture: {}\nchecks: [verse]\n"
     "picture: {model: $FIXTURES/pipelines/sd1, steps: 1, side: 128}\n"
     "publish: [md, html, png]\nEOF\n"},
    // Marks.
    {"key init", "rm -r .local"},
    {"key init --key \"$FIXTURES/mark/es256.key\" --certificates \"$FIXTURES/mark/es256.pem\"",
     "rm -r .local"},
    {"key rotate", "rm -r .local && $INK key init"},
    {"key show --json", NULL},
    {"label a.jpg -o x.jpg --law cn,eu", PICTURE("a.jpg")},
    {"label x.png", PICTURE("x.png")},
    {"label x.webp --as suspected --json", PICTURE("x.webp")},
    {"label \"$FIXTURES/mark/film.gif\" -o x.gif", NULL},
    {"label \"$FIXTURES/mark/plain.svg\" -o x.svg", NULL},
    {"label \"$FIXTURES/mark/plain.pdf\" -o x.pdf", NULL},
    {"label \"$FIXTURES/mark/packed.pdf\" -o x.pdf", NULL},
    {"label \"$FIXTURES/mark/text.docx\" -o x.docx", NULL},
    {"label \"$FIXTURES/mark/sheets.xlsx\" -o x.xlsx", NULL},
    {"label \"$FIXTURES/mark/slides.pptx\" -o x.pptx", NULL},
    {"label \"$FIXTURES/mark/text.odt\" -o x.odt", NULL},
    {"label \"$FIXTURES/mark/second.epub\" -o x.epub", NULL},
    {"label \"$FIXTURES/mark/plain.wav\" -o x.wav", NULL},
    {"label \"$FIXTURES/mark/plain.mp3\" -o x.mp3", NULL},
    {"label x.md", "printf '# A\\n\\nwords\\n' >x.md"},
    {"label x.html", "printf '<html><head></head><body><p>words</p></body></html>' >x.html"},
    {"sign \"$FIXTURES/mark/plain.jpg\" --out x.jpg", NULL},
    {"sign a.png --update --out x.png", "$INK sign \"$FIXTURES/mark/plain.png\" --out a.png"},
    {"sign x.bin --sidecar", "printf data >x.bin"},
    {"sign \"$FIXTURES/mark/golden.png\" --title b --training notAllowed --json --out x.png", NULL},
    {"verify \"$FIXTURES/mark/golden.png\"", NULL},
    {"verify \"$FIXTURES/mark/golden.webp\" --json", NULL},
    {"verify x.pdf --trust \"$FIXTURES/mark/authority.pem\"",
     "$INK sign \"$FIXTURES/mark/plain.pdf\" --out x.pdf"},
    {"verify x.md --recover",
     "printf '# A\n\nwords\n' >x.md && $INK label x.md && $INK sign x.md --out y.md && mv y.md "
     "x.md"},
    {"detect x.png --model \"$FIXTURES/pipelines/sd1\" --json", "$INK paint cat " SD1 "-o x.png"},
    {"detect x.md", "$INK write 春 --special --watermark synthid --seed 1 -n 40 >x.md"},
    {"detect x.docx --json", "$INK label \"$FIXTURES/mark/text.docx\" -o x.docx"},
    {"ledger list --json", NULL},
    {"ledger verify --files --json", NULL},
    {"ledger export -o x.json", NULL},
    {"ledger prune --older-than 0d", NULL},
};

static void set_the_clock(void) {
  char now[32];
  snprintf(now, sizeof now, "%lld", (long long)time(NULL));
  setenv("SOURCE_DATE_EPOCH", now, 1);
}

static int prepare(void **state) {
  set_the_clock();
  if (scratch_open(state) != 0) return -1;
  expect_done(run_here(
      "mkdir home && cd home && export HOME=$PWD && $INK key init --key $FIXTURES/mark/ed25519.key "
      "--certificates $FIXTURES/mark/ed25519.pem && printf data >x.bin && $INK sign x.bin "
      "--sidecar "
      "&& rm x.bin* && $INK make poem --set theme=秋夜 --set form=五绝 --set picture=no --seed 1 "
      "--out ../piece"));
  return 0;
}

// INKSTONE_MEMORY_RUNS: at so many places of a command instead; all when there are fewer.
// INKSTONE_MEMORY_ONLY: commands that begin so.
static void no_memory_is_said_and_nothing_is_lost(void **state) {
  (void)state;
  const char *runs = getenv("INKSTONE_MEMORY_RUNS"), *only = getenv("INKSTONE_MEMORY_ONLY");
  size_t most = runs ? (size_t)atoi(runs) : 8;
  int faults = 0;
  for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
    if (!only || strncmp(commands[i].command, only, strlen(only)) == 0)
      faults += scarcity_hold(&commands[i], most);
  }
  assert_int_equal(faults, 0);
}

int main(void) {
#if defined(__SANITIZE_ADDRESS__)
  print_message("# skipped: sanitizers bring allocators of their own\n");
  return 0;
#endif
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_memory_is_said_and_nothing_is_lost),
  };
  return cmocka_run_group_tests(tests, prepare, scratch_close);
}
