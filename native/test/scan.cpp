// The scans against the recurrence in double precision, their gradients against central differences of it.
#include "harness.h"

namespace {

using Doubles = std::vector<double>;

enum Input { U, Delta, A, B, C, D, Bias, Z, H, Inputs };
const char* const names[] = {"u", "delta", "A", "B", "C", "D", "bias", "z", "h"};

struct Case {
  int64_t batch, length, channels, states, headWidth, groups, chunk;
  bool skip, bias, gate, state, starts;
  int64_t heads() const { return headWidth ? channels / headWidth : channels; }
  int64_t size(int input) const {
    const int64_t rows = batch * length;
    const int64_t sizes[] = {rows * channels, rows * heads(), headWidth ? heads() : channels * states, rows * groups * states,
                             rows * groups * states, heads(), heads(), rows * channels, batch * channels * states};
    return sizes[input];
  }
  bool has(int input) const { return input == D ? skip : input == Bias ? bias : input == Z ? gate : input == H ? state : true; }
};

struct Result {
  Doubles y, h;
};

Result recur(const Case& k, const Doubles* x, const Floats& starts) {
  const auto at = [&](int input, int64_t i) { return x[input][static_cast<size_t>(i)]; };
  Result out{Doubles(static_cast<size_t>(k.size(U))), Doubles(static_cast<size_t>(k.size(H)))};
  for (int64_t b = 0; b < k.batch; ++b)
    for (int64_t c = 0; c < k.channels; ++c) {
      const int64_t head = k.headWidth ? c / k.headWidth : c, group = c / (k.channels / k.groups);
      Doubles h(static_cast<size_t>(k.states));
      for (int64_t n = 0; n < k.states; ++n) h[static_cast<size_t>(n)] = k.state ? at(H, (b * k.channels + c) * k.states + n) : 0;
      for (int64_t t = 0; t < k.length; ++t) {
        const int64_t row = b * k.length + t;
        const double raw = at(Delta, row * k.heads() + head) + (k.bias ? at(Bias, head) : 0);
        const double dt = raw > 30 ? raw : std::log1p(std::exp(raw)), u = at(U, row * k.channels + c);
        double y = k.skip ? at(D, head) * u : 0;
        for (int64_t n = 0; n < k.states; ++n) {
          double& s = h[static_cast<size_t>(n)];
          if (k.starts && starts[row] != 0) s = 0;
          s = std::exp(dt * at(A, k.headWidth ? head : c * k.states + n)) * s + dt * u * at(B, (row * k.groups + group) * k.states + n);
          y += s * at(C, (row * k.groups + group) * k.states + n);
        }
        const double z = k.gate ? at(Z, row * k.channels + c) : 0;
        out.y[static_cast<size_t>(row * k.channels + c)] = k.gate ? y * z / (1 + std::exp(-z)) : y;
      }
      std::copy(h.begin(), h.end(), &out.h[static_cast<size_t>((b * k.channels + c) * k.states)]);
    }
  return out;
}

void testCase(Random& r, const Case& k) {
  std::vector<Floats> x;
  Doubles wide[Inputs];
  for (int i = 0; i < Inputs; ++i) {
    x.push_back(i == A ? random(r, k.size(i), -3, -0.01f) : random(r, k.size(i)));
    wide[i].assign(x[i].get(), x[i].get() + k.size(i));
  }
  Floats starts(k.batch * k.length);
  for (int64_t i = 0; i < starts.size; ++i) starts[i] = r.below(5) == 0 ? 1.0f : 0.0f;
  const auto given = [&](int i) { return k.has(i) ? x[static_cast<size_t>(i)].get() : nullptr; };
  const int64_t shared = k.groups * k.states, chunks = (k.length + k.chunk - 1) / k.chunk;
  const Scan s{k.batch, k.length, k.channels, k.states, k.headWidth, k.groups, k.chunk, k.channels, shared, shared,
               given(U), given(Delta), given(A), given(B), given(C), given(D), given(Bias), given(Z), given(H),
               k.starts ? starts.get() : nullptr};
  Floats y(k.size(U)), h(k.size(H)), saved(k.batch * chunks * k.states * k.channels);
  kernels().scanForward(s, {y.get(), h.get(), saved.get()});
  const Result expected = recur(k, wide, starts);
  check("scan y", y.get(), expected.y);
  check("scan h", h.get(), expected.h);
  Floats again(y.size), last(h.size);
  kernels().scanForward(s, {again.get(), last.get(), nullptr});
  check("scan y without saved states", again.get(), Doubles(y.get(), y.get() + y.size), 0);

  // The loss: every output with a weight of its own.
  Floats dy = random(r, y.size), dh = random(r, h.size);
  std::vector<Floats> g;
  for (int i = 0; i < Inputs; ++i) g.emplace_back(k.size(i));
  kernels().scanBackward(s, {saved.get(), dy.get(), dh.get(), g[U].get(), g[Delta].get(), g[A].get(), g[B].get(), g[C].get(),
                             k.skip ? g[D].get() : nullptr, k.bias ? g[Bias].get() : nullptr, k.gate ? g[Z].get() : nullptr,
                             g[H].get()});
  const auto loss = [&] {
    const Result now = recur(k, wide, starts);
    double sum = 0;
    for (int64_t i = 0; i < y.size; ++i) sum += now.y[static_cast<size_t>(i)] * dy[i];
    for (int64_t i = 0; i < h.size; ++i) sum += now.h[static_cast<size_t>(i)] * dh[i];
    return sum;
  };
  for (int i = 0; i < Inputs; ++i) {
    if (!k.has(i)) continue;
    double scale = 1e-2;
    for (int64_t j = 0; j < g[i].size; ++j) scale = std::max(scale, std::fabs(static_cast<double>(g[i][j])));
    Floats some(7);
    Doubles differences;
    for (int64_t j = 0; j < 6; ++j) {
      const int64_t place = r.below(static_cast<int>(k.size(i)));
      double& value = wide[i][static_cast<size_t>(place)];
      const double old = value, step = 1e-5;
      value = old + step;
      const double up = loss();
      value = old - step;
      differences.push_back((up - loss()) / (2 * step) / scale);
      value = old;
      some[j] = static_cast<float>(g[i][place] / scale);
    }
    some[6] = 1;  // the scale of the whole gradient
    differences.push_back(1);
    check((std::string("scan gradient of ") + names[i]).c_str(), some.get(), differences, 1e-5);
  }
}

// A sequence of several stretches (about a thousand tokens each): what the products over chunks give, against what the
// recurrence does, which is taken where chunks are longer than 256 tokens.
void testStretches(Random& r) {
  const int64_t L = 1100 + r.below(60), heads = 2 + r.below(3), P = 16 + r.below(5), N = 16 + r.below(4), E = heads * P;
  const Case k{1, L, E, N, P, 1, 16, true, true, false, true, true};
  std::vector<Floats> x;
  for (int i = 0; i < Inputs; ++i) x.push_back(i == A ? random(r, k.size(i), -3, -0.01f) : random(r, k.size(i)));
  Floats starts(L), dy = random(r, L * E), dh = random(r, E * N);
  for (int64_t t = 0; t < L; ++t) starts[t] = r.below(90) == 0 ? 1.0f : 0.0f;
  std::vector<Floats> results[2];
  for (int way = 0; way < 2; ++way) {
    const int64_t chunk = way ? 512 : 16;
    const Scan s{1, L, E, N, P, 1, chunk, E, N, N, x[U].get(), x[Delta].get(), x[A].get(), x[B].get(), x[C].get(), x[D].get(),
                 x[Bias].get(), nullptr, x[H].get(), starts.get()};
    Floats y(L * E), h(E * N), saved((L + chunk - 1) / chunk * N * E);
    kernels().scanForward(s, {y.get(), h.get(), saved.get()});
    std::vector<Floats> g;
    for (int i = 0; i < Inputs; ++i) g.emplace_back(k.has(i) ? k.size(i) : 0);
    kernels().scanBackward(s, {saved.get(), dy.get(), dh.get(), g[U].get(), g[Delta].get(), g[A].get(), g[B].get(), g[C].get(),
                               g[D].get(), g[Bias].get(), nullptr, g[H].get()});
    results[way] = std::move(g);
  }
  for (int i = 0; i < Inputs; ++i) {
    Floats& g = results[1][i];
    check((std::string("stretches, gradient of ") + names[i]).c_str(), results[0][i].get(), Doubles(g.get(), g.get() + g.size), 5e-5);
  }
}

}  // namespace

