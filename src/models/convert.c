// Whole models from one format or element type to another.
#include "models/convert.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "models/decoder.h"
#include "models/rope_table.h"
#include "tensor/gemm.h"
#include "tokenizer/export.h"
#include "weights/cache.h"
#include "weights/card.h"

#define DEFAULT_RAM ((size_t)512 << 20)
#define ROPE_TABLE "rope_freqs.weight"
enum { MOST_SIDE = 1 << 28 };  // bytes of a file beside the weights that is copied

// A tensor of the result.
typedef struct planned {
  const char *name;  // `own`, or the entry's
  char own[INK_TENSOR_NAME];
  ink_passage passage;  // without an entry for the table of rotary divisors
  int64_t shape[INK_MAX_RANK];
  int rank;
} planned;

// One conversion.
typedef struct conversion {
  const ink_convert_options *options;
  size_t ram;
  ink_weights *from;
  bool same_format;
  bool has_config;
  ink_decoder_config config;  // when has_config: the format changes, or the mix needs it
  int64_t n_layer;
  planned *tensors;
  size_t n;
  float *rope_table;  // to be written: rope_dim / 2 divisors
  ink_convert_report report;

  // While tensors pass.
  uint64_t done, total;  // bytes of input
  const planned *current;
  size_t given, wanted;  // bytes of the current tensor
  ink_gguf_writer *gguf;
  ink_safetensors_writer *safetensors;
} conversion;

static ink_status no_memory(ink_error *error) {
  return ink_fail(error, INK_ERR_MEMORY, "no memory to convert the model");
}

static bool is_gguf(const ink_weights *weights) {
  return ink_weights_format_of(weights) == INK_WEIGHTS_GGUF;
}

// -- What goes in ---------------------------------------------------------------------------------

static ink_status read_config(conversion *c, ink_error *error) {
  if (is_gguf(c->from)) return ink_decoder_config_from_gguf(c->from, &c->config, error);
  const json_t *json = ink_weights_config(c->from);
  if (!json) {
    return ink_fail(error, INK_ERR_NOT_FOUND, "%s: there is no config.json beside the weights",
                    ink_weights_path(c->from));
  }
  ink_status status = ink_decoder_config_from_json(json, "config.json", &c->config, error);
  return status == INK_OK ? INK_OK : ink_context(error, status, "%s", ink_weights_path(c->from));
}

// The number of layers that GGUF metadata states, for the mix; 0 where it does not.
static int64_t stated_layers(const ink_gguf *file) {
  ink_gguf_string name = {0};
  char key[96];
  int64_t n = 0;
  if (ink_gguf_get_string(file, "general.architecture", true, &name, NULL) != INK_OK) return 0;
  snprintf(key, sizeof key, "%.*s.block_count", (int)(name.size < 64 ? name.size : 64), name.bytes);
  ink_gguf_get_int(file, key, false, 0, 1 << 20, &n, NULL);
  return n;
}

// -- The plan -------------------------------------------------------------------------------------

static ink_status refuse_type(const ink_weights_entry *entry, ink_error *error) {
  return ink_fail(error, INK_ERR_UNSUPPORTED, "%.96s is stored as %s, which cannot be converted",
                  entry->name, entry->type_name);
}

// The name and layout of an entry in the other format. *skip: it is none of the model's parameters
// there.
static ink_status translate_name(const conversion *c, const ink_weights_entry *entry, planned *out,
                                 bool *skip, ink_error *error) {
  const char *architecture = c->config.architecture;
  bool to_gguf = c->options->format == INK_WEIGHTS_GGUF, known;
  *skip = false;
  if (to_gguf) {
    *skip = ink_names_is_buffer(architecture, entry->name);
    known = !*skip && ink_names_to_gguf(architecture, entry->name, out->own, &out->passage.layout);
    *skip = *skip || (known && c->config.tied_head && strcmp(out->own, "output.weight") == 0);
  } else {
    *skip = strcmp(entry->name, ROPE_TABLE) == 0;  // read_rope_table has it
    known = !*skip && ink_names_to_hf(architecture, entry->name, out->own, &out->passage.layout);
  }
  if (!known && !*skip) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%.96s is no tensor that a %s model has",
                    entry->name, architecture);
  }
  out->name = out->own;
  out->passage.n_head =
      out->passage.layout == INK_LAYOUT_ROPE_K ? c->config.n_kv_head : c->config.n_head;
  return INK_OK;
}

