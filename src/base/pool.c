// The thread team: workers spin for a moment between jobs, because the kernels of one layer follow
// each other within microseconds, and sleep on a condition variable after that.
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum { MOST_THREADS = 256, SPINS = 2000 };

typedef struct worker {
  ink_pool *pool;
  int index;
  pthread_t thread;
} worker;

struct ink_pool {
  int n_threads;
  bool idle;
  worker *workers;  // n_threads - 1 of them; the caller is thread 0
  pthread_mutex_t mutex;
  pthread_cond_t wake;
  ink_task task;
  void *context;
  size_t n_tasks;
  atomic_size_t next;        // the next task that nobody has taken
  atomic_int busy;           // workers that have not finished the job
  atomic_uint_fast64_t job;  // counts jobs; a change is the signal to start
  atomic_bool quit;
};

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static void work(ink_pool *pool, int thread) {
  for (;;) {
    size_t index = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
    if (index >= pool->n_tasks) return;
    pool->task(pool->context, index, thread);
  }
}

static uint_fast64_t wait_for_job(ink_pool *pool, uint_fast64_t seen) {
  for (int spin = 0; spin < SPINS; spin++) {
    uint_fast64_t job = atomic_load_explicit(&pool->job, memory_order_acquire);
    if (job != seen || atomic_load_explicit(&pool->quit, memory_order_relaxed)) return job;
    relax();
  }
  pthread_mutex_lock(&pool->mutex);
  while (atomic_load(&pool->job) == seen && !atomic_load(&pool->quit)) {
    pthread_cond_wait(&pool->wake, &pool->mutex);
  }
  uint_fast64_t job = atomic_load(&pool->job);
  pthread_mutex_unlock(&pool->mutex);
  return job;
}

static void *worker_main(void *argument) {
  worker *self = argument;
  ink_pool *pool = self->pool;
  uint_fast64_t seen = 0;
  for (;;) {
    seen = wait_for_job(pool, seen);
    if (atomic_load(&pool->quit)) return NULL;
    work(pool, self->index);
    atomic_fetch_sub_explicit(&pool->busy, 1, memory_order_release);
  }
}

static int available_processors(void) {
  const char *wanted = getenv("INKSTONE_THREADS");
  int n = wanted ? atoi(wanted) : 0;
  if (n >= 1 && n <= MOST_THREADS) return n;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  n = CPU_COUNT(&set);
  return n < 1 ? 1 : n > MOST_THREADS ? MOST_THREADS : n;
}

ink_pool *ink_pool_new(int n_threads) {
  if (n_threads <= 0) n_threads = available_processors();
  if (n_threads > MOST_THREADS) n_threads = MOST_THREADS;
  ink_pool *pool = calloc(1, sizeof *pool);
  if (!pool) return NULL;
  pool->n_threads = 1;
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->wake, NULL);
  pool->workers = calloc((size_t)n_threads, sizeof *pool->workers);
  if (!pool->workers) {
    ink_pool_free(pool);
    return NULL;
  }
  for (int i = 1; i < n_threads; i++) {
    worker *w = &pool->workers[i - 1];
    w->pool = pool;
    w->index = i;
    if (pthread_create(&w->thread, NULL, worker_main, w) != 0) {
      ink_pool_free(pool);
      return NULL;
    }
    pool->n_threads = i + 1;
  }
  return pool;
}

ink_pool *ink_pool_new_idle(const ink_pool *like) {
  ink_pool *pool = calloc(1, sizeof *pool);
  if (!pool) return NULL;
  pool->n_threads = ink_pool_threads(like);
  pool->idle = true;
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->wake, NULL);
  return pool;
}

void ink_pool_free(ink_pool *pool) {
  if (!pool) return;
  pthread_mutex_lock(&pool->mutex);
  atomic_store(&pool->quit, true);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->mutex);
  for (int i = 0; !pool->idle && i + 1 < pool->n_threads; i++)
    pthread_join(pool->workers[i].thread, NULL);
  pthread_cond_destroy(&pool->wake);
  pthread_mutex_destroy(&pool->mutex);
  free(pool->workers);
  free(pool);
}

int ink_pool_threads(const ink_pool *pool) {
  return pool ? pool->n_threads : 1;
}

void ink_pool_run(ink_pool *pool, size_t n_tasks, ink_task task, void *context) {
  if (pool && pool->idle) return;
  if (!pool || pool->n_threads == 1 || n_tasks <= 1) {
    for (size_t i = 0; i < n_tasks; i++) task(context, i, 0);
    return;
  }
  pool->task = task;
  pool->context = context;
  pool->n_tasks = n_tasks;
  atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
  atomic_store_explicit(&pool->busy, pool->n_threads - 1, memory_order_relaxed);
  pthread_mutex_lock(&pool->mutex);
  atomic_fetch_add(&pool->job, 1);
  pthread_cond_broadcast(&pool->wake);
  pthread_mutex_unlock(&pool->mutex);
  work(pool, 0);
  // Spin, then yield: with more threads than processors the last worker needs this core.
  for (int spin = 0; atomic_load_explicit(&pool->busy, memory_order_acquire) > 0; spin++) {
    if (spin < SPINS) {
      relax();
    } else {
      sched_yield();
    }
  }
}
