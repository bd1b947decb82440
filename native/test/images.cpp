// Convolutions, pooling, the causal convolution and resizing.
#include "harness.h"

void testConv(Random& r) {
  for (int round = 0; round < 16; ++round) {
    Conv c{};
    c.batch = 1 + r.below(2);
    c.inH = 3 + r.below(9);
    c.inW = 3 + r.below(9);
    c.inC = 1 + r.below(20);
    c.kH = 1 + r.below(3);
    c.kW = 1 + r.below(3);
    c.strideH = 1 + r.below(2);
    c.strideW = 1 + r.below(2);
    c.dilationH = c.dilationW = 1;
    c.padTop = r.below(static_cast<int>(c.kH));
    c.padLeft = r.below(static_cast<int>(c.kW));
    c.outH = (c.inH + c.padTop - c.kH) / c.strideH + 1;
    c.outW = (c.inW + c.padLeft - c.kW) / c.strideW + 1;
    const bool depthwise = round % 2 == 1;
    const int64_t multiplier = 1 + r.below(2);
    c.outC = depthwise ? c.inC * multiplier : 1 + r.below(20);
    const int64_t filters = c.kH * c.kW * c.outC * (depthwise ? 1 : c.inC);
    Floats x = random(r, c.batch * c.inH * c.inW * c.inC), f = random(r, filters);
    Floats dy = random(r, c.batch * c.outH * c.outW * c.outC), y(dy.size), dx(x.size), df(filters);
    std::vector<double> ey(static_cast<size_t>(y.size)), ex(static_cast<size_t>(x.size)), ef(static_cast<size_t>(filters));
    for (int64_t b = 0; b < c.batch; ++b)
      for (int64_t oy = 0; oy < c.outH; ++oy)
        for (int64_t ox = 0; ox < c.outW; ++ox)
          for (int64_t ky = 0; ky < c.kH; ++ky)
            for (int64_t kx = 0; kx < c.kW; ++kx) {
              const int64_t py = oy * c.strideH - c.padTop + ky, px = ox * c.strideW - c.padLeft + kx;
              if (py < 0 || px < 0 || py >= c.inH || px >= c.inW) continue;
              for (int64_t o = 0; o < c.outC; ++o)
                for (int64_t i = depthwise ? o / multiplier : 0; i < (depthwise ? o / multiplier + 1 : c.inC); ++i) {
                  const int64_t yi = ((b * c.outH + oy) * c.outW + ox) * c.outC + o;
                  const int64_t xi = ((b * c.inH + py) * c.inW + px) * c.inC + i;
                  const int64_t fi =
                      depthwise ? (ky * c.kW + kx) * c.outC + o : ((ky * c.kW + kx) * c.inC + i) * c.outC + o;
                  ey[static_cast<size_t>(yi)] += static_cast<double>(x[xi]) * f[fi];
                  ex[static_cast<size_t>(xi)] += static_cast<double>(dy[yi]) * f[fi];
                  ef[static_cast<size_t>(fi)] += static_cast<double>(dy[yi]) * x[xi];
                }
            }
    const Kernels& k = kernels();
    (depthwise ? k.depthwise : k.conv2d)(c, x.get(), f.get(), nullptr, y.get());
    check("conv2d", y.get(), ey);
    (depthwise ? k.depthwiseInput : k.conv2dInput)(c, dy.get(), f.get(), dx.get());
    check("conv2dInput", dx.get(), ex);
    (depthwise ? k.depthwiseFilter : k.conv2dFilter)(c, x.get(), dy.get(), df.get());
    check("conv2dFilter", df.get(), ef);
    c.outC = c.inC;
    Floats pooled(c.batch * c.outH * c.outW * c.inC), g = random(r, pooled.size);
    k.pool(true, c, x.get(), pooled.get());
    k.pool(false, c, x.get(), pooled.get());
    k.maxPoolInput(c, x.get(), g.get(), dx.get());
    double in = 0, out = 0;
    for (int64_t i = 0; i < dx.size; ++i) in += dx[i];
    for (int64_t i = 0; i < g.size; ++i) out += g[i];
    const float inF = static_cast<float>(in);
    check("maxPoolInput conserves its sum", &inF, {out}, 1e-3);
    k.avgPoolInput(c, g.get(), dx.get());
  }
}

