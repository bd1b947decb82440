// Sums, products, largest and smallest values over the middle of [outer, reduce, inner].
// Every sum is cut in the same places whatever the number of threads, so results repeat bit for bit.

namespace netssm {
namespace NETSSM_ISA {
namespace reduction {

// NaN where a lane is, else 0.
static inline float notNumbers(vf a) { return vsum(vsel(vunord(a, a), a, vzero())); }

struct RSum {
  static constexpr float start = 0.0f;
  static vf v(vf a, vf b) { return vadd(a, b); }
  static float s(float a, float b) { return a + b; }
  static float h(vf a) { return vsum(a); }
};
struct RMax {
  static constexpr float start = -__builtin_inff();
  static vf v(vf a, vf b) { return vsel(vunord(a, b), vadd(a, b), vmax(a, b)); }
  static float s(float a, float b) { return a != a || b != b ? a + b : (a > b ? a : b); }
  static float h(vf a) { return vhmax(a) + notNumbers(a); }
};
struct RMin {
  static constexpr float start = __builtin_inff();
  static vf v(vf a, vf b) { return vsel(vunord(a, b), vadd(a, b), vmin(a, b)); }
  static float s(float a, float b) { return a != a || b != b ? a + b : (a < b ? a : b); }
  static float h(vf a) { return vhmin(a) + notNumbers(a); }
};
struct RProd {
  static constexpr float start = 1.0f;
  static vf v(vf a, vf b) { return vmul(a, b); }
  static float s(float a, float b) { return a * b; }
  static float h(vf a) {
    float t[VW];
    vstore(t, a);
    float r = t[0];
    for (int i = 1; i < VW; ++i) r *= t[i];
    return r;
  }
};

template <class R>
static float run(const float* x, int64_t n) {
  float r = R::start;
  int64_t i = 0;
  if (n >= VW) {
    vf a[4] = {vset1(R::start), vset1(R::start), vset1(R::start), vset1(R::start)};
    for (; i + 4 * VW <= n; i += 4 * VW)
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) a[u] = R::v(a[u], vload(x + i + u * VW));
    for (; i + VW <= n; i += VW) a[0] = R::v(a[0], vload(x + i));
    r = R::h(R::v(R::v(a[0], a[1]), R::v(a[2], a[3])));
  }
  for (; i < n; ++i) r = R::s(r, x[i]);
  return r;
}

constexpr int64_t kRun = 8192;  // elements summed in one go; longer rows are sums of such sums

template <class R>
static float longRun(const float* x, int64_t n) {
  if (n <= kRun) return run<R>(x, n);
  float r = R::start;
  for (int64_t i = 0; i < n; i += kRun) r = R::s(r, run<R>(x + i, n - i < kRun ? n - i : kRun));
  return r;
}

// to[0..n) = rows x[0], x[stride], .. combined column by column: eight rows at a time along their length.
template <class R>
static void sweep(int64_t rows, int64_t n, int64_t stride, const float* x, float* to) {
  int64_t r = 0;
  if (rows < 8) {
    for (int64_t j = 0; j < n; ++j) to[j] = R::start;
  } else {
    for (; r + 8 <= rows; r += 8) {
      const float* p = x + r * stride;
      int64_t j = 0;
      for (; j + VW <= n; j += VW) {
        vf a[8];
#pragma GCC unroll 8
        for (int t = 0; t < 8; ++t) a[t] = vload(p + t * stride + j);
        const vf low = R::v(R::v(a[0], a[1]), R::v(a[2], a[3])), high = R::v(R::v(a[4], a[5]), R::v(a[6], a[7]));
        const vf all = R::v(low, high);
        vstore(to + j, r ? R::v(vload(to + j), all) : all);
      }
      for (; j < n; ++j) {
        float s = r ? to[j] : R::start;
        for (int t = 0; t < 8; ++t) s = R::s(s, p[t * stride + j]);
        to[j] = s;
      }
    }
  }
  for (; r < rows; ++r) {
    const float* p = x + r * stride;
    int64_t j = 0;
    for (; j + VW <= n; j += VW) vstore(to + j, R::v(vload(to + j), vload(p + j)));
    for (; j < n; ++j) to[j] = R::s(to[j], p[j]);
  }
}

// The same for short rows that lie one behind the other: VW rows are seen as one, whose length is then whole vectors.
template <class R>
static void sweepNarrow(int64_t rows, int64_t n, const float* x, float* to) {
  constexpr int64_t kMost = 128;
  const int64_t wide = n <= kMost ? rows / VW : 0;
  if (VW == 1 || wide < 2) return sweep<R>(rows, n, n, x, to);
  float sums[kMost * VW];
  sweep<R>(wide, n * VW, n * VW, x, sums);
  sweep<R>(VW, n, n, sums, to);
  for (int64_t r = wide * VW; r < rows; ++r)
    for (int64_t j = 0; j < n; ++j) to[j] = R::s(to[j], x[r * n + j]);
}

// Columns: tasks are runs of rows of a strip of columns; what the runs of a strip give is combined in order.
template <class R>
static void reduceColumns(int64_t outer, int64_t reduce, int64_t inner, const float* x, float* out) {
  constexpr int64_t kStrip = 2048, kTask = 32768;
  const int64_t strips = (inner + kStrip - 1) / kStrip, tasks = outer * reduce * inner / kTask;
  int64_t parts = (tasks < 32 ? tasks : 32) / (outer * strips);
  if (parts > reduce / 32) parts = reduce / 32;
  if (parts < 1) parts = 1;
  float* to = parts == 1 ? out : alignedAlloc(static_cast<size_t>(outer * parts * inner));
  const int64_t perItem = (reduce / parts + 1) * (inner < kStrip ? inner : kStrip);
  parallelRange(outer * parts * strips, 1 + kTask / 2 / perItem, [&](int64_t t0, int64_t t1) {
    for (int64_t t = t0; t < t1; ++t) {
      const int64_t o = t / (parts * strips), p = t / strips % parts, j0 = t % strips * kStrip;
      const int64_t n = inner - j0 < kStrip ? inner - j0 : kStrip;
      const int64_t r0 = reduce * p / parts, r1 = reduce * (p + 1) / parts;
      const float* from = x + (o * reduce + r0) * inner + j0;
      float* dst = to + (o * parts + p) * inner + j0;
      if (strips == 1) sweepNarrow<R>(r1 - r0, inner, from, dst);
      else sweep<R>(r1 - r0, n, inner, from, dst);
    }
  });
  if (parts == 1) return;
  for (int64_t o = 0; o < outer; ++o) sweep<R>(parts, inner, inner, to + o * parts * inner, out + o * inner);
  alignedFree(to);
}

template <class R>
static void reduceAll(int64_t outer, int64_t reduce, int64_t inner, const float* x, float* out, float scale) {
  if (inner == 1) {
    if (outer < 8 && reduce >= 8 * kRun) {  // few long rows: the runs of a row are the tasks
      const int64_t runs = (reduce + kRun - 1) / kRun;
      float* partial = alignedAlloc(static_cast<size_t>(outer * runs));
      parallelRange(outer * runs, 4, [&](int64_t t0, int64_t t1) {
        for (int64_t t = t0; t < t1; ++t) {
          const int64_t o = t / runs, i = t % runs * kRun;
          partial[t] = run<R>(x + o * reduce + i, reduce - i < kRun ? reduce - i : kRun);
        }
      });
      for (int64_t o = 0; o < outer; ++o) {
        float r = R::start;
        for (int64_t i = 0; i < runs; ++i) r = R::s(r, partial[o * runs + i]);
        out[o] = r * scale;
      }
      alignedFree(partial);
      return;
    }
    parallelRange(outer, 1 + 16384 / (reduce + 1), [&](int64_t o0, int64_t o1) {
      for (int64_t o = o0; o < o1; ++o) out[o] = longRun<R>(x + o * reduce, reduce) * scale;
    });
    return;
  }
  reduceColumns<R>(outer, reduce, inner, x, out);
  if (scale != 1.0f)
    for (int64_t i = 0; i < outer * inner; ++i) out[i] *= scale;
}

static void reduce(int op, int64_t outer, int64_t n, int64_t inner, const float* x, float* out, float scale) {
  if (outer <= 0 || inner <= 0) return;
  switch (op) {
    case ReduceSum: return reduceAll<RSum>(outer, n, inner, x, out, scale);
    case ReduceMax: return reduceAll<RMax>(outer, n, inner, x, out, scale);
    case ReduceMin: return reduceAll<RMin>(outer, n, inner, x, out, scale);
    case ReduceProd: return reduceAll<RProd>(outer, n, inner, x, out, scale);
  }
}

}  // namespace reduction
}  // namespace NETSSM_ISA
}  // namespace netssm
