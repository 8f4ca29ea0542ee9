# Sourced by the scripts that build: installs the Debian packages they need, those missing, as root or with sudo.
#
#   need <package> <its command, or a file of it>     notes it when missing
#   install_missing                                   installs what was noted

missing=()
need() { # <Debian package> <its command or a file of it>
  command -v "$2" >/dev/null || [ -e "$2" ] || missing+=("$1")
}
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    if [ -t 0 ]; then sudo "$@"; else sudo -n "$@"; fi
  else
    return 1
  fi
}
install_missing() {
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || { echo "missing, and there is no apt-get to install them: ${missing[*]}" >&2; return 1; }
  echo "installing ${missing[*]}"
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 update &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 \
      install --no-install-recommends "${missing[@]}" >/dev/null || {
    echo "could not install; as root: apt-get update && apt-get install ${missing[*]}" >&2
    return 1
  }
}

# What every build of ours needs.
need_build_tools() {
  need cmake cmake
  need ninja-build ninja
  need g++ g++
  need nlohmann-json3-dev /usr/include/nlohmann/json.hpp
  need libeigen3-dev /usr/include/eigen3/Eigen/Core
  need libstb-dev /usr/include/stb/stb_image.h
  need libcli11-dev /usr/include/CLI/CLI.hpp
  need zlib1g-dev /usr/include/zlib.h
}
