// inkstone chat: a conversation with line editing, streaming and a few commands.
#include <editline/readline.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/generation.h"
#include "cli/noting.h"
#include "lang/catalogue.h"
#include "llm/chat.h"
#include "mark/mark.h"

enum { MOST_HISTORY = 1000 };

typedef struct chat {
  const ink_cli_model *m;
  const ink_cli_sampling *sampling;
  ink_cli_mark mark;
  ink_chat_layout layout;
  ink_session_options options;
  ink_session *session;
  ink_chat_message *messages;  // role is constant, content malloc'ed
  size_t n, capacity;
  ink_cli_stream stream;
  bool terminal;
  bool over;
} chat;

static ink_status add_message(chat *c, const char *role, const char *content, ink_error *error) {
  if (c->n == c->capacity) {
    size_t capacity = 2 * c->capacity + 8;
    ink_chat_message *grown = realloc(c->messages, capacity * sizeof *grown);
    if (!grown) return ink_fail(error, INK_ERR_MEMORY, "no memory for the conversation");
    c->messages = grown;
    c->capacity = capacity;
  }
  char *copy = strdup(content);
  if (!copy) return ink_fail(error, INK_ERR_MEMORY, "no memory for the conversation");
  c->messages[c->n++] = (ink_chat_message){.role = role, .content = copy};
  return INK_OK;
}

static void drop_messages(chat *c, size_t keep) {
  while (c->n > keep) free((char *)(uintptr_t)c->messages[--c->n].content);
}

// ---- turns -------------------------------------------------------------------------------------

// Let the model answer the conversation as it stands. Ctrl-C ends the answer, not the program.
static ink_status answer(chat *c, ink_error *error) {
  int32_t *ids = NULL;
  size_t n = 0;
  INK_TRY(ink_chat_encode(c->m->model, c->layout, c->messages, c->n, &ids, &n, error));
  ink_cli_catch_interrupts();
  ink_status status = ink_session_prompt(c->session, ids, n, error);
  free(ids);
  ink_step step = {0};
  while (status == INK_OK && step.finish == INK_FINISH_NONE) {
    if (ink_cli_interrupted()) ink_session_cancel(c->session);
    status = ink_session_step(c->session, &step, error);
  }
  signal(SIGINT, SIG_DFL);
  ink_cli_print_end(&c->stream);
  INK_TRY(status);
  if (step.finish == INK_FINISH_LENGTH) {
    fprintf(stderr, "(%s)\n", ink_tr("cut at the limit of tokens"));
  }
  size_t n_token;
  ink_session_tokens(c->session, &n_token);
  INK_TRY(ink_cli_note_text(c->m, c->sampling, &c->mark, "chat", ink_session_text(c->session),
                            n_token, error));
  return add_message(c, "assistant", ink_session_text(c->session), error);
}

static ink_status say(chat *c, const char *text, ink_error *error) {
  size_t before = c->n;
  INK_TRY(add_message(c, "user", text, error));
  ink_status status = answer(c, error);
  // A turn that failed is taken back, so that the conversation can go on.
  if (status != INK_OK) drop_messages(c, before);
  return status;
}

// ---- commands ----------------------------------------------------------------------------------

static ink_status do_help(chat *c, const char *argument, ink_error *error);

static ink_status do_new(chat *c, const char *argument, ink_error *error) {
  (void)argument;
  (void)error;
  bool keeps_system = c->n > 0 && strcmp(c->messages[0].role, "system") == 0;
  drop_messages(c, keeps_system ? 1 : 0);
  return INK_OK;
}

static ink_status do_system(chat *c, const char *argument, ink_error *error) {
  drop_messages(c, 0);
  return argument[0] ? add_message(c, "system", argument, error) : INK_OK;
}

static ink_status restart_session(chat *c, ink_error *error) {
  ink_session *session;
  INK_TRY(ink_session_new(c->m->model, &c->options, c->m->pool, &session, error));
  ink_session_free(c->session);
  c->session = session;
  return INK_OK;
}

static ink_status do_again(chat *c, const char *argument, ink_error *error) {
  (void)argument;
  if (c->n == 0 || strcmp(c->messages[c->n - 1].role, "assistant") != 0) {
    return ink_fail(error, INK_ERR_USAGE, "there is no answer yet to write again");
  }
  c->options.sampling.piece++;
  INK_TRY(restart_session(c, error));
  drop_messages(c, c->n - 1);
  return answer(c, error);
}

