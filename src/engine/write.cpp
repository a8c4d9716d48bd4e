#include "engine/write.hpp"

#include <algorithm>
#include <bit>
#include <new>

namespace ashmemo::engine {

namespace {

// An integer, the bits of a real, or the size of a text or blob.
std::int64_t number_of(ValueView value) noexcept {
  switch (value.type()) {
    case ValueType::integer:
      return value.as_integer();
    case ValueType::real:
      return std::bit_cast<std::int64_t>(value.as_real());
    default:
      return static_cast<std::int64_t>(value.bytes().size());
  }
}

ValueView value_of(ValueType type, std::int64_t number, const char* bytes) noexcept {
  switch (type) {
    case ValueType::null:
      return {};
    case ValueType::integer:
      return ValueView::integer(number);
    case ValueType::real:
      return ValueView::real(std::bit_cast<double>(number));
    case ValueType::text:
      return ValueView::text({bytes, static_cast<std::size_t>(number)});
    case ValueType::blob:
      return ValueView::blob({bytes, static_cast<std::size_t>(number)});
  }
  return {};
}

}  // namespace

Write::Write(std::string_view key, const store::EntryView& entry, std::int64_t byte_size) noexcept
    : deadlines_(entry.deadlines),
      calculation_id_(entry.calculation_id),
      byte_size_(byte_size),
      cost_us_(entry.cost_us),
      value_number_(number_of(entry.value)),
      version_number_(number_of(entry.record_version)),
      key_size_(static_cast<std::uint32_t>(key.size())),
      value_type_(entry.value.type()),
      version_type_(entry.record_version.type()) {
  char* to = reinterpret_cast<char*>(this + 1);
  for (const std::string_view part : {key, entry.value.bytes(), entry.record_version.bytes()}) {
    to = std::copy(part.begin(), part.end(), to);
  }
}

Write* Write::make(std::string_view key, const store::EntryView& entry, std::int64_t byte_size) {
  const std::size_t bytes =
      key.size() + entry.value.bytes().size() + entry.record_version.bytes().size();
  void* const memory = ::operator new(sizeof(Write) + bytes);
  return ::new (memory) Write(key, entry, byte_size);
}

WritePtr Write::put(std::string_view key, const store::EntryView& entry, std::int64_t byte_size,
                    bool is_touched) {
  Write* const write = make(key, entry, byte_size);
  write->is_touched_ = is_touched;
  return WritePtr(write);
}

WritePtr Write::removal(std::string_view key, RemovalCause cause) {
  Write* const write = make(key, {}, 0);
  write->is_put_ = false;
  write->cause_ = cause;
  return WritePtr(write);
}

ValueView Write::value() const noexcept {
  return value_of(value_type_, value_number_, bytes() + key_size_);
}

ValueView Write::record_version() const noexcept {
  return value_of(version_type_, version_number_, bytes() + key_size_ + value_size());
}

void WritePtr::release() noexcept {
  if (write_->references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  write_->~Write();
  ::operator delete(const_cast<Write*>(write_));
}

}  // namespace ashmemo::engine
