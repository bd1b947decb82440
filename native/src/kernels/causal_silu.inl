// The causal convolution of a Mamba block with its SiLU, see fused.h. Nothing of the way between the two is kept: the
// gradient makes it again. Rows are visited in the order of memory, a block of tokens at a time, four of them at once
// where all of their taps lie in one sequence.

namespace netssm {
namespace NETSSM_ISA {
namespace causalSilu {

using activation::load;
using activation::overVectors;
using activation::store;

constexpr int64_t kBlock = 32;  // tokens

// Sizes and inputs of a call, the weights with a row for each tap: [taps, channels].
struct Layer {
  const CausalSilu& s;
  const float* w;
  int64_t K, C, L;

  // Row p of sequence b; null for zeros before the beginning.
  const float* row(int64_t b, int64_t p) const {
    if (p >= 0) return s.x + (b * L + p) * C;
    return s.before ? s.before + (b * (K - 1) + p + K - 1) * C : nullptr;
  }
  // How many rows before t are seen from t.
  int64_t reach(int64_t b, int64_t t) const {
    for (int64_t j = 0; j < K - 1; ++j) {
      if (s.starts && s.starts[b * L + t - j] != 0.0f) return j;
      if (t == j) return s.before ? K - 1 : j;
    }
    return K - 1;
  }
  // Whether the four tokens from t on see three rows of x before them each.
  bool plain(int64_t b, int64_t t, int64_t end) const {
    if (K != 4 || t < 3 || t + 4 > end) return false;
    if (s.starts)
      for (int64_t p = t - 2; p < t + 4; ++p)
        if (s.starts[b * L + p] != 0.0f) return false;
    return true;
  }
  // The convolution at t for channels c .. c + n.
  vf at(int64_t b, int64_t t, int64_t reach, int64_t c, int n) const {
    vf sum = load(s.bias + c, n);
    for (int64_t j = reach; j >= 0; --j) sum = vfma(load(w + (K - 1 - j) * C + c, n), load(row(b, t - j) + c, n), sum);
    return sum;
  }
  // The same for four tokens; x is row t - 3.
  void four(const float* x, int64_t c, int n, vf* sums) const {
    vf v[7];
#pragma GCC unroll 7
    for (int i = 0; i < 7; ++i) v[i] = load(x + i * C + c, n);
    const vf bias = load(s.bias + c, n);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) sums[i] = bias;
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const vf weight = load(w + k * C + c, n);
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) sums[i] = vfma(weight, v[i + k], sums[i]);
    }
  }
};

static void tapRows(const CausalSilu& s, float* w) {
  for (int64_t k = 0; k < s.taps; ++k)
    for (int64_t c = 0; c < s.channels; ++c) w[k * s.channels + c] = s.weight[c * s.taps + k];
}

static inline void prefetchFour(const float* rows, int64_t C, int64_t c) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) __builtin_prefetch(rows + i * C + c);
}

static void forward(const CausalSilu& s, float* y, float* state) {
  const int64_t K = s.taps, C = s.channels, L = s.length;
  Memory taps(K * C);
  tapRows(s, taps.data);
  const Layer layer{s, taps.data, K, C, L};
  parallelRange(s.batch * L, (1 + 32768 / (C + 1) + 3) / 4 * 4, [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1;) {
      const int64_t b = r / L, t = r % L, end = r1 - r < L - t ? t + r1 - r : L;
      if (layer.plain(b, t, end)) {
        const float* x = layer.row(b, t - 3);
        float* to = y + r * C;
        overVectors(C, [&](int64_t c, int n) {
          vf v[4];
          prefetchFour(x + 7 * C, C, c);
          layer.four(x, c, n, v);
#pragma GCC unroll 4
          for (int i = 0; i < 4; ++i) store(to + i * C + c, vmul(v[i], vsigmoid(v[i])), n);
        });
        r += 4;
        continue;
      }
      const int64_t reach = layer.reach(b, t);
      overVectors(C, [&](int64_t c, int n) {
        const vf v = layer.at(b, t, reach, c, n);
        store(y + r * C + c, vmul(v, vsigmoid(v)), n);
      });
      ++r;
    }
  });
  if (!state) return;
  // The last K - 1 inputs, as far as the last token sees them.
  for (int64_t b = 0; b < s.batch; ++b) {
    const int64_t seen = layer.reach(b, L - 1);
    for (int64_t i = 0; i < K - 1; ++i) {
      const int64_t p = L - (K - 1) + i;
      const bool zero = L - 1 - p > seen;
      const float* from = zero ? nullptr : layer.row(b, p);
      float* to = state + (b * (K - 1) + i) * C;
      for (int64_t c = 0; c < C; ++c) to[c] = from ? from[c] : 0.0f;
    }
  }
}

