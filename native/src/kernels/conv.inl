// Convolutions as matrix products whose left operand (the patches) is never written out whole: each block of row tiles
// is gathered from the image straight into the packed form that the register tiles read.

namespace netssm {
namespace NETSSM_ISA {
namespace conv {

using gemm::copyRow;
using gemm::KC;
using gemm::KS;
using gemm::lesser;
using gemm::MR;
using gemm::NR;

static inline void zeroRow(float* to, int64_t n) {
  int64_t k = 0;
  for (; k + VW <= n; k += VW) vstore(to + k, vzero());
  if (k < n) vstoren(to + k, vzero(), static_cast<int>(n - k));
}

// Columns [k0, k1) of the patch that output pixel `row` sees, in the order [kH, kW, inC].
static void patch(const Conv& c, const float* x, int64_t row, int64_t k0, int64_t k1, float* to) {
  const int64_t ox = row % c.outW, oy = row / c.outW % c.outH, b = row / (c.outW * c.outH);
  const int64_t line = c.kW * c.inC;
  const int64_t x0 = ox * c.strideW - c.padLeft;
  for (int64_t ky = k0 / line; ky * line < k1; ++ky) {
    // [from, until): this line's part of [k0, k1), counted from the line's begin.
    const int64_t from = k0 > ky * line ? k0 - ky * line : 0, until = lesser(line, k1 - ky * line);
    const int64_t y = oy * c.strideH - c.padTop + ky * c.dilationH;
    if (y < 0 || y >= c.inH) {
      zeroRow(to, until - from);
      to += until - from;
      continue;
    }
    const float* image = x + (b * c.inH + y) * c.inW * c.inC;
    if (c.dilationW == 1) {  // neighbours in the image are neighbours in the patch
      int64_t low = x0 < 0 ? -x0 * c.inC : 0, high = (c.inW - x0) * c.inC;
      low = lesser(low, line);
      high = high < low ? low : lesser(high, line);
      const int64_t a = from < low ? lesser(low, until) : from;
      const int64_t e = until > high ? (high > a ? high : a) : until;
      if (a > from) zeroRow(to, a - from);
      if (e > a) copyRow(image + x0 * c.inC + a, to + (a - from), e - a);
      if (until > e) zeroRow(to + (e - from), until - e);
    } else {
      for (int64_t k = from; k < until;) {
        const int64_t kx = k / c.inC, ch = k % c.inC, n = lesser(c.inC - ch, until - k);
        const int64_t px = x0 + kx * c.dilationW;
        if (px >= 0 && px < c.inW)
          copyRow(image + px * c.inC + ch, to + (k - from), n);
        else
          zeroRow(to + (k - from), n);
        k += n;
      }
    }
    to += until - from;
  }
}

// Columns [k0, k1) of what input pixel `row` was multiplied with: dy at every filter position, in the order [kH, kW, outC].
static void backPatch(const Conv& c, const float* dy, int64_t row, int64_t k0, int64_t k1, float* to) {
  const int64_t px = row % c.inW, py = row / c.inW % c.inH, b = row / (c.inW * c.inH);
  for (int64_t k = k0; k < k1;) {
    const int64_t at = k / c.outC, ch = k % c.outC, n = lesser(c.outC - ch, k1 - k);
    const int64_t ty = py + c.padTop - at / c.kW * c.dilationH, tx = px + c.padLeft - at % c.kW * c.dilationW;
    const int64_t oy = ty / c.strideH, ox = tx / c.strideW;
    if (ty >= 0 && tx >= 0 && oy * c.strideH == ty && ox * c.strideW == tx && oy < c.outH && ox < c.outW)
      copyRow(dy + ((b * c.outH + oy) * c.outW + ox) * c.outC + ch, to, n);
    else
      zeroRow(to, n);
    to += n;
    k += n;
  }
}

// y [rows, n] = patches [rows, k] times b [k, n]; patchRow(row, k0, k1, to) writes a part of a patch.
template <class PatchRow>
static void product(int64_t rows, int64_t n, int64_t k, const float* b, float* y, PatchRow&& patchRow) {
  if (rows <= 0 || n <= 0) return;
  const int64_t panels = (n + NR - 1) / NR, depths = (k + KC - 1) / KC;
  float* packedB = gemm::scratch(1, static_cast<size_t>(panels * depths * KC * NR));
  parallelTasks(depths, [&](int64_t d) {
    gemm::packB(b, n, false, n, d * KC, lesser((d + 1) * KC, k), 0, panels, packedB + d * KC * NR, depths * KC * NR);
  });
  GemmArgs g{};
  g.m = rows;
  g.n = n;
  g.k = k;
  parallelRange(rows, 8 * MR, [&](int64_t i0, int64_t i1) {
    gemm::block(
        g, y, i0, i1, 0, panels, gemm::scratch(0, gemm::packedASize()),
        [&](int64_t tiles, int64_t t0, int64_t t1, int64_t k0, int64_t k1, float* out) {
          for (int64_t t = t0; t < t1; ++t) {
            const int64_t r0 = gemm::tileRow(i0, i1, tiles, t), r1 = gemm::tileRow(i0, i1, tiles, t + 1);
            for (int64_t r = r0; r < r1; ++r) patchRow(r, k0, k1, out + ((t - t0) * MR + (r - r0)) * KS);
          }
        },
        [&](int64_t p, int64_t k0) {
          return gemm::Panel{packedB + (p * depths + k0 / KC) * KC * NR, gemm::panelWidth(n, p)};
        });
  });
}

static void forward(const Conv& c, const float* x, const float* filter, float* y) {
  product(c.batch * c.outH * c.outW, c.outC, c.kH * c.kW * c.inC, filter, y,
          [&](int64_t row, int64_t k0, int64_t k1, float* to) { patch(c, x, row, k0, k1, to); });
}

static void inputGrad(const Conv& c, const float* dy, const float* filter, float* dx) {
  const int64_t k = c.kH * c.kW * c.outC;
  float* turned = alignedAlloc(static_cast<size_t>(k * c.inC));  // [kH, kW, outC, inC]
  layout::transpose2d(c.kH * c.kW, c.inC, c.outC, filter, turned);
  product(c.batch * c.inH * c.inW, c.inC, k, turned, dx,
          [&](int64_t row, int64_t k0, int64_t k1, float* to) { backPatch(c, dy, row, k0, k1, to); });
  alignedFree(turned);
}

// Patches transposed times dy. Runs of pixels are summed on their own and added in order.
static void filterGrad(const Conv& c, const float* x, const float* dy, float* dFilter) {
  const int64_t m = c.kH * c.kW * c.inC, pixels = c.batch * c.outH * c.outW, size = m * c.outC;
  if (size <= 0) return;
  int64_t run = (pixels + 31) / 32;
  run = ((run < 1024 ? 1024 : run) + KC - 1) / KC * KC;
  const int64_t runs = pixels > 0 ? (pixels + run - 1) / run : 0;
  if (runs == 0) {
    zeroRow(dFilter, size);
    return;
  }
  float* partial = runs == 1 ? dFilter : alignedAlloc(static_cast<size_t>(runs * size));
  parallelTasks(runs, [&](int64_t t) {
    const int64_t q1 = lesser((t + 1) * run, pixels);
    for (int64_t q = t * run; q < q1; q += KC) {
      GemmArgs g{};
      g.transA = true;
      g.m = m;
      g.n = c.outC;
      g.k = lesser(KC, q1 - q);
      float* patches = gemm::scratch(2, static_cast<size_t>(KC * m));
      for (int64_t r = 0; r < g.k; ++r) patch(c, x, q + r, 0, m, patches + r * m);
      gemm::single(g, patches, dy + q * c.outC, partial + t * size, 0, (c.outC + NR - 1) / NR, false, q > t * run);
    }
  });
  if (runs == 1) return;
  parallelRange(size, 4096, [&](int64_t i0, int64_t i1) {
    for (int64_t i = i0; i < i1; ++i) {
      float s = partial[i];
      for (int64_t t = 1; t < runs; ++t) s += partial[t * size + i];
      dFilter[i] = s;
    }
  });
  alignedFree(partial);
}

}  // namespace conv
}  // namespace NETSSM_ISA
}  // namespace netssm
