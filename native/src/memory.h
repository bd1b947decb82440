// 64-byte aligned scratch memory.
#pragma once
#include <cstddef>

namespace netssm {
float* alignedAlloc(size_t floats);  // throws std::bad_alloc
void alignedFree(float* p);
}  // namespace netssm
