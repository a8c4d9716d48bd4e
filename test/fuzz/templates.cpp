#include "fuzz/templates.hpp"

#include <sqlite3.h>

#include <ashmemo/ashmemo.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "fuzz/require.hpp"
#include "fuzz/scratch.hpp"
#include "fuzz/session.hpp"
#include "fuzz/wal.hpp"

namespace ashmemo::fuzz {
namespace {

void put_few(Cache& cache) {
  (void)cache.put("text", std::string("dark"), {.ttl = std::chrono::hours(1)});
  (void)cache.put("integer", std::int64_t{42}, {.ttl = std::chrono::minutes(1)});
  (void)cache.put("real", 0.87);
  (void)cache.put("nan", std::numeric_limits<double>::quiet_NaN());
  (void)cache.put("bytes", std::vector<std::byte>(40, std::byte{7}));
  (void)cache.put("nothing", std::optional<int>());
  (void)cache.put("large", std::string(10'000, 'x'));  // needs overflow pages
  load_calculations(cache);
}

void put_many(Cache& cache) {
  constexpr int rows = 300;
  for (int i = 0; i < rows; ++i) {
    (void)cache.put("key " + std::to_string(i),
                    std::string(static_cast<std::size_t>(20 + i % 50), 'v'));
  }
  cache.flush();
  (void)cache.erase_prefix("key 3");
  load_calculations(cache);
}

// A row without a checksum is not checked, as if another program had written it.
void forget_row_checksums() {
  sqlite3* file = nullptr;
  require(sqlite3_open(cache_path().c_str(), &file) == SQLITE_OK, "the template can be opened");
  const char* const sql = "UPDATE cache_entries SET checksum = NULL";
  require(sqlite3_exec(file, sql, nullptr, nullptr, nullptr) == SQLITE_OK,
          "the template can be changed");
  require(sqlite3_close(file) == SQLITE_OK, "the template can be closed");
}

Template make(bool closed, Rows rows, void (*fill)(Cache&)) {
  clean_scratch();
  Template made;
  {
    Cache cache(cache_path(), session_options());
    fill(cache);
    cache.flush();
    if (rows == Rows::unchecked) forget_row_checksums();
    if (!closed) {
      // Reading and closing the file drops the POSIX locks of this process. That does no harm here,
      // because no other process has the file open.
      made.file = read_file(cache_path());
      made.log = with_fixed_salts(read_file(cache_path() + "-wal"));
    }
  }
  if (closed) made.file = read_file(cache_path());
  clean_scratch();
  return made;
}

template <bool closed, void (*fill)(Cache&)>
const Template& one_of(Rows rows) {
  static const Template checked = make(closed, Rows::checked, fill);
  static const Template unchecked = make(closed, Rows::unchecked, fill);
  return rows == Rows::checked ? checked : unchecked;
}

}  // namespace

const Template& few_entries(Rows rows) { return one_of<true, put_few>(rows); }
const Template& many_entries(Rows rows) { return one_of<true, put_many>(rows); }
const Template& few_in_the_log(Rows rows) { return one_of<false, put_few>(rows); }
const Template& many_in_the_log(Rows rows) { return one_of<false, put_many>(rows); }

}  // namespace ashmemo::fuzz
