// The causal depthwise convolution of a Mamba block: y_t = bias + sum_k w_k x_{t + k} with x shifted by K - 1, one pass
// over memory forward and one backward. Packed sequences switch off the taps that would reach into a neighbour.

namespace netssm {
namespace NETSSM_ISA {
namespace causal {

// The first tap of position `at` (row of tap 0) that lies in the position's own sequence.
static inline int64_t firstTap(const Causal& c, int64_t at) {
  int64_t k = c.taps - 1;
  if (!c.segments) return 0;
  while (k > 0 && c.segments[at + k - 1] == c.segments[at + c.taps - 1]) --k;
  return k;
}

static void forward(const Causal& c, const float* bias, float* y) {
  const int64_t C = c.channels, padded = c.length + c.taps - 1;
  parallelRange(c.batch * c.length, 1 + 8192 / (C + 1), [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      const int64_t at = r / c.length * padded + r % c.length, first = firstTap(c, at);
      const float* x = c.x + at * C;
      float* to = y + r * C;
      for (int64_t ch = 0; ch < C; ch += VW) {
        const int n = C - ch < VW ? static_cast<int>(C - ch) : VW;
        if (n == VW) {
          vf s = vload(bias + ch);
          for (int64_t k = first; k < c.taps; ++k) s = vfma(vload(c.weight + k * C + ch), vload(x + k * C + ch), s);
          vstore(to + ch, s);
        } else {
          vf s = vloadn(bias + ch, n);
          for (int64_t k = first; k < c.taps; ++k)
            s = vfma(vloadn(c.weight + k * C + ch, n), vloadn(x + k * C + ch, n), s);
          vstoren(to + ch, s, n);
        }
      }
    }
  });
}

// dx gathers from the taps of later positions. dWeight and dBias are summed in runs of rows, added in order.
static void gradient(const Causal& c, const float* dy, float* dx, float* dWeight, float* dBias) {
  const int64_t C = c.channels, K = c.taps, padded = c.length + K - 1;
  parallelRange(c.batch * padded, 1 + 8192 / (C + 1), [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      const int64_t b = r / padded, p = r % padded;
      float* to = dx + r * C;
      for (int64_t ch = 0; ch < C; ++ch) to[ch] = 0.0f;
      for (int64_t k = 0; k < K; ++k) {
        const int64_t t = p - k;
        if (t < 0 || t >= c.length || firstTap(c, b * padded + t) > k) continue;
        const float* g = dy + (b * c.length + t) * C;
        const float* w = c.weight + k * C;
        int64_t ch = 0;
        for (; ch + VW <= C; ch += VW) vstore(to + ch, vfma(vload(g + ch), vload(w + ch), vload(to + ch)));
        for (; ch < C; ++ch) to[ch] += g[ch] * w[ch];
      }
    }
  });
  const int64_t rows = c.batch * c.length, size = (K + 1) * C;
  int64_t run = (rows + 63) / 64;
  if (run < 128) run = 128;
  const int64_t runs = rows > 0 ? (rows + run - 1) / run : 0;
  float* partial = alignedAlloc(static_cast<size_t>((runs ? runs : 1) * size));
  parallelTasks(runs, [&](int64_t task) {
    float* sum = partial + task * size;
    for (int64_t i = 0; i < size; ++i) sum[i] = 0.0f;
    const int64_t end = (task + 1) * run < rows ? (task + 1) * run : rows;
    for (int64_t r = task * run; r < end; ++r) {
      const int64_t at = r / c.length * padded + r % c.length, first = firstTap(c, at);
      const float* g = dy + r * C;
      const float* x = c.x + at * C;
      int64_t ch = 0;
      for (; ch + VW <= C; ch += VW) {
        const vf gv = vload(g + ch);
        vstore(sum + K * C + ch, vadd(vload(sum + K * C + ch), gv));
        for (int64_t k = first; k < K; ++k) {
          float* s = sum + k * C + ch;
          vstore(s, vfma(gv, vload(x + k * C + ch), vload(s)));
        }
      }
      for (; ch < C; ++ch) {
        sum[K * C + ch] += g[ch];
        for (int64_t k = first; k < K; ++k) sum[k * C + ch] += g[ch] * x[k * C + ch];
      }
    }
  });
  for (int64_t i = 0; i < size; ++i) {
    float s = 0.0f;
    for (int64_t t = 0; t < runs; ++t) s += partial[t * size + i];
    if (i < K * C) dWeight[i] = s;
    else dBias[i - K * C] = s;
  }
  alignedFree(partial);
}

}  // namespace causal
}  // namespace NETSSM_ISA
}  // namespace netssm
