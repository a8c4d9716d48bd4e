#include "format.hpp"

namespace tour {
namespace {

class Thousands : public std::numpunct<char> {
  [[nodiscard]] char do_thousands_sep() const override { return ','; }
  [[nodiscard]] std::string do_grouping() const override { return "\3"; }
};

constexpr std::int64_t kKiB = 1024;
constexpr std::int64_t kMiB = 1024 * kKiB;

}  // namespace

const std::locale& with_commas() {
  static const std::locale locale(std::locale::classic(), new Thousands);  // the locale owns it
  return locale;
}

std::string in_bytes(std::int64_t bytes) {
  if (bytes < kKiB) return counted(bytes, "byte", "bytes");
  if (bytes < kMiB) return text("{:L} KiB", bytes / kKiB);
  return text("{:.1Lf} MiB", static_cast<double>(bytes) / static_cast<double>(kMiB));
}

std::string in_words(std::chrono::seconds length) {
  const std::int64_t minutes = std::chrono::ceil<std::chrono::minutes>(length).count();
  if (minutes < 120) return counted(minutes, "minute", "minutes");
  return counted(std::chrono::round<std::chrono::hours>(length).count(), "hour", "hours");
}

}  // namespace tour
