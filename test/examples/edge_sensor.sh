# shellcheck shell=bash
# What is computed, kept and evicted is exact. Pages and bytes on disk depend on SQLite and on the
# system. The program itself fails if the cache breaks a promise about its limits.

# row NAME: the two numbers of a row of the first table, without commas.
row() {
  sed -nE "s/^ +$1 +([0-9,]+) +([0-9,]+)\$/\1 \2/p" <<<"$output" | tr -d ,
}

# on_disk NAME: bytes of the files in a row of the second table or the third.
on_disk() {
  sed -nE "s/^  $1 +(.*)\$/\1/p" <<<"$output" | tr -d , | awk '{ print $3 }'
}

run
fits_80_columns
expect '^  results asked for +513,180 +513,180$'
expect '^  computed +17,280 +17,280$'
expect '^  entries at the end +17,280 +[1-9][0-9,]+$'
expect '^  evicted +0 +[1-9][0-9,]+$'
expect '^  touches written +[1-9][0-9,]+ +0$'
expect '^  bytes of memory, maximum +41,943,040 +1,507,328$'
expect '^  bytes of all entries written +4,113,480 +4,113,480$'

# The settings for a small device save writes, and the files keep their promised size.
read -r usual edge <<<"$(row 'bytes passed to write calls')"
((edge * 4 < usual))
read -r usual edge <<<"$(row commits)"
((edge * 4 < usual))
read -r usual edge <<<"$(row 'bytes of the file')"
read -r usual log <<<"$(row 'bytes of its log')"
((edge + log < 2 * 1024 * 1024 * 5 / 4 + 16 * 1024 * 1024))
((edge < 2 * 1024 * 1024 * 5 / 4))

# Ten times as many bytes as the limit: entries, their bytes and the oldest key are exact.
while read -r mib entries bytes oldest; do
  expect "^  $mib MiB +$entries +$bytes +[0-9,]+ +[0-9,]+  measurement:$oldest\$"
done <<'ROWS'
8 725 8,359,279 00078
16 729 8,320,084 00881
24 700 8,304,762 01683
32 703 8,317,770 02455
40 695 8,320,432 03219
48 705 8,320,189 03990
56 714 8,322,825 04768
64 708 8,317,053 05553
72 721 8,314,817 06336
80 713 8,320,981 07142
ROWS
expect_in_order <<'FACTS'
written 7,855, evicted 7,142
promised 27,305,708
FACTS

# Lower limits: the files become shorter, first by the worker and then by compact.
for name in max_bytes maintenance compact; do
  expect "^  $name +174 +2,080,357 +[0-9,]+ +[0-9,]+  measurement:07681\$"
done
expect '^  max_entries +100 +1,217,974 +[0-9,]+ +[0-9,]+  measurement:07755$'
before=$(on_disk max_bytes)
after=$(on_disk maintenance)
compacted=$(on_disk compact)
((before < 8 * 1024 * 1024 * 5 / 4 + 16 * 1024 * 1024))
((after < before / 2 && compacted <= after))
in_memory=$(sed -nE 's/^  80 MiB +//p' <<<"$output" | tr -d , | awk '{ print $4 }')
((in_memory > 512 * 1024))

expect_no_arguments
