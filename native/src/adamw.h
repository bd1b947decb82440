// AdamW over all parameters of a model at once. Every number is made as JavaScript makes it (tensor/adamw.ts): in double,
// rounded once where it is stored, one multiplication and one addition after the other. So a run continues with the same
// bits on every engine, instruction set and number of threads.
#pragma once
#include <cstdint>
#include <vector>

namespace netssm {

struct AdamWArray {
  int64_t n;
  float* p;        // parameters
  const float* g;  // gradients
  float *m, *v;    // moments
  double keep;     // 1 - rate * decay
};

struct AdamWStep {
  double beta1, beta2, eps, stepSize, correction, scale;  // scale: on every gradient
};

// Numbers summed together: sums of blocks are added in order.
constexpr int64_t kAdamWBlock = 16384;

// The sum of all squares of the gradients.
double squaredNorm(const std::vector<AdamWArray>& arrays);
void adamwStep(const std::vector<AdamWArray>& arrays, const AdamWStep& step);

}  // namespace netssm
