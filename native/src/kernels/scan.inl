// Scans of state space models, see scan.h. A vector holds the same state of neighbouring channels, so that nothing is
// summed across lanes but dB and dC; a tile of states stays in registers for a chunk of tokens. The gradient goes back
// chunk by chunk: it computes a chunk's states again from the one saved before it, and keeps no more than that.

namespace netssm {
namespace NETSSM_ISA {
namespace scan {

constexpr float kLog2e = 1.44269504f, kLn2 = 0.693147181f;
// States a tile: forward the tile itself has to fit the registers, backward also what its gradient needs.
constexpr int kForward = VW == 16 ? 8 : 4, kBackward = 4;

// 2^x, M vectors at a time in step: one alone is a long chain of waiting. The largest relative error is that of rounding,
// about 1e-7; a product with log2(e) made beforehand costs no more than another rounding.
#if defined(NETSSM_AVX512)
// x = n + r with n a multiple of 1/16: 2^(n - floor(n)) is one of sixteen numbers that fit a register, the rest of 2^r a
// polynomial of degree 3 (5e-9), and the instruction that scales by 2^floor(n) takes n as it is.
alignas(64) static const float kSixteenths[16] = {1.0f,         1.044273782f, 1.090507733f, 1.138788635f,
                                                  1.189207115f, 1.241857812f, 1.296839555f, 1.354255547f,
                                                  1.414213562f, 1.476826146f, 1.542210825f, 1.610490332f,
                                                  1.681792831f, 1.756252160f, 1.834008086f, 1.915206561f};
template <int M>
static inline void exp2All(vf* x) {
  const vf magic = vset1(786432.0f), table = vload(kSixteenths);  // 1.5 2^19: its last four bits count sixteenths
  vf n[M], p[M], q[M];
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) {
    const vf t = vadd(x[i], magic);
    n[i] = vsub(t, magic);
    x[i] = vsub(x[i], n[i]);
    q[i] = _mm512_permutexvar_ps(_mm512_castps_si512(t), table);
  }
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) p[i] = vfma(x[i], vset1(5.550410866e-2f), vset1(2.402265070e-1f));
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) p[i] = vfma(p[i], x[i], vset1(kLn2));
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) x[i] = vscale(vfma(vmul(q[i], x[i]), p[i], q[i]), n[i]);
}
#else
// Least largest relative error on [-1/2, 1/2]: 2e-9, with rounded coefficients 1.6e-8.
template <int M>
static inline void exp2All(vf* x) {
  vf n[M], p[M];
  const float c[] = {1.339887567e-3f, 9.618437381e-3f, 5.550332467e-2f, 2.402264791e-1f, 6.931472029e-1f, 1.0f};
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) {
    n[i] = vroundEven(x[i]);
    x[i] = vsub(x[i], n[i]);
    p[i] = vset1(1.535335850e-4f);
  }
#pragma GCC unroll 8
  for (int k = 0; k < 6; ++k) {
#pragma GCC unroll 8
    for (int i = 0; i < M; ++i) p[i] = vfma(p[i], x[i], vset1(c[k]));
  }
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) x[i] = vscale(p[i], n[i]);
}
#endif
static inline vf exp2v(vf x) {
  exp2All<1>(&x);
  return x;
}

// Up to VW neighbouring channels that share a head (Mamba-2) and a group.
struct Block {
  int64_t first;
  int lanes;
  int64_t head;
};

// Neighbouring channels of one row and one group whose dB and dC are summed apart.
struct Run {
  int64_t first, end, blocks;  // channels; vectors
};

// Cuts the channels of a group in runs of whole heads, of 64 channels at least: by the shape alone, so that sums are the
// same for any number of threads. A task takes as many neighbouring runs as there are to a thread: pages are wider than
// runs, and each is looked up once that way.
struct Cut {
  int64_t perGroup, width, runs, parts;
  explicit Cut(const Scan& s) {
    const int64_t unit = s.headWidth ? s.headWidth : 16;
    perGroup = s.channels / s.groups;
    width = perGroup > 1024 ? perGroup / 16 : 64;
    width = (width + unit - 1) / unit * unit;
    runs = (perGroup + width - 1) / width;
    parts = (threadCount() + s.batch * s.groups - 1) / (s.batch * s.groups);
    if (parts > runs) parts = runs;
  }
  int64_t tasks(const Scan& s) const { return s.batch * s.groups * parts; }
};

// One unit of work: neighbouring runs.
struct Task {
  const Scan& s;
  const Cut& cut;
  int64_t b, group, firstRun, endRun, first, end;  // channels
  int64_t blocks;
  Memory table;  // of the blocks: finding one takes divisions

