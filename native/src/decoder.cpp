// Memory of the packed weights; everything that computes is in kernels/decoder*.inl.
#include "decoder.h"

#include <cstdlib>
#include <new>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "kernels.h"
#include "memory.h"

namespace netssm {

int64_t decoderTensorLength(const DecoderSizes& s, int64_t i) {
  if (i == 0) return s.vocab * s.model;
  if (i == 1) return s.model;
  const int64_t conv = s.convolved();
  const int64_t mamba2[] = {s.model, s.projected() * s.model, conv * s.taps, conv, s.heads, s.heads, s.heads, s.inner,
                            s.model * s.inner};
  const int64_t mamba1[] = {s.model, s.projected() * s.model, conv * s.taps, conv, (s.rank + 2 * s.states) * s.inner,
                            s.inner * s.rank, s.inner, s.inner * s.states, s.inner, s.model * s.inner};
  const int64_t* lengths = s.kind == Mamba2 ? mamba2 : mamba1;
  return lengths[(i - 2) % s.tensorsPerLayer()];
}

int64_t decoderWorkspace(const DecoderWeights& weights, int64_t rows) {
  return weights.kernels->decoderWorkspace(weights.sizes, rows);
}

DecoderWeights::~DecoderWeights() {
  std::free(memory);
  delete[] layers;
}

namespace {

// Weights are read from end to end for every token: large pages spare most of the address translation.
float* weightMemory(int64_t floats) {
  constexpr size_t kPage = size_t{2} << 20;
  const size_t wanted = static_cast<size_t>(floats) * sizeof(float);
  const size_t align = wanted >= kPage ? kPage : 64;
  const size_t bytes = (wanted + align - 1) / align * align + (wanted ? 0 : align);
  void* p = std::aligned_alloc(align, bytes);
  if (!p) throw std::bad_alloc();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (align == kPage) madvise(p, bytes, MADV_HUGEPAGE);
#endif
  return static_cast<float*>(p);
}

}  // namespace

std::shared_ptr<DecoderWeights> packDecoder(const DecoderSizes& sizes, const float* const* tensors) {
  auto weights = std::make_shared<DecoderWeights>();
  weights->sizes = sizes;
  weights->kernels = &kernels();
  weights->layers = new DecoderLayer[static_cast<size_t>(sizes.layers)]();
  weights->memoryFloats = weights->kernels->decoderPack(*weights, nullptr);  // how much it will be
  weights->memory = weightMemory(weights->memoryFloats);
  weights->kernels->decoderPack(*weights, tensors);
  return weights;
}

}  // namespace netssm
