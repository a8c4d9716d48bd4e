# shellcheck shell=bash
# Sourced by test/run: the suite "cli". Each test/cli/NAME.sh is one test. Its second line is the
# name of the test. It runs the program ashmemo in an empty directory, on caches that make_cache
# creates, with the functions below.

run_cli_suite() {
  local script name sentence
  for script in "$project_root"/test/cli/*.sh; do
    name=$(basename "$script" .sh)
    sentence="cli $name: $(sed -n '2s/^# //p' "$script")"
    if [[ $name == checks ]]; then
      continue
    elif [[ $name == terminal ]] && ! has_pseudo_terminal; then
      say "skipped: $sentence (this system has no pseudo-terminal)"
    else
      check "$sentence" run_cli_test "$name"
    fi
  done
}

# Runs a test in its own shell, which ends when a command fails.
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

# ashmemo ARGUMENT...
ashmemo() {
  # shellcheck disable=SC2086 # the launcher is words
  $launcher timeout 300 "$build_directory/src/cli/ashmemo" "$@"
}

# make_cache FILE [OPTION]...
make_cache() {
  # shellcheck disable=SC2086 # the launcher is words
  $launcher timeout 300 "$build_directory/test/cli/make_cache" "$@"
}

# run STATUS ARGUMENT...: runs the program, which must end with this status. Sets `output` and
# `errors` to the text that it printed to standard output and standard error.
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

# expect TEXT: `output` must be this text.
expect() {
  diff <(printf '%s\n' "$1") <(printf '%s\n' "$output") || fail "the output differs"
}

# expect_line REGEX: a line of `output` must match.
expect_line() {
  grep -qE -- "$1" <<<"$output" || fail "no line matches: $1"
}

# expect_error TEXT: `errors` must contain this text, and `output` must be empty.
expect_error() {
  [[ $errors == *"$1"* ]] || fail "no error contains: $1"
  [[ -z $output ]] || fail "standard output is not empty"
}

# expect_json PATH VALUE: the JSON in `output` must have this value at this path of SQLite.
expect_json() {
  local value
  printf '%s' "$output" >output.json
  value=$(sqlite3 :memory: "SELECT json_extract(readfile('output.json'), '$1')")
  [[ $value == "$2" ]] || fail "$1 is '$value', not '$2'"
}

# hold FILE: an application has the file open from now on, until `release`.
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

# ask FILE SQL: runs sqlite3.
ask() {
  sqlite3 "$1" "$2"
}
