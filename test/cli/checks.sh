# shellcheck shell=bash
# Sourced by test/run: the suite "cli". Each test/cli/NAME.sh tests the program ashmemo in an empty
# directory. It creates caches with make_cache and uses the functions below.

run_cli_suite() {
  local script name
  for script in "$project_root"/test/cli/*.sh; do
    name=$(basename "$script" .sh)
    [[ $name == checks ]] || check "program $name" run_cli_test "$name"
  done
}

# run_cli_test NAME: runs the script in a new shell, which exits at the first command that fails.
run_cli_test() {
  local directory status=0
  directory=$(mktemp -d)
  # shellcheck disable=SC2016 # the inner shell expands its arguments
  (cd "$directory" && env "launcher=${launcher[*]}" "build_directory=$build_directory" LC_ALL=C \
    "project_root=$project_root" bash -eu -o pipefail -c 'source "$1"; source "$2"' cli \
    "$project_root/test/cli/checks.sh" "$project_root/test/cli/$1.sh") || status=$?
  rm -rf "$directory"
  return "$status"
}

# ashmemo ARGUMENT...: runs the program.
ashmemo() {
  # shellcheck disable=SC2086 # the launcher is words
  $launcher timeout 300 "$build_directory/src/cli/ashmemo" "$@"
}

# make_cache FILE [OPTION]...: creates a cache; see test/cli/make_cache.cpp.
make_cache() {
  # shellcheck disable=SC2086 # the launcher is words
  $launcher timeout 300 "$build_directory/test/cli/make_cache" "$@"
}

# run STATUS ARGUMENT...: runs the program and checks its exit status. Sets `output` and `errors` to its
# standard output and standard error.
run() {
  local wanted=$1 status=0
  shift
  printf '$ ashmemo'
  printf ' %q' "$@"
  printf '\n'
  output=$(ashmemo "$@" 2>errors.txt </dev/null) || status=$?
  errors=$(<errors.txt)
  printf '%s\n' "$output" "$errors"
  ((status == wanted)) || fail "ended with status $status, not $wanted"
}

fail() {
  printf '%s\n' "$*"
  exit 1
}

# expect TEXT: the last run must have printed exactly this.
expect() {
  diff <(printf '%s\n' "$1") <(printf '%s\n' "$output") || fail "the output differs"
}

# expect_line REGEX: a line of the output must match.
expect_line() {
  grep -qE -- "$1" <<<"$output" || fail "no line matches: $1"
}

# expect_error TEXT: standard error must contain this, and standard output must be empty.
expect_error() {
  [[ $errors == *"$1"* ]] || fail "no error contains: $1"
  [[ -z $output ]] || fail "standard output is not empty"
}

# expect_json PATH VALUE: the JSON output must have this value. PATH is a JSON path of SQLite.
expect_json() {
  local value
  printf '%s' "$output" >output.json
  value=$(sqlite3 :memory: "SELECT json_extract(readfile('output.json'), '$1')")
  [[ $value == "$2" ]] || fail "$1 is '$value', not '$2'"
}

# hold FILE: an application opens the cache and keeps it open until `release`.
hold() {
  local line
  coproc holder { make_cache "$1" --hold; }
  read -r line <&"${holder[0]}"
  [[ $line == open ]] || fail "the application did not open $1"
}

release() {
  local pid=$holder_PID input=${holder[1]}
  exec {input}>&-
  wait "$pid"
}

# ask FILE SQL: prints the result of the SQL.
ask() {
  sqlite3 "$1" "$2"
}
