// Chat layouts: how a conversation becomes one sequence of tokens. The two that are known are told
// from the template text of the model; Jinja itself is not run.
#ifndef INK_LLM_CHAT_H
#define INK_LLM_CHAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct ink_model;

typedef enum ink_chat_layout {
  INK_CHAT_CHATML,  // <|im_start|>role\ncontent<|im_end|>\n
  INK_CHAT_LLAMA3   // <|start_header_id|>role<|end_header_id|>\n\ncontent<|eot_id|>
} ink_chat_layout;

// "chatml", "llama3"; UNSUPPORTED lists what is known.
ink_status ink_chat_layout_parse(const char *name, ink_chat_layout *layout, ink_error *error);
const char *ink_chat_layout_name(ink_chat_layout layout);
// Tell the layout of a model from its chat template and special tokens. UNSUPPORTED, naming
// --template, when it is none of these.
ink_status ink_chat_detect(const struct ink_model *model, ink_chat_layout *layout,
                           ink_error *error);

typedef struct ink_chat_message {
  const char *role;  // "system", "user", "assistant"
  const char *content;
} ink_chat_message;

// The ids of a conversation with the opening of the assistant's next turn, in malloc'ed memory the
// caller frees. Text of messages never becomes a special token.
ink_status ink_chat_encode(const struct ink_model *model, ink_chat_layout layout,
                           const ink_chat_message *messages, size_t n_message, int32_t **ids,
                           size_t *n, ink_error *error);
// The token that ends a turn, or -1 when the vocabulary lacks it.
int32_t ink_chat_end_token(const struct ink_model *model, ink_chat_layout layout);

#endif
