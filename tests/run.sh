#!/usr/bin/env bash
# Builds and runs the tests, from a bare clone, with one command:
#
#   tests/run.sh [--full] [--jobs N]
#
# Without options: everything for this machine's processor, the programs that use tmor from outside, the readers
# under AddressSanitizer and UBSan, the op table on the emulated CUDA device (at most 20 minutes on 2 cores). --full
# adds clang, the SSE2 and AVX2 builds, every test under ASan and UBSan, the threads under TSan, the emulated device in
# three orders of its threads, with deferred streams and sanitized, programs on it, -ffast-math, nvcc, aarch64, and
# faults planted in the CUDA kernels (at most 60 minutes).
# Debian packages that are missing are installed (as root or with sudo). What is built lies in build/native and
# build/stages. The last thing printed is the summary of ctest; the exit status is 0 only if all passed.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
build=build/native
full=0
jobs=$(nproc)

usage() { sed -n '2,/^set/{/^# \{0,1\}/s///p}' "$0"; }
while [ $# -gt 0 ]; do
  case $1 in
    --full) full=1 ;;
    --jobs) jobs=${2:?--jobs needs a number} && shift ;;
    --jobs=*) jobs=${1#*=} ;;
    -h | --help) usage && exit 0 ;;
    *) echo "tests/run.sh: unknown option $1 (see --help)" >&2 && exit 2 ;;
  esac
  shift
done
[[ $jobs =~ ^[1-9][0-9]*$ ]] || { echo "tests/run.sh: --jobs needs a number, not '$jobs'" >&2; exit 2; }
export TMOR_JOBS=$jobs

# ---- Packages -------------------------------------------------------------------------------------------------

. tests/support/packages.sh
need_build_tools
need python3 python3
need pkg-config pkg-config
need doctest-dev /usr/include/doctest/doctest.h
if grep -rqs "<benchmark/benchmark.h>" bench; then need libbenchmark-dev /usr/include/benchmark/benchmark.h; fi
if [ $full = 1 ]; then need clang clang++; fi
install_missing
if [ $full = 1 ]; then # without these the stage is skipped, and says so
  missing=()
  need g++-aarch64-linux-gnu aarch64-linux-gnu-g++
  need qemu-user-static qemu-aarch64-static
  install_missing || true
fi

# ---- Build, test, summary -------------------------------------------------------------------------------------

stages="readers;emulated_once"
if [ $full = 1 ]; then stages="emulated_cuda;emulated_sanitized;clang;sse2;avx2;fast_math;asan;tsan;aarch64;nvcc;mutants"; fi

failed=0
cmake -S . -B $build -G Ninja -DTMOR_WERROR=ON -DTMOR_JOINED_TESTS=8 -DTMOR_STAGES="$stages"
cmake --build $build --parallel "$jobs" -- -k 0 || failed=1 # what was not built fails below, by name
if [ $full = 1 ]; then bash bench/compile/run.sh || failed=1; fi

log=$build/ctest.log
ctest --test-dir $build -j "$jobs" --output-on-failure --no-tests=error 2>&1 | tee $log | sed -u '/^[0-9]*% tests passed/,$d' ||
  failed=1

awk '/^\[tmor\]/ { programs++; cases += $2; assertions += $4 }
     END { print programs + 0, "runs of test programs,", cases + 0, "test cases,", assertions + 0, "assertions" }' \
  $build/Testing/Temporary/LastTest.log
grep -ho 'skipped: .*' $build/Testing/Temporary/LastTest.log | grep -v 'nothing was checked' | sort -u || true
echo
sed -n '/^[0-9]*% tests passed/,$p' $log
exit $failed
