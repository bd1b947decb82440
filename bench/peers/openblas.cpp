// The project's matrix products and OpenBLAS's, call by call in turn, so that whatever else the machine does falls on
// both. One thread: CPU time of the thread. More: wall time. Built and run by openblas.sh.
//   openblas [threads] [seconds per shape] [part of a shape's name]
#include <dlfcn.h>
#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "../../native/src/kernels.h"
#include "../../native/src/thread_pool.h"

using Sgemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);

static double seconds(bool wall) {
  timespec t;
  clock_gettime(wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

struct Shape {
  const char* name;
  bool ta, tb;
  int m, n, k;
};

static const Shape shapes[] = {
    {"1024^3", false, false, 1024, 1024, 1024},
    {"1024^3, B transposed", false, true, 1024, 1024, 1024},
    {"1024^3, A transposed", true, false, 1024, 1024, 1024},
    {"512^3", false, false, 512, 512, 512},
    {"256^3", false, false, 256, 256, 256},
    {"64^3", false, false, 64, 64, 64},
    {"S in_proj", false, true, 1024, 384, 128},
    {"S in_proj, input gradient", false, false, 1024, 128, 384},
    {"S in_proj, weight gradient", true, false, 384, 128, 1024},
    {"S out_proj", false, true, 1024, 128, 256},
    {"S out_proj, input gradient", false, false, 1024, 256, 128},
    {"S logits", false, true, 1024, 272, 128},
    {"M in_proj", false, false, 2048, 1024, 256},
    {"M in_proj, weight gradient", true, false, 256, 1024, 2048},
    {"L in_proj", false, false, 512, 3072, 768},
    {"L out_proj", false, false, 512, 768, 1536},
    {"L in_proj, weight gradient", true, false, 768, 3072, 512},
    {"x_proj", false, false, 2048, 48, 512},
    {"dt_proj", false, false, 2048, 512, 16},
    {"one row 256", false, false, 1, 1024, 256},
    {"one row 768", false, false, 1, 3072, 768},
    {"16 rows 768", false, false, 16, 3072, 768},
};

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  const double budget = argc > 2 ? std::atof(argv[2]) : 0.3;
  // Its idle threads spin for 2^28 cycles, on the core that our second thread wants: let them do so for 2^20 only.
  setenv("OPENBLAS_THREAD_TIMEOUT", "20", 0);
  void* library = dlopen("libopenblas.so.0", RTLD_NOW);
  if (!library) library = dlopen("libopenblas.so", RTLD_NOW);
  if (!library) {
    std::fprintf(stderr, "OpenBLAS is not installed (apt install libopenblas0-pthread): %s\n", dlerror());
    return 1;
  }
  const Sgemm sgemm = reinterpret_cast<Sgemm>(dlsym(library, "cblas_sgemm"));
  reinterpret_cast<void (*)(int)>(dlsym(library, "openblas_set_num_threads"))(threads);
  std::printf("%s\n", reinterpret_cast<char* (*)()>(dlsym(library, "openblas_get_config"))());
  netssm::setThreadCount(threads);
  const netssm::Kernels& kernels = netssm::kernels();
  std::printf("%s, %d thread(s), GFLOP/s\n%-28s %8s %8s %6s\n", kernels.name, threads, "", "ours", "OpenBLAS", "ratio");
  std::vector<float> a(1 << 22), b(1 << 22), c(1 << 22);
  for (auto* v : {&a, &b})
    for (float& x : *v) x = static_cast<float>(std::rand()) / static_cast<float>(RAND_MAX) - 0.5f;
  for (const Shape& s : shapes) {
    if (argc > 3 && !std::strstr(s.name, argv[3])) continue;
    const netssm::GemmArgs g{s.ta, s.tb, s.m, s.n, s.k, a.data(), b.data(), c.data(), 1, 1, 1, nullptr};
    const double work = static_cast<double>(s.m) * s.n * s.k;
    const int repeat = std::max(1, static_cast<int>(4e6 / work));
    double best[2] = {1e9, 1e9};
    const double end = seconds(true) + budget;
    for (int round = 0; round < 4 || seconds(true) < end; ++round)
      for (int who = 0; who < 2; ++who) {
        // A turn is a few calls, the first of which wake the threads. Before it the other library's fall asleep.
        if (threads > 1) std::this_thread::sleep_for(std::chrono::milliseconds(4));
        for (int call = 0; call < (threads > 1 ? 8 : 1); ++call) {
          const double start = seconds(threads > 1);
          for (int i = 0; i < repeat; ++i) {
            if (who == 0)
              kernels.gemm(g);
            else
              sgemm(101, s.ta ? 112 : 111, s.tb ? 112 : 111, s.m, s.n, s.k, 1, a.data(), s.ta ? s.m : s.k, b.data(),
                    s.tb ? s.k : s.n, 0, c.data(), s.n);
          }
          if (round + call > 0) best[who] = std::min(best[who], (seconds(threads > 1) - start) / repeat);
        }
      }
    std::printf("%-28s %8.1f %8.1f %6.2f\n", s.name, 2e-9 * work / best[0], 2e-9 * work / best[1], best[1] / best[0]);
  }
  return 0;
}
