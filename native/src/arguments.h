// Reads the arguments of a call from JavaScript and checks them; every failure is a JavaScript error.
#pragma once
#include <napi.h>

#include <cstdint>
#include <string>

namespace netssm {

// What belongs to one JavaScript environment.
struct Instance {
  Napi::Reference<Napi::Int32Array> holder;
  int32_t* params = nullptr;
};

// A typed array, looked at once. Throws where it is none, of another type, or detached.
struct Span {
  napi_typedarray_type type = napi_int8_array;
  int64_t length = 0;
  void* data = nullptr;

  int bytes() const {
    switch (type) {
      case napi_float32_array:
      case napi_int32_array:
      case napi_uint32_array:
        return 4;
      case napi_float64_array:
        return 8;
      case napi_int16_array:
      case napi_uint16_array:
        return 2;
      default:
        return 1;
    }
  }
};

[[noreturn]] inline void fail(Napi::Env env, const std::string& message) {
  throw Napi::RangeError::New(env, "native: " + message);
}

inline Span anySpan(const Napi::CallbackInfo& info, size_t i) {
  Span s;
  size_t length = 0;
  if (napi_get_typedarray_info(info.Env(), info[i], &s.type, &length, &s.data, nullptr, nullptr) != napi_ok)
    throw Napi::TypeError::New(info.Env(), "native: argument " + std::to_string(i) + " is not a typed array");
  s.length = static_cast<int64_t>(length);
  return s;
}

inline Span typedSpan(const Napi::CallbackInfo& info, size_t i, napi_typedarray_type type, int64_t least) {
  const Span s = anySpan(info, i);
  if (s.type != type)
    throw Napi::TypeError::New(info.Env(), "native: argument " + std::to_string(i) + " has the wrong element type");
  if (s.length < least)
    fail(info.Env(), "argument " + std::to_string(i) + " holds " + std::to_string(s.length) + " elements, " +
                         std::to_string(least) + " are needed (a detached buffer holds none)");
  return s;
}

inline float* floats(const Napi::CallbackInfo& info, size_t i, int64_t least) {
  return static_cast<float*>(typedSpan(info, i, napi_float32_array, least).data);
}
inline int32_t* ints(const Napi::CallbackInfo& info, size_t i, int64_t least) {
  return static_cast<int32_t*>(typedSpan(info, i, napi_int32_array, least).data);
}
inline uint8_t* bytes(const Napi::CallbackInfo& info, size_t i, int64_t least) {
  return static_cast<uint8_t*>(typedSpan(info, i, napi_uint8_array, least).data);
}
inline int64_t number(const Napi::CallbackInfo& info, size_t i) {
  int64_t v = 0;
  if (napi_get_value_int64(info.Env(), info[i], &v) != napi_ok)
    throw Napi::TypeError::New(info.Env(), "native: argument " + std::to_string(i) + " is not a number");
  return v;
}
inline int64_t count(const Napi::CallbackInfo& info, size_t i) {
  const int64_t v = number(info, i);
  if (v < 0 || v > (int64_t{1} << 40)) fail(info.Env(), "argument " + std::to_string(i) + " is not a size");
  return v;
}
inline float real(const Napi::CallbackInfo& info, size_t i) {
  double v = 0;
  if (napi_get_value_double(info.Env(), info[i], &v) != napi_ok)
    throw Napi::TypeError::New(info.Env(), "native: argument " + std::to_string(i) + " is not a number");
  return static_cast<float>(v);
}
inline int opcode(const Napi::CallbackInfo& info, size_t i, int limit) {
  const int64_t v = number(info, i);
  if (v < 0 || v >= limit) fail(info.Env(), "operation " + std::to_string(v) + " does not exist");
  return static_cast<int>(v);
}

inline const int32_t* params(const Napi::CallbackInfo& info) { return info.Env().GetInstanceData<Instance>()->params; }

// Adds the functions of binding_conv.cpp.
void addConvolutions(Napi::Env env, Napi::Object exports);
// Adds the functions of binding_layers.cpp.
void addLayers(Napi::Env env, Napi::Object exports);
// Adds the functions of binding_scan.cpp.
void addScans(Napi::Env env, Napi::Object exports);
// Adds the functions of binding_fused.cpp.
void addFused(Napi::Env env, Napi::Object exports);
// Adds the class of binding_decoder.cpp.
void addDecoder(Napi::Env env, Napi::Object exports);

}  // namespace netssm
