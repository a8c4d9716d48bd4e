# shellcheck shell=bash
# Sourced by test/run, examples/run and .ci/run: installs what is missing, configures and builds.

project_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build_root=$project_root/.build

# The packages of Debian 12 and Ubuntu 24.04 that every build and test needs.
needed_packages=(
  g++ meson ninja-build cmake pkgconf
  libsqlite3-dev libsqlitecpp-dev libfmt-dev libxxhash-dev nlohmann-json3-dev libcli11-dev
  doctest-dev sqlite3
)

# Without apt, only these programs are checked. Meson finds the libraries or uses the subprojects.
needed_tools=(g++ meson ninja cmake pkg-config sqlite3)

say() { printf '%s\n' "$*" >&2; }

die() {
  say "error: $*"
  exit 1
}

# ensure_packages [PACKAGE]...: installs the needed packages and the named ones, if they are
# missing.
ensure_packages() {
  local wanted=("${needed_packages[@]}" "$@") missing=() package
  if ! command -v apt-get >/dev/null; then
    check_tools
    return
  fi
  for package in "${wanted[@]}"; do
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
      missing+=("$package")
  done
  if ((${#missing[@]})); then
    install_packages "${missing[@]}"
  fi
}

# Debian has a separate package for the sanitizers of each version of Clang.
ensure_clang_runtime() {
  ensure_packages "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
}

check_tools() {
  local missing=() tool
  for tool in "${needed_tools[@]}"; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  ((${#missing[@]} == 0)) ||
    die "install these first: ${missing[*]} (on Debian the packages are: ${needed_packages[*]})"
}

install_packages() {
  local as_root=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || die "not root and no sudo; install these first: $*"
    as_root=(sudo)
    [[ -t 0 ]] || as_root+=(-n)
    "${as_root[@]}" true || die "sudo refused; install these first: $*"
  fi
  say "installing: $*"
  as_root+=(env DEBIAN_FRONTEND=noninteractive)
  run_quietly "${as_root[@]}" apt-get update -q || die "apt-get update failed"
  run_quietly "${as_root[@]}" apt-get install -q -y --no-install-recommends "$@" ||
    die "could not install: $*"
  rm -f "$build_root"/*/options.txt # so that Meson searches again for the new packages
}

# Runs a command. Its output is printed only if it fails.
run_quietly() {
  local output
  if ! output=$("$@" 2>&1 </dev/null); then
    say "$output"
    return 1
  fi
}

# configure DIRECTORY COMPILER OPTION...: creates the build directory, or creates it again if the
# options have changed.
configure() {
  local directory=$1 compiler=$2 stamp
  shift 2
  stamp="$compiler $*"
  select_compiler "$compiler"
  if [[ -f $directory/build.ninja && $(cat "$directory/options.txt" 2>/dev/null) == "$stamp" ]]; then
    return
  fi
  say "configuring: ${directory#"$project_root"/}"
  rm -rf "$directory"
  run_quietly meson setup "$directory" "$project_root" "$@" || die "meson setup failed"
  printf '%s\n' "$stamp" >"$directory/options.txt"
}

select_compiler() {
  local cache=
  command -v ccache >/dev/null && cache='ccache '
  case $1 in
    gcc) export CC="${cache}gcc" CXX="${cache}g++" ;;
    clang) export CC="${cache}clang" CXX="${cache}clang++" ;;
  esac
}

# build DIRECTORY [TARGET...]
build() {
  local directory=$1 quiet=(--quiet)
  shift
  [[ -t 2 ]] && quiet=()
  say "building: ${directory#"$project_root"/}"
  ninja -C "$directory" "${quiet[@]}" "$@" >&2 || die "the build failed"
}
