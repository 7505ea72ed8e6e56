// A reader of pickles that knows tensors and nothing else (opcodes: CPython, Lib/pickletools.py;
// globals: PyTorch, torch/_utils.py and torch/serialization.py).
#include "weights/pickle.h"

#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "weights/check.h"

static const ink_torch_type types[] = {
    {"FloatStorage", "float32", "F32", 4},
    {"HalfStorage", "float16", "F16", 2},
    {"BFloat16Storage", "bfloat16", "BF16", 2},
    {"IntStorage", "int32", "I32", 4},
    {"DoubleStorage", "float64", "F64", 8},
    {"LongStorage", "int64", "I64", 8},
    {"ShortStorage", "int16", "I16", 2},
    {"CharStorage", "int8", "I8", 1},
    {"ByteStorage", "uint8", "U8", 1},
    {"BoolStorage", "bool", "BOOL", 1},
    {"ComplexFloatStorage", "complex64", "C64", 8},
    {"UntypedStorage", NULL, "U8", 1},
    {NULL, "float8_e4m3fn", "F8_E4M3", 1},
    {NULL, "float8_e5m2", "F8_E5M2", 1},
    {NULL, "uint16", "U16", 2},
    {NULL, "uint32", "U32", 4},
    {NULL, "uint64", "U64", 8},
};
enum { N_TYPES = sizeof types / sizeof *types };

// Values of a GLOBAL: what can be called, and beyond them the storages and the dtypes.
enum {
  ORDERED_DICT,
  REBUILD_TENSOR,     // torch._utils._rebuild_tensor_v2
  REBUILD_TENSOR_V3,  // the same with a dtype, for types that have no storage of their own
  REBUILD_PARAMETER,
  PARAMETER_DICT,  // torch.nn.ParameterDict: an object whose attribute _parameters is a dict
  STORAGES,
  DTYPES = STORAGES + N_TYPES,
  THINGS = DTYPES + N_TYPES
};

static const struct {
  const char *module, *name;
} callables[] = {
    [ORDERED_DICT] = {"collections", "OrderedDict"},
    [REBUILD_TENSOR] = {"torch._utils", "_rebuild_tensor_v2"},
    [REBUILD_TENSOR_V3] = {"torch._utils", "_rebuild_tensor_v3"},
    [REBUILD_PARAMETER] = {"torch._utils", "_rebuild_parameter"},
    [PARAMETER_DICT] = {"torch.nn.modules.container", "ParameterDict"},
};

// Classes and functions whose values stand beside tensors in published checkpoints, none of which
// holds a tensor: Stable Diffusion's by Lightning, with NumPy's numbers and bytes as text.
static const struct {
  const char *module, *name;
} things[] = {
    {"pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint"},
    {"pytorch_lightning.callbacks", "ModelCheckpoint"},
    {"lightning.pytorch.callbacks.model_checkpoint", "ModelCheckpoint"},
    {"numpy.core.multiarray", "scalar"},
    {"numpy._core.multiarray", "scalar"},
    {"numpy.core.multiarray", "_reconstruct"},
    {"numpy._core.multiarray", "_reconstruct"},
    {"numpy", "dtype"},
    {"numpy", "ndarray"},
    {"_codecs", "encode"},
    {"__builtin__", "set"},
    {"builtins", "set"},
    {"torch", "device"},
    {"torch", "Size"},
    {"argparse", "Namespace"},
};
enum { N_THINGS = sizeof things / sizeof *things };

typedef struct reader {
  const unsigned char *bytes;
  size_t size, at;
  size_t op;  // where the present opcode stands
  uint64_t base;
  const char *name;
  ink_arena *arena;
  ink_error *error;
  ink_pickle_items stack, memo;
  const ink_pickle_storage *storages;
  size_t taken_in;  // values copied out of attributes
} reader;

static ink_status fault(const reader *r, const char *what) {
  return ink_fail_at(r->error, INK_ERR_FORMAT, (int64_t)(r->base + r->op), "%s: the pickle %s",
                     r->name, what);
}

