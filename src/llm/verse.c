// Verse that keeps its form while it is being written. Patterns are unrolled into slots, one a
// token; the state is a set of patterns with, for each, the tone patterns of the clause and the
// rhymes that are still possible. A rhyme stays possible while enough words are left for all places
// that wait for it, which is what makes every permitted beginning completable.
#include "llm/verse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <uchar.h>

#include "lang/simplify.h"
#include "llm/verse_parts.h"

// Whether a word already stood in the rhyme at hand.
static bool rhymed_before(const ink_verse_state *now, const ink_verse_plan *own, int rhyme,
                          uint32_t rune) {
  for (int k = 0; k < own->pattern->n_clause; k++) {
    const ink_verse_clause *clause = &own->pattern->clauses[k];
    int end = own->starts[k] + clause->length - 1;
    if (end >= now->n) return false;
    if (clause->rhyme == rhyme && now->runes[end] == rune) return true;
  }
  return false;
}

// The keys of `keys` in which enough words are left: those of the vocabulary less those that stood.
static uint32_t keys_with_room(const ink_verse *verse, int p, int rhyme, uint32_t keys) {
  const ink_verse_state *now = &verse->now;
  const ink_verse_plan *own = &verse->plans[p];
  bool shi = verse->form->kind == INK_VERSE_SHI;
  int level[INK_VERSE_MOST_KEYS] = {0}, deflected[INK_VERSE_MOST_KEYS] = {0};  // words that stood
  for (int k = 0; k < own->pattern->n_clause; k++) {
    const ink_verse_clause *clause = &own->pattern->clauses[k];
    int end = own->starts[k] + clause->length - 1;
    if (end >= now->n) break;
    if (clause->rhyme != rhyme || clause->echo) continue;
    // A character that is known on both sides is used up on both.
    ink_verse_word said = ink_verse_read_word(now->runes[end], INK_READINGS_COMMON);
    ink_verse_count_keys(shi ? said.level_groups : said.level_classes, level);
    ink_verse_count_keys(said.deflected_classes, deflected);
  }
  const ink_verse_lexicon *lexicon = verse->lexicon;
  const int *all_level = shi ? lexicon->level_groups : lexicon->level_classes;
  ink_verse_need wanted = now->needs[p][rhyme];
  for (int key = 0; key < INK_VERSE_MOST_KEYS; key++)
    if (all_level[key] - level[key] < wanted.level ||
        lexicon->deflected_classes[key] - deflected[key] < wanted.deflected)
      keys &= ~(UINT32_C(1) << key);
  return keys;
}

// Where one pattern stands: its slot, clause, and what a character must be there.
typedef struct view {
  const ink_verse_plan *own;
  const ink_verse_slot *at;
  const ink_verse_clause *clause;
  uint32_t fixed;   // the only character, or 0
  uint8_t allowed;  // tones
  bool any;         // also characters of no known tone
  bool rhymes;      // a new rhyme word stands here
  uint32_t keys;    // and has one of these keys
} view;

static view view_of(const ink_verse *verse, int p) {
  const ink_verse_state *now = &verse->now;
  const ink_verse_plan *own = &verse->plans[p];
  view out = {.own = own, .at = &own->slots[now->step]};
  if (out.at->kind != INK_SLOT_CHARACTER) return out;
  out.clause = &own->pattern->clauses[out.at->clause];
  out.fixed = own->fixed[now->n];
  if (out.clause->echo) out.fixed = now->runes[now->n - out.clause->length];
  for (int t = 0; t < out.clause->n_tones; t++)
    if (now->tones[p] >> t & 1) {
      uint8_t tones = out.clause->tones[t][out.at->place];
      out.allowed |= tones;
      out.any = out.any || tones == INK_VERSE_ANY;
    }
  out.rhymes =
      out.clause->rhyme >= 0 && !out.clause->echo && out.at->place == out.clause->length - 1;
  if (out.rhymes) {
    int rhyme = out.clause->rhyme;
    out.keys =
        out.fixed ? now->keys[p][rhyme] : keys_with_room(verse, p, rhyme, now->keys[p][rhyme]);
  }
  return out;
}

