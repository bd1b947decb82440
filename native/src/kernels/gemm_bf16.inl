// Matrix products of float32 arrays with operands rounded to bfloat16 (8 bits of mantissa) and sums in float32: by AMX
// tiles or vdpbf16ps where the processor has them, otherwise by rounding first and the float32 product. Operands are
// packed as in gemm.inl, and converted on the way: A in tiles of 16 rows, B in panels of 32 columns with the numbers of two
// rows beside each other, which is the order that both instructions read.
#if defined(NETSSM_AVX512) && (defined(__GNUC__) || defined(__clang__))
#define NETSSM_BF16_HARDWARE 1
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
#endif

namespace netssm {
namespace NETSSM_ISA {
namespace bf16 {

enum Level : int { Rounded, Dot, Tiles };

// The nearest number with 8 bits of mantissa, ties to even; what is not a number stays so.
static void roundAll(int64_t n, const float* x, float* out) {
  parallelRange(n, 65536, [&](int64_t i0, int64_t i1) {
    const uint32_t* from = reinterpret_cast<const uint32_t*>(x);
    uint32_t* to = reinterpret_cast<uint32_t*>(out);
    for (int64_t i = i0; i < i1; ++i) {
      const uint32_t u = from[i], up = (u + 0x7fffu + ((u >> 16) & 1u)) & 0xffff0000u;
      to[i] = (u & 0x7fffffffu) > 0x7f800000u ? (u | 0x400000u) : up;
    }
  });
}

static void runRounded(const GemmArgs& args) {
  GemmArgs g = args;
  const int64_t sizeA = g.m * g.k * gemm::lesser(g.batchA, g.batch), sizeB = g.k * g.n * gemm::lesser(g.batchB, g.batch);
  float* a = scratch(2, static_cast<size_t>(sizeA + sizeB));
  roundAll(sizeA, g.a, a);
  roundAll(sizeB, g.b, a + sizeA);
  g.a = a;
  g.b = a + sizeA;
  gemm::run(g);
}

#if defined(NETSSM_BF16_HARDWARE)

#define NETSSM_TARGET_DOT __attribute__((target("avx512bf16")))
#define NETSSM_TARGET_TILES __attribute__((target("avx512bf16,amx-tile,amx-bf16")))

constexpr int64_t kDepth = 512;          // numbers of k a block
constexpr int64_t kRow = kDepth + 32;    // row stride of packed A: not a power of two, so rows use different cache sets
constexpr int64_t kTile = 16, kPanel = 32;
constexpr int64_t kPanelBlock = kDepth * kPanel;

static int detect() {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a & (1u << 5))) return Rounded;
#if defined(__linux__)
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & (1u << 22)) && (d & (1u << 24))) {
    // The kernel keeps tile registers only for processes that asked (ARCH_REQ_XCOMP_PERM, XTILEDATA).
    if (syscall(SYS_arch_prctl, 0x1023, 18) == 0) return Tiles;
  }
#endif
  return Dot;
}

static int best() {
  static const int found = detect();
  return found;
}

static inline __mmask16 firstLanes(int64_t n) {
  return static_cast<__mmask16>(n <= 0 ? 0u : n >= 16 ? 0xffffu : (1u << n) - 1u);
}

// 32 numbers of a row as bf16; zeros beyond `valid`.
NETSSM_TARGET_DOT static inline __m512i convert32(const float* x, int64_t valid) {
  const __m512 low = _mm512_maskz_loadu_ps(firstLanes(valid), x);
  const __m512 high = valid > 16 ? _mm512_maskz_loadu_ps(firstLanes(valid - 16), x + 16) : _mm512_setzero_ps();
  return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low));
}

// 16 numbers of one row and 16 of the next, side by side: x0 y0 x1 y1 ..
NETSSM_TARGET_DOT static inline __m512i interleave(__m512 x, __m512 y) {
  const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  return _mm512_permutexvar_epi16(order, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(y, x)));
}

// 16 x 16 words of 32 bits, stored every `stride` words.
static inline void transpose16(const float* block, float* out, int64_t stride) {
  for (int i = 0; i < 16; i += 8)
    for (int j = 0; j < 16; j += 8) transposeBlock(block + i * 16 + j, 16, out + j * stride + i, stride);
}

// Columns [j0, j0 + 32) of op(B), rows [k0, k1): 32 words of two numbers for every two rows, up to a multiple of 32 rows.
NETSSM_TARGET_DOT static void packPanel(const float* b, int64_t ldb, bool trans, int64_t n, int64_t j0, int64_t k0,
                                        int64_t k1, uint16_t* out) {
  const int64_t columns = n - j0 < kPanel ? n - j0 : kPanel;
  if (!trans) {
    for (int64_t k = k0; k < k0 + (k1 - k0 + 31) / 32 * 32; k += 2, out += 2 * kPanel)
      for (int64_t half = 0; half < kPanel; half += 16) {
        const __mmask16 lanes = firstLanes(columns - half);
        const float* row = b + k * ldb + j0 + half;
        const __m512 x = k < k1 ? _mm512_maskz_loadu_ps(lanes, row) : _mm512_setzero_ps();
        const __m512 y = k + 1 < k1 ? _mm512_maskz_loadu_ps(lanes, row + ldb) : _mm512_setzero_ps();
        _mm512_storeu_si512(out + 2 * half, interleave(x, y));
      }
    return;
  }
  alignas(64) float block[256];
  for (int64_t k = k0; k < k1; k += 32, out += 32 * kPanel)
    for (int64_t half = 0; half < kPanel; half += 16) {
      for (int64_t j = 0; j < 16; ++j)
        _mm512_store_si512(block + 16 * j, half + j < columns ? convert32(b + (j0 + half + j) * ldb + k, k1 - k)
                                                              : _mm512_setzero_si512());
      transpose16(block, reinterpret_cast<float*>(out) + half, kPanel);
    }
}

