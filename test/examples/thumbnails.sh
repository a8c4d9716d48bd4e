# shellcheck shell=bash
# Painted photos, and a directory of one's own, which stays as it is.

# It is left out of the build where there is no TurboJPEG.
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
  expect "^  $1 +$2 +$3 +$4 +$5 +[0-9.]+ +[0-9]+ x\$"
}

run
expect_as_told_but_numbers
pass first 38 0 36 2
pass again 38 36 0 2
pass 'one edited' 38 35 1 2
expect '^36 thumbnails, [1-9][0-9,]+ bytes; '

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
expect '^2 thumbnails, '
expect '^  broken.jpg: Not a JPEG file'
expect '^  empty.jpg: '

# The next run begins with what this one has made; a file that was touched is made again, alone.
touch -d '1 hour ago' photos/one.jpg
run photos --cache cache.db
pass first 4 1 1 2
pass again 4 2 0 2
[[ $(find photos -type f -exec cksum {} + | sort) == "$before" ]]
[[ $(sqlite3 cache.db 'SELECT count(DISTINCT cache_key), min(hex(substr(value, 1, 3)))
  FROM cache_entries') == '2|FFD8FF' ]]

# A name is no command to the terminal.
mkdir names
echo 'no photo' >$'names/bad\e[31m\n\u0085.jpg'
run names
expect '^1 photo, 9 bytes; '
expect '^  bad\\x1B\[31m\\x0A\\xC2\\x85\.jpg: Not a JPEG file'

mkdir empty
run_for_status 1 empty
expect '^thumbnails: no JPEG files \(\.jpg, \.jpeg\) in empty$'
run_for_status 2 no-such-directory
expect_help
