// Chat layouts as token ids: ChatML (OpenAI 2023; Qwen) and that of Llama 3 (Meta 2024, "Llama 3
// model card and prompt formats").
#include "llm/chat.h"

#include <stdlib.h>
#include <string.h>

#include "llm/model.h"

static const struct {
  const char *name;
  const char *open, *close_role, *end;  // special tokens; close_role "" where there is none
  const char *after_role, *after_end;
  bool trims, begins_with_bos;
} layouts[] = {
    [INK_CHAT_CHATML] = {"chatml", "<|im_start|>", "", "<|im_end|>", "\n", "\n", false, false},
    [INK_CHAT_LLAMA3] = {"llama3", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "\n\n",
                         "", true, true},
};
enum { N_LAYOUTS = sizeof layouts / sizeof *layouts };

const char *ink_chat_layout_name(ink_chat_layout layout) {
  return layouts[layout].name;
}

ink_status ink_chat_layout_parse(const char *name, ink_chat_layout *layout, ink_error *error) {
  for (int i = 0; i < N_LAYOUTS; i++) {
    if (strcmp(layouts[i].name, name) != 0) continue;
    *layout = (ink_chat_layout)i;
    return INK_OK;
  }
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "chat layout \"%s\" is not known (known: chatml, llama3)", name);
}

static int32_t special(const ink_model *model, const char *token) {
  return ink_tokenizer_id(model->tokenizer, token, strlen(token));
}

static bool has_tokens(const ink_model *model, int layout) {
  return special(model, layouts[layout].open) >= 0 && special(model, layouts[layout].end) >= 0 &&
         (layouts[layout].close_role[0] == '\0' || special(model, layouts[layout].close_role) >= 0);
}

ink_status ink_chat_detect(const ink_model *model, ink_chat_layout *layout, ink_error *error) {
  const char *text = ink_tokenizer_chat_template(model->tokenizer);
  for (int i = 0; text && i < N_LAYOUTS; i++) {
    if (!strstr(text, layouts[i].open) || !has_tokens(model, i)) continue;
    *layout = (ink_chat_layout)i;
    return INK_OK;
  }
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "%s: %s; say which layout to use with --template chatml or --template llama3",
                  ink_weights_path(model->weights),
                  text ? "its chat template is of a kind that is not known"
                       : "it has no chat template, so it may not be made for chat");
}

int32_t ink_chat_end_token(const ink_model *model, ink_chat_layout layout) {
  return special(model, layouts[layout].end);
}

// Ids that grow; errors are kept.
typedef struct sequence {
  const ink_model *model;
  int32_t *ids;
  size_t n, capacity;
  ink_status status;
  ink_error *error;
} sequence;

static void add_ids(sequence *s, const int32_t *ids, size_t n) {
  if (s->status != INK_OK || n == 0) return;
  if (s->capacity - s->n < n) {
    size_t capacity = 2 * s->capacity + n + 64;
    int32_t *grown = realloc(s->ids, capacity * sizeof *grown);
    if (!grown) {
      s->status = ink_fail(s->error, INK_ERR_MEMORY, "no memory for a conversation");
      return;
    }
    s->ids = grown;
    s->capacity = capacity;
  }
  memcpy(s->ids + s->n, ids, n * sizeof *ids);
  s->n += n;
}

static void add_special(sequence *s, const char *token) {
  if (s->status != INK_OK || token[0] == '\0') return;
  int32_t id = special(s->model, token);
  if (id >= 0) {
    add_ids(s, &id, 1);
    return;
  }
  s->status = ink_fail(s->error, INK_ERR_CONFLICT,
                       "%s: this chat layout needs the token %s, which its vocabulary lacks",
                       ink_weights_path(s->model->weights), token);
}

static void add_text(sequence *s, const char *text, size_t size) {
  if (s->status != INK_OK || size == 0) return;
  int32_t *ids = NULL;
  size_t n = 0;
  s->status =
      ink_tokenizer_encode(s->model->tokenizer, text, size, INK_ENCODE_PLAIN, &ids, &n, s->error);
  add_ids(s, ids, n);
  free(ids);
}

// Text between two special tokens is encoded as one piece, as tokenizers do.
static void add_joined(sequence *s, const char *a, const char *b, const char *content,
                       size_t size) {
  ink_text joined = {0};
  ink_text_add(&joined, a);
  ink_text_add(&joined, b);
  ink_text_add_bytes(&joined, content, size);
  if (s->status == INK_OK) s->status = ink_text_status(&joined, s->error);
  add_text(s, ink_text_string(&joined), joined.size);
  ink_text_free(&joined);
}

static bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static void add_turn(sequence *s, int layout, const char *role, const char *content, size_t size) {
  if (layouts[layout].trims) {
    for (; size > 0 && is_space(*content); content++) size--;
    while (size > 0 && is_space(content[size - 1])) size--;
  }
  add_special(s, layouts[layout].open);
  if (layouts[layout].close_role[0] == '\0') {
    add_joined(s, role, layouts[layout].after_role, content, size);
  } else {
    add_text(s, role, strlen(role));
    add_special(s, layouts[layout].close_role);
    add_joined(s, "", layouts[layout].after_role, content, size);
  }
}

ink_status ink_chat_encode(const ink_model *model, ink_chat_layout layout,
                           const ink_chat_message *messages, size_t n_message, int32_t **ids,
                           size_t *n, ink_error *error) {
  *ids = NULL;
  *n = 0;
  sequence s = {.model = model, .error = error};
  const char *text = ink_tokenizer_chat_template(model->tokenizer);
  int32_t bos = ink_tokenizer_bos(model->tokenizer);
  bool begins = layouts[layout].begins_with_bos || (text && strstr(text, "bos_token"));
  if (begins && bos >= 0) add_ids(&s, &bos, 1);
  for (size_t i = 0; i < n_message; i++) {
    add_turn(&s, (int)layout, messages[i].role, messages[i].content, strlen(messages[i].content));
    add_special(&s, layouts[layout].end);
    add_text(&s, layouts[layout].after_end, strlen(layouts[layout].after_end));
  }
  add_turn(&s, (int)layout, "assistant", "", 0);
  if (s.status != INK_OK) {
    free(s.ids);
    return s.status;
  }
  *ids = s.ids;
  *n = s.n;
  return INK_OK;
}