void testCausal(Random& r) {
  for (int round = 0; round < 10; ++round) {
    const int64_t B = 1 + r.below(3), L = 1 + r.below(60), C = 1 + r.below(50), K = 1 + r.below(5), padded = L + K - 1;
    Floats x = random(r, B * padded * C), w = random(r, K * C), bias = random(r, C), segments(B * padded);
    Floats y(B * L * C), dy = random(r, B * L * C), dx(x.size), dw(w.size), db(C);
    for (int64_t i = 0; i < segments.size; ++i) segments[i] = static_cast<float>((i ? segments[i - 1] : 0) + (r.below(5) == 0));
    const bool packed = r.below(2) != 0;
    std::vector<double> ey(static_cast<size_t>(y.size)), ex(static_cast<size_t>(x.size)), ew(static_cast<size_t>(w.size)),
        eb(static_cast<size_t>(C));
    for (int64_t b = 0; b < B; ++b)
      for (int64_t t = 0; t < L; ++t)
        for (int64_t c = 0; c < C; ++c) {
          const size_t yi = static_cast<size_t>((b * L + t) * C + c);
          ey[yi] = bias[c];
          eb[static_cast<size_t>(c)] += dy[static_cast<int64_t>(yi)];
          for (int64_t k = 0; k < K; ++k) {
            if (packed && segments[b * padded + t + k] != segments[b * padded + t + K - 1]) continue;
            const int64_t xi = (b * padded + t + k) * C + c;
            ey[yi] += static_cast<double>(w[k * C + c]) * x[xi];
            ex[static_cast<size_t>(xi)] += static_cast<double>(w[k * C + c]) * dy[static_cast<int64_t>(yi)];
            ew[static_cast<size_t>(k * C + c)] += static_cast<double>(x[xi]) * dy[static_cast<int64_t>(yi)];
          }
        }
    const Causal c{B, L, C, K, x.get(), w.get(), packed ? segments.get() : nullptr};
    kernels().causalConv(c, bias.get(), y.get());
    check("causalConv", y.get(), ey);
    kernels().causalConvGrad(c, dy.get(), dx.get(), dw.get(), db.get());
    check("causalConvGrad dx", dx.get(), ex);
    check("causalConvGrad dw", dw.get(), ew);
    check("causalConvGrad db", db.get(), eb);
  }
}

void testResize(Random& r) {
  for (int round = 0; round < 12; ++round) {
    const Resize s{1 + r.below(2), 1 + r.below(9), 1 + r.below(9), 1 + r.below(12), 1 + r.below(12), 1 + r.below(20),
                   r.below(2) != 0, false};
    const int64_t in = s.batch * s.inH * s.inW * s.channels, out = s.batch * s.outH * s.outW * s.channels;
    // The gradient is the transposed map: <dy, R x> = <R^T dy, x>.
    Floats x = random(r, in), dy = random(r, out), y(out), dx(in);
    for (int bilinear = 0; bilinear < 2; ++bilinear) {
      (bilinear ? resizeBilinear : resizeNearest)(s, x.get(), y.get());
      (bilinear ? resizeBilinearGrad : resizeNearestGrad)(s, dy.get(), dx.get());
      double a = 0, b = 0, size = 0;
      for (int64_t i = 0; i < out; ++i) a += static_cast<double>(y[i]) * dy[i], size += std::fabs(y[i] * dy[i]);
      for (int64_t i = 0; i < in; ++i) b += static_cast<double>(dx[i]) * x[i];
      const float difference = static_cast<float>((a - b) / (size + 1e-9));
      check("resize", &difference, {0}, 10);
    }
  }
}
