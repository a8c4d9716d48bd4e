#include "cli/command.hpp"

#include <fmt/format.h>

#include <cstdio>

#include "cli/text.hpp"

namespace ashmemo::cli {

CLI::App& add_command(CLI::App& program, Common& common, const std::string& name,
                      const std::string& what_it_does, const std::string& after) {
  CLI::App& command = *program.add_subcommand(name, what_it_does);
  command.add_option("FILE", common.file, "the cache file")->required()->type_name("");
  command.add_flag("--json", common.json, "print JSON for programs");
  command.footer(after);
  return command;
}

void add_keys(CLI::App& command, std::vector<std::string>& keys, const std::string& what_they_are) {
  command.add_option("KEY", keys, what_they_are)
      ->type_name("")
      ->expected(-1)  // any number
      ->allow_extra_args(false);
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
