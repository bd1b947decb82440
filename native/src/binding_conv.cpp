// The JavaScript side of convolutions, pooling, resizing and the causal convolution.
#include <napi.h>

#include <initializer_list>

#include "arguments.h"
#include "kernels.h"

namespace netssm {
namespace {

// The product of sizes, refused where it could overflow.
int64_t volume(Napi::Env env, std::initializer_list<int64_t> sizes) {
  int64_t n = 1;
  for (const int64_t s : sizes) {
    if (s < 0) fail(env, "negative size");
    n *= s;
    if (n > (int64_t{1} << 40)) fail(env, "too many elements");
  }
  return n;
}

// `params` = the fields of Conv in their order.
struct Window : Conv {
  int64_t in, out;  // elements of the image and of the result

  explicit Window(const Napi::CallbackInfo& info) {
    const int32_t* p = params(info);
    const Napi::Env env = info.Env();
    static_cast<Conv&>(*this) =
        Conv{p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9], p[10], p[11], p[12], p[13], p[14]};
    if (kH < 1 || kW < 1 || strideH < 1 || strideW < 1 || dilationH < 1 || dilationW < 1)
      fail(env, "convolution: filter, strides and dilations are at least 1");
    in = volume(env, {batch, inH, inW, inC});
    out = volume(env, {batch, outH, outW, outC});
    volume(env, {kH, kW, inC, outC});
    volume(env, {inH + outH, kH});
    volume(env, {inW + outW, kW});
    volume(env, {batch, inH, inW, outC});
  }
};

// what: 0 forward (x, filter -> y; bias or null), 1 input gradient (dy, filter -> dx), 2 filter gradient
// (x, dy -> dFilter); +3 depthwise
void conv2d(const Napi::CallbackInfo& info) {
  const int what = opcode(info, 0, 6);
  const Window c(info);
  const bool depthwise = what >= 3;
  if (depthwise && (c.inC < 1 || c.outC < 1 || c.outC % c.inC != 0))
    fail(info.Env(), "depthwise: outC is no multiple of inC");
  const int64_t filter = c.kH * c.kW * c.outC * (depthwise ? 1 : c.inC);
  const Kernels& k = kernels();
  if (what % 3 == 0) {
    const float *x = floats(info, 1, c.in), *w = floats(info, 2, filter);
    const float* bias = info[4].IsTypedArray() ? floats(info, 4, c.outC) : nullptr;
    (depthwise ? k.depthwise : k.conv2d)(c, x, w, bias, floats(info, 3, c.out));
  } else if (what % 3 == 1) {
    const float *dy = floats(info, 1, c.out), *w = floats(info, 2, filter);
    (depthwise ? k.depthwiseInput : k.conv2dInput)(c, dy, w, floats(info, 3, c.in));
  } else {
    const float *x = floats(info, 1, c.in), *dy = floats(info, 2, c.out);
    (depthwise ? k.depthwiseFilter : k.conv2dFilter)(c, x, dy, floats(info, 3, filter));
  }
}

// what: 0 average, 1 max (x -> y); 2 average gradient (dy -> dx), 3 max gradient (x, dy -> dx)
void pool(const Napi::CallbackInfo& info) {
  const int what = opcode(info, 0, 4);
  const Window c(info);
  if (c.inC != c.outC) fail(info.Env(), "pooling: channels differ");
  if (what < 2)
    kernels().pool(what == 1, c, floats(info, 1, c.in), floats(info, 2, c.out));
  else if (what == 2)
    kernels().avgPoolInput(c, floats(info, 1, c.out), floats(info, 2, c.in));
  else
    kernels().maxPoolInput(c, floats(info, 1, c.in), floats(info, 2, c.out), floats(info, 3, c.in));
}

// `params` = [batch, inH, inW, outH, outW, channels, alignCorners, halfPixelCenters]; what: 0 nearest, 1 bilinear
// (x -> y), 2 and 3 their gradients (dy -> dx)
void resize(const Napi::CallbackInfo& info) {
  const int what = opcode(info, 0, 4);
  const int32_t* p = params(info);
  for (int i = 0; i < 6; ++i)
    if (p[i] < 1) fail(info.Env(), "resize: bad sizes");
  const Resize r{p[0], p[1], p[2], p[3], p[4], p[5], p[6] != 0, p[7] != 0};
  const int64_t in = volume(info.Env(), {r.batch, r.inH, r.inW, r.channels});
  const int64_t out = volume(info.Env(), {r.batch, r.outH, r.outW, r.channels});
  const float* from = floats(info, 1, what < 2 ? in : out);
  float* to = floats(info, 2, what < 2 ? out : in);
  void (*const run[])(const Resize&, const float*, float*) = {
      resizeNearest, resizeBilinear, resizeNearestGrad, resizeBilinearGrad};
  run[what](r, from, to);
}

// `params` = [batch, length, channels, taps]
Causal readCausal(const Napi::CallbackInfo& info, size_t x, size_t weight, size_t segments) {
  const int32_t* p = params(info);
  Causal c{p[0], p[1], p[2], p[3], nullptr, nullptr, nullptr};
  if (c.batch < 0 || c.length < 0 || c.channels < 0 || c.taps < 1) fail(info.Env(), "causal convolution: bad sizes");
  const int64_t padded = c.length + c.taps - 1;
  volume(info.Env(), {c.batch, padded, c.channels});
  volume(info.Env(), {c.taps + 1, c.channels});
  c.x = floats(info, x, c.batch * padded * c.channels);
  c.weight = floats(info, weight, c.taps * c.channels);
  if (info[segments].IsTypedArray()) c.segments = floats(info, segments, c.batch * padded);
  return c;
}

void causalConv(const Napi::CallbackInfo& info) {
  const Causal c = readCausal(info, 0, 1, 3);
  const float* bias = floats(info, 2, c.channels);
  kernels().causalConv(c, bias, floats(info, 4, c.batch * c.length * c.channels));
}

void causalConvGrad(const Napi::CallbackInfo& info) {
  const Causal c = readCausal(info, 1, 2, 3);
  const float* dy = floats(info, 0, c.batch * c.length * c.channels);
  float* dx = floats(info, 4, c.batch * (c.length + c.taps - 1) * c.channels);
  float* dWeight = floats(info, 5, c.taps * c.channels);
  kernels().causalConvGrad(c, dy, dx, dWeight, floats(info, 6, c.channels));
}

}  // namespace

void addConvolutions(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, void (*fn)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, fn, name));
  };
  add("conv2d", conv2d);
  add("pool", pool);
  add("resize", resize);
  add("causalConv", causalConv);
  add("causalConvGrad", causalConvGrad);
}

}  // namespace netssm
