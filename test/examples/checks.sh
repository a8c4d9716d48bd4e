# shellcheck shell=bash
# Sourced by test/run: the suite "examples". Each program of examples/ is run by
# test/examples/NAME.sh in an empty directory. Such a script uses the functions below. It checks
# facts, such as numbers, keys and exit codes, so that the sentences of a program can change.

run_examples_suite() {
  local script program name
  has_pseudo_terminal || say "skipped: examples on a terminal (this system has no pseudo-terminal)"
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

# Runs the script in a shell of its own, which ends at the first command that fails.
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

# run ARGUMENT...: runs the example and stores its output in `output`. Fails if the example fails.
run() {
  run_for_status 0 "$@"
}

# run_for_status STATUS ARGUMENT...: as run, for an example that must end with this status.
run_for_status() {
  local wanted=$1 status=0
  shift
  printf '$ %s %s\n' "$(basename "$example")" "$*"
  # shellcheck disable=SC2086 # the launcher is words
  output=$($launcher timeout 300 "$example" "$@" 2>&1 </dev/null) || status=$?
  printf '%s\n' "$output"
  ((status == wanted)) || { printf 'ended with status %d, not %d\n' "$status" "$wanted"; return 1; }
}

# expect REGEX: a line of the output matches the extended regular expression.
expect() {
  grep -qE -- "$1" <<<"$output" || { printf 'no line matches: %s\n' "$1"; return 1; }
}

# expect_in_order: each line of its input is a part of a line of the output, in the same order. One
# space matches any number of spaces. A part begins and ends at a space, a comma, a semicolon or
# the end of the line.
expect_in_order() {
  local part line
  exec 3< <(tr -s ' ' <<<"$output" | sed 's/.*/ & /')
  while IFS= read -r part; do
    while true; do
      IFS= read -r line <&3 ||
        { printf 'not in the output, or not in this order: %s\n' "$part"; return 1; }
      [[ $line != *" $part"[\ ,\;]* ]] || break
    done
  done
}

# expect_text PART...: the output contains these parts, although it may break their lines.
expect_text() {
  local part text
  text=$(tr -s ' \n' ' ' <<<"$output")
  for part; do
    [[ $text == *"$part"* ]] || { printf 'not in the output: %s\n' "$part"; return 1; }
  done
}

# expect_help: --help shows the usage in 80 columns. An unknown option ends the example with 2.
expect_help() {
  run --help
  expect '[Uu]sage: '
  fits_80_columns
  run_for_status 2 --no-such-option
  fits_80_columns
}

# expect_no_arguments: as expect_help, and any argument ends the example with 2.
expect_no_arguments() {
  expect_help
  run_for_status 2 7
}

# fits_80_columns: no line of the output is longer.
fits_80_columns() {
  awk 'length > 80 { print "over 80 columns: " $0; bad = 1 } END { exit bad }' <<<"$output"
}
