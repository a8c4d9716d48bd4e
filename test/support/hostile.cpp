#include "support/hostile.hpp"

#include <doctest/doctest.h>

#include "support/child.hpp"
#include "support/temp_dir.hpp"

namespace ashmemo::test {
namespace {

constexpr std::size_t kPage = 4096;

std::size_t pair_at(const std::string& file, std::size_t at) {
  return static_cast<unsigned char>(file[at]) * std::size_t{256} +
         static_cast<unsigned char>(file[at + 1]);
}

// The start of the cell that contains `at`: the last start of a cell at or before it.
std::size_t cell_before(const std::string& file, std::size_t at) {
  constexpr std::size_t leaf_header = 8;
  const std::size_t page = at / kPage * kPage;
  const std::size_t header = page + (page == 0 ? 100 : 0);
  std::size_t found = page;
  for (std::size_t i = 0; i < pair_at(file, header + 3); ++i) {
    const std::size_t cell = page + pair_at(file, header + leaf_header + 2 * i);
    if (cell <= at && cell > found) found = cell;
  }
  return found;
}

}  // namespace

const std::vector<std::string> kWrongValues = {"NULL",
                                               "'text'",
                                               "''",
                                               "'9' || char(0) || '9'",
                                               "X'00FF'",
                                               "X''",
                                               "1.5",
                                               "9e999",
                                               "-9e999",
                                               "0",
                                               "-1",
                                               "9223372036854775807",
                                               "-9223372036854775808",
                                               "253402300799000000"};

void run_without_types(const std::string& path, const std::string& table,
                       const std::string& statements) {
  const std::string here = " WHERE name = '" + table + "';";
  const std::string sql =
      "CREATE TEMP TABLE kept AS SELECT sql FROM sqlite_schema" + here +
      "PRAGMA writable_schema=ON;"
      "UPDATE sqlite_schema SET sql = replace(replace(replace(replace(sql, ') STRICT', ')'),"
      " ' NOT NULL', ''), ' TEXT', ''), ' INTEGER,', ',')" +
      here + "PRAGMA writable_schema=RESET;" + statements +
      ";PRAGMA writable_schema=ON;"
      "UPDATE sqlite_schema SET sql = (SELECT sql FROM kept)" +
      here;
  // Triggers are off, because the sums that they compute can overflow.
  const ChildEnd end = run_program({"sqlite3", path, ".dbconfig enable_trigger off", sql});
  REQUIRE_MESSAGE(end.exit_code == 0, end.said);
}

void claim_length(const std::string& path, std::string_view text, std::string_view varint) {
  std::string file = read_file(path);
  const std::size_t at = file.find(text);
  REQUIRE(at != std::string::npos);
  file.replace(cell_before(file, at), varint.size(), varint);
  write_file(path, file);
}

void change_rowid(const std::string& path, const std::string& table, char from, char to) {
  const ChildEnd shell = run_program(
      {"sqlite3", path, "SELECT rootpage FROM sqlite_schema WHERE name = '" + table + "'"});
  REQUIRE(shell.exit_code == 0);
  const std::size_t page = (std::stoul(shell.said) - 1) * kPage;
  std::string file = read_file(path);
  for (std::size_t i = 0; i < pair_at(file, page + 3); ++i) {
    const std::size_t size = page + pair_at(file, page + 8 + 2 * i);  // the rowid follows
    if (file[size + 1] != from) continue;
    file[size + 1] = to;
    return write_file(path, file);
  }
  FAIL("there is no such row");
}

void write_number(const std::string& path, std::size_t at, std::size_t bytes, unsigned number) {
  std::string file = read_file(path);
  for (std::size_t i = bytes; i > 0; --i, number >>= 8) {
    file[at + i - 1] = static_cast<char>(number & 0xFF);
  }
  write_file(path, file);
}

}  // namespace ashmemo::test
