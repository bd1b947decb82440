// Vectorised elementary functions. Bounds are the largest error seen against double precision over the whole range
// (test/tensor/native/math.test.ts): exp, log, sigmoid, tanh, expm1, log1p, softplus <= 4 units in the last place.

namespace netssm {
namespace NETSSM_ISA {

constexpr float kLn2Hi = 0.693145751953125f;   // 16 bits: n * kLn2Hi is exact for |n| < 256
constexpr float kLn2Lo = 1.42860682030941723212e-6f;

// exp(r) for |r| <= ln(2)/2: Taylor to degree 7, relative error 2^-27 before rounding.
static inline vf expSmall(vf r) {
  vf p = vset1(1.98412698e-4f);
  p = vfma(p, r, vset1(1.38888889e-3f));
  p = vfma(p, r, vset1(8.33333333e-3f));
  p = vfma(p, r, vset1(4.16666667e-2f));
  p = vfma(p, r, vset1(1.66666667e-1f));
  p = vfma(p, r, vset1(0.5f));
  p = vfma(p, r, vset1(1.0f));
  return vfma(p, r, vset1(1.0f));
}

static inline vf vexp(vf x) {
  // min/max keep a NaN because it stands second.
  const vf c = vmin(vset1(89.0f), vmax(vset1(-104.0f), x));
  const vf n = vroundEven(vmul(c, vset1(1.44269504f)));
  vf r = vfnma(n, vset1(kLn2Hi), c);
  r = vfnma(n, vset1(kLn2Lo), r);
  return vscale(expSmall(r), n);
}

static inline vf vexpm1(vf x) {
  const vf c = vmin(vset1(89.0f), vmax(vset1(-30.0f), x));
  const vf n = vroundEven(vmul(c, vset1(1.44269504f)));
  vf r = vfnma(n, vset1(kLn2Hi), c);
  r = vfnma(n, vset1(kLn2Lo), r);
  // e^r - 1 without the leading one, then 2^n (p + 1) - 1 = 2^n p + (2^n - 1).
  vf p = vset1(1.98412698e-4f);
  p = vfma(p, r, vset1(1.38888889e-3f));
  p = vfma(p, r, vset1(8.33333333e-3f));
  p = vfma(p, r, vset1(4.16666667e-2f));
  p = vfma(p, r, vset1(1.66666667e-1f));
  p = vfma(p, r, vset1(0.5f));
  p = vfma(vmul(p, r), r, r);
  // 2^128 alone is beyond float: take half and double at the end.
  const vf s = vscale(vset1(0.5f), n);
  const vf y = vfma(s, p, vsub(s, vset1(0.5f)));
  return vadd(y, y);
}

// log(m 2^e) for m in [0.75, 1.5).
static inline vf logPoly(vf m, vf e) {
  // Coefficients of Cephes' logf (public domain), an approximation on [sqrt(1/2), sqrt(2)].
  const vm high = vlt(vset1(1.41421356f), m);
  m = vsel(high, vmul(vset1(0.5f), m), m);
  e = vsel(high, vadd(e, vset1(1.0f)), e);
  const vf f = vsub(m, vset1(1.0f));
  const vf z = vmul(f, f);
  vf p = vset1(7.0376836292e-2f);
  p = vfma(p, f, vset1(-1.1514610310e-1f));
  p = vfma(p, f, vset1(1.1676998740e-1f));
  p = vfma(p, f, vset1(-1.2420140846e-1f));
  p = vfma(p, f, vset1(1.4249322787e-1f));
  p = vfma(p, f, vset1(-1.6668057665e-1f));
  p = vfma(p, f, vset1(2.0000714765e-1f));
  p = vfma(p, f, vset1(-2.4999993993e-1f));
  p = vfma(p, f, vset1(3.3333331174e-1f));
  vf y = vmul(vmul(p, f), z);
  y = vfma(e, vset1(kLn2Lo), y);
  y = vfnma(vset1(0.5f), z, y);
  y = vadd(f, y);
  return vfma(e, vset1(kLn2Hi), y);
}

static inline vf vlog(vf x) {
  vf e;
  const vf m = vmantissa(x, &e);
  vf y = logPoly(m, e);
  const vf inf = vset1(__builtin_inff());
  y = vsel(vlt(x, inf), y, x);                                   // +inf and NaN stay what they are
  y = vsel(veq(x, vzero()), vneg(inf), y);
  return vsel(vlt(x, vzero()), vset1(__builtin_nanf("")), y);
}

// log(1 + x): the rounding error of 1 + x is put back through its derivative.
static inline vf vlog1p(vf x) {
  const vf u = vadd(x, vset1(1.0f));
  const vf y = vlog(u);
  const vf lost = vsub(x, vsub(u, vset1(1.0f)));
  const vf fixed = vadd(y, vdiv(lost, u));
  const vm plain = vle(u, vzero());
  const vm huge = veq(u, vset1(__builtin_inff()));
  vf r = vsel(plain, y, vsel(huge, y, fixed));
  return vsel(veq(u, vset1(1.0f)), x, r);
}

static inline vf vsigmoid(vf x) {
  const vf one = vset1(1.0f);
  return vdiv(one, vadd(one, vexp(vneg(x))));
}

// max(x, 0) + log(1 + exp(-|x|))
static inline vf vsoftplus(vf x) {
  const vf u = vexp(vneg(vabs(x)));
  const vf w = vadd(u, vset1(1.0f));  // in [1, 2]
  vf e;
  const vf m = vmantissa(w, &e);
  vf y = logPoly(m, e);
  // What w lost of u, over w: at most half a unit in the last place, so a rough quotient does.
  y = vfma(vsub(u, vsub(w, vset1(1.0f))), vfnma(vset1(0.5f), u, vset1(1.0f)), y);
  y = vsel(veq(w, vset1(1.0f)), u, y);
  return vadd(vmax(vzero(), x), vsel(vunord(x, x), x, y));
}

static inline vf vtanh(vf x) {
  const vf a = vabs(x);
  // tanh a = d / (d + 2) with d = e^{2a} - 1, exact for small a too.
  const vf d = vexpm1(vmin(vset1(20.0f), vadd(a, a)));
  const vf y = vdiv(d, vadd(d, vset1(2.0f)));
  const vf r = vcopysign(y, x);
  return vsel(vunord(x, x), x, r);
}

// Abramowitz and Stegun 7.1.26, as tfjs computes it: absolute error 1.5e-7.
static inline vf verf(vf x) {
  const vf a = vabs(x);
  const vf t = vdiv(vset1(1.0f), vfma(vset1(0.3275911f), a, vset1(1.0f)));
  vf p = vset1(1.061405429f);
  p = vfma(p, t, vset1(-1.453152027f));
  p = vfma(p, t, vset1(1.421413741f));
  p = vfma(p, t, vset1(-0.284496736f));
  p = vfma(p, t, vset1(0.254829592f));
  p = vmul(p, t);
  const vf y = vfnma(p, vexp(vneg(vmul(a, a))), vset1(1.0f));
  return vsel(vunord(x, x), x, vcopysign(y, x));
}

}  // namespace NETSSM_ISA
}  // namespace netssm
