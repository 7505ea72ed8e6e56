// Labelling files: which format, what each law asks for, the signature.
#include "mark/label/label.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "mark/c2pa/parent.h"
#include "mark/label/aigc.h"
#include "mark/label/label_parts.h"

static const ink_labeller *const labellers[] = {
    &ink_labeller_picture, &ink_labeller_markdown, &ink_labeller_html, &ink_labeller_pdf,
    &ink_labeller_wav,     &ink_labeller_mp3,      &ink_labeller_text, &ink_labeller_docx,
    &ink_labeller_xlsx,    &ink_labeller_pptx,     &ink_labeller_epub, &ink_labeller_odt,
    &ink_labeller_svg,     &ink_labeller_gif};
enum { N_LABELLER = sizeof labellers / sizeof *labellers };

// ---- laws ---------------------------------------------------------------------------------------

ink_status ink_laws_parse(const char *list, unsigned *laws, ink_error *error) {
  static const struct {
    const char *name;
    unsigned law;
  } known[] = {{"cn", INK_LAW_CN}, {"eu", INK_LAW_EU}, {"ca", INK_LAW_CA}};
  *laws = 0;
  for (const char *at = list; *at;) {
    size_t n = strcspn(at, ",");
    unsigned found = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
      if (strlen(known[i].name) == n && memcmp(known[i].name, at, n) == 0) found = known[i].law;
    }
    if (!found) {
      return ink_fail(
          error, INK_ERR_USAGE,
          "no law \"%.*s\" is known here; there are cn (China), eu (European Union) and "
          "ca (California)",
          (int)(n < 40 ? n : 40), at);
    }
    *laws |= found;
    at += n + (at[n] == ',');
  }
  if (*laws) return INK_OK;
  return ink_fail(error, INK_ERR_USAGE, "name a law: cn, eu or ca, or several with commas");
}

// ---- formats ------------------------------------------------------------------------------------

static const ink_labeller *labeller_for(const ink_carrier *carrier) {
  for (size_t i = 0; carrier && i < N_LABELLER; i++) {
    for (const char *const *name = labellers[i]->formats; *name; name++) {
      if (strcmp(*name, carrier->name) == 0) return labellers[i];
    }
  }
  return NULL;
}

static ink_status choose(const char *name, const unsigned char *bytes, size_t size,
                         const ink_carrier **carrier, const ink_labeller **labeller,
                         ink_error *error) {
  *carrier = ink_carrier_for(name, bytes, size);
  *labeller = labeller_for(*carrier);
  if (*labeller) return INK_OK;
  const ink_carrier *named = ink_carrier_by_ending(name);
  if (named && labeller_for(named)) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "its name is that of a file of kind \"%s\", its content is not: it is empty, "
                    "damaged or of another kind",
                    named->name);
  }
  return ink_fail(
      error, INK_ERR_UNSUPPORTED,
      "files of this kind are not labelled here; PNG, JPEG, WebP, GIF, SVG, PDF, WAV, MP3, "
      "DOCX, XLSX, PPTX, EPUB, ODT, HTML, Markdown, source and plain text are");
}

ink_status ink_label_read(const char *name, const unsigned char *bytes, size_t size, json_t **aigc,
                          ink_error *error) {
  const ink_labeller *labeller = labeller_for(ink_carrier_for(name, bytes, size));
  *aigc = NULL;
  if (labeller) INK_TRY(labeller->read(name, bytes, size, aigc, error));
  if (json_is_object(*aigc)) return INK_OK;
  json_decref(*aigc);
  *aigc = NULL;
  return INK_OK;
}

// ---- what each law got --------------------------------------------------------------------------

static ink_label_item *add_item(ink_label_result *r, unsigned law, const char *what,
                                const char *clause) {
  ink_label_item *item = &r->items[r->n_item < INK_LABEL_MOST_ITEMS - 1 ? r->n_item++ : r->n_item];
  *item = (ink_label_item){.law = law, .what = what, .clause = clause};
  return item;
}

