// Reading tokenizer.json (Hugging Face tokenizers, version 1.0), vocab.json with merges.txt, and
// the files that lie beside them.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/bytes.h"
#include "tokenizer/internal.h"
#include "tokenizer/scan.h"
#include "tokenizer/unicode.h"

enum {
  POINTER = 256,  // bytes of a JSON pointer in an error
  NESTING = 16    // sequences inside sequences
};

// Where in which file: "tokenizer.json: /pre_tokenizer/pattern".
typedef struct place {
  char text[POINTER];
} place;

static place place_at(const char *name, const char *pointer) {
  place p;
  if (snprintf(p.text, sizeof p.text, "%s: %s", name, pointer) >= (int)sizeof p.text) {
    // The pointer matters more than the folders that lead to the file.
    snprintf(p.text, sizeof p.text, "…%s: %s", name + (strlen(name) > 64 ? strlen(name) - 64 : 0),
             pointer);
  }
  return p;
}

static place place_member(const place *parent, const char *key) {
  place p;
  size_t length = strlen(parent->text);
  memcpy(p.text, parent->text, length + 1);
  // RFC 6901 writes ~ and / inside a key as ~0 and ~1.
  if (length + 1 < POINTER) p.text[length++] = '/';
  for (; *key && length + 3 < POINTER; key++) {
    if (*key == '~' || *key == '/') {
      p.text[length++] = '~';
      p.text[length++] = *key == '~' ? '0' : '1';
    } else {
      p.text[length++] = *key;
    }
  }
  p.text[length < POINTER ? length : POINTER - 1] = 0;
  return p;
}

static place place_item(const place *parent, size_t index) {
  char key[32];
  snprintf(key, sizeof key, "%zu", index);
  return place_member(parent, key);
}

static ink_status bad(const ink_building *b, const place *at, const char *what) {
  return ink_fail(b->error, INK_ERR_FORMAT, "%s: %s", at->text, what);
}

static ink_status unsupported(const ink_building *b, const place *at, const char *type) {
  return ink_fail(b->error, INK_ERR_UNSUPPORTED, "%s: the type “%s” is not supported", at->text,
                  type);
}

// -- Typed members -------------------------------------------------------------------------------

static const json_t *member(const json_t *node, const char *key) {
  const json_t *value = json_object_get(node, key);
  return json_is_null(value) ? NULL : value;
}

// NULL in *out when the member is absent or null, which is an error if it is required.
static ink_status get_string(const ink_building *b, const json_t *node, const place *at,
                             const char *key, bool required, const char **out) {
  const json_t *value = member(node, key);
  *out = NULL;
  if (!value && !required) return INK_OK;
  if (!json_is_string(value)) {
    place here = place_member(at, key);
    return bad(b, &here, "must be a string");
  }
  *out = json_string_value(value);
  return INK_OK;
}

static ink_status get_bool(const ink_building *b, const json_t *node, const place *at,
                           const char *key, bool required, bool *out) {
  const json_t *value = member(node, key);
  if (!value && !required) return INK_OK;
  if (!json_is_boolean(value)) {
    place here = place_member(at, key);
    return bad(b, &here, "must be true or false");
  }
  *out = json_is_true(value);
  return INK_OK;
}

static ink_status get_count(const ink_building *b, const json_t *node, const place *at,
                            const char *key, int64_t most, int64_t *out) {
  const json_t *value = member(node, key);
  if (!json_is_integer(value) || json_integer_value(value) < 0 ||
      json_integer_value(value) > most) {
    place here = place_member(at, key);
    return ink_fail(b->error, INK_ERR_FORMAT, "%s: must be a whole number from 0 to %lld",
                    here.text, (long long)most);
  }
  *out = json_integer_value(value);
  return INK_OK;
}

static ink_status get_array(const ink_building *b, const json_t *node, const place *at,
                            const char *key, const json_t **out) {
  *out = member(node, key);
  if (json_is_array(*out)) return INK_OK;
  place here = place_member(at, key);
  return bad(b, &here, "must be an array");
}

// A string of one character.
static ink_status get_rune(const ink_building *b, const json_t *node, const place *at,
                           const char *key, uint32_t *out) {
  const char *text;
  INK_TRY(get_string(b, node, at, key, true, &text));
  int32_t rune;
  size_t length = ink_utf8_decode(text, strlen(text), &rune);
  if (length == 0 || text[length]) {
    place here = place_member(at, key);
    return bad(b, &here, "must be one character");
  }
  *out = (uint32_t)rune;
  return INK_OK;
}

static ink_status get_type(const ink_building *b, const json_t *node, const place *at,
                           const char **type) {
  if (!json_is_object(node)) return bad(b, at, "must be an object");
  return get_string(b, node, at, "type", true, type);
}

// {"String": …} or {"Regex": …}.
static ink_status get_pattern(ink_building *b, const json_t *node, const place *at,
                              ink_pattern **out) {
  const json_t *value = member(node, "pattern");
  place here = place_member(at, "pattern");
  const char *literal, *regex;
  if (!json_is_object(value)) return bad(b, &here, "must be an object");
  INK_TRY(get_string(b, value, &here, "String", false, &literal));
  INK_TRY(get_string(b, value, &here, "Regex", false, &regex));
  if (!literal == !regex) return bad(b, &here, "must have either String or Regex");
  if (literal) {
    INK_TRY(ink_pattern_literal(literal, strlen(literal), here.text, out, b->error));
  } else {
    INK_TRY(ink_pattern_regex(regex, strlen(regex), here.text, out, b->error));
  }
  return ink_building_keep(b, *out);
}

static ink_status get_content(ink_building *b, const json_t *node, const place *at, const char *key,
                              const char **content, size_t *size) {
  const char *text;
  INK_TRY(get_string(b, node, at, key, true, &text));
  *size = strlen(text);
  return ink_building_copy(b, text, *size, content);
}

// A sequence: each item of the array `key` through `read`, in order.
typedef ink_status (*read_step)(ink_building *b, const json_t *node, const place *at, int depth);

static ink_status read_sequence(ink_building *b, const json_t *node, const place *at,
                                const char *key, read_step read, int depth) {
  const json_t *items;
  INK_TRY(get_array(b, node, at, key, &items));
  if (depth == NESTING) return bad(b, at, "too many sequences inside each other");
  place list = place_member(at, key);
  for (size_t i = 0; i < json_array_size(items); i++) {
    place here = place_item(&list, i);
    INK_TRY(read(b, json_array_get(items, i), &here, depth + 1));
  }
  return INK_OK;
}

static ink_status too_many(const ink_building *b, const place *at) {
  return ink_fail(b->error, INK_ERR_UNSUPPORTED, "%s: more than %d steps", at->text,
                  INK_TOKENIZER_STEPS);
}

// -- Normalizers ---------------------------------------------------------------------------------

