// Fuzz target: a cache file whose process was killed, with an edited write-ahead log.

#include <cstddef>
#include <cstdint>
#include <string>

#include "fuzz/edits.hpp"
#include "fuzz/scratch.hpp"
#include "fuzz/session.hpp"
#include "fuzz/templates.hpp"
#include "fuzz/wal.hpp"

using namespace ashmemo::fuzz;

// Flags in the first byte of an input.
namespace {
constexpr int kMany = 1;            // use the template with many entries
constexpr int kOtherFile = 2;       // put the log beside another database file
constexpr int kWrongChecksums = 4;  // do not repair the checksums of the log after the edits
constexpr int kUnchecked = 8;       // use rows without checksums
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const int how = input.byte();
  const Rows rows = (how & kUnchecked) != 0 ? Rows::unchecked : Rows::checked;
  const Template& found = (how & kMany) != 0 ? many_in_the_log(rows) : few_in_the_log(rows);
  std::string log = found.log;
  while (!input.empty()) edit(log, kLog, input);
  if ((how & kWrongChecksums) == 0) log = with_checksums(std::move(log));
  clean_scratch();
  write_file(cache_path(), (how & kOtherFile) != 0 ? many_entries(rows).file : found.file);
  write_file(cache_path() + "-wal", log);
  use_the_cache();
  return 0;
}