static void settle(ink_label_item *item, const char *detail, const char *why) {
  bool got = detail && detail[0];
  item->outcome = got ? INK_LABEL_GOT : INK_LABEL_MISSING;
  item->why = got ? NULL : why;
  if (got) snprintf(item->detail, sizeof item->detail, "%s", detail);
}

static void excuse(ink_label_item *item, const char *why) {
  item->outcome = INK_LABEL_NOT_ASKED;
  item->why = why;
}

static const char not_asked[] = "left out, as asked";
static const char no_manifest[] =
    "no manifest fits into plain text unseen; `inkstone sign --sidecar` puts one beside it";

static const char *shown(const ink_labelled *l) {
  return l->what ? l->what : "visible label";
}

static void report_china(const ink_labelled *l, ink_label_result *r) {
  ink_label_item *item = add_item(r, INK_LAW_CN, shown(l), l->visible_rule);
  settle(item, l->visible, l->no_visible ? l->no_visible : not_asked);
  item = add_item(r, INK_LAW_CN, "metadata label", l->metadata_rule);
  settle(item, l->metadata, l->no_metadata);
  if (l->unfixed) item->note = "the standard fixes no place for it in this format";
  if (!l->metadata[0]) excuse(item, l->no_metadata);
}

static void report_union(const ink_label_request *q, const ink_labelled *l, ink_label_result *r) {
  char mark[160];
  snprintf(mark, sizeof mark, "%s%s%s", l->tells_source ? "DigitalSourceType" : "",
           l->tells_source && r->is_signed ? ", " : "", r->is_signed ? "C2PA" : "");
  settle(add_item(r, INK_LAW_EU, "machine-readable mark", "50(2)"), mark, no_manifest);
  settle(add_item(r, INK_LAW_EU, "signed metadata", "code of practice 1.1.1"), r->manifest,
         no_manifest);
  ink_label_item *item =
      add_item(r, INK_LAW_EU, "imperceptible watermark", "code of practice 1.1.2");
  if (q->kind == INK_LABEL_OWN) {
    settle(item, NULL, "only what generates the content can put it in, as `write` and `paint` do");
  } else {
    excuse(item, "asked of who generates the content");
  }
  settle(add_item(r, INK_LAW_EU, shown(l), "code of practice, section 2"), l->visible,
         l->no_visible ? l->no_visible : not_asked);
}

static void report_california(const ink_label_request *q, const ink_labelled *l, bool disclosed,
                              ink_label_result *r) {
  ink_label_item *item = add_item(r, INK_LAW_CA, "latent disclosure", "BPC 22757 ff.");
  if (!disclosed) {
    excuse(item, "asked of pictures, films and sounds, not of text");
    return;
  }
  const char *unsaid = "not known; --producer, --system and --system-version say it";
  char name[160];
  settle(item, r->manifest, no_manifest);
  settle(add_item(r, INK_LAW_CA, "name of the provider", "BPC 22757 ff."), q->producer, unsaid);
  snprintf(name, sizeof name, "%s %s", q->system ? q->system : "",
           q->system_version ? q->system_version : "");
  settle(add_item(r, INK_LAW_CA, "name and version of the system", "BPC 22757 ff."),
         q->system && q->system_version ? name : NULL, unsaid);
  settle(add_item(r, INK_LAW_CA, "time and unique identifier", "BPC 22757 ff."), q->created, NULL);
  item = add_item(r, INK_LAW_CA, "disclosure that people see", "BPC 22757 ff.");
  settle(item, l->visible, NULL);
  if (!l->visible[0]) excuse(item, "optional under this law");
}

static void report(const ink_label_request *q, const ink_labelled *l, bool disclosed,
                   ink_label_result *r) {
  snprintf(r->visible, sizeof r->visible, "%s", l->visible);
  snprintf(r->metadata, sizeof r->metadata, "%s", l->metadata);
  if (q->laws & INK_LAW_CN) report_china(l, r);
  if (q->laws & INK_LAW_EU) report_union(q, l, r);
  if (q->laws & INK_LAW_CA) report_california(q, l, disclosed, r);
}

