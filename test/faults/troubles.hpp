#pragma once

#include <ashmemo/events.hpp>
#include <set>
#include <string>

namespace ashmemo::test {

/// What one open cache has told of and not yet ended, by the rules of events.hpp. The test fails
/// where it breaks them: what lasts is told again, what has not begun ends, or what has no end is
/// told twice.
class Troubles {
 public:
  /// The next one in the order told.
  void hear(const Notice& notice);

  [[nodiscard]] bool empty() const { return lasting_.empty(); }
  /// Whether one of them is a state of health: each is, but for another program's read.
  [[nodiscard]] bool degrade() const;
  [[nodiscard]] bool has(NoticeKind kind) const { return lasting_.contains(kind); }
  /// Their names, for messages.
  [[nodiscard]] std::string names() const;

 private:
  void begin(const Notice& notice);
  void end(NoticeKind kind);
  void recover(const std::string& what);
  void tell_once(const Notice& notice);

  std::set<NoticeKind> lasting_;
  std::set<NoticeKind> told_;  // of those without an end of their own
};

}  // namespace ashmemo::test