static ink_status read_normalizer(ink_building *b, const json_t *node, const place *at, int depth) {
  static const struct {
    const char *type;
    ink_normalizer_kind kind;
  } kinds[] = {{"NFC", INK_NORMALIZE_NFC},
               {"NFD", INK_NORMALIZE_NFD},
               {"NFKC", INK_NORMALIZE_NFKC},
               {"NFKD", INK_NORMALIZE_NFKD},
               {"Lowercase", INK_NORMALIZE_LOWERCASE},
               {"Strip", INK_NORMALIZE_STRIP},
               {"StripAccents", INK_NORMALIZE_STRIP_ACCENTS},
               {"Replace", INK_NORMALIZE_REPLACE},
               {"Prepend", INK_NORMALIZE_PREPEND},
               {"ByteLevel", INK_NORMALIZE_BYTE_LEVEL}};
  const char *type;
  INK_TRY(get_type(b, node, at, &type));
  if (strcmp(type, "Sequence") == 0) {
    return read_sequence(b, node, at, "normalizers", read_normalizer, depth);
  }
  size_t which = 0, n = sizeof kinds / sizeof kinds[0];
  while (which < n && strcmp(type, kinds[which].type) != 0) which++;
  if (which == n) return unsupported(b, at, type);
  ink_tokenizer *t = b->tokenizer;
  if (t->n_normalizers == INK_TOKENIZER_STEPS) return too_many(b, at);
  ink_normalizer step = {.kind = kinds[which].kind};
  if (step.kind == INK_NORMALIZE_STRIP) {
    INK_TRY(get_bool(b, node, at, "strip_left", true, &step.left));
    INK_TRY(get_bool(b, node, at, "strip_right", true, &step.right));
  } else if (step.kind == INK_NORMALIZE_REPLACE) {
    INK_TRY(get_pattern(b, node, at, &step.pattern));
    INK_TRY(get_content(b, node, at, "content", &step.content, &step.content_size));
  } else if (step.kind == INK_NORMALIZE_PREPEND) {
    INK_TRY(get_content(b, node, at, "prepend", &step.content, &step.content_size));
  }
  t->normalizers[t->n_normalizers++] = step;
  return INK_OK;
}

// -- Pre-tokenizers ------------------------------------------------------------------------------

// The pattern of GPT-2 (gpt-2, src/encoder.py), which the step ByteLevel has built in.
#define GPT2_REGEX \
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
// The step Whitespace has its pattern in another dialect, whose \w also holds the join controls.
#define WORD_CLASS "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200c}\\x{200d}"
#define WHITESPACE_REGEX "[" WORD_CLASS "]+|[^\\s" WORD_CLASS "]+"

static ink_status get_behavior(const ink_building *b, const json_t *node, const place *at,
                               bool required, ink_split_behavior *out) {
  static const char *const names[] = {[INK_SPLIT_REMOVED] = "Removed",
                                      [INK_SPLIT_ISOLATED] = "Isolated",
                                      [INK_SPLIT_MERGED_WITH_PREVIOUS] = "MergedWithPrevious",
                                      [INK_SPLIT_MERGED_WITH_NEXT] = "MergedWithNext",
                                      [INK_SPLIT_CONTIGUOUS] = "Contiguous"};
  const char *name;
  INK_TRY(get_string(b, node, at, "behavior", required, &name));
  if (!name) return INK_OK;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(name, names[i]) == 0) {
      *out = (ink_split_behavior)i;
      return INK_OK;
    }
  }
  place here = place_member(at, "behavior");
  return bad(b, &here, "is not a known behaviour");
}

static ink_status add_splitter(ink_building *b, const ink_splitter *step, const place *at) {
  ink_tokenizer *t = b->tokenizer;
  if (t->n_splitters == INK_TOKENIZER_STEPS) return too_many(b, at);
  t->splitters[t->n_splitters++] = *step;
  return INK_OK;
}

static ink_status add_runes_splitter(ink_building *b, bool (*is)(int32_t rune),
                                     ink_split_behavior behavior, const place *at) {
  ink_splitter step = {.kind = INK_SPLITTER_PATTERN, .behavior = behavior};
  INK_TRY(ink_pattern_runes(is, &step.pattern, b->error));
  INK_TRY(ink_building_keep(b, step.pattern));
  return add_splitter(b, &step, at);
}

static ink_status get_prepend(const ink_building *b, const json_t *node, const place *at,
                              ink_prepend *out) {
  static const char *const names[] = {[INK_PREPEND_NEVER] = "never",
                                      [INK_PREPEND_FIRST] = "first",
                                      [INK_PREPEND_ALWAYS] = "always"};
  const char *scheme;
  INK_TRY(get_string(b, node, at, "prepend_scheme", false, &scheme));
  *out = INK_PREPEND_ALWAYS;
  size_t n = sizeof names / sizeof names[0], which = 0;
  if (scheme) {
    while (which < n && strcmp(scheme, names[which]) != 0) which++;
    place here = place_member(at, "prepend_scheme");
    if (which == n) return bad(b, &here, "must be always, first or never");
    *out = (ink_prepend)which;
  }
  bool prefix = true;
  INK_TRY(get_bool(b, node, at, "add_prefix_space", false, &prefix));
  if (!prefix) {
    if (scheme && *out != INK_PREPEND_NEVER) {
      return bad(b, at, "add_prefix_space and prepend_scheme contradict each other");
    }
    *out = INK_PREPEND_NEVER;
  }
  return INK_OK;
}

static ink_status read_metaspace(ink_building *b, const json_t *node, const place *at) {
  uint32_t rune = 0;
  char text[4];
  INK_TRY(get_rune(b, node, at, "replacement", &rune));
  size_t size = ink_utf8_encode(rune, text);
  ink_splitter spaces = {.kind = INK_SPLITTER_METASPACE, .content_size = size};
  INK_TRY(get_prepend(b, node, at, &spaces.prepend));
  INK_TRY(ink_building_copy(b, text, size, &spaces.content));
  INK_TRY(add_splitter(b, &spaces, at));
  bool split = true;
  INK_TRY(get_bool(b, node, at, "split", false, &split));
  if (!split) return INK_OK;
  ink_splitter step = {.kind = INK_SPLITTER_PATTERN, .behavior = INK_SPLIT_MERGED_WITH_NEXT};
  INK_TRY(ink_pattern_literal(text, size, at->text, &step.pattern, b->error));
  INK_TRY(ink_building_keep(b, step.pattern));
  return add_splitter(b, &step, at);
}

static ink_status read_byte_level(ink_building *b, const json_t *node, const place *at) {
  bool prefix = false, regex = true;
  INK_TRY(get_bool(b, node, at, "add_prefix_space", true, &prefix));
  INK_TRY(get_bool(b, node, at, "use_regex", false, &regex));
  ink_splitter space = {.kind = INK_SPLITTER_PREFIX_SPACE}, bytes = {.kind = INK_SPLITTER_BYTES};
  if (prefix) INK_TRY(add_splitter(b, &space, at));
  if (regex) INK_TRY(ink_building_add_regex_split(b, GPT2_REGEX, strlen(GPT2_REGEX), at->text));
  return add_splitter(b, &bytes, at);
}

