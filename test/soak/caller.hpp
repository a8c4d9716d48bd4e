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

/// Whether entries may leave by themselves: under limits, and as anybody clears the cache.
enum class Entries : std::uint8_t { leave, stay };

/// What all callers share: a cache, calculations on it, and what went wrong.
struct Scene {
  Scene(Cache& open_cache, std::string path_of_backup, Entries what_entries_do);

  Cache& cache;
  const std::string backup_path;
  const Entries entries;
  Registry registry;
  Resource<Reading>& readings;
  Calculation<Reading, std::string> report;   // with its ttl
  Calculation<Reading, std::int64_t> square;  // served stale
  std::atomic<std::int64_t> steps{0};
  std::atomic<std::int64_t> wrong{0};
  std::atomic<std::int64_t> asked{0};  // keys, of which each is a hit or a miss
  std::atomic<bool> is_backing_up{false};
};

/// One thread that does everything that the public interface offers, in no order. Its own keys
/// nobody else puts: what it reads there must be what it stored last, or nothing where entries
/// leave. Of all other keys it knows what their values look like.
class Caller {
 public:
  Caller(Scene& scene, unsigned number);

  void step();
  /// At the end: all its own keys.
  void look_at_own();

 private:
  using Step = void (Caller::*)();
  static const std::array<Step, 16> kOften;
  static const std::array<Step, 12> kSeldom;

  void get_own();
  void put_own();
  void erase_own();
  void get_shared();
  void get_many();
  void put_shared();
  void put_many();
  void compute();
  void compute_many();
  void look();
  void touch();
  void erase_many();
  void load();
  void load_one();
  void look_at_calculations();
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
  void look_at_own(std::size_t number);
  void judge(const std::string& key, const std::optional<std::string>& value);
  void asks(std::size_t keys) { scene_.asked += static_cast<std::int64_t>(keys); }
  void wrong() { ++scene_.wrong; }

  static constexpr std::size_t kOwnKeys = 40;

  struct Own {
    std::vector<std::string> values;  // that may be read; two: a put was not taken
    bool is_kept = false;             // the last put was taken, and nothing removed it since
  };

  Scene& scene_;
  const std::string prefix_;
  std::mt19937 random_;
  std::array<Own, kOwnKeys> own_;
};

}  // namespace ashmemo::test
