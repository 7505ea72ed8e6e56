// Schedules, alternations and weights of prompts.
#include "diffusion/prompt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static ink_status check(const char *prompt, size_t *size, ink_error *error) {
  *size = strlen(prompt);
  if (*size > INK_PROMPT_MOST_BYTES) {
    return ink_fail(error, INK_ERR_USAGE, "a prompt of %zu bytes; at most %d are read", *size,
                    INK_PROMPT_MOST_BYTES);
  }
  if (!ink_utf8_valid(prompt, *size, NULL)) {
    return ink_fail(error, INK_ERR_USAGE, "the prompt is not well-formed UTF-8");
  }
  return INK_OK;
}

static ink_status too_deep(ink_error *error) {
  return ink_fail(error, INK_ERR_USAGE, "the prompt nests brackets more than %d deep",
                  INK_PROMPT_MOST_DEPTH);
}

// ---- schedules ----------------------------------------------------------------------------------

// A prompt with the partner of each bracket: the place of the closing one, or -1.
typedef struct matched {
  const char *text;
  int32_t *partner;
  int32_t step, n_steps;
  ink_text *out;
  ink_error *error;
} matched;

// Pair brackets of both kinds. One that finds no partner stands for itself.
static void pair(const char *text, size_t size, int32_t *partner, int32_t *stack) {
  size_t depth = 0, open[2] = {0, 0};  // round, square
  for (size_t i = 0; i < size; i++) {
    partner[i] = -1;
    char c = text[i];
    if (c == '\\') {
      if (i + 1 < size) partner[++i] = -1;
    } else if (c == '(' || c == '[') {
      stack[depth++] = (int32_t)i;
      open[c == '[']++;
    } else if ((c == ')' || c == ']') && open[c == ']']) {
      char opening = c == ')' ? '(' : '[';
      // Those in between were never closed.
      while (text[stack[depth - 1]] != opening) open[text[stack[--depth]] == '[']--;
      partner[stack[--depth]] = (int32_t)i;
      open[c == ']']--;
    }
  }
}

// The end of what begins at i: past a character, an escaped one, or a pair of brackets.
static size_t past(const matched *m, size_t i, size_t end) {
  if (m->text[i] == '\\' && i + 1 < end) return i + 2;
  return m->partner[i] >= 0 ? (size_t)m->partner[i] + 1 : i + 1;
}

// A number without sign between spaces; false when it is something else.
static bool read_when(const char *text, size_t size, int32_t n_steps, int32_t *when) {
  while (size && text[0] == ' ') text++, size--;
  while (size && text[size - 1] == ' ') size--;
  size_t digits = 0, dots = 0;
  for (size_t i = 0; i < size; i++) {
    digits += text[i] >= '0' && text[i] <= '9';
    dots += text[i] == '.';
  }
  if (digits == 0 || dots > 1 || digits + dots != size || size > 15) return false;
  char copy[16];
  memcpy(copy, text, size);
  copy[size] = 0;
  double value = strtod(copy, NULL);
  // With a point it is a share of the steps.
  if (dots) value *= n_steps;
  *when = value < n_steps ? (int32_t)value : n_steps;
  return true;
}

static ink_status expand(const matched *m, size_t begin, size_t end, int depth);

// The option of [one|two|…] whose turn it is.
static ink_status alternate(const matched *m, size_t begin, size_t end, size_t n_options,
                            int depth) {
  size_t wanted = (size_t)m->step % n_options, option = 0, from = begin;
  for (size_t i = begin; i < end; i = past(m, i, end)) {
    if (m->text[i] != '|') continue;
    if (option++ == wanted) return expand(m, from, i, depth + 1);
    from = i + 1;
  }
  return expand(m, from, end, depth + 1);
}