static ink_status read_splitter(ink_building *b, const json_t *node, const place *at, int depth) {
  const char *type;
  INK_TRY(get_type(b, node, at, &type));
  if (strcmp(type, "Sequence") == 0) {
    return read_sequence(b, node, at, "pretokenizers", read_splitter, depth);
  }
  if (strcmp(type, "ByteLevel") == 0) return read_byte_level(b, node, at);
  if (strcmp(type, "Metaspace") == 0) return read_metaspace(b, node, at);
  ink_splitter step = {.kind = INK_SPLITTER_PATTERN, .behavior = INK_SPLIT_ISOLATED};
  if (strcmp(type, "Split") == 0) {
    INK_TRY(get_behavior(b, node, at, true, &step.behavior));
    INK_TRY(get_bool(b, node, at, "invert", true, &step.invert));
    INK_TRY(get_pattern(b, node, at, &step.pattern));
    return add_splitter(b, &step, at);
  }
  if (strcmp(type, "Punctuation") == 0) {
    INK_TRY(get_behavior(b, node, at, false, &step.behavior));
    return add_runes_splitter(b, ink_rune_is_punctuation, step.behavior, at);
  }
  if (strcmp(type, "Digits") == 0) {
    bool single = false;
    INK_TRY(get_bool(b, node, at, "individual_digits", true, &single));
    return add_runes_splitter(b, ink_rune_is_numeric,
                              single ? INK_SPLIT_ISOLATED : INK_SPLIT_CONTIGUOUS, at);
  }
  if (strcmp(type, "WhitespaceSplit") == 0) {
    return add_runes_splitter(b, ink_rune_is_space, INK_SPLIT_REMOVED, at);
  }
  step.behavior = INK_SPLIT_REMOVED;
  if (strcmp(type, "Whitespace") == 0) {
    step.invert = true;
    INK_TRY(ink_pattern_regex(WHITESPACE_REGEX, strlen(WHITESPACE_REGEX), at->text, &step.pattern,
                              b->error));
  } else if (strcmp(type, "CharDelimiterSplit") == 0) {
    uint32_t rune = 0;
    char text[4];
    INK_TRY(get_rune(b, node, at, "delimiter", &rune));
    INK_TRY(
        ink_pattern_literal(text, ink_utf8_encode(rune, text), at->text, &step.pattern, b->error));
  } else {
    return unsupported(b, at, type);
  }
  INK_TRY(ink_building_keep(b, step.pattern));
  return add_splitter(b, &step, at);
}

// -- Post-processors -----------------------------------------------------------------------------

// Put ids outside those that are there already.
static ink_status wrap(ink_building *b, const ink_ids *before, const ink_ids *after) {
  ink_tokenizer *t = b->tokenizer;
  for (size_t i = 0; i < before->n; i++) ink_ids_add(&t->prefix, before->at[i]);
  if (before->n && !t->prefix.failed) {  // the new ones come first
    size_t old = t->prefix.n - before->n;
    memmove(t->prefix.at + before->n, t->prefix.at, old * sizeof *t->prefix.at);
    memcpy(t->prefix.at, before->at, before->n * sizeof *t->prefix.at);
  }
  for (size_t i = 0; i < after->n; i++) ink_ids_add(&t->suffix, after->at[i]);
  if (before->failed || after->failed || t->prefix.failed || t->suffix.failed) {
    return ink_fail(b->error, INK_ERR_MEMORY, "%s: no memory for the tokenizer", t->name);
  }
  return INK_OK;
}

// The ids of a special token that a template names.
static ink_status add_template_token(ink_building *b, const json_t *node, const char *name,
                                     const place *at, ink_ids *ids) {
  place tokens = place_member(at, "special_tokens"), here = place_member(&tokens, name);
  const json_t *entry = member(member(node, "special_tokens"), name), *list;
  if (!json_is_object(entry)) return bad(b, &here, "must be an object: the template needs it");
  INK_TRY(get_array(b, entry, &here, "ids", &list));
  place list_place = place_member(&here, "ids");
  for (size_t i = 0; i < json_array_size(list); i++) {
    const json_t *id = json_array_get(list, i);
    if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= INT32_MAX) {
      place item = place_item(&list_place, i);
      return bad(b, &item, "must be a token id");
    }
    ink_ids_add(ids, (int32_t)json_integer_value(id));
  }
  return INK_OK;
}

static ink_status read_template_into(ink_building *b, const json_t *node, const place *at,
                                     ink_ids *before, ink_ids *after) {
  const json_t *single;
  INK_TRY(get_array(b, node, at, "single", &single));
  place list = place_member(at, "single");
  bool seen = false;
  for (size_t i = 0; i < json_array_size(single); i++) {
    place here = place_item(&list, i);
    const json_t *piece = json_array_get(single, i);
    const json_t *sequence = member(piece, "Sequence"), *special = member(piece, "SpecialToken");
    const char *id;
    if (!sequence == !special) return bad(b, &here, "must have either Sequence or SpecialToken");
    INK_TRY(get_string(b, sequence ? sequence : special, &here, "id", true, &id));
    if (special) {
      INK_TRY(add_template_token(b, node, id, at, seen ? after : before));
    } else if (strcmp(id, "A") != 0 || seen) {
      return bad(b, &here, "must be the sequence A, and only once");
    } else {
      seen = true;
    }
  }
  if (!seen) return bad(b, &list, "must hold the sequence A");
  return wrap(b, before, after);
}

static ink_status read_template(ink_building *b, const json_t *node, const place *at) {
  ink_ids before = {0}, after = {0};
  ink_status status = read_template_into(b, node, at, &before, &after);
  free(before.at);
  free(after.at);
  return status;
}

// ["</s>", 2]
static ink_status get_pair_id(const ink_building *b, const json_t *node, const place *at,
                              const char *key, int32_t *out) {
  const json_t *pair = member(node, key), *id = json_array_get(pair, 1);
  if (json_array_size(pair) != 2 || !json_is_integer(id) || json_integer_value(id) < 0 ||
      json_integer_value(id) >= INT32_MAX) {
    place here = place_member(at, key);
    return bad(b, &here, "must be a token and its id");
  }
  *out = (int32_t)json_integer_value(id);
  return INK_OK;
}

static ink_status read_post_processor(ink_building *b, const json_t *node, const place *at,
                                      int depth) {
  const char *type;
  INK_TRY(get_type(b, node, at, &type));
  if (strcmp(type, "Sequence") == 0) {
    return read_sequence(b, node, at, "processors", read_post_processor, depth);
  }
  if (strcmp(type, "ByteLevel") == 0) return INK_OK;  // it only changes offsets
  if (strcmp(type, "TemplateProcessing") == 0) return read_template(b, node, at);
  if (strcmp(type, "RobertaProcessing") == 0 || strcmp(type, "BertProcessing") == 0) {
    int32_t cls, sep;
    INK_TRY(get_pair_id(b, node, at, "cls", &cls));
    INK_TRY(get_pair_id(b, node, at, "sep", &sep));
    ink_ids before = {.at = &cls, .n = 1}, after = {.at = &sep, .n = 1};
    return wrap(b, &before, &after);
  }
  return unsupported(b, at, type);
}

