# shellcheck shell=bash
# Pages and bytes are SQLite's and the system's affair; what is computed, kept and touched is certain.

# row NAME: the two numbers of a row, without commas.
row() {
  sed -nE "s/^ +$1 +([0-9,]+) +([0-9,]+)\$/\1 \2/p" <<<"$output" | tr -d ,
}

run
expect_as_told_but_numbers
expect '^  results asked for +513,180 +513,180$'
expect '^  computed +17,280 +17,280$'
expect '^  evicted +0 +[1-9][0-9,]+$'
expect '^  touches written +[1-9][0-9,]+ +0$'
expect '^    of memory, at most +37,748,736 +1,441,792$'
expect '^    of the entries written +3,845,880 +3,845,880$'

# The settings do what they are for, and the promise about the disk holds.
read -r usual edge <<<"$(row "written, by the system's count")"
((edge * 4 < usual))
read -r usual edge <<<"$(row commits)"
((edge * 4 < usual))
read -r usual edge <<<"$(row 'of the file')"
read -r usual log <<<"$(row 'of its log')"
((edge + log < 2 * 1024 * 1024 * 5 / 4 + 16 * 1024 * 1024))
((edge < 2 * 1024 * 1024 * 5 / 4))

expect_no_arguments
