// inkstone detect: what a text or a picture says of its making, and what it carries.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "cli/detect_noise.h"
#include "cli/generation.h"
#include "cli/noting.h"
#include "lang/catalogue.h"
#include "mark/c2pa/carrier.h"
#include "mark/detect.h"
#include "mark/ledger/noise_records.h"
#include "mark/ledger/recover.h"
#include "mark/text_file.h"
#include "picture/codec.h"

// Look for every scheme under the keys that every copy has and, where given, under the user's.
static ink_status look(const ink_model *model, const char *keys, const int32_t *ids, size_t n,
                       ink_detection *detection, ink_error *error) {
  size_t vocab = (size_t)ink_decoder_about(model->decoder)->vocab;
  for (int own = 0; own < (keys ? 2 : 1); own++) {
    for (int scheme = 0; scheme < INK_WATERMARK_SCHEMES; scheme++) {
      ink_watermark *watermark;
      ink_status status = ink_watermark_open((ink_watermark_scheme)scheme, own ? keys : NULL, vocab,
                                             &watermark, error);
      // A watermarking_config speaks of SynthID alone.
      if (own && status == INK_ERR_UNSUPPORTED && scheme != INK_WATERMARK_SYNTHID) continue;
      INK_TRY(status);
      status = ink_detect_watermark(watermark, ids, n, detection, error);
      ink_watermark_free(watermark);
      INK_TRY(status);
    }
  }
  return INK_OK;
}

static ink_status detect_text(ink_cli_model *m, const char *keys, const char *name,
                              const char *bytes, size_t size, ink_detection *detection,
                              ink_error *error) {
  size_t bad;
  if (!ink_utf8_valid(bytes, size, &bad)) {
    return ink_fail_at(
        error, INK_ERR_UNSUPPORTED, (int64_t)bad,
        "%s: neither UTF-8 text nor a picture; detect reads text, Markdown, HTML, "
        "PNG, JPEG and WebP, and labels of GIF, SVG, PDF, WAV, MP3, office documents "
        "and EPUB",
        name);
  }
  if (!m->reference) m->reference = "poet";
  INK_TRY(ink_cli_model_open(m, error));
  INK_TRY(ink_detect_labels(name, bytes, size, detection, error));
  ink_text words = {0};
  int32_t *ids = NULL;
  size_t n;
  ink_status status = ink_text_file_words(name, bytes, size, &words, error);
  if (status == INK_OK) {
    status = ink_tokenizer_encode(m->model->tokenizer, ink_text_string(&words), words.size,
                                  INK_ENCODE_PLAIN, &ids, &n, error);
  }
  if (status == INK_OK) status = look(m->model, keys, ids, n, detection, error);
  free(ids);
  ink_text_free(&words);
  return status;
}

// Files whose words or sounds are not looked into.
static bool is_document(const char *name, const char *bytes, size_t size) {
  static const char *const kinds[] = {"pdf", "wav", "mp3", "svg", "gif"};
  const ink_carrier *carrier = ink_carrier_for(name, (const unsigned char *)bytes, size);
  for (size_t i = 0; carrier && i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(carrier->name, kinds[i]) == 0) return true;
  }
  return false;
}

// The identity that a picture's noise carries, if the verdict will find it so; NULL.
static const char *identity_in_noise(const ink_detection *d) {
  size_t looked_for = 0;
  for (size_t i = 0; i < d->n_evidence; i++) {
    looked_for += d->evidence[i].kind == INK_EVIDENCE_WATERMARK && !d->evidence[i].unread;
  }
  for (size_t i = 0; i < d->n_evidence; i++) {
    const ink_evidence *e = &d->evidence[i];
    bool found = e->p_value * (double)looked_for < e->p_limit;
    if (e->kind == INK_EVIDENCE_WATERMARK && e->identity[0] && found) return e->identity;
  }
  return NULL;
}

// What this installation made it knows, even where nothing in the file tells. A ledger that cannot
// be read is no reason to say nothing.
static ink_status look_it_up(const char *name, const char *bytes, size_t size,
                             ink_detection *detection, ink_error *error) {
  ink_ledger *ledger = NULL;
  ink_recovery recovery = {0};
  ink_error unread = {.translate = error->translate};
  const char *carried = identity_in_noise(detection);
  ink_status status = ink_cli_ledger(&ledger, &unread);
  if (status == INK_OK && ledger) {
    status = ink_recover(ledger, name, bytes, size, NULL, &recovery, &unread);
    bool weak = !recovery.by || recovery.by == INK_RECOVERED_LABEL;
    if (status == INK_OK && weak && carried) {
      ink_recovery_free(&recovery);
      status = ink_recover(ledger, name, bytes, size, carried, &recovery, &unread);
      if (recovery.by == INK_RECOVERED_GIVEN) recovery.by = INK_RECOVERED_WATERMARK;
    }
    if (status == INK_OK) ink_detect_record(&recovery, detection);
  }
  ink_recovery_free(&recovery);
  ink_ledger_close(ledger);
  if (status == INK_ERR_MEMORY) return ink_fail(error, status, "%s", unread.text);
  if (status != INK_OK) fprintf(stderr, ink_tr("warning: %s\n"), unread.text);
  return INK_OK;
}

