# shellcheck shell=bash
# Sourced by test/run and test/fuzz/renew_corpus: the suite "fuzz". libFuzzer runs each target for
# some seconds, beginning with the inputs in test/fuzz/corpus. The targets are always built with
# Clang, in a separate directory.

fuzz_targets=(codec file key log)
fuzz_directory=$build_root/clang-fuzz

# -entropic=0: selecting inputs by rare branches takes longer here than running the inputs.
# -max_len=160: such an input makes about 25 edits. Failures of longer inputs are hard to
# understand.
fuzz_options=(-max_len=160 -len_control=0 -entropic=0 -timeout=10 -rss_limit_mb=1024)

build_fuzz_targets() {
  ensure_packages clang
  ensure_clang_runtime
  configure "$fuzz_directory" clang "-Dwerror=$werror" -Dbuildtype=debugoptimized -Db_lundef=false \
    "-Db_sanitize=address,undefined" \
    "-Dcpp_args=-fsanitize=fuzzer-no-link -fno-sanitize-recover=all -fno-omit-frame-pointer"
  build "$fuzz_directory" "${fuzz_targets[@]/#/test/fuzz/}"
}

run_fuzz_suite() {
  local seconds=$1 target tried
  build_fuzz_targets
  rm -f "$fuzz_directory"/*.log
  say "running: fuzz, $seconds seconds a target"
  for target in "${fuzz_targets[@]}"; do
    check "fuzz $target" run_fuzz_target "$target" "$seconds"
    tried=$(tried_inputs "$target")
    [[ -z $tried ]] || say "fuzz $target: $tried inputs"
  done
}

# run_fuzz_target TARGET SECONDS: saves new inputs, which the next run begins with, and inputs that
# fail in the build directory.
run_fuzz_target() {
  local target=$1 seconds=$2 found=$fuzz_directory/corpus/$1 artifacts=$fuzz_directory/artifacts/$1
  local log=$fuzz_directory/$1.log status=0
  mkdir -p "$found" "$artifacts"
  run_fuzzer "$target" "-max_total_time=$seconds" -print_final_stats=1 \
    "-artifact_prefix=$artifacts/" "$found" "$project_root/test/fuzz/corpus/$target" >"$log" 2>&1 || status=$?
  ((status != 0)) || return 0
  tail -n 60 "$log"
  printf '%s ended with status %s; its input is a file in %s; run it again with\n  %s FILE\n' \
    "$target" "$status" "$artifacts" "$fuzz_directory/test/fuzz/$target"
  return 1
}

tried_inputs() {
  sed -n 's/^stat::number_of_executed_units: *//p' "$fuzz_directory/$1.log" 2>/dev/null || true
}

# run_fuzzer TARGET ARGUMENT...: uses a file system in memory if there is one, because a target
# writes its files some hundred times a second.
run_fuzzer() {
  local target=$1 scratch parent=${TMPDIR:-/tmp} status=0
  shift
  [[ -d /dev/shm && -w /dev/shm ]] && parent=/dev/shm
  scratch=$(mktemp -d "$parent/ashmemo-fuzz-XXXXXX")
  TMPDIR=$scratch ASAN_OPTIONS=quarantine_size_mb=8:malloc_context_size=10 \
    timeout --kill-after=10 "$suite_seconds" \
    "$fuzz_directory/test/fuzz/$target" "${fuzz_options[@]}" "$@" </dev/null || status=$?
  rm -rf "$scratch"
  return "$status"
}
