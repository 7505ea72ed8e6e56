// inkstone label: the labels that laws ask for, on a file that is there.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/progress.h"
#include "cli/cli.h"
#include "cli/noting.h"
#include "cli/signing.h"
#include "lang/catalogue.h"
#include "mark/c2pa/validate.h"
#include "mark/label/label.h"
#include "mark/mark.h"

enum { MOST_FILE = 1 << 29 };

#define IPTC "http://cv.iptc.org/newscodes/digitalsourcetype/"

typedef struct arguments {
  ink_signing_options signing;
  const char *out, *laws, *kind, *language, *place, *ink, *plate, *font, *source;
  const char *producer, *system, *system_version, *prompt;
  double height, opacity;
  int64_t quality;
  bool visible, json;
} arguments;

enum {
  OUT,
  LAWS,
  KIND,
  LANGUAGE,
  PLACE,
  HEIGHT,
  INK,
  PLATE,
  OPACITY,
  FONT,
  VISIBLE,
  PRODUCER,
  SYSTEM,
  SYSTEM_VERSION,
  PROMPT,
  SOURCE,
  QUALITY,
  KEY,
  CERTIFICATES,
  PASSPHRASE,
  TIMESTAMP,
  JSON,
  N_OPTIONS
};

static ink_option text(const char *name, const char **value, const char *argument,
                       const char *help) {
  return (ink_option){
      .name = name, .kind = INK_OPTION_STRING, .value = value, .argument = argument, .help = help};
}

static void describe(arguments *a, ink_option o[N_OPTIONS]) {
  o[OUT] = text("out", &a->out, "FILE", "the labelled file (default: in place)");
  o[OUT].letter = 'o';
  o[LAWS] =
      text("law", &a->laws, "LIST", "whose laws: cn, eu, ca, with commas (default: cn,eu,ca)");
  o[KIND] =
      text("as", &a->kind, "KIND", "own, declared by who made it, or suspected (default: own)");
  o[LANGUAGE] = text("language", &a->language, "L",
                     "language of the visible label, en or zh (default: the program's)");
  o[PLACE] =
      text("place", &a->place, "WHERE", "bottom-right … top of a picture; start or end of a text");
  o[HEIGHT] = (ink_option){.name = "height",
                           .kind = INK_OPTION_NUMBER,
                           .value = &a->height,
                           .argument = "X",
                           .help = "height of letters, of the shorter side: 0.05 to 0.25 (0.052)"};
  o[INK] = text("ink", &a->ink, "RRGGBB", "colour of letters (ffffff)");
  o[PLATE] = text("plate", &a->plate, "RRGGBB", "colour below them (000000)");
  o[OPACITY] = (ink_option){.name = "opacity",
                            .kind = INK_OPTION_NUMBER,
                            .value = &a->opacity,
                            .argument = "X",
                            .help = "of that colour, 0 to 1 (0.6)"};
  o[FONT] = text("font", &a->font, "NAME", "family of letters on pictures (sans-serif)");
  o[VISIBLE] = (ink_option){.name = "visible",
                            .kind = INK_OPTION_FLAG,
                            .value = &a->visible,
                            .help = "a visible label (default; China's law asks for it)"};
  o[PRODUCER] = text("producer", &a->producer, "NAME",
                     "provider code or name for the metadata label (default: inkstone)");
  o[SYSTEM] = text("system", &a->system, "NAME", "what generated the content, where it is known");
  o[SYSTEM_VERSION] = text("system-version", &a->system_version, "V", "its version");
  o[PROMPT] = text("prompt", &a->prompt, "TEXT", "what it was asked for");
  o[SOURCE] = text("source", &a->source, "TYPE",
                   "IPTC digital source type (default: trainedAlgorithmicMedia)");
  o[QUALITY] =
      (ink_option){.name = "quality",
                   .kind = INK_OPTION_INT,
                   .value = &a->quality,
                   .argument = "N",
                   .help = "of JPEG and lossy WebP, which a visible label encodes anew (95)",
                   .low = 1,
                   .high = 100};
  o[KEY] = (ink_option)INK_KEY_OPTION(&a->signing);
  o[CERTIFICATES] = (ink_option)INK_CERTIFICATES_OPTION(&a->signing);
  o[PASSPHRASE] = (ink_option)INK_PASSPHRASE_OPTION(&a->signing);
  o[TIMESTAMP] = (ink_option)INK_TIMESTAMP_OPTION(&a->signing);
  o[JSON] = (ink_option){
      .name = "json", .kind = INK_OPTION_FLAG, .value = &a->json, .help = "print one JSON object"};
}

