// Scans of state space models, see scan.h. A vector holds the same state of neighbouring channels, so that nothing is
// summed across lanes but dB and dC; a tile of states stays in registers for a chunk of tokens. The gradient goes back
// chunk by chunk: it computes a chunk's states again from the one saved before it, and keeps no more than that.

namespace netssm {
namespace NETSSM_ISA {
namespace scan {

constexpr float kLog2e = 1.44269504f, kLn2 = 0.693147181f;
// States a tile: forward the tile itself has to fit the registers, backward also what its gradient needs.
constexpr int kForward = VW == 16 ? 8 : 4, kBackward = 4;

// 2^x: the reduction is exact, so that a product with log2(e) made beforehand costs no more than a rounding. M at a
// time in step: one alone is a long chain of waiting. Least largest relative error on [-1/2, 1/2]: 2e-9, with rounded
// coefficients 1.6e-8.
template <int M>
static inline void exp2All(vf* x) {
  vf n[M], p[M];
  const float c[] = {1.339887567e-3f, 9.618437381e-3f, 5.550332467e-2f, 2.402264791e-1f, 6.931472029e-1f, 1.0f};
#pragma GCC unroll 8
  for (int i = 0; i < M; ++i) {
#if defined(NETSSM_AVX512)
    const vf r = _mm512_reduce_ps(x[i], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);  // one step instead of two
    n[i] = vsub(x[i], r);
    x[i] = r;
#else
    n[i] = vroundEven(x[i]);
    x[i] = vsub(x[i], n[i]);
#endif
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

// Rows of a chunk that comes soon: neighbouring tokens lie a row apart, which no hardware foresees.
static inline void prefetchRows(const Task& task, const float* from, int64_t row, int64_t stride, int64_t t0, int64_t n) {
  if (!from || t0 < 0 || t0 >= task.s.length) return;
  if (t0 + n > task.s.length) n = task.s.length - t0;
  for (int64_t t = 0; t < n; ++t)
    for (int64_t c = task.first; c < task.end; c += 16) __builtin_prefetch(from + (row + t) * stride + c, 0, 2);
}
static inline void prefetchChunk(const Task& task, const float* dy, int64_t t0, int64_t n) {
  const Scan& s = task.s;
  const int64_t row = task.b * s.length + t0;
  prefetchRows(task, s.u, row, s.uRow, t0, n);
  if (!s.headWidth) prefetchRows(task, s.delta, row, s.channels, t0, n);
  prefetchRows(task, s.z, row, s.channels, t0, n);
  prefetchRows(task, dy, row, s.channels, t0, n);
}

// The vectors of a chunk, [blocks][chunk][VW]: `step` dt, `decay` exp(dt A) in Mamba-2, `input` dt u, `skipped` D u.
// Row by row, so that neighbouring blocks share what comes from memory.
static void prepare(const Task& task, int64_t row, int64_t n, float* step, float* decay, float* input, float* skipped) {
  const Scan& s = task.s;
  const int64_t V = s.chunk * VW;
  for (int64_t t = 0; t < n; ++t)
    for (int64_t i = 0; i < task.blocks; ++i) {
      const Block& k = task.block(i);
      const int64_t at = i * V + t * VW;
      const vf u = load(s.u + (row + t) * s.uRow + k.first, k.lanes);
      if (s.headWidth && i > 0 && task.block(i - 1).head == k.head) {
        vstore(step + at, vload(step + at - V));
        vstore(decay + at, vload(decay + at - V));
      } else {
        vstore(step + at, vsoftplus(rawStep(s, k, row + t)));
        if (s.headWidth) vstore(decay + at, exp2v(vmul(vload(step + at), vset1(s.A[k.head] * kLog2e))));
      }
      vstore(input + at, vmul(vload(step + at), u));
      if (skipped) vstore(skipped + at, vmul(skip(s, k), u));
    }
}

}  // namespace scan
}  // namespace NETSSM_ISA
}  // namespace netssm
