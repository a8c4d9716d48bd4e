#pragma once

#include <array>
#include <ashmemo/ashmemo.hpp>
#include <atomic>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace ashmemo::test {

struct Reading {
  std::int64_t id = 0;
  std::int64_t level = 0;
};

/// Whether entries may disappear: the cache has limits, and callers clear it.
enum class Entries : std::uint8_t { may_disappear, remain };

/// The objects that all callers share: a cache, its calculations, and counters.
struct Scene {
  Scene(Cache& open_cache, std::string path_of_backup, Entries given_entries);

  Cache& cache;
  const std::string backup_path;
  const Entries entries;
  Registry registry;
  Resource<Reading>& readings;
  Calculation<Reading, std::string> report;   // cached with a ttl
  Calculation<Reading, std::int64_t> square;  // returned stale while it is refreshed
  std::atomic<std::int64_t> steps{0};
  std::atomic<std::int64_t> wrong{0};
  std::atomic<std::int64_t> asked{0};  // requested keys; each is a hit or a miss
  std::atomic<bool> is_backing_up{false};
};

/// One thread that makes all public calls in random order. No other thread puts its own keys, so a
/// read of them must find the last stored value, or nothing if entries may disappear. A value of
/// any other key must have the form of that key's values.
class Caller {
 public:
  Caller(Scene& scene, unsigned number);

  void step();
  /// Checks all own keys at the end.
  void check_own();

 private:
  using Step = void (Caller::*)();
  static const std::array<Step, 16> kFrequent;
  static const std::array<Step, 12> kRare;

  void get_own();
  void put_own();
  void erase_own();
  void get_shared();
  void get_many();
  void put_shared();
  void put_many();
  void compute();
  void compute_many();
  void inspect();
  void touch();
  void erase_many();
  void load();
  void load_one();
  void read_cached();
  void walk();

  void erase_prefix();
  void clear();
  void flush();
  void maintain();
  void change_limits();
  void compact();
  void check();
  void back_up();
  void invalidate_one();
  void invalidate_record();
  void invalidate_calculation();
  void invalidate_resource();

  [[nodiscard]] std::size_t below(std::size_t bound) { return random_() % bound; }
  [[nodiscard]] std::string shared_key() { return "s" + std::to_string(below(3'000)); }
  [[nodiscard]] std::vector<std::string> shared_keys();
  [[nodiscard]] std::string new_value(const std::string& key);
  [[nodiscard]] std::vector<Reading> page();
  void check_own(std::size_t number);
  void check_value(const std::string& key, const std::optional<std::string>& value);
  void asks(std::size_t keys) { scene_.asked += static_cast<std::int64_t>(keys); }
  void wrong() { ++scene_.wrong; }

  static constexpr std::size_t kOwnKeys = 40;

  struct Own {
    std::vector<std::string> values;  // that a read may find; several after a refused put
    bool is_kept = false;             // the last put was accepted and not erased since
  };

  Scene& scene_;
  const std::string prefix_;
  std::mt19937 random_;
  std::array<Own, kOwnKeys> own_;
};

}  // namespace ashmemo::test