static bool view_allows(const ink_verse *verse, const view *here, const ink_verse_word *own) {
  if (!own->rune) return false;
  if (here->fixed) return own->rune == here->fixed;
  if (!here->any && !(own->tones & here->allowed)) return false;
  if (!here->rhymes) return true;
  return ink_verse_keys_at(verse, here->clause, own) & here->keys &&
         !rhymed_before(&verse->now, here->own, here->clause->rhyme, own->rune);
}

static void set_bit(uint64_t *bits, int32_t id) {
  if (id >= 0) bits[id / 64] |= UINT64_C(1) << (id % 64);
}

static void allow_mark(const ink_verse_lexicon *lexicon, const view *here, uint64_t *bits) {
  const int32_t *marks = lexicon->marks;
  switch (here->own->pattern->clauses[here->at->clause].mark) {
    case u'。':
      set_bit(bits, marks[INK_MARK_STOP]);
      set_bit(bits, marks[INK_MARK_QUESTION]);
      set_bit(bits, marks[INK_MARK_EXCLAMATION]);
      break;
    case u'、':
      set_bit(bits, marks[INK_MARK_PAUSE] >= 0 ? marks[INK_MARK_PAUSE] : marks[INK_MARK_COMMA]);
      break;
    default:
      set_bit(bits, marks[INK_MARK_COMMA]);
  }
}

static void clear_bit(uint64_t *bits, int32_t id) {
  if (id >= 0) bits[id / 64] &= ~(UINT64_C(1) << (id % 64));
}

// Take out the characters that stood before or are asked for later, except the one just before:
// it may be doubled. When no other is left they stay in.
static void prefer_fresh(const ink_verse *verse, uint64_t *bits) {
  const ink_verse_state *now = &verse->now;
  size_t n = (verse->lexicon->n_vocab + 63) / 64;
  bool left = false;
  memcpy(verse->fresh, bits, n * sizeof *bits);
  for (int p = 0; p < verse->n_plan; p++)
    for (int i = now->n; now->alive >> p & 1 && i < verse->plans[p].pattern->n_place; i++)
      clear_bit(verse->fresh, verse->plans[p].fixed_tokens[i]);
  for (int i = 0; i < now->n; i++) {
    bool doubles = i == now->n - 1 && (i == 0 || now->tokens[i - 1] != now->tokens[i]);
    if (!doubles) clear_bit(verse->fresh, now->tokens[i]);
  }
  for (size_t i = 0; i < n; i++) left = left || verse->fresh[i];
  if (left) memcpy(bits, verse->fresh, n * sizeof *bits);
}

// Add the characters that one pattern takes at a place where none is asked for.
static void allow_characters(const ink_verse *verse, const view *here, uint64_t *bits) {
  const ink_verse_lexicon *lexicon = verse->lexicon;
  const uint64_t *toned = here->any ? lexicon->characters : lexicon->with_tone[here->allowed];
  uint64_t *const *keyed = here->rhymes ? ink_verse_sets_at(verse, here->clause) : NULL;
  for (size_t i = 0; i < lexicon->n_set; i++) {
    uint64_t word = toned[i], rhyming = 0;
    for (uint32_t keys = here->keys; keyed && keys; keys &= keys - 1)
      rhyming |= keyed[__builtin_ctz(keys)][i];
    if (keyed) word &= rhyming;
    for (uint64_t left = keyed ? word : 0; left; left &= left - 1) {
      uint32_t rune = lexicon->words[i * 64 + (size_t)__builtin_ctzll(left)].rune;
      if (rhymed_before(&verse->now, here->own, here->clause->rhyme, rune)) word &= ~(left & -left);
    }
    bits[i] |= word;
  }
}

// Add the one character that is asked for, under each token that writes it.
static void allow_fixed(const ink_verse *verse, const view *here, uint64_t *bits) {
  const ink_verse_lexicon *lexicon = verse->lexicon;
  for (size_t id = 0; id < lexicon->n_vocab; id++)
    if (lexicon->words[id].rune == here->fixed) set_bit(bits, (int32_t)id);
}

