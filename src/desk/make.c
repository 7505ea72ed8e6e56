// Making a piece: draft, check, mark, publish, all in memory, from an order alone.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "check/verse.h"
#include "desk/piece.h"
#include "desk/verse_layout.h"
#include "llm/model.h"
#include "llm/poet.h"
#include "publish/picture.h"
#include "publish/publish.h"
#include "tensor/isa.h"
#include "weights/weights.h"

#define PICTURE_NAME "poem.png"

// What the steps hand on to each other.
typedef struct work {
  const ink_order *order;
  const ink_playbook *playbook;
  json_t *brief;  // filled
  ink_model *model;
  char model_sha256[INK_SHA256_HEX];
  ink_poet_request request;
  ink_poem_draft draft;
  ink_verse_report report;
  ink_verse_layout layout;
  bool passed;
  ink_illustration illustration;  // its picture is empty where there is none
  ink_text png;                   // of that picture, marked
  ink_document_figure figure;
} work;

static ink_status no_memory(ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "no memory for the piece");
}

// ---- draft

static bool asks_for(const ink_playbook *playbook, const char *check) {
  for (size_t i = 0; i < playbook->n_check; i++) {
    if (strcmp(playbook->checks[i], check) == 0) return true;
  }
  return false;
}

static const char *input(const work *w, const char *name) {
  return json_string_value(json_object_get(w->brief, name));
}

static ink_status open_model(work *w, ink_error *error) {
  const ink_playbook *p = w->playbook;
  if (p->locked_version && strcmp(p->locked_version, INKSTONE_VERSION) != 0) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "the playbook %s is locked to inkstone %s, and this is %s; `inkstone playbook "
                    "lock` renews the lock",
                    p->name, p->locked_version, INKSTONE_VERSION);
  }
  INK_TRY(ink_model_open(p->model, &w->model, error));
  INK_TRY(ink_weights_sha256(w->model->weights, INK_HASH_COMPUTE, w->model_sha256, error));
  if (p->locked_model && strcmp(p->locked_model, w->model_sha256) != 0) {
    return ink_fail(error, INK_ERR_CONFLICT,
                    "the playbook %s is locked to a model of SHA-256 %.12s…, and %s has %.12s…; "
                    "`inkstone playbook lock` renews the lock",
                    p->name, p->locked_model, p->model, w->model_sha256);
  }
  return INK_OK;
}

static ink_status read_settings(work *w, ink_error *error) {
  static const char *const known[] = {"candidates", "temperature", "top_k", "top_p",
                                      "min_p",      "free_form",   NULL};
  const json_t *s = w->playbook->settings;
  char name[512];
  snprintf(name, sizeof name, "%s: /settings", w->playbook->path);
  ink_sampling *sampling = &w->request.sampling;
  int64_t candidates = w->request.candidates, top_k = sampling->top_k;
  double temperature = (double)sampling->temperature, top_p = (double)sampling->top_p;
  double min_p = (double)sampling->min_p;
  INK_TRY(ink_json_only(s, name, known, error));
  INK_TRY(ink_json_get_int(s, "candidates", name, 1, 64, &candidates, error));
  INK_TRY(ink_json_get_int(s, "top_k", name, 0, 1000000, &top_k, error));
  INK_TRY(ink_json_get_number(s, "temperature", name, 0, 100, &temperature, error));
  INK_TRY(ink_json_get_number(s, "top_p", name, 1e-6, 1, &top_p, error));
  INK_TRY(ink_json_get_number(s, "min_p", name, 0, 0.999, &min_p, error));
  INK_TRY(ink_json_get_bool(s, "free_form", name, &w->request.free_form, error));
  w->request.candidates = (int32_t)candidates;
  sampling->top_k = (int32_t)top_k;
  sampling->temperature = (float)temperature;
  sampling->top_p = (float)top_p;
  sampling->min_p = (float)min_p;
  return INK_OK;
}

