// Losses of rows as tf.layers defines them, and their gradients, one pass over memory each.

namespace netssm {
namespace NETSSM_ISA {
namespace loss {

using activation::load;
using activation::overVectors;
using activation::store;

constexpr float kEpsilon = 1e-7f;  // tfjs keeps probabilities this far from 0 and 1

static inline float rowSum(int64_t n, const float* x) {
  vf sum = vzero();
  overVectors(n, [&](int64_t j, int lanes) { sum = vadd(sum, load(x + j, lanes)); });
  return vsum(sum);
}
static inline vf probability(vf x, vf scale) { return vmin(vset1(1.0f - kEpsilon), vmax(vset1(kEpsilon), vmul(x, scale))); }

static float squaredError(int64_t n, const float* target, const float* x) {
  vf sum = vzero();
  overVectors(n, [&](int64_t j, int lanes) {
    const vf d = vsub(load(x + j, lanes), load(target + j, lanes));
    sum = vfma(d, d, sum);
  });
  return vsum(sum) / static_cast<float>(n);
}

static float crossEntropy(int64_t n, const float* target, const float* x) {
  const vf scale = vset1(1.0f / rowSum(n, x));
  vf sum = vzero();
  overVectors(n, [&](int64_t j, int lanes) {
    sum = vfma(load(target + j, lanes), vlog(probability(load(x + j, lanes), scale)), sum);
  });
  return -vsum(sum);
}

static void squaredErrorGrad(int64_t n, float dy, const float* target, const float* x, float* dx) {
  const vf scale = vset1(2.0f * dy / static_cast<float>(n));
  overVectors(n, [&](int64_t j, int lanes) {
    store(dx + j, vmul(scale, vsub(load(x + j, lanes), load(target + j, lanes))), lanes);
  });
}

static void crossEntropyGrad(int64_t n, float dy, const float* target, const float* x, float* dx) {
  const float inverse = 1.0f / rowSum(n, x);
  const vf scale = vset1(inverse), low = vset1(kEpsilon), high = vset1(1.0f - kEpsilon), minus = vset1(-dy);
  vf sum = vzero();
  overVectors(n, [&](int64_t j, int lanes) {
    const vf p = vmul(load(x + j, lanes), scale);
    const vf g = vdiv(vmul(minus, load(target + j, lanes)), p);
    const vf inside = vsel(vle(low, p), vsel(vle(p, high), g, vzero()), vzero());
    sum = vfma(inside, p, sum);
    store(dx + j, inside, lanes);
  });
  const vf mean = vset1(vsum(sum));
  overVectors(n, [&](int64_t j, int lanes) { store(dx + j, vmul(vsub(load(dx + j, lanes), mean), scale), lanes); });
}

static void rows(int kind, int64_t count, int64_t n, const float* target, const float* x, float* out) {
  parallelRange(count, 1 + 16384 / (n + 1), [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r)
      out[r] = (kind == SquaredError ? squaredError : crossEntropy)(n, target + r * n, x + r * n);
  });
}

static void rowsGrad(int kind, int64_t count, int64_t n, const float* dy, const float* target, const float* x, float* dx) {
  parallelRange(count, 1 + 16384 / (n + 1), [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r)
      (kind == SquaredError ? squaredErrorGrad : crossEntropyGrad)(n, dy[r], target + r * n, x + r * n, dx + r * n);
  });
}

}  // namespace loss
}  // namespace NETSSM_ISA
}  // namespace netssm
