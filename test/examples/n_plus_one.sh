# shellcheck shell=bash
# The numbers of queries, lookups and calls are exact. Times are not checked.

run
fits_80_columns
expect_in_order <<'FACTS'
10,000 posts with 30,000 comments; 100 pages of 50 posts
no cache 5,100 0 5,000 5,000
post by post, empty cache 5,100 5,000 5,000 5,000
post by post, again 100 5,000 0 0
whole pages, empty cache 200 100 5,000 100
whole pages, again 100 100 0 0
first 800 0 450 350 450 1
again 800 800 0 0 450 1
FACTS

run 100
expect_in_order <<'FACTS'
100 posts with 300 comments; 2 pages of 50 posts
whole pages, empty cache 4 2 100 2
first 800 0 100 700 100 1
FACTS

# The threads run in a different order each time. No result is computed twice.
for _ in {1..20}; do
  run 450
  expect_in_order <<'FACTS'
first 800 0 450 350 450 1
again 800 800 0 0 450 1
FACTS
done

run_for_status 2 99
expect 'POSTS'
expect_help
