#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "bench/scratch_directory.hpp"
#include "bench/suite/system.hpp"

namespace ashmemo::bench {

/// A system, open in a directory of its own that goes with it.
class Contestant {
 public:
  Contestant(const SystemType& type, std::unique_ptr<ScratchDirectory> directory,
             const Setup& setup)
      : type_(&type),
        directory_(std::move(directory)),
        system_(type.open(directory_->path(), setup)) {}

  [[nodiscard]] const char* name() const { return type_->name; }
  [[nodiscard]] const SystemType& type() const { return *type_; }
  [[nodiscard]] System& operator*() const { return *system_; }
  [[nodiscard]] System* operator->() const { return system_.get(); }

 private:
  const SystemType* type_;
  std::unique_ptr<ScratchDirectory> directory_;  // outlives the system
  std::unique_ptr<System> system_;
};

/// Reads all files in there once: so far as they find room in the system's memory, nothing that is
/// measured afterwards reads them from the disk.
void warm(const ScratchDirectory& directory);

/// Of the order in which files are filled: `shuffled` with this seed.
inline constexpr std::uint64_t kFillSeed = 2;

/// Files with entries in them, each filled once, in no order of the keys. Scenarios work on copies.
class Files {
 public:
  /// `tell` hears what takes long.
  explicit Files(std::size_t value_bytes, std::function<void(const std::string&)> notify)
      : value_bytes_(value_bytes), tell_(std::move(notify)) {}

  /// A directory with a copy of what the system keeps with so many entries.
  [[nodiscard]] std::unique_ptr<ScratchDirectory> copy(const SystemType& type, std::size_t entries);
  /// As above, opened. `setup.entries` are in it.
  [[nodiscard]] Contestant open_filled(const SystemType& type, const Setup& setup);
  [[nodiscard]] static Contestant open_empty(const SystemType& type, const Setup& setup);

 private:
  const ScratchDirectory& filled(const SystemType& type, std::size_t entries);

  const std::size_t value_bytes_;
  const std::function<void(const std::string&)> tell_;
  std::map<std::pair<std::string, std::size_t>, ScratchDirectory> filled_;
};

}  // namespace ashmemo::bench
