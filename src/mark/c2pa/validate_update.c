// What manifests say later and of each other: updates (C2PA specification 2.4, sections 11.2.3 and
// 15.10.1.3), assertions that were taken out (6.8, 15.11.3.3), time-stamps (18.17).
#include <string.h>

#include "mark/c2pa/validate_parts.h"

// ---- gathering

static ink_status add_word(ink_validator *v, const ink_store_word **list, const ink_jumbf *box,
                           const ink_cbor *item) {
  ink_store_word *word = ink_arena_zeros(v->arena, 1, sizeof *word);
  if (!word) return ink_fail(v->error, INK_ERR_MEMORY, "no memory to validate a manifest");
  *word = (ink_store_word){box, item, *list};
  *list = word;
  return INK_OK;
}

ink_status ink_validate_gather(ink_validator *v) {
  size_t n_redacted = 0;
  for (const ink_jumbf *at = v->store->first; at; at = at->next) {
    if (!at->label) continue;
    const ink_jumbf *box =
        ink_jumbf_child(ink_jumbf_child(at, "c2pa.assertions"), "c2pa.time-stamp");
    const ink_cbor *stamps = box ? ink_validate_content(v, box) : NULL;
    if (stamps) INK_TRY(add_word(v, &v->stamps, box, stamps));
    for (const ink_jumbf *claim = at->first; claim; claim = claim->next) {
      if (!claim->label || strcmp(claim->kind, "c2cl") != 0) continue;
      const ink_cbor *list =
          ink_cbor_member(ink_validate_content(v, claim), "redacted_assertions", INK_CBOR_ARRAY);
      for (const ink_cbor *r = list ? list->first : NULL; r; r = r->next) {
        if (n_redacted++ == INK_REDACTIONS_MOST) {
          ink_find(v, v->report->results, INK_FAILURE, "general.error", at,
                   "claims take out more than is looked at");
          return INK_OK;
        }
        INK_TRY(add_word(v, &v->redacted, at, r));
      }
    }
  }
  return INK_OK;
}

// ---- what was taken out (section 6.8)

bool ink_validate_redacted(ink_validator *v, const ink_jumbf *manifest, const char *label) {
  ink_text uri = {0};
  bool redacted = false;
  if (!v->redacted) return false;
  ink_jumbf_uri(manifest, &uri);
  ink_text_format(&uri, "/c2pa.assertions/%s", label);
  for (const ink_store_word *at = v->redacted; at && !redacted; at = at->next) {
    redacted = at->box != manifest && ink_cbor_is(at->item, ink_text_string(&uri));
  }
  ink_text_free(&uri);
  return redacted;
}

// The URI of something within a manifest.
static bool is_within(const ink_cbor *uri, const ink_jumbf *manifest) {
  ink_text prefix = {0};
  ink_jumbf_uri(manifest, &prefix);
  ink_text_add(&prefix, "/");
  bool within = uri && uri->kind == INK_CBOR_TEXT && !prefix.failed && uri->size > prefix.size &&
                memcmp(uri->bytes, prefix.bytes, prefix.size) == 0;
  ink_text_free(&prefix);
  return within;
}

bool ink_validate_has_redactions(ink_validator *v, const ink_jumbf *manifest) {
  for (const ink_store_word *at = v->redacted; at; at = at->next) {
    if (at->box != manifest && is_within(at->item, manifest)) return true;
  }
  return false;
}

bool ink_validate_emptied(const ink_jumbf *assertion) {
  static const unsigned char redaction[16] = {0xCA, 0xA9, 0x8E, 0xEE, 0x9D, 0x4D, 0xF8, 0x0E,
                                              0x86, 0xAD, 0x4D, 0xFF, 0xCA, 0x26, 0x39, 0x73};
  for (const ink_jumbf *at = assertion->first; at; at = at->next) {
    if (at->label) return false;
    bool marked = strcmp(at->type, "uuid") == 0 && at->size >= sizeof redaction &&
                  memcmp(at->bytes, redaction, sizeof redaction) == 0;
    for (size_t i = marked ? sizeof redaction : 0; i < at->size; i++) {
      if (at->bytes[i]) return false;
    }
  }
  return true;
}

static const char *label_in(ink_validator *v, const ink_cbor *uri) {
  const char *text = ink_cbor_string(v->arena, uri);
  const char *slash = text ? strrchr(text, '/') : NULL;
  return slash ? slash + 1 : text;
}