// ---- what is asked for --------------------------------------------------------------------------

static ink_status read_colour(const char *name, const char *hex, uint8_t rgb[3], ink_error *error) {
  unsigned r, g, b;
  char more;
  if (!hex) return INK_OK;
  const char *digits = hex[0] == '#' ? hex + 1 : hex;
  if (strspn(digits, "0123456789abcdefABCDEF") != 6 ||
      sscanf(digits, "%2x%2x%2x%c", &r, &g, &b, &more) != 3) {
    return ink_fail(error, INK_ERR_USAGE, "--%s is a colour as in 1a2b3c, not \"%s\"", name, hex);
  }
  rgb[0] = (uint8_t)r;
  rgb[1] = (uint8_t)g;
  rgb[2] = (uint8_t)b;
  return INK_OK;
}

static ink_status read_kind(const char *name, ink_label_kind *kind, ink_error *error) {
  static const char *const kinds[] = {"own", "declared", "suspected"};
  for (int i = 0; name && i < 3; i++) {
    if (strcmp(kinds[i], name) == 0) {
      *kind = (ink_label_kind)i;
      return INK_OK;
    }
  }
  if (!name) return INK_OK;
  return ink_fail(error, INK_ERR_USAGE, "--as is own, declared or suspected, not \"%s\"", name);
}

static ink_status read_language(const char *name, const char **language, ink_error *error) {
  bool zh = ink_language_current() == INK_LANGUAGE_ZH;
  if (name) zh = strncmp(name, "zh", 2) == 0;
  if (name && !zh && strncmp(name, "en", 2) != 0) {
    return ink_fail(error, INK_ERR_USAGE, "labels speak en or zh, not \"%s\"", name);
  }
  *language = zh ? "zh-Hans" : "en";
  return INK_OK;
}

// One option for both: a corner or edge of a picture, an end of a text.
static ink_status read_place(const char *name, ink_label_request *r, ink_label_style *style,
                             ink_error *error) {
  if (!name || strcmp(name, "start") == 0) return INK_OK;
  r->at_end = strcmp(name, "end") == 0;
  return r->at_end ? INK_OK : ink_label_place_parse(name, &style->place, error);
}

static ink_status read_request(const arguments *a, const ink_option *o, ink_label_request *r,
                               ink_label_style *style, ink_text *source, ink_error *error) {
  if (o[HEIGHT].given) style->height = a->height;
  if (o[OPACITY].given) style->opacity = a->opacity;
  style->font = a->font;
  INK_TRY(ink_laws_parse(a->laws ? a->laws : "cn,eu,ca", &r->laws, error));
  INK_TRY(read_kind(a->kind, &r->kind, error));
  INK_TRY(read_language(a->language, &r->language, error));
  INK_TRY(read_place(a->place, r, style, error));
  INK_TRY(read_colour("ink", a->ink, style->ink, error));
  INK_TRY(read_colour("plate", a->plate, style->plate, error));
  if (a->source) {
    ink_text_format(source, "%s%s", strstr(a->source, "://") ? "" : IPTC, a->source);
    INK_TRY(ink_text_status(source, error));
    r->source_type = source->bytes;
  }
  r->style = style;
  r->visible = a->visible;
  r->producer = a->producer;
  r->system = a->system;
  r->system_version = a->system_version;
  r->prompt = a->prompt;
  r->quality = (int)a->quality;
  return INK_OK;
}

// ---- the file -----------------------------------------------------------------------------------

