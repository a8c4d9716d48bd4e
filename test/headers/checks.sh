# shellcheck shell=bash
# Sourced by test/run: the suite "headers", which checks rules for the sources and documents.

# A folder of src may include headers of itself and of the folders before it in this list.
source_folders=(base store eviction memory engine maintenance api cli)

run_headers_suite() {
  check_headers_alone
  check_ranges
  check_mistakes
  check_lock_order
  check "public headers include only the standard library and each other" only_public_includes
  check "a folder of src includes no higher one" only_lower_includes
  check "only the store knows SQLite" sqlite_in_store_only
  check "every table of texts uses the hash with a seed" tables_use_seeded_hash
  check "the program uses public headers only" cli_uses_public_headers
  check "tests can replace every system call" system_calls_are_replaceable
  check "every source is in its meson.build" sources_are_listed
  check "the top level is as it was laid out" top_level_is_fixed
  check "no file has more than 900 lines" files_are_short
  check "no line of C++ has more than 100 columns" lines_are_short
  check "the members of a class are in one source file" layout members
  check "no files of a folder include each other in a circle" layout circles
  check "comments and documents are in plain English" plain_english
  check "no test returns from a SUBCASE" subcases_do_not_return
  check "no path or host of one machine" nothing_of_one_machine
  check "the README names both commands" readme_names_commands
  check "the links of every document lead to files" links_lead_to_files
  check "the filters in the documents find tests" filters_find_tests
  check "every public operation is tried with faults of the system" operations_meet_faults
}

warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror)

check_headers_alone() {
  local compiler header
  for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null || continue
    for header in $(project_files 'include/ashmemo/*.hpp'); do
      check "${header#include/} compiles alone with $compiler" \
        compiles_alone "$compiler" "${header#include/}"
    done
  done
}

# Includes the header twice, so that a header without its guard fails.
compiles_alone() {
  printf '#include <%s>\n' "$2" "$2" |
    "$1" -std=c++20 "${warnings[@]}" -fsyntax-only -I "$project_root/include" -x c++ -
}

# test/headers/ranges.hpp asserts which ranges compile and which do not.
check_ranges() {
  local compiler
  for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null || continue
    check "only ranges with lasting elements compile with $compiler" \
      "$compiler" -std=c++20 "${warnings[@]}" -fsyntax-only -I "$project_root/include" \
      -include "$project_root/test/headers/ranges.hpp" -x c++ /dev/null
  done
}

# Each program of test/headers/mistakes has one usual mistake. The only error names it in a sentence
# of this library. At most five lines follow it. Excerpts of the sources are not counted, and neither
# are the lines before the error, in which the compiler says which calls led to it.
check_mistakes() {
  local compiler mistake
  for compiler in g++ clang++; do
    command -v "$compiler" >/dev/null || continue
    for mistake in $(project_files 'test/headers/mistakes/*.cpp'); do
      check "$compiler explains $(basename "$mistake" .cpp)" \
        explains_mistake "$compiler" "$project_root/$mistake"
    done
  done
}

explains_mistake() {
  local output lines
  output=$(LC_ALL=C "$1" -std=c++20 -Wall -fsyntax-only -I "$project_root/include" "$2" 2>&1) && {
    printf 'it compiles\n'
    return 1
  }
  lines=$(sed -n '/error:.*ashmemo:/,$p' <<<"$output" | lines_with '^[^ ]+: |^In file')
  [[ $(grep -cE 'error:' <<<"$output") == 1 && -n $lines && $(wc -l <<<"$lines") -le 6 ]] || {
    printf '%s\n' "$output"
    return 1
  }
}

check_lock_order() {
  check "every mutex has a level of the lock order" mutexes_have_levels
  command -v clang++ >/dev/null || return 0
  check "Clang reports a mutex that is locked inside of one with a larger level" clang_knows_the_order
}

