// Seeded numbers, exactly sized arrays and the comparison that the kernel tests share.
#pragma once
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "../src/kernels.h"
#include "../src/thread_pool.h"

using namespace netssm;

inline std::atomic<int> failures{0};
inline std::atomic<long> checks{0};

struct Random {
  std::mt19937 engine;
  explicit Random(unsigned seed) : engine(seed) {}
  int below(int n) { return static_cast<int>(engine() % static_cast<unsigned>(n)); }
  float real(float low = -2, float high = 2) { return low + (high - low) * static_cast<float>(engine() % 100001) / 100000; }
};

// Heap blocks of exactly the right size, so that AddressSanitizer sees one element too many.
template <class T>
struct Array {
  std::unique_ptr<T[]> data;
  int64_t size;
  explicit Array(int64_t n) : data(new T[static_cast<size_t>(n)]()), size(n) {}
  T& operator[](int64_t i) { return data[static_cast<size_t>(i)]; }
  const T& operator[](int64_t i) const { return data[static_cast<size_t>(i)]; }
  T* get() { return data.get(); }
};
using Floats = Array<float>;

inline Floats random(Random& r, int64_t n, float low = -2, float high = 2) {
  Floats a(n);
  for (int64_t i = 0; i < n; ++i) a[i] = r.real(low, high);
  return a;
}

inline void check(const char* what, const float* actual, const std::vector<double>& expected, double tolerance = 1e-5) {
  double scale = 1e-6, worst = 0;
  for (double e : expected) scale = std::max(scale, std::fabs(e));
  for (size_t i = 0; i < expected.size(); ++i) {
    const double d = std::fabs(actual[i] - expected[i]);
    if (!(d <= worst)) worst = d;
  }
  ++checks;
  if (!(worst <= tolerance * scale)) {
    ++failures;
    std::printf("FAILED %s (%s): off by %g, allowed %g\n", what, kernels().name, worst, tolerance * scale);
  }
}

void testConv(Random& r);
void testCausal(Random& r);
void testResize(Random& r);
void testLayers(Random& r);
void testDecoder(Random& r);
void testScan(Random& r);
void testFused(Random& r);