// ---- the signature ------------------------------------------------------------------------------

// Where a manifest is put in without being asked for: not as invisible characters of a plain text.
static bool has_room(const ink_carrier *carrier) {
  return !carrier->value_sized;
}

bool ink_label_signs(const char *name, const unsigned char *bytes, size_t size, unsigned laws) {
  const ink_carrier *carrier = ink_carrier_for(name, bytes, size);
  ink_place place = {0};
  if (!labeller_for(carrier)) return false;
  bool signs = has_room(carrier) && (laws & (INK_LAW_EU | INK_LAW_CA));
  ink_error unread = {0};
  if (!signs) {
    ink_status status = ink_carrier_find(carrier, bytes, size, &place, &unread);
    // Without memory to look, who signs says so.
    signs = status == INK_ERR_MEMORY || (status == INK_OK && place.present);
  }
  ink_place_free(&place);
  return signs;
}

// What the label is, within the signed part.
static json_t *describe(const ink_label_work *w) {
  static const char *const kinds[] = {"own", "declared", "suspected"};
  const ink_label_request *r = w->request;
  return json_pack("{s:s, s:s, s:s, s:s*, s:s*, s:s*, s:O*}", "kind", kinds[r->kind], "identity",
                   r->identity, "created", r->created, "producer", r->producer, "system", r->system,
                   "systemVersion", r->system_version, "AIGC", w->aigc);
}

// Opened as it was, and edited: the labels are all that this program vouches for.
static ink_status sign(const ink_label_work *w, const ink_carrier *carrier,
                       const ink_c2pa_parent *parent, const ink_labelled *l,
                       const ink_signer *signer, ink_text *out, ink_error *error) {
  const ink_label_request *r = w->request;
  ink_c2pa_ingredient ingredient = parent->ingredient;
  if (l->thumbnail.size) {
    ingredient.thumbnail = l->thumbnail.bytes;
    ingredient.thumbnail_size = l->thumbnail.size;
  }
  ink_c2pa_action actions[] = {{.action = "c2pa.opened"},
                               {.action = "c2pa.edited",
                                .source_type = w->source_type,
                                .agent_name = "inkstone label",
                                .agent_version = INKSTONE_VERSION}};
  json_t *label = describe(w);
  if (!label) return ink_fail(error, INK_ERR_MEMORY, "no memory for the label");
  ink_c2pa_assertion assertion = {"org.inkstone.label", label};
  ink_c2pa_manifest manifest = {.identity = r->identity,
                                .created = r->created,
                                .title = ink_path_name(w->name),
                                .actions = actions,
                                .n_action = 2,
                                .ingredients = &ingredient,
                                .n_ingredient = 1,
                                .assertions = &assertion,
                                .n_assertion = 1,
                                .thumbnail = l->new_thumbnail.size ? l->new_thumbnail.bytes : NULL,
                                .thumbnail_size = l->new_thumbnail.size,
                                .model = r->kind == INK_LABEL_OWN ? r->system : NULL};
  ink_status status = ink_c2pa_sign((const unsigned char *)l->file.bytes, l->file.size, carrier,
                                    &manifest, signer, out, error);
  json_decref(label);
  return status;
}

// ---- all of it ----------------------------------------------------------------------------------

static ink_status check_request(const ink_label_request *r, ink_error *error) {
  if (r->style) INK_TRY(ink_label_style_check(r->style, error));
  if (!r->visible && (r->laws & INK_LAW_CN)) {
    return ink_fail(error, INK_ERR_USAGE,
                    "China's law asks for a visible label (GB 45438-2025, section 5); without one "
                    "name other laws");
  }
  return INK_OK;
}