// -- Decoders ------------------------------------------------------------------------------------

static ink_status read_decoder(ink_building *b, const json_t *node, const place *at, int depth) {
  const char *type;
  INK_TRY(get_type(b, node, at, &type));
  if (strcmp(type, "Sequence") == 0) {
    return read_sequence(b, node, at, "decoders", read_decoder, depth);
  }
  ink_tokenizer *t = b->tokenizer;
  if (t->n_decoders == INK_TOKENIZER_STEPS) return too_many(b, at);
  ink_decoder step = {.kind = INK_DECODE_FUSE};
  if (strcmp(type, "ByteLevel") == 0) {
    step.kind = INK_DECODE_BYTE_LEVEL;
  } else if (strcmp(type, "ByteFallback") == 0) {
    step.kind = INK_DECODE_BYTE_FALLBACK;
  } else if (strcmp(type, "Replace") == 0) {
    step.kind = INK_DECODE_REPLACE;
    INK_TRY(get_pattern(b, node, at, &step.pattern));
    INK_TRY(get_content(b, node, at, "content", &step.content, &step.content_size));
  } else if (strcmp(type, "Strip") == 0) {
    int64_t start, stop;
    step.kind = INK_DECODE_STRIP;
    INK_TRY(get_rune(b, node, at, "content", &step.rune));
    INK_TRY(get_count(b, node, at, "start", INT32_MAX, &start));
    INK_TRY(get_count(b, node, at, "stop", INT32_MAX, &stop));
    step.start = (size_t)start;
    step.stop = (size_t)stop;
  } else if (strcmp(type, "Metaspace") == 0) {
    ink_prepend prepend;
    step.kind = INK_DECODE_METASPACE;
    INK_TRY(get_rune(b, node, at, "replacement", &step.rune));
    INK_TRY(get_prepend(b, node, at, &prepend));
    step.drop_first = prepend != INK_PREPEND_NEVER;
  } else if (strcmp(type, "Fuse") != 0) {
    return unsupported(b, at, type);
  }
  t->decoders[t->n_decoders++] = step;
  return INK_OK;
}

// -- The model -----------------------------------------------------------------------------------

static ink_status scan_fault(const ink_scan *scan, const char *pointer, const char *key,
                             size_t key_size, const char *what) {
  int shown = key_size > 80 ? 80 : (int)key_size;
  return ink_fail_at(scan->error, INK_ERR_FORMAT, (int64_t)scan->at, "%s: %s/%.*s: %s", scan->name,
                     pointer, shown, key, what);
}

// Places of members whose ids were too high when they were read, for a second look.
typedef struct later {
  size_t *at;
  size_t n, capacity;
} later;

static ink_status postpone(ink_scan *scan, later *late, size_t at) {
  if (late->n == late->capacity) {
    size_t capacity = late->capacity ? late->capacity * 2 : 1024;
    size_t *grown = realloc(late->at, capacity * sizeof *grown);
    if (!grown) {
      return ink_fail(scan->error, INK_ERR_MEMORY, "%s: no memory for the vocabulary", scan->name);
    }
    late->at = grown;
    late->capacity = capacity;
  }
  late->at[late->n++] = at;
  return INK_OK;
}

static ink_status add_to_vocabulary(ink_building *b, ink_scan *scan, const char *pointer,
                                    ink_scan_string key, int64_t id) {
  switch (ink_vocabulary_add(&b->tokenizer->vocabulary, key.bytes, key.size, (uint32_t)id)) {
    case INK_VOCABULARY_OK:
      return INK_OK;
    case INK_VOCABULARY_DUPLICATE_TEXT:
      return scan_fault(scan, pointer, key.bytes, key.size, "the token is there twice");
    case INK_VOCABULARY_DUPLICATE_ID:
      return scan_fault(scan, pointer, key.bytes, key.size, "another token has the same id");
    case INK_VOCABULARY_MEMORY:
      break;
  }
  return ink_fail(scan->error, INK_ERR_MEMORY, "%s: no memory for the vocabulary", scan->name);
}

// Memory is taken up to the highest id, so an id must not be far beyond the count of tokens; but
// the members come in any order, and their count is known only at the end.
static ink_status read_members(ink_building *b, ink_scan *scan, const char *pointer, later *late) {
  const ink_vocabulary *v = &b->tokenizer->vocabulary;
  size_t count = 0, comma = 1;
  bool more;
  int64_t id;
  ink_scan_string key;
  INK_TRY(ink_scan_enter(scan, '{'));
  for (;;) {
    size_t at = scan->at;
    INK_TRY(ink_scan_next_member(scan, &count, &more, &key));
    if (!more) break;
    INK_TRY(ink_scan_read_integer(scan, &id));  // which leaves the key as it is
    if (id >= ink_building_most_ids(v->n_tokens + 1)) {
      INK_TRY(postpone(scan, late, at));
    } else {
      INK_TRY(add_to_vocabulary(b, scan, pointer, key, id));
    }
  }
  size_t end = scan->at;
  int64_t most = ink_building_most_ids(v->n_tokens + late->n);
  for (size_t i = 0; i < late->n; i++) {
    scan->at = late->at[i];
    // The first member has no comma before it.
    if (ink_scan_peek(scan) != ',') comma = 0;
    INK_TRY(ink_scan_next_member(scan, &comma, &more, &key));
    INK_TRY(ink_scan_read_integer(scan, &id));
    if (id >= most) return scan_fault(scan, pointer, key.bytes, key.size, "the id is out of range");
    INK_TRY(add_to_vocabulary(b, scan, pointer, key, id));
  }
  scan->at = end;
  return INK_OK;
}

// A JSON object {"token": id, …} into the vocabulary.
static ink_status read_vocabulary(ink_building *building, ink_scan *scan, const char *pointer) {
  later late = {0};
  ink_status status = read_members(building, scan, pointer, &late);
  free(late.at);
  return status;
}

