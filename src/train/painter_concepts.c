// What the painter can draw: chosen from Emojibase's list by painter_concepts.inc, named by CLDR's
// annotations.
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "train/painter_parts.h"

typedef struct kind_rule {
  const char *subgroup, *measure, *traits;
} kind_rule;

typedef struct name_rule {
  const char *codes, *english, *chinese, *measure, *traits;
} name_rule;

#include "train/painter_concepts.inc"

enum {
  N_KIND = sizeof KINDS / sizeof *KINDS,
  N_NAME = sizeof NAMES / sizeof *NAMES,
  LARGEST_JSON = 64 << 20
};

void ink_painter_list_free(ink_painter_list *list) {
  free(list->concepts);
  free(list->left_out);
  *list = (ink_painter_list){0};
}

ink_status ink_painter_leave_out(ink_painter_list *list, const char *code, const char *reason,
                                 ink_error *error) {
  if (list->n_left_out == list->left_out_capacity) {
    size_t larger = list->left_out_capacity * 2 + 256;
    ink_painter_left_out *grown = realloc(list->left_out, larger * sizeof *grown);
    if (!grown) return ink_fail(error, INK_ERR_MEMORY, "no memory for the list of drawings");
    list->left_out = grown;
    list->left_out_capacity = larger;
  }
  ink_painter_left_out *item = &list->left_out[list->n_left_out++];
  snprintf(item->code, sizeof item->code, "%s", code);
  snprintf(item->reason, sizeof item->reason, "%s", reason);
  return INK_OK;
}

static ink_status new_concept(ink_painter_list *list, ink_painter_concept **concept,
                              ink_error *error) {
  if (list->n_concept == list->concept_capacity) {
    size_t larger = list->concept_capacity * 2 + 256;
    ink_painter_concept *grown = realloc(list->concepts, larger * sizeof *grown);
    if (!grown) return ink_fail(error, INK_ERR_MEMORY, "no memory for the list of concepts");
    list->concepts = grown;
    list->concept_capacity = larger;
  }
  *concept = &list->concepts[list->n_concept++];
  memset(*concept, 0, sizeof **concept);
  return INK_OK;
}

// ---- rules --------------------------------------------------------------------------------------

// Whether a rule's list of drawings has this code.
static bool has_code(const name_rule *rule, const char *code) {
  size_t size = strlen(code);
  for (const char *at = rule->codes; *at;) {
    size_t length = strcspn(at, ": ");
    if (length == size && memcmp(at, code, size) == 0) return true;
    at += strcspn(at, " ");
    at += strspn(at, " ");
  }
  return false;
}

static int rule_of(const char *code) {
  for (int i = 0; i < N_NAME; i++) {
    if (has_code(&NAMES[i], code)) return i;
  }
  return -1;
}

static const kind_rule *kind_of(const char *subgroup) {
  for (int i = 0; i < N_KIND; i++) {
    if (strcmp(KINDS[i].subgroup, subgroup) == 0) return &KINDS[i];
  }
  return NULL;
}

static ink_scene_colour colour_named(const char *name, size_t size) {
  for (int i = 1; i < INK_SCENE_COLOURS; i++) {
    const char *english = ink_scene_colour_english((ink_scene_colour)i);
    if (strlen(english) == size && memcmp(english, name, size) == 0) return (ink_scene_colour)i;
  }
  return INK_COLOUR_NONE;
}

static void set_drawings(ink_painter_concept *concept, const char *codes) {
  while (*codes && concept->n_drawing < INK_PAINTER_DRAWINGS) {
    ink_painter_drawing *drawing = &concept->drawings[concept->n_drawing++];
    size_t whole = strcspn(codes, " "), code = strcspn(codes, ": ");
    snprintf(drawing->code, sizeof drawing->code, "%.*s", (int)code, codes);
    if (code < whole) drawing->colour = colour_named(codes + code + 1, whole - code - 1);
    codes += whole;
    codes += strspn(codes, " ");
  }
}

