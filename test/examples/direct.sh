# shellcheck shell=bash
# The key-value calls, and what an application writes around them.

run
expect_as_told
expect 'squares of 3 4 5: 9 16 25, computed together: 1$'

expect_no_arguments
