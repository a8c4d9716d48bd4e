# shellcheck shell=bash
# The blog prints, to the letter, what the comment at its head says.

run
source_file=$project_root/examples/blog/main.cpp
diff <(sed -n '/^\/\/ *== begin$/,/^\/\/ *== end$/p' "$source_file" | sed -e '1d;$d' -e 's|^// \{0,1\}||') \
  <(printf '%s\n' "$output") || { printf 'the head of %s says otherwise\n' "$source_file"; exit 1; }
