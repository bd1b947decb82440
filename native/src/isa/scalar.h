// Vector vocabulary of one lane: plain C++, for processors without a vector path of their own.
#pragma once
#include <cmath>
#include <cstdint>

namespace netssm {
namespace NETSSM_ISA {

typedef float vf;
typedef bool vm;
constexpr int VW = 1;

static inline vf vload(const float* p) { return *p; }
static inline void vstore(float* p, vf v) { *p = v; }
static inline void vstream(float* p, vf v) { *p = v; }
static inline void vfence() {}
static inline vf vloadn(const float* p, int n) { return n ? *p : 0.0f; }
static inline void vstoren(float* p, vf v, int n) {
  if (n) *p = v;
}
static inline vf vset1(float x) { return x; }
static inline vf vzero() { return 0.0f; }
static inline vf vadd(vf a, vf b) { return a + b; }
static inline vf vsub(vf a, vf b) { return a - b; }
static inline vf vmul(vf a, vf b) { return a * b; }
static inline vf vdiv(vf a, vf b) { return a / b; }
static inline vf vmax(vf a, vf b) { return a > b ? a : b; }
static inline vf vmin(vf a, vf b) { return a < b ? a : b; }
static inline vf vsqrt(vf a) { return std::sqrt(a); }
static inline vf vfma(vf a, vf b, vf c) { return a * b + c; }
static inline vf vfnma(vf a, vf b, vf c) { return c - a * b; }
static inline vf vabs(vf a) { return std::fabs(a); }
static inline vf vneg(vf a) { return -a; }
static inline vf vcopysign(vf a, vf s) { return std::copysign(a, s); }
static inline vf vroundEven(vf a) { return std::nearbyint(a); }
static inline vf vfloor(vf a) { return std::floor(a); }
static inline vf vceil(vf a) { return std::ceil(a); }
static inline vm vlt(vf a, vf b) { return a < b; }
static inline vm vle(vf a, vf b) { return a <= b; }
static inline vm veq(vf a, vf b) { return a == b; }
static inline vm vunord(vf a, vf b) { return a != a || b != b; }
static inline vf vsel(vm m, vf a, vf b) { return m ? a : b; }
static inline vf vscale(vf x, vf n) {
  return n != n ? n : std::ldexp(x, static_cast<int>(n < -300.0f ? -300.0f : (n > 300.0f ? 300.0f : n)));
}
static inline vf vmantissa(vf x, vf* exponent) {
  int e = 0;
  float m = std::frexp(x, &e);  // [0.5, 1)
  if (m < 0.75f) {
    m *= 2.0f;
    --e;
  }
  *exponent = static_cast<float>(e);
  return m;
}
// The sums of four vectors.
static inline void vsum4(vf a, vf b, vf c, vf d, float* out) {
  out[0] = a;
  out[1] = b;
  out[2] = c;
  out[3] = d;
}
static inline float vsum(vf a) { return a; }
static inline float vhmax(vf a) { return a; }
static inline float vhmin(vf a) { return a; }
static inline void vstoreMask(uint8_t* p, vm m) { *p = m ? 1 : 0; }
static inline vf vloadInt(const int32_t* p) { return static_cast<float>(*p); }
static inline vm vloadMask(const uint8_t* p) { return *p == 1; }

constexpr int TB = 4;
static inline void transposeBlock(const float* src, int64_t ss, float* dst, int64_t ds) {
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 4; ++j) dst[j * ds + i] = src[i * ss + j];
}

}  // namespace NETSSM_ISA
}  // namespace netssm