// d (v sigmoid(v)) / d v
static inline vf slope(vf v) {
  const vf one = vset1(1.0f), sigmoid = vsigmoid(v);
  return vmul(sigmoid, vfma(v, vsub(one, sigmoid), one));
}

// out = dy silu'(convolution) for tokens [t0, t1) of sequence b.
static void preGradient(const Layer& l, const float* dy, int64_t b, int64_t t0, int64_t t1, float* out) {
  for (int64_t t = t0; t < t1;) {
    const float* g = dy + (b * l.L + t) * l.C;
    float* to = out + (t - t0) * l.C;
    if (l.plain(b, t, t1)) {
      const float* x = l.row(b, t - 3);
      overVectors(l.C, [&](int64_t c, int n) {
        vf v[4];
        prefetchFour(x + 7 * l.C, l.C, c);
        prefetchFour(g + 4 * l.C, l.C, c);
        l.four(x, c, n, v);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) store(to + i * l.C + c, vmul(load(g + i * l.C + c, n), slope(v[i])), n);
      });
      t += 4;
      continue;
    }
    const int64_t reach = l.reach(b, t);
    overVectors(l.C, [&](int64_t c, int n) { store(to + c, vmul(load(g + c, n), slope(l.at(b, t, reach, c, n))), n); });
    ++t;
  }
}

// Adds what tokens [t0, t1) give to sum [taps + 1, channels], the bias last; `g` from preGradient.
static void weightGradient(const Layer& l, const float* g, int64_t b, int64_t t0, int64_t t1, float* sum) {
  const int64_t K = l.K, C = l.C;
  float* bias = sum + K * C;
  for (int64_t t = t0; t < t1;) {
    const float* d = g + (t - t0) * C;
    if (l.plain(b, t, t1)) {
      const float* x = l.row(b, t - 3);
      overVectors(C, [&](int64_t c, int n) {
        vf v[7], e[4];
#pragma GCC unroll 7
        for (int i = 0; i < 7; ++i) v[i] = load(x + i * C + c, n);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) e[i] = load(d + i * C + c, n);
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) {
          vf total = load(sum + k * C + c, n);
#pragma GCC unroll 4
          for (int i = 0; i < 4; ++i) total = vfma(e[i], v[i + k], total);
          store(sum + k * C + c, total, n);
        }
        store(bias + c, vadd(load(bias + c, n), vadd(vadd(e[0], e[1]), vadd(e[2], e[3]))), n);
      });
      t += 4;
      continue;
    }
    const int64_t reach = l.reach(b, t);
    for (int64_t j = 0; j <= reach; ++j) {
      const float* x = l.row(b, t - j);
      float* to = sum + (K - 1 - j) * C;
      overVectors(C, [&](int64_t c, int n) { store(to + c, vfma(load(d + c, n), load(x + c, n), load(to + c, n)), n); });
    }
    overVectors(C, [&](int64_t c, int n) { store(bias + c, vadd(load(bias + c, n), load(d + c, n)), n); });
    ++t;
  }
}

