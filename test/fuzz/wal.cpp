#include "fuzz/wal.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "fuzz/edits.hpp"

namespace ashmemo::fuzz {
namespace {

constexpr std::size_t kSaltsAt = 16;      // in the header of the log
constexpr std::size_t kFrameSaltsAt = 8;  // in the header of a frame
constexpr std::size_t kFrameSumsAt = 16;
constexpr std::size_t kHeaderSumsAt = 24;
constexpr std::size_t kSummedOfFrame =
    8;  // the page number, and the size of the database after a commit

std::uint32_t word(std::string_view bytes, std::size_t at, bool big_endian) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::size_t from = at + (big_endian ? i : 3 - i);
    number = number << 8 | static_cast<unsigned char>(bytes[from]);
  }
  return number;
}

struct Sums {
  std::uint32_t first = 0;
  std::uint32_t second = 0;

  void add(std::string_view bytes, bool big_endian) {
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      first += word(bytes, at, big_endian) + second;
      second += word(bytes, at + 4, big_endian) + first;
    }
  }

  void write(std::string& log, std::size_t at) const {
    for (const std::uint32_t sum : {first, second}) {
      for (int shift = 24; shift >= 0; shift -= 8)
        log[at++] = static_cast<char>(sum >> shift & 0xFF);
    }
  }
};

}  // namespace

std::string with_checksums(std::string log) {
  if (log.size() < kLog.header_bytes) return log;
  const bool big_endian = (word(log, 0, true) & 1) != 0;  // bit 0 of the magic number
  Sums sums;
  sums.add(std::string_view(log).substr(0, kHeaderSumsAt), big_endian);
  sums.write(log, kHeaderSumsAt);
  for (std::size_t frame = 0; frame < kLog.pages_in(log.size()); ++frame) {
    const std::size_t page = kLog.page_at(frame);
    const std::size_t header = page - kLog.frame_header_bytes;
    sums.add(std::string_view(log).substr(header, kSummedOfFrame), big_endian);
    sums.add(std::string_view(log).substr(page, kPageBytes), big_endian);
    sums.write(log, header + kFrameSumsAt);
  }
  return log;
}

std::string with_fixed_salts(std::string log) {
  constexpr std::string_view salts("ashmemo!", 8);
  if (log.size() < kLog.header_bytes) return log;
  log.replace(kSaltsAt, salts.size(), salts);
  for (std::size_t frame = 0; frame < kLog.pages_in(log.size()); ++frame) {
    log.replace(kLog.page_at(frame) - kLog.frame_header_bytes + kFrameSaltsAt, salts.size(), salts);
  }
  return with_checksums(std::move(log));
}

}  // namespace ashmemo::fuzz
