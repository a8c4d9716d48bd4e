#include "fuzz/templates.hpp"

#include <ashmemo/ashmemo.hpp>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

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

template <class Fill>
Template make(bool closed, const Fill& fill) {
  clean_scratch();
  Template made;
  {
    Cache cache(cache_path(), session_options());
    fill(cache);
    cache.flush();
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

}  // namespace

const Template& few_entries() {
  static const Template made = make(true, put_few);
  return made;
}

const Template& many_entries() {
  static const Template made = make(true, put_many);
  return made;
}

const Template& few_in_the_log() {
  static const Template made = make(false, put_few);
  return made;
}

const Template& many_in_the_log() {
  static const Template made = make(false, put_many);
  return made;
}

}  // namespace ashmemo::fuzz
