#include "bench/suite/row.hpp"

#include <fstream>
#include <stdexcept>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "bench/suite/system.hpp"

namespace ashmemo::bench {

NLOHMANN_JSON_SERIALIZE_ENUM(By, {{By::median, "median"}, {By::mean, "mean"}, {By::rate, "rate"}})
NLOHMANN_JSON_SERIALIZE_ENUM(Survives, {{Survives::nothing, "nothing"},
                                        {Survives::process_crash, "process crash"},
                                        {Survives::power_cut, "power cut"}})

namespace {

bool is_peer(const Row& row) {
  return !row.system.starts_with(kAshmemo.name) && !row.system.starts_with(kRawSqlite.name);
}

nlohmann::ordered_json json_of(const Rows& rows, const Row& row) {
  nlohmann::ordered_json json{{"scenario", row.scenario},       {"variant", row.variant},
                              {"system", row.system},           {"entries", row.entries},
                              {"value_bytes", row.value_bytes}, {"threads", row.threads}};
  if (row.bytes) {
    json["anonymous_bytes"] = *row.bytes;
    return json;
  }
  if (row.survives) json["survives"] = *row.survives;
  if (row.log_bytes) {
    json["log_bytes_of_row"] = *row.log_bytes;
    return json;
  }
  json["by"] = row.by;
  json["mean_us"] = row.mean_us;
  json["p50_us"] = row.p50_us;
  json["p99_us"] = row.p99_us;
  if (row.p999_us) json["p999_us"] = *row.p999_us;
  json["ops_per_s"] = row.ops_per_s;
  if (const auto scaling = rows.scaling_of(row)) json["scaling"] = *scaling;
  return json;
}

Row row_from(const nlohmann::json& json) {
  Row row;
  row.scenario = json.at("scenario");
  row.variant = json.at("variant");
  row.system = json.at("system");
  row.entries = json.at("entries");
  row.value_bytes = json.at("value_bytes");
  row.threads = json.at("threads");
  if (json.contains("anonymous_bytes")) row.bytes = json["anonymous_bytes"].get<std::int64_t>();
  if (json.contains("survives")) row.survives = json["survives"].get<Survives>();
  if (json.contains("log_bytes_of_row")) row.log_bytes = json["log_bytes_of_row"].get<double>();
  if (row.bytes || row.log_bytes) return row;
  row.by = json.at("by");
  row.mean_us = json.at("mean_us");
  row.p50_us = json.at("p50_us");
  row.p99_us = json.at("p99_us");
  if (json.contains("p999_us")) row.p999_us = json["p999_us"].get<double>();
  row.ops_per_s = json.at("ops_per_s");
  return row;
}

}  // namespace

bool are_compared(const Row& a, const Row& b) {
  return a.scenario == b.scenario && a.variant == b.variant && a.entries == b.entries &&
         a.threads == b.threads;
}

double Row::compared() const {
  if (bytes) return static_cast<double>(*bytes);
  if (log_bytes) return *log_bytes;
  switch (by) {
    case By::median:
      return p50_us;
    case By::mean:
      return mean_us;
    case By::rate:
      return 1e6 / ops_per_s;
  }
  return 0;
}

void set_times(Row& row, Latencies& blocks, std::size_t operations) {
  const double nanoseconds_to_us = 1e-3 / static_cast<double>(operations);
  row.mean_us = blocks.mean() * nanoseconds_to_us;
  row.p50_us = static_cast<double>(blocks.at(0.5)) * nanoseconds_to_us;
  row.p99_us = static_cast<double>(blocks.at(0.99)) * nanoseconds_to_us;
  row.ops_per_s = row.mean_us > 0 ? 1e6 / row.mean_us : 0;
}

const Row* Rows::find(std::string_view scenario, std::string_view variant, std::string_view system,
                      std::size_t entries) const {
  for (const Row& row : all_) {
    if (row.scenario == scenario && row.variant == variant && row.system == system &&
        (entries == 0 || row.entries == entries)) {
      return &row;
    }
  }
  return nullptr;
}

const Row* Rows::raw_row_for(const Row& row) const { return row_of(kRawSqlite.name, row); }

const Row* Rows::best_peer_row_for(const Row& row) const {
  const Row* best = nullptr;
  for (const Row& other : all_) {
    if (!are_compared(row, other) || !is_peer(other)) continue;
    if (best == nullptr || other.compared() < best->compared()) best = &other;
  }
  return best;
}

const Row* Rows::row_of(std::string_view system, const Row& same_work) const {
  for (const Row& other : all_) {
    if (other.system == system && are_compared(same_work, other)) return &other;
  }
  return nullptr;
}

std::optional<double> Rows::scaling_of(const Row& row) const {
  if (row.threads == 1 || row.by != By::rate) return std::nullopt;
  Row one = row;
  one.threads = 1;
  const Row* const alone = row_of(row.system, one);
  if (alone == nullptr || alone->ops_per_s <= 0) return std::nullopt;
  return row.ops_per_s / alone->ops_per_s;
}

void write_json(const Rows& rows, const std::string& path) {
  std::ofstream file(path);
  for (const Row& row : rows.all()) file << json_of(rows, row).dump() << '\n';
  file.flush();
  if (!file) throw std::runtime_error(fmt::format("could not write {}", path));
}

Rows read_json(const std::string& path) {
  std::ifstream file(path);
  Rows rows;
  std::string line;
  while (std::getline(file, line)) rows.add(row_from(nlohmann::json::parse(line)));
  if (!file.eof()) throw std::runtime_error(fmt::format("could not read {}", path));
  return rows;
}

}  // namespace ashmemo::bench
