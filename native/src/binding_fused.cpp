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

}  // namespace

namespace netssm {

void addFused(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, Napi::Value (*fn)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, fn, name));
  };
  add("adamw", adamw);
}

}  // namespace netssm
