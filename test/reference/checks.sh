# shellcheck shell=bash
# Sourced by test/run: the suite "reference". Doxygen makes the API reference from the public
# headers.

run_reference_suite() {
  ensure_packages doxygen
  check "Doxygen accepts every comment of the public headers" make_reference
  check "the reference has a page for each main class" reference_is_complete
}

make_reference() {
  rm -rf "$build_root/reference"
  mkdir -p "$build_root/reference"
  (cd "$project_root" && doxygen test/reference/Doxyfile)
}

reference_is_complete() {
  local name
  for name in Cache Registry Resource Calculation Options Error Clock; do
    grep -rqE "<title>.*ashmemo::$name.* (Class|Struct) (Template )?Reference" \
      "$build_root/reference/html" || die "no page for $name"
  done
}