// What stands within [ ].
static ink_status expand_square(const matched *m, size_t begin, size_t end, int depth) {
  size_t bars = 0, colons = 0, colon[2] = {0, 0};
  for (size_t i = begin; i < end; i = past(m, i, end)) {
    bars += m->text[i] == '|';
    if (m->text[i] == ':' && colons++ < 2) colon[colons - 1] = i;
  }
  if (bars) return alternate(m, begin, end, bars + 1, depth);
  int32_t when;
  if (colons == 1 || colons == 2) {
    size_t last = colon[colons - 1] + 1;
    if (read_when(m->text + last, end - last, m->n_steps, &when)) {
      bool before = m->step < when;
      if (colons == 1) return before ? INK_OK : expand(m, begin, colon[0], depth + 1);
      return before ? expand(m, begin, colon[0], depth + 1)
                    : expand(m, colon[0] + 1, colon[1], depth + 1);
    }
  }
  ink_text_add(m->out, "[");
  INK_TRY(expand(m, begin, end, depth + 1));
  ink_text_add(m->out, "]");
  return INK_OK;
}

static ink_status expand(const matched *m, size_t begin, size_t end, int depth) {
  if (depth > INK_PROMPT_MOST_DEPTH) return too_deep(m->error);
  for (size_t i = begin; i < end;) {
    size_t next = past(m, i, end);
    if (m->text[i] == '[' && m->partner[i] >= 0) {
      INK_TRY(expand_square(m, i + 1, next - 1, depth));
    } else if (m->text[i] == '(' && m->partner[i] >= 0) {
      ink_text_add(m->out, "(");
      INK_TRY(expand(m, i + 1, next - 1, depth + 1));
      ink_text_add(m->out, ")");
    } else {
      ink_text_add_bytes(m->out, m->text + i, next - i);
    }
    i = next;
  }
  return INK_OK;
}

ink_status ink_prompt_at(const char *prompt, int32_t step, int32_t n_steps, ink_text *out,
                         ink_error *error) {
  size_t size;
  INK_TRY(check(prompt, &size, error));
  int32_t *partner = calloc(size + 1, sizeof *partner), *stack = calloc(size + 1, sizeof *stack);
  ink_status status = INK_OK;
  if (partner && stack) {
    pair(prompt, size, partner, stack);
    matched m = {prompt, partner, step, n_steps, out, error};
    status = expand(&m, 0, size, 0);
    if (status == INK_OK) status = ink_text_status(out, error);
  } else {
    status = ink_fail(error, INK_ERR_MEMORY, "no memory for the prompt");
  }
  free(partner);
  free(stack);
  return status;
}

// ---- weights ------------------------------------------------------------------------------------

typedef enum mark { MARK_TEXT, MARK_ESCAPED, MARK_OPEN, MARK_CLOSE } mark;

// A token of the weight syntax.
typedef struct lexeme {
  mark kind;
  size_t at, size;
  bool square;
  double weight;  // of a closing one: what it multiplies by
} lexeme;

// ":1.2)" at text; *size becomes its length.
static bool read_weight(const char *text, size_t *size, double *weight) {
  const char *p = text + 1;
  while (*p == ' ') p++;
  const char *digits = p;
  if (*p == '+' || *p == '-') p++;
  const char *first = p;
  int dots = 0;
  for (; (*p >= '0' && *p <= '9') || *p == '.'; p++) dots += *p == '.';
  if (p - first - dots < 1 || dots > 1 || p - digits > 30) return false;
  const char *end = p;
  while (*p == ' ') p++;
  if (*p != ')') return false;
  char copy[32];
  memcpy(copy, digits, (size_t)(end - digits));
  copy[end - digits] = 0;
  *weight = strtod(copy, NULL);
  *size = (size_t)(p - text) + 1;
  return true;
}

static const double emphasis = 1.1;

