# shellcheck shell=bash
# Sourced by test/run: counts test cases and runs checks that are shell commands.

passed=0
failed=0
filter=

# check NAME COMMAND...: one test case. If the command fails, its output is printed.
check() {
  local name=$1 output
  shift
  # shellcheck disable=SC2053 # the filter may have wildcards
  [[ ${name,,} == *${filter,,}* ]] || return 0
  if output=$("$@" 2>&1); then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    say "FAILED: $name"
    say "$output"
  fi
}

# project_files [PATTERN]...: the files of the project, tracked or new, but not ignored.
project_files() {
  local file
  git -c safe.directory='*' -C "$project_root" ls-files --cached --others --exclude-standard -- "$@" |
    sort -u | while IFS= read -r file; do
    [[ -e $project_root/$file ]] && printf '%s\n' "$file"
  done
  return 0
}

# For the programs of the suites "cli" and "examples" that write to a terminal.
has_pseudo_terminal() {
  script -qec true /dev/null >/dev/null 2>&1 </dev/null
}
export -f has_pseudo_terminal
