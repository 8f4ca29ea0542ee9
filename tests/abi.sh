#!/usr/bin/env bash
# Translation units whose flags disagree do not link, and say why; those that agree do, whatever the headers.
# CXX chooses the compiler.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cxx=${CXX:-g++}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }

compile() { # <compiler> <source> <object> <flags>...
  local compiler=$1 source=$2 object=$3
  shift 3
  "$compiler" -std=c++20 "$@" -I "$root/include" -isystem /usr/include/eigen3 -c "$source" -o "$object"
}
links() { "$cxx" "$@" -o app -pthread -lz 2>link.log; }

cat >part.cpp <<'END'
#include "tmor/core/error.hpp"
std::string part() { return tmor::detail::cat(tmor::kIsa, tmor::kAbiNumber); }
END
cat >main.cpp <<'END'
#include "tmor/core/error.hpp"
std::string part();
int main() { return part() == tmor::detail::cat(tmor::kIsa, tmor::kAbiNumber) ? 0 : 1; }
END

# Pairs of flags: unlike ones must fail with the symbol that names the reason, equal ones must link and run.
base=() other=()
case $("$cxx" -dumpmachine) in
  x86_64*) base=(-march=x86-64) other=(-march=x86-64-v3) ;;
esac
compile "$cxx" main.cpp main.o "${base[@]}"
unlike() { # <what> <flags>...
  local what=$1
  shift
  compile "$cxx" part.cpp part.o "$@"
  if links main.o part.o; then
    fail "$what linked with a unit built without"
  elif ! grep -q tmor_flags_differ link.log; then
    fail "$what: the linker's message does not name tmor_flags_differ:"
    cat link.log
  fi
}
[ ${#other[@]} -eq 0 ] || unlike "another instruction set" "${other[@]}"
unlike "-ffast-math" "${base[@]}" -ffast-math
unlike "-ffast-math by -Ofast" "${base[@]}" -Ofast
unlike "emulated CUDA" "${base[@]}" -DTMOR_CUDA_EMULATED
unlike "-fsanitize=address" "${base[@]}" -fsanitize=address

alike() { # <what> <compiler> <flags>...
  local what=$1 compiler=$2
  shift 2
  compile "$compiler" part.cpp part.o "$@"
  { links main.o part.o && ./app; } || { fail "$what does not link with its like"; cat link.log; }
}
alike "another optimisation level" "$cxx" "${base[@]}" -O2 -DNDEBUG
for compiler in g++ clang++; do
  if command -v $compiler >/dev/null; then alike $compiler $compiler "${base[@]}"; fi
done

# Two units that include every CPU header link: nothing is defined twice, and nothing of ours escapes the tag.
(cd "$root/include" && find tmor -name '*.hpp' ! -path 'tmor/cuda/*' ! -path 'tmor/dist/*' | sort) |
  sed 's/.*/#include "&"/' >all.hpp
printf '#include "all.hpp"\nint main() {}\n' >all_main.cpp
printf '#include "all.hpp"\n' >all_part.cpp
if compile "$cxx" all_main.cpp all_main.o "${base[@]}" -I . && compile "$cxx" all_part.cpp all_part.o "${base[@]}" -I .; then
  links all_main.o all_part.o || { fail "two units with every header do not link"; cat link.log; }
  # Strong definitions other than our absolute symbol (A); the anonymous namespace of the standard library is local.
  nm -C --defined-only all_part.o | grep -E '^[0-9a-f]+ [TDBRSC] ' >strong.txt || true
  [ ! -s strong.txt ] || { fail "not inline:"; cat strong.txt; }
  # Weak definitions in namespace tmor but outside its tagged namespace would mix silently.
  nm -C --defined-only all_part.o | grep -E '^[0-9a-f]* +[WVu] (guard variable for |typeinfo (name )?for |vtable for )?tmor::' |
    grep -vE ' tmor::v0_' >untagged.txt || true
  [ ! -s untagged.txt ] || { fail "outside the tagged namespace:"; cat untagged.txt; }
else
  fail "a unit with every header does not compile"
fi

[ $failures -eq 0 ] || exit 1
echo "unlike flags never link, like ones do ($cxx)"
