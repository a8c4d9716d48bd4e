#include "store/header.hpp"

#include <SQLiteCpp/Exception.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <string_view>

#include "store/sqlite_error.hpp"

namespace ashmemo::store {
namespace {

constexpr std::string_view kMagic("SQLite format 3\0", 16);
constexpr std::size_t kHeaderBytes = 100;
constexpr std::size_t kWriteVersionAt = 18;
constexpr std::size_t kReadVersionAt = 19;
constexpr std::size_t kFileIdAt = 48;
constexpr std::size_t kUserVersionAt = 60;
constexpr std::size_t kApplicationIdAt = 68;
constexpr std::uint32_t kLogVersion = 3'007'000;
constexpr std::size_t kLogVersionAt = 4;

// SQLite has no other values.
constexpr char kJournalVersion = 1;
constexpr char kWalVersion = 2;

bool is_known_version(char version) noexcept {
  return version == kJournalVersion || version == kWalVersion;
}

// A file that SQLite's file layer opens, without a connection, which would take ten times as long.
class DatabaseFile {
 public:
  explicit DatabaseFile(const std::string& path)
      : vfs_(sqlite3_vfs_find(nullptr)),
        name_(sqlite3_create_filename(path.c_str(), "", "", 0, nullptr)) {
    if (vfs_ == nullptr || name_ == nullptr) throw std::bad_alloc();
    memory_ = std::make_unique<std::byte[]>(static_cast<std::size_t>(vfs_->szOsFile));
    constexpr int kFlags = SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_NOFOLLOW;
    int opened = 0;
    const int rc = vfs_->xOpen(vfs_, name_.get(), get(), kFlags, &opened);
    if (rc != SQLITE_OK) {
      close();
      throw SQLite::Exception(sqlite3_errstr(rc), rc);
    }
  }
  ~DatabaseFile() { close(); }
  DatabaseFile(const DatabaseFile&) = delete;
  DatabaseFile& operator=(const DatabaseFile&) = delete;

  [[nodiscard]] sqlite3_file* get() noexcept {
    return static_cast<sqlite3_file*>(static_cast<void*>(memory_.get()));
  }

 private:
  struct FreeName {
    void operator()(const char* name) const noexcept {
      sqlite3_free_filename(const_cast<char*>(name));
    }
  };

  void close() noexcept {
    if (get()->pMethods != nullptr) get()->pMethods->xClose(get());
  }

  sqlite3_vfs* const vfs_;
  const std::unique_ptr<const char, FreeName> name_;
  std::unique_ptr<std::byte[]> memory_;
};

base::Result<std::string> read_start(sqlite3_file* file, std::string_view doing) {
  sqlite3_int64 size = 0;
  int rc = file->pMethods->xFileSize(file, &size);
  if (rc != SQLITE_OK) return failure_of(rc, file, doing);
  std::string bytes(static_cast<std::size_t>(std::clamp<sqlite3_int64>(size, 0, kHeaderBytes)),
                    '\0');
  rc = file->pMethods->xRead(file, bytes.data(), static_cast<int>(bytes.size()), 0);
  if (rc != SQLITE_OK) return failure_of(rc, file, doing);
  return bytes;
}

}  // namespace

std::uint32_t big_endian(std::string_view bytes, std::size_t at) noexcept {
  std::uint32_t number = 0;
  for (const char byte : bytes.substr(at, 4))
    number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

// The absolute value of the number, as the pragma reports it.
FileId file_id_in(std::string_view page) noexcept {
  const std::uint32_t number = big_endian(page, kFileIdAt);
  return number > 0x8000'0000 ? 0 - number : number;
}

Header parse_header(std::string_view bytes) noexcept {
  Header header;
  header.is_blank = bytes.find_first_not_of('\0') == std::string_view::npos;
  if (bytes.size() < kHeaderBytes || !bytes.starts_with(kMagic)) return header;
  header.is_sqlite = true;
  header.is_known =
      is_known_version(bytes[kWriteVersionAt]) && is_known_version(bytes[kReadVersionAt]);
  header.is_in_wal_mode = bytes[kWriteVersionAt] == kWalVersion;
  header.user_version = static_cast<std::int32_t>(big_endian(bytes, kUserVersionAt));
  header.application_id = static_cast<std::int32_t>(big_endian(bytes, kApplicationIdAt));
  header.file_id = file_id_in(bytes);
  return header;
}

bool is_known_log(std::string_view bytes) noexcept {
  if (bytes.size() < kLogHeaderBytes || (big_endian(bytes, 0) & ~1U) != kLogMagic) return true;
  return big_endian(bytes, kLogVersionAt) == kLogVersion;
}

base::Result<Header> read_header(const std::string& path) {
  const std::string doing = fmt::format("reading the header of '{}'", path);
  return guarded(nullptr, doing, [&]() -> base::Result<Header> {
    DatabaseFile file(path);
    const auto start = read_start(file.get(), doing);
    if (!start) return start.failure();
    return parse_header(*start);
  });
}

}  // namespace ashmemo::store
