#!/usr/bin/env bash
# One whole build with other flags or another compiler, in build/stages/NAME, and its tests: stage.sh NAME.
# Exit status 77: skipped, with the reason printed. TMOR_JOBS: how many jobs at once.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
stage=${1:?usage: stage.sh NAME}
jobs=${TMOR_JOBS:-$(nproc)}
build=$root/build/stages/$stage
unset CXX CXXFLAGS LDFLAGS

# Tests are chosen by the headers they name, so that a new test joins its stages by itself.
readers='tmor/(io|data|text)/'
numeric='tmor/(core/(math|pack|dual|dtype|rows|team)|cpu/|ops/|losses/|tmor)'
math='tmor/core/(math|pack|dual)|tmor/cpu/pointwise'
threaded='tmor/(core/(parallel|alloc|storage|ref)|cpu/|data/|dist/|train/)'

skip() { echo "skipped: $stage: $*"; exit 77; }
has() { command -v "$1" >/dev/null; }

configure() { # <arguments of cmake>...
  cmake -S "$root" -B "$build" -G Ninja -DTMOR_BUILD_EXAMPLES=OFF -DTMOR_BUILD_BENCH=OFF -DTMOR_JOINED_TESTS=8 "$@" >/dev/null
}
# Sanitized code is built at -O1: it is as telling as -O2 and builds in half the time.
light=(-DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1)  # -O2 takes half as long again to build
sanitized=(-DCMAKE_BUILD_TYPE=RelWithDebInfo "-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -g1")
compile() { nice cmake --build "$build" --parallel "$jobs" -- -k 0 --quiet; }
run() { # indented, so that only the outermost ctest prints a summary at the start of a line
  ctest --test-dir "$build" -j "$jobs" --output-on-failure --no-tests=ignore -L '^(unit|cases|real)$' |
    sed 's/^/  /'
  grep -h '^\[tmor\]' "$build/Testing/Temporary/LastTest.log" || true
}
cpu_has() { grep -qw "$1" /proc/cpuinfo; }

# Whether a program built with this sanitizer runs here; some kernels' address layouts stop it.
sanitizer_runs() { # <sanitizer> [launcher]...
  local sanitizer=$1 program
  shift
  program=$(mktemp)
  echo 'int main() {}' | g++ -x c++ -fsanitize="$sanitizer" - -o "$program" && "$@" "$program" >/dev/null 2>&1
  local result=$?
  rm -f "$program"
  return $result
}

# What must stand before a program built with this sanitizer for it to run here, if anything; fails when nothing helps.
launcher_of() { # <sanitizer>
  sanitizer_runs "$1" || { sanitizer_runs "$1" setarch "$(uname -m)" -R && echo "setarch $(uname -m) -R"; }
}

