// The JavaScript side: reads typed arrays, checks every size, calls a kernel. Sizes and strides arrive in one Int32Array
// that both sides share for the life of the environment, because reading a JavaScript array costs a call per element.
#include <napi.h>

#include <cstring>
#include <mutex>
#include <string>

#include "arguments.h"
#include "kernels.h"
#include "thread_pool.h"

namespace {

using namespace netssm;

constexpr int kParams = 64;

std::mutex environmentsMutex;
int environments = 0;

// Reads [rank, shape, strides a, strides b or c]. Returns the number of elements.
int64_t readNd(const Napi::CallbackInfo& info, Nd* nd) {
  const int32_t* p = params(info);
  nd->rank = p[0];
  if (nd->rank < 0 || nd->rank > kMaxRank) fail(info.Env(), "rank " + std::to_string(nd->rank) + " is not supported");
  int64_t n = 1;
  for (int d = 0; d < nd->rank; ++d) {
    nd->shape[d] = p[1 + d];
    nd->a[d] = p[1 + nd->rank + d];
    nd->b[d] = nd->c[d] = p[1 + 2 * nd->rank + d];
    if (nd->shape[d] < 0) fail(info.Env(), "negative dimension");
    n *= nd->shape[d];
    if (n > (int64_t{1} << 40)) fail(info.Env(), "too many elements");
  }
  return n;
}

// That offset + i . strides stays within [0, length) for all i in the box.
void checkBox(Napi::Env env, const Nd& nd, const int64_t* strides, int64_t offset, int64_t length) {
  int64_t low = offset, high = offset;
  for (int d = 0; d < nd.rank; ++d) {
    const int64_t reach = (nd.shape[d] - 1) * strides[d];
    (reach < 0 ? low : high) += reach;
  }
  if (low < 0 || high >= length)
    fail(env, "elements " + std::to_string(low) + " to " + std::to_string(high) + " of an array of " +
                  std::to_string(length) + " (a detached buffer holds none)");
}

GemmArgs gemmArguments(const Napi::CallbackInfo& info) {
  const int32_t* p = params(info);
  GemmArgs g;
  g.transA = p[0] != 0;
  g.transB = p[1] != 0;
  g.m = p[2];
  g.n = p[3];
  g.k = p[4];
  g.batch = p[5];
  g.batchA = p[6];
  g.batchB = p[7];
  if (g.m < 0 || g.n < 0 || g.k < 0 || g.batch < 0 || g.batchA < 1 || g.batchB < 1) fail(info.Env(), "matMul: bad sizes");
  g.a = floats(info, 0, g.m * g.k * (g.batchA < g.batch ? g.batchA : g.batch));
  g.b = floats(info, 1, g.k * g.n * (g.batchB < g.batch ? g.batchB : g.batch));
  g.c = floats(info, 2, g.m * g.n * g.batch);
  g.bias = info[3].IsTypedArray() ? floats(info, 3, g.n) : nullptr;
  return g;
}

void gemm(const Napi::CallbackInfo& info) { kernels().gemm(gemmArguments(info)); }

void gemmBf16(const Napi::CallbackInfo& info) { kernels().gemmBf16(gemmArguments(info)); }

Napi::Value gemmBf16Level(const Napi::CallbackInfo& info) {
  const bool set = info.Length() > 0 && info[0].IsNumber();
  return Napi::Number::New(info.Env(), kernels().gemmBf16Level(set ? static_cast<int>(number(info, 0)) : -2));
}

void binary(const Napi::CallbackInfo& info) {
  Nd nd;
  const int op = opcode(info, 0, netssm::Binaries);
  const int64_t n = readNd(info, &nd);
  const Span a = anySpan(info, 1), b = anySpan(info, 2);
  if (n == 0) return;
  checkBox(info.Env(), nd, nd.a, 0, a.length);
  checkBox(info.Env(), nd, nd.b, 0, b.length);
  if (a.type == napi_int32_array && b.type == napi_int32_array) {
    kernels().binaryInt(op, nd, static_cast<int32_t*>(a.data), static_cast<int32_t*>(b.data), ints(info, 3, n));
    return;
  }
  if (a.type != napi_float32_array || b.type != napi_float32_array) fail(info.Env(), "operands differ in type");
  kernels().binary(op, nd, static_cast<float*>(a.data), static_cast<float*>(b.data), floats(info, 3, n));
}

void compare(const Napi::CallbackInfo& info) {
  Nd nd;
  const int op = opcode(info, 0, netssm::Compares);
  const int64_t n = readNd(info, &nd);
  const Span a = typedSpan(info, 1, napi_float32_array, 0), b = typedSpan(info, 2, napi_float32_array, 0);
  if (n == 0) return;
  checkBox(info.Env(), nd, nd.a, 0, a.length);
  checkBox(info.Env(), nd, nd.b, 0, b.length);
  kernels().compare(op, nd, static_cast<float*>(a.data), static_cast<float*>(b.data), bytes(info, 3, n));
}

void unary(const Napi::CallbackInfo& info) {
  const int op = opcode(info, 0, netssm::Unaries);
  const Span x = typedSpan(info, 1, napi_float32_array, 0);
  float* out = floats(info, 2, x.length);
  kernels().unary(op, x.length, static_cast<float*>(x.data), out, real(info, 3), real(info, 4));
}

void select(const Napi::CallbackInfo& info) {
  const int64_t inner = count(info, 4);
  const Span condition = typedSpan(info, 0, napi_uint8_array, 0);
  const int64_t n = condition.length * inner;
  const float *t = floats(info, 1, n), *e = floats(info, 2, n);
  kernels().select(condition.length, inner, static_cast<uint8_t*>(condition.data), t, e, floats(info, 3, n));
}

void addN(const Napi::CallbackInfo& info) {
  const Span out = typedSpan(info, 0, napi_float32_array, 0);
  const size_t inputs = info.Length() - 1;
  if (inputs < 1 || inputs > 64) fail(info.Env(), "addN takes 1 to 64 arrays");
  const float* x[64];
  for (size_t i = 0; i < inputs; ++i) x[i] = floats(info, i + 1, out.length);
  kernels().addN(out.length, static_cast<int>(inputs), x, static_cast<float*>(out.data));
}

void reduce(const Napi::CallbackInfo& info) {
  const int op = opcode(info, 0, netssm::Reduces);
  const int64_t outer = count(info, 3), n = count(info, 4), inner = count(info, 5);
  const float* x = floats(info, 1, outer * n * inner);
  float* out = floats(info, 2, outer * inner);
  kernels().reduce(op, outer, n, inner, x, out, real(info, 6));
}

void argReduce(const Napi::CallbackInfo& info) {
  const bool max = number(info, 0) != 0;
  const int64_t outer = count(info, 3), n = count(info, 4), inner = count(info, 5);
  if (n < 1) fail(info.Env(), "argmax of nothing");
  const float* x = floats(info, 1, outer * n * inner);
  kernels().argReduce(max, outer, n, inner, x, ints(info, 2, outer * inner));
}

void softmax(const Napi::CallbackInfo& info) {
  const int64_t rows = count(info, 3), n = count(info, 4);
  const float* x = floats(info, 1, rows * n);
  kernels().softmax(number(info, 0) != 0, rows, n, x, floats(info, 2, rows * n));
}

void cumulate(const Napi::CallbackInfo& info) {
  const int64_t flags = number(info, 0), outer = count(info, 3), n = count(info, 4), inner = count(info, 5);
  const float* x = floats(info, 1, outer * n * inner);
  kernels().cumulate((flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0, outer, n, inner, x,
                     floats(info, 2, outer * n * inner));
}

void cast(const Napi::CallbackInfo& info) {
  const int op = opcode(info, 0, netssm::Casts);
  const Span x = anySpan(info, 1);
  static const napi_typedarray_type from[] = {napi_float32_array, napi_int32_array, napi_float32_array,
                                              napi_int32_array,   napi_uint8_array, napi_uint8_array};
  static const napi_typedarray_type to[] = {napi_int32_array, napi_float32_array, napi_uint8_array,
                                            napi_uint8_array, napi_float32_array, napi_int32_array};
  if (x.type != from[op]) fail(info.Env(), "cast: wrong element type");
  const Span out = typedSpan(info, 2, to[op], x.length);
  kernels().cast(op, x.length, x.data, out.data);
}

void transpose2d(const Napi::CallbackInfo& info) {
  const int64_t batch = count(info, 2), rows = count(info, 3), columns = count(info, 4), n = batch * rows * columns;
  const Span x = anySpan(info, 0), out = anySpan(info, 1);
  if (x.bytes() != 4 || out.bytes() != 4 || x.length < n || out.length < n) fail(info.Env(), "transpose: bad sizes");
  kernels().transpose2d(batch, rows, columns, static_cast<float*>(x.data), static_cast<float*>(out.data));
}

void fill(const Napi::CallbackInfo& info) {
  const Span out = typedSpan(info, 0, napi_float32_array, 0);
  kernels().fill(out.length, real(info, 1), static_cast<float*>(out.data));
}

void segmentSum(const Napi::CallbackInfo& info) {
  const int64_t rows = count(info, 3), inner = count(info, 4), segments = count(info, 5);
  const int32_t* ids = ints(info, 0, rows);
  const float* x = floats(info, 1, rows * inner);
  kernels().segmentSum(rows, inner, segments, ids, x, floats(info, 2, segments * inner));
}

void stridedCopy(const Napi::CallbackInfo& info) {
  Nd nd;
  const int64_t n = readNd(info, &nd), offsetA = number(info, 1), offsetC = number(info, 3);
  const Span x = anySpan(info, 0), out = anySpan(info, 2);
  const int size = x.bytes();
  if (size != out.bytes() || size == 2) fail(info.Env(), "copy: element sizes differ");
  if (n == 0) return;
  checkBox(info.Env(), nd, nd.a, offsetA, x.length);
  checkBox(info.Env(), nd, nd.c, offsetC, out.length);
  netssm::stridedCopy(nd, size, static_cast<char*>(x.data) + offsetA * size, static_cast<char*>(out.data) + offsetC * size);
}

// x [outer, size, inner], ids [n] -> out [outer, n, inner], for each of `batch` (ids then hold batch * n).
void gather(const Napi::CallbackInfo& info) {
  const int64_t batch = count(info, 3), outer = count(info, 4), size = count(info, 5), inner = count(info, 6);
  const Span x = anySpan(info, 0), out = anySpan(info, 2), id = typedSpan(info, 1, napi_int32_array, 0);
  const int bytes = x.bytes();
  const int64_t n = batch ? id.length / batch : 0;
  if (bytes != out.bytes() || x.length < batch * outer * size * inner || out.length < batch * outer * n * inner)
    fail(info.Env(), "gather: bad sizes");
  const int32_t* ids = static_cast<int32_t*>(id.data);
  for (int64_t i = 0; i < n * batch; ++i)
    if (ids[i] < 0 || ids[i] >= size)
      fail(info.Env(), "GatherV2: the index value " + std::to_string(ids[i]) + " is not in [0, " +
                           std::to_string(size - 1) + "]");
  const char* from = static_cast<char*>(x.data);
  char* to = static_cast<char*>(out.data);
  const size_t run = static_cast<size_t>(inner * bytes);
  netssm::parallelRange(batch * outer * n, 1 + 32768 / (inner + 1), [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      const int64_t b = r / (outer * n), o = r / n % outer, i = r % n;
      const int64_t row = (b * outer + o) * size + ids[b * n + i];
      if (run == 4)
        std::memcpy(to + r * 4, from + row * 4, 4);
      else
        std::memcpy(to + static_cast<size_t>(r) * run, from + static_cast<size_t>(row) * run, run);
    }
  });
}

Napi::Value threads(const Napi::CallbackInfo& info) {
  if (info.Length() > 0 && info[0].IsNumber()) netssm::setThreadCount(static_cast<int>(number(info, 0)));
  return Napi::Number::New(info.Env(), netssm::threadCount());
}

// isa() names the instruction set in use; isa(name) changes it and answers whether that was possible.
Napi::Value isa(const Napi::CallbackInfo& info) {
  if (info.Length() > 0 && info[0].IsString())
    return Napi::Boolean::New(info.Env(), netssm::selectKernels(info[0].As<Napi::String>().Utf8Value().c_str()));
  return Napi::String::New(info.Env(), kernels().name);
}

void leave(void*) {
  std::lock_guard<std::mutex> lock(environmentsMutex);
  if (--environments == 0) netssm::shutdownThreads();
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  auto* instance = new Instance;
  Napi::Int32Array shared = Napi::Int32Array::New(env, kParams);
  instance->params = shared.Data();
  instance->holder = Napi::Persistent(shared);
  env.SetInstanceData(instance);
  {
    std::lock_guard<std::mutex> lock(environmentsMutex);
    ++environments;
  }
  napi_add_env_cleanup_hook(env, leave, nullptr);
  exports.Set("params", shared);
  const auto add = [&](const char* name, void (*fn)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, fn, name));
  };
  add("gemm", gemm);
  add("gemmBf16", gemmBf16);
  add("binary", binary);
  add("compare", compare);
  add("unary", unary);
  add("select", select);
  add("addN", addN);
  add("reduce", reduce);
  add("argReduce", argReduce);
  add("softmax", softmax);
  add("cumulate", cumulate);
  add("cast", cast);
  add("transpose2d", transpose2d);
  add("fill", fill);
  add("segmentSum", segmentSum);
  add("stridedCopy", stridedCopy);
  add("gather", gather);
  addConvolutions(env, exports);
  addLayers(env, exports);
  addScans(env, exports);
  addFused(env, exports);
  addDecoder(env, exports);
  exports.Set("gemmBf16Level", Napi::Function::New(env, gemmBf16Level, "gemmBf16Level"));
  exports.Set("threads", Napi::Function::New(env, threads, "threads"));
  exports.Set("isa", Napi::Function::New(env, isa, "isa"));
  return exports;
}

}  // namespace

NODE_API_MODULE(netssm, init)
