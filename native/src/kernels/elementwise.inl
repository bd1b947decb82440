// Elementwise kernels: binary with broadcasting, unary, comparison, select, AddN, cast, fill.

namespace netssm {
namespace NETSSM_ISA {
namespace elementwise {

constexpr int64_t kGrain = 16384;  // elements a task

struct OpAdd { static vf v(vf a, vf b) { return vadd(a, b); } };
struct OpSub { static vf v(vf a, vf b) { return vsub(a, b); } };
struct OpMul { static vf v(vf a, vf b) { return vmul(a, b); } };
struct OpDiv { static vf v(vf a, vf b) { return vdiv(a, b); } };
// JavaScript's Math.max and Math.min: NaN where either operand is.
struct OpMax { static vf v(vf a, vf b) { return vsel(vunord(a, b), vadd(a, b), vmax(a, b)); } };
struct OpMin { static vf v(vf a, vf b) { return vsel(vunord(a, b), vadd(a, b), vmin(a, b)); } };
struct OpSqDiff { static vf v(vf a, vf b) { const vf d = vsub(a, b); return vmul(d, d); } };

// One run of the innermost dimension; SA and SB (0 or 1) are the operands' strides.
template <class Op, int SA, int SB>
static inline void binaryRun(int64_t n, const float* a, const float* b, float* out) {
  const vf ca = SA ? vzero() : vset1(*a), cb = SB ? vzero() : vset1(*b);
  int64_t i = 0;
  for (; i + 4 * VW <= n; i += 4 * VW) {
#pragma GCC unroll 4
    for (int u = 0; u < 4; ++u)
      vstore(out + i + u * VW, Op::v(SA ? vload(a + i + u * VW) : ca, SB ? vload(b + i + u * VW) : cb));
  }
  for (; i + VW <= n; i += VW) vstore(out + i, Op::v(SA ? vload(a + i) : ca, SB ? vload(b + i) : cb));
  if (i < n) {
    const int t = static_cast<int>(n - i);
    vstoren(out + i, Op::v(SA ? vloadn(a + i, t) : ca, SB ? vloadn(b + i, t) : cb), t);
  }
}

// Walks every dimension but the innermost over rows [r0, r1), keeping the two offsets.
struct Walker {
  const Nd& nd;
  int64_t index[kMaxRank];
  int64_t a = 0, b = 0;
  Walker(const Nd& n, int64_t row) : nd(n) {
    for (int d = nd.rank - 2; d >= 0; --d) {
      index[d] = row % nd.shape[d];
      row /= nd.shape[d];
      a += index[d] * nd.a[d];
      b += index[d] * nd.b[d];
    }
  }
  void next() {
    for (int d = nd.rank - 2; d >= 0; --d) {
      a += nd.a[d];
      b += nd.b[d];
      if (++index[d] < nd.shape[d]) return;
      a -= nd.a[d] * nd.shape[d];
      b -= nd.b[d] * nd.shape[d];
      index[d] = 0;
    }
  }
};

template <class Run>
static void overRows(const Nd& nd, Run&& run) {
  const int64_t n = nd.rank ? nd.shape[nd.rank - 1] : 1;
  int64_t rows = 1;
  for (int d = 0; d + 1 < nd.rank; ++d) rows *= nd.shape[d];
  if (n <= 0 || rows <= 0) return;
  if (rows == 1) {
    const int64_t sa = nd.rank ? nd.a[nd.rank - 1] : 0, sb = nd.rank ? nd.b[nd.rank - 1] : 0;
    parallelRange(n, kGrain, [&](int64_t i0, int64_t i1) { run(i1 - i0, i0 * sa, i0 * sb, i0); });
    return;
  }
  parallelRange(rows, 1 + kGrain / n, [&](int64_t r0, int64_t r1) {
    Walker w(nd, r0);
    for (int64_t r = r0; r < r1; ++r, w.next()) run(n, w.a, w.b, r * n);
  });
}

template <class Op>
static void binaryOp(const Nd& nd, const float* a, const float* b, float* out) {
  const int64_t sa = nd.rank ? nd.a[nd.rank - 1] : 0, sb = nd.rank ? nd.b[nd.rank - 1] : 0;
  if (sa == 1 && sb == 1)
    overRows(nd, [&](int64_t n, int64_t oa, int64_t ob, int64_t o) { binaryRun<Op, 1, 1>(n, a + oa, b + ob, out + o); });
  else if (sa == 1)
    overRows(nd, [&](int64_t n, int64_t oa, int64_t ob, int64_t o) { binaryRun<Op, 1, 0>(n, a + oa, b + ob, out + o); });
  else if (sb == 1)
    overRows(nd, [&](int64_t n, int64_t oa, int64_t ob, int64_t o) { binaryRun<Op, 0, 1>(n, a + oa, b + ob, out + o); });
  else
    overRows(nd, [&](int64_t n, int64_t oa, int64_t ob, int64_t o) { binaryRun<Op, 0, 0>(n, a + oa, b + ob, out + o); });
}

static void binary(int op, const Nd& nd, const float* a, const float* b, float* out) {
  switch (op) {
    case Add: return binaryOp<OpAdd>(nd, a, b, out);
    case Sub: return binaryOp<OpSub>(nd, a, b, out);
    case Mul: return binaryOp<OpMul>(nd, a, b, out);
    case Div: return binaryOp<OpDiv>(nd, a, b, out);
    case Max: return binaryOp<OpMax>(nd, a, b, out);
    case Min: return binaryOp<OpMin>(nd, a, b, out);
    case SqDiff: return binaryOp<OpSqDiff>(nd, a, b, out);
  }
}

static inline int32_t intOp(int op, int32_t a, int32_t b) {
  const uint32_t x = static_cast<uint32_t>(a), y = static_cast<uint32_t>(b);
  switch (op) {
    case Add: return static_cast<int32_t>(x + y);
    case Sub: return static_cast<int32_t>(x - y);
    case Mul: return static_cast<int32_t>(x * y);
    case Max: return a > b ? a : b;
    case Min: return a < b ? a : b;
    default: return static_cast<int32_t>((x - y) * (x - y));
  }
}

static void binaryInt(int op, const Nd& nd, const int32_t* a, const int32_t* b, int32_t* out) {
  const int64_t sa = nd.rank ? nd.a[nd.rank - 1] : 0, sb = nd.rank ? nd.b[nd.rank - 1] : 0;
  overRows(nd, [&](int64_t n, int64_t oa, int64_t ob, int64_t o) {
    for (int64_t i = 0; i < n; ++i) out[o + i] = intOp(op, a[oa + i * sa], b[ob + i * sb]);
  });
}

template <class Op>
static void compareOp(const Nd& nd, const float* a, const float* b, uint8_t* out) {
  const int64_t sa = nd.rank ? nd.a[nd.rank - 1] : 0, sb = nd.rank ? nd.b[nd.rank - 1] : 0;
  overRows(nd, [&](int64_t n, int64_t oa, int64_t ob, int64_t o) {
    const float *pa = a + oa, *pb = b + ob;
    uint8_t* to = out + o;
    const vf ca = vset1(*pa), cb = vset1(*pb);
    int64_t i = 0;
    for (; i + VW <= n; i += VW) vstoreMask(to + i, Op::m(sa ? vload(pa + i) : ca, sb ? vload(pb + i) : cb));
    for (; i < n; ++i) to[i] = Op::s(pa[i * sa], pb[i * sb]) ? 1 : 0;
  });
}
struct CmpLess {
  static vm m(vf a, vf b) { return vlt(a, b); }
  static bool s(float a, float b) { return a < b; }
};
struct CmpLessEqual {
  static vm m(vf a, vf b) { return vle(a, b); }
  static bool s(float a, float b) { return a <= b; }
};
struct CmpEqual {
  static vm m(vf a, vf b) { return veq(a, b); }
  static bool s(float a, float b) { return a == b; }
};

static void compare(int op, const Nd& nd, const float* a, const float* b, uint8_t* out) {
  Nd swapped = nd;
  for (int d = 0; d < nd.rank; ++d) {
    swapped.a[d] = nd.b[d];
    swapped.b[d] = nd.a[d];
  }
  switch (op) {
    case Less: return compareOp<CmpLess>(nd, a, b, out);
    case LessEqual: return compareOp<CmpLessEqual>(nd, a, b, out);
    case Greater: return compareOp<CmpLess>(swapped, b, a, out);
    case GreaterEqual: return compareOp<CmpLessEqual>(swapped, b, a, out);
    case Equal: return compareOp<CmpEqual>(nd, a, b, out);
    case NotEqual: {
      compareOp<CmpEqual>(nd, a, b, out);
      int64_t n = 1;
      for (int d = 0; d < nd.rank; ++d) n *= nd.shape[d];
      for (int64_t i = 0; i < n; ++i) out[i] ^= 1;
    }
  }
}

template <class F>
static void map(int64_t n, const float* x, float* out, F&& f) {
  parallelRange(n, kGrain, [&](int64_t i0, int64_t i1) {
    int64_t i = i0;
    for (; i + VW <= i1; i += VW) vstore(out + i, f(vload(x + i)));
    if (i < i1) {
      const int t = static_cast<int>(i1 - i);
      vstoren(out + i, f(vloadn(x + i, t)), t);
    }
  });
}

static void unary(int op, int64_t n, const float* x, float* out, float p0, float p1) {
  const vf one = vset1(1.0f), zero = vzero(), q0 = vset1(p0), q1 = vset1(p1);
  switch (op) {
    case Exp: return map(n, x, out, [](vf v) { return vexp(v); });
    case Log: return map(n, x, out, [](vf v) { return vlog(v); });
    case Log1p: return map(n, x, out, [](vf v) { return vlog1p(v); });
    case Expm1: return map(n, x, out, [](vf v) { return vexpm1(v); });
    case Sigmoid: return map(n, x, out, [](vf v) { return vsigmoid(v); });
    case Softplus: return map(n, x, out, [](vf v) { return vsoftplus(v); });
    case Tanh: return map(n, x, out, [](vf v) { return vtanh(v); });
    case Neg: return map(n, x, out, [](vf v) { return vneg(v); });
    case Square: return map(n, x, out, [](vf v) { return vmul(v, v); });
    case Sqrt: return map(n, x, out, [](vf v) { return vsqrt(v); });
    case Rsqrt: return map(n, x, out, [=](vf v) { return vdiv(one, vsqrt(v)); });
    case Reciprocal: return map(n, x, out, [=](vf v) { return vdiv(one, v); });
    case Relu: return map(n, x, out, [=](vf v) { return vmax(zero, v); });
    case Relu6: return map(n, x, out, [=](vf v) { return vmin(vset1(6.0f), vmax(zero, v)); });
    case Elu: return map(n, x, out, [=](vf v) { return vsel(vlt(v, zero), vexpm1(v), v); });
    case LeakyRelu: return map(n, x, out, [=](vf v) { return vsel(vlt(v, zero), vmul(q0, v), v); });
    case Abs: return map(n, x, out, [](vf v) { return vabs(v); });
    case Sign:
      return map(n, x, out, [=](vf v) {
        return vsel(vlt(v, zero), vset1(-1.0f), vsel(vlt(zero, v), one, zero));  // 0 for NaN, as tfjs has it
      });
    case Step: return map(n, x, out, [=](vf v) { return vsel(vlt(zero, v), one, vsel(vunord(v, v), v, q0)); });
    case Floor: return map(n, x, out, [](vf v) { return vfloor(v); });
    case Ceil: return map(n, x, out, [](vf v) { return vceil(v); });
    case Round: return map(n, x, out, [](vf v) { return vroundEven(v); });
    case Clip: return map(n, x, out, [=](vf v) { return vmin(q1, vmax(q0, v)); });
    case Erf: return map(n, x, out, [](vf v) { return verf(v); });
    case Selu:
      return map(n, x, out, [=](vf v) {
        return vsel(vlt(v, zero), vmul(vset1(1.7580993408473768599402175208123f), vexpm1(v)),
                    vmul(vset1(1.0507009873554804934193349852946f), v));
      });
    case Silu: return map(n, x, out, [](vf v) { return vmul(v, vsigmoid(v)); });
    case Copy: return map(n, x, out, [](vf v) { return v; });
    case ScaleShift: return map(n, x, out, [=](vf v) { return vfma(v, q0, q1); });
  }
}

static void select(int64_t n, int64_t inner, const uint8_t* condition, const float* t, const float* e, float* out) {
  if (inner == 1) {
    parallelRange(n, kGrain, [&](int64_t i0, int64_t i1) {
      int64_t i = i0;
      for (; i + VW <= i1; i += VW) vstore(out + i, vsel(vloadMask(condition + i), vload(t + i), vload(e + i)));
      for (; i < i1; ++i) out[i] = condition[i] == 1 ? t[i] : e[i];
    });
    return;
  }
  parallelRange(n, 1 + kGrain / inner, [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      const float* from = (condition[r] == 1 ? t : e) + r * inner;
      float* to = out + r * inner;
      for (int64_t i = 0; i < inner; ++i) to[i] = from[i];
    }
  });
}

static void addN(int64_t n, int count, const float* const* inputs, float* out) {
  parallelRange(n, kGrain, [&](int64_t i0, int64_t i1) {
    int64_t i = i0;
    for (; i + VW <= i1; i += VW) {
      vf s = vload(inputs[0] + i);
      for (int k = 1; k < count; ++k) s = vadd(s, vload(inputs[k] + i));
      vstore(out + i, s);
    }
    for (; i < i1; ++i) {
      float s = inputs[0][i];
      for (int k = 1; k < count; ++k) s += inputs[k][i];
      out[i] = s;
    }
  });
}

// As JavaScript converts: towards zero, modulo 2^32, NaN and infinities to 0.
static inline int32_t toInt(float x) {
  if (x > -2147483648.0f && x < 2147483648.0f) return static_cast<int32_t>(x);
  if (!(x - x == 0.0f)) return 0;
  const double d = static_cast<double>(x);
  const double m = d - 4294967296.0 * __builtin_floor(d / 4294967296.0);
  return static_cast<int32_t>(static_cast<uint32_t>(m));
}

static void cast(int op, int64_t n, const void* x, void* out) {
  parallelRange(n, kGrain, [&](int64_t i0, int64_t i1) {
    switch (op) {
      case FloatToInt:
        for (int64_t i = i0; i < i1; ++i) static_cast<int32_t*>(out)[i] = toInt(static_cast<const float*>(x)[i]);
        break;
      case IntToFloat:
        for (int64_t i = i0; i < i1; ++i)
          static_cast<float*>(out)[i] = static_cast<float>(static_cast<const int32_t*>(x)[i]);
        break;
      case FloatToBool:
        for (int64_t i = i0; i < i1; ++i) static_cast<uint8_t*>(out)[i] = static_cast<const float*>(x)[i] != 0.0f;
        break;
      case IntToBool:
        for (int64_t i = i0; i < i1; ++i) static_cast<uint8_t*>(out)[i] = static_cast<const int32_t*>(x)[i] != 0;
        break;
      case ByteToFloat:
        for (int64_t i = i0; i < i1; ++i)
          static_cast<float*>(out)[i] = static_cast<float>(static_cast<const uint8_t*>(x)[i]);
        break;
      case ByteToInt:
        for (int64_t i = i0; i < i1; ++i) static_cast<int32_t*>(out)[i] = static_cast<const uint8_t*>(x)[i];
        break;
    }
  });
}

static void fill(int64_t n, float value, float* out) {
  const vf v = vset1(value);
  parallelRange(n, kGrain, [&](int64_t i0, int64_t i1) {
    int64_t i = i0;
    for (; i + VW <= i1; i += VW) vstore(out + i, v);
    for (; i < i1; ++i) out[i] = value;
  });
}

}  // namespace elementwise
}  // namespace NETSSM_ISA
}  // namespace netssm
