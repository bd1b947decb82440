// The decoder: whole tokens through all layers of a Mamba model, one call for one token of each of many sequences or for
// a run of tokens of each. Weights are packed once and never change; what a sequence remembers is one array of floats.
#pragma once
#include <cstdint>
#include <memory>

namespace netssm {

enum DecoderKind : int { Mamba1 = 1, Mamba2 = 2 };
enum WeightFormat : int { WeightsFloat32, WeightsBf16, WeightsInt8, WeightFormats };

constexpr int64_t kDecoderSequences = 64;  // at most in one call
constexpr int64_t kDecoderRows = 256;      // sequences times tokens at most in one call

struct DecoderSizes {
  int kind;
  int format;
  int64_t model, layers, vocab, inner, states, taps;
  int64_t heads, groups;  // Mamba-2; Mamba-1 has as many heads as channels, in one group
  int64_t rank;           // Mamba-1: width of the step size's low-rank projection

  int64_t convolved() const { return kind == Mamba2 ? inner + 2 * groups * states : inner; }
  int64_t projected() const { return kind == Mamba2 ? inner + convolved() + heads : 2 * inner; }
  int tensorsPerLayer() const { return kind == Mamba2 ? 9 : 10; }
};

// Number of values of tensor `i`: embedding, norm_f, then for each layer
//   Mamba-2: norm, in_proj, conv1d.weight, conv1d.bias, dt_bias, A_log, D, gate norm, out_proj
//   Mamba-1: norm, in_proj, conv1d.weight, conv1d.bias, x_proj, dt_proj.weight, dt_proj.bias, A_log, D, out_proj
int64_t decoderTensorLength(const DecoderSizes& sizes, int64_t i);

// W [rows, columns] in panels of a few vectors of rows, column after column.
struct DecoderMatrix {
  int format;
  int64_t rows, columns;
  const void* data;
  const float* scales;  // int8: one a row, padded to whole panels
};

struct DecoderLayer {
  const float *norm, *convWeight /* [taps, convolved] */, *convBias, *dtBias, *A, *D, *gateNorm;
  DecoderMatrix inProj, xProj, dtProj, outProj;
};

struct Kernels;

// What all users of a model share. Made by packDecoder.
struct DecoderWeights {
  DecoderSizes sizes;
  const Kernels* kernels;    // the instruction set that the layout is made for
  int64_t stateFloats;       // of one sequence
  float* memory = nullptr;   // holds everything below
  int64_t memoryFloats = 0;
  DecoderLayer* layers = nullptr;
  const float *embedding, *normF;
  DecoderMatrix head;

  DecoderWeights() = default;
  DecoderWeights(const DecoderWeights&) = delete;
  DecoderWeights& operator=(const DecoderWeights&) = delete;
  ~DecoderWeights();
};

// Tokens of `sequences` sequences, [sequences, length]. State pointers may be the same in and out; those of different
// sequences may not. `logits` (or an entry of it) may be null.
struct DecoderCall {
  int64_t sequences, length;
  const int32_t* tokens;
  const float* const* in;
  float* const* out;
  float* const* logits;
  bool parallel;     // share the work among the pool's threads where it is large enough
  float* workspace;  // decoderWorkspace floats
};

// Floats that a call of `rows` = sequences * length needs.
int64_t decoderWorkspace(const DecoderWeights& weights, int64_t rows);

// Packs `tensors` for the instruction set in use. Throws std::bad_alloc.
std::shared_ptr<DecoderWeights> packDecoder(const DecoderSizes& sizes, const float* const* tensors);

}  // namespace netssm
