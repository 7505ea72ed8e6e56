// How much memory a painting takes, seen before it begins: its own code is run once on a team that
// computes nothing, over memory that nobody touches.
#include <string.h>

#include "diffusion/pipeline_parts.h"
#include "weights/weights.h"

enum { MIB = 1 << 20 };

// A weight has been prepared, and its pages are in nobody's way but memory's.
static void let_go(void *context, const void *data, size_t bytes) {
  const ink_pipeline *p = context;
  for (size_t i = 0; i < p->model->n_weights; i++) {
    ink_weights_let_go(p->model->weights[i], data, bytes);
  }
  for (size_t i = 0; i < p->n_controls; i++) {
    ink_weights_let_go(p->controls[i].weights, data, bytes);
  }
  if (p->taesd_weights) ink_weights_let_go(p->taesd_weights, data, bytes);
}

ink_prepared *ink_paint_prepared(ink_pipeline *pipeline) {
  return ink_prepared_new(let_go, pipeline);
}

void ink_paint_let_text_go(const ink_pipeline *pipeline, size_t which) {
  size_t n;
  const ink_parameter *parameters = ink_clip_parameters(pipeline->model->texts[which].clip, &n);
  for (size_t i = 0; i < n; i++) {
    const ink_tensor *x = parameters[i].tensor;
    size_t bytes;
    if (!ink_tensor_bytes(x->dtype, x->rank, x->shape, &bytes)) continue;
    let_go((void *)(uintptr_t)pipeline, x->data, bytes);
  }
}

size_t ink_paint_peak(const ink_paint_run *run) {
  size_t now = ink_arena_peak(run->compute.arena) + ink_arena_peak(run->kept.arena) +
               ink_prepared_bytes(run->pipeline->prepared);
  return now > run->most_bytes ? now : run->most_bytes;
}

ink_status ink_paint_forget(ink_paint_run *run) {
  ink_pipeline *p = run->pipeline;
  run->most_bytes = ink_paint_peak(run);
  ink_prepared *fresh = ink_paint_prepared(p);
  if (!fresh) return ink_fail(run->error, INK_ERR_MEMORY, "no memory for prepared weights");
  ink_prepared_free(p->prepared);
  p->prepared = run->kept.prepared = run->compute.prepared = fresh;
  return INK_OK;
}

ink_status ink_paint_enter(ink_paint_run *run, ink_paint_part part) {
  if (!run->one_part || run->part == part) return INK_OK;
  INK_TRY(ink_paint_forget(run));
  run->part = part;
  return INK_OK;
}

// A rehearsal of one part: what its results and its prepared weights take.
typedef struct rehearsal {
  size_t kept, results, prepared;
} rehearsal;

// Give the stand-in empty memory of its own.
static ink_status set_stage(ink_paint_run *stand_in, ink_error *error) {
  stand_in->compute.arena = ink_arena_new(0);
  stand_in->compute.prepared = stand_in->kept.prepared = ink_prepared_new(NULL, NULL);
  return stand_in->compute.arena && stand_in->compute.prepared
             ? INK_OK
             : ink_fail(error, INK_ERR_MEMORY, "no memory to plan a painting");
}

static void clear_stage(ink_paint_run *stand_in, rehearsal *found) {
  found->kept = ink_arena_peak(stand_in->kept.arena);
  found->results = ink_arena_peak(stand_in->compute.arena);
  found->prepared = ink_prepared_bytes(stand_in->compute.prepared);
  ink_arena_free(stand_in->compute.arena);
  ink_prepared_free(stand_in->compute.prepared);
  stand_in->compute.arena = NULL;
  stand_in->compute.prepared = stand_in->kept.prepared = NULL;
}

static ink_status rehearse_texts(ink_paint_run *stand_in, rehearsal *found) {
  ink_status status = set_stage(stand_in, stand_in->error);
  if (status == INK_OK) status = ink_paint_texts(stand_in, 0);
  clear_stage(stand_in, found);
  return status;
}

static ink_status rehearse_step(ink_paint_run *stand_in, rehearsal *found) {
  ink_status status = set_stage(stand_in, stand_in->error);
  stand_in->step_begins = 0;
  stand_in->step_ends = 1;
  if (status == INK_OK) status = ink_paint_see_controls(stand_in);
  if (status == INK_OK) {
    status = ink_paint_predict(stand_in, stand_in->drawn, 1, stand_in->turned, stand_in->error);
  }
  clear_stage(stand_in, found);
  return status;
}

