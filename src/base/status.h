// Status codes and error reports: every function that can fail returns an ink_status and fills an
// ink_error. Library code never aborts on input.
#ifndef INK_BASE_STATUS_H
#define INK_BASE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ink_status {
  INK_OK = 0,
  INK_ERR_USAGE,        // the caller's arguments do not fit (a flag, a field out of range)
  INK_ERR_IO,           // the system refused: open, read, write, disk full
  INK_ERR_FORMAT,       // bytes that do not follow their format
  INK_ERR_MEMORY,       // no memory, or over the budget that was given
  INK_ERR_UNSUPPORTED,  // well-formed, but not something this build can do
  INK_ERR_NOT_FOUND,    // a file, tensor, model or name that is not there
  INK_ERR_CONFLICT,   // two inputs contradict each other (shape against config, hash against file)
  INK_ERR_NETWORK,    // a host did not answer, or not as it should
  INK_ERR_CANCELLED,  // the user or a listener stopped the work
  INK_ERR_BLOCKED,    // a check blocked the piece
  INK_ERR_INTERNAL    // a promise of ours is broken
} ink_status;

enum { INK_ERROR_TEXT = 640 };

// A failure as a person should read it. Zero-initialise it; it owns no memory.
typedef struct ink_error {
  ink_status status;
  int64_t offset;             // byte offset in the input, or -1 where there is none
  char text[INK_ERROR_TEXT];  // names the input and the way out; UTF-8, one line
  // The reader's language: gives a format with the same arguments, itself where there is none.
  // NULL: English. Whoever makes the error sets it; it goes with the error to all floors below.
  const char *(*translate)(const char *english);
} ink_error;

#if defined(__GNUC__)
#define INK_PRINTF(nth, first) __attribute__((format(printf, nth, first)))
#else
#define INK_PRINTF(nth, first)
#endif

// Fill `error` (which may be NULL) and return `status`, so that a failing path reads
// `return ink_fail(error, INK_ERR_FORMAT, "%s: …", path);`.
ink_status ink_fail(ink_error *error, ink_status status, const char *format, ...) INK_PRINTF(3, 4);

// As ink_fail, for a fault at a known byte of the input; the text gains " (at byte N)".
ink_status ink_fail_at(ink_error *error, ink_status status, int64_t offset, const char *format, ...)
    INK_PRINTF(4, 5);

// Put "context: " before the text of a failure that comes from below, unless it begins so already,
// and return its status.
ink_status ink_context(ink_error *error, ink_status status, const char *format, ...)
    INK_PRINTF(3, 4);

// The analyzer looks at one file at a time: here it learns that the status comes back.
#if defined(__clang_analyzer__) && !defined(INK_STATUS_ITSELF)
#define ink_fail(error, status, ...) (ink_fail(error, status, __VA_ARGS__), (status))
#define ink_fail_at(error, status, ...) (ink_fail_at(error, status, __VA_ARGS__), (status))
#define ink_context(error, status, ...) (ink_context(error, status, __VA_ARGS__), (status))
#endif

// A text for a person in the language that goes with the error; `english` itself without one.
const char *ink_error_say(const ink_error *error, const char *english);

// Short English name of a status, for logs and JSON ("format", "not_found", …). Never NULL.
const char *ink_status_name(ink_status status);

// Evaluate an expression that yields ink_status and hand a failure to the caller.
#define INK_TRY(expression)                              \
  do {                                                   \
    ink_status ink_try_status = (expression);            \
    if (ink_try_status != INK_OK) return ink_try_status; \
  } while (0)

#endif
