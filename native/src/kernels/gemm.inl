// Matrix product, after Goto and van de Geijn (ACM TOMS 34:3, 2008): B is packed once in panels of NR columns that all
// threads share; each task takes a block of rows, packs its A block by block of KC, and runs the register tile.
// Row tiles are balanced (128 rows are ten tiles of 12 or 13, not nine of 14 and one of 2).

namespace netssm {
namespace NETSSM_ISA {
namespace gemm {

// A panel of B as the tiles read it.
struct Panel {
  const float* data;
  int64_t ld;
};

// Whether A is better read where it lies than packed: the tiles of few panels use it, and what a tile reads at once does
// not fall on the same few cache sets, as steps of whole memory pages do.
static bool readRowsDirectly(const GemmArgs& g, int64_t panels) {
  constexpr int64_t kPage = 1024;
  if (g.transA) return panels <= 8 && g.m < kPage;
  return panels <= (g.k % kPage == 0 ? 4 : 8);
}

// Rows [i0, i1) and panels [p0, p1) of C, all of k. `panelOf(p, k0)` finds the panel of columns p * NR at depth k0.
template <class PanelOf>
static void block(const GemmArgs& g, const float* a, float* c, int64_t i0, int64_t i1, int64_t p0, int64_t p1,
                  float* packedA, PanelOf&& panelOf) {
  const int64_t lda = g.transA ? g.m : g.k;
  const bool direct = readRowsDirectly(g, p1 - p0);
  const int64_t tiles = (i1 - i0 + MR - 1) / MR;
  for (int64_t t0 = 0; t0 < tiles; t0 += kGroup) {
    const int64_t t1 = lesser(t0 + kGroup, tiles);
    for (int64_t k0 = 0; k0 < g.k; k0 += KC) {
      const int64_t k1 = lesser(k0 + KC, g.k);
      if (!direct) packA(a, lda, g.transA, i0, i1, tiles, t0, t1, k0, k1, packedA);
      for (int64_t p = p0; p < p1; ++p) {
        const int64_t j0 = p * NR, columns = lesser(NR, g.n - j0);
        const int vectors = static_cast<int>((columns + VW - 1) / VW);
        const int tail = static_cast<int>(columns - (vectors - 1) * VW);
        const Panel panel = panelOf(p, k0);
        for (int64_t t = t0; t < t1; ++t) {
          const int64_t r0 = tileRow(i0, i1, tiles, t), r1 = tileRow(i0, i1, tiles, t + 1);
          const Tile run = tileFor(static_cast<int>(r1 - r0), vectors, g.transA, !direct);
          const float* rows = direct ? a + (g.transA ? k0 * lda + r0 : r0 * lda + k0) : packedA + (t - t0) * MR * KS;
          run(k1 - k0, rows, lda, panel.data, panel.ld, c + r0 * g.n + j0, g.n, k0 > 0, tail);
        }
      }
    }
  }
}

static size_t packedASize() { return static_cast<size_t>(kGroup) * MR * KS; }

// Rows [0, m) of C, panels [p0, p1), by one thread. B is packed KC rows at a time, or read where it lies when few rows
// use it (`direct`; the last panel is packed all the same where it is not whole vectors).
static void single(const GemmArgs& g, const float* a, const float* b, float* c, int64_t p0, int64_t p1, bool direct,
                   bool add = false) {
  const int64_t lda = g.transA ? g.m : g.k, ldb = g.transB ? g.k : g.n;
  // Directly read rows lie on as many memory pages: fewer of them at a time.
  const int64_t step = direct ? 64 : KC;
  const int64_t stride = KC * NR;
  const bool ragged = g.n % VW != 0;
  const bool looseA = readRowsDirectly(g, p1 - p0);
  float* packedA = scratch(0, packedASize());
  float* packedB = scratch(1, static_cast<size_t>(stride * (direct ? 1 : p1 - p0)));
  const int64_t tiles = (g.m + MR - 1) / MR;
  for (int64_t k0 = 0; k0 < g.k; k0 += step) {
    const int64_t k1 = lesser(k0 + step, g.k);
    if (!direct) packB(b, ldb, g.transB, g.n, k0, k1, p0, p1, packedB, stride);
    for (int64_t t0 = 0; t0 < tiles; t0 += kGroup) {
      const int64_t t1 = lesser(t0 + kGroup, tiles);
      if (!looseA) packA(a, lda, g.transA, 0, g.m, tiles, t0, t1, k0, k1, packedA);
      for (int64_t p = p0; p < p1; ++p) {
        const int64_t columns = lesser(NR, g.n - p * NR), width = panelWidth(g.n, p);
        const int vectors = static_cast<int>(width / VW);
        const int tail = static_cast<int>(columns - (vectors - 1) * VW);
        const float* panel = packedB + (p - p0) * stride;
        int64_t ld = width;
        if (direct) {
          if (ragged && columns < NR) {
            panel = packedB;
            packB(b, ldb, false, g.n, k0, k1, p, p + 1, packedB, stride);
          } else {
            panel = b + k0 * ldb + p * NR;
            ld = ldb;
            if (p + 1 < p1)
              for (int64_t k = 0; k < k1 - k0; ++k) {
                __builtin_prefetch(panel + k * ldb + NR);
                if (NR > 16) __builtin_prefetch(panel + k * ldb + NR + 16);
              }
          }
        }
        for (int64_t t = t0; t < t1; ++t) {
          const int64_t r0 = tileRow(0, g.m, tiles, t), r1 = tileRow(0, g.m, tiles, t + 1);
          const Tile run = tileFor(static_cast<int>(r1 - r0), vectors, g.transA, !looseA);
          const float* rows = looseA ? a + (g.transA ? k0 * lda + r0 : r0 * lda + k0) : packedA + (t - t0) * MR * KS;
          run(k1 - k0, rows, lda, panel, ld, c + r0 * g.n + p * NR, g.n, add || k0 > 0, tail);
        }
      }
    }
  }
}

// Whether B is better read where it lies: few rows use it, or it fits the first-level cache.
static bool readDirectly(const GemmArgs& g) { return !g.transB && (g.m <= 2 * MR || g.k * g.n <= 6144); }

static void single(const GemmArgs& g, const float* a, const float* b, float* c) {
  single(g, a, b, c, 0, (g.n + NR - 1) / NR, readDirectly(g));
}

// Few rows against a large B: columns are shared out, B is read once and not packed.
static void fewRows(const GemmArgs& g, const float* a, const float* b, float* c) {
  const int64_t panels = (g.n + NR - 1) / NR;
  parallelRange(panels, 1 + 131072 / (g.m * g.k * NR / 8 + 1), [&](int64_t p0, int64_t p1) {
    single(g, a, b, c, p0, p1, true);
  });
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
    constexpr int64_t kTogether = 8;  // panels packed in one sweep along the rows of B
    const int64_t groups = (s1 - s0 + kTogether - 1) / kTogether;
    parallelTasks(groups * depths, [&](int64_t task) {
      const int64_t p0 = s0 + task / depths * kTogether, p1 = lesser(p0 + kTogether, s1), d = task % depths;
      packB(b, ldb, g.transB, g.n, d * KC, lesser((d + 1) * KC, g.k), p0, p1,
            packedB + ((p0 - s0) * depths + d) * KC * NR, depths * KC * NR);
    });
    // About 8 tasks a thread where the shape allows; a task is at least four row tiles deep.
    const int64_t tiles = (g.m + MR - 1) / MR;
    int64_t rowTasks = lesser((tiles + 3) / 4, 32), columnTasks = 1;
    if (rowTasks < 8) columnTasks = lesser(s1 - s0, (8 + rowTasks - 1) / rowTasks);
    parallelTasks(rowTasks * columnTasks, [&](int64_t task) {
      const int64_t r = task / columnTasks, q = task % columnTasks;
      const int64_t i0 = g.m * r / rowTasks, i1 = g.m * (r + 1) / rowTasks;
      const int64_t p0 = s0 + (s1 - s0) * q / columnTasks, p1 = s0 + (s1 - s0) * (q + 1) / columnTasks;
      block(
          g, a, c, i0, i1, p0, p1, scratch(0, packedASize()),
          [&](int64_t p, int64_t k0) {
            return Panel{packedB + ((p - s0) * depths + k0 / KC) * KC * NR, panelWidth(g.n, p)};
          });
    });
  }
}

// c[j0..j1) = a[p0..p1) B: four rows of B at a time, along their length.
static void rowSweep(int64_t n, const float* a, const float* b, int64_t p0, int64_t p1, int64_t j0, int64_t j1,
                     float* c) {
  constexpr int T = 8;
  for (int64_t j = j0; j < j1; ++j) c[j - j0] = 0.0f;
  c -= j0;
  int64_t p = p0;
  for (; p + T <= p1; p += T) {
    const float* r = b + p * n;
    vf av[T];
    for (int t = 0; t < T; ++t) av[t] = vset1(a[p + t]);
    int64_t j = j0;
    for (; j + 2 * VW <= j1; j += 2 * VW) {
      vf s = vload(c + j), u = vload(c + j + VW);
#pragma GCC unroll 8
      for (int t = 0; t < T; ++t) {
        s = vfma(av[t], vload(r + t * n + j), s);
        u = vfma(av[t], vload(r + t * n + j + VW), u);
      }
      vstore(c + j, s);
      vstore(c + j + VW, u);
    }
    for (; j < j1; ++j)
      for (int t = 0; t < T; ++t) c[j] += a[p + t] * r[t * n + j];
  }
  for (; p < p1; ++p)
    for (int64_t j = j0; j < j1; ++j) c[j] += a[p] * b[p * n + j];
}

// c[n] = a[k] B for one row. B is cut in runs of whole rows, which are read as they lie; the partial sums are added in
// order. Very long rows are cut too, so that the sums stay in the first-level cache.
static void rowTimesMatrix(int64_t n, int64_t k, const float* a, const float* b, float* c) {
  constexpr int64_t kStrip = 4096;
  const int64_t strips = (n + kStrip - 1) / kStrip;
  const int64_t most = lesser(32, k / 8), wanted = lesser(8, k * n / 32768), large = k * n / 262144;
  int64_t parts = lesser(most, (large > wanted ? large : wanted) / strips);
  if (parts < 1) parts = 1;
  float* partial = parts == 1 ? c : scratch(1, static_cast<size_t>(parts * n));
  parallelTasks(parts * strips, [&](int64_t task) {
    const int64_t part = task / strips, j0 = task % strips * kStrip;
    rowSweep(n, a, b, k * part / parts, k * (part + 1) / parts, j0, lesser(n, j0 + kStrip), partial + part * n + j0);
  });
  if (parts == 1) return;
  int64_t j = 0;
  for (; j + VW <= n; j += VW) {
    vf s = vload(partial + j);
    for (int64_t q = 1; q < parts; ++q) s = vadd(s, vload(partial + q * n + j));
    vstore(c + j, s);
  }
  for (; j < n; ++j) {
    c[j] = partial[j];
    for (int64_t q = 1; q < parts; ++q) c[j] += partial[q * n + j];
  }
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
    if (R == 1 && Q > 1)  // the rows that come next
      for (int j = 0; j < Q; ++j) __builtin_prefetch(b + (Q + j) * ldb + p);
    for (int j = 0; j < Q; ++j) bv[j] = whole ? vload(b + j * ldb + p) : vloadn(b + j * ldb + p, rest);
    for (int i = 0; i < R; ++i) {
      const vf av = whole ? vload(a + i * lda + p) : vloadn(a + i * lda + p, rest);
      for (int j = 0; j < Q; ++j) acc[i][j] = vfma(av, bv[j], acc[i][j]);
    }
  }
  for (int i = 0; i < R; ++i) {
    if constexpr (Q == 4) {
      vsum4(acc[i][0], acc[i][1], acc[i][2], acc[i][3], c + i * ldc);
    } else {
      for (int j = 0; j < Q; ++j) c[i * ldc + j] = vsum(acc[i][j]);
    }
  }
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
  } else if (g.transB && (!g.transA || g.m == 1) && g.m <= 16) {
    fewRowsTransB(g.m, g.n, g.k, a, b, c);
  } else if (!g.transB && g.m <= 2 * MR && g.n > 2 * NR) {
    fewRows(g, a, b, c);
  } else if (g.m * g.n * g.k <= 80 * 80 * 80) {
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
