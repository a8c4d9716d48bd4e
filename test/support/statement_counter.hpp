#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ashmemo::test {

/// Records the statements that SQLite runs, on connections that are opened while it exists. Only
/// one may exist at a time. Threads: any.
class StatementCounter {
 public:
  StatementCounter();
  ~StatementCounter();
  StatementCounter(const StatementCounter&) = delete;
  StatementCounter& operator=(const StatementCounter&) = delete;

  /// The SQL of each run since the last call, in order.
  [[nodiscard]] std::vector<std::string> take();
};

/// How many of the statements contain this text.
[[nodiscard]] int count_of(std::string_view part, const std::vector<std::string>& statements);

}  // namespace ashmemo::test