// Rows [r0, r1) (at most 16) of op(A), columns [k0, k1), in rows of kRow; zeros up to 16 rows and a multiple of 32 columns.
NETSSM_TARGET_DOT static void packTile(const float* a, int64_t lda, bool trans, int64_t r0, int64_t r1, int64_t k0,
                                       int64_t k1, uint16_t* out) {
  const int64_t rows = r1 - r0;
  if (!trans) {
    for (int64_t r = 0; r < kTile; ++r)
      for (int64_t k = k0; k < k1; k += 32)
        _mm512_storeu_si512(out + r * kRow + k - k0,
                            r < rows ? convert32(a + (r0 + r) * lda + k, k1 - k) : _mm512_setzero_si512());
    return;
  }
  alignas(64) float block[256];
  const __mmask16 lanes = firstLanes(rows);
  for (int64_t k = k0; k < k1; k += 32) {
    for (int64_t p = 0; p < 16; ++p) {
      const float* row = a + (k + 2 * p) * lda + r0;
      const __m512 x = k + 2 * p < k1 ? _mm512_maskz_loadu_ps(lanes, row) : _mm512_setzero_ps();
      const __m512 y = k + 2 * p + 1 < k1 ? _mm512_maskz_loadu_ps(lanes, row + lda) : _mm512_setzero_ps();
      _mm512_store_si512(block + 16 * p, interleave(x, y));
    }
    transpose16(block, reinterpret_cast<float*>(out + k - k0), kRow / 2);
  }
}

// What a block of sums is written to: C itself, or, at C's edges, a block that is copied in part.
static void addEdge(const float* block, float* c, int64_t ldc, int64_t rows, int64_t columns, bool add) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; j += 16) {
      const __mmask16 lanes = firstLanes(columns - j);
      __m512 v = _mm512_loadu_ps(block + i * kPanel + j);
      if (add) v = _mm512_add_ps(v, _mm512_maskz_loadu_ps(lanes, c + i * ldc + j));
      _mm512_mask_storeu_ps(c + i * ldc + j, lanes, v);
    }
}

struct alignas(64) TileConfig {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// In memory: the compiler takes the instruction to read its first eight bytes only.
static const TileConfig tileConfig;

NETSSM_TARGET_TILES static void openTiles() { _tile_loadconfig(&tileConfig); }
NETSSM_TARGET_TILES static void closeTiles() { _tile_release(); }

// 32 rows (two tiles of A) by 32 columns.
NETSSM_TARGET_TILES static void tiles32(int64_t depth, const uint16_t* a, const uint16_t* b, float* c, int64_t ldc,
                                        bool add) {
  if (add) {
    _tile_loadd(0, c, ldc * 4);
    _tile_loadd(1, c + 16, ldc * 4);
    _tile_loadd(2, c + 16 * ldc, ldc * 4);
    _tile_loadd(3, c + 16 * ldc + 16, ldc * 4);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  const uint16_t* below = a + kTile * kRow;
  for (int64_t k = 0; k < depth; k += 32) {
    _tile_loadd(6, b + k * kPanel, 4 * kPanel);
    _tile_loadd(4, a + k, 2 * kRow);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b + k * kPanel + kPanel, 4 * kPanel);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, below + k, 2 * kRow);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, c, ldc * 4);
  _tile_stored(1, c + 16, ldc * 4);
  _tile_stored(2, c + 16 * ldc, ldc * 4);
  _tile_stored(3, c + 16 * ldc + 16, ldc * 4);
}

// The same by dot products, eight rows at a time.
NETSSM_TARGET_DOT static void dots32(int64_t depth, const uint16_t* a, const uint16_t* b, float* c, int64_t ldc, bool add) {
  for (int64_t r = 0; r < 2 * kTile; r += 8) {
    const uint16_t* rows = a + r * kRow;
    __m512 s[8][2];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      s[i][0] = add ? _mm512_loadu_ps(c + (r + i) * ldc) : _mm512_setzero_ps();
      s[i][1] = add ? _mm512_loadu_ps(c + (r + i) * ldc + 16) : _mm512_setzero_ps();
    }
    for (int64_t k = 0; k < depth; k += 2) {
      const __m512bh b0 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + k * kPanel));
      const __m512bh b1 = reinterpret_cast<__m512bh>(_mm512_loadu_si512(b + k * kPanel + kPanel));
