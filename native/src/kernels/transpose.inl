// Transposition of the two last dimensions of a batch of matrices, in register blocks of TB x TB.

namespace netssm {
namespace NETSSM_ISA {
namespace layout {

// A block of at most kBlock x kBlock goes through a buffer whose rows lie on different cache sets: written straight to
// `out`, the rows of a power-of-two matrix would all fall on one.
constexpr int64_t kBlock = 64, kStride = kBlock + 8;

static void block(const float* x, int64_t columns, int64_t h, int64_t w, float* out, int64_t rows) {
  alignas(64) float buffer[kBlock * kStride];
  // The processor's own prefetcher does not follow jumps from row to row: ask for the lines to be written while the
  // block is read.
  for (int64_t j = 0; j < w; ++j)
    for (int64_t i = 0; i < h; i += 16) __builtin_prefetch(out + j * rows + i, 1, 2);
  int64_t i = 0;
  for (; i + TB <= h; i += TB) {
    int64_t j = 0;
    for (; j + TB <= w; j += TB) transposeBlock(x + i * columns + j, columns, buffer + j * kStride + i, kStride);
    for (; j < w; ++j)
      for (int k = 0; k < TB; ++k) buffer[j * kStride + i + k] = x[(i + k) * columns + j];
  }
  for (; i < h; ++i)
    for (int64_t j = 0; j < w; ++j) buffer[j * kStride + i] = x[i * columns + j];
  for (int64_t j = 0; j < w; ++j) gemm::copyRow(buffer + j * kStride, out + j * rows, h);
}

static void transpose2d(int64_t batch, int64_t rows, int64_t columns, const float* x, float* out) {
  const int64_t bands = (columns + kBlock - 1) / kBlock;
  parallelRange(batch * bands, 1 + 16384 / (rows * kBlock + 1), [&](int64_t t0, int64_t t1) {
    for (int64_t t = t0; t < t1; ++t) {
      const int64_t b = t / bands, j = t % bands * kBlock;
      const int64_t w = columns - j < kBlock ? columns - j : kBlock;
      for (int64_t i = 0; i < rows; i += kBlock) {
        const int64_t next = i + 2 * kBlock < rows ? i + 2 * kBlock : rows;
        for (int64_t r = i + kBlock; r < next; ++r)
          for (int64_t k = 0; k < w; k += 16) __builtin_prefetch(x + (b * rows + r) * columns + j + k, 0, 2);
        block(x + (b * rows + i) * columns + j, columns, rows - i < kBlock ? rows - i : kBlock, w,
              out + (b * columns + j) * rows + i, rows);
      }
    }
  });
}

}  // namespace layout
}  // namespace NETSSM_ISA
}  // namespace netssm
