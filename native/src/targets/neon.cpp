#define NETSSM_ISA neon
#define NETSSM_ISA_NAME "neon"
#define NETSSM_NEON 1
#include "../isa/neon.h"
#include "../kernels/table.inl"

namespace netssm {
const Kernels* kernelsNeon() { return &neon::table; }
}  // namespace netssm
