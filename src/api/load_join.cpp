#include <optional>
#include <vector>

#include "api/load.hpp"
#include "base/test_point.hpp"
#include "engine/in_flight.hpp"

// A load among others: what they compute is not computed here.

namespace ashmemo::api {

std::vector<std::size_t> Load::claim(const std::vector<std::size_t>& missing) {
  ASHMEMO_TEST_POINT("load: looked up");
  std::vector<std::size_t> own = claims_.claim(missing);
  return claims_.must_look_again() ? look_again(own) : own;
}

// What another flight has stored after our look-up need not be computed once more.
std::vector<std::size_t> Load::look_again(const std::vector<std::size_t>& wanted) {
  std::vector<engine::Query> queries;
  queries.reserve(wanted.size());
  for (const std::size_t query : wanted) queries.push_back(queries_[query]);
  std::vector<engine::Answer> answers(queries.size());
  RunSink found = sink();
  found.read_only_again(wanted);
  engine::read(engine_, queries, found, answers);
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (!answers[i].is_hit() || answers[i].freshness != Freshness::fresh) {
      missing.push_back(wanted[i]);
      continue;
    }
    engine_.counters.joined.add();
    if (const auto value = run_of(wanted[i]).run->encode(record_of(wanted[i]))) {
      claims_.complete(wanted[i], *value);
    }
  }
  return missing;
}

void Load::join() {
  std::optional<engine::Deadline> deadline;
  if (wait_) deadline.emplace(*engine_.clock, wait_->count());
  std::vector<std::size_t> own;  // that must be computed here after all
  for (const Claims::Joined& joined : claims_.joined()) {
    if (!take_joined(joined, deadline ? &*deadline : nullptr)) own.push_back(joined.query);
    if (thrown_) return;
  }
  if (own.empty() || is_lost()) return;
  claims_.claim_alone(own);
  compute(look_again(own), false);
  keep();
}

bool Load::take_joined(const Claims::Joined& joined, const engine::Deadline* deadline) {
  using Waited = engine::InFlightTable::Waited;
  if (engine_.process.is_forked_child()) return false;  // the calculation has forked
  // Whoever computes may be waiting for the worker that is telling this hook.
  if (engine_.worker->is_in_hook()) return false;
  ASHMEMO_TEST_POINT("load: waits");
  const Waited waited = engine_.in_flight.wait(joined.flight, engine::this_waiter(), deadline);
  return waited == Waited::ended && take_ended(joined.query, *joined.flight);
}

bool Load::take_ended(std::size_t query, const engine::InFlight& flight) {
  using State = engine::InFlight::State;
  switch (flight.state) {
    case State::completed:
      if (!run_of(query).run->decode(record_of(query), flight.value)) return false;
      engine_.counters.joined.add();
      return true;
    case State::thrown:
      if (!is_kept(query)) thrown_ = flight.thrown;
      return true;
    case State::failed: {
      if (is_kept(query)) return true;
      const std::size_t run = cached_[query / records_];
      if (failed_.empty() || failed_.front().run == run) {
        failed_.push_back({run, record_of(query), flight.why});
      }
      return true;
    }
    case State::running:
    case State::cancelled:
      break;
  }
  return false;
}

}  // namespace ashmemo::api