  Task(const Scan& s, const Cut& cut, int64_t i)
      : s(s), cut(cut), table((cut.perGroup / VW + cut.perGroup / (s.headWidth ? s.headWidth : cut.width) + 2) * sizeof(Block) / 4) {
    const int64_t part = i % cut.parts;
    group = i / cut.parts % s.groups;
    b = i / cut.parts / s.groups;
    firstRun = cut.runs * part / cut.parts;
    endRun = cut.runs * (part + 1) / cut.parts;
    first = group * cut.perGroup + firstRun * cut.width;
    end = endRun == cut.runs ? (group + 1) * cut.perGroup : group * cut.perGroup + endRun * cut.width;
    blocks = 0;
    for (int64_t r = firstRun; r < endRun; ++r) blocks += run(r).blocks;
    for (int64_t k = 0; k < blocks; ++k) reinterpret_cast<Block*>(table.data)[k] = find(k);
  }
  const Block& block(int64_t i) const { return reinterpret_cast<const Block*>(table.data)[i]; }
  Run run(int64_t r) const {
    const int64_t from = group * cut.perGroup + r * cut.width, last = (group + 1) * cut.perGroup;
    const int64_t to = from + cut.width < last ? from + cut.width : last;
    const int64_t each = s.headWidth ? s.headWidth : to - from;
    return {from, to, (to - from) / each * ((each + VW - 1) / VW)};
  }
  // The i-th vector of the task. All runs but the last have the same width.
  Block find(int64_t i) const {
    if (!s.headWidth) {
      const int64_t each = (cut.width + VW - 1) / VW, c = first + i / each * cut.width + i % each * VW;
      return {c, static_cast<int>(end - c < VW ? end - c : VW), c};
    }
    const int64_t each = (s.headWidth + VW - 1) / VW, head = first / s.headWidth + i / each;
    const int64_t at = i % each * VW, left = s.headWidth - at;
    return {head * s.headWidth + at, static_cast<int>(left < VW ? left : VW), head};
  }
};

static inline vf load(const float* p, int n) { return n == VW ? vload(p) : vloadn(p, n); }
static inline void store(float* p, vf v, int n) {
  if (n == VW) vstore(p, v);
  else vstoren(p, v, n);
}

// What the tiles of a block read: vectors of one chunk.
struct Steps {
  int64_t n;          // tokens
  const float* decay; // [n][VW]: dt (Mamba-1) or exp(dt A) (Mamba-2)
  const float* input; // [n][VW]: dt u
  const float *B, *C; // the first token's, state 0 of the tile
  int64_t bRow, cRow;
  const float* starts; // the first token's, or null
  const float* A;     // [tile][VW], times log2(e); Mamba-1 only
};

// Calls f(tile size as a type, first state) for tiles of at most Most states.
template <int T>
struct Size {
  static constexpr int value = T;
};
template <int Most, class F>
static inline void tiles(int64_t states, F&& f) {
  int64_t n = 0;
  for (; n + Most <= states; n += Most) f(Size<Most>(), n);
  if (Most > 8 && n + 8 <= states) f(Size<8>(), n), n += 8;
  if (Most > 4 && n + 4 <= states) f(Size<4>(), n), n += 4;
  if (n + 2 <= states) f(Size<2>(), n), n += 2;
  if (n < states) f(Size<1>(), n);
}

// [channels, states] of a block to [states][VW], and back; lanes that do not exist are zero.
static void gather(const float* from, const Block& k, int64_t N, float scale, float* to) {
  for (int64_t n = 0; n < N; ++n)
    for (int l = 0; l < VW; ++l) to[n * VW + l] = l < k.lanes && from ? scale * from[(k.first + l) * N + n] : 0.0f;
}
static void scatter(const float* from, const Block& k, int64_t N, float* to) {
  for (int64_t n = 0; n < N; ++n)
    for (int l = 0; l < k.lanes; ++l) to[(k.first + l) * N + n] = from[n * VW + l];
}

// dt and its parts of a block's token: delta + bias, before the softplus.
static inline vf rawStep(const Scan& s, const Block& k, int64_t row) {
  if (s.headWidth) return vset1(s.delta[row * (s.channels / s.headWidth) + k.head] + (s.bias ? s.bias[k.head] : 0.0f));
  const vf raw = load(s.delta + row * s.channels + k.first, k.lanes);
  return s.bias ? vadd(raw, load(s.bias + k.first, k.lanes)) : raw;
}
static inline vf skip(const Scan& s, const Block& k) {
  if (!s.D) return vzero();
  return s.headWidth ? vset1(s.D[k.head]) : load(s.D + k.first, k.lanes);
}

