#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace ashmemo::test {

/// Records the operations on one key with the times of their begin and end, and checks that they
/// are linearizable: that some sequential order explains all results. Used by one thread at a time.
class History {
 public:
  using Value = std::optional<std::string>;

  enum class Kind {
    read,
    put,
    erase,
    evict,  // may remove the entry at any time before its end, or not at all
  };

  explicit History(Value first) : first_(std::move(first)) {}

  /// Begins an operation and returns its number. `value` is the value of a put.
  std::size_t begin(Kind kind, Value value = std::nullopt);
  /// Ends an operation. `value` is the result of a read.
  void end(std::size_t number);
  void end(std::size_t number, Value value);

  /// Whether such an order exists. All operations must have ended.
  [[nodiscard]] bool has_an_order() const;
  [[nodiscard]] std::string text() const;

 private:
  struct Operation {
    Kind kind;
    Value value;
    int began;
    int ended;
  };

  [[nodiscard]] bool explains_remaining(std::vector<bool>& done, const Value& now) const;
  [[nodiscard]] bool may_be_next(const std::vector<bool>& done, std::size_t number) const;

  const Value first_;
  int time_ = 0;
  std::vector<Operation> operations_;
};

}  // namespace ashmemo::test
