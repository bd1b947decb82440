#!/bin/sh
# Builds native/test with the sanitizers and runs it: address and undefined behaviour together, then threads. Every kernel
# is in it, from the products to the fused steps of a Mamba block, the scans, AdamW and the decoder, in sizes that all
# threads share, on every instruction set this processor has. `plain` has no sanitizer: there the end of each array lies
# at a page that nobody may touch, which stops masked loads and matrix tiles, too.
#   sh native/sanitize.sh [plain|address|thread ...]      default: all three, some ten minutes of one core
set -eu
cd "$(dirname "$0")"
CXX=${CXX:-c++}
OUT=${TMPDIR:-/tmp}/netssm-sanitize.$$
mkdir -p "$OUT"
trap 'rm -rf "$OUT"' EXIT
trap 'exit 130' HUP INT TERM
case "$(uname -m)" in
  x86_64) DEFINE=-DNETSSM_X86; TARGETS="avx512 avx2 scalar" ;;
  aarch64 | arm64) DEFINE=-DNETSSM_ARM64; TARGETS="neon scalar" ;;
  *) DEFINE=; TARGETS=scalar ;;
esac
flags_of() {
  case "$1" in
    avx512) echo "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma" ;;
    avx2) echo "-mavx2 -mfma" ;;
  esac
}
build() { # name, flags of the kernels, flags of the tests, flags of the linker
  dir="$OUT/$1"
  mkdir -p "$dir"
  for t in $TARGETS; do
    # shellcheck disable=SC2046,SC2086
    $CXX -std=c++17 $2 $DEFINE -w $(flags_of "$t") -c "src/targets/$t.cpp" -o "$dir/$t.o"
  done
  for f in dispatch thread_pool resize decoder adamw; do
    # shellcheck disable=SC2086
    $CXX -std=c++17 $2 $DEFINE -w -ffp-contract=off -c "src/$f.cpp" -o "$dir/src-$f.o"
  done
  # The reference loops are not watched: they would take most of the time.
  for f in test/*.cpp; do
    # shellcheck disable=SC2086
    $CXX -std=c++17 $3 $DEFINE -w -ffp-contract=off -c "$f" -o "$dir/test-$(basename "$f" .cpp).o"
  done
  # shellcheck disable=SC2086
  $CXX $4 -o "$dir/test" "$dir"/*.o -pthread
}
for kind in ${*:-plain address thread}; do
  echo "== $kind"
  case "$kind" in
    plain) build plain "-O2 -fno-math-errno" "-O2" "" && "$OUT/plain/test" 3 ;;
    address)
      build address "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all" \
        "-O2 -DNETSSM_WATCHED" "-fsanitize=address,undefined"
      ASAN_OPTIONS=detect_leaks=1 "$OUT/address/test" 2
      ;;
    thread)
      build thread "-O1 -g -fsanitize=thread" "-O2 -DNETSSM_WATCHED" "-fsanitize=thread"
      TSAN_OPTIONS=halt_on_error=1 "$OUT/thread/test" 2
      ;;
    *)
      echo "$kind is none of plain, address, thread" >&2
      exit 2
      ;;
  esac
done