// The gradient of input row p of sequence b; `g` is preGradient of rows [from, p + taps).
static void inputGradient(const Layer& l, const float* g, int64_t from, const float* dState, int64_t b, int64_t p,
                          float* dx) {
  const int64_t K = l.K, C = l.C, L = l.L;
  int64_t last = 0;  // p is seen from p .. p + last
  while (last < K - 1 && p + last + 1 < L && !(p + last + 1 >= 0 && l.s.starts && l.s.starts[b * L + p + last + 1] != 0.0f))
    ++last;
  const float* handed = nullptr;  // to the next call, where p is seen from the last token
  if (dState && p >= L - (K - 1) && p + last == L - 1) handed = dState + (b * (K - 1) + p - (L - (K - 1))) * C;
  const float* d = g + (p - from) * C;
  const int64_t first = p < 0 ? -p : 0;
  if (K == 4 && first == 0 && last == 3 && !handed) {
    overVectors(C, [&](int64_t c, int n) {
      const vf near = vfma(load(l.w + 2 * C + c, n), load(d + C + c, n), vmul(load(l.w + 3 * C + c, n), load(d + c, n)));
      const vf far = vfma(load(l.w + c, n), load(d + 3 * C + c, n), vmul(load(l.w + C + c, n), load(d + 2 * C + c, n)));
      store(dx + c, vadd(near, far), n);
    });
    return;
  }
  overVectors(C, [&](int64_t c, int n) {
    vf sum = handed ? load(handed + c, n) : vzero();
    for (int64_t j = first; j <= last; ++j) sum = vfma(load(l.w + (K - 1 - j) * C + c, n), load(d + j * C + c, n), sum);
    store(dx + c, sum, n);
  });
}

// Tokens [t0, t1) of sequence b, the last block first: its first rows are what the block before needs of it.
static void backwardRun(const Layer& l, const CausalSiluBackward& out, int64_t b, int64_t t0, int64_t t1, float* g,
                        float* sum) {
  const int64_t K = l.K, C = l.C, L = l.L;
  int64_t end = t1, begin = end - kBlock > t0 ? end - kBlock : t0;
  const int64_t known = L - end < K - 1 ? L - end : K - 1;  // rows of this sequence after the run
  preGradient(l, out.dy, b, end, end + known, g + (end - begin) * C);
  for (;;) {
    preGradient(l, out.dy, b, begin, end, g);
    weightGradient(l, g, b, begin, end, sum);
    for (int64_t p = begin; p < end; ++p)
      inputGradient(l, g, begin, out.dState, b, p, out.dx + (b * L + p) * C);
    if (begin == t0) break;
    end = begin;
    begin = end - kBlock > t0 ? end - kBlock : t0;
    // Rows that do not exist are moved along but never read.
    __builtin_memmove(g + (end - begin) * C, g, static_cast<size_t>((K - 1) * C) * sizeof(float));
  }
  if (t0 == 0 && out.dBefore)
    for (int64_t p = -(K - 1); p < 0; ++p)
      inputGradient(l, g, 0, out.dState, b, p, out.dBefore + (b * (K - 1) + p + K - 1) * C);
}

static void backward(const CausalSilu& s, const CausalSiluBackward& out) {
  const int64_t K = s.taps, C = s.channels, L = s.length, rows = s.batch * L, size = (K + 1) * C;
  const int64_t parts = norm::partsOf(rows);
  Memory taps(K * C), sums(parts * size);
  tapRows(s, taps.data);
  const Layer layer{s, taps.data, K, C, L};
  parallelTasks(parts, [&](int64_t q) {
    float* sum = sums.data + q * size;
    convolution::zeroRun(sum, size);
    float* g = scratch(0, static_cast<size_t>((kBlock + K - 1) * C));
    const int64_t r1 = rows * (q + 1) / parts;
    for (int64_t r = rows * q / parts; r < r1;) {
      const int64_t b = r / L, t = r % L, end = r1 - r < L - t ? t + r1 - r : L;
      backwardRun(layer, out, b, t, end, g, sum);
      r += end - t;
    }
  });
  Memory total(size);
  norm::addParts(sums.data, parts, size, total.data);
  for (int64_t c = 0; c < C; ++c) {
    for (int64_t k = 0; k < K; ++k) out.dWeight[c * K + k] = total.data[k * C + c];
    out.dBias[c] = total.data[K * C + c];
  }
}

}  // namespace causalSilu
}  // namespace NETSSM_ISA
}  // namespace netssm
