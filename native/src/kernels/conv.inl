// Convolution as a matrix product whose left operand, the patches of the image, is never written out: each task packs
// the patches of its rows straight into the tiles of gemm.inl. The gradient of the input is the same product over dy,
// one for each residue of the coordinates modulo the strides; the gradient of the filter is patches^T dy.

namespace netssm {
namespace NETSSM_ISA {
namespace convolution {

using gemm::copyRow;
using gemm::KC;
using gemm::KS;
using gemm::MR;
using gemm::NR;
using gemm::kGroup;
using gemm::lesser;

static inline void zeroRun(float* to, int64_t n) {
  int64_t i = 0;
  for (; i + VW <= n; i += VW) vstore(to + i, vzero());
  if (i < n) vstoren(to + i, vzero(), static_cast<int>(n - i));
}

// Filter taps of one filter row that read neighbouring pixels, so that they are one run in memory.
struct Run {
  int64_t y, x, taps;  // offset of the first tap from the pixel's own position
};

// The matrix of patches: row (b, y, x) of the grid holds, run after run, what the taps see around (y, x) * step.
struct Patches {
  const float* image;
  int64_t inH, inW, channels;
  int64_t gridH, gridW, stepH, stepW;
  const Run* runs;
  int64_t count;
  int64_t taps;

