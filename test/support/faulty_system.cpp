#include "support/faulty_system.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <mutex>
#include <string_view>
#include <system_error>

namespace ashmemo::test {
namespace {

using Kind = OsCall::Kind;

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

constexpr std::array kErrorsOfOpen{EACCES, EMFILE, EIO, EINTR};
constexpr std::array kErrorsOfCreate{EACCES, EMFILE, EIO, ENOSPC, EROFS, EINTR};
constexpr std::array kErrorsOfTruncate{EACCES, EMFILE, EIO, EROFS};
constexpr std::array kErrorsOfOpenFolder{EACCES, EMFILE};
constexpr std::array kErrorsOfState{EACCES, EIO};
constexpr std::array kErrorsOfRead{EIO, EINTR};
constexpr std::array kErrorsOfWrite{EIO, ENOSPC, EDQUOT, EFBIG, EROFS, EINTR};
constexpr std::array kErrorsOfWriteBySqlite{EDQUOT, EFBIG, EINTR};  // FaultVfs has the other errors
constexpr std::array kErrorsOfResize{EIO, ENOSPC, EFBIG};
constexpr std::array kErrorsOfResizeBySqlite{EIO, ENOSPC, EFBIG};
constexpr std::array kErrorsOfSetMode{EPERM, EROFS};
constexpr std::array kErrorsOfSync{EIO, ENOSPC, EINVAL};
constexpr std::array kErrorsOfLock{ENOLCK, EIO};
constexpr std::array kErrorsOfLockBySqlite{EAGAIN, ENOLCK, EIO};
constexpr std::array kErrorsOfMap{ENOMEM, ENODEV};
constexpr std::array kErrorsOfRename{EACCES, EIO, ENOSPC, EROFS};
constexpr std::array kErrorsOfRenameOnly{EACCES, EIO, ENOSPC, EROFS, EINVAL, ENOSYS};
constexpr std::array kErrorsOfRemove{EACCES, EIO, EROFS};

/// Which calls fail, and how.
struct Plan {
  int error = 0;
  std::size_t nth = kNever;
  bool stays = false;
  std::vector<OsCall> calls{};
  std::size_t fired = 0;
  std::string first_failed{};
};
std::mutex mutex;
Plan plan;

void set(const Plan& next) {
  const std::lock_guard lock(mutex);
  plan = next;
}

std::string_view name_of(Kind kind) {
  constexpr std::array<std::string_view, 15> kNames{
      "open", "create", "truncate", "open of a folder", "state",
      "read", "write",  "resize",   "set mode",         "sync",
      "lock", "map",    "rename",   "rename",           "remove"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string description(const OsCall& call, int error) {
  std::string text = call.is_by_sqlite ? "SQLite: " : "";
  text += name_of(call.kind);
  if (call.path != nullptr) text += std::string(" ") + call.path;
  return text + ": " + std::generic_category().message(error);
}

bool can_fail(const OsCall& call, int error) {
  const auto errors = errors_of(call);
  return std::find(errors.begin(), errors.end(), error) != errors.end();
}

int before(const OsCall& call) {
  const std::lock_guard lock(mutex);
  const std::size_t number = plan.calls.size();
  plan.calls.push_back({.kind = call.kind, .is_by_sqlite = call.is_by_sqlite});
  const bool is_due = plan.stays ? number >= plan.nth : number == plan.nth;
  if (!is_due || !can_fail(call, plan.error)) return 0;
  if (++plan.fired == 1) plan.first_failed = description(call, plan.error);
  return plan.error;
}

}  // namespace

std::span<const int> errors_of(const OsCall& call) noexcept {
  switch (call.kind) {
    case Kind::open:
      return kErrorsOfOpen;
    case Kind::create:
      return kErrorsOfCreate;
    case Kind::truncate:
      return kErrorsOfTruncate;
    case Kind::open_folder:
      return kErrorsOfOpenFolder;
    case Kind::state:
      return kErrorsOfState;
    case Kind::read:
      return kErrorsOfRead;
    case Kind::write:
      if (call.is_by_sqlite) return kErrorsOfWriteBySqlite;
      return kErrorsOfWrite;
    case Kind::resize:
      if (call.is_by_sqlite) return kErrorsOfResizeBySqlite;
      return kErrorsOfResize;
    case Kind::set_mode:
      return kErrorsOfSetMode;
    case Kind::sync:
      return kErrorsOfSync;
    case Kind::lock:
      // EAGAIN for FILE-lock means that another process has the cache. That is no fault.
      if (call.is_by_sqlite) return kErrorsOfLockBySqlite;
      return kErrorsOfLock;
    case Kind::map:
      return kErrorsOfMap;
    case Kind::rename:
      return kErrorsOfRename;
    case Kind::rename_only:
      return kErrorsOfRenameOnly;
    case Kind::remove:
      return kErrorsOfRemove;
  }
  return {};
}

// SQLite reads its random seed once in a process. That call would otherwise be recorded only in the
// first operation.
FaultySystem::FaultySystem() {
  char byte = 0;
  sqlite3_randomness(1, &byte);
  heal();
  before_os_calls(before);
}

FaultySystem::~FaultySystem() { before_os_calls({}); }

void FaultySystem::fail(int error, std::size_t nth, bool stays) {
  set({.error = error, .nth = nth, .stays = stays});
}

void FaultySystem::heal() { set({.first_failed = first_failed()}); }

std::vector<OsCall> FaultySystem::calls() const {
  const std::lock_guard lock(mutex);
  return plan.calls;
}

std::size_t FaultySystem::fired() const {
  const std::lock_guard lock(mutex);
  return plan.fired;
}

std::string FaultySystem::first_failed() const {
  const std::lock_guard lock(mutex);
  return plan.first_failed;
}

}  // namespace ashmemo::test
