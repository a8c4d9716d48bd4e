# shellcheck shell=bash
# Every answer is right, and each fault is reported. The program itself compares the answers.

run
fits_80_columns

# The source: old results answer during a refresh, and while the source is down. The pauses between
# calls grow to a minute. Records whose batch threw are tried in smaller batches afterwards.
expect_in_order <<'FACTS'
rate: ttl 10m, stale_while_revalidate 10m, stale_if_error 1h
00:00 rates 1 1 1, calls of the source 1
10:00 rates 1 1 1, calls of the source 1
10:00 rates 1 1 1, calls of the source 1
tasks in the background: 1
10:00 rates 2 2 2, calls of the source 2
20:00 called
20:01 called
20:03 called
20:07 called
20:15 called
20:31 called
21:03 called
22:03 called
23:03 called
24:00 rates 2 2 2, calls of the source 11
40:00 rates 2 2 2, calls of the source 13
41:00 rates 3 3 3, calls of the source 15
FACTS
[[ $(grep -c ' called$' <<<"$output") == 9 ]]
expect_text 'notice calculation_failed: ' "'rate'" "'Currency'" 'no connection'

# The file. How many entries fit on a full disk depends on SQLite, so those numbers are not checked.
expect_in_order <<'FACTS'
new photos right 100, hits 0, computed 100, dropped 0
health ok, entries 100, evicted 0
the same photos right 100, hits 100, computed 0, dropped 0
old and new photos right 200, hits 100, computed 100, dropped 0
notice busy:
health degraded, entries 100, evicted 0
too many new photos right 200, hits 0, computed 200
notice writes_dropped:
notice recovered:
health ok
all of these photos right 400
health ok, entries 400, evicted 0
notice write_failed:
notice recovered:
new photos right 200, hits 0, computed 200, dropped 0
health ok
the newest of these right 40, hits 40, computed 0, dropped 0
the oldest photos right 40
health ok
new photos right 200, hits 0, computed 200, dropped 0
the same photos right 200, hits 200, computed 0, dropped 0
old photos right 100, hits 0, computed 100, dropped 0
notice read_failed:
notice quarantined:
health ok, entries 100
the same photos right 100, hits 100, computed 0, dropped 0
notice file_lost:
health ok, entries 0
old photos right 100, hits 0, computed 100, dropped 0
health ok, entries 100
the same photos right 100, hits 100, computed 0, dropped 0
notice file_lost:
notice unavailable:
health unavailable, entries 0
old photos right 100, hits 0, computed 100, dropped 100
health unavailable, entries 0
tables in it: 1
notice available:
health ok, entries 0
the same photos right 100, hits 0, computed 100, dropped 0
health ok, entries 100
FACTS
expect 'too many new photos .* dropped 1[0-9]{2}$' # not all of them, but most
expect '^  health ok, entries [0-9]+, evicted [1-9]'
expect_text 'Photo:' '262144 bytes' '.corrupt-1700000480000000'

expect_no_arguments