// A merge of two spellings. `at` is the byte offset of the place, for errors.
static ink_status add_merge(ink_building *building, const char *left, size_t left_size,
                            const char *right, size_t right_size, size_t rank, int64_t at) {
  ink_tokenizer *t = building->tokenizer;
  const ink_vocabulary *v = &t->vocabulary;
  int32_t ids[3];
  const char *texts[2] = {left, right};
  size_t sizes[2] = {left_size, right_size};
  int missing = -1;
  for (int i = 0; i < 2; i++) {
    ids[i] = ink_vocabulary_find(v, texts[i], sizes[i]);
    if (ids[i] < 0 && missing < 0) missing = i;
  }
  if (missing >= 0) {
    int shown = sizes[missing] > 80 ? 80 : (int)sizes[missing];
    return ink_fail_at(building->error, INK_ERR_FORMAT, at,
                       "%s: merge %zu names the token “%.*s”, which is not in the vocabulary",
                       t->name, rank, shown, texts[missing]);
  }
  char small[256];
  size_t size = left_size + right_size;
  if (size > v->longest) {
    ids[2] = -1;
  } else if (size <= sizeof small) {
    memcpy(small, left, left_size);
    memcpy(small + left_size, right, right_size);
    ids[2] = ink_vocabulary_find(v, small, size);
  } else {
    ink_text whole = {0};
    ink_text_add_bytes(&whole, left, left_size);
    ink_text_add_bytes(&whole, right, right_size);
    ids[2] = whole.failed ? -1 : ink_vocabulary_find(v, whole.bytes, size);
    ink_text_free(&whole);
  }
  if (ids[2] < 0) {
    return ink_fail_at(building->error, INK_ERR_FORMAT, at,
                       "%s: merge %zu gives a token that is not in the vocabulary: “%.*s%.*s”",
                       t->name, rank, left_size > 80 ? 80 : (int)left_size, left,
                       right_size > 80 ? 80 : (int)right_size, right);
  }
  if (rank >= UINT32_MAX || !ink_bpe_add_merge(&t->bpe, (uint32_t)ids[0], (uint32_t)ids[1],
                                               (uint32_t)rank, (uint32_t)ids[2])) {
    return ink_fail(building->error, INK_ERR_MEMORY, "%s: no memory for the merges", t->name);
  }
  return INK_OK;
}

// "left right", of which neither is empty.
ink_status ink_building_add_merge_line(ink_building *b, const char *line, size_t size, size_t rank,
                                       int64_t at) {
  const char *space = size ? memchr(line, ' ', size) : NULL;
  size_t left = space ? (size_t)(space - line) : 0;
  if (!space || left == 0 || left + 1 == size || memchr(space + 1, ' ', size - left - 1)) {
    return ink_fail_at(b->error, INK_ERR_FORMAT, at,
                       "%s: merge %zu is not two tokens with one space between them",
                       b->tokenizer->name, rank);
  }
  return add_merge(b, line, left, space + 1, size - left - 1, rank, at);
}

static ink_status bad_merge(const ink_scan *scan) {
  return scan_fault(scan, "/model/merges", "", 0, "a merge must be two tokens");
}

// ["left", "right"]. `left` is a buffer for the first, which reading the second may overwrite.
static ink_status read_merge_pair(ink_building *b, ink_scan *scan, size_t rank, ink_text *left) {
  size_t part = 0;
  bool more;
  ink_scan_string first, second;
  INK_TRY(ink_scan_enter(scan, '['));
  INK_TRY(ink_scan_next_item(scan, &part, &more));
  if (!more) return bad_merge(scan);
  INK_TRY(ink_scan_read_string(scan, &first));
  if (first.bytes == scan->text.bytes) {
    ink_text_clear(left);
    ink_text_add_bytes(left, first.bytes, first.size);
    INK_TRY(ink_text_status(left, scan->error));
    first.bytes = ink_text_string(left);
  }
  INK_TRY(ink_scan_next_item(scan, &part, &more));
  if (!more) return bad_merge(scan);
  INK_TRY(ink_scan_read_string(scan, &second));
  INK_TRY(ink_scan_next_item(scan, &part, &more));
  if (more) return bad_merge(scan);
  return add_merge(b, first.bytes, first.size, second.bytes, second.size, rank, (int64_t)scan->at);
}

static ink_status read_merge_items(ink_building *b, ink_scan *scan, ink_text *left) {
  size_t count = 0;
  bool more;
  INK_TRY(ink_scan_enter(scan, '['));
  for (;;) {
    INK_TRY(ink_scan_next_item(scan, &count, &more));
    if (!more) return INK_OK;
    if (ink_scan_peek(scan) == '"') {
      ink_scan_string line;
      INK_TRY(ink_scan_read_string(scan, &line));
      INK_TRY(ink_building_add_merge_line(b, line.bytes, line.size, count - 1, (int64_t)scan->at));
    } else {
      INK_TRY(read_merge_pair(b, scan, count - 1, left));
    }
  }
}

static ink_status read_merges(ink_building *b, ink_scan *scan) {
  ink_text left = {0};
  ink_status status = read_merge_items(b, scan, &left);
  ink_text_free(&left);
  return status;
}

static ink_status read_model_members(ink_building *b, const json_t *model, const place *at) {
  ink_tokenizer *t = b->tokenizer;
  const char *type, *unknown, *prefix, *suffix;
  INK_TRY(get_string(b, model, at, "type", false, &type));  // old files do not name it
  if (type && strcmp(type, "BPE") != 0) {
    place here = place_member(at, "type");
    return unsupported(b, &here, type);
  }
  const json_t *dropout = member(model, "dropout");
  if (dropout && !(json_is_number(dropout) && json_number_value(dropout) == 0)) {
    place here = place_member(at, "dropout");
    return ink_fail(b->error, INK_ERR_UNSUPPORTED,
                    "%s: dropout makes the tokens random; set it to null", here.text);
  }
  INK_TRY(get_string(b, model, at, "continuing_subword_prefix", false, &prefix));
  INK_TRY(get_string(b, model, at, "end_of_word_suffix", false, &suffix));
  if (prefix && *prefix) {
    place here = place_member(at, "continuing_subword_prefix");
    return ink_fail(b->error, INK_ERR_UNSUPPORTED, "%s: not supported", here.text);
  }
  if (suffix && *suffix) {
    place here = place_member(at, "end_of_word_suffix");
    if (strlen(suffix) > INK_BPE_WORD_END) return bad(b, &here, "is too long");
    INK_TRY(ink_building_copy(b, suffix, strlen(suffix), &t->bpe.word_end));
  }
  INK_TRY(get_bool(b, model, at, "fuse_unk", false, &t->bpe.fuse_unknown));
  INK_TRY(get_bool(b, model, at, "byte_fallback", false, &t->bpe.byte_fallback));
  INK_TRY(get_bool(b, model, at, "ignore_merges", false, &t->bpe.ignore_merges));
  INK_TRY(get_string(b, model, at, "unk_token", false, &unknown));
  t->bpe.has_unknown = unknown != NULL;
  if (unknown) {
    t->bpe.unknown = ink_vocabulary_find(&t->vocabulary, unknown, strlen(unknown));
    t->unknown = t->bpe.unknown;
  }
  return INK_OK;
}

