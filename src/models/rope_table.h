// Llama 3's scaling of rotary frequencies as GGUF has it: rope_freqs.weight, one divisor for each
// frequency (Grattafiori et al. 2024; llama.cpp, convert_hf_to_gguf.py).
#ifndef INK_MODELS_ROPE_TABLE_H
#define INK_MODELS_ROPE_TABLE_H

#include "models/decoder.h"

// The divisors of a config with INK_ROPE_LLAMA3, in single precision as the converter computes
// them: rope_dim / 2 of them.
void ink_rope_table(const ink_decoder_config *config, float *divisors);

// Find the scaling behind `n` divisors and put it into *config: none where all are 1, else the
// parameters of published models that give the table. False when no such parameters do.
bool ink_rope_table_read(const float *divisors, size_t n, ink_decoder_config *config);

#endif
