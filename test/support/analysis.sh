# shellcheck shell=bash
# Sourced by test/run: the suites "tidy" and "coverage".

coverage_goal=95  # percent of the lines of src and include

# Runs clang-tidy with the rules in .clang-tidy. Each source file is one test and covers its
# headers.
run_tidy_suite() {
  local directory=$build_root/clang logs file tool=clang-tidy
  ensure_packages clang clang-tidy
  command -v clang-tidy-14 >/dev/null && tool=clang-tidy-14 # the rules are written for this version
  configure "$directory" clang "-Dwerror=$werror" -Dbuildtype=debugoptimized
  logs=$directory/tidy
  rm -rf "$logs"
  say "running: tidy"
  # shellcheck disable=SC2016 # the inner shell expands them
  tidy_sources | xargs -P "$(nproc)" -I '{}' bash -c '
    mkdir -p "$3/${4%/*}"
    "$1" -p "$2" --quiet "$4" >"$3/$4.log" 2>/dev/null || touch "$3/$4.failed"
  ' _ "$tool" "$directory" "$logs" '{}'
  while IFS= read -r file; do
    check "tidy $file" passed_tidy "$logs/$file"
  done < <(tidy_sources)
}

tidy_sources() {
  project_files 'src/*.cpp' 'test/support/*.cpp'
}

passed_tidy() {
  cat "$1.log" && [[ ! -e $1.failed ]]
}

# Counts the lines of the library that the suites "unit" and "system" run, in a separate build.
run_coverage_suite() {
  local directory=$build_root/gcc-coverage each
  ensure_packages gcovr
  configure "$directory" gcc "-Dwerror=$werror" -Dbuildtype=debug -Db_coverage=true
  build "$directory" test/unit/unit test/system/system
  find "$directory" -name '*.gcda' -delete
  for each in unit system; do
    say "running: $each, counting lines"
    check "coverage: the suite $each" timeout "$suite_seconds" "$directory/test/$each/$each" </dev/null
  done
  check "coverage of $coverage_goal % of the lines" report_coverage "$directory"
}

# Prints the files whose coverage is below the goal. coverage.txt lists all files.
report_coverage() {
  local report=$1/coverage.txt status=0
  (cd "$project_root" && gcovr --root . --filter src/ --filter include/ --exclude-throw-branches \
    --gcov-ignore-parse-errors --print-summary --fail-under-line "$coverage_goal" \
    --json-summary "$1/coverage.json" --txt "$report" "$1") >&2 || status=$?
  say "below $coverage_goal % (all in ${report#"$project_root"/}):"
  awk -v goal="$coverage_goal" \
    'match($0, /[0-9]+%/) && (/^TOTAL/ || substr($0, RSTART, RLENGTH) + 0 < goal)' "$report" >&2
  return "$status"
}
