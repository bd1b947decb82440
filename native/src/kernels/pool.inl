// Max and average pooling over [batch, height, width, channels], vectors along the channels.

namespace netssm {
namespace NETSSM_ISA {
namespace pooling {

using depthwise::validRange;

static void forward(bool max, const Conv& c, const float* x, float* y) {
  parallelRange(c.batch * c.outH, 1 + 16384 / (c.outW * c.inC * c.kH * c.kW + 1), [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      const int64_t b = r / c.outH, y0 = r % c.outH * c.strideH - c.padTop;
      int64_t ky0, ky1, kx0, kx1;
      validRange(y0, c.dilationH, c.kH, c.inH, &ky0, &ky1);
      for (int64_t ox = 0; ox < c.outW; ++ox) {
        const int64_t x0 = ox * c.strideW - c.padLeft;
        validRange(x0, c.dilationW, c.kW, c.inW, &kx0, &kx1);
        const vf count = vset1(static_cast<float>((ky1 - ky0) * (kx1 - kx0)));
        for (int64_t ch = 0; ch < c.inC; ch += VW) {
          const int n = c.inC - ch < VW ? static_cast<int>(c.inC - ch) : VW;
          vf s = max ? vset1(-__builtin_inff()) : vzero();
          for (int64_t ky = ky0; ky < ky1; ++ky)
            for (int64_t kx = kx0; kx < kx1; ++kx) {
              const float* p =
                  x + ((b * c.inH + y0 + ky * c.dilationH) * c.inW + x0 + kx * c.dilationW) * c.inC + ch;
              const vf v = n == VW ? vload(p) : vloadn(p, n);
              s = max ? vsel(vlt(s, v), v, s) : vadd(s, v);
            }
          vstoren(y + (r * c.outW + ox) * c.inC + ch, max ? s : vdiv(s, count), n);
        }
      }
    }
  });
}

// The first largest element of each window receives the window's gradient. One task per image.
static void maxGrad(const Conv& c, const float* x, const float* dy, float* dx) {
  const int64_t image = c.inH * c.inW * c.inC;
  parallelTasks(c.batch, [&](int64_t b) {
    for (int64_t i = 0; i < image; ++i) dx[b * image + i] = 0.0f;
    for (int64_t oy = 0; oy < c.outH; ++oy)
      for (int64_t ox = 0; ox < c.outW; ++ox) {
        const int64_t y0 = oy * c.strideH - c.padTop, x0 = ox * c.strideW - c.padLeft;
        int64_t ky0, ky1, kx0, kx1;
        validRange(y0, c.dilationH, c.kH, c.inH, &ky0, &ky1);
        validRange(x0, c.dilationW, c.kW, c.inW, &kx0, &kx1);
        const float* g = dy + ((b * c.outH + oy) * c.outW + ox) * c.inC;
        const auto at = [&](int64_t ky, int64_t kx) {
          return b * image + ((y0 + ky * c.dilationH) * c.inW + x0 + kx * c.dilationW) * c.inC;
        };
        for (int64_t ch = 0; ch < c.inC; ch += VW) {
          const int n = c.inC - ch < VW ? static_cast<int>(c.inC - ch) : VW;
          vf top = vset1(-__builtin_inff());
          for (int64_t ky = ky0; ky < ky1; ++ky)
            for (int64_t kx = kx0; kx < kx1; ++kx) {
              const vf v = vloadn(x + at(ky, kx) + ch, n);
              top = vsel(vlt(top, v), v, top);
            }
          vf rest = vloadn(g + ch, n);
          for (int64_t ky = ky0; ky < ky1; ++ky)
            for (int64_t kx = kx0; kx < kx1; ++kx) {
              float* to = dx + at(ky, kx) + ch;
              const vm here = veq(vloadn(x + at(ky, kx) + ch, n), top);
              vstoren(to, vadd(vloadn(to, n), vsel(here, rest, vzero())), n);
              rest = vsel(here, vzero(), rest);
            }
        }
      }
  });
}

// As tfjs defines it: every element of a window gets 1 / (kH kW) of its gradient, at the border too.
static void avgGrad(const Conv& c, const float* dy, float* dx) {
  const float scale = 1.0f / static_cast<float>(c.kH * c.kW);
  parallelRange(c.batch * c.inH, 1 + 16384 / (c.inW * c.inC * c.kH * c.kW + 1), [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      const int64_t b = r / c.inH, py = r % c.inH;
      for (int64_t px = 0; px < c.inW; ++px)
        for (int64_t ch = 0; ch < c.inC; ch += VW) {
          const int n = c.inC - ch < VW ? static_cast<int>(c.inC - ch) : VW;
          vf s = vzero();
          for (int64_t ky = 0; ky < c.kH; ++ky) {
            const int64_t ty = py + c.padTop - ky * c.dilationH;
            if (ty < 0 || ty % c.strideH || ty / c.strideH >= c.outH) continue;
            for (int64_t kx = 0; kx < c.kW; ++kx) {
              const int64_t tx = px + c.padLeft - kx * c.dilationW;
              if (tx < 0 || tx % c.strideW || tx / c.strideW >= c.outW) continue;
              s = vadd(s, vloadn(dy + ((b * c.outH + ty / c.strideH) * c.outW + tx / c.strideW) * c.inC + ch, n));
            }
          }
          vstoren(dx + (r * c.inW + px) * c.inC + ch, vmul(s, vset1(scale)), n);
        }
    }
  });
}

}  // namespace pooling
}  // namespace NETSSM_ISA
}  // namespace netssm
