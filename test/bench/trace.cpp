#include "bench/trace.hpp"

#include <charconv>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <unordered_map>

#include <fmt/format.h>
#include <zlib.h>

namespace ashmemo::bench {
namespace {

// Reads lines of a gzip file or of a plain file.
class LineReader {
 public:
  explicit LineReader(const std::string& path) : path_(path), file_(gzopen(path.c_str(), "rb")) {
    if (!file_) throw std::runtime_error(fmt::format("cannot open {}", path));
  }

  bool next(std::string* line) {
    line->clear();
    ++number_;
    char part[4096];
    while (gzgets(file_.get(), part, sizeof part) != nullptr) {
      line->append(part);
      if (line->back() == '\n') break;
    }
    check();
    if (line->empty()) return false;
    while (!line->empty() && (line->back() == '\n' || line->back() == '\r')) line->pop_back();
    return true;
  }

  [[noreturn]] void fail(std::string_view why) const {
    throw std::runtime_error(fmt::format("{}: line {}: {}", path_, number_, why));
  }

 private:
  void check() const {
    int error = Z_OK;
    const char* const why = gzerror(file_.get(), &error);
    if (error != Z_OK && error != Z_STREAM_END) fail(why);
  }

  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  std::string path_;
  std::unique_ptr<gzFile_s, Close> file_;
  std::int64_t number_ = 0;
};

std::int64_t parse_size(std::string_view text, const LineReader& reader) {
  std::int64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  if (error != std::errc() || end != text.data() + text.size() || size < 0) {
    reader.fail(fmt::format("'{}' is not a size in bytes", text));
  }
  return size;
}

std::string name_of(const std::string& path) {
  const std::string file = std::filesystem::path(path).filename().string();
  return file.substr(0, file.find('.'));
}

}  // namespace

Trace read_trace(const std::string& path) {
  Trace trace;
  trace.name = name_of(path);
  LineReader reader(path);
  std::unordered_map<std::string, std::uint32_t> numbers;
  std::string line;
  while (reader.next(&line)) {
    if (line.empty()) continue;
    const std::size_t space = line.find(' ');
    if (space == 0) reader.fail("the line begins with a space");
    std::int64_t size = kDefaultSize;
    if (space != std::string::npos) {
      size = parse_size(std::string_view(line).substr(space + 1), reader);
      line.resize(space);
    }
    const auto next = static_cast<std::uint32_t>(trace.keys.size());
    const auto [found, is_new] = numbers.try_emplace(line, next);
    if (is_new) trace.keys.push_back(line);
    trace.requests.push_back({found->second, size});
  }
  if (trace.requests.empty())
    throw std::runtime_error(fmt::format("{}: the file has no requests", path));
  return trace;
}

}  // namespace ashmemo::bench
