// What leaves `inkstone paint`: marked, signed, written and read again.
#ifndef INK_CLI_PAINTED_H
#define INK_CLI_PAINTED_H

#include <jansson.h>

#include "cli/signing.h"
#include "diffusion/recipe.h"
#include "publish/picture.h"

// Zero-initialise it, set the first members; ink_paint_output_close releases the others.
typedef struct ink_paint_output {
  const char *path;  // of one picture; of several the stem
  int64_t count;
  int quality;
  bool lossless, unmarked, show;
  const char *producer;  // NULL: inkstone
  const char *training;  // what the signing options say of it
  ink_signer *signer;
  ink_cli_stamper stamper;
  ink_c2pa_parent parent;
  bool has_parent;
} ink_paint_output;

// Open the signing key, or, where the pictures stay unmarked, ask whether that can be logged, and
// read what the file they are painted from says of itself. `init` is its path (NULL: none),
// `init_picture` its pixels.
ink_status ink_paint_output_open(ink_paint_output *output, const ink_signing_options *signing,
                                 const char *init, const ink_picture *init_picture,
                                 ink_error *error);
void ink_paint_output_close(ink_paint_output *output);

// The identity of what a recipe makes: the same for each repetition. The recipe says all that was
// left to the model.
ink_status ink_paint_identity(const ink_paint_recipe *recipe, char uuid[INK_UUID_TEXT],
                              ink_error *error);

// Write the picture of this index with its recipe and marks, and say so on stderr. The picture
// moves out of *picture; the lists grow by the file's name and its identity (null: unmarked).
ink_status ink_paint_write(const ink_paint_output *output, const ink_paint_recipe *recipe,
                           int64_t index, ink_picture *picture, json_t *files, json_t *identities,
                           ink_error *error);

// The hash by which a recipe names a picture that it paints from: of the file without its
// manifest, so that one which was repeated and signed anew is still that picture.
ink_status ink_paint_source_sha256(const char *path, char hex[INK_SHA256_HEX], ink_error *error);

#endif
