// Reading and writing generation parameters.
#include "diffusion/infotext.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char negative_mark[] = "Negative prompt:";

void ink_infotext_free(ink_infotext *info) {
  free(info->prompt);
  free(info->negative);
  for (size_t i = 0; i < info->n; i++) {
    free(info->fields[i].key);
    free(info->fields[i].value);
  }
  free(info->fields);
  *info = (ink_infotext){0};
}

const char *ink_infotext_get(const ink_infotext *info, const char *key) {
  for (size_t i = 0; i < info->n; i++) {
    if (strcmp(info->fields[i].key, key) == 0) return info->fields[i].value;
  }
  return NULL;
}

static ink_status no_memory(ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "no memory for generation parameters");
}

ink_status ink_infotext_set(ink_infotext *info, const char *key, const char *value,
                            ink_error *error) {
  char *copy = strdup(value);
  if (!copy) return no_memory(error);
  for (size_t i = 0; i < info->n; i++) {
    if (strcmp(info->fields[i].key, key) != 0) continue;
    free(info->fields[i].value);
    info->fields[i].value = copy;
    return INK_OK;
  }
  char *name = strdup(key);
  ink_infotext_field *grown = realloc(info->fields, (info->n + 1) * sizeof *grown);
  if (grown) info->fields = grown;
  if (!name || !grown) {
    free(copy);
    free(name);
    return no_memory(error);
  }
  info->fields[info->n++] = (ink_infotext_field){name, copy};
  return INK_OK;
}

// ---- reading ------------------------------------------------------------------------------------

static bool is_key_byte(char c, bool first) {
  bool word = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '_' || (unsigned char)c >= 0x80;
  return word || (!first && (c == ' ' || c == '-' || c == '/'));
}

// The end of a quoted value that begins at `at`, past its closing quote; NULL when it has none.
static const char *past_quoted(const char *at) {
  for (at++; *at && *at != '"'; at++) {
    if (*at == '\\' && at[1]) at++;
  }
  return *at ? at + 1 : NULL;
}

// One "key: value," at `at`: where the next begins, or NULL when none is there.
typedef struct span {
  const char *begin, *end;
} span;

static const char *read_field(const char *at, span *key, span *value) {
  while (*at == ' ' || *at == '\t') at++;
  key->begin = at;
  while (*at && is_key_byte(*at, at == key->begin)) at++;
  key->end = at;
  if (key->end - key->begin < 2 || *at != ':') return NULL;
  for (at++; *at == ' '; at++) continue;
  value->begin = at;
  const char *quoted = *at == '"' ? past_quoted(at) : NULL;
  bool whole = quoted && quoted - at > 2 && (*quoted == ',' || !*quoted);
  at = whole ? quoted : at + strcspn(at, ",");
  value->end = at;
  return *at == ',' ? at + 1 : at;
}

static int count_fields(const char *line) {
  span key, value;
  int n = 0;
  while (line && *line) {
    line = read_field(line, &key, &value);
    n += line != NULL;
  }
  return n;
}

static char *unquoted(span value) {
  size_t size = (size_t)(value.end - value.begin);
  json_t *json =
      size && value.begin[0] == '"' ? json_loadb(value.begin, size, JSON_DECODE_ANY, NULL) : NULL;
  char *text = json_is_string(json) ? strdup(json_string_value(json)) : strndup(value.begin, size);
  json_decref(json);
  return text;
}

static ink_status read_fields(const char *line, ink_infotext *info, ink_error *error) {
  enum { MOST_FIELDS = 200 };
  span key, value;
  while (*line && info->n < MOST_FIELDS) {
    line = read_field(line, &key, &value);
    if (!line) return INK_OK;
    char *name = strndup(key.begin, (size_t)(key.end - key.begin)), *text = unquoted(value);
    ink_status status = name && text ? ink_infotext_set(info, name, text, error) : no_memory(error);
    free(name);
    free(text);
    INK_TRY(status);
  }
  return INK_OK;
}

static void add_line(ink_text *text, bool *begun, const char *line, size_t size) {
  if (*begun) ink_text_add(text, "\n");
  ink_text_add_bytes(text, line, size);
  *begun = true;
}

// Lines before the fields: the prompt, then the negative one from its mark on.
static ink_status read_prompts(const char *text, size_t size, ink_infotext *info,
                               ink_error *error) {
  ink_text prompt = {0}, negative = {0};
  bool prompt_begun = false, negative_begun = false, marked = false;
  const char *end = text + size;
  for (const char *line = text; line < end;) {
    const char *stop = memchr(line, '\n', (size_t)(end - line));
    size_t length = stop ? (size_t)(stop - line) : (size_t)(end - line);
    const char *next = line + length + 1;
    size_t mark = sizeof negative_mark - 1;
    if (!marked && length >= mark && memcmp(line, negative_mark, mark) == 0) {
      marked = true;
      line += mark;
      length -= mark;
      while (length && *line == ' ') line++, length--;
    }
    if (marked) {
      add_line(&negative, &negative_begun, line, length);
    } else {
      add_line(&prompt, &prompt_begun, line, length);
    }
    line = next;
  }
  ink_status status = ink_text_status(&prompt, error);
  if (status == INK_OK) status = ink_text_status(&negative, error);
  if (status == INK_OK) {
    info->prompt = strdup(ink_text_string(&prompt));
    if (marked) info->negative = strdup(ink_text_string(&negative));
    if (!info->prompt || (marked && !info->negative)) status = no_memory(error);
  }
  ink_text_free(&prompt);
  ink_text_free(&negative);
  return status;
}

ink_status ink_infotext_parse(const char *text, ink_infotext *info, ink_error *error) {
  *info = (ink_infotext){0};
  size_t size = strlen(text);
  if (size > INK_INFOTEXT_MOST_BYTES) {
    return ink_fail(error, INK_ERR_USAGE, "generation parameters of %zu bytes; at most %d are read",
                    size, INK_INFOTEXT_MOST_BYTES);
  }
  while (size && (text[size - 1] == '\n' || text[size - 1] == ' ')) size--;
  char *copy = strndup(text, size);
  if (!copy) return no_memory(error);
  // The last line holds the fields when it looks like three of them.
  char *last = strrchr(copy, '\n');
  last = last ? last + 1 : copy;
  bool fields = count_fields(last) >= 3;
  size_t prompts = fields ? (size_t)(last - copy) : size;
  if (fields && prompts) prompts--;  // the line break
  ink_status status = read_prompts(copy, prompts, info, error);
  if (status == INK_OK && fields) status = read_fields(last, info, error);
  free(copy);
  if (status != INK_OK) ink_infotext_free(info);
  return status;
}

// ---- writing ------------------------------------------------------------------------------------

static void add_value(ink_text *out, const char *value) {
  if (!strpbrk(value, ",:\n\"")) {
    ink_text_add(out, value);
    return;
  }
  json_t *string = json_string(value);
  char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;
  if (quoted) {
    ink_text_add(out, quoted);
  } else {
    out->failed = true;
  }
  free(quoted);
  json_decref(string);
}

ink_status ink_infotext_format(const ink_infotext *info, ink_text *out, ink_error *error) {
  ink_text_add(out, info->prompt ? info->prompt : "");
  if (info->negative && info->negative[0]) {
    ink_text_format(out, "\n%s %s", negative_mark, info->negative);
  }
  for (size_t i = 0; i < info->n; i++) {
    ink_text_add(out, i == 0 ? "\n" : ", ");
    ink_text_format(out, "%s: ", info->fields[i].key);
    add_value(out, info->fields[i].value);
  }
  return ink_text_status(out, error);
}