static ink_status rehearse_picture(ink_paint_run *stand_in, rehearsal *found) {
  ink_painting painting = {0};
  ink_status status = set_stage(stand_in, stand_in->error);
  if (status == INK_OK && stand_in->request->init) {
    status = ink_paint_begin_from(stand_in, true);
  }
  if (status == INK_OK) {
    status = ink_paint_decode(stand_in, ink_paint_decoder(stand_in), stand_in->drawn, &painting);
  }
  ink_painting_free(&painting);
  clear_stage(stand_in, found);
  return status;
}

// Previews by a tiny autoencoder that does not decode the picture.
static ink_status rehearse_preview(ink_paint_run *stand_in, rehearsal *found) {
  const ink_taesd *taesd = stand_in->pipeline->taesd;
  if (!stand_in->request->preview || !taesd || ink_paint_decoder(stand_in)) return INK_OK;
  ink_painting painting = {0};
  ink_status status = set_stage(stand_in, stand_in->error);
  if (status == INK_OK) status = ink_paint_decode(stand_in, taesd, stand_in->drawn, &painting);
  ink_painting_free(&painting);
  clear_stage(stand_in, found);
  return status;
}

static size_t most(size_t a, size_t b) {
  return a > b ? a : b;
}

static ink_status rehearse(const ink_paint_run *run, ink_pool *pool, rehearsal parts[3],
                           rehearsal *preview) {
  ink_pipeline pipeline = *run->pipeline;
  ink_paint_run stand_in = *run;
  ink_paint_request request = *run->request;
  request.keep_values = false;
  pipeline.prepared = NULL;
  stand_in.pipeline = &pipeline;
  stand_in.request = &request;
  stand_in.one_part = false;
  stand_in.prompt = stand_in.negative = (ink_text){0};
  stand_in.compute.pool = stand_in.kept.pool = pool;
  stand_in.context = stand_in.pooled = NULL;
  stand_in.noise.context = &stand_in;
  stand_in.kept.arena = ink_arena_new(0);
  ink_status status = stand_in.kept.arena
                          ? INK_OK
                          : ink_fail(run->error, INK_ERR_MEMORY, "no memory to plan a painting");
  if (status == INK_OK) status = rehearse_texts(&stand_in, &parts[INK_PAINT_TEXTS]);
  if (status == INK_OK) status = rehearse_step(&stand_in, &parts[INK_PAINT_STEPS]);
  if (status == INK_OK) status = rehearse_picture(&stand_in, &parts[INK_PAINT_PICTURES]);
  if (status == INK_OK) status = rehearse_preview(&stand_in, preview);
  ink_arena_free(stand_in.kept.arena);
  ink_text_free(&stand_in.prompt);
  ink_text_free(&stand_in.negative);
  ink_picture_free(&stand_in.init);
  ink_picture_free(&stand_in.mask_picture);
  return status;
}

ink_status ink_paint_budget(ink_paint_run *run) {
  size_t ram = run->request->ram;
  if (ram == 0) return INK_OK;
  rehearsal parts[3] = {{0}}, preview = {0};
  ink_pool *pool = ink_pool_new_idle(run->pipeline->pool);
  if (!pool) return ink_fail(run->error, INK_ERR_MEMORY, "no memory to plan a painting");
  ink_status status = rehearse(run, pool, parts, &preview);
  ink_pool_free(pool);
  INK_TRY(status);
  // Latents of the run and its sampler, and the picture as bytes.
  size_t own = 24 * run->n * sizeof(float) + 8 * (size_t)run->width * (size_t)run->height;
  size_t all = own, results = 0, least = 0;
  for (int i = 0; i < 3; i++) {
    all += parts[i].prepared;
    results = most(results, parts[i].kept + parts[i].results);
    least = most(least, own + parts[i].kept + parts[i].results + parts[i].prepared);
  }
  all += most(results, preview.kept + preview.results) + preview.prepared;
  if (least > ram) {
    return ink_fail(run->error, INK_ERR_MEMORY,
                    "painting %d x %d takes at least %zu MiB beside the mapped model, more than "
                    "the %zu MiB allowed",
                    (int)run->width, (int)run->height, least / MIB + 1, ram / MIB);
  }
  // Where not everything fits at once, a part's weights leave when the next begins, and previews
  // are decoded by none.
  run->one_part = all > ram;
  run->part = INK_PAINT_NO_PART;
  return INK_OK;
}
