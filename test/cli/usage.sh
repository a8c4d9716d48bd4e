# shellcheck shell=bash
# wrong arguments are reported with their exit code and create no file

for arguments in 'stats no.db' 'list no.db' 'show no.db k' 'check no.db' 'backup no.db copy.db' \
  'erase no.db k' 'clear no.db --yes' 'compact no.db' 'stats no/such.db'; do
  # shellcheck disable=SC2086 # words
  run 4 $arguments
  expect_error "there is no file 'no"
done
[[ $(ls) == errors.txt ]] || fail "it created files: $(ls)"

for arguments in '' 'nonsense' 'stats' 'stats a b' 'show k.db' 'list k.db --sort colour' \
  'list k.db --limit -1' 'list k.db --limit x' 'erase k.db' 'erase k.db k --prefix p' \
  'backup k.db' 'show k.db k --raw --json' 'stats k.db --nonsense'; do
  # shellcheck disable=SC2086 # words
  run 2 $arguments
  [[ -n $errors && -z $output ]] || fail "wrong usage is not reported as an error"
done
run 2 bogus k.db
expect_error bogus
run 2
expect_error "a command is missing; see 'ashmemo --help'"
for count in -1 abc 1.5 2x 0x10 99999999999999999999; do
  run 2 list k.db "--limit=$count"
  expect_error "Value $count not in range 0 to"
done
run 2 list k.db --sort $'\x1B[31m'
expect_error '\x1B[31m'
run 2 $'\x9B1m'
[[ $errors != *$'\x9B'* ]] || fail "an argument controls the terminal"
make_cache known.db
run 2 erase known.db ''
expect_error 'the key'
run 0 list known.db --limit 1

# Files that are not caches are left unchanged.
printf 'a text file\n' >notes.txt
for arguments in 'stats notes.txt' 'clear notes.txt --yes' 'stats .'; do
  # shellcheck disable=SC2086 # words
  run 1 $arguments
done
[[ $(<notes.txt) == 'a text file' ]]
sqlite3 other.db 'CREATE TABLE t (x)'
run 1 compact other.db
expect_error other.db
[[ ! -e other.db-lock && ! -e notes.txt-lock ]] || fail "there is a lock file beside a file that is not a cache"

run 0 --version
expect_line '^ashmemo [0-9]+\.[0-9]+\.[0-9]+$'
run 0 --help
expect_line '^  3  an application has the file open$'
for command in stats list show check backup erase clear compact; do
  run 0 "$command" --help
  expect_line "^  ashmemo $command blog\\.cache\\.db"
  expect_line '^JSON: '
  ((80 >= $(wc -L <<<"$output"))) || fail "the help is wider than 80 columns"
done
