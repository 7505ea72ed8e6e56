// Evidence in text files. HTML is read by libxml2.
#include "mark/detect.h"

#include <jansson.h>
#include <libxml/HTMLparser.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/yaml.h"
#include "mark/archive.h"
#include "mark/c2pa/carrier.h"
#include "mark/c2pa/validate.h"
#include "mark/label/document_label.h"
#include "mark/label/front_matter.h"
#include "mark/label/label_parts.h"
#include "mark/label/rhythm.h"
#include "mark/label/xmp.h"
#include "mark/ledger/noise_records.h"
#include "mark/ledger/picture_identity.h"
#include "mark/ledger/recover.h"
#include "mark/watermark/dwt_dct.h"
#include "mark/watermark/picture_watermark.h"
#include "picture/codec.h"

const char *ink_verdict_name(ink_verdict verdict) {
  static const char *const names[] = {"generated", "suspected", "no_mark", "cannot_tell"};
  return names[verdict];
}

// A copy that ends between characters.
static void copy_text(char *to, size_t room, const char *from, size_t size) {
  if (size >= room) {
    size = room - 1;
    while (size > 0 && ((unsigned char)from[size] & 0xC0) == 0x80) size--;
  }
  memcpy(to, from, size);
  to[size] = '\0';
}

// NULL when there is no room left: what is dropped is named as such by nobody, so the callers keep
// within INK_MAX_EVIDENCE.
static ink_evidence *add_evidence(ink_detection *d, ink_evidence_kind kind, const char *name) {
  if (d->n_evidence == INK_MAX_EVIDENCE) return NULL;
  ink_evidence *e = &d->evidence[d->n_evidence++];
  *e = (ink_evidence){.kind = kind, .p_value = NAN};
  copy_text(e->name, sizeof e->name, name, strlen(name));
  return e;
}

// ---- the parts of a text file ------------------------------------------------------------------

// By its ending or, whatever that is, by its content, as labels and manifests go by.
static bool is_html(const char *name, const char *bytes, size_t size) {
  const char *dot = name ? strrchr(name, '.') : NULL;
  if (dot && (strcasecmp(dot, ".html") == 0 || strcasecmp(dot, ".htm") == 0 ||
              strcasecmp(dot, ".xhtml") == 0)) {
    return true;
  }
  return ink_carrier_named("html")->recognise((const unsigned char *)bytes, size);
}

static bool is_element(const xmlNode *node, const char *name) {
  return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, name) == 0;
}

// What a reader sees as text, element by element in document order; blocks end lines.
static void collect_text(const xmlNode *first, ink_text *words) {
  for (const xmlNode *node = first; node; node = node->next) {
    if (node->type == XML_TEXT_NODE || node->type == XML_CDATA_SECTION_NODE) {
      ink_text_add(words, (const char *)node->content);
      continue;
    }
    if (node->type != XML_ELEMENT_NODE) continue;
    bool silent = is_element(node, "script") || is_element(node, "style") ||
                  is_element(node, "head") || is_element(node, "template");
    if (silent) continue;
    collect_text(node->children, words);
    const htmlElemDesc *about = htmlTagLookup(node->name);
    if (is_element(node, "br") || (about && !about->isinline)) ink_text_add(words, "\n");
  }
}

// The content of <meta name="AIGC">; NULL where there is none. Freed by xmlFree.
static xmlChar *find_meta(const xmlNode *first) {
  for (const xmlNode *node = first; node; node = node->next) {
    if (node->type != XML_ELEMENT_NODE) continue;
    if (is_element(node, "meta")) {
      xmlChar *name = xmlGetProp(node, BAD_CAST "name");
      bool found = name && strcasecmp((const char *)name, "AIGC") == 0;
      xmlFree(name);
      if (found) return xmlGetProp(node, BAD_CAST "content");
    }
    xmlChar *below = find_meta(node->children);
    if (below) return below;
  }
  return NULL;
}

