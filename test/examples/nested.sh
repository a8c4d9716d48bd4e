# shellcheck shell=bash
# One batch for each level, the records of a level once, and the path of a cycle.

run
expect_as_told
expect ': 0 hits, 13 misses$'
expect '^cycle: these calculations need each other.s results:$'
expect '^  Task:3:start -> Task:4:start -> Task:3:start$'

expect_no_arguments
