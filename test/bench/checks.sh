# shellcheck shell=bash
# Sourced by test/run: the suite "bench". It runs each scenario of the benchmark for a moment and
# checks that the scenario works. It also draws a plot. It does not judge speed.

run_bench_suite() {
  local program=$build_directory/test/bench/suite scenario
  ensure_packages gnuplot-nox
  build "$build_directory" test/bench/suite
  say "running: bench"
  while read -r scenario _; do
    check "bench $scenario" run_scenario "$program" "$scenario"
  done < <("${launcher[@]}" "$program" --list)
  check "bench draws a plot that names each system" draws_plot "$program"
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

# draws_plot PROGRAM: the plot of a run must be XML, and must name each system that was measured.
# The JSON file of the run must give the same plot.
draws_plot() {
  local program=$1 directory system status=0
  local -A titles=([raw_sqlite]='plain SQLite' [lmdb]=LMDB [leveldb]=LevelDB
    [persistent_cache_cpp]=persistent-cache-cpp)
  directory=$(mktemp -d)
  "${launcher[@]}" timeout 120 "$program" hit_store put --smoke --entries 1000 \
    --json "$directory/results.json" --plot "$directory/plot.svg" 2>&1 </dev/null || status=1
  "${launcher[@]}" "$program" --from "$directory/results.json" --plot "$directory/again.svg" 2>&1 ||
    status=1
  cmp "$directory/plot.svg" "$directory/again.svg" || status=1
  python3 -c 'import sys, xml.dom.minidom as xml; xml.parse(sys.argv[1])' "$directory/plot.svg" ||
    status=1
  for system in "${!titles[@]}"; do
    grep -q "\"system\":\"$system\"" "$directory/results.json" || continue
    grep -q "<text>${titles[$system]}</text>" "$directory/plot.svg" && continue
    printf 'the plot does not name %s\n' "${titles[$system]}"
    status=1
  done
  rm -rf "$directory"
  return "$status"
}

refuses_unknown_scenario() {
  local status=0
  output=$("${launcher[@]}" "$1" no_such_scenario --smoke 2>&1) || status=$?
  printf '%s\n' "$output"
  ((status != 0)) && grep -q "unknown scenario: 'no_such_scenario'" <<<"$output"
}