static void set_traits(ink_painter_concept *concept, const char *traits) {
  concept->no_mirror = strchr(traits, 'm') != NULL;
  concept->no_colour = strchr(traits, 'r') != NULL;
  concept->no_count = strchr(traits, 'c') != NULL;
  concept->no_pair = strchr(traits, 'p') != NULL;
  concept->no_silhouette = strchr(traits, 's') != NULL;
}

// Names apart by ";", in English with their marks.
static void set_names(ink_painter_concept *concept, const char *names, bool english) {
  int n = 0;
  for (; *names && n < INK_CONCEPT_NAMES; n++) {
    size_t size = strcspn(names, ";");
    char *to = english ? concept->english[n] : concept->chinese[n];
    if (english) {
      concept->forms[n] = *names == '+'   ? INK_NOUN_PLURAL
                          : *names == '~' ? INK_NOUN_MASS
                                          : INK_NOUN_ONE;
    }
    size_t mark = english && concept->forms[n] != INK_NOUN_ONE;
    snprintf(to, INK_PAINTER_NAME, "%.*s", (int)(size - mark), names + mark);
    names += size + (names[size] == ';');
  }
  if (english) {
    concept->n_english = n;
  } else {
    concept->n_chinese = n;
  }
}

// ---- sources ------------------------------------------------------------------------------------

typedef struct sources {
  json_t *list, *groups, *english, *chinese;  // owned; the annotations are those of the emoji
} sources;

static void sources_free(sources *s) {
  json_decref(s->list);
  json_decref(s->groups);
  json_decref(s->english);
  json_decref(s->chinese);
}

static ink_status load(const char *from, const char *name, json_t **value, ink_error *error) {
  char *path = ink_path_join(from, name);
  if (!path) return ink_fail(error, INK_ERR_MEMORY, "no memory for a path");
  ink_status status = ink_json_load(path, LARGEST_JSON, value, error);
  free(path);
  return status;
}

static ink_status load_annotations(const char *from, const char *name, json_t **emoji,
                                   ink_error *error) {
  json_t *value = NULL;
  INK_TRY(load(from, name, &value, error));
  json_t *inner = json_object_get(json_object_get(value, "annotations"), "annotations");
  *emoji = json_incref(inner);
  json_decref(value);
  if (!json_is_object(*emoji)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s/%s: has no annotations", from, name);
  }
  return INK_OK;
}

static ink_status load_sources(const char *from, sources *s, ink_error *error) {
  INK_TRY(load(from, "emojibase-data/en/data.json", &s->list, error));
  INK_TRY(load(from, "emojibase-data/meta/groups.json", &s->groups, error));
  INK_TRY(load_annotations(from, "cldr-annotations-full/annotations/en/annotations.json",
                           &s->english, error));
  INK_TRY(load_annotations(from, "cldr-annotations-full/annotations/zh/annotations.json",
                           &s->chinese, error));
  if (!json_is_array(s->list)) {
    return ink_fail(error, INK_ERR_FORMAT, "%s/emojibase-data/en/data.json: is not a list", from);
  }
  return INK_OK;
}

// Without the variation selector, which the sources use differently.
static void strip_selector(const char *emoji, char *out, size_t size) {
  size_t n = 0;
  while (*emoji && n + 1 < size) {
    if (strncmp(emoji, "\xEF\xB8\x8F", 3) == 0) {
      emoji += 3;
    } else {
      out[n++] = *emoji++;
    }
  }
  out[n] = 0;
}

static void strip_code(const char *code, char *out, size_t size) {
  size_t n = 0;
  while (*code) {
    size_t length = strcspn(code, "-");
    bool selector = length == 4 && memcmp(code, "FE0F", 4) == 0;
    if (!selector && n + length + 2 < size) {
      if (n) out[n++] = '-';
      memcpy(out + n, code, length);
      n += length;
    }
    code += length + (code[length] == '-');
  }
  out[n] = 0;
}