// The type a tensor gets in a folder.
static ink_status plain_dtype(const conversion *c, const ink_weights_entry *entry, ink_dtype *out,
                              ink_error *error) {
  static const ink_dtype wanted[INK_QUANT_COUNT] = {
      [INK_QUANT_F32] = INK_F32, [INK_QUANT_F16] = INK_F16, [INK_QUANT_BF16] = INK_BF16};
  *out = entry->tensor.dtype;
  if (c->options->quant != INK_QUANT_KEEP && *out != INK_I32) *out = wanted[c->options->quant];
  if (!ink_dtype_is_block(*out)) return INK_OK;
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "%.96s is %s, which safetensors cannot hold; name a type, F32, F16 or BF16",
                  entry->name, entry->type_name);
}

static ink_status plan_tensor(conversion *c, const ink_weights_entry *entry, ink_error *error) {
  planned *out = &c->tensors[c->n];
  bool to_gguf = c->options->format == INK_WEIGHTS_GGUF, skip = false;
  *out = (planned){
      .name = entry->name, .rank = entry->rank, .passage = {.from = entry, .to_gguf = to_gguf}};
  if (!c->same_format) INK_TRY(translate_name(c, entry, out, &skip, error));
  if (skip) {
    c->report.skipped++;
    return INK_OK;
  }
  if (!entry->usable) return refuse_type(entry, error);
  ink_passage_shape(&out->passage, out->shape);
  if (to_gguf) {
    bool tied =
        !ink_weights_entry_of(c->from, is_gguf(c->from) ? "output.weight" : "lm_head.weight");
    if (c->has_config) tied = c->config.tied_head;
    out->passage.dtype = ink_quant_dtype(c->options->quant, out->name, out->rank, out->shape,
                                         entry->tensor.dtype, c->n_layer, tied);
  } else {
    INK_TRY(plain_dtype(c, entry, &out->passage.dtype, error));
  }
  size_t bytes = 0;
  ink_tensor_bytes(out->passage.dtype, out->rank, out->shape, &bytes);
  c->report.bytes_before += entry->bytes;
  c->report.bytes_after += bytes;
  c->report.requantised = c->report.requantised || (ink_dtype_is_block(entry->tensor.dtype) &&
                                                    ink_dtype_is_block(out->passage.dtype) &&
                                                    entry->tensor.dtype != out->passage.dtype);
  c->total += entry->bytes;
  c->n++;
  return INK_OK;
}

// From GGUF: the parameters behind the table of divisors, which config.json states.
static ink_status read_rope_table(conversion *c, ink_error *error) {
  const ink_weights_entry *entry = ink_weights_entry_of(c->from, ROPE_TABLE);
  if (!entry) return INK_OK;
  if (!entry->usable) return refuse_type(entry, error);
  int64_t n = ink_tensor_elements(&entry->tensor);
  float *divisors = malloc((size_t)n * sizeof *divisors + 1);
  if (!divisors) return no_memory(error);
  ink_to_f32(entry->tensor.dtype, entry->tensor.data, divisors, n);
  bool known = ink_rope_table_read(divisors, (size_t)n, &c->config);
  free(divisors);
  if (known) return INK_OK;
  return ink_fail(error, INK_ERR_UNSUPPORTED,
                  "%s: config.json has no words for its table of rotary frequencies (%s)",
                  ink_weights_path(c->from), ROPE_TABLE);
}

// To GGUF: the table that stands for the parameters.
static ink_status plan_rope_table(conversion *c, ink_error *error) {
  if (c->config.rope_scaling != INK_ROPE_LLAMA3) return INK_OK;
  int64_t n = c->config.rope_dim / 2;
  c->rope_table = malloc((size_t)n * sizeof *c->rope_table + 1);
  if (!c->rope_table) return no_memory(error);
  ink_rope_table(&c->config, c->rope_table);
  c->tensors[c->n++] =
      (planned){.name = ROPE_TABLE, .passage = {.dtype = INK_F32}, .shape = {n}, .rank = 1};
  c->report.bytes_after += (uint64_t)n * sizeof(float);
  return INK_OK;
}

