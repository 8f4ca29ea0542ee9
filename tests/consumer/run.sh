#!/usr/bin/env bash
# Builds and runs a program that uses tmor in one of the ways users do:
#   run.sh add_subdirectory|fetch_content|find_package|pkg_config|bare
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
way=$1
cxx=${CXX:-g++}
if command -v ninja >/dev/null; then export CMAKE_GENERATOR=Ninja; fi  # a bare Debian has no make
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

build() { # <folder of the CMakeLists.txt> <arguments of cmake>...
  local source=$1
  shift
  cmake -S "$source" -B "$dir/build" -DCMAKE_CXX_COMPILER="$cxx" "$@" >/dev/null
  cmake --build "$dir/build" --parallel 1 >"$dir/log" 2>&1 || { cat "$dir/log"; exit 1; }
  for app in "$dir"/build/*app*; do
    if [ -f "$app" ] && [ -x "$app" ]; then "$app"; fi
  done
}
install() { # only the headers and package files: nothing is compiled
  cmake -S "$root" -B "$dir/tmor" -DCMAKE_CXX_COMPILER="$cxx" -DTMOR_BUILD_TESTS=OFF -DTMOR_BUILD_EXAMPLES=OFF \
    -DTMOR_BUILD_BENCH=OFF -DCMAKE_INSTALL_PREFIX=/nowhere >/dev/null
  cmake --install "$dir/tmor" --prefix "$dir/prefix" >/dev/null
}

case $way in
  add_subdirectory | fetch_content) build "$here/$way" -DTMOR_SOURCE="$root" ;;
  find_package)
    install
    build "$here/$way" -DCMAKE_PREFIX_PATH="$dir/prefix"
    ;;
  pkg_config)
    command -v pkg-config >/dev/null || { echo "skipped: no pkg-config"; exit 77; }
    install
    export PKG_CONFIG_PATH=$dir/prefix/share/pkgconfig
    # shellcheck disable=SC2046
    "$cxx" -std=c++20 -O2 "$here/app.cpp" $(pkg-config --cflags --libs "tmor >= 0.1") -o "$dir/app"
    "$dir/app"
    ;;
  bare)
    "$cxx" -std=c++20 -O3 -march=native -I "$root/include" "$here/app.cpp" -pthread -o "$dir/app"
    "$dir/app"
    ;;
  *) echo "usage: $0 add_subdirectory|fetch_content|find_package|pkg_config|bare" >&2; exit 2 ;;
esac
