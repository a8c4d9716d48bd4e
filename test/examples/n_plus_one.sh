# shellcheck shell=bash
# Queries, look-ups and calls are what they must be; times are not looked at.

run
expect_as_told_but_numbers
expect '^  no cache +5,100 +0 +5,000 +5,000 '
expect '^  cache, post by post, empty +5,100 +5,000 +5,000 +5,000 '
expect '^  cache, post by post, again +100 +5,000 +0 +0 '
expect '^  cache, page by page, empty +200 +100 +5,000 +100 '
expect '^  cache, page by page, again +100 +100 +0 +0 '

run 100
expect '^100 posts with 300 comments; 2 pages of 50 posts$'
expect '^  cache, page by page, empty +4 +2 +100 +2 '

run_for_status 2 99
expect 'POSTS'
expect_help