static ink_status parse_html(const char *name, const char *bytes, size_t size, xmlDoc **document,
                             ink_error *error) {
  if (size > INT32_MAX) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%s: too large to be read as HTML", name);
  }
  // No network and no entities from outside; depth is bounded by libxml2 (256).
  int options = HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET;
  *document = htmlReadMemory(bytes, (int)size, name, "UTF-8", options);
  return *document ? INK_OK
                   : ink_fail(error, INK_ERR_FORMAT, "%s: no HTML can be read in it", name);
}

// Markdown's own characters, where they are escapes or emphasis, are no words.
static void add_plain(const char *bytes, size_t size, ink_text *words) {
  for (size_t i = 0; i < size; i++) {
    bool escape =
        bytes[i] == '\\' && i + 1 < size && strchr("\\`*_{}[]()#+-.!<>|&~\n", bytes[i + 1]);
    if (!escape && bytes[i] != '*') ink_text_add_bytes(words, bytes + i, 1);
  }
}

static ink_status add_words(const char *name, const char *bytes, size_t size, ink_text *words,
                            ink_error *error) {
  ink_front_matter front;
  if (is_html(name, bytes, size)) {
    xmlDoc *document;
    INK_TRY(parse_html(name ? name : "text", bytes, size, &document, error));
    collect_text(xmlDocGetRootElement(document), words);
    xmlFreeDoc(document);
  } else if (ink_front_matter_find(bytes, size, &front)) {
    add_plain(bytes + front.body, size - front.body, words);
  } else {
    ink_text_add_bytes(words, bytes, size);
  }
  return ink_text_status(words, error);
}

ink_status ink_detect_words(const char *name, const char *bytes, size_t size, ink_text *words,
                            ink_error *error) {
  // A signed text holds its manifest among the words, as a comment or invisibly.
  const unsigned char *file = (const unsigned char *)bytes;
  const ink_carrier *carrier = ink_carrier_for(name, file, size);
  ink_text bare = {0};
  bool is_signed = carrier && ink_carrier_remove(carrier, file, size, &bare, NULL) == INK_OK;
  ink_status status = is_signed ? add_words(name, ink_text_string(&bare), bare.size, words, error)
                                : add_words(name, bytes, size, words, error);
  ink_text_free(&bare);
  return status;
}

// ---- labels ------------------------------------------------------------------------------------

// Its words; "" where it is not there.
static const char *member(const json_t *aigc, const char *name) {
  const char *text = json_string_value(json_object_get(aigc, name));
  return text ? text : "";
}

// "1" belongs to AI, "2" may, "3" is suspected (GB 45438-2025 Annex E). Of the latter two who
// spread it may be all that is known.
static void judge_metadata(const json_t *aigc, ink_detection *d) {
  ink_evidence *e = add_evidence(d, INK_EVIDENCE_METADATA, "AIGC");
  const char *label = member(aigc, "Label"), *who = member(aigc, "ContentProducer");
  const char *id = member(aigc, "ProduceID");
  if (!e || !label[0]) return;
  e->doubtful = strcmp(label, "2") == 0 || strcmp(label, "3") == 0;
  e->found = e->doubtful || strcmp(label, "1") == 0;
  if (!who[0] && !id[0]) {
    who = member(aigc, "ContentPropagator");
    id = member(aigc, "PropagateID");
  }
  snprintf(e->detail, sizeof e->detail, "Label %.8s%s%.60s%s%.100s", label, who[0] ? ", " : "", who,
           id[0] ? ", " : "", id);
}

static json_t *html_metadata(const xmlDoc *document) {
  xmlChar *content = find_meta(xmlDocGetRootElement(document));
  json_t *aigc = content ? json_loads((const char *)content, 0, NULL) : NULL;
  if (content && !aigc) aigc = json_null();
  xmlFree(content);
  return aigc;
}

