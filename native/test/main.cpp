// Every kernel against a reference loop in double precision, on every instruction set this processor has, from two
// threads at once. Built and run by native/sanitize.sh under the sanitizers, and by test/native without them.
//
//   main [rounds]     prints one line per kernel family and ends with status 1 if anything disagrees
#include "harness.h"

namespace {

void testGemm(Random& r) {
  // Besides random ones: shapes on the other side of each choice that gemm.inl makes.
  struct Shape {
    int64_t m, n, k;
    bool ta, tb;
  };
  const Shape chosen[] = {{40, 400, 70, false, false}, {40, 400, 70, true, false},  {1100, 40, 30, true, false},
                          {20, 200, 1024, false, true}, {50, 100, 1024, false, false}, {1, 5000, 41, false, false},
                          {1, 300, 901, false, false},  {1, 301, 900, false, true},   {300, 1, 333, false, false},
                          {300, 1, 333, true, false},   {90, 90, 90, false, false},
                          // A projection of 200 rows, its gradients for the input and for the weights.
                          {200, 150, 70, false, true},  {200, 70, 150, false, false}, {150, 70, 200, true, false}};
  const int others = static_cast<int>(sizeof chosen / sizeof *chosen);
  for (int round = 0; round < 24 + others; ++round) {
    const int limit = round % 4 == 0 ? 150 : 40;
    const Shape* const s = round < 24 ? nullptr : &chosen[round - 24];
    const int64_t m = s ? s->m : 1 + r.below(limit), n = s ? s->n : 1 + r.below(limit);
    const int64_t k = s ? s->k : r.below(round % 5 == 0 ? 600 : limit);
    const int64_t batch = s ? 1 : 1 + r.below(4), batchA = r.below(2) ? batch : 1, batchB = r.below(2) ? batch : 1;
    const bool ta = s ? s->ta : r.below(2) != 0, tb = s ? s->tb : r.below(2) != 0, withBias = r.below(2) != 0;
    Floats a = random(r, batchA * m * k), b = random(r, batchB * k * n), bias = random(r, n), c(batch * m * n);
    std::vector<double> e(static_cast<size_t>(c.size));
    for (int64_t q = 0; q < batch; ++q)
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) {
          double s = withBias ? bias[j] : 0;
          for (int64_t p = 0; p < k; ++p)
            s += static_cast<double>(a[q % batchA * m * k + (ta ? p * m + i : i * k + p)]) *
                 b[q % batchB * k * n + (tb ? j * k + p : p * n + j)];
          e[static_cast<size_t>((q * m + i) * n + j)] = s;
        }
    kernels().gemm({ta, tb, m, n, k, a.get(), b.get(), c.get(), batch, batchA, batchB, withBias ? bias.get() : nullptr});
    check("gemm", c.get(), e);
  }
}

void testBinary(Random& r) {
  for (int round = 0; round < 20; ++round) {
    Nd nd{};
    nd.rank = r.below(4);
    int64_t n = 1;
    for (int d = 0; d < nd.rank; ++d) n *= nd.shape[d] = 1 + r.below(d == nd.rank - 1 ? 300 : 12);
    int64_t sa = 1, sb = 1;
    for (int d = nd.rank - 1; d >= 0; --d) {
      nd.a[d] = r.below(3) ? sa : 0;
      nd.b[d] = r.below(3) ? sb : 0;
      if (nd.a[d]) sa *= nd.shape[d];
      if (nd.b[d]) sb *= nd.shape[d];
    }
    Floats a = random(r, sa), b = random(r, sb, 0.5f, 2), out(n);
    Array<uint8_t> flags(n);
    const auto offset = [&](const int64_t* strides, int64_t i) {
      int64_t o = 0;
      for (int d = nd.rank - 1; d >= 0; --d) {
        o += i % nd.shape[d] * strides[d];
        i /= nd.shape[d];
      }
      return o;
    };
    for (int op = 0; op < Binaries; ++op) {
      std::vector<double> e;
      for (int64_t i = 0; i < n; ++i) {
        const double x = a[offset(nd.a, i)], y = b[offset(nd.b, i)];
        const double v[] = {x + y, x - y, x * y, x / y, std::max(x, y), std::min(x, y), (x - y) * (x - y)};
        e.push_back(v[op]);
      }
      kernels().binary(op, nd, a.get(), b.get(), out.get());
      check("binary", out.get(), e);
    }
    for (int op = 0; op < Compares; ++op) {
      kernels().compare(op, nd, a.get(), b.get(), flags.get());
      std::vector<double> e;
      Floats seen(n);
      for (int64_t i = 0; i < n; ++i) {
        const float x = a[offset(nd.a, i)], y = b[offset(nd.b, i)];
        const bool v[] = {x < y, x <= y, x > y, x >= y, x == y, x != y};
        e.push_back(v[op]);
        seen[i] = flags[i];
      }
      check("compare", seen.get(), e);
    }
  }
}

