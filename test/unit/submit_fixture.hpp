#pragma once

#include "support/fake_engine.hpp"

namespace ashmemo::test {

inline Options with_small_queue() {
  Options options = FakeEngine::manual();
  options.queue_bytes = 64 * KiB;
  return options;
}

}  // namespace ashmemo::test
