# shellcheck shell=bash
# Each calculation runs only for the records that it misses. The output is the same in each run.

run
fits_80_columns
expect_in_order <<'FACTS'
word_count ttl 1d
reading_time ttl 1d
mood ttl 1h
keywords ttl forever
characters not cached
1 9 words 3 s +1.00 garden rain
2 8 words 3 s -1.50 train delay
3 3 words 1 s +0.50 bread
hits 0, misses 15
computed: keywords 3 mood 3 mood_calls 1 reading_time 3 word_count 3
hits 12, misses 0
computed: nothing
characters 42 42 23; computed so far: 3
characters 42 42 23; computed so far: 6
Post:1:word_count = 9, 259 bytes
Post:2:word_count = 8, 259 bytes
Post:3:word_count = 3, 259 bytes
entries 12, bytes 3081
Post:1:word_count: reads 2, last at 22:13:20
Post:1:word_count: reads 3, last at 22:18:20
FACTS

# Two new posts on the page. Then the second post is edited.
expect_in_order <<'FACTS'
last at 22:18:20
1 9 words 3 s +1.00 garden rain
2 8 words 3 s -1.50 train delay
3 3 words 1 s +0.50 bread
4 2 words 1 s +0.00 walk
5 2 words 1 s -0.50 supper
hits 12, misses 10
computed: keywords 2 mood 2 mood_calls 1 reading_time 2 word_count 2
2 5 words 2 s +0.00 train
hits 16, misses 5
computed: keywords 1 mood 1 mood_calls 1 reading_time 1 word_count 1
stored at 22:13:20, expires at 23:13:20
23:13:19
hits 4, misses 0
23:13:20
hits 3, misses 1
computed: mood 1 mood_calls 1
FACTS

# After a restart with new code for the word count, and with the old code again, no result of the
# other code answers.
expect_in_order <<'FACTS'
23:13:20
word_count has version 1
3 3 words 1 s +0.50 bread
hits 19, misses 1
word_count has version 2
3 4 words 1 s +0.50 bread
hits 15, misses 5
computed: word_count 5
word_count has version 2
hits 20, misses 0
computed: nothing
word_count has version 1
3 3 words 1 s +0.50 bread
hits 15, misses 5
computed: word_count 5
FACTS

# One batch for each level, with each record once.
expect_in_order <<'FACTS'
bonus of authors: records 2
reach of articles: records 5
reach of feeds: records 3
reach 132 88 40: hits 0, misses 13
reach 132 88 40: hits 3, misses 0
part 2
FACTS
expect_text 'error cycle' 'Part:3:number -> Part:4:number -> Part:3:number'
[[ $(grep -c 'records' <<<"$output") == 3 ]] # the second load computes nothing

expect_no_arguments
