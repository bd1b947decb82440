#include "adamw.h"

#include <cmath>

#include "thread_pool.h"

// Compiled with -ffp-contract=off: a fused multiply-add rounds once where JavaScript rounds twice. Two lanes or four make
// no difference to the results, so the same loops serve every processor; the compiler makes vectors of them.
#if defined(NETSSM_X86)
#define WIDE __attribute__((target("avx2")))
#else
#define WIDE
#endif
#define INLINE static inline __attribute__((always_inline))

namespace netssm {
namespace {

struct Block {
  const AdamWArray* array;
  int64_t begin, end;
};

std::vector<Block> blocksOf(const std::vector<AdamWArray>& arrays) {
  std::vector<Block> blocks;
  for (const AdamWArray& a : arrays)
    for (int64_t i = 0; i < a.n; i += kAdamWBlock) blocks.push_back({&a, i, i + kAdamWBlock < a.n ? i + kAdamWBlock : a.n});
  return blocks;
}

// Eight sums, number i goes to sum i % 8. The square of a float is exact in double.
INLINE double squares(const float* g, int64_t n) {
  double s[8] = {0, 0, 0, 0, 0, 0, 0, 0};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int j = 0; j < 8; ++j) s[j] += static_cast<double>(g[i + j]) * static_cast<double>(g[i + j]);
  for (int j = 0; i < n; ++i, ++j) s[j] += static_cast<double>(g[i]) * static_cast<double>(g[i]);
  return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

INLINE void update(const AdamWStep& c, double keep, int64_t n, float* __restrict p, const float* __restrict g,
                   float* __restrict m, float* __restrict v) {
  const double one1 = 1 - c.beta1, one2 = 1 - c.beta2;
  for (int64_t i = 0; i < n; ++i) {
    const double gi = g[i] * c.scale;
    const double mi = m[i] + one1 * (gi - m[i]);
    const double vi = c.beta2 * v[i] + one2 * gi * gi;
    m[i] = static_cast<float>(mi);
    v[i] = static_cast<float>(vi);
    p[i] = static_cast<float>(p[i] * keep - (c.stepSize * mi) / (std::sqrt(vi) * c.correction + c.eps));
  }
}

WIDE double squaresWide(const float* g, int64_t n) { return squares(g, n); }
double squaresPlain(const float* g, int64_t n) { return squares(g, n); }
WIDE void updateWide(const AdamWStep& c, double keep, int64_t n, float* p, const float* g, float* m, float* v) {
  update(c, keep, n, p, g, m, v);
}
void updatePlain(const AdamWStep& c, double keep, int64_t n, float* p, const float* g, float* m, float* v) {
  update(c, keep, n, p, g, m, v);
}

bool wide() {
#if defined(NETSSM_X86)
  static const bool yes = __builtin_cpu_supports("avx2");
  return yes;
#else
  return true;
#endif
}

}  // namespace

double squaredNorm(const std::vector<AdamWArray>& arrays) {
  const std::vector<Block> blocks = blocksOf(arrays);
  std::vector<double> sums(blocks.size());
  const auto run = wide() ? squaresWide : squaresPlain;
  parallelTasks(static_cast<int64_t>(blocks.size()), [&](int64_t i) {
    const Block& b = blocks[static_cast<size_t>(i)];
    sums[static_cast<size_t>(i)] = run(b.array->g + b.begin, b.end - b.begin);
  });
  double sum = 0;
  for (const double s : sums) sum += s;
  return sum;
}

void adamwStep(const std::vector<AdamWArray>& arrays, const AdamWStep& step) {
  const std::vector<Block> blocks = blocksOf(arrays);
  const auto run = wide() ? updateWide : updatePlain;
  parallelTasks(static_cast<int64_t>(blocks.size()), [&](int64_t i) {
    const Block& b = blocks[static_cast<size_t>(i)];
    const AdamWArray& a = *b.array;
    run(step, a.keep, b.end - b.begin, a.p + b.begin, a.g + b.begin, a.m + b.begin, a.v + b.begin);
  });
}

}  // namespace netssm
