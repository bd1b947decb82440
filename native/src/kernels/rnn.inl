// Recurrent layers over a whole sequence. Rows of a batch never meet inside the recurrence, so each task walks through
// all steps with a block of rows: no waiting between steps. The recurrent matrix is packed once for all tasks.

namespace netssm {
namespace NETSSM_ISA {
namespace rnn {

using activation::load;
using activation::overVectors;
using activation::slope;
using activation::store;
using activation::value;

// Rows a task walks with: two register tiles are fed from one read of the matrix, and small batches still share out.
static int64_t blocks(int64_t batch) { return batch <= 16 ? 1 : (batch + 15) / 16; }

// op(B) [k, n] packed in panels, as gemm::block reads it.
struct Packed {
  int64_t k, n;
  float* data;
  static int64_t size(int64_t k, int64_t n) {
    return (n + gemm::NR - 1) / gemm::NR * ((k + gemm::KC - 1) / gemm::KC) * gemm::KC * gemm::NR;
  }
  void pack(const float* b, int64_t ldb, bool trans) {
    const int64_t panels = (n + gemm::NR - 1) / gemm::NR, depths = (k + gemm::KC - 1) / gemm::KC;
    parallelTasks(panels * depths, [&](int64_t task) {
      const int64_t p = task / depths, d = task % depths;
      gemm::packB(b, ldb, trans, n, d * gemm::KC, gemm::lesser((d + 1) * gemm::KC, k), p, p + 1,
                  data + task * gemm::KC * gemm::NR, gemm::KC * gemm::NR);
    });
  }
  // c [rows, n] = a [rows, k] times this.
  void times(int64_t rows, const float* a, float* c) const {
    const int64_t depths = (k + gemm::KC - 1) / gemm::KC;
    GemmArgs g{};
    g.m = rows;
    g.n = n;
    g.k = k;
    gemm::block(
        g, a, c, 0, rows, 0, (n + gemm::NR - 1) / gemm::NR, scratch(0, gemm::packedASize()),
        [&](int64_t p, int64_t k0) {
          return gemm::Panel{data + (p * depths + k0 / gemm::KC) * gemm::KC * gemm::NR, gemm::panelWidth(n, p)};
        });
  }
};

static inline void copy(const float* from, float* to, int64_t n) {
  overVectors(n, [&](int64_t i, int lanes) { store(to + i, load(from + i, lanes), lanes); });
}
static inline void copyOrZero(const float* from, float* to, int64_t n) {
  if (from) copy(from, to, n);
  else convolution::zeroRun(to, n);
}

// --- forward -------------------------------------------------------------------------------------------------------

// One row of one step: z holds the projected input and becomes the gates; q = h R.
static void simpleStep(const Rnn& s, float* z, const float* q, float* h) {
  overVectors(s.units, [&](int64_t u, int n) {
    const vf y = value(s.activation, vadd(load(z + u, n), load(q + u, n)));
    store(z + u, y, n);
    store(h + u, y, n);
  });
}

static void lstmStep(const Rnn& s, float* z, const float* q, float* h, float* c) {
  const int64_t U = s.units;
  overVectors(U, [&](int64_t u, int n) {
    const auto sum = [&](int64_t gate) { return vadd(load(z + gate * U + u, n), load(q + gate * U + u, n)); };
    const vf i = value(s.recurrentActivation, sum(0)), f = value(s.recurrentActivation, sum(1));
    const vf g = value(s.activation, sum(2)), o = value(s.recurrentActivation, sum(3));
    const vf cell = vfma(f, load(c + u, n), vmul(i, g));
    store(z + u, i, n);
    store(z + U + u, f, n);
    store(z + 2 * U + u, g, n);
    store(z + 3 * U + u, o, n);
    store(c + u, cell, n);
    store(h + u, vmul(o, value(s.activation, cell)), n);
  });
}

// The first half of a GRU step: update and reset gates, and reset * h for the candidate's product.
static void gruGates(const Rnn& s, float* z, const float* q, const float* h, float* reset) {
  const int64_t U = s.units;
  overVectors(U, [&](int64_t u, int n) {
    const vf update = value(s.recurrentActivation, vadd(load(z + u, n), load(q + u, n)));
    const vf r = value(s.recurrentActivation, vadd(load(z + U + u, n), load(q + U + u, n)));
    store(z + u, update, n);
    store(z + U + u, r, n);
    store(reset + u, vmul(r, load(h + u, n)), n);
  });
}
static void gruCandidate(const Rnn& s, float* z, const float* q, float* h) {
  const int64_t U = s.units;
  overVectors(U, [&](int64_t u, int n) {
    const vf candidate = value(s.activation, vadd(load(z + 2 * U + u, n), load(q + u, n)));
    const vf update = load(z + u, n);
    store(z + 2 * U + u, candidate, n);
    store(h + u, vfma(update, vsub(load(h + u, n), candidate), candidate), n);
  });
}

static void forwardRows(const Rnn& s, const RnnForward& f, int64_t b0, int64_t b1, const Packed& main,
                        const Packed& candidate, float* temp) {
  const int64_t U = s.units, G = rnnGates(s.kind) * U, rows = b1 - b0;
  float *q = temp, *reset = temp + rows * G;  // [rows, G], [rows, U]
  float *h = f.h + b0 * U, *c = s.kind == Lstm ? f.c + b0 * U : nullptr;
  copyOrZero(f.h0 ? f.h0 + b0 * U : nullptr, h, rows * U);
  if (c) copyOrZero(f.c0 ? f.c0 + b0 * U : nullptr, c, rows * U);
  for (int64_t t = 0; t < s.steps; ++t) {
    const int64_t at = s.backwards ? s.steps - 1 - t : t;
    main.times(rows, h, q);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t i = (b0 + r) * s.steps + at;
      float* row = h + r * U;
      if (f.before) copy(row, f.before + i * U, U);
      if (s.kind == Lstm) {
        lstmStep(s, f.gates + i * G, q + r * G, row, c + r * U);
        if (f.cells) copy(c + r * U, f.cells + i * U, U);
      } else if (s.kind == Gru) {
        gruGates(s, f.gates + i * G, q + r * 2 * U, row, reset + r * U);
        if (f.cells) copy(reset + r * U, f.cells + i * U, U);
      } else {
        simpleStep(s, f.gates + i * G, q + r * G, row);
      }
    }
    if (s.kind == Gru) {
      candidate.times(rows, reset, q);
      for (int64_t r = 0; r < rows; ++r)
        gruCandidate(s, f.gates + ((b0 + r) * s.steps + at) * G, q + r * U, h + r * U);
    }
    if (f.sequence)
      for (int64_t r = 0; r < rows; ++r) copy(h + r * U, f.sequence + ((b0 + r) * s.steps + t) * U, U);
  }
}

static void forward(const Rnn& s, const RnnForward& f) {
  const int64_t U = s.units, G = rnnGates(s.kind) * U, tasks = blocks(s.batch);
  const int64_t first = s.kind == Gru ? 2 * U : G;  // columns that take h itself
  float* panels = scratch(1, static_cast<size_t>(Packed::size(U, first) + Packed::size(U, U)));
  Packed main{U, first, panels}, candidate{U, U, panels + Packed::size(U, first)};
  main.pack(s.recurrent, G, false);
  if (s.kind == Gru) candidate.pack(s.recurrent + 2 * U, G, false);
  float* temp = scratch(2, static_cast<size_t>(s.batch * (G + U)));
  parallelTasks(tasks, [&](int64_t task) {
    const int64_t b0 = s.batch * task / tasks, b1 = s.batch * (task + 1) / tasks;
    forwardRows(s, f, b0, b1, main, candidate, temp + b0 * (G + U));
  });
}

// --- backward ------------------------------------------------------------------------------------------------------

// One row of one step. dh: the gradient of h after the step; d: where the gradient of the gates' inputs goes.
static void simpleBack(const Rnn& s, const float* z, const float* dh, float* d) {
  overVectors(s.units, [&](int64_t u, int n) {
    store(d + u, vmul(load(dh + u, n), slope(s.activation, load(z + u, n))), n);
  });
}

static void lstmBack(const Rnn& s, const float* z, const float* cell, const float* cellBefore, const float* dh,
                     float* dc, float* d) {
  const int64_t U = s.units;
  const int gate = s.recurrentActivation;
  overVectors(U, [&](int64_t u, int n) {
    const vf i = load(z + u, n), f = load(z + U + u, n), g = load(z + 2 * U + u, n), o = load(z + 3 * U + u, n);
    const vf out = load(dh + u, n), squashed = value(s.activation, load(cell + u, n));
    const vf dCell = vfma(vmul(out, o), slope(s.activation, squashed), load(dc + u, n));
    const vf earlier = cellBefore ? load(cellBefore + u, n) : vzero();
    store(d + u, vmul(vmul(dCell, g), slope(gate, i)), n);
    store(d + U + u, vmul(vmul(dCell, earlier), slope(gate, f)), n);
    store(d + 2 * U + u, vmul(vmul(dCell, i), slope(s.activation, g)), n);
    store(d + 3 * U + u, vmul(vmul(out, squashed), slope(gate, o)), n);
    store(dc + u, vmul(dCell, f), n);
  });
}

// A GRU step in two halves, around the product of the candidate's gradient. dh becomes what passes h by.
static void gruBackCandidate(const Rnn& s, const float* z, const float* before, float* dh, float* dUpdate,
                             float* dCandidate) {
  const int64_t U = s.units;
  overVectors(U, [&](int64_t u, int n) {
    const vf update = load(z + u, n), candidate = load(z + 2 * U + u, n), out = load(dh + u, n);
    const vf change = vsub(load(before + u, n), candidate);
    store(dUpdate + u, vmul(vmul(out, change), slope(s.recurrentActivation, update)), n);
    store(dCandidate + u, vmul(vmul(out, vsub(vset1(1.0f), update)), slope(s.activation, candidate)), n);
    store(dh + u, vmul(out, update), n);
  });
}
static void gruBackReset(const Rnn& s, const float* z, const float* before, const float* dProduct, float* dh,
                         float* dReset) {
  overVectors(s.units, [&](int64_t u, int n) {
    const vf r = load(z + s.units + u, n), back = load(dProduct + u, n);
    store(dReset + u, vmul(vmul(back, load(before + u, n)), slope(s.recurrentActivation, r)), n);
    store(dh + u, vfma(back, r, load(dh + u, n)), n);
  });
}

// Compact copies of a GRU's gate gradients, for the two products that make dRecurrent.
struct GruParts {
  float *gates, *candidate;  // [batch, steps, 2 units], [batch, steps, units]
};

static void backwardRows(const Rnn& s, const RnnBackward& f, int64_t b0, int64_t b1, const Packed& main,
                         const Packed& candidate, const GruParts& parts, float* temp) {
  const int64_t U = s.units, G = rnnGates(s.kind) * U, rows = b1 - b0, T = s.steps;
  float *d = temp, *product = d + rows * G, *dCandidate = product + rows * U;  // [rows, G], [rows, U], [rows, U]
  float *dh = f.dh0 + b0 * U, *dc = s.kind == Lstm ? f.dc0 + b0 * U : nullptr;
  copyOrZero(f.dh ? f.dh + b0 * U : nullptr, dh, rows * U);
  if (dc) copyOrZero(f.dc ? f.dc + b0 * U : nullptr, dc, rows * U);
  for (int64_t t = T - 1; t >= 0; --t) {
    const int64_t at = s.backwards ? T - 1 - t : t, step = s.backwards ? 1 : -1;
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t i = (b0 + r) * T + at;
      float* dhRow = dh + r * U;
      if (f.dSequence) {
        const float* more = f.dSequence + ((b0 + r) * T + t) * U;
        overVectors(U, [&](int64_t u, int n) { store(dhRow + u, vadd(load(dhRow + u, n), load(more + u, n)), n); });
      }
      const float* z = f.gates + i * G;
      if (s.kind == Lstm) {
        const float* earlier = t > 0 ? f.cells + (i + step) * U : f.c0 ? f.c0 + (b0 + r) * U : nullptr;
        lstmBack(s, z, f.cells + i * U, earlier, dhRow, dc + r * U, d + r * G);
        copy(d + r * G, f.dGates + i * G, G);
      } else if (s.kind == Gru) {
        gruBackCandidate(s, z, f.before + i * U, dhRow, d + r * 2 * U, dCandidate + r * U);
      } else {
        simpleBack(s, z, dhRow, d + r * U);
        copy(d + r * U, f.dGates + i * U, U);
      }
    }
    if (s.kind == Gru) {
      candidate.times(rows, dCandidate, product);
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t i = (b0 + r) * T + at;
        float *dRow = d + r * 2 * U, *out = f.dGates + i * G;
        gruBackReset(s, f.gates + i * G, f.before + i * U, product + r * U, dh + r * U, dRow + U);
        copy(dRow, out, 2 * U);
        copy(dRow, parts.gates + i * 2 * U, 2 * U);
        copy(dCandidate + r * U, out + 2 * U, U);
        copy(dCandidate + r * U, parts.candidate + i * U, U);
      }
      main.times(rows, d, product);
      overVectors(rows * U, [&](int64_t u, int n) { store(dh + u, vadd(load(dh + u, n), load(product + u, n)), n); });
    } else {
      main.times(rows, d, dh);
    }
  }
}

