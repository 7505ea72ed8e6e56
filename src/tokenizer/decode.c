// Decoders (Hugging Face tokenizers, decoders/*). The reference hands whole lists of tokens from
// one decoder to the next; here each step takes one token at a time and holds back what the next
// tokens may change, so that a text that is shown while it grows is the text at its end.
//
// After a step that fuses (FUSE, BYTE_LEVEL) there is one token, and the steps behind it see it in
// parts. A part is always well-formed UTF-8. A step that must see the whole of it collects it.
#include "tokenizer/decode.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/bytes.h"

typedef struct step_state {
  bool in_parts;  // the input is one token in parts
  bool collects;  // in parts, and they must be put together first
  bool began;
  size_t stripped;   // code points that STRIP has taken from the beginning
  bool strip_ended;  // it has met another one
  ink_text held;
} step_state;

struct ink_decoding {
  const ink_decoder *steps;
  size_t n;
  ink_matcher *matcher;
  step_state *states;
};

static bool fuses(ink_decoder_kind kind) {
  return kind == INK_DECODE_FUSE || kind == INK_DECODE_BYTE_LEVEL;
}

ink_decoding *ink_decoding_new(const ink_decoder *steps, size_t n) {
  ink_decoding *decoding = calloc(1, sizeof *decoding);
  if (!decoding) return NULL;
  *decoding = (ink_decoding){.steps = steps, .n = n, .matcher = ink_matcher_new()};
  decoding->states = calloc(n ? n : 1, sizeof *decoding->states);
  if (!decoding->states || !decoding->matcher) {
    ink_decoding_free(decoding);
    return NULL;
  }
  bool in_parts = false;
  for (size_t i = 0; i < n; i++) {
    step_state *state = &decoding->states[i];
    state->in_parts = in_parts;
    state->collects = in_parts && (steps[i].kind == INK_DECODE_BYTE_LEVEL ||
                                   steps[i].kind == INK_DECODE_BYTE_FALLBACK ||
                                   steps[i].kind == INK_DECODE_REPLACE ||
                                   (steps[i].kind == INK_DECODE_STRIP && steps[i].stop > 0));
    if (fuses(steps[i].kind)) in_parts = true;
  }
  return decoding;
}

void ink_decoding_free(ink_decoding *decoding) {
  if (!decoding) return;
  for (size_t i = 0; decoding->states && i < decoding->n; i++) {
    ink_text_free(&decoding->states[i].held);
  }
  free(decoding->states);
  ink_matcher_free(decoding->matcher);
  free(decoding);
}

// The byte of a fallback token "<0x1F>", -1 for any other.
static int fallback_byte(const char *token, size_t size) {
  if (size != 6 || memcmp(token, "<0x", 3) != 0 || token[5] != '>') return -1;
  int byte = 0;
  for (int i = 3; i < 5; i++) {
    char c = token[i];
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                       : -1;
    if (digit < 0) return -1;
    byte = byte << 4 | digit;
  }
  return byte;
}

static ink_status replace_all(const ink_decoder *step, ink_matcher *matcher, const char *token,
                              size_t size, ink_text *out, ink_error *error) {
  ink_matches matches = ink_matches_of(step->pattern, matcher, token, size);
  size_t copied = 0;
  for (;;) {
    ink_match match;
    INK_TRY(ink_matches_next(&matches, &match, error));
    if (!match.found) break;
    ink_text_add_bytes(out, token + copied, match.start - copied);
    ink_text_add_bytes(out, step->content, step->content_size);
    copied = match.end;
  }
  ink_text_add_bytes(out, token + copied, size - copied);
  return INK_OK;
}

// Cut from *token what STRIP takes from its two ends, of which the first was `stripped` already.
static void strip(const ink_decoder *step, step_state *state, const char **token, size_t *size,
                  bool whole) {
  char content[4];
  size_t length = ink_utf8_encode(step->rune, content);
  while (!state->strip_ended && *size) {
    if (state->stripped == step->start || *size < length || memcmp(*token, content, length) != 0) {
      state->strip_ended = true;
      break;
    }
    *token += length;
    *size -= length;
    state->stripped++;
  }
  for (size_t i = 0; whole && i < step->stop; i++) {
    if (*size < length || memcmp(*token + *size - length, content, length) != 0) break;
    *size -= length;
  }
}

