# shellcheck shell=bash
# A changed record and a changed calculation: never an old result, upgrading or downgrading.

run
expect_as_told
expect 'upgraded: +words 5 3, 2 computed$'
expect 'downgraded: +words 4 3, 2 computed$'

expect_no_arguments
