// Running sums and products along the middle of [outer, n, inner], from either end.

namespace netssm {
namespace NETSSM_ISA {
namespace reduction {

template <bool Product, bool Exclusive>
static void cumulateRow(bool reverse, int64_t n, const float* x, float* out) {
  float s = Product ? 1.0f : 0.0f;
  const int64_t step = reverse ? -1 : 1;
  for (int64_t k = 0, i = reverse ? n - 1 : 0; k < n; ++k, i += step) {
    const float after = Product ? s * x[i] : s + x[i];
    out[i] = Exclusive ? s : after;
    s = after;
  }
}

template <bool Product, bool Exclusive>
static void cumulateAll(bool reverse, int64_t outer, int64_t n, int64_t inner, const float* x, float* out) {
  if (inner == 1) {
    parallelRange(outer, 1 + 8192 / n, [&](int64_t o0, int64_t o1) {
      for (int64_t o = o0; o < o1; ++o) cumulateRow<Product, Exclusive>(reverse, n, x + o * n, out + o * n);
    });
    return;
  }
  const int64_t strip = inner > 256 ? 256 : inner, strips = (inner + strip - 1) / strip;
  parallelRange(outer * strips, 1 + 8192 / (n * strip), [&](int64_t t0, int64_t t1) {
    for (int64_t t = t0; t < t1; ++t) {
      const int64_t j0 = t % strips * strip, w = j0 + strip < inner ? strip : inner - j0;
      float s[256];
      for (int64_t j = 0; j < w; ++j) s[j] = Product ? 1.0f : 0.0f;
      for (int64_t k = 0; k < n; ++k) {
        const int64_t row = (t / strips * n + (reverse ? n - 1 - k : k)) * inner + j0;
        const float* from = x + row;
        float* to = out + row;
        int64_t j = 0;
        for (; j + VW <= w; j += VW) {
          const vf before = vload(s + j);
          const vf after = Product ? vmul(before, vload(from + j)) : vadd(before, vload(from + j));
          vstore(to + j, Exclusive ? before : after);
          vstore(s + j, after);
        }
        for (; j < w; ++j) {
          const float before = s[j];
          s[j] = Product ? before * from[j] : before + from[j];
          to[j] = Exclusive ? before : s[j];
        }
      }
    }
  });
}

static void cumulate(bool product, bool exclusive, bool reverse, int64_t outer, int64_t n, int64_t inner,
                     const float* x, float* out) {
  if (n <= 0) return;
  if (product) {
    if (exclusive) cumulateAll<true, true>(reverse, outer, n, inner, x, out);
    else cumulateAll<true, false>(reverse, outer, n, inner, x, out);
  } else {
    if (exclusive) cumulateAll<false, true>(reverse, outer, n, inner, x, out);
    else cumulateAll<false, false>(reverse, outer, n, inner, x, out);
  }
}

}  // namespace reduction
}  // namespace NETSSM_ISA
}  // namespace netssm
