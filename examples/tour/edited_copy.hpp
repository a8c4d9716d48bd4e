#pragma once

#include <filesystem>

#include "documents.hpp"

namespace tour {

/// A copy of a document in a temporary directory, so that nothing of the user's is ever changed.
/// Removed with this object.
class EditedCopy {
 public:
  /// The copy is as old as the original. Errors: std::filesystem::filesystem_error.
  explicit EditedCopy(const Document& original);
  ~EditedCopy();
  EditedCopy(const EditedCopy&) = delete;
  EditedCopy& operator=(const EditedCopy&) = delete;

  /// The copy as it is now.
  [[nodiscard]] Document document() const { return describe(file_); }
  /// Adds a line to the copy; afterwards its modification time is another.
  void add_line() const;

 private:
  std::filesystem::path directory_;
  std::filesystem::path file_;
};

}  // namespace tour
