# shellcheck shell=bash
# Sourced by test/run: counts test cases and runs checks that are shell commands.

passed=0
failed=0
filter=

# check NAME COMMAND...: one test case. What the command prints is shown when it fails.
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

# The project's own files, tracked or new: what a commit would hold.
project_files() {
  local file
  git -c safe.directory='*' -C "$project_root" ls-files --cached --others --exclude-standard -- "$@" |
    sort -u | while IFS= read -r file; do
    [[ -e $project_root/$file ]] && printf '%s\n' "$file"
  done
  return 0
}
