// What the scans of state space models take. One pair of kernels serves both: Mamba-1 (a decay for every state, from a
// step size for every channel) and Mamba-2 (one decay a head).
#pragma once
#include <cstdint>

namespace netssm {

// h[t] = exp(dt A) h[t-1] + dt u B[t], y[t] = h[t] . C[t] + D u, dt = softplus(delta + bias), then y silu(z) where z is
// given. h has `states` numbers a channel. Mamba-1: headWidth 0, delta, bias and D one a channel, A [channels, states].
// Mamba-2: headWidth channels share delta, bias, A and D (one number a head each). Channels of a group (channels / groups
// neighbours) share B and C.
struct Scan {
  int64_t batch, length, channels, states, headWidth, groups;
  int64_t chunk;               // tokens between saved states
  int64_t uRow, bRow, cRow;    // elements from one token to the next; tokens of a batch's rows follow each other
  const float* u;              // [batch, length, channels]
  const float* delta;          // [batch, length, channels or heads]
  const float* A;
  const float *B, *C;          // [batch, length, groups, states]
  const float *D, *bias;       // or null
  const float* z;              // [batch, length, channels] or null
  const float* h;              // [batch, channels, states] or null for zeros
  const float* starts;         // [batch, length], 1 where h is zero before the token; or null
};

struct ScanForward {
  float* y;      // [batch, length, channels]
  float* h;      // [batch, channels, states], after the last token
  float* saved;  // [batch, ceil(length / chunk), states, channels]: h before each chunk; or null
};

// dB and dC have bRow and cRow elements between tokens, du has uRow. dD, dBias, dz may be null.
struct ScanBackward {
  const float *saved, *dy, *dhOut;
  float *du, *dDelta, *dA, *dB, *dC, *dD, *dBias, *dz, *dh;
};

}  // namespace netssm