void testScan(Random& r) {
  // Lengths of 1, multiples of the chunk and not; channels across vectors, runs of 64 and heads of any width.
  const Case chosen[] = {{1, 1, 1, 1, 0, 1, 16, true, true, true, true, false},
                         {2, 37, 70, 16, 0, 1, 16, true, true, true, true, true},
                         {1, 33, 130, 5, 0, 1, 32, true, true, false, false, false},
                         {1, 16, 24, 23, 0, 2, 8, false, false, true, true, true},
                         {2, 19, 36, 10, 12, 1, 8, true, true, false, true, true},
                         {1, 40, 160, 33, 20, 2, 16, true, true, true, false, true},
                         {1, 3, 64, 7, 64, 1, 64, false, true, false, true, false},
                         // By chunks: several runs of heads, groups, widths that fill no vector, resets.
                         {2, 37, 96, 20, 24, 2, 16, true, true, false, true, true},
                         {1, 70, 320, 33, 20, 1, 32, true, true, false, false, true},
                         {1, 64, 128, 64, 64, 1, 32, false, false, false, true, false}};
  for (const Case& k : chosen) testCase(r, k);
  for (int round = 0; round < 6; ++round) {
    const int64_t groups = 1 + r.below(2), width = round % 2 ? 1 + r.below(20) : 0, heads = 1 + r.below(5);
    const auto coin = [&] { return r.below(2) == 1; };
    const int64_t channels = groups * (width ? width * heads : 1 + r.below(40));
    testCase(r, {1 + r.below(2), 1 + r.below(30), channels, 1 + r.below(20), width, groups, 1 + r.below(20), coin(), coin(), coin(),
                 coin(), coin()});
  }
  testStretches(r);
}
