# shellcheck shell=bash
# show prints an entry of every type and escapes it

make_cache known.db
run 0 show known.db Post:42:word_count
output=$(sed -E 's/[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2} UTC/TIME/' <<<"$output")
expect 'key          Post:42:word_count
calculation  Post:word_count, version 1
state        stale
stored       TIME, 2.5 h ago
fresh until  TIME
expires      TIME
reads        2
cost         1.5 s
size         264 bytes in the file
value        integer

420'

# facts KEY LINES: the lines with the type and the value must be these.
facts() {
  run 0 show known.db "$1"
  output=$(sed -n '/^value/,$p' <<<"$output")
  expect "$2"
}
facts theme $'value        text, 4 bytes\n\ndark'
facts nothing $'value        null\n\nNULL'
facts nan $'value        text, 3 bytes\n\nnan'
facts infinite $'value        real\n\ninf'
facts $'evil\x1B[31m' $'value        text, 10 bytes\n\n\\x1B]0;owned\\x07'
facts $'two\nlines' $'value        text, 7 bytes\n\none\\ntwo'
facts "it's \"quoted\"" $'value        text, 10 bytes\n\nback\\\\slash'
facts $'no text \xFF' $'value        text, 3 bytes\n\n\xC3\xBC\\xFF'
facts '[a,b]' $'value        integer\n\n1'
facts blob $'value        blob, 6 bytes\n\n0141424200FF'

run 0 show known.db large
expect_line '^value        text, 20,000 bytes \(19\.5 KiB\)$'
expect_line '^\.\.\. 15,904 bytes more; --raw writes all$'
run 0 show known.db Post:1:rate
expect_line '^state        kept$'
expect_line '^kept until   [0-9]{4}-'

# --raw writes the bytes of the value and no others.
run 0 show known.db large --raw
((${#output} == 20000)) || fail "--raw did not write 20,000 bytes"
ashmemo show known.db blob --raw | cmp - <(printf '\x01\x41\x42\x42\x00\xFF')
ashmemo show known.db $'two\nlines' --raw | cmp - <(printf 'one\ntwo')
ashmemo show known.db Post:42:word_count --raw | cmp - <(printf '420')
ashmemo show known.db nothing --raw | cmp - /dev/null

run 0 show known.db Post:42:word_count --json
expect_json '$.cache_key' Post:42:word_count
expect_json '$.type' integer
expect_json '$.value' 420
expect_json '$.length' 8
run 0 show known.db blob --json
expect_json '$.type' blob
expect_json '$.hex' 0141424200FF
run 0 show known.db infinite --json
expect_json '$.value' inf
run 0 show known.db soon --json
expect_json '$.value' 0.25
run 0 show known.db $'evil\x1B[31m' --json
expect_json '$.value' $'\x1B]0;owned\x07'
[[ $output != *$'\x1B'* ]] || fail "the JSON contains a control character"

# An expired entry is not found. The beginning of a key is not a key.
run 4 show known.db past
expect_error "'known.db' has no entry 'past'"
run 4 show known.db them
run 4 show known.db $'no\x1Bbody'
expect_error "no entry 'no\\x1Bbody'"

# If the output cannot be written, the command fails.
for arguments in 'show known.db large --raw' 'show known.db theme' --help; do
  status=0
  # shellcheck disable=SC2086 # words
  ashmemo $arguments >/dev/full 2>errors.txt || status=$?
  ((status == 1)) || fail "with a full disk, the status is $status"
  grep -q 'cannot write.*: No space left on device' errors.txt
done