# Programs of examples/ that can use a GPU, and what they share (common.o), without optimisation, which halves the time
# to build them.
compile_programs() { # <folder of the objects> <flags> <programs>...
  local folder=$1 flags=$2 source
  shift 2
  mkdir -p "$folder"
  for source in "$root"/examples/common/*.cpp; do echo "#include \"$source\""; done >"$folder/common.cpp"
  { echo "$folder/common.cpp" && printf "$root/examples/%s/main.cpp\n" "$@"; } | while read -r source; do
    local object=${source%/main.cpp}
    object=$(basename "$object" .cpp)
    nice g++ -std=c++20 -O0 -march=native -Wall -Wextra -Wshadow -Wconversion -Werror $flags -DTMOR_PROGRAMS_CUDA \
      "-DTMOR_EXAMPLES=\"$root/examples\"" -I "$root/include" -I "$root/examples" \
      -c "$source" -o "$folder/$object.o" || exit 1
  done
}

case $stage in
  readers | asan)
    sanitizer_runs address || skip "programs built with -fsanitize=address do not run on this machine"
    [ "$stage" = asan ] || only=-DTMOR_ONLY_TESTS=$readers
    configure "${sanitized[@]}" -DTMOR_SANITIZE=address ${only:+"$only"}
    compile
    run
    ;;
  tsan)
    launcher=$(launcher_of thread) || skip "programs built with -fsanitize=thread do not run on this machine"
    configure "${sanitized[@]}" -DTMOR_SANITIZE=thread -DTMOR_ONLY_TESTS="$threaded" \
      -DCMAKE_CROSSCOMPILING_EMULATOR="${launcher// /;}"
    compile
    TMOR_NUM_THREADS=4 run
    ;;
  clang)
    has clang++ || skip "no clang++"
    configure "${light[@]}" -DCMAKE_CXX_COMPILER=clang++ -DTMOR_WERROR=ON
    compile
    run
    CXX=clang++ bash "$root/tests/headers.sh"
    CXX=clang++ bash "$root/tests/abi.sh"
    ;;
  sse2 | avx2)
    [ "$(uname -m)" = x86_64 ] || skip "not an x86-64 machine"
    configure "${light[@]}" -DTMOR_ARCH="$stage" -DTMOR_ONLY_TESTS="$numeric" -DTMOR_WERROR=ON
    compile
    cpu_has "$stage" || skip "built, but this processor cannot run it"
    run
    ;;
  fast_math)
    configure -DTMOR_FAST_MATH=ON -DTMOR_ONLY_TESTS="$math"
    compile
    run
    ;;
  emulated_cuda | emulated_once)
    # Every row of the op table on the emulated GPU, with the threads of a block taking turns in three orders, and with
    # streams that put off what they are given; emulated_once: the rows alone, in one order.
    build=$root/build/stages/emulated_cuda
    orders="forward reverse random" tests="^cases |tmor/cuda/"
    [ "$stage" = emulated_cuda ] || orders=forward tests="^cases "
    configure "${light[@]}" -DTMOR_CUDA=EMULATED -DTMOR_ONLY_TESTS="$tests" -DTMOR_WERROR=ON
    compile
    for order in $orders; do
      echo "threads in order: $order"
      TMOR_EMU_ORDER=$order run
      grep -h '^\[cuda\]' "$build/Testing/Temporary/LastTest.log" |
        awk '{ run += $2; missing += $7; if (split($0, s, "yet there: ") > 1) names = names " " s[2] }
             END { print run " rows run on Cuda, " missing + 0 " not yet there" (names == "" ? "" : ":" names) }'
    done
    [ "$stage" = emulated_cuda ] || exit 0
    echo "deferred streams"
    TMOR_EMU_STREAMS=deferred run
    if ! has python3; then
      echo "programs with --device cuda are not run: no python3"
    else
      programs="pretrain nw_ucla utkinect penn_action evaluate"
      compile_programs "$build/examples" -DTMOR_CUDA_EMULATED $programs &
      nice g++ -std=c++20 -O1 -march=native -Wall -Wextra -Wshadow -Wconversion -Werror -DTMOR_CUDA_EMULATED \
        -I "$root/include" -I "$root/examples" -x c++ -c "$root/examples/common/cuda.cu" -o "$build/cuda.o"
      wait $!
      for program in $programs; do
        g++ "$build/examples/$program.o" "$build/examples/common.o" "$build/cuda.o" -pthread -lz -o "$build/examples/$program"
      done
      python3 "$root/tests/cuda_programs.py" "$build"
    fi
    ;;
  emulated_sanitized)
    # The tests of the emulated device under ASan and UBSan, and under TSan with its race check (that of the kernels is
    # part of `mutants`). Nothing of tmor::compiled is needed, so that few files are compiled.
    device=(unit/main.cpp unit/cuda_emu_test.cpp unit/cuda_emu_errors_test.cpp unit/cuda_mma_test.cpp unit/cuda_streams_test.cpp
      unit/cuda_race_test.cpp)
    sanitized_program() { # <name> <sanitizers> <sources>...
      local folder=$build/$1 flags="-fsanitize=$2"
      shift 2
      mkdir -p "$folder"
      rm -f "$folder"/*.o
      printf '%s\n' "$@" | nice xargs -P "$jobs" -I{} bash -c "g++ -std=c++20 -O1 -g1 -march=native $flags \
        -fno-sanitize-recover=undefined -DTMOR_CUDA_EMULATED -DDOCTEST_CONFIG_SUPER_FAST_ASSERTS -I '$root/include' \
        -I '$root/tests' -c -x c++ '$root/tests/{}' -o '$folder'/\$(basename {}).o"
      g++ "$flags" "$folder"/*.o -pthread -o "$folder/program"
    }
    if launcher=$(launcher_of address); then
      sanitized_program device_asan address,undefined "${device[@]}"
      $launcher "$build/device_asan/program" | sed 's/^/  /'
    else
      echo "programs built with -fsanitize=address do not run on this machine"
    fi
    if launcher=$(launcher_of thread); then
      sanitized_program device_tsan thread "${device[@]}"
      $launcher "$build/device_tsan/program" | sed 's/^/  /'
    else
      echo "programs built with -fsanitize=thread do not run on this machine"
    fi
    ;;
  aarch64)
    has aarch64-linux-gnu-g++ || skip "no aarch64-linux-gnu-g++"
    # The headers of this machine's /usr/include must not come in with those of the tests' libraries.
    mkdir -p "$build/headers"
    ln -sfn /usr/include/doctest "$build/headers/doctest"
    emulator=
    if has qemu-aarch64-static; then
      emulator="qemu-aarch64-static;-L;/usr/aarch64-linux-gnu"
    elif has qemu-aarch64; then
      emulator="qemu-aarch64;-L;/usr/aarch64-linux-gnu"
    fi
    configure "${light[@]}" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
      -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DCMAKE_CROSSCOMPILING_EMULATOR="$emulator" \
      -DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=ON -DCMAKE_DISABLE_FIND_PACKAGE_nlohmann_json=ON \
      -DTMOR_NATIVE=OFF -DTMOR_DOCTEST_DIR="$build/headers" -DTMOR_ONLY_TESTS="$numeric"
    compile
    [ -n "$emulator" ] || skip "built, but there is no qemu-aarch64 to run it"
    run
    ;;
  nvcc)
    nvcc=$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null) || skip "no nvcc"
    mapfile -t kernels < <(find "$root/tests" "$root/bench" "$root/examples" -name '*.cu' | sort)
    [ ${#kernels[@]} -gt 0 ] || skip "there are no CUDA sources yet"
    mkdir -p "$build"
    failed=0
    if has python3; then compile_programs "$build/examples" "" pretrain; fi &
    programs=$!
    common=(-std=c++20 --expt-relaxed-constexpr -diag-suppress 1675 -O2 -Xcompiler -march=native --threads "$jobs"
      -I "$root/include" -I "$root/examples")
    for kernel in "${kernels[@]}"; do
      # Every kernel for all; what trains whole models, kernels of the same templates, for fewer, to save time.
      case $kernel in
        */kernels.cu) archs=${TMOR_CUDA_ARCHS:-80 90 90a 100} ;;
        */examples/*) archs=${TMOR_CUDA_ARCHS:-90} ;;
        *) archs=${TMOR_CUDA_ARCHS:-80 90} ;;
      esac
      flags=("${common[@]}")
      for arch in $archs; do
        flags+=(-gencode "arch=compute_$arch,code=sm_$arch")
        [ "$arch" != 90a ] || flags+=(-DTMOR_CUDA_SM90A)  # cuda/attention_tiles_sm90.cuh
      done
      echo "${kernel#"$root/"} for sm $archs"
      if ! "$nvcc" "${flags[@]}" -x cu -Xptxas -v -c "$kernel" -o "$build/$(basename "$kernel" .cu).o" \
        >"$build/log" 2>&1; then
        failed=1
        cat "$build/log"
      elif awk '/Compiling entry function/ { kernel = $0 }
                / bytes spill / && !/ 0 bytes spill stores, 0 bytes spill loads/ {
                  print kernel; print; spilled = 1
                } END { exit !spilled }' "$build/log"; then
        failed=1
        echo "registers spill to memory"
      fi
    done
    [ $failed = 0 ] || exit 1
    # The programs link with NVIDIA's runtime; where there is no GPU they must say so in one line.
    export LD_LIBRARY_PATH=$(dirname "$(dirname "$nvcc")")/lib64:${LD_LIBRARY_PATH:-}
    for program in "main.cpp kernels" "training.cpp training"; do
      read -r source object <<<"$program"
      if ! "$nvcc" "${common[@]}" "$root/tests/cuda/$source" "$build/$object.o" -cudart shared -o "$build/program" \
        >"$build/log" 2>&1; then
        cat "$build/log"
        exit 1
      fi
      if "$build/program" >"$build/out" 2>"$build/err"; then
        cat "$build/out"
        continue
      fi
      cat "$build/out" "$build/err"
      { [ "$(wc -l <"$build/err")" = 1 ] && grep -q '^\[cuda\]' "$build/err"; } || exit 1
    done
    # A program for its users, with the GPU's part of all of them.
    wait "$programs" || exit 1
    if has python3; then
      g++ "$build/examples/pretrain.o" "$build/examples/common.o" "$build/cuda.o" -L "${LD_LIBRARY_PATH%%:*}" -lcudart -ldl -pthread -lz \
        -o "$build/examples/pretrain"
      python3 "$root/tests/cuda_programs.py" "$build" --no-gpu
    fi
    ;;
  mutants)
    # Do the checks notice faults in the kernels? On the emulated device.
    has python3 || skip "no python3"
    nice python3 "$root/tests/mutants.py" --build "$build"
    ;;
  *)
    echo "stage.sh: no stage named '$stage'" >&2
    exit 2
    ;;
esac
