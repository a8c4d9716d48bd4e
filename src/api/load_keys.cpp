#include "api/load_keys.hpp"

namespace ashmemo::api {

thread_local const CarriedScope* CarriedScope::innermost_ = nullptr;

CarriedScope::CarriedScope(const detail::ResourceCore& resource, std::string_view scope)
    : resource_(resource), scope_(scope), outer_(innermost_) {
  innermost_ = this;
}

CarriedScope::~CarriedScope() { innermost_ = outer_; }

const std::string_view* CarriedScope::of(const detail::ResourceCore& resource) {
  // Only that of the innermost refresh: an outer one on this thread is somebody else's, and so is a
  // hook that is called while it runs.
  const bool is_its = innermost_ != nullptr && &innermost_->resource_ == &resource &&
                      !resource.engine().worker->is_in_hook();
  return is_its ? &innermost_->scope_ : nullptr;
}

PageKeys::PageKeys(const detail::ResourceCore& resource, const detail::RecordSource& records)
    : resource_(resource), records_(records) {
  if (const std::string_view* const carried = CarriedScope::of(resource)) {
    scope_ = *carried;
  } else {
    resource.append_scope(scope_);
  }
}

std::string PageKeys::call_of(const detail::CalculationRun& run) const {
  std::string out;
  run.append_call(out);
  return out += scope_;
}

std::string PageKeys::key(const detail::CalculationRun& run, std::size_t record) const {
  std::string out = resource_.key_prefix();
  records_.append_key(record, out);
  return out += call_of(run);
}

std::string_view PageKeys::record_key(std::size_t record) const {
  const std::size_t begin = record == 0 ? 0 : ends_[record - 1];
  return std::string_view(record_keys_).substr(begin, ends_[record] - begin);
}

void PageKeys::build_records() {
  ends_.reserve(records_.size());
  for (std::size_t record = 0; record < records_.size(); ++record) {
    record_keys_ += resource_.key_prefix();
    records_.append_key(record, record_keys_);
    ends_.push_back(record_keys_.size());
  }
  if (!records_.has_versions()) return;
  versions_.reserve(records_.size());
  for (std::size_t record = 0; record < records_.size(); ++record) {
    versions_.push_back(records_.version(record));
  }
}

void PageKeys::build_keys(const std::vector<detail::CalculationRun*>& runs) {
  std::vector<std::string> calls;
  std::size_t bytes = 0;
  for (const detail::CalculationRun* run : runs) {
    calls.push_back(call_of(*run));
    bytes += record_keys_.size() + records_.size() * calls.back().size();
  }
  keys_.reserve(bytes);
  for (const std::string& call : calls) {
    for (std::size_t record = 0; record < records_.size(); ++record) {
      keys_ += record_key(record);
      keys_ += call;
    }
  }
}

std::vector<engine::Query> PageKeys::queries(const std::vector<detail::CalculationRun*>& runs) {
  std::vector<engine::Query> out;
  if (runs.empty()) return out;
  build_records();
  build_keys(runs);
  out.reserve(runs.size() * records_.size());
  std::string_view rest = keys_;
  for (const detail::CalculationRun* run : runs) {
    const detail::CalculationCore& calculation = run->calculation();
    const std::size_t call_bytes = call_of(*run).size();
    for (std::size_t record = 0; record < records_.size(); ++record) {
      const std::size_t bytes = record_key(record).size() + call_bytes;
      out.push_back({.key = rest.substr(0, bytes),
                     .calculation = calculation.state(),
                     .record_version = versions_.empty() ? ValueView() : versions_[record].view(),
                     .lifetimes = calculation.lifetimes().something,
                     .nothing = calculation.lifetimes().nothing.value_or(engine::kNoLifetimes)});
      rest.remove_prefix(bytes);
    }
  }
  return out;
}

}  // namespace ashmemo::api
