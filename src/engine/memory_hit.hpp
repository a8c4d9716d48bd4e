#pragma once

#include <string_view>

#include "engine/engine.hpp"
#include "engine/reading.hpp"

namespace ashmemo::engine {

/// The read that is asked for most: one key, of no calculation, that the memory tier has fresh. As
/// `read` and `settle` of it, with less on the way. False: nothing was counted; ask these.
[[nodiscard]] bool hit_in_memory(Engine& engine, std::string_view key, AnswerSink& sink);

}  // namespace ashmemo::engine