void testUnary(Random& r) {
  const std::function<double(double)> reference[] = {
      [](double v) { return std::exp(v); },
      [](double v) { return std::log(v); },
      [](double v) { return std::log1p(v); },
      [](double v) { return std::expm1(v); },
      [](double v) { return 1 / (1 + std::exp(-v)); },
      [](double v) { return std::log1p(std::exp(v)); },
      [](double v) { return std::tanh(v); },
      [](double v) { return -v; },
      [](double v) { return v * v; },
      [](double v) { return std::sqrt(v); },
      [](double v) { return 1 / std::sqrt(v); },
      [](double v) { return 1 / v; },
      [](double v) { return std::max(v, 0.0); },
      [](double v) { return std::min(std::max(v, 0.0), 6.0); },
      [](double v) { return v < 0 ? std::expm1(v) : v; },
      [](double v) { return v < 0 ? 0.25 * v : v; },
      [](double v) { return std::fabs(v); },
      [](double v) { return v < 0 ? -1.0 : v > 0 ? 1.0 : 0.0; },
      [](double v) { return v > 0 ? 1.0 : 0.25; },
      [](double v) { return std::floor(v); },
      [](double v) { return std::ceil(v); },
      [](double v) { return std::nearbyint(v); },
      [](double v) { return std::min(std::max(v, 0.25), 1.5); },
      [](double v) { return std::erf(v); },
      [](double v) { return v < 0 ? 1.7580993408473769 * std::expm1(v) : 1.0507009873554805 * v; },
      [](double v) { return v / (1 + std::exp(-v)); },
      [](double v) { return v; },
      [](double v) { return 0.25 * v + 1.5; },
  };
  for (int64_t n : {0, 1, 15, 16, 17, 1000, 40000}) {
    for (int op = 0; op < Unaries; ++op) {
      const bool positive = op == Log || op == Log1p || op == Sqrt || op == Rsqrt || op == Reciprocal;
      Floats x = random(r, n, positive ? 0.05f : -3, 3), out(n);
      kernels().unary(op, n, x.get(), out.get(), 0.25f, 1.5f);
      std::vector<double> e;
      for (int64_t i = 0; i < n; ++i) e.push_back(reference[op](x[i]));
      check("unary", out.get(), e);
    }
  }
}

