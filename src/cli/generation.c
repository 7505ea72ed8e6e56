// What commands share that run a decoder: options, the model they name, text in and out.
#include "cli/generation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/random.h"
#include "base/text.h"
#include "lang/catalogue.h"
#include "mark/label/wording.h"

enum { MOST_TEXT = 64 << 20 };

void ink_cli_model_options(ink_cli_model *model, ink_option *options) {
  *model = (ink_cli_model){.reference = "poet"};
  options[0] = (ink_option){.name = "model",
                            .letter = 'm',
                            .kind = INK_OPTION_STRING,
                            .value = &model->reference,
                            .argument = "M",
                            .help = "model: a folder, a GGUF file, a name or ORG/REPO[:QUANT]"};
  options[1] = ink_option_threads(&model->threads);
}

ink_status ink_cli_model_open(ink_cli_model *model, ink_error *error) {
  INK_TRY(ink_model_open(model->reference, &model->model, error));
  model->pool = ink_pool_new((int)model->threads);
  if (!model->pool)
    return ink_fail(error, INK_ERR_MEMORY, "no memory for threads, or too many of them");
  return INK_OK;
}

void ink_cli_model_close(ink_cli_model *model) {
  ink_model_free(model->model);
  ink_pool_free(model->pool);
  model->model = NULL;
  model->pool = NULL;
}

ink_cli_sampling ink_cli_sampling_default(void) {
  return (ink_cli_sampling){
      .temperature = 0.8, .top_p = 0.95, .repetition_penalty = 1, .seed = -1, .watermark = "auto"};
}

void ink_cli_sampling_options(ink_cli_sampling *s, ink_option *options) {
  const ink_option all[INK_CLI_SAMPLING_OPTIONS] = {
      {.name = "max-tokens",
       .letter = 'n',
       .kind = INK_OPTION_INT,
       .value = &s->max_tokens,
       .argument = "N",
       .help = "most tokens to write (0: as many as the context holds)",
       .low = 0,
       .high = 1 << 30},
      {.name = "seed",
       .letter = 's',
       .kind = INK_OPTION_INT,
       .value = &s->seed,
       .argument = "S",
       .help = "seed of the draws (-1: a fresh one, which is printed)",
       .low = -1,
       .high = 0x1p53},
      {.name = "temperature",
       .kind = INK_OPTION_NUMBER,
       .value = &s->temperature,
       .argument = "X",
       .help = "0 takes the most likely token, higher is freer (default 0.8)",
       .low = 0,
       .high = 100},
      {.name = "top-k",
       .kind = INK_OPTION_INT,
       .value = &s->top_k,
       .argument = "K",
       .help = "draw from the K most likely tokens (default 0: all)",
       .low = 0,
       .high = 1 << 30},
      {.name = "top-p",
       .kind = INK_OPTION_NUMBER,
       .value = &s->top_p,
       .argument = "P",
       .help = "draw from the fewest tokens whose probabilities reach P (default 0.95)",
       .low = 0,
       .high = 1},
      {.name = "min-p",
       .kind = INK_OPTION_NUMBER,
       .value = &s->min_p,
       .argument = "P",
       .help = "drop tokens below P times the most likely one (default 0)",
       .low = 0,
       .high = 1},
      {.name = "repetition-penalty",
       .kind = INK_OPTION_NUMBER,
       .value = &s->repetition_penalty,
       .argument = "X",
       .help = "make tokens that are there already less likely (default 1: no)",
       .low = 0,
       .high = 100},
      {.name = "context",
       .letter = 'c',
       .kind = INK_OPTION_INT,
       .value = &s->context,
       .argument = "N",
       .help = "positions to hold at most (default: what the model was made for)",
       .low = 1,
       .high = 1 << 30},
      {.name = "half-cache",
       .kind = INK_OPTION_FLAG,
       .value = &s->half_cache,
       .help = "keep keys and values in 16 bits: half the memory, slightly other text"},
      {.name = "watermark",
       .kind = INK_OPTION_STRING,
       .value = &s->watermark,
       .argument = "W",
       .help =
           "mark the text: synthid, gumbel, kgw or off (default auto: synthid from 200 tokens on)"},
      {.name = "watermark-keys",
       .kind = INK_OPTION_STRING,
       .value = &s->watermark_keys,
       .argument = "FILE",
       .help = "keys of your own for the watermark (default: those that every inkstone has)"},
  };
  for (int i = 0; i < INK_CLI_SAMPLING_OPTIONS; i++) options[i] = all[i];
}