// Asks for channels [first, end) of rows [t0, t1) of a chunk that comes soon: neighbouring tokens lie a row apart, which
// no hardware foresees. A few rows at a time between computations, because only so many lines can be under way at once.
static inline void prefetchRows(const Scan& s, const ScanBackward* g, int64_t b, int64_t t0, int64_t t1, int64_t first, int64_t end) {
  if (t0 < 0) t0 = 0;
  if (t1 > s.length) t1 = s.length;
  for (int64_t row = b * s.length + t0; row < b * s.length + t1; ++row)
    for (int64_t c = first; c < end; c += 16) {
      const int64_t at = row * s.channels + c;
      __builtin_prefetch(s.u + row * s.uRow + c, 0, 2);
      if (!s.headWidth) __builtin_prefetch(s.delta + at, 0, 2);
      if (s.z) __builtin_prefetch(s.z + at, 0, 2);
      if (!g) continue;
      __builtin_prefetch(g->dy + at, 0, 2);
      __builtin_prefetch(g->du + row * s.uRow + c, 1, 2);
      if (!s.headWidth) __builtin_prefetch(g->dDelta + at, 1, 2);
      if (g->dz) __builtin_prefetch(g->dz + at, 1, 2);
    }
}

// 1 / d for d in [1, 2^127): an estimate of 14 bits and a Newton step, where a division takes as long as the exponential.
static inline vf reciprocal(vf d) {
#if defined(NETSSM_AVX512)
  const vf r = _mm512_rcp14_ps(d);
  return vfma(r, vfnma(d, r, vset1(1.0f)), r);
#else
  return vdiv(vset1(1.0f), d);
#endif
}
// e^x for x in [-104, 87], otherwise of the nearest of these.
static inline vf expOf(vf x) {
#if defined(NETSSM_AVX512)
  const vf magic = vset1(786432.0f), c = vmin(vset1(87.0f), vmax(vset1(-104.0f), x));
  const vf t = vfma(c, vset1(kLog2e), magic), n = vsub(t, magic);
  const vf r = vfnma(n, vset1(kLn2Lo), vfnma(n, vset1(kLn2Hi), c));
  const vf q = _mm512_permutexvar_ps(_mm512_castps_si512(t), vload(kSixteenths));
  const vf p = vfma(vfma(r, vset1(1.66666667e-1f), vset1(0.5f)), r, vset1(1.0f));
  return vscale(vfma(vmul(q, r), p, q), n);
#else
  return vexp(vmin(vset1(87.0f), x));
#endif
}
static inline vf sigmoidOf(vf x) { return reciprocal(vadd(vset1(1.0f), expOf(vneg(x)))); }

// dt = softplus(x) = max(x, 0) + log(1 + u) with u = e^-|x|, and its derivative: one exponential for both. log(1 + u) / u
// is a polynomial through Chebyshev points on [0, 1], relative error 1.4e-8 before rounding and 8.6e-8 after.
static inline vf softplusOf(vf x, vf* slope) {
  const vf one = vset1(1.0f), u = expOf(vneg(vabs(x))), inverse = reciprocal(vadd(u, one));
  *slope = vsel(vlt(x, vzero()), vmul(u, inverse), inverse);
  const float c[] = {1.954252645e-2f, -5.637361109e-2f, 1.054362357e-1f, -1.526966691e-1f, 1.966327429e-1f,
                     -2.495161593e-1f, 3.332971036e-1f, -4.999989271e-1f, 1.0f};
  vf p = vset1(-3.176057013e-3f);
#pragma GCC unroll 9
  for (int i = 0; i < 9; ++i) p = vfma(p, u, vset1(c[i]));
  return vfma(u, p, vmax(vzero(), x));  // a NaN because it stands second
}

// The vectors of a chunk and of some blocks, [blocks][chunk][VW].
struct Vectors {
  float *step, *slope;      // dt; its derivative by what softplus is taken of
  float *decay;             // exp(dt A), Mamba-2 only
  float *input, *y;         // dt u; D u, to which the scan adds
  float* u;                 // for the gradient: reading a row while others are written would wait for these
  float *dy, *gate;         // the gradient before the gate; what y is to be multiplied by for dz
  float *sumB, *sumA;       // see Gradient
};

// Of block k, the i-th of the vectors; slope only where a gradient is under way.
static void prepare(const Task& task, const Block& k, int64_t i, int64_t row, int64_t n, const Vectors& v) {
  const Scan& s = task.s;
  const int64_t at = i * s.chunk * VW;
  const vf D = skip(s, k);
  for (int64_t t = 0; t < n; ++t) {
    const vf u = load(s.u + (row + t) * s.uRow + k.first, k.lanes);
    vf slope;
    const vf dt = softplusOf(rawStep(s, k, row + t), &slope);
    vstore(v.step + at + t * VW, dt);
    if (v.slope) vstore(v.slope + at + t * VW, slope);
    if (v.decay) vstore(v.decay + at + t * VW, exp2v(vmul(dt, vset1(s.A[k.head] * kLog2e))));
    vstore(v.input + at + t * VW, vmul(dt, u));
    if (v.u) vstore(v.u + at + t * VW, u);
    if (v.y) vstore(v.y + at + t * VW, vmul(D, u));
  }
}

}  // namespace scan
}  // namespace NETSSM_ISA
}  // namespace netssm
