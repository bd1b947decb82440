// The decoder's matrix product: rows of x times packed weights. Every result is one chain of fused multiply-adds along
// the columns, whatever the number of rows, so a sequence's numbers do not depend on what is computed beside it.

namespace netssm {
namespace NETSSM_ISA {
namespace decoder {

struct Product {
  const DecoderMatrix* W;
  int64_t rows;    // of x
  const float* x;  // [rows, W.columns] every xRow floats
  int64_t xRow;
  float* out;  // [rows, W.rows padded to whole panels] every outRow floats
  int64_t outRow;
  bool add;  // to what `out` holds
};

// Bytes between what a one-row product reads and what it asks for.
constexpr int64_t kAhead = 2048;

// R rows of x by P panels.
template <int R, int P, class Weight>
static void tile(const Product& g, const Weight* w, int64_t panel, int64_t r0) {
  const int64_t columns = g.W->columns, stride = PW * columns, xRow = g.xRow;
  const float* x = g.x + r0 * xRow;
  w += panel * stride;
  vf acc[R][2 * P];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int j = 0; j < 2 * P; ++j) acc[r][j] = vzero();
  for (int64_t k = 0; k < columns; ++k) {
    vf wv[2 * P];
    // Few rows wait for the weights: they are asked for ahead, past the end of a memory page too.
    if (P == 4)
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) {
        const char* ahead = reinterpret_cast<const char*>(w + p * stride) + kAhead;
        __builtin_prefetch(ahead);
        if (PW * sizeof(Weight) > 64) __builtin_prefetch(ahead + 64);
      }
#pragma GCC unroll 4
    for (int p = 0; p < P; ++p) loadPair(w + p * stride, &wv[2 * p], &wv[2 * p + 1]);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const vf xv = vset1(x[r * xRow]);
#pragma GCC unroll 8
      for (int j = 0; j < 2 * P; ++j) acc[r][j] = vfma(xv, wv[j], acc[r][j]);
    }
    w += PW;
    ++x;
  }
  const float* scales = g.W->scales;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    float* out = g.out + (r0 + r) * g.outRow + panel * PW;
#pragma GCC unroll 8
    for (int j = 0; j < 2 * P; ++j) {
      vf v = acc[r][j];
      if (scales) v = vmul(v, vload(scales + panel * PW + j * VW));
      vstore(out + j * VW, g.add ? vadd(vload(out + j * VW), v) : v);
    }
  }
}

// Registers for sums: 24 of 32, or 12 of 16.
#if defined(NETSSM_AVX512) || defined(NETSSM_NEON)
constexpr int kMostRows = 12;
#else
constexpr int kMostRows = 6;
#endif

// Panels that a tile of `rows` takes together.
static constexpr int together(int rows) { return rows > kMostRows / 2 ? 1 : rows > kMostRows / 4 ? 2 : kMostRows == 12 || rows == 1 ? 4 : 2; }

template <int R, class Weight>
static void rowTile(const Product& g, const Weight* w, int64_t p0, int64_t p1, int64_t r0) {
  constexpr int P = together(R);
  int64_t p = p0;
  for (; p + P <= p1; p += P) tile<R, P>(g, w, p, r0);
  for (; p < p1; ++p) tile<R, 1>(g, w, p, r0);
}

template <int R, class Weight>
static void findTile(const Product& g, const Weight* w, int64_t p0, int64_t p1, int64_t r0, int64_t rows) {
  if constexpr (R > 0) {
    if (rows == R)
      rowTile<R>(g, w, p0, p1, r0);
    else
      findTile<R - 1>(g, w, p0, p1, r0, rows);
  }
}

template <class Weight>
static void panels(const Product& g, int64_t p0, int64_t p1) {
  const Weight* w = static_cast<const Weight*>(g.W->data);
  const int64_t tiles = (g.rows + kMostRows - 1) / kMostRows;
  // The panels that one tile takes stay in the cache for the next rows.
  const int64_t step = tiles == 1 ? p1 - p0 : 1;
  for (int64_t p = p0; p < p1; p += step)
    for (int64_t t = 0; t < tiles; ++t) {
      const int64_t r0 = g.rows * t / tiles, r1 = g.rows * (t + 1) / tiles;
      findTile<kMostRows>(g, w, p, p + step < p1 ? p + step : p1, r0, r1 - r0);
    }
}

static void product(const Product& g, bool parallel) {
  const int64_t all = roundUp(g.W->rows, PW) / PW;
  const auto run = [&](int64_t p0, int64_t p1) {
    if (g.W->format == WeightsFloat32)
      panels<float>(g, p0, p1);
    else if (g.W->format == WeightsBf16)
      panels<uint16_t>(g, p0, p1);
    else
      panels<int8_t>(g, p0, p1);
  };
  const int64_t perPanel = g.rows * g.W->columns * PW;
  if (!parallel || perPanel * all < 131072) {
    run(0, all);
    return;
  }
  // Four panels at a time keep the streams of a one-row product; pieces of some microseconds.
  const int64_t grain = roundUp(1 + 49152 / perPanel, 4);
  parallelRange(all, grain, run);
}

}  // namespace decoder
}  // namespace NETSSM_ISA
}  // namespace netssm
