# shellcheck shell=bash
# A good configuration file, and all that can be wrong with one.

run "$project_root/examples/policies/policies.json"
fits_80_columns
expect_in_order <<'FACTS'
max_entries unlimited, max_bytes 67,108,864, eviction s3fifo
price ttl 30s
rating ttl 10m, stale_while_revalidate 1h
export_line ttl 1d, eviction fifo
stock not cached
first price 0 rating 0 stock 0
again price 3 rating 3 stock 0
after 31 s price 0 rating 3 stock 0
14,000 requests for 5,000 records, 2,000 of them by scans; max_entries 500
none 43.68 % 6,115 7,885 0
fifo 50.44 % 7,061 6,939 6,393
lru 53.39 % 7,475 6,525 5,979
clock 54.03 % 7,564 6,436 5,890
s3fifo 54.80 % 7,672 6,328 5,782
FACTS

# refuses JSON PART...: the program ends with 1 and one line that names the file and these parts:
# the field, its value, and what is allowed.
refuses() {
  printf '%s\n' "$1" >policies.json
  run_for_status 1 policies.json
  [[ $(wc -l <<<"$output") == 1 ]]
  shift
  expect_text 'policies: policies.json: ' "$@"
}

evictions=('"none"' '"fifo"' '"lru"' '"clock"' '"s3fifo"')
refuses '{"evicton": "lru"}' evicton 'calculations, eviction, limits'
refuses '{"eviction": "lfu"}' 'eviction is "lfu"' "${evictions[@]}"
refuses '{"limits": {"max_entries": -5}}' 'limits.max_entries is -5' '"unlimited"'
refuses '{"limits": {"max_bytes": "5 MB"}}' 'limits.max_bytes is "5 MB"' KiB MiB GiB '"unlimited"'
refuses '{"limits": {"max_bytes": "9999999999 GiB"}}' 'limits.max_bytes is "9999999999 GiB"'
refuses '{"calculations": {"price": {"ttl": "30x"}}}' 'calculations.price.ttl is "30x"' '"30m"'
refuses '{"calculations": {"price": {"ttl": 30}}}' 'calculations.price.ttl is 30;' '"30m"'
refuses '{"calculations": {"price": {"tll": "30m"}}}' calculations.price.tll \
  'eviction, negative_ttl, stale_if_error, stale_while_revalidate, ttl'
refuses '{"calculations": []}' 'calculations is []' '{"name": {...}}'
refuses '[]' 'is []' '{...}'

# Only the library knows the names of calculations and which times are possible.
refuses '{"calculations": {"prize": {"ttl": "30m"}}}' "'Product'" "'prize'" \
  'price, rating, export_line, stock'
refuses '{"calculations": {"price": {"ttl": "0s"}}}' "'price'" "'Product'" ttl 0s

run_for_status 1 no-such-file.json
expect '^policies: no-such-file\.json: .*No such file or directory$'
mkdir a-directory
run_for_status 1 a-directory
expect '^policies: a-directory: .*directory$'
run_for_status 1 $'no\e[31m\nfile'
expect '^policies: no\\x1B\[31m\\x0Afile: '
refuses '{"limits": {' 'parse error at line'
run_for_status 2
run_for_status 2 policies.json policies.json
expect_help

# With other policies there are other results: nothing expires, so all three prices remain hits.
printf '{"calculations": {"price": {}, "stock": {"ttl": "1h"}}}\n' >policies.json
run policies.json
expect_in_order <<'FACTS'
max_entries default, max_bytes default, eviction s3fifo
price ttl forever
after 31 s price 3 rating 0 stock 3
FACTS