// What was written is read again: it must be those bytes, and its manifest must hold.
static ink_status check_written(const char *path, const ink_text *file,
                                const ink_label_result *result, ink_error *error) {
  ink_map map;
  INK_TRY(ink_map_open(path, &map, error));
  ink_status status = INK_OK;
  ink_c2pa_report report = {0};
  if (map.size != file->size || memcmp(map.data, file->bytes, map.size) != 0) {
    status = ink_fail(error, INK_ERR_IO, "%s was written with other bytes than were signed", path);
  } else if (result->is_signed) {
    const ink_carrier *carrier = ink_carrier_for(path, map.data, map.size);
    status = ink_c2pa_validate(map.data, map.size, carrier, NULL, 0, NULL, &report, error);
    bool holds = report.state == INK_C2PA_VALID || report.state == INK_C2PA_TRUSTED;
    if (status == INK_OK && (!holds || strcmp(report.active, result->manifest) != 0)) {
      status = ink_fail(error, INK_ERR_IO, "%s was written, but its manifest does not hold (%s)",
                        path, ink_c2pa_state_name(report.state));
    }
  }
  ink_c2pa_report_free(&report);
  ink_map_close(&map);
  return status;
}

// In place the file keeps its permissions, and a link stays one.
static ink_status write_file(const char *path, const char *out, const ink_text *file,
                             const ink_label_result *result, ink_error *error) {
  struct stat before;
  char *real = out ? NULL : realpath(path, NULL);
  const char *to = out ? out : real ? real : path;
  bool keep = !out && stat(to, &before) == 0;
  ink_status status = ink_file_save(to, file->bytes, file->size, error);
  if (status == INK_OK && keep) chmod(to, before.st_mode & 07777);
  if (status == INK_OK) status = check_written(to, file, result, error);
  free(real);
  return status;
}

// What the file bears now.
static ink_status note(const ink_label_request *r, const ink_label_result *result, const char *path,
                       const ink_text *file, ink_error *error) {
  const char *labels[3];
  size_t n = 0;
  if (result->visible[0]) labels[n++] = "visible";
  if (result->metadata[0]) labels[n++] = "AIGC";
  if (result->is_signed) labels[n++] = "C2PA";
  static const char *const kinds[] = {"own", "declared", "suspected"};
  json_t *details = json_pack("{s:s}", "as", kinds[r->kind]);
  if (!details) return ink_fail(error, INK_ERR_MEMORY, "no memory for a row of the ledger");
  ink_ledger_file one = {.path = path, .bytes = file->bytes, .size = file->size};
  ink_ledger_entry entry = {.identity = r->identity,
                            .kind = "file",
                            .command = "label",
                            .files = &one,
                            .n_file = 1,
                            .labels = labels,
                            .n_label = n,
                            .details = details};
  ink_status status = ink_cli_note(&entry, error);
  json_decref(details);
  return status;
}

static const char *law_name(unsigned law) {
  return law == INK_LAW_CN ? "cn" : law == INK_LAW_EU ? "eu" : "ca";
}

static const char *law_title(unsigned law) {
  return law == INK_LAW_CN   ? "China, GB 45438-2025"
         : law == INK_LAW_EU ? "European Union, AI Act article 50"
                             : "California, SB 942";
}

static json_t *law_json(const ink_label_result *r, unsigned law) {
  static const char *const names[] = {"got", "missing", "not_asked"};
  json_t *json = json_pack("{s:s, s:s, s:[], s:[], s:[]}", "law", law_name(law), "title",
                           law_title(law), names[0], names[1], names[2]);
  for (size_t i = 0; i < r->n_item; i++) {
    const ink_label_item *item = &r->items[i];
    if (item->law != law) continue;
    bool got = item->outcome == INK_LABEL_GOT;
    json_t *one =
        json_pack("{s:s, s:s, s:s, s:s*}", "what", item->what, "clause", item->clause,
                  got ? "detail" : "why", got ? item->detail : item->why, "note", item->note);
    json_array_append_new(json_object_get(json, names[item->outcome]), one);
  }
  return json;
}

static const unsigned all_laws[] = {INK_LAW_CN, INK_LAW_EU, INK_LAW_CA};

static ink_status print_json(const ink_label_request *q, const ink_label_result *r,
                             const char *file, ink_error *error) {
  json_t *laws = json_array();
  for (int i = 0; i < 3; i++) {
    if (q->laws & all_laws[i]) json_array_append_new(laws, law_json(r, all_laws[i]));
  }
  json_t *json =
      json_pack("{s:s, s:s, s:s, s:s?, s:s?, s:s?, s:o}", "file", file, "identity", q->identity,
                "format", r->format, "visible", r->visible[0] ? r->visible : NULL, "metadata",
                r->metadata[0] ? r->metadata : NULL, "manifest",
                r->manifest[0] ? r->manifest : NULL, "laws", laws);
  return ink_cli_print_json(json, error);
}