static lexeme next_lexeme(const char *text, size_t at) {
  lexeme l = {.at = at, .size = 1};
  switch (text[at]) {
    case '\\': {
      bool escapes = text[at + 1] && strchr("()[]\\", text[at + 1]);
      l.kind = MARK_ESCAPED;
      l.size = escapes ? 2 : 1;
      return l;
    }
    case '(':
    case '[':
      l.kind = MARK_OPEN;
      l.square = text[at] == '[';
      return l;
    case ')':
    case ']':
      l.kind = MARK_CLOSE;
      l.square = text[at] == ']';
      l.weight = l.square ? 1 / emphasis : emphasis;
      return l;
    case ':':
      if (read_weight(text + at, &l.size, &l.weight)) {
        l.kind = MARK_CLOSE;
        return l;
      }
      l.size = 1;
      l.kind = MARK_TEXT;
      return l;
    default:
      l.kind = MARK_TEXT;
      l.size = strcspn(text + at, "\\()[]:");
      return l;
  }
}

// What is being put together.
typedef struct weighing {
  const char *text;
  lexeme *lexemes;
  size_t n;
  double *factor;           // of each opening lexeme
  bool *bracket;            // the lexeme opens or closes something; else it is text
  size_t *partner;          // of each closing lexeme: its opening one
  ink_text words;           // of all pieces
  size_t *starts;           // of each piece within words
  ink_prompt_piece *items;  // those of `pieces`
  ink_prompt_pieces *pieces;
  ink_error *error;
} weighing;

// Find for each opening bracket what its closing one multiplies by. The two kinds do not hinder
// each other; one that is never closed reaches to the end.
static void find_factors(weighing *w, size_t *stack_memory) {
  size_t *stacks[2] = {stack_memory, stack_memory + w->n}, depth[2] = {0, 0};
  for (size_t i = 0; i < w->n; i++) {
    const lexeme *l = &w->lexemes[i];
    if (l->kind == MARK_OPEN) {
      w->bracket[i] = true;
      w->factor[i] = l->square ? 1 / emphasis : emphasis;
      stacks[l->square][depth[l->square]++] = i;
    } else if (l->kind == MARK_CLOSE && depth[l->square]) {
      w->partner[i] = stacks[l->square][--depth[l->square]];
      w->factor[w->partner[i]] = l->weight;
      w->bracket[i] = true;
    }
  }
}

// Begin a piece unless the last one has this weight too.
static ink_prompt_piece *piece_of(weighing *w, double weight, bool breaks) {
  ink_prompt_piece *items = w->items;
  size_t n = w->pieces->n;
  bool same = n && !items[n - 1].breaks && !breaks && items[n - 1].weight == weight;
  if (same) return &items[n - 1];
  w->starts[n] = w->words.size;
  items[n] = (ink_prompt_piece){.weight = weight, .breaks = breaks};
  w->pieces->n++;
  return &items[n];
}

static bool is_word(unsigned char c) {
  return c >= 0x80 || c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
         (c >= 'a' && c <= 'z');
}

static bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void add_words(weighing *w, const char *text, size_t size, double weight) {
  if (size == 0) return;
  ink_prompt_piece *piece = piece_of(w, weight, false);
  ink_text_add_bytes(&w->words, text, size);
  piece->size += size;
}

// Words in which BREAK may stand, with the space around it.
static void add_text(weighing *w, const char *text, size_t size, double weight) {
  size_t from = 0;
  for (size_t i = 0; i + 5 <= size; i++) {
    if (memcmp(text + i, "BREAK", 5) != 0) continue;
    if ((i > 0 && is_word((unsigned char)text[i - 1])) ||
        (i + 5 < size && is_word((unsigned char)text[i + 5]))) {
      continue;
    }
    size_t end = i;
    while (end > from && is_space(text[end - 1])) end--;
    add_words(w, text + from, end - from, weight);
    piece_of(w, 1, true);
    from = i + 5;
    while (from < size && is_space(text[from])) from++;
    i = from - 1;
  }
  add_words(w, text + from, size - from, weight);
}

