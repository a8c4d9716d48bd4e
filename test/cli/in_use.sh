# shellcheck shell=bash
# Beside an application: reading works, and what would write ends with 3.

make_cache known.db
hold known.db

run 0 stats known.db
expect_line '^entries    20, '
run 0 list known.db --limit 1
run 0 show known.db theme
expect_line '^dark$'
run 0 check known.db
run 0 backup known.db copy.db
run 0 stats known.db --json
expect_json '$.entries' 20

for command in 'erase theme' 'erase --prefix P' 'clear --yes' compact; do
  # shellcheck disable=SC2086 # words
  run 3 ${command%% *} known.db ${command#"${command%% *}"}
  expect_error "known.db' is in use by another cache"
  expect_error 'close the application first'
done
run 0 show known.db theme

release
run 0 erase known.db theme
run 4 show known.db theme
