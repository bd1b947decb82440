// Windows over images, channel by channel: depthwise convolution and pooling with their gradients. Channels are the
// innermost dimension and fill the vectors; which taps meet which pixels is worked out once, for rows and for columns.

namespace netssm {
namespace NETSSM_ISA {
namespace window {


// Along one dimension: the taps that join destination i with sources, as pairs [begin[i], begin[i + 1]).
struct Axis {
  Memory memory;
  int64_t* begin;
  int32_t* tap;
  int32_t* source;

  Axis(int64_t destinations, int64_t taps)
      : memory(2 * (destinations + 1) + 2 * destinations * taps),
        begin(reinterpret_cast<int64_t*>(memory.data)),
        tap(reinterpret_cast<int32_t*>(begin + destinations + 1)),
        source(tap + destinations * taps) {
    begin[0] = 0;
  }
  int64_t count(int64_t i) const { return begin[i + 1] - begin[i]; }
};

struct Dimension {
  int64_t in, out, taps, stride, dilation, pad;
};
static Dimension rowsOf(const Conv& s) {
  return Dimension{s.inH, s.outH, s.kH, s.strideH, s.dilationH, s.padTop};
}
static Dimension columnsOf(const Conv& s) {
  return Dimension{s.inW, s.outW, s.kW, s.strideW, s.dilationW, s.padLeft};
}

// Destinations are outputs, sources the inputs they see.
struct Seen : Axis {
  explicit Seen(const Dimension& d) : Axis(d.out, d.taps) {
    int64_t n = 0;
    for (int64_t o = 0; o < d.out; ++o) {
      for (int64_t k = 0; k < d.taps; ++k) {
        const int64_t i = o * d.stride + k * d.dilation - d.pad;
        if (i < 0 || i >= d.in) continue;
        tap[n] = static_cast<int32_t>(k);
        source[n++] = static_cast<int32_t>(i);
      }
      begin[o + 1] = n;
    }
  }
};

// Destinations are inputs, sources the outputs that see them.
struct SeenBy : Axis {
  explicit SeenBy(const Dimension& d) : Axis(d.in, d.taps) {
    int64_t n = 0;
    for (int64_t i = 0; i < d.in; ++i) {
      for (int64_t k = 0; k < d.taps; ++k) {
        const int64_t at = i + d.pad - k * d.dilation;
        if (at < 0 || at % d.stride != 0 || at / d.stride >= d.out) continue;
        tap[n] = static_cast<int32_t>(k);
        source[n++] = static_cast<int32_t>(at / d.stride);
      }
      begin[i + 1] = n;
    }
  }
};

// Images [batch, sourceH, sourceW, C] to [batch, H, W, C].
struct Grid {
  int64_t batch, H, W, sourceH, sourceW, C;
};

static int64_t rowGrain(const Grid& g, int64_t taps) { return 1 + 16384 / (g.W * g.C * taps + 1); }

// One destination pixel, channels c to c + N vectors (the last of `tail` lanes): combines every tap's source.
template <class Op, int N>
static inline void pixel(const Op& op, const Grid& g, const Axis& rows, const Axis& columns, int64_t y, int64_t x,
                         const float* image, int64_t c, int tail, float* to) {
  vf acc[N];
  for (int u = 0; u < N; ++u) acc[u] = u + 1 < N || tail == VW ? op.start(c + u * VW) : op.startn(c + u * VW, tail);
  for (int64_t r = rows.begin[y]; r < rows.begin[y + 1]; ++r) {
    const float* line = image + rows.source[r] * g.sourceW * g.C + c;
    for (int64_t q = columns.begin[x]; q < columns.begin[x + 1]; ++q) {
      const float* from = line + columns.source[q] * g.C;
      const int64_t w = op.weight(rows.tap[r], columns.tap[q]) + c;
      if (tail == VW) {
#pragma GCC unroll 4
        for (int u = 0; u < N; ++u) acc[u] = op.step(acc[u], vload(from + u * VW), w + u * VW);
      } else {
#pragma GCC unroll 4
        for (int u = 0; u + 1 < N; ++u) acc[u] = op.step(acc[u], vload(from + u * VW), w + u * VW);
        acc[N - 1] = op.stepn(acc[N - 1], vloadn(from + (N - 1) * VW, tail), w + (N - 1) * VW, tail);
      }
    }
  }
  const vf scale = op.finish(rows.count(y) * columns.count(x));
  for (int u = 0; u + 1 < N; ++u) vstore(to + c + u * VW, vmul(acc[u], scale));
  const vf last = vmul(acc[N - 1], scale);
  if (tail == VW) vstore(to + c + (N - 1) * VW, last);
  else vstoren(to + c + (N - 1) * VW, last, tail);
}

template <class Op>
static void slide(const Op& op, const Grid& g, const Axis& rows, const Axis& columns, int64_t taps, const float* x,
                  float* out) {
  const int64_t whole = g.C / VW * VW;
  parallelRange(g.batch * g.H, rowGrain(g, taps), [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      const float* image = x + r / g.H * g.sourceH * g.sourceW * g.C;
      for (int64_t i = 0; i < g.W; ++i) {
        float* to = out + (r * g.W + i) * g.C;
        int64_t c = 0;
        for (; c + 4 * VW <= g.C; c += 4 * VW) pixel<Op, 4>(op, g, rows, columns, r % g.H, i, image, c, VW, to);
        for (; c < whole; c += VW) pixel<Op, 1>(op, g, rows, columns, r % g.H, i, image, c, VW, to);
        if (c < g.C) pixel<Op, 1>(op, g, rows, columns, r % g.H, i, image, c, static_cast<int>(g.C - c), to);
      }
    }
  });
}

struct WeightedSum {
  const float* w;
  const float* bias;
  int64_t kW, C;
  vf start(int64_t c) const { return bias ? vload(bias + c) : vzero(); }
  vf startn(int64_t c, int n) const { return bias ? vloadn(bias + c, n) : vzero(); }
  int64_t weight(int64_t ky, int64_t kx) const { return (ky * kW + kx) * C; }
  vf step(vf acc, vf v, int64_t at) const { return vfma(v, vload(w + at), acc); }
  vf stepn(vf acc, vf v, int64_t at, int n) const { return vfma(v, vloadn(w + at, n), acc); }
  vf finish(int64_t) const { return vset1(1.0f); }
};

struct Sum {
  bool mean;
  float scale;
  vf start(int64_t) const { return vzero(); }
  vf startn(int64_t, int) const { return vzero(); }
  int64_t weight(int64_t, int64_t) const { return 0; }
  vf step(vf acc, vf v, int64_t) const { return vadd(acc, v); }
  vf stepn(vf acc, vf v, int64_t, int) const { return vadd(acc, v); }
  vf finish(int64_t n) const { return vset1(mean ? 1.0f / static_cast<float>(n) : scale); }
};

struct Largest {
  vf start(int64_t) const { return vset1(-__builtin_inff()); }
  vf startn(int64_t, int) const { return vset1(-__builtin_inff()); }
  int64_t weight(int64_t, int64_t) const { return 0; }
  vf step(vf acc, vf v, int64_t) const { return vsel(vlt(acc, v), v, acc); }  // a NaN is never larger
  vf stepn(vf acc, vf v, int64_t at, int) const { return step(acc, v, at); }
  vf finish(int64_t) const { return vset1(1.0f); }
};

static Grid forwardGrid(const Conv& s) { return Grid{s.batch, s.outH, s.outW, s.inH, s.inW, s.inC}; }
static Grid backwardGrid(const Conv& s) { return Grid{s.batch, s.inH, s.inW, s.outH, s.outW, s.inC}; }

// With a multiplier every input channel stands beside its copies: [pixels, inC] to [pixels, inC * multiplier].
static void spread(int64_t n, int64_t multiplier, const float* x, float* wide) {
  parallelRange(n, 1 + 16384 / multiplier, [&](int64_t i0, int64_t i1) {
    for (int64_t i = i0; i < i1; ++i)
      for (int64_t k = 0; k < multiplier; ++k) wide[i * multiplier + k] = x[i];
  });
}

static Conv spreadShape(const Conv& s) {
  Conv wide = s;
  wide.inC = s.outC;
  return wide;
}

static void depthwise(const Conv& s, const float* x, const float* w, const float* bias, float* y) {
  if (s.inC != s.outC) {
    const Memory wide(s.batch * s.inH * s.inW * s.outC);
    spread(s.batch * s.inH * s.inW * s.inC, s.outC / s.inC, x, wide.data);
    return depthwise(spreadShape(s), wide.data, w, bias, y);
  }
  const WeightedSum op{w, bias, s.kW, s.inC};
  slide(op, forwardGrid(s), Seen(rowsOf(s)), Seen(columnsOf(s)), s.kH * s.kW, x, y);
}

static void depthwiseInputGrad(const Conv& s, const float* dy, const float* w, float* dx) {
  if (s.inC != s.outC) {
    const Memory wide(s.batch * s.inH * s.inW * s.outC);
    depthwiseInputGrad(spreadShape(s), dy, w, wide.data);
    const int64_t multiplier = s.outC / s.inC;
    parallelRange(s.batch * s.inH * s.inW * s.inC, 1 + 16384 / multiplier, [&](int64_t i0, int64_t i1) {
      for (int64_t i = i0; i < i1; ++i) {
        float sum = 0.0f;
        for (int64_t k = 0; k < multiplier; ++k) sum += wide.data[i * multiplier + k];
        dx[i] = sum;
      }
    });
    return;
  }
  const WeightedSum op{w, nullptr, s.kW, s.inC};
  slide(op, backwardGrid(s), SeenBy(rowsOf(s)), SeenBy(columnsOf(s)), s.kH * s.kW, dy, dx);
}

// The outputs of one dimension whose tap k lies inside: [first, last).
static void reach(const Dimension& d, int64_t k, int64_t* first, int64_t* last) {
  const int64_t at = k * d.dilation - d.pad;
  *first = at >= 0 ? 0 : (-at + d.stride - 1) / d.stride;
  *last = at >= d.in ? 0 : (d.in - 1 - at) / d.stride + 1;
  if (*last > d.out) *last = d.out;
}

static void depthwiseFilterGrad(const Conv& s, const float* x, const float* dy, float* dw) {
  if (s.inC != s.outC) {
    const Memory wide(s.batch * s.inH * s.inW * s.outC);
    spread(s.batch * s.inH * s.inW * s.inC, s.outC / s.inC, x, wide.data);
    return depthwiseFilterGrad(spreadShape(s), wide.data, dy, dw);
  }
  const int64_t lines = s.batch * s.outH, taps = s.kH * s.kW, C = s.inC;
  // Lines of output in at most 16 parts of a sum of their own.
  int64_t parts = lines * s.outW * taps * C / 65536;
  parts = parts < 1 ? 1 : (parts > 16 ? 16 : parts);
  if (parts > lines) parts = lines;
  Memory sums(parts * taps * C);
  elementwise::fill(parts * taps * C, 0.0f, sums.data);
  const Dimension columns = columnsOf(s);
  parallelTasks(parts, [&](int64_t q) {
    float* sum = sums.data + q * taps * C;
    for (int64_t l = lines * q / parts; l < lines * (q + 1) / parts; ++l) {
      const int64_t b = l / s.outH, oy = l % s.outH;
      for (int64_t ky = 0; ky < s.kH; ++ky) {
        const int64_t iy = oy * s.strideH + ky * s.dilationH - s.padTop;
        if (iy < 0 || iy >= s.inH) continue;
        for (int64_t kx = 0; kx < s.kW; ++kx) {
          int64_t first, last;
          reach(columns, kx, &first, &last);
          if (last <= first) continue;
          const int64_t ix = first * s.strideW + kx * s.dilationW - s.padLeft;
          const float* from = x + ((b * s.inH + iy) * s.inW + ix) * C;
          const float* g = dy + (l * s.outW + first) * C;
          float* to = sum + (ky * s.kW + kx) * C;
          const int64_t step = s.strideW * C, n = last - first;
          int64_t c = 0;
          for (; c + 2 * VW <= C; c += 2 * VW) {
            vf a0 = vload(to + c), a1 = vload(to + c + VW);
            for (int64_t i = 0; i < n; ++i) {
              a0 = vfma(vload(from + i * step + c), vload(g + i * C + c), a0);
              a1 = vfma(vload(from + i * step + c + VW), vload(g + i * C + c + VW), a1);
            }
            vstore(to + c, a0);
            vstore(to + c + VW, a1);
          }
          for (; c < C; c += VW) {
            const int t = C - c < VW ? static_cast<int>(C - c) : VW;
            vf a = vloadn(to + c, t);
            for (int64_t i = 0; i < n; ++i) a = vfma(vloadn(from + i * step + c, t), vloadn(g + i * C + c, t), a);
            vstoren(to + c, a, t);
          }
        }
      }
    }
  });
  for (int64_t i = 0; i < taps * C; ++i) {
    float sum = 0.0f;
    for (int64_t q = 0; q < parts; ++q) sum += sums.data[q * taps * C + i];
    dw[i] = sum;
  }
}

// The largest, or the mean, of the pixels that lie inside.
static void pool(bool max, const Conv& s, const float* x, float* y) {
  const Seen rows(rowsOf(s)), columns(columnsOf(s));
  if (max) slide(Largest{}, forwardGrid(s), rows, columns, s.kH * s.kW, x, y);
  else slide(Sum{true, 1.0f}, forwardGrid(s), rows, columns, s.kH * s.kW, x, y);
}

// Every output's gradient goes in equal parts to all taps, those outside included, as tfjs defines it.
static void avgPoolGrad(const Conv& s, const float* dy, float* dx) {
  const int64_t taps = s.kH * s.kW;
  slide(Sum{false, 1.0f / static_cast<float>(taps)}, backwardGrid(s), SeenBy(rowsOf(s)), SeenBy(columnsOf(s)), taps, dy,
        dx);
}

// Each output's gradient goes to the first of its largest inputs. Images and runs of channels are the tasks.
static void maxPoolGrad(const Conv& s, const float* x, const float* dy, float* dx) {
  const Seen rows(rowsOf(s)), columns(columnsOf(s));
  const int64_t C = s.inC, strip = 8 * VW, strips = (C + strip - 1) / strip;
  parallelRange(s.batch * strips, 1 + 16384 / (s.inH * s.inW * strip + 1), [&](int64_t t0, int64_t t1) {
    for (int64_t t = t0; t < t1; ++t) {
      const int64_t b = t / strips, c0 = t % strips * strip, c1 = c0 + strip < C ? c0 + strip : C;
      const float* image = x + b * s.inH * s.inW * C;
      float* to = dx + b * s.inH * s.inW * C;
      for (int64_t i = 0; i < s.inH * s.inW; ++i) convolution::zeroRun(to + i * C + c0, c1 - c0);
      for (int64_t y = 0; y < s.outH; ++y)
        for (int64_t o = 0; o < s.outW; ++o) {
          const float* g = dy + ((b * s.outH + y) * s.outW + o) * C;
          const auto overTaps = [&](auto&& f) {
            for (int64_t r = rows.begin[y]; r < rows.begin[y + 1]; ++r)
              for (int64_t q = columns.begin[o]; q < columns.begin[o + 1]; ++q)
                f((rows.source[r] * s.inW + columns.source[q]) * C);
          };
          int64_t c = c0;
          for (; c + VW <= c1; c += VW) {
            vf top = vset1(-__builtin_inff()), rest = vload(g + c);
            overTaps([&](int64_t at) {
              const vf v = vload(image + at + c);
              top = vsel(vlt(top, v), v, top);
            });
            overTaps([&](int64_t at) {
              const vm here = veq(vload(image + at + c), top);
              vstore(to + at + c, vadd(vload(to + at + c), vsel(here, rest, vzero())));
              rest = vsel(here, vzero(), rest);
            });
          }
          if (c == c1) continue;
          const int n = static_cast<int>(c1 - c);
          vf top = vset1(-__builtin_inff()), rest = vloadn(g + c, n);
          overTaps([&](int64_t at) {
            const vf v = vloadn(image + at + c, n);
            top = vsel(vlt(top, v), v, top);
          });
          overTaps([&](int64_t at) {
            const vm here = veq(vloadn(image + at + c, n), top);
            vstoren(to + at + c, vadd(vloadn(to + at + c, n), vsel(here, rest, vzero())), n);
            rest = vsel(here, vzero(), rest);
          });
        }
    }
  });
}

}  // namespace window
}  // namespace NETSSM_ISA
}  // namespace netssm
