// Which instruction sets this build holds and this processor runs; scratch memory; copies that need no vector unit.
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <new>

#include "kernels.h"
#include "memory.h"
#include "thread_pool.h"

namespace netssm {

float* alignedAlloc(size_t floats) {
  size_t bytes = (floats * sizeof(float) + 63) / 64 * 64;
  if (bytes == 0) bytes = 64;
#if defined(_WIN32)
  void* p = _aligned_malloc(bytes, 64);
#else
  void* p = std::aligned_alloc(64, bytes);
#endif
  if (!p) throw std::bad_alloc();
  return static_cast<float*>(p);
}

void alignedFree(float* p) {
#if defined(_WIN32)
  _aligned_free(p);
#else
  std::free(p);
#endif
}

namespace {

const Kernels* find(const char* name) {
#if defined(NETSSM_X86)
  __builtin_cpu_init();
  if (!std::strcmp(name, "avx512") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma"))
    return kernelsAvx512();
  if (!std::strcmp(name, "avx2") && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return kernelsAvx2();
#elif defined(NETSSM_ARM64)
  if (!std::strcmp(name, "neon")) return kernelsNeon();
#endif
  if (!std::strcmp(name, "scalar")) return kernelsScalar();
  return nullptr;
}

std::atomic<const Kernels*> chosen{nullptr};

}  // namespace

bool selectKernels(const char* name) {
  const Kernels* k = find(name);
  if (k) chosen.store(k);
  return k != nullptr;
}

const Kernels& kernels() {
  const Kernels* k = chosen.load(std::memory_order_acquire);
  if (!k) {
    const char* asked = std::getenv("NETSSM_ISA");
    if (asked) k = find(asked);
    for (const char* name : {"avx512", "avx2", "neon", "scalar"})
      if (!k) k = find(name);
    chosen.store(k, std::memory_order_release);
  }
  return *k;
}

namespace {

template <class T>
void copyRows(const Nd& nd, const T* x, T* out) {
  const int last = nd.rank - 1;
  const int64_t n = nd.rank ? nd.shape[last] : 1;
  const int64_t sa = nd.rank ? nd.a[last] : 1, sc = nd.rank ? nd.c[last] : 1;
  int64_t rows = 1;
  for (int d = 0; d < last; ++d) rows *= nd.shape[d];
  if (n <= 0 || rows <= 0) return;
  auto run = [&](int64_t count, const T* from, T* to) {
    if (sc == 1 && sa == 1) {
      std::memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
    } else if (sc == 1 && sa == 0) {
      const T v = *from;
      for (int64_t i = 0; i < count; ++i) to[i] = v;
    } else {
      for (int64_t i = 0; i < count; ++i) to[i * sc] = from[i * sa];
    }
  };
  if (rows == 1) {
    parallelRange(n, 32768, [&](int64_t i0, int64_t i1) { run(i1 - i0, x + i0 * sa, out + i0 * sc); });
    return;
  }
  parallelRange(rows, 1 + 32768 / n, [&](int64_t r0, int64_t r1) {
    int64_t index[kMaxRank] = {0};
    int64_t a = 0, c = 0, row = r0;
    for (int d = last - 1; d >= 0; --d) {
      index[d] = row % nd.shape[d];
      row /= nd.shape[d];
      a += index[d] * nd.a[d];
      c += index[d] * nd.c[d];
    }
    for (int64_t r = r0; r < r1; ++r) {
      run(n, x + a, out + c);
      for (int d = last - 1; d >= 0; --d) {
        a += nd.a[d];
        c += nd.c[d];
        if (++index[d] < nd.shape[d]) break;
        a -= nd.a[d] * nd.shape[d];
        c -= nd.c[d] * nd.shape[d];
        index[d] = 0;
      }
    }
  });
}

}  // namespace

void stridedCopy(const Nd& nd, int bytes, const void* x, void* out) {
  if (bytes == 1) copyRows(nd, static_cast<const uint8_t*>(x), static_cast<uint8_t*>(out));
  else if (bytes == 8) copyRows(nd, static_cast<const uint64_t*>(x), static_cast<uint64_t*>(out));
  else copyRows(nd, static_cast<const uint32_t*>(x), static_cast<uint32_t*>(out));
}

}  // namespace netssm