void ink_verse_allowed(ink_verse *verse, uint64_t *bits) {
  const ink_verse_lexicon *lexicon = verse->lexicon;
  view here[INK_VERSE_PATTERNS];
  memset(bits, 0, (lexicon->n_vocab + 63) / 64 * sizeof *bits);
  if (verse->now.done) return;
  for (int p = 0; p < verse->n_plan; p++) {
    if (!(verse->now.alive >> p & 1)) continue;
    here[p] = view_of(verse, p);
    if (here[p].at->kind == INK_SLOT_CHARACTER && !here[p].fixed)
      allow_characters(verse, &here[p], bits);
  }
  if (!verse->repeat) prefer_fresh(verse, bits);
  for (int p = 0; p < verse->n_plan; p++) {
    if (!(verse->now.alive >> p & 1)) continue;
    switch (here[p].at->kind) {
      case INK_SLOT_CHARACTER:
        if (here[p].fixed) allow_fixed(verse, &here[p], bits);
        break;
      case INK_SLOT_MARK:
        allow_mark(lexicon, &here[p], bits);
        break;
      case INK_SLOT_BREAK:
        set_bit(bits, lexicon->marks[INK_MARK_BREAK]);
        break;
      default:
        for (size_t i = 0; i < lexicon->n_end; i++) set_bit(bits, lexicon->ends[i]);
    }
  }
}

// Begin the clause of the slot that comes next: all its tone patterns are possible again.
static void enter_clause(const ink_verse *verse, ink_verse_state *now) {
  for (int p = 0; p < verse->n_plan; p++) {
    const ink_verse_plan *own = &verse->plans[p];
    if (!(now->alive >> p & 1) || now->step >= own->n_slot) continue;
    const ink_verse_slot *at = &own->slots[now->step];
    if (at->kind == INK_SLOT_CHARACTER && at->place == 0) now->tones[p] = own->tones[at->clause];
  }
}

// One pattern takes a character; false when it cannot.
static bool take_character(const ink_verse *verse, int p, const ink_verse_word *own,
                           ink_verse_state *next) {
  view here = view_of(verse, p);
  if (here.at->kind != INK_SLOT_CHARACTER || !view_allows(verse, &here, own)) return false;
  // What was asked for counts in all its readings, what is chosen in the common ones.
  ink_verse_word said = here.fixed ? ink_verse_read_word(own->rune, INK_READINGS_ALL) : *own;
  for (int t = 0; t < here.clause->n_tones; t++)
    if (!ink_verse_has_tone(&said, here.clause->tones[t][here.at->place]))
      next->tones[p] &= (uint8_t) ~(1 << t);
  if (here.rhymes) {
    int rhyme = here.clause->rhyme;
    next->keys[p][rhyme] = here.keys & ink_verse_keys_at(verse, here.clause, &said);
    next->needs[p][rhyme] = ink_verse_needs_from(here.own, here.at->clause + 1, rhyme);
  }
  return true;
}

static bool take_mark(const ink_verse *verse, int p, int32_t token) {
  const ink_verse_lexicon *lexicon = verse->lexicon;
  view here = view_of(verse, p);
  switch (here.at->kind) {
    case INK_SLOT_MARK:
      switch (here.own->pattern->clauses[here.at->clause].mark) {
        case u'。':
          return token == lexicon->marks[INK_MARK_STOP] ||
                 token == lexicon->marks[INK_MARK_QUESTION] ||
                 token == lexicon->marks[INK_MARK_EXCLAMATION];
        case u'、':
          return token ==
                 lexicon
                     ->marks[lexicon->marks[INK_MARK_PAUSE] >= 0 ? INK_MARK_PAUSE : INK_MARK_COMMA];
        default:
          return token == lexicon->marks[INK_MARK_COMMA];
      }
    case INK_SLOT_BREAK:
      return token == lexicon->marks[INK_MARK_BREAK];
    case INK_SLOT_END:
      for (size_t i = 0; i < lexicon->n_end; i++)
        if (token == lexicon->ends[i]) return true;
      return false;
    default:
      return false;
  }
}

// Move on by a token; `own` is its character, NULL when it is a mark, break or end.
static bool advance(ink_verse *verse, const ink_verse_word *own, int32_t token) {
  ink_verse_state next = verse->now;
  bool end = false;
  for (int p = 0; p < verse->n_plan; p++) {
    if (!(verse->now.alive >> p & 1)) continue;
    bool taken = own ? take_character(verse, p, own, &next) : take_mark(verse, p, token);
    if (!taken) next.alive &= ~(1U << p);
    end = end || (taken && verse->plans[p].slots[verse->now.step].kind == INK_SLOT_END);
  }
  if (!next.alive) return false;
  next.step++;
  if (own) {
    next.tokens[next.n] = token;
    next.runes[next.n++] = own->rune;
  }
  next.done = end;
  enter_clause(verse, &next);
  verse->now = next;
  return true;
}

