# shellcheck shell=bash
# Sourced by test/run: the suite "bench". It runs each scenario of the benchmark for a moment and
# checks that the scenario works. It does not judge speed.

run_bench_suite() {
  local program=$build_directory/test/bench/suite scenario
  build "$build_directory" test/bench/suite
  say "running: bench"
  while read -r scenario _; do
    check "bench $scenario" run_scenario "$program" "$scenario"
  done < <("${launcher[@]}" "$program" --list)
  check "bench refuses an unknown scenario" refuses_unknown_scenario "$program"
}

# run_scenario PROGRAM SCENARIO: the table must have a line, and the JSON file an object, for each
# system: the cache and plain SQLite. The scenario "tuning" compares the cache with other settings
# of itself.
run_scenario() {
  local program=$1 scenario=$2 json system systems=(ashmemo raw_sqlite) status=0
  [[ $scenario == tuning ]] && systems=('memory 0' 'commit')
  json=$(mktemp)
  output=$("${launcher[@]}" timeout 120 "$program" "$scenario" --smoke --json "$json" 2>&1 </dev/null) ||
    status=$?
  printf '%s\n' "$output"
  for system in "${systems[@]}"; do
    grep -qE "^${scenario}[ ,].* $system +[0-9,]+ +[0-9]+ +[0-9]+ " <<<"$output" || status=1
    grep -qE "^\{\"scenario\":\"$scenario\",.*\"system\":\"$system\",\"entries\":[0-9]+," "$json" ||
      status=1
  done
  rm -f "$json"
  return "$status"
}

refuses_unknown_scenario() {
  local status=0
  output=$("${launcher[@]}" "$1" no_such_scenario --smoke 2>&1) || status=$?
  printf '%s\n' "$output"
  ((status != 0)) && grep -q "unknown scenario: 'no_such_scenario'" <<<"$output"
}
