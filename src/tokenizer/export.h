// An open tokenizer written down again in the other format: as GGUF metadata, or as the files of a
// Hugging Face folder. What the other format cannot say is UNSUPPORTED, never left out in silence.
#ifndef INK_TOKENIZER_EXPORT_H
#define INK_TOKENIZER_EXPORT_H

#include <jansson.h>

#include "tokenizer/tokenizer.h"

struct ink_gguf_writer;

// Add tokenizer.ggml.* and tokenizer.chat_template as llama.cpp's converter does. Tables of a model
// may have more rows than there are tokens: `n_vocab` of them are named, the rest as "[PADn]".
// Byte-level BPE needs a pattern that has a name in GGUF; other BPE needs bytes to fall back on and
// merges that scores can tell (vocabularies of characters, and what comes from SentencePiece).
// CONFLICT when there are more tokens than n_vocab.
ink_status ink_tokenizer_put_gguf(const ink_tokenizer *tokenizer, size_t n_vocab,
                                  struct ink_gguf_writer *writer, ink_error *error);

// A tokenizer that came from GGUF as tokenizer.json, tokenizer_config.json (with the chat template)
// and the ids that generation_config.json and config.json name: bos_token_id, eos_token_id (a list
// where there are several), pad_token_id. The three objects are the caller's. `context` goes into
// model_max_length.
ink_status ink_tokenizer_to_json(const ink_tokenizer *tokenizer, int64_t context, json_t **document,
                                 json_t **config, json_t **roles, ink_error *error);

#endif
