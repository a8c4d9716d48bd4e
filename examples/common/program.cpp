#include "program.hpp"

#include <fmt/core.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <locale>

#include "terminal.hpp"

namespace example {
namespace {

constexpr int kExitUsage = 2;

/// Numbers with commas, for every language of the user's system.
class Commas : public std::numpunct<char> {
  [[nodiscard]] char do_thousands_sep() const override { return ','; }
  [[nodiscard]] std::string do_grouping() const override { return "\3"; }
};

}  // namespace

int run_program(CLI::App& app, int count, const char* const* words,
                const std::function<void()>& body) {
  try {
    app.parse(count, words);
  } catch (const CLI::ParseError& error) {  // --help is such an "error" too, with exit code 0
    return app.exit(error) == 0 ? EXIT_SUCCESS : kExitUsage;
  }
  try {
    std::locale::global(std::locale(std::locale::classic(), new Commas));  // the locale owns it
    body();
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}: {}\n", app.get_name(), printable(error.what()));
    return EXIT_FAILURE;
  }
}

int run_program(const std::string& name, const std::string& what, int count,
                const char* const* words, const std::function<void()>& body) {
  CLI::App app(what, name);
  return run_program(app, count, words, body);
}

}  // namespace example
