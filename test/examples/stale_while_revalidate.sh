# shellcheck shell=bash
# Old values while a refresh runs and while the source is down; calls pause up to a minute.

run
expect_as_told
expect '^ 10:00  rates 1 1 1, calls of the source: 1$'
expect '^ 23:03  called$'
expect '^ 40:00  rates 2 2 2, calls of the source: 12$'

expect_no_arguments