static ink_status plan(conversion *c, ink_error *error) {
  bool to_gguf = c->options->format == INK_WEIGHTS_GGUF;
  c->same_format = is_gguf(c->from) == to_gguf;
  c->has_config = !c->same_format;
  if (c->has_config) INK_TRY(read_config(c, error));
  c->n_layer = c->has_config ? c->config.n_layer : 0;
  if (is_gguf(c->from) && !c->has_config) c->n_layer = stated_layers(ink_weights_gguf(c->from));
  size_t count = ink_weights_count(c->from);
  c->tensors = calloc(count + 1, sizeof *c->tensors);
  if (!c->tensors) return no_memory(error);
  if (c->has_config && to_gguf) INK_TRY(plan_rope_table(c, error));
  if (c->has_config && !to_gguf) INK_TRY(read_rope_table(c, error));
  for (size_t i = 0; i < count; i++) {
    INK_TRY(plan_tensor(c, ink_weights_at(c->from, i), error));
  }
  c->report.tensors = c->n;
  return INK_OK;
}

// -- The passage of tensors -----------------------------------------------------------------------

static ink_status take_bytes(void *context, const void *bytes, size_t size, ink_error *error) {
  conversion *c = context;
  if (c->gguf) {
    INK_TRY(ink_gguf_writer_data(c->gguf, bytes, size, error));
  } else {
    INK_TRY(ink_safetensors_writer_data(c->safetensors, bytes, size, error));
  }
  c->given += size;
  uint64_t in = c->current->passage.from ? c->current->passage.from->bytes : 0;
  double part = c->wanted ? (double)c->given / (double)c->wanted : 1;
  if (ink_progress_report(c->options->progress, (int64_t)(c->done + (uint64_t)((double)in * part)),
                          (int64_t)c->total, c->current->name)) {
    return INK_OK;
  }
  return ink_fail(error, INK_ERR_CANCELLED, "stopped; nothing was written");
}

static ink_status pass_tensor(conversion *c, const planned *tensor, ink_error *error) {
  c->current = tensor;
  c->given = 0;
  if (!ink_tensor_bytes(tensor->passage.dtype, tensor->rank, tensor->shape, &c->wanted)) {
    return ink_fail(error, INK_ERR_UNSUPPORTED, "%.96s: its rows do not fit %s", tensor->name,
                    ink_dtype_about(tensor->passage.dtype)->name);
  }
  if (!tensor->passage.from) return take_bytes(c, c->rope_table, c->wanted, error);
  INK_TRY(ink_passage_run(&tensor->passage, c->ram, c->options->pool, take_bytes, c, error));
  c->done += tensor->passage.from->bytes;
  return INK_OK;
}

// -- To GGUF --------------------------------------------------------------------------------------

// general.file_type (llama.cpp, enum llama_ftype).
static uint32_t file_type(const conversion *c) {
  static const uint32_t types[INK_QUANT_COUNT] = {
      [INK_QUANT_F32] = 0,  [INK_QUANT_F16] = 1,     [INK_QUANT_BF16] = 32, [INK_QUANT_Q8_0] = 7,
      [INK_QUANT_Q4_0] = 2, [INK_QUANT_Q4_K_M] = 15, [INK_QUANT_Q6_K] = 18};
  if (c->options->quant != INK_QUANT_KEEP) return types[c->options->quant];
  for (size_t i = 0; i < c->n; i++) {  // a folder's own type: that of its matrices
    if (c->tensors[i].rank < 2) continue;
    if (c->tensors[i].passage.dtype == INK_F16) return 1;
    if (c->tensors[i].passage.dtype == INK_BF16) return 32;
  }
  return 0;
}

static void put_text(ink_gguf_writer *writer, const char *key, const char *text) {
  ink_gguf_add_string(writer, key, text, strlen(text));
}

static bool starts_with(const char *text, const char *start) {
  return strncmp(text, start, strlen(start)) == 0;
}

// From GGUF: every entry as it is, but for the type of the file and for what parts of a split model
// say.
static void copy_metadata(const conversion *c, ink_gguf_writer *writer) {
  const ink_gguf *file = ink_weights_gguf(c->from);
  bool keep = c->options->quant == INK_QUANT_KEEP;
  for (size_t i = 0; i < ink_gguf_n_values(file); i++) {
    const ink_gguf_value *value = ink_gguf_value_at(file, i);
    if (starts_with(value->key, "split.")) continue;
    bool type = strcmp(value->key, "general.file_type") == 0 ||
                strcmp(value->key, "general.quantization_version") == 0;
    if (keep || !type) ink_gguf_add_value(writer, value);
  }
  if (keep) return;
  ink_gguf_add_u32(writer, "general.file_type", file_type(c));
  ink_gguf_add_u32(writer, "general.quantization_version", 2);
}

