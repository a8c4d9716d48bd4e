# shellcheck shell=bash
# On a terminal of 80 columns: nothing is wider, nothing is a command to it, and it can be asked.

# on_terminal COLUMNS COMMAND: what appears there, without the carriage returns.
on_terminal() {
  output=$(script -qec "stty cols $1; $2" /dev/null </dev/null | tr -d '\r')
  printf '%s\n' "$output"
}

program=$(printf '%q' "$build_directory/src/cli/ashmemo")
# shellcheck disable=SC2086 # the launcher is words
[[ -z $launcher ]] || program="$launcher $program"
make_cache known.db --many 3
long=Post:$(printf '%.0s1234567890' {1..30}):word_count
ask known.db "UPDATE cache_entries SET cache_key = '$long' WHERE cache_key = 'Post:42:word_count'"

on_terminal 80 "$program list known.db 2>/dev/null"
((80 >= $(wc -L <<<"$output"))) || fail "wider than 80 columns"
expect_line '^key +size  expires  reads$'
expect_line '^Post:\.\.\.[0-9]{20,}:word_count +[0-9]+ B      7 h      2$'
expect_line '^evil\\x1B\[31m '
[[ $output != *$'\x1B'* ]] || fail "an escape character reaches the terminal"
on_terminal 60 "$program list known.db 2>/dev/null"
((60 >= $(wc -L <<<"$output"))) || fail "wider than 60 columns"

# Columns are left out one by one, but for the one that is sorted by; only then are keys cut, where
# they are alike.
ask known.db "UPDATE cache_entries SET cache_key = 'Photo:/pictures/holiday/IMG_' ||
  replace(substr(cache_key, 6), ':mood%1B%5B5m', '.jpg:thumbnail') WHERE cache_key LIKE 'Post:%mood%'"
# photos COLUMNS ORDER TITLES KEY: lists them, under these titles; one of the keys is shown like this.
photos() {
  on_terminal "$1" "$program list known.db --prefix Photo --sort $2 2>/dev/null"
  (($1 >= $(wc -L <<<"$output"))) || fail "wider than $1 columns"
  [[ $(head -n 1 <<<"$output" | tr -s ' ') == "$3" ]] || fail "other columns than $3"
  expect_line "^$4 "
}
whole=Photo:/pictures/holiday/IMG_7.jpg:thumbnail
photos 90 key 'key size age expires reads cost state' "$whole"
photos 80 key 'key size age expires reads state' "$whole"
photos 72 key 'key size age expires reads' "$whole"
photos 67 key 'key size expires reads' "$whole"
photos 70 age 'key size age expires reads' 'Photo:\.\.\.tures/holiday/IMG_7\.jpg:thumbnail'
photos 60 key 'key size expires reads' 'Photo:\.\.\./holiday/IMG_7\.jpg:thumbnail'
program="env LC_ALL=C.UTF-8 $program"
photos 60 key 'key size expires reads' 'Photo:…es/holiday/IMG_7\.jpg:thumbnail'

on_terminal 80 "$program stats known.db 2>/dev/null"
((80 >= $(wc -L <<<"$output"))) || fail "wider than 80 columns"
expect_line '^Post:mood\\x1B\[5m '

# Where it is no terminal, nothing is shortened and no progress is shown.
run 0 list known.db --prefix "$long"
expect_line "^$long "
[[ -z $errors ]] || fail "it said: $errors"

# With progress on the terminal, the line is gone at the end.
on_terminal 80 "$program check known.db"
expect_line $'^checking\\.\\.\\.\x1B\\[K\x1B\\[Kknown.db: ok$'

# answer TEXT: clear is asked for, and this is typed.
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
