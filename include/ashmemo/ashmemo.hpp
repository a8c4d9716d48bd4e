#pragma once

// Everything of ashmemo but <ashmemo/json.hpp>, which needs nlohmann-json.

/// \mainpage
///
/// ashmemo keeps the results of expensive calculations on an application's records in one SQLite
/// file, inside the application's own process.
///
/// - Calculations on records: ashmemo::Registry, ashmemo::Resource, ashmemo::Calculation,
///   ashmemo::CachePolicy.
/// - Plain keys and values: ashmemo::Cache.
/// - How a cache is opened: ashmemo::Options, with ashmemo::Limits, ashmemo::Timing and
///   ashmemo::Hooks.
/// - Types of values: ashmemo::Codec. Types of parts of keys: ashmemo::KeyPart.
/// - State and errors: ashmemo::Stats, ashmemo::Health, ashmemo::Notice, ashmemo::Error.
/// - Tests without sleeps: ashmemo::ManualClock, ashmemo::WorkerMode.

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
#include <ashmemo/keys.hpp>
#include <ashmemo/options.hpp>
#include <ashmemo/put_options.hpp>
#include <ashmemo/records.hpp>
#include <ashmemo/registry.hpp>
#include <ashmemo/resource.hpp>
#include <ashmemo/stats.hpp>
#include <ashmemo/value.hpp>
#include <ashmemo/version.hpp>