static ink_status no_memory(const reader *r) {
  return ink_fail(r->error, INK_ERR_MEMORY, "%s: no memory for the pickle's values", r->name);
}

// -- Values ---------------------------------------------------------------------------------------

static ink_status add(reader *r, ink_pickle_items *items, ink_pickle_value value) {
  if (items->n == items->room) {
    size_t room = items->room ? items->room * 2 : 4, bytes;
    ink_pickle_value *grown =
        ink_mul_size(room, sizeof *grown, &bytes) ? ink_arena_take(r->arena, bytes) : NULL;
    if (!grown) return no_memory(r);
    if (items->n) memcpy(grown, items->at, items->n * sizeof *grown);
    items->at = grown;
    items->room = room;
  }
  items->at[items->n++] = value;
  return INK_OK;
}

static ink_status push(reader *r, ink_pickle_value value) {
  return add(r, &r->stack, value);
}

static ink_status push_number(reader *r, ink_pickle_kind kind, int64_t number) {
  return push(r, (ink_pickle_value){.kind = kind, .of.number = number});
}

static ink_status pop(reader *r, ink_pickle_value *value) {
  *value = (ink_pickle_value){0};
  if (r->stack.n == 0 || r->stack.at[r->stack.n - 1].kind == INK_PICKLE_MARK) {
    return fault(r, "takes a value from an empty stack");
  }
  *value = r->stack.at[--r->stack.n];
  return INK_OK;
}

// A new TUPLE, LIST, SET or DICT with the given values.
static ink_status push_items(reader *r, ink_pickle_kind kind, const ink_pickle_value *values,
                             size_t n) {
  ink_pickle_items *items = ink_arena_zeros(r->arena, 1, sizeof *items);
  if (!items) return no_memory(r);
  for (size_t i = 0; i < n; i++) INK_TRY(add(r, items, values[i]));
  return push(r, (ink_pickle_value){.kind = kind, .of.items = items});
}

// The values above the topmost mark, which is taken away with them.
static ink_status pop_to_mark(reader *r, const ink_pickle_value **values, size_t *n) {
  size_t at = r->stack.n;
  *values = NULL;
  *n = 0;
  while (at > 0 && r->stack.at[at - 1].kind != INK_PICKLE_MARK) at--;
  if (at == 0) return fault(r, "looks for a mark that is not there");
  *values = r->stack.at + at;
  *n = r->stack.n - at;
  r->stack.n = at - 1;
  return INK_OK;
}

static ink_status items_from_mark(reader *r, ink_pickle_kind kind) {
  const ink_pickle_value *values;
  size_t n;
  INK_TRY(pop_to_mark(r, &values, &n));
  if (kind == INK_PICKLE_DICT && n % 2) return fault(r, "makes a dict of an odd number of values");
  // A push onto the stack may write where the values lie, so the container is filled before.
  ink_pickle_items *items = ink_arena_zeros(r->arena, 1, sizeof *items);
  if (!items) return no_memory(r);
  for (size_t i = 0; i < n; i++) INK_TRY(add(r, items, values[i]));
  return push(r, (ink_pickle_value){.kind = kind, .of.items = items});
}

static ink_status last_tuple(reader *r, size_t n) {
  ink_pickle_value values[3];
  for (size_t i = n; i-- > 0;) INK_TRY(pop(r, &values[i]));
  return push_items(r, INK_PICKLE_TUPLE, values, n);
}

// Add values to the container on the top of the stack.
static ink_status extend(reader *r, ink_pickle_kind kind, const ink_pickle_value *values,
                         size_t n) {
  if (r->stack.n == 0 || r->stack.at[r->stack.n - 1].kind != kind) {
    return fault(r, "adds to something that is no container of that kind");
  }
  if (kind == INK_PICKLE_DICT && n % 2) return fault(r, "sets a key without a value");
  ink_pickle_items *items = r->stack.at[r->stack.n - 1].of.items;
  for (size_t i = 0; i < n; i++) INK_TRY(add(r, items, values[i]));
  return INK_OK;
}

