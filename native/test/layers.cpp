// Recurrent layers against a plain recurrence in double precision, their gradients against finite differences of it;
// gradients of activations; optimiser steps.
#include "harness.h"

namespace {

using Doubles = std::vector<double>;

double activate(int kind, double x) {
  switch (kind) {
    case TanhActivation: return std::tanh(x);
    case SigmoidActivation: return 1 / (1 + std::exp(-x));
    case HardSigmoid: return std::min(1.0, std::max(0.0, 0.2 * x + 0.5));
    case ReluActivation: return std::max(0.0, x);
    default: return x;
  }
}

Doubles doubles(const Floats& x) { return Doubles(x.data, x.data + x.size); }

struct Layer {
  int kind;
  bool backwards;
  int activation, recurrentActivation;
  int64_t batch, steps, units, gates;
  Rnn rnn(const float* recurrent) const {
    return {kind, backwards, activation, recurrentActivation, batch, steps, units, recurrent};
  }
};

struct Run {
  Doubles sequence, h, c;
};

Run recur(const Layer& s, const Doubles& z, const Doubles& recurrent, const Doubles& h0, const Doubles& c0) {
  const int64_t U = s.units, G = s.gates * U;
  Run out{Doubles(static_cast<size_t>(s.batch * s.steps * U)), h0, c0};
  const auto R = [&](int64_t from, int64_t to) { return recurrent[static_cast<size_t>(from * G + to)]; };
  for (int64_t b = 0; b < s.batch; ++b) {
    double *h = &out.h[static_cast<size_t>(b * U)], *c = &out.c[static_cast<size_t>(b * U)];
    for (int64_t t = 0; t < s.steps; ++t) {
      const double* in = &z[static_cast<size_t>((b * s.steps + (s.backwards ? s.steps - 1 - t : t)) * G)];
      const auto sum = [&](int64_t column, const Doubles& state) {
        double v = in[column];
        for (int64_t u = 0; u < U; ++u) v += state[static_cast<size_t>(u)] * R(u, column);
        return v;
      };
      const Doubles old(h, h + U);
      Doubles reset(static_cast<size_t>(U));
      const int gate = s.recurrentActivation;
      if (s.kind == Gru)
        for (int64_t u = 0; u < U; ++u)
          reset[static_cast<size_t>(u)] = activate(gate, sum(U + u, old)) * old[static_cast<size_t>(u)];
      for (int64_t u = 0; u < U; ++u) {
        if (s.kind == Lstm) {
          c[u] = activate(gate, sum(U + u, old)) * c[u] + activate(gate, sum(u, old)) * activate(s.activation, sum(2 * U + u, old));
          h[u] = activate(gate, sum(3 * U + u, old)) * activate(s.activation, c[u]);
        } else if (s.kind == Gru) {
          const double update = activate(gate, sum(u, old));
          h[u] = update * old[static_cast<size_t>(u)] + (1 - update) * activate(s.activation, sum(2 * U + u, reset));
        } else {
          h[u] = activate(s.activation, sum(u, old));
        }
      }
      std::copy(h, h + U, &out.sequence[static_cast<size_t>((b * s.steps + t) * U)]);
    }
  }
  return out;
}

double dot(const Doubles& a, const Floats& b) {
  double s = 0;
  for (int64_t i = 0; i < b.size; ++i) s += a[static_cast<size_t>(i)] * b[i];
  return s;
}

// A few entries of an analytic gradient against central differences of the loss in one input.
void differences(const char* what, Random& r, Doubles& x, const Floats& gradient, const std::function<double()>& loss) {
  double scale = 1e-3;
  for (int64_t i = 0; i < gradient.size; ++i) scale = std::max(scale, std::fabs(static_cast<double>(gradient[i])));
  Floats some(12);
  Doubles expected;
  for (int64_t k = 0; k < some.size; ++k) {
    const int i = r.below(static_cast<int>(gradient.size));
    double& value = x[static_cast<size_t>(i)];
    const double old = value, step = 1e-5;
    value = old + step;
    const double up = loss();
    value = old - step;
    const double down = loss();
    value = old;
    some[k] = gradient[i] / static_cast<float>(scale);
    expected.push_back((up - down) / (2 * step) / scale);
  }
  expected.push_back(1);  // the scale of the whole gradient
  Floats padded(13);
  for (int64_t k = 0; k < 12; ++k) padded[k] = some[k];
  padded[12] = 1;
  check(what, padded.get(), expected, 2e-4);
}

void testRnn(Random& r) {
  for (int round = 0; round < 18; ++round) {
    const int kind = round % 3;
    const bool large = round >= 15;
    Layer s{kind, r.below(2) == 1, r.below(5), 1 + r.below(4), 1 + r.below(4), 1 + r.below(5), 1 + r.below(9), rnnGates(kind)};
    if (large) s = {kind, false, TanhActivation, SigmoidActivation, 37, 3, 45, rnnGates(kind)};
    const int64_t U = s.units, state = s.batch * U, all = state * s.steps, G = s.gates;
    const float small = 1.0f / std::sqrt(static_cast<float>(U));
    Floats z = random(r, all * G, -1, 1), recurrent = random(r, U * U * G, -small, small);
    Floats h0 = random(r, state, -1, 1), c0 = random(r, state, -1, 1);
    const bool given = round % 2 == 0;
    // A cell that starts at zero may stay at exactly zero, where relu has no slope for a difference to find.
    if (!given && s.activation == ReluActivation) s.activation = TanhActivation;
    Doubles dz = doubles(z), dR = doubles(recurrent), dh0 = doubles(h0), dc0 = doubles(c0);
    if (!given) dh0.assign(dh0.size(), 0), dc0.assign(dc0.size(), 0);
    const Run expected = recur(s, dz, dR, dh0, dc0);
    Floats before(all), cells(all), sequence(all), h(state), c(state);
    const bool lstm = kind == Lstm;
    const Rnn layer = s.rnn(recurrent.get());
    kernels().rnnForward(layer, {given ? h0.get() : nullptr, given && lstm ? c0.get() : nullptr, z.get(), before.get(),
                                 kind ? cells.get() : nullptr, sequence.get(), h.get(), lstm ? c.get() : nullptr});
    check("rnn sequence", sequence.get(), expected.sequence);
    check("rnn h", h.get(), expected.h);
    if (lstm) check("rnn c", c.get(), expected.c);
    // The loss: all three outputs, each entry with a weight of its own.
    Floats gs = random(r, all), gh = random(r, state), gc = random(r, state);
    Floats dGates(all * G), dh(state), dc(state), dRecurrent(U * U * G), dBias(U * G);
    kernels().rnnBackward(layer, {z.get(), before.get(), kind ? cells.get() : nullptr, given && lstm ? c0.get() : nullptr,
                                  gs.get(), gh.get(), lstm ? gc.get() : nullptr, dGates.get(), dh.get(),
                                  lstm ? dc.get() : nullptr, dRecurrent.get(), dBias.get()});
    const auto loss = [&] {
      const Run now = recur(s, dz, dR, dh0, dc0);
      return dot(now.sequence, gs) + dot(now.h, gh) + (lstm ? dot(now.c, gc) : 0);
    };
    differences("rnn dGates", r, dz, dGates, loss);
    differences("rnn dRecurrent", r, dR, dRecurrent, loss);
    differences("rnn dh0", r, dh0, dh, loss);
    // Not at c0 = 0 where the activation has a kink there.
    if (lstm && (given || s.activation != ReluActivation)) differences("rnn dc0", r, dc0, dc, loss);
    Doubles sums(static_cast<size_t>(U * G));
    for (int64_t i = 0; i < all * G; ++i) sums[static_cast<size_t>(i % (U * G))] += dGates[i];
    check("rnn dBias", dBias.get(), sums);
    // Inference keeps nothing.
    Floats again = random(r, 0), z2(all * G), h2(state), c2(state);
    for (int64_t i = 0; i < z2.size; ++i) z2[i] = static_cast<float>(dz[static_cast<size_t>(i)]);
    kernels().rnnForward(layer, {given ? h0.get() : nullptr, given && lstm ? c0.get() : nullptr, z2.get(), nullptr, nullptr,
                                 nullptr, h2.get(), lstm ? c2.get() : nullptr});
    check("rnn h alone", h2.get(), expected.h);
  }
}

void testActivationGrad(Random& r) {
  for (int kind = 0; kind < Activations; ++kind)
    for (int64_t rows : {1, 7, 300})
      for (int64_t columns : {1, 10, 67}) {
        Floats y = random(r, rows * columns, 0.05f, 0.95f), dy = random(r, y.size), dx(y.size), sums(columns);
        kernels().activationGrad(kind, rows, columns, dy.get(), y.get(), dx.get(), sums.get());
        Doubles e, total(static_cast<size_t>(columns));
        for (int64_t i = 0; i < rows; ++i) {
          double inner = 0;
          for (int64_t j = 0; j < columns; ++j) inner += static_cast<double>(dy[i * columns + j]) * y[i * columns + j];
          for (int64_t j = 0; j < columns; ++j) {
            const double v = y[i * columns + j], g = dy[i * columns + j];
            const double slope = kind == TanhActivation ? 1 - v * v : kind == SigmoidActivation ? v * (1 - v) : kind == HardSigmoid ? 0.2 : 1;
            e.push_back(kind == SoftmaxActivation ? (g - inner) * v : g * slope);
            total[static_cast<size_t>(j)] += e.back();
          }
        }
        check("activationGrad", dx.get(), e);
        check("activationGrad sums", sums.get(), total, 1e-4);
      }
}

void testOptimizer(Random& r) {
  for (int64_t n : {0, 1, 17, 40000})
    for (int kind = 0; kind < Optimizers; ++kind)
      for (int variant = 0; variant < 2; ++variant) {
        Floats w = random(r, n), g = random(r, n), a = random(r, n, 1, 2), b = random(r, n, 0.5, 1), c = random(r, n, 0, 0.1f);
        const bool centred = kind == RmsProp && variant == 1;
        OptimizerStep s{kind, n, w.get(), g.get(), a.get(), b.get(), centred ? c.get() : nullptr, w.get(), a.get(), b.get(), c.get(), {0}};
        Doubles ew, ea, eb;
        const double rate = 0.1;
        if (kind == Momentum) s.p[2] = static_cast<float>(variant);
        const float settings[4][8] = {{0.1f}, {0.1f, 0.5f, s.p[2]}, {0.1f, 0.75f, 0.25f, 0.5f, 0.125f},
                                      {0.1f, 0.75f, 0.25f, 0.875f, 0.125f, 0.01f, 0.25f, 0.125f}};
        for (int i = 0; i < 8; ++i) s.p[i] = settings[kind][i];
        for (int64_t i = 0; i < n; ++i) {
          const double W = w[i], D = g[i], A = a[i], B = b[i], C = c[i];
          if (kind == Sgd) {
            ew.push_back(W - rate * D), ea.push_back(A), eb.push_back(B);
          } else if (kind == Momentum) {
            ea.push_back(0.5 * A + D), eb.push_back(B);
            ew.push_back(W - rate * (variant ? D + 0.5 * ea.back() : ea.back()));
          } else if (kind == RmsProp) {
            ea.push_back(0.75 * A + 0.25 * D * D);
            const double mean = 0.75 * C + 0.25 * D;
            eb.push_back(0.5 * B + rate * D / std::sqrt(ea.back() + (centred ? -mean * mean - 0.125 : 0.125)));
            ew.push_back(W - eb.back());
          } else {
            ea.push_back(0.75 * A + 0.25 * D), eb.push_back(0.875 * B + 0.125 * D * D);
            ew.push_back(W - rate * (ea.back() / 0.25) / (std::sqrt(eb.back() / 0.125) + 0.01));
          }
        }
        kernels().optimizerStep(s);
        check("optimizer w", w.get(), ew);
        check("optimizer a", a.get(), ea);
        check("optimizer b", b.get(), eb);
      }
}

void testLoss(Random& r) {
  for (int kind = 0; kind < Losses; ++kind)
    for (int64_t rows : {1, 7, 300})
      for (int64_t n : {2, 10, 67}) {  // the cross-entropy of one value is rounding alone
        Floats target = random(r, rows * n, 0, 1), x = random(r, rows * n, 0.01f, 1), out(rows), dy = random(r, rows), dx(rows * n);
        kernels().loss(kind, rows, n, target.get(), x.get(), out.get());
        kernels().lossGrad(kind, rows, n, dy.get(), target.get(), x.get(), dx.get());
        const auto of = [&](int64_t i, const Doubles& v) {
          double sum = 0, total = 0;
          for (double d : v) sum += d;
          for (int64_t j = 0; j < n; ++j) {
            const double t = target[i * n + j], d = v[static_cast<size_t>(j)];
            total += kind == SquaredError ? (d - t) * (d - t) / static_cast<double>(n) : -t * std::log(std::min(d / sum, 1 - 1e-7));
          }
          return total;
        };
        Doubles e, g;
        for (int64_t i = 0; i < rows; ++i) {
          Doubles v(x.get() + i * n, x.get() + (i + 1) * n);
          e.push_back(of(i, v));
          for (int64_t j = 0; j < n; ++j) {
            double& value = v[static_cast<size_t>(j)];
            const double old = value;
            value = old + 1e-6;
            const double up = of(i, v);
            value = old - 1e-6;
            g.push_back(dy[i] * (up - of(i, v)) / 2e-6);
            value = old;
          }
        }
        // A row of one value has probability 1, less 1e-7, which float32 knows to a fifth.
        check("loss", out.get(), e, kind == CrossEntropy && n == 1 ? 0.5 : 1e-5);
        check("loss gradient", dx.get(), g, 1e-4);
      }
}

}  // namespace

void testLayers(Random& r) {
  testRnn(r);
  testActivationGrad(r);
  testOptimizer(r);
  testLoss(r);
}
