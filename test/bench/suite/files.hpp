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

/// An open system and its directory. The destructor closes the system and removes the directory.
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

/// Reads all files in the directory once, so that they are in the page cache of the operating
/// system and the measurement does not read the disk.
void warm(const ScratchDirectory& directory);

/// Files are filled in the order of `shuffled` with this seed.
inline constexpr std::uint64_t kFillSeed = 2;

/// Files with entries. Each is filled once, in random order of the keys. Scenarios work on copies.
class Files {
 public:
  /// `notify` receives the progress of long steps.
  explicit Files(std::size_t value_bytes, std::function<void(const std::string&)> notify)
      : value_bytes_(value_bytes), notify_(std::move(notify)) {}

  /// A directory with a copy of the files of a system that contains this many entries.
  [[nodiscard]] std::unique_ptr<ScratchDirectory> copy(const SystemType& type, std::size_t entries);
  /// As above, opened. It contains `setup.entries` entries.
  [[nodiscard]] Contestant open_filled(const SystemType& type, const Setup& setup);
  [[nodiscard]] static Contestant open_empty(const SystemType& type, const Setup& setup);

 private:
  const ScratchDirectory& filled(const SystemType& type, std::size_t entries);

  const std::size_t value_bytes_;
  const std::function<void(const std::string&)> notify_;
  std::map<std::pair<std::string, std::size_t>, ScratchDirectory> filled_;
};

}  // namespace ashmemo::bench
