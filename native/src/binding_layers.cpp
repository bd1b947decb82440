// The JavaScript side of layers.h: recurrent layers, gradients of activations, losses, steps of optimisers.
#include <napi.h>

#include <string>

#include "arguments.h"
#include "kernels.h"

namespace {

using namespace netssm;

// A float32 array of at least n elements, or null where JavaScript gives null.
float* maybe(const Napi::CallbackInfo& info, size_t i, int64_t n) {
  return info[i].IsTypedArray() ? floats(info, i, n) : nullptr;
}

// params = [kind, backwards, activation, recurrentActivation, batch, steps, units].
Rnn readRnn(const Napi::CallbackInfo& info) {
  const int32_t* p = params(info);
  Rnn s{p[0], p[1] != 0, p[2], p[3], p[4], p[5], p[6], nullptr};
  if (s.kind < 0 || s.kind >= RnnKinds) fail(info.Env(), "recurrent layer of kind " + std::to_string(s.kind));
  if (s.activation < 0 || s.activation >= SoftmaxActivation || s.recurrentActivation < 0 ||
      s.recurrentActivation >= SoftmaxActivation)
    fail(info.Env(), "recurrent layer: no such activation");
  if (s.batch < 1 || s.steps < 1 || s.units < 1) fail(info.Env(), "recurrent layer: bad sizes");
  return s;
}

// recurrent, h0?, c0?, gates, before?, cells?, sequence?, h, c?
void rnnForward(const Napi::CallbackInfo& info) {
  Rnn s = readRnn(info);
  const int64_t state = s.batch * s.units, all = state * s.steps;
  s.recurrent = floats(info, 0, rnnGates(s.kind) * s.units * s.units);
  RnnForward f{};
  f.h0 = maybe(info, 1, state);
  f.c0 = maybe(info, 2, state);
  f.gates = floats(info, 3, all * rnnGates(s.kind));
  f.before = maybe(info, 4, all);
  f.cells = maybe(info, 5, all);
  f.sequence = maybe(info, 6, all);
  f.h = floats(info, 7, state);
  f.c = s.kind == Lstm ? floats(info, 8, state) : nullptr;
  kernels().rnnForward(s, f);
}

// recurrent, gates, before, cells?, c0?, dSequence?, dh?, dc?, dGates, dh0, dc0?, dRecurrent, dBias?
void rnnBackward(const Napi::CallbackInfo& info) {
  Rnn s = readRnn(info);
  const int64_t state = s.batch * s.units, all = state * s.steps, gates = rnnGates(s.kind);
  s.recurrent = floats(info, 0, gates * s.units * s.units);
  RnnBackward f{};
  f.gates = floats(info, 1, all * gates);
  f.before = floats(info, 2, all);
  f.cells = s.kind == SimpleRnn ? nullptr : floats(info, 3, all);
  f.c0 = maybe(info, 4, state);
  f.dSequence = maybe(info, 5, all);
  f.dh = maybe(info, 6, state);
  f.dc = maybe(info, 7, state);
  f.dGates = floats(info, 8, all * gates);
  f.dh0 = floats(info, 9, state);
  f.dc0 = s.kind == Lstm ? floats(info, 10, state) : nullptr;
  f.dRecurrent = floats(info, 11, gates * s.units * s.units);
  f.dBias = maybe(info, 12, gates * s.units);
  kernels().rnnBackward(s, f);
}

// kind, dy, y, dx, dBias?, rows, columns
void activationGrad(const Napi::CallbackInfo& info) {
  const int kind = opcode(info, 0, Activations);
  const int64_t rows = count(info, 5), columns = count(info, 6), n = rows * columns;
  const float *dy = floats(info, 1, n), *y = floats(info, 2, n);
  float* dx = floats(info, 3, n);
  kernels().activationGrad(kind, rows, columns, dy, y, dx, maybe(info, 4, columns));
}

// kind, target, x, out, rows, n
void loss(const Napi::CallbackInfo& info) {
  const int kind = opcode(info, 0, Losses);
  const int64_t rows = count(info, 4), n = count(info, 5);
  const float *target = floats(info, 1, rows * n), *x = floats(info, 2, rows * n);
  kernels().loss(kind, rows, n, target, x, floats(info, 3, rows));
}

// kind, dy, target, x, dx, rows, n
void lossGrad(const Napi::CallbackInfo& info) {
  const int kind = opcode(info, 0, Losses);
  const int64_t rows = count(info, 5), n = count(info, 6);
  const float *dy = floats(info, 1, rows), *target = floats(info, 2, rows * n), *x = floats(info, 3, rows * n);
  kernels().lossGrad(kind, rows, n, dy, target, x, floats(info, 4, rows * n));
}

// kind, hyper-parameters, w, g, a?, b?, c?, wOut, aOut?, bOut?, cOut?
void optimizerStep(const Napi::CallbackInfo& info) {
  static const int slots[] = {0, 1, 2, 2};
  OptimizerStep s{};
  s.kind = opcode(info, 0, Optimizers);
  const float* hyper = floats(info, 1, 8);
  for (int i = 0; i < 8; ++i) s.p[i] = hyper[i];
  const Span w = typedSpan(info, 2, napi_float32_array, 0);
  s.n = w.length;
  s.w = static_cast<const float*>(w.data);
  s.g = floats(info, 3, s.n);
  s.a = slots[s.kind] > 0 ? floats(info, 4, s.n) : nullptr;
  s.b = slots[s.kind] > 1 ? floats(info, 5, s.n) : nullptr;
  s.c = s.kind == RmsProp ? maybe(info, 6, s.n) : nullptr;
  s.wOut = floats(info, 7, s.n);
  s.aOut = s.a ? floats(info, 8, s.n) : nullptr;
  s.bOut = s.b ? floats(info, 9, s.n) : nullptr;
  s.cOut = s.c ? floats(info, 10, s.n) : nullptr;
  kernels().optimizerStep(s);
}

}  // namespace

namespace netssm {

void addLayers(Napi::Env env, Napi::Object exports) {
  const auto add = [&](const char* name, void (*fn)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, fn, name));
  };
  add("rnnForward", rnnForward);
  add("rnnBackward", rnnBackward);
  add("activationGrad", activationGrad);
  add("optimizerStep", optimizerStep);
  add("loss", loss);
  add("lossGrad", lossGrad);
}

}  // namespace netssm
