#!/usr/bin/env bash
# Each header compiles alone, included twice, without a warning. CXX chooses the compiler.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
export CXX=${CXX:-g++} root

# Headers over libraries that are not on every machine are left out where the library is missing.
missing=""
for library in mpi.h nccl.h; do
  echo "#include <$library>" | "$CXX" -x c++ -fsyntax-only - 2>/dev/null || missing+="|$library"
done

check() {
  local emulated=""
  case $1 in *.cuh | cuda/emu/*) emulated=-DTMOR_CUDA_EMULATED ;; esac
  printf '#include "tmor/%s"\n#include "tmor/%s"\n' "$1" "$1" |
    "$CXX" -x c++ -std=c++20 -fsyntax-only -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror \
      $emulated -I "$root/include" -isystem /usr/include/eigen3 - ||
    { echo "FAILED: tmor/$1 does not compile alone with $CXX"; return 1; }
}
export -f check

cd "$root/include/tmor"
mapfile -t headers < <(find . -name '*.hpp' -o -name '*.cuh' | sed 's|^\./||' | sort)
for i in "${!headers[@]}"; do
  if [ -n "$missing" ] && grep -qE "#include <(${missing#|})>" "${headers[i]}"; then
    echo "left out, its library is not installed: ${headers[i]}"
    unset "headers[i]"
  fi
done
printf '%s\n' "${headers[@]}" | xargs -P "$(nproc)" -I{} bash -c 'check {}'
echo "${#headers[@]} headers compile alone with $CXX"
