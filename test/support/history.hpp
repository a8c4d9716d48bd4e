#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace ashmemo::test {

/// What was asked of one key and answered, in real time: whether there is an order of it, one after
/// the other, that explains all the answers. Used by one thread at a time.
class History {
 public:
  using Value = std::optional<std::string>;

  enum class Kind {
    read,
    put,
    erase,
    leave,  // eviction and the like: at any moment up to its end, if at all
  };

  explicit History(Value first) : first_(std::move(first)) {}

  /// Begins an operation; its number. `value` is what a put puts.
  std::size_t begin(Kind kind, Value value = std::nullopt);
  /// It has returned; `value` is what a read has found.
  void end(std::size_t number);
  void end(std::size_t number, Value value);

  /// All operations have ended.
  [[nodiscard]] bool has_an_order() const;
  [[nodiscard]] std::string text() const;

 private:
  struct Operation {
    Kind kind;
    Value value;
    int began;
    int ended;
  };

  [[nodiscard]] bool explains_rest(std::vector<bool>& done, const Value& now) const;
  [[nodiscard]] bool may_be_next(const std::vector<bool>& done, std::size_t number) const;

  const Value first_;
  int moment_ = 0;
  std::vector<Operation> operations_;
};

}  // namespace ashmemo::test
