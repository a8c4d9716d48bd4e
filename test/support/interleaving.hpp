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

/// The work of one thread in a test of all orders.
struct Body {
  std::function<void()> run;
  /// The body pauses at each test point whose name begins with this text.
  std::string stops_at;
};

/// Runs bodies on threads, one at a time, from one test point to the next, and tries all possible
/// orders. A body must not hold a lock at a test point if another body needs that lock. The program
/// aborts if no body continues for a minute.
class Interleaving {
 public:
  struct Bounds {
    int max_orders = 20'000;
    /// The maximum number of interruptions in one order. An interruption is a switch to another
    /// body while the current one could continue. Most errors need one or two. Without a bound,
    /// long bodies have too many orders to try.
    int max_interruptions = 1'000;
  };
  struct Tried {
    int orders = 0;
    bool all = false;  // false: there are more than `max_orders`
  };

  Interleaving() : Interleaving(Bounds()) {}
  explicit Interleaving(Bounds bounds) : bounds_(bounds) {}
  ~Interleaving();
  Interleaving(const Interleaving&) = delete;
  Interleaving& operator=(const Interleaving&) = delete;

  /// Tries the orders. `begin` sets the test up and returns the bodies for one order. `end` checks
  /// the result of that order. If it returns false, no further order is tried.
  Tried try_all(const std::function<std::vector<Body>()>& begin, const std::function<bool()>& end);

  /// The last order: the bodies in sequence, each with the test point that it reached.
  [[nodiscard]] const std::string& order() const noexcept { return order_; }

 private:
  /// The bodies that can continue at one step, and the chosen one.
  struct Step {
    std::vector<std::size_t> could;  // the body of the previous step is first, if it can continue
    std::size_t chosen = 0;          // an index of `could`
    bool interrupts = false;         // every choice except the first interrupts
    [[nodiscard]] std::size_t body() const { return could[chosen]; }
    [[nodiscard]] bool interrupted() const { return interrupts && chosen != 0; }
  };

  static constexpr std::size_t kDriver = static_cast<std::size_t>(-1);

  void run_one(std::vector<Body> bodies);
  Step& step(std::size_t number, std::size_t last);
  bool next_order();
  void run_to_next_point(std::size_t body);
  void start_thread(std::size_t body);
  void run_thread(std::size_t me);
  void at_point(std::string_view point);
  void give_turn_to(std::size_t body);
  void wait_for_turn(std::size_t me);
  [[nodiscard]] std::condition_variable& turn_of(std::size_t body) {
    return turns_[body == kDriver ? 0 : body + 1];
  }

  static constexpr std::size_t kMaxBodies = 7;

  const Bounds bounds_;
  std::vector<Step> steps_;
  std::string order_;

  // Only the thread that has the turn uses these.
  std::vector<Body> bodies_;
  std::vector<bool> ended_;
  std::string reached_;
  std::exception_ptr exception_;
  bool stopping_ = false;

  std::mutex mutex_;
  std::condition_variable turns_[kMaxBodies + 1];
  std::size_t turn_ = kDriver;
  std::vector<std::thread> threads_;
};

}  // namespace ashmemo::test
