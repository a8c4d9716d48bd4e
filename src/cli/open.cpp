#include "cli/open.hpp"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <system_error>

#include "cli/command.hpp"
#include "cli/terminal.hpp"

namespace ashmemo::cli {
namespace {

// Another program's lock is waited for this long before a change is given up.
constexpr Duration kPatience = std::chrono::seconds(5);

void require_file(const std::string& file) {
  std::error_code unknown;
  if (std::filesystem::symlink_status(file, unknown).type() !=
      std::filesystem::file_type::not_found)
    return;
  throw CommandError(Exit::not_found, fmt::format("there is no file '{}'", file));
}

Options common_options() {
  Options options;
  // The application's own limit for one entry is not known: the largest there can be.
  options.limits = {unlimited, unlimited, GiB};
  options.memory_bytes = 0;  // each entry is read once
  options.when_unavailable = WhenUnavailable::throw_error;
  options.hooks.worker = WorkerMode::manual;
  return options;
}

// What ends well is not worth a word, and what does not is an error at the end.
bool is_passing(NoticeKind kind) {
  switch (kind) {
    case NoticeKind::busy:
    case NoticeKind::recovered:
    case NoticeKind::available:
    case NoticeKind::removal_uncommitted:
    case NoticeKind::foreign_reader:
      return true;
    default:
      return false;
  }
}

bool is_failure(NoticeKind kind) {
  switch (kind) {
    case NoticeKind::quarantined:
    case NoticeKind::read_failed:
    case NoticeKind::writes_dropped:
    case NoticeKind::worker_failed:
      return true;
    default:
      return false;
  }
}

}  // namespace

Cache open_for_reading(const std::string& file) {
  require_file(file);
  Options options = common_options();
  options.access = Access::read_only;
  return Cache(file, options);
}

void require_read(const Cache& cache) {
  const std::string error = cache.health().last_error;
  if (!error.empty()) throw CommandError(Exit::failed, "not all could be read: " + error);
}

void visit_all(const Cache& cache, const std::string& prefix,
               const std::function<void(const EntryInfo&)>& visit) {
  Progress progress("reading");
  cache.for_each(prefix, [&](const EntryInfo& entry) {
    progress.step();
    visit(entry);
  });
  require_read(cache);
}

namespace {

// Opening for writing would set it aside, now or once it meets the damage.
void require_whole(const std::string& file) {
  Cache cache = open_for_reading(file);
  const Progress progress("checking");
  const CheckReport report = cache.check();
  if (report.ok) return;
  throw CommandError(Exit::failed,
                     fmt::format("'{}' is damaged ({}): nothing was changed; check tells more, and "
                                 "an application that opens it begins a new one",
                                 file, report.problems.front()));
}

}  // namespace

Change::Change(const std::string& file) : cache_(opened(file)) {}

Cache Change::opened(const std::string& file) {
  require_whole(file);
  return Cache(file, options());
}

Options Change::options() {
  Options options = common_options();
  options.durability = Durability::commit;
  options.erase_securely = true;  // the application's own setting is not known
  options.timing.max_wait = kPatience;
  options.timing.close_wait = Duration();  // what has failed until then is told as failed
  options.hooks.on_error = [this](const Notice& notice) { hear(notice); };
  return options;
}

void Change::hear(const Notice& notice) {
  if (!is_passing(notice.kind)) complain(notice.what);
  has_failed_ = has_failed_ || is_failure(notice.kind);
}

void Change::finish() {
  cache_.flush();
  cache_.close();
  if (has_failed_) throw CommandError(Exit::failed, "not all of it could be done");
}

std::int64_t bytes_of(const std::string& file) {
  std::error_code unknown;
  const auto bytes = std::filesystem::file_size(file, unknown);
  return unknown ? 0 : static_cast<std::int64_t>(bytes);
}

}  // namespace ashmemo::cli
