#include "support/bad_device.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <limits>
#include <mutex>
#include <stdexcept>

#include "support/system_calls.hpp"

namespace ashmemo::test {
namespace {

constexpr std::size_t kNever = std::numeric_limits<std::size_t>::max();

/// Which reads fail.
struct Plan {
  std::size_t nth = kNever;
  ino_t file = 0;  // 0: no file
  std::int64_t from = 0;
  std::int64_t to = 0;
  std::size_t reads = 0;
  std::size_t fired = 0;
};
std::mutex mutex;
Plan plan;

bool is_in_bad_part(const OsCall& call) {
  struct stat state = {};
  return plan.file != 0 && call.at >= plan.from && call.at < plan.to &&
         ::fstat(call.descriptor, &state) == 0 && state.st_ino == plan.file;
}

int before(const OsCall& call) {
  if (!call.is_by_sqlite || call.kind != OsCall::Kind::read) return 0;
  const std::lock_guard lock(mutex);
  if (plan.reads++ != plan.nth && !is_in_bad_part(call)) return 0;
  ++plan.fired;
  return EIO;
}

void set(const Plan& next) {
  const std::lock_guard lock(mutex);
  plan = next;
}

}  // namespace

BadDevice::BadDevice() {
  set({});
  before_os_calls(before);
}

BadDevice::~BadDevice() { before_os_calls({}); }

void BadDevice::fail_once(std::size_t nth) { set({.nth = nth}); }

void BadDevice::fail_file(const std::string& path, std::int64_t from, std::int64_t to) {
  struct stat state = {};
  if (::stat(path.c_str(), &state) != 0) throw std::runtime_error("there is no file " + path);
  set({.file = state.st_ino, .from = from, .to = to});
}

void BadDevice::heal() { set({.fired = fired()}); }

std::size_t BadDevice::fired() const {
  const std::lock_guard lock(mutex);
  return plan.fired;
}

}  // namespace ashmemo::test
