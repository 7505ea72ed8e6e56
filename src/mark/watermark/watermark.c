// One front for the schemes.
#include "mark/watermark/watermark.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "mark/watermark/gumbel.h"
#include "mark/watermark/kgw.h"
#include "mark/watermark/synthid.h"

enum { MOST_KEYS = 1 << 20, MOST_ID = 32 };

struct ink_watermark {
  ink_watermark_scheme scheme;
  char id[MOST_ID];
  ink_synthid *synthid;
  ink_synthid_stream *synthid_stream;
  ink_kgw *kgw;
  ink_kgw_config kgw_config;
  uint64_t gumbel_key;
  ink_gumbel_stream *gumbel_stream;
};

static const char *const names[INK_WATERMARK_SCHEMES] = {"synthid", "gumbel", "kgw"};

const char *ink_watermark_name(ink_watermark_scheme scheme) {
  return names[scheme];
}

ink_status ink_watermark_parse(const char *name, ink_watermark_scheme *scheme, ink_error *error) {
  for (int i = 0; i < INK_WATERMARK_SCHEMES; i++) {
    if (strcmp(names[i], name) == 0) {
      *scheme = (ink_watermark_scheme)i;
      return INK_OK;
    }
  }
  return ink_fail(error, INK_ERR_USAGE,
                  "there is no watermark \"%s\"; there are synthid, gumbel and kgw", name);
}

// ---- keys --------------------------------------------------------------------------------------

static bool is_json_object(const char *bytes, size_t size) {
  size_t at = 0;
  while (at < size && strchr(" \t\r\n", bytes[at]) && bytes[at]) at++;
  return at < size && bytes[at] == '{';
}

// 64 bits of the SHA-256 of a use and a secret; the digits of the hash come out as well.
static ink_status derive(const char *use, const void *secret, size_t size, uint64_t *key,
                         ink_error *error) {
  ink_sha256 hash;
  INK_TRY(ink_sha256_start(&hash, error));
  ink_sha256_add(&hash, use, strlen(use) + 1);
  ink_sha256_add(&hash, secret, size);
  char hex[INK_SHA256_HEX];
  ink_sha256_finish(&hash, hex);
  hex[16] = 0;
  *key = strtoull(hex, NULL, 16);
  return INK_OK;
}

static ink_status open_synthid(ink_watermark *w, const char *keys, const char *secret, size_t size,
                               ink_error *error) {
  ink_synthid_config config;
  if (secret && is_json_object(secret, size)) {
    INK_TRY(ink_synthid_config_read(keys, &config, error));
  } else {
    INK_TRY(ink_synthid_config_of(secret, size, &config, error));
  }
  INK_TRY(ink_synthid_new(&config, &w->synthid, error));
  snprintf(w->id, sizeof w->id, "synthid:%s", ink_synthid_id(w->synthid));
  return INK_OK;
}

static ink_status open_scheme(ink_watermark *w, const char *keys, const char *secret, size_t size,
                              size_t n_vocab, ink_error *error) {
  if (w->scheme == INK_WATERMARK_SYNTHID) return open_synthid(w, keys, secret, size, error);
  if (secret && is_json_object(secret, size)) {
    return ink_fail(
        error, INK_ERR_UNSUPPORTED,
        "%s: a watermarking_config is read for synthid alone; give a file with a secret", keys);
  }
  uint64_t key, name;
  INK_TRY(derive(names[w->scheme], secret ? secret : "", secret ? size : 0, &key, error));
  INK_TRY(derive("id", &key, sizeof key, &name, error));
  snprintf(w->id, sizeof w->id, "%s:%016llx", names[w->scheme], (unsigned long long)name);
  if (w->scheme == INK_WATERMARK_GUMBEL) {
    w->gumbel_key = key;
    return INK_OK;
  }
  w->kgw_config = ink_kgw_default();
  if (secret) w->kgw_config.hash_key = (int64_t)(key % UINT32_MAX) + 1;
  return ink_kgw_new(&w->kgw_config, n_vocab, &w->kgw, error);
}

