#pragma once

#include <ashmemo/events.hpp>
#include <set>
#include <string>

namespace ashmemo::test {

/// The troubles that one open cache has reported and that have not ended. It fails the test if the
/// notices break the rules of events.hpp: a trouble is reported again before it ended, it ends
/// before it began, or a notice that may be given once is given twice.
class Troubles {
 public:
  /// Adds the next notice. Call it in the order of the notices.
  void add(const Notice& notice);

  [[nodiscard]] bool empty() const { return active_.empty(); }
  /// Whether one of them makes the cache degraded. All do, except a reader of another program.
  [[nodiscard]] bool are_degrading() const;
  [[nodiscard]] bool has(NoticeKind kind) const { return active_.contains(kind); }
  /// The names of the troubles, for messages.
  [[nodiscard]] std::string names() const;

 private:
  void begin(const Notice& notice);
  void end(NoticeKind kind);
  void recover(const std::string& what);
  void report_once(const Notice& notice);

  std::set<NoticeKind> active_;
  std::set<NoticeKind> reported_;  // kinds that have no notice of their end
};

}  // namespace ashmemo::test
