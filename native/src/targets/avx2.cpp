#define NETSSM_ISA avx2
#define NETSSM_ISA_NAME "avx2"
#define NETSSM_AVX2 1
#include "../isa/avx2.h"
#include "../kernels/table.inl"

namespace netssm {
const Kernels* kernelsAvx2() { return &avx2::table; }
}  // namespace netssm