static ink_status sweep(weighing *w) {
  size_t active[INK_PROMPT_MOST_DEPTH] = {0}, n_active = 0;
  double weight = 1;
  for (size_t i = 0; i < w->n; i++) {
    const lexeme *l = &w->lexemes[i];
    const char *text = w->text + l->at;
    if (l->kind == MARK_ESCAPED) {
      // An escape keeps what follows it; a lone one falls away.
      add_words(w, text + 1, l->size - 1, weight);
      continue;
    }
    if (!w->bracket[i]) {
      add_text(w, text, l->size, weight);
      continue;
    }
    if (l->kind == MARK_OPEN) {
      if (n_active == sizeof active / sizeof *active) return too_deep(w->error);
      active[n_active++] = i;
    } else {
      size_t k = n_active;
      while (k > 1 && active[k - 1] != w->partner[i]) k--;
      memmove(active + k - 1, active + k, (n_active - k) * sizeof *active);
      n_active--;
    }
    weight = 1;
    for (size_t k = 0; k < n_active; k++) weight *= w->factor[active[k]];
    if (!(fabs(weight) <= 100)) {
      return ink_fail(w->error, INK_ERR_USAGE,
                      "the prompt weighs words by %g; weights lie in -100 … 100", weight);
    }
  }
  return INK_OK;
}

static ink_status weigh(weighing *w, size_t size, size_t *stack) {
  for (size_t at = 0; at < size;) {
    lexeme l = next_lexeme(w->text, at);
    w->lexemes[w->n++] = l;
    at += l.size;
  }
  find_factors(w, stack);
  INK_TRY(sweep(w));
  if (w->pieces->n == 0) piece_of(w, 1, false);
  INK_TRY(ink_text_status(&w->words, w->error));
  // Pieces become strings of their own: with a NUL behind each.
  char *memory = calloc(w->words.size + w->pieces->n, 1), *to = memory;
  if (!memory) return ink_fail(w->error, INK_ERR_MEMORY, "no memory for the prompt");
  for (size_t i = 0; i < w->pieces->n; i++) {
    ink_prompt_piece *piece = &w->pieces->items[i];
    memcpy(to, ink_text_string(&w->words) + w->starts[i], piece->size);
    piece->text = to;
    to += piece->size + 1;
  }
  w->pieces->memory = memory;
  return INK_OK;
}

ink_status ink_prompt_weigh(const char *prompt, ink_prompt_pieces *pieces, ink_error *error) {
  *pieces = (ink_prompt_pieces){0};
  size_t size;
  INK_TRY(check(prompt, &size, error));
  // No text has more lexemes than characters; a lexeme gives two pieces and a break per BREAK at
  // most, which are shorter than it.
  size_t room = size + 2;
  weighing w = {.text = prompt,
                .lexemes = calloc(room, sizeof *w.lexemes),
                .factor = calloc(room, sizeof *w.factor),
                .bracket = calloc(room, sizeof *w.bracket),
                .partner = calloc(room, sizeof *w.partner),
                .starts = calloc(room, sizeof *w.starts),
                .pieces = pieces,
                .error = error};
  size_t *stack = calloc(2 * room, sizeof *stack);
  w.items = pieces->items = calloc(room, sizeof *pieces->items);
  bool fine = w.lexemes && w.factor && w.bracket && w.partner && w.starts && stack && w.items;
  ink_status status =
      fine ? weigh(&w, size, stack) : ink_fail(error, INK_ERR_MEMORY, "no memory for the prompt");
  free(w.lexemes);
  free(w.factor);
  free(w.bracket);
  free(w.partner);
  free(w.starts);
  free(stack);
  ink_text_free(&w.words);
  if (status != INK_OK) ink_prompt_pieces_free(pieces);
  return status;
}

void ink_prompt_pieces_free(ink_prompt_pieces *pieces) {
  free(pieces->items);
  free(pieces->memory);
  *pieces = (ink_prompt_pieces){0};
}
