// Positions of the largest or smallest values over the middle of [outer, reduce, inner].

namespace netssm {
namespace NETSSM_ISA {
namespace reduction {

// Position of the first largest (smallest) of n values. A comparison with NaN is false: NaN is passed over, unless it
// stands first. Every lane keeps the position of its own best, as float: n stays below 2^24.
template <bool Max>
static int32_t argRun(const float* x, int64_t n) {
  alignas(64) static const float numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  float best = x[0];
  int64_t at = 0, i = 0;
  if (n >= 2 * VW) {
    vf b[2] = {vset1(best), vset1(best)}, p[2] = {vzero(), vzero()};
    vf here = vload(numbers);
    for (; i + 2 * VW <= n; i += 2 * VW)
#pragma GCC unroll 2
      for (int u = 0; u < 2; ++u) {
        const vf v = vload(x + i + u * VW);
        const vm better = Max ? vlt(b[u], v) : vlt(v, b[u]);
        b[u] = vsel(better, v, b[u]);
        p[u] = vsel(better, here, p[u]);
        here = vadd(here, vset1(static_cast<float>(VW)));
      }
    float values[2 * VW], places[2 * VW];
    for (int u = 0; u < 2; ++u) {
      vstore(values + u * VW, b[u]);
      vstore(places + u * VW, p[u]);
    }
    for (int l = 0; l < 2 * VW; ++l) {
      const int64_t place = static_cast<int64_t>(places[l]);
      if ((Max ? values[l] > best : values[l] < best) || (values[l] == best && place < at)) {
        best = values[l];
        at = place;
      }
    }
  }
  for (; i < n; ++i)
    if (Max ? x[i] > best : x[i] < best) {
      best = x[i];
      at = i;
    }
  return static_cast<int32_t>(at);
}

template <bool Max>
static int32_t argRow(const float* x, int64_t n) {
  constexpr int64_t kLong = int64_t{1} << 23;
  int64_t at = argRun<Max>(x, n < kLong ? n : kLong);
  for (int64_t i = kLong; i < n; i += kLong) {
    const int64_t there = i + argRun<Max>(x + i, n - i < kLong ? n - i : kLong);
    if (Max ? x[there] > x[at] : x[there] < x[at]) at = there;
  }
  return static_cast<int32_t>(at);
}

static void argReduce(bool max, int64_t outer, int64_t n, int64_t inner, const float* x, int32_t* out) {
  parallelRange(outer, 1 + 16384 / (n * inner + 1), [&](int64_t o0, int64_t o1) {
    for (int64_t o = o0; o < o1; ++o) {
      if (inner == 1) {
        out[o] = max ? argRow<true>(x + o * n, n) : argRow<false>(x + o * n, n);
        continue;
      }
      constexpr int64_t kStrip = 256;
      for (int64_t j0 = 0; j0 < inner; j0 += kStrip) {
        const int64_t w = inner - j0 < kStrip ? inner - j0 : kStrip;
        const float* p = x + o * n * inner + j0;
        int32_t* at = out + o * inner + j0;
        float best[kStrip];
        for (int64_t j = 0; j < w; ++j) {
          best[j] = p[j];
          at[j] = 0;
        }
        for (int64_t i = 1; i < n; ++i) {
          const float* row = p + i * inner;
          const int32_t number = static_cast<int32_t>(i);
          for (int64_t j = 0; j < w; ++j) {
            const bool better = max ? row[j] > best[j] : row[j] < best[j];
            best[j] = better ? row[j] : best[j];
            at[j] = better ? number : at[j];
          }
        }
      }
    }
  });
}

}  // namespace reduction
}  // namespace NETSSM_ISA
}  // namespace netssm
