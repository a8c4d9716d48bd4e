#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace example {

/// Parses the command line, runs `body` and returns the exit status of the program: 0, 1 if `body`
/// throws (the message goes to the standard error), or 2 for a wrong command line. `--help` prints
/// the help and does not run `body`. Within `body`, fmt's "{:L}" prints 1234567 as 1,234,567.
int run_program(CLI::App& app, int count, const char* const* words,
                const std::function<void()>& body);

/// The same for a program without arguments. `what` is the text of its `--help`.
int run_program(const std::string& name, const std::string& what, int count,
                const char* const* words, const std::function<void()>& body);

}  // namespace example