static ink_status draft_verse(work *w, ink_pool *pool, const ink_progress *progress,
                              ink_error *error) {
  w->request = ink_poet_default();
  INK_TRY(read_settings(w, error));
  static const struct {
    const char *name;
    ink_poem_field field;
  } fields[] = {{"form", INK_POEM_FORM},         {"title", INK_POEM_TITLE},
                {"theme", INK_POEM_THEME},       {"rhyme", INK_POEM_RHYME},
                {"acrostic", INK_POEM_ACROSTIC}, {"rhymes", INK_POEM_RHYMES}};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    w->request.brief.field[fields[i].field] = input(w, fields[i].name);
  }
  const ink_verse_form *form;
  const char *named = input(w, "form");
  if (named) INK_TRY(ink_verse_form_named(named, &form, error));
  w->request.brief.opening = input(w, "opening");
  w->request.sampling.seed = w->order->seed;
  return ink_poet_write(w->model, &w->request, pool, progress, &w->draft, error);
}

// ---- check

static ink_status check_verse(work *w, ink_error *error) {
  const ink_verse_form *form = ink_verse_form_find(w->draft.form);
  if (!form) return ink_fail(error, INK_ERR_INTERNAL, "no form \"%s\"", w->draft.form);
  INK_TRY(ink_check_verse(w->draft.text, strlen(w->draft.text), form, input(w, "acrostic"),
                          &w->report, error));
  w->passed = w->report.legal || !asks_for(w->playbook, "verse");
  return ink_verse_lay_out(w->draft.text, &w->report, &w->layout, error);
}

// What a reader wants to know in one line.
static void summarise(const work *w, ink_language language, ink_text *out) {
  const ink_verse_report *r = &w->report;
  const char *form = r->form->names[0], *pattern = r->pattern ? r->pattern->name : "";
  if (r->legal) {
    const char *rhymes = ink_text_string(&w->layout.rhyme_names);
    ink_text_format(out, ink_translate("legal: %s, %s", language), form, pattern);
    if (rhymes[0]) ink_text_format(out, ink_translate(", rhyming in %s", language), rhymes);
    return;
  }
  ink_text_format(out, ink_translate("not a legal %s: ", language), form);
  if (r->n_fault) {
    ink_verse_fault_text(r, &r->faults[0], language, out);
  } else {
    ink_text_add(out, ink_translate("its lines have other lengths", language));
  }
}

static json_t *check_json(const work *w) {
  ink_text english = {0}, chinese = {0};
  summarise(w, INK_LANGUAGE_EN, &english);
  summarise(w, INK_LANGUAGE_ZH, &chinese);
  json_t *lines = json_array();
  for (size_t i = 0; i < w->layout.n_line; i++) {
    const ink_document_line *line = &w->layout.lines[i];
    if (!line->text[0]) continue;
    json_array_append_new(lines,
                          json_pack("{s:s, s:s, s:b}", "text", line->text, "tones",
                                    line->tones ? line->tones : "", "rhymes", (int)line->rhymes));
  }
  json_t *check =
      json_pack("{s:s, s:b, s:s, s:s, s:o, s:o}", "name", "verse", "passed", (int)w->passed,
                "summary", ink_text_string(&english), "summary_zh", ink_text_string(&chinese),
                "lines", lines, "report", ink_verse_report_json(&w->report));
  ink_text_free(&english);
  ink_text_free(&chinese);
  return check;
}

// ---- picture

// The input `picture` of a playbook leaves the picture out with "no".
static bool wants_picture(const work *w) {
  const char *answer = input(w, "picture");
  return w->playbook->pictured && w->passed && !w->order->text_only &&
         (!answer || strcmp(answer, "no") != 0);
}

static ink_status illustrate(work *w, ink_pool *pool, const ink_progress *progress,
                             ink_error *error) {
  if (!wants_picture(w)) return INK_OK;
  ink_text heading = {0};
  static const char *const names[] = {"title", "theme"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (input(w, names[i])) ink_text_format(&heading, "%s\n", input(w, names[i]));
  }
  ink_status status = ink_text_status(&heading, error);
  if (status == INK_OK) {
    status = ink_illustrate(&w->playbook->picture, heading.bytes, w->draft.text, w->order->seed,
                            w->order->bare_noise ? NULL : w->order->identity, pool, progress,
                            &w->illustration, error);
  }
  ink_text_free(&heading);
  return status;
}

