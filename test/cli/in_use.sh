# shellcheck shell=bash
# reading commands work beside an application, and changing commands exit with 3

make_cache known.db
hold known.db

run 0 stats known.db
expect_line '^entries +20, '
run 0 list known.db --limit 1
run 0 show known.db theme
expect_line '^dark$'
run 0 check known.db
run 0 backup known.db copy.db
run 0 stats known.db --json
expect_json '$.entries' 20

# expect_in_use FILE: every changing command reports that an application has the file open.
expect_in_use() {
  local command
  for command in 'erase theme' 'erase --prefix P' 'clear --yes' compact; do
    # shellcheck disable=SC2086 # words
    run 3 ${command%% *} "$1" ${command#"${command%% *}"}
    expect_error "$1' is in use by another cache"
    expect_error 'close the application first'
  done
}
expect_in_use known.db
run 0 show known.db theme

release
run 0 erase known.db theme
run 4 show known.db theme

# The commands report that the file is in use before they read the whole file. Otherwise they would
# report this damage.
make_cache damaged.db --many 500
head -c 12288 /dev/zero | tr '\0' '\377' | dd of=damaged.db bs=4096 seek=30 conv=notrunc status=none
run 1 check damaged.db
hold damaged.db
expect_in_use damaged.db
release
