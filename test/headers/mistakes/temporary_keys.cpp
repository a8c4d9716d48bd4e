#include <iterator>

#include "record.hpp"

struct Made {
  struct Iterator {
    using value_type = std::string;
    using difference_type = std::ptrdiff_t;
    std::string operator*() const;
    Iterator& operator++();
    Iterator operator++(int);
    bool operator==(const Iterator&) const;
  };
  [[nodiscard]] Iterator begin() const;
  [[nodiscard]] Iterator end() const;
};

// A range that creates its strings while it is read.
void mistake(ashmemo::Cache& cache, const Made& keys) { cache.erase_many(keys); }
