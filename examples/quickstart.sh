#!/usr/bin/env bash
# From a bare clone to a trained model and its report, with one command:
#
#   examples/quickstart.sh [--out DIR] [--threads N] [--resume]
#
# Installs the Debian packages it needs (those missing; as root or with sudo), builds the programs, generates
# synchronized skeletons, videos and texts, pre-trains the three towers and the models to compare with, evaluates
# them with skeletons alone, and writes DIR/report.html and DIR/metrics.json (default: runs/quickstart). About a
# quarter of an hour on two cores; --resume continues a run that was stopped.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
out=runs/quickstart threads=0 start=--overwrite

usage() { sed -n '2,/^set/{/^# \{0,1\}/s///p}' "$0"; }
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=${2:?--out needs a folder} && shift ;;
    --threads) threads=${2:?--threads needs a number} && shift ;;
    --resume) start=--resume ;;
    -h | --help) usage && exit 0 ;;
    *) echo "examples/quickstart.sh: unknown option $1 (see --help)" >&2 && exit 2 ;;
  esac
  shift
done
[[ $threads =~ ^[0-9]+$ ]] || { echo "examples/quickstart.sh: --threads needs a number, not '$threads'" >&2; exit 2; }
case $out in /*) ;; *) out=$PWD/$out ;; esac
cd "$root"

. tests/support/packages.sh
need_build_tools
install_missing

echo "== building"
cmake -S . -B build -G Ninja -DTMOR_BUILD_TESTS=OFF -DTMOR_BUILD_BENCH=OFF >/dev/null
cmake --build build --parallel "$(nproc)" --target example_pretrain example_evaluate example_classify_clip -- --quiet

echo "== pre-training and evaluating"
build/examples/pretrain --config examples/pretrain/quickstart.json --out "$out" --threads "$threads" $start

echo "== done: open $out/report.html"
