# shellcheck shell=bash
# Sourced by test/bench/run and .ci/run, after test/support/setup.sh: installs the other stores that
# the benchmark measures.

# The benchmark skips a store whose package is not installed.
peer_packages=(liblmdb-dev libleveldb-dev persistent-cache-cpp-dev)

install_peers() {
  local package
  command -v apt-get >/dev/null || return 0
  for package in "${peer_packages[@]}"; do
    (ensure_packages "$package") || say "continuing without $package"
  done
}

# forget_old_search DIRECTORY: Meson searches for the packages only when it configures the build
# directory. If other packages are installed now, the next `configure` starts again.
forget_old_search() {
  local found
  command -v dpkg-query >/dev/null || return 0
  found=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${peer_packages[@]}" 2>/dev/null) || true
  [[ -f $1.peers.txt && $(cat "$1.peers.txt") == "$found" ]] && return
  mkdir -p "$(dirname "$1")"
  rm -f "$1/options.txt"
  printf '%s\n' "$found" >"$1.peers.txt"
}