// Actions and bindings stay, and no claim takes out what is its own (section 15.10.3.1).
void ink_check_redactions(ink_validator *v, ink_manifest_view *m) {
  const ink_cbor *list = ink_cbor_member(m->claim, "redacted_assertions", INK_CBOR_ARRAY);
  for (const ink_cbor *at = list ? list->first : NULL; at; at = at->next) {
    const char *label = at->kind == INK_CBOR_TEXT ? label_in(v, at) : NULL;
    bool absolute = label && at->size > 12 && memcmp(at->bytes, "self#jumbf=/", 12) == 0;
    if (!label) {
      ink_find(v, m->results, INK_FAILURE, "claim.malformed", m->box,
               "what it takes out is not named");
    } else if (!absolute || is_within(at, m->box)) {
      ink_find(v, m->results, INK_FAILURE, "assertion.selfRedacted", m->box,
               "the claim takes out an assertion of its own");
    } else if (ink_validate_is_label(label, "c2pa.actions") ||
               ink_validate_is_label(label, "c2pa.actions.v2")) {
      ink_find(v, m->results, INK_FAILURE, "assertion.action.redacted", m->box,
               "the claim takes out actions, which no claim may");
    } else if (ink_validate_is_binding(label)) {
      ink_find(v, m->results, INK_FAILURE, "assertion.dataHash.redacted", m->box,
               "the claim takes out what binds the content, which no claim may");
    }
  }
}

// True when the claim of some manifest lists what the URI names.
static bool is_listed(ink_validator *v, const ink_cbor *uri, const char *label) {
  static const char *const lists[] = {"assertions", "created_assertions", "gathered_assertions"};
  for (const ink_jumbf *at = v->store->first; at; at = at->next) {
    if (!at->label || !is_within(uri, at)) continue;
    for (const ink_jumbf *claim = at->first; claim; claim = claim->next) {
      if (!claim->label || strcmp(claim->kind, "c2cl") != 0) continue;
      const ink_cbor *map = ink_validate_content(v, claim);
      for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const ink_cbor *list = ink_cbor_member(map, lists[i], INK_CBOR_ARRAY);
        for (const ink_cbor *r = list ? list->first : NULL; r; r = r->next) {
          const char *own = label_in(v, ink_cbor_get(r, "url"));
          if (own && strcmp(own, label) == 0) return true;
        }
      }
    }
  }
  return false;
}

void ink_check_redaction(ink_validator *v, ink_manifest_view *m, const ink_jumbf *box,
                         const ink_cbor *action) {
  const ink_cbor *uri =
      ink_cbor_member(ink_cbor_get(action, "parameters"), "redacted", INK_CBOR_TEXT);
  const char *label = uri ? label_in(v, uri) : NULL;
  if (label && is_listed(v, uri, label)) return;
  ink_find(v, m->results, INK_FAILURE, "assertion.action.redactionMismatch", box,
           "an action does not say which assertion was taken out");
}

// ---- updates

void ink_check_update(ink_validator *v, ink_manifest_view *m) {
  const ink_jumbf *store = ink_jumbf_child(m->box, "c2pa.assertions");
  size_t n_ingredient = 0, n_parent = 0;
  for (const ink_jumbf *at = store ? store->first : NULL; at; at = at->next) {
    if (!at->label) continue;
    if (ink_validate_is_binding(at->label)) {
      ink_find(v, m->results, INK_FAILURE, "manifest.update.invalid", m->box,
               "an update manifest binds no content");
    }
    if (strncmp(at->label, "c2pa.thumbnail", 14) == 0) {
      ink_find(v, m->results, INK_FAILURE, "manifest.update.invalid", m->box,
               "an update manifest has no thumbnail");
    }
    if (strncmp(at->label, "c2pa.ingredient", 15) != 0) continue;
    n_ingredient++;
    n_parent += ink_cbor_is(ink_cbor_get(ink_validate_content(v, at), "relationship"), "parentOf");
  }
  if (n_ingredient != 1 || n_parent != 1) {
    ink_find(v, m->results, INK_FAILURE, "manifest.update.wrongParents", m->box,
             "an update manifest has one ingredient, the manifest that it updates");
  }
}

void ink_check_update_action(ink_validator *v, ink_manifest_view *m, const ink_jumbf *box,
                             const ink_cbor *name) {
  static const char *const allowed[] = {"c2pa.edited.metadata", "c2pa.opened", "c2pa.published",
                                        "c2pa.redacted"};
  for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
    if (ink_cbor_is(name, allowed[i])) return;
  }
  ink_find(v, m->results, INK_FAILURE, "manifest.update.invalid", box,
           "an update manifest says that the content was changed");
}

// One map of manifests' names to tokens, one assertion in a manifest (section 15.10.3.2.4).
void ink_check_stamps(ink_validator *v, ink_manifest_view *m, const ink_jumbf *box) {
  const ink_cbor *map = ink_validate_content(v, box);
  bool good =
      map && map->kind == INK_CBOR_MAP && map->n && strcmp(box->label, "c2pa.time-stamp") == 0;
  for (const ink_cbor *at = good ? map->first : NULL; at; at = at->next->next) {
    good = good && at->kind == INK_CBOR_TEXT && at->next->kind == INK_CBOR_BYTES;
  }
  if (good) return;
  ink_find(v, m->results, INK_FAILURE, "assertion.timestamp.malformed", box,
           "it does not give time-stamps to manifests");
}
