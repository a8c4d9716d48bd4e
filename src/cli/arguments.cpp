#include "cli/arguments.hpp"

#include <ashmemo/version.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.hpp"

namespace ashmemo::cli {
namespace {

constexpr const char* kHelp =
    R"(stats, list, show, check and backup only read, also beside an application.
erase, clear and compact need the file for themselves.

Exit codes:
  0  done
  1  the command failed, or check found damage
  2  wrong usage
  3  an application has the file in use
  4  there is no such file, or no such key

Examples:
  ashmemo stats blog.cache.db
  ashmemo list blog.cache.db --sort size --limit 10
  ashmemo show blog.cache.db Post:42:word_count
  ashmemo erase --help)";

using Action = std::function<Exit()>;

// CLI11 takes [a,b] for a list of a and b where there may be several: such texts are marked, by a
// NUL at their end, which no argument can have. In reverse, as CLI11 wants them.
std::vector<std::string> marked(int argc, char** argv) {
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

/// Declares an argument that is any text, or several: all of them are declared by this.
template <class Text>
CLI::Option* add_text(CLI::App& command, const std::string& name, Text& text,
                      const std::string& what_it_is) {
  return command.add_option(name, text, what_it_is)->transform(unmarked)->type_name("");
}

std::optional<std::int64_t> count_in(const std::string& text) {
  std::int64_t count = -1;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, count);
  if (read.ec != std::errc() || read.ptr != end || count < 0) return std::nullopt;
  return count;
}

// What is wrong with a number that counts something. (CLI11's own check prints a range of hundreds
// of digits.)
std::string complaint_about_count(const std::string& text) {
  if (count_in(text)) return {};
  return "'" + text + "' is not a whole number, 0 or more";
}

// CLI11 takes a number that begins with 0 for an octal one.
std::string without_zeros(const std::string& text) {
  const auto count = count_in(text);
  return count ? std::to_string(*count) : text;
}

/// The program with its commands, each of which declares its arguments and, where the user has
/// chosen it, says what is to be done.
class Program {
 public:
  Program() {
    app_.set_version_flag("--version", "ashmemo " + std::string(version()), "print the version");
    app_.set_help_flag("--help,-h", "print this help");
    app_.get_formatter()->column_width(24);
    app_.footer(kHelp);
    app_.require_subcommand(1);
    add_stats();
    add_list();
    add_show();
    add_check();
    add_backup();
    add_erase();
    add_clear();
    add_compact();
  }

  Action parse(int argc, char** argv) {
    if (argc < 2) return usage_error("a command is needed" + known_commands());
    const std::string_view first = argv[1];
    if (!first.starts_with('-') && std::find(names_.begin(), names_.end(), first) == names_.end()) {
      return usage_error("there is no command '" + std::string(first) + "'" + known_commands());
    }
    try {
      app_.parse(marked(argc, argv));
      return chosen_;
    } catch (const CLI::ParseError& error) {
      return end_of_parsing(error);
    }
  }

 private:
  template <class Options>
  struct Command {
    CLI::App& app;
    Options& options;
  };

  /// Declares a command with its FILE and --json.
  template <class Options>
  Command<Options> add(Exit (&perform)(const Options&), const char* name, const char* what_it_does,
                       const char* help) {
    const auto options = std::make_shared<Options>();
    CLI::App& command = *app_.add_subcommand(name, what_it_does);
    names_.emplace_back(name);
    add_text(command, "FILE", options->file, "the cache file")->required();
    command.add_flag("--json", options->json, "print JSON for programs");
    command.footer(help);
    command.callback(
        [this, &perform, options] { chosen_ = [&perform, options] { return perform(*options); }; });
    return {command, *options};
  }

  void add_stats() {
    add(stats, "stats", "how full the cache is, and what it is good for", kStatsHelp);
  }

  void add_list() {
    const auto [command, options] =
        add(list, "list", "what is in the cache, an entry a line", kListHelp);
    add_text(command, "--prefix", options.prefix, "only keys that begin with this")
        ->option_text("PREFIX");
    command.add_option("--sort", options.sort, "key (default), size, age, expiry, reads or cost")
        ->check(CLI::IsMember({"key", "size", "age", "expiry", "reads", "cost"}))
        ->option_text("ORDER");
    command.add_flag("--reverse", options.reverse, "the other way round");
    command.add_option("--limit", options.limit, "so many entries (default 50); 0: all of them")
        ->transform(without_zeros)
        ->check(complaint_about_count)
        ->option_text("N");
  }

  void add_show() {
    const auto [command, options] =
        add(show, "show", "one entry: what is known of it, and its value", kShowHelp);
    add_text(command, "KEY", options.key, "the key of the entry")->required();
    command.add_flag("--raw", options.raw, "write the bytes of the value and nothing else")
        ->excludes("--json");
  }

  void add_check() { add(check, "check", "look through the whole file for damage", kCheckHelp); }

  void add_backup() {
    const auto [command, options] =
        add(backup, "backup", "copy the cache as it is now to a new file", kBackupHelp);
    add_text(command, "TARGET", options.target, "the new file; must not exist")->required();
  }

  void add_erase() {
    const auto [command, options] =
        add(erase, "erase", "remove entries by key or prefix", kEraseHelp);
    add_text(command, "KEY", options.keys, "the keys of the entries");
    add_text(command, "--prefix", options.prefix, "all keys that begin with this")
        ->option_text("PREFIX");
  }

  void add_clear() {
    const auto [command, options] = add(clear, "clear", "remove all entries", kClearHelp);
    command.add_flag("--yes", options.yes, "do not ask");
  }

  void add_compact() {
    add(compact, "compact", "give the free room in the file back to the system", kCompactHelp);
  }

  [[nodiscard]] std::string known_commands() const {
    std::string names;
    for (const std::string& name : names_) names += (names.empty() ? "" : ", ") + name;
    return " (known: " + names + ")";
  }

  static Action usage_error(const std::string& what) {
    return [what] {
      complain(what);
      return Exit::usage;
    };
  }

  // Help, which is ours, or what is wrong with the arguments, in which there may be anything.
  Action end_of_parsing(const CLI::ParseError& error) {
    std::ostringstream help;
    std::ostringstream wrong;
    const Exit exit = app_.exit(error, help, wrong) == 0 ? Exit::ok : Exit::usage;
    return [exit, text = help.str(), complaint = wrong.str()] {
      print(text);
      std::istringstream lines(complaint);
      for (std::string line; std::getline(lines, line);) complain(line);
      return exit;
    };
  }

  CLI::App app_{"Looks into a cache file of ashmemo.", "ashmemo"};
  std::vector<std::string> names_;  // of the commands
  Action chosen_;
};

}  // namespace

std::function<Exit()> action_of(int argc, char** argv) { return Program().parse(argc, argv); }

}  // namespace ashmemo::cli