// Front matter that is no YAML says nothing, as the prose of a file that begins with a rule.
static ink_status front_matter_metadata(const char *yaml, size_t size, json_t **aigc,
                                        ink_error *error) {
  json_t *json = NULL;
  ink_error unread = {0};
  ink_status status = ink_yaml_parse(yaml, size, "front matter", &json, &unread);
  if (status == INK_ERR_MEMORY) return ink_fail(error, status, "%s", unread.text);
  if (status != INK_OK) return INK_OK;
  *aigc = json_incref(json_object_get(json, "AIGC"));
  json_decref(json);
  return INK_OK;
}

ink_status ink_label_there(const char *name, const char *bytes, size_t size, json_t **aigc,
                           ink_error *error) {
  ink_front_matter front;
  *aigc = NULL;
  if (ink_detect_is_archive(bytes, size)) return ink_document_aigc(bytes, size, aigc, error);
  if (is_html(name, bytes, size)) {
    xmlDoc *document;
    INK_TRY(parse_html(name ? name : "text", bytes, size, &document, error));
    *aigc = html_metadata(document);
    xmlFreeDoc(document);
  } else if (ink_front_matter_find(bytes, size, &front)) {
    INK_TRY(front_matter_metadata(bytes + front.yaml, front.yaml_end - front.yaml, aigc, error));
  }
  return INK_OK;
}

ink_status ink_detect_aigc(const char *name, const char *bytes, size_t size, json_t **aigc,
                           ink_error *error) {
  INK_TRY(ink_label_there(name, bytes, size, aigc, error));
  if (json_is_object(*aigc)) return INK_OK;
  json_decref(*aigc);
  *aigc = NULL;
  return INK_OK;
}

// "AI" in Morse code; an MP3 is not decoded.
static ink_status judge_audible(const unsigned char *bytes, size_t size, ink_detection *d,
                                ink_error *error) {
  const ink_carrier *wav = ink_carrier_named("wav"), *mp3 = ink_carrier_named("mp3");
  bool heard = wav->recognise(bytes, size);
  if (!heard && !mp3->recognise(bytes, size)) return INK_OK;
  ink_evidence *e = add_evidence(d, INK_EVIDENCE_LABEL, "audible label");
  if (!e) return INK_OK;
  double at = -1;
  ink_error unread = {0};
  ink_status status = heard ? ink_wav_hear(bytes, size, &at, &unread) : INK_ERR_UNSUPPORTED;
  if (status == INK_ERR_MEMORY) return ink_fail(error, status, "%s", unread.text);
  e->found = at >= 0;
  if (status != INK_OK) snprintf(e->detail, sizeof e->detail, "not listened to: coded sound");
  if (e->found) snprintf(e->detail, sizeof e->detail, "\"%s\" at %.1f s", INK_RHYTHM, at);
  return INK_OK;
}

ink_status ink_detect_metadata(const char *name, const char *bytes, size_t size, ink_detection *d,
                               ink_error *error) {
  json_t *aigc = NULL;
  ink_error unread = {0};
  if (ink_label_read(name, (const unsigned char *)bytes, size, &aigc, &unread) == INK_ERR_MEMORY) {
    return ink_fail(error, INK_ERR_MEMORY, "%s", unread.text);
  }
  if (aigc) judge_metadata(aigc, d);
  json_decref(aigc);
  return judge_audible((const unsigned char *)bytes, size, d, error);
}

static const char *find_words(const char *from, const char *end, const char *words) {
  return memmem(from, (size_t)(end - from), words, strlen(words));
}

