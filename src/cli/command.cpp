#include "cli/command.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "cli/text.hpp"

namespace ashmemo::cli {

void write_json(const nlohmann::ordered_json& json) {
  using Json = nlohmann::ordered_json;
  print(json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
}

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) {
    throw CommandError(Exit::failed, "the output could not be written");
  }
}

void complain(std::string_view what) { fmt::print(stderr, "ashmemo: {}\n", printable(what)); }

}  // namespace ashmemo::cli
