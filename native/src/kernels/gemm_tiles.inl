// The two things a matrix product is made of: register tiles, and packing operands into the order the tiles read them.

namespace netssm {
namespace NETSSM_ISA {
namespace gemm {

#if defined(NETSSM_AVX512)
constexpr int MR = 14, NV = 2;
#elif defined(NETSSM_AVX2)
constexpr int MR = 6, NV = 2;
#elif defined(NETSSM_NEON)
constexpr int MR = 7, NV = 3;
#else
constexpr int MR = 4, NV = 4;
#endif
constexpr int NR = NV * VW;
constexpr int KC = 256;       // B panel: KC x NR floats live in the first-level cache
constexpr int kGroup = 192 / MR;  // row tiles packed together: they stay in the second-level cache
constexpr int KS = KC + 16;   // row stride of a packed A block: not a power of two, so rows use different cache sets

// c[R x N columns] (+)= a b. Packed: a[i * KS + k], or k-major (from a transposed A) a[k * R + i]. Not packed: A as it
// lies, a[i * lda + k] or a[k * lda + i]. b[k * ldb + j]. `tail` in [1, VW] valid lanes of the last vector of c.
template <int R, int N, bool KMajor, bool Packed>
static void tile(int64_t kc, const float* a, int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc, bool add,
                 int tail) {
  vf acc[R][N];
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j) acc[i][j] = vzero();
  // The rows of a wide C are far apart: asked for now, they are there when the sums are.
  if (kc >= 64 && ldc >= 512)
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      __builtin_prefetch(c + i * ldc, 1);
      if (N > 1) __builtin_prefetch(c + i * ldc + (N - 1) * VW, 1);
    }
  for (int64_t k = 0; k < kc; ++k) {
    vf bv[N];
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j) bv[j] = vload(b + j * VW);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      const vf av = vset1(KMajor ? a[i] : a[i * (Packed ? KS : lda)]);
#pragma GCC unroll 8
      for (int j = 0; j < N; ++j) acc[i][j] = vfma(av, bv[j], acc[i][j]);
    }
    a += KMajor ? (Packed ? R : lda) : 1;
    b += ldb;
  }
  if (tail == VW) {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < N; ++j) {
        float* p = c + i * ldc + j * VW;
        vstore(p, add ? vadd(vload(p), acc[i][j]) : acc[i][j]);
      }
  } else {
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
      for (int j = 0; j < N; ++j) {
        float* p = c + i * ldc + j * VW;
        if (j + 1 < N) {
          vstore(p, add ? vadd(vload(p), acc[i][j]) : acc[i][j]);
        } else {
          vstoren(p, add ? vadd(vloadn(p, tail), acc[i][j]) : acc[i][j], tail);
        }
      }
  }
}

using Tile = void (*)(int64_t, const float*, int64_t, const float*, int64_t, float*, int64_t, bool, int);

// The tile of `rows` in [1, R] and `vectors` in [1, N].
template <bool KMajor, bool Packed, int R, int N>
static Tile findTile(int rows, int vectors) {
  if (rows == R && vectors == N) return tile<R, N, KMajor, Packed>;
  if constexpr (R > 1) {
    if (rows < R) return findTile<KMajor, Packed, R - 1, N>(rows, vectors);
  }
  if constexpr (N > 1) return findTile<KMajor, Packed, R, N - 1>(rows, vectors);
  return nullptr;
}

struct TileTable {
  Tile at[2][2][MR + 1][NV + 1];
  TileTable() {
    for (int r = 1; r <= MR; ++r)
      for (int v = 1; v <= NV; ++v) {
        at[0][0][r][v] = findTile<false, false, MR, NV>(r, v);
        at[0][1][r][v] = findTile<true, false, MR, NV>(r, v);
        at[1][0][r][v] = findTile<false, true, MR, NV>(r, v);
        at[1][1][r][v] = findTile<true, true, MR, NV>(r, v);
      }
  }
};

static inline Tile tileFor(int rows, int vectors, bool kMajor, bool packed = true) {
  static const TileTable table;
  return table.at[packed][kMajor][rows][vectors];
}

static inline int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }

