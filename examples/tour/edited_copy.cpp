#include "edited_copy.hpp"

#include <stdlib.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <string>
#include <system_error>

namespace tour {
namespace {

namespace fs = std::filesystem;

fs::path make_directory() {
  std::string name = (fs::temp_directory_path() / "ashmemo-tour-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) {
    throw fs::filesystem_error("cannot make a directory", name,
                               std::error_code(errno, std::generic_category()));
  }
  return fs::canonical(name);
}

}  // namespace

EditedCopy::EditedCopy(const Document& original)
    : directory_(make_directory()), file_(directory_ / fs::path(original.path).filename()) {
  fs::copy_file(original.path, file_);
  fs::permissions(file_, fs::perms::owner_write, fs::perm_options::add);
  fs::last_write_time(file_, fs::last_write_time(original.path));
}

EditedCopy::~EditedCopy() {
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

// A file system's clock may stand still for some milliseconds: two changes within them would look
// like one. So the time is set.
void EditedCopy::add_line() const {
  const fs::file_time_type before = fs::last_write_time(file_);
  std::ofstream(file_, std::ios::app) << "\nOne more line, written by the tour of ashmemo.\n";
  fs::last_write_time(file_, before + std::chrono::seconds(1));
}

}  // namespace tour
