// Activations by number, and their slopes from the value they gave: what the fused layers share.

namespace netssm {
namespace NETSSM_ISA {
namespace activation {

static inline vf value(int kind, vf x) {
  switch (kind) {
    case TanhActivation: return vtanh(x);
    case SigmoidActivation: return vsigmoid(x);
    case HardSigmoid: return vmin(vset1(1.0f), vmax(vzero(), vfma(vset1(0.2f), x, vset1(0.5f))));
    case ReluActivation: return vmax(vzero(), x);
    default: return x;
  }
}

// d value / d x where the value is y.
static inline vf slope(int kind, vf y) {
  const vf one = vset1(1.0f);
  switch (kind) {
    case TanhActivation: return vfnma(y, y, one);
    case SigmoidActivation: return vmul(y, vsub(one, y));
    case HardSigmoid: return vsel(vlt(vzero(), y), vsel(vlt(y, one), vset1(0.2f), vzero()), vzero());
    case ReluActivation: return vsel(vlt(vzero(), y), one, vzero());
    default: return one;
  }
}

// Calls f(offset, lanes) for every vector of n values.
template <class F>
static inline void overVectors(int64_t n, F&& f) {
  int64_t i = 0;
  for (; i + VW <= n; i += VW) f(i, VW);
  if (i < n) f(i, static_cast<int>(n - i));
}
static inline vf load(const float* p, int n) { return n == VW ? vload(p) : vloadn(p, n); }
static inline void store(float* p, vf v, int n) {
  if (n == VW) vstore(p, v);
  else vstoren(p, v, n);
}

// dx = dy slope(y) for [rows, columns]; softmax along the columns. dBias, the sums of the columns, may be null.
static void gradient(int kind, int64_t rows, int64_t columns, const float* dy, const float* y, float* dx, float* dBias) {
  parallelRange(rows, 1 + 16384 / (columns + 1), [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      const float *g = dy + r * columns, *v = y + r * columns;
      float* out = dx + r * columns;
      if (kind != SoftmaxActivation) {
        overVectors(columns, [&](int64_t j, int n) {
          store(out + j, vmul(load(g + j, n), slope(kind, load(v + j, n))), n);
        });
        continue;
      }
      vf sum = vzero();
      overVectors(columns, [&](int64_t j, int n) { sum = vfma(load(g + j, n), load(v + j, n), sum); });
      const vf inner = vset1(vsum(sum));
      overVectors(columns, [&](int64_t j, int n) {
        store(out + j, vmul(vsub(load(g + j, n), inner), load(v + j, n)), n);
      });
    }
  });
  if (dBias) reduction::reduce(ReduceSum, 1, rows, columns, dx, dBias, 1.0f);
}

}  // namespace activation
}  // namespace NETSSM_ISA
}  // namespace netssm