// Roles that config.json alone names.
static void put_stated_role(const conversion *c, ink_gguf_writer *writer, const char *member,
                            const char *key, int32_t known) {
  const json_t *stated = json_object_get(ink_weights_config(c->from), member);
  json_int_t id = json_is_integer(stated) ? json_integer_value(stated) : -1;
  if (known < 0 && id >= 0 && id < c->config.vocab) ink_gguf_add_u32(writer, key, (uint32_t)id);
}

static ink_status write_metadata(const conversion *c, ink_gguf_writer *writer, ink_error *error) {
  put_text(writer, "general.architecture", c->config.architecture);
  put_text(writer, "general.type", "model");
  put_text(writer, "general.name", ink_weights_name(c->from));
  char *license;
  INK_TRY(ink_weights_license(c->from, &license, error));
  if (license) put_text(writer, "general.license", license);
  free(license);
  INK_TRY(ink_decoder_config_to_gguf(&c->config, writer, error));
  ink_gguf_add_u32(writer, "general.file_type", file_type(c));
  ink_gguf_add_u32(writer, "general.quantization_version", 2);
  ink_tokenizer *tokenizer;
  INK_TRY(ink_tokenizer_open(ink_weights_path(c->from), &tokenizer, error));
  ink_status status = ink_tokenizer_put_gguf(tokenizer, (size_t)c->config.vocab, writer, error);
  put_stated_role(c, writer, "bos_token_id", "tokenizer.ggml.bos_token_id",
                  ink_tokenizer_bos(tokenizer));
  put_stated_role(c, writer, "pad_token_id", "tokenizer.ggml.padding_token_id",
                  ink_tokenizer_pad(tokenizer));
  ink_tokenizer_free(tokenizer);
  return status;
}

static ink_status write_gguf(conversion *c, const char *to, ink_error *error) {
  if (c->same_format) {
    copy_metadata(c, c->gguf);
  } else {
    INK_TRY(write_metadata(c, c->gguf, error));
  }
  for (size_t i = 0; i < c->n; i++) {
    const planned *tensor = &c->tensors[i];
    ink_gguf_add_tensor(c->gguf, tensor->name, tensor->passage.dtype, tensor->rank, tensor->shape);
  }
  INK_TRY(ink_gguf_writer_open(c->gguf, to, error));
  for (size_t i = 0; i < c->n; i++) INK_TRY(pass_tensor(c, &c->tensors[i], error));
  return ink_gguf_writer_commit(c->gguf, error);
}

static ink_status to_gguf(conversion *c, const char *to, ink_error *error) {
  c->gguf = ink_gguf_writer_new();
  if (!c->gguf) return no_memory(error);
  ink_status status = write_gguf(c, to, error);
  ink_gguf_writer_free(c->gguf);
  c->gguf = NULL;
  return status;
}

// -- To a folder ----------------------------------------------------------------------------------

static ink_status pass_to_safetensors(conversion *c, ink_error *error) {
  const size_t *order = ink_safetensors_writer_order(c->safetensors);
  for (size_t i = 0; i < c->n; i++) INK_TRY(pass_tensor(c, &c->tensors[order[i]], error));
  return ink_safetensors_writer_commit(c->safetensors, error);
}

static ink_status write_safetensors(conversion *c, const char *folder, ink_error *error) {
  static const char *const metadata[][2] = {{"format", "pt"}};
  char *path = ink_path_join(folder, "model.safetensors");
  ink_safetensors_entry *entries = calloc(c->n + 1, sizeof *entries);
  ink_status status = path && entries ? INK_OK : no_memory(error);
  for (size_t i = 0; i < c->n && status == INK_OK; i++) {
    const planned *tensor = &c->tensors[i];
    entries[i] = (ink_safetensors_entry){.name = tensor->name,
                                         .type_name = ink_dtype_about(tensor->passage.dtype)->name,
                                         .rank = tensor->rank};
    memcpy(entries[i].shape, tensor->shape, sizeof entries[i].shape);
  }
  if (status == INK_OK) {
    status = ink_safetensors_create(path, entries, c->n, metadata, 1, &c->safetensors, error);
  }
  if (status == INK_OK) status = pass_to_safetensors(c, error);
  ink_safetensors_writer_free(c->safetensors);
  c->safetensors = NULL;
  free(entries);
  free(path);
  return status;
}

