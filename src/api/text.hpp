#pragma once

#include <optional>
#include <string_view>

#include <ashmemo/options.hpp>

namespace ashmemo::api {

/// The name of the value; nullopt if the enum does not have it. An enum that a program reads from a
/// configuration file can hold any number.
[[nodiscard]] std::optional<std::string_view> name_of(Durability value) noexcept;
[[nodiscard]] std::optional<std::string_view> name_of(Eviction value) noexcept;
[[nodiscard]] std::optional<std::string_view> name_of(Access value) noexcept;
[[nodiscard]] std::optional<std::string_view> name_of(WhenUnavailable value) noexcept;
[[nodiscard]] std::optional<std::string_view> name_of(WorkerMode value) noexcept;

}  // namespace ashmemo::api
