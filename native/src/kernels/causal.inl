// The causal depthwise convolution of a Mamba block: y[t] = bias + sum over k of w[k] x[t + k], x with taps - 1 rows in
// front. Packed sequences switch off the taps that would reach into a neighbour. Rows are visited in the order of memory:
// what earlier rows need again is still in the first-level cache.

namespace netssm {
namespace NETSSM_ISA {
namespace causal {


static bool sameSequence(const float* segments, int64_t rows) {
  if (segments)
    for (int64_t i = 1; i < rows; ++i)
      if (segments[i] != segments[0]) return false;
  return true;
}

// The first tap that lies in the sequence of the position itself; `segments` points at tap 0.
static int64_t firstTap(const float* segments, int64_t taps) {
  int64_t k = taps - 1;
  while (k > 0 && segments[k - 1] == segments[taps - 1]) --k;
  return k;
}

// Calls f(c, n) for every vector of channels.
template <class F>
static inline void overChannels(int64_t C, F&& f) {
  int64_t c = 0;
  for (; c + VW <= C; c += VW) f(c, VW);
  if (c < C) f(c, static_cast<int>(C - c));
}
static inline vf load(const float* p, int n) { return n == VW ? vload(p) : vloadn(p, n); }
static inline void store(float* p, vf v, int n) {
  if (n == VW) vstore(p, v);
  else vstoren(p, v, n);
}

// One row: out = start + w[0] in[0] + w[1] in[step] + w[2] in[2 step] + w[3] in[3 step], in elements.
static inline void fourTaps(int64_t C, const float* in, int64_t step, const float* w, const float* start, float* out) {
  int64_t c = 0;
  for (; c + VW <= C; c += VW) {
    const float *p = in + c, *q = w + c;
    const vf s = start ? vload(start + c) : vzero();
    const vf near = vfma(vload(q + C), vload(p + step), vfma(vload(q), vload(p), s));
    vstore(out + c, vfma(vload(q + 3 * C), vload(p + 3 * step), vfma(vload(q + 2 * C), vload(p + 2 * step), near)));
  }
  for (; c < C; ++c) {
    const float *p = in + c, *q = w + c;
    out[c] = (start ? start[c] : 0.0f) + q[0] * p[0] + q[C] * p[step] + q[2 * C] * p[2 * step] + q[3 * C] * p[3 * step];
  }
}

static void forward(const Causal& s, const float* bias, float* y) {
  const int64_t K = s.taps, C = s.channels, L = s.length, padded = L + K - 1;
  const float *x = s.x, *w = s.weight, *segments = s.segments;
  parallelRange(s.batch * L, 1 + 32768 / (C + 1), [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      const int64_t at = r / L * padded + r % L;
      const int64_t first = segments ? firstTap(segments + at, K) : 0;
      if (K == 4 && first == 0) {
        fourTaps(C, x + at * C, C, w, bias, y + r * C);
        continue;
      }
      overChannels(C, [&](int64_t c, int n) {
        vf acc = load(bias + c, n);
        for (int64_t k = first; k < K; ++k) acc = vfma(load(w + k * C + c, n), load(x + (at + k) * C + c, n), acc);
        store(y + r * C + c, acc, n);
      });
    }
  });
}

// dx[i] = sum over k of w[k] dy[i - k], for the outputs i - k that exist and share the sequence of row i.
static void inputGrad(const Causal& s, const float* dy, float* dx) {
  const float *w = s.weight, *segments = s.segments;
  const int64_t K = s.taps, C = s.channels, L = s.length, padded = L + K - 1;
  parallelRange(s.batch * padded, 1 + 32768 / (C + 1), [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      const int64_t b = r / padded, i = r % padded;
      // Output t belongs to the sequence of input row t + K - 1.
      const float* number = segments ? segments + r : nullptr;
      if (K == 4 && i >= 3 && i < L && sameSequence(number, 4)) {
        fourTaps(C, dy + (b * L + i) * C, -C, w, nullptr, dx + r * C);
        continue;
      }
      overChannels(C, [&](int64_t c, int n) {
        vf acc = vzero();
        for (int64_t k = 0; k < K; ++k) {
          if (i - k < 0 || i - k >= L || (number && number[0] != number[K - 1 - k])) continue;
          acc = vfma(load(w + k * C + c, n), load(dy + (b * L + i - k) * C + c, n), acc);
        }
        store(dx + r * C + c, acc, n);
      });
    }
  });
}

// Adds one row's share to sum [K + 1, C], the bias last.
static void weightRow(int64_t K, int64_t C, const float* g, const float* x, const float* segments, float* sum) {
  overChannels(C, [&](int64_t c, int n) {
    const vf d = load(g + c, n);
    for (int64_t k = 0; k < K; ++k) {
      if (segments && segments[k] != segments[K - 1]) continue;
      float* to = sum + k * C + c;
      store(to, vfma(d, load(x + k * C + c, n), load(to, n)), n);
    }
    store(sum + K * C + c, vadd(load(sum + K * C + c, n), d), n);
  });
}

// Four rows' shares at once: each sum is loaded and stored once.
static inline void weightFourRows(int64_t C, const float* g, const float* x, float* sum) {
  overChannels(C, [&](int64_t c, int n) {
    vf v[7], d[4];
#pragma GCC unroll 4
    for (int i = 4; i < 8; ++i) {  // the next four rows: too many streams for the hardware to follow
      __builtin_prefetch(g + i * C + c);
      __builtin_prefetch(x + (i + 3) * C + c);
    }
#pragma GCC unroll 7
    for (int i = 0; i < 7; ++i) v[i] = load(x + i * C + c, n);
#pragma GCC unroll 4
    for (int r = 0; r < 4; ++r) d[r] = load(g + r * C + c, n);
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      vf acc = load(sum + k * C + c, n);
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) acc = vfma(d[r], v[r + k], acc);
      store(sum + k * C + c, acc, n);
    }
    const vf all = vadd(vadd(d[0], d[1]), vadd(d[2], d[3]));
    store(sum + 4 * C + c, vadd(load(sum + 4 * C + c, n), all), n);
  });
}