// Width of panel p as it is stored: whole vectors.
static inline int64_t panelWidth(int64_t n, int64_t p) { return (lesser(NR, n - p * NR) + VW - 1) / VW * VW; }

// Packs rows [k0, k1) of panels [p0, p1) of op(B), panel p at out + (p - p0) * stride as [k][panelWidth]; columns beyond
// n become 0. B is read along its rows.
static void packB(const float* b, int64_t ldb, bool trans, int64_t n, int64_t k0, int64_t k1, int64_t p0, int64_t p1,
                  float* out, int64_t stride) {
  if (!trans) {
    for (int64_t k = k0; k < k1; ++k)
      for (int64_t p = p0; p < p1; ++p) {
        const int64_t columns = lesser(NR, n - p * NR), width = panelWidth(n, p);
        const float* row = b + k * ldb + p * NR;
        float* to = out + (p - p0) * stride + (k - k0) * width;
        int64_t j = 0;
        for (; j + VW <= columns; j += VW) vstore(to + j, vload(row + j));
        if (j < columns) vstore(to + j, vloadn(row + j, static_cast<int>(columns - j)));
      }
    return;
  }
  const int64_t depth = k1 - k0;
  for (int64_t p = p0; p < p1; ++p) {
    const int64_t columns = lesser(NR, n - p * NR), width = panelWidth(n, p);
    float* to = out + (p - p0) * stride;
    int64_t j = 0;
    for (; j + TB <= columns; j += TB) {
      const float* col = b + (p * NR + j) * ldb + k0;
      int64_t k = 0;
      for (; k + TB <= depth; k += TB) transposeBlock(col + k, ldb, to + k * width + j, width);
      for (; k < depth; ++k)
        for (int t = 0; t < TB; ++t) to[k * width + j + t] = col[t * ldb + k];
    }
    for (; j < width; ++j) {
      const float* col = j < columns ? b + (p * NR + j) * ldb + k0 : nullptr;
      for (int64_t k = 0; k < depth; ++k) to[k * width + j] = col ? col[k] : 0.0f;
    }
  }
}

// First row of tile t when rows [i0, i1) are cut in `tiles` nearly equal ones.
static inline int64_t tileRow(int64_t i0, int64_t i1, int64_t tiles, int64_t t) { return i0 + (i1 - i0) * t / tiles; }

static inline void copyRow(const float* from, float* to, int64_t n) {
  int64_t k = 0;
  for (; k + VW <= n; k += VW) vstore(to + k, vload(from + k));
  if (k < n) vstoren(to + k, vloadn(from + k, static_cast<int>(n - k)), static_cast<int>(n - k));
}

// Packs the row tiles [t0, t1) of op(A), columns [k0, k1), one tile every MR * KS floats: row by row with stride KS, or
// k-major when A is transposed. Either way A is read along its rows.
static void packA(const float* a, int64_t lda, bool trans, int64_t i0, int64_t i1, int64_t tiles, int64_t t0, int64_t t1,
                  int64_t k0, int64_t k1, float* out) {
  if (trans) {
    int64_t first[kGroup + 1];
    for (int64_t t = t0; t <= t1; ++t) first[t - t0] = tileRow(i0, i1, tiles, t);
    const int64_t count = t1 - t0;
    for (int64_t k = k0; k < k1; ++k) {
      const float* from = a + k * lda;
      for (int64_t t = 0; t < count; ++t) {
        const int64_t rows = first[t + 1] - first[t];
        float* to = out + t * MR * KS + (k - k0) * rows;
        // A whole vector is stored: what is too much is overwritten by the next k, or lies in the slack KS - KC.
        if (MR <= VW) vstore(to, vloadn(from + first[t], static_cast<int>(rows)));
        else copyRow(from + first[t], to, rows);
      }
    }
    return;
  }
  for (int64_t t = t0; t < t1; ++t) {
    const int64_t r0 = tileRow(i0, i1, tiles, t), r1 = tileRow(i0, i1, tiles, t + 1);
    for (int64_t r = r0; r < r1; ++r) copyRow(a + r * lda + k0, out + ((t - t0) * MR + (r - r0)) * KS, k1 - k0);
  }
}

}  // namespace gemm
}  // namespace NETSSM_ISA
}  // namespace netssm
