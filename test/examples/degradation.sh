# shellcheck shell=bash
# Every answer is right and each fault is told. How many entries a full disk has room for is SQLite's
# affair, so numbers are looked at only where they are certain.

run
expect_as_told_but_numbers
expect '^  known and new ones +200 right: 100 hits, 100 computed,   0 dropped$'
expect '^  too many new ones +200 right:   0 hits, 200 computed, 1[0-9]{2} dropped$'
expect '^  some of them +40 right:  40 hits,   0 computed,   0 dropped$'
expect '^  what was known +100 right:   0 hits, 100 computed, 100 dropped$'
expect '^It goes: 1 table, as it was$'
# What a new file, or none, was asked for was computed.
expect '^  what was known +100 right:   0 hits, 100 computed,   0 dropped$'

expect_no_arguments
