// Watermarks of pictures, as the command line asks for them.
#include "cli/paint_watermark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/painted.h"
#include "lang/catalogue.h"
#include "mark/keys.h"
#include "mark/watermark/dwt_dct.h"

// ---- which --------------------------------------------------------------------------------------

static void say(const char *words) {
  fprintf(stderr, "%s\n", ink_tr(words));
}

// "gaussian", "public", "dwtdct", "none", or two with a comma between.
static ink_status parse(const char *flag, ink_paint_recipe_watermark *recipe, ink_paint_key *whose,
                        ink_error *error) {
  *whose = INK_PAINT_KEY_NONE;
  *recipe = (ink_paint_recipe_watermark){.stated = true};
  bool none = false;
  for (const char *at = flag; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
    size_t size = strcspn(at, ",");
    bool gaussian = size == 8 && memcmp(at, "gaussian", size) == 0;
    bool open = size == 6 && memcmp(at, "public", size) == 0;
    bool dwt_dct = size == 6 && memcmp(at, "dwtdct", size) == 0;
    bool nothing = size == 4 && memcmp(at, "none", size) == 0;
    if (!gaussian && !open && !dwt_dct && !nothing) {
      return ink_fail(error, INK_ERR_USAGE,
                      "--watermark is gaussian, public, dwtdct or none, not \"%.*s\"", (int)size,
                      at);
    }
    if (gaussian) *whose = INK_PAINT_KEY_OWN;
    if (open) *whose = INK_PAINT_KEY_PUBLIC;
    recipe->dwt_dct |= dwt_dct;
    none |= nothing;
  }
  if (none && strchr(flag, ',')) {
    return ink_fail(error, INK_ERR_USAGE, "--watermark none stands alone");
  }
  if (none) say("no picture watermark; labels and manifest stay");
  return INK_OK;
}

static ink_status refuse_gaussian(ink_error *error) {
  return ink_fail(error, INK_ERR_USAGE,
                  "a picture that is painted from another has not the noise that Gaussian "
                  "Shading needs; take --watermark none or dwtdct");
}

ink_status ink_paint_watermark_choose(const char *flag, bool repeated, bool over_another,
                                      bool enlarged, bool unmarked, ink_paint_recipe *recipe,
                                      ink_paint_watermark *watermark, ink_error *error) {
  ink_paint_recipe_watermark *w = &recipe->watermark;
  watermark->over_another = over_another;
  watermark->asked = flag != NULL;
  if (flag) {
    INK_TRY(parse(flag, w, &watermark->whose, error));
    return watermark->whose != INK_PAINT_KEY_NONE && enlarged ? refuse_gaussian(error) : INK_OK;
  }
  if (repeated) {
    watermark->whose = w->gaussian_key[0] ? INK_PAINT_KEY_RECIPE : INK_PAINT_KEY_NONE;
    if (enlarged && w->gaussian_key[0]) {
      watermark->whose = INK_PAINT_KEY_NONE;
      w->gaussian_key[0] = 0;
      w->kept = 0;
    }
    if (unmarked && (w->gaussian_key[0] || w->dwt_dct)) {
      say("the picture keeps its watermark; --watermark none paints another without");
    }
    return INK_OK;
  }
  w->stated = true;
  watermark->whose = INK_PAINT_KEY_NONE;
  if (unmarked || enlarged) return INK_OK;
  // These generators are chosen to meet another tool's picture.
  if (recipe->noise != INK_NOISE_OWN) {
    say("no picture watermark, so that the noise is the other tool's; --watermark gaussian adds "
        "it");
    return INK_OK;
  }
  watermark->whose = INK_PAINT_KEY_OWN;
  return INK_OK;
}

// ---- whose --------------------------------------------------------------------------------------

static ink_status open_own(bool make, ink_shading_key *key, ink_error *error) {
  char *folder;
  INK_TRY(ink_keys_folder(&folder, error));
  if (!folder) {
    return ink_fail(
        error, INK_ERR_NOT_FOUND,
        "no place for the watermark key: set HOME, or XDG_DATA_HOME to an absolute path");
  }
  ink_status status = ink_shading_key_open(folder, make, key, error);
  free(folder);
  return status;
}

