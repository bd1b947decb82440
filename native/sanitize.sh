#!/bin/sh
# Builds native/test/main.cpp with the sanitizers and runs it: address and undefined behaviour together, then threads.
#   sh native/sanitize.sh [plain|address|thread ...]      default: all three
set -eu
cd "$(dirname "$0")"
CXX=${CXX:-c++}
OUT=${TMPDIR:-/tmp}/netssm-sanitize.$$
mkdir -p "$OUT"
trap 'rm -rf "$OUT"' EXIT
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
build() { # name, flags
  dir="$OUT/$1"
  mkdir -p "$dir"
  for t in $TARGETS; do
    # shellcheck disable=SC2046,SC2086
    $CXX -std=c++17 $2 $DEFINE -w $(flags_of "$t") -c "src/targets/$t.cpp" -o "$dir/$t.o"
  done
  for f in src/dispatch src/thread_pool src/resize src/decoder src/adamw test/decoder test/images test/layers test/scan test/fused test/main; do
    # shellcheck disable=SC2086
    $CXX -std=c++17 $2 $DEFINE -w -ffp-contract=off -c "$f.cpp" -o "$dir/$(echo "$f" | tr / -).o"
  done
  # shellcheck disable=SC2086
  $CXX $2 -o "$dir/test" "$dir"/*.o -pthread
}
for kind in ${*:-plain address thread}; do
  echo "== $kind"
  case "$kind" in
    plain) build plain "-O2 -fno-math-errno" && "$OUT/plain/test" 3 ;;
    address)
      build address "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all"
      ASAN_OPTIONS=detect_leaks=1 "$OUT/address/test" 2
      ;;
    thread)
      build thread "-O1 -g -fsanitize=thread"
      TSAN_OPTIONS=halt_on_error=1 "$OUT/thread/test" 2
      ;;
  esac
done
