#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "faults/operation.hpp"

// Removing so that nothing of it stays in the file, while calls to the system fail.

using namespace ashmemo;
using test::Operation;
using test::Trial;
using test::try_faults;

namespace {

const std::vector<std::string> kSecrets{"long7", "long8", "long9", "secret1", "secret2"};

/// What was stored without `erase_securely` may have left copies when pages were joined or split.
void store(Trial& trial) {
  trial.put_many(kSecrets);
  trial.flush();
}

/// After it none of the values is in the file any more.
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
                              const bool is_there = trial.file_holds(key + "#0#");
                              CHECK_MESSAGE((!is_there || trial.may_be_back()), key);
                            }
                          }};
  operation.options.erase_securely = true;
  return operation;
}

}  // namespace

TEST_SUITE("faults") {
  TEST_CASE("erase_securely: erase, erase_many, erase_prefix") {
    try_faults(erasing([](Trial& trial) {
      trial.erase("long8");
      trial.erase_many({"long7", "long9"});
      trial.erase_prefix("secret");
    }));
  }

  TEST_CASE("erase_securely: clear") {
    try_faults(erasing([](Trial& trial) { trial.clear(); }));
  }

  TEST_CASE("erase_securely: overwrites") {
    try_faults(erasing([](Trial& trial) {
      trial.put_many(kSecrets);
      trial.flush();
    }));
  }
}
