#!/usr/bin/env bash
# Everything that needs a GPU, in one command of less than 9 minutes on a machine with one; no network is used:
#
#   bench/gpu.sh [--out DIR] [--quick] [--dry-run] [--torch PYTHON] [--write]
#
# Builds the kernels for the GPU at hand with nvcc and, on it: compares every family of operations with the CPU
# (tests/cuda), trains a small T-MOR beside the CPU's loss curve, repeats the comparison under the tools of
# compute-sanitizer, times operations and training steps, beside PyTorch where there is one, and reads Nsight's counters
# of the slowest kernels where ncu is installed. Results are written to DIR (default build/gpu): gpu.json and gpu.md;
# --write puts them into docs/results too. The checkout, nvcc and g++ are all that is needed: these programs use no other
# header. --dry-run builds for TMOR_CUDA_ARCH (default 90), tries that the programs say in one line that there is no GPU,
# and stops. Exit status: 0 when all comparisons hold, 1 otherwise.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/build/gpu
quick=
dry=0
write=0
torch=${TMOR_TORCH_PYTHON:-python3}

usage() { sed -n '2,/^set/{/^# \{0,1\}/s///p}' "$0"; }
stop() { echo "bench/gpu.sh: $*" >&2; exit 1; }
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=$(realpath -m "${2:?--out needs a folder}") && shift ;;
    --torch) torch=${2:?--torch needs a Python} && shift ;;
    --quick) quick=--quick ;;
    --dry-run) dry=1 ;;
    --write) write=1 ;;
    -h | --help) usage && exit 0 ;;
    *) echo "bench/gpu.sh: unknown option $1 (see --help)" >&2 && exit 2 ;;
  esac
  shift
done

# ---- What there is --------------------------------------------------------------------------------------------

nvcc=$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null) || stop "no nvcc: install the CUDA toolkit"
export PATH="$(dirname "$nvcc"):$PATH"
export LD_LIBRARY_PATH="$(dirname "$(dirname "$nvcc")")/lib64:${LD_LIBRARY_PATH:-}"
arch=${TMOR_CUDA_ARCH:-90}
gpu="none"
if [ $dry = 0 ]; then
  command -v nvidia-smi >/dev/null || stop "no NVIDIA driver here (nvidia-smi is missing): nothing was run. --dry-run only builds"
  row=$(nvidia-smi --query-gpu=name,compute_cap,driver_version,memory.total --format=csv,noheader 2>/dev/null | head -1) || row=
  [ -n "$row" ] || stop "nvidia-smi finds no GPU here: nothing was run. --dry-run only builds"
  gpu=$row
  arch=$(cut -d, -f2 <<<"$row" | tr -d ' .')
fi
twins=()  # kernels of their own for sm_90a
if [ "$arch" = 90 ]; then arch=90a twins=(-DTMOR_CUDA_SM90A); fi
mkdir -p "$out"
rm -f "$out"/*.json "$out"/*.jsonl "$out"/*.log "$out"/no_*.txt "$out"/nsight.txt "$out"/gpu.md
echo "GPU: $gpu; architecture sm_$arch; $("$nvcc" --version | sed -n 's/.*release \([^,]*\),.*/nvcc \1/p')"

# ---- Build: five objects, TMOR_JOBS (default: all processors) at once ------------------------------------------

host=(-std=c++20 -O2 -march=native -I "$root/include")
device=(-std=c++20 --expt-relaxed-constexpr -diag-suppress 1675 -O2 -Xcompiler -march=native -I "$root/include" -x cu "-arch=sm_$arch" -lineinfo "${twins[@]}")
jobs=()
compile() { # <name> <command>...
  local name=$1
  shift
  while [ "$(jobs -rp | wc -l)" -ge "${TMOR_JOBS:-$(nproc)}" ]; do sleep 0.2; done
  "$@" -o "$out/$name.o" >"$out/$name.log" 2>&1 &
  jobs+=("$name:$!")
}
begin=$SECONDS
compile kernels "$nvcc" "${device[@]}" -c "$root/tests/cuda/kernels.cu"
compile training_gpu "$nvcc" "${device[@]}" -c "$root/tests/cuda/training.cu"
compile gpu_bench "$nvcc" "${device[@]}" -c "$root/bench/gpu/gpu_bench.cu"
compile families g++ "${host[@]}" -c "$root/tests/cuda/main.cpp"
compile training_cpu g++ "${host[@]}" -c "$root/tests/cuda/training.cpp"
failed=0
for job in "${jobs[@]}"; do
  wait "${job#*:}" || { failed=1; echo "--- ${job%:*} does not compile"; tail -30 "$out/${job%:*}.log"; } >&2
