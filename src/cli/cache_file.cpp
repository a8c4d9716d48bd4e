#include "cli/cache_file.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "cli/commands.hpp"
#include "cli/terminal.hpp"

namespace ashmemo::cli {
namespace {

Options common_options() {
  Options options;
  // The limits of the application are unknown. No entry may be evicted or be too large to read.
  options.limits = {unlimited, unlimited, GiB};
  options.memory_bytes = 0;  // a command reads each entry once
  options.hint_bytes = 0;
  options.when_unavailable = WhenUnavailable::throw_error;
  options.hooks.worker = WorkerMode::manual;
  return options;
}

/// Whether the notice means that changes are lost. Other problems may end; if one lasts, `flush`
/// throws.
bool is_final(NoticeKind kind) {
  switch (kind) {
    case NoticeKind::quarantined:
    case NoticeKind::read_failed:
    case NoticeKind::writes_dropped:
    case NoticeKind::worker_failed:
    case NoticeKind::file_lost:
      return true;
    default:
      return false;
  }
}

/// A log with content begins with a byte that is not 0. Opening reserves space for a log, as zeros.
bool is_empty_log(const std::string& path) {
  std::ifstream log(path, std::ios::binary);
  char first = 0;
  return log.is_open() && (!log.get(first) || first == 0);
}

/// Ends the program without closing the cache, which could write to its file. If the log did not
/// exist before and has no content, it is removed with its index.
[[noreturn]] void leave_unchanged(const std::string& file, bool had_log) {
  std::error_code error;
  if (!had_log && is_empty_log(file + "-wal")) {
    for (const char* const suffix : {"-wal", "-shm"}) std::filesystem::remove(file + suffix, error);
  }
  std::_Exit(static_cast<int>(Exit::failed));
}

}  // namespace

Cache open_for_reading(const std::string& file) {
  std::error_code error;
  const auto type = std::filesystem::symlink_status(file, error).type();
  if (type == std::filesystem::file_type::not_found) {
    throw CommandError(Exit::not_found, fmt::format("there is no file '{}'; check the path", file));
  }
  Options options = common_options();
  options.access = Access::read_only;
  return Cache(file, options);
}

void require_complete(const Cache& cache) {
  const std::string error = cache.health().last_error;
  if (error.empty()) return;
  throw CommandError(
      Exit::failed,
      fmt::format("not all entries could be read: {}; run 'ashmemo check' on the file", error));
}

void visit_all(const Cache& cache, const std::string& prefix,
               const std::function<void(const EntryInfo&)>& visit) {
  const Progress progress("reading");
  cache.for_each(prefix, visit);
  require_complete(cache);
}

CheckReport check_file(const std::string& file) {
  try {
    Cache cache = open_for_reading(file);
    const Progress progress("checking");
    return cache.check();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::damaged) throw;
    CheckReport report;
    report.ok = false;
    report.problems.emplace_back(error.what());
    return report;
  }
}

void change_file(const std::string& file, const std::function<void(Cache&)>& work) {
  std::error_code error;
  const bool had_log = std::filesystem::exists(file + "-wal", error);
  // Refuses a file that does not exist or cannot be opened. Opening it for writing would create or
  // replace it.
  (void)open_for_reading(file);
  bool has_failed = false;
  Options options = common_options();
  options.durability = Durability::commit;
  options.erase_securely = true;                      // the application may have set this
  options.timing.max_wait = std::chrono::seconds(5);  // for the lock of another program
  options.timing.close_wait = Duration();             // `flush` has waited and reported before
  options.hooks.on_error = [&has_failed](const Notice& notice) {
    if (!is_final(notice.kind)) return;
    complain(notice.what);
    has_failed = true;
  };
  Cache cache(file, options);
  // Entries that do not match their checksums do not count: they are misses and harm no other
  // entry.
  if (const CheckReport report = check_file(file); !report.problems.empty()) {
    complain(
        fmt::format("'{}' is damaged and was not changed. An application that opens it replaces "
                    "it by a new file. 'ashmemo check' lists the damage",
                    file));
    leave_unchanged(file, had_log);
  }
  work(cache);
  cache.flush();
  cache.close();
  if (has_failed) {
    throw CommandError(Exit::failed, fmt::format("not all changes to '{}' were made", file));
  }
}

std::int64_t bytes_of(const std::string& file) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(file, error);
  return error ? 0 : static_cast<std::int64_t>(bytes);
}

}  // namespace ashmemo::cli