static ink_status extend_from_mark(reader *r, ink_pickle_kind kind) {
  const ink_pickle_value *values;
  size_t n;
  INK_TRY(pop_to_mark(r, &values, &n));
  return extend(r, kind, values, n);
}

static ink_status extend_by(reader *r, ink_pickle_kind kind, size_t n) {
  ink_pickle_value values[2];
  for (size_t i = n; i-- > 0;) INK_TRY(pop(r, &values[i]));
  return extend(r, kind, values, n);
}

// -- Arguments of opcodes -------------------------------------------------------------------------

static ink_status take(reader *r, size_t n, const unsigned char **bytes) {
  *bytes = r->bytes + r->at;
  if (n > r->size - r->at) return fault(r, "ends in the middle of a value; the file is cut short");
  r->at += n;
  return INK_OK;
}

static ink_status take_number(reader *r, size_t size, uint64_t *value) {
  const unsigned char *bytes;
  *value = 0;
  INK_TRY(take(r, size, &bytes));
  *value = ink_little(bytes, size);
  return INK_OK;
}

// A little-endian integer in two's complement of any length; beyond 64 bits it is no size of ours.
static ink_status push_long(reader *r, size_t length_size) {
  uint64_t length;
  const unsigned char *bytes;
  INK_TRY(take_number(r, length_size, &length));
  INK_TRY(take(r, (size_t)length, &bytes));
  if (length > 8) return fault(r, "holds an integer beyond 64 bits");
  uint64_t value = length && bytes[length - 1] & 0x80 ? UINT64_MAX : 0;
  for (size_t i = (size_t)length; i-- > 0;) value = value << 8 | bytes[i];
  return push_number(r, INK_PICKLE_INT, (int64_t)value);
}

static ink_status push_int(reader *r, size_t size) {
  uint64_t value;
  INK_TRY(take_number(r, size, &value));
  return push_number(r, INK_PICKLE_INT, size == 4 ? (int32_t)value : (int64_t)value);
}

static ink_status push_text(reader *r, size_t length_size) {
  uint64_t length;
  const unsigned char *bytes;
  INK_TRY(take_number(r, length_size, &length));
  if (length > UINT32_MAX) return fault(r, "holds a string beyond 4 GB");
  INK_TRY(take(r, (size_t)length, &bytes));
  return push(
      r, (ink_pickle_value){
             .kind = INK_PICKLE_TEXT, .size = (uint32_t)length, .of.text = (const char *)bytes});
}

static ink_status put_memo(reader *r, uint64_t index) {
  if (r->stack.n == 0) return fault(r, "remembers a value from an empty stack");
  // Picklers number what they remember in order, so no index exceeds the bytes.
  if (index > r->size) return fault(r, "remembers a value under an index that no pickler gives");
  while (r->memo.n <= index) {
    INK_TRY(add(r, &r->memo, (ink_pickle_value){.kind = INK_PICKLE_MARK}));
  }
  r->memo.at[index] = r->stack.at[r->stack.n - 1];
  return INK_OK;
}

static ink_status get_memo(reader *r, size_t size) {
  uint64_t index;
  INK_TRY(take_number(r, size, &index));
  if (index >= r->memo.n || r->memo.at[index].kind == INK_PICKLE_MARK) {
    return fault(r, "asks for a value that it did not remember");
  }
  return push(r, r->memo.at[index]);
}

// -- Globals --------------------------------------------------------------------------------------

static bool is(const char *text, size_t size, const char *word) {
  return word && strlen(word) == size && memcmp(text, word, size) == 0;
}

