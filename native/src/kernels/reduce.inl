// Reductions over the middle of [outer, reduce, inner], softmax, running sums, segment sums.
// Every sum is cut in the same places whatever the number of threads, so results repeat bit for bit.

namespace netssm {
namespace NETSSM_ISA {
namespace reduction {

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
  static float h(vf a) { return lanes(a); }
  static float lanes(vf a) {
    float t[VW];
    vstore(t, a);
    float r = t[0];
    for (int i = 1; i < VW; ++i) r = s(r, t[i]);
    return r;
  }
};
struct RMin {
  static constexpr float start = __builtin_inff();
  static vf v(vf a, vf b) { return vsel(vunord(a, b), vadd(a, b), vmin(a, b)); }
  static float s(float a, float b) { return a != a || b != b ? a + b : (a < b ? a : b); }
  static float h(vf a) {
    float t[VW];
    vstore(t, a);
    float r = t[0];
    for (int i = 1; i < VW; ++i) r = s(r, t[i]);
    return r;
  }
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
  // Columns: add whole rows, four vectors of columns at a time. With few columns and many rows the rows are cut too.
  const int64_t cut = 1024;
  const int64_t parts = outer * inner < 65536 && reduce >= 2 * cut ? (reduce + cut - 1) / cut : 1;
  const int64_t rowsPerPart = parts == 1 ? reduce : cut;
  float* to = parts == 1 ? out : alignedAlloc(static_cast<size_t>(outer * parts * inner));
  const int64_t strip = inner > 512 ? 512 : inner;
  const int64_t strips = (inner + strip - 1) / strip;
  const int64_t items = outer * parts * strips;
  parallelRange(items, 1 + 16384 / (rowsPerPart * strip + 1), [&](int64_t t0, int64_t t1) {
    for (int64_t t = t0; t < t1; ++t) {
      const int64_t o = t / (parts * strips), p = t / strips % parts, s = t % strips;
      const int64_t j0 = s * strip, j1 = j0 + strip < inner ? j0 + strip : inner;
      const int64_t r0 = p * rowsPerPart, r1 = r0 + rowsPerPart < reduce ? r0 + rowsPerPart : reduce;
      const float* base = x + o * reduce * inner;
      float* dst = to + (o * parts + p) * inner;
      int64_t j = j0;
      for (; j + 4 * VW <= j1; j += 4 * VW) {
        vf a[4] = {vset1(R::start), vset1(R::start), vset1(R::start), vset1(R::start)};
        for (int64_t r = r0; r < r1; ++r)
#pragma GCC unroll 4
          for (int u = 0; u < 4; ++u) a[u] = R::v(a[u], vload(base + r * inner + j + u * VW));
        for (int u = 0; u < 4; ++u) vstore(dst + j + u * VW, a[u]);
      }
      for (; j < j1; j += VW) {
        const int n = j1 - j < VW ? static_cast<int>(j1 - j) : VW;
        vf a = vset1(R::start);
        if (n == VW)
          for (int64_t r = r0; r < r1; ++r) a = R::v(a, vload(base + r * inner + j));
        else
          for (int64_t r = r0; r < r1; ++r) a = R::v(a, vloadn(base + r * inner + j, n));
        vstoren(dst + j, a, n);
      }
    }
  });
  if (parts > 1) {
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t j = 0; j < inner; ++j) {
        float r = R::start;
        for (int64_t p = 0; p < parts; ++p) r = R::s(r, to[(o * parts + p) * inner + j]);
        out[o * inner + j] = r;
      }
    alignedFree(to);
  }
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

static void argReduce(bool max, int64_t outer, int64_t n, int64_t inner, const float* x, int32_t* out) {
  parallelRange(outer, 1 + 16384 / (n * inner + 1), [&](int64_t o0, int64_t o1) {
    for (int64_t o = o0; o < o1; ++o)
      for (int64_t j = 0; j < inner; ++j) {
        const float* p = x + o * n * inner + j;
        float best = p[0];
        int32_t at = 0;
        for (int64_t i = 1; i < n; ++i) {
          const float v = p[i * inner];
          if (max ? v > best : v < best) {
            best = v;
            at = static_cast<int32_t>(i);
          }
        }
        out[o * inner + j] = at;
      }
  });
}

static void softmax(bool logarithm, int64_t rows, int64_t n, const float* x, float* out) {
  if (n <= 0) return;
  parallelRange(rows, 1 + 8192 / n, [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      const float* p = x + r * n;
      float* q = out + r * n;
      const float top = longRun<RMax>(p, n);
      const vf m = vset1(top);
      vf s0 = vzero(), s1 = vzero();
      int64_t i = 0;
      for (; i + 2 * VW <= n; i += 2 * VW) {
        const vf e0 = vexp(vsub(vload(p + i), m)), e1 = vexp(vsub(vload(p + i + VW), m));
        if (!logarithm) {
          vstore(q + i, e0);
          vstore(q + i + VW, e1);
        }
        s0 = vadd(s0, e0);
        s1 = vadd(s1, e1);
      }
      float tail = 0.0f;
      for (; i < n; i += VW) {
        const int t = n - i < VW ? static_cast<int>(n - i) : VW;
        float e[VW];
        vstore(e, vexp(vsub(vloadn(p + i, t), m)));
        for (int l = 0; l < t; ++l) {
          if (!logarithm) q[i + l] = e[l];
          tail += e[l];
        }
      }
      const float sum = vsum(vadd(s0, s1)) + tail;
      if (logarithm) {
        float l[VW];
        vstore(l, vlog(vset1(sum)));
        const vf lg = vset1(l[0]);
        for (i = 0; i + VW <= n; i += VW) vstore(q + i, vsub(vsub(vload(p + i), m), lg));
        for (; i < n; ++i) q[i] = p[i] - top - l[0];
      } else {
        const vf inverse = vset1(1.0f / sum);
        for (i = 0; i + VW <= n; i += VW) vstore(q + i, vmul(vload(q + i), inverse));
        for (; i < n; ++i) q[i] *= 1.0f / sum;
      }
    }
  });
}

static void cumulate(bool product, bool exclusive, bool reverse, int64_t outer, int64_t n, int64_t inner,
                     const float* x, float* out) {
  if (n <= 0) return;
  const float start = product ? 1.0f : 0.0f;
  if (inner == 1) {
    parallelRange(outer, 1 + 8192 / n, [&](int64_t o0, int64_t o1) {
      for (int64_t o = o0; o < o1; ++o) {
        float s = start;
        for (int64_t k = 0; k < n; ++k) {
          const int64_t i = o * n + (reverse ? n - 1 - k : k);
          const float v = x[i];
          if (exclusive) out[i] = s;
          s = product ? s * v : s + v;
          if (!exclusive) out[i] = s;
        }
      }
    });
    return;
  }
  const int64_t strip = inner > 256 ? 256 : inner, strips = (inner + strip - 1) / strip;
  parallelRange(outer * strips, 1 + 8192 / (n * strip), [&](int64_t t0, int64_t t1) {
    for (int64_t t = t0; t < t1; ++t) {
      const int64_t o = t / strips, j0 = t % strips * strip, j1 = j0 + strip < inner ? j0 + strip : inner;
      float s[256];
      for (int64_t j = j0; j < j1; ++j) s[j - j0] = start;
      for (int64_t k = 0; k < n; ++k) {
        const int64_t row = (o * n + (reverse ? n - 1 - k : k)) * inner;
        for (int64_t j = j0; j < j1; ++j) {
          const float before = s[j - j0];
          const float after = product ? before * x[row + j] : before + x[row + j];
          out[row + j] = exclusive ? before : after;
          s[j - j0] = after;
        }
      }
    }
  });
}

// Columns are shared out, not rows: each output is summed by one thread in the order of the rows.
static void segmentSum(int64_t rows, int64_t inner, int64_t segments, const int32_t* ids, const float* x, float* out) {
  const int64_t strip = rows * inner < 32768 ? inner : (inner >= 256 ? 128 : (inner + 3) / 4);
  parallelRange(inner, strip, [&](int64_t j0, int64_t j1) {
    for (int64_t s = 0; s < segments; ++s)
      for (int64_t j = j0; j < j1; ++j) out[s * inner + j] = 0.0f;
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t s = ids[r];
      if (s < 0 || s >= segments) continue;
      float* to = out + s * inner;
      const float* from = x + r * inner;
      int64_t j = j0;
      for (; j + VW <= j1; j += VW) vstore(to + j, vadd(vload(to + j), vload(from + j)));
      for (; j < j1; ++j) to[j] += from[j];
    }
  });
}

}  // namespace reduction
}  // namespace NETSSM_ISA
}  // namespace netssm
