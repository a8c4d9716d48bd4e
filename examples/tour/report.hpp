#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "documents.hpp"
#include "near_duplicates.hpp"
#include "questions.hpp"
#include "session.hpp"

namespace tour {

/// What the tour looks at.
struct Scene {
  std::filesystem::path directory;
  std::filesystem::path cache_file;
  std::int64_t entries_before = 0;  ///< in the cache file
  Listing listing;
  Selection selection;
};

/// Prints what the tour sees, as it sees it: for people, in 80 columns where paths allow; or the
/// passes alone, as one JSON object a line.
class Report {
 public:
  explicit Report(bool json);
  ~Report();
  Report(const Report&) = delete;
  Report& operator=(const Report&) = delete;

  void scene(const Scene& scene) const;
  /// Begins a line of the table: the pass may take its time.
  void begin_pass(std::string_view name, std::size_t documents);
  /// Ends it.
  void pass(Pass pass);
  /// What the last pass stored.
  void computed_again(std::span<const Document> documents) const;
  /// What the passes were.
  void legend(const Scene& scene) const;
  void results(const Results& results) const;
  void near_duplicates(const Scene& scene, std::span<const Resemblance> found) const;
  void questions(std::span<const Question> questions) const;

 private:
  void heading(std::string_view what) const;

  bool json_;
  bool styled_;
  bool in_line_ = false;  // of the table
  std::vector<Pass> passes_;
};

}  // namespace tour