static ink_status push_global(reader *r, const char *module, size_t module_size, const char *name,
                              size_t name_size) {
  for (int i = 0; i < STORAGES; i++) {
    if (is(module, module_size, callables[i].module) && is(name, name_size, callables[i].name)) {
      return push_number(r, INK_PICKLE_GLOBAL, i);
    }
  }
  bool torch = is(module, module_size, "torch"), storage = is(module, module_size, "torch.storage");
  for (int i = 0; i < N_TYPES; i++) {
    if ((torch || storage) && is(name, name_size, types[i].storage)) {
      return push_number(r, INK_PICKLE_GLOBAL, STORAGES + i);
    }
    if (torch && is(name, name_size, types[i].dtype)) {
      return push_number(r, INK_PICKLE_GLOBAL, DTYPES + i);
    }
  }
  for (int i = 0; i < N_THINGS; i++) {
    if (is(module, module_size, things[i].module) && is(name, name_size, things[i].name)) {
      return push_number(r, INK_PICKLE_GLOBAL, THINGS + i);
    }
  }
  size_t bad;
  if (!ink_name_valid(module, module_size, &bad) || !ink_name_valid(name, name_size, &bad)) {
    return fault(r, "names a global with control characters");
  }
  return ink_fail_at(r->error, INK_ERR_UNSUPPORTED, (int64_t)(r->base + r->op),
                     "%s: the pickle asks for %.*s.%.*s, which no tensor needs and which could run "
                     "code; nothing was run. Take the model as .safetensors, or save its "
                     "state_dict() alone",
                     r->name, ink_name_shown(module, module_size), module,
                     ink_name_shown(name, name_size), name);
}

// Two lines of text (opcode GLOBAL).
static ink_status read_global(reader *r) {
  const char *lines[2];
  size_t sizes[2];
  for (int i = 0; i < 2; i++) {
    const unsigned char *start = r->bytes + r->at, *end = memchr(start, '\n', r->size - r->at);
    if (!end) return fault(r, "ends in the middle of a name; the file is cut short");
    lines[i] = (const char *)start;
    sizes[i] = (size_t)(end - start);
    r->at += sizes[i] + 1;
  }
  return push_global(r, lines[0], sizes[0], lines[1], sizes[1]);
}

static ink_status read_stack_global(reader *r) {
  ink_pickle_value module, name;
  INK_TRY(pop(r, &name));
  INK_TRY(pop(r, &module));
  if (name.kind != INK_PICKLE_TEXT || module.kind != INK_PICKLE_TEXT) {
    return fault(r, "names a global by something that is no text");
  }
  return push_global(r, module.of.text, module.size, name.of.text, name.size);
}

// -- Tensors --------------------------------------------------------------------------------------

static bool is_global(const ink_pickle_value *value, int from, int to) {
  return value->kind == INK_PICKLE_GLOBAL && value->of.number >= from && value->of.number < to;
}

// ("storage", torch.HalfStorage, "17", "cpu", 4096); before PyTorch 1.6 with None behind it, or
// what makes it a view of another storage, which nothing has written since 0.1.
static ink_status read_storage(reader *r) {
  ink_pickle_value id;
  INK_TRY(pop(r, &id));
  const ink_pickle_value *v = id.kind == INK_PICKLE_TUPLE ? id.of.items->at : NULL;
  size_t bad;
  bool old = v && id.of.items->n == 6 && v[5].kind == INK_PICKLE_NONE;
  if (!v || (id.of.items->n != 5 && !old) || v[0].kind != INK_PICKLE_TEXT ||
      !is(v[0].of.text, v[0].size, "storage") || !is_global(&v[1], STORAGES, DTYPES) ||
      v[2].kind != INK_PICKLE_TEXT || v[4].kind != INK_PICKLE_INT || v[4].of.number < 0 ||
      !ink_name_valid(v[2].of.text, v[2].size, &bad)) {
    return fault(r, "describes a storage as PyTorch does not");
  }
  ink_pickle_storage *storage = ink_arena_zeros(r->arena, 1, sizeof *storage);
  if (!storage) return no_memory(r);
  *storage = (ink_pickle_storage){.type = &types[v[1].of.number - STORAGES],
                                  .key = v[2].of.text,
                                  .key_size = v[2].size,
                                  .elements = (uint64_t)v[4].of.number,
                                  .before = r->storages};
  r->storages = storage;
  return push(r, (ink_pickle_value){.kind = INK_PICKLE_STORAGE, .of.storage = storage});
}