// Of the two elements that GB 45438-2025 section 5 wants in a label, the second soon after the
// first; or an English label's fixed words.
static bool is_label(const char *line, size_t size) {
  static const char *const english[] = {"AI-generated", "AI generated", "Generated by AI",
                                        "generated by AI", "created with AI"};
  static const char *const first[] = {"人工智能", "AI"}, *const second[] = {"生成", "合成"};
  enum { BETWEEN = 18 };  // bytes: four Chinese characters and the second element
  const char *end = line + size;
  for (size_t i = 0; i < sizeof english / sizeof *english; i++) {
    if (find_words(line, end, english[i])) return true;
  }
  for (int i = 0; i < 2; i++) {
    for (const char *hit = line; (hit = find_words(hit, end, first[i])); hit++) {
      const char *after = hit + strlen(first[i]);
      const char *limit = end - after > BETWEEN ? after + BETWEEN : end;
      if (find_words(after, limit, second[0]) || find_words(after, limit, second[1])) return true;
    }
  }
  return false;
}

// "It may be", "it is suspected to be", as `label` says it of what others made: before it names AI.
// What follows speaks of something else ("AI生成，可能有误").
static bool is_doubtful(const char *line, size_t size) {
  static const char *const words[] = {"疑似", "可能", "ossibly", "uspected"};
  const char *end = line + size, *name = find_words(line, end, "AI");
  const char *other = find_words(line, end, "人工智能");
  if (!name || (other && other < name)) name = other;
  for (size_t i = 0; name && i < sizeof words / sizeof *words; i++) {
    if (find_words(line, name, words[i])) return true;
  }
  return false;
}

// A label is a short line at the beginning or the end; elsewhere, or within a sentence, the same
// words are what a text speaks of.
static bool find_label_line(const char *text, size_t size, ink_evidence *e) {
  enum { MOST_LINE = 120 };
  for (size_t at = 0; at < size;) {
    const char *line = text + at, *end = memchr(line, '\n', size - at);
    size_t length = end ? (size_t)(end - line) : size - at;
    at += length + 1;
    if (length > MOST_LINE || !is_label(line, length)) continue;
    copy_text(e->detail, sizeof e->detail, line, length);
    e->doubtful = is_doubtful(line, length);
    return true;
  }
  return false;
}

static void judge_visible(const ink_text *words, ink_detection *d) {
  enum { MARGIN = 400 };
  const char *text = ink_text_string(words);
  ink_evidence *e = add_evidence(d, INK_EVIDENCE_LABEL, "visible label");
  if (!e) return;
  size_t size = words->size;
  e->found = find_label_line(text, size < MARGIN ? size : MARGIN, e) ||
             (size > MARGIN && find_label_line(text + size - MARGIN, MARGIN, e));
}

ink_status ink_detect_labels(const char *name, const char *bytes, size_t size, ink_detection *d,
                             ink_error *error) {
  json_t *aigc;
  INK_TRY(ink_detect_aigc(name, bytes, size, &aigc, error));
  if (aigc) judge_metadata(aigc, d);
  json_decref(aigc);
  ink_text words = {0};
  ink_status status = ink_detect_words(name, bytes, size, &words, error);
  if (status == INK_OK) judge_visible(&words, d);
  ink_text_free(&words);
  return status;
}

// ---- manifests ---------------------------------------------------------------------------------

// An action that says a trained model made it, all of it or a part (IPTC digital source types
// trainedAlgorithmicMedia, compositeWithTrainedAlgorithmicMedia; C2PA's trainedAlgorithmicData).
static const char *generated_source(const ink_c2pa_report *report) {
  static const char *const labels[] = {"c2pa.actions.v2", "c2pa.actions"};
  for (int i = 0; i < 2; i++) {
    const json_t *actions = json_object_get(ink_c2pa_assertion_of(report, labels[i]), "actions");
    size_t index;
    const json_t *action;
    json_array_foreach(actions, index, action) {
      const char *source = json_string_value(json_object_get(action, "digitalSourceType"));
      if (source && strstr(source, "rainedAlgorithmic")) return source;
    }
  }
  return NULL;
}

