# shellcheck shell=bash
# The tour of more than 500 generated text files, of files that are not text, and of this project.

make_documents() {
  mkdir -p documents/below documents/.git documents/build documents/objects
  awk 'BEGIN {
    srand(7)
    for (file = 1; file <= 520; ++file) {
      name = sprintf("documents/%s%03d.txt", file % 2 ? "" : "below/", file)
      for (word = 1; word <= 150; ++word) {
        printf "w%d%s", int(rand() * 5000), word % 10 ? " " : "\n" > name
      }
      close(name)
    }
  }'
  { cat documents/001.txt; echo 'and a line of its own'; } >documents/nearly.md
  : >documents/empty.txt
  printf 'Gr\303\274\303\237e, \342\202\254 \360\237\230\200\n' >documents/utf-8.txt
}

make_other_files() {
  printf 'text\0text\n' >documents/nul.bin
  printf 'caf\351\n' >documents/latin-1.txt
  printf 'too long \300\257\n' >documents/overlong.txt
  printf 'cut off \342\202' >documents/cut.txt
  echo text | tee documents/.git/text documents/build/text documents/objects/text >/dev/null
  : >documents/objects/build.ninja
  ln -s 001.txt documents/link.txt
  mkfifo documents/fifo
}

# pass NUMBER DOCUMENTS HITS MISSES COMPUTED: the output contains this JSON object.
pass() {
  expect "^\{\"pass\":$1,\"name\":\"[a-z ]+\",\"documents\":$2,\"hits\":$3,\"misses\":$4,\"computed\":$5,\"ms\":[0-9.e-]+\}\$"
}

state_of() {
  find "$1" -printf '%p %T@ %s\n' | sort
  find "$1" -type f -exec cksum {} + | sort
}

# Runs each command for sqlite3 in the output. Its answer must be in the output below it.
answers_are_right() {
  local line questions=0
  while IFS= read -r line; do
    bash -c "$line" | sed 's/^/  /' >answer
    [[ -s answer ]] || { printf 'no answer: %s\n' "$line"; return 1; }
    grep -xFA "$(wc -l <answer)" -- "$line" <<<"$output" | tail -n +2 | diff answer - || return 1
    questions=$((questions + 1))
  done < <(grep '^sqlite3 ' <<<"$output")
  ((questions == 3))
}

value_of() {
  sqlite3 "$1" "SELECT value FROM cache_entries WHERE cache_key = 'Document:$2'"
}

make_documents
make_other_files
before=$(state_of documents)
count=523
values=$((4 * count))
cache=$PWD/cache/tour.db
mkdir cache

run --json --cache "$cache" documents
(($(wc -l <<<"$output") == 4))
pass 1 $count 0 $values $values
pass 2 $count $values 0 0
pass 3 $count $values 0 0
pass 4 $((count + 1)) $values 4 4
[[ $(state_of documents) == "$before" ]] # no file was changed or created

# The next run finds all results in the cache. The copy is gone.
run --json --cache "$cache" documents
pass 1 $count $values 0 0
[[ $(state_of documents) == "$before" ]]

# Computes only the results of a file that changed, and a result whose row was deleted.
echo 'one more line' >>documents/below/002.txt
touch -d '1 hour ago' documents/below/002.txt
run --json --cache "$cache" documents
pass 1 $count $((values - 4)) 4 4
sqlite3 "$cache" "DELETE FROM cache_entries WHERE cache_key LIKE '%/003.txt:word_count'"
run --json --cache "$cache" documents
pass 1 $count $((values - 1)) 1 1

# Readable keys and right values.
path=$PWD/documents/001.txt
[[ $(value_of "$cache" "$path:word_count") == 150 ]]
[[ $(value_of "$cache" "$path:reading_time") == 40 ]]
[[ $(value_of "$cache" "$PWD/documents/utf-8.txt:word_count") == 3 ]]
[[ $(value_of "$cache" "$PWD/documents/utf-8.txt:frequent_words") == '{"grüße":1,"😀":1}' ]]
[[ $(value_of "$cache" "$PWD/documents/empty.txt:frequent_words") == '{}' ]]
[[ $(value_of "$cache" "$PWD/documents/nul.bin:is_text") == 0 ]]
[[ $(value_of "$cache" "$PWD/documents/nul.bin:word_count") == '' ]]

# The table. The name of the cache file needs quotes in a shell.
run --cache "it's a cache" documents
expect "^cache file  $PWD/it's a cache$"
expect "^documents   $count of text, "
expect '^skipped     4 not text, 0 unreadable, 0 over 16 MiB$'
expect '^pass +documents +hits +misses +computed +ms +speed-up$'
expect '^ +entries from earlier runs: 0$'
expect '^1 first +523 +0 +2,092 +2,092 +[0-9,.]+ +1 x$'
expect '^2 again +523 +2,092 +0 +0 '
expect '^3 reopened +523 +2,092 +0 +0 '
expect '^4 one changed +524 +2,092 +4 +4 '
expect '^Documents computed again in pass 4: 1$'
expect '^words [0-9,]+, minutes to read them [0-9,]+$'
[[ $(grep -c ' is frequent in documents: [1-9]' <<<"$output") == 5 ]]
expect '^Near-duplicates.*: 1$'
expect '^ *9[0-9] %  nearly\.md$'
expect '^ +001\.txt$'
answers_are_right

# The cache file can be among the documents. It does not count as one.
run --json --cache documents/tour.db documents
pass 1 $count 0 $values $values
run --json --cache documents/tour.db documents
pass 1 $count $values 0 0

# A file that cannot be read is counted in each run. (Root can read every file.)
chmod 000 documents/001.txt
if [[ ! -r documents/001.txt ]]; then
  for _ in 1 2; do
    run --cache unreadable.db documents
    expect '^skipped     4 not text, 1 unreadable, '
  done
fi
chmod 644 documents/001.txt

# The terminal does not execute the name of a file.
mkdir names
cp documents/001.txt names/plain.txt
cp documents/001.txt $'names/bad\e[31m\nname.txt'
run --cache names.db names
expect '^ 100 %  plain\.txt$'
expect '^        bad\\x1B\[31m\\x0Aname\.txt$'
if grep -q $'\e' <<<"$output"; then exit 1; fi

# Without arguments: this project, with the cache file in the user's directory for caches.
before=$(state_of "$project_root/examples")
export XDG_CACHE_HOME=$PWD/caches
cd "$project_root/src"
run
expect "^directory   $project_root\$"
expect "^cache file  $XDG_CACHE_HOME/ashmemo-tour/tour\.cache\.db\$"
expect '^2 again +[0-9,]+ +[0-9,]+ +0 +0 '
cd "$OLDPWD"
[[ $(state_of "$project_root/examples") == "$before" ]]

# Wrong arguments and files that are not a cache: an error, and no file is touched.
run_for_status 2 no-such-directory
run_for_status 2 documents/001.txt
run_for_status 2 --no-such-option
expect_help
output=$(timeout 20 "$project_root/examples/run" --help) # builds nothing
expect '[Uu]sage: '
fits_80_columns
mkdir empty
run_for_status 1 --cache other.db empty
expect '^tour: .*/empty$'
echo 'my own notes' >notes
run_for_status 1 --cache notes documents
expect '^tour: .*notes'
[[ $(cat notes) == 'my own notes' ]]
run_for_status 1 --cache no/such/place/tour.db documents
expect '^tour: .*no/such/place'
