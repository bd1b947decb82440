// The fused steps of a Mamba block against plain loops in double precision, their gradients too; AdamW over many arrays.
#include "../src/adamw.h"
#include "harness.h"

namespace {

using Doubles = std::vector<double>;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
Doubles zeros(int64_t n) { return Doubles(static_cast<size_t>(n)); }
double& at(Doubles& x, int64_t i) { return x[static_cast<size_t>(i)]; }

// The last rounds of each are so large that all threads have a share of them.

void testNorm(Random& r) {
  for (int round = 0; round < 15; ++round) {
    const bool large = round >= 12;
    const int64_t rows = large ? 300 + r.below(100) : 1 + r.below(200), groups = large ? round - 11 : 1 + r.below(3);
    const int64_t width = large ? 60 + r.below(80) : 1 + r.below(80), columns = groups * width, n = rows * columns;
    const bool add = large ? round == 12 : r.below(3) == 0, gate = !add && (large ? round == 13 : r.below(2) != 0);
    Floats x = random(r, n), other = random(r, n), w = random(r, columns), dy = random(r, n), dSum = random(r, n);
    Floats sum(n), y(n), scale(rows * groups), dx(n), dGate(n), dw(columns);
    Doubles v = zeros(n), ey = zeros(n), edx = zeros(n), edGate = zeros(n), edw = zeros(columns);
    for (int64_t i = 0; i < n; ++i)
      at(v, i) = add ? static_cast<double>(x[i]) + other[i] : gate ? x[i] * other[i] * sigmoid(other[i]) : x[i];
    for (int64_t from = 0; from < n; from += width) {
      double squares = 0, inner = 0;
      for (int64_t i = from; i < from + width; ++i) squares += at(v, i) * at(v, i);
      const double k = 1 / std::sqrt(squares / static_cast<double>(width) + 1e-5);
      for (int64_t i = from; i < from + width; ++i)
        inner += dy[i] * w[i % columns] * at(v, i) * k / static_cast<double>(width);
      for (int64_t i = from; i < from + width; ++i) {
        at(ey, i) = at(v, i) * k * w[i % columns];
        at(edw, i % columns) += dy[i] * at(v, i) * k;
        const double dv = k * (dy[i] * w[i % columns] - at(v, i) * k * inner), z = other[i], s = sigmoid(z);
        at(edx, i) = gate ? dv * z * s : add ? dv + dSum[i] : dv;
        at(edGate, i) = dv * x[i] * s * (1 + z * (1 - s));
      }
    }
    Norm s{rows, columns, groups, x.get(), gate ? other.get() : nullptr, w.get()};
    kernels().normForward(s, {1e-5f, add ? other.get() : nullptr, add ? sum.get() : nullptr, y.get(), scale.get()});
    check("norm", y.get(), ey);
    if (add) {
      check("norm sum", sum.get(), v);
      s.x = sum.get();
    }
    kernels().normBackward(s, {scale.get(), dy.get(), add ? dSum.get() : nullptr, dx.get(), gate ? dGate.get() : nullptr, dw.get()});
    if (width > 1) check("norm dx", dx.get(), edx);  // of one number it is nothing but rounding
    if (gate && width > 1) check("norm dGate", dGate.get(), edGate);
    check("norm dWeight", dw.get(), edw, 2e-5);
  }
}

void testCausalSilu(Random& r) {
  for (int round = 0; round < 16; ++round) {
    const bool large = round >= 14;
    const int64_t B = large ? 2 : 1 + r.below(3), L = large ? 260 + r.below(40) : 1 + r.below(round % 3 ? 90 : 5);
    const int64_t C = large ? 140 + r.below(20) : 1 + r.below(50), K = large || round % 4 ? 4 : 1 + r.below(6);
    const bool before = r.below(2) != 0, packed = large ? round == 14 : r.below(2) != 0;
    Floats x = random(r, B * L * C), w = random(r, C * K), bias = random(r, C), old = random(r, B * (K - 1) * C), starts(B * L);
    Floats y(B * L * C), state(B * (K - 1) * C), dy = random(r, B * L * C), dState = random(r, B * (K - 1) * C);
    Floats dx(x.size), dw(w.size), db(C), dOld(old.size);
    for (int64_t i = 0; i < B * L; ++i) starts[i] = packed && r.below(6) == 0 ? 1.0f : 0.0f;
    Doubles ey = zeros(y.size), es = zeros(state.size), ex = zeros(x.size), ew = zeros(w.size), eb = zeros(C), eo = zeros(old.size);
    const auto seen = [&](int64_t b, int64_t p, int64_t t) {
      for (int64_t q = std::max<int64_t>(0, p + 1); q <= t; ++q)
        if (starts[b * L + q] != 0) return false;
      return true;
    };
    const auto input = [&](int64_t b, int64_t p, int64_t c) -> double {
      if (p >= 0) return x[(b * L + p) * C + c];
      return before ? old[(b * (K - 1) + p + K - 1) * C + c] : 0;
    };
    const auto gradient = [&](int64_t b, int64_t p, int64_t c) -> double& {
      return p >= 0 ? at(ex, (b * L + p) * C + c) : at(eo, (b * (K - 1) + p + K - 1) * C + c);
    };
    for (int64_t b = 0; b < B; ++b)
      for (int64_t c = 0; c < C; ++c) {
        for (int64_t t = 0; t < L; ++t) {
          double v = bias[c];
          for (int64_t k = 0; k < K; ++k)
            if (seen(b, t - (K - 1) + k, t)) v += w[c * K + k] * input(b, t - (K - 1) + k, c);
          const int64_t i = (b * L + t) * C + c;
          at(ey, i) = v * sigmoid(v);
          const double d = dy[i] * sigmoid(v) * (1 + v * (1 - sigmoid(v)));
          at(eb, c) += d;
          for (int64_t k = 0; k < K; ++k)
            if (seen(b, t - (K - 1) + k, t)) {
              at(ew, c * K + k) += d * input(b, t - (K - 1) + k, c);
              gradient(b, t - (K - 1) + k, c) += d * w[c * K + k];
            }
        }
        for (int64_t i = 0; i < K - 1; ++i) {
          const int64_t p = L - (K - 1) + i, to = (b * (K - 1) + i) * C + c;
          if (!seen(b, p, L - 1)) continue;
          at(es, to) = input(b, p, c);
          gradient(b, p, c) += dState[to];
        }
      }
    const CausalSilu s{B, L, C, K, x.get(), w.get(), bias.get(), before ? old.get() : nullptr, packed ? starts.get() : nullptr};
    kernels().causalSilu(s, y.get(), state.get());
    check("causalSilu", y.get(), ey);
    check("causalSilu state", state.get(), es);
    kernels().causalSiluGrad(s, {dy.get(), dState.get(), dx.get(), dw.get(), db.get(), before ? dOld.get() : nullptr});
    check("causalSilu dx", dx.get(), ex);
    check("causalSilu dWeight", dw.get(), ew);
    check("causalSilu dBias", db.get(), eb);
    if (before) check("causalSilu dBefore", dOld.get(), eo);
  }
}

void testTokenLoss(Random& r) {
  for (int round = 0; round < 10; ++round) {
    const bool large = round >= 8;
    const int64_t rows = large ? 200 + r.below(100) : 1 + r.below(80), V = large ? 250 + r.below(20) : 1 + r.below(300);
    Floats x = random(r, rows * V, -8, 8), mask(rows), stats(2 * rows), dx(rows * V), loss(1);
    Array<int32_t> targets(rows);
    Doubles e = zeros(1), ex = zeros(rows * V);
    for (int64_t i = 0; i < rows; ++i) {
      targets[i] = r.below(static_cast<int>(V));
      mask[i] = 0.5f * static_cast<float>(r.below(3));
      double Z = 0;
      for (int64_t j = 0; j < V; ++j) Z += std::exp(static_cast<double>(x[i * V + j]));
      e[0] += mask[i] * (std::log(Z) - x[i * V + targets[i]]);
      for (int64_t j = 0; j < V; ++j)
        at(ex, i * V + j) = 0.5 * mask[i] * (std::exp(static_cast<double>(x[i * V + j])) / Z - (j == targets[i]));
    }
    const TokenLoss s{rows, V, x.get(), targets.get(), mask.get()};
    kernels().tokenLoss(s, loss.get(), stats.get());
    check("tokenLoss", loss.get(), e);
    kernels().tokenLossGrad(s, stats.get(), 0.5f, dx.get());
    check("tokenLoss dx", dx.get(), ex);
  }
}

void testAdamW(Random& r) {
  std::vector<Floats> p, g, m, v;
  std::vector<AdamWArray> arrays;
  double squares = 0;
  for (const int64_t n : {int64_t{3}, kAdamWBlock, kAdamWBlock + 5, int64_t{1}}) {
    p.push_back(random(r, n)), g.push_back(random(r, n)), m.push_back(random(r, n)), v.push_back(random(r, n, 0, 2));
    const size_t i = p.size() - 1;
    arrays.push_back({n, p[i].get(), g[i].get(), m[i].get(), v[i].get(), i % 2 ? 0.99 : 1.0});
    for (int64_t j = 0; j < n; ++j) squares += static_cast<double>(g[i][j]) * g[i][j];
  }
  const float norm = static_cast<float>(squaredNorm(arrays));
  check("squaredNorm", &norm, {squares});
  const AdamWStep c{0.9, 0.999, 1e-8, 0.01, 1.5, 0.3};
  std::vector<Doubles> e;
  for (size_t i = 0; i < arrays.size(); ++i) {
    e.push_back(zeros(arrays[i].n));
    for (int64_t j = 0; j < arrays[i].n; ++j) {
      const double gj = 0.3 * g[i][j], mj = 0.9 * m[i][j] + 0.1 * gj, vj = 0.999 * v[i][j] + 0.001 * gj * gj;
      at(e[i], j) = p[i][j] * arrays[i].keep - 0.01 * mj / (std::sqrt(vj) * 1.5 + 1e-8);
    }
  }
  adamwStep(arrays, c);
  for (size_t i = 0; i < arrays.size(); ++i) check("adamw", p[i].get(), e[i]);
}

}  // namespace

void testFused(Random& r) {
  testNorm(r);
  testCausalSilu(r);
  testTokenLoss(r);
  testAdamW(r);
}