void testReduce(Random& r) {
  for (int round = 0; round < 26; ++round) {
    const bool tall = round % 6 == 0, wide = round >= 24;
    const int64_t outer = 1 + r.below(wide ? 2 : 5), n = tall && !wide ? 3000 + r.below(9000) : 1 + r.below(70);
    const int64_t inner = wide ? 2000 + r.below(500) : tall ? 1 + r.below(4) : 1 + r.below(70);
    Floats x = random(r, outer * n * inner, 0.99f, 1.01f), out(outer * inner), all(x.size);
    Array<int32_t> at(outer * inner);
    for (int op = 0; op < Reduces; ++op) {
      std::vector<double> e;
      for (int64_t o = 0; o < outer; ++o)
        for (int64_t j = 0; j < inner; ++j) {
          double s = op == ReduceSum ? 0 : op == ReduceProd ? 1 : x[o * n * inner + j];
          for (int64_t i = 0; i < n; ++i) {
            const double v = x[(o * n + i) * inner + j];
            s = op == ReduceSum ? s + v : op == ReduceProd ? s * v : op == ReduceMax ? std::max(s, v) : std::min(s, v);
          }
          e.push_back(s * 0.5);
        }
      kernels().reduce(op, outer, n, inner, x.get(), out.get(), 0.5f);
      check("reduce", out.get(), e, op == ReduceProd ? 1e-3 : 1e-5);
    }
    for (int max = 0; max < 2; ++max) {
      kernels().argReduce(max, outer, n, inner, x.get(), at.get());
      ++checks;
      for (int64_t o = 0; o < outer * inner; ++o) {
        int64_t best = 0;
        const float* column = x.get() + o / inner * n * inner + o % inner;
        for (int64_t i = 1; i < n; ++i)
          if (max ? column[i * inner] > column[best * inner] : column[i * inner] < column[best * inner]) best = i;
        if (at[o] != best) {
          ++failures;
          std::printf("FAILED argReduce (%s): %d, not %ld\n", kernels().name, at[o], static_cast<long>(best));
        }
      }
    }
    for (int flags = 0; flags < 4; ++flags) {
      kernels().cumulate(false, flags & 1, flags & 2, outer, n, inner, x.get(), all.get());
      std::vector<double> e(static_cast<size_t>(x.size));
      for (int64_t o = 0; o < outer; ++o)
        for (int64_t j = 0; j < inner; ++j) {
          double s = 0;
          for (int64_t i = 0; i < n; ++i) {
            const int64_t q = (o * n + (flags & 2 ? n - 1 - i : i)) * inner + j;
            const double before = s;
            s += x[q];
            e[static_cast<size_t>(q)] = flags & 1 ? before : s;
          }
        }
      check("cumulate", all.get(), e, 1e-4);
    }
    Floats logits = random(r, outer * n, -9, 9), soft(outer * n);
    for (int log = 0; log < 2; ++log) {
      kernels().softmax(log, outer, n, logits.get(), soft.get());
      std::vector<double> e;
      for (int64_t o = 0; o < outer; ++o) {
        double s = 0;
        for (int64_t i = 0; i < n; ++i) s += std::exp(static_cast<double>(logits[o * n + i]));
        for (int64_t i = 0; i < n; ++i)
          e.push_back(log ? logits[o * n + i] - std::log(s) : std::exp(static_cast<double>(logits[o * n + i])) / s);
      }
      check("softmax", soft.get(), e);
    }
  }
}

// NaN anywhere makes the largest and the smallest NaN; arg-max passes over it unless it stands first.
void testNotNumbers() {
  for (int64_t n : {3, 16, 40, 200}) {
    for (int64_t at = 0; at < n; at += 5) {
      Floats x(n), out(1);
      for (int64_t i = 0; i < n; ++i) x[i] = static_cast<float>(i);
      x[at] = std::nanf("");
      for (int op : {ReduceMax, ReduceMin, ReduceSum}) {
        kernels().reduce(op, 1, n, 1, x.get(), out.get(), 1);
        ++checks;
        if (!std::isnan(out[0])) {
          ++failures;
          std::printf("FAILED reduce (%s): NaN at %ld of %ld is lost\n", kernels().name, static_cast<long>(at), static_cast<long>(n));
        }
      }
      int32_t place = -1;
      kernels().argReduce(true, 1, n, 1, x.get(), &place);
      ++checks;
      const int64_t expected = at == 0 ? 0 : at == n - 1 ? n - 2 : n - 1;
      if (place != expected) {
        ++failures;
        std::printf("FAILED argReduce (%s): %d, not %ld\n", kernels().name, place, static_cast<long>(expected));
      }
    }
  }
}