// The picture under the identity of the piece, as a file.
static ink_status mark_picture(work *w, ink_error *error) {
  ink_illustration *picture = &w->illustration;
  ink_picture_extras extras = {0};
  ink_marked_picture *marked = NULL;
  ink_picture_marks marks = {.identity = w->order->identity,
                             .language = "zh-Hans",
                             .producer = w->order->producer,
                             .model = picture->model,
                             .model_version = picture->model_sha256,
                             .prompt = picture->prompt};
  w->figure = (ink_document_figure){
      .alt = picture->prompt, .width = picture->picture.width, .height = picture->picture.height};
  ink_status status = ink_mark_painting(&picture->picture, &extras, &marks, &marked, error);
  if (status == INK_OK) status = ink_publish_png(marked, &w->png, error);
  w->figure.png = w->png.bytes;
  w->figure.size = w->png.size;
  for (size_t i = 0; i < w->playbook->n_format; i++) {
    if (strcmp(w->playbook->formats[i], "png") == 0) w->figure.name = PICTURE_NAME;
  }
  ink_marked_picture_free(marked);
  ink_picture_extras_free(&extras);
  return status;
}

// ---- record

// A setting as it was written: the shortest decimal that means this float.
static double as_written(float value) {
  char text[32];
  for (int digits = 1; digits < 9; digits++) {
    snprintf(text, sizeof text, "%.*g", digits, (double)value);
    if (strtof(text, NULL) == value) return strtod(text, NULL);
  }
  return (double)value;
}

static json_t *playbook_json(const ink_playbook *p) {
  // A starter is found again by its name; any other playbook travels in the record.
  return json_pack("{s:s, s:s, s:s*}", "name", p->name, "sha256", p->sha256, "text",
                   p->starter ? NULL : p->text);
}

static json_t *recipe_json(const work *w) {
  const ink_sampling *s = &w->request.sampling;
  const ink_cpu *cpu = ink_cpu_about();
  char kernels[64];
  snprintf(kernels, sizeof kernels, "%s%s%s", ink_isa_name(cpu->isa), cpu->vnni ? " vnni" : "",
           cpu->bf16 ? " bf16" : "");
  json_t *picture =
      w->png.size ? ink_illustration_json(&w->illustration, &w->playbook->picture) : NULL;
  return json_pack("{s:{s:s, s:s}, s:I, s:{s:f, s:i, s:f, s:f, s:i, s:b}, s:o*, s:s, s:s}", "model",
                   "name", ink_weights_name(w->model->weights), "sha256", w->model_sha256, "seed",
                   (json_int_t)w->order->seed, "sampler", "temperature", as_written(s->temperature),
                   "top_k", s->top_k, "top_p", as_written(s->top_p), "min_p", as_written(s->min_p),
                   "candidates", w->request.candidates, "free_form", (int)w->request.free_form,
                   "picture", picture, "inkstone", INKSTONE_VERSION, "kernels", kernels);
}

static json_t *draft_json(const work *w) {
  json_t *tokens = json_array();
  for (size_t i = 0; i < w->draft.n_token; i++) {
    json_array_append_new(tokens, json_integer(w->draft.tokens[i]));
  }
  return json_pack("{s:s, s:s, s:i, s:f, s:o}", "text", w->draft.text, "form", w->draft.form,
                   "candidate", w->draft.candidate, "logprob", w->draft.logprob, "tokens", tokens);
}

static ink_status make_record(const work *w, const ink_marked *marked, ink_piece *piece,
                              ink_error *error) {
  json_t *files = json_array();
  for (size_t i = 0; i < piece->n_file; i++) {
    const ink_piece_file *file = &piece->files[i];
    json_array_append_new(files, json_pack("{s:s, s:I, s:s}", "name", file->name, "bytes",
                                           (json_int_t)file->size, "sha256", file->sha256));
  }
  const char *producer = w->order->producer ? w->order->producer : "inkstone";
  json_t *checks = json_array();
  if (asks_for(w->playbook, "verse")) json_array_append_new(checks, check_json(w));
  piece->record =
      json_pack("{s:i, s:s, s:s, s:s, s:o, s:O, s:o, s:o, s:o, s:{s:s, s:O}, s:o}", "record", 1,
                "identity", w->order->identity, "created", w->order->created, "producer", producer,
                "playbook", playbook_json(w->playbook), "brief", w->brief, "recipe", recipe_json(w),
                "draft", draft_json(w), "checks", checks, "label", "visible",
                ink_marked_label(marked), "aigc", ink_marked_aigc(marked), "files", files);
  return piece->record ? INK_OK : no_memory(error);
}

// ---- mark and publish

// The figure of the document, which is finished already.
static void publish_figure(const ink_marked *marked, ink_text *out) {
  const ink_document_figure *figure = ink_marked_document(marked)->figure;
  ink_text_add_bytes(out, figure->png, figure->size);
}

