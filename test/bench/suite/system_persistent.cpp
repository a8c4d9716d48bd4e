#include <filesystem>

#include "bench/entries.hpp"
#include "bench/suite/system.hpp"

#ifdef ASHMEMO_BENCH_PERSISTENT_CACHE
#include <core/persistent_string_cache.h>
#endif

namespace ashmemo::bench {

#ifdef ASHMEMO_BENCH_PERSISTENT_CACHE
namespace {

constexpr std::int64_t kNoLimit = std::int64_t{1} << 40;

/// The limit for its file. Its limit counts only keys and values.
std::int64_t max_bytes(const Setup& setup) {
  const std::size_t each = setup.value_bytes + key_of(setup.entries).size();
  return setup.evicting ? static_cast<std::int64_t>(setup.entries * each) : kNoLimit;
}

class PersistentReader final : public Reader {
 public:
  explicit PersistentReader(core::PersistentStringCache& cache) : cache_(cache) {}

  std::optional<std::string> get(std::string_view key) override {
    auto value = cache_.get(std::string(key));
    if (!value) return std::nullopt;
    return std::move(*value);
  }

 private:
  core::PersistentStringCache& cache_;
};

class PersistentSystem final : public System {
 public:
  PersistentSystem(const std::string& directory, const Setup& setup)
      : cache_(open(directory, max_bytes(setup))) {}

  std::unique_ptr<Reader> reader() override { return std::make_unique<PersistentReader>(*cache_); }
  void put(const std::string& key, const std::string& value) override {
    require(cache_->put(key, value, std::chrono::system_clock::now() + kTtl),
            "persistent-cache-cpp did not accept a value");
  }
  void touch(const std::string& key) override {
    cache_->touch(key, std::chrono::system_clock::now() + kTtl);
  }
  std::int64_t count() override { return cache_->size(); }

 private:
  /// An existing file has its own limit, so it is opened without a limit and then resized.
  static core::PersistentStringCache::UPtr open(const std::string& directory, std::int64_t limit) {
    if (std::filesystem::is_empty(directory)) {
      return core::PersistentStringCache::open(directory, limit, core::CacheDiscardPolicy::lru_ttl);
    }
    auto opened = core::PersistentStringCache::open(directory);
    if (opened->max_size_in_bytes() != limit) opened->resize(limit);
    return opened;
  }

  core::PersistentStringCache::UPtr cache_;
};

std::unique_ptr<System> open(const std::string& directory, const Setup& setup) {
  return std::make_unique<PersistentSystem>(directory, setup);
}

}  // namespace
#else
constexpr std::unique_ptr<System> (*open)(const std::string&, const Setup&) = nullptr;
#endif

const SystemType kPersistentCache{
    "persistent_cache_cpp",
    open,
    true,
    true,
    Survives::process_crash,
    Survives::process_crash,
    "lru_ttl, every entry with an expiry; no batches; cannot sync, so it has no rows \"synced\""};

}  // namespace ashmemo::bench