// The object /model: the vocabulary and the merges without a tree, the rest as one.
static ink_status read_model(ink_building *b, ink_scan *scan, json_t *rest, const place *at) {
  size_t count = 0, vocabulary_at = 0, merges_at = 0;
  bool more, type_known = false;
  ink_scan_string key;
  INK_TRY(ink_scan_enter(scan, '{'));
  for (;;) {
    INK_TRY(ink_scan_next_member(scan, &count, &more, &key));
    if (!more) break;
    bool is_vocabulary = key.size == 5 && memcmp(key.bytes, "vocab", 5) == 0;
    bool is_merges = key.size == 6 && memcmp(key.bytes, "merges", 6) == 0;
    if (is_vocabulary || is_merges) {
      size_t *where = is_vocabulary ? &vocabulary_at : &merges_at;
      if (*where) return ink_scan_fail(scan, "a member that is there twice");
      *where = scan->at;
      // Other kinds of models keep other things under these names: be sure which it is first.
      if (is_vocabulary && type_known) {
        INK_TRY(read_vocabulary(b, scan, "/model/vocab"));
        vocabulary_at = SIZE_MAX;
      } else if (is_merges && vocabulary_at == SIZE_MAX) {
        INK_TRY(read_merges(b, scan));
        merges_at = SIZE_MAX;
      } else {
        INK_TRY(ink_scan_skip(scan));
      }
      continue;
    }
    char name[64];
    if (key.size >= sizeof name) {
      INK_TRY(ink_scan_skip(scan));
      continue;
    }
    memcpy(name, key.bytes, key.size);
    name[key.size] = 0;
    if (json_object_get(rest, name)) return ink_scan_fail(scan, "a member that is there twice");
    json_t *value;
    INK_TRY(ink_scan_read_value(scan, &value));
    type_known = type_known || (strcmp(name, "type") == 0 && json_is_string(value) &&
                                strcmp(json_string_value(value), "BPE") == 0);
    if (json_object_set_new(rest, name, value) != 0) {
      return ink_fail(b->error, INK_ERR_MEMORY, "%s: no memory for the model", scan->name);
    }
  }
  size_t end = scan->at;
  const char *type;
  INK_TRY(get_string(b, rest, at, "type", false, &type));
  if (type && strcmp(type, "BPE") != 0) {
    place here = place_member(at, "type");
    return unsupported(b, &here, type);
  }
  if (!vocabulary_at || !merges_at) {
    place here = place_member(at, vocabulary_at ? "merges" : "vocab");
    return bad(b, &here, "is missing");
  }
  if (vocabulary_at != SIZE_MAX) {
    scan->at = vocabulary_at;
    INK_TRY(read_vocabulary(b, scan, "/model/vocab"));
  }
  if (merges_at != SIZE_MAX) {
    scan->at = merges_at;
    INK_TRY(read_merges(b, scan));
  }
  scan->at = end;
  return read_model_members(b, rest, at);
}

// -- Added tokens --------------------------------------------------------------------------------

// One entry of /added_tokens, or of added_tokens_decoder, where the id is the key.
static ink_status read_added_token(ink_building *b, const json_t *node, const place *at,
                                   int64_t id) {
  ink_added_entry entry = {.normalized = false};
  if (!json_is_object(node)) return bad(b, at, "must be an object");
  if (id < 0) INK_TRY(get_count(b, node, at, "id", INT32_MAX - 1, &id));
  entry.id = (int32_t)id;
  INK_TRY(get_string(b, node, at, "content", true, &entry.text));
  entry.size = strlen(entry.text);
  INK_TRY(get_bool(b, node, at, "special", false, &entry.special));
  entry.normalized = !entry.special;
  INK_TRY(get_bool(b, node, at, "normalized", false, &entry.normalized));
  INK_TRY(get_bool(b, node, at, "single_word", false, &entry.single_word));
  INK_TRY(get_bool(b, node, at, "lstrip", false, &entry.lstrip));
  INK_TRY(get_bool(b, node, at, "rstrip", false, &entry.rstrip));
  return ink_building_add_token(b, &entry, at->text);
}

static ink_status read_added_tokens(ink_building *b, const json_t *list, const place *at) {
  if (!list || json_is_null(list)) return INK_OK;
  if (!json_is_array(list)) return bad(b, at, "must be an array");
  for (size_t i = 0; i < json_array_size(list); i++) {
    place here = place_item(at, i);
    INK_TRY(read_added_token(b, json_array_get(list, i), &here, -1));
  }
  return INK_OK;
}

// -- The files beside ----------------------------------------------------------------------------

// tokenizer_config.json: {"151643": {"content": …}, …}. What tokenizer.json has said already stays.
static ink_status read_added_decoder(ink_building *b, const json_t *config) {
  const json_t *decoder = member(config, "added_tokens_decoder");
  if (!decoder) return INK_OK;
  place at = place_at("tokenizer_config.json", "/added_tokens_decoder");
  if (!json_is_object(decoder)) return bad(b, &at, "must be an object");
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)decoder, key, value) {
    place here = place_member(&at, key);
    char *end;
    long long id = *key >= '0' && *key <= '9' ? strtoll(key, &end, 10) : -1;
    if (id < 0 || *end || id >= INT32_MAX) return bad(b, &here, "the key must be a token id");
    const ink_token *token = ink_vocabulary_token(&b->tokenizer->vocabulary, id);
    if (token && token->added) continue;
    INK_TRY(read_added_token(b, value, &here, id));
  }
  return INK_OK;
}

// added_tokens.json: {"<think>": 151667, …}
static ink_status read_added_map(ink_building *b, const json_t *added) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)(uintptr_t)added, key, value) {
    place root = place_at("added_tokens.json", ""), here = place_member(&root, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) >= INT32_MAX) {
      return bad(b, &here, "must be a token id");
    }
    ink_added_entry entry = {.text = key,
                             .size = strlen(key),
                             .id = (int32_t)json_integer_value(value),
                             .normalized = true};
    const ink_token *token = ink_vocabulary_token(&b->tokenizer->vocabulary, entry.id);
    if (token && token->added) continue;
    INK_TRY(ink_building_add_token(b, &entry, here.text));
  }
  return INK_OK;
}

// The id of the token with a role: a string, or an object with its content. A token with a role is
// special.
static ink_status read_role(ink_building *b, const json_t *sides[2], const char *const names[2],
                            const char *role, int32_t *out) {
  for (int i = 0; i < 2; i++) {
    const json_t *value = member(sides[i], role);
    if (!value) continue;
    const char *text = json_string_value(value);
    if (json_is_object(value)) text = json_string_value(member(value, "content"));
    place root = place_at(names[i], ""), here = place_member(&root, role);
    if (!text) return bad(b, &here, "must be a string, or an object with a content");
    int32_t id = ink_vocabulary_find(&b->tokenizer->vocabulary, text, strlen(text));
    if (id < 0) return INK_OK;  // the reference would invent an id beyond the model's
    *out = id;
    return ink_building_make_special(b, id, here.text);
  }
  return INK_OK;
}

// eos_token_id: a number or a list of them.
static ink_status read_ends(ink_building *b, const json_t *side, const char *name) {
  const json_t *value = member(side, "eos_token_id");
  if (!value) return INK_OK;
  size_t n = json_is_array(value) ? json_array_size(value) : 1;
  for (size_t i = 0; i < n; i++) {
    const json_t *id = json_is_array(value) ? json_array_get(value, i) : value;
    if (!json_is_integer(id) || json_integer_value(id) >= INT32_MAX) {
      place at = place_at(name, "/eos_token_id");
      return bad(b, &at, "must be a token id or a list of them");
    }
    if (json_integer_value(id) < 0) continue;  // some files say -1 for none
    ink_building_add_end(b, (int32_t)json_integer_value(id));
    if (b->tokenizer->eos < 0) b->tokenizer->eos = (int32_t)json_integer_value(id);
  }
  return INK_OK;
}

