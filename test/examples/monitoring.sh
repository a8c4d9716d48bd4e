# shellcheck shell=bash
# The output in lines and in a terminal, and the file for Prometheus by the rules of promtool.

frames=5
requests=$((frames * 20 * 20 * 2)) # pages, articles in each, calculations on each

# sample NAME LABEL: the value of this sample in metrics.prom.
sample() {
  sed -nE "s/^ashmemo_$1\\{[^}]*$2[^}]*\\} (.*)\$/\1/p" metrics.prom
}

# The rules: a help text and a type before each sample, _total at the end of counters only, no
# abbreviated units, escaped values.
is_valid_for_prometheus() {
  awk '
    function refuse(why) { printf "line %d: %s: %s\n", NR, why, $0; bad = 1 }
    BEGIN { label = "[a-z_]+=\"([^\"\\\\]|\\\\[\\\\\"n])*\"" }
    /^# HELP [a-z_]+ .+/ { if ($3 in help) refuse("a second help"); help[$3] = 1; next }
    /^# TYPE [a-z_]+ (counter|gauge)$/ {
      if (!($3 in help) || ($3 in type)) refuse("a type without help, or a second one")
      type[$3] = $4
      if (($4 == "counter") != ($3 ~ /_total$/)) refuse("_total is for counters")
      if ($3 ~ /_(ms|us|milliseconds|microseconds|kb|kib|mb|mib|count|sum|bucket|counter|gauge)(_|$)/)
        refuse("a name that promtool does not like")
      latest = $3
      next
    }
    {
      name = $0
      sub(/\{.*/, "", name)
      if (name != latest) refuse("a sample outside of its family")
      if ($0 !~ "^[a-z_]+\\{" label "(," label ")*\\} [0-9.e+-]+$") refuse("not a sample")
      if (seen[$0]++) refuse("twice the same")
      samples++
    }
    END { if (samples < 30) { print "too few samples"; bad = 1 }; exit bad }
  ' metrics.prom
}

run --frames "$frames" --every 0 --cache 'a "cache" \ of
mine.db' --prometheus metrics.prom
fits_80_columns
[[ $(grep -cE '^health ok, hit ratio [0-9.]+ %, entries [0-9,]+, evicted [0-9,]+, notices [01]$' \
  <<<"$output") == "$frames" ]]
[[ $(wc -l <<<"$output") == "$frames" ]]
cat metrics.prom
is_valid_for_prometheus
grep -qF 'cache="a \"cache\" \\ of\nmine.db",version="' metrics.prom
if command -v promtool >/dev/null; then promtool check metrics <metrics.prom; fi

# The numbers of the last frame belong together.
hits=$(sample requests_total 'result="hit"')
((hits + $(sample requests_total stale_hit) + $(sample requests_total miss) == requests))
(($(sample calculation_hits_total summary) + $(sample calculation_misses_total summary) ==
  requests / 2))
(($(sample puts_total '') == $(sample computed_total '')))
(($(sample entries '') <= 2000 && $(sample entries '') > 0))
(($(sample removals_total evicted) + $(sample removals_total expired) > 0))
(($(sample notices_total refused) == 1))
(($(sample health 'state="ok"') == 1 && $(sample health degraded) == 0))

# No temporary file remains beside the file. An error names a file that cannot be written.
[[ $(find . -name 'metrics.prom*') == ./metrics.prom ]]
run_for_status 1 --frames 1 --every 0 --prometheus no/such/directory/metrics.prom
expect '^monitoring: no/such/directory/metrics\.prom: '
for number in 0 -1 1.5 many; do
  run_for_status 2 --frames "$number"
  expect '^--frames: '
done
run_for_status 2 --every=-1
expect_help

# Without a place for the cache file the program goes on.
run --frames 1 --every 0 --cache no/such/directory/cache.db
expect '^health unavailable, '

# A signal ends the program at once, also during a long frame, and its temporary files are removed.
mkdir temporary
for signal in INT TERM; do
  # shellcheck disable=SC2086 # the launcher is words
  coproc asked { TMPDIR=$PWD/temporary exec $launcher "$example" --every 100000 2>&1 </dev/null; }
  asked_pid=$asked_PID
  IFS= read -r output <&"${asked[0]}"
  kill -s "$signal" "$asked_pid"
  wait "$asked_pid" || true
  [[ $output == 'health '* ]]
  [[ $(ls temporary) == '' ]]
done

# in_window COLUMNS ROWS: in a terminal of this size each frame fits and replaces the one before.
in_window() {
  local screen
  screen=$(TERM=xterm script -qec \
    "stty cols $1 rows $2; ${launcher[*]} '$example' --frames 3 --every 0" /dev/null </dev/null)
  printf '%s\n' "$screen"
  (($(grep -cE $'\033\\[[0-9]+A\033\\[J' <<<"$screen") == 2))
  (($(grep -c '^.*health  *ok ' <<<"$screen") == 3))
  sed 's/\x1b\[[0-9]*[AJ]//g; s/\r$//' <<<"$screen" |
    awk -v columns="$1" -v rows="$2" '
      length >= columns { exit 1 }
      /^health/ { lines = 0 }
      ++lines >= rows { exit 1 }'
}

if has_pseudo_terminal; then
  in_window 80 24
  in_window 50 12
  in_window 200 50
  # shellcheck disable=SC2086 # the launcher is words
  screen=$(TERM=dumb script -qec "$launcher '$example' --frames 1" /dev/null </dev/null)
  [[ $screen == 'health ok, hit ratio '* ]]

  # The terminal does not execute the keys in a file of another program.
  run --frames 1 --every 0 --cache named.db
  sqlite3 named.db "UPDATE cache_entries SET cache_key = cache_key || char(27) || '[31m', computed_at = 0,
    fresh_until = NULL, expires_at = 1, keep_until = NULL"
  screen=$(TERM=xterm script -qec \
    "stty cols 120 rows 40; ${launcher[*]} '$example' --frames 9 --every 0 --cache named.db" \
    /dev/null </dev/null)
  [[ $screen == *'\x1B[31m'* && $screen != *$'\033[31m'* ]]
fi
