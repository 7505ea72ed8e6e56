// What the tests of generation share: the tiny reference models.
#ifndef INK_TESTS_LLM_TESTING_H
#define INK_TESTS_LLM_TESTING_H

#include "llm/model.h"
#include "scratch.h"
#include "testing.h"

static inline ink_model *open_model(const char *name) {
  ink_error error = {0};
  ink_model *model;
  assert_ok(ink_model_open_at(below(fixture_path("models"), name), &model, &error));
  return model;
}

#endif