// A tuple of sizes or strides.
static ink_status read_extents(reader *r, const ink_pickle_value *tuple, int64_t **extents) {
  if (tuple->kind != INK_PICKLE_TUPLE || tuple->of.items->n > INK_PICKLE_MAX_RANK) {
    return fault(r, "gives a tensor a shape that is no tuple of at most 32 numbers");
  }
  *extents = ink_arena_zeros(r->arena, tuple->of.items->n + 1, sizeof **extents);
  if (!*extents) return no_memory(r);
  for (size_t i = 0; i < tuple->of.items->n; i++) {
    const ink_pickle_value *v = &tuple->of.items->at[i];
    if (v->kind != INK_PICKLE_INT || v->of.number < 0) {
      return fault(r, "gives a tensor a negative size or stride");
    }
    (*extents)[i] = v->of.number;
  }
  return INK_OK;
}

// (storage, offset, size, stride, requires_grad, hooks), and of version 3 a dtype.
static ink_status rebuild_tensor(reader *r, const ink_pickle_items *arguments, bool typed) {
  const ink_pickle_value *v = arguments->at;
  if (arguments->n < (typed ? 7u : 6u) || arguments->n > (typed ? 8u : 7u) ||
      v[0].kind != INK_PICKLE_STORAGE || v[1].kind != INK_PICKLE_INT || v[1].of.number < 0 ||
      (typed && !is_global(&v[6], DTYPES, DTYPES + N_TYPES))) {
    return fault(r, "describes a tensor as PyTorch does not");
  }
  ink_pickle_tensor *tensor = ink_arena_zeros(r->arena, 1, sizeof *tensor);
  int64_t *shape = NULL, *stride = NULL;
  if (!tensor) return no_memory(r);
  INK_TRY(read_extents(r, &v[2], &shape));
  INK_TRY(read_extents(r, &v[3], &stride));
  if (v[2].of.items->n != v[3].of.items->n) {
    return fault(r, "gives a tensor as many strides as it has no dimensions");
  }
  *tensor =
      (ink_pickle_tensor){.storage = v[0].of.storage,
                          .type = typed ? &types[v[6].of.number - DTYPES] : v[0].of.storage->type,
                          .offset = (uint64_t)v[1].of.number,
                          .rank = (int)v[2].of.items->n,
                          .shape = shape,
                          .stride = stride,
                          .at = r->op};
  return push(r, (ink_pickle_value){.kind = INK_PICKLE_TENSOR, .of.tensor = tensor});
}

// OrderedDict(), or OrderedDict([[key, value], …]) as Python 2 wrote it.
static ink_status make_dict(reader *r, const ink_pickle_items *arguments) {
  if (arguments->n == 0) return push_items(r, INK_PICKLE_DICT, NULL, 0);
  const ink_pickle_value *list = &arguments->at[0];
  ink_pickle_items *dict = ink_arena_zeros(r->arena, 1, sizeof *dict);
  if (!dict) return no_memory(r);
  if (arguments->n != 1 || list->kind != INK_PICKLE_LIST) {
    return fault(r, "makes an OrderedDict of something that is no list");
  }
  for (size_t i = 0; i < list->of.items->n; i++) {
    const ink_pickle_value *pair = &list->of.items->at[i];
    if ((pair->kind != INK_PICKLE_LIST && pair->kind != INK_PICKLE_TUPLE) ||
        pair->of.items->n != 2) {
      return fault(r, "makes an OrderedDict of something that is no list of pairs");
    }
    INK_TRY(add(r, dict, pair->of.items->at[0]));
    INK_TRY(add(r, dict, pair->of.items->at[1]));
  }
  return push(r, (ink_pickle_value){.kind = INK_PICKLE_DICT, .of.items = dict});
}

// An object of a class, made by calling it or by NEWOBJ.
static ink_status make_object(reader *r, const ink_pickle_value *class) {
  if (is_global(class, PARAMETER_DICT, PARAMETER_DICT + 1)) {
    return push_items(r, INK_PICKLE_DICT, NULL, 0);
  }
  if (is_global(class, THINGS, THINGS + N_THINGS)) return push_number(r, INK_PICKLE_THING, 0);
  return fault(r, "makes an object of something that is no class of objects");
}

