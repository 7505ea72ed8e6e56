// What commands share that run a decoder: options, the model they name, text in and out.
#ifndef INK_CLI_GENERATION_H
#define INK_CLI_GENERATION_H

#include "cli/cli.h"
#include "llm/llm.h"
#include "llm/model.h"
#include "mark/watermark/watermark.h"

typedef struct ink_cli_model {
  const char *reference;
  int64_t threads;
  ink_pool *pool;
  ink_model *model;
} ink_cli_model;

enum { INK_CLI_MODEL_OPTIONS = 2, INK_CLI_SAMPLING_OPTIONS = 11 };

// Put --model and --threads at options[0 … INK_CLI_MODEL_OPTIONS).
void ink_cli_model_options(ink_cli_model *model, ink_option *options);
// Open what they name. Close in any case.
ink_status ink_cli_model_open(ink_cli_model *model, ink_error *error);
void ink_cli_model_close(ink_cli_model *model);

typedef struct ink_cli_sampling {
  double temperature, top_p, min_p, repetition_penalty;
  int64_t top_k, max_tokens, context, seed;  // seed -1: a fresh one
  bool half_cache;
  const char *watermark;       // "auto", "off" or a scheme
  const char *watermark_keys;  // a file; NULL: the keys that every inkstone has
} ink_cli_sampling;

// temperature 0.8, top_p 0.95, a fresh seed, the rest off.
ink_cli_sampling ink_cli_sampling_default(void);
// Put --temperature … at options[0 … INK_CLI_SAMPLING_OPTIONS).
void ink_cli_sampling_options(ink_cli_sampling *sampling, ink_option *options);
// As options of a session. A fresh seed is drawn here, once, and kept in sampling->seed.
ink_session_options ink_cli_session_options(ink_cli_sampling *sampling);

// The watermark of a session.
typedef struct ink_cli_mark {
  ink_watermark *watermark;  // NULL: the text carries none
  ink_reweigher reweigher;
} ink_cli_mark;
// Open the watermark that `sampling` asks for and have the session use it; *mark must outlive the
// session. "auto" marks with SynthID when as many as INK_WATERMARK_LEAST_TOKENS may be written and
// there is a choice. The caller frees mark->watermark.
ink_status ink_cli_mark_session(const ink_cli_sampling *sampling, const ink_model *model,
                                ink_cli_mark *mark, ink_session_options *options, ink_error *error);

// Say on stderr which seed is used, and the visible label of what follows on standard output, where
// the text stands alone: an interface shows the label beside it (GB 45438-2025, 5.6). Returns the
// label, in the language of the program.
const char *ink_cli_announce(int64_t seed);

// The text that a command is given: `argument`, or standard input without its last line end when it
// is "-" or NULL. NULL with a terminal as standard input is USAGE. malloc'ed, the caller's.
ink_status ink_cli_text(const char *argument, char **text, size_t *size, ink_error *error);

// Text that streams to standard output. On a terminal, control characters other than tab and line
// end become U+FFFD: a model must not steer it. Zero-initialise.
typedef struct ink_cli_stream {
  char last;  // byte printed
} ink_cli_stream;
// For on_text; the context is an ink_cli_stream. False when standard output is gone or Ctrl-C was
// pressed.
bool ink_cli_print(void *stream, const char *text, size_t size);
// Close the last line where it is open.
void ink_cli_print_end(ink_cli_stream *stream);

#endif
