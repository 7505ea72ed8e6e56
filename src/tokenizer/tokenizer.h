// Text to token ids and back, exactly as the model's own tokenizer does it. Follows the behaviour
// of Hugging Face tokenizers (tokenizer.json, vocab.json + merges.txt) and the GGUF vocabularies of
// the kinds `gpt2` (byte-level BPE; Radford et al. 2019, section 2.2) and `llama` (SentencePiece
// BPE with scores; Kudo and Richardson 2018).
//
// An open tokenizer never changes: any number of threads may use one at the same time.
//
// Text is UTF-8. Where it is ill-formed, each maximal ill-formed part counts as U+FFFD (Unicode 15,
// section 3.9, "substitution of maximal subparts"), which is what Rust's and Python's lossy
// decoding hand to the reference implementation.
#ifndef INK_TOKENIZER_TOKENIZER_H
#define INK_TOKENIZER_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/text.h"

typedef struct ink_tokenizer ink_tokenizer;
struct ink_gguf;

// -- Opening -------------------------------------------------------------------------------------

// Open the tokenizer at `path`, which is one of
//   - a model folder: tokenizer.json, or else vocab.json + merges.txt; beside them
//     tokenizer_config.json, special_tokens_map.json, added_tokens.json, generation_config.json,
//     config.json and chat_template.jinja are read where they are;
//   - a tokenizer.json (the files above are looked for beside it);
//   - a .gguf file.
// *out is the caller's (ink_tokenizer_free); NULL on failure. What the file asks for and we cannot
// do is UNSUPPORTED, what contradicts its format is FORMAT; both name the file and, for JSON, the
// pointer to the place.
ink_status ink_tokenizer_open(const char *path, ink_tokenizer **out, ink_error *error);

// Files of a model folder that are in memory, as an embedded model has them. Absent ones are NULL.
typedef struct ink_tokenizer_files {
  const char *name;       // what errors call the tokenizer
  const char *tokenizer;  // tokenizer.json; required
  size_t tokenizer_size;
  const char *config;  // tokenizer_config.json
  size_t config_size;
  const char *generation;  // generation_config.json
  size_t generation_size;
  const char *chat_template;  // chat_template.jinja
  size_t chat_template_size;
} ink_tokenizer_files;

// As ink_tokenizer_open for files in memory; they may be released afterwards.
ink_status ink_tokenizer_from_memory(const ink_tokenizer_files *files, ink_tokenizer **out,
                                     ink_error *error);

// From the metadata of an open GGUF file (keys tokenizer.ggml.* and tokenizer.chat_template), which
// may be closed afterwards. The pattern of a `gpt2` vocabulary is known by its name alone there
// (tokenizer.ggml.pre): a name we hold no pattern for is UNSUPPORTED, never guessed.
ink_status ink_tokenizer_from_gguf(const struct ink_gguf *file, ink_tokenizer **out,
                                   ink_error *error);

void ink_tokenizer_free(ink_tokenizer *tokenizer);

// -- Encoding ------------------------------------------------------------------------------------

enum {
  INK_ENCODE_PLAIN = 0,
  // Recognise special tokens written out in the text ("<|im_start|>"). Without it their letters are
  // encoded as letters, so that text from outside cannot forge a turn of a chat.
  INK_ENCODE_SPECIAL = 1 << 0,
  // Put around the ids what the file's post-processor adds (BOS, EOS), as the reference does with
  // add_special_tokens=True.
  INK_ENCODE_AFFIX = 1 << 1
};

// Encode text[0 … size), at most 2 GiB. *ids (n of them) is malloc'ed and the caller's; it is not
// NULL on success, even when n is 0. Time grows linearly with `size` whatever the text. A character
// that has no token, no byte fallback and no unknown token leaves no id, as in the reference. Fails
// with UNSUPPORTED when the file's pattern exceeds the matching limit on this text, with FORMAT
// when the unknown token is needed and missing, and with MEMORY.
ink_status ink_tokenizer_encode(const ink_tokenizer *tokenizer, const char *text, size_t size,
                                unsigned flags, int32_t **ids, size_t *n, ink_error *error);

// -- Decoding ------------------------------------------------------------------------------------

enum {
  INK_DECODE_PLAIN = 0,
  INK_DECODE_SKIP_SPECIAL = 1 << 0  // leave special tokens out
};

// Append the text of ids[0 … n) to *text: well-formed UTF-8, with U+FFFD where the tokens' bytes
// are not. An id that no token has adds nothing, as in the reference: embeddings may have more rows
// than the vocabulary has tokens.
ink_status ink_tokenizer_decode(const ink_tokenizer *tokenizer, const int32_t *ids, size_t n,
                                unsigned flags, ink_text *text, ink_error *error);

// Decoding token by token. Bytes that may yet become a character, or whose text depends on the next
// token, are held back; what all pushes and the finish append is, byte for byte, what
// ink_tokenizer_decode gives for the whole sequence.
typedef struct ink_token_stream ink_token_stream;

// A new stream over a tokenizer, which must outlive it. NULL without memory.
ink_token_stream *ink_token_stream_new(const ink_tokenizer *tokenizer, unsigned flags);
void ink_token_stream_free(ink_token_stream *stream);
// Append to *text what the next id settles (often nothing). Fails only without memory.
ink_status ink_token_stream_push(ink_token_stream *stream, int32_t id, ink_text *text,
                                 ink_error *error);
// Append what was held back; the stream then stands as new.
ink_status ink_token_stream_finish(ink_token_stream *stream, ink_text *text, ink_error *error);

// -- The vocabulary ------------------------------------------------------------------------------

// One more than the highest id. There may be ids below it that no token has.
size_t ink_tokenizer_size(const ink_tokenizer *tokenizer);

// The token as the vocabulary spells it ("Ġthe", "▁the", "<0x0A>"), NUL-terminated; NULL for an id
// that no token has. Valid as long as the tokenizer.
const char *ink_tokenizer_token(const ink_tokenizer *tokenizer, int32_t id);

// The bytes that the token stands for in running text (" the", "\n"); they need not be well-formed
// UTF-8. Returns NULL, and *size 0, for an id that no token has. For special tokens the bytes are
// their spelling. Valid as long as the tokenizer.
const char *ink_tokenizer_bytes(const ink_tokenizer *tokenizer, int32_t id, size_t *size);

// The id of a token by its spelling, -1 when there is none.
int32_t ink_tokenizer_id(const ink_tokenizer *tokenizer, const char *token, size_t size);

// True for control tokens (BOS, turn marks …), which are not part of the text.
bool ink_tokenizer_is_special(const ink_tokenizer *tokenizer, int32_t id);

// Ids with a role, -1 where the files name none.
int32_t ink_tokenizer_bos(const ink_tokenizer *tokenizer);
int32_t ink_tokenizer_eos(const ink_tokenizer *tokenizer);
int32_t ink_tokenizer_pad(const ink_tokenizer *tokenizer);
int32_t ink_tokenizer_unknown(const ink_tokenizer *tokenizer);

// All ids that end a generation: EOS, and the end-of-turn and further ids that generation_config,
// tokenizer_config or the GGUF keys name. *n of them, ascending; valid as long as the tokenizer.
const int32_t *ink_tokenizer_ends(const ink_tokenizer *tokenizer, size_t *n);
bool ink_tokenizer_is_end(const ink_tokenizer *tokenizer, int32_t id);

// The chat template (Jinja source) as the files hold it, NULL when there is none. Of several named
// ones it is "default".
const char *ink_tokenizer_chat_template(const ink_tokenizer *tokenizer);

#endif