// The key of a recipe's picture, if it is one of those that are here.
static ink_status open_named(const char *name, ink_shading_key *key, ink_error *error) {
  char id[INK_SHADING_KEY_ID];
  ink_error absent = ink_cli_error();
  INK_TRY(ink_shading_key_of(NULL, 0, key, error));
  INK_TRY(ink_shading_key_id(key, id, error));
  if (strcmp(id, name) == 0) return INK_OK;
  ink_status status = open_own(false, key, &absent);
  if (status != INK_OK && status != INK_ERR_NOT_FOUND) {
    return ink_fail(error, status, "%s", absent.text);
  }
  if (status == INK_OK) INK_TRY(ink_shading_key_id(key, id, error));
  if (status == INK_OK && strcmp(id, name) == 0) return INK_OK;
  return ink_fail(error, INK_ERR_CONFLICT,
                  "the picture's noise is marked with a key that is not here (%s): it cannot be "
                  "repeated; --watermark gaussian paints another with this installation's",
                  name);
}

ink_status ink_paint_watermark_open(ink_paint_watermark *watermark, ink_paint_recipe *recipe,
                                    ink_error *error) {
  ink_shading_key *key = &watermark->carried.key;
  char *name = recipe->watermark.gaussian_key;
  switch (watermark->whose) {
    case INK_PAINT_KEY_OWN:
      INK_TRY(open_own(true, key, error));
      return ink_shading_key_id(key, name, error);
    case INK_PAINT_KEY_PUBLIC:
      INK_TRY(ink_shading_key_of(NULL, 0, key, error));
      return ink_shading_key_id(key, name, error);
    case INK_PAINT_KEY_RECIPE:
      return open_named(name, key, error);
    case INK_PAINT_KEY_NONE:
    default:
      return INK_OK;
  }
}

// ---- one picture --------------------------------------------------------------------------------

ink_status ink_paint_watermark_ready(ink_paint_watermark *watermark, ink_pipeline *pipeline,
                                     ink_paint_recipe *recipe, ink_noise_shaper *shaper,
                                     ink_paint_request *request, ink_error *error) {
  ink_paint_settled settled;
  *request = ink_paint_recipe_request(recipe);
  INK_TRY(ink_pipeline_settle(pipeline, request, &settled, error));
  recipe->width = settled.width;
  recipe->height = settled.height;
  recipe->sampler = settled.sampler;
  recipe->curve = settled.curve;
  recipe->has_sampler = recipe->has_curve = true;
  if (watermark->whose == INK_PAINT_KEY_OWN || watermark->whose == INK_PAINT_KEY_PUBLIC) {
    recipe->watermark.kept = ink_picture_watermark_kept(pipeline, settled.width, settled.height);
  }
  if (watermark->over_another && watermark->whose != INK_PAINT_KEY_NONE &&
      recipe->watermark.kept == 0) {
    if (watermark->asked) return refuse_gaussian(error);
    watermark->whose = INK_PAINT_KEY_NONE;
    recipe->watermark.gaussian_key[0] = 0;
  }
  *request = ink_paint_recipe_request(recipe);
  int64_t pixels = (int64_t)settled.width * settled.height;
  if (recipe->watermark.dwt_dct && pixels < INK_DWT_DCT_LEAST_PIXELS) {
    return ink_fail(error, INK_ERR_USAGE,
                    "%d x %d pixels are too few for the watermark dwtdct; it needs %d",
                    (int)settled.width, (int)settled.height, INK_DWT_DCT_LEAST_PIXELS);
  }
  if (watermark->whose == INK_PAINT_KEY_NONE) return INK_OK;
  char identity[INK_UUID_TEXT];
  INK_TRY(ink_paint_identity(recipe, identity, error));
  ink_identity_bytes(identity, watermark->carried.identity);
  *shaper = ink_picture_watermark_shaper(&watermark->carried);
  request->first_noise = shaper;
  return INK_OK;
}