static void print_result(const ink_label_request *q, const ink_label_result *r, const char *file) {
  static const char *const signs[] = {"✓", "✗", "·"};
  printf("%s · %s\n", file, q->identity);
  for (int i = 0; i < 3; i++) {
    if (!(q->laws & all_laws[i])) continue;
    printf("%s\n", ink_tr(law_title(all_laws[i])));
    for (size_t j = 0; j < r->n_item; j++) {
      const ink_label_item *item = &r->items[j];
      if (item->law != all_laws[i]) continue;
      printf("  %s %s (%s): %s%s%s\n", signs[item->outcome], ink_tr(item->what),
             ink_tr(item->clause),
             item->outcome == INK_LABEL_GOT ? item->detail : ink_tr(item->why),
             item->note ? "; " : "", item->note ? ink_tr(item->note) : "");
    }
  }
}

static ink_status label(const arguments *a, const char *path, const ink_label_request *asked,
                        ink_error *error) {
  char identity[INK_UUID_TEXT], created[24];
  ink_label_request r = *asked;
  ink_map map;
  ink_signer *signer = NULL;
  ink_cli_stamper stamper = {0};
  ink_text file = {0};
  ink_label_result result = {0};
  INK_TRY(ink_mark_identity(identity, error));
  ink_clock_utc(created);
  r.identity = identity;
  r.created = created;
  INK_TRY(ink_map_open(path, &map, error));
  ink_status status = INK_OK;
  if (map.size > MOST_FILE) {
    status = ink_fail(error, INK_ERR_UNSUPPORTED, "%s: more than 512 MiB", path);
  }
  if (status == INK_OK && ink_label_signs(path, map.data, map.size, r.laws)) {
    status = ink_signing_open(&a->signing, &signer, error);
    // Who labels a file that is there can label it again. Plain text holds no time-stamp.
    if (status == INK_OK && !ink_carrier_for(path, map.data, map.size)->value_sized) {
      ink_signing_stamp(&a->signing, true, &stamper, signer);
    }
  }
  if (status == INK_OK) {
    status = ink_label_file(path, map.data, map.size, &r, signer, &file, &result, error);
    if (status != INK_OK) ink_context(error, status, "%s", path);
  }
  ink_map_close(&map);
  if (status == INK_OK) status = write_file(path, a->out, &file, &result, error);
  if (status == INK_OK) status = note(&r, &result, a->out ? a->out : path, &file, error);
  ink_signer_free(signer);
  ink_text_free(&file);
  INK_TRY(status);
  const char *written = a->out ? a->out : path;
  if (a->json) return print_json(&r, &result, written, error);
  print_result(&r, &result, written);
  return INK_OK;
}

static ink_status run(const ink_command *self, int argc, char **argv, ink_error *error) {
  arguments a = {.visible = true};
  ink_option options[N_OPTIONS];
  describe(&a, options);
  ink_label_request request = {0};
  ink_label_style style = ink_label_style_default();
  ink_text source = {0};
  int n;
  bool done;
  INK_TRY(ink_options_read(self, options, N_OPTIONS, argc, argv, &n, &done, error));
  if (done) return INK_OK;
  if (n != 1) return ink_fail(error, INK_ERR_USAGE, "name one file");
  ink_status status = read_request(&a, options, &request, &style, &source, error);
  if (status == INK_OK) status = label(&a, argv[1], &request, error);
  ink_text_free(&source);
  return status;
}

const ink_command ink_command_label = {
    .name = "label",
    .summary = "Label a file as the law asks, wherever it was made",
    .usage = "label FILE [OPTIONS]",
    .examples =
        "inkstone label picture.png --law cn,eu --out labelled.png\n"
        "inkstone label report.md --as declared --language zh\n"
        "inkstone label photo.jpg --as suspected --law cn --place top-left --producer mysite\n",
    .run = run,
};
