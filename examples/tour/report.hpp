#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "documents.hpp"
#include "questions.hpp"
#include "session.hpp"

// The parts of the output, in 80 columns except for long paths and for commands.

namespace tour {

/// What the tour works on.
struct Scene {
  std::filesystem::path directory;
  std::filesystem::path cache_file;
  std::int64_t entries_before = 0;  ///< in the cache file
  Listing listing;
  Selection selection;
};

void print_scene(const Scene& scene);
/// One row of the table of passes. `first` is the pass to compare with.
void print_row(std::size_t number, const Pass& pass, const Pass& first);
/// The same as a JSON object in one line.
void print_json(std::size_t number, const Pass& pass);
/// Explains the table. `computed` are the documents that the last pass computed.
void print_explanation(const Scene& scene, const Pass& first, std::span<const Document> computed);
void print_results(const Scene& scene, const Results& results);
void print_questions(std::span<const Question> questions);

}  // namespace tour
