#!/bin/sh
# Compiles the kernel tests for 64-bit ARM and runs them, NEON and scalar, under emulation. On Debian and Ubuntu:
#   apt install g++-aarch64-linux-gnu qemu-user
#   sh native/test/neon.sh [rounds]
# On an ARM machine `sh native/sanitize.sh` runs the same tests directly.
set -eu
cd "$(dirname "$0")/.."
CXX=${CXX:-aarch64-linux-gnu-g++}
QEMU=${QEMU:-qemu-aarch64}
for tool in "$CXX" "$QEMU"; do
  command -v "$tool" >/dev/null || {
    echo "$tool is missing: apt install g++-aarch64-linux-gnu qemu-user" >&2
    exit 1
  }
done
OUT=${TMPDIR:-/tmp}/netssm-neon.$$
mkdir -p "$OUT"
trap 'rm -rf "$OUT"' EXIT
for f in src/targets/neon src/targets/scalar src/dispatch src/thread_pool src/resize src/decoder src/adamw test/bf16 test/decoder test/images test/layers test/scan test/fused test/main; do
  "$CXX" -std=c++17 -O2 -fno-math-errno -ffp-contract=off -w -DNETSSM_ARM64 -c "$f.cpp" -o "$OUT/$(echo "$f" | tr / -).o"
done
# Static, so that the emulator needs no ARM libraries.
"$CXX" -static -o "$OUT/test" "$OUT"/*.o -pthread
"$QEMU" "$OUT/test" "${1:-1}"
