#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "faults/operation.hpp"

// Erasing with `erase_securely` while system calls fail: no bytes of the values may remain in the
// file.

using namespace ashmemo;
using test::Operation;
using test::Trial;
using test::try_faults;

namespace {

const std::vector<std::string> kSecrets{"long7", "long8", "long9", "secret1", "secret2"};

/// Stores the values with `erase_securely`. Without it, merges and splits of pages may leave
/// copies.
void store(Trial& trial) {
  trial.put_many(kSecrets);
  trial.flush();
}

/// After the operation, the file must contain none of the values.
Operation erasing(void (*erase)(Trial&)) {
  Operation operation{.before = store,
                      .act =
                          [erase](Trial& trial) {
                            erase(trial);
                            trial.get_many(kSecrets);
                            trial.get("old6");
                          },
                      .after =
                          [](Trial& trial) {
                            for (const std::string& key : kSecrets) {
                              const bool is_found = trial.file_holds(key + "#0#");
                              CHECK_MESSAGE((!is_found || trial.may_have_returned()), key);
                            }
                          }};
  operation.options.erase_securely = true;
  return operation;
}

}  // namespace

TEST_SUITE("faults") {
  TEST_CASE("erase, erase_many and erase_prefix leave no bytes with erase_securely") {
    try_faults(erasing([](Trial& trial) {
      trial.erase("long8");
      trial.erase_many({"long7", "long9"});
      trial.erase_prefix("secret");
    }));
  }

  TEST_CASE("clear leaves no bytes with erase_securely") {
    try_faults(erasing([](Trial& trial) { trial.clear(); }));
  }

  TEST_CASE("an overwrite leaves no bytes with erase_securely") {
    try_faults(erasing([](Trial& trial) {
      trial.put_many(kSecrets);
      trial.flush();
    }));
  }
}
