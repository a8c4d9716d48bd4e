#pragma once

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace ashmemo::test {

/// One thread's part in a test of all orders.
struct Body {
  std::function<void()> run;
  /// The test points where it lets others go on: those that begin like this.
  std::string stops_at;
};

/// Runs bodies on threads of which one at a time goes on, from one test point to the next, in each
/// order that there is. No point may be reached while a lock is held that another body needs: the
/// program ends if nobody goes on for long.
class Interleaving {
 public:
  struct Bounds {
    int most_orders = 20'000;
    /// So many times a body is interrupted that could go on, at most, in one order. Most errors
    /// need one or two; with long bodies the number of orders without a bound is beyond all means.
    int most_interruptions = 1'000;
  };
  struct Tried {
    int orders = 0;
    bool all = false;  // false: there are more than `most_orders`
  };

  Interleaving() : Interleaving(Bounds()) {}
  explicit Interleaving(Bounds bounds) : bounds_(bounds) {}
  ~Interleaving();
  Interleaving(const Interleaving&) = delete;
  Interleaving& operator=(const Interleaving&) = delete;

  /// `begin` makes the bodies of one order, from the start; `end` judges what they have done. While
  /// it says true, the next order is tried.
  Tried try_all(const std::function<std::vector<Body>()>& begin, const std::function<bool()>& end);

  /// The last order: who went on, and up to where.
  [[nodiscard]] const std::string& order() const noexcept { return order_; }

 private:
  /// What could be chosen at one step, and what was.
  struct Step {
    std::vector<std::size_t> could;  // first the one that was going on, if it can
    std::size_t chosen = 0;          // an index of it
    bool interrupts = false;         // another choice than the first would interrupt
    [[nodiscard]] std::size_t body() const { return could[chosen]; }
    [[nodiscard]] bool interrupted() const { return interrupts && chosen != 0; }
  };

  static constexpr std::size_t kDriver = static_cast<std::size_t>(-1);

  void run_one(std::vector<Body> bodies);
  Step& step(std::size_t number, std::size_t last);
  bool next_order();
  void go_on(std::size_t body);
  void start_thread(std::size_t body);
  void live(std::size_t me);
  void at_point(std::string_view point);
  void hand_to(std::size_t who);
  void wait_for_turn(std::size_t me);
  [[nodiscard]] std::condition_variable& turn_of(std::size_t who) {
    return turns_[who == kDriver ? 0 : who + 1];
  }

  static constexpr std::size_t kMaxBodies = 7;

  const Bounds bounds_;
  std::vector<Step> steps_;
  std::string order_;

  // Only who has the turn looks at these.
  std::vector<Body> bodies_;
  std::vector<bool> ended_;
  std::string reached_;
  std::exception_ptr thrown_;
  bool stopping_ = false;

  std::mutex mutex_;
  std::condition_variable turns_[kMaxBodies + 1];
  std::size_t turn_ = kDriver;
  std::vector<std::thread> threads_;
};

}  // namespace ashmemo::test