// Pictures: their labels and pixels, and their noise where a model is at hand.
static ink_status detect_picture(const ink_cli_model *m, const ink_detect_noise_options *noise,
                                 const char *name, const char *bytes, size_t size,
                                 ink_detection *detection, ink_error *error) {
  INK_TRY(ink_detect_picture(name, bytes, size, detection, error));
  return ink_detect_noise_of(noise, m->reference, (int)m->threads, name, bytes, size, detection,
                             error);
}

static ink_status detect(ink_cli_model *m, const ink_detect_noise_options *noise, const char *name,
                         const char *bytes, size_t size, ink_detection *detection,
                         ink_error *error) {
  INK_TRY(ink_detect_manifest(name, bytes, size, detection, error));
  if (ink_picture_recognise(bytes, size)) {
    INK_TRY(detect_picture(m, noise, name, bytes, size, detection, error));
  } else if (is_document(name, bytes, size)) {
    INK_TRY(ink_detect_metadata(name, bytes, size, detection, error));
  } else if (ink_detect_is_archive(bytes, size)) {
    INK_TRY(ink_detect_document(name, bytes, size, detection, error));
  } else {
    INK_TRY(detect_text(m, noise->keys, name, bytes, size, detection, error));
  }
  INK_TRY(look_it_up(name, bytes, size, detection, error));
  ink_detect_conclude(detection);
  return INK_OK;
}

// ---- what is said ------------------------------------------------------------------------------

static const char *kind_name(ink_evidence_kind kind) {
  static const char *const names[] = {"manifest", "metadata", "label", "watermark", "record"};
  return names[kind];
}

static ink_status print_json(const ink_detection *d, const ink_model *model, ink_error *error) {
  json_t *list = json_array();
  for (size_t i = 0; i < d->n_evidence; i++) {
    const ink_evidence *e = &d->evidence[i];
    json_t *one = json_pack("{s:s,s:s,s:b,s:s}", "kind", kind_name(e->kind), "name", e->name,
                            "found", (int)e->found, "detail", e->detail);
    if (one && e->doubtful) json_object_set_new(one, "doubtful", json_true());
    if (one && e->unread) json_object_set_new(one, "unread", json_true());
    if (one && e->kind == INK_EVIDENCE_WATERMARK && !e->unread) {
      json_object_set_new(one, "p_value", json_real(e->p_value));
      json_object_set_new(one, "used", json_integer((json_int_t)e->used));
      if (e->identity[0] && (e->found || !e->tried)) {
        json_object_set_new(one, "identity", json_string(e->identity));
      }
      if (e->tried) {
        json_object_set_new(one, "tried", json_integer((json_int_t)e->tried));
        json_object_set_new(one, "row", e->found ? json_integer(e->row) : json_null());
      }
    }
    json_array_append_new(list, one);
  }
  json_t *json = json_pack("{s:s,s:f,s:o,s:s?}", "verdict", ink_verdict_name(d->verdict), "p_value",
                           d->p_value, "evidence", list, "tokenizer",
                           model ? ink_weights_name(model->weights) : NULL);
  return ink_cli_print_json(json, error);
}

// What the ledger's records say of the noise.
static void print_record(const ink_evidence *e) {
  if (e->found) {
    printf(ink_tr("p = %.2g, row %lld of the ledger, records tried: %zu"), e->p_value,
           (long long)e->row, e->tried);
    printf(ink_tr(", identity %s"), e->identity);
  } else {
    printf(ink_tr("p = %.2g, none of the ledger's records that were tried: %zu"), e->p_value,
           e->tried);
  }
  putchar('\n');
}

static void print_watermark(const ink_evidence *e) {
  if (e->tried) {
    print_record(e);
    return;
  }
  bool noise = strncmp(e->name, "gaussian", 8) == 0;
  bool pixels = strncmp(e->name, "dwtDct", 6) == 0 || strcmp(e->name, "identity") == 0;
  if (noise) {
    printf(ink_tr("p = %.2g, %s agree"), e->p_value, e->detail);
  } else {
    printf("p = %.2g, %zu %s", e->p_value, e->used, ink_tr(pixels ? "blocks" : "tokens"));
  }
  if (!noise && e->detail[0]) printf(", %s", e->detail);
  if (e->identity[0]) printf(ink_tr(", identity %s"), e->identity);
  if (noise && !e->found) printf("%s", ink_tr("; under another key or model: cannot tell"));
  putchar('\n');
}