ink_status ink_watermark_open(ink_watermark_scheme scheme, const char *keys, size_t n_vocab,
                              ink_watermark **watermark, ink_error *error) {
  *watermark = NULL;
  char *secret = NULL;
  size_t size = 0;
  if (keys) INK_TRY(ink_file_read(keys, MOST_KEYS, &secret, &size, error));
  ink_status status = INK_OK;
  if (keys && size == 0) {
    status =
        ink_fail(error, INK_ERR_USAGE, "%s: the file with the watermark's keys is empty", keys);
  }
  ink_watermark *w = calloc(1, sizeof *w);
  if (!w && status == INK_OK) {
    status = ink_fail(error, INK_ERR_MEMORY, "no memory for a watermark");
  }
  if (status == INK_OK) {
    w->scheme = scheme;
    status = open_scheme(w, keys, secret, size, n_vocab, error);
  }
  free(secret);
  if (status != INK_OK) {
    ink_watermark_free(w);
    return status;
  }
  *watermark = w;
  return INK_OK;
}

void ink_watermark_free(ink_watermark *w) {
  if (!w) return;
  ink_synthid_stream_free(w->synthid_stream);
  ink_synthid_free(w->synthid);
  ink_gumbel_stream_free(w->gumbel_stream);
  ink_kgw_free(w->kgw);
  free(w);
}

ink_watermark_scheme ink_watermark_scheme_of(const ink_watermark *watermark) {
  return watermark->scheme;
}

const char *ink_watermark_id(const ink_watermark *watermark) {
  return watermark->id;
}

// ---- writing and finding -----------------------------------------------------------------------

ink_status ink_watermark_reweigher(ink_watermark *w, ink_reweigher *reweigher, ink_error *error) {
  switch (w->scheme) {
    case INK_WATERMARK_SYNTHID:
      if (!w->synthid_stream) {
        INK_TRY(ink_synthid_stream_new(w->synthid, &w->synthid_stream, error));
      }
      *reweigher = ink_synthid_reweigher(w->synthid_stream);
      return INK_OK;
    case INK_WATERMARK_GUMBEL:
      if (!w->gumbel_stream) {
        INK_TRY(ink_gumbel_stream_new(w->gumbel_key, &w->gumbel_stream, error));
      }
      *reweigher = ink_gumbel_reweigher(w->gumbel_stream);
      return INK_OK;
    default:
      *reweigher = ink_kgw_reweigher(w->kgw);
      return INK_OK;
  }
}

static ink_status score_kgw(ink_watermark *w, const int32_t *tokens, size_t n,
                            ink_watermark_score *score, ink_error *error) {
  size_t green;
  INK_TRY(ink_kgw_count(w->kgw, tokens, n, &score->used, &green, error));
  if (score->used == 0) return INK_OK;
  double share = w->kgw_config.share, used = (double)score->used;
  double z = ((double)green - share * used) / sqrt(used * share * (1 - share));
  score->p_value = 0.5 * erfc(z / sqrt(2));
  return INK_OK;
}

ink_status ink_watermark_score_tokens(ink_watermark *w, const int32_t *tokens, size_t n,
                                      ink_watermark_score *score, ink_error *error) {
  *score = (ink_watermark_score){.tokens = n, .p_value = 1};
  switch (w->scheme) {
    case INK_WATERMARK_SYNTHID: {
      ink_synthid_score s;
      INK_TRY(ink_synthid_score_tokens(w->synthid, tokens, n, &s, error));
      score->used = s.used;
      score->p_value = s.p_value;
      return INK_OK;
    }
    case INK_WATERMARK_GUMBEL: {
      double sum;
      INK_TRY(ink_gumbel_sum(w->gumbel_key, tokens, n, &score->used, &sum, error));
      score->p_value = ink_gumbel_p_value(score->used, sum);
      return INK_OK;
    }
    default:
      return score_kgw(w, tokens, n, score, error);
  }
}
