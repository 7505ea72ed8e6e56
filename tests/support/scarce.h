// What the library of scarce memory and the test that orders it share: a page in memory, and two
// pipes that say when to look at it.
#ifndef INK_TESTS_SCARCE_H
#define INK_TESTS_SCARCE_H

#include <stdint.h>

enum {
  SCARCE_ORDERS = 198,   // descriptor: a byte asks for a run
  SCARCE_ANSWERS = 199,  // descriptor: a byte says that it is over
  SCARCE_FRAMES = 32,
  SCARCE_STACKS = 1 << 20
};

typedef struct scarce_board {
  // The order.
  uint64_t fail_at;  // the allocation that fails, counted from 1; 0: none does
  int32_t lasting;   // and all that follow it
  int32_t seconds;   // a run that takes longer is ended
  // The answer.
  int32_t status;  // as of waitpid
  uint32_t n_frame;
  uint64_t count;                  // allocations of the run
  uint64_t frames[SCARCE_FRAMES];  // who called the first that failed, as offsets in the program
  uint64_t stacks[SCARCE_STACKS];  // for each allocation of a run in which none fails: its callers
} scarce_board;

#endif
