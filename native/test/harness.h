// Seeded numbers, exactly sized arrays and the comparison that the kernel tests share.
#pragma once
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "../src/kernels.h"
#include "../src/thread_pool.h"

// The sanitizers watch the heap; without them the end of every array lies at a page that nobody may touch, which also
// stops what they do not see: masked loads and stores, matrix tiles.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NETSSM_WATCHED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NETSSM_WATCHED 1
#endif
#if !defined(NETSSM_WATCHED)
#include <sys/mman.h>
#include <unistd.h>
#endif

using namespace netssm;

inline std::atomic<int> failures{0};
inline std::atomic<long> checks{0};

struct Random {
  std::mt19937 engine;
  explicit Random(unsigned seed) : engine(seed) {}
  int below(int n) { return static_cast<int>(engine() % static_cast<unsigned>(n)); }
  float real(float low = -2, float high = 2) { return low + (high - low) * static_cast<float>(engine() % 100001) / 100000; }
};

// Memory of exactly the right size, so that one element too many is noticed.
template <class T>
struct Array {
  T* data;
  int64_t size;
  explicit Array(int64_t n) : data(nullptr), size(n) {
#if defined(NETSSM_WATCHED)
    data = new T[static_cast<size_t>(n)]();
#else
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE)), whole = mapped(page);
    void* all = mmap(nullptr, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || mprotect(static_cast<char*>(all) + whole, page, PROT_NONE) != 0) std::abort();
    data = reinterpret_cast<T*>(static_cast<char*>(all) + whole) - n;
#endif
  }
  Array(Array&& other) noexcept : data(other.data), size(other.size) { other.data = nullptr; }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() {
#if defined(NETSSM_WATCHED)
    delete[] data;
#else
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE)), whole = mapped(page);
    if (data) munmap(reinterpret_cast<char*>(data + size) - whole, whole + page);
#endif
  }
  T& operator[](int64_t i) { return data[i]; }
  const T& operator[](int64_t i) const { return data[i]; }
  T* get() { return data; }

 private:
  // Bytes of whole pages before the guarded one.
  size_t mapped(size_t page) const { return (static_cast<size_t>(size) * sizeof(T) + page - 1) / page * page; }
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
void testBf16(Random& r);
