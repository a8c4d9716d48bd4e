# shellcheck shell=bash
# Sourced by test/bench/run and .ci/run, after test/support/setup.sh: the systems beside SQLite.

# What ashmemo is compared with; without a package its system is skipped.
peer_packages=(liblmdb-dev libleveldb-dev persistent-cache-cpp-dev)

install_peers() {
  local package
  command -v apt-get >/dev/null || return 0
  for package in "${peer_packages[@]}"; do
    (ensure_packages "$package") || say "going on without $package"
  done
}

# forget_old_search DIRECTORY: the build there has looked for them once, when it was configured; it will
# again, if others are there now.
forget_old_search() {
  local found
  command -v dpkg-query >/dev/null || return 0
  found=$(dpkg-query -W -f='${Package} ${db:Status-Status}\n' "${peer_packages[@]}" 2>/dev/null) || true
  [[ -f $1.peers.txt && $(cat "$1.peers.txt") == "$found" ]] && return
  mkdir -p "$(dirname "$1")"
  rm -f "$1/options.txt"
  printf '%s\n' "$found" >"$1.peers.txt"
}