static ink_status publish_file(const ink_marked *marked, const char *format, ink_piece *piece,
                               ink_error *error) {
  static const struct {
    const char *format, *name;
    void (*write)(const ink_marked *marked, ink_text *out);
  } writers[] = {{"md", "poem.md", ink_publish_markdown},
                 {"html", "poem.html", ink_publish_html},
                 {"png", PICTURE_NAME, publish_figure}};
  // A text that names nothing which has a shape has no picture.
  if (strcmp(format, "png") == 0 && !ink_marked_document(marked)->figure) return INK_OK;
  for (size_t i = 0; i < sizeof writers / sizeof *writers; i++) {
    if (strcmp(writers[i].format, format) != 0) continue;
    ink_text text = {0};
    writers[i].write(marked, &text);
    ink_status status = ink_text_status(&text, error);
    ink_piece_file *file = &piece->files[piece->n_file];
    *file = (ink_piece_file){.name = writers[i].name, .bytes = text.bytes, .size = text.size};
    if (status == INK_OK) status = ink_sha256_of(file->bytes, file->size, file->sha256, error);
    piece->n_file++;
    return status;
  }
  return ink_fail(error, INK_ERR_INTERNAL, "no writer for \"%s\"", format);
}

static ink_status finish(const work *w, ink_piece *piece, ink_error *error) {
  ink_text subtitle = {0}, note = {0};
  // A poem that nobody named is called 无题, as anthologies do.
  const char *title = input(w, "title") ? input(w, "title") : input(w, "theme");
  ink_text_add(&subtitle, w->draft.form);
  if (asks_for(w->playbook, "verse")) summarise(w, INK_LANGUAGE_ZH, &note);
  ink_document document = {.kind = INK_DOCUMENT_VERSE,
                           .language = "zh-Hans",
                           .title = title ? title : "无题",
                           .subtitle = ink_text_string(&subtitle),
                           .note = note.size ? note.bytes : NULL,
                           .lines = w->layout.lines,
                           .n_line = w->layout.n_line,
                           .figure = w->png.size ? &w->figure : NULL};
  ink_mark_options options = {w->order->identity, w->order->created, w->order->producer};
  ink_marked *marked = NULL;
  ink_status status = ink_mark_document(&document, &options, &marked, error);
  if (status == INK_OK) {
    piece->files = calloc(w->playbook->n_format + 1, sizeof *piece->files);
    if (!piece->files) status = no_memory(error);
  }
  for (size_t i = 0; status == INK_OK && w->passed && i < w->playbook->n_format; i++) {
    status = publish_file(marked, w->playbook->formats[i], piece, error);
  }
  if (status == INK_OK) status = make_record(w, marked, piece, error);
  ink_marked_free(marked);
  ink_text_free(&subtitle);
  ink_text_free(&note);
  return status;
}

ink_status ink_piece_make(const ink_order *order, ink_pool *pool, const ink_progress *progress,
                          ink_piece *piece, ink_error *error) {
  work w = {.order = order, .playbook = order->playbook, .passed = true};
  *piece = (ink_piece){0};
  ink_status status = ink_playbook_fill(w.playbook, order->brief, &w.brief, error);
  if (status == INK_OK) status = open_model(&w, error);
  if (status == INK_OK) status = draft_verse(&w, pool, progress, error);
  if (status == INK_OK) status = check_verse(&w, error);
  if (status == INK_OK) status = illustrate(&w, pool, progress, error);
  if (status == INK_OK && w.illustration.prompt) status = mark_picture(&w, error);
  if (status == INK_OK) status = finish(&w, piece, error);
  if (status == INK_OK && order->signer) {
    status = ink_piece_sign(piece, order->signer, order->training, error);
  }
  if (status == INK_OK) {
    piece->text = strdup(w.draft.text);
    if (!piece->text) status = no_memory(error);
  }
  if (status == INK_OK && !w.passed) {
    piece->blocked = true;
    status =
        ink_fail(error, INK_ERR_BLOCKED, "the check \"verse\" did not pass; nothing was published");
  }
  ink_illustration_free(&w.illustration);
  ink_text_free(&w.png);
  ink_verse_layout_free(&w.layout);
  ink_poem_draft_free(&w.draft);
  ink_model_free(w.model);
  json_decref(w.brief);
  if (status != INK_OK && status != INK_ERR_BLOCKED) ink_piece_free(piece);
  return status;
}

