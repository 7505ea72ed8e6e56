// Inside the room: fields of config.json, read with their ranges.
#ifndef INK_MODELS_CONFIG_H
#define INK_MODELS_CONFIG_H

#include "models/decoder.h"

// A size that must be there, or one with a default: from 1 to 2^30.
ink_status ink_config_size(const json_t *json, const char *name, const char *key, int32_t *out,
                           ink_error *error);
ink_status ink_config_optional_size(const json_t *json, const char *name, const char *key,
                                    int32_t fallback, int32_t *out, ink_error *error);
ink_status ink_config_epsilon(const json_t *json, const char *name, const char *key,
                              double fallback, float *out, ink_error *error);
// head_dim, or its fallback; 0 stands for hidden / n_head, which must divide then.
ink_status ink_config_head_dim(const json_t *json, const char *name, int32_t fallback,
                               ink_decoder_config *config, ink_error *error);
ink_status ink_config_activation(const json_t *json, const char *name, const char *key,
                                 const char *fallback, ink_decoder_config *config,
                                 ink_error *error);
// rope_theta, rope_scaling and partial_rotary_factor, or rope_parameters that holds all three.
// rope_dim stays 0 where it is the whole head.
ink_status ink_config_rope(const json_t *json, const char *name, ink_decoder_config *config,
                           ink_error *error);
// UNSUPPORTED when any layer attends to a sliding window.
ink_status ink_config_full_attention(const json_t *json, const char *name, ink_error *error);

bool ink_config_put_int(json_t *json, const char *key, int64_t value);
// A float as the shortest decimal that gives it back.
bool ink_config_put_real(json_t *json, const char *key, float value);
bool ink_config_put_rope(json_t *json, const ink_decoder_config *config);

#endif