static const char *spoken(const json_t *annotations, const char *emoji) {
  char bare[64];
  strip_selector(emoji, bare, sizeof bare);
  const json_t *item = json_object_get(annotations, bare);
  if (!item) item = json_object_get(annotations, emoji);
  const char *name = json_string_value(json_array_get(json_object_get(item, "tts"), 0));
  return name ? name : "";
}

static ink_status take(ink_painter_list *list, const char *code, const kind_rule *kind,
                       const name_rule *rule, const char *english, const char *chinese,
                       ink_error *error) {
  if (rule && *rule->english) english = rule->english;
  if (rule && *rule->chinese) chinese = rule->chinese;
  const char *measure = rule && *rule->measure ? rule->measure : kind ? kind->measure : "个";
  if (!*english || !*chinese) {
    return ink_painter_leave_out(list, code, "no name in both languages", error);
  }
  ink_painter_concept *concept = NULL;
  INK_TRY(new_concept(list, &concept, error));
  set_names(concept, english, true);
  set_names(concept, chinese, false);
  // 一张脸, where a row does not say otherwise.
  size_t length = strlen(concept->chinese[0]), face = strlen("脸");
  bool is_face = length >= face && strcmp(concept->chinese[0] + length - face, "脸") == 0;
  if (is_face && !(rule && *rule->measure)) measure = "张";
  snprintf(concept->measure, sizeof concept->measure, "%s", measure);
  set_traits(concept, rule && *rule->traits ? rule->traits : kind ? kind->traits : "");
  set_drawings(concept, rule ? rule->codes : code);
  return INK_OK;
}

static ink_status read_item(ink_painter_list *list, const sources *s, const json_t *item,
                            bool taken[N_NAME], ink_error *error) {
  static const char *const WHERE = "emojibase-data/en/data.json";
  const char *hexcode = NULL, *emoji = NULL;
  int64_t subgroup = -1;
  INK_TRY(ink_json_get_string(item, "hexcode", WHERE, &hexcode, error));
  INK_TRY(ink_json_get_string(item, "emoji", WHERE, &emoji, error));
  INK_TRY(ink_json_get_int(item, "subgroup", WHERE, 0, 9999, &subgroup, error));
  if (!hexcode || !emoji) {
    return ink_fail(error, INK_ERR_FORMAT, "%s: an item without hexcode or emoji", WHERE);
  }
  if (subgroup < 0) return INK_OK;  // a part of others: a skin tone, a letter of a flag
  char number[24], code[INK_PAINTER_NAME], reason[INK_PAINTER_NAME];
  snprintf(number, sizeof number, "%lld", (long long)subgroup);
  const char *name =
      json_string_value(json_object_get(json_object_get(s->groups, "subgroups"), number));
  strip_code(hexcode, code, sizeof code);
  int rule = rule_of(code);
  const kind_rule *kind = name ? kind_of(name) : NULL;
  if (rule >= 0 && !NAMES[rule].english) {
    return ink_painter_leave_out(list, code, NAMES[rule].chinese, error);
  }
  if (rule < 0 && !kind) {
    snprintf(reason, sizeof reason, "subgroup %s", name ? name : "unknown");
    return ink_painter_leave_out(list, code, reason, error);
  }
  if (rule >= 0 && taken[rule]) return INK_OK;  // another drawing of a concept we have
  if (rule >= 0) taken[rule] = true;
  return take(list, code, kind, rule >= 0 ? &NAMES[rule] : NULL, spoken(s->english, emoji),
              spoken(s->chinese, emoji), error);
}

ink_status ink_painter_list_read(const char *from, ink_painter_list *list, ink_error *error) {
  sources s = {0};
  bool taken[N_NAME] = {false};
  ink_status status = load_sources(from, &s, error);
  size_t i;
  json_t *item;
  json_array_foreach(s.list, i, item) {
    if (status == INK_OK) status = read_item(list, &s, item, taken, error);
  }
  sources_free(&s);
  return status;
}
