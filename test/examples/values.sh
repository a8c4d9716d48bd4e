# shellcheck shell=bash
# The calls for keys and values, how each value looks in the file, and what is a miss.

run
fits_80_columns
expect_in_order <<'FACTS'
theme: dark; colours: nothing
a: 1; b: 2; c: nothing
keys: a b theme
at once: secret
after ten minutes: nothing
answer: 42; computed: 1
squares of 1 2 3 4: 1 4 9 16; computed: 4
squares of 3 4 5: 9 16 25; computed: 1
touched: 2 of 3
theme: 185 bytes, reads 4
theme: true; again: false
'square:': 5
user 7: rows 20, dark true
user 8: rows 50, dark false
settings of user 7: 0, of user 8: 2
greeting: Hello, Ada; computed: 1
entries 3, max_entries 1,000, max_bytes unlimited
FACTS

expect_in_order <<'FACTS'
std::int64_t -42 integer -42 equal
std::int64_t, the minimum integer -9223372036854775808 equal
std::uint64_t 2^63 - 1 integer 9223372036854775807 equal
std::uint64_t 2^63 blob X'8000000000000000' equal
std::uint8_t 200 integer 200 equal
char 'a' integer 97 equal
bool true integer 1 equal
enum class Weekday::sunday integer 7 equal
double 0.1 real 0.1 equal
double 1 real 1.0 equal
double -0 real -0.0 equal
double, infinity real inf equal
double, not a number text 'nan' equal
float 0.1 real 0.10000000149011612 equal
a literal "dark" text 'dark' equal
std::string, empty text '' equal
std::string, accent and tab text 'caf\xC3\xA9\x09' equal
std::string with a NUL text 'a\x00b' equal
std::string, not UTF-8 text '\xFF\x1B[31m' equal
std::string of 1 MiB text 'xxxxxxxx'... 1,048,576 B equal
std::vector<std::byte> blob X'00FF' equal
std::vector<std::byte>, empty blob X'' equal
std::vector<float> {1, -0.5} blob X'0000803F000000BF' equal
std::vector<float> of 384 blob X'0000803E0000803E'... 1,536 B equal
std::vector<bool> blob X'010001' equal
std::optional<int> 5 integer 5 equal
std::optional<int>, empty null NULL equal
std::chrono, 90 s integer 90 equal
std::chrono, 1,500 ms integer 1500 equal
std::chrono, 0.25 s real 0.25 equal
std::chrono, a time point integer 1700000000 equal
Ingredient, by JsonCodec text '{"grams":250.5,"name":"flour"}' equal
Colour, by its own Codec text '#ff8000' equal
(a key that was never stored) a miss
integer 300 as std::int8_t a miss
real 0.1 as float a miss
real 1.0 as std::int64_t a miss
integer 5 as std::string a miss
integer 1 as double equal
integer 2 as bool a miss
text 'five' as int a miss
text 'orange' as Colour a miss
blob X'000080' as vector<float> a miss
text '{"grams":null,"name":"salt"}' as Ingredient a miss
undecodable values: 9
get_or_compute: computed true, equal true, stored false
get_or_compute: computed true, equal true, stored false
put: false
unencodable values: 3
put 1 MiB: true; contains: true
put 3 MiB: false; contains: false
refused values: 1
FACTS

# Each kind of fault is reported once, with the key and the numbers.
for kind in undecodable unencodable refused; do
  [[ $(grep -c "notice $kind: " <<<"$output") == 1 ]]
done
[[ $(grep -c '^ *notice ' <<<"$output") == 3 ]]
expect '^ *notice undecodable: .*setting'
expect '^ *notice unencodable: .*unwritable'
expect_text 'large' 3149891 2097152 268435456

# The terminal never executes bytes of a value.
if LC_ALL=C grep -q '[^ -~]' <<<"$output"; then
  printf 'the output contains a byte that is not plain ASCII\n'
  exit 1
fi

expect_no_arguments
