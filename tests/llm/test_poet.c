// The poet that ships with inkstone: the same logits as transformers, and poems that do not depend
// on what is written beside them.
#include <math.h>

#include "llm/model.h"
#include "llm/poet.h"
#include "testing.h"

static int open_poet(void **state) {
  ink_error error = {0};
  ink_model *model;
  if (ink_model_open_at(fixture_path("../../models/poet"), &model, &error) != INK_OK) {
    print_message("# %s\n", error.text);
    return -1;
  }
  *state = model;
  return 0;
}

static int close_poet(void **state) {
  ink_model_free(*state);
  return 0;
}

static const ink_tensor *part(const ink_weights *expected, const char *name, int i) {
  char full[32];
  snprintf(full, sizeof full, "%s.%d", name, i);
  return ink_weights_find(expected, full);
}

// Logits behind ids[0 … n), all of them: (n, V), to be freed.
static float *logits_of(const ink_model *model, const int32_t *ids, int64_t n) {
  ink_error error = {0};
  ink_compute c = {.arena = ink_arena_new(0)};
  int32_t *copy = malloc((size_t)n * sizeof *copy);
  memcpy(copy, ids, (size_t)n * sizeof *copy);
  ink_tensor view = ink_tensor_view(INK_I32, copy, 2, (int64_t[]){1, n});
  ink_decoder_input input = {.ids = &view};
  ink_tensor *logits =
      ink_decoder_head(&c, model->decoder, ink_decoder_forward(&c, model->decoder, &input));
  assert_ok(ink_compute_status(&c, &error));
  size_t bytes = (size_t)ink_tensor_elements(logits) * sizeof(float);
  float *out = malloc(bytes);
  memcpy(out, logits->data, bytes);
  ink_arena_free(c.arena);
  free(copy);
  return out;
}

static void ids_and_logits_equal_transformers(void **state) {
  const ink_model *model = *state;
  ink_error error = {0};
  ink_weights *expected;
  assert_ok(ink_weights_open(fixture_path("models/poet/expected.safetensors"), &expected, &error));
  int32_t vocab = ink_decoder_about(model->decoder)->vocab;
  const ink_tensor *columns = ink_weights_find(expected, "columns");
  double most = 0;
  int texts = 0;
  for (const ink_tensor *text; (text = part(expected, "text", texts)); texts++) {
    const ink_tensor *ids = part(expected, "ids", texts), *wanted = part(expected, "logits", texts);
    int32_t *ours;
    size_t n, size = (size_t)text->shape[0];
    char bytes[512];
    assert_true(size <= sizeof bytes);
    for (size_t i = 0; i < size; i++) bytes[i] = (char)((int32_t *)text->data)[i];
    assert_ok(
        ink_tokenizer_encode(model->tokenizer, bytes, size, INK_ENCODE_SPECIAL, &ours, &n, &error));
    assert_int_equal(n, ids->shape[0]);
    assert_memory_equal(ours, ids->data, n * sizeof *ours);
    float *logits = logits_of(model, ours, (int64_t)n);
    for (size_t t = 0; t < n; t++) {
      for (int64_t k = 0; k < columns->shape[0]; k++) {
        double got = (double)logits[t * (size_t)vocab + (size_t)((int32_t *)columns->data)[k]];
        double difference =
            fabs(got - (double)((float *)wanted->data)[(int64_t)t * columns->shape[0] + k]);
        if (!(difference <= most)) most = difference;
      }
    }
    free(logits);
    free(ours);
  }
  print_message("# %d texts, logits within %.1e\n", texts, most);
  assert_true(texts >= 4);
  if (!(most <= 1e-4)) fail_msg("logits differ by %g from transformers", most);
  ink_weights_close(expected);
}

enum { N_REQUEST = 40 };

// Poems of several forms, lengths, prompts and numbers of candidates.
static void make_requests(ink_poet_request *requests) {
  static const char *const forms[] = {"七绝", "五律", "浣溪沙", "七律", NULL},
                           *const titles[] = {NULL, "秋夜", "登楼", "山居秋暝寄友人"};
  for (size_t i = 0; i < N_REQUEST; i++) {
    requests[i] = ink_poet_default();
    requests[i].brief.field[INK_POEM_FORM] = forms[i % 5];
    requests[i].brief.field[INK_POEM_TITLE] = titles[i % 4];
    requests[i].free_form = i % 5 == 4;
    requests[i].candidates = 1 + (int32_t)(i % 3);
    requests[i].sampling.seed = i;
  }
}

