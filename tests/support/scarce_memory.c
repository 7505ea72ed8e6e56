// A library for LD_PRELOAD, for tests alone: under it the Nth allocation of the program fails, once
// or from then on. Counted is what the program itself asks of the C library, memory, mappings and
// threads; other libraries get what they want, since some end the process on purpose (glib), which
// would judge them and not the program. INKSTONE_SCARCE_LIBRARIES names libraries that are counted
// as well, with commas.
//
// INKSTONE_SCARCE_BOARD names the file that holds a scarce_board. The process then waits before
// main for orders and runs each in a child of its own, in INKSTONE_SCARCE_FOLDER, so that a run
// does not pay for the loading of libraries. Time stands still at SOURCE_DATE_EPOCH and random
// numbers repeat, so that two runs leave the same bytes; nothing waits for a disk.
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#include "scarce.h"

#define EXPORT __attribute__((visibility("default")))
#define CALLER __builtin_return_address(0)

// What glibc's own names lead to, whatever lies in front of them.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

typedef struct range {
  uintptr_t first, last;
} range;

static range counted[64];  // of the code of the program and of libraries that are named
static size_t n_counted;
static uintptr_t program_base;
static scarce_board *board;
static atomic_uint_fast64_t count;
static atomic_bool running;
static int (*program_main)(int, char **, char **);

static bool is_counted(uintptr_t address) {
  for (size_t i = 0; i < n_counted; i++) {
    if (address >= counted[i].first && address < counted[i].last) return true;
  }
  return false;
}

static bool is_named(const char *name, const char *names) {
  for (const char *at = names; at && *at;) {
    size_t size = strcspn(at, ",");
    if (size && memmem(name, strlen(name), at, size)) return true;
    at += size + (at[size] == ',');
  }
  return false;
}

// The program comes first and has no name.
static int add_object(struct dl_phdr_info *info, size_t size, void *names) {
  (void)size;
  bool program = n_counted == 0 && !info->dlpi_name[0];
  if (program) program_base = info->dlpi_addr;
  if (!program && !is_named(info->dlpi_name, names)) return 0;
  for (int i = 0; i < info->dlpi_phnum && n_counted < sizeof counted / sizeof *counted; i++) {
    const ElfW(Phdr) *part = &info->dlpi_phdr[i];
    if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
    uintptr_t first = info->dlpi_addr + part->p_vaddr;
    counted[n_counted++] = (range){first, first + part->p_memsz};
  }
  return 0;
}

typedef struct walk {
  uint64_t hash;
  bool keep;
} walk;

static _Unwind_Reason_Code step(struct _Unwind_Context *context, void *argument) {
  walk *w = argument;
  uintptr_t address = _Unwind_GetIP(context);
  if (!is_counted(address)) return _URC_NO_REASON;
  uint64_t offset = address - program_base;
  w->hash = (w->hash ^ offset) * 0x100000001b3;
  if (w->keep) {
    if (board->n_frame == SCARCE_FRAMES) return _URC_END_OF_STACK;
    board->frames[board->n_frame++] = offset;
  }
  return _URC_NO_REASON;
}

// Whether an allocation asked for from this address fails.
static bool fails(const void *caller) {
  if (!atomic_load_explicit(&running, memory_order_relaxed) || !is_counted((uintptr_t)caller)) {
    return false;
  }
  uint64_t n = atomic_fetch_add(&count, 1) + 1;
  board->count = n;
  bool first = n == board->fail_at;
  if (first || (!board->fail_at && n <= SCARCE_STACKS)) {
    walk w = {.hash = 0xcbf29ce484222325, .keep = first};
    _Unwind_Backtrace(step, &w);
    if (!first) board->stacks[n - 1] = w.hash;
  }
  if (!first && !(board->fail_at && board->lasting && n > board->fail_at)) return false;
  errno = ENOMEM;
  return true;
}

// ---- what allocates
//
// Functions on files have the names that the program knows them by (mmap64, fopen64): both are
// built with the same _FILE_OFFSET_BITS.

EXPORT void *malloc(size_t size) {
  return fails(CALLER) ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t n, size_t size) {
  return fails(CALLER) ? NULL : __libc_calloc(n, size);
}

EXPORT void *realloc(void *old, size_t size) {
  return fails(CALLER) ? NULL : __libc_realloc(old, size);
}

EXPORT void *reallocarray(void *old, size_t n, size_t size) {
  size_t bytes;
  if (fails(CALLER)) return NULL;
  if (__builtin_mul_overflow(n, size, &bytes)) {
    errno = ENOMEM;
    return NULL;
  }
  return __libc_realloc(old, bytes);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
  return fails(CALLER) ? NULL : __libc_memalign(alignment, size);
}

EXPORT int posix_memalign(void **out, size_t alignment, size_t size) {
  void *taken = fails(CALLER) ? NULL : __libc_memalign(alignment, size);
  if (!taken) return ENOMEM;
  *out = taken;
  return 0;
}

static char *copy_of(const char *text, size_t size) {
  char *copy = __libc_malloc(size + 1);
  if (!copy) return NULL;
  memcpy(copy, text, size);
  copy[size] = 0;
  return copy;
}

EXPORT char *strdup(const char *text) {
  return fails(CALLER) ? NULL : copy_of(text, strlen(text));
}

EXPORT char *strndup(const char *text, size_t size) {
  return fails(CALLER) ? NULL : copy_of(text, strnlen(text, size));
}

