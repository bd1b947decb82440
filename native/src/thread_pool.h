// One pool of worker threads for the whole process. JavaScript worker threads share it (C++ statics are per process);
// a caller that finds it busy runs its tasks itself, so nobody waits for somebody else's work.
#pragma once
#include <cstdint>
#include <type_traits>

namespace netssm {

using TaskFn = void (*)(void* context, int64_t task);

// Number of threads that work on one job, the caller included.
int threadCount();
// Takes effect at the next job. Values below 1 mean 1.
void setThreadCount(int threads);

// Calls fn(context, t) once for every t in [0, tasks). Which thread runs a task is left open, so tasks must not depend
// on it: results are then bit for bit the same for every number of threads.
void runTasks(int64_t tasks, TaskFn fn, void* context);

// Ends and joins the threads; the next job starts new ones. Called when the last JavaScript environment goes away,
// because the library may be unloaded after that.
void shutdownThreads();

template <class F>
inline void parallelTasks(int64_t tasks, F&& f) {
  if (tasks <= 1) {
    if (tasks == 1) f(int64_t{0});
    return;
  }
  using Fn = typename std::remove_reference<F>::type;
  runTasks(
      tasks, [](void* context, int64_t task) { (*static_cast<Fn*>(context))(task); },
      const_cast<void*>(static_cast<const void*>(&f)));
}

// Splits [0, n) in runs of `grain` (the last may be shorter) and calls f(begin, end) for each. The cut depends on n and
// grain alone, never on the number of threads.
template <class F>
inline void parallelRange(int64_t n, int64_t grain, F&& f) {
  if (n <= 0) return;
  if (grain < 1) grain = 1;
  const int64_t tasks = (n + grain - 1) / grain;
  if (tasks == 1) {
    f(int64_t{0}, n);
    return;
  }
  parallelTasks(tasks, [&](int64_t t) {
    const int64_t begin = t * grain;
    const int64_t end = begin + grain < n ? begin + grain : n;
    f(begin, end);
  });
}

}  // namespace netssm
