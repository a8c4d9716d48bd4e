#include <ashmemo/entry.hpp>
#include <ashmemo/error.hpp>
#include <ashmemo/events.hpp>
#include <ashmemo/stats.hpp>

// The names of enumerated values, as logs and messages show them.

namespace ashmemo {

std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_options:
      return "invalid_options";
    case ErrorCode::invalid_key:
      return "invalid_key";
    case ErrorCode::file_in_use:
      return "file_in_use";
    case ErrorCode::not_a_cache:
      return "not_a_cache";
    case ErrorCode::unavailable:
      return "unavailable";
    case ErrorCode::misuse:
      return "misuse";
    case ErrorCode::unknown_calculation:
      return "unknown_calculation";
    case ErrorCode::wrong_number_of_results:
      return "wrong_number_of_results";
    case ErrorCode::calculation_failed:
      return "calculation_failed";
    case ErrorCode::closed:
      return "closed";
    case ErrorCode::store_failed:
      return "store_failed";
    case ErrorCode::cycle:
      return "cycle";
    case ErrorCode::damaged:
      return "damaged";
  }
  return "?";
}

std::string_view to_string(RemovalCause cause) noexcept {
  switch (cause) {
    case RemovalCause::erased:
      return "erased";
    case RemovalCause::replaced:
      return "replaced";
    case RemovalCause::expired:
      return "expired";
    case RemovalCause::evicted:
      return "evicted";
  }
  return "?";
}

std::string_view to_string(NoticeKind kind) noexcept {
  switch (kind) {
    case NoticeKind::unavailable:
      return "unavailable";
    case NoticeKind::available:
      return "available";
    case NoticeKind::busy:
      return "busy";
    case NoticeKind::write_failed:
      return "write_failed";
    case NoticeKind::recovered:
      return "recovered";
    case NoticeKind::quarantine:
      return "set_aside";
    case NoticeKind::writes_dropped:
      return "writes_dropped";
    case NoticeKind::removal_uncommitted:
      return "removal_uncommitted";
    case NoticeKind::undecodable:
      return "undecodable";
    case NoticeKind::unencodable:
      return "unencodable";
    case NoticeKind::refused:
      return "refused";
    case NoticeKind::default_limit:
      return "default_limit";
    case NoticeKind::listener_failed:
      return "listener_failed";
    case NoticeKind::worker_failed:
      return "worker_failed";
    case NoticeKind::foreign_reader:
      return "foreign_reader";
    case NoticeKind::calculation_failed:
      return "calculation_failed";
    case NoticeKind::read_failed:
      return "read_failed";
    case NoticeKind::file_lost:
      return "file_lost";
    case NoticeKind::everything_removed:
      return "everything_removed";
  }
  return "?";
}

std::string_view to_string(HealthState state) noexcept {
  switch (state) {
    case HealthState::ok:
      return "ok";
    case HealthState::degraded:
      return "degraded";
    case HealthState::unavailable:
      return "unavailable";
    case HealthState::closed:
      return "closed";
  }
  return "?";
}

}  // namespace ashmemo
