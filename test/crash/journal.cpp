#include "crash/journal.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <stdexcept>

namespace ashmemo::test {
namespace {

constexpr std::size_t kSlots = 60'000;
constexpr std::size_t kReserve = 2'000;

}  // namespace

struct Journal::Slot {
  std::atomic<bool> is_complete;
  Record record;
};

struct Journal::Memory {
  std::atomic<std::size_t> used;
  Slot slots[kSlots];
};

Journal::Journal() {
  void* const place =
      ::mmap(nullptr, sizeof(Memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) throw std::runtime_error("no shared memory");
  memory_ = ::new (place) Memory();
}

Journal::~Journal() { ::munmap(memory_, sizeof(Memory)); }

void Journal::add(Step step, std::uint32_t key, std::uint64_t version) {
  const std::size_t at = memory_->used++;
  if (at >= kSlots) throw std::length_error("the journal is full");
  memory_->slots[at].record = {step, key, version};
  memory_->slots[at].is_complete = true;
}

bool Journal::is_full() const noexcept { return memory_->used + kReserve > kSlots; }

// Incomplete slots are skipped: their call had not begun, or its result was not used yet.
std::vector<Record> Journal::records() const {
  std::vector<Record> all;
  const std::size_t used = std::min<std::size_t>(memory_->used, kSlots);
  for (std::size_t at = 0; at < used; ++at) {
    if (memory_->slots[at].is_complete) all.push_back(memory_->slots[at].record);
  }
  return all;
}

void Journal::clear() {
  for (std::size_t at = 0; at < std::min<std::size_t>(memory_->used, kSlots); ++at) {
    memory_->slots[at].is_complete = false;
  }
  memory_->used = 0;
}

}  // namespace ashmemo::test
