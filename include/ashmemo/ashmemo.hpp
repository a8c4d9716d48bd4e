#pragma once

// Everything of ashmemo but <ashmemo/json.hpp>, which needs nlohmann-json.

#include <ashmemo/cache.hpp>
#include <ashmemo/calculation.hpp>
#include <ashmemo/calculation_options.hpp>
#include <ashmemo/clock.hpp>
#include <ashmemo/codec.hpp>
#include <ashmemo/duration.hpp>
#include <ashmemo/entry.hpp>
#include <ashmemo/error.hpp>
#include <ashmemo/events.hpp>
#include <ashmemo/executor.hpp>
#include <ashmemo/key_part.hpp>
#include <ashmemo/options.hpp>
#include <ashmemo/parsed_key.hpp>
#include <ashmemo/put_options.hpp>
#include <ashmemo/records.hpp>
#include <ashmemo/registry.hpp>
#include <ashmemo/resource.hpp>
#include <ashmemo/stats.hpp>
#include <ashmemo/value.hpp>
#include <ashmemo/version.hpp>
