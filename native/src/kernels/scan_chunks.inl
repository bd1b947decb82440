// The gradient of Mamba-2's scan as matrix products over chunks of tokens (T. Dao, A. Gu, arXiv 2405.21060, section 6).
// With e_t = exp(dt_t A) of a head, L_ij = e_{j+1} .. e_i for j <= i (0 across a reset), X = dt u, the scan of a chunk is
//   Y = (L o C B^T) X + diag(e_0 .. e_i) C h0,   h = (e_0 .. e_end) h0 + B^T diag(L_end,j) X.
// L is made of products, row by row, not of exponentials of differences: short ways keep their precision and a reset is
// a factor of 0. C B^T is shared by the heads of a group. Forward the recurrence is as fast or faster, and it runs.

namespace netssm {
namespace NETSSM_ISA {
namespace scan {

// Where tiles are filled twice as fast as the recurrence or more: docs/model.md has the table.
static inline bool byChunks(const Scan& s) {
  return s.headWidth >= 16 && s.states >= 16 && s.chunk >= 16 && s.chunk <= 256 && s.length >= 16 && !s.z;
}

static inline int64_t whole(int64_t n) { return (n + VW - 1) / VW * VW; }

// c [m, n] (+)= op(a) b, n whole vectors; a is [m, k], or [k, m] where `trans`. Everything in the caches, nothing packed.
static void multiply(bool trans, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b, int64_t ldb,
                     float* c, int64_t ldc, bool add) {
  const int64_t tiles = (m + gemm::MR - 1) / gemm::MR;
  for (int64_t j = 0; j < n; j += gemm::NR)
    for (int64_t t = 0; t < tiles; ++t) {
      const int64_t r0 = gemm::tileRow(0, m, tiles, t), r1 = gemm::tileRow(0, m, tiles, t + 1);
      const int vectors = static_cast<int>(gemm::lesser(gemm::NR, n - j) / VW);
      gemm::tileFor(static_cast<int>(r1 - r0), vectors, trans, false)(k, a + (trans ? r0 : r0 * lda), lda, b + j, ldb,
                                                                      c + r0 * ldc + j, ldc, add, VW);
    }
}

enum Triangle { RowsUpTo, RowsFrom, ColumnsUpTo };
// The same where half of it is known to be zero or not needed: a lower triangle (k up to the row), an upper one given as
// the transpose of a lower one (k from the row on), or a result of which the lower triangle is wanted.
static void multiplyHalf(Triangle kind, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b,
                         int64_t ldb, float* c, int64_t ldc, bool add) {
  const int64_t tiles = (m + gemm::MR - 1) / gemm::MR;
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t r0 = gemm::tileRow(0, m, tiles, t), r1 = gemm::tileRow(0, m, tiles, t + 1), rows = r1 - r0;
    if (kind == RowsUpTo)
      multiply(false, rows, n, r1, a + r0 * lda, lda, b, ldb, c + r0 * ldc, ldc, add);
    else if (kind == RowsFrom)
      multiply(true, rows, n, k - r0, a + r0 * lda + r0, lda, b + r0 * ldb, ldb, c + r0 * ldc, ldc, add);
    else
      multiply(false, rows, gemm::lesser(whole(r1), n), k, a + r0 * lda, lda, b, ldb, c + r0 * ldc, ldc, add);
  }
}

// to [columns][stride] from [rows][ld]; columns of `to` from `rows` up to `stride` become 0.
static void turn(const float* from, int64_t ld, int64_t rows, int64_t columns, float* to, int64_t stride) {
  int64_t r = 0;
  for (; r + TB <= rows; r += TB) {
    int64_t c = 0;
    for (; c + TB <= columns; c += TB) transposeBlock(from + r * ld + c, ld, to + c * stride + r, stride);
    for (; c < columns; ++c)
      for (int t = 0; t < TB; ++t) to[c * stride + r + t] = from[(r + t) * ld + c];
  }
  for (; r < stride; ++r)
    for (int64_t c = 0; c < columns; ++c) to[c * stride + r] = r < rows ? from[r * ld + c] : 0.0f;
}

// Sizes, and how the work is cut: a run is some heads of a group, of 128 channels at least and at most eight a group.
struct Plan {
  int64_t N, Np, Q, Qp, P, Pp, heads, perGroup, perRun, runs, chunks, stretch;
  explicit Plan(const Scan& s)
      : N(s.states), Np(whole(N)), Q(s.chunk), Qp(whole(Q)), P(s.headWidth), Pp(whole(P)), heads(s.channels / P),
        perGroup(heads / s.groups) {
    perRun = (perGroup + 7) / 8;
    if (perRun * P < 128) perRun = (128 + P - 1) / P;
    if (perRun > perGroup) perRun = perGroup;
    runs = (perGroup + perRun - 1) / perRun;
    chunks = (s.length + Q - 1) / Q;
    stretch = gemm::lesser(chunks, (1024 + Q - 1) / Q);
  }
  int64_t tasks(const Scan& s) const { return s.batch * s.groups * runs; }
  // What the heads of a group share in a chunk: B, C [Q][Np], C B^T [Q][Qp], C^T [Np][Qp].
  int64_t sharedSize() const { return 2 * Q * Np + Q * Qp + Np * Qp; }
  // What a run leaves behind of a chunk: dB^T, dC^T [N][Qp], d(C B^T) [Q][Qp].
  int64_t sumsSize() const { return (2 * N + Q) * Qp; }
};

struct Shared {
  const float *B, *C, *CB, *Ct;
};
static inline Shared sharedOf(const Plan& p, const float* all, int64_t group, int64_t c) {
  const float* at = all + (group * p.stretch + c) * p.sharedSize();
  return {at, at + p.Q * p.Np, at + 2 * p.Q * p.Np, at + 2 * p.Q * p.Np + p.Q * p.Qp};
}

// Of chunks [c0, c1), for each group of each row of the batch.
static void share(const Scan& s, const Plan& p, int64_t c0, int64_t c1, float* all) {
  parallelTasks(s.batch * s.groups * (c1 - c0), [&](int64_t task) {
    const int64_t c = task % (c1 - c0), group = task / (c1 - c0), b = group / s.groups, g = group % s.groups;
    const int64_t t0 = (c0 + c) * p.Q, n = gemm::lesser(p.Q, s.length - t0), row = b * s.length + t0;
    float *B = all + (group * p.stretch + c) * p.sharedSize(), *C = B + p.Q * p.Np, *CB = C + p.Q * p.Np, *Ct = CB + p.Q * p.Qp;
    for (int64_t t = 0; t < n; ++t)
      for (int64_t i = 0; i < p.N; i += VW) {
        const int left = static_cast<int>(gemm::lesser(VW, p.N - i));
        vstore(B + t * p.Np + i, load(s.B + (row + t) * s.bRow + g * p.N + i, left));
        vstore(C + t * p.Np + i, load(s.C + (row + t) * s.cRow + g * p.N + i, left));
      }
    turn(B, p.Np, n, p.N, Ct, p.Qp);
    multiply(false, n, p.Qp, p.N, C, p.Np, Ct, p.Qp, CB, p.Qp, false);
    turn(C, p.Np, n, p.N, Ct, p.Qp);
  });
}

// A head's numbers of a chunk, one a token.
struct HeadSteps {
  float *dt, *slope, *e;    // step size, its derivative, decay (0 where a sequence starts)
  float *before, *after;    // e_0 .. e_t; e_{t+1} .. e_end
  float total;              // e_0 .. e_end
};
static void headSteps(const Scan& s, const Plan& p, int64_t head, int64_t row, int64_t n, HeadSteps& h) {
  const float bias = s.bias ? s.bias[head] : 0.0f;
  for (int64_t t = 0; t < p.Qp; ++t) h.dt[t] = t < n ? s.delta[(row + t) * p.heads + head] + bias : 0.0f;
  const vf rate = vset1(s.A[head] * kLog2e);
  for (int64_t t = 0; t < p.Qp; t += VW) {
    vf slope;
    const vf dt = softplusOf(vload(h.dt + t), &slope);
    vstore(h.dt + t, dt);
    vstore(h.slope + t, slope);
    vstore(h.e + t, exp2v(vmul(dt, rate)));
  }
  float product = 1.0f;
  for (int64_t t = 0; t < n; ++t) {
    if (s.starts && s.starts[row + t] != 0.0f) h.e[t] = 0.0f;
    h.before[t] = product *= h.e[t];
  }
  h.total = product;
  product = 1.0f;
  for (int64_t t = n - 1; t >= 0; --t) {
    h.after[t] = product;
    product *= h.e[t];
  }
  for (int64_t t = n; t < p.Qp; ++t) h.before[t] = h.after[t] = 0.0f;
}

// [n][Pp] from rows of a head, each times `scale` of its token (or as it is); lanes beyond P become 0.
static void headRows(const Plan& p, const float* from, int64_t ld, int64_t n, const float* scale, float* to) {
  for (int64_t t = 0; t < n; ++t) {
    const vf k = vset1(scale ? scale[t] : 1.0f);
    for (int64_t i = 0; i < p.P; i += VW)
      vstore(to + t * p.Pp + i, vmul(k, load(from + t * ld + i, static_cast<int>(gemm::lesser(VW, p.P - i)))));
  }
}
// rows [n][width] times a number each; in place or not.
static void scaleRows(const float* from, const float* scale, int64_t n, int64_t width, float* to) {
  for (int64_t t = 0; t < n; ++t)
    for (int64_t i = 0; i < width; i += VW) vstore(to + t * width + i, vmul(vset1(scale[t]), vload(from + t * width + i)));
}
static void scaleAll(float* x, float scale, int64_t n) {
  for (int64_t i = 0; i < n; i += VW) vstore(x + i, vmul(vset1(scale), vload(x + i)));
}
// One row of L from the one before.
static inline void nextRow(float* L, int64_t i, float e) {
  for (int64_t j = 0; j < i; j += VW) vstore(L + j, vmul(vset1(e), vload(L + j)));
  L[i] = 1.0f;
}

// A head's state [channels, N] of the arrays outside as [N][Pp], and back.
static void stateIn(const Plan& p, const float* from, float* to) {
  for (int64_t n = 0; n < p.N; ++n)
    for (int64_t i = 0; i < p.Pp; ++i) to[n * p.Pp + i] = from && i < p.P ? from[i * p.N + n] : 0.0f;
}
static void stateOut(const Plan& p, const float* from, float* to) {
  for (int64_t i = 0; i < p.P; ++i)
    for (int64_t n = 0; n < p.N; ++n) to[i * p.N + n] = from[n * p.Pp + i];
}

struct Taker {
  float* next;
  float* operator()(int64_t n) { return (next += whole(n)) - whole(n); }
};
static HeadSteps takeSteps(Taker& take, const Plan& p) {
  return {take(p.Qp), take(p.Qp), take(p.Qp), take(p.Qp), take(p.Qp), 0.0f};
}

// What a head's gradient sums up over the chunks, and the gradient of its state.
struct HeadSums {
  double dA, dD, dBias;
};

// A head's gradients of a chunk. `sums`: of the run, set by its first head.
static void chunkBackward(const Scan& s, const ScanBackward& g, const Plan& p, const Shared& k, int64_t b, int64_t c,
                          int64_t head, bool first, float* G, HeadSums& total, float* sums) {
  const int64_t N = p.N, E = s.channels, Q = p.Q, Qp = p.Qp, P = p.P, Pp = p.Pp;
  const int64_t t0 = c * Q, n = gemm::lesser(Q, s.length - t0), at = b * s.length + t0;
  Taker take{scratch(0, static_cast<size_t>(9 * Qp + 4 * Q * Pp + 2 * Q * Qp + 2 * Pp * Qp + N * (Qp + Pp) + 64))};
  HeadSteps h = takeSteps(take, p);
  float *X = take(Q * Pp), *dX = take(Q * Pp), *dY = take(Q * Pp), *dYc = take(Q * Pp), *M = take(Q * Qp), *dM = take(Q * Qp);
  float *Xt = take(Pp * Qp), *dYt = take(Pp * Qp), *T = take(N * Qp), *H = take(N * Pp);
  float *row = take(Qp), *fromState = take(Qp), *toState = take(Qp), *rate = take(Qp);
  float *dBt = sums, *dCt = dBt + N * Qp, *dCB = dCt + N * Qp;
  headSteps(s, p, head, at, n, h);
  const float *u = s.u + at * s.uRow + head * P, *h0 = g.saved + (b * p.chunks + c) * N * E + head * P;
  headRows(p, h0, E, N, nullptr, H);  // together: rows a power of two apart meet in few sets of the cache
  headRows(p, u, s.uRow, n, h.dt, X);
  headRows(p, g.dy + at * E + head * P, E, n, nullptr, dY);
  turn(X, Pp, n, P, Xt, Qp);
  turn(dY, Pp, n, P, dYt, Qp);

  // Within the chunk: d(L o C B^T) = dY X^T.
  multiplyHalf(ColumnsUpTo, n, Qp, P, dY, Pp, Xt, Qp, dM, Qp, false);
  convolution::zeroRun(row, Qp);
  for (int64_t i = 0; i < n; ++i) {
    nextRow(row, i, h.e[i]);
    int64_t j = 0;
    for (; j <= i; j += VW) {
      const vf l = vload(row + j), cb = vload(k.CB + i * Qp + j), d = vmul(l, vload(dM + i * Qp + j));
      vstore(M + i * Qp + j, vmul(l, cb));
      vstore(dCB + i * Qp + j, first ? d : vadd(vload(dCB + i * Qp + j), d));
      vstore(dM + i * Qp + j, vmul(d, cb));
    }
    for (; j < Qp; j += VW) {
      vstore(M + i * Qp + j, vzero());
      vstore(dM + i * Qp + j, vzero());
      if (first) vstore(dCB + i * Qp + j, vzero());
    }
  }

  // dX: what the state after the chunk makes of it, then what the outputs make of it.
  multiply(false, n, Pp, N, k.B, p.Np, G, Pp, dX, Pp, false);
  for (int64_t t = 0; t < n; ++t) {
    vf dot = vzero();
    for (int64_t i = 0; i < Pp; i += VW) {
      const vf d = vmul(vset1(h.after[t]), vload(dX + t * Pp + i));
      vstore(dX + t * Pp + i, d);
      dot = vfma(d, vload(X + t * Pp + i), dot);
    }
    toState[t] = vsum(dot);
  }
  multiplyHalf(RowsFrom, n, Pp, n, M, Qp, dY, Pp, dX, Pp, true);

  // dB of the state after the chunk, dC of the state before it.
  for (int64_t i = 0; i < P; ++i)
    for (int64_t t = 0; t < Qp; t += VW) {
      vstore(Xt + i * Qp + t, vmul(vload(Xt + i * Qp + t), vload(h.after + t)));
      vstore(dYt + i * Qp + t, vmul(vload(dYt + i * Qp + t), vload(h.before + t)));
    }
  multiply(false, N, Qp, P, G, Pp, Xt, Qp, dBt, Qp, !first);
  multiply(false, N, Qp, P, H, Pp, dYt, Qp, T, Qp, false);
  convolution::zeroRun(fromState, Qp);
  for (int64_t i = 0; i < N; ++i)
    for (int64_t t = 0; t < Qp; t += VW) {
      const vf v = vload(T + i * Qp + t);
      vstore(fromState + t, vfma(v, vload(k.Ct + i * Qp + t), vload(fromState + t)));
      vstore(dCt + i * Qp + t, first ? v : vadd(vload(dCt + i * Qp + t), v));
    }
  vf through = vzero();
  for (int64_t i = 0; i < N * Pp; i += VW) through = vfma(vload(H + i), vload(G + i), through);

  // The gradient by log e_t: every way from before t to t or later, no difference of sums among them.
  convolution::zeroRun(row, Qp);
  float later = h.total * vsum(through);
  for (int64_t t = n - 1; t >= 0; --t) {
    vf inside = vzero();
    for (int64_t j = 0; j <= t; j += VW) {
      const vf sum = vadd(vload(row + j), vload(dM + t * Qp + j));
      vstore(row + j, sum);
      inside = vadd(inside, t - j >= VW ? sum : vloadn(row + j, static_cast<int>(t - j)));
    }
    later += fromState[t];
    rate[t] = later + vsum(inside);
  }
  float earlier = 0.0f;
  for (int64_t t = 0; t < n; ++t) {
    const bool starts = s.starts && s.starts[at + t] != 0.0f;
    rate[t] = starts ? 0.0f : rate[t] + earlier;
    earlier = starts ? toState[t] : earlier + toState[t];
  }

  const vf D = vset1(s.D ? s.D[head] : 0.0f);
  vf dD = vzero();
  for (int64_t t = 0; t < n; ++t) {
    vf dDt = vzero();
    for (int64_t i = 0; i < P; i += VW) {
      const int lanes = static_cast<int>(gemm::lesser(VW, P - i));
      const vf x = load(u + t * s.uRow + i, lanes), dx = vload(dX + t * Pp + i), dy = vload(dY + t * Pp + i);
      store(g.du + (at + t) * s.uRow + head * P + i, vfma(vset1(h.dt[t]), dx, vmul(D, dy)), lanes);
      dDt = vfma(x, dx, dDt);
      dD = vfma(x, dy, dD);
    }
    if (t % 8 == 7) {  // before rounding adds up
      total.dD += vsum(dD);
      dD = vzero();
    }
    const float change = (vsum(dDt) + s.A[head] * rate[t]) * h.slope[t];
    g.dDelta[(at + t) * p.heads + head] = change;
    total.dBias += change;
    total.dA += static_cast<double>(h.dt[t]) * rate[t];
  }
  total.dD += vsum(dD);

  scaleRows(dY, h.before, n, Pp, dYc);
  scaleAll(G, h.total, N * Pp);
  multiply(true, N, Pp, n, k.C, p.Np, dYc, Pp, G, Pp, true);
}

// dB and dC of a chunk from what the runs of a group have left.
static void addChunk(const Scan& s, const ScanBackward& g, const Plan& p, const Shared& k, int64_t group, int64_t c,
                     const float* sums, int64_t step) {
  const int64_t N = p.N, Np = p.Np, Q = p.Q, Qp = p.Qp, t0 = c * Q, n = gemm::lesser(Q, s.length - t0);
  Taker take{scratch(0, static_cast<size_t>(p.sumsSize() + 2 * Q * Np + 64))};
  float *all = take(p.sumsSize()), *dB = take(Q * Np), *dC = take(Q * Np);
  for (int64_t i = 0; i < p.sumsSize(); i += VW) {
    vf sum = vload(sums + i);
    for (int64_t r = 1; r < p.runs; ++r) sum = vadd(sum, vload(sums + r * step + i));
    vstore(all + i, sum);
  }
  turn(all, Qp, N, n, dB, Np);
  turn(all + N * Qp, Qp, N, n, dC, Np);
  const float* dCB = all + 2 * N * Qp;
  multiplyHalf(RowsFrom, n, Np, n, dCB, Qp, k.C, Np, dB, Np, true);
  multiplyHalf(RowsUpTo, n, Np, n, dCB, Qp, k.B, Np, dC, Np, true);
  const int64_t b = group / s.groups, first = group % s.groups * N;
  for (int64_t t = 0; t < n; ++t)
    for (int64_t i = 0; i < N; i += VW) {
      const int lanes = static_cast<int>(gemm::lesser(VW, N - i));
      store(g.dB + (b * s.length + t0 + t) * s.bRow + first + i, vload(dB + t * Np + i), lanes);
      store(g.dC + (b * s.length + t0 + t) * s.cRow + first + i, vload(dC + t * Np + i), lanes);
    }
}

static void chunksBackward(const Scan& s, const ScanBackward& g) {
  const Plan p(s);
  const int64_t N = p.N, Pp = p.Pp, groups = s.batch * s.groups, heads = s.batch * p.heads;
  const int64_t common = groups * p.stretch * p.sharedSize(), sums = p.tasks(s) * p.stretch * p.sumsSize();
  const int64_t perHead = whole(sizeof(HeadSums) / sizeof(float));
  Memory memory(common + sums + heads * (N * Pp + perHead));
  float *shared = memory.data, *left = shared + common, *states = left + sums, *totals = states + heads * N * Pp;
  const auto totalOf = [&](int64_t head) -> HeadSums& { return *reinterpret_cast<HeadSums*>(totals + head * perHead); };
  for (int64_t i = 0; i < heads; ++i) totalOf(i) = HeadSums{0, 0, 0};
  for (int64_t c1 = p.chunks; c1 > 0;) {
    const int64_t c0 = c1 > p.stretch ? c1 - p.stretch : 0;
    share(s, p, c0, c1, shared);
    parallelTasks(p.tasks(s), [&](int64_t task) {
      const int64_t run = task % p.runs, group = task / p.runs, b = group / s.groups;
      const int64_t h0 = group % s.groups * p.perGroup + run * p.perRun;
      const int64_t h1 = gemm::lesser(h0 + p.perRun, (group % s.groups + 1) * p.perGroup);
      for (int64_t c = c1 - 1; c >= c0; --c)
        for (int64_t head = h0; head < h1; ++head) {
          const int64_t i = b * p.heads + head;
          float* G = states + i * N * Pp;
          if (c + 1 == p.chunks) stateIn(p, g.dhOut ? g.dhOut + i * p.P * N : nullptr, G);
          chunkBackward(s, g, p, sharedOf(p, shared, group, c - c0), b, c, head, head == h0, G, totalOf(i),
                        left + (task * p.stretch + c - c0) * p.sumsSize());
          if (c == 0) stateOut(p, G, g.dh + i * p.P * N);
        }
    });
    parallelTasks(groups * (c1 - c0), [&](int64_t i) {
      const int64_t c = i % (c1 - c0), group = i / (c1 - c0);
      addChunk(s, g, p, sharedOf(p, shared, group, c), group, c0 + c, left + (group * p.runs * p.stretch + c) * p.sumsSize(),
               p.stretch * p.sumsSize());
    });
    c1 = c0;
  }
  for (int64_t head = 0; head < p.heads; ++head) {
    HeadSums sum{0, 0, 0};
    for (int64_t b = 0; b < s.batch; ++b) {
      const HeadSums& part = totalOf(b * p.heads + head);
      sum.dA += part.dA, sum.dD += part.dD, sum.dBias += part.dBias;
    }
    g.dA[head] = static_cast<float>(sum.dA);
    if (g.dD) g.dD[head] = static_cast<float>(sum.dD);
    if (g.dBias) g.dBias[head] = static_cast<float>(sum.dBias);
  }
}

}  // namespace scan
}  // namespace NETSSM_ISA
}  // namespace netssm
