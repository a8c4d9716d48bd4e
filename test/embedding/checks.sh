# shellcheck shell=bash
# Sourced by test/run: the suite "embedding". The README's first program, built in every way that the
# README shows, word by word: with ashmemo as a subproject, and with the library that its own lines
# install, through pkg-config, CMake and Meson.

run_embedding_suite() {
  embedding=$build_root/embedding-$compiler
  # What pkg-config prints is taken apart at blanks.
  [[ $embedding != *[[:space:]]* ]] || embedding=$(mktemp -d)
  rm -rf "$embedding"
  mkdir -p "$embedding/source" "$embedding/root"
  select_compiler "$compiler"
  copy_sources "$embedding/source"
  check "the README names packages that every build needs" packages_are_named
  check "the README's lines install headers, both libraries and what describes them" installs
  check "the first program with pkg-config" in_first_program with_pkg_config
  check "the first program with CMake" in_first_program with_cmake
  check "the first program with CMake, the library static" in_first_program with_cmake_static
  check "the first program with Meson and the installed library" in_first_program with_meson
  check "the first program with ashmemo as a subproject" in_first_program as_subproject
  check "the installed program runs, and tells its version" installed_program_works
  check "the README's look into the first program's file" look_inside
  check "the README's questions about the first program's file" questions_are_answered
  check "the README's blocks of C++, one after the other, are a program that runs" blocks_run
  check "the sizes in the README" sizes_are_as_told
  [[ $embedding == "$build_root"/* ]] || rm -rf "$embedding"
}

copy_sources() {
  project_files | tar -C "$project_root" --files-from=- -c | tar -C "$1" -x
}

# readme_block NAME: the code block after the line <!-- NAME -->.
readme_block() {
  sed -n "/^<!-- $1 -->\$/,/^\`\`\`\$/p" "$project_root/README.md" | sed -e '1,/^```/d' -e '/^```$/d' |
    grep . || die "the README has no block $1"
}

packages_are_named() {
  local package
  for package in $(readme_block packages | tr -d "\\" | sed 's/apt-get install --[a-z-]*//'); do
    [[ " ${needed_packages[*]} " == *" $package "* ]] || die "not needed: $package"
  done
}

# As root would in /usr/local; here that is embedding/root.
installs() {
  local lines setup='meson setup build'
  lines=$(readme_block install)
  lines=${lines/#$setup/$setup --prefix=$(printf '%q' "$embedding/root")}
  (cd "$embedding/source" && bash -euo pipefail -c "$lines") &&
    installed libashmemo.a && installed libashmemo.so && installed ashmemo.pc &&
    installed ashmemoConfig.cmake && installed ashmemoConfigVersion.cmake && installed ashmemo.hpp
}

# installed NAME: where the installed file is.
installed() {
  find "$embedding/root" -name "$1" | grep . || die "not installed: $1"
}

# in_first_program HOW: builds the program in a directory of its own, where there is nothing else, and
# runs it twice, so that the second run reads what the first has stored.
in_first_program() {
  local directory=$embedding/$1 first second
  mkdir "$directory"
  readme_block first-program >"$directory/main.cpp"
  cd "$directory" || return 1
  use_installed
  "$1" >&2 || return 1
  first=$(find . -name first -type f -perm -u+x)
  second=$(timeout 60 "$first" && timeout 60 "$first") || return 1
  [[ $second == $'5\n13\n5\n13' ]] || die "the program printed: $second"
  [[ $(sqlite3 blog.cache.db 'SELECT entries FROM cache_overview') == 2 ]]
}

# Says where it is, as the README does.
use_installed() {
  unset -f ashmemo  # the program itself, not what the suite "cli" has under its name
  # shellcheck disable=SC2034 # the README's lines use it
  local prefix=$embedding/root
  eval "$(readme_block prefix)"
}

with_pkg_config() {
  local line
  line=$(readme_block with-pkg-config)
  eval "${line/#c++/$CXX -Wall -Wextra -Werror}"
}

with_cmake() {
  readme_block with-cmake >CMakeLists.txt
  eval "$(readme_block with-cmake-build | sed '1s/$/ -DCMAKE_BUILD_TYPE=Release "$@"/')"
}

with_cmake_static() {
  with_cmake -Dashmemo_USE_STATIC=ON && ! ldd build/first | grep libashmemo
}

with_meson() {
  readme_block first-program-build >meson.build
  meson setup build -Dwerror=true && ninja -C build && ldd build/first | grep libashmemo
}

as_subproject() {
  unset PKG_CONFIG_PATH CMAKE_PREFIX_PATH
  mkdir subprojects
  ln -s "$embedding/source" subprojects/ashmemo
  readme_block first-program-build >meson.build
  meson setup build -Dwerror=true && ninja -C build
}

# In the file that the first program has left.
look_inside() {
  local output
  cd "$embedding/with_pkg_config" || return 1
  output=$(bash -euo pipefail -c "$(readme_block look-inside)") || return 1
  printf '%s\n' "$output"
  [[ $(grep -xcE 'Post:[12]:length\|(5|13)' <<<"$output") == 2 ]] &&
    [[ $(sqlite3 blog.cache.db 'SELECT entries FROM cache_overview') == 1 ]]
}

# It finds its library by itself.
installed_program_works() (
  use_installed
  unset LD_LIBRARY_PATH
  [[ $(command -v ashmemo) == "$embedding"/* ]] || die "another program: $(command -v ashmemo)"
  ldd "$(command -v ashmemo)" | grep libashmemo &&
    [[ $(ashmemo --version) == *"$(pkg-config --modversion ashmemo)"* ]]
)

# In the same file, of which one entry is left.
questions_are_answered() (
  cd "$embedding/with_pkg_config" || return 1
  use_installed
  output=$(bash -euo pipefail -c "$(readme_block questions)") || return 1
  printf '%s\n' "$output"
  grep -qE 'Post:1:length +│ 5 ' <<<"$output" && grep -qx ok <<<"$output" || return 1
  output=$(bash -euo pipefail -c "$(readme_block program)") || return 1
  printf '%s\n' "$output"
  grep -qxE 'calculation +Post:length, version 1' <<<"$output"
)

# What the README's blocks of C++ say, one after the other, in place of the first program's last line.
blocks_run() (
  mkdir "$embedding/blocks"
  cd "$embedding/blocks" || return 1
  use_installed
  {
    readme_block first-program | sed '/^int main/,$d'
    cpp_blocks outside
    readme_block first-program | sed -e '1,/^using/d' | sed -e '1,/^};/d' -e '/std::cout/,$d'
    cpp_blocks ''
    printf '}\n'
  } >main.cpp
  eval "$CXX -std=c++20 -Wall -Wextra -Wno-unused -Werror main.cpp -o blocks" \
    "$(pkg-config --cflags --libs ashmemo)" && timeout 60 ./blocks && timeout 60 ./blocks
)

# cpp_blocks MARK: the blocks of C++ that stand behind the line <!-- MARK -->; none: behind no such line.
cpp_blocks() {
  awk -v mark="$1" '
    /^<!-- .* -->$/ { now = $2; next }
    /^```cpp$/ { inside = now == mark; now = ""; next }
    /^```/ { inside = 0; now = ""; next }
    inside
    /./ { if (!inside) now = "" }' "$project_root/README.md" | grep . || die "the README has no such block"
}

# The README's figures, in KiB, are right within a fifth.
sizes_are_as_told() {
  strip -o "$embedding/library" "$(installed 'libashmemo.so.*.*.*')"
  strip -o "$embedding/program" "$embedding/with_cmake_static/build/first"
  is_about "$embedding/library" 'the shared library, stripped' &&
    is_about "$embedding/program" 'the first program with the static library, stripped'
}

is_about() {
  local told real
  told=$(sed -nE "s/^.*$2: ([0-9,]+) KiB.*\$/\\1/p" "$project_root/README.md" | tr -d ,)
  real=$(($(stat -c %s "$1") / 1024))
  ((told > 0 && real * 5 <= told * 6 && real * 6 >= told * 5)) ||
    die "the README says of $2: ${told:-nothing}; it has $real KiB"
}
