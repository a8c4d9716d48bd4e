# shellcheck shell=bash
# Sourced by the suites "embedding" and "cli": the code blocks of the README and of the guides. A
# block has a name if the line <!-- NAME --> is before it.

documents=("$project_root/README.md" "$project_root"/examples/guides/*.md)

# document_block NAME: the block with this name. Only one document has it.
document_block() {
  sed -n "/^<!-- $1 -->\$/,/^\`\`\`\$/p" "${documents[@]}" | sed -e '1,/^```/d' -e '/^```$/d' |
    grep . || { printf 'no document has a block %s\n' "$1" >&2; return 1; }
}

# list_blocks DOCUMENT: a line "NAME LANGUAGE" for each block; NAME is - if the block has none.
list_blocks() {
  awk '
    /^<!-- .* -->$/ { name = $2; next }
    /^```/ {
      if (!inside) print (name == "" ? "-" : name), substr($0, 4)
      inside = !inside
      name = ""
      next
    }
    /./ { if (!inside) name = "" }' "$1"
}

# cpp_blocks NAME DOCUMENT: all C++ blocks of the document that have this name; - for no name.
cpp_blocks() {
  awk -v wanted="$1" '
    /^<!-- .* -->$/ { name = $2; next }
    /^```/ {
      open = !open
      inside = open && $0 == "```cpp" && (name == "" ? "-" : name) == wanted
      name = ""
      next
    }
    inside
    /./ { if (!open) name = "" }' "$2"
}