ink_status ink_verse_accept(ink_verse *verse, int32_t token, ink_error *error) {
  const ink_verse_lexicon *lexicon = verse->lexicon;
  bool known = token >= 0 && (size_t)token < lexicon->n_vocab && !verse->now.done;
  const ink_verse_word *own = known && lexicon->words[token].rune ? &lexicon->words[token] : NULL;
  if (!known || !advance(verse, own, token))
    return ink_fail(error, INK_ERR_USAGE, "token %d breaks the form %s at token %d of the poem",
                    token, verse->form->names[0], verse->now.step + 1);
  return INK_OK;
}

bool ink_verse_done(const ink_verse *verse) {
  return verse->now.done;
}

const ink_verse_pattern *ink_verse_settled(const ink_verse *verse) {
  for (int p = 0; p < verse->n_plan; p++)
    if (verse->now.alive == 1U << p) return verse->plans[p].pattern;
  return NULL;
}

void ink_verse_restart(ink_verse *verse) {
  verse->now = verse->begin;
}

// ---- beginning --------------------------------------------------------------------------------

static void begin(ink_verse *verse) {
  ink_verse_state *now = &verse->now;
  memset(now, 0, sizeof *now);
  now->alive = (1U << verse->n_plan) - 1;
  for (int p = 0; p < verse->n_plan; p++)
    for (int r = 0; r < verse->plans[p].pattern->n_rhyme; r++) {
      now->keys[p][r] = verse->plans[p].keys[r];
      now->needs[p][r] = ink_verse_needs_from(&verse->plans[p], 0, r);
    }
  enter_clause(verse, now);
}

// A character of the opening is taken in all its readings and with the tone patterns for judging,
// as if it had been asked for.
static bool open_with(ink_verse *verse, uint32_t rune) {
  ink_verse_state next = verse->now;
  ink_verse_word own = ink_verse_read_word(rune, INK_READINGS_ALL);
  for (int p = 0; p < verse->n_plan; p++) {
    if (!(verse->now.alive >> p & 1)) continue;
    view here = view_of(verse, p);
    if (here.at->kind == INK_SLOT_CHARACTER && here.at->place == 0) {
      verse->now.tones[p] = (uint8_t)((1U << here.clause->n_tones) - 1);
      next.tones[p] = verse->now.tones[p];
    }
    if (!take_character(verse, p, &own, &next)) next.alive &= ~(1U << p);
  }
  if (!next.alive) return false;
  next.step++;
  next.tokens[next.n] = ink_verse_token_of(verse->lexicon, rune);
  next.runes[next.n++] = rune;
  enter_clause(verse, &next);
  verse->now = next;
  return true;
}

// Behind the opening, the clause it broke off in goes on with the tone patterns for writing, and
// patterns whose later demands do not fit what it left drop out.
static bool close_opening(ink_verse *verse) {
  for (int p = 0; p < verse->n_plan; p++) {
    if (!(verse->now.alive >> p & 1)) continue;
    view here = view_of(verse, p);
    if (here.at->kind != INK_SLOT_CHARACTER || here.at->place == 0) continue;
    unsigned left = verse->now.tones[p] & verse->plans[p].tones[here.at->clause];
    if (left) verse->now.tones[p] = (uint8_t)left;
    const uint32_t *fixed = &here.own->fixed[here.own->starts[here.at->clause]];
    for (int t = 0; t < here.clause->n_tones; t++)
      for (int i = here.at->place; i < here.clause->length; i++)
        if (fixed[i]) {
          ink_verse_word own = ink_verse_read_word(fixed[i], INK_READINGS_ALL);
          if (!ink_verse_has_tone(&own, here.clause->tones[t][i]))
            verse->now.tones[p] &= (uint8_t) ~(1U << t);
        }
    if (!verse->now.tones[p]) verse->now.alive &= ~(1U << p);
  }
  return verse->now.alive != 0;
}

