// What the fused steps of a Mamba block take: norms, the causal convolution with SiLU, and the loss over scores. Plain
// pointers and sizes that the caller has checked, like everything in kernels.h.
#pragma once
#include <cstdint>

namespace netssm {

// RMSNorm over each of `groups` equal parts of the columns: y = weight v / sqrt(mean(v^2) + eps), where v is x, or
// x + add (handed on as `sum`), or x silu(gate).
struct Norm {
  int64_t rows, columns, groups;
  const float* x;       // [rows, columns]; backward with `add`: the sum
  const float* gate;    // or null
  const float* weight;  // [columns]
};

struct NormForward {
  float eps;
  const float* add;  // or null
  float* sum;        // with `add`
  float* y;
  float* scale;      // [rows, groups]: 1 / sqrt(mean + eps), for the gradient
};

struct NormBackward {
  const float *scale, *dy;
  const float* dSum;   // or null: what else the sum is worth; added to dx
  float* dx;           // of x, or of x and of `add` alike
  float* dGate;        // with `gate`
  float* dWeight;
};

// y[t] = silu(bias + sum over k of weight[k] x[t - (taps - 1) + k]) for every channel. Before the first token stand the
// taps - 1 rows of `before` (null: zeros). Where starts[t] is not 0 a sequence begins: nothing before t is seen from
// there on.
struct CausalSilu {
  int64_t batch, length, channels, taps;
  const float* x;       // [batch, length, channels]
  const float* weight;  // [channels, taps]
  const float* bias;    // [channels]
  const float* before;  // [batch, taps - 1, channels] or null
  const float* starts;  // [batch, length] or null
};

struct CausalSiluBackward {
  const float* dy;
  const float* dState;  // of the last taps - 1 inputs handed on; or null
  float *dx, *dWeight, *dBias;
  float* dBefore;       // or null
};

// Cross-entropy of rows of scores, each weighted by `mask`; rows with mask 0 are not read.
struct TokenLoss {
  int64_t rows, vocab;
  const float* logits;     // [rows, vocab]
  const int32_t* targets;  // [rows]
  const float* mask;       // [rows]
};

}  // namespace netssm
