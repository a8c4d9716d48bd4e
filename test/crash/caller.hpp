#pragma once

#include <ashmemo/cache.hpp>
#include <cstdint>
#include <random>
#include <shared_mutex>

#include "crash/journal.hpp"
#include "crash/load.hpp"
#include "crash/posts.hpp"

namespace ashmemo::test {

/// The objects that the threads of one load share.
struct Shared {
  Cache& cache;
  Journal& journal;
  const Load& load;
  const Posts& posts;
  Editions& editions;
  std::shared_mutex clearing{};  // exclusive during clear(), so that the order of calls is known
};

/// A thread that makes random calls. No other thread writes its group of keys.
class Caller {
 public:
  Caller(Shared& shared, std::uint32_t group);

  /// Makes all steps of the load.
  void run();

 private:
  void step();

  void put(std::uint32_t key);
  void put_many();
  void erase(std::uint32_t key);
  void erase_many();
  void erase_group();
  void clear();
  void flush();
  void read(std::uint32_t key);

  void load_posts();
  void invalidate_one();
  void invalidate_all();

  void change_limits();
  void back_up();

  std::uint32_t any(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }
  std::uint32_t any_key() { return group_ * kKeysOfGroup + any(kKeysOfGroup); }
  /// Some consecutive keys of the group.
  [[nodiscard]] std::vector<std::uint32_t> some_keys();
  [[nodiscard]] PutOptions options() const;

  Shared& shared_;
  Cache& cache_;
  Journal& journal_;
  const std::uint32_t group_;
  std::uint64_t version_;
  std::mt19937_64 random_;
};

}  // namespace ashmemo::test
