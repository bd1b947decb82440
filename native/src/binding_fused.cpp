// The JavaScript side of fused.h and adamw.h.
#include <napi.h>

#include <cmath>
#include <vector>

#include "adamw.h"
#include "arguments.h"
#include "kernels.h"

namespace {

using namespace netssm;

// Element i of a JavaScript array of Float32Array.
Span element(const Napi::CallbackInfo& info, size_t list, uint32_t i) {
  napi_value value = nullptr;
  Span s;
  size_t length = 0;
  if (napi_get_element(info.Env(), info[list], i, &value) != napi_ok ||
      napi_get_typedarray_info(info.Env(), value, &s.type, &length, &s.data, nullptr, nullptr) != napi_ok ||
      s.type != napi_float32_array)
    throw Napi::TypeError::New(info.Env(), "native: element " + std::to_string(i) + " of argument " +
                                               std::to_string(list) + " is not a Float32Array");
  s.length = static_cast<int64_t>(length);
  return s;
}

// settings [beta1, beta2, eps, keep, stepSize, correction, scale, maxNorm], decays, parameters, gradients, m, v
// -> global norm
Napi::Value adamw(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const double* c = static_cast<const double*>(typedSpan(info, 0, napi_float64_array, 8).data);
  for (size_t list = 2; list < 6; ++list)
    if (!info[list].IsArray())
      throw Napi::TypeError::New(env, "native: argument " + std::to_string(list) + " is not an array");
  const uint32_t count = info[2].As<Napi::Array>().Length();
  const uint8_t* decays = bytes(info, 1, count);
  std::vector<AdamWArray> arrays(count);
  for (uint32_t i = 0; i < count; ++i) {
    const Span p = element(info, 2, i), g = element(info, 3, i), m = element(info, 4, i), v = element(info, 5, i);
    if (g.length != p.length || m.length != p.length || v.length != p.length)
      fail(env, "adamw: arrays " + std::to_string(i) + " have different lengths");
    arrays[i] = {p.length, static_cast<float*>(p.data), static_cast<const float*>(g.data), static_cast<float*>(m.data),
                 static_cast<float*>(v.data), decays[i] ? c[3] : 1.0};
  }
  AdamWStep step{c[0], c[1], c[2], c[4], c[5], c[6]};
  double norm = 0;
  if (c[7] >= 0) {
    norm = std::sqrt(squaredNorm(arrays));
    if (!std::isfinite(norm)) return Napi::Number::New(env, norm);
    const double clip = c[7] / (norm + 1e-6);
    step.scale = clip < 1 ? clip : 1;
  }
  adamwStep(arrays, step);
  return Napi::Number::New(env, norm);
}

float* maybe(const Napi::CallbackInfo& info, size_t i, int64_t n) {
  return info[i].IsTypedArray() ? floats(info, i, n) : nullptr;
}

// The product of sizes, refused where it could overflow.
int64_t volume(Napi::Env env, int64_t a, int64_t b, int64_t c = 1) {
  const int64_t limit = int64_t{1} << 40;
  if (a < 0 || b < 0 || c < 0 || (b > 0 && a > limit / b) || (c > 0 && a * b > limit / c)) fail(env, "bad sizes");
  return a * b * c;
}

// params = [rows, columns, groups]
Norm readNorm(const Napi::CallbackInfo& info, size_t x, size_t gate, size_t weight) {
  const int32_t* p = params(info);
  Norm s{p[0], p[1], p[2], nullptr, nullptr, nullptr};
  if (s.rows < 0 || s.groups < 1 || s.columns < s.groups || s.columns % s.groups != 0)
    fail(info.Env(), "norm: columns do not divide into groups");
  const int64_t n = volume(info.Env(), s.rows, s.columns);
  s.x = floats(info, x, n);
  s.gate = maybe(info, gate, n);
  s.weight = floats(info, weight, s.columns);
  return s;
}

// eps, x, add?, gate?, weight, sum?, y, scale
Napi::Value normForward(const Napi::CallbackInfo& info) {
  const Norm s = readNorm(info, 1, 3, 4);
  const int64_t n = s.rows * s.columns;
  NormForward f{real(info, 0), maybe(info, 2, n), nullptr, nullptr, nullptr};
  if (f.add && s.gate) fail(info.Env(), "norm: either a sum or a gate");
  if (f.add) f.sum = floats(info, 5, n);
  f.y = floats(info, 6, n);
  f.scale = floats(info, 7, s.rows * s.groups);
  kernels().normForward(s, f);
  return info.Env().Undefined();
}

// x, gate?, weight, scale, dy, dSum?, dx, dGate?, dWeight
Napi::Value normBackward(const Napi::CallbackInfo& info) {
  const Norm s = readNorm(info, 0, 1, 2);
  const int64_t n = s.rows * s.columns;
  NormBackward b{};
  b.scale = floats(info, 3, s.rows * s.groups);
  b.dy = floats(info, 4, n);
  b.dSum = maybe(info, 5, n);
  b.dx = floats(info, 6, n);
  b.dGate = s.gate ? floats(info, 7, n) : nullptr;
  b.dWeight = floats(info, 8, s.columns);
  kernels().normBackward(s, b);
  return info.Env().Undefined();
}

// params = [batch, length, channels, taps]; x, weight, bias, before?, starts?
CausalSilu readCausal(const Napi::CallbackInfo& info) {
  const int32_t* p = params(info);
  CausalSilu s{p[0], p[1], p[2], p[3], nullptr, nullptr, nullptr, nullptr, nullptr};
  if (s.batch < 0 || s.length < 1 || s.channels < 0 || s.taps < 1) fail(info.Env(), "causal convolution: bad sizes");
  s.x = floats(info, 0, volume(info.Env(), s.batch, s.length, s.channels));
  s.weight = floats(info, 1, volume(info.Env(), s.channels, s.taps));
  s.bias = floats(info, 2, s.channels);
  s.before = maybe(info, 3, volume(info.Env(), s.batch, s.taps - 1, s.channels));
  s.starts = maybe(info, 4, s.batch * s.length);
  return s;
}

// .., y, state?
Napi::Value causalSilu(const Napi::CallbackInfo& info) {
  const CausalSilu s = readCausal(info);
  float* y = floats(info, 5, s.batch * s.length * s.channels);
  kernels().causalSilu(s, y, maybe(info, 6, s.batch * (s.taps - 1) * s.channels));
  return info.Env().Undefined();
}

// .., dy, dState?, dx, dWeight, dBias, dBefore?
Napi::Value causalSiluGrad(const Napi::CallbackInfo& info) {
  const CausalSilu s = readCausal(info);
  const int64_t n = s.batch * s.length * s.channels, state = s.batch * (s.taps - 1) * s.channels;
  CausalSiluBackward b{};
  b.dy = floats(info, 5, n);
  b.dState = maybe(info, 6, state);
  b.dx = floats(info, 7, n);
  b.dWeight = floats(info, 8, s.channels * s.taps);
  b.dBias = floats(info, 9, s.channels);
  b.dBefore = maybe(info, 10, state);
  kernels().causalSiluGrad(s, b);
  return info.Env().Undefined();
}

// params = [rows, vocab]; logits, targets, mask. Rows that count have a target with a score.
TokenLoss readLoss(const Napi::CallbackInfo& info) {
  const int32_t* p = params(info);
  TokenLoss s{p[0], p[1], nullptr, nullptr, nullptr};
  if (s.vocab < 1) fail(info.Env(), "loss: no scores");
  s.logits = floats(info, 0, volume(info.Env(), s.rows, s.vocab));
  s.targets = ints(info, 1, s.rows);
  s.mask = floats(info, 2, s.rows);
  for (int64_t r = 0; r < s.rows; ++r)
    if (s.mask[r] != 0.0f && (s.targets[r] < 0 || s.targets[r] >= s.vocab))
      fail(info.Env(), "loss: target " + std::to_string(s.targets[r]) + " of row " + std::to_string(r) +
                           " is not in [0, " + std::to_string(s.vocab) + ")");
  return s;
}

// .., loss, stats
Napi::Value tokenLoss(const Napi::CallbackInfo& info) {
  const TokenLoss s = readLoss(info);
  float* loss = floats(info, 3, 1);
  kernels().tokenLoss(s, loss, floats(info, 4, 2 * s.rows));
  return info.Env().Undefined();
}

// .., stats, dy, dx
Napi::Value tokenLossGrad(const Napi::CallbackInfo& info) {
  const TokenLoss s = readLoss(info);
  const float *stats = floats(info, 3, 2 * s.rows), dy = floats(info, 4, 1)[0];
  kernels().tokenLossGrad(s, stats, dy, floats(info, 5, s.rows * s.vocab));
  return info.Env().Undefined();
}

}  // namespace

namespace netssm {

void addFused(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*fn)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, fn, name));
  };
  add("adamw", adamw);
  add("normForward", normForward);
  add("normBackward", normBackward);
  add("causalSilu", causalSilu);
  add("causalSiluGrad", causalSiluGrad);
  add("tokenLoss", tokenLoss);
  add("tokenLossGrad", tokenLossGrad);
}

}  // namespace netssm
