# shellcheck shell=bash
# Each calculation runs for what it misses, the expensive one once for a batch.

run
expect_as_told
expect '^  computed: word_count 4, reading_time 4, mood 4 in 1 call, keywords 4$'
expect '^  computed: nothing$'
expect '^  computed: mood 6 in 1 call$'

expect_no_arguments
