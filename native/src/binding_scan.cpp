// The JavaScript side of scan.h.
#include <napi.h>

#include "arguments.h"
#include "kernels.h"

namespace {

using namespace netssm;

// What the arrays of a scan have to hold.
struct Sizes {
  int64_t rows, heads, wide, perHead, rates, state, shared;

  explicit Sizes(const Scan& s)
      : rows(s.batch * s.length),
        heads(s.headWidth ? s.channels / s.headWidth : s.channels),
        wide(rows * s.channels),
        perHead(rows * heads),
        rates(s.headWidth ? heads : s.channels * s.states),
        state(s.batch * s.channels * s.states),
        shared(s.groups * s.states) {}
  // Elements of an array with `width` of every `row` in use.
  int64_t strided(int64_t row, int64_t width) const { return rows == 0 ? 0 : (rows - 1) * row + width; }
};

float* maybe(const Napi::CallbackInfo& info, size_t i, int64_t n) {
  return info[i].IsTypedArray() ? floats(info, i, n) : nullptr;
}

// params = [batch, length, channels, states, headWidth, groups, chunk, uRow, bRow, cRow];
// u, delta, A, B, C, D?, bias?, z?, h?, starts?
Scan readScan(const Napi::CallbackInfo& info) {
  const int32_t* p = params(info);
  Scan s{};
  s.batch = p[0], s.length = p[1], s.channels = p[2], s.states = p[3], s.headWidth = p[4], s.groups = p[5], s.chunk = p[6];
  s.uRow = p[7], s.bRow = p[8], s.cRow = p[9];
  const Napi::Env env = info.Env();
  if (s.batch < 1 || s.length < 1 || s.channels < 1 || s.states < 1 || s.headWidth < 0 || s.groups < 1 || s.chunk < 1 ||
      s.chunk > 4096)
    fail(env, "scan: bad sizes");
  if (s.channels % s.groups != 0 || (s.headWidth && s.channels / s.groups % s.headWidth != 0))
    fail(env, "scan: channels do not divide into groups of whole heads");
  const int64_t limit = int64_t{1} << 40;
  if (s.batch * s.length > limit / s.channels / s.states || s.groups > limit / s.states)
    fail(env, "scan: too many elements");
  if (s.uRow < s.channels || s.bRow < s.groups * s.states || s.cRow < s.groups * s.states) fail(env, "scan: rows overlap");
  const Sizes n(s);
  s.u = floats(info, 0, n.strided(s.uRow, s.channels));
  s.delta = floats(info, 1, n.perHead);
  s.A = floats(info, 2, n.rates);
  s.B = floats(info, 3, n.strided(s.bRow, n.shared));
  s.C = floats(info, 4, n.strided(s.cRow, n.shared));
  s.D = maybe(info, 5, n.heads);
  s.bias = maybe(info, 6, n.heads);
  s.z = maybe(info, 7, n.wide);
  s.h = maybe(info, 8, n.state);
  s.starts = maybe(info, 9, n.rows);
  return s;
}

int64_t savedSize(const Scan& s) {
  return s.batch * ((s.length + s.chunk - 1) / s.chunk) * s.states * s.channels;
}

// .., y, h, saved?
void scanForward(const Napi::CallbackInfo& info) {
  const Scan s = readScan(info);
  const Sizes n(s);
  float* y = floats(info, 10, n.wide);
  float* h = floats(info, 11, n.state);
  kernels().scanForward(s, {y, h, maybe(info, 12, savedSize(s))});
}

// .., saved, dy, dhOut?, du, dDelta, dA, dB, dC, dD?, dBias?, dz?, dh
void scanBackward(const Napi::CallbackInfo& info) {
  const Scan s = readScan(info);
  const Sizes n(s);
  ScanBackward g{};
  g.saved = floats(info, 10, savedSize(s));
  g.dy = floats(info, 11, n.wide);
  g.dhOut = maybe(info, 12, n.state);
  g.du = floats(info, 13, n.strided(s.uRow, s.channels));
  g.dDelta = floats(info, 14, n.perHead);
  g.dA = floats(info, 15, n.rates);
  g.dB = floats(info, 16, n.strided(s.bRow, n.shared));
  g.dC = floats(info, 17, n.strided(s.cRow, n.shared));
  g.dD = maybe(info, 18, n.heads);
  g.dBias = maybe(info, 19, n.heads);
  g.dz = maybe(info, 20, n.wide);
  g.dh = floats(info, 21, n.state);
  kernels().scanBackward(s, g);
}

}  // namespace

namespace netssm {

void addScans(Napi::Env env, Napi::Object exports) {
  exports.Set("scanForward", Napi::Function::New(env, scanForward, "scanForward"));
  exports.Set("scanBackward", Napi::Function::New(env, scanBackward, "scanBackward"));
}

}  // namespace netssm
