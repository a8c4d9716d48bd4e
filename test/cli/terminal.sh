# shellcheck shell=bash
# no line is wider than the terminal, nothing stored controls it, and clear asks on it

# on_terminal COLUMNS COMMAND: sets `output` to the text on a terminal of this width.
on_terminal() {
  output=$(script -qec "stty cols $1; $2" /dev/null </dev/null | tr -d '\r')
  printf '%s\n' "$output"
  (($1 >= $(LC_ALL=C.UTF-8 wc -L <<<"$output"))) || fail "a line is wider than $1 columns"
}

program=$(printf '%q' "$build_directory/src/cli/ashmemo")
# shellcheck disable=SC2086 # the launcher is words
[[ -z $launcher ]] || program="$launcher $program"
make_cache known.db --many 3
long=Post:$(printf '%.0s1234567890' {1..30}):word_count
ask known.db "UPDATE cache_entries SET cache_key = '$long' WHERE cache_key = 'Post:42:word_count'"
wide=Post:$(printf '%.0s漢字' {1..30})
ask known.db "UPDATE cache_entries SET cache_key = '$wide' WHERE cache_key = 'Post:7:word_count'"

on_terminal 80 "$program list known.db 2>/dev/null"
expect_line '^key +size    age  expires  reads   cost  state$'
expect_line '^\.\.\.[0-9]+:word_count +[0-9]+ B  2\.5 h    7\.5 h      2  1\.5 s  stale$'
expect_line '^\.\.\..*漢字 +[0-9]+ B  2\.5 h '
expect_line '^evil\\x1B\[31m '
[[ $output != *$'\x1B'* ]] || fail "an escape character reaches the terminal"
on_terminal 70 "$program list known.db 2>/dev/null"
on_terminal 80 "$program stats known.db 2>/dev/null"
expect_line '^Post:mood\\x1B\[5m '

# Progress is shown, and its line is deleted at the end.
on_terminal 80 "$program check known.db"
expect_line $'^checking\\.\\.\\.\x1B\\[Kknown.db: ok$'

# answer TEXT: runs clear and types the text.
answer() {
  output=$(printf '%s\n' "$1" | script -qec "$program clear known.db 2>&1; echo status \$?" /dev/null |
    tr -d '\r')
  printf '%s\n' "$output"
}
answer n
expect_line 'Remove all of known\.db, 23 entries\? \[y/N\]'
expect_line 'nothing was removed'
expect_line '^status 1$'
answer y
expect_line 'removed 23 entries'
expect_line '^status 0$'
