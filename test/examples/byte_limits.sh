# shellcheck shell=bash
# How full SQLite's pages are and what memory takes for a copy is their own affair; what is kept,
# what it counts as, and what leaves, is certain. The program itself fails if a limit does not hold.

# without_bytes: the same text without the bytes of file and log, and of memory.
without_bytes() {
  sed -E -e 's/ +[0-9,]+ +[0-9,]+  (measurement:[0-9]+)$/ N N  \1/' \
    -e 's/^(on the disk at most) .*/\1 N/'
}

# bytes_of ROW COLUMN: a number of one of the last rows, without commas.
bytes_of() {
  sed -nE "s/^  $1 +(.*)\$/\1/p" <<<"$output" | tr -d , | awk -v column="$2" '{ print $column }'
}

run
diff <(told | without_bytes) <(without_bytes <<<"$output") ||
  { printf 'the head of its main.cpp says otherwise\n'; exit 1; }

# The file is shorter than what was written, and shorter again under the lower limit.
before=$(bytes_of before 3)
worked=$(bytes_of 'worker done' 3)
compacted=$(bytes_of 'compact\(\)' 3)
((before < 8 * 1024 * 1024 * 5 / 4 + 16 * 1024 * 1024))
((worked < before / 2 && compacted <= worked))
(($(bytes_of before 4) > 512 * 1024))

expect_no_arguments
