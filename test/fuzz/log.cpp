// A cache file whose program was killed, with changed bytes in its write-ahead log.

#include <cstddef>
#include <cstdint>
#include <string>

#include "fuzz/edits.hpp"
#include "fuzz/scratch.hpp"
#include "fuzz/session.hpp"
#include "fuzz/templates.hpp"
#include "fuzz/wal.hpp"

using namespace ashmemo::fuzz;

// What the first byte of an input says.
namespace {
constexpr int kMany = 1;            // which template
constexpr int kOtherFile = 2;       // the log beside another file
constexpr int kWrongChecksums = 4;  // as a program without any idea would leave them
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const int how = input.byte();
  const Template& found = (how & kMany) != 0 ? many_in_the_log() : few_in_the_log();
  std::string log = found.log;
  while (!input.empty()) edit(log, kLog, input);
  if ((how & kWrongChecksums) == 0) log = with_checksums(std::move(log));
  clean_scratch();
  write_file(cache_path(), (how & kOtherFile) != 0 ? many_entries().file : found.file);
  write_file(cache_path() + "-wal", log);
  use_the_cache();
  return 0;
}
