#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <typeindex>
#include <vector>

#include <ashmemo/calculation_options.hpp>
#include <ashmemo/detail/core.hpp>
#include <ashmemo/value.hpp>

// The interface between the typed registry and its compiled core, which knows names, keys, policies
// and SQLite values, but no user types. Not for users: any version may change it.

namespace ashmemo::detail {

class ResourceCore;     // one resource: src/api/resource.hpp
class CalculationCore;  // one calculation of it, which lives as long

/// Properties of the record type that the compiled core needs.
struct RecordTraits {
  bool copyable = false;
  bool polymorphic = false;
};

struct CalculationDeclaration {
  std::string_view name;
  std::uint32_t version = 1;
  bool takes_batches = false;
  bool storable = false;      // the result has a codec
  bool copyable = false;      // the result can be given to several records
  bool optional = false;      // the result may be nothing
  std::string result_type{};  // its name for the file: see type_name.hpp
  std::type_index type = typeid(void);
  std::shared_ptr<void> typed;  // `find` returns it
};

/// The page of a load. Records are numbered from 0.
class RecordSource {
 public:
  virtual ~RecordSource() = default;
  [[nodiscard]] virtual std::size_t size() const noexcept = 0;
  /// Appends the record's own key, each part followed by a colon: "42:".
  virtual void append_key(std::size_t record, std::string& out) const = 0;
  [[nodiscard]] virtual bool has_versions() const noexcept = 0;
  [[nodiscard]] virtual Value version(std::size_t record) const = 0;
};

class OwnedRun;

/// A PageRun of a registered calculation.
class CalculationRun : public PageRun {
 public:
  [[nodiscard]] virtual CalculationCore& calculation() const noexcept = 0;
  /// Appends "word_count", or "excerpt(80)".
  virtual void append_call(std::string& out) const = 0;
  /// Copies a result of another run of the same calculation.
  virtual void copy_of(const CalculationRun& other, std::size_t from, std::size_t to) = 0;
  /// The same run on copies of these records, with new numbers; null if they cannot be copied.
  [[nodiscard]] virtual std::unique_ptr<OwnedRun> own(
      std::span<const std::size_t> records) const = 0;
};

/// A run that owns all its objects, so it may outlive the caller's page.
class OwnedRun {
 public:
  virtual ~OwnedRun() = default;
  [[nodiscard]] virtual CalculationRun& run() noexcept = 0;
};

// ---- registering

[[nodiscard]] std::shared_ptr<ResourceCore> make_resource(const std::shared_ptr<Core>& core,
                                                          std::string_view name,
                                                          RecordTraits traits);
CalculationCore& declare(ResourceCore& resource, const CalculationDeclaration& declaration);
void cache(ResourceCore& resource, std::string_view calculation, const CachePolicy& policy);
/// Called when `record_version` is set. Throws Error (misuse) if that is not allowed.
void claim_record_version(ResourceCore& resource);
void set_scope(ResourceCore& resource, std::function<void(std::string&)> append_scope);

// ---- asking

[[nodiscard]] const std::string& name_of(const ResourceCore& resource) noexcept;
[[nodiscard]] std::vector<CalculationInfo> calculations_of(const ResourceCore& resource);
[[nodiscard]] std::shared_ptr<void> find(const ResourceCore& resource, std::string_view calculation,
                                         std::type_index type);
[[nodiscard]] const std::string& name_of(const CalculationCore& calculation) noexcept;
/// For messages: "calculation 'word_count' of 'Post'".
[[nodiscard]] std::string label_of(const CalculationCore& calculation);
[[nodiscard]] CalculationStats stats_of(const CalculationCore& calculation);
/// The key of the record: "Post:42".
[[nodiscard]] std::string record_key(const ResourceCore& resource, const RecordSource& record);
/// The key of the record's result: "Post:42:excerpt(80)@acme".
[[nodiscard]] std::string cache_key(const ResourceCore& resource, const RecordSource& record,
                                    const CalculationRun& run);

// ---- loading

/// Gives every record of every run its result; returns how many were computed. Throws the exception
/// of a calculation after earlier results were stored. `only_cached` skips runs that are not
/// cached.
std::size_t load(ResourceCore& resource, const RecordSource& records,
                 std::span<CalculationRun* const> runs, const LoadOptions& options,
                 bool only_cached = false);
/// Gives a result to the records that have a live one. Computes and counts nothing.
void look_up(ResourceCore& resource, const RecordSource& records, CalculationRun& run);

// ---- invalidating

void invalidate_record(ResourceCore& resource, const RecordSource& record);
void invalidate_record(ResourceCore& resource, const RecordSource& record,
                       const CalculationCore& calculation);
void invalidate_all(ResourceCore& resource);
void invalidate_all(ResourceCore& resource, CalculationCore& calculation);

[[noreturn]] void throw_empty_handle();
/// A calculation of one resource was given to the load of another.
[[noreturn]] void throw_foreign(const ResourceCore& resource, const CalculationCore& calculation);

}  // namespace ashmemo::detail