static void gradient(const Causal& s, const float* dy, float* dx, float* dw, float* dbias) {
  inputGrad(s, dy, dx);
  const float *x = s.x, *segments = s.segments;
  const int64_t K = s.taps, C = s.channels, L = s.length, padded = L + K - 1, rows = s.batch * L;
  // Rows in at most 32 parts of a sum of their own: also what keeps the rounding of long sums small.
  int64_t parts = rows / 64;
  parts = parts < 1 ? 1 : (parts > 32 ? 32 : parts);
  const int64_t size = (K + 1) * C;
  Memory sums(parts * size);
  parallelTasks(parts, [&](int64_t q) {
    float* sum = sums.data + q * size;
    convolution::zeroRun(sum, size);
    const int64_t r1 = rows * (q + 1) / parts;
    for (int64_t r = rows * q / parts; r < r1;) {
      const int64_t b = r / L, t = r % L, at = b * padded + t;
      const float* number = segments ? segments + at : nullptr;
      if (K == 4 && r + 4 <= r1 && t + 4 <= L && sameSequence(number, 7)) {
        weightFourRows(C, dy + r * C, x + at * C, sum);
        r += 4;
      } else {
        weightRow(K, C, dy + r * C, x + at * C, number, sum);
        ++r;
      }
    }
  });
  for (int64_t i = 0; i < size; ++i) {
    float sum = 0.0f;
    for (int64_t q = 0; q < parts; ++q) sum += sums.data[q * size + i];
    (i < K * C ? dw : dbias - K * C)[i] = sum;
  }
}

}  // namespace causal
}  // namespace NETSSM_ISA
}  // namespace netssm
