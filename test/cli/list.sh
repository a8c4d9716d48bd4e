# shellcheck shell=bash
# list prints entries in every order and escapes their keys

make_cache known.db
run 0 list known.db
expect "key                       size    age  expires  reads   cost  state
Post:1:mood%1B%5B5m      275 B  2.5 h    1.9 d      0      -  fresh
Post:1:rate              242 B  2.5 h     over      0      -   kept
Post:1:word_count        259 B  2.5 h    7.5 h      0  1.5 s  stale
Post:42:mood%1B%5B5m     281 B  2.5 h    1.9 d      0      -  fresh
Post:42:word_count       264 B  2.5 h    7.5 h      2  1.5 s  stale
Post:7:mood%1B%5B5m      275 B  2.5 h    1.9 d      0      -  fresh
Post:7:word_count        259 B  2.5 h    7.5 h      0  1.5 s  stale
[a,b]                    178 B  3.5 h    never      0      -  fresh
blob                     186 B  3.5 h    never      0      -  fresh
evil\\x1B[31m             207 B  3.5 h    never      0      -  fresh
infinite                 201 B  3.5 h    never      0      -  fresh
it's \"quoted\"            217 B  3.5 h    never      0      -  fresh
large                 20.1 KiB  3.5 h    never      0      -  fresh
nan                      176 B  3.5 h    never      0      -  fresh
no text \\xFF             195 B  3.5 h    never      0      -  fresh
nothing                  184 B  3.5 h    never      0      -  fresh
soon                     233 B  3.5 h    1.5 h      0      -  fresh
theme                    185 B  3.5 h    never      0      -  fresh
two\\nlines               202 B  3.5 h    never      0      -  fresh"

# keys ARGUMENT...: sets `output` to the keys that are listed, in one line.
keys() {
  run 0 list known.db "$@" --json
  printf '%s' "$output" >output.json
  output=$(ask :memory: "SELECT group_concat(json_extract(value, '\$.cache_key'), ' ')
    FROM json_each(json_extract(readfile('output.json'), '\$.entries'))")
}

keys --prefix Post:42:
expect 'Post:42:mood%1B%5B5m Post:42:word_count'
keys --prefix t --reverse
expect $'two\nlines theme'
keys --sort size --limit 2
expect 'large Post:42:mood%1B%5B5m'
keys --sort size --reverse --limit 2
expect 'nan [a,b]'
keys --sort age --limit 3
expect '[a,b] blob evil'$'\x1B''[31m'
keys --sort age --reverse --limit 1
expect 'Post:7:word_count'
keys --sort expiry --limit 3
expect 'Post:1:rate soon Post:1:word_count'
keys --sort reads --limit 1
expect 'Post:42:word_count'
keys --sort cost --limit 4
expect 'Post:1:word_count Post:42:word_count Post:7:word_count Post:1:mood%1B%5B5m'

run 0 list known.db --limit 010 --json
expect_json '$.shown' 10
run 0 list known.db --sort reads --limit 1
expect 'key                  size    age  expires  reads   cost  state
Post:42:word_count  264 B  2.5 h    7.5 h      2  1.5 s  stale
1 of 19 entries; --limit 0 shows all'
run 0 list known.db --prefix Post:42: --limit 1
expect_line '^1 of 2 entries with this prefix; --limit 0 shows all$'
run 0 list known.db --prefix nobody
expect 'no entries with this prefix'

run 0 list known.db --prefix Post:42:word --json
expect_json '$.total' 1
expect_json '$.shown' 1
expect_json '$.entries[0].state' stale
expect_json '$.entries[0].calculation' word_count
expect_json '$.entries[0].cost_us' 1500000
expect_json '$.entries[0].access_count' 2
expect_json '$.entries[0].computed_at' \
  "$(ask known.db "SELECT computed_at FROM cache_entries WHERE cache_key = 'Post:42:word_count'")"
run 0 list known.db --prefix 'no text' --json
expect_json '$.entries[0].cache_key' $'no text \xEF\xBF\xBD'
expect_json '$.entries[0].calculation' ''
expect_json '$.entries[0].key_hex' 6E6F207465787420FF
run 0 list known.db --prefix theme --json
[[ $output != *key_hex* ]] || fail "a key that is UTF-8 has key_hex"

# Every field that --help names is there.
for column in cache_key resource calculation version state byte_size inserted_at computed_at \
  fresh_until expires_at keep_until accessed_at access_count calculation_id cost_us; do
  [[ $output == *"\"$column\": "* ]] || fail "there is no field $column"
done

# Numbers that are as small as possible are printed, too.
cp known.db absurd.db
ask absurd.db "UPDATE cache_entries SET byte_size = -9223372036854775807 - 1,
  computed_at = -9223372036854775807 - 1, access_count = -9223372036854775807 - 1,
  cost_us = -9223372036854775807 - 1 WHERE cache_key = 'theme'"
for order in size age reads cost expiry; do
  run 0 list absurd.db --sort "$order" --limit 0
  expect_line '^theme '
done
run 0 list absurd.db --limit 0 --json
run 0 show absurd.db theme

# Characters that are invisible or change the direction of writing are escaped. Characters that are
# two columns wide keep the table aligned.
ask known.db "UPDATE cache_entries SET cache_key = 'z漢字' WHERE cache_key = 'nan'"
ask known.db "UPDATE cache_entries SET cache_key = 'zz' || char(8238) || 'x' WHERE cache_key = 'blob'"
ask known.db "UPDATE cache_entries SET cache_key = 'z' || char(155) || '1m' WHERE cache_key = 'large'"
ask known.db "UPDATE cache_entries SET cache_key = 'zzz' || char(1564, 8203, 8288, 917569) || 'y'
  WHERE cache_key = 'soon'"
run 0 list known.db --prefix zzz
expect_line '^zzz\\xD8\\x9C\\xE2\\x80\\x8B\\xE2\\x81\\xA0\\xF3\\xA0\\x81\\x81y '
ask known.db "UPDATE cache_entries SET cache_key = 'soon' WHERE cache_key LIKE 'zzz%'"
run 0 list known.db --prefix z
expect 'key                  size    age  expires  reads  cost  state
zz\xE2\x80\xAEx     186 B  3.5 h    never      0     -  fresh
z\xC2\x9B1m      20.1 KiB  3.5 h    never      0     -  fresh
z漢字               176 B  3.5 h    never      0     -  fresh'

# 50 entries are listed by default. If the output is not a terminal, no key is shortened and no
# progress is shown.
make_cache many.db --many 3000
run 0 list many.db --prefix Many: --sort key --reverse --limit 2
expect_line '^Many:999 '
expect_line '^2 of 3,000 entries with this prefix'
run 0 list many.db
expect_line '^50 of 3,019 entries; '
((52 == $(wc -l <<<"$output"))) || fail "it does not list 50 entries"
run 0 list many.db --limit 0
((3020 == $(wc -l <<<"$output"))) || fail "it does not list all entries"
long=Post:$(printf '%.0s1234567890' {1..30}):word_count
ask many.db "UPDATE cache_entries SET cache_key = '$long' WHERE cache_key = 'Post:42:word_count'"
run 0 list many.db --prefix "$long"
expect_line "^$long "
[[ -z $errors ]] || fail "it printed an error"
