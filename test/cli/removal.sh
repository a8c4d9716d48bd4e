# shellcheck shell=bash
# erase and clear remove entries and nothing else

make_cache known.db
# The cache is now larger than the default limit. No command may evict entries for that reason.
ask known.db "UPDATE cache_entries SET byte_size = 300000000 WHERE cache_key = 'large'"
run 0 erase known.db theme
expect 'removed 1 entry'
[[ $(ask known.db "SELECT count(*) FROM cache_entries WHERE cache_key = 'large'") == 1 ]] ||
  fail "an entry was evicted"
run 4 show known.db theme
run 0 list known.db --limit 1
expect_line '^1 of 18 entries; '

run 4 erase known.db $'evil\x1B[31m' nobody '[a,b]' nobody
expect_line '^removed 2 entries$'
[[ $errors == *"'known.db' has no entry 'nobody'"* ]] || fail "the error does not name the key"
run 4 erase known.db blob nobody --json
expect_json '$.removed' 1
expect_json '$.not_found[0]' nobody
run 0 erase known.db --prefix Post:42:
expect 'removed 2 entries'
run 0 erase known.db --prefix Post:42:
expect 'removed 0 entries'
run 0 erase known.db -- $'two\nlines'
expect 'removed 1 entry'
[[ $(ask known.db 'SELECT entries, (SELECT count(*) FROM cache_entries) FROM cache_overview') == \
  '12|12' ]] || fail "the totals are wrong"

# The counters of calculations remain.
[[ $(ask known.db "SELECT hits FROM cache_by_calculation WHERE calculation = 'word_count'") == 2 ]]

# Without a terminal to ask on, clear needs --yes.
run 2 clear known.db
expect_error 'clear needs --yes'
run 0 list known.db --limit 1
expect_line '^1 of 12 entries; '
grep -qa word_count known.db
run 0 clear known.db --yes
expect 'removed 12 entries'
if grep -a 'Post:[0-9]*:word_count' known.db; then fail "the file still contains erased entries"; fi
(($(stat -c %s known.db) <= 65536)) || fail "the file is still large"
run 0 clear known.db --yes --json
expect_json '$.removed' 0
run 0 list known.db
expect 'no entries'
run 0 check known.db