EXPORT int asprintf(char **out, const char *format, ...) {
  if (fails(CALLER)) {
    *out = NULL;
    return -1;
  }
  va_list arguments;
  va_start(arguments, format);
  int length = vasprintf(out, format, arguments);
  va_end(arguments);
  return length;
}

EXPORT void *mmap(void *at, size_t size, int protection, int flags, int descriptor, off_t offset) {
  if (fails(CALLER)) return MAP_FAILED;
  return (void *)syscall(SYS_mmap, at, size, protection, flags, descriptor, offset);
}

// The function behind ours.
static void *behind(const char *name) {
  return dlsym(RTLD_NEXT, name);
}

EXPORT FILE *fopen(const char *path, const char *mode) {
  if (fails(CALLER)) return NULL;
  FILE *(*next)(const char *, const char *) = behind("fopen");
  return next(path, mode);
}

EXPORT DIR *opendir(const char *path) {
  if (fails(CALLER)) return NULL;
  DIR *(*next)(const char *) = behind("opendir");
  return next(path);
}

EXPORT DIR *fdopendir(int descriptor) {
  if (fails(CALLER)) return NULL;
  DIR *(*next)(int) = behind("fdopendir");
  return next(descriptor);
}

EXPORT char *realpath(const char *path, char *out) {
  if (!out && fails(CALLER)) return NULL;
  char *(*next)(const char *, char *) = dlvsym(RTLD_NEXT, "realpath", "GLIBC_2.3");
  return next(path, out);
}

EXPORT int scandir(const char *path, struct dirent ***list, int (*wanted)(const struct dirent *),
                   int (*order)(const struct dirent **, const struct dirent **)) {
  if (fails(CALLER)) return -1;
  int (*next)(const char *, struct dirent ***, int (*)(const struct dirent *),
              int (*)(const struct dirent **, const struct dirent **)) = behind("scandir");
  return next(path, list, wanted, order);
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *with, void *(*run)(void *),
                          void *argument) {
  if (fails(CALLER)) return EAGAIN;
  int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
      behind("pthread_create");
  return next(thread, with, run, argument);
}

// ---- a world that stands still

EXPORT int fsync(int descriptor) {
  (void)descriptor;
  return 0;
}

EXPORT int fdatasync(int descriptor) {
  (void)descriptor;
  return 0;
}

static void repeat(unsigned char *bytes, size_t size) {
  static atomic_uint_fast64_t state;
  for (size_t i = 0; i < size; i++) {
    uint64_t x = atomic_fetch_add(&state, 1) * 0x9e3779b97f4a7c15 + 0x632be59bd9b4e019;
    bytes[i] = (unsigned char)((x ^ x >> 29) * 0xbf58476d1ce4e5b9 >> 56);
  }
}

EXPORT ssize_t getrandom(void *out, size_t size, unsigned flags) {
  if (!is_counted((uintptr_t)CALLER)) return syscall(SYS_getrandom, out, size, flags);
  repeat(out, size);
  return (ssize_t)size;
}

EXPORT int RAND_bytes(unsigned char *out, int size) {
  if (!is_counted((uintptr_t)CALLER)) {
    int (*next)(unsigned char *, int) = behind("RAND_bytes");
    return next(out, size);
  }
  repeat(out, (size_t)size);
  return 1;
}

EXPORT time_t time(time_t *out) {
  const char *fixed = getenv("SOURCE_DATE_EPOCH");
  struct timespec now;
  if (fixed) {
    now.tv_sec = strtoll(fixed, NULL, 10);
  } else {
    clock_gettime(CLOCK_REALTIME, &now);
  }
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}

// ---- running to order

static void lead(int descriptor, const char *path) {
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0 || dup2(file, descriptor) < 0) _exit(126);
  close(file);
}

static int run(int argc, char **argv, char **variables) {
  const char *folder = getenv("INKSTONE_SCARCE_FOLDER");
  if (folder) {
    if (chdir(folder) != 0) _exit(126);
    lead(STDOUT_FILENO, "../out");
    lead(STDERR_FILENO, "../err");
  }
  close(SCARCE_ORDERS);
  close(SCARCE_ANSWERS);
  alarm((unsigned)board->seconds);
  atomic_store(&running, true);
  return program_main(argc, argv, variables);
}

static int serve(int argc, char **argv, char **variables) {
  const char *path = getenv("INKSTONE_SCARCE_BOARD");
  if (!path) return program_main(argc, argv, variables);
  dl_iterate_phdr(add_object, getenv("INKSTONE_SCARCE_LIBRARIES"));
  int file = open(path, O_RDWR | O_CLOEXEC);
  board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (board == MAP_FAILED) _exit(126);
  close(file);
  char order;
  while (read(SCARCE_ORDERS, &order, 1) == 1) {
    board->count = board->n_frame = 0;
    pid_t child = fork();
    if (child == 0) return run(argc, argv, variables);
    if (child < 0 || waitpid(child, &board->status, 0) != child) _exit(126);
    if (write(SCARCE_ANSWERS, &order, 1) != 1) _exit(126);
  }
  _exit(0);
}

EXPORT int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv,
                             void (*init)(void), void (*done)(void), void (*done_loading)(void),
                             void *stack_end) {
  int (*next)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void),
              void (*)(void), void *) = behind("__libc_start_main");
  program_main = main;
  return next(serve, argc, argv, init, done, done_loading, stack_end);
}
