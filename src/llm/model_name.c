// Models by the name a user gives them.
#include <stdlib.h>

#include "llm/model.h"
#include "weights/hub.h"

ink_status ink_model_open(const char *reference, ink_model **model, ink_error *error) {
  *model = NULL;
  char *path = NULL;
  INK_TRY(ink_model_resolve(reference, &path, error));
  ink_status status = ink_model_open_at(path, model, error);
  free(path);
  return status;
}
