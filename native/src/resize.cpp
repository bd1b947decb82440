// Nearest-neighbour and bilinear resizing with tfjs's conventions for corners and pixel centres, and their gradients.
#include <cmath>

#include "kernels.h"
#include "thread_pool.h"

namespace netssm {
namespace {

// Source coordinates of one output axis: value = (1 - fraction) x[low] + fraction x[high].
struct Axis {
  double scale;
  bool half;
  int64_t size;

  Axis(int64_t in, int64_t out, bool align, bool halfPixel) : half(halfPixel), size(in) {
    const bool corners = align && out > 1;
    scale = static_cast<double>(corners ? in - 1 : in) / static_cast<double>(corners ? out - 1 : out);
  }
  void bilinear(int64_t i, int64_t* low, int64_t* high, float* fraction) const {
    const double at = half ? scale * (static_cast<double>(i) + 0.5) - 0.5 : scale * static_cast<double>(i);
    const double floor = std::floor(at);
    *low = floor < 0 ? 0 : static_cast<int64_t>(floor);
    const int64_t up = static_cast<int64_t>(std::ceil(at));
    *high = up > size - 1 ? size - 1 : (up < 0 ? 0 : up);
    *fraction = static_cast<float>(at - static_cast<double>(*low));
  }
  int64_t nearest(int64_t i, bool align) const {
    const double at = half ? scale * (static_cast<double>(i) + 0.5) : scale * static_cast<double>(i);
    // JavaScript's Math.round: halves go up.
    const int64_t n = static_cast<int64_t>(align ? std::floor(at + 0.5) : std::floor(at));
    return n > size - 1 ? size - 1 : (n < 0 ? 0 : n);
  }
};

}  // namespace

void resizeNearest(const Resize& r, const float* x, float* y) {
  const Axis rows(r.inH, r.outH, r.alignCorners, r.halfPixelCenters);
  const Axis columns(r.inW, r.outW, r.alignCorners, r.halfPixelCenters);
  parallelRange(r.batch * r.outH, 1 + 16384 / (r.outW * r.channels + 1), [&](int64_t t0, int64_t t1) {
    for (int64_t t = t0; t < t1; ++t) {
      const float* line = x + (t / r.outH * r.inH + rows.nearest(t % r.outH, r.alignCorners)) * r.inW * r.channels;
      float* to = y + t * r.outW * r.channels;
      for (int64_t c = 0; c < r.outW; ++c) {
        const float* from = line + columns.nearest(c, r.alignCorners) * r.channels;
        for (int64_t d = 0; d < r.channels; ++d) to[c * r.channels + d] = from[d];
      }
    }
  });
}

void resizeBilinear(const Resize& r, const float* x, float* y) {
  const Axis rows(r.inH, r.outH, r.alignCorners, r.halfPixelCenters);
  const Axis columns(r.inW, r.outW, r.alignCorners, r.halfPixelCenters);
  parallelRange(r.batch * r.outH, 1 + 8192 / (r.outW * r.channels + 1), [&](int64_t t0, int64_t t1) {
    for (int64_t t = t0; t < t1; ++t) {
      int64_t top, bottom, left, right;
      float fr, fc;
      rows.bilinear(t % r.outH, &top, &bottom, &fr);
      const float* image = x + t / r.outH * r.inH * r.inW * r.channels;
      const float *a = image + top * r.inW * r.channels, *b = image + bottom * r.inW * r.channels;
      float* to = y + t * r.outW * r.channels;
      for (int64_t c = 0; c < r.outW; ++c) {
        columns.bilinear(c, &left, &right, &fc);
        const float *tl = a + left * r.channels, *tr = a + right * r.channels;
        const float *bl = b + left * r.channels, *br = b + right * r.channels;
        for (int64_t d = 0; d < r.channels; ++d) {
          const float up = tl[d] + (tr[d] - tl[d]) * fc, down = bl[d] + (br[d] - bl[d]) * fc;
          to[c * r.channels + d] = up + (down - up) * fr;
        }
      }
    }
  });
}

void resizeNearestGrad(const Resize& r, const float* dy, float* dx) {
  const Axis rows(r.inH, r.outH, r.alignCorners, false), columns(r.inW, r.outW, r.alignCorners, false);
  const int64_t image = r.inH * r.inW * r.channels;
  parallelTasks(r.batch, [&](int64_t b) {
    for (int64_t i = 0; i < image; ++i) dx[b * image + i] = 0.0f;
    for (int64_t y = 0; y < r.outH; ++y)
      for (int64_t c = 0; c < r.outW; ++c) {
        const float* g = dy + ((b * r.outH + y) * r.outW + c) * r.channels;
        float* to = dx + b * image +
                    (rows.nearest(y, r.alignCorners) * r.inW + columns.nearest(c, r.alignCorners)) * r.channels;
        for (int64_t d = 0; d < r.channels; ++d) to[d] += g[d];
      }
  });
}

void resizeBilinearGrad(const Resize& r, const float* dy, float* dx) {
  const Axis rows(r.inH, r.outH, r.alignCorners, false), columns(r.inW, r.outW, r.alignCorners, false);
  const int64_t image = r.inH * r.inW * r.channels;
  parallelTasks(r.batch, [&](int64_t b) {
    for (int64_t i = 0; i < image; ++i) dx[b * image + i] = 0.0f;
    for (int64_t y = 0; y < r.outH; ++y) {
      int64_t top, bottom, left, right;
      float fr, fc;
      rows.bilinear(y, &top, &bottom, &fr);
      for (int64_t c = 0; c < r.outW; ++c) {
        columns.bilinear(c, &left, &right, &fc);
        const float* g = dy + ((b * r.outH + y) * r.outW + c) * r.channels;
        float* base = dx + b * image;
        float *tl = base + (top * r.inW + left) * r.channels, *tr = base + (top * r.inW + right) * r.channels;
        float *bl = base + (bottom * r.inW + left) * r.channels, *br = base + (bottom * r.inW + right) * r.channels;
        for (int64_t d = 0; d < r.channels; ++d) {
          tl[d] += g[d] * (1 - fr) * (1 - fc);
          tr[d] += g[d] * (1 - fr) * fc;
          bl[d] += g[d] * fr * (1 - fc);
          br[d] += g[d] * fr * fc;
        }
      }
    }
  });
}

}  // namespace netssm
