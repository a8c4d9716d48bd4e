# shellcheck shell=bash
# Sourced by test/run: the suite "examples". Each test/examples/NAME.sh runs a program of examples/ in an
# empty directory with the functions below.

run_examples_suite() {
  local script program name
  for script in "$project_root"/test/examples/*.sh; do
    name=$(basename "$script" .sh)
    [[ $name == checks ]] || check "example $name" run_example "$name"
  done
  for program in "$build_directory"/examples/*; do
    [[ -f $program && -x $program ]] || continue
    name=$(basename "$program")
    check "example $name has a test" test -f "$project_root/test/examples/$name.sh"
  done
}

# run_example NAME: runs the script in a new shell, which exits at the first command that fails.
run_example() {
  local directory status=0
  directory=$(mktemp -d)
  # shellcheck disable=SC2016 # the inner shell expands its arguments
  (cd "$directory" && env "launcher=${launcher[*]}" "example=$build_directory/examples/$1" \
    "project_root=$project_root" bash -eu -o pipefail -c 'source "$1"; source "$2"' example \
    "$project_root/test/examples/checks.sh" "$project_root/test/examples/$1.sh") || status=$?
  rm -rf "$directory"
  return "$status"
}

# run ARGUMENT...: runs the example and sets `output` to its output. Fails if the example fails.
run() {
  run_for_status 0 "$@"
}

# run_for_status STATUS ARGUMENT...: as run, but the example must end with this status.
run_for_status() {
  local wanted=$1 status=0
  shift
  printf '$ %s %s\n' "$(basename "$example")" "$*"
  # shellcheck disable=SC2086 # the launcher is words
  output=$($launcher timeout 300 "$example" "$@" 2>&1 </dev/null) || status=$?
  printf '%s\n' "$output"
  ((status == wanted)) || { printf 'ended with status %d, not %d\n' "$status" "$wanted"; return 1; }
}

# told: prints the output that the comment at the top of the example's main.cpp shows.
told() {
  sed -n '/^\/\/ *== begin$/,/^\/\/ *== end$/p' \
    "$project_root/examples/$(basename "$example")/main.cpp" | sed -e '1d;$d' -e 's|^// \{0,1\}||'
}

# expect_as_told: the last run must have printed exactly that output.
expect_as_told() {
  told | fits_80_columns
  diff <(told) <(printf '%s\n' "$output") ||
    { printf 'the comment at the top of its main.cpp shows another output\n'; return 1; }
}

# expect_as_told_but_numbers: as expect_as_told, but numbers and their widths may differ.
expect_as_told_but_numbers() {
  told | fits_80_columns
  diff <(told | without_numbers) <(printf '%s\n' "$output" | without_numbers) ||
    { printf 'the comment at the top of its main.cpp shows another output\n'; return 1; }
}

without_numbers() {
  sed -E -e 's/[0-9][0-9.,]*/N/g' -e 's/ +/ /g' -e 's/-{2,}/--/g'
}

# expect_no_arguments: if an argument is given, the example must print one line that describes it and
# says that it takes no arguments.
expect_no_arguments() {
  local status
  for status in 0 2; do
    run_for_status "$status" "$( ((status)) && echo 7 || echo --help)"
    expect "^$(basename "$example"): .*; it takes no arguments\$"
    [[ $(wc -l <<<"$output") == 1 ]]
    fits_80_columns <<<"$output"
  done
}

# expect_help: --help must print the usage in 80 columns.
expect_help() {
  run --help
  expect '[Uu]sage: '
  fits_80_columns <<<"$output"
}

# fits_80_columns: fails if a line of standard input is longer.
fits_80_columns() {
  awk 'length > 80 { print "over 80 columns: " $0; bad = 1 } END { exit bad }'
}

# expect REGEX: a line of the output of the last run must match the extended regular expression.
expect() {
  grep -qE -- "$1" <<<"$output" || { printf 'no line matches: %s\n' "$1"; return 1; }
}