static void unspace(const ink_decoder *step, bool first, const char *token, size_t size,
                    ink_text *out) {
  char content[4];
  size_t length = ink_utf8_encode(step->rune, content);
  for (size_t at = 0; at < size;) {
    if (size - at >= length && memcmp(token + at, content, length) == 0) {
      if (!first || !step->drop_first) ink_text_add(out, " ");
      at += length;
    } else {
      ink_text_add_bytes(out, token + at, 1);
      at++;
    }
  }
}

static ink_status push(ink_decoding *decoding, size_t which, const char *token, size_t size,
                       ink_text *text, ink_error *error);

// Hand a step's held bytes on as one token.
static ink_status push_held(ink_decoding *decoding, size_t which, ink_text *text,
                            ink_error *error) {
  ink_text *held = &decoding->states[which].held;
  INK_TRY(ink_text_status(held, error));
  ink_status status = push(decoding, which + 1, ink_text_string(held), held->size, text, error);
  ink_text_clear(held);
  return status;
}

// The bytes gathered so far, as text: what is ill-formed becomes U+FFFD; an unfinished character at
// the end stays, unless this is the end.
static ink_status push_bytes(ink_decoding *decoding, size_t which, bool end, ink_text *text,
                             ink_error *error) {
  ink_text *held = &decoding->states[which].held;
  INK_TRY(ink_text_status(held, error));
  const char *bytes = ink_text_string(held);
  size_t ready = held->size, at = 0;
  while (!end && !ink_utf8_valid(bytes + at, held->size - at, &ready)) {
    bool incomplete;
    ready += at;
    size_t bad = ink_utf8_ill_formed(bytes + ready, held->size - ready, &incomplete);
    if (incomplete) break;
    at = ready + bad;
    ready = held->size;
  }
  if (ready == 0) return INK_OK;
  ink_status status;
  if (ink_utf8_valid(bytes, ready, NULL)) {
    status = push(decoding, which + 1, bytes, ready, text, error);
  } else {
    ink_text clean = {0};
    ink_text_add_lossy(&clean, bytes, ready);
    status = ink_text_status(&clean, error);
    if (status == INK_OK) {
      status = push(decoding, which + 1, clean.bytes, clean.size, text, error);
    }
    ink_text_free(&clean);
  }
  memmove(held->bytes, held->bytes + ready, held->size - ready);
  held->size -= ready;
  held->bytes[held->size] = 0;
  return status;
}

// A run of fallback bytes has ended: text when all of it is, else one U+FFFD for each byte.
static ink_status push_run(ink_decoding *decoding, size_t which, ink_text *text, ink_error *error) {
  ink_text *held = &decoding->states[which].held;
  if (!held->size) return INK_OK;
  if (ink_utf8_valid(held->bytes, held->size, NULL)) {
    return push_held(decoding, which, text, error);
  }
  size_t n = held->size;
  ink_text_clear(held);
  for (size_t i = 0; i < n; i++) {
    INK_TRY(push(decoding, which + 1, "\xEF\xBF\xBD", 3, text, error));
  }
  return INK_OK;
}

static ink_status apply(ink_decoding *decoding, size_t which, const char *token, size_t size,
                        bool whole, ink_text *text, ink_error *error) {
  const ink_decoder *step = &decoding->steps[which];
  step_state *state = &decoding->states[which];
  bool first = !state->began || state->in_parts;
  bool began = state->began;
  state->began = true;
  switch (step->kind) {
    case INK_DECODE_BYTE_LEVEL:
      // A spelling outside the alphabet, as added tokens may have, stands for itself.
      if (!ink_bytes_unspell(&state->held, token, size)) {
        ink_text_add_bytes(&state->held, token, size);
      }
      return push_bytes(decoding, which, false, text, error);
    case INK_DECODE_BYTE_FALLBACK: {
      int byte = fallback_byte(token, size);
      if (byte >= 0) {
        char c = (char)byte;
        ink_text_add_bytes(&state->held, &c, 1);
        return ink_text_status(&state->held, error);
      }
      INK_TRY(push_run(decoding, which, text, error));
      return push(decoding, which + 1, token, size, text, error);
    }
    case INK_DECODE_REPLACE:
      ink_text_clear(&state->held);
      INK_TRY(replace_all(step, decoding->matcher, token, size, &state->held, error));
      return push_held(decoding, which, text, error);
    case INK_DECODE_STRIP:
      if (whole) {
        state->stripped = 0;
        state->strip_ended = false;
      }
      strip(step, state, &token, &size, whole);
      return push(decoding, which + 1, token, size, text, error);
    case INK_DECODE_METASPACE:
      ink_text_clear(&state->held);
      unspace(step, first, token, size, &state->held);
      return push_held(decoding, which, text, error);
    case INK_DECODE_SPACES:
      if (began && !state->in_parts) INK_TRY(push(decoding, which + 1, " ", 1, text, error));
      return push(decoding, which + 1, token, size, text, error);
    case INK_DECODE_FUSE:
      return push(decoding, which + 1, token, size, text, error);
  }
  return INK_OK;
}

