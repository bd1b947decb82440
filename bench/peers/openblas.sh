#!/bin/sh
# Matrix products beside OpenBLAS's, in one process and in turn. Needs a C++ compiler and libopenblas
# (apt install libopenblas0-pthread). On recent Intel processors set OPENBLAS_CORETYPE=SkylakeX: older releases do not
# recognise them and fall back to AVX2.
#   sh bench/peers/openblas.sh [threads ...]      default: 1 2
set -eu
cd "$(dirname "$0")/../../native/src"
CXX=${CXX:-c++}
OUT=${TMPDIR:-/tmp}/netssm-openblas.$$
mkdir -p "$OUT"
trap 'rm -rf "$OUT"' EXIT
build() { # source, flags
  # shellcheck disable=SC2086
  $CXX -std=c++17 -O3 -fno-math-errno -w $DEFINE $2 -c "$1" -o "$OUT/$(basename "$1").o"
}
case "$(uname -m)" in
  x86_64)
    DEFINE=-DNETSSM_X86
    build targets/avx512.cpp "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma"
    build targets/avx2.cpp "-mavx2 -mfma"
    ;;
  *)
    DEFINE=-DNETSSM_ARM64
    build targets/neon.cpp ""
    ;;
esac
build targets/scalar.cpp "-O1"
build dispatch.cpp ""
build thread_pool.cpp ""
build ../../bench/peers/openblas.cpp ""
$CXX -o "$OUT/openblas" "$OUT"/*.o -ldl -pthread
for threads in ${*:-1 2}; do "$OUT/openblas" "$threads"; done