static ink_status new_object(reader *r) {
  ink_pickle_value arguments, class;
  INK_TRY(pop(r, &arguments));
  INK_TRY(pop(r, &class));
  return make_object(r, &class);
}

static ink_status reduce(reader *r) {
  ink_pickle_value arguments, callable;
  INK_TRY(pop(r, &arguments));
  INK_TRY(pop(r, &callable));
  if (is_global(&callable, THINGS, THINGS + N_THINGS)) return make_object(r, &callable);
  if (!is_global(&callable, 0, STORAGES) || arguments.kind != INK_PICKLE_TUPLE) {
    return fault(r, "calls something that makes no tensor");
  }
  const ink_pickle_items *given = arguments.of.items;
  switch (callable.of.number) {
    case ORDERED_DICT:
      return make_dict(r, given);
    case REBUILD_PARAMETER:  // (tensor, requires_grad, hooks)
      if (given->n != 3 || given->at[0].kind != INK_PICKLE_TENSOR) {
        return fault(r, "describes a parameter as PyTorch does not");
      }
      return push(r, given->at[0]);
    case PARAMETER_DICT:
      return make_object(r, &callable);
    default:
      return rebuild_tensor(r, given, callable.of.number == REBUILD_TENSOR_V3);
  }
}

// The attributes of a ParameterDict hold its parameters; those of a state_dict (its "_metadata")
// and of things hold no tensors.
static ink_status build(reader *r) {
  static const char parameters[] = "_parameters";
  ink_pickle_value state;
  INK_TRY(pop(r, &state));
  ink_pickle_kind of = r->stack.n ? r->stack.at[r->stack.n - 1].kind : INK_PICKLE_MARK;
  if (of != INK_PICKLE_DICT && of != INK_PICKLE_THING) {
    return fault(r, "sets attributes of something that has none");
  }
  if (of == INK_PICKLE_THING || state.kind != INK_PICKLE_DICT) return INK_OK;
  for (size_t i = 0; i + 1 < state.of.items->n; i += 2) {
    const ink_pickle_value *key = &state.of.items->at[i], *value = key + 1;
    if (key->kind == INK_PICKLE_TEXT && is(key->of.text, key->size, parameters) &&
        value->kind == INK_PICKLE_DICT) {
      // Dicts that take each other in could grow without end.
      r->taken_in += value->of.items->n;
      if (r->taken_in > r->size) return fault(r, "holds more parameters than it has bytes");
      return extend(r, INK_PICKLE_DICT, value->of.items->at, value->of.items->n);
    }
  }
  return INK_OK;
}

// -- Opcodes --------------------------------------------------------------------------------------

static ink_status read_protocol(reader *r) {
  uint64_t protocol;
  INK_TRY(take_number(r, 1, &protocol));
  if (r->op == 0 && protocol >= 2 && protocol <= 5) return INK_OK;
  return ink_fail_at(r->error, INK_ERR_UNSUPPORTED, (int64_t)(r->base + r->op),
                     "%s: a pickle of protocol %u; 2 to 5 are read, and PyTorch writes 2", r->name,
                     (unsigned)protocol);
}

static ink_status drop(reader *r, size_t n) {
  const unsigned char *skipped;
  return take(r, n, &skipped);
}

