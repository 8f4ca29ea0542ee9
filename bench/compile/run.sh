#!/usr/bin/env bash
# What including tmor costs a user's build: seconds (least of three) and memory, beside the budgets of
# docs/architecture.md. Never fails on time, only when something does not compile. CXX chooses the compiler.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
cxx=${CXX:-g++}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# measure <what> <budget in seconds> <source> <flags>...
measure() {
  local what=$1 budget=$2 source=$3
  shift 3
  python3 - "$what" "$budget" "$cxx" -std=c++20 -march=native -I "$root/include" "$@" "$source" -o "$work/out.o" <<'END'
import os, resource, subprocess, sys, time
what, budget, command = sys.argv[1], float(sys.argv[2]), sys.argv[3:]
best = float("inf")
for _ in range(3):
    start = time.perf_counter()
    if subprocess.run(command).returncode:
        sys.exit(f"{what} does not compile")
    best = min(best, time.perf_counter() - start)
memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
verdict = "" if best <= budget else "  over the budget"
print(f"{what:40} {best:6.2f} s  (budget {budget:4.1f} s) {memory:6.0f} MB{verdict}", flush=True)
END
}

echo
echo "compile time with $cxx $("$cxx" -dumpfullversion 2>/dev/null || "$cxx" -dumpversion)"
if [ -e "$root/include/tmor/tmor.hpp" ]; then
  echo '#include "tmor/tmor.hpp"' >"$work/all.cpp"
  measure "#include <tmor/tmor.hpp>" 1.2 "$work/all.cpp" -fsyntax-only
  measure "a training loop, -O2" 8 "$root/tests/consumer/app.cpp" -O2 -c
fi
for source in "$root"/bench/compile/*.cpp; do
  [ -e "$source" ] || continue
  measure "$(basename "$source") -O2" 8 "$source" -O2 -c
done
