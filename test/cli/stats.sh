# shellcheck shell=bash
# stats prints the sizes, the hits and a row for each calculation

make_cache known.db
run 0 stats known.db
output=$(sed -E 's/^(file size|log size) .*/\1/' <<<"$output")
expect 'file         known.db
entries      20, 24,785 bytes (24.2 KiB)
file size
log size
hits         2 of 9 (22.2 %)
saved        3 s
health       ok

calculation       entries     bytes  hits  hit ratio  saved
Post:mood\x1B[5m        3     831 B     0      0.0 %    0 s
Post:word_count         3     782 B     2     40.0 %    3 s
Post:rate               1     242 B     0      0.0 %    0 s
(put directly)         12  22.2 KiB     -          -      -
(to be removed)         1     219 B     -          -      -'

run 0 stats --json known.db
expect_json '$.file' known.db
expect_json '$.entries' 20
expect_json '$.bytes' 24785
expect_json '$.file_bytes' "$(stat -c %s known.db)"
expect_json '$.health' ok
expect_json '$.calculations[0].calculation' $'mood\x1B[5m'
expect_json '$.calculations[1].resource' Post
expect_json '$.calculations[1].policy' 'ttl 1h, stale_while_revalidate 9h'
expect_json '$.calculations[1].hit_ratio' 0.4
expect_json '$.calculations[1].seconds_saved' 3.0
expect_json '$.calculations[3].calculation' '(put directly)'
expect_json '$.calculations[3].entries' 12
expect_json '$.calculations[3].hits' ''
expect_json '$.calculations[4].entries' 1

# The JSON has the same numbers as the view.
ask known.db "SELECT hits, misses, computed, bytes, version FROM cache_by_calculation
  WHERE calculation = 'word_count'" >view.txt
printf '%s' "$output" >output.json
ask :memory: "SELECT json_extract(line.value, '\$.hits'), json_extract(line.value, '\$.misses'),
    json_extract(line.value, '\$.computed'), json_extract(line.value, '\$.bytes'),
    json_extract(line.value, '\$.version')
  FROM json_each(json_extract(readfile('output.json'), '\$.calculations')) AS line
  WHERE json_extract(line.value, '\$.calculation') = 'word_count'" | diff view.txt -

# An empty cache has no hit ratio.
make_cache empty.db --hold </dev/null
run 0 stats empty.db
expect_line '^entries +0, 0 bytes$'
expect_line '^hits +0 of 0 \(-\)$'
expect_line '^\(put directly\) +0 +0 B +- +- +-$'

# The time saved is printed in its largest unit.
ask empty.db "INSERT INTO cache_calculations (resource, name, version, policy) VALUES ('Post', 'a', 1, '')"
for saved in '1560 1.6 ms' '25000 25 ms' '700 700 us' '7300000000 2 h'; do
  ask empty.db "UPDATE cache_calculations SET saved_us = ${saved%% *}"
  run 0 stats empty.db
  expect_line "^saved +${saved#* }\$"
done

# Numbers that are as large as possible are printed, too.
cp known.db absurd.db
ask absurd.db "UPDATE cache_calculations SET hits = 9223372036854775807, misses = 9223372036854775807,
    stale_hits = 9223372036854775807, saved_us = 9223372036854775807;
  UPDATE cache_entries SET byte_size = 4611686018427387904 WHERE cache_key = 'theme'"
run 0 stats absurd.db
expect_line '^hits +9,223,372,036,854,775,807 of 9,223,372,036,854,775,807'
run 0 stats absurd.db --json

make_cache many.db --many 2000
run 0 stats many.db
expect_line '^entries +2,020, [0-9],[0-9]{3},[0-9]{3} bytes \([0-9.]+ MiB\)$'
expect_line '^\(put directly\) +2,012 +[0-9.]+ MiB +- +- +-$'
