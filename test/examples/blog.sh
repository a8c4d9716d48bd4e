# shellcheck shell=bash
# What the comment at its head says.

run
expect_as_told

expect_no_arguments
