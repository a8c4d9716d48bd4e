// Fuzz target: a cache file that was closed and then edited.

#include <cstddef>
#include <cstdint>
#include <string>

#include "fuzz/edits.hpp"
#include "fuzz/scratch.hpp"
#include "fuzz/session.hpp"
#include "fuzz/templates.hpp"

using namespace ashmemo::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input(data, size);
  std::string file = (input.byte() % 2 == 0 ? few_entries() : many_entries()).file;
  while (!input.empty()) edit(file, kDatabase, input);
  clean_scratch();
  write_file(cache_path(), file);
  use_the_cache();
  return 0;
}
