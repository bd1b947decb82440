// Softmax of rows and its logarithm, a row at a time in the first-level cache.

namespace netssm {
namespace NETSSM_ISA {
namespace reduction {

// Lanes [0, n) of a, the others `rest`.
static inline vf firstLanes(vf a, int n, vf rest) {
  static const float numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return vsel(vlt(vload(numbers), vset1(static_cast<float>(n))), a, rest);
}

// One row of n values. NaN is left out of the largest value; its exponential makes the sum, and so the row, NaN.
template <bool Log>
static inline void softmaxRow(int64_t n, const float* p, float* q, const float* next) {
  const vf low = vset1(-__builtin_inff());
  const int tail = static_cast<int>(n % VW);
  const int64_t whole = n - tail;
  vf m0 = low, m1 = low;
  int64_t i = 0;
  for (; i + 2 * VW <= whole; i += 2 * VW) {
    m0 = vmax(vload(p + i), m0);
    m1 = vmax(vload(p + i + VW), m1);
  }
  if (i < whole) m0 = vmax(vload(p + i), m0);
  if (tail) m1 = vmax(firstLanes(vloadn(p + whole, tail), tail, low), m1);
  const vf m = vset1(vhmax(vmax(m0, m1)));
  vf s0 = vzero(), s1 = vzero();
  for (i = 0; i + 2 * VW <= whole; i += 2 * VW) {
    __builtin_prefetch(next + i);
    if (VW == 16) __builtin_prefetch(next + i + VW);
    const vf e0 = vexp(vsub(vload(p + i), m)), e1 = vexp(vsub(vload(p + i + VW), m));
    if (!Log) {
      vstore(q + i, e0);
      vstore(q + i + VW, e1);
    }
    s0 = vadd(s0, e0);
    s1 = vadd(s1, e1);
  }
  if (i < whole) {
    const vf e = vexp(vsub(vload(p + i), m));
    if (!Log) vstore(q + i, e);
    s0 = vadd(s0, e);
  }
  vf last = vzero();
  if (tail) {
    last = vexp(vsub(vloadn(p + whole, tail), m));
    s1 = vadd(s1, firstLanes(last, tail, vzero()));
  }
  const float sum = vsum(vadd(s0, s1));
  if (Log) {
    const vf lg = vlog(vset1(sum));
    for (i = 0; i < whole; i += VW) vstore(q + i, vsub(vsub(vload(p + i), m), lg));
    if (tail) vstoren(q + whole, vsub(vsub(vloadn(p + whole, tail), m), lg), tail);
  } else {
    const vf inverse = vset1(1.0f / sum);
    for (i = 0; i < whole; i += VW) vstore(q + i, vmul(vload(q + i), inverse));
    if (tail) vstoren(q + whole, vmul(last, inverse), tail);
  }
}

static void softmax(bool logarithm, int64_t rows, int64_t n, const float* x, float* out) {
  if (n <= 0) return;
  parallelRange(rows, 1 + 8192 / n, [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      const float* p = x + r * n;
      const float* next = r + 1 < r1 ? p + n : p;
      if (logarithm) softmaxRow<true>(n, p, out + r * n, next);
      else softmaxRow<false>(n, p, out + r * n, next);
    }
  });
}

}  // namespace reduction
}  // namespace NETSSM_ISA
}  // namespace netssm