// The metadata label that is there stays. China's law wants one, and no two.
static ink_status check_there(const ink_labeller *labeller, const ink_label_work *w, json_t **there,
                              ink_error *error) {
  INK_TRY(labeller->read(w->name, w->bytes, w->size, there, error));
  if (!*there || !(w->request->laws & INK_LAW_CN)) return INK_OK;
  const char *id = json_string_value(json_object_get(*there, "ProduceID"));
  if (!id || !id[0]) id = json_string_value(json_object_get(*there, "PropagateID"));
  return ink_fail(error, INK_ERR_CONFLICT,
                  "it bears another AIGC label already (ProduceID %s), which must stay",
                  id ? id : "?");
}

static void labelled_free(ink_labelled *l) {
  ink_text_free(&l->file);
  ink_text_free(&l->thumbnail);
  ink_text_free(&l->new_thumbnail);
}

static ink_status label(const ink_labeller *labeller, const ink_carrier *carrier,
                        const ink_c2pa_parent *parent, const ink_label_work *given,
                        const ink_signer *signer, bool signs, ink_text *out,
                        ink_label_result *result, ink_error *error) {
  ink_labelled labelled = {0};
  ink_label_request request = *given->request;
  ink_label_work work = *given;
  json_t *there = NULL, *aigc = NULL;
  ink_status status = check_there(labeller, given, &there, error);
  // Who labelled it before gave it a visible label too.
  if (there) request.visible = false;
  work.request = &request;
  if (status == INK_OK && !there) {
    status = ink_aigc_new(request.kind, request.producer, request.identity, &aigc, error);
    work.aigc = aigc;
  }
  if (status == INK_OK) status = labeller->label(&work, &labelled, error);
  if (status == INK_OK && there) {
    labelled.no_visible = "it was labelled before, which stays as it is";
  }
  if (status == INK_OK && signs) {
    status = sign(&work, carrier, parent, &labelled, signer, out, error);
    result->is_signed = status == INK_OK;
    snprintf(result->manifest, sizeof result->manifest, "urn:c2pa:%s", request.identity);
  } else if (status == INK_OK) {
    ink_text_add_bytes(out, ink_text_string(&labelled.file), labelled.file.size);
    status = ink_text_status(out, error);
  }
  result->format = carrier->name;
  if (status == INK_OK) report(&request, &labelled, labeller->disclosed, result);
  labelled_free(&labelled);
  json_decref(there);
  json_decref(aigc);
  return status;
}

ink_status ink_label_file(const char *name, const unsigned char *bytes, size_t size,
                          const ink_label_request *request, const ink_signer *signer, ink_text *out,
                          ink_label_result *result, ink_error *error) {
  const ink_carrier *carrier;
  const ink_labeller *labeller;
  ink_c2pa_parent parent = {0};
  *result = (ink_label_result){0};
  INK_TRY(check_request(request, error));
  INK_TRY(choose(name, bytes, size, &carrier, &labeller, error));
  bool signs = ink_label_signs(name, bytes, size, request->laws);
  if (signs && !signer) {
    return ink_fail(error, INK_ERR_INTERNAL, "a file that is signed needs a signer");
  }
  ink_status status =
      ink_c2pa_parent_read(ink_path_name(name), carrier, bytes, size, &parent, error);
  if (status == INK_OK && parent.fault[0]) {
    status = ink_fail(error, INK_ERR_FORMAT, "its manifest cannot be kept: %s", parent.fault);
  }
  const char *source = request->source_type ? request->source_type : INK_SOURCE_TRAINED;
  ink_label_work work = {.request = request,
                         .name = name,
                         .bytes = (const unsigned char *)parent.bare.bytes,
                         .size = parent.bare.size,
                         // What is only suspected is not stated.
                         .source_type = request->kind == INK_LABEL_SUSPECTED ? NULL : source};
  if (status == INK_OK) {
    status = label(labeller, carrier, &parent, &work, signer, signs, out, result, error);
  }
  ink_c2pa_parent_free(&parent);
  return status;
}
