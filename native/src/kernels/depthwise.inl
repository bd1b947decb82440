// Depthwise convolutions: vectors run over channels, which are innermost in memory. A multiplier other than 1 takes the
// plain loop.

namespace netssm {
namespace NETSSM_ISA {
namespace depthwise {

// Calls f(from, until) so that positions low + i * step for i in [from, until) lie within [0, size).
static inline void validRange(int64_t low, int64_t step, int64_t count, int64_t size, int64_t* from, int64_t* until) {
  *from = low < 0 ? (-low + step - 1) / step : 0;
  *until = low >= size ? 0 : (size - low + step - 1) / step;
  if (*until > count) *until = count;
  if (*from > *until) *from = *until;
}

static void forward(const Conv& c, const float* x, const float* filter, float* y) {
  const int64_t multiplier = c.inC ? c.outC / c.inC : 1;
  parallelRange(c.batch * c.outH, 1 + 16384 / (c.outW * c.outC * c.kH * c.kW + 1), [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      const int64_t b = r / c.outH, oy = r % c.outH;
      int64_t ky0, ky1, kx0, kx1;
      const int64_t y0 = oy * c.strideH - c.padTop;
      validRange(y0, c.dilationH, c.kH, c.inH, &ky0, &ky1);
      for (int64_t ox = 0; ox < c.outW; ++ox) {
        const int64_t x0 = ox * c.strideW - c.padLeft;
        validRange(x0, c.dilationW, c.kW, c.inW, &kx0, &kx1);
        float* to = y + (r * c.outW + ox) * c.outC;
        const auto pixel = [&](int64_t ky, int64_t kx) {
          return x + ((b * c.inH + y0 + ky * c.dilationH) * c.inW + x0 + kx * c.dilationW) * c.inC;
        };
        int64_t ch = 0;
        if (multiplier == 1) {
          for (; ch < c.inC; ch += VW) {
            const int n = c.inC - ch < VW ? static_cast<int>(c.inC - ch) : VW;
            vf s = vzero();
            for (int64_t ky = ky0; ky < ky1; ++ky)
              for (int64_t kx = kx0; kx < kx1; ++kx) {
                const float* p = pixel(ky, kx) + ch;
                const float* w = filter + (ky * c.kW + kx) * c.inC + ch;
                s = n == VW ? vfma(vload(p), vload(w), s) : vfma(vloadn(p, n), vloadn(w, n), s);
              }
            vstoren(to + ch, s, n);
          }
        } else {
          for (int64_t o = 0; o < c.outC; ++o) {
            float s = 0.0f;
            for (int64_t ky = ky0; ky < ky1; ++ky)
              for (int64_t kx = kx0; kx < kx1; ++kx)
                s += pixel(ky, kx)[o / multiplier] * filter[(ky * c.kW + kx) * c.outC + o];
            to[o] = s;
          }
        }
      }
    }
  });
}

static void inputGrad(const Conv& c, const float* dy, const float* filter, float* dx) {
  const int64_t multiplier = c.inC ? c.outC / c.inC : 1;
  parallelRange(c.batch * c.inH, 1 + 16384 / (c.inW * c.outC * c.kH * c.kW + 1), [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      const int64_t b = r / c.inH, py = r % c.inH;
      for (int64_t px = 0; px < c.inW; ++px) {
        float* to = dx + (r * c.inW + px) * c.inC;
        for (int64_t ch = 0; ch < c.inC; ++ch) to[ch] = 0.0f;
        for (int64_t ky = 0; ky < c.kH; ++ky) {
          const int64_t ty = py + c.padTop - ky * c.dilationH;
          if (ty < 0 || ty % c.strideH || ty / c.strideH >= c.outH) continue;
          for (int64_t kx = 0; kx < c.kW; ++kx) {
            const int64_t tx = px + c.padLeft - kx * c.dilationW;
            if (tx < 0 || tx % c.strideW || tx / c.strideW >= c.outW) continue;
            const float* g = dy + ((b * c.outH + ty / c.strideH) * c.outW + tx / c.strideW) * c.outC;
            const float* w = filter + (ky * c.kW + kx) * c.outC;
            if (multiplier == 1) {
              int64_t ch = 0;
              for (; ch + VW <= c.inC; ch += VW)
                vstore(to + ch, vfma(vload(g + ch), vload(w + ch), vload(to + ch)));
              for (; ch < c.inC; ++ch) to[ch] += g[ch] * w[ch];
            } else {
              for (int64_t o = 0; o < c.outC; ++o) to[o / multiplier] += g[o] * w[o];
            }
          }
        }
      }
    }
  });
}

// One task per filter position; each output is one running sum over the pixels in order, restarted every image row.
static void filterGrad(const Conv& c, const float* x, const float* dy, float* dFilter) {
  const int64_t multiplier = c.inC ? c.outC / c.inC : 1;
  parallelTasks(c.kH * c.kW, [&](int64_t t) {
    const int64_t ky = t / c.kW, kx = t % c.kW;
    float* to = dFilter + t * c.outC;
    float* row = gemm::scratch(2, static_cast<size_t>(c.outC));
    for (int64_t o = 0; o < c.outC; ++o) to[o] = 0.0f;
    for (int64_t b = 0; b < c.batch; ++b)
      for (int64_t oy = 0; oy < c.outH; ++oy) {
        const int64_t py = oy * c.strideH - c.padTop + ky * c.dilationH;
        if (py < 0 || py >= c.inH) continue;
        for (int64_t o = 0; o < c.outC; ++o) row[o] = 0.0f;
        for (int64_t ox = 0; ox < c.outW; ++ox) {
          const int64_t px = ox * c.strideW - c.padLeft + kx * c.dilationW;
          if (px < 0 || px >= c.inW) continue;
          const float* p = x + ((b * c.inH + py) * c.inW + px) * c.inC;
          const float* g = dy + ((b * c.outH + oy) * c.outW + ox) * c.outC;
          int64_t o = 0;
          if (multiplier == 1)
            for (; o + VW <= c.outC; o += VW) vstore(row + o, vfma(vload(p + o), vload(g + o), vload(row + o)));
          for (; o < c.outC; ++o) row[o] += p[o / multiplier] * g[o];
        }
        for (int64_t o = 0; o < c.outC; ++o) to[o] += row[o];
      }
  });
}

}  // namespace depthwise
}  // namespace NETSSM_ISA
}  // namespace netssm