static ink_status read_chat_template(ink_building *b, const ink_tokenizer_sides *sides) {
  const char *text = sides->chat_template;
  size_t size = sides->chat_template_size;
  const json_t *value = member(sides->config, "chat_template");
  if (!text && json_is_string(value)) {
    text = json_string_value(value);
    size = json_string_length(value);
  }
  for (size_t i = 0; !text && i < json_array_size(value); i++) {
    const json_t *item = json_array_get(value, i);
    const char *name = json_string_value(member(item, "name"));
    const json_t *source = member(item, "template");
    if (name && strcmp(name, "default") == 0 && json_is_string(source)) {
      text = json_string_value(source);
      size = json_string_length(source);
    }
  }
  if (!text) return INK_OK;
  b->tokenizer->chat_template = strndup(text, size);
  if (b->tokenizer->chat_template) return INK_OK;
  return ink_fail(b->error, INK_ERR_MEMORY, "%s: no memory for the chat template",
                  b->tokenizer->name);
}

// Roles, ends, chat template and further added tokens from the files beside.
static ink_status read_sides(ink_building *building, const ink_tokenizer_sides *sides) {
  ink_tokenizer *t = building->tokenizer;
  const json_t *both[2] = {sides->config, sides->specials};
  static const char *const names[2] = {"tokenizer_config.json", "special_tokens_map.json"};
  INK_TRY(read_added_decoder(building, sides->config));
  INK_TRY(read_added_map(building, sides->added));
  INK_TRY(read_role(building, both, names, "bos_token", &t->bos));
  INK_TRY(read_role(building, both, names, "eos_token", &t->eos));
  INK_TRY(read_role(building, both, names, "pad_token", &t->pad));
  INK_TRY(read_role(building, both, names, "unk_token", &t->unknown));
  ink_building_add_end(building, t->eos);
  INK_TRY(read_ends(building, sides->generation, "generation_config.json"));
  INK_TRY(read_ends(building, sides->model, "config.json"));
  return read_chat_template(building, sides);
}

// -- tokenizer.json ------------------------------------------------------------------------------

static ink_status read_parts(ink_building *b, const char *name, const json_t *rest) {
  static const struct {
    const char *key;
    read_step read;
  } parts[] = {{"normalizer", read_normalizer},
               {"pre_tokenizer", read_splitter},
               {"post_processor", read_post_processor},
               {"decoder", read_decoder}};
  place root = place_at(name, "");
  const char *version;
  INK_TRY(get_string(b, rest, &root, "version", false, &version));
  if (version && strcmp(version, "1.0") != 0) {
    place here = place_member(&root, "version");
    return ink_fail(b->error, INK_ERR_UNSUPPORTED, "%s: the version “%s” is not known", here.text,
                    version);
  }
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    const json_t *node = member(rest, parts[i].key);
    place here = place_member(&root, parts[i].key);
    if (node) INK_TRY(parts[i].read(b, node, &here, 0));
  }
  b->tokenizer->decodes = member(rest, "decoder") != NULL;
  place added = place_member(&root, "added_tokens");
  return read_added_tokens(b, json_object_get(rest, "added_tokens"), &added);
}

static ink_status read_document(ink_building *b, ink_scan *scan, json_t *rest, json_t *model) {
  size_t count = 0;
  bool more, has_model = false;
  ink_scan_string key;
  place at = place_at(scan->name, "/model");
  INK_TRY(ink_scan_enter(scan, '{'));
  for (;;) {
    INK_TRY(ink_scan_next_member(scan, &count, &more, &key));
    if (!more) break;
    if (key.size == 5 && memcmp(key.bytes, "model", 5) == 0) {
      if (has_model) return ink_scan_fail(scan, "a member that is there twice");
      has_model = true;
      INK_TRY(read_model(b, scan, model, &at));
      continue;
    }
    static const char *const known[] = {"version",       "added_tokens",   "normalizer",
                                        "pre_tokenizer", "post_processor", "decoder"};
    const char *name = NULL;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
      if (strlen(known[i]) == key.size && memcmp(known[i], key.bytes, key.size) == 0) {
        name = known[i];
      }
    }
    if (!name) {  // truncation and padding are the caller's affair
      INK_TRY(ink_scan_skip(scan));
      continue;
    }
    if (json_object_get(rest, name)) return ink_scan_fail(scan, "a member that is there twice");
    json_t *value;
    INK_TRY(ink_scan_read_value(scan, &value));
    if (json_object_set_new(rest, name, value) != 0) {
      return ink_fail(b->error, INK_ERR_MEMORY, "%s: no memory for the tokenizer", scan->name);
    }
  }
  INK_TRY(ink_scan_finish(scan));
  return has_model ? INK_OK : bad(b, &at, "is missing");
}

ink_status ink_tokenizer_read_json(const char *name, const char *bytes, size_t size,
                                   const ink_tokenizer_sides *sides, ink_tokenizer **out,
                                   ink_error *error) {
  *out = NULL;
  ink_building building;
  INK_TRY(ink_building_start(&building, name, error));
  ink_scan scan = {.name = name, .bytes = bytes, .size = size, .error = error};
  json_t *rest = json_object(), *model = json_object();
  ink_status status = INK_OK;
  if (!rest || !model) {
    status = ink_fail(error, INK_ERR_MEMORY, "%s: no memory for the tokenizer", name);
  }
  if (status == INK_OK) status = read_document(&building, &scan, rest, model);
  if (status == INK_OK) status = read_parts(&building, name, rest);
  if (status == INK_OK) status = read_sides(&building, sides);
  json_decref(rest);
  json_decref(model);
  ink_scan_end(&scan);
  if (status == INK_OK) status = ink_building_finish(&building, out);
  if (status != INK_OK) ink_building_abandon(&building);
  return status;
}

// -- vocab.json and merges.txt -------------------------------------------------------------------

// What the classes that keep this pair of files add to it; the files do not say.
typedef struct pair_class {
  const char *name;          // tokenizer_class in tokenizer_config.json
  const char *pretokenizer;  // NULL: CLIP's
  bool wrapped;              // <s> … </s> around a text
  const char *roles[4];      // bos, eos, unk, pad by default
} pair_class;

enum { GPT2_PAIR, CLIP_PAIR };

static const pair_class pair_classes[] = {
    [GPT2_PAIR] = {"GPT2Tokenizer",
                   "gpt-2",
                   false,
                   {"<|endoftext|>", "<|endoftext|>", "<|endoftext|>", NULL}},
    [CLIP_PAIR] = {"CLIPTokenizer",
                   NULL,
                   true,
                   {"<|startoftext|>", "<|endoftext|>", "<|endoftext|>", "<|endoftext|>"}},
    {"Qwen2Tokenizer", "qwen2", false, {NULL, "<|endoftext|>", NULL, "<|endoftext|>"}},
    {"RobertaTokenizer", "gpt-2", true, {"<s>", "</s>", "<unk>", "<pad>"}},
    {"BartTokenizer", "gpt-2", true, {"<s>", "</s>", "<unk>", "<pad>"}},
};