void ink_piece_free(ink_piece *piece) {
  for (size_t i = 0; i < piece->n_file; i++) free(piece->files[i].bytes);
  free(piece->files);
  free(piece->text);
  json_decref(piece->record);
  *piece = (ink_piece){0};
}

// ---- save

ink_status ink_piece_room(const char *folder, ink_error *error) {
  char *record = ink_path_join(folder, "record.json");
  if (!record) return no_memory(error);
  bool taken = ink_file_exists(record);
  free(record);
  if (!taken) return INK_OK;
  return ink_fail(error, INK_ERR_CONFLICT,
                  "%s holds a piece already; name another --out, or give --replace", folder);
}

// One file under its temporary name, all its bytes on the disk.
static ink_status put(const char *folder, const char *name, const char *bytes, size_t size,
                      bool replace, ink_file_writer *writer, ink_error *error) {
  char *path = ink_path_join(folder, name);
  if (!path) return no_memory(error);
  ink_status status = INK_OK;
  if (!replace && ink_file_exists(path)) {
    status = ink_fail(error, INK_ERR_CONFLICT,
                      "%s is there already; name another --out, or give --replace", path);
  }
  if (status == INK_OK) status = ink_file_create(path, writer, error);
  if (status == INK_OK) status = ink_file_write(writer, bytes, size, error);
  if (status == INK_OK) status = ink_file_sync(writer, error);
  free(path);
  return status;
}

ink_status ink_piece_save(const ink_piece *piece, const char *folder, bool replace,
                          ink_error *error) {
  if (!replace) INK_TRY(ink_piece_room(folder, error));
  ink_file_writer *writers = calloc(piece->n_file + 1, sizeof *writers);
  char *text = ink_json_text(piece->record);
  ink_text record = {0};
  if (text) ink_text_format(&record, "%s\n", text);
  ink_status status = writers && text ? ink_text_status(&record, error) : no_memory(error);
  bool fresh = !ink_file_exists(folder);
  if (status == INK_OK) status = ink_folder_make(folder, error);
  for (size_t i = 0; status == INK_OK && i < piece->n_file; i++) {
    const ink_piece_file *file = &piece->files[i];
    status = put(folder, file->name, file->bytes, file->size, replace, &writers[i], error);
  }
  if (status == INK_OK) {
    status = put(folder, "record.json", record.bytes, record.size, replace, &writers[piece->n_file],
                 error);
  }
  // The record comes last: a folder that has one is complete.
  for (size_t i = 0; status == INK_OK && i <= piece->n_file; i++) {
    status = ink_file_commit(&writers[i], error);
  }
  for (size_t i = 0; writers && i <= piece->n_file; i++) ink_file_abandon(&writers[i]);
  if (status != INK_OK && fresh) remove(folder);  // empty, or the system keeps it
  if (status == INK_OK) status = ink_piece_check_saved(piece, folder, error);
  free(writers);
  free(text);
  ink_text_free(&record);
  return status;
}

// ---- tests of a playbook

ink_status ink_piece_try(const ink_playbook *playbook, const ink_playbook_test *test,
                         ink_pool *pool, const ink_progress *progress, bool *held, ink_text *found,
                         ink_error *error) {
  // Nothing is published: any identity and time will do.
  ink_order order = {.playbook = playbook,
                     .brief = test->brief,
                     .seed = test->seed,
                     .identity = "00000000-0000-4000-8000-000000000000",
                     .created = "1970-01-01T00:00:00Z",
                     .text_only = true};
  ink_piece piece;
  ink_status status = ink_piece_make(&order, pool, progress, &piece, error);
  ink_playbook_outcome outcome = INK_OUTCOME_MADE;
  if (status == INK_ERR_BLOCKED) outcome = INK_OUTCOME_BLOCKED;
  if (status == INK_ERR_USAGE) outcome = INK_OUTCOME_REFUSED;
  if (status != INK_OK && outcome == INK_OUTCOME_MADE) return status;
  const char *text = outcome == INK_OUTCOME_REFUSED ? error->text : piece.text;
  *held = outcome == test->expect && (!test->contains || strstr(text, test->contains));
  ink_text_add(found, text);
  ink_piece_free(&piece);
  return ink_text_status(found, error);
}