static void poems_written_together_equal_those_written_alone(void **state) {
  const ink_model *model = *state;
  ink_error error = {0};
  ink_poet_request requests[N_REQUEST];
  ink_poem_draft drafts[N_REQUEST], draft;
  ink_pool *pool = ink_pool_new(2);
  make_requests(requests);
  assert_ok(ink_poet_write_many(model, requests, N_REQUEST, pool, NULL, drafts, &error));
  for (size_t i = 0; i < N_REQUEST; i++) {
    assert_ok(ink_poet_write(model, &requests[i], NULL, NULL, &draft, &error));
    assert_string_equal(drafts[i].text, draft.text);
    assert_string_equal(drafts[i].form, draft.form);
    assert_int_equal(drafts[i].n_token, draft.n_token);
    assert_memory_equal(drafts[i].tokens, draft.tokens, draft.n_token * sizeof *draft.tokens);
    assert_int_equal(drafts[i].candidate, draft.candidate);
    assert_true(drafts[i].logprob == draft.logprob);
    ink_poem_draft_free(&draft);
    ink_poem_draft_free(&drafts[i]);
  }
  ink_pool_free(pool);
}

static void first_demand_that_cannot_be_met_is_named_by_its_poem(void **state) {
  ink_error error = {0};
  ink_poet_request requests[N_REQUEST];
  ink_poem_draft drafts[N_REQUEST];
  make_requests(requests);
  requests[35].brief.field[INK_POEM_ACROSTIC] = "我爱中";
  assert_int_equal(ink_poet_write_many(*state, requests, N_REQUEST, NULL, NULL, drafts, &error),
                   INK_ERR_USAGE);
  assert_non_null(strstr(error.text, "poem 36: the acrostic has 3 characters"));
  for (size_t i = 0; i < N_REQUEST; i++) assert_null(drafts[i].text);
}

// 乾 is 干 in simplified characters, but not in 乾坤.
static void acrostic_is_simplified_as_a_whole(void **state) {
  ink_error error = {0};
  ink_poet_request request = ink_poet_default();
  ink_poem_draft draft;
  request.brief.field[INK_POEM_FORM] = "五绝";
  request.brief.field[INK_POEM_ACROSTIC] = "乾坤萬里";
  request.candidates = 1;
  assert_ok(ink_poet_write(*state, &request, NULL, NULL, &draft, &error));
  // Clauses of five characters and a mark, three bytes each; a line break behind every second.
  static const char *const heads[] = {"乾", "坤", "万", "里"};
  for (size_t i = 0; i < 4; i++) {
    assert_memory_equal(draft.text + 18 * i + i / 2, heads[i], strlen(heads[i]));
  }
  ink_poem_draft_free(&draft);
}

// Among the same candidates another one is kept where the title counts; without a title nothing
// changes.
static void title_decides_among_candidates(void **state) {
  ink_error error = {0};
  int changed = 0;
  for (uint64_t seed = 1; seed <= 12; seed++) {
    for (int titled = 0; titled < 2; titled++) {
      ink_poet_request request = ink_poet_default();
      ink_poem_draft near, likely;
      request.brief.field[INK_POEM_TITLE] = titled ? "秋夜江上" : NULL;
      request.sampling.seed = seed;
      request.candidates = 4;
      request.relevance = 1000;
      assert_ok(ink_poet_write(*state, &request, NULL, NULL, &near, &error));
      request.relevance = 0;
      assert_ok(ink_poet_write(*state, &request, NULL, NULL, &likely, &error));
      if (!titled) assert_string_equal(near.text, likely.text);
      assert_true(near.logprob <= likely.logprob);
      changed += near.candidate != likely.candidate;
      ink_poem_draft_free(&near);
      ink_poem_draft_free(&likely);
    }
  }
  assert_true(changed >= 3);
}

static bool stop_at_five(void *context, int64_t done, int64_t total, const char *what) {
  (void)what;
  *(int64_t *)context = total;
  return done < 5;
}

static void writing_many_can_be_cancelled(void **state) {
  ink_error error = {0};
  ink_poet_request requests[N_REQUEST];
  ink_poem_draft drafts[N_REQUEST];
  int64_t total = 0, wanted = 0;
  make_requests(requests);
  for (size_t i = 0; i < N_REQUEST; i++) wanted += requests[i].candidates;
  ink_progress progress = {stop_at_five, &total};
  assert_int_equal(
      ink_poet_write_many(*state, requests, N_REQUEST, NULL, &progress, drafts, &error),
      INK_ERR_CANCELLED);
  assert_int_equal(total, wanted);
  for (size_t i = 0; i < N_REQUEST; i++) assert_null(drafts[i].text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ids_and_logits_equal_transformers),
      cmocka_unit_test(poems_written_together_equal_those_written_alone),
      cmocka_unit_test(first_demand_that_cannot_be_met_is_named_by_its_poem),
      cmocka_unit_test(acrostic_is_simplified_as_a_whole),
      cmocka_unit_test(title_decides_among_candidates),
      cmocka_unit_test(writing_many_can_be_cancelled),
  };
  return cmocka_run_group_tests(tests, open_poet, close_poet);
}
