# shellcheck shell=bash
# Painted photos, and a directory of photos, which the program does not change.

# Without TurboJPEG the program is not built.
if [[ ! -e $example ]] && ! pkg-config --exists libturbojpeg; then
  printf 'no libturbojpeg here\n'
  exit 0
fi

# A JPEG of 8 x 8 pixels.
tiny_jpeg() {
  base64 -d <<'JPEG'
/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxO
QERXRTc4UG1RV19iZ2hnPk1xeXBkeFxlZ2P/wAALCAAIAAgBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAEC
AwQFBgcICQoL/8QAtRAAAgEDAwIEAwUFBAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAk
M2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVWV1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJ
ipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi4+Tl5ufo6erx8vP09fb3
+Pn6/9oACAEBAAA/AM+Lw3/sfpX/2Q==
JPEG
}

# pass NAME PHOTOS HITS COMPUTED FAILED
pass() {
  expect "^  $1 +$2 +$3 +$4 +$5 +[0-9.]+\$"
}

run
fits_80_columns
pass first 38 0 36 2
pass again 38 36 0 2
pass 'one edited' 38 35 1 2
expect '^thumbnails 36, bytes [1-9][0-9,]+, as entries of the file [1-9][0-9,]+$'
expect '^  broken\.jpg: Not a JPEG file'
expect '^  cut-off\.jpg: '

mkdir photos photos/below
for name in one.jpg two.JPEG below/three.jpg; do
  tiny_jpeg >"photos/$name"
done
echo 'no photo' >photos/broken.jpg
: >photos/empty.jpg
echo 'a text' >photos/notes.txt
before=$(find photos -type f -exec cksum {} + | sort)

run photos --cache cache.db
pass first 4 0 2 2
pass again 4 2 0 2
expect '^thumbnails 2, '
expect '^  broken\.jpg: Not a JPEG file'
expect '^  empty\.jpg: '

# The next run starts with the results of this one. Only a file that was changed is computed again.
touch -d '1 hour ago' photos/one.jpg
run photos --cache cache.db
pass first 4 1 1 2
pass again 4 2 0 2
[[ $(find photos -type f -exec cksum {} + | sort) == "$before" ]]
[[ $(sqlite3 cache.db 'SELECT count(DISTINCT cache_key), min(hex(substr(value, 1, 3)))
  FROM cache_entries') == '2|FFD8FF' ]]

# The terminal does not execute the name of a file.
mkdir names
echo 'no photo' >$'names/bad\e[31m\n\u0085.jpg'
run names
pass first 1 0 0 1
expect '^  bad\\x1B\[31m\\x0A\\xC2\\x85\.jpg: Not a JPEG file'

mkdir empty
run_for_status 1 empty
expect '^thumbnails: .*\.jpg.* empty$'
run_for_status 2 no-such-directory
expect_help
