// RMSNorm with a residual sum or a gate, and its gradient: every array is read and written once.

namespace netssm {
namespace NETSSM_ISA {
namespace norm {

using activation::load;
using activation::overVectors;
using activation::store;

static void forward(const Norm& s, const NormForward& f) {
  const int64_t width = s.columns / s.groups;
  parallelRange(s.rows, 1 + 16384 / (s.columns + 1), [&](int64_t r0, int64_t r1) {
    for (int64_t i = r0 * s.groups; i < r1 * s.groups; ++i) {
      const int64_t at = i * width;
      const float *x = s.x + at, *weight = s.weight + i % s.groups * width;
      // Where v is not an input it is written down for the second pass, in the first-level cache.
      float* made = f.add ? f.sum + at : s.gate ? f.y + at : nullptr;
      vf total = vzero();
      overVectors(width, [&](int64_t j, int n) {
        vf v = load(x + j, n);
        if (f.add) v = vadd(v, load(f.add + at + j, n));
        if (s.gate) {
          const vf z = load(s.gate + at + j, n);
          v = vmul(v, vmul(z, vsigmoid(z)));
        }
        if (made) store(made + j, v, n);
        total = vfma(v, v, total);
      });
      const float scale = 1.0f / __builtin_sqrtf(vsum(total) / static_cast<float>(width) + f.eps);
      f.scale[i] = scale;
      const vf factor = vset1(scale);
      const float* v = made ? made : x;
      overVectors(width, [&](int64_t j, int n) {
        store(f.y + at + j, vmul(vmul(load(v + j, n), factor), load(weight + j, n)), n);
      });
    }
  });
}

// With unit = v / rms: dv = (dy weight - unit mean(dy weight unit)) / rms, dWeight = sum of dy unit.
static void backwardRow(const Norm& s, const NormBackward& b, int64_t i, float* dWeight) {
  const int64_t width = s.columns / s.groups, at = i * width, column = i % s.groups * width;
  const float *x = s.x + at, *dy = b.dy + at, *weight = s.weight + column;
  const float *gate = s.gate ? s.gate + at : nullptr, *dSum = b.dSum ? b.dSum + at : nullptr;
  float *dx = b.dx + at, *dGate = gate ? b.dGate + at : nullptr;
  vf total = vzero();
  overVectors(width, [&](int64_t j, int n) {
    vf v = load(x + j, n);
    if (gate) {
      const vf z = load(gate + j, n), sigmoid = vsigmoid(z);
      store(dGate + j, sigmoid, n);  // kept for the second pass
      v = vmul(v, vmul(z, sigmoid));
    }
    total = vfma(vmul(load(dy + j, n), load(weight + j, n)), v, total);
  });
  const float scale = b.scale[i];
  const vf factor = vset1(scale), inner = vset1(vsum(total) * scale / static_cast<float>(width));
  const vf one = vset1(1.0f);
  overVectors(width, [&](int64_t j, int n) {
    const vf a = load(x + j, n), d = load(dy + j, n);
    vf z = vzero(), sigmoid = vzero(), v = a;
    if (gate) {
      z = load(gate + j, n);
      sigmoid = load(dGate + j, n);
      v = vmul(a, vmul(z, sigmoid));
    }
    const vf unit = vmul(v, factor);
    store(dWeight + column + j, vfma(d, unit, load(dWeight + column + j, n)), n);
    const vf dv = vmul(vfnma(unit, inner, vmul(d, load(weight + j, n))), factor);
    if (gate) {
      store(dx + j, vmul(dv, vmul(z, sigmoid)), n);
      store(dGate + j, vmul(vmul(dv, a), vmul(sigmoid, vfma(z, vsub(one, sigmoid), one))), n);
    } else {
      store(dx + j, dSum ? vadd(dv, load(dSum + j, n)) : dv, n);
    }
  });
}

// Rows in at most 32 parts with sums of their own, by the shape alone: any number of threads gives the same bits.
static int64_t partsOf(int64_t rows) {
  const int64_t parts = rows / 64;
  return parts < 1 ? 1 : parts > 32 ? 32 : parts;
}

// out[i] = sum over parts of sums[part, i]
static void addParts(const float* sums, int64_t parts, int64_t n, float* out) {
  overVectors(n, [&](int64_t i, int lanes) {
    vf sum = load(sums + i, lanes);
    for (int64_t q = 1; q < parts; ++q) sum = vadd(sum, load(sums + q * n + i, lanes));
    store(out + i, sum, lanes);
  });
}

static void backward(const Norm& s, const NormBackward& b) {
  const int64_t parts = partsOf(s.rows);
  Memory sums(parts * s.columns);
  parallelTasks(parts, [&](int64_t q) {
    float* dWeight = sums.data + q * s.columns;
    convolution::zeroRun(dWeight, s.columns);
    for (int64_t r = s.rows * q / parts; r < s.rows * (q + 1) / parts; ++r)
      for (int64_t g = 0; g < s.groups; ++g) backwardRow(s, b, r * s.groups + g, dWeight);
  });
  addParts(sums.data, parts, s.columns, b.dWeight);
}

}  // namespace norm
}  // namespace NETSSM_ISA
}  // namespace netssm
