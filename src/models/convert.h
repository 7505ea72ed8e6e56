// Conversion of whole models: between Hugging Face folders and GGUF, and to other element types.
// Works tensor by tensor, so that memory does not grow with the model.
#ifndef INK_MODELS_CONVERT_H
#define INK_MODELS_CONVERT_H

#include "base/pool.h"
#include "base/progress.h"
#include "base/status.h"
#include "weights/quantize.h"

typedef struct ink_convert_options {
  ink_weights_format format;  // what to write
  ink_quant quant;
  size_t ram;  // bytes to use at most beside the mapped input; 0: 512 MiB. MEMORY names the tensor
               // that needs more
  bool replace;                  // a .gguf file that is there may be replaced
  ink_pool *pool;                // NULL: this thread alone
  const ink_progress *progress;  // counts bytes of input; NULL: nobody listens
} ink_convert_options;

typedef struct ink_convert_report {
  size_t tensors;
  uint64_t bytes_before, bytes_after;  // of tensor data
  size_t skipped;    // left out: buffers, and a head that is the token embedding anyway
  bool requantised;  // block types were decoded and encoded anew: errors add up
} ink_convert_report;

// Write the model `from` (as ink_weights_open takes it) to `to`: a .gguf file, or a folder that
// gets model.safetensors, config.json and the tokenizer's files. The bytes written are the same for
// any number of threads.
//
// Where the format stays, any model goes: metadata and the files beside the weights are copied.
// Where it changes, names and layouts (weights/names.h), config and tokenizer are translated:
// decoders of models/decoder.h with the tokenizers of tokenizer/export.h.
//
// Nothing appears under its name before it is whole. UNSUPPORTED: an architecture, tensor type or
// tokenizer that cannot be carried over; block types in safetensors. CONFLICT: `to` is the input,
// is a file that must not be replaced, or a folder that is not empty. CANCELLED: the listener asked
// for it. *report may be NULL.
ink_status ink_model_convert(const char *from, const char *to, const ink_convert_options *options,
                             ink_convert_report *report, ink_error *error);

#endif
