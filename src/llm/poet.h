// Writing verse: a brief becomes the poet's prompt and a constraint that holds while decoding; of
// several candidates the best one is kept.
#ifndef INK_LLM_POET_H
#define INK_LLM_POET_H

#include "base/progress.h"
#include "lang/poem.h"
#include "llm/llm.h"
#include "llm/model.h"

typedef struct ink_poet_request {
  // Form (七律, 浣溪沙 …; simplified or traditional), title, theme, author, dynasty, acrostic
  // (藏头), rhymes (步韵), rhyme group (一东, 东); NULL or "" leaves one out. Without a form: 七绝.
  ink_poem_brief brief;
  ink_sampling sampling;
  int32_t candidates;  // 1 to 64: how many are written; one is kept: likely under the model, near
                       // to the brief, without echoes of itself
  double relevance;  // what nearness to the brief counts there: how much likelier, in nats a token,
                     // title and theme make the poem (Li et al. 2016); 0: nothing
  bool free_form;  // no constraint: what the model makes of the brief by itself. Without a form in
                   // the brief it then chooses one
  int64_t max_tokens;  // 0: as many as the context holds
  // With one candidate: called with the poem's text as it becomes final; false cancels. May be
  // NULL.
  bool (*on_text)(void *context, const char *text, size_t size);
  void *context_of_text;
} ink_poet_request;

// temperature 0.8, top_p 0.9, eight candidates, relevance 4: bench/poet_card --only sweep compares.
ink_poet_request ink_poet_default(void);

typedef struct ink_poem_draft {
  char *form;       // the form's usual name, "" where the model chose
  char *text;       // lines ended by \n, with punctuation
  int32_t *tokens;  // of the text
  size_t n_token;
  double logprob;     // mean per token of the text, under the model alone
  int32_t candidate;  // which of them, from 0
  ink_finish finish;
  ink_timing timing;
} ink_poem_draft;

// Whether the model's vocabulary holds the control tokens of poems where prompts expect them. The
// one failure is MEMORY.
ink_status ink_poet_knows_poems(const ink_model *model, bool *known, ink_error *error);

// Write a poem. Candidate i draws with piece sampling.piece + i. USAGE: a demand that no poem of
// the form can meet, with the character and the reason; UNSUPPORTED: a model whose tokenizer does
// not know the poem's control tokens. `on_text` of the session is not used: lines are final only
// when all candidates are.
ink_status ink_poet_write(const ink_model *model, const ink_poet_request *request, ink_pool *pool,
                          const ink_progress *progress, ink_poem_draft *draft, ink_error *error);
// The same for many requests at once: what they write runs through the model together, several
// times as fast as one after another. drafts[i] is what ink_poet_write makes of requests[i]. The
// first failure ends all, and names the poem by its number, from 1; no draft is left then.
ink_status ink_poet_write_many(const ink_model *model, const ink_poet_request *requests, size_t n,
                               ink_pool *pool, const ink_progress *progress, ink_poem_draft *drafts,
                               ink_error *error);
void ink_poem_draft_free(ink_poem_draft *draft);

#endif
