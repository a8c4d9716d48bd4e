#include <ashmemo/version.hpp>

#include <string_view>

namespace ashmemo {

static_assert(std::string_view(ASHMEMO_VERSION) == ASHMEMO_PROJECT_VERSION,
              "version.hpp and meson.build must name the same version");

const char* version() noexcept { return ASHMEMO_VERSION; }

}  // namespace ashmemo
