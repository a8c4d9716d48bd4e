#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// The only place that asks whether people look at what is printed.

namespace ashmemo::cli {

/// A terminal that is written to.
struct Screen {
  std::size_t columns = 0;
  std::string_view omission;  ///< what stands there for what was left out: one sign, or "..."
};

/// The one that standard output is; nullopt: it is none, or does not tell its width.
[[nodiscard]] std::optional<Screen> screen();

/// How far long work has come, on one line of standard error that is gone afterwards. Prints
/// nothing where that is no terminal.
class Progress {
 public:
  explicit Progress(std::string_view work);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// One more entry is done.
  void step();

 private:
  void show() const;

  std::string work_;
  std::int64_t steps_ = 0;
  bool is_shown_ = false;
};

/// Asks on the terminal; nullopt: there is none to ask on.
[[nodiscard]] std::optional<bool> confirmed(std::string_view question);

}  // namespace ashmemo::cli