static ink_status read_one(reader *r, unsigned char op) {
  uint64_t index;
  ink_pickle_value value;
  const ink_pickle_value *values;
  size_t n;
  switch (op) {
    case 0x80:
      return read_protocol(r);
    case 0x95:
      return drop(r, 8);  // FRAME
    case '(':
      return push_number(r, INK_PICKLE_MARK, 0);
    case '0':
      return pop(r, &value);
    case '1':
      return pop_to_mark(r, &values, &n);
    case '2':  // DUP
      INK_TRY(pop(r, &value));
      INK_TRY(push(r, value));
      return push(r, value);
    case 'N':
      return push_number(r, INK_PICKLE_NONE, 0);
    case 0x88:
      return push_number(r, INK_PICKLE_BOOL, 1);
    case 0x89:
      return push_number(r, INK_PICKLE_BOOL, 0);
    case 'J':
      return push_int(r, 4);
    case 'K':
      return push_int(r, 1);
    case 'M':
      return push_int(r, 2);
    case 0x8A:
      return push_long(r, 1);
    case 0x8B:
      return push_long(r, 4);
    case 'G':
      INK_TRY(drop(r, 8));
      return push_number(r, INK_PICKLE_REAL, 0);
    case 'X':
    case 'T':
    case 'B':
      return push_text(r, 4);
    case 0x8C:
    case 'U':
    case 'C':
      return push_text(r, 1);
    case 0x8D:
    case 0x8E:
    case 0x96:
      return push_text(r, 8);
    case ')':
      return push_items(r, INK_PICKLE_TUPLE, NULL, 0);
    case 't':
      return items_from_mark(r, INK_PICKLE_TUPLE);
    case 0x85:
      return last_tuple(r, 1);
    case 0x86:
      return last_tuple(r, 2);
    case 0x87:
      return last_tuple(r, 3);
    case ']':
      return push_items(r, INK_PICKLE_LIST, NULL, 0);
    case 'l':
      return items_from_mark(r, INK_PICKLE_LIST);
    case 'a':
      return extend_by(r, INK_PICKLE_LIST, 1);
    case 'e':
      return extend_from_mark(r, INK_PICKLE_LIST);
    case '}':
      return push_items(r, INK_PICKLE_DICT, NULL, 0);
    case 'd':
      return items_from_mark(r, INK_PICKLE_DICT);
    case 's':
      return extend_by(r, INK_PICKLE_DICT, 2);
    case 'u':
      return extend_from_mark(r, INK_PICKLE_DICT);
    case 0x8F:
      return push_items(r, INK_PICKLE_SET, NULL, 0);
    case 0x90:
      return extend_from_mark(r, INK_PICKLE_SET);
    case 0x91:
      return items_from_mark(r, INK_PICKLE_SET);
    case 'q':
    case 'r':
      INK_TRY(take_number(r, op == 'q' ? 1 : 4, &index));
      return put_memo(r, index);
    case 0x94:
      return put_memo(r, r->memo.n);
    case 'h':
      return get_memo(r, 1);
    case 'j':
      return get_memo(r, 4);
    case 'c':
      return read_global(r);
    case 0x93:
      return read_stack_global(r);
    case 'Q':
      return read_storage(r);
    case 'R':
      return reduce(r);
    case 0x81:
      return new_object(r);
    case 'b':
      return build(r);
    default:
      break;
  }
  return ink_fail_at(r->error, INK_ERR_UNSUPPORTED, (int64_t)(r->base + r->op),
                     "%s: the pickle has the opcode 0x%02X, which PyTorch's tensors do not need",
                     r->name, op);
}

static ink_status read_pickle(reader *r, ink_pickle_value *root) {
  for (;;) {
    const unsigned char *op;
    r->op = r->at;
    INK_TRY(take(r, 1, &op));
    if (r->op == 0 && *op != 0x80) return fault(r, "does not begin with its protocol");
    if (*op == '.') break;
    INK_TRY(read_one(r, *op));
  }
  INK_TRY(pop(r, root));
  return r->stack.n == 0 ? INK_OK : fault(r, "leaves values behind");
}

ink_status ink_pickle_read_first(const void *bytes, size_t size, uint64_t base, const char *name,
                                 ink_arena *arena, ink_pickle *pickle, ink_error *error) {
  reader r = {
      .bytes = bytes, .size = size, .base = base, .name = name, .arena = arena, .error = error};
  *pickle = (ink_pickle){0};
  INK_TRY(read_pickle(&r, &pickle->root));
  pickle->storages = r.storages;
  pickle->size = r.at;
  return INK_OK;
}

ink_status ink_pickle_read(const void *bytes, size_t size, uint64_t base, const char *name,
                           ink_arena *arena, ink_pickle_value *root, ink_error *error) {
  reader r = {
      .bytes = bytes, .size = size, .base = base, .name = name, .arena = arena, .error = error};
  INK_TRY(read_pickle(&r, root));
  return r.at == size ? INK_OK : fault(&r, "goes on behind its end");
}