ink_status ink_detect_manifest(const char *name, const char *bytes, size_t size, ink_detection *d,
                               ink_error *error) {
  const unsigned char *file = (const unsigned char *)bytes;
  const ink_carrier *carrier = ink_carrier_for(name ? name : "", file, size);
  if (!carrier) return INK_OK;
  ink_c2pa_report report = {0};
  ink_error unread = {0};
  ink_status status = ink_c2pa_validate(file, size, carrier, NULL, 0, NULL, &report, &unread);
  if (status == INK_ERR_MEMORY) {
    ink_c2pa_report_free(&report);
    return ink_fail(error, status, "%s", unread.text);
  }
  ink_evidence *e = add_evidence(d, INK_EVIDENCE_MANIFEST, "C2PA");
  if (e && status != INK_OK) {
    copy_text(e->detail, sizeof e->detail, unread.text, strlen(unread.text));
  } else if (e && report.state != INK_C2PA_NONE) {
    const char *source = generated_source(&report), *slash = source ? strrchr(source, '/') : NULL;
    bool holds = report.state == INK_C2PA_VALID || report.state == INK_C2PA_TRUSTED;
    e->found = holds && source;
    snprintf(e->detail, sizeof e->detail, "%s%s%s, %.120s", ink_c2pa_state_name(report.state),
             slash ? ", " : "", slash ? slash + 1 : "", report.active);
  }
  ink_c2pa_report_free(&report);
  return INK_OK;
}

// ---- the record --------------------------------------------------------------------------------

void ink_detect_record(const ink_recovery *recovery, ink_detection *d) {
  ink_evidence *e = add_evidence(d, INK_EVIDENCE_RECORD, "ledger");
  if (!e || !recovery->by) return;
  // Whether the manifest that is there holds or not, it is there.
  bool stripped = true;
  for (size_t i = 0; i < d->n_evidence; i++) {
    stripped =
        stripped && !(d->evidence[i].kind == INK_EVIDENCE_MANIFEST && d->evidence[i].detail[0]);
  }
  // A label proves nothing by itself: anybody can write it; nor does a file that was only signed
  // here, or labelled as somebody else's, say how it was made.
  const char *command = member(recovery->row, "command");
  const char *as = member(json_object_get(recovery->row, "details"), "as");
  bool of_others =
      strcmp(command, "sign") == 0 || (strcmp(command, "label") == 0 && strcmp(as, "own") != 0);
  e->found =
      recovery->by != INK_RECOVERED_LABEL && recovery->by != INK_RECOVERED_GIVEN && !of_others;
  char chance[32] = "";
  if (recovery->by == INK_RECOVERED_WATERMARK && recovery->p_value > 0) {
    snprintf(chance, sizeof chance, " (p = %.2g)", recovery->p_value);
  }
  snprintf(e->detail, sizeof e->detail, "%s%s, by its %s%s, row %lld",
           stripped && recovery->store ? "stripped; the ledger holds its manifest urn:c2pa:" : "",
           recovery->identity, ink_recovered_name(recovery->by), chance, (long long)recovery->n);
}

// ---- pictures ----------------------------------------------------------------------------------

bool ink_detect_is_picture(const char *bytes, size_t size) {
  return (size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0) ||
         (size >= 3 && memcmp(bytes, "\xFF\xD8\xFF", 3) == 0) ||
         (size >= 12 && memcmp(bytes, "RIFF", 4) == 0 && memcmp(bytes + 8, "WEBP", 4) == 0);
}

bool ink_detect_is_archive(const char *bytes, size_t size) {
  return size >= 4 && memcmp(bytes, "PK\3\4", 4) == 0;
}

ink_status ink_detect_damage(const char *bytes, size_t size, bool *damaged, ink_text *why,
                             ink_error *error) {
  ink_archive archive = {0};
  ink_error unread = {.translate = error ? error->translate : NULL};
  *damaged = false;
  if (!ink_detect_is_archive(bytes, size)) return INK_OK;
  ink_status status = ink_archive_read((const unsigned char *)bytes, size, &archive, &unread);
  ink_archive_free(&archive);
  if (status == INK_ERR_MEMORY) return ink_fail(error, status, "%s", unread.text);
  // What is only too large to be read is not damaged.
  *damaged = status == INK_ERR_FORMAT;
  if (*damaged) {
    ink_text_format(why, ink_error_say(error, "the archive is damaged or irregular (%s)"),
                    unread.text);
  }
  return ink_text_status(why, error);
}