// Where no file names the class: the pair is GPT-2's own form; only CLIP's marks beginnings so.
static const pair_class *class_by_words(const ink_vocabulary *words) {
  bool clips = ink_vocabulary_find(words, "<|startoftext|>", 15) >= 0;
  return &pair_classes[clips ? CLIP_PAIR : GPT2_PAIR];
}

static ink_status find_class(const ink_building *b, const json_t *config, const pair_class **out) {
  const char *name;
  place root = place_at("tokenizer_config.json", "");
  INK_TRY(get_string(b, config, &root, "tokenizer_class", false, &name));
  *out = class_by_words(&b->tokenizer->vocabulary);
  if (!name) return INK_OK;
  size_t length = strlen(name);
  if (length > 4 && strcmp(name + length - 4, "Fast") == 0) length -= 4;
  for (size_t i = 0; i < sizeof pair_classes / sizeof pair_classes[0]; i++) {
    if (strlen(pair_classes[i].name) == length &&
        strncmp(pair_classes[i].name, name, length) == 0) {
      *out = &pair_classes[i];
      return INK_OK;
    }
  }
  place here = place_member(&root, "tokenizer_class");
  return ink_fail(b->error, INK_ERR_UNSUPPORTED,
                  "%s: for “%s” a tokenizer.json is needed: vocab.json and merges.txt do not hold "
                  "its pattern",
                  here.text, name);
}

static ink_status read_merge_lines(ink_building *b, const char *bytes, size_t size) {
  size_t rank = 0;
  for (size_t at = 0; at < size;) {
    const char *line = bytes + at, *end = memchr(line, '\n', size - at);
    size_t length = end ? (size_t)(end - line) : size - at;
    int64_t here = (int64_t)at;
    at += length + 1;
    if (length && line[length - 1] == '\r') length--;
    if (length >= 8 && memcmp(line, "#version", 8) == 0) continue;
    if (length == 0 && at >= size) break;  // a last empty line
    INK_TRY(ink_building_add_merge_line(b, line, length, rank++, here));
  }
  return INK_OK;
}

static ink_status add_default_role(ink_building *b, const char *text, int32_t *role) {
  if (!text || *role >= 0) return INK_OK;
  int32_t id = ink_vocabulary_find(&b->tokenizer->vocabulary, text, strlen(text));
  if (id < 0) return INK_OK;
  *role = id;
  return ink_building_make_special(b, id, b->tokenizer->name);
}

// What CLIP does to a text before its merges (CLIP, clip/simple_tokenizer.py): lower case, words
// without the space before them, each with an ending. What no pattern takes is dropped.
static ink_status add_clip_steps(ink_building *b) {
  static const char spaces[] = "\\s+", end[] = "</w>",
                    words[] =
                        "<\\|startoftext\\|>|<\\|endoftext\\|>|'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|"
                        "[\\p{N}]|[^\\s\\p{L}\\p{N}]+";
  ink_tokenizer *t = b->tokenizer;
  ink_normalizer one_space = {.kind = INK_NORMALIZE_REPLACE, .content = " ", .content_size = 1};
  ink_splitter split = {
      .kind = INK_SPLITTER_PATTERN, .behavior = INK_SPLIT_REMOVED, .invert = true};
  INK_TRY(ink_pattern_regex(spaces, strlen(spaces), t->name, &one_space.pattern, b->error));
  INK_TRY(ink_building_keep(b, one_space.pattern));
  INK_TRY(ink_pattern_regex(words, strlen(words), t->name, &split.pattern, b->error));
  INK_TRY(ink_building_keep(b, split.pattern));
  t->normalizers[t->n_normalizers++] = (ink_normalizer){.kind = INK_NORMALIZE_NFC};
  t->normalizers[t->n_normalizers++] = one_space;
  t->normalizers[t->n_normalizers++] = (ink_normalizer){.kind = INK_NORMALIZE_LOWERCASE};
  t->splitters[t->n_splitters++] = split;
  t->bpe.word_end = end;
  t->bpe.has_unknown = true;
  t->bpe.unknown = ink_vocabulary_find(&t->vocabulary, "<|endoftext|>", 13);
  return ink_building_add_pretokenizer(b, ink_pretokenizer_find("gpt-2", 5));
}

static ink_status build_pair(ink_building *b, const pair_class *class,
                             const ink_tokenizer_sides *sides) {
  ink_tokenizer *t = b->tokenizer;
  bool prefix = false;
  place root = place_at("tokenizer_config.json", "");
  INK_TRY(get_bool(b, sides->config, &root, "add_prefix_space", false, &prefix));
  if (prefix) t->splitters[t->n_splitters++] = (ink_splitter){.kind = INK_SPLITTER_PREFIX_SPACE};
  if (class->pretokenizer) {
    INK_TRY(ink_building_add_pretokenizer(
        b, ink_pretokenizer_find(class->pretokenizer, strlen(class->pretokenizer))));
  } else {
    INK_TRY(add_clip_steps(b));
  }
  // Roles that a file states count before a class's own.
  INK_TRY(read_sides(b, sides));
  INK_TRY(add_default_role(b, class->roles[0], &t->bos));
  INK_TRY(add_default_role(b, class->roles[1], &t->eos));
  INK_TRY(add_default_role(b, class->roles[2], &t->unknown));
  INK_TRY(add_default_role(b, class->roles[3], &t->pad));
  ink_building_add_end(b, t->eos);
  if (class->wrapped && t->bos >= 0 && t->eos >= 0) {
    ink_ids_add(&t->prefix, t->bos);
    ink_ids_add(&t->suffix, t->eos);
  }
  return INK_OK;
}

ink_status ink_tokenizer_read_pair(const char *name, const char *vocab, size_t vocab_size,
                                   const char *merges, size_t merges_size,
                                   const ink_tokenizer_sides *sides, ink_tokenizer **out,
                                   ink_error *error) {
  *out = NULL;
  ink_building building;
  INK_TRY(ink_building_start(&building, name, error));
  ink_scan scan = {.name = name, .bytes = vocab, .size = vocab_size, .error = error};
  const pair_class *class = NULL;
  ink_status status = read_vocabulary(&building, &scan, "");
  if (status == INK_OK) status = ink_scan_finish(&scan);
  if (status == INK_OK) status = find_class(&building, sides->config, &class);
  if (status == INK_OK) status = read_merge_lines(&building, merges, merges_size);
  if (status == INK_OK) status = build_pair(&building, class, sides);
  ink_scan_end(&scan);
  if (status == INK_OK) status = ink_building_finish(&building, out);
  if (status != INK_OK) ink_building_abandon(&building);
  return status;
}
