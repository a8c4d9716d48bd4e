#include "api/core.hpp"

#include <utility>

#include <fmt/format.h>

#include <ashmemo/error.hpp>
#include <ashmemo/key_part.hpp>

#include "api/options.hpp"

namespace ashmemo::detail {

namespace {

constexpr std::size_t kShownBytes = 100;  // of a key that is refused

[[noreturn]] void throw_unopened(const base::Failure& failure, const std::string& path) {
  switch (failure.kind) {
    case base::FailureKind::in_use:
      throw Error(ErrorCode::file_in_use, failure.what, path);
    case base::FailureKind::not_ours:
      throw Error(ErrorCode::not_a_cache, failure.what, path);
    case base::FailureKind::corrupt:
      throw Error(ErrorCode::damaged, failure.what, path);
    default:
      throw Error(ErrorCode::unavailable, failure.what, path);
  }
}

bool may_go_on(const base::Failure& failure, const Options& options) {
  const bool refused =
      failure.kind == base::FailureKind::in_use || failure.kind == base::FailureKind::not_ours;
  return !refused && options.when_unavailable == WhenUnavailable::go_on;
}

}  // namespace

Core::Core(std::string path, Options options)
    : engine(std::move(path), api::validated(std::move(options))), worker(engine) {
  engine.worker = &worker;
  if (base::Status opened = worker.open(); !opened.ok()) {
    if (!may_go_on(opened.failure(), engine.options)) throw_unopened(opened.failure(), engine.path);
    worker.start_without_store(opened.failure());
  }
  worker.start();
}

Core::~Core() { close(); }

void Core::close() {
  if (engine.closed.exchange(true)) return;
  if (engine.process.is_forked_child()) return worker.stop();
  // A calculation may call this that owns a flight which the running refresh waits for.
  engine.in_flight.close();
  if (engine.background) engine.background->stop();
  worker.stop();
  engine.set_health(HealthState::closed);
  engine.executor.give_up();
}

void require_key(std::string_view key) {
  const auto refuse = [key](std::string_view why) {
    throw Error(ErrorCode::invalid_key,
                fmt::format("the key {:?} {}", key.substr(0, kShownBytes), why),
                std::string(key.substr(0, kShownBytes)));
  };
  if (key.empty()) refuse("is empty: a key has 1 byte or more");
  if (key.size() > kMaxKeyBytes) {
    refuse(fmt::format("is {} bytes long: a key has at most {}", key.size(), kMaxKeyBytes));
  }
  if (key.find('\0') != std::string_view::npos) refuse("has a NUL byte in it");
}

engine::Lifetimes lifetimes_of(const PutOptions& options) {
  if (!options.ttl) return {};
  if (options.ttl->count() <= 0) {
    throw Error(ErrorCode::misuse,
                fmt::format("the ttl is {}: it must be longer than 0", to_string(*options.ttl)),
                "ttl");
  }
  const std::int64_t ttl = options.ttl->count();
  return {ttl, ttl, ttl};
}

}  // namespace ashmemo::detail
