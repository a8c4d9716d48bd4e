#include "support/opening.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <ashmemo/clock.hpp>
#include <csignal>
#include <filesystem>
#include <stdexcept>

#include "support/child.hpp"
#include "support/temp_dir.hpp"

namespace ashmemo::test {

using base::FailureKind;
using store::OpenOptions;
using store::PutRow;
using store::Store;
using store::Writer;

std::string kind_name(FailureKind kind) {
  switch (kind) {
    case FailureKind::busy:
      return "busy";
    case FailureKind::full:
      return "full";
    case FailureKind::io:
      return "io";
    case FailureKind::corrupt:
      return "corrupt";
    case FailureKind::unavailable:
      return "unavailable";
    case FailureKind::in_use:
      return "in_use";
    case FailureKind::not_ours:
      return "not_ours";
    case FailureKind::unusable:
      return "unusable";
    case FailureKind::too_large:
      return "too_large";
    case FailureKind::other:
      return "other";
  }
  return "?";
}

OpenOptions options_for(const std::string& path) {
  OpenOptions options;
  options.path = path;
  options.reader_cache_bytes = 1 << 20;
  options.writer_cache_bytes = 1 << 20;
  options.max_entry_bytes = 1 << 20;
  options.clock = std::make_shared<ManualClock>();
  return options;
}

Opening open_with(OpenOptions options) {
  Opening opening;
  options.on_quarantine = [&](const std::string& file, const std::string& to,
                              const std::string& why) {
    opening.quarantine.push_back({file, to, why});
  };
  options.on_exposed = [&](const std::string& file) { opening.exposed.push_back(file); };
  opening.store = store::open_store(options);
  return opening;
}

Opening open_at(const std::string& path) { return open_with(options_for(path)); }

Opening open_read_only(const std::string& path) {
  OpenOptions options = options_for(path);
  options.read_only = true;
  return open_with(options);
}

Child process_that_holds(const std::string& path) {
  return Child([&](Child::Parent& parent) -> std::string {
    const auto opening = open_at(path);
    if (!opening.store) return opening.store.failure().what;
    std::string written = put(**opening.store, "old");
    parent.notify();
    parent.wait_for();
    return written;
  });
}

Opening open_found_corrupt(const std::string& path) {
  auto options = options_for(path);
  options.found_corrupt = "page 7 is damaged";
  options.corrupt_file = base::inspect(path)->identity;
  return open_with(options);
}

std::string outcome(const Opening& opening) {
  return opening.store ? "open" : kind_name(opening.store.failure().kind);
}

std::string outcome_in_child(const std::string& path) {
  return in_child([&] { return outcome(open_at(path)); }).said;
}

std::string message_of(const Opening& opening) {
  return opening.store ? "" : opening.store.failure().what;
}

std::string put(Store& store, const std::string& key) {
  Writer* writer = store.writer();
  if (const auto begun = writer->begin(); !begun) return begun.failure().what;
  PutRow row;
  row.key = key;
  row.value = ValueView::integer(42);
  row.byte_size = 100;
  row.stamp = 1;
  if (const auto written = writer->put(row); !written) return written.failure().what;
  if (const auto done = writer->commit(false); !done) return done.failure().what;
  return "committed";
}

std::string shell(const std::string& path, const std::string& sql) {
  const ChildEnd end = run_program({"sqlite3", path, sql});
  if (end.exit_code != 0) throw std::runtime_error(sql + ": " + end.said);
  return end.said;
}

bool has_key(const std::string& path, const std::string& key) {
  return shell(path, "SELECT count(*) FROM cache_entries WHERE cache_key = '" + key + "'") == "1\n";
}

void make_cache(const std::string& path) {
  const auto opening = open_at(path);
  REQUIRE_MESSAGE(opening.store, opening.store.failure().what);
  REQUIRE(put(**opening.store, "old") == "committed");
}

void make_cache_with_an_erase_in_the_log(const std::string& path) {
  make_cache(path);
  const ChildEnd end = in_child([&]() -> std::string {
    const auto opening = open_at(path);
    auto* const writer = (*opening.store)->writer();
    if (writer->begin() && writer->delete_key("old") && writer->commit(false)) ::raise(SIGKILL);
    return "not erased";
  });
  REQUIRE_MESSAGE(end.exit_code == kKilled, end.said);
}

int mode_of(const std::string& path) {
  struct stat found = {};
  REQUIRE(::lstat(path.c_str(), &found) == 0);
  return found.st_mode & 0777;
}

std::map<std::string, std::string> facts_of(const std::string& directory) {
  std::map<std::string, std::string> facts;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    struct stat found = {};
    REQUIRE(::lstat(entry.path().c_str(), &found) == 0);
    std::string fact = std::to_string(found.st_ino) + ' ' + std::to_string(found.st_mode) + ' ' +
                       std::to_string(found.st_size) + ' ' + std::to_string(found.st_mtim.tv_sec) +
                       '.' + std::to_string(found.st_mtim.tv_nsec);
    if (S_ISREG(found.st_mode)) fact += ' ' + read_file(entry.path().string());
    facts[entry.path().string()] = fact;
  }
  return facts;
}

}  // namespace ashmemo::test
