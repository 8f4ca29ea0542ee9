#!/usr/bin/env bash
# Builds the benchmarks and runs them beside PyTorch on the CPU, sampled in turns:
#
#   bench/run.sh [--json] [--threads 1,2] [--quick] [--case PART] [--repeat N] [--cpu-time] [--torch PYTHON] [--write]
#
# --json prints one object a row (case, threads, tmor_ms, torch_ms, ratio, ...), --write fills docs/results/cpu.md, --torch
# names a Python that has PyTorch (or TMOR_TORCH_PYTHON, or python3): without one, tmor's times stand alone. Everything
# else is explained by bench/compare.py --help. A ratio below 1 means that tmor is faster.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/bench
for arg in "$@"; do
  case $arg in -h | --help) exec python3 "$root/bench/compare.py" --help ;; esac
done
cmake -S "$root" -B "$build" -DTMOR_BUILD_TESTS=OFF -DTMOR_BUILD_EXAMPLES=OFF >/dev/null
cmake --build "$build" --parallel "${TMOR_JOBS:-$(nproc)}" --target bench_skeleton_bench bench_ops_bench >&2
exec python3 "$root/bench/compare.py" --build "$build/bench" "$@"
