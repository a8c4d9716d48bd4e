# shellcheck shell=bash
# check finds damage, backup copies a cache, and compact makes it smaller

make_cache known.db --many 500
run 0 check known.db
expect 'known.db: ok'
run 0 check known.db --json
expect_json '$.ok' 1
expect_json '$.problems' '[]'

run 0 backup known.db copy.db
expect_line '^copied known\.db to copy\.db: [0-9,]+ bytes \([0-9.]+ KiB\)$'
[[ $(stat -c %a copy.db) == 600 ]] || fail "other users may read the copy"
[[ $(ask copy.db 'SELECT entries FROM cache_overview') == 520 ]] || fail "the copy lacks entries"
run 1 backup known.db copy.db
expect_error copy.db
run 0 backup known.db again.db --json
expect_json '$.target' again.db
expect_json '$.bytes' "$(stat -c %s again.db)"

# A command that only reads a closed cache creates no file beside it.
cp copy.db fresh.db
for command in stats list 'show theme' check 'backup another.db'; do
  # shellcheck disable=SC2086 # words
  run 0 ${command%% *} fresh.db ${command#"${command%% *}"}
  [[ ! -e fresh.db-wal && ! -e fresh.db-shm ]] || fail "$command created a log"
done

# After half of the entries are deleted, compact makes the file smaller and keeps the others.
ask known.db "DELETE FROM cache_entries WHERE cache_key LIKE 'Many:%'"
before=$(stat -c %s known.db)
run 0 compact known.db
expect_line '^known\.db: [0-9.]+ KiB before, [0-9.]+ KiB now, 19 entries$'
(($(stat -c %s known.db) < before)) || fail "the file is as large as before"
run 0 compact known.db --json
expect_json '$.entries' 19
expect_json '$.file_bytes' "$(stat -c %s known.db)"

# If another program keeps its lock for more than 5 seconds, compact fails.
coproc locker { sqlite3 known.db; }
printf 'BEGIN IMMEDIATE;\n.shell echo locked\n' >&"${locker[1]}"
read -r _ <&"${locker[0]}"
run 1 compact known.db
expect_error 'known.db: compact failed'
expect_error 'database is locked'
run 0 list known.db --limit 1
pid=$locker_PID input=${locker[1]}
exec {input}>&-
wait "$pid"
run 0 compact known.db

# Every command reports damage in the middle of the file.
head -c 12288 /dev/zero | tr '\0' '\377' | dd of=copy.db bs=4096 seek=30 conv=notrunc status=none
run 1 check copy.db
expect_line '^copy\.db is damaged:$'
((2 <= $(wc -l <<<"$output"))) || fail "no problem is listed"
run 1 check copy.db --json
expect_json '$.ok' 0
run 1 list copy.db
expect_error 'not all entries could be read'
run 1 stats copy.db
expect_error 'not all entries could be read'

# Changing commands leave a damaged file unchanged and in its place, and create no log beside it.
cp copy.db damaged.db
rm -f copy.db-wal copy.db-shm
for command in compact 'clear --yes' 'erase --prefix P' 'erase Post:1:word_count'; do
  # shellcheck disable=SC2086 # words
  run 1 ${command%% *} copy.db ${command#"${command%% *}"}
  expect_error "'copy.db' is damaged"
done
cmp copy.db damaged.db
[[ ! -e copy.db-wal && ! -e copy.db-shm ]] || fail "a log was created"
# A log that existed before stays as it was.
printf 'not a log' >copy.db-wal
chmod 600 copy.db-wal
run 1 compact copy.db
expect_error "'copy.db' is damaged"
[[ $(<copy.db-wal) == 'not a log' ]] || fail "the log was changed"
rm -f copy.db-wal copy.db-shm

# check reports a file that is too damaged to be opened.
head -c 12288 /dev/urandom | dd of=again.db bs=4096 seek=2 conv=notrunc status=none
run 1 check again.db --json
expect_json '$.file' again.db
expect_json '$.ok' 0
[[ -z $errors && $output == *malformed* ]] || fail "there is more than the problem"
run 1 check again.db
expect_line '^again\.db is damaged:$'
run 1 stats again.db
expect_error malformed

# Other reasons why a file cannot be opened are not damage, even if its name says so.
name='database disk image is malformed'
: >"$name"
run 1 check "$name" --json
expect_error 'the file is empty'

# A file of format 1 is not read. The message says what upgrades it.
cp "$project_root/test/system/data/format-1.cache.db" older.db
chmod 600 older.db
for command in stats list check; do
  run 1 "$command" older.db
  expect_error 'it is of the older format 1'
  expect_error 'open it for writing once, as its application does at its start'
done

# check reports each entry that does not match its checksum. The other commands go on.
make_cache entries.db
ask entries.db "UPDATE cache_entries SET checksum = 1 WHERE cache_key = 'theme'"
run 1 check entries.db
expect_line '^entries\.db is damaged:$'
expect_line "^  the entry 'theme' does not match its checksum"
run 1 check entries.db --json
expect_json '$.problems' '[]'
expect_json '$.damaged_entries' '["theme"]'
run 4 show entries.db theme
run 0 compact entries.db

# No command replaces a file that is no database any more. Only an application does.
head -c 4096 /dev/zero | dd of=known.db conv=notrunc status=none
cp known.db damaged.db
run 1 check known.db
expect_line '^known\.db is damaged:$'
expect_line '^  .*no SQLite database any more'
for command in stats list compact 'clear --yes' 'erase --prefix P'; do
  # shellcheck disable=SC2086 # words
  run 1 ${command%% *} known.db ${command#"${command%% *}"}
  expect_error known.db
done
cmp known.db damaged.db
[[ -z $(find . -name '*.corrupt-*') ]] || fail "a file was renamed"