static void print_verdict(ink_detection *d) {
  static const char *const words[] = {
      "AI-generated, by what is found below",
      ("labelled as what may be AI-generated, by somebody who did not make it; nothing else is "
       "found"),
      "no mark found; that does not make it a person's work",
      "cannot tell: no label, and too short, too small or too repetitive for a watermark"};
  bool unread = false;
  for (size_t i = 0; i < d->n_evidence; i++) unread = unread || d->evidence[i].unread;
  bool nothing = d->verdict == INK_VERDICT_CANNOT_TELL;
  printf("%s\n", ink_tr(nothing && unread ? "cannot tell: not everything could be looked at"
                                          : words[d->verdict]));
  for (size_t i = 0; i < d->n_evidence; i++) {
    ink_evidence *e = &d->evidence[i];
    ink_cli_clean(e->name);
    ink_cli_clean(e->detail);
    const char *sign = e->unread ? "!" : !e->found ? "-" : e->doubtful ? "?" : "+";
    printf("  %s %-26s ", sign, e->name);
    if (e->unread) {
      printf("%s: %s\n", ink_tr("could not be looked at"), e->detail);
    } else if (e->kind == INK_EVIDENCE_WATERMARK) {
      print_watermark(e);
    } else {
      printf("%s\n", e->detail[0] ? e->detail : ink_tr("none"));
    }
  }
}

static ink_status run(const ink_command *self, int argc, char **argv, ink_error *error) {
  ink_cli_model model;
  bool json = false;
  ink_detect_noise_options noise = {.records = INK_NOISE_RECORDS};
  ink_option options[INK_CLI_MODEL_OPTIONS + 5] = {0};
  ink_cli_model_options(&model, options);
  model.reference = NULL;
  options[0].help = "the model that may have written or painted it (default: poet, painter)";
  options[INK_CLI_MODEL_OPTIONS] =
      (ink_option){.name = "watermark-keys",
                   .kind = INK_OPTION_STRING,
                   .value = &noise.keys,
                   .argument = "FILE",
                   .help = "look for a watermark with these keys as well"};
  options[INK_CLI_MODEL_OPTIONS + 2] =
      (ink_option){.name = "size",
                   .kind = INK_OPTION_STRING,
                   .value = &noise.size,
                   .argument = "WxH",
                   .help = "size that a picture was painted in, where it was resized since"};
  options[INK_CLI_MODEL_OPTIONS + 3] = (ink_option){.name = "steps",
                                                    .kind = INK_OPTION_INT,
                                                    .value = &noise.steps,
                                                    .argument = "N",
                                                    .help = "steps back to a picture's noise (2)",
                                                    .low = 1,
                                                    .high = INK_PAINT_MOST_STEPS};
  options[INK_CLI_MODEL_OPTIONS + 4] =
      (ink_option){.name = "records",
                   .kind = INK_OPTION_INT,
                   .value = &noise.records,
                   .argument = "N",
                   .help = "newest pictures of the ledger that are tried (1000; 0: none)",
                   .low = 0,
                   .high = INT32_MAX};
  options[INK_CLI_MODEL_OPTIONS + 1] = (ink_option){
      .name = "json", .kind = INK_OPTION_FLAG, .value = &json, .help = "print one JSON object"};
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, sizeof options / sizeof *options, argc, argv, &n, &done,
                           error));
  if (done) return INK_OK;
  if (n != 1) return ink_fail(error, INK_ERR_USAGE, "one file is needed; - reads standard input");
  char *bytes = NULL;
  size_t size = 0;
  enum { MOST_TEXT = 64 << 20 };
  ink_status status = ink_file_read(argv[1], MOST_TEXT, &bytes, &size, error);
  ink_detection detection = {0};
  if (status == INK_OK) status = detect(&model, &noise, argv[1], bytes, size, &detection, error);
  if (status == INK_OK && json) {
    status = print_json(&detection, model.model, error);
  } else if (status == INK_OK) {
    print_verdict(&detection);
  }
  free(bytes);
  ink_cli_model_close(&model);
  return status;
}

const ink_command ink_command_detect = {
    .name = "detect",
    .summary = "Look for signs that a text or a picture was made by AI",
    .usage = "detect FILE|- [OPTIONS]",
    .examples =
        "inkstone detect poem.md\n"
        "inkstone detect picture.png --json\n"
        "inkstone detect picture.jpg --model runwayml/stable-diffusion-v1-5\n"
        "inkstone write 春 --special | inkstone detect - --json\n",
    .run = run,
};
