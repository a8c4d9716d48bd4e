#include "record.hpp"

// A value without a Codec.
bool mistake(ashmemo::Cache& cache) { return cache.put("k", Comment{1}); }
