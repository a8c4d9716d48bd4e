#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/platform.hpp"
#include "base/result.hpp"
#include "engine/engine.hpp"
#include "store/open.hpp"

namespace ashmemo::maintenance {

/// Sees to it that there is a store, and that it is the right one: opens it, notices when its file
/// was deleted, replaced or damaged, lets go of it then, and opens again, with back-off while that
/// fails. Callers hold the store by shared_ptr, so none is interrupted.
class StoreSupervisor {
 public:
  explicit StoreSupervisor(engine::Engine& engine) : engine_(engine) {}

  /// Opens the store. The failure is for the caller to judge.
  [[nodiscard]] base::Status open();
  /// The store in use; null: there is none at the moment. Tries to reopen when it is time to.
  [[nodiscard]] std::shared_ptr<store::Store> ensure();
  /// Opening failed: it is tried again later.
  void postpone(const base::Failure& failure);
  /// Lets go of a store whose file is no longer where it was.
  void look_at_file();
  /// A cache that only reads has nobody who writes down what others do: looks at the file, and
  /// reads anew what is known of it.
  void follow();
  void close();

 private:
  base::Status open_once();
  base::Status meet(store::Store& store);
  base::Status notify(store::Store& store, const std::vector<store::CalculationRow>& rows);
  void adopt(std::unique_ptr<store::Store> store);
  void mark_corrupt(const store::Store& store, const std::string& why);
  [[nodiscard]] std::shared_ptr<store::Store> take_store();
  void let_go();
  [[nodiscard]] bool is_read_only() const;
  [[nodiscard]] store::OpenOptions open_options();

  engine::Engine& engine_;
  std::string found_corrupt_;  // not empty: why `corrupt_file_` is to be set aside
  base::FileIdentity corrupt_file_;
  std::int64_t next_try_ = 0;  // steady
  std::int64_t back_off_ = 0;
};

}  // namespace ashmemo::maintenance