  int64_t columns() const { return taps * channels; }
};

struct Pixel {
  int64_t b, y, x;
  Pixel(const Patches& p, int64_t row) : b(row / (p.gridH * p.gridW)), y(row / p.gridW % p.gridH), x(row % p.gridW) {}
  void next(const Patches& p) {
    if (++x < p.gridW) return;
    x = 0;
    if (++y < p.gridH) return;
    y = 0;
    ++b;
  }
};

// Columns [k0, k1) of the row of `at`.
static inline void patch(const Patches& p, const Pixel& at, int64_t k0, int64_t k1, float* to) {
  const float* image = p.image + at.b * p.inH * p.inW * p.channels;
  const int64_t C = p.channels;
  int64_t k = 0;
  for (int64_t s = 0; s < p.count && k < k1; ++s) {
    const Run& run = p.runs[s];
    const int64_t end = k + run.taps * C;
    if (end > k0) {
      const int64_t low = k > k0 ? k : k0, high = lesser(end, k1);
      const int64_t y = at.y * p.stepH + run.y, x = at.x * p.stepW + run.x;
      if (y < 0 || y >= p.inH) {
        zeroRun(to + low - k0, high - low);
      } else {
        int64_t first = x < 0 ? k - x * C : low, last = x + run.taps > p.inW ? k + (p.inW - x) * C : high;
        first = first < low ? low : lesser(first, high);
        last = last < first ? first : lesser(last, high);
        if (first > low) zeroRun(to + low - k0, first - low);
        if (last > first) copyRow(image + (y * p.inW + x) * C + (first - k), to + first - k0, last - first);
        if (high > last) zeroRun(to + last - k0, high - last);
      }
    }
    k = end;
  }
}

// Where the rows of a product go: pixels (firstH + y * stepH, firstW + x * stepW) of images outH x outW.
struct Target {
  float* data;
  int64_t outH, outW, firstH, firstW, stepH, stepW;
};

// target[row, :] = patches[row, :] w (+ bias), w [columns, n].
static void product(const Patches& p, int64_t batch, const float* w, int64_t n, const float* bias, const Target& target) {
  const int64_t m = batch * p.gridH * p.gridW, K = p.columns();
  if (m <= 0 || n <= 0 || K <= 0) return;
  const bool dense = target.stepH == 1 && target.stepW == 1;
  const int64_t depths = (K + KC - 1) / KC, kc = (K + depths - 1) / depths;
  const int64_t panels = (n + NR - 1) / NR;
  float* packedB = scratch(1, static_cast<size_t>(depths * panels * kc * NR));
  parallelRange(depths, 1 + 65536 / (kc * n), [&](int64_t d0, int64_t d1) {
    for (int64_t d = d0; d < d1; ++d)
      gemm::packB(w, n, false, n, d * kc, lesser((d + 1) * kc, K), 0, panels, packedB + d * panels * kc * NR, kc * NR);
  });
  const int64_t tiles = (m + MR - 1) / MR;
  const bool small = m * n * K < 32 * 32 * 32;
  int64_t rowTasks = small ? 1 : lesser((tiles + 3) / 4, 32), columnTasks = 1;
  if (rowTasks < 8 && !small) columnTasks = lesser(panels, (8 + rowTasks - 1) / rowTasks);
  parallelTasks(rowTasks * columnTasks, [&](int64_t task) {
    const int64_t r = task / columnTasks, q = task % columnTasks;
    const int64_t t0 = tiles * r / rowTasks, t1 = tiles * (r + 1) / rowTasks;
    const int64_t p0 = panels * q / columnTasks, p1 = panels * (q + 1) / columnTasks;
    const int64_t j0 = p0 * NR, width = lesser(p1 * NR, n) - j0;
    const size_t sizeA = gemm::packedASize();
    float* packedA = scratch(0, sizeA + (dense ? 0 : static_cast<size_t>(kGroup * MR * width)));
    for (int64_t g0 = t0; g0 < t1; g0 += kGroup) {
      const int64_t g1 = lesser(g0 + kGroup, t1);
      const int64_t i0 = gemm::tileRow(0, m, tiles, g0), i1 = gemm::tileRow(0, m, tiles, g1);
      float* c = dense ? target.data + i0 * n + j0 : packedA + sizeA;
      const int64_t ldc = dense ? n : width;
      for (int64_t d = 0; d < depths; ++d) {
        const int64_t k0 = d * kc, k1 = lesser(k0 + kc, K);
        Pixel at(p, i0);
        for (int64_t t = g0; t < g1; ++t) {
          float* to = packedA + (t - g0) * MR * KS;
          const int64_t rows = gemm::tileRow(0, m, tiles, t + 1) - gemm::tileRow(0, m, tiles, t);
          for (int64_t i = 0; i < rows; ++i, at.next(p)) patch(p, at, k0, k1, to + i * KS);
        }
        for (int64_t panel = p0; panel < p1; ++panel) {
          const int64_t columns = lesser(NR, n - panel * NR);
          const int vectors = static_cast<int>((columns + VW - 1) / VW);
          const int tail = static_cast<int>(columns - (vectors - 1) * VW);
          const float* b = packedB + (d * panels + panel) * kc * NR;
          for (int64_t t = g0; t < g1; ++t) {
            const int64_t r0 = gemm::tileRow(0, m, tiles, t), r1 = gemm::tileRow(0, m, tiles, t + 1);
            const gemm::Tile run = gemm::tileFor(static_cast<int>(r1 - r0), vectors, false);
            run(k1 - k0, packedA + (t - g0) * MR * KS, 0, b, gemm::panelWidth(n, panel),
                c + (r0 - i0) * ldc + (panel - p0) * NR, ldc, d > 0, tail);
          }
        }
      }
      if (bias)
        for (int64_t i = 0; i < i1 - i0; ++i) {
          float* row = c + i * ldc;
          int64_t j = 0;
          for (; j + VW <= width; j += VW) vstore(row + j, vadd(vload(row + j), vload(bias + j0 + j)));
          for (; j < width; ++j) row[j] += bias[j0 + j];
        }
      if (dense) continue;
      Pixel at(p, i0);
      for (int64_t i = 0; i < i1 - i0; ++i, at.next(p)) {
        const int64_t y = target.firstH + at.y * target.stepH, x = target.firstW + at.x * target.stepW;
        copyRow(c + i * ldc, target.data + ((at.b * target.outH + y) * target.outW + x) * n + j0, width);
      }
    }
  });
}

static inline Run* runsIn(const Memory& memory) { return reinterpret_cast<Run*>(memory.data); }
static inline int64_t runsSize(int64_t taps) { return taps * static_cast<int64_t>(sizeof(Run) / sizeof(float)); }

// A filter of one pixel that visits every pixel: no patches, one product of plain matrices.
static inline bool pointwise(const Conv& s) {
  return s.kH == 1 && s.kW == 1 && s.strideH == 1 && s.strideW == 1 && s.padTop == 0 && s.padLeft == 0 &&
         s.inH == s.outH && s.inW == s.outW;
}

static void multiply(bool transA, bool transB, int64_t m, int64_t n, int64_t k, const float* a, const float* b,
                     const float* bias, float* c) {
  GemmArgs g;
  g.transA = transA;
  g.transB = transB;
  g.m = m;
  g.n = n;
  g.k = k;
  g.a = a;
  g.b = b;
  g.c = c;
  g.batch = g.batchA = g.batchB = 1;
  g.bias = bias;
  gemm::run(g);
}

// The patches that the filter sees for every output pixel. `memory` keeps the runs.
static Patches patchesOf(const Conv& s, const float* x, const Memory& memory) {
  Run* runs = runsIn(memory);
  int64_t count = 0;
  for (int64_t ky = 0; ky < s.kH; ++ky) {
    const int64_t y = ky * s.dilationH - s.padTop;
    if (s.dilationW == 1) {
      runs[count++] = Run{y, -s.padLeft, s.kW};
    } else {
      for (int64_t kx = 0; kx < s.kW; ++kx) runs[count++] = Run{y, kx * s.dilationW - s.padLeft, 1};
    }
  }
  return Patches{x, s.inH, s.inW, s.inC, s.outH, s.outW, s.strideH, s.strideW, runs, count, s.kH * s.kW};
}

static void forward(const Conv& s, const float* x, const float* w, const float* bias, float* y) {
  if (pointwise(s)) return multiply(false, false, s.batch * s.outH * s.outW, s.outC, s.inC, x, w, bias, y);
  Memory memory(runsSize(s.kH * s.kW));
  const Patches p = patchesOf(s, x, memory);
  product(p, s.batch, w, s.outC, bias, Target{y, s.outH, s.outW, 0, 0, 1, 1});
}

// The taps that reach input pixels (py, px) modulo the strides, last first so that offsets in dy ascend, with their
// filters transposed to [outC, inC] in `turned`.
static Patches reachingTaps(const Conv& s, const float* dy, const float* w, int64_t py, int64_t px, Run* runs,
                            float* turned) {
  const int64_t slab = s.inC * s.outC;
  int64_t count = 0, used = 0;
  for (int64_t ky = s.kH - 1; ky >= 0; --ky) {
    const int64_t y = py + s.padTop - ky * s.dilationH;
    if (y % s.strideH != 0) continue;
    bool open = false;  // the last run may grow
    for (int64_t kx = s.kW - 1; kx >= 0; --kx) {
      const int64_t x = px + s.padLeft - kx * s.dilationW;
      if (x % s.strideW != 0) continue;
      const int64_t at = x / s.strideW;
      if (open && runs[count - 1].x + runs[count - 1].taps == at)
        ++runs[count - 1].taps;
      else
        runs[count++] = Run{y / s.strideH, at, 1};
      open = true;
      layout::transpose2d(1, s.inC, s.outC, w + (ky * s.kW + kx) * slab, turned + used * slab);
      ++used;
    }
  }
  return Patches{dy, s.outH, s.outW, s.outC, (s.inH - py + s.strideH - 1) / s.strideH,
                 (s.inW - px + s.strideW - 1) / s.strideW, 1, 1, runs, count, used};
}

static void inputGrad(const Conv& s, const float* dy, const float* w, float* dx) {
  if (pointwise(s)) return multiply(false, true, s.batch * s.outH * s.outW, s.inC, s.outC, dy, w, nullptr, dx);
  const int64_t taps = s.kH * s.kW;
  Memory memory(runsSize(taps)), turned(taps * s.inC * s.outC);
  // Strides longer than the filter leave pixels out.
  const bool gaps = s.strideH > s.kH || s.strideW > s.kW ||
                    (s.strideH > 1 && s.dilationH > 1) || (s.strideW > 1 && s.dilationW > 1);
  if (gaps) elementwise::fill(s.batch * s.inH * s.inW * s.inC, 0.0f, dx);
  for (int64_t py = 0; py < s.strideH && py < s.inH; ++py)
    for (int64_t px = 0; px < s.strideW && px < s.inW; ++px) {
      const Patches p = reachingTaps(s, dy, w, py, px, runsIn(memory), turned.data);
      product(p, s.batch, turned.data, s.inC, nullptr, Target{dx, s.inH, s.inW, py, px, s.strideH, s.strideW});
    }
}

static void filterGrad(const Conv& s, const float* x, const float* dy, float* dw) {
  const int64_t m = s.batch * s.outH * s.outW, n = s.outC;
  if (pointwise(s)) return multiply(true, false, s.inC, n, m, x, dy, nullptr, dw);
  Memory memory(runsSize(s.kH * s.kW));
  const Patches p = patchesOf(s, x, memory);
  const int64_t K = p.columns(), tiles = (K + MR - 1) / MR, panels = (n + NR - 1) / NR;
  // Tasks share out the rows of dw; where those are few, the pixels too, each part with a sum of its own.
  const bool small = m * n * K < 32 * 32 * 32;
  int64_t rowTasks = small ? 1 : lesser((tiles + 3) / 4, 32);
  if (rowTasks * kGroup < tiles) rowTasks = (tiles + kGroup - 1) / kGroup;
  int64_t parts = rowTasks >= 8 || small ? 1 : lesser((8 + rowTasks - 1) / rowTasks, m / 1024);
  if (parts < 1) parts = 1;
  Memory sums(parts > 1 ? parts * K * n : 1);
  float* out = parts > 1 ? sums.data : dw;
  const bool direct = n % VW == 0 && n <= 256;
  parallelTasks(rowTasks * parts, [&](int64_t task) {
    const int64_t r = task % rowTasks, q = task / rowTasks;
    const int64_t t0 = tiles * r / rowTasks, t1 = tiles * (r + 1) / rowTasks;
    int64_t start[kGroup + 1];  // of each row tile
    for (int64_t t = t0; t <= t1; ++t) start[t - t0] = gemm::tileRow(0, K, tiles, t);
    const int64_t k0 = start[0], k1 = start[t1 - t0];
    const int64_t m0 = m * q / parts, m1 = m * (q + 1) / parts;
    float* c = out + q * K * n;
    const size_t sizeA = gemm::packedASize();
    // Patches of several pixels are written before they are read again: loads straight behind the stores would wait.
    constexpr int64_t kAhead = 8;
    const int64_t stride = k1 - k0 + VW;
    float* packedA = scratch(0, sizeA + static_cast<size_t>(kAhead * stride + VW));
    float* patches = packedA + sizeA;
    float* packedB = direct ? nullptr : scratch(1, static_cast<size_t>(panels * KC * NR));
    Pixel at(p, m0);
    for (int64_t d0 = m0; d0 < m1; d0 += KC) {
      const int64_t d1 = lesser(d0 + KC, m1);
      for (int64_t e0 = d0; e0 < d1; e0 += kAhead) {
        const int64_t e1 = lesser(e0 + kAhead, d1);
        for (int64_t e = e0; e < e1; ++e, at.next(p)) patch(p, at, k0, k1, patches + (e - e0) * stride);
        for (int64_t t = t0; t < t1; ++t) {
          const int64_t first = start[t - t0], rows = start[t - t0 + 1] - first;
          const float* from = patches + first - k0;
          float* to = packedA + (t - t0) * MR * KS + (e0 - d0) * rows;
          for (int64_t e = e0; e < e1; ++e, from += stride, to += rows) {
            // A whole vector: what is too much is overwritten by the next pixel, or lies in the slack KS - KC.
            if (MR <= VW) vstore(to, vload(from));
            else copyRow(from, to, rows);
          }
        }
      }
      if (!direct) gemm::packB(dy, n, false, n, d0, d1, 0, panels, packedB, KC * NR);
      for (int64_t panel = 0; panel < panels; ++panel) {
        const int64_t columns = lesser(NR, n - panel * NR);
        const int vectors = static_cast<int>((columns + VW - 1) / VW);
        const int tail = static_cast<int>(columns - (vectors - 1) * VW);
        const float* b = direct ? dy + d0 * n + panel * NR : packedB + panel * KC * NR;
        const int64_t ldb = direct ? n : gemm::panelWidth(n, panel);
        for (int64_t t = t0; t < t1; ++t) {
          const int64_t r0 = start[t - t0], r1 = start[t - t0 + 1];
          const gemm::Tile run = gemm::tileFor(static_cast<int>(r1 - r0), vectors, true);
          run(d1 - d0, packedA + (t - t0) * MR * KS, 0, b, ldb, c + r0 * n + panel * NR, n, d0 > m0, tail);
        }
      }
    }
  });
  if (parts == 1) return;
  parallelRange(K * n, 16384, [&](int64_t i0, int64_t i1) {
    for (int64_t i = i0; i < i1; ++i) {
      float sum = sums.data[i];
      for (int64_t q = 1; q < parts; ++q) sum += sums.data[q * K * n + i];
      dw[i] = sum;
    }
  });
}

}  // namespace convolution
}  // namespace NETSSM_ISA
}  // namespace netssm
