// Clocks, and listeners that hear how far a long work is and may stop it.
#ifndef INK_BASE_PROGRESS_H
#define INK_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

// Monotonic seconds, for durations.
double ink_clock_seconds(void);
// Seconds between the start of this process and now, as the kernel counts them (0 if unknown).
double ink_clock_since_start(void);
// Wall-clock time as RFC 3339 in UTC, "2026-11-23T08:00:00Z". $SOURCE_DATE_EPOCH is obeyed.
void ink_clock_utc(char out[24]);

// Engines report to a listener; they neither print nor know who listens.
typedef struct ink_progress {
  // done of total units (total 0: unknown), with a few words on the present state. Returns false to
  // ask for an end: the work stops at its next step with INK_ERR_CANCELLED.
  bool (*report)(void *context, int64_t done, int64_t total, const char *state);
  void *context;
} ink_progress;

// Report to a listener that may be NULL or without a function; true means go on.
static inline bool ink_progress_report(const ink_progress *progress, int64_t done, int64_t total,
                                       const char *state) {
  return !progress || !progress->report || progress->report(progress->context, done, total, state);
}

#endif
