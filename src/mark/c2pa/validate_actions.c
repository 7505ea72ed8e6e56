// What a manifest says was done: its actions (C2PA specification 2.4, section 15.10.3.2).
#include <string.h>

#include "mark/c2pa/validate_parts.h"

static const ink_cbor *first_ingredient(const ink_cbor *action) {
  const ink_cbor *parameters = ink_cbor_get(action, "parameters");
  const ink_cbor *list = ink_cbor_member(parameters, "ingredients", INK_CBOR_ARRAY);
  if (list) return list->first;
  return ink_cbor_member(parameters, "ingredient", INK_CBOR_MAP);
}

// Opened and placed things are ingredients (section 15.10.3.2).
static void check_action(ink_validator *v, ink_manifest_view *m, const ink_jumbf *box,
                         const ink_cbor *action, bool first) {
  const ink_cbor *name = ink_cbor_member(action, "action", INK_CBOR_TEXT);
  bool opened = ink_cbor_is(name, "c2pa.opened"), created = ink_cbor_is(name, "c2pa.created");
  bool update = strcmp(m->box->kind, "c2um") == 0;
  if (update && name) ink_check_update_action(v, m, box, name);
  if (ink_cbor_is(name, "c2pa.redacted")) ink_check_redaction(v, m, box, action);
  if (!name || (first && !opened && !created && !update)) {
    ink_find(v, m->results, INK_FAILURE, "assertion.action.malformed", box,
             "the first action is neither c2pa.created nor c2pa.opened");
    return;
  }
  if (!first && (opened || created)) {
    ink_find(v, m->results, INK_FAILURE, "assertion.action.malformed", box,
             "an action that only comes first comes later");
  }
  if (ink_cbor_is(name, "c2pa.watermarked.bound") && !m->soft) {
    ink_find(v, m->results, INK_FAILURE, "assertion.action.softBindingMissing", box,
             "an action speaks of a watermark that no soft binding describes");
  }
  if (!opened && !ink_cbor_is(name, "c2pa.placed") && !ink_cbor_is(name, "c2pa.removed")) return;
  const ink_cbor *ingredient = first_ingredient(action);
  const char *uri = ink_cbor_string(v->arena, ink_cbor_get(ingredient, "url"));
  const ink_jumbf *target = ink_jumbf_resolve(v->store, m->box, uri);
  const ink_cbor *map = target ? ink_validate_content(v, target) : NULL;
  const ink_cbor *relationship = ink_cbor_get(map, "relationship");
  bool fits = target && (opened ? ink_cbor_is(relationship, "parentOf")
                                : ink_cbor_is(relationship, "componentOf"));
  if (!fits) {
    ink_find(v, m->results, INK_FAILURE, "assertion.action.ingredientMismatch", box,
             "an action has not the ingredient that it needs");
  }
}

void ink_check_actions(ink_validator *v, ink_manifest_view *m) {
  const ink_jumbf *store = ink_jumbf_child(m->box, "c2pa.assertions");
  size_t n = 0;
  if (!m->v2) return;
  for (const ink_jumbf *at = store ? store->first : NULL; at; at = at->next) {
    if (!at->label || (!ink_validate_is_label(at->label, "c2pa.actions.v2") &&
                       !ink_validate_is_label(at->label, "c2pa.actions"))) {
      continue;
    }
    const ink_cbor *list = ink_cbor_member(ink_validate_content(v, at), "actions", INK_CBOR_ARRAY);
    if (!list || !list->n) {
      ink_find(v, m->results, INK_FAILURE, "assertion.action.malformed", at, "no actions in it");
      continue;
    }
    for (const ink_cbor *action = list->first; action; action = action->next) {
      check_action(v, m, at, action, n == 0 && action == list->first);
    }
    n++;
  }
  if (!n && strcmp(m->box->kind, "c2ma") == 0) {
    ink_find(v, m->results, INK_FAILURE, "assertion.action.malformed", m->box,
             "the manifest says neither c2pa.created nor c2pa.opened");
  }
}
