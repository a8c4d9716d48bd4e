#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include <ashmemo/events.hpp>
#include <ashmemo/value.hpp>

#include "store/rows.hpp"

namespace ashmemo::engine {

class WritePtr;

/// A value to write, or the removal of a key. One block of memory has all of it, also the bytes of
/// the key, of the value and of the record version. It never changes, except `touches`.
class Write {
 public:
  /// Copies the key and the entry. `byte_size`: the cost of the entry in the file. `is_touched`:
  /// whether overwriting an entry counts as a read of it.
  [[nodiscard]] static WritePtr put(std::string_view key, const store::EntryView& entry,
                                    std::int64_t byte_size, bool is_touched = true);
  [[nodiscard]] static WritePtr removal(std::string_view key, RemovalCause cause);

  Write(const Write&) = delete;
  Write& operator=(const Write&) = delete;

  [[nodiscard]] bool is_put() const noexcept { return is_put_; }
  [[nodiscard]] bool is_touched() const noexcept { return is_touched_; }
  /// Of a removal.
  [[nodiscard]] RemovalCause cause() const noexcept { return cause_; }
  /// Whether a caller erased the key. False for a removal of an older value whose new value was
  /// refused.
  [[nodiscard]] bool is_erasure() const noexcept {
    return !is_put_ && cause_ == RemovalCause::erased;
  }

  [[nodiscard]] std::string_view key() const noexcept { return {bytes(), key_size_}; }
  [[nodiscard]] ValueView value() const noexcept;
  [[nodiscard]] ValueView record_version() const noexcept;
  [[nodiscard]] const store::Deadlines& deadlines() const noexcept { return deadlines_; }
  [[nodiscard]] std::int64_t calculation_id() const noexcept { return calculation_id_; }
  [[nodiscard]] std::int64_t byte_size() const noexcept { return byte_size_; }
  /// The entry that a put will store.
  [[nodiscard]] store::EntryView view() const noexcept {
    return {0, deadlines_, calculation_id_, record_version(), cost_us_, value()};
  }
  /// The bytes of the key, the value and the record version.
  [[nodiscard]] std::size_t content_bytes() const noexcept {
    return key_size_ + value_size() + size_of(version_type_, version_number_);
  }

  mutable std::atomic<std::uint32_t> touches{0};  // reads that this write answered

 private:
  friend class WritePtr;

  Write(std::string_view key, const store::EntryView& entry, std::int64_t byte_size) noexcept;
  ~Write() = default;
  [[nodiscard]] static Write* make(std::string_view key, const store::EntryView& entry,
                                   std::int64_t byte_size);
  [[nodiscard]] static std::size_t size_of(ValueType type, std::int64_t number) noexcept {
    const bool has_bytes = type == ValueType::text || type == ValueType::blob;
    return has_bytes ? static_cast<std::size_t>(number) : 0;
  }
  [[nodiscard]] std::size_t value_size() const noexcept {
    return size_of(value_type_, value_number_);
  }
  // They follow the object.
  [[nodiscard]] const char* bytes() const noexcept {
    return reinterpret_cast<const char*>(this + 1);
  }

  mutable std::atomic<std::uint32_t> references_{1};
  store::Deadlines deadlines_;
  std::int64_t calculation_id_;
  std::int64_t byte_size_;
  std::int64_t cost_us_;
  // An integer, the bits of a real, or the size of a text or blob.
  std::int64_t value_number_;
  std::int64_t version_number_;
  std::uint32_t key_size_;
  ValueType value_type_;
  ValueType version_type_;
  bool is_put_ : 1 = true;
  bool is_touched_ : 1 = true;
  RemovalCause cause_ = RemovalCause::erased;
};

/// Shares a write. It is smaller than a std::shared_ptr, and needs no block of its own.
class WritePtr {
 public:
  WritePtr() noexcept = default;
  WritePtr(std::nullptr_t) noexcept {}
  WritePtr(const WritePtr& other) noexcept : write_(other.write_) {
    if (write_ != nullptr) write_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  WritePtr(WritePtr&& other) noexcept : write_(std::exchange(other.write_, nullptr)) {}
  WritePtr& operator=(WritePtr other) noexcept {
    std::swap(write_, other.write_);
    return *this;
  }
  ~WritePtr() {
    if (write_ != nullptr) release();
  }

  [[nodiscard]] const Write* get() const noexcept { return write_; }
  const Write& operator*() const noexcept { return *write_; }
  const Write* operator->() const noexcept { return write_; }
  explicit operator bool() const noexcept { return write_ != nullptr; }
  friend bool operator==(const WritePtr&, const WritePtr&) noexcept = default;

 private:
  friend class Write;
  explicit WritePtr(const Write* write) noexcept : write_(write) {}
  void release() noexcept;

  const Write* write_ = nullptr;
};

}  // namespace ashmemo::engine
