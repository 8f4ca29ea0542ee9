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

# scan <object>: definitions that two units cannot share: strong ones (but our absolute symbol, A), and weak ones in
# namespace tmor outside its tagged namespace, which would mix silently. Writes found.txt.
scan() {
  nm -C --defined-only "$1" >names.txt
  { grep -E '^[0-9a-f]+ [TDBRSC] ' names.txt
    grep -E '^[0-9a-f]+ [WVu] ((guard variable|typeinfo|typeinfo name|vtable) for )?tmor::' names.txt |
      grep -v ' tmor::v0_'; } >found.txt || true
}
cat >planted.cpp <<'END'
#include "tmor/core/error.hpp"
TMOR_BEGIN
void planted_strong() {}
TMOR_END
namespace tmor {
inline void planted_untagged() {}
}
void (*planted)() = tmor::planted_untagged;
END
compile "$cxx" planted.cpp planted.o "${base[@]}"
scan planted.o
for name in planted_strong planted_untagged; do
  grep -q $name found.txt || fail "the scan does not see $name"
done

# Two units that include every CPU header link: nothing is defined twice, and nothing of ours escapes the tag.
(cd "$root/include" && find tmor -name '*.hpp' ! -path 'tmor/cuda/*' ! -path 'tmor/dist/*' | sort) |
  sed 's/.*/#include "&"/' >all.hpp
printf '#include "all.hpp"\nint main() {}\n' >all_main.cpp
printf '#include "all.hpp"\n' >all_part.cpp
if compile "$cxx" all_main.cpp all_main.o "${base[@]}" -I . && compile "$cxx" all_part.cpp all_part.o "${base[@]}" -I .; then
  links all_main.o all_part.o || { fail "two units with every header do not link"; cat link.log; }
  scan all_part.o
  [ ! -s found.txt ] || { fail "not inline, or outside the tagged namespace:"; cat found.txt; }
else
  fail "a unit with every header does not compile"
fi

[ $failures -eq 0 ] || exit 1
echo "unlike flags never link, like ones do ($cxx)"