static ink_status save_json(const char *folder, const char *name, const json_t *value,
                            ink_error *error) {
  char *path = ink_path_join(folder, name);
  ink_status status = path ? ink_json_save(path, value, error) : no_memory(error);
  free(path);
  return status;
}

// The name that transformers gives the type of most elements.
static const char *torch_dtype(const conversion *c) {
  static const char *const names[] = {
      [INK_F32] = "float32", [INK_F16] = "float16", [INK_BF16] = "bfloat16"};
  int64_t elements[INK_DTYPE_COUNT] = {0};
  for (size_t i = 0; i < c->n; i++) {
    int64_t n = 1;
    for (int j = 0; j < c->tensors[i].rank; j++) n *= c->tensors[i].shape[j];
    elements[c->tensors[i].passage.dtype] += n;
  }
  ink_dtype most = INK_F32;
  if (elements[INK_F16] > elements[most]) most = INK_F16;
  if (elements[INK_BF16] > elements[most]) most = INK_BF16;
  return names[most];
}

static ink_status write_translated(conversion *c, const char *folder, ink_error *error) {
  ink_tokenizer *tokenizer;
  json_t *document = NULL, *config = NULL, *roles = NULL;
  INK_TRY(ink_tokenizer_from_gguf(ink_weights_gguf(c->from), &tokenizer, error));
  ink_status status =
      ink_tokenizer_to_json(tokenizer, c->config.context, &document, &config, &roles, error);
  ink_tokenizer_free(tokenizer);
  json_t *model = status == INK_OK ? ink_decoder_config_to_json(&c->config) : NULL;
  if (status == INK_OK &&
      (!model || json_object_update(model, roles) != 0 ||
       json_object_set_new(model, "torch_dtype", json_string(torch_dtype(c))))) {
    status = no_memory(error);
  }
  if (status == INK_OK) status = save_json(folder, "config.json", model, error);
  if (status == INK_OK) status = save_json(folder, "generation_config.json", roles, error);
  if (status == INK_OK) status = save_json(folder, "tokenizer.json", document, error);
  if (status == INK_OK) status = save_json(folder, "tokenizer_config.json", config, error);
  json_decref(model);
  json_decref(document);
  json_decref(config);
  json_decref(roles);
  return status;
}

static bool ends_with(const char *text, const char *end) {
  size_t size = strlen(text), end_size = strlen(end);
  return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

// Files beside the weights that belong to a model.
static bool is_side_file(const char *name) {
  static const char *const endings[] = {".json", ".txt", ".model", ".jinja"};
  if (strchr(name, '/') || ends_with(name, ".index.json") || strcmp(name, "config.json") == 0) {
    return false;
  }
  for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
    if (ends_with(name, endings[i])) return true;
  }
  return strcmp(name, "README.md") == 0 || starts_with(name, "LICENSE") ||
         starts_with(name, "NOTICE");
}

static ink_status copy_file(const char *from_folder, const char *to_folder, const char *name,
                            ink_error *error) {
  char *from = ink_path_join(from_folder, name), *to = ink_path_join(to_folder, name),
       *bytes = NULL;
  size_t size = 0;
  ink_status status = from && to ? INK_OK : no_memory(error);
  if (status == INK_OK) status = ink_file_read(from, MOST_SIDE, &bytes, &size, error);
  if (status == INK_OK) status = ink_file_save(to, bytes, size, error);
  free(bytes);
  free(from);
  free(to);
  return status;
}

static ink_status copy_side_files(const conversion *c, const char *folder, ink_error *error) {
  const char *from = ink_weights_path(c->from);
  char **names;
  size_t n;
  if (!ink_file_is_folder(from)) return INK_OK;  // a bare .safetensors file
  INK_TRY(ink_folder_walk(from, &names, &n, error));
  ink_status status = INK_OK;
  for (size_t i = 0; i < n && status == INK_OK; i++) {
    if (is_side_file(names[i])) status = copy_file(from, folder, names[i], error);
  }
  ink_walk_free(names, n);
  const json_t *config = ink_weights_config(c->from);
  if (status != INK_OK || !config) return status;
  json_t *changed = json_copy((json_t *)(uintptr_t)config);
  // transformers 5 calls it "dtype".
  const char *key = json_object_get(config, "dtype") ? "dtype" : "torch_dtype";
  if (!changed || json_object_set_new(changed, key, json_string(torch_dtype(c))) != 0) {
    status = no_memory(error);
  }
  if (status == INK_OK) status = save_json(folder, "config.json", changed, error);
  json_decref(changed);
  return status;
}

