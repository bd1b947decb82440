#include "thread_pool.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#define NETSSM_PAUSE() _mm_pause()
#elif defined(__aarch64__)
#define NETSSM_PAUSE() asm volatile("yield")
#else
#define NETSSM_PAUSE() ((void)0)
#endif

namespace netssm {
namespace {

constexpr int kMaxThreads = 256;

// The tasks that one thread has still to do: [begin, end), begin in the upper half. The owner takes from the front and
// others, when they have nothing left, from the back. Calls of the same shape so give a thread the same part of an
// array again, which may still lie in its own cache.
struct alignas(64) Share {
  std::atomic<uint64_t> range{0};

  void set(uint64_t begin, uint64_t end) { range.store(begin << 32 | end, std::memory_order_relaxed); }
  // A task number, or -1 when nothing is left.
  int64_t take(bool front) {
    uint64_t r = range.load(std::memory_order_relaxed);
    for (;;) {
      const uint64_t begin = r >> 32, end = r & 0xffffffffu;
      if (begin >= end) return -1;
      const uint64_t left = front ? (begin + 1) << 32 | end : begin << 32 | (end - 1);
      if (range.compare_exchange_weak(r, left, std::memory_order_relaxed))
        return static_cast<int64_t>(front ? begin : end - 1);
    }
  }
};

// A job is published under `mutex` with a new `epoch`. Threads take task numbers from `shares`; `working` counts the
// workers inside the job, and the caller leaves when it is zero and no task is left to take.
struct Pool {
  std::mutex owner;  // held by the caller for the length of a job, and by shutdown
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<std::thread> workers;
  std::atomic<uint64_t> epoch{0};
  std::atomic<bool> stop{false};
  std::atomic<int> working{0};
  std::atomic<bool> failed{false};
  std::exception_ptr error;  // the first failure of the job, written by whoever set `failed`
  int sleepers = 0;  // guarded by mutex
  bool open = false;  // guarded by mutex: a job is there to be joined
  int threads = 1;    // that share the job
  TaskFn fn = nullptr;
  void* context = nullptr;
  Share shares[kMaxThreads];
};

Pool& pool() {
  static Pool* p = new Pool;  // never destroyed: workers may outlive static destructors
  return *p;
}

std::atomic<int>& wanted() {
  static std::atomic<int> count{0};
  return count;
}

thread_local bool insideJob = false;

// Thread `self` of the job: its own share first, then what the others have left.
void claimTasks(Pool& p, TaskFn fn, void* context, int threads, int self) {
  for (int turn = 0; turn < threads; ++turn) {
    Share& share = p.shares[(self + turn) % threads];
    for (int64_t t = share.take(turn == 0); t >= 0; t = share.take(turn == 0)) {
      try {
        fn(context, t);
      } catch (...) {
        if (!p.failed.exchange(true)) p.error = std::current_exception();
      }
    }
  }
}

void work(Pool& p, uint64_t seen, int self) {
  using Clock = std::chrono::steady_clock;
  insideJob = true;
  for (;;) {
    // Operations come a few microseconds apart while a model runs: look for the next one a little before sleeping.
    const auto until = Clock::now() + std::chrono::microseconds(30);
    while (p.epoch.load(std::memory_order_acquire) == seen && !p.stop.load(std::memory_order_relaxed)) {
      for (int i = 0; i < 32; ++i) NETSSM_PAUSE();
      if (Clock::now() > until) break;
    }
    TaskFn fn = nullptr;
    void* context = nullptr;
    int threads = 1;
    {
      std::unique_lock<std::mutex> lock(p.mutex);
      ++p.sleepers;
      p.wake.wait(lock, [&] { return p.epoch.load() != seen || p.stop.load(); });
      --p.sleepers;
      if (p.stop.load()) return;
      seen = p.epoch.load();
      if (!p.open) continue;
      fn = p.fn;
      context = p.context;
      threads = p.threads;
      p.working.fetch_add(1, std::memory_order_relaxed);
    }
    claimTasks(p, fn, context, threads, self);
    p.working.fetch_sub(1, std::memory_order_release);
  }
}

void stopWorkers(Pool& p) {
  {
    std::lock_guard<std::mutex> lock(p.mutex);
    p.stop.store(true);
  }
  p.wake.notify_all();
  for (std::thread& t : p.workers) t.join();
  p.workers.clear();
  p.stop.store(false);
}

void resize(Pool& p, int workers) {
  if (static_cast<int>(p.workers.size()) == workers) return;
  stopWorkers(p);
  const uint64_t seen = p.epoch.load();
  for (int i = 0; i < workers; ++i) p.workers.emplace_back([&p, seen, i] { work(p, seen, i + 1); });
}

int defaultThreads() {
  const char* text = std::getenv("NETSSM_THREADS");
  const int asked = text ? std::atoi(text) : 0;
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const int n = asked > 0 ? asked : cores;
  return n < 1 ? 1 : (n > kMaxThreads ? kMaxThreads : n);
}

}  // namespace

int threadCount() {
  int n = wanted().load(std::memory_order_relaxed);
  if (n == 0) {
    n = defaultThreads();
    int expected = 0;
    if (!wanted().compare_exchange_strong(expected, n)) n = expected;
  }
  return n;
}

void setThreadCount(int threads) { wanted().store(threads < 1 ? 1 : (threads > kMaxThreads ? kMaxThreads : threads)); }

void runTasks(int64_t tasks, TaskFn fn, void* context) {
  const int threads = threadCount();
  Pool& p = pool();
  if (threads == 1 || tasks <= 1 || tasks > 0x7fffffff || insideJob || !p.owner.try_lock()) {
    for (int64_t t = 0; t < tasks; ++t) fn(context, t);
    return;
  }
  std::lock_guard<std::mutex> owned(p.owner, std::adopt_lock);
  try {
    resize(p, threads - 1);
  } catch (...) {  // no thread to be had: what started works, the caller does the rest
  }
  bool sleeping;
  {
    std::lock_guard<std::mutex> lock(p.mutex);
    p.fn = fn;
    p.context = context;
    p.threads = threads;
    for (int i = 0; i < threads; ++i)
      p.shares[i].set(static_cast<uint64_t>(tasks * i / threads), static_cast<uint64_t>(tasks * (i + 1) / threads));
    p.open = true;
    p.epoch.fetch_add(1, std::memory_order_release);
    sleeping = p.sleepers > 0;
  }
  if (sleeping) p.wake.notify_all();
  insideJob = true;
  claimTasks(p, fn, context, threads, 0);
  insideJob = false;
  {
    std::lock_guard<std::mutex> lock(p.mutex);
    p.open = false;  // a worker that wakes up now finds the door closed
  }
  for (int spins = 0; p.working.load(std::memory_order_acquire) != 0; ++spins) {
    if (spins < 2000)
      NETSSM_PAUSE();
    else
      std::this_thread::yield();
  }
  if (p.failed.load()) {
    const std::exception_ptr error = p.error;
    p.error = nullptr;
    p.failed.store(false);
    std::rethrow_exception(error);
  }
}

void shutdownThreads() {
  Pool& p = pool();
  std::lock_guard<std::mutex> owned(p.owner);
  stopWorkers(p);
}

}  // namespace netssm
