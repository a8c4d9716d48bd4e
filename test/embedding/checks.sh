# shellcheck shell=bash
# Sourced by test/run: the suite "embedding". Builds the README's first program in every way that
# the README and the guides show, with their own lines: with ashmemo as a subproject, and with the
# installed library through pkg-config, CMake and Meson. Also builds and runs all other blocks of
# these documents.

run_embedding_suite() {
  local document
  embedding=$build_root/embedding-$compiler
  # The shell splits the output of pkg-config at blanks.
  [[ $embedding != *[[:space:]]* ]] || embedding=$(mktemp -d)
  rm -rf "$embedding"
  mkdir -p "$embedding/source" "$embedding/root"
  select_compiler "$compiler"
  copy_sources "$embedding/source"
  check "every code block of the documents is built or run" blocks_are_used
  check "the README names packages that every build needs" packages_are_named
  check "the README's lines install the headers, both libraries and the package files" installs
  check "the first program builds with pkg-config" in_first_program with_pkg_config
  check "the first program builds with CMake" in_first_program with_cmake
  check "the first program builds with CMake and the static library" in_first_program with_cmake_static
  check "the first program builds with Meson and the installed library" in_first_program with_meson
  check "the first program builds with ashmemo as a subproject" in_first_program as_subproject
  check "the installed program prints its version" installed_program_works
  check "the guide's first look works on the first program's file" look_inside
  check "the guide's questions are answered on the first program's file" questions_are_answered
  for document in "${documents[@]}"; do
    has_program "$document" || continue
    check "the C++ blocks of ${document#"$project_root"/} are one program that runs" blocks_run "$document"
  done
  check "the documents state the right sizes" sizes_are_right
  [[ $embedding == "$build_root"/* ]] || rm -rf "$embedding"
}

copy_sources() {
  project_files | tar -C "$project_root" --files-from=- -c | tar -C "$1" -x
}

# The named blocks that the checks of this suite and of test/cli/questions.sh use.
used_blocks=(first-program first-program-build packages install prefix with-pkg-config with-cmake
  with-cmake-build look-inside questions program)

blocks_are_used() {
  local document name language
  for document in "${documents[@]}"; do
    while read -r name language; do
      [[ $language == cpp && ($name == - || $name == outside) ]] && continue
      [[ " ${used_blocks[*]} " == *" $name "* ]] || printf '%s: %s %s\n' "$document" "$name" "$language"
    done < <(list_blocks "$document")
  done | fails_if_any "no check uses these blocks"
}

packages_are_named() {
  local package
  for package in $(document_block packages | tr -d "\\" | sed 's/apt-get install --[a-z-]*//'); do
    [[ " ${needed_packages[*]} " == *" $package "* ]] || die "not needed: $package"
  done
}

# Installs to embedding/root instead of /usr/local.
installs() {
  local lines setup='meson setup build'
  lines=$(document_block install)
  lines=${lines/#$setup/$setup --prefix=$(printf '%q' "$embedding/root")}
  (cd "$embedding/source" && bash -euo pipefail -c "$lines") &&
    installed libashmemo.a && installed libashmemo.so && installed ashmemo.pc &&
    installed ashmemoConfig.cmake && installed ashmemoConfigVersion.cmake && installed ashmemo.hpp
}

# installed NAME: the path of the installed file.
installed() {
  find "$embedding/root" -name "$1" | grep . || die "not installed: $1"
}

# in_first_program HOW: builds the program in an empty directory and runs it twice, so that the
# second run reads the results that the first one stored.
in_first_program() {
  local directory=$embedding/$1 first second
  mkdir "$directory"
  document_block first-program >"$directory/main.cpp"
  cd "$directory" || return 1
  use_installed
  "$1" >&2 || return 1
  first=$(find . -name first -type f -perm -u+x)
  second=$(timeout 60 "$first" && timeout 60 "$first") || return 1
  [[ $second == $'5\n13\n5\n13' ]] || die "the program printed: $second"
  [[ $(sqlite3 blog.cache.db 'SELECT entries FROM cache_overview') == 2 ]]
}

# Sets the variables of the guide, so that the installed library is found.
use_installed() {
  unset -f ashmemo  # a function of the suite "cli", which would hide the program
  # shellcheck disable=SC2034 # the guide's lines use it
  local prefix=$embedding/root
  eval "$(document_block prefix)"
}

with_pkg_config() {
  local line
  line=$(document_block with-pkg-config)
  eval "${line/#c++/$CXX -Wall -Wextra -Werror}"
}

with_cmake() {
  document_block with-cmake >CMakeLists.txt
  eval "$(document_block with-cmake-build | sed '1s/$/ -DCMAKE_BUILD_TYPE=Release "$@"/')"
}

with_cmake_static() {
  with_cmake -Dashmemo_USE_STATIC=ON && ! ldd build/first | grep libashmemo
}

with_meson() {
  document_block first-program-build >meson.build
  meson setup build -Dwerror=true && ninja -C build && ldd build/first | grep libashmemo
}

as_subproject() {
  unset PKG_CONFIG_PATH CMAKE_PREFIX_PATH
  mkdir subprojects
  ln -s "$embedding/source" subprojects/ashmemo
  document_block first-program-build >meson.build
  meson setup build -Dwerror=true && ninja -C build
}

# Uses the file of the first program.
look_inside() {
  local output
  cd "$embedding/with_pkg_config" || return 1
  output=$(bash -euo pipefail -c "$(document_block look-inside)") || return 1
  printf '%s\n' "$output"
  [[ $(grep -xcE 'Post:[12]:length\|(5|13)' <<<"$output") == 2 ]] &&
    [[ $(sqlite3 blog.cache.db 'SELECT entries FROM cache_overview') == 1 ]]
}

# The program finds its library without LD_LIBRARY_PATH.
installed_program_works() (
  use_installed
  unset LD_LIBRARY_PATH
  [[ $(command -v ashmemo) == "$embedding"/* ]] || die "another program: $(command -v ashmemo)"
  ldd "$(command -v ashmemo)" | grep libashmemo &&
    [[ $(ashmemo --version) == *"$(pkg-config --modversion ashmemo)"* ]]
)

# Uses the same file, which has one entry now.
questions_are_answered() (
  cd "$embedding/with_pkg_config" || return 1
  use_installed
  output=$(bash -euo pipefail -c "$(document_block questions)") || return 1
  printf '%s\n' "$output"
  grep -qE 'Post:1:length +│ 5 ' <<<"$output" && grep -qx ok <<<"$output" || return 1
  output=$(bash -euo pipefail -c "$(document_block program)") || return 1
  printf '%s\n' "$output"
  grep -qxE 'calculation +Post:length, version 1' <<<"$output"
)

# Whether the document has C++ blocks without a name: they are a program.
has_program() {
  list_blocks "$1" | grep -qx -- '- cpp'
}

# blocks_run DOCUMENT: builds and runs a program that begins as the first program. The document's
# blocks replace its last line; blocks named "outside" are before `main`.
blocks_run() (
  directory=$embedding/blocks-$(basename "$1" .md)
  mkdir "$directory"
  cd "$directory" || return 1
  use_installed
  {
    document_block first-program | sed '/^int main/,$d'
    cpp_blocks outside "$1"
    document_block first-program | sed -e '1,/^using/d' | sed -e '1,/^};/d' -e '/std::cout/,$d'
    cpp_blocks - "$1"
    printf '}\n'
  } >main.cpp
  eval "$CXX -std=c++20 -Wall -Wextra -Wno-unused -Werror main.cpp -o blocks" \
    "$(pkg-config --cflags --libs ashmemo)" && timeout 60 ./blocks && timeout 60 ./blocks
)

# The sizes in the documents, in KiB, are right within a fifth.
sizes_are_right() {
  strip -o "$embedding/library" "$(installed 'libashmemo.so.*.*.*')"
  strip -o "$embedding/program" "$embedding/with_cmake_static/build/first"
  is_about "$embedding/library" 'the shared library, stripped' &&
    is_about "$embedding/program" 'the first program with the static library, stripped'
}

is_about() {
  local stated real
  stated=$(sed -nE "s/^.*$2: ([0-9,]+) KiB.*\$/\\1/p" "${documents[@]}" | tr -d ,)
  real=$(($(stat -c %s "$1") / 1024))
  ((stated > 0 && real * 5 <= stated * 6 && real * 6 >= stated * 5)) ||
    die "$2: a document states ${stated:-nothing}, but it has $real KiB"
}
