# shellcheck shell=bash
# What the file in the repository says, and what the program says of files that cannot be.

run "$project_root/examples/policies/policies.json"
expect_as_told

# refuses JSON WHAT: with this file the program says so, and does nothing else.
refuses() {
  printf '%s\n' "$1" >policies.json
  run_for_status 1 policies.json
  [[ $output == "policies: policies.json: $2" ]] || { printf 'should say: %s\n' "$2"; return 1; }
}

ttl='calculations.price.ttl'
length='allowed is a whole number and ms, s, m, h or d, such as "30m"'
bytes='allowed is a whole number, perhaps with KiB, MiB or GiB as in "64 MiB", or "unlimited"'
refuses '{"evicton": "lru"}' 'there is no evicton; allowed is calculations, eviction, limits'
refuses '{"eviction": "lfu"}' \
  'eviction is "lfu"; allowed is "none", "fifo", "lru", "clock" or "s3fifo"'
refuses '{"limits": {"max_entries": -5}}' \
  'limits.max_entries is -5; allowed is a whole number, or "unlimited"'
refuses '{"limits": {"max_bytes": "5 MB"}}' "limits.max_bytes is \"5 MB\"; $bytes"
refuses '{"limits": {"max_bytes": "9999999999 GiB"}}' \
  "limits.max_bytes is \"9999999999 GiB\"; $bytes"
refuses '{"calculations": {"price": {"ttl": "30x"}}}' "$ttl is \"30x\"; $length"
refuses '{"calculations": {"price": {"ttl": 30}}}' "$ttl is 30; $length"
refuses '{"calculations": {"price": {"tll": "30m"}}}' \
  "there is no calculations.price.tll; allowed is eviction, negative_ttl, stale_if_error, \
stale_while_revalidate, ttl"
refuses '{"calculations": []}' \
  'calculations is []; allowed is an object: {"name": {...}}'
refuses '[]' 'the file is []; allowed is an object: {...}'

# What only the library can know.
refuses '{"calculations": {"prize": {"ttl": "30m"}}}' \
  "'Product' has no calculation 'prize'; known are: price, rating, export_line, stock"
refuses '{"calculations": {"price": {"ttl": "0s"}}}' \
  "calculation 'price' of 'Product': ttl is 0s, it must be positive"

run_for_status 1 no-such-file.json
expect '^policies: no-such-file.json: it cannot be read: No such file or directory$'
mkdir a-directory
run_for_status 1 a-directory
expect '^policies: a-directory: it is a directory$'
run_for_status 1 $'no\e[31m\nfile'
expect '^policies: no\\x1B\[31m\\x0Afile: '
printf '{"limits": {' >policies.json
run_for_status 1 policies.json
expect '^policies: policies.json: .*parse error at line 1'
run_for_status 2
run_for_status 2 policies.json policies.json
expect_help

# Another policy is another result: nothing expires, so all three prices are hits in the end.
printf '{"calculations": {"price": {}, "stock": {"ttl": "1h"}}}\n' >policies.json
run policies.json
expect '^limits: entries as by default, bytes as by default; eviction s3fifo$'
expect '^  price        ttl forever$'
expect '^  after 31 s   price 3, rating 0, stock 3$'