static ink_status do_temperature(chat *c, const char *argument, ink_error *error) {
  char *end;
  ink_session_options changed = c->options;
  changed.sampling.temperature = strtof(argument, &end);
  if (end == argument || *end) {
    return ink_fail(error, INK_ERR_USAGE, "/temperature takes a number, not \"%s\"", argument);
  }
  INK_TRY(ink_sampling_check(&changed.sampling, error));
  c->options = changed;
  return restart_session(c, error);
}

static ink_status do_seed(chat *c, const char *argument, ink_error *error) {
  char *end;
  unsigned long long seed = strtoull(argument, &end, 10);
  if (end == argument || *end || argument[0] == '-' || seed > (1ULL << 53)) {
    return ink_fail(error, INK_ERR_USAGE, "/seed takes a whole number from 0 to 2^53");
  }
  c->options.sampling.seed = seed;
  c->options.sampling.piece = 0;
  return restart_session(c, error);
}

static ink_status do_save(chat *c, const char *argument, ink_error *error) {
  if (!argument[0]) return ink_fail(error, INK_ERR_USAGE, "/save needs the name of a file");
  char identity[INK_UUID_TEXT];
  INK_TRY(ink_mark_identity(identity, error));
  json_t *list = json_array();
  for (size_t i = 0; i < c->n; i++) {
    json_array_append_new(list, json_pack("{s:s,s:s}", "role", c->messages[i].role, "content",
                                          c->messages[i].content));
  }
  json_t *json = json_pack("{s:s,s:I,s:o}", "model", ink_weights_name(c->m->model->weights), "seed",
                           (json_int_t)c->options.sampling.seed, "messages", list);
  ink_status status =
      json ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for the conversation");
  ink_mark_options marks = {.identity = identity};
  bool zh = ink_language_current() == INK_LANGUAGE_ZH;
  if (status == INK_OK) status = ink_mark_json(json, zh ? "zh-Hans" : "en", &marks, error);
  if (status == INK_OK) status = ink_json_save(argument, json, error);
  json_decref(json);
  return status;
}

static ink_status do_quit(chat *c, const char *argument, ink_error *error) {
  (void)argument;
  (void)error;
  c->over = true;
  return INK_OK;
}

