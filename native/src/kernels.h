// The kernels, one table of function pointers per instruction set. Everything here takes plain pointers and sizes that
// the caller has checked; `binding.cpp` is the only file that knows about JavaScript.
#pragma once
#include <cstdint>

#include "decoder.h"
#include "fused.h"
#include "layers.h"
#include "scan.h"

namespace netssm {

constexpr int kMaxRank = 8;

// C[batch] = op(A) op(B), row-major. op(A) is m x k: stored [m, k], or [k, m] when transA; likewise B.
// Item i of the batch reads A at (i % batchA) and B at (i % batchB).
struct GemmArgs {
  bool transA, transB;
  int64_t m, n, k;
  const float* a;
  const float* b;
  float* c;
  int64_t batch, batchA, batchB;
  const float* bias;  // n values added to every row, or null
};

// Elementwise loops over at most kMaxRank collapsed dimensions; strides in elements, 0 repeats.
struct Nd {
  int rank;
  int64_t shape[kMaxRank];
  int64_t a[kMaxRank];
  int64_t b[kMaxRank];
  int64_t c[kMaxRank];
};

// A two-dimensional convolution or pooling over [batch, inH, inW, inC]. Depthwise: outC = inC * multiplier.
struct Conv {
  int64_t batch, inH, inW, inC, outH, outW, outC, kH, kW, strideH, strideW, dilationH, dilationW, padTop, padLeft;
};

// Causal depthwise convolution of K taps: x [batch, K - 1 + length, channels], y [batch, length, channels]. Taps whose
// `segments` entry ([batch, K - 1 + length], or null) differs from the position's own are left out.
struct Causal {
  int64_t batch, length, channels, taps;
  const float* x;
  const float* weight;  // [taps, channels]
  const float* segments;
};

enum Binary : int { Add, Sub, Mul, Div, Max, Min, SqDiff, Binaries };
enum Compare : int { Less, LessEqual, Greater, GreaterEqual, Equal, NotEqual, Compares };
enum Unary : int {
  Exp, Log, Log1p, Expm1, Sigmoid, Softplus, Tanh, Neg, Square, Sqrt, Rsqrt, Reciprocal, Relu, Relu6, Elu, LeakyRelu,
  Abs, Sign, Step, Floor, Ceil, Round, Clip, Erf, Selu, Silu, Copy, ScaleShift, Unaries
};
enum Reduce : int { ReduceSum, ReduceMax, ReduceMin, ReduceProd, Reduces };
enum Cast : int { FloatToInt, IntToFloat, FloatToBool, IntToBool, ByteToFloat, ByteToInt, Casts };

struct Kernels {
  const char* name;
  void (*gemm)(const GemmArgs&);
  // The same with operands rounded to bfloat16. `gemmBf16Level` answers how it is done (0 rounding and the float32 product,
  // 1 vdpbf16ps, 2 AMX tiles), after setting the highest level allowed (-1: no limit; -2: as it is).
  void (*gemmBf16)(const GemmArgs&);
  int (*gemmBf16Level)(int highest);
  void (*binary)(int op, const Nd&, const float* a, const float* b, float* out);
  void (*binaryInt)(int op, const Nd&, const int32_t* a, const int32_t* b, int32_t* out);
  void (*compare)(int op, const Nd&, const float* a, const float* b, uint8_t* out);
  void (*unary)(int op, int64_t n, const float* x, float* out, float p0, float p1);
  void (*select)(int64_t n, int64_t inner, const uint8_t* condition, const float* t, const float* e, float* out);
  void (*addN)(int64_t n, int count, const float* const* inputs, float* out);
  // x is [outer, reduce, inner]; out is [outer, inner], times `scale` at the end (sums).
  void (*reduce)(int op, int64_t outer, int64_t reduce, int64_t inner, const float* x, float* out, float scale);
  void (*argReduce)(bool max, int64_t outer, int64_t reduce, int64_t inner, const float* x, int32_t* out);
  void (*softmax)(bool log, int64_t rows, int64_t columns, const float* x, float* out);
  // x is [outer, length, inner].
  void (*cumulate)(bool product, bool exclusive, bool reverse, int64_t outer, int64_t length, int64_t inner,
                   const float* x, float* out);
  void (*cast)(int op, int64_t n, const void* x, void* out);
  // [batch, rows, columns] to [batch, columns, rows] of 4-byte elements.
  void (*transpose2d)(int64_t batch, int64_t rows, int64_t columns, const float* x, float* out);
  void (*fill)(int64_t n, float value, float* out);
  // out[segment[i], :] += x[i, :]; out is zeroed first.
  void (*segmentSum)(int64_t rows, int64_t inner, int64_t segments, const int32_t* ids, const float* x, float* out);
  // Filters are [kH, kW, inC, outC] (depthwise: [kH, kW, inC, multiplier]); bias has outC values or is null.
  void (*conv2d)(const Conv&, const float* x, const float* filter, const float* bias, float* y);
  void (*conv2dInput)(const Conv&, const float* dy, const float* filter, float* dx);
  void (*conv2dFilter)(const Conv&, const float* x, const float* dy, float* dFilter);
  void (*depthwise)(const Conv&, const float* x, const float* filter, const float* bias, float* y);
  void (*depthwiseInput)(const Conv&, const float* dy, const float* filter, float* dx);
  void (*depthwiseFilter)(const Conv&, const float* x, const float* dy, float* dFilter);
  void (*pool)(bool max, const Conv&, const float* x, float* y);
  void (*maxPoolInput)(const Conv&, const float* x, const float* dy, float* dx);
  void (*avgPoolInput)(const Conv&, const float* dy, float* dx);
  void (*causalConv)(const Causal&, const float* bias, float* y);
  void (*causalConvGrad)(const Causal&, const float* dy, float* dx, float* dWeight, float* dBias);
  void (*activationGrad)(int kind, int64_t rows, int64_t columns, const float* dy, const float* y, float* dx, float* dBias);
  void (*rnnForward)(const Rnn&, const RnnForward&);
  void (*rnnBackward)(const Rnn&, const RnnBackward&);
  void (*optimizerStep)(const OptimizerStep&);
  void (*loss)(int kind, int64_t rows, int64_t n, const float* target, const float* x, float* out);
  void (*lossGrad)(int kind, int64_t rows, int64_t n, const float* dy, const float* target, const float* x, float* dx);
  // Places the weights in w.memory, or, without tensors, answers how many floats they take.
  int64_t (*decoderPack)(DecoderWeights& w, const float* const* tensors);
  int64_t (*decoderWorkspace)(const DecoderSizes&, int64_t rows);
  void (*decoderRun)(const DecoderWeights&, const DecoderCall&);
  void (*scanForward)(const Scan&, const ScanForward&);
  void (*scanBackward)(const Scan&, const ScanBackward&);
  void (*normForward)(const Norm&, const NormForward&);
  void (*normBackward)(const Norm&, const NormBackward&);
  // state [batch, taps - 1, channels], or null: the last inputs, for the next call.
  void (*causalSilu)(const CausalSilu&, float* y, float* state);
  void (*causalSiluGrad)(const CausalSilu&, const CausalSiluBackward&);
  // stats [rows, 2], for the gradient.
  void (*tokenLoss)(const TokenLoss&, float* loss, float* stats);
  void (*tokenLossGrad)(const TokenLoss&, const float* stats, float dy, float* dx);
};

const Kernels* kernelsAvx512();
const Kernels* kernelsAvx2();
const Kernels* kernelsNeon();
const Kernels* kernelsScalar();

// The best set this processor runs, or the one NETSSM_ISA names (avx512, avx2, neon, scalar) where it can.
const Kernels& kernels();
// False (and no change) where this processor or this build lacks it.
bool selectKernels(const char* name);

// Copies rank-n boxes: out[i . c] = x[i . a] for all i in shape, elements of 1, 4 or 8 bytes.
void stridedCopy(const Nd& nd, int bytes, const void* x, void* out);

// Image resizing as tfjs defines it, [batch, h, w, channels]; the gradients are the transposed maps.
struct Resize {
  int64_t batch, inH, inW, outH, outW, channels;
  bool alignCorners, halfPixelCenters;
};
void resizeNearest(const Resize&, const float* x, float* y);
void resizeBilinear(const Resize&, const float* x, float* y);
void resizeNearestGrad(const Resize&, const float* dy, float* dx);
void resizeBilinearGrad(const Resize&, const float* dy, float* dx);

}  // namespace netssm