// Take one code point of the opening: a character, or a mark. A line break that is missing before a
// character is put in.
static bool take_opening(ink_verse *verse, uint32_t rune) {
  const int32_t *tokens = verse->lexicon->marks;
  bool taken = false;
  if (ink_verse_is_han(rune)) {
    if (tokens[INK_MARK_BREAK] >= 0 && advance(verse, NULL, tokens[INK_MARK_BREAK]))
      ink_text_add(&verse->opening, "\n");
    taken = open_with(verse, rune);
  }
  for (int m = 0; m < INK_MARKS && !taken; m++)
    taken = rune == ink_verse_marks[m] && tokens[m] >= 0 && advance(verse, NULL, tokens[m]);
  if (taken) ink_text_add_rune(&verse->opening, rune);
  return taken;
}

static ink_status read_opening(ink_verse *verse, const char *opening, ink_error *error) {
  if (!opening || !*opening) return INK_OK;
  ink_text simple = {0};
  ink_simplify(opening, strlen(opening), &simple);
  ink_status status = ink_text_status(&simple, error);
  for (size_t at = 0; at < simple.size && status == INK_OK;) {
    int32_t rune;
    at += ink_utf8_decode(simple.bytes + at, simple.size - at, &rune);
    if (rune == ' ' || rune == '\r' || rune == U'　' || take_opening(verse, (uint32_t)rune))
      continue;
    bool han = ink_verse_is_han((uint32_t)rune);
    status = ink_fail(error, INK_ERR_USAGE,
                      "the opening breaks %s behind its first %d characters, at '%s' (%s)",
                      verse->form->names[0], verse->now.n,
                      rune == '\n' ? "\\n" : ink_verse_rune_text((uint32_t)rune).bytes,
                      han ? ink_verse_tone_text(ink_prosody_tones((uint32_t)rune, INK_READINGS_ALL))
                          : "not a character");
  }
  ink_text_free(&simple);
  INK_TRY(status);
  if (!close_opening(verse))
    return ink_fail(error, INK_ERR_USAGE, "no %s with the other demands begins with '%s'",
                    verse->form->names[0], opening);
  return ink_text_status(&verse->opening, error);
}

ink_status ink_verse_new(const ink_verse_lexicon *lexicon, const ink_verse_demand *demand,
                         ink_verse **out, ink_error *error) {
  *out = NULL;
  ink_verse *verse = calloc(1, sizeof *verse);
  size_t n = (lexicon->n_vocab + 63) / 64;
  uint64_t *bits = calloc(2 * n, sizeof *bits);
  if (!verse || !bits) {
    free(verse);
    free(bits);
    return ink_fail(error, INK_ERR_MEMORY, "no memory for the form of a poem");
  }
  verse->lexicon = lexicon;
  verse->form = demand->form;
  verse->repeat = demand->repeat;
  verse->bits = bits;
  verse->fresh = bits + n;
  ink_status status = ink_verse_make_plans(verse, demand, error);
  if (status == INK_OK) {
    begin(verse);
    status = read_opening(verse, demand->opening, error);
  }
  if (status != INK_OK) {
    ink_verse_free(verse);
    return status;
  }
  verse->begin = verse->now;
  *out = verse;
  return INK_OK;
}

void ink_verse_free(ink_verse *verse) {
  if (!verse) return;
  ink_text_free(&verse->opening);
  free(verse->bits);
  free(verse);
}

const char *ink_verse_opening(const ink_verse *verse) {
  return ink_text_string(&verse->opening);
}

// ---- the processor -----------------------------------------------------------------------------

static ink_status process(void *self, const int32_t *tokens, size_t n, float *logits,
                          size_t n_vocab, ink_error *error) {
  (void)tokens, (void)n;
  ink_verse *verse = self;
  if (verse->now.done)
    return ink_fail(error, INK_ERR_USAGE, "the poem has ended; nothing can follow");
  ink_verse_allowed(verse, verse->bits);
  for (size_t id = 0; id < n_vocab; id++)
    if (id >= verse->lexicon->n_vocab || !(verse->bits[id / 64] >> (id % 64) & 1))
      logits[id] = -INFINITY;
  return INK_OK;
}

static ink_status accept_token(void *self, int32_t token, ink_error *error) {
  return ink_verse_accept(self, token, error);
}

ink_logit_processor ink_verse_processor(ink_verse *verse) {
  return (ink_logit_processor){process, accept_token, verse};
}
