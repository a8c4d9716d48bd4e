# shellcheck shell=bash
# Many times, because threads do not meet in the same way each time: no record is computed twice.

for _ in {1..20}; do
  run
  expect_as_told
  expect ' 450 computed, 350 joined$'
done

expect_no_arguments