void ink_detect_unread(ink_evidence_kind kind, const char *name, const char *why,
                       ink_detection *d) {
  ink_evidence *e = add_evidence(d, kind, name);
  if (!e) return;
  e->unread = true;
  copy_text(e->detail, sizeof e->detail, why, strlen(why));
}

ink_status ink_detect_document(const char *name, const char *bytes, size_t size, ink_detection *d,
                               ink_error *error) {
  ink_text why = {0};
  bool damaged;
  ink_status status = ink_detect_damage(bytes, size, &damaged, &why, error);
  if (status == INK_OK && damaged) {
    ink_detect_unread(INK_EVIDENCE_METADATA, "AIGC", ink_text_string(&why), d);
  }
  ink_text_free(&why);
  if (status != INK_OK || damaged) return status;
  json_t *aigc;
  INK_TRY(ink_detect_aigc(name, bytes, size, &aigc, error));
  if (aigc) judge_metadata(aigc, d);
  json_decref(aigc);
  return INK_OK;
}

static ink_status judge_xmp(const char *xmp, ink_detection *d) {
  json_t *aigc = NULL;
  ink_error unread = {0};
  // XMP that cannot be read says nothing.
  if (ink_xmp_aigc(xmp, strlen(xmp), &aigc, &unread) == INK_OK && aigc) judge_metadata(aigc, d);
  json_decref(aigc);
  ink_evidence *e = add_evidence(d, INK_EVIDENCE_METADATA, "DigitalSourceType");
  if (!e) return INK_OK;
  const char *hit = strstr(xmp, "rainedAlgorithmicMedia");
  e->found = hit != NULL;
  if (hit) snprintf(e->detail, sizeof e->detail, "trained algorithmic media (IPTC)");
  return INK_OK;
}

// A piece's own identity; a picture that is too small has no place for one.
static ink_status judge_identity(const ink_picture *picture, ink_detection *d, ink_error *error) {
  ink_identity_reading reading;
  INK_TRY(ink_picture_identity_read(picture, &reading, error));
  ink_evidence *e = reading.looked ? add_evidence(d, INK_EVIDENCE_WATERMARK, "identity") : NULL;
  if (!e) return INK_OK;
  e->p_value = reading.p_value;
  e->p_limit = INK_DETECT_PICTURE_P_VALUE;
  e->used = (size_t)(picture->width / 8) * (size_t)(picture->height / 8);
  if (reading.whole) copy_text(e->detail, sizeof e->detail, reading.identity, 36);
  return INK_OK;
}

static ink_status judge_pixels(const ink_picture *picture, ink_detection *d, ink_error *error) {
  ink_dwt_dct_reading reading;
  INK_TRY(ink_dwt_dct_read(picture, &reading, error));
  if (!reading.message) return INK_OK;
  char name[64];
  snprintf(name, sizeof name, "dwtDct:%s", reading.message->name);
  ink_evidence *e = add_evidence(d, INK_EVIDENCE_WATERMARK, name);
  if (!e) return INK_OK;
  e->p_value = reading.p_value;
  e->p_limit = INK_DETECT_PICTURE_P_VALUE;
  e->used = (size_t)(picture->width / 8) * (size_t)(picture->height / 8);
  return INK_OK;
}

