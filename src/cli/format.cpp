#include "cli/format.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <string_view>

namespace ashmemo::cli {
namespace {

constexpr std::int64_t kMillisecond = 1'000;
constexpr std::int64_t kSecond = 1'000 * kMillisecond;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kYear = 365 * kDay;

// A file may hold any number: only these years have a date.
constexpr std::int64_t kFirstDated = -62'135'596'800 * kSecond;  // year 1
constexpr std::int64_t kLastDated = 253'402'300'799 * kSecond;   // year 9999

struct Unit {
  std::int64_t length;
  std::string_view name;
};

constexpr std::array<Unit, 7> kUnits{{{kYear, "y"},
                                      {kDay, "d"},
                                      {kHour, "h"},
                                      {kMinute, "min"},
                                      {kSecond, "s"},
                                      {kMillisecond, "ms"},
                                      {1, "us"}}};

// "1.23", "12.3", "123"
std::string three_digits(double number) {
  if (number < 9.995) return fmt::format("{:.2f}", number);
  if (number < 99.95) return fmt::format("{:.1f}", number);
  return fmt::format("{:.0f}", number);
}

}  // namespace

std::string grouped(std::int64_t number) {
  const std::string digits = fmt::to_string(number);
  const std::size_t first = number < 0 ? 1 : 0;
  std::string text;
  for (std::size_t at = 0; at < digits.size(); ++at) {
    const bool begins_group = at > first && (digits.size() - at) % 3 == 0;
    if (begins_group) text += ',';
    text += digits[at];
  }
  return text;
}

std::string counted(std::int64_t number, const char* one, const char* more) {
  return fmt::format("{} {}", grouped(number), number == 1 ? one : more);
}

std::string size_text(std::int64_t bytes) {
  constexpr std::array<std::string_view, 6> kNames{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1'024) return fmt::format("{} B", bytes);
  double amount = static_cast<double>(bytes) / 1'024;
  std::size_t unit = 0;
  while (amount >= 1'023.95 && unit + 1 < kNames.size()) {
    amount /= 1'024;
    ++unit;
  }
  return fmt::format("{:.1f} {}", amount, kNames[unit]);
}

std::string bytes_text(std::int64_t bytes) {
  const std::string exact = counted(bytes, "byte", "bytes");
  return bytes < 1'024 ? exact : fmt::format("{} ({})", exact, size_text(bytes));
}

std::string span_text(std::int64_t microseconds) {
  for (const Unit& unit : kUnits) {
    const std::int64_t count = microseconds / unit.length;
    if (count != 0) return fmt::format("{} {}", grouped(count), unit.name);
  }
  return "0 s";
}

std::string cost_text(std::int64_t microseconds) {
  if (microseconds < kMillisecond) return fmt::format("{} us", microseconds);
  const auto amount = static_cast<double>(microseconds);
  if (amount < 999.5 * kMillisecond) return three_digits(amount / kMillisecond) + " ms";
  if (amount < 119.5 * kSecond) return three_digits(amount / kSecond) + " s";
  return span_text(microseconds);
}

std::string moment_text(std::int64_t microseconds) {
  if (microseconds < kFirstDated) return "before the year 1";
  if (microseconds > kLastDated) return "after the year 9999";
  const std::chrono::sys_time<std::chrono::microseconds> moment{
      std::chrono::microseconds(microseconds)};
  const auto day = std::chrono::floor<std::chrono::days>(moment);
  const std::chrono::year_month_day date{day};
  const auto seconds = std::chrono::floor<std::chrono::seconds>(moment - day).count();
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     seconds / 3'600, seconds / 60 % 60, seconds % 60);
}

std::string percent_text(std::int64_t part, std::int64_t all) {
  if (all <= 0) return "-";
  return fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(all));
}

}  // namespace ashmemo::cli
