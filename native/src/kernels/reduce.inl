// Reductions over the middle of [outer, reduce, inner], softmax, running sums, segment sums.
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

// Lanes [0, n) of a, the others `rest`.
static inline vf firstLanes(vf a, int n, vf rest) {
  static const float numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return vsel(vlt(vload(numbers), vset1(static_cast<float>(n))), a, rest);
}

// One row of n values. NaN is left out of the largest value; its exponential makes the sum, and so the row, NaN.
template <bool Log>
static inline void softmaxRow(int64_t n, const float* p, float* q, const float* next) {
  const vf low = vset1(-__builtin_inff());
  const int tail = static_cast<int>(n % VW);
  const int64_t whole = n - tail;
  vf m0 = low, m1 = low;
  int64_t i = 0;
  for (; i + 2 * VW <= whole; i += 2 * VW) {
    m0 = vmax(vload(p + i), m0);
    m1 = vmax(vload(p + i + VW), m1);
  }
  if (i < whole) m0 = vmax(vload(p + i), m0);
  if (tail) m1 = vmax(firstLanes(vloadn(p + whole, tail), tail, low), m1);
  const vf m = vset1(vhmax(vmax(m0, m1)));
  vf s0 = vzero(), s1 = vzero();
  for (i = 0; i + 2 * VW <= whole; i += 2 * VW) {
    __builtin_prefetch(next + i);
    if (VW == 16) __builtin_prefetch(next + i + VW);
    const vf e0 = vexp(vsub(vload(p + i), m)), e1 = vexp(vsub(vload(p + i + VW), m));
    if (!Log) {
      vstore(q + i, e0);
      vstore(q + i + VW, e1);
    }
    s0 = vadd(s0, e0);
    s1 = vadd(s1, e1);
  }
  if (i < whole) {
    const vf e = vexp(vsub(vload(p + i), m));
    if (!Log) vstore(q + i, e);
    s0 = vadd(s0, e);
  }
  vf last = vzero();
  if (tail) {
    last = vexp(vsub(vloadn(p + whole, tail), m));
    s1 = vadd(s1, firstLanes(last, tail, vzero()));
  }
  const float sum = vsum(vadd(s0, s1));
  if (Log) {
    const vf lg = vlog(vset1(sum));
    for (i = 0; i < whole; i += VW) vstore(q + i, vsub(vsub(vload(p + i), m), lg));
    if (tail) vstoren(q + whole, vsub(vsub(vloadn(p + whole, tail), m), lg), tail);
  } else {
    const vf inverse = vset1(1.0f / sum);
    for (i = 0; i < whole; i += VW) vstore(q + i, vmul(vload(q + i), inverse));
    if (tail) vstoren(q + whole, vmul(last, inverse), tail);
  }
}

static void softmax(bool logarithm, int64_t rows, int64_t n, const float* x, float* out) {
  if (n <= 0) return;
  parallelRange(rows, 1 + 8192 / n, [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      const float* p = x + r * n;
      const float* next = r + 1 < r1 ? p + n : p;
      if (logarithm) softmaxRow<true>(n, p, out + r * n, next);
      else softmaxRow<false>(n, p, out + r * n, next);
    }
  });
}

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

// The rows of each segment are found first (by counting, so they stay in order); segments are then summed one after the
// other and written once. Tasks are runs of segments with about equally many rows; of few rich segments, of columns too.
static void segmentSum(int64_t rows, int64_t inner, int64_t segments, const int32_t* ids, const float* x, float* out) {
  if (segments <= 0 || inner <= 0) return;
  Memory memory(rows + segments + 1);
  int32_t* const order = reinterpret_cast<int32_t*>(memory.data);
  int32_t* const start = order + rows;  // of each segment's rows in `order`
  for (int64_t s = 0; s <= segments; ++s) start[s] = 0;
  const auto inside = [&](int64_t r) { return ids[r] >= 0 && ids[r] < segments; };
  int32_t most = 0;
  for (int64_t r = 0; r < rows; ++r)
    if (inside(r)) ++start[ids[r]];
  int32_t sum = 0;
  for (int64_t s = 0; s <= segments; ++s) {
    const int32_t count = start[s];
    most = count > most ? count : most;
    start[s] = sum += count;
  }
  for (int64_t r = rows - 1; r >= 0; --r)
    if (inside(r)) order[--start[ids[r]]] = static_cast<int32_t>(r);
  const int64_t perTask = 1 + 16384 / inner;
  const int64_t strips = most * inner > 32768 && inner >= 64 ? 4 : 1;
  // Segment s lies at start[s] + s on a line of all rows and segments, which is cut in equal pieces.
  const int64_t pieces = (start[segments] + segments + perTask - 1) / perTask;
  const auto firstOf = [&](int64_t piece) {
    int64_t low = 0, high = segments;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (start[middle] + middle < piece * perTask) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  parallelTasks(pieces * strips, [&](int64_t task) {
    const int64_t s0 = firstOf(task / strips), s1 = firstOf(task / strips + 1);
    const int64_t j0 = inner * (task % strips) / strips, j1 = inner * (task % strips + 1) / strips;
    for (int64_t s = s0; s < s1; ++s) {
      float* to = out + s * inner;
      int32_t i = start[s];
      const int32_t end = start[s + 1];
      if (i == end) {
        for (int64_t j = j0; j < j1; ++j) to[j] = 0.0f;
        continue;
      }
      const float* first = x + static_cast<int64_t>(order[i++]) * inner;
      if (i == end) {
        for (int64_t j = j0; j < j1; ++j) to[j] = first[j];
        continue;
      }
      const float* second = x + static_cast<int64_t>(order[i++]) * inner;
      for (int64_t j = j0; j < j1; ++j) to[j] = first[j] + second[j];
      for (; i + 2 <= end; i += 2) {
        const float* p = x + static_cast<int64_t>(order[i]) * inner;
        const float* q = x + static_cast<int64_t>(order[i + 1]) * inner;
        for (int64_t j = j0; j < j1; ++j) to[j] = (to[j] + p[j]) + q[j];
      }
      for (; i < end; ++i) {
        const float* p = x + static_cast<int64_t>(order[i]) * inner;
        for (int64_t j = j0; j < j1; ++j) to[j] += p[j];
      }
    }
  });
}

}  // namespace reduction
}  // namespace NETSSM_ISA
}  // namespace netssm
