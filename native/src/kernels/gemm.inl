// Matrix product, after Goto and van de Geijn (ACM TOMS 34:3, 2008): B is packed once in panels of NR columns that all
// threads share; each task takes a block of rows, packs its A block by block of KC, and runs the register tile.
// Row tiles are balanced (128 rows are ten tiles of 12 or 13, not nine of 14 and one of 2).

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

// c[R x N columns] (+)= a b. KMajor: a[k * R + i] (packed from a transposed A); else a[i * KS + k].
// b[k * ldb + j]. `tail` in [1, VW] valid lanes of the last vector of c.
template <int R, int N, bool KMajor>
static void tile(int64_t kc, const float* a, const float* b, int64_t ldb, float* c, int64_t ldc, bool add, int tail) {
  vf acc[R][N];
#pragma GCC unroll 16
  for (int i = 0; i < R; ++i)
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j) acc[i][j] = vzero();
  for (int64_t k = 0; k < kc; ++k) {
    vf bv[N];
#pragma GCC unroll 8
    for (int j = 0; j < N; ++j) bv[j] = vload(b + j * VW);
#pragma GCC unroll 16
    for (int i = 0; i < R; ++i) {
      const vf av = vset1(KMajor ? a[i] : a[i * KS]);
#pragma GCC unroll 8
      for (int j = 0; j < N; ++j) acc[i][j] = vfma(av, bv[j], acc[i][j]);
    }
    a += KMajor ? R : 1;
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

using Tile = void (*)(int64_t, const float*, const float*, int64_t, float*, int64_t, bool, int);

// The tile of `rows` in [1, R] and `vectors` in [1, N].
template <bool KMajor, int R, int N>
static Tile findTile(int rows, int vectors) {
  if (rows == R && vectors == N) return tile<R, N, KMajor>;
  if constexpr (R > 1) {
    if (rows < R) return findTile<KMajor, R - 1, N>(rows, vectors);
  }
  if constexpr (N > 1) return findTile<KMajor, R, N - 1>(rows, vectors);
  return nullptr;
}

struct TileTable {
  Tile at[2][MR + 1][NV + 1];
  TileTable() {
    for (int r = 1; r <= MR; ++r)
      for (int v = 1; v <= NV; ++v) {
        at[0][r][v] = findTile<false, MR, NV>(r, v);
        at[1][r][v] = findTile<true, MR, NV>(r, v);
      }
  }
};

static inline Tile tileFor(int rows, int vectors, bool kMajor) {
  static const TileTable table;
  return table.at[kMajor][rows][vectors];
}

static inline int64_t lesser(int64_t a, int64_t b) { return a < b ? a : b; }

// Packs rows [k0, k1) and columns [j0, j1) of op(B), j1 - j0 <= NR, as out[k][width]; missing columns become 0.
static void packB(const float* b, int64_t ldb, bool trans, int64_t k0, int64_t k1, int64_t j0, int64_t j1, int width,
                  float* out) {
  const int64_t columns = j1 - j0, depth = k1 - k0;
  if (!trans) {
    for (int64_t k = 0; k < depth; ++k) {
      const float* row = b + (k0 + k) * ldb + j0;
      float* to = out + k * width;
      int64_t j = 0;
      for (; j + VW <= columns; j += VW) vstore(to + j, vload(row + j));
      if (j < columns) {
        vstore(to + j, vloadn(row + j, static_cast<int>(columns - j)));
        j += VW;
      }
      for (; j < width; j += VW) vstore(to + j, vzero());
    }
    return;
  }
  int64_t j = 0;
  for (; j + TB <= columns; j += TB) {
    const float* col = b + (j0 + j) * ldb + k0;
    int64_t k = 0;
    for (; k + TB <= depth; k += TB) transposeBlock(col + k, ldb, out + k * width + j, width);
    for (; k < depth; ++k)
      for (int t = 0; t < TB; ++t) out[k * width + j + t] = col[t * ldb + k];
  }
  for (; j < width; ++j) {
    if (j < columns) {
      const float* col = b + (j0 + j) * ldb + k0;
      for (int64_t k = 0; k < depth; ++k) out[k * width + j] = col[k];
    } else {
      for (int64_t k = 0; k < depth; ++k) out[k * width + j] = 0.0f;
    }
  }
}

// Packs `rows` rows of op(A) from i0, columns [k0, k1): row by row with stride KS, or k-major when A is transposed.
static void packA(const float* a, int64_t lda, bool trans, int64_t i0, int rows, int64_t k0, int64_t k1, float* out) {
  const int64_t depth = k1 - k0;
  if (trans) {
    const float* from = a + k0 * lda + i0;
    for (int64_t k = 0; k < depth; ++k, from += lda, out += rows) {
      int i = 0;
      for (; i + VW <= rows; i += VW) vstore(out + i, vload(from + i));
      if (i < rows) vstoren(out + i, vloadn(from + i, rows - i), rows - i);
    }
    return;
  }
  for (int i = 0; i < rows; ++i) {
    const float* from = a + (i0 + i) * lda + k0;
    float* to = out + static_cast<int64_t>(i) * KS;
    int64_t k = 0;
    for (; k + VW <= depth; k += VW) vstore(to + k, vload(from + k));
    if (k < depth) vstoren(to + k, vloadn(from + k, static_cast<int>(depth - k)), static_cast<int>(depth - k));
  }
}

// A panel of B as the tiles read it.
struct Panel {
  const float* data;
  int64_t ld;
};

// Rows [i0, i1) and panels [p0, p1) of C, all of k. `panelOf(p, k0)` finds the panel of columns p * NR at depth k0.
template <class PanelOf>
static void block(const GemmArgs& g, const float* a, float* c, int64_t i0, int64_t i1, int64_t p0, int64_t p1,
                  float* packedA, PanelOf&& panelOf) {
  const int64_t lda = g.transA ? g.m : g.k;
  const int64_t tiles = (i1 - i0 + MR - 1) / MR;
  for (int64_t t0 = 0; t0 < tiles; t0 += kGroup) {
    const int64_t t1 = lesser(t0 + kGroup, tiles);
    for (int64_t k0 = 0; k0 < g.k; k0 += KC) {
      const int64_t k1 = lesser(k0 + KC, g.k);
      for (int64_t t = t0; t < t1; ++t) {
        const int64_t r0 = i0 + (i1 - i0) * t / tiles, r1 = i0 + (i1 - i0) * (t + 1) / tiles;
        packA(a, lda, g.transA, r0, static_cast<int>(r1 - r0), k0, k1, packedA + (t - t0) * MR * KS);
      }
      for (int64_t p = p0; p < p1; ++p) {
        const int64_t j0 = p * NR, columns = lesser(NR, g.n - j0);
        const int vectors = static_cast<int>((columns + VW - 1) / VW);
        const int tail = static_cast<int>(columns - (vectors - 1) * VW);
        const Panel panel = panelOf(p, k0);
        for (int64_t t = t0; t < t1; ++t) {
          const int64_t r0 = i0 + (i1 - i0) * t / tiles, r1 = i0 + (i1 - i0) * (t + 1) / tiles;
          const Tile run = tileFor(static_cast<int>(r1 - r0), vectors, g.transA);
          run(k1 - k0, packedA + (t - t0) * MR * KS, panel.data, panel.ld, c + r0 * g.n + j0, g.n, k0 > 0, tail);
        }
      }
    }
  }
}

// Scratch memory of a thread, kept between calls.
static float* scratch(int which, size_t floats) {
  struct Buffer {
    float* data = nullptr;
    size_t size = 0;
    ~Buffer() { alignedFree(data); }
  };
  static thread_local Buffer buffers[2];
  Buffer& b = buffers[which];
  if (b.size < floats) {
    alignedFree(b.data);
    b.size = 0;
    b.data = alignedAlloc(floats);
    b.size = floats;
  }
  return b.data;
}

static size_t packedASize() { return static_cast<size_t>(kGroup) * MR * KS; }

// One product by one thread: for batches of small ones.
static void single(const GemmArgs& g, const float* a, const float* b, float* c) {
  const int64_t ldb = g.transB ? g.k : g.n;
  const int64_t panels = (g.n + NR - 1) / NR;
  float* packedA = scratch(0, packedASize());
  // Few rows use B once or twice: read it where it lies. Packing pays for itself from three row tiles on.
  const bool direct = !g.transB && g.m <= 2 * MR;
  float* packedB = scratch(1, static_cast<size_t>(KC) * NR * static_cast<size_t>(direct ? 1 : panels));
  // k outermost here, so that packed B stays small: C is revisited once per KC.
  for (int64_t k0 = 0; k0 < g.k; k0 += KC) {
    const int64_t k1 = lesser(k0 + KC, g.k);
    if (!direct)
      for (int64_t p = 0; p < panels; ++p) {
        const int64_t j0 = p * NR, j1 = lesser(j0 + NR, g.n);
        const int width = static_cast<int>((j1 - j0 + VW - 1) / VW) * VW;
        packB(b, ldb, g.transB, k0, k1, j0, j1, width, packedB + p * KC * NR);
      }
    const int64_t lda = g.transA ? g.m : g.k;
    const int64_t tiles = (g.m + MR - 1) / MR;
    for (int64_t t0 = 0; t0 < tiles; t0 += kGroup) {
      const int64_t t1 = lesser(t0 + kGroup, tiles);
      for (int64_t t = t0; t < t1; ++t) {
        const int64_t r0 = g.m * t / tiles, r1 = g.m * (t + 1) / tiles;
        packA(a, lda, g.transA, r0, static_cast<int>(r1 - r0), k0, k1, packedA + (t - t0) * MR * KS);
      }
      for (int64_t p = 0; p < panels; ++p) {
        const int64_t j0 = p * NR, j1 = lesser(j0 + NR, g.n), columns = j1 - j0;
        const int vectors = static_cast<int>((columns + VW - 1) / VW);
        const int tail = static_cast<int>(columns - (vectors - 1) * VW);
        const float* panel = packedB + p * KC * NR;
        int64_t ld = vectors * VW;
        if (direct) {
          if (tail == VW) {
            panel = b + k0 * ldb + j0;
            ld = ldb;
          } else {
            panel = packedB;
            if (t0 == 0) packB(b, ldb, false, k0, k1, j0, j1, static_cast<int>(ld), packedB);
          }
        }
        for (int64_t t = t0; t < t1; ++t) {
          const int64_t r0 = g.m * t / tiles, r1 = g.m * (t + 1) / tiles;
          const Tile run = tileFor(static_cast<int>(r1 - r0), vectors, g.transA);
          run(k1 - k0, packedA + (t - t0) * MR * KS, panel, ld, c + r0 * g.n + j0, g.n, k0 > 0, tail);
        }
      }
    }
  }
}

// One large product by all threads: pack B together, then share out blocks of C.
static void shared(const GemmArgs& g, const float* a, const float* b, float* c) {
  const int64_t ldb = g.transB ? g.k : g.n;
  const int64_t panels = (g.n + NR - 1) / NR;
  const int64_t depths = (g.k + KC - 1) / KC;
  // Columns in slabs, so that packed B stays within 16 MB.
  const int64_t slab = lesser(panels, 1 + (int64_t{4} << 20) / (depths * KC * NR));
  float* packedB = scratch(1, static_cast<size_t>(slab * depths * KC * NR));
  for (int64_t s0 = 0; s0 < panels; s0 += slab) {
    const int64_t s1 = lesser(s0 + slab, panels);
    parallelTasks((s1 - s0) * depths, [&](int64_t task) {
      const int64_t p = s0 + task / depths, d = task % depths;
      const int64_t j0 = p * NR, j1 = lesser(j0 + NR, g.n);
      const int width = static_cast<int>((j1 - j0 + VW - 1) / VW) * VW;
      packB(b, ldb, g.transB, d * KC, lesser((d + 1) * KC, g.k), j0, j1, width,
            packedB + ((p - s0) * depths + d) * KC * NR);
    });
    // About 8 tasks a thread where the shape allows; a task is at least four row tiles deep.
    const int64_t tiles = (g.m + MR - 1) / MR;
    int64_t rowTasks = lesser((tiles + 3) / 4, 32), columnTasks = 1;
    if (rowTasks < 8) columnTasks = lesser(s1 - s0, (8 + rowTasks - 1) / rowTasks);
    parallelTasks(rowTasks * columnTasks, [&](int64_t task) {
      const int64_t r = task / columnTasks, q = task % columnTasks;
      const int64_t i0 = g.m * r / rowTasks, i1 = g.m * (r + 1) / rowTasks;
      const int64_t p0 = s0 + (s1 - s0) * q / columnTasks, p1 = s0 + (s1 - s0) * (q + 1) / columnTasks;
      block(g, a, c, i0, i1, p0, p1, scratch(0, packedASize()), [&](int64_t p, int64_t k0) {
        const int64_t columns = lesser(NR, g.n - p * NR);
        const int64_t width = (columns + VW - 1) / VW * VW;
        return Panel{packedB + ((p - s0) * depths + k0 / KC) * KC * NR, width};
      });
    });
  }
}

// c[n] = a[k] B for one row: stream B in runs of eight rows, columns shared out.
static void rowTimesMatrix(int64_t n, int64_t k, const float* a, const float* b, float* c) {
  const int64_t grain = k * n < 65536 ? n : 256;
  parallelRange(n, grain, [&](int64_t j0, int64_t j1) {
    for (int64_t j = j0; j < j1; ++j) c[j] = 0.0f;
    int64_t p = 0;
    for (; p + 8 <= k; p += 8) {
      const float* r = b + p * n;
      vf av[8];
      for (int t = 0; t < 8; ++t) av[t] = vset1(a[p + t]);
      int64_t j = j0;
      for (; j + VW <= j1; j += VW) {
        vf s = vload(c + j), u = vmul(av[0], vload(r + j));
        s = vfma(av[1], vload(r + n + j), s);
        u = vfma(av[2], vload(r + 2 * n + j), u);
        s = vfma(av[3], vload(r + 3 * n + j), s);
        u = vfma(av[4], vload(r + 4 * n + j), u);
        s = vfma(av[5], vload(r + 5 * n + j), s);
        u = vfma(av[6], vload(r + 6 * n + j), u);
        s = vfma(av[7], vload(r + 7 * n + j), s);
        vstore(c + j, vadd(s, u));
      }
      for (; j < j1; ++j)
        for (int t = 0; t < 8; ++t) c[j] += a[p + t] * r[t * n + j];
    }
    for (; p < k; ++p)
      for (int64_t j = j0; j < j1; ++j) c[j] += a[p] * b[p * n + j];
  });
}

// R rows of A against Q rows of a transposed B: dot products along k.
template <int R, int Q>
static void dots(int64_t k, const float* a, int64_t lda, const float* b, int64_t ldb, float* c, int64_t ldc) {
  vf acc[R][Q];
  for (int i = 0; i < R; ++i)
    for (int j = 0; j < Q; ++j) acc[i][j] = vzero();
  int64_t p = 0;
  for (; p < k; p += VW) {
    const bool whole = p + VW <= k;
    const int rest = static_cast<int>(k - p);
    vf bv[Q];
    for (int j = 0; j < Q; ++j) bv[j] = whole ? vload(b + j * ldb + p) : vloadn(b + j * ldb + p, rest);
    for (int i = 0; i < R; ++i) {
      const vf av = whole ? vload(a + i * lda + p) : vloadn(a + i * lda + p, rest);
      for (int j = 0; j < Q; ++j) acc[i][j] = vfma(av, bv[j], acc[i][j]);
    }
  }
  for (int i = 0; i < R; ++i)
    for (int j = 0; j < Q; ++j) c[i * ldc + j] = vsum(acc[i][j]);
}

template <int Q>
static void dotsRows(int64_t m, int64_t k, const float* a, const float* b, float* c, int64_t ldc) {
  int64_t i = 0;
  for (; i + 4 <= m; i += 4) dots<4, Q>(k, a + i * k, k, b, k, c + i * ldc, ldc);
  for (; i < m; ++i) dots<1, Q>(k, a + i * k, k, b, k, c + i * ldc, ldc);
}

// C = A B^T with few rows of A: every row of B is read once.
static void fewRowsTransB(int64_t m, int64_t n, int64_t k, const float* a, const float* b, float* c) {
  const int64_t grain = k * n * m < 65536 ? n : 1 + 16384 / (k + 1);
  parallelRange(n, (grain + 3) / 4 * 4, [&](int64_t j0, int64_t j1) {
    int64_t j = j0;
    for (; j + 4 <= j1; j += 4) dotsRows<4>(m, k, a, b + j * k, c + j, n);
    for (; j < j1; ++j) dotsRows<1>(m, k, a, b + j * k, c + j, n);
  });
}

static void addBias(const GemmArgs& g) {
  const int64_t rows = g.m * g.batch;
  parallelRange(rows, 1 + 32768 / (g.n + 1), [&](int64_t r0, int64_t r1) {
    for (int64_t r = r0; r < r1; ++r) {
      float* c = g.c + r * g.n;
      int64_t j = 0;
      for (; j + VW <= g.n; j += VW) vstore(c + j, vadd(vload(c + j), vload(g.bias + j)));
      for (; j < g.n; ++j) c[j] += g.bias[j];
    }
  });
}

static void product(const GemmArgs& g, const float* a, const float* b, float* c) {
  if (g.n == 1 && g.m > 1 && !g.transA) {  // C^T = B^T A^T: one row again
    fewRowsTransB(1, g.m, g.k, b, a, c);
  } else if (g.n == 1 && g.transA) {
    rowTimesMatrix(g.m, g.k, b, a, c);
  } else if (g.m == 1 && !g.transB) {
    rowTimesMatrix(g.n, g.k, a, b, c);
  } else if (g.transB && (!g.transA || g.m == 1) && g.m <= 8) {
    fewRowsTransB(g.m, g.n, g.k, a, b, c);
  } else if (g.m * g.n * g.k < 64 * 64 * 64) {
    single(g, a, b, c);
  } else {
    shared(g, a, b, c);
  }
}

static void run(const GemmArgs& args) {
  GemmArgs g = args;
  if (g.batch <= 0 || g.m <= 0 || g.n <= 0) return;
  const int64_t sizeA = g.m * g.k, sizeB = g.k * g.n, sizeC = g.m * g.n;
  if (g.k <= 0) {
    for (int64_t i = 0; i < sizeC * g.batch; ++i) g.c[i] = 0.0f;
  } else if (g.batch == 1) {
    product(g, g.a, g.b, g.c);
  } else {
    const int64_t work = sizeC * g.k;
    if (g.batch >= 16 || work < 128 * 128 * 128) {
      // Whole products as tasks, in groups so small that there are at most 64 of them.
      const int64_t perTask = work >= 262144 ? 1 : 1 + 262144 / (work + 1);
      parallelRange(g.batch, perTask, [&](int64_t b0, int64_t b1) {
        for (int64_t i = b0; i < b1; ++i) {
          const float* a = g.a + (i % g.batchA) * sizeA;
          const float* b = g.b + (i % g.batchB) * sizeB;
          if (g.transB && !g.transA && g.m <= 8)
            fewRowsTransB(g.m, g.n, g.k, a, b, g.c + i * sizeC);
          else
            single(g, a, b, g.c + i * sizeC);
        }
      });
    } else {
      for (int64_t i = 0; i < g.batch; ++i)
        product(g, g.a + (i % g.batchA) * sizeA, g.b + (i % g.batchB) * sizeB, g.c + i * sizeC);
    }
  }
  if (g.bias) addBias(g);
}

}  // namespace gemm
}  // namespace NETSSM_ISA
}  // namespace netssm