// out [m, n] = a^T b for a [k, m], b [k, n].
static void transposedProduct(int64_t m, int64_t n, int64_t k, const float* a, const float* b, float* out) {
  GemmArgs g{};
  g.transA = true;
  g.m = m;
  g.n = n;
  g.k = k;
  g.a = a;
  g.b = b;
  g.c = out;
  g.batch = g.batchA = g.batchB = 1;
  gemm::run(g);
}

static void backward(const Rnn& s, const RnnBackward& f) {
  const int64_t U = s.units, G = rnnGates(s.kind) * U, tasks = blocks(s.batch), all = s.batch * s.steps;
  const int64_t first = s.kind == Gru ? 2 * U : G;
  const int64_t panels = Packed::size(first, U), more = s.kind == Gru ? Packed::size(U, U) : 0;
  float* packed = scratch(1, static_cast<size_t>(panels + more));
  Packed main{first, U, packed}, candidate{U, U, packed + panels};
  main.pack(s.recurrent, G, true);
  if (s.kind == Gru) candidate.pack(s.recurrent + 2 * U, G, true);
  const int64_t row = G + 2 * U;
  const int64_t extra = s.kind == Gru ? all * G + U * 2 * U + U * U : 0;
  float* temp = scratch(2, static_cast<size_t>(s.batch * row + extra));
  float* gruMemory = temp + s.batch * row;
  const GruParts parts{gruMemory, gruMemory + all * 2 * U};
  parallelTasks(tasks, [&](int64_t task) {
    const int64_t b0 = s.batch * task / tasks, b1 = s.batch * (task + 1) / tasks;
    backwardRows(s, f, b0, b1, main, candidate, parts, temp + b0 * row);
  });
  if (s.kind == Gru) {
    float *dMain = gruMemory + all * G, *dCandidate = dMain + U * 2 * U;
    transposedProduct(U, 2 * U, all, f.before, parts.gates, dMain);
    transposedProduct(U, U, all, f.cells, parts.candidate, dCandidate);
    for (int64_t u = 0; u < U; ++u) {
      copy(dMain + u * 2 * U, f.dRecurrent + u * G, 2 * U);
      copy(dCandidate + u * U, f.dRecurrent + u * G + 2 * U, U);
    }
  } else {
    transposedProduct(U, G, all, f.before, f.dGates, f.dRecurrent);
  }
  if (f.dBias) reduction::reduce(ReduceSum, 1, all, G, f.dGates, f.dBias, 1.0f);
}

}  // namespace rnn
}  // namespace NETSSM_ISA
}  // namespace netssm
