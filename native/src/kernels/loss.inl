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

// Cross-entropy of scores. `stats` [rows, 2] keeps each row's largest score and the sum of exp(score - largest).
static void tokens(const TokenLoss& s, float* loss, float* stats) {
  Memory each(s.rows + 1);
  parallelRange(s.rows, 1 + 16384 / (s.vocab + 1), [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      each.data[r] = 0.0f;
      if (s.mask[r] == 0.0f) continue;
      const float* x = s.logits + r * s.vocab;
      vf most = vset1(x[0]);
      overVectors(s.vocab, [&](int64_t j, int n) { most = n == VW ? vmax(most, vload(x + j)) : most; });
      float top = vhmax(most);
      for (int64_t j = s.vocab / VW * VW; j < s.vocab; ++j) top = x[j] > top ? x[j] : top;
      const vf shift = vset1(top);
      vf sum = vzero();
      int64_t j = 0;
      for (; j + VW <= s.vocab; j += VW) sum = vadd(sum, vexp(vsub(vload(x + j), shift)));
      float Z = vsum(sum);
      if (j < s.vocab) {
        float rest[VW] = {};
        vstore(rest, vexp(vsub(vloadn(x + j, static_cast<int>(s.vocab - j)), shift)));
        for (int64_t i = j; i < s.vocab; ++i) Z += rest[i - j];
      }
      stats[2 * r] = top;
      stats[2 * r + 1] = Z;
      float log[VW];
      vstore(log, vlog(vset1(Z)));
      each.data[r] = s.mask[r] * (log[0] - (x[s.targets[r]] - top));
    }
  });
  double sum = 0.0;
  for (int64_t r = 0; r < s.rows; ++r) sum += each.data[r];
  *loss = static_cast<float>(sum);
}

// dx = dy mask (softmax - one at the target)
static void tokensGrad(const TokenLoss& s, const float* stats, float dy, float* dx) {
  parallelRange(s.rows, 1 + 16384 / (s.vocab + 1), [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      float* to = dx + r * s.vocab;
      const float weight = dy * s.mask[r];
      if (s.mask[r] == 0.0f) {
        convolution::zeroRun(to, s.vocab);
        continue;
      }
      const float* x = s.logits + r * s.vocab;
      const vf shift = vset1(stats[2 * r]), factor = vset1(weight / stats[2 * r + 1]);
      overVectors(s.vocab, [&](int64_t j, int n) {
        store(to + j, vmul(vexp(vsub(load(x + j, n), shift)), factor), n);
      });
      to[s.targets[r]] -= weight;
    }
  });
}

}  // namespace loss
}  // namespace NETSSM_ISA
}  // namespace netssm
