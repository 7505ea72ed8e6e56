// Plug-ins that a prompt names, in A1111's syntax: <lora:NAME:WEIGHT>.
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "diffusion/prompt.h"

// The tag that begins here: "<lora:" or, as LyCORIS's extension has it, "<lyco:". NULL: none.
static const char *inside_of(const char *at) {
  static const char *const kinds[] = {"<lora:", "<lyco:"};
  for (size_t i = 0; i < 2; i++) {
    if (strncmp(at, kinds[i], strlen(kinds[i])) == 0) return at + strlen(kinds[i]);
  }
  return NULL;
}

static ink_status read_tag(const char *tag, const char *inside, const char *end,
                           ink_prompt_tag *out, ink_error *error) {
  int all = (int)(end + 1 - tag);
  const char *colon = memchr(inside, ':', (size_t)(end - inside));
  const char *stop = colon ? colon : end;
  *out = (ink_prompt_tag){.weight = 1};
  if (stop == inside) {
    return ink_fail(error, INK_ERR_USAGE, "%.*s names no plug-in; write <lora:NAME:WEIGHT>", all,
                    tag);
  }
  if (colon) {
    char *rest;
    out->weight = strtod(colon + 1, &rest);
    if (rest == colon + 1 || rest != end || !(fabs(out->weight) <= 100)) {
      return ink_fail(error, INK_ERR_USAGE, "%.*s: behind the name stands one weight in -100 … 100",
                      all, tag);
    }
  }
  out->name = strndup(inside, (size_t)(stop - inside));
  return out->name ? INK_OK : ink_fail(error, INK_ERR_MEMORY, "no memory for the prompt");
}

void ink_prompt_tags_free(ink_prompt_tags *tags) {
  for (size_t i = 0; i < tags->n; i++) free(tags->items[i].name);
  tags->n = 0;
}

// Without the blanks that the tags leave at both ends.
static ink_status trim(const ink_text *from, ink_text *out, ink_error *error) {
  const char *begin = ink_text_string(from), *end = begin + from->size;
  while (begin < end && isspace((unsigned char)*begin)) begin++;
  while (end > begin && isspace((unsigned char)end[-1])) end--;
  ink_text_add_bytes(out, begin, (size_t)(end - begin));
  return ink_text_status(out, error);
}

ink_status ink_prompt_take_tags(const char *prompt, ink_text *rest, ink_prompt_tags *tags,
                                ink_error *error) {
  ink_text left = {0};
  ink_status status = INK_OK;
  tags->n = 0;
  for (const char *at = prompt; *at && status == INK_OK;) {
    const char *inside = inside_of(at), *end = inside ? strchr(inside, '>') : NULL;
    if (!end) {
      ink_text_add_bytes(&left, at++, 1);
    } else if (tags->n == INK_PROMPT_MOST_TAGS) {
      status =
          ink_fail(error, INK_ERR_USAGE, "at most %d plug-ins in a prompt", INK_PROMPT_MOST_TAGS);
    } else {
      status = read_tag(at, inside, end, &tags->items[tags->n], error);
      if (status == INK_OK) tags->n++;
      at = end + 1;
    }
  }
  if (status == INK_OK) status = ink_text_status(&left, error);
  if (status == INK_OK && tags->n == 0) {
    ink_text_add(rest, prompt);
    status = ink_text_status(rest, error);
  } else if (status == INK_OK) {
    status = trim(&left, rest, error);
  }
  ink_text_free(&left);
  if (status != INK_OK) ink_prompt_tags_free(tags);
  return status;
}