static ink_status push(ink_decoding *decoding, size_t which, const char *token, size_t size,
                       ink_text *text, ink_error *error) {
  if (which == decoding->n) {
    ink_text_add_bytes(text, token, size);
    return ink_text_status(text, error);
  }
  step_state *state = &decoding->states[which];
  if (state->collects) {
    ink_text_add_bytes(&state->held, token, size);
    return ink_text_status(&state->held, error);
  }
  return apply(decoding, which, token, size, !state->in_parts, text, error);
}

ink_status ink_decoding_push(ink_decoding *decoding, const char *token, size_t size, ink_text *text,
                             ink_error *error) {
  return push(decoding, 0, token, size, text, error);
}

ink_status ink_decoding_finish(ink_decoding *decoding, ink_text *text, ink_error *error) {
  ink_status status = INK_OK;
  for (size_t i = 0; i < decoding->n; i++) {
    step_state *state = &decoding->states[i];
    if (state->collects && status == INK_OK) {
      // The token is whole now; the steps still take it for a part of one, which is no matter.
      ink_text token = state->held;
      state->held = (ink_text){0};
      status = ink_text_status(&token, error);
      if (status == INK_OK) {
        status = apply(decoding, i, ink_text_string(&token), token.size, true, text, error);
      }
      ink_text_free(&token);
    }
    if (status == INK_OK && decoding->steps[i].kind == INK_DECODE_BYTE_LEVEL) {
      status = push_bytes(decoding, i, true, text, error);
    }
    if (status == INK_OK && decoding->steps[i].kind == INK_DECODE_BYTE_FALLBACK) {
      status = push_run(decoding, i, text, error);
    }
  }
  for (size_t i = 0; i < decoding->n; i++) {
    step_state *state = &decoding->states[i];
    ink_text_clear(&state->held);
    state->held.failed = false;
    state->began = state->strip_ended = false;
    state->stripped = 0;
  }
  return status;
}

ink_status ink_decoder_bytes(const ink_decoder *steps, size_t n, ink_matcher *matcher,
                             const char *token, size_t size, ink_text *bytes, ink_error *error) {
  ink_text now = {0}, next = {0};
  ink_text_add_bytes(&now, token, size);
  bool fused = false;
  ink_status status = INK_OK;
  for (size_t i = 0; i < n && status == INK_OK; i++) {
    const ink_decoder *step = &steps[i];
    ink_text_clear(&next);
    const char *at = ink_text_string(&now);
    size_t left = now.size;
    step_state state = {0};
    switch (step->kind) {
      case INK_DECODE_BYTE_LEVEL:
        if (!ink_bytes_unspell(&next, at, left)) ink_text_add_bytes(&next, at, left);
        break;
      case INK_DECODE_BYTE_FALLBACK: {
        int byte = fallback_byte(at, left);
        char c = (char)byte;
        ink_text_add_bytes(&next, byte >= 0 ? &c : at, byte >= 0 ? 1 : left);
        break;
      }
      case INK_DECODE_REPLACE:
        // A pattern sees characters; a token of single bytes may hold a part of one.
        if (ink_utf8_valid(at, left, NULL)) {
          status = replace_all(step, matcher, at, left, &next, error);
        } else {
          ink_text_add_bytes(&next, at, left);
        }
        break;
      case INK_DECODE_STRIP:
        if (!fused) strip(step, &state, &at, &left, true);
        ink_text_add_bytes(&next, at, left);
        break;
      case INK_DECODE_METASPACE:
        unspace(step, false, at, left, &next);
        break;
      case INK_DECODE_FUSE:
      case INK_DECODE_SPACES:
        ink_text_add_bytes(&next, at, left);
        break;
    }
    fused = fused || fuses(step->kind);
    ink_text swap = now;
    now = next;
    next = swap;
  }
  if (status == INK_OK) status = ink_text_status(&now, error);
  if (status == INK_OK) status = ink_text_status(&next, error);
  if (status == INK_OK) ink_text_add_bytes(bytes, ink_text_string(&now), now.size);
  if (status == INK_OK) status = ink_text_status(bytes, error);
  ink_text_free(&now);
  ink_text_free(&next);
  return status;
}
