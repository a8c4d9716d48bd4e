#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "base/platform.hpp"
#include "store/open.hpp"
#include "support/fake_engine.hpp"
#include "support/temp_dir.hpp"

// A damaged file that cannot be quarantined, and a file that replaces it.

using namespace ashmemo;
using base::FailureKind;
using test::Call;
using test::FakeEngine;

namespace {

using Opened = base::Result<std::unique_ptr<store::Store>>;

/// Changes the current folder until it is destroyed.
class InFolder {
 public:
  explicit InFolder(const std::string& folder) : before_(std::filesystem::current_path()) {
    std::filesystem::current_path(folder);
  }
  ~InFolder() { std::filesystem::current_path(before_); }
  InFolder(const InFolder&) = delete;
  InFolder& operator=(const InFolder&) = delete;

 private:
  const std::filesystem::path before_;
};

/// A cache on a real file. Its quarantine fails while `is_folder_locked` is true.
struct OnDisk {
  OnDisk() {
    fake.engine.open_store = [this](const store::OpenOptions& options) -> Opened {
      const bool quarantines = options.corrupt_file == base::inspect(options.path)->identity;
      if (is_folder_locked && quarantines) return base::Failure{FailureKind::io, 0, "locked"};
      auto opened = store::open_store(options);
      if (!opened.ok()) return opened;
      return test::make_faulty(std::move(*opened), fake.faults);
    };
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    REQUIRE(fake.worker.compact().ok());  // empties the log
  }
  void put_copy_in_its_place() {
    std::filesystem::copy_file(path, path + "-copy");
    std::filesystem::rename(path + "-copy", path);
  }

  const test::TempDir dir;
  const std::string path = dir.path("x");
  FakeEngine fake{FakeEngine::manual(), path};
  bool is_folder_locked = false;
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a file that replaces a damaged one is checked anew after a failed quarantine") {
    OnDisk disk;
    FakeEngine& fake = disk.fake;
    disk.is_folder_locked = true;
    fake.faults->fail(Call::read, FailureKind::corrupt);
    CHECK_FALSE(fake.get("a"));
    CHECK_FALSE(fake.worker.flush().ok());
    CHECK(fake.health() == HealthState::unavailable);
    bool replaced = false;
    SUBCASE("the damaged file is still there") {}
    SUBCASE("a good copy replaces it") { replaced = true; }
    if (replaced) disk.put_copy_in_its_place();
    disk.is_folder_locked = false;
    fake.clock->advance(std::chrono::seconds(10));
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.get("a").has_value() == replaced);
    CHECK(fake.recorded->count(NoticeKind::quarantined) == (replaced ? 0 : 1));
  }

  TEST_CASE("a file is not marked corrupt for the damage of the file that it replaced") {
    OnDisk disk;
    FakeEngine& fake = disk.fake;
    fake.faults->fail(Call::read, FailureKind::corrupt);
    CHECK_FALSE(fake.get("a"));
    disk.put_copy_in_its_place();
    fake.put("b", "1");
    REQUIRE(fake.worker.flush().ok());
    CHECK(fake.get("a"));
    CHECK(fake.recorded->count(NoticeKind::quarantined) == 0);
    CHECK(fake.recorded->count(NoticeKind::file_lost) == 1);
  }

  TEST_CASE("a relative path means the same file after the process has changed its folder") {
    const test::TempDir dir;
    std::filesystem::create_directory(dir.path("elsewhere"));
    const InFolder home(dir.path());
    FakeEngine fake(FakeEngine::manual(), "x");
    fake.engine.open_store = [&fake](const store::OpenOptions& options) -> Opened {
      auto opened = store::open_store(options);
      if (!opened.ok()) return opened;
      return test::make_faulty(std::move(*opened), fake.faults);
    };
    REQUIRE(fake.open().ok());
    fake.put("a", "1");
    REQUIRE(fake.worker.flush().ok());
    const InFolder elsewhere(dir.path("elsewhere"));
    SUBCASE("the file is damaged") {
      fake.faults->fail(Call::read, FailureKind::corrupt);
      CHECK_FALSE(fake.get("a"));
      REQUIRE(fake.worker.flush().ok());
      CHECK(fake.recorded->count(NoticeKind::quarantined) == 1);
    }
    SUBCASE("the file was deleted") {
      for (const char* suffix : {"", "-wal", "-shm"}) {
        std::filesystem::remove(dir.path("x") + suffix);
      }
      REQUIRE(fake.worker.flush().ok());
      CHECK(fake.recorded->count(NoticeKind::file_lost) == 1);
    }
    CHECK_FALSE(fake.get("a"));
    CHECK(std::filesystem::exists(dir.path("x")));
    CHECK_FALSE(std::filesystem::exists(dir.path("elsewhere/x")));
    CHECK(fake.recorded->notices.front().subject == "x");  // the path as it was given
  }
}