static const struct {
  const char *name, *argument, *help;
  ink_status (*run)(chat *c, const char *argument, ink_error *error);
} commands[] = {
    {"/help", "", "list the commands", do_help},
    {"/new", "", "begin a new conversation", do_new},
    {"/system", "TEXT", "begin anew under this instruction", do_system},
    {"/again", "", "write the last answer again, differently", do_again},
    {"/temperature", "X", "change the temperature", do_temperature},
    {"/seed", "S", "change the seed", do_seed},
    {"/save", "FILE", "save the conversation as JSON", do_save},
    {"/quit", "", "leave; so does Ctrl-D", do_quit},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static ink_status do_help(chat *c, const char *argument, ink_error *error) {
  (void)c;
  (void)argument;
  (void)error;
  for (size_t i = 0; i < N_COMMANDS; i++) {
    fprintf(stderr, "  %-12s %-5s %s\n", commands[i].name, commands[i].argument,
            ink_tr(commands[i].help));
  }
  return INK_OK;
}

static ink_status obey(chat *c, const char *line, ink_error *error) {
  size_t length = strcspn(line, " ");
  const char *argument = line + length + strspn(line + length, " ");
  for (size_t i = 0; i < N_COMMANDS; i++) {
    if (strlen(commands[i].name) == length && memcmp(commands[i].name, line, length) == 0) {
      return commands[i].run(c, argument, error);
    }
  }
  return ink_fail(error, INK_ERR_USAGE, "unknown command %.*s; /help lists them", (int)length,
                  line);
}

// ---- lines -------------------------------------------------------------------------------------

// The next line without its end; NULL when there is no more. The caller frees it.
static char *next_line(const chat *c) {
  if (c->terminal) {
    char *line = readline("> ");
    if (line && line[0]) add_history(line);
    return line;
  }
  char *line = NULL;
  size_t capacity = 0;
  ssize_t size = getline(&line, &capacity, stdin);
  if (size < 0) {
    free(line);
    return NULL;
  }
  if (size > 0 && line[size - 1] == '\n') line[size - 1] = '\0';
  return line;
}

// Path of the history file, its folder made; NULL when there is no place for it.
static char *history_path(void) {
  char *folder = NULL;
  bool there = ink_folder_user(INK_FOLDER_STATE, &folder, NULL) == INK_OK && folder;
  char *path = there && ink_folder_make(folder, NULL) == INK_OK
                   ? ink_path_join(folder, "chat_history")
                   : NULL;
  free(folder);
  return path;
}

static void talk(chat *c, const ink_command *self) {
  char *line;
  while (!c->over && (line = next_line(c))) {
    ink_error error = ink_cli_error();
    const char *text = line + strspn(line, " \t");
    ink_status status = INK_OK;
    if (text[0] == '/') {
      status = obey(c, text, &error);
    } else if (text[0]) {
      status = say(c, line, &error);
    }
    if (status != INK_OK) ink_cli_fail(self, &error);
    free(line);
  }
}

static ink_status converse(const ink_cli_model *m, ink_cli_sampling *sampling, const char *layout,
                           const char *system, const ink_command *self, ink_error *error) {
  chat c = {.m = m, .sampling = sampling, .terminal = isatty(STDIN_FILENO) == 1};
  INK_TRY(layout ? ink_chat_layout_parse(layout, &c.layout, error)
                 : ink_chat_detect(m->model, &c.layout, error));
  c.options = ink_cli_session_options(sampling);
  int32_t end = ink_chat_end_token(m->model, c.layout);
  if (end >= 0) {
    c.options.end_tokens = &end;
    c.options.n_end_token = 1;
  }
  c.options.on_text = ink_cli_print;
  c.options.context_of_text = &c.stream;
  ink_status status = ink_cli_mark_session(sampling, m->model, &c.mark, &c.options, error);
  ink_cli_announce(sampling->seed);
  if (c.terminal) {
    fprintf(stderr, "%s, %s. %s\n", ink_weights_name(m->model->weights),
            ink_chat_layout_name(c.layout), ink_tr("/help lists the commands."));
  }
  if (status == INK_OK) {
    status = ink_session_new(m->model, &c.options, m->pool, &c.session, error);
  }
  if (status == INK_OK && system) status = add_message(&c, "system", system, error);
  char *history = c.terminal ? history_path() : NULL;
  if (c.terminal) {
    using_history();
    stifle_history(MOST_HISTORY);
    if (history) read_history(history);
  }
  if (status == INK_OK) talk(&c, self);
  if (history) write_history(history);
  free(history);
  drop_messages(&c, 0);
  free(c.messages);
  ink_session_free(c.session);
  ink_watermark_free(c.mark.watermark);
  return status;
}

static ink_status run(const ink_command *self, int argc, char **argv, ink_error *error) {
  ink_cli_model model;
  ink_cli_sampling sampling = ink_cli_sampling_default();
  const char *layout = NULL, *system = NULL;
  ink_option options[INK_CLI_MODEL_OPTIONS + INK_CLI_SAMPLING_OPTIONS + 2] = {0};
  ink_option *own = options + INK_CLI_MODEL_OPTIONS + INK_CLI_SAMPLING_OPTIONS;
  ink_cli_model_options(&model, options);
  ink_cli_sampling_options(&sampling, options + INK_CLI_MODEL_OPTIONS);
  own[0] =
      (ink_option){.name = "template",
                   .kind = INK_OPTION_STRING,
                   .value = &layout,
                   .argument = "T",
                   .help = "layout of the conversation: chatml or llama3 (default: the model's)"};
  own[1] = (ink_option){.name = "system",
                        .kind = INK_OPTION_STRING,
                        .value = &system,
                        .argument = "TEXT",
                        .help = "instruction that stands before the conversation"};
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, sizeof options / sizeof *options, argc, argv, &n, &done,
                           error));
  if (done) return INK_OK;
  if (n != 0) {
    return ink_fail(error, INK_ERR_USAGE, "what to say comes on stdin, not as \"%s\"", argv[1]);
  }
  ink_status status = ink_cli_model_open(&model, error);
  if (status == INK_OK) status = converse(&model, &sampling, layout, system, self, error);
  ink_cli_model_close(&model);
  return status;
}

const ink_command ink_command_chat = {
    .name = "chat",
    .summary = "Talk with a model",
    .usage = "chat [OPTIONS]",
    .examples = "inkstone chat --model Qwen/Qwen3-0.6B\n",
    .run = run,
};
