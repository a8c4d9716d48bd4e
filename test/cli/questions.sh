# shellcheck shell=bash
# the commands in the guide "Looking into a cache" answer its questions while an application runs

source "$project_root/test/support/documents.sh"
make_cache blog.cache.db
hold blog.cache.db
block=$(document_block questions)
mapfile -t questions < <(grep '^#' <<<"$block")
mapfile -t commands < <(grep -v '^#' <<<"$block")
((${#questions[@]} == 10 && ${#commands[@]} == 10)) || fail "the guide does not have ten questions of one line each"

# answer QUESTION EXPECTED [ORDER]: runs the command below the question that contains this text,
# without its box. ORDER is `sort` if the order of the answers does not matter.
answer() {
  local at order=${3:-cat}
  for at in "${!questions[@]}"; do
    [[ ${questions[at]} == *"$1"* ]] || continue
    printf '%s\n%s\n' "${questions[at]}" "${commands[at]}"
    [[ ${commands[at]} =~ ^'sqlite3 '('-box ')?'blog.cache.db ' ]] || fail "the command is not sqlite3"
    bash -c "${commands[at]}"
    output=$(bash -c "${commands[at]/ -box / }" | sed -E 's/[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/' |
      "$order")
    expect "$2"
    return
  done
  fail "the guide does not ask: $1"
}

answer 'How full' '20|24785'
answer 'How often' $'Post|word_count|0.4
Post|mood\x1B[5m|0.0
Post|rate|0.0
|(put directly)|'
answer 'most space' 'large|20547
Post:42:mood%1B%5B5m|281
Post:1:mood%1B%5B5m|275'
answer 'seconds of computing' '3.0'
answer 'oldest entry' TIME
answer 'record 1' 'Post:1:mood%1B%5B5m|0.5
Post:1:rate|1
Post:1:word_count|10' sort
commands=("${commands[@]/record = \'1\'/record = \'42\'}")
answer 'record 1' 'Post:42:mood%1B%5B5m|0.5
Post:42:word_count|420' sort
answer 'stale' 'Post:1:word_count
Post:42:word_count
Post:7:word_count' sort
answer 'healthy' ok

# All entries but the one that was read twice.
answer 'never read' "$(ask blog.cache.db \
  "SELECT cache_key FROM cache_entries WHERE cache_key <> 'Post:42:word_count'" | sort)" sort

# The times are whole hours, because they become shorter while the test runs.
commands=("${commands[@]/ttl_left FROM/CAST(ttl_left \/ 3600 AS INTEGER) FROM}")
commands=("${commands[@]/ORDER BY ttl_left LIMIT 3/ORDER BY ttl_left LIMIT 4}")
answer 'expire next' 'Post:1:word_count|7
Post:42:word_count|7
Post:7:word_count|7
soon|1' sort

# The commands of the program ashmemo in the guide work, too. The cache here has another
# calculation.
lines=$(document_block program)
(($(wc -l <<<"$lines") == 5)) || fail "the guide does not have five commands"
eval "${lines/Post:1:length/Post:1:word_count}"
[[ -s copy.cache.db ]] || fail "there is no backup"

# The application still has its file, which is undamaged.
run 3 compact blog.cache.db
release
run 0 check blog.cache.db