ink_session_options ink_cli_session_options(ink_cli_sampling *s) {
  if (s->seed < 0) s->seed = (int64_t)ink_random_fresh_seed();
  ink_session_options options = ink_session_default();
  options.sampling = (ink_sampling){.temperature = (float)s->temperature,
                                    .top_k = (int32_t)s->top_k,
                                    .top_p = (float)s->top_p,
                                    .min_p = (float)s->min_p,
                                    .repetition_penalty = (float)s->repetition_penalty,
                                    .seed = (uint64_t)s->seed};
  options.max_tokens = s->max_tokens;
  options.context = s->context;
  options.cache = s->half_cache ? INK_F16 : INK_F32;
  return options;
}

ink_status ink_cli_mark_session(const ink_cli_sampling *s, const ink_model *model,
                                ink_cli_mark *mark, ink_session_options *options,
                                ink_error *error) {
  *mark = (ink_cli_mark){0};
  bool automatic = strcmp(s->watermark, "auto") == 0;
  if (strcmp(s->watermark, "off") == 0) {
    fprintf(
        stderr, "%s\n",
        ink_tr("no watermark: who publishes the text may have to mark it (EU AI Act, article 50)"));
    return INK_OK;
  }
  ink_watermark_scheme scheme = INK_WATERMARK_SYNTHID;
  if (!automatic) INK_TRY(ink_watermark_parse(s->watermark, &scheme, error));
  const ink_decoder_config *config = ink_decoder_about(model->decoder);
  int64_t most = s->max_tokens ? s->max_tokens : s->context ? s->context : config->context;
  if (automatic && most < INK_WATERMARK_LEAST_TOKENS) return INK_OK;
  if (automatic && s->temperature == 0) {
    fprintf(stderr, "%s\n",
            ink_tr("no watermark: at temperature 0 there is no choice that could carry one"));
    return INK_OK;
  }
  if (s->temperature == 0) {
    return ink_fail(error, INK_ERR_USAGE,
                    "at temperature 0 there is no choice that a watermark could use; raise "
                    "--temperature or leave --watermark out");
  }
  INK_TRY(ink_watermark_open(scheme, s->watermark_keys, (size_t)config->vocab, &mark->watermark,
                             error));
  options->reweigher = &mark->reweigher;
  return ink_watermark_reweigher(mark->watermark, &mark->reweigher, error);
}

const char *ink_cli_announce(int64_t seed) {
  bool zh = ink_language_current() == INK_LANGUAGE_ZH;
  const char *label = ink_label_wordings(INK_LABEL_OWN, INK_LABEL_TEXT, zh ? "zh-Hans" : "en")[0];
  fprintf(stderr, "seed %lld · %s\n", (long long)seed, label);
  return label;
}

ink_status ink_cli_text(const char *argument, char **text, size_t *size, ink_error *error) {
  if (argument && strcmp(argument, "-") != 0) {
    *text = strdup(argument);
    *size = strlen(argument);
    return *text ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for the text");
  }
  if (!argument && isatty(STDIN_FILENO)) {
    return ink_fail(error, INK_ERR_USAGE, "a text is needed, as an argument or on stdin");
  }
  INK_TRY(ink_file_read("-", MOST_TEXT, text, size, error));
  if (*size > 0 && (*text)[*size - 1] == '\n') (*text)[--*size] = '\0';
  return INK_OK;
}

static bool steers(int32_t rune) {
  bool control = rune < 0x20 || (rune >= 0x7F && rune < 0xA0);
  return control && rune != '\n' && rune != '\t';
}

bool ink_cli_print(void *context, const char *text, size_t size) {
  ink_cli_stream *stream = context;
  bool terminal = isatty(STDOUT_FILENO) == 1;
  for (size_t at = 0; at < size;) {
    int32_t rune;
    size_t length = ink_utf8_decode(text + at, size - at, &rune);
    if (terminal && steers(rune)) {
      fputs("\uFFFD", stdout);
    } else {
      fwrite(text + at, 1, length, stdout);
    }
    at += length;
  }
  if (size > 0) stream->last = text[size - 1];
  return fflush(stdout) == 0 && !ferror(stdout) && !ink_cli_interrupted();
}

void ink_cli_print_end(ink_cli_stream *stream) {
  if (stream->last != '\n') putchar('\n');
  *stream = (ink_cli_stream){0};
}
