#include "cli/command.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "cli/text.hpp"

namespace ashmemo::cli {

// In reverse, as CLI11 wants them.
std::vector<std::string> arguments_of(int argc, char** argv) {
  std::vector<std::string> arguments;
  for (int at = argc - 1; at > 0; --at) {
    arguments.emplace_back(argv[at]);
    const std::string& text = arguments.back();
    if (text.starts_with('[') && text.ends_with(']')) arguments.back() += '\0';
  }
  return arguments;
}

std::string unmarked(std::string text) {
  if (text.ends_with('\0')) text.pop_back();
  return text;
}

CLI::App& add_command(CLI::App& program, Common& common, const std::string& name,
                      const std::string& what_it_does, const std::string& after) {
  CLI::App& command = *program.add_subcommand(name, what_it_does);
  add_text(command, "FILE", common.file, "the cache file")->required();
  command.add_flag("--json", common.json, "print JSON for programs");
  command.footer(after);
  return command;
}

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