#pragma GCC unroll 8
      for (int i = 0; i < 8; ++i) {
        int32_t pair;
        __builtin_memcpy(&pair, rows + i * kRow + k, 4);
        const __m512bh av = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
        s[i][0] = _mm512_dpbf16_ps(s[i][0], av, b0);
        s[i][1] = _mm512_dpbf16_ps(s[i][1], av, b1);
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      _mm512_storeu_ps(c + (r + i) * ldc, s[i][0]);
      _mm512_storeu_ps(c + (r + i) * ldc + 16, s[i][1]);
    }
  }
}

// One product: B packed together, then rows of C shared out.
static void shared(const GemmArgs& g, const float* a, const float* b, float* c, bool tiles) {
  const int64_t lda = g.transA ? g.m : g.k, ldb = g.transB ? g.k : g.n;
  const int64_t panels = (g.n + kPanel - 1) / kPanel, depths = (g.k + kDepth - 1) / kDepth;
  // Columns in slabs, so that packed B stays within 16 MB; numbers here are of two bytes.
  const int64_t slab = gemm::lesser(panels, 1 + (int64_t{8} << 20) / (depths * kPanelBlock));
  uint16_t* packedB = reinterpret_cast<uint16_t*>(scratch(1, static_cast<size_t>(slab * depths * kPanelBlock / 2)));
  const int64_t pairs = (g.m + 31) / 32;
  const int64_t together = gemm::lesser(4, (pairs + 7) / 8);  // pairs of row tiles a task
  const int64_t tasks = (pairs + together - 1) / together;
  for (int64_t s0 = 0; s0 < panels; s0 += slab) {
    const int64_t s1 = gemm::lesser(s0 + slab, panels);
    parallelTasks((s1 - s0) * depths, [&](int64_t task) {
      const int64_t p = s0 + task / depths, d = task % depths;
      packPanel(b, ldb, g.transB, g.n, p * kPanel, d * kDepth, gemm::lesser((d + 1) * kDepth, g.k),
                packedB + ((p - s0) * depths + d) * kPanelBlock);
    });
    parallelTasks(tasks, [&](int64_t task) {
      uint16_t* packedA = reinterpret_cast<uint16_t*>(scratch(0, static_cast<size_t>(together * kTile * kRow)));
      alignas(64) float edge[2 * kTile * kPanel];
      const int64_t t0 = task * together, t1 = gemm::lesser(t0 + together, pairs);
      if (tiles) openTiles();
      for (int64_t d = 0; d < depths; ++d) {
        const int64_t k0 = d * kDepth, k1 = gemm::lesser(k0 + kDepth, g.k), depth = (k1 - k0 + 31) / 32 * 32;
        for (int64_t t = 2 * t0; t < 2 * t1; ++t) {
          const int64_t r0 = gemm::lesser(t * kTile, g.m), r1 = gemm::lesser(r0 + kTile, g.m);
          packTile(a, lda, g.transA, r0, r1, k0, k1, packedA + (t - 2 * t0) * kTile * kRow);
        }
        for (int64_t p = s0; p < s1; ++p) {
          const uint16_t* panel = packedB + ((p - s0) * depths + d) * kPanelBlock;
          const int64_t columns = gemm::lesser(kPanel, g.n - p * kPanel);
          for (int64_t t = t0; t < t1; ++t) {
            const int64_t rows = gemm::lesser(32, g.m - t * 32);
            float* to = c + t * 32 * g.n + p * kPanel;
            const uint16_t* own = packedA + (t - t0) * 2 * kTile * kRow;
            const bool whole = rows == 32 && columns == kPanel;
            if (tiles)
              tiles32(depth, own, panel, whole ? to : edge, whole ? g.n : kPanel, whole && d > 0);
            else
              dots32(depth, own, panel, whole ? to : edge, whole ? g.n : kPanel, whole && d > 0);
            if (!whole) addEdge(edge, to, g.n, rows, columns, d > 0);
          }
        }
      }
      if (tiles) closeTiles();
    });
  }
}

#else

static int best() { return Rounded; }

#endif

// The most that products may use, for tests; -1: whatever the processor has.
static int limit = -1;

// Answers the level in use, after setting the highest allowed one (-1: no limit, -2: leave it).
static int level(int highest) {
  if (highest >= -1) __atomic_store_n(&limit, highest, __ATOMIC_RELAXED);
  const int most = __atomic_load_n(&limit, __ATOMIC_RELAXED), found = best();
  return most >= 0 && most < found ? most : found;
}

static void run(const GemmArgs& g) {
  if (g.batch <= 0 || g.m <= 0 || g.n <= 0) return;
  const int use = level(-2);
  if (use == Rounded || g.k <= 0) return runRounded(g);
#if defined(NETSSM_BF16_HARDWARE)
  for (int64_t i = 0; i < g.batch; ++i)
    shared(g, g.a + (i % g.batchA) * g.m * g.k, g.b + (i % g.batchB) * g.k * g.n, g.c + i * g.m * g.n, use == Tiles);
  if (g.bias) gemm::addBias(g);
#endif
}

}  // namespace bf16
}  // namespace NETSSM_ISA
}  // namespace netssm
