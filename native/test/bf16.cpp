// Products of operands rounded to bfloat16 against plain loops in double precision, by every means that the processor
// has: tiles, dot products, rounding first. The shapes are those of a projection and its two gradients, and others.
#include <cstring>
#include <mutex>

#include "harness.h"

namespace {

// The nearest number with 8 bits of mantissa, ties to even.
float rounded(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
  std::memcpy(&x, &bits, 4);
  return x;
}

struct Shape {
  int64_t m, n, k;
  bool ta, tb;
};

void testProduct(Random& r, const Shape& s, int64_t batch, bool oneA, bool oneB, bool withBias) {
  const int64_t batchA = oneA ? 1 : batch, batchB = oneB ? 1 : batch;
  Floats a = random(r, batchA * s.m * s.k), b = random(r, batchB * s.k * s.n), bias = random(r, s.n), c(batch * s.m * s.n);
  std::vector<double> wideA, wideB, e;
  for (int64_t i = 0; i < a.size; ++i) wideA.push_back(rounded(a[i]));
  for (int64_t i = 0; i < b.size; ++i) wideB.push_back(rounded(b[i]));
  for (int64_t q = 0; q < batch; ++q)
    for (int64_t i = 0; i < s.m; ++i)
      for (int64_t j = 0; j < s.n; ++j) {
        const double* x = wideA.data() + q % batchA * s.m * s.k + (s.ta ? i : i * s.k);
        const double* y = wideB.data() + q % batchB * s.k * s.n + (s.tb ? j * s.k : j);
        double sum = withBias ? bias[j] : 0;
        for (int64_t p = 0; p < s.k; ++p) sum += x[s.ta ? p * s.m : p] * y[s.tb ? p : p * s.n];
        e.push_back(sum);
      }
  kernels().gemmBf16({s.ta, s.tb, s.m, s.n, s.k, a.get(), b.get(), c.get(), batch, batchA, batchB, withBias ? bias.get() : nullptr});
  check("gemmBf16", c.get(), e);
}

}  // namespace

void testBf16(Random& r) {
  // The level is one for the whole process: one caller at a time.
  static std::mutex levels;
  const std::lock_guard<std::mutex> own(levels);
  const Shape chosen[] = {{200, 150, 70, false, true},    // y = x W^T of 200 rows
                          {200, 70, 150, false, false},   // dx = dy W
                          {150, 70, 200, true, false},    // dW = dy^T x
                          {64, 64, 64, false, false},  {33, 31, 33, false, true},     {1, 1, 1, false, false},
                          {17, 95, 1100, true, true},  {300, 33, 513, false, false},  {16, 32, 0, false, false}};
  for (int level = 0; level <= 2; ++level) {
    if (kernels().gemmBf16Level(level) < level) break;
    for (const Shape& s : chosen) testProduct(r, s, 1, false, false, r.below(2) != 0);
    for (int round = 0; round < 6; ++round) {
      const Shape s{1 + r.below(70), 1 + r.below(70), 1 + r.below(90), r.below(2) != 0, r.below(2) != 0};
      testProduct(r, s, 1 + r.below(4), r.below(2) != 0, r.below(2) != 0, r.below(2) != 0);
    }
  }
  kernels().gemmBf16Level(-1);
}
