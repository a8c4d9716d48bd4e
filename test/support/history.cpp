#include "support/history.hpp"

#include <algorithm>
#include <utility>

namespace ashmemo::test {

std::size_t History::begin(Kind kind, Value value) {
  const int now = ++time_;
  operations_.push_back({kind, std::move(value), kind == Kind::evict ? 0 : now, 0});
  return operations_.size() - 1;
}

void History::end(std::size_t number) { operations_[number].ended = ++time_; }

void History::end(std::size_t number, Value value) {
  operations_[number].value = std::move(value);
  end(number);
}

bool History::has_an_order() const {
  std::vector<bool> done(operations_.size(), false);
  return explains_remaining(done, first_);
}

/// An operation may be next unless another remaining operation ended before it began.
bool History::may_be_next(const std::vector<bool>& done, std::size_t number) const {
  if (done[number]) return false;
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    if (!done[i] && operations_[i].ended < operations_[number].began) return false;
  }
  return true;
}

bool History::explains_remaining(std::vector<bool>& done, const Value& now) const {
  if (std::find(done.begin(), done.end(), false) == done.end()) return true;
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    if (!may_be_next(done, i)) continue;
    const Operation& next = operations_[i];
    if (next.kind == Kind::read && next.value != now) continue;
    const Value after = next.kind == Kind::read  ? now
                        : next.kind == Kind::put ? next.value
                                                 : Value();
    done[i] = true;
    bool explains = explains_remaining(done, after);
    if (!explains && next.kind == Kind::evict) explains = explains_remaining(done, now);
    done[i] = false;
    if (explains) return true;
  }
  return false;
}

std::string History::text() const {
  std::string out = "first " + first_.value_or("nothing");
  for (const Operation& each : operations_) {
    const char* const kind = each.kind == Kind::read    ? "read"
                             : each.kind == Kind::put   ? "put"
                             : each.kind == Kind::erase ? "erase"
                                                        : "evict";
    out += "; " + std::to_string(each.began) + '-' + std::to_string(each.ended) + ' ' + kind + ' ' +
           each.value.value_or("nothing");
  }
  return out;
}

}  // namespace ashmemo::test