ink_status ink_detect_picture(const char *name, const char *bytes, size_t size, ink_detection *d,
                              ink_error *error) {
  ink_picture picture;
  ink_picture_extras extras = {0};
  INK_TRY(ink_picture_decode(bytes, size, name ? name : "picture", NULL, &picture, &extras, error));
  ink_status status = extras.xmp ? judge_xmp(extras.xmp, d) : INK_OK;
  if (status == INK_OK) status = judge_pixels(&picture, d, error);
  if (status == INK_OK) status = judge_identity(&picture, d, error);
  ink_picture_extras_free(&extras);
  ink_picture_free(&picture);
  return status;
}

void ink_detect_noise(const ink_picture_watermark_finding *finding, const char *key_id,
                      ink_detection *d) {
  char name[64];
  snprintf(name, sizeof name, "gaussian-shading:%.16s", key_id);
  ink_evidence *e = add_evidence(d, INK_EVIDENCE_WATERMARK, name);
  if (!e) return;
  e->p_value = finding->p_value;
  e->p_limit = INK_PICTURE_WATERMARK_P_VALUE;
  e->used = finding->reading.n;
  snprintf(e->identity, sizeof e->identity, "%s", finding->identity);
  snprintf(e->detail, sizeof e->detail, "%zu of %zu signs", finding->reading.hits,
           finding->reading.n);
}

void ink_detect_noise_record(const ink_noise_record *record, ink_detection *d) {
  ink_evidence *e =
      record->tried ? add_evidence(d, INK_EVIDENCE_WATERMARK, "gaussian-shading:ledger") : NULL;
  if (!e) return;
  e->p_value = record->p_value;
  e->p_limit = INK_PICTURE_WATERMARK_P_VALUE;
  e->used = record->n_sign;
  e->tried = record->tried;
  e->row = record->n;
  if (record->found) snprintf(e->identity, sizeof e->identity, "%s", record->identity);
  snprintf(e->detail, sizeof e->detail, "row %lld of the ledger, %zu tried%s", (long long)record->n,
           record->tried, record->more ? ", older ones not" : "");
}

// ---- watermarks and the verdict ----------------------------------------------------------------

ink_status ink_detect_watermark(ink_watermark *watermark, const int32_t *tokens, size_t n,
                                ink_detection *d, ink_error *error) {
  ink_watermark_score score;
  INK_TRY(ink_watermark_score_tokens(watermark, tokens, n, &score, error));
  ink_evidence *e = add_evidence(d, INK_EVIDENCE_WATERMARK, ink_watermark_id(watermark));
  if (!e)
    return ink_fail(error, INK_ERR_USAGE, "more than %d watermarks at once", INK_MAX_EVIDENCE);
  e->p_value = score.p_value;
  e->p_limit = INK_DETECT_P_VALUE;
  e->used = score.used;
  return INK_OK;
}

void ink_detect_conclude(ink_detection *d) {
  size_t looked_for = 0, most_used = 0;
  double least = 1;
  for (size_t i = 0; i < d->n_evidence; i++) {
    const ink_evidence *e = &d->evidence[i];
    if (e->kind != INK_EVIDENCE_WATERMARK || e->unread) continue;
    looked_for++;
    if (e->p_value < least) least = e->p_value;
    if (e->used > most_used) most_used = e->used;
  }
  double together = looked_for ? least * (double)looked_for : 1;
  d->p_value = together < 1 ? together : 1;
  bool found = false, doubtful = false;
  for (size_t i = 0; i < d->n_evidence; i++) {
    ink_evidence *e = &d->evidence[i];
    if (e->kind == INK_EVIDENCE_WATERMARK && !e->unread) {
      e->found = e->p_value * (double)looked_for < e->p_limit;
    }
    found |= e->found && !e->doubtful;
    doubtful |= e->found && e->doubtful;
  }
  d->verdict = found                                     ? INK_VERDICT_GENERATED
               : doubtful                                ? INK_VERDICT_SUSPECTED
               : most_used >= INK_WATERMARK_LEAST_TOKENS ? INK_VERDICT_NO_MARK
                                                         : INK_VERDICT_CANNOT_TELL;
}
