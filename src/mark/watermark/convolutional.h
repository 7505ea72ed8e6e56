// Error correction for the identity in a picture's noise: the convolutional code of rate 1/2 and
// constraint length 9 (generators 753 and 561 octal, as in IS-95 and 3GPP TS 25.212, 4.2.3.1), bent
// into a ring so that it needs no tail. Read from votes, not from bits, by Viterbi's algorithm
// (1967).
#ifndef INK_MARK_WATERMARK_CONVOLUTIONAL_H
#define INK_MARK_WATERMARK_CONVOLUTIONAL_H

#include <stdint.h>

enum { INK_CONVOLUTIONAL_BITS = 128, INK_CONVOLUTIONAL_CODES = 2 };

// Bits from the first byte's highest on; each of the two code words determines them.
void ink_convolutional_encode(const uint8_t bits[INK_CONVOLUTIONAL_BITS / 8],
                              uint8_t code[INK_CONVOLUTIONAL_CODES][INK_CONVOLUTIONAL_BITS]);

// The likeliest bits where each vote is the evidence for a one (above 0) or a zero (below), as the
// logarithm of the odds in any unit; 0: nothing is known.
void ink_convolutional_decode(const double votes[INK_CONVOLUTIONAL_CODES][INK_CONVOLUTIONAL_BITS],
                              uint8_t bits[INK_CONVOLUTIONAL_BITS / 8]);

#endif
