# shellcheck shell=bash
# Sourced by test/run: the suite "bench". Each scenario of the benchmark runs for a moment, so that it
# cannot rot. Nothing is said about how quick anything is.

run_bench_suite() {
  local program=$build_directory/test/bench/suite scenario
  build "$build_directory" test/bench/suite
  say "running: bench"
  while read -r scenario _; do
    check "bench $scenario" run_scenario "$program" "$scenario"
  done < <("${launcher[@]}" "$program" --list)
  check "bench knows no other scenario" refuses_unknown_scenario "$program"
}

# A line of the table and an object of the JSON file, for the cache and for what it is compared with:
# plain SQLite, or itself with another setting.
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
