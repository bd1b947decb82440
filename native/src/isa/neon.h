// Vector vocabulary for 64-bit ARM NEON: 4 float lanes.
#pragma once
#include <arm_neon.h>

#include <cstdint>

namespace netssm {
namespace NETSSM_ISA {

typedef float32x4_t vf;
typedef uint32x4_t vm;
constexpr int VW = 4;

static inline vf vload(const float* p) { return vld1q_f32(p); }
static inline void vstore(float* p, vf v) { vst1q_f32(p, v); }
static inline void vstream(float* p, vf v) { vst1q_f32(p, v); }
static inline void vfence() {}
static inline vf vloadn(const float* p, int n) {
  float t[4] = {0, 0, 0, 0};
  for (int i = 0; i < n; ++i) t[i] = p[i];
  return vld1q_f32(t);
}
static inline void vstoren(float* p, vf v, int n) {
  float t[4];
  vst1q_f32(t, v);
  for (int i = 0; i < n; ++i) p[i] = t[i];
}
static inline vf vset1(float x) { return vdupq_n_f32(x); }
static inline vf vzero() { return vdupq_n_f32(0.0f); }
static inline vf vadd(vf a, vf b) { return vaddq_f32(a, b); }
static inline vf vsub(vf a, vf b) { return vsubq_f32(a, b); }
static inline vf vmul(vf a, vf b) { return vmulq_f32(a, b); }
static inline vf vdiv(vf a, vf b) { return vdivq_f32(a, b); }
static inline vf vsel(vm m, vf a, vf b) { return vbslq_f32(m, a, b); }
// As on x86: the second operand where either is not a number.
static inline vf vmax(vf a, vf b) { return vsel(vcgtq_f32(a, b), a, b); }
static inline vf vmin(vf a, vf b) { return vsel(vcltq_f32(a, b), a, b); }
static inline vf vsqrt(vf a) { return vsqrtq_f32(a); }
static inline vf vfma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
static inline vf vfnma(vf a, vf b, vf c) { return vfmsq_f32(c, a, b); }
static inline vf vabs(vf a) { return vabsq_f32(a); }
static inline vf vneg(vf a) { return vnegq_f32(a); }
static inline vf vcopysign(vf a, vf s) { return vbslq_f32(vdupq_n_u32(0x80000000u), s, a); }
static inline vf vroundEven(vf a) { return vrndnq_f32(a); }
static inline vf vfloor(vf a) { return vrndmq_f32(a); }
static inline vf vceil(vf a) { return vrndpq_f32(a); }
static inline vm vlt(vf a, vf b) { return vcltq_f32(a, b); }
static inline vm vle(vf a, vf b) { return vcleq_f32(a, b); }
static inline vm veq(vf a, vf b) { return vceqq_f32(a, b); }
static inline vm vunord(vf a, vf b) { return vmvnq_u32(vandq_u32(vceqq_f32(a, a), vceqq_f32(b, b))); }
static inline vf pow2(int32x4_t n) { return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(n, vdupq_n_s32(127)), 23)); }
static inline vf vscale(vf x, vf n) {
  const int32x4_t i = vcvtnq_s32_f32(vminq_f32(vmaxq_f32(n, vdupq_n_f32(-252.0f)), vdupq_n_f32(252.0f)));
  const int32x4_t half = vshrq_n_s32(i, 1);
  return vmulq_f32(vmulq_f32(x, pow2(half)), pow2(vsubq_s32(i, half)));
}
static inline vf vmantissa(vf x, vf* exponent) {
  const vm small = vcltq_f32(x, vdupq_n_f32(1.17549435e-38f));
  x = vsel(small, vmulq_f32(x, vdupq_n_f32(8388608.0f)), x);
  const uint32x4_t bits = vreinterpretq_u32_f32(x);
  vf e = vcvtq_f32_s32(vsubq_s32(vreinterpretq_s32_u32(vshrq_n_u32(bits, 23)), vdupq_n_s32(127)));
  vf m = vreinterpretq_f32_u32(vorrq_u32(vandq_u32(bits, vdupq_n_u32(0x007fffffu)), vdupq_n_u32(0x3f800000u)));
  const vm high = vcgeq_f32(m, vdupq_n_f32(1.5f));
  m = vsel(high, vmulq_f32(m, vdupq_n_f32(0.5f)), m);
  e = vsel(high, vaddq_f32(e, vdupq_n_f32(1.0f)), e);
  *exponent = vsel(small, vsubq_f32(e, vdupq_n_f32(23.0f)), e);
  return m;
}
// The sums of four vectors.
static inline void vsum4(vf a, vf b, vf c, vf d, float* out) {
  vst1q_f32(out, vpaddq_f32(vpaddq_f32(a, b), vpaddq_f32(c, d)));
}
static inline float vsum(vf a) { return vaddvq_f32(a); }
static inline float vhmax(vf a) { return vmaxvq_f32(a); }
static inline float vhmin(vf a) { return vminvq_f32(a); }
static inline void vstoreMask(uint8_t* p, vm m) {
  uint32_t t[4];
  vst1q_u32(t, m);
  for (int i = 0; i < 4; ++i) p[i] = static_cast<uint8_t>(t[i] & 1u);
}
static inline vf vloadInt(const int32_t* p) { return vcvtq_f32_s32(vld1q_s32(p)); }
static inline vm vloadMask(const uint8_t* p) {
  const uint32_t t[4] = {p[0], p[1], p[2], p[3]};
  return vceqq_u32(vld1q_u32(t), vdupq_n_u32(1));
}

constexpr int TB = 4;
static inline void transposeBlock(const float* src, int64_t ss, float* dst, int64_t ds) {
  const float32x4x2_t a = vtrnq_f32(vld1q_f32(src), vld1q_f32(src + ss));
  const float32x4x2_t b = vtrnq_f32(vld1q_f32(src + 2 * ss), vld1q_f32(src + 3 * ss));
  vst1q_f32(dst, vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0])));
  vst1q_f32(dst + ds, vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1])));
  vst1q_f32(dst + 2 * ds, vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0])));
  vst1q_f32(dst + 3 * ds, vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1])));
}

}  // namespace NETSSM_ISA
}  // namespace netssm
