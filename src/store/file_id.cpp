#include "store/file_id.hpp"

#include <SQLiteCpp/Statement.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <array>
#include <cstdint>

#include "base/platform.hpp"

namespace ashmemo::store {
namespace {

constexpr FileId kMaxFileId = 0x7FFF'FFFF;
constexpr FileId kFirstIdStep = 256;

bool is_first(FileId id) noexcept { return id % kFirstIdStep == 0; }

// ---- the log

// The format is described at sqlite.org/walformat.html. The header: kind, version, page size,
// number of checkpoints, two salts, and a checksum over these. Then frames: a header (page number,
// size of the database, the two salts, a checksum over all frames up to this one) and a page.
constexpr std::size_t kPageSizeAt = 8;
constexpr std::size_t kSaltsAt = 16;
constexpr std::size_t kHeaderSumAt = 24;
constexpr std::size_t kFrameSaltsAt = 8;
constexpr std::size_t kFrameSumAt = 16;
constexpr std::size_t kFrameHeaderBytes = 24;
constexpr std::size_t kSaltBytes = 8;
constexpr std::size_t kCheckedFrameBytes = 8;  // of the header of a frame

class Checksum {
 public:
  explicit Checksum(bool is_big_endian) noexcept : is_big_endian_(is_big_endian) {}

  void add(std::string_view bytes) noexcept {
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      first_ += word(bytes, at) + second_;
      second_ += word(bytes, at + 4) + first_;
    }
  }
  [[nodiscard]] bool is_at(std::string_view bytes, std::size_t at) const noexcept {
    return big_endian(bytes, at) == first_ && big_endian(bytes, at + 4) == second_;
  }

 private:
  [[nodiscard]] std::uint32_t word(std::string_view bytes, std::size_t at) const noexcept {
    const std::uint32_t number = big_endian(bytes, at);
    return is_big_endian_
               ? number
               : number >> 24 | (number >> 8 & 0xFF00) | (number << 8 & 0xFF'0000) | number << 24;
  }

  bool is_big_endian_;
  std::uint32_t first_ = 0;
  std::uint32_t second_ = 0;
};

/// Reads frames in order, as long as they are valid.
class LogReader {
 public:
  explicit LogReader(base::InputFile& file) : file_(file) {}

  /// Returns false if SQLite ignores the log or cannot use it with a file of ours.
  [[nodiscard]] base::Result<bool> read_header() {
    auto whole = fill(header_.data(), header_.size());
    if (!whole || !*whole) return whole;
    const std::uint32_t kind = big_endian(header(), 0);
    if ((kind & ~1U) != kLogMagic || big_endian(header(), kPageSizeAt) != kPageSize) return false;
    sum_ = Checksum((kind & 1) != 0);
    sum_.add(header().substr(0, kHeaderSumAt));
    return sum_.is_at(header(), kHeaderSumAt);
  }

  /// Returns false if there is no further valid frame.
  [[nodiscard]] base::Result<bool> next() {
    auto whole = fill(frame_.data(), frame_.size());
    if (!whole || !*whole) return whole;
    if (frame().substr(kFrameSaltsAt, kSaltBytes) != header().substr(kSaltsAt, kSaltBytes)) {
      return false;
    }
    sum_.add(frame().substr(0, kCheckedFrameBytes));
    sum_.add(page());
    return sum_.is_at(frame(), kFrameSumAt);
  }

  [[nodiscard]] std::uint32_t page_number() const noexcept { return big_endian(frame(), 0); }
  [[nodiscard]] std::string_view page() const noexcept { return frame().substr(kFrameHeaderBytes); }

 private:
  base::Result<bool> fill(char* to, std::size_t bytes) {
    const auto count = file_.read(to, bytes);
    if (!count) return count.failure();
    return *count == bytes;
  }
  [[nodiscard]] std::string_view header() const noexcept {
    return {header_.data(), header_.size()};
  }
  [[nodiscard]] std::string_view frame() const noexcept { return {frame_.data(), frame_.size()}; }

  base::InputFile& file_;
  std::array<char, kLogHeaderBytes> header_{};
  std::array<char, kFrameHeaderBytes + kPageSize> frame_{};
  Checksum sum_{false};
};

}  // namespace

FileId new_file_id() noexcept {
  constexpr FileId kFirstIds = kMaxFileId / kFirstIdStep;
  std::uint32_t random = 0;
  sqlite3_randomness(sizeof random, &random);
  return (random % kFirstIds + 1) * kFirstIdStep;
}

FileId next_file_id(FileId id) noexcept {
  const FileId next = (id + 1) & kMaxFileId;
  return is_first(next) ? next + 1 : next;
}

// A file without an id gets its first one through the log.
bool belong_together(FileId in_log, FileId in_file) noexcept {
  if (in_log == in_file) return true;
  return in_file == kNoFileId ? is_first(in_log) : in_log == next_file_id(in_file);
}

FileId read_file_id(SQLite::Database& database) {
  SQLite::Statement query(database, "PRAGMA default_cache_size");
  if (!query.executeStep()) return kNoFileId;
  const std::int64_t value = query.getColumn(0).getInt64();
  return value > 0 ? static_cast<FileId>(value) : kNoFileId;  // negative: the default of SQLite
}

void write_file_id(SQLite::Database& database, FileId id) {
  const int cache_size = database.execAndGet("PRAGMA cache_size").getInt();
  const std::string restore = fmt::format("PRAGMA cache_size={}", cache_size);
  try {
    database.exec(fmt::format("PRAGMA default_cache_size={}", id));
  } catch (const SQLite::Exception&) {
    static_cast<void>(database.tryExec(restore));  // compiling the pragma has set it already
    throw;
  }
  database.exec(restore);
}

void start_log(SQLite::Database& database) {
  const FileId id = read_file_id(database);
  write_file_id(database, id == kNoFileId ? new_file_id() : next_file_id(id));
}

std::uint64_t log_salts(sqlite3_file* log) noexcept {
  std::uint64_t salts = 0;
  if (log == nullptr) return salts;
  if (log->pMethods->xRead(log, &salts, sizeof salts, kSaltsAt) != SQLITE_OK) salts = 0;
  return salts;
}

base::Result<bool> is_log_of_another_file(const std::string& path, FileId id) {
  const auto state = base::inspect(path);
  if (!state) return state.failure();
  if (state->type == base::FileType::missing || state->bytes == 0) return false;
  auto file = base::InputFile::open(path);
  if (!file) return file.failure();
  LogReader log(**file);
  bool has_page_1 = false;
  auto more = log.read_header();
  if (more && *more) more = log.next();
  for (; more && *more; more = log.next()) {
    if (log.page_number() != 1) continue;
    if (belong_together(file_id_in(log.page()), id)) return false;
    has_page_1 = true;
  }
  if (!more) return more.failure();
  return has_page_1;
}

}  // namespace ashmemo::store