static ink_status fill_folder(conversion *c, const char *folder, ink_error *error) {
  if (c->same_format) {
    INK_TRY(copy_side_files(c, folder, error));
  } else {
    INK_TRY(write_translated(c, folder, error));
  }
  return write_safetensors(c, folder, error);
}

// The folder is made under a name of its own beside the one it will have.
static ink_status to_folder(conversion *c, const char *to, ink_error *error) {
  size_t length = strlen(to);
  while (length > 1 && to[length - 1] == '/') length--;
  char *temporary = NULL;
  if (asprintf(&temporary, "%.*s.XXXXXX", (int)length, to) < 0) return no_memory(error);
  ink_status status = INK_OK;
  if (!mkdtemp(temporary)) {
    status =
        ink_fail(error, INK_ERR_IO, "%s: cannot make a folder beside it: %s", to, strerror(errno));
    free(temporary);
    return status;
  }
  mode_t mask = umask(0);
  umask(mask);
  chmod(temporary, 0777 & ~mask);  // mkdtemp made it private
  status = fill_folder(c, temporary, error);
  // Onto nothing, or onto an empty folder.
  if (status == INK_OK && rename(temporary, to) != 0) {
    status = ink_fail(error, INK_ERR_IO, "%s: cannot take its place: %s", to, strerror(errno));
  }
  if (status != INK_OK) ink_folder_remove(temporary, NULL, NULL);
  free(temporary);
  return status;
}

// -- The whole ------------------------------------------------------------------------------------

static bool is_same_file(const char *a, const char *b) {
  struct stat x, y;
  return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static ink_status check_target(const conversion *c, const char *to, ink_error *error) {
  bool same = is_same_file(ink_weights_path(c->from), to);
  for (size_t i = 0; i < ink_weights_n_files(c->from); i++) {
    same = same || is_same_file(ink_weights_file(c->from, i), to);
  }
  if (same) {
    return ink_fail(error, INK_ERR_CONFLICT, "%s is the model to convert; choose another place",
                    to);
  }
  if (!ink_file_exists(to)) return INK_OK;
  if (c->options->format == INK_WEIGHTS_GGUF) {
    if (ink_file_is_folder(to)) {
      return ink_fail(error, INK_ERR_CONFLICT, "%s is a folder; name a .gguf file in it", to);
    }
    if (c->options->replace) return INK_OK;
    return ink_fail(error, INK_ERR_CONFLICT, "%s is there already; --force replaces it", to);
  }
  char **names = NULL;
  size_t n = 1;
  if (ink_file_is_folder(to)) INK_TRY(ink_folder_walk(to, &names, &n, error));
  ink_walk_free(names, names ? n : 0);
  if (n == 0) return INK_OK;
  return ink_fail(error, INK_ERR_CONFLICT, "%s is there already; name a new or an empty folder",
                  to);
}

static ink_status convert(conversion *c, const char *from, const char *to, ink_error *error) {
  bool gguf = c->options->format == INK_WEIGHTS_GGUF;
  if (!gguf && c->options->quant > INK_QUANT_BF16) {
    return ink_fail(error, INK_ERR_UNSUPPORTED,
                    "%s: safetensors cannot hold %s; write a .gguf file, or name F32, F16 or BF16",
                    to, ink_quant_name(c->options->quant));
  }
  INK_TRY(ink_weights_open(from, &c->from, error));
  INK_TRY(check_target(c, to, error));
  INK_TRY(plan(c, error));
  return gguf ? to_gguf(c, to, error) : to_folder(c, to, error);
}

ink_status ink_model_convert(const char *from, const char *to, const ink_convert_options *options,
                             ink_convert_report *report, ink_error *error) {
  conversion c = {.options = options, .ram = options->ram ? options->ram : DEFAULT_RAM};
  ink_status status = convert(&c, from, to, error);
  if (report) *report = c.report;
  free(c.rope_table);
  free(c.tensors);
  ink_weights_close(c.from);
  return status;
}