void testLayout(Random& r) {
  for (int round = 0; round < 22; ++round) {
    const bool large = round >= 20;
    const int64_t batch = 1 + r.below(3), rows = 1 + r.below(large ? 1100 : 150), columns = 1 + r.below(large ? 600 : 150);
    Floats x = random(r, batch * rows * columns), out(x.size), copied(x.size);
    kernels().transpose2d(batch, rows, columns, x.get(), out.get());
    const Nd nd{3, {batch, columns, rows}, {rows * columns, 1, columns}, {0}, {rows * columns, rows, 1}};
    stridedCopy(nd, 4, x.get(), copied.get());
    std::vector<double> e;
    for (int64_t b = 0; b < batch; ++b)
      for (int64_t j = 0; j < columns; ++j)
        for (int64_t i = 0; i < rows; ++i) e.push_back(x[(b * rows + i) * columns + j]);
    check("transpose", out.get(), e, 0);
    check("stridedCopy", copied.get(), e, 0);
    const int segments = 1 + r.below(large ? 2 : 9);
    Array<int32_t> ids(rows);
    for (int64_t i = 0; i < rows; ++i) ids[i] = r.below(segments + 2) - 1;
    Floats sums(segments * columns);
    kernels().segmentSum(rows, columns, segments, ids.get(), x.get(), sums.get());
    std::vector<double> s(static_cast<size_t>(sums.size));
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns && ids[i] >= 0 && ids[i] < segments; ++j)
        s[static_cast<size_t>(ids[i] * columns + j)] += x[i * columns + j];
    check("segmentSum", sums.get(), s);
  }
}

void testRest(Random& r) {
  for (int64_t n : {0, 1, 17, 100, 33000}) {
    Floats x = random(r, n), y = random(r, n), out(n);
    Array<uint8_t> bits(n);
    Array<int32_t> whole(n);
    std::vector<double> sum, chosen, filled;
    for (int64_t i = 0; i < n; ++i) {
      bits[i] = static_cast<uint8_t>(r.below(2));
      sum.push_back(static_cast<double>(x[i]) + y[i] + x[i]);
      chosen.push_back(bits[i] ? x[i] : y[i]);
      filled.push_back(2.5);
    }
    const float* three[] = {x.get(), y.get(), x.get()};
    kernels().addN(n, 3, three, out.get());
    check("addN", out.get(), sum);
    kernels().select(n, 1, bits.get(), x.get(), y.get(), out.get());
    check("select", out.get(), chosen, 0);
    kernels().fill(n, 2.5f, out.get());
    check("fill", out.get(), filled, 0);
    kernels().cast(FloatToInt, n, x.get(), whole.get());
    kernels().cast(IntToFloat, n, whole.get(), out.get());
    std::vector<double> truncated;
    for (int64_t i = 0; i < n; ++i) truncated.push_back(std::trunc(x[i]));
    check("cast", out.get(), truncated, 0);
  }
}

// Each family has numbers of its own: a test added to one leaves the others as they are.
void all(unsigned seed) {
  const auto with = [seed](void (*test)(Random&)) {
    Random r(seed);
    test(r);
  };
  for (auto test : {testGemm, testBinary, testUnary, testReduce, testLayout, testConv, testCausal, testResize, testRest})
    with(test);
  testNotNumbers();
  with(testLayers);
  with(testDecoder);
  with(testScan);
  with(testFused);
  with(testBf16);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 1;
  for (const char* name : {"avx512", "avx2", "neon", "scalar"}) {
    if (!selectKernels(name)) continue;
    const long before = checks;
    for (int round = 0; round < rounds; ++round) {
      setThreadCount(1 + (round + 2) % 4);
      // Two callers, as two JavaScript workers are: one finds the pool busy.
      std::thread other([round] { all(1000u + static_cast<unsigned>(round)); });
      all(static_cast<unsigned>(round));
      other.join();
    }
    std::printf("%-7s %ld checks\n", name, checks - before);
  }
  shutdownThreads();
  std::printf("%s: %d failures\n", failures ? "FAILED" : "ok", failures.load());
  return failures ? 1 : 0;
}
