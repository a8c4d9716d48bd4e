#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>

namespace ashmemo::engine {

/// Words that one thread writes while others read: what they read may be torn between words, and a
/// sequence lock around it says so (Boehm, "Can seqlocks get along with programming language memory
/// models?", MSPC 2012: loads that acquire, stores that release). All are 0 at first, and memory
/// that was never written is none of the system's until then.
class SharedWords {
 public:
  explicit SharedWords(std::size_t count)
      : words_(static_cast<std::uint64_t*>(std::calloc(count, sizeof(std::uint64_t)))),
        count_(count) {
    if (words_ == nullptr) throw std::bad_alloc();
  }

  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t load(std::size_t at) const noexcept {
    return word(at).load(std::memory_order_acquire);
  }
  void store(std::size_t at, std::uint64_t value) noexcept {
    word(at).store(value, std::memory_order_release);
  }
  /// For who does not own the words: writes only what is still as it was seen.
  void replace(std::size_t at, std::uint64_t seen, std::uint64_t value) noexcept {
    word(at).compare_exchange_strong(seen, value, std::memory_order_relaxed);
  }

  void load(std::size_t at, std::span<std::uint64_t> out) const noexcept {
    const std::size_t count = out.size();
    std::uint64_t* const to = out.data();
    std::size_t i = 0;
    for (; i + 4 <= count; i += 4) {  // compilers do not unroll loops of atomics
      to[i] = load(at + i);
      to[i + 1] = load(at + i + 1);
      to[i + 2] = load(at + i + 2);
      to[i + 3] = load(at + i + 3);
    }
    for (; i < count; ++i) to[i] = load(at + i);
  }
  void store(std::size_t at, std::span<const std::uint64_t> words) noexcept {
    for (std::size_t i = 0; i < words.size(); ++i) store(at + i, words[i]);
  }

 private:
  struct Free {
    void operator()(std::uint64_t* words) const noexcept { std::free(words); }
  };

  [[nodiscard]] std::atomic_ref<std::uint64_t> word(std::size_t at) const noexcept {
    return std::atomic_ref<std::uint64_t>(words_.get()[at]);
  }

  std::unique_ptr<std::uint64_t[], Free> words_;
  std::size_t count_;
};

}  // namespace ashmemo::engine
