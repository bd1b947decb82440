#define NETSSM_ISA avx512
#define NETSSM_ISA_NAME "avx512"
#define NETSSM_AVX512 1
#include "../isa/avx512.h"
#include "../kernels/table.inl"

namespace netssm {
const Kernels* kernelsAvx512() { return &avx512::table; }
}  // namespace netssm
