// Fuzz target: a cache file that was closed and then edited.

#include <cstddef>
#include <cstdint>
#include <string>

#include "fuzz/edits.hpp"
#include "fuzz/scratch.hpp"
#include "fuzz/session.hpp"
#include "fuzz/templates.hpp"

using namespace ashmemo::fuzz;

// Flags in the first byte of an input.
namespace {
constexpr int kMany = 1;       // use the template with many entries
constexpr int kUnchecked = 2;  // use rows without checksums
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  const int how = input.byte();
  const Rows rows = (how & kUnchecked) != 0 ? Rows::unchecked : Rows::checked;
  std::string file = ((how & kMany) != 0 ? many_entries(rows) : few_entries(rows)).file;
  while (!input.empty()) edit(file, kDatabase, input);
  clean_scratch();
  write_file(cache_path(), file);
  use_the_cache();
  return 0;
}
