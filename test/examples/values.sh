# shellcheck shell=bash
# All of it is certain. Nothing that a value holds gets to the terminal as a command.

run
expect_as_told
if LC_ALL=C grep -q '[^ -~]' <<<"$output"; then
  printf 'a byte was printed that is not plain ASCII\n'
  exit 1
fi

expect_no_arguments
