// One step of an optimiser: every array is read and written once.

namespace netssm {
namespace NETSSM_ISA {
namespace optimizer {

using activation::load;
using activation::overVectors;
using activation::store;

static void sgd(const OptimizerStep& s, int64_t i0, int64_t i1) {
  const vf rate = vset1(s.p[0]);
  overVectors(i1 - i0, [&](int64_t j, int n) {
    const int64_t i = i0 + j;
    store(s.wOut + i, vfnma(rate, load(s.g + i, n), load(s.w + i, n)), n);
  });
}

static void momentum(const OptimizerStep& s, int64_t i0, int64_t i1) {
  const vf rate = vset1(s.p[0]), m = vset1(s.p[1]);
  const bool nesterov = s.p[2] != 0.0f;
  overVectors(i1 - i0, [&](int64_t j, int n) {
    const int64_t i = i0 + j;
    const vf g = load(s.g + i, n), a = vfma(m, load(s.a + i, n), g);
    store(s.aOut + i, a, n);
    store(s.wOut + i, vfnma(rate, nesterov ? vfma(a, m, g) : a, load(s.w + i, n)), n);
  });
}

static void rmsProp(const OptimizerStep& s, int64_t i0, int64_t i1) {
  const vf rate = vset1(s.p[0]), decay = vset1(s.p[1]), rest = vset1(s.p[2]), m = vset1(s.p[3]), eps = vset1(s.p[4]);
  overVectors(i1 - i0, [&](int64_t j, int n) {
    const int64_t i = i0 + j;
    const vf g = load(s.g + i, n);
    const vf square = vfma(load(s.a + i, n), decay, vmul(vmul(g, g), rest));
    store(s.aOut + i, square, n);
    vf spread = vadd(square, eps);
    if (s.c) {
      const vf mean = vfma(load(s.c + i, n), decay, vmul(g, rest));
      store(s.cOut + i, mean, n);
      spread = vsub(square, vfma(mean, mean, eps));
    }
    const vf step = vfma(load(s.b + i, n), m, vdiv(vmul(g, rate), vsqrt(spread)));
    store(s.bOut + i, step, n);
    store(s.wOut + i, vsub(load(s.w + i, n), step), n);
  });
}

static void adam(const OptimizerStep& s, int64_t i0, int64_t i1) {
  const vf rate = vset1(s.p[0]), b1 = vset1(s.p[1]), r1 = vset1(s.p[2]), b2 = vset1(s.p[3]), r2 = vset1(s.p[4]);
  const vf eps = vset1(s.p[5]), c1 = vset1(1.0f / s.p[6]), c2 = vset1(1.0f / s.p[7]);
  overVectors(i1 - i0, [&](int64_t j, int n) {
    const int64_t i = i0 + j;
    const vf g = load(s.g + i, n);
    const vf a = vfma(load(s.a + i, n), b1, vmul(g, r1));
    const vf b = vfma(load(s.b + i, n), b2, vmul(vmul(g, g), r2));
    store(s.aOut + i, a, n);
    store(s.bOut + i, b, n);
    const vf direction = vdiv(vmul(a, c1), vadd(vsqrt(vmul(b, c2)), eps));
    store(s.wOut + i, vfnma(rate, direction, load(s.w + i, n)), n);
  });
}

static void step(const OptimizerStep& s) {
  parallelRange(s.n, 16384, [&](int64_t i0, int64_t i1) {
    if (s.kind == Adam) adam(s, i0, i1);
    else if (s.kind == RmsProp) rmsProp(s, i0, i1);
    else if (s.kind == Momentum) momentum(s, i0, i1);
    else sgd(s, i0, i1);
  });
}

}  // namespace optimizer
}  // namespace NETSSM_ISA
}  // namespace netssm
