// A tiny autoencoder of fresh numbers on disk, in the layouts in which they are published.
#ifndef INK_TESTS_TINY_TAESD_H
#define INK_TESTS_TINY_TAESD_H

#include <sys/stat.h>

#include "models/taesd.h"
#include "testing.h"
#include "weights/safetensors.h"

enum { TINY_TAESD_MOST = 64, TINY_TAESD_NAME = 64 };

// The name in the project's own files: layers without their half, the decoder's counted from its
// clamp on.
static inline void tiny_taesd_own_name(char name[TINY_TAESD_NAME]) {
  char own[TINY_TAESD_NAME], *rest;
  bool decoder = strncmp(name, "decoder.", 8) == 0;
  long layer = strtol(name + strlen("decoder.layers."), &rest, 10) + decoder;
  snprintf(own, sizeof own, "%ld%s", layer, rest);
  strcpy(name, own);
}

// Write the parameters of the halves that it has.
static inline void write_tiny_taesd(const char *path, ink_taesd *taesd, bool own_names) {
  ink_error error = {0};
  ink_safetensors_entry entries[TINY_TAESD_MOST] = {{0}};
  char names[TINY_TAESD_MOST][TINY_TAESD_NAME];
  ink_safetensors_writer *writer;
  size_t n;
  const ink_parameter *parameters = ink_taesd_parameters(taesd, &n);
  assert_true(n <= TINY_TAESD_MOST);
  for (size_t i = 0; i < n; i++) {
    const ink_tensor *t = parameters[i].tensor;
    snprintf(names[i], sizeof names[i], "%s", parameters[i].name);
    if (own_names) tiny_taesd_own_name(names[i]);
    entries[i] = (ink_safetensors_entry){.name = names[i], .type_name = "F32", .rank = t->rank};
    for (int k = 0; k < t->rank; k++) entries[i].shape[k] = t->shape[k];
  }
  assert_ok(ink_safetensors_create(path, entries, n, NULL, 0, &writer, &error));
  const size_t *order = ink_safetensors_writer_order(writer);
  for (size_t i = 0; i < n; i++) {
    const ink_tensor *t = parameters[order[i]].tensor;
    size_t size = (size_t)ink_tensor_elements(t) * sizeof(float);
    assert_int_equal(t->dtype, INK_F32);
    assert_ok(ink_safetensors_writer_data(writer, t->data, size, &error));
  }
  assert_ok(ink_safetensors_writer_commit(writer, &error));
  ink_safetensors_writer_free(writer);
}

typedef struct tiny_taesd {
  int32_t factor;  // a power of 2: pictures are so many times the latents' size
  int32_t latent_channels, out_channels;
  double scale;  // of latents, in the folder's config
  uint64_t seed;
} tiny_taesd;

// Below `folder`, each of the same decoder: tiny/ of diffusers; whole.safetensors, both halves in
// diffusers' names; decoder.safetensors and encoder.safetensors in the project's own.
static inline void make_tiny_taesd(const char *folder, const tiny_taesd *tiny) {
  ink_error error = {0};
  ink_taesd_config g = {.in_channels = 3,
                        .out_channels = tiny->out_channels,
                        .latent_channels = tiny->latent_channels,
                        .n_level = 1,
                        .scaling_factor = tiny->scale};
  while (1 << (g.n_level - 1) < tiny->factor) g.n_level++;
  for (int32_t i = 0; i < g.n_level; i++) {
    g.encoder_channels[i] = g.decoder_channels[i] = 8;
    g.encoder_blocks[i] = g.decoder_blocks[i] = 1;
  }
  const ink_source fresh = {.seed = tiny->seed};
  char path[4200], layers[64] = "8", ones[64] = "1", config[1024];
  for (int32_t i = 1; i < g.n_level; i++) {
    strcat(layers, ", 8");
    strcat(ones, ", 1");
  }
  int size =
      snprintf(config, sizeof config,
               "{\"_class_name\": \"AutoencoderTiny\", \"encoder_block_out_channels\": [%s], "
               "\"decoder_block_out_channels\": [%s], \"num_encoder_blocks\": [%s], "
               "\"num_decoder_blocks\": [%s], \"latent_channels\": %d, \"out_channels\": %d, "
               "\"scaling_factor\": %g}\n",
               layers, layers, ones, ones, tiny->latent_channels, tiny->out_channels, tiny->scale);
  mkdir(folder, 0777);
  snprintf(path, sizeof path, "%s/tiny", folder);
  mkdir(path, 0777);
  snprintf(path, sizeof path, "%s/tiny/config.json", folder);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(config, 1, (size_t)size, file), size);
  fclose(file);
  static const struct {
    const char *name;
    bool encoder, decoder, own;
  } files[] = {{"tiny/diffusion_pytorch_model.safetensors", true, true, false},
               {"whole.safetensors", true, true, false},
               {"decoder.safetensors", false, true, true},
               {"encoder.safetensors", true, false, true}};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    ink_taesd *taesd;
    assert_ok(ink_taesd_new(&g, files[i].encoder ? &fresh : NULL, files[i].decoder ? &fresh : NULL,
                            &taesd, &error));
    snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
    write_tiny_taesd(path, taesd, files[i].own);
    ink_taesd_free(taesd);
  }
}

#endif
