// A fixed team of threads that runs numbered tasks. Results never depend on the number of threads
// as long as a task's output depends on its number alone.
#ifndef INK_BASE_POOL_H
#define INK_BASE_POOL_H

#include <stddef.h>

typedef struct ink_pool ink_pool;

// One task: `index` in [0, n_tasks); `thread` in [0, ink_pool_threads) for per-thread scratch.
typedef void (*ink_task)(void *context, size_t index, int thread);

// A team of `n_threads`, the calling thread counted (0: one per available processor, as the
// affinity mask and INKSTONE_THREADS say). NULL when threads or memory are refused.
ink_pool *ink_pool_new(int n_threads);
// A team as large as `like` (NULL: one) that runs no task: work on it takes the memory that it
// would take, and leaves it untouched. To plan with. NULL without memory.
ink_pool *ink_pool_new_idle(const ink_pool *like);
void ink_pool_free(ink_pool *pool);

int ink_pool_threads(const ink_pool *pool);

// Run task(context, 0 … n_tasks-1) on the team and return when all are done. `pool` NULL runs them
// here, in order. Not reentrant: a task must not call ink_pool_run on its own pool.
void ink_pool_run(ink_pool *pool, size_t n_tasks, ink_task task, void *context);

#endif
