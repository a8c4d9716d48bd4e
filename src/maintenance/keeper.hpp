#pragma once

#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "engine/engine.hpp"
#include "store/open.hpp"

namespace ashmemo::maintenance {

/// Sees to it that there is a store, and that it is the right one: opens it, notices when its file was
/// deleted, replaced or damaged, lets go of it then, and opens again, with back-off while that fails.
/// Callers hold the store by shared_ptr, so none is interrupted.
class Keeper {
 public:
  explicit Keeper(engine::Engine& engine) : engine_(engine) {}

  /// Opens the store. The failure is for the caller to judge.
  [[nodiscard]] base::Status open();
  /// The store in use; null: there is none at the moment. Tries to reopen when it is time to.
  [[nodiscard]] std::shared_ptr<store::Store> ensure();
  /// Opening failed: it is tried again later.
  void postpone(const base::Failure& failure);
  /// Lets go of a store whose file is no longer where it was.
  void look_at_file();
  void close();

 private:
  void let_go();
  void adopt(std::unique_ptr<store::Store> store);
  base::Status read_what_is_known(store::Store& store);
  [[nodiscard]] store::OpenOptions open_options();

  engine::Engine& engine_;
  bool damaged_ = false;           // what was open until now: to be set aside
  std::int64_t next_try_ = 0;      // steady
  std::int64_t back_off_ = 0;
};

}  // namespace ashmemo::maintenance