mutexes_have_levels() {
  (cd "$project_root" && grep -rnE '^ *(mutable |alignas\(64\) )*(base::)?Mutex [a-z_]+' src) |
    lines_with -v 'ASHMEMO_LOCK_LEVEL\([1-5]\);' |
    fails_if_any "a mutex without a level (see src/base/mutex.hpp)"
}

clang_knows_the_order() {
  locks_in_order outer inner || return 1
  if locks_in_order inner outer 2>/dev/null; then
    printf 'Clang accepted the wrong order\n'
    return 1
  fi
}

# locks_in_order FIRST SECOND: compiles a function that locks the mutexes `outer` and `inner`.
locks_in_order() {
  clang++ -std=c++20 -Werror=thread-safety -Wthread-safety-beta -fsyntax-only \
    -I "$project_root/src" -x c++ - <<PROGRAM
#include "base/mutex.hpp"
struct Example {
  ashmemo::base::Mutex outer ASHMEMO_LOCK_LEVEL(2);
  ashmemo::base::Mutex inner ASHMEMO_LOCK_LEVEL(5);
  void lock_both() {
    const ashmemo::base::Lock first($1);
    const ashmemo::base::Lock second($2);
  }
};
PROGRAM
}

# includes FILE...: prints "FILE:HEADER" for each #include. HEADER has its < > or quotes.
includes() {
  (cd "$project_root" && (($#)) && grep -HoP '^\s*#\s*include\s*\K[<"][^>"]*[>"]' "$@") || true
}

# fails_if_any MESSAGE: if standard input has lines, prints them and fails.
fails_if_any() {
  local lines
  lines=$(cat)
  [[ -z $lines ]] || {
    printf '%s:\n%s\n' "$1" "$lines"
    return 1
  }
}

# lines_with ARGUMENT...: as grep -E, but succeeds if no line matches.
lines_with() {
  grep -E "$@" || true
}

# folders_up_to FOLDER: prints a pattern of the folders of src up to this one: FOLDER|FOLDER.
folders_up_to() {
  printf '%s\n' "${source_folders[@]}" | sed "/^$1\$/q" | paste -sd '|'
}

only_public_includes() {
  mapfile -t files < <(project_files 'include/*.hpp')
  includes "${files[@]}" |
    lines_with -v ':<[a-z_]+>$|:<ashmemo/[a-z_/]+\.hpp>$|^include/ashmemo/json\.hpp:<nlohmann/' |
    fails_if_any "a public header includes"
}

# Checks every folder of src, also a folder that is not in source_folders.
only_lower_includes() {
  local folder
  for folder in $(project_files 'src/*/*.hpp' 'src/*/*.cpp' | cut -d/ -f2 | sort -u); do
    mapfile -t files < <(project_files "src/$folder/*.hpp" "src/$folder/*.cpp")
    [[ " ${source_folders[*]} " == *" $folder "* ]] || printf 'unknown: src/%s\n' "$folder"
    includes "${files[@]}" | lines_with ':"' |
      lines_with -v ":\"($(folders_up_to "$folder"))/[a-z0-9_/]+\.hpp\"\$"
  done | fails_if_any "a source includes"
}

sqlite_in_store_only() {
  mapfile -t sources < <(project_files 'src/*.hpp' 'src/*.cpp' 'include/*.hpp' |
    lines_with -v '^src/store/')
  mapfile -t tests < <(project_files 'test/*.hpp' 'test/*.cpp' |
    lines_with -v '^test/(support|system|bench)/')
  {
    includes "${sources[@]}" | lines_with 'SQLiteCpp|sqlite3'
    includes "${tests[@]}" | lines_with 'SQLiteCpp'
  } | fails_if_any "not allowed (tests: sqlite3.h anywhere, SQLiteCpp in support and system only)"
}

# Finds direct calls like ::open(. They must go through base/system_calls.hpp, so that tests can
# replace them. The pattern has the names of this header, and names that it does not have yet.
system_calls_are_replaceable() {
  local names
  names=$(sed -n 's/^ASHMEMO_SYSTEM_CALL(\(.*\));$/\1/p' "$project_root/src/base/system_calls.hpp" |
    paste -sd '|')
  mapfile -t files < <(project_files 'src/*.hpp' 'src/*.cpp')
  (cd "$project_root" && {
    lines_with -n "(^|[^a-z])::($names|fdatasync|ftruncate|link|mkdir|mmap|openat|read|stat|write)\(" \
      "${files[@]}"
    # Of std::filesystem only paths: their functions make no system calls.
    lines_with -n "(^|[^a-z])(filesystem|fs)::([a-oq-z]|p[b-z])" "${files[@]}" |
      lines_with -v '^src/cli/'
  }) | fails_if_any "use base/system_calls.hpp here"
}

# Without the seed, users who choose keys could find many with one hash (base/key_hash.hpp).
tables_use_seeded_hash() {
  mapfile -t sources < <(project_files 'src/*.hpp' 'src/*.cpp' 'include/*.hpp' |
    lines_with -v '^src/base/key_hash[.]hpp')
  (cd "$project_root" &&
    lines_with -n '(std::hash|unordered_(multi)?(map|set))<std::string' "${sources[@]}") |
    fails_if_any "use base::KeyHash, KeyMap or KeyMultimap here"
}

cli_uses_public_headers() {
  mapfile -t files < <(project_files 'src/cli/*.hpp' 'src/cli/*.cpp')
  includes "${files[@]}" | lines_with ':"' | lines_with -v ':"cli/' |
    fails_if_any "the program includes"
}

# The nearest meson.build above each source file must name the file. The programs of
# test/headers/mistakes do not compile.
sources_are_listed() {
  local file folder
  for file in $(project_files '*.cpp' | lines_with -v '^test/headers/mistakes/'); do
    folder=$(dirname "$file")
    while [[ ! -e $project_root/$folder/meson.build ]]; do
      folder=$(dirname "$folder")
    done
    grep -qF "'${file#"$folder"/}'" "$project_root/$folder/meson.build" || printf '%s\n' "$file"
  done | fails_if_any "not in any meson.build"
}

top_level_is_fixed() {
  project_files | cut -d/ -f1 | sort -u |
    lines_with -vx '\..+|meson\.build|src|include|subprojects|examples|test|README\.md|LICENSE' |
    fails_if_any "the top level has"
}

files_are_short() {
  local file
  for file in $(project_files '*.cpp' '*.hpp'); do
    (($(wc -l <"$project_root/$file") <= 900)) || printf '%s\n' "$file"
  done | fails_if_any "too long"
}

# The formatter does not wrap comments.
lines_are_short() {
  mapfile -t files < <(project_files '*.cpp' '*.hpp')
  (cd "$project_root" && lines_with -n '.{101}' "${files[@]}") | fails_if_any "too long"
}

layout() {
  python3 "$project_root/test/headers/layout.py" "$1" | fails_if_any "see test/headers/layout.py"
}

# See CONTRIBUTING.md. `test/headers/plain_english.py --list` prints the places.
plain_english() {
  (cd "$project_root" && python3 test/headers/plain_english.py)
}

# doctest runs a test once for each SUBCASE that it has reached. A return from an earlier SUBCASE
# prevents that.
subcases_do_not_return() {
  mapfile -t files < <(project_files 'test/*.cpp' 'test/*.hpp')
  { (cd "$project_root" && grep -HPzo 'SUBCASE\([^{}]*\)\s*\{\s*return\b' "${files[@]}") || true; } |
    tr '\0' '\n' | fails_if_any "only the first of several runs"
}

# Only the wraps may name a host to download from. All other files must work on any machine.
nothing_of_one_machine() {
  local paths='(^|[^A-Za-z0-9_.~])/(work|home|root|mnt|srv|Users)/'
  local hosts='(deb|archive|security|registry|pypi|crates|index|proxy|static)[.][a-z0-9.-]*(org|com|io|net|dev)\b'
  local outside='[.][.]/(shared|[.]library)'
  mapfile -t files < <(project_files | lines_with -v '^subprojects/.*\.wrap$')
  (cd "$project_root" && lines_with -In "$paths|$hosts|$outside" "${files[@]}") |
    fails_if_any "found"
}

readme_names_commands() {
  local command
  for command in './examples/run' './test/run'; do
    grep -qxE " *$command" "$project_root/README.md" || printf '%s\n' "$command"
  done | fails_if_any "the README has no line"
}

# Skips code blocks, because a lambda looks like a link, and links to other sites (with a colon).
links_lead_to_files() {
  local file link
  for file in $(project_files '*.md'); do
    while read -r link; do
      [[ -e $project_root/$(dirname "$file")/$link ]] || printf '%s: %s\n' "$file" "$link"
    done < <(sed "/^\`\`\`/,/^\`\`\`\$/d" "$project_root/$file" | grep -oP '\]\(\K[^)#:]+(?=[)#])')
  done | fails_if_any "these links lead to no file"
}

# A name of a test in quotes: --filter 'NAME' or --test-case='*NAME*'.
filters_find_tests() {
  local name
  while read -r name; do
    grep -rqF --include='*.cpp' --include='*.sh' -- "$name" "$project_root/test" || printf '%s\n' "$name"
  done < <(cd "$project_root" &&
    sed -nE "s/.*--(filter |test-case=)'\*?([a-z ]+)\*?'.*/\2/p" test/README.md .github/CONTRIBUTING.md) |
    fails_if_any "no test has this in its name"
}

# Classes that do not use the file of a cache.
without_file=(
  Clock ManualClock Executor  # implemented by the application
  Error CalculationFailed     # exceptions
  Duration Limit Records Keys Value ValueView BoundCalculation # plain values
)

# operations_of CLASS HEADER: prints the names of its public functions, without constructors,
# assignments and conversions.
operations_of() {
  sed -n "/^class $1 .*{\$/,/^};/p" "$project_root/$2" |
    sed -E '/^ private:/,$d; /^ *\/\//d; /operator bool/d; s/\{.*//' |
    sed -nE 's/^  (\S.*[ &])?(operator\(\)|[a-z]\w*)\(.*/\2/p' | sort -u
}

# is_called OPERATION RECEIVER...: whether a test calls it on RECEIVER() or RECEIVER_.
is_called() {
  local operation=$1 receivers call
  shift
  (($#)) || return 1
  receivers=$(IFS='|' && printf '%s' "$*")
  call="(\(\)\s*\.|_->)\s*$operation\s*[(<]"
  [[ $operation == 'operator()' ]] && call='\(\)\('
  cat "$project_root"/test/faults/*.cpp | grep -Pzq "\b($receivers)$call"
}

# A RECEIVER is a function in a header of test/faults that returns a reference: `Cache& cache();`.
operations_meet_faults() {
  local header class operation operations receivers
  while IFS=: read -r header class; do
    [[ " ${without_file[*]} " == *" $class "* ]] && continue
    mapfile -t receivers < <(grep -hoP "\b$class(<.*>)?& \K\w+(?=\(\))" \
      "$project_root"/test/faults/*.hpp)
    mapfile -t operations < <(operations_of "$class" "$header")
    ((${#operations[@]})) || printf '%s: has it no operations?\n' "$class"
    for operation in "${operations[@]}"; do
      is_called "$operation" "${receivers[@]}" || printf '%s::%s\n' "$class" "$operation"
    done
  done < <(cd "$project_root" && grep -oP '^class \K\w+(?= .*\{$)' include/ashmemo/*.hpp) |
    fails_if_any "test/faults never calls"
}