done
[ $failed = 0 ] || exit 1
link() { "$nvcc" -arch="sm_$arch" -cudart shared "${@:2}" -o "$out/$1"; }
link families "$out/families.o" "$out/kernels.o"
link training "$out/training_cpu.o" "$out/training_gpu.o"
link bench "$out/gpu_bench.o"
echo "built in $((SECONDS - begin)) s"

if [ $dry = 1 ]; then
  for program in families training bench; do
    if "$out/$program" >"$out/stdout" 2>"$out/stderr"; then stop "$program ran: there is a GPU here; leave out --dry-run"; fi
    [ "$(wc -l <"$out/stderr")" = 1 ] && grep -q '^\[cuda\]' "$out/stderr" ||
      { cat "$out/stderr" >&2; stop "$program does not say in one line that there is no GPU"; }
  done
  echo "dry run: three programs built for sm_$arch, each says in one line that there is no GPU. Nothing was run on a GPU"
  exit 0
fi

# ---- Run: every step with a limit, all together below 9 minutes, and no step stops the rest -----------------------

status=0
step() { # <name> <seconds> <command>...
  local name=$1 limit=$2 code=0 at=$SECONDS left=$((525 - SECONDS))
  shift 2
  [ "$limit" -lt "$left" ] || limit=$((left > 1 ? left : 1))
  timeout "$limit" "$@" >"$out/$name.txt" 2>"$out/$name.err" || code=$?
  echo "{\"step\": \"$name\", \"exit\": $code, \"seconds\": $((SECONDS - at))}" >>"$out/steps.jsonl"
  echo "$name: exit status $code, $((SECONDS - at)) s"
  [ $code = 0 ] || { status=1; tail -3 "$out/$name.txt" "$out/$name.err"; }
}
step families 60 "$out/families"
step own_products 30 env TMOR_CUDA_GEMM=own "$out/families" matmul matmul_long linear linear_bf16 joint_mix_bf16
step own_convolutions 30 env TMOR_CUDA_CONV=own "$out/families" conv_time conv_time_bf16 conv2d
if [ "$arch" = 90a ]; then step wgmma 30 env TMOR_CUDA_ATTENTION=wgmma "$out/families" attention_bf16 attention_bf16_causal attention_bf16_long; fi
step training 60 "$out/training"
if command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck initcheck synccheck; do
    step "$tool" 60 compute-sanitizer --tool "$tool" --error-exitcode 3 "$out/families"
  done
else
  echo "compute-sanitizer is not installed: left out" | tee "$out/no_sanitizer.txt"
fi
step bench 90 "$out/bench" $quick
if "$torch" -c 'import torch' 2>/dev/null; then
  step torch 120 "$torch" "$root/bench/peers/peer_gpu.py" --compile $quick
else
  echo "$torch has no PyTorch: left out" | tee "$out/no_torch.txt"
fi
if command -v ncu >/dev/null; then # counters may be kept from users: that is no failure of ours
  counted=$status
  step nsight 60 ncu --csv --launch-count 3000 --metrics "gpu__time_duration.sum,dram__throughput.avg.pct_of_peak_sustained_elapsed,sm__throughput.avg.pct_of_peak_sustained_elapsed,sm__warps_active.avg.pct_of_peak_sustained_active" "$out/families"
  status=$counted
else
  echo "ncu is not installed: no counters of kernels" | tee "$out/no_nsight.txt"
fi
python3 "$root/bench/gpu/report.py" "$out" --gpu "$gpu" --commit "$(git -C "$root" rev-parse --short HEAD 2>/dev/null || echo unknown)"
if [ $write = 1 ]; then cp "$out/gpu.md" "$out/gpu.json" "$root/docs/results/"; fi
echo "$out/gpu.md and gpu.json written after $SECONDS s"
exit $status
