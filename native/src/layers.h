// What the kernels of whole layers take: recurrent layers over a sequence, the gradient of an activation, and one step
// of an optimiser. Plain pointers and sizes that the caller has checked, like everything in kernels.h.
#pragma once
#include <cstdint>

namespace netssm {

enum Activation : int { Linear, TanhActivation, SigmoidActivation, HardSigmoid, ReluActivation, SoftmaxActivation, Activations };
enum RnnKind : int { SimpleRnn, Gru, Lstm, RnnKinds };

// Blocks of columns in a recurrent layer's matrices: simple h; GRU z, r, h; LSTM i, f, c, o.
constexpr int64_t rnnGates(int kind) { return kind == Lstm ? 4 : kind == Gru ? 3 : 1; }

// A recurrent layer as Keras defines it (GRU: reset before the product). Arrays over time are [batch, steps, ...] in
// the order of the input; `backwards` walks from the last step to the first and stores `sequence` in walking order.
struct Rnn {
  int kind;
  bool backwards;
  int activation, recurrentActivation;
  int64_t batch, steps, units;
  const float* recurrent;  // [units, gates * units]
};

struct RnnForward {
  const float *h0, *c0;  // [batch, units], or null for zeros; c: LSTM only
  float* gates;     // [batch, steps, gates * units]: x W + bias comes in, the gates' values go out
  float* before;    // [batch, steps, units] or null: h before each step, for the gradient
  float* cells;     // the same: LSTM c after each step, GRU r h; unused by the simple layer
  float* sequence;  // [batch, steps, units] or null: h after each step
  float *h, *c;     // [batch, units]: the last states; c: LSTM only
};

struct RnnBackward {
  const float *gates, *before, *cells, *c0;  // as RnnForward left them
  const float *dSequence, *dh, *dc;          // gradients that come in; null for zeros
  float* dGates;                             // [batch, steps, gates * units]: of x W + bias
  float *dh0, *dc0;                          // [batch, units]; dc0: LSTM only
  float *dRecurrent, *dBias;                 // dBias may be null
};

// Losses of rows: the mean squared error; the cross-entropy of values that are divided by their sum first.
enum Loss : int { SquaredError, CrossEntropy, Losses };

enum Optimizer : int { Sgd, Momentum, RmsProp, Adam, Optimizers };

// One step for n weights. Slots: momentum a; RMSProp mean square a, momentum b, mean gradient c (null unless centred);
// Adam first moment a, second moment b. Outputs may be the inputs.
struct OptimizerStep {
  int kind;
  int64_t n;
  const float *w, *g, *a, *b, *c;
  float *wOut, *aOut, *bOut, *cOut;
  // SGD: rate. Momentum: rate, momentum, nesterov. RMSProp: rate, decay, 1 - decay, momentum, epsilon.
  // Adam: rate, beta1, 1 - beta1, beta2, 1 - beta2, epsilon, 1 - beta1^t, 1 - beta2^t.
  float p[8];
};

}  // namespace netssm
